//! Invariants 8, 9 and 11 as far as the events tell them, corrupted.

use super::Corruption;

pub const CORRUPTIONS: &[Corruption] = &[
    Corruption {
        invariant: 8,
        check: "an order's revisions are consecutive",
        each: &[
            "UPDATE event SET revision = revision + 5 WHERE po_id = [PO-000004] AND event_type = 'RECEIPT_BOOKED'",
            "UPDATE event SET revision = 0 WHERE po_id = [PO-000002] AND event_type = 'ORDER_CREATED'",
            "DELETE FROM event WHERE po_id = [PO-000004] AND event_type = 'ORDER_CREATED'",
        ],
    },
    Corruption {
        invariant: 8,
        check: "an order is as its last event left it",
        each: &[
            "UPDATE purchase_order SET revision = revision + 1 WHERE po_id = [PO-000003]",
            "UPDATE event SET state_after = 'CANCELLED' WHERE po_id = [PO-000003] AND event_type = 'ORDER_PLACED'",
        ],
    },
    Corruption {
        invariant: 8,
        check: "an order's numbers are as its last event left them",
        each: &[
            "UPDATE event SET order_after = replace(order_after, '\"pending_lines\":', '\"pending_lines\":1')
                WHERE po_id = [PO-000003] AND event_type = 'ORDER_PLACED'",
            "UPDATE purchase_order SET received_cost = received_cost + 1 WHERE po_id = [PO-000004]",
        ],
    },
    Corruption { invariant: 8, check: "an order has events", each: &["DELETE FROM event WHERE po_id = [PO-000002]"] },
    Corruption {
        invariant: 8,
        check: "an order's event is of an order",
        each: &[
            "UPDATE event SET po_id = 'nowhere' WHERE po_id = [PO-000002] AND event_type = 'ORDER_CREATED'",
            "UPDATE event SET po_id = NULL, revision = NULL, state_after = NULL
               WHERE po_id = [PO-000002] AND event_type = 'ORDER_CREATED'",
        ],
    },
    Corruption {
        invariant: 8,
        check: "each event leads from one state of its order to another as its type says",
        each: &[
            "UPDATE event SET state_after = 'RECEIVING' WHERE po_id = [PO-000003] AND event_type = 'ORDER_PLACED'",
            "UPDATE event SET event_type = 'RECEIPT_VOIDED'
               WHERE po_id = [PO-000004] AND event_type = 'RECEIPT_BOOKED'",
        ],
    },
    Corruption {
        invariant: 8,
        check: "a back order begins as one, right after the completion that made it",
        each: &[
            "UPDATE event SET event_type = 'ORDER_CREATED'
               WHERE po_id = [PO-000001-B1] AND event_type = 'BACK_ORDER_CREATED'",
            "UPDATE event SET actor = 'carol' WHERE po_id = [PO-000001-B1] AND event_type = 'BACK_ORDER_CREATED'",
            "UPDATE event SET event_time = event_time + 1
               WHERE po_id = [PO-000001-B1] AND event_type = 'BACK_ORDER_CREATED'",
            "UPDATE event SET event_type = 'BACK_ORDER_CREATED'
               WHERE po_id = [PO-000003] AND event_type = 'ORDER_CREATED'",
        ],
    },
    Corruption {
        invariant: 8,
        check: "a back order is folded back right after its order was reopened, and only then",
        each: &[
            "UPDATE purchase_order SET folded_back = NOT folded_back WHERE po_id = [PO-000014-B1]",
            "UPDATE purchase_order SET folded_back = NOT folded_back WHERE po_id = [PO-000005]",
            "UPDATE event SET actor = 'carol' WHERE po_id = [PO-000014-B1] AND event_type = 'BACK_ORDER_FOLDED'",
            "UPDATE event SET event_type = 'ORDER_COMPLETED' WHERE po_id = [PO-000014] AND event_type = 'ORDER_REOPENED'",
            "UPDATE event SET event_type = 'ORDER_CANCELLED'
               WHERE po_id = [PO-000014-B1] AND event_type = 'BACK_ORDER_FOLDED'",
        ],
    },
    Corruption {
        invariant: 8,
        check: "an order has as many receipts booked and voided as its events say",
        each: &[
            "DELETE FROM receipt WHERE po_id = [PO-000001] AND receipt_number = 2",
            "UPDATE receipt SET void_time = NULL, voided_by = NULL, void_reason = NULL WHERE po_id = [PO-000001]",
            "UPDATE event SET event_type = 'ORDER_PLACED' WHERE po_id = [PO-000004] AND event_type = 'RECEIPT_BOOKED'",
        ],
    },
    Corruption {
        invariant: 8,
        check: "an order's terms have changed if an event amended or confirmed it once it was placed, and only then",
        each: &[
            "UPDATE purchase_order SET terms_changed = NOT terms_changed WHERE po_id = [PO-000003]",
            "UPDATE purchase_order SET terms_changed = NOT terms_changed WHERE po_id = [PO-000013]",
        ],
    },
    Corruption {
        invariant: 9,
        check: "event numbers are consecutive from the oldest one retained",
        each: &[
            "DELETE FROM event WHERE store_id = 'north' AND event_number = 7",
            "UPDATE event SET event_number = event_number + 1000
               WHERE store_id = 'north' AND event_type = 'ROLE_REVOKED'",
        ],
    },
    Corruption {
        invariant: 9,
        check: "events are kept from the first one on that the store row names",
        each: &[
            "UPDATE store SET first_event = 2 WHERE store_id = 'north'",
            "DELETE FROM event WHERE store_id = 'north' AND event_number = 1",
        ],
    },
    Corruption {
        invariant: 9,
        check: "the store row has the number and time of its last event",
        each: &[
            "UPDATE store SET last_event = last_event + 1 WHERE store_id = 'north'",
            "UPDATE store SET last_event_time = last_event_time + 1 WHERE store_id = 'north'",
            "DELETE FROM event WHERE store_id = 'north'",
        ],
    },
    Corruption {
        invariant: 9,
        check: "a store begins with its creation, and is created once",
        each: &[
            "UPDATE store SET create_time = create_time - 1 WHERE store_id = 'north'",
            "UPDATE event SET event_type = 'ROLE_CREATED' WHERE store_id = 'north' AND event_number = 1",
            "UPDATE event SET event_type = 'STORE_CREATED' WHERE store_id = 'north' AND event_number = 2",
        ],
    },
    Corruption {
        invariant: 11,
        check: "no order was open when back orders were turned on",
        each: &[
            "UPDATE event SET event_type = 'BACK_ORDERS_ENABLED'
               WHERE store_id = 'north' AND event_type = 'ROLE_REVOKED'",
            "UPDATE event SET po_id = NULL, revision = NULL, state_after = NULL,
               event_type = 'BACK_ORDERS_ENABLED' WHERE po_id = [PO-000001] AND event_type = 'ORDER_PLACED'",
        ],
    },
    Corruption {
        invariant: 11,
        check: "back orders are on or off as the store's last event about them says, and their events alternate",
        each: &[
            "UPDATE store SET back_orders_enabled = NOT back_orders_enabled WHERE store_id = 'north'",
            "UPDATE event SET event_type = 'BACK_ORDERS_ENABLED'
               WHERE store_id = 'north' AND event_type = 'BACK_ORDERS_DISABLED'",
            "DELETE FROM event WHERE store_id = 'north' AND event_type LIKE 'BACK_ORDERS_%'",
        ],
    },
    Corruption {
        invariant: 11,
        check: "a back order was made only while back orders were turned on",
        each: &[
            "UPDATE event SET event_type = 'BACK_ORDERS_DISABLED'
               WHERE store_id = 'north' AND event_type = 'BACK_ORDERS_ENABLED'",
            "UPDATE event SET event_type = 'ROLE_CREATED' WHERE store_id = 'north' AND event_type LIKE 'BACK_ORDERS_%'",
        ],
    },
];

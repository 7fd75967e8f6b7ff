//! Invariant 12, corrupted.

use super::Corruption;

pub const CORRUPTIONS: &[Corruption] = &[
    Corruption {
        invariant: 12,
        check: "an event is of a known type",
        each: &[
            "UPDATE event SET event_type = 'ORDER_EATEN' WHERE po_id = [PO-000003] AND event_type = 'ORDER_PLACED'",
        ],
    },
    Corruption {
        invariant: 12,
        check: "platform operators did what only they may do, and changed no order",
        each: &[
            "UPDATE event SET as_operator = NOT as_operator
               WHERE store_id = 'north' AND event_type = 'BACK_ORDERS_DISABLED'",
            "UPDATE event SET as_operator = NOT as_operator WHERE po_id = [PO-000003] AND event_type = 'ORDER_PLACED'",
        ],
    },
    Corruption {
        invariant: 12,
        check: "the actor of each event held its permission at that event",
        each: &[
            "UPDATE event SET actor = 'mallory' WHERE po_id = [PO-000003] AND event_type = 'ORDER_PLACED'",
            "UPDATE event SET actor = 'bob' WHERE po_id = [PO-000003] AND event_type = 'ORDER_PLACED'",
            "UPDATE event SET actor = 'carol' WHERE store_id = 'north' AND event_type = 'ROLE_REVOKED'",
            "UPDATE role_grant SET to_event = from_event + 1 WHERE principal = 'bob'",
            "DELETE FROM role_permission WHERE store_id = 'north' AND role_id = 'receiver' AND permission = 'RECEIVE'",
            "UPDATE role_permission SET to_event = 5
               WHERE store_id = 'north' AND permission = 'COMPLETE_PURCHASE_ORDERS'",
            "UPDATE role_grant SET from_event = (SELECT event_number FROM event
               WHERE po_id = [PO-000008] AND event_type = 'ORDER_CREATED')
               WHERE principal = 'dora' AND to_event IS NOT NULL",
            "UPDATE role_grant SET to_event = (SELECT event_number FROM event
               WHERE po_id = [PO-000008] AND event_type = 'ORDER_CREATED')
               WHERE principal = 'dora' AND to_event IS NOT NULL",
        ],
    },
    Corruption {
        invariant: 12,
        check: "nobody granted what they did not hold",
        each: &[
            "UPDATE event SET actor = 'bob' WHERE store_id = 'north' AND event_type = 'ROLE_GRANTED'",
            "INSERT INTO role_permission VALUES ('north', 'manager', 'FLY', 1, NULL)",
        ],
    },
    Corruption {
        invariant: 12,
        check: "a validity period begins and ends with events that exist",
        each: &[
            "UPDATE role_grant SET to_event = 999999 WHERE principal = 'bob'",
            "UPDATE role_grant SET to_event = from_event WHERE principal = 'bob'",
            "UPDATE role_permission SET from_event = 0 WHERE store_id = 'north' AND role_id = 'receiver'",
        ],
    },
    Corruption {
        invariant: 12,
        check: "nobody gave a role a permission that they did not hold",
        each: &[
            "UPDATE role_permission SET permission = 'FLY' WHERE role_id = 'buyer' AND permission = 'EDIT'",
            "UPDATE event SET actor = 'bob' WHERE store_id = 'north' AND event_number IN (
               SELECT from_event FROM role_permission WHERE role_id = 'buyer' AND permission = 'EDIT')",
        ],
    },
    Corruption {
        invariant: 12,
        check: "a role allows something for as long as somebody holds it",
        each: &[
            "INSERT INTO role_grant VALUES ('north', 'emil', 'no-role', 4, NULL)",
            "INSERT INTO role_grant SELECT store_id, 'emil', role_id, from_event, NULL FROM role_permission
               WHERE role_id = 'temp'",
            "INSERT INTO role_grant SELECT store_id, 'emil', role_id, to_event, NULL FROM role_permission
               WHERE role_id = 'temp'",
        ],
    },
    Corruption {
        invariant: 12,
        check: "no two validity periods of the same grant or permission overlap",
        each: &[
            "INSERT INTO role_grant SELECT store_id, principal, role_id, from_event + 1, NULL FROM role_grant
               WHERE principal = 'bob'",
            "UPDATE role_grant SET to_event = to_event + 2 WHERE principal = 'dora'",
            "UPDATE role_grant SET to_event = NULL WHERE principal = 'dora'",
        ],
    },
    Corruption {
        invariant: 12,
        check: "a validity period begins and ends with an event about it",
        each: &[
            "UPDATE role_grant SET from_event = from_event + 2 WHERE principal = 'bob'",
            "UPDATE role_grant SET to_event = to_event - 1 WHERE principal = 'dora' AND to_event IS NOT NULL",
            "UPDATE role_permission SET to_event = 4 WHERE store_id = 'north' AND role_id = 'buyer'",
            "UPDATE role_permission SET from_event = 2 WHERE store_id = 'north' AND role_id = 'receiver'",
        ],
    },
    Corruption {
        invariant: 12,
        check: "an event about a role or a grant has a row that begins or ends with it",
        each: &[
            "DELETE FROM role_grant WHERE principal = 'carol'",
            "UPDATE role_grant SET to_event = NULL WHERE principal = 'dora'",
            "DELETE FROM role_permission WHERE store_id = 'north' AND role_id = 'buyer'",
        ],
    },
    Corruption {
        invariant: 12,
        check: "somebody holds MANAGE_ACCESS",
        each: &[
            "DELETE FROM role_permission WHERE store_id = 'north' AND permission = 'MANAGE_ACCESS'",
            "UPDATE role_grant SET to_event = from_event + 1 WHERE store_id = 'north' AND principal = 'alice'",
        ],
    },
];

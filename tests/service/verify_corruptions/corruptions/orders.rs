//! Invariant 4, corrupted.

use super::Corruption;

pub const CORRUPTIONS: &[Corruption] = &[
    Corruption {
        invariant: 4,
        check: "a completed order has nothing pending and something received",
        each: &[
            "UPDATE purchase_order_line SET pending = 10000 WHERE po_id = [PO-000007] AND line_number = 1",
            "UPDATE purchase_order_line SET received = 0, cancelled = ordered WHERE po_id = [PO-000007]",
            "DELETE FROM purchase_order_line WHERE po_id = [PO-000007]",
        ],
    },
    Corruption {
        invariant: 4,
        check: "an order has a back order if it is completed and something was back-ordered, and only then",
        each: &[
            "UPDATE purchase_order SET parent_id = NULL WHERE po_id = [PO-000001-B2]",
            "UPDATE purchase_order SET parent_id = [PO-000003] WHERE po_id = [PO-000001-B2]",
            "UPDATE purchase_order SET state = 'RECEIVING', close_time = NULL WHERE po_id = [PO-000001]",
            "UPDATE purchase_order_line SET back_ordered = 0, cancelled = cancelled + back_ordered
               WHERE po_id = [PO-000001-B1]",
        ],
    },
    Corruption {
        invariant: 4,
        check: "a cancelled order has nothing pending and nothing received",
        each: &[
            "UPDATE purchase_order_line SET pending = 10000, cancelled = cancelled - 10000
               WHERE po_id = [PO-000005] AND line_number = 1",
            "UPDATE purchase_order_line SET received = 10000, cancelled = cancelled - 10000
               WHERE po_id = [PO-000006] AND line_number = 1",
        ],
    },
    Corruption {
        invariant: 4,
        check: "a draft has nothing cancelled",
        each: &["UPDATE purchase_order_line SET pending = pending - 10000, cancelled = 10000
               WHERE po_id = [PO-000002] AND line_number = 1"],
    },
    Corruption {
        invariant: 4,
        check: "an order is being received if it has an active receipt, and only then",
        each: &[
            "UPDATE purchase_order SET state = 'ON_ORDER' WHERE po_id = [PO-000004]",
            "UPDATE purchase_order SET state = 'RECEIVING' WHERE po_id = [PO-000003]",
            "UPDATE purchase_order SET state = 'DRAFT' WHERE po_id = [PO-000004]",
            "DELETE FROM receipt WHERE po_id = [PO-000007]",
        ],
    },
    Corruption {
        invariant: 4,
        check: "an order has lines, and their numbers are those that it has given out",
        each: &[
            "DELETE FROM purchase_order_line WHERE po_id = [PO-000002]",
            "UPDATE purchase_order_line SET line_number = 7 WHERE po_id = [PO-000002] AND line_number = 1",
        ],
    },
    Corruption {
        invariant: 4,
        check: "no order was placed with a line of quantity 0",
        each: &["UPDATE purchase_order_line SET ordered = 0, first_ordered = 0, pending = 0
               WHERE po_id = [PO-000003] AND line_number = 1"],
    },
    Corruption {
        invariant: 4,
        check: "an order is in a known state, and has the times that go with it",
        each: &[
            "UPDATE purchase_order SET state = 'LOST' WHERE po_id = [PO-000003]",
            "UPDATE purchase_order SET place_time = NULL WHERE po_id = [PO-000003]",
            "UPDATE purchase_order SET original_order_time = NULL WHERE po_id = [PO-000003]",
            "UPDATE purchase_order SET close_time = NULL WHERE po_id = [PO-000005]",
            "UPDATE purchase_order SET close_time = 0 WHERE po_id = [PO-000002]",
            "UPDATE purchase_order SET place_time = create_time, order_time = create_time,
               original_order_time = create_time WHERE po_id = [PO-000002]",
        ],
    },
    Corruption {
        invariant: 4,
        check: "a back order that was folded back is cancelled, and has no back order of its own",
        each: &[
            "UPDATE purchase_order SET folded_back = NOT folded_back WHERE po_id = [PO-000014-B2]",
            "UPDATE purchase_order SET folded_back = NOT folded_back WHERE po_id = [PO-000005]",
            "UPDATE purchase_order SET child_id = [PO-000003] WHERE po_id = [PO-000014-B1]",
        ],
    },
];

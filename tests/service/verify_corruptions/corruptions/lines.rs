//! Invariant 1, corrupted.

use super::Corruption;

pub const CORRUPTIONS: &[Corruption] = &[
    Corruption {
        invariant: 1,
        check: "ordered + excess = received + back_ordered + cancelled + pending",
        each: &[
            "UPDATE purchase_order_line SET cancelled = cancelled + 10000
               WHERE po_id = [PO-000003] AND line_number = 1",
            "UPDATE purchase_order_line SET excess = 1 WHERE po_id = [PO-000007] AND line_number = 1",
        ],
    },
    Corruption {
        invariant: 1,
        check: "a line has an excess only if nothing is back-ordered or pending",
        each: &["UPDATE purchase_order_line SET excess = 10000, pending = pending + 10000
               WHERE po_id = [PO-000003] AND line_number = 1"],
    },
    Corruption {
        invariant: 1,
        check: "no quantity or cost of a line is negative or out of range",
        each: &[
            "UPDATE purchase_order_line SET rejected = -10000 WHERE po_id = [PO-000003] AND line_number = 1",
            "UPDATE purchase_order_line SET ordered = 10000000000000 WHERE po_id = [PO-000002] AND line_number = 1",
            "UPDATE purchase_order_line SET first_ordered = -1 WHERE po_id = [PO-000002] AND line_number = 1",
            "UPDATE purchase_order_line SET unit_cost = 1000000000000001 WHERE po_id = [PO-000002] AND line_number = 1",
            "UPDATE purchase_order_line SET pending = -1 WHERE po_id = [PO-000003] AND line_number = 1",
            "UPDATE purchase_order_line SET confirmed = -10000 WHERE po_id = [PO-000003] AND line_number = 1",
        ],
    },
    Corruption {
        invariant: 1,
        check: "a line has a known unit, and whole quantities if that unit is counted in whole numbers",
        each: &[
            "UPDATE purchase_order_line SET unit = 'DOZEN' WHERE po_id = [PO-000002] AND line_number = 1",
            "UPDATE purchase_order_line SET ordered = ordered + 1, pending = pending + 1
               WHERE po_id = [PO-000003] AND line_number = 1",
            "UPDATE purchase_order_line SET rejected = 5000 WHERE po_id = [PO-000001] AND line_number = 1",
            "UPDATE purchase_order_line SET confirmed = 5000 WHERE po_id = [PO-000003] AND line_number = 1",
        ],
    },
    Corruption {
        invariant: 1,
        check: "received and rejected are the sums over active receipts",
        each: &[
            "UPDATE purchase_order_line SET received = received + 10000, pending = pending - 10000
               WHERE po_id = [PO-000004] AND line_number = 1",
            "UPDATE purchase_order_line SET rejected = rejected + 10000 WHERE po_id = [PO-000001] AND line_number = 1",
            "UPDATE receipt_item SET accepted = accepted + 10000 WHERE po_id = [PO-000004]",
            "UPDATE receipt SET void_time = book_time, voided_by = booked_by, void_reason = ''
               WHERE po_id = [PO-000004]",
        ],
    },
    Corruption {
        invariant: 1,
        check: "a line's receive times are the first and last of its active receipts",
        each: &[
            "UPDATE purchase_order_line SET first_receive_time = first_receive_time + 1
               WHERE po_id = [PO-000001] AND line_number = 1",
            "UPDATE purchase_order_line SET last_receive_time = NULL WHERE po_id = [PO-000004] AND line_number = 1",
            "UPDATE purchase_order_line SET last_receive_time = first_receive_time
               WHERE po_id = [PO-000001] AND line_number = 1",
        ],
    },
    Corruption {
        invariant: 1,
        check: "an outstanding line is due at its own date, or else at its order's, and no other line is",
        each: &[
            "UPDATE purchase_order_line SET due_date = NULL WHERE po_id = [PO-000003] AND line_number = 1",
            "UPDATE purchase_order_line SET due_date = '2020-02-29' WHERE po_id = [PO-000003] AND line_number = 1",
            "UPDATE purchase_order_line SET due_date = 'none' WHERE po_id = [PO-000001] AND line_number = 1",
            "UPDATE purchase_order_line SET expected_date = '2020-02-29' WHERE po_id = [PO-000003] AND line_number = 1",
        ],
    },
    Corruption {
        invariant: 1,
        check: "a receipt item has a quantity, none negative, and a reason for what is rejected",
        each: &[
            "UPDATE receipt_item SET reject_reason = NULL WHERE store_id = 'north'",
            "UPDATE receipt_item SET accepted = 0, rejected = 0 WHERE po_id = [PO-000004]",
            "UPDATE receipt_item SET accepted = -1, rejected = 2 WHERE po_id = [PO-000004]",
        ],
    },
    Corruption {
        invariant: 1,
        check: "a line belongs to an order",
        each: &["UPDATE purchase_order_line SET po_id = 'nowhere' WHERE po_id = [PO-000002] AND line_number = 1"],
    },
    Corruption {
        invariant: 1,
        check: "a receipt belongs to an order and has items",
        each: &[
            "DELETE FROM receipt_item WHERE po_id = [PO-000004]",
            "UPDATE receipt SET po_id = 'nowhere' WHERE po_id = [PO-000004]",
        ],
    },
    Corruption {
        invariant: 1,
        check: "a receipt item belongs to a receipt and a line of its order",
        each: &[
            "UPDATE receipt_item SET line_number = 77 WHERE po_id = [PO-000004]",
            "UPDATE receipt_item SET receipt_number = 77 WHERE po_id = [PO-000004]",
        ],
    },
];

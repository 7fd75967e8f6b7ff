//! Invariant 9, corrupted.

use super::Corruption;

pub const CORRUPTIONS: &[Corruption] = &[
    Corruption {
        invariant: 9,
        check: "the receipts of one delivery agree on when, by whom and from whom it was",
        each: &[
            "UPDATE receipt SET delivery_note = 'LS 1' WHERE po_id = [PO-000009]",
            "UPDATE receipt SET booked_by = 'bob' WHERE po_id = [PO-000009]",
            "UPDATE receipt SET supplier_id = 'bolt' WHERE po_id = [PO-000009]",
            "UPDATE receipt SET receive_time = receive_time - 1 WHERE po_id = [PO-000009]",
            "UPDATE receipt SET book_time = book_time + 1 WHERE po_id = [PO-000009]",
        ],
    },
    Corruption {
        invariant: 9,
        check: "a correction was booked by whom and when the receipt in whose place it is was voided, and alone",
        each: &[
            "UPDATE receipt SET void_time = void_time - 1 WHERE po_id = [PO-000012] AND receipt_number = 1",
            "UPDATE receipt SET voided_by = 'bob' WHERE po_id = [PO-000012] AND receipt_number = 1",
            "UPDATE receipt SET delivery_id = '01234567-89ab-7cde-8f01-23456789abcd'
               WHERE po_id = [PO-000012] AND receipt_number = 2",
            "UPDATE receipt SET void_time = NULL, voided_by = NULL, void_reason = NULL
               WHERE po_id = [PO-000012] AND receipt_number = 1",
            "UPDATE receipt SET corrects = 1 WHERE po_id = [PO-000012] AND receipt_number = 3",
        ],
    },
    Corruption {
        invariant: 9,
        check: "recorded times never go back along the events",
        each: &[
            "UPDATE event SET event_time = event_time - 86400000001
               WHERE po_id = [PO-000001] AND event_type = 'RECEIPT_VOIDED'",
            "UPDATE event SET event_time = event_time + 86400000000000
               WHERE po_id = [PO-000002] AND event_type = 'ORDER_CREATED'",
        ],
    },
    Corruption {
        invariant: 9,
        check: "ordered ≤ placed, and created ≤ placed ≤ closed",
        each: &[
            "UPDATE purchase_order SET order_time = place_time + 1 WHERE po_id = [PO-000003]",
            "UPDATE purchase_order SET create_time = place_time + 1 WHERE po_id = [PO-000003]",
            "UPDATE purchase_order SET close_time = place_time - 1 WHERE po_id = [PO-000005]",
            "UPDATE purchase_order SET close_time = create_time - 1 WHERE po_id = [PO-000006]",
        ],
    },
    Corruption {
        invariant: 9,
        check: "placed ≤ booked ≤ voided ≤ closed",
        each: &[
            "UPDATE receipt SET book_time = 0 WHERE po_id = [PO-000004]",
            "UPDATE receipt SET void_time = book_time - 1 WHERE po_id = [PO-000001] AND receipt_number = 2",
            "UPDATE purchase_order SET close_time = place_time WHERE po_id = [PO-000001]",
            "UPDATE receipt SET void_time = void_time + 86400000000000
               WHERE po_id = [PO-000001] AND receipt_number = 2",
            "UPDATE purchase_order SET place_time = NULL WHERE po_id = [PO-000004]",
        ],
    },
    Corruption {
        invariant: 9,
        check: "the day of original_order_time ≤ that of receive_time, and receive_time ≤ booked",
        each: &[
            "UPDATE receipt SET receive_time = 0 WHERE po_id = [PO-000004]",
            "UPDATE receipt SET receive_time = book_time + 1 WHERE po_id = [PO-000004]",
        ],
    },
    Corruption {
        invariant: 9,
        check: "original_order_time is the order time of the chain's original",
        each: &[
            "UPDATE purchase_order SET original_order_time = order_time WHERE po_id = [PO-000001-B1]",
            "UPDATE purchase_order SET original_order_time = NULL WHERE po_id = [PO-000001-B2]",
            "UPDATE purchase_order SET original_order_time = order_time + 1 WHERE po_id = [PO-000003]",
        ],
    },
    Corruption {
        invariant: 9,
        check: "a back order is ordered when it is made",
        each: &[
            "UPDATE purchase_order SET order_time = order_time - 1 WHERE po_id = [PO-000001-B1]",
            "UPDATE purchase_order SET place_time = place_time + 1 WHERE po_id = [PO-000001-B1]",
        ],
    },
    Corruption {
        invariant: 9,
        check: "a back-ordered line has the time at which its order was completed",
        each: &[
            "UPDATE purchase_order_line SET back_order_time = NULL WHERE po_id = [PO-000001] AND line_number = 1",
            "UPDATE purchase_order_line SET back_order_time = back_order_time + 1
               WHERE po_id = [PO-000001] AND line_number = 1",
            "UPDATE purchase_order_line SET back_order_time = 1 WHERE po_id = [PO-000003] AND line_number = 1",
        ],
    },
    Corruption {
        invariant: 9,
        check: "an order's times are those of its events",
        each: &[
            "UPDATE purchase_order SET create_time = create_time - 1 WHERE po_id = [PO-000002]",
            "UPDATE purchase_order SET create_event = create_event + 1 WHERE po_id = [PO-000002]",
            "UPDATE purchase_order SET place_time = place_time + 1 WHERE po_id = [PO-000003]",
            "UPDATE purchase_order SET close_time = close_time + 1 WHERE po_id = [PO-000005]",
            "UPDATE purchase_order SET close_time = close_time + 1 WHERE po_id = [PO-000007]",
            "UPDATE purchase_order SET close_time = close_time + 1 WHERE po_id = [PO-000014]",
            "UPDATE purchase_order SET close_time = close_time + 1 WHERE po_id = [PO-000014-B1]",
        ],
    },
    Corruption {
        invariant: 9,
        check: "a receipt was booked and voided by the actors and at the times of its events",
        each: &[
            "UPDATE receipt SET booked_by = 'mallory' WHERE po_id = [PO-000004]",
            "UPDATE receipt SET book_time = book_time + 1 WHERE po_id = [PO-000004]",
            "UPDATE receipt SET voided_by = 'mallory' WHERE po_id = [PO-000001] AND receipt_number = 2",
            "UPDATE receipt SET void_time = void_time + 1 WHERE po_id = [PO-000001] AND receipt_number = 2",
        ],
    },
];

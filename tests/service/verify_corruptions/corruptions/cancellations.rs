//! Invariants 1, 4 and 8 of what was cancelled, corrupted.

use super::Corruption;

pub const CORRUPTIONS: &[Corruption] = &[
    Corruption {
        invariant: 1,
        check: "cancelled is the sum of what its events cancelled",
        each: &[
            "UPDATE line_cancellation SET quantity = quantity + 1 WHERE po_id = [PO-000013]",
            "DELETE FROM line_cancellation WHERE po_id = [PO-000013]",
            "UPDATE purchase_order_line SET cancelled = cancelled - 10000, pending = pending + 10000
               WHERE po_id = [PO-000013] AND line_number = 1",
        ],
    },
    Corruption {
        invariant: 1,
        check: "a cancellation is of a line",
        each: &["UPDATE line_cancellation SET line_number = 9 WHERE po_id = [PO-000013]"],
    },
    Corruption {
        invariant: 4,
        check: "what was cancelled after it was placed has a reason",
        each: &[
            "UPDATE purchase_order SET cancel_reason = NULL WHERE po_id = [PO-000005]",
            "UPDATE purchase_order SET cancel_reason = NULL WHERE po_id = [PO-000001]",
            "UPDATE line_cancellation SET reason = NULL WHERE po_id = [PO-000013]",
            "UPDATE purchase_order SET cancel_reason = NULL WHERE po_id = [PO-000014-B1]",
        ],
    },
    Corruption {
        invariant: 8,
        check: "a cancellation is by an event of its order that cancels",
        each: &[
            "UPDATE line_cancellation SET event_number = event_number - 1 WHERE po_id = [PO-000013]",
            "UPDATE line_cancellation SET event_number = 100000 WHERE po_id = [PO-000013]",
            "UPDATE event SET event_type = 'ORDER_UPDATED'
               WHERE po_id = [PO-000013] AND event_type = 'LINES_CANCELLED'",
        ],
    },
];

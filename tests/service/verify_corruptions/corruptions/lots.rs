//! Invariants 1 and 5 for lots, corrupted.

use super::Corruption;

pub const CORRUPTIONS: &[Corruption] = &[
    Corruption {
        invariant: 1,
        check: "the lots of an item add up to what was accepted",
        each: &[
            "UPDATE receipt_lot SET quantity = quantity + 1 WHERE po_id = [PO-000011] AND lot_number = 1",
            "UPDATE receipt_item SET accepted = accepted - 1 WHERE po_id = [PO-000011]",
            "DELETE FROM receipt_item WHERE po_id = [PO-000011]",
            "UPDATE receipt_lot SET lot_code = 'L1', expiry_date = '2026-04-01' WHERE po_id = [PO-000011]",
            "UPDATE receipt_lot SET lot_number = 3 WHERE po_id = [PO-000011] AND lot_number = 2",
        ],
    },
    Corruption {
        invariant: 1,
        check: "what was accepted of a line that needs lots is in lots",
        each: &["DELETE FROM receipt_lot WHERE po_id = [PO-000011]"],
    },
    Corruption {
        invariant: 5,
        check: "what is on hand of a lot is the sum of its ledger rows",
        each: &[
            "UPDATE inventory_lot SET on_hand = on_hand + 1 WHERE store_id = 'north' AND lot_code = 'L2'",
            "DELETE FROM inventory_lot WHERE store_id = 'north' AND lot_code = 'L2'",
            "INSERT INTO inventory_lot VALUES ('north', 'cheese', 'L3', 'none', 10000)",
            "UPDATE inventory_lot SET expiry_date = 'none' WHERE store_id = 'north' AND lot_code = 'L2'",
            "UPDATE stock_movement SET quantity = quantity + 10000
               WHERE store_id = 'north' AND product_id = 'cheese' AND movement_number = 1",
        ],
    },
];

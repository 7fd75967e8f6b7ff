//! Invariant 13, corrupted.

use super::Corruption;

pub const CORRUPTIONS: &[Corruption] = &[
    Corruption {
        invariant: 13,
        check: "a header counts its lines and those with a quantity pending",
        each: &[
            "UPDATE purchase_order SET line_count = line_count + 1 WHERE po_id = [PO-000003]",
            "UPDATE purchase_order SET pending_lines = pending_lines - 1 WHERE po_id = [PO-000003]",
        ],
    },
    Corruption {
        invariant: 13,
        check: "a header has the highest number of a line of its chain so far",
        each: &[
            "UPDATE purchase_order SET last_line = last_line - 1 WHERE po_id = [PO-000003]",
            "UPDATE purchase_order SET last_line = last_line + 1 WHERE po_id = [PO-000001-B2]",
        ],
    },
    Corruption {
        invariant: 13,
        check: "a header has the highest number of a back order of its chain, up to its own back order",
        each: &[
            "UPDATE purchase_order SET last_back_order = last_back_order + 1 WHERE po_id = [PO-000001-B2]",
            "UPDATE purchase_order SET last_back_order = last_back_order + 1 WHERE po_id = [PO-000003]",
            "UPDATE purchase_order SET last_back_order = 1 WHERE po_id = [PO-000014]",
            "UPDATE purchase_order SET last_back_order = 3 WHERE po_id = [PO-000014-B1]",
        ],
    },
    Corruption {
        invariant: 13,
        check: "a header's totals are the sums over its lines",
        each: &[
            "UPDATE purchase_order SET ordered = ordered + 1 WHERE po_id = [PO-000003]",
            "UPDATE purchase_order SET received = received + 1 WHERE po_id = [PO-000003]",
            "UPDATE purchase_order SET rejected = rejected + 1 WHERE po_id = [PO-000003]",
            "UPDATE purchase_order SET back_ordered = back_ordered + 1 WHERE po_id = [PO-000003]",
            "UPDATE purchase_order SET cancelled = cancelled + 1 WHERE po_id = [PO-000003]",
            "UPDATE purchase_order SET pending = pending + 1 WHERE po_id = [PO-000003]",
            "UPDATE purchase_order SET excess = excess + 1 WHERE po_id = [PO-000003]",
        ],
    },
    Corruption {
        invariant: 13,
        check: "a header counts its receipts, those that are not voided, and their items and lots",
        each: &[
            "UPDATE purchase_order SET active_receipts = active_receipts + 1 WHERE po_id = [PO-000001]",
            "UPDATE purchase_order SET last_receipt = last_receipt + 1 WHERE po_id = [PO-000001]",
            "UPDATE purchase_order SET receipt_items = receipt_items - 1 WHERE po_id = [PO-000001]",
            "UPDATE receipt SET receipt_number = 8 WHERE po_id = [PO-000001] AND receipt_number = 2",
        ],
    },
    Corruption {
        invariant: 13,
        check: "a header's received cost is the sum of its active receipts' values",
        each: &["UPDATE purchase_order SET received_cost = received_cost + 1 WHERE po_id = [PO-000001]"],
    },
    Corruption {
        invariant: 13,
        check: "a header's costs are the sums of its lines' values, each rounded",
        each: &[
            "UPDATE purchase_order SET ordered_cost = ordered_cost + 1 WHERE po_id = [PO-000003]",
            "UPDATE purchase_order SET pending_cost = pending_cost + 1 WHERE po_id = [PO-000003]",
        ],
    },
    Corruption {
        invariant: 13,
        check: "a receipt item is worth its quantity at its costs, rounded once",
        each: &["UPDATE receipt_item SET value = value + 1 WHERE po_id = [PO-000001] AND receipt_number = 1"],
    },
    Corruption {
        invariant: 13,
        check: "the store counts its open orders",
        each: &["UPDATE store SET open_orders = open_orders + 1 WHERE store_id = 'north'"],
    },
    Corruption {
        invariant: 13,
        check: "the store counts the numbers that it has given out",
        each: &["UPDATE store SET last_order_number = last_order_number + 1 WHERE store_id = 'north'"],
    },
    Corruption {
        invariant: 13,
        check: "every row belongs to a store that exists",
        each: &[
            "UPDATE role_permission SET store_id = 'ghost' WHERE store_id = 'north'",
            "UPDATE role_grant SET store_id = 'ghost' WHERE store_id = 'north'",
            "UPDATE purchase_order SET store_id = 'ghost' WHERE store_id = 'north'",
            "UPDATE purchase_order_line SET store_id = 'ghost' WHERE store_id = 'north'",
            "UPDATE receipt SET store_id = 'ghost' WHERE store_id = 'north'",
            "UPDATE receipt_item SET store_id = 'ghost' WHERE store_id = 'north'",
            "UPDATE inventory_level SET store_id = 'ghost' WHERE store_id = 'north'",
            "UPDATE stock_movement SET store_id = 'ghost' WHERE store_id = 'north'",
            "UPDATE event SET store_id = 'ghost' WHERE store_id = 'north'",
            "UPDATE stored_response SET store_id = 'ghost' WHERE store_id = 'north'",
        ],
    },
];

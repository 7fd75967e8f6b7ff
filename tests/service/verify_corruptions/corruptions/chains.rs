//! Invariants 2 and 3, corrupted.

use super::Corruption;

pub const CORRUPTIONS: &[Corruption] = &[
    Corruption {
        invariant: 2,
        check: "a carried-over line begins with what its parent line back-ordered",
        each: &["UPDATE purchase_order_line SET first_ordered = first_ordered + 10000, ordered = ordered + 10000,
               pending = pending + 10000 WHERE po_id = [PO-000001-B2] AND line_number = 2"],
    },
    Corruption {
        invariant: 2,
        check: "a line is carried over if, and only if, the order before has its line",
        each: &[
            "UPDATE purchase_order_line SET line_number = 9 WHERE po_id = [PO-000001-B2] AND line_number = 3",
            "UPDATE purchase_order_line SET carried_over = NOT carried_over
               WHERE po_id = [PO-000001-B2] AND line_number = 3",
            "UPDATE purchase_order_line SET carried_over = NOT carried_over
               WHERE po_id = [PO-000003] AND line_number = 1",
        ],
    },
    Corruption {
        invariant: 2,
        check: "every back-ordered line has its line on the back order",
        each: &["DELETE FROM purchase_order_line WHERE po_id = [PO-000001-B2] AND line_number = 3"],
    },
    Corruption {
        invariant: 2,
        check: "what is ordered of a line differs from what was first placed only if the order was amended since",
        each: &["UPDATE purchase_order_line SET first_ordered = first_ordered + 10000
               WHERE po_id = [PO-000003] AND line_number = 1"],
    },
    Corruption {
        invariant: 2,
        check: "over a chain, what was placed and changed is what was received, cancelled or is pending",
        each: &[
            "UPDATE purchase_order_line SET received = received + 10000
               WHERE po_id = [PO-000001-B1] AND line_number = 1",
            "UPDATE purchase_order_line SET cancelled = 0 WHERE po_id = [PO-000001] AND line_number = 2",
            "UPDATE purchase_order_line SET pending = pending + 10000 WHERE po_id = [PO-000003] AND line_number = 1",
        ],
    },
    Corruption {
        invariant: 3,
        check: "an order has at most one back order",
        each: &["UPDATE purchase_order SET parent_id = [PO-000001] WHERE po_id = [PO-000001-B2]"],
    },
    Corruption {
        invariant: 3,
        check: "an order's back order names it as the order that it follows",
        each: &[
            "UPDATE purchase_order SET child_id = [PO-000003] WHERE po_id = [PO-000001]",
            "UPDATE purchase_order SET child_id = 'nowhere' WHERE po_id = [PO-000001]",
            "UPDATE purchase_order SET child_id = [PO-000014-B1] WHERE po_id = [PO-000014]",
        ],
    },
    Corruption {
        invariant: 3,
        check: "the order that a back order follows names it as its back order",
        each: &[
            "UPDATE purchase_order SET child_id = NULL WHERE po_id = [PO-000001]",
            "UPDATE purchase_order SET parent_id = [PO-000007] WHERE po_id = [PO-000001-B2]",
            "UPDATE purchase_order SET parent_id = 'nowhere' WHERE po_id = [PO-000001-B2]",
        ],
    },
    Corruption {
        invariant: 3,
        check: "a chain counts up from its original",
        each: &[
            "UPDATE purchase_order SET chain_position = 5 WHERE po_id = [PO-000001-B2]",
            "UPDATE purchase_order SET root_id = [PO-000003] WHERE po_id = [PO-000001-B2]",
            "UPDATE purchase_order SET chain_position = 1 WHERE po_id = [PO-000003]",
            "UPDATE purchase_order SET root_id = [PO-000002] WHERE po_id = [PO-000003]",
            "UPDATE purchase_order SET parent_id = [PO-000001-B2] WHERE po_id = [PO-000001]",
        ],
    },
    Corruption {
        invariant: 3,
        check: "a back order's number is its original's with the next number of its chain",
        each: &[
            "UPDATE purchase_order SET number = 'PO-000001-B02' WHERE po_id = [PO-000001-B2]",
            "UPDATE purchase_order SET number = 'PO-000001-B' WHERE po_id = [PO-000001-B2]",
            "UPDATE purchase_order SET number = 'PO-000014-B3' WHERE po_id = [PO-000014-B2]",
            "UPDATE purchase_order SET number = 'PO-000001-B7' WHERE po_id = [PO-000001-B2]",
            "UPDATE purchase_order SET number = 'PO-000009-B2' WHERE po_id = [PO-000001-B2]",
        ],
    },
    Corruption {
        invariant: 3,
        check: "an original's number is one that the store has given out",
        each: &[
            "UPDATE purchase_order SET number = 'PO-000099' WHERE po_id = [PO-000003]",
            "UPDATE purchase_order SET number = 'ORDER-003' WHERE po_id = [PO-000003]",
            "UPDATE purchase_order SET number = 'PO-0000003' WHERE po_id = [PO-000003]",
            "UPDATE purchase_order SET number = 'PO-12' WHERE po_id = [PO-000003]",
        ],
    },
    Corruption {
        invariant: 3,
        check: "no two orders have the same number",
        each: &["UPDATE purchase_order SET number = 'PO-000002' WHERE po_id = [PO-000003]"],
    },
    Corruption {
        invariant: 3,
        check: "a back order has the supplier and currency of the order before, and the store's currency",
        each: &[
            "UPDATE purchase_order SET supplier_id = 'other' WHERE po_id = [PO-000001-B1]",
            "UPDATE purchase_order SET currency = 'USD' WHERE po_id = [PO-000003]",
        ],
    },
    Corruption {
        invariant: 3,
        check: "a carried-over line keeps its parent line's product, unit, texts and first promise, and begins with its cost",
        each: &[
            "UPDATE purchase_order_line SET product_id = 'figs' WHERE po_id = [PO-000001-B2] AND line_number = 1",
            "UPDATE purchase_order_line SET unit_cost = unit_cost + 1 WHERE po_id = [PO-000001-B2] AND line_number = 1",
            "UPDATE purchase_order_line SET unit = 'BOX' WHERE po_id = [PO-000001-B2] AND line_number = 1",
            "UPDATE purchase_order_line SET description = 'rotten' WHERE po_id = [PO-000001-B2] AND line_number = 1",
            "UPDATE purchase_order_line SET gtin = NULL WHERE po_id = [PO-000001-B2] AND line_number = 2",
            "UPDATE purchase_order_line SET first_expected_date = '2026-12-24'
               WHERE po_id = [PO-000001-B2] AND line_number = 1",
        ],
    },
];

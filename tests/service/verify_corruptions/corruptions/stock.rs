//! Invariants 5, 6 and 7, corrupted.

use super::Corruption;

pub const CORRUPTIONS: &[Corruption] = &[
    Corruption {
        invariant: 5,
        check: "what is on hand is the sum of the ledger",
        each: &[
            "UPDATE inventory_level SET on_hand = on_hand + 10000 WHERE store_id = 'north' AND product_id = 'apples'",
            "UPDATE stock_movement SET quantity = quantity + 10000
               WHERE store_id = 'north' AND product_id = 'apples' AND movement_number = 1",
            "DELETE FROM stock_movement WHERE store_id = 'north' AND product_id = 'figs'",
        ],
    },
    Corruption {
        invariant: 5,
        check: "what is on hand is the last balance of the ledger",
        each: &[
            "UPDATE stock_movement SET balance_after = balance_after + 10000
               WHERE store_id = 'north' AND product_id = 'figs' AND movement_number = 1",
            "UPDATE inventory_level SET on_hand = on_hand - 10000 WHERE store_id = 'north' AND product_id = 'apples'",
            "UPDATE inventory_level SET on_hand = 10000 WHERE store_id = 'north' AND product_id = 'eggs'",
        ],
    },
    Corruption {
        invariant: 5,
        check: "each ledger row's balance is the balance before plus its quantity",
        each: &[
            "UPDATE stock_movement SET balance_after = balance_after + 10000
               WHERE store_id = 'north' AND product_id = 'apples' AND movement_number = 1",
            "UPDATE stock_movement SET balance_after = balance_after + 10000
               WHERE store_id = 'north' AND product_id = 'apples' AND movement_number = 2",
        ],
    },
    Corruption {
        invariant: 5,
        check: "the ledger is numbered without a gap",
        each: &["UPDATE stock_movement SET movement_number = 9
               WHERE store_id = 'north' AND product_id = 'apples' AND movement_number = 2"],
    },
    Corruption {
        invariant: 5,
        check: "a level counts the rows of its ledger",
        each: &["UPDATE inventory_level SET last_movement = last_movement + 1
               WHERE store_id = 'north' AND product_id = 'apples'"],
    },
    Corruption {
        invariant: 5,
        check: "a ledger row is of a product with a level",
        each: &["DELETE FROM inventory_level WHERE store_id = 'north' AND product_id = 'apples'"],
    },
    Corruption {
        invariant: 6,
        check: "a ledger row is of an order that is completed",
        each: &[
            "UPDATE purchase_order SET state = 'RECEIVING', close_time = NULL WHERE po_id = [PO-000007]",
            "UPDATE purchase_order SET state = 'RECEIVING', close_time = NULL WHERE po_id = [PO-000014]",
            "UPDATE stock_movement SET po_id = [PO-000004]
               WHERE store_id = 'north' AND product_id = 'apples' AND movement_number = 1",
            "UPDATE stock_movement SET po_id = 'nowhere'
               WHERE store_id = 'north' AND product_id = 'apples' AND movement_number = 1",
        ],
    },
    Corruption {
        invariant: 6,
        check: "each accepted item of a completed order has exactly one ledger row per lot and cost, net of reversals",
        each: &[
            "DELETE FROM stock_movement WHERE store_id = 'north' AND product_id = 'cherries' AND kind = 'RECEIPT_REVERSAL'",
            "DELETE FROM stock_movement WHERE store_id = 'north' AND product_id = 'cherries' AND movement_number = 4",
            "DELETE FROM stock_movement WHERE store_id = 'north' AND product_id = 'apples' AND movement_number = 3",
            "INSERT INTO stock_movement SELECT store_id, product_id, 99, kind, quantity, unit_cost, balance_after,
               average_after, create_time, event_number, po_id, line_number, receipt_number, receive_time, reason, lot_code, expiry_date
               FROM stock_movement
               WHERE store_id = 'north' AND product_id = 'figs'",
        ],
    },
    Corruption {
        invariant: 6,
        check: "what was reversed of an order was put on hand before, per item, lot and cost",
        each: &[
            "UPDATE stock_movement SET quantity = quantity + 10000
               WHERE store_id = 'north' AND product_id = 'cherries' AND kind = 'RECEIPT_REVERSAL'",
            "UPDATE stock_movement SET unit_cost = unit_cost + 1
               WHERE store_id = 'north' AND product_id = 'grapes' AND movement_number = 2",
            "UPDATE stock_movement SET lot_code = 'L9'
               WHERE store_id = 'north' AND product_id = 'grapes' AND movement_number = 2",
            "UPDATE stock_movement SET line_number = 2
               WHERE store_id = 'north' AND product_id = 'grapes' AND movement_number = 2",
            "UPDATE stock_movement SET receive_time = receive_time - 1
               WHERE store_id = 'north' AND product_id = 'grapes' AND movement_number = 2",
            "DELETE FROM stock_movement WHERE store_id = 'north' AND product_id = 'grapes' AND movement_number = 1",
        ],
    },
    Corruption {
        invariant: 6,
        check: "a ledger row is of an accepted item of an active receipt, and agrees with it",
        each: &[
            "UPDATE stock_movement SET unit_cost = unit_cost + 1
               WHERE store_id = 'north' AND product_id = 'apples' AND movement_number = 1",
            "UPDATE stock_movement SET receive_time = receive_time - 1
               WHERE store_id = 'north' AND product_id = 'apples' AND movement_number = 1",
            "UPDATE stock_movement SET quantity = quantity + 10000
               WHERE store_id = 'north' AND product_id = 'apples' AND movement_number = 1",
            "UPDATE stock_movement SET line_number = 3
               WHERE store_id = 'north' AND product_id = 'apples' AND movement_number = 1",
            "UPDATE stock_movement SET receipt_number = 2
               WHERE store_id = 'north' AND product_id = 'apples' AND movement_number = 1",
            "UPDATE receipt SET void_time = book_time, voided_by = booked_by, void_reason = ''
               WHERE po_id = [PO-000007]",
            "UPDATE stock_movement SET lot_code = 'L9'
               WHERE store_id = 'north' AND product_id = 'cheese' AND movement_number = 2",
            "UPDATE stock_movement SET expiry_date = '2026-12-31'
               WHERE store_id = 'north' AND product_id = 'cheese' AND movement_number = 2",
            "UPDATE receipt_lot SET lot_number = 3 WHERE po_id = [PO-000011] AND lot_number = 1",
        ],
    },
    Corruption {
        invariant: 6,
        check: "a ledger row was written by its order's completion, and its reversal by its order's reopening",
        each: &[
            "UPDATE stock_movement SET create_time = create_time + 1
               WHERE store_id = 'north' AND product_id = 'grapes' AND movement_number = 2",
            "UPDATE stock_movement SET event_number = 1
               WHERE store_id = 'north' AND product_id = 'apples' AND movement_number = 1",
            "UPDATE stock_movement SET create_time = create_time + 1
               WHERE store_id = 'north' AND product_id = 'apples' AND movement_number = 1",
        ],
    },
    Corruption {
        invariant: 6,
        check: "a ledger row is of a known kind, moves stock its way and says what its kind says",
        each: &[
            "UPDATE stock_movement SET kind = 'GIFT'
               WHERE store_id = 'north' AND product_id = 'apples' AND movement_number = 1",
            "UPDATE stock_movement SET quantity = -quantity
               WHERE store_id = 'north' AND product_id = 'grapes' AND movement_number = 2",
            "UPDATE stock_movement SET kind = 'LOSS'
               WHERE store_id = 'north' AND product_id = 'apples' AND movement_number = 1",
            "UPDATE stock_movement SET kind = 'CUSTOMER_RETURN'
               WHERE store_id = 'north' AND product_id = 'plums' AND kind = 'RETURN_TO_SUPPLIER'",
            "UPDATE stock_movement SET kind = 'COUNT'
               WHERE store_id = 'north' AND product_id = 'plums' AND kind = 'RETURN_TO_SUPPLIER'",
            "UPDATE stock_movement SET reason = NULL
               WHERE store_id = 'north' AND product_id = 'milk' AND movement_number = 1",
            "UPDATE stock_movement SET reason = 'gift'
               WHERE store_id = 'north' AND product_id = 'apples' AND movement_number = 1",
            "UPDATE stock_movement SET receive_time = create_time
               WHERE store_id = 'north' AND product_id = 'milk' AND movement_number = 1",
            "UPDATE stock_movement SET po_id = NULL
               WHERE store_id = 'north' AND product_id = 'apples' AND movement_number = 1",
            "UPDATE stock_movement SET quantity = 0
               WHERE store_id = 'north' AND product_id = 'milk' AND movement_number = 2",
            "UPDATE stock_movement SET unit_cost = -1
               WHERE store_id = 'north' AND product_id = 'milk' AND movement_number = 2",
        ],
    },
    Corruption {
        invariant: 6,
        check: "an adjustment was written by its own event",
        each: &[
            "UPDATE stock_movement SET event_number = 1
               WHERE store_id = 'north' AND product_id = 'milk' AND movement_number = 1",
            "UPDATE stock_movement SET create_time = create_time + 1
               WHERE store_id = 'north' AND product_id = 'milk' AND movement_number = 1",
            "UPDATE stock_movement SET po_id = NULL, line_number = NULL
               WHERE store_id = 'north' AND product_id = 'plums' AND kind = 'RETURN_TO_SUPPLIER'",
            "UPDATE stock_movement SET po_id = [PO-000007], line_number = 1
               WHERE store_id = 'north' AND product_id = 'milk' AND movement_number = 2",
        ],
    },
    Corruption {
        invariant: 6,
        check: "an event that adjusted stock has one ledger row for each lot of one product",
        each: &[
            "DELETE FROM stock_movement WHERE store_id = 'north' AND product_id = 'milk' AND movement_number = 2",
            "INSERT INTO stock_movement SELECT store_id, product_id, 99, kind, quantity, unit_cost, balance_after,
               average_after, create_time, event_number, po_id, line_number, receipt_number, receive_time, reason, lot_code, expiry_date
               FROM stock_movement WHERE store_id = 'north' AND product_id = 'milk' AND movement_number = 1",
        ],
    },
    Corruption {
        invariant: 6,
        check: "what a line returned is the sum of its ledger rows, and was received",
        each: &[
            "UPDATE purchase_order_line SET returned = 0 WHERE store_id = 'north' AND po_id = [PO-000007]",
            "UPDATE purchase_order_line SET returned = 10000 WHERE po_id = [PO-000004] AND line_number = 1",
            "UPDATE stock_movement SET quantity = quantity - 10000
               WHERE store_id = 'north' AND product_id = 'plums' AND kind = 'RETURN_TO_SUPPLIER'",
            "UPDATE stock_movement SET line_number = 2
               WHERE store_id = 'north' AND product_id = 'plums' AND kind = 'RETURN_TO_SUPPLIER'",
        ],
    },
    Corruption {
        invariant: 6,
        check: "a return is of a line of its product, at that line's cost",
        each: &[
            "UPDATE stock_movement SET unit_cost = unit_cost + 1
               WHERE store_id = 'north' AND product_id = 'plums' AND kind = 'RETURN_TO_SUPPLIER'",
            "UPDATE stock_movement SET line_number = 2
               WHERE store_id = 'north' AND product_id = 'plums' AND kind = 'RETURN_TO_SUPPLIER'",
            "UPDATE stock_movement SET line_number = 9
               WHERE store_id = 'north' AND product_id = 'plums' AND kind = 'RETURN_TO_SUPPLIER'",
        ],
    },
    Corruption {
        invariant: 7,
        check: "staged, on_order and back_ordered are the sums over live orders",
        each: &[
            "UPDATE inventory_level SET staged = staged + 10000 WHERE store_id = 'north' AND product_id = 'apples'",
            "UPDATE inventory_level SET on_order = on_order - 10000 WHERE store_id = 'north' AND product_id = 'apples'",
            "UPDATE inventory_level SET back_ordered = 0 WHERE store_id = 'north' AND product_id = 'apples'",
            "UPDATE purchase_order SET state = 'DRAFT' WHERE po_id = [PO-000003]",
        ],
    },
    Corruption {
        invariant: 7,
        check: "a line's product has a level, which counts in the line's unit",
        each: &[
            "UPDATE inventory_level SET unit = 'BOX' WHERE store_id = 'north' AND product_id = 'apples'",
            "DELETE FROM inventory_level WHERE store_id = 'north' AND product_id = 'eggs'",
        ],
    },
    Corruption {
        invariant: 7,
        check: "the average cost is that of the last ledger row",
        each: &[
            "UPDATE inventory_level SET average_cost = average_cost + 1
               WHERE store_id = 'north' AND product_id = 'apples'",
            "UPDATE inventory_level SET average_cost = 1 WHERE store_id = 'north' AND product_id = 'eggs'",
        ],
    },
    Corruption {
        invariant: 7,
        check: "each ledger row's average cost follows from the one before and what came in",
        each: &[
            "UPDATE stock_movement SET average_after = average_after + 1
               WHERE store_id = 'north' AND product_id = 'apples' AND movement_number = 1",
            "UPDATE stock_movement SET average_after = 0
               WHERE store_id = 'north' AND product_id = 'apples' AND movement_number = 3",
            "UPDATE stock_movement SET average_after = average_after + 1
               WHERE store_id = 'north' AND product_id = 'cherries' AND kind = 'RECEIPT_REVERSAL'",
            "UPDATE stock_movement SET unit_cost = unit_cost + 1000000
               WHERE store_id = 'north' AND product_id = 'figs' AND movement_number = 1",
        ],
    },
    Corruption {
        invariant: 7,
        check: "no level is beyond its limit",
        each: &[
            "UPDATE inventory_level SET on_hand = -9000000000000001 WHERE store_id = 'north' AND product_id = 'apples'",
            "UPDATE inventory_level SET on_hand = 9000000000000001 WHERE store_id = 'north' AND product_id = 'apples'",
            "UPDATE inventory_level SET back_ordered = on_order + 1 WHERE store_id = 'north' AND product_id = 'apples'",
        ],
    },
];

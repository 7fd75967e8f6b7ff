//! Invariants 5, 6 and 7: the stock ledger, and the inventory levels.
//!
//! A level is kept so that reads and completions need not add anything up. `on_hand` must be what the ledger adds up to
//! (5), the ledger must be what completed orders received (6), and the other quantities what the live orders, those in
//! ON_ORDER or RECEIVING, still expect or have staged (7).

use super::check::Check;

/// The checks of the ledger by itself, against completed orders, and of levels against both.
pub(super) const CHECKS: &[Check] = &[
    Check {
        invariant: 5,
        title: "what is on hand is the sum of the ledger",
        sql: "
            WITH ledger AS (
                SELECT product_id, sum(quantity) AS quantity FROM stock_movement
                WHERE store_id = {store} GROUP BY product_id)
            SELECT v.product_id || ': {q:' || v.on_hand || '} on hand, but its ledger adds up to {q:'
                || COALESCE(g.quantity, 0) || '}' AS detail
            FROM inventory_level v LEFT JOIN ledger g ON g.product_id = v.product_id
            WHERE v.store_id = {store} AND v.on_hand <> COALESCE(g.quantity, 0)",
    },
    Check {
        invariant: 5,
        title: "what is on hand is the last balance of the ledger",
        // `latest`: the number of each product's last movement. `ledger`: the balance after it.
        sql: "
            WITH latest AS (
                SELECT product_id, max(movement_number) AS movement_number FROM stock_movement
                WHERE store_id = {store} GROUP BY product_id),
            ledger AS (
                SELECT m.product_id, m.balance_after FROM stock_movement m
                JOIN latest e ON e.product_id = m.product_id AND e.movement_number = m.movement_number
                WHERE m.store_id = {store})
            SELECT v.product_id || ': {q:' || v.on_hand || '} on hand, but the last balance of its ledger is {q:'
                || COALESCE(g.balance_after, 0) || '}' AS detail
            FROM inventory_level v LEFT JOIN ledger g ON g.product_id = v.product_id
            WHERE v.store_id = {store} AND v.on_hand <> COALESCE(g.balance_after, 0)",
    },
    Check {
        invariant: 5,
        title: "each ledger row's balance is the balance before plus its quantity",
        // `ledger`: each row with the balance of the row before it, 0 before the first.
        sql: "
            WITH ledger AS (
                SELECT product_id, movement_number, quantity, balance_after, COALESCE(lag(balance_after)
                    OVER (PARTITION BY product_id ORDER BY movement_number), 0) AS balance_before
                FROM stock_movement WHERE store_id = {store})
            SELECT 'movement ' || movement_number || ' of ' || product_id || ': {q:' || balance_before || '} + {q:'
                || quantity || '} is not {q:' || balance_after || '}' AS detail
            FROM ledger WHERE balance_after <> balance_before + quantity",
    },
    Check {
        invariant: 5,
        title: "the ledger is numbered without a gap",
        // `ledger`: each row with the number that it must have.
        sql: "
            WITH ledger AS (
                SELECT product_id, movement_number,
                    row_number() OVER (PARTITION BY product_id ORDER BY movement_number) AS n
                FROM stock_movement WHERE store_id = {store})
            SELECT 'movement ' || movement_number || ' of ' || product_id || ' is number ' || n || ' in its ledger' AS detail
            FROM ledger WHERE movement_number <> n",
    },
    Check {
        invariant: 5,
        title: "a level counts the rows of its ledger",
        sql: "
            WITH ledger AS (
                SELECT product_id, count(*) AS movements FROM stock_movement
                WHERE store_id = {store} GROUP BY product_id)
            SELECT v.product_id || ' counts ' || v.last_movement || ' movements, but its ledger has '
                || COALESCE(g.movements, 0) AS detail
            FROM inventory_level v LEFT JOIN ledger g ON g.product_id = v.product_id
            WHERE v.store_id = {store} AND v.last_movement <> COALESCE(g.movements, 0)",
    },
    Check {
        invariant: 5,
        title: "a ledger row is of a product with a level",
        sql: "
            SELECT 'movement ' || m.movement_number || ' is of ' || m.product_id || ', which has no level' AS detail
            FROM stock_movement m LEFT JOIN inventory_level v USING (store_id, product_id)
            WHERE m.store_id = {store} AND v.unit IS NULL",
    },
    Check {
        invariant: 6,
        title: "a ledger row is of an order that is completed",
        sql: "
            SELECT 'movement ' || m.movement_number || ' of ' || m.product_id || ' is of ' || COALESCE(o.number, m.po_id)
                || ', which is ' || COALESCE(o.state, 'no order') AS detail
            FROM stock_movement m LEFT JOIN purchase_order o USING (store_id, po_id)
            WHERE m.store_id = {store} AND o.state IS DISTINCT FROM 'COMPLETED'",
    },
    Check {
        invariant: 6,
        title: "each accepted item of a completed order has exactly one ledger row",
        sql: "
            WITH ledger AS (
                SELECT po_id, receipt_number, line_number, count(*) AS movements FROM stock_movement
                WHERE store_id = {store} GROUP BY po_id, receipt_number, line_number)
            SELECT 'line ' || i.line_number || ' of receipt ' || i.receipt_number || ' of ' || o.number || ': {q:'
                || i.accepted || '} accepted, but ' || COALESCE(g.movements, 0) || ' ledger rows' AS detail
            FROM purchase_order o
            JOIN receipt r USING (store_id, po_id)
            JOIN receipt_item i USING (store_id, po_id, receipt_number)
            LEFT JOIN ledger g ON g.po_id = o.po_id AND g.receipt_number = i.receipt_number
                AND g.line_number = i.line_number
            WHERE o.store_id = {store} AND o.state = 'COMPLETED' AND r.void_time IS NULL AND i.accepted > 0
              AND COALESCE(g.movements, 0) <> 1",
    },
    Check {
        invariant: 6,
        title: "a ledger row is of an accepted item of an active receipt, and agrees with it",
        sql: "
            SELECT 'movement ' || m.movement_number || ' of ' || m.product_id || ' puts {q:' || m.quantity
                || '} on hand at {q:' || m.unit_cost || '} received at {t:' || m.receive_time || '}, but line '
                || m.line_number || ' of receipt ' || m.receipt_number || ' of ' || COALESCE(o.number, m.po_id)
                || CASE WHEN i.accepted IS NULL OR l.product_id IS NULL OR r.receive_time IS NULL THEN ' is not there'
                    WHEN r.void_time IS NOT NULL THEN ' is voided'
                    ELSE ' is {q:' || i.accepted || '} of ' || l.product_id || ' at {q:' || l.unit_cost
                        || '} received at {t:' || r.receive_time || '}' END AS detail
            FROM stock_movement m
            LEFT JOIN purchase_order o USING (store_id, po_id)
            LEFT JOIN purchase_order_line l ON l.store_id = m.store_id AND l.po_id = m.po_id
                AND l.line_number = m.line_number
            LEFT JOIN receipt r ON r.store_id = m.store_id AND r.po_id = m.po_id
                AND r.receipt_number = m.receipt_number
            LEFT JOIN receipt_item i ON i.store_id = m.store_id AND i.po_id = m.po_id
                AND i.receipt_number = m.receipt_number AND i.line_number = m.line_number
            WHERE m.store_id = {store} AND (m.kind <> 'RECEIPT' OR r.void_time IS NOT NULL
                OR i.accepted IS DISTINCT FROM m.quantity OR l.product_id IS DISTINCT FROM m.product_id
                OR l.unit_cost IS DISTINCT FROM m.unit_cost OR r.receive_time IS DISTINCT FROM m.receive_time)",
    },
    Check {
        invariant: 6,
        title: "a ledger row was written by its order's completion",
        // `retained`: the oldest event that pruning has left. Rows of an older event cannot be checked.
        sql: "
            WITH retained AS (SELECT min(event_number) AS first FROM event WHERE store_id = {store})
            SELECT 'movement ' || m.movement_number || ' of ' || m.product_id || ' was written at {t:' || m.create_time
                || '} by event ' || m.event_number || ', which did not complete its order then' AS detail
            FROM stock_movement m CROSS JOIN retained
            LEFT JOIN event e ON e.store_id = m.store_id AND e.event_number = m.event_number
            WHERE m.store_id = {store} AND m.event_number >= retained.first AND (e.po_id IS DISTINCT FROM m.po_id
                OR e.event_type <> 'ORDER_COMPLETED' OR e.event_time <> m.create_time)",
    },
    Check {
        invariant: 7,
        title: "staged, on_order and back_ordered are the sums over live orders",
        // `live`: per product, the sums over the lines of live orders. A back order is an order with a parent.
        sql: "
            WITH live AS (
                SELECT l.product_id, sum(l.received) AS staged, sum(l.pending) AS on_order,
                    sum(CASE WHEN o.parent_id IS NULL THEN 0 ELSE l.pending END) AS back_ordered
                FROM purchase_order o JOIN purchase_order_line l USING (store_id, po_id)
                WHERE o.store_id = {store} AND o.state IN ('ON_ORDER', 'RECEIVING')
                GROUP BY l.product_id)
            SELECT v.product_id || ': staged {q:' || v.staged || '}, on order {q:' || v.on_order || '}, back-ordered {q:'
                || v.back_ordered || '}, but its live orders add up to {q:' || COALESCE(s.staged, 0) || '}, {q:'
                || COALESCE(s.on_order, 0) || '}, {q:' || COALESCE(s.back_ordered, 0) || '}' AS detail
            FROM inventory_level v LEFT JOIN live s ON s.product_id = v.product_id
            WHERE v.store_id = {store} AND (v.staged <> COALESCE(s.staged, 0)
                OR v.on_order <> COALESCE(s.on_order, 0) OR v.back_ordered <> COALESCE(s.back_ordered, 0))",
    },
    Check {
        invariant: 7,
        title: "a line's product has a level, which counts in the line's unit",
        sql: "
            SELECT 'line ' || l.line_number || ' of ' || o.number || ' counts ' || l.product_id || ' in ' || l.unit
                || COALESCE(', but the store counts it in ' || v.unit, ', which has no level') AS detail
            FROM purchase_order_line l JOIN purchase_order o USING (store_id, po_id)
            LEFT JOIN inventory_level v ON v.store_id = l.store_id AND v.product_id = l.product_id
            WHERE l.store_id = {store} AND v.unit IS DISTINCT FROM l.unit",
    },
    Check {
        invariant: 7,
        title: "no level is beyond its limit",
        sql: "
            SELECT product_id || ': {q:' || on_hand || '} on hand, {q:' || staged || '} staged, {q:' || on_order
                || '} on order, {q:' || back_ordered || '} of them back-ordered' AS detail
            FROM inventory_level
            WHERE store_id = {store} AND (on_hand > 9000000000000000 OR staged > 9000000000000000
                OR on_order > 9000000000000000 OR back_ordered > on_order)",
    },
];

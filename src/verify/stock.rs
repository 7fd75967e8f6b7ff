//! Invariants 5, 6 and 7: the stock ledger, and the inventory levels.
//!
//! A level is kept so that reads and completions need not add anything up. `on_hand` must be what the ledger adds up to
//! (5), the ledger must be what completed orders received (6), and the other quantities what the live orders, those in
//! ON_ORDER or RECEIVING, still expect or have staged (7).

use super::check::Check;

/// Accepted receipt items by lot and cost: an item is one part for each of its lots, or one without a lot, and where its
/// excess has a cost of its own, the lot in which the excess begins is two. It is a macro because `concat!` takes
/// literals alone.
///
/// `item`: with the costs that count. `quantity_of_lot`: how much of the item comes before each lot. `divided`: how much
/// of each lot is not excess.
macro_rules! parts {
    () => {
        "WITH item AS (
                SELECT i.po_id, i.receipt_number, i.line_number, i.accepted, i.accepted - i.excess AS wanted,
                    COALESCE(i.unit_cost, l.unit_cost) AS cost,
                    COALESCE(i.excess_unit_cost, i.unit_cost, l.unit_cost) AS excess_cost
                FROM receipt_item i JOIN purchase_order_line l USING (store_id, po_id, line_number)
                WHERE i.store_id = {store}),
            quantity_of_lot AS (
                SELECT po_id, receipt_number, line_number, lot_code, COALESCE(expiry_date, '') AS expiry_date, quantity,
                    sum(quantity) OVER (PARTITION BY po_id, receipt_number, line_number ORDER BY lot_number) - quantity
                        AS before
                FROM receipt_lot WHERE store_id = {store}
                UNION ALL
                SELECT i.po_id, i.receipt_number, i.line_number, '', '', i.accepted, 0
                FROM receipt_item i
                WHERE i.store_id = {store} AND NOT EXISTS (
                    SELECT 1 FROM receipt_lot t WHERE t.store_id = i.store_id AND t.po_id = i.po_id
                      AND t.receipt_number = i.receipt_number AND t.line_number = i.line_number)),
            divided AS (
                SELECT i.po_id, i.receipt_number, i.line_number, q.lot_code, q.expiry_date, q.quantity, i.cost,
                    i.excess_cost, CASE WHEN i.cost = i.excess_cost OR i.wanted - q.before >= q.quantity THEN q.quantity
                        WHEN i.wanted > q.before THEN i.wanted - q.before ELSE 0 END AS wanted
                FROM item i JOIN quantity_of_lot q ON q.po_id = i.po_id AND q.receipt_number = i.receipt_number
                    AND q.line_number = i.line_number),
            part AS (
                SELECT po_id, receipt_number, line_number, lot_code, expiry_date, wanted AS quantity, cost AS unit_cost
                FROM divided
                UNION ALL
                SELECT po_id, receipt_number, line_number, lot_code, expiry_date, quantity - wanted, excess_cost
                FROM divided)"
    };
}

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
        // `reversed`: up to which event the rows of each order are reversed; another check adds these up.
        sql: "
            WITH reversed AS (
                SELECT po_id, max(event_number) AS event_number FROM stock_movement
                WHERE store_id = {store} AND kind = 'RECEIPT_REVERSAL' GROUP BY po_id)
            SELECT 'movement ' || m.movement_number || ' of ' || m.product_id || ' is of ' || COALESCE(o.number, m.po_id)
                || ', which is ' || COALESCE(o.state, 'no order') AS detail
            FROM stock_movement m LEFT JOIN purchase_order o USING (store_id, po_id)
            LEFT JOIN reversed v ON v.po_id = m.po_id
            WHERE m.store_id = {store} AND m.po_id IS NOT NULL AND o.state IS DISTINCT FROM 'COMPLETED'
              AND m.event_number > COALESCE(v.event_number, 0)",
    },
    Check {
        invariant: 6,
        title: "what was reversed of an order was put on hand before, per item, lot and cost",
        // `reversed`: up to which event the rows of each order are reversed.
        sql: "
            WITH reversed AS (
                SELECT po_id, max(event_number) AS event_number FROM stock_movement
                WHERE store_id = {store} AND kind = 'RECEIPT_REVERSAL' GROUP BY po_id),
            net AS (
                SELECT m.po_id, m.product_id, m.line_number, m.receipt_number, m.receive_time,
                    COALESCE(m.lot_code, '') AS lot_code, COALESCE(m.expiry_date, '') AS expiry_date, m.unit_cost,
                    sum(m.quantity) AS quantity, sum(CASE WHEN m.kind = 'RECEIPT' THEN 1 ELSE -1 END) AS movements
                FROM stock_movement m JOIN reversed v ON v.po_id = m.po_id
                WHERE m.store_id = {store} AND m.kind IN ('RECEIPT', 'RECEIPT_REVERSAL')
                  AND m.event_number <= v.event_number
                GROUP BY m.po_id, m.product_id, m.line_number, m.receipt_number, m.receive_time,
                    COALESCE(m.lot_code, ''), COALESCE(m.expiry_date, ''), m.unit_cost)
            SELECT 'line ' || n.line_number || ' of receipt ' || n.receipt_number || ' of ' || COALESCE(o.number, n.po_id)
                || ', which was reopened: {q:' || n.quantity || '} of ' || n.product_id || ' at {c:' || n.unit_cost
                || '} are left on hand, and ' || n.movements || ' ledger rows more than their reversals' AS detail
            FROM net n LEFT JOIN purchase_order o ON o.store_id = {store} AND o.po_id = n.po_id
            WHERE n.quantity <> 0 OR n.movements <> 0",
    },
    Check {
        invariant: 6,
        title: "each accepted item of a completed order has exactly one ledger row per lot and cost, net of reversals",
        sql: concat!(
            parts!(),
            ",
            ledger AS (
                SELECT po_id, receipt_number, line_number, COALESCE(lot_code, '') AS lot_code,
                    COALESCE(expiry_date, '') AS expiry_date, unit_cost,
                    sum(CASE WHEN kind = 'RECEIPT' THEN 1 ELSE -1 END) AS movements
                FROM stock_movement WHERE store_id = {store} AND kind IN ('RECEIPT', 'RECEIPT_REVERSAL')
                GROUP BY po_id, receipt_number, line_number, COALESCE(lot_code, ''), COALESCE(expiry_date, ''), unit_cost)
            SELECT 'line ' || p.line_number || ' of receipt ' || p.receipt_number || ' of ' || o.number || ': {q:'
                || p.quantity || '} accepted at {c:' || p.unit_cost
                || CASE WHEN p.lot_code = '' THEN '}' ELSE '} of lot ' || p.lot_code || ' ' || p.expiry_date END
                || ', but ' || COALESCE(g.movements, 0) || ' ledger rows' AS detail
            FROM part p
            JOIN purchase_order o ON o.store_id = {store} AND o.po_id = p.po_id
            JOIN receipt r ON r.store_id = {store} AND r.po_id = p.po_id AND r.receipt_number = p.receipt_number
            LEFT JOIN ledger g ON g.po_id = p.po_id AND g.receipt_number = p.receipt_number
                AND g.line_number = p.line_number AND g.unit_cost = p.unit_cost AND g.lot_code = p.lot_code
                AND g.expiry_date = p.expiry_date
            WHERE o.state = 'COMPLETED' AND r.void_time IS NULL AND p.quantity > 0
              AND COALESCE(g.movements, 0) <> 1"
        ),
    },
    Check {
        invariant: 6,
        title: "a ledger row is of an accepted item of an active receipt, and agrees with it",
        // `reversed`: up to which event the rows of each order are reversed. What they say of their receipts may have
        // been corrected since.
        sql: concat!(
            parts!(),
            ",
            reversed AS (
                SELECT po_id, max(event_number) AS event_number FROM stock_movement
                WHERE store_id = {store} AND kind = 'RECEIPT_REVERSAL' GROUP BY po_id)
            SELECT 'movement ' || m.movement_number || ' of ' || m.product_id || ' puts {q:' || m.quantity
                || '} of lot ' || COALESCE(m.lot_code || COALESCE(' ' || m.expiry_date, ''), 'none')
                || ' on hand at {c:' || m.unit_cost || '} received at {t:' || COALESCE(m.receive_time, 0)
                || '}, but line ' || COALESCE(m.line_number, 0) || ' of receipt ' || COALESCE(m.receipt_number, 0)
                || ' of ' || COALESCE(o.number, m.po_id, 'no order')
                || CASE WHEN i.accepted IS NULL OR l.product_id IS NULL OR r.receive_time IS NULL THEN ' is not there'
                    WHEN r.void_time IS NOT NULL THEN ' is voided'
                    ELSE ' is {q:' || i.accepted || '} of ' || l.product_id || ', {q:' || i.excess
                        || '} of it excess, at {c:' || COALESCE(i.unit_cost, l.unit_cost)
                        || '} received at {t:' || r.receive_time || '}' END AS detail
            FROM stock_movement m
            LEFT JOIN purchase_order o USING (store_id, po_id)
            LEFT JOIN purchase_order_line l ON l.store_id = m.store_id AND l.po_id = m.po_id
                AND l.line_number = m.line_number
            LEFT JOIN receipt r ON r.store_id = m.store_id AND r.po_id = m.po_id
                AND r.receipt_number = m.receipt_number
            LEFT JOIN receipt_item i ON i.store_id = m.store_id AND i.po_id = m.po_id
                AND i.receipt_number = m.receipt_number AND i.line_number = m.line_number
            LEFT JOIN part p ON p.po_id = m.po_id AND p.receipt_number = m.receipt_number
                AND p.line_number = m.line_number AND p.quantity = m.quantity AND p.unit_cost = m.unit_cost
                AND p.lot_code = COALESCE(m.lot_code, '') AND p.expiry_date = COALESCE(m.expiry_date, '')
            LEFT JOIN reversed v ON v.po_id = m.po_id
            WHERE m.store_id = {store} AND m.kind = 'RECEIPT' AND m.event_number > COALESCE(v.event_number, 0)
              AND (r.void_time IS NOT NULL
                OR p.quantity IS NULL OR l.product_id IS DISTINCT FROM m.product_id
                OR r.receive_time IS DISTINCT FROM m.receive_time)"
        ),
    },
    Check {
        invariant: 6,
        title: "a ledger row was written by its order's completion, and its reversal by its order's reopening",
        // `retained`: the oldest event that pruning has left. Rows of an older event cannot be checked.
        sql: "
            WITH retained AS (SELECT min(event_number) AS first FROM event WHERE store_id = {store})
            SELECT 'movement ' || m.movement_number || ' of ' || m.product_id || ' was written at {t:' || m.create_time
                || '} by event ' || m.event_number || ', which did not '
                || CASE WHEN m.kind = 'RECEIPT' THEN 'complete' ELSE 'reopen' END || ' its order then' AS detail
            FROM stock_movement m CROSS JOIN retained
            LEFT JOIN event e ON e.store_id = m.store_id AND e.event_number = m.event_number
            WHERE m.store_id = {store} AND m.kind IN ('RECEIPT', 'RECEIPT_REVERSAL')
              AND m.event_number >= retained.first AND (e.po_id IS DISTINCT FROM m.po_id
                OR e.event_type <> CASE WHEN m.kind = 'RECEIPT' THEN 'ORDER_COMPLETED' ELSE 'ORDER_REOPENED' END
                OR e.event_time <> m.create_time)",
    },
    Check {
        invariant: 6,
        title: "a ledger row is of a known kind, moves stock its way and says what its kind says",
        sql: "
            WITH known(kind, is_receipt, may_add, may_take) AS (VALUES
                ('RECEIPT', 1, 1, 0), ('RECEIPT_REVERSAL', 1, 0, 1), ('SALE', 0, 0, 1), ('CUSTOMER_RETURN', 0, 1, 0), ('RETURN_TO_SUPPLIER', 0, 0, 1),
                ('COUNT', 0, 1, 1), ('LOSS', 0, 0, 1)),
            described AS (
                SELECT m.*, CASE WHEN po_id IS NULL THEN 0 ELSE 1 END AS has_order,
                    CASE WHEN line_number IS NULL THEN 0 ELSE 1 END AS has_line,
                    CASE WHEN receipt_number IS NULL THEN 0 ELSE 1 END AS has_receipt,
                    CASE WHEN receive_time IS NULL THEN 0 ELSE 1 END AS has_time,
                    CASE WHEN reason IS NULL THEN 0 ELSE 1 END AS has_reason
                FROM stock_movement m WHERE store_id = {store})
            SELECT 'movement ' || t.movement_number || ' of ' || t.product_id || ' is a ' || t.kind || ' of {q:'
                || t.quantity || '} at {c:' || t.unit_cost || '}, with order ' || COALESCE(t.po_id, 'none') || ', line '
                || COALESCE(CAST(t.line_number AS TEXT), 'none') || ', receipt '
                || COALESCE(CAST(t.receipt_number AS TEXT), 'none') || ', time '
                || COALESCE('{t:' || t.receive_time || '}', 'none') || ' and reason ' || COALESCE(t.reason, 'none')
                AS detail
            FROM described t LEFT JOIN known k ON k.kind = t.kind
            WHERE k.kind IS NULL OR t.quantity = 0 OR (t.quantity > 0 AND k.may_add = 0)
               OR (t.quantity < 0 AND k.may_take = 0) OR t.has_order <> t.has_line OR t.has_receipt <> k.is_receipt
               OR t.has_time <> k.is_receipt OR t.has_reason = k.is_receipt OR t.has_order < k.is_receipt
               OR (t.has_order = 1 AND t.kind NOT IN ('RECEIPT', 'RECEIPT_REVERSAL', 'RETURN_TO_SUPPLIER'))
               OR t.unit_cost NOT BETWEEN 0 AND 1000000000000000",
    },
    Check {
        invariant: 6,
        title: "an adjustment was written by its own event",
        sql: "
            WITH retained AS (SELECT min(event_number) AS first FROM event WHERE store_id = {store})
            SELECT 'movement ' || m.movement_number || ' of ' || m.product_id || ' was written at {t:' || m.create_time
                || '} by event ' || m.event_number || ', which did not adjust it then' AS detail
            FROM stock_movement m CROSS JOIN retained
            LEFT JOIN event e ON e.store_id = m.store_id AND e.event_number = m.event_number
            WHERE m.store_id = {store} AND m.kind NOT IN ('RECEIPT', 'RECEIPT_REVERSAL')
              AND m.event_number >= retained.first
              AND (e.event_type IS DISTINCT FROM 'STOCK_ADJUSTED' OR e.po_id IS DISTINCT FROM m.po_id
                OR e.event_time <> m.create_time)",
    },
    Check {
        invariant: 6,
        title: "an event that adjusted stock has one ledger row for each lot of one product",
        // `lots`: those that a row names, and stock that is in no lot.
        sql: "
            WITH ledger AS (
                SELECT event_number, count(*) AS movements, count(DISTINCT product_id) AS products,
                    count(DISTINCT COALESCE(lot_code || ' ' || COALESCE(expiry_date, ''), '')) AS lots
                FROM stock_movement WHERE store_id = {store} GROUP BY event_number)
            SELECT 'event ' || e.event_number || ' adjusted stock by ' || COALESCE(g.movements, 0) || ' ledger rows of '
                || COALESCE(g.lots, 0) || ' lots of ' || COALESCE(g.products, 0) || ' products' AS detail
            FROM event e LEFT JOIN ledger g ON g.event_number = e.event_number
            WHERE e.store_id = {store} AND e.event_type = 'STOCK_ADJUSTED'
              AND (COALESCE(g.movements, 0) <> COALESCE(g.lots, 0) OR COALESCE(g.products, 0) <> 1)",
    },
    Check {
        invariant: 6,
        title: "what a line returned is the sum of its ledger rows, and was received",
        sql: "
            WITH ledger AS (
                SELECT po_id, line_number, -sum(quantity) AS quantity FROM stock_movement
                WHERE store_id = {store} AND kind = 'RETURN_TO_SUPPLIER' GROUP BY po_id, line_number)
            SELECT 'line ' || l.line_number || ' of ' || o.number || ': {q:' || l.returned || '} returned of {q:'
                || l.received || '} received, but its ledger rows add up to {q:' || COALESCE(g.quantity, 0) || '}'
                AS detail
            FROM purchase_order_line l JOIN purchase_order o USING (store_id, po_id)
            LEFT JOIN ledger g ON g.po_id = l.po_id AND g.line_number = l.line_number
            WHERE l.store_id = {store} AND (l.returned <> COALESCE(g.quantity, 0)
                OR l.returned NOT BETWEEN 0 AND l.received)",
    },
    Check {
        invariant: 6,
        title: "a return is of a line of its product, at that line's cost",
        sql: "
            SELECT 'movement ' || m.movement_number || ' of ' || m.product_id || ' returns {q:' || -m.quantity
                || '} at {c:' || m.unit_cost || '}, but line ' || COALESCE(CAST(m.line_number AS TEXT), 'none') || ' of '
                || m.po_id || COALESCE(' is of ' || l.product_id || ' at {c:' || l.unit_cost || '}', ' is not there')
                AS detail
            FROM stock_movement m
            LEFT JOIN purchase_order_line l ON l.store_id = m.store_id AND l.po_id = m.po_id
                AND l.line_number = m.line_number
            WHERE m.store_id = {store} AND m.kind = 'RETURN_TO_SUPPLIER' AND m.po_id IS NOT NULL
              AND (l.product_id IS DISTINCT FROM m.product_id OR l.unit_cost IS DISTINCT FROM m.unit_cost)",
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
        title: "the average cost is that of the last ledger row",
        sql: "
            WITH ends AS (
                SELECT product_id, max(movement_number) AS movement_number FROM stock_movement
                WHERE store_id = {store} GROUP BY product_id),
            ledger AS (
                SELECT m.product_id, m.average_after FROM stock_movement m
                JOIN ends e ON e.product_id = m.product_id AND e.movement_number = m.movement_number
                WHERE m.store_id = {store})
            SELECT v.product_id || ' costs {c:' || v.average_cost || '} on average, but {c:'
                || COALESCE(g.average_after, 0) || '} after the last row of its ledger' AS detail
            FROM inventory_level v LEFT JOIN ledger g ON g.product_id = v.product_id
            WHERE v.store_id = {store} AND v.average_cost <> COALESCE(g.average_after, 0)",
    },
    Check {
        invariant: 7,
        title: "no level is beyond its limit",
        sql: "
            SELECT product_id || ': {q:' || on_hand || '} on hand, {q:' || staged || '} staged, {q:' || on_order
                || '} on order, {q:' || back_ordered || '} of them back-ordered' AS detail
            FROM inventory_level
            WHERE store_id = {store} AND (on_hand > 9000000000000000 OR on_hand < -9000000000000000
                OR staged > 9000000000000000
                OR on_order > 9000000000000000 OR back_ordered > on_order)",
    },
];

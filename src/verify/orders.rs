//! Invariant 4: what an order's state says about its lines and receipts.
//!
//! The state is stored on the header while the quantities are rows of their own; the schema's CHECKs compare the state
//! with the header's counters only. Here it is compared with the rows themselves.

use super::check::Check;

/// The checks of each state, of a lone header, and of the times that go with a state.
pub(super) const CHECKS: &[Check] = &[
    Check {
        invariant: 4,
        title: "a completed order has nothing pending and something received",
        sql: "
            SELECT o.number || ' is COMPLETED with {q:' || COALESCE(sum(l.received), 0) || '} received and {q:'
                || COALESCE(sum(l.pending), 0) || '} pending' AS detail
            FROM purchase_order o LEFT JOIN purchase_order_line l USING (store_id, po_id)
            WHERE o.store_id = {store} AND o.state = 'COMPLETED'
            GROUP BY o.po_id, o.number
            HAVING COALESCE(max(l.pending), 0) > 0 OR COALESCE(max(l.received), 0) <= 0",
    },
    Check {
        invariant: 4,
        title: "an order has a back order if it is completed and something was back-ordered, and only then",
        // `moved`: the orders that have moved a quantity to a back order, and how much. Only those are in it, so that
        // NULL after the join means none.
        sql: "
            WITH moved AS (
                SELECT po_id, sum(back_ordered) AS quantity FROM purchase_order_line
                WHERE store_id = {store} AND back_ordered <> 0 GROUP BY po_id)
            SELECT o.number || ' is ' || o.state || ' with {q:' || COALESCE(m.quantity, 0) || '} back-ordered and '
                || CASE WHEN c.number IS NULL THEN 'no back order' ELSE 'the back order ' || c.number END AS detail
            FROM purchase_order o
            LEFT JOIN moved m ON m.po_id = o.po_id
            LEFT JOIN purchase_order c ON c.store_id = o.store_id AND c.parent_id = o.po_id AND NOT c.folded_back
            WHERE o.store_id = {store} AND (
                (m.quantity IS NULL) <> (c.number IS NULL)
                OR (o.state <> 'COMPLETED' AND (m.quantity IS NOT NULL OR c.number IS NOT NULL)))",
    },
    Check {
        invariant: 4,
        title: "a cancelled order has nothing pending and nothing received",
        sql: "
            SELECT 'line ' || l.line_number || ' of ' || o.number || ', which is CANCELLED, has {q:' || l.received
                || '} received and {q:' || l.pending || '} pending' AS detail
            FROM purchase_order o JOIN purchase_order_line l USING (store_id, po_id)
            WHERE o.store_id = {store} AND o.state = 'CANCELLED' AND (l.pending <> 0 OR l.received <> 0)",
    },
    Check {
        invariant: 4,
        title: "a draft has nothing cancelled",
        sql: "
            SELECT 'line ' || l.line_number || ' of ' || o.number || ', which is ' || o.state || ', has {q:'
                || l.cancelled || '} cancelled' AS detail
            FROM purchase_order o JOIN purchase_order_line l USING (store_id, po_id)
            WHERE o.store_id = {store} AND o.state = 'DRAFT' AND l.cancelled <> 0",
    },
    Check {
        invariant: 4,
        title: "an order is being received if it has an active receipt, and only then",
        // `active`: the orders with a receipt that is not voided, and how many. A completed order has received
        // something, so it has one too.
        sql: "
            WITH active AS (
                SELECT po_id, count(*) AS receipts FROM receipt
                WHERE store_id = {store} AND void_time IS NULL GROUP BY po_id)
            SELECT o.number || ' is ' || o.state || ' with ' || COALESCE(s.receipts, 0) || ' active receipts' AS detail
            FROM purchase_order o LEFT JOIN active s ON s.po_id = o.po_id
            WHERE o.store_id = {store} AND (
                (o.state IN ('RECEIVING', 'COMPLETED') AND s.receipts IS NULL)
                OR (o.state IN ('DRAFT', 'ON_ORDER') AND s.receipts IS NOT NULL))",
    },
    Check {
        invariant: 4,
        title: "an order has lines, and their numbers are those that it has given out",
        // A draft may have lost lines, so the numbers of an order may have gaps.
        sql: "
            SELECT o.number || ' has ' || count(l.line_number) || ' lines, numbered from '
                || COALESCE(min(l.line_number), 0) || ' to ' || COALESCE(max(l.line_number), 0) || ', and has given out '
                || o.last_line || ' numbers' AS detail
            FROM purchase_order o LEFT JOIN purchase_order_line l USING (store_id, po_id)
            WHERE o.store_id = {store}
            GROUP BY o.po_id, o.number, o.last_line
            HAVING count(l.line_number) = 0 OR min(l.line_number) < 1 OR max(l.line_number) > o.last_line",
    },
    Check {
        invariant: 4,
        title: "no order was placed with a line of quantity 0",
        // A line of what the order did not name has no quantity; it came by a receipt, which may be voided since.
        sql: "
            SELECT 'line ' || l.line_number || ' of ' || o.number || ' was placed with quantity {q:'
                || l.first_ordered || '}, and no receipt has brought it' AS detail
            FROM purchase_order o JOIN purchase_order_line l USING (store_id, po_id)
            WHERE o.store_id = {store} AND o.place_time IS NOT NULL AND l.first_ordered <= 0
              AND (l.carried_over OR NOT EXISTS (
                SELECT 1 FROM receipt_item i WHERE i.store_id = {store} AND i.po_id = l.po_id
                    AND i.line_number = l.line_number))",
    },
    Check {
        invariant: 4,
        title: "an order is in a known state, and has the times that go with it",
        sql: "
            SELECT o.number || ' is ' || o.state || ' with order time ' || COALESCE('{t:' || o.order_time || '}', 'none')
                || ', place time ' || COALESCE('{t:' || o.place_time || '}', 'none') || ', original order time '
                || COALESCE('{t:' || o.original_order_time || '}', 'none') || ', close time '
                || COALESCE('{t:' || o.close_time || '}', 'none') AS detail
            FROM purchase_order o
            WHERE o.store_id = {store} AND (
                o.state NOT IN ('DRAFT', 'ON_ORDER', 'RECEIVING', 'COMPLETED', 'CANCELLED')
                OR (o.state = 'DRAFT' AND (o.place_time IS NOT NULL OR o.parent_id IS NOT NULL))
                OR (o.state IN ('ON_ORDER', 'RECEIVING', 'COMPLETED') AND o.place_time IS NULL)
                OR (o.state IN ('COMPLETED', 'CANCELLED')) <> (o.close_time IS NOT NULL)
                OR (o.place_time IS NULL) <> (o.order_time IS NULL)
                OR (o.place_time IS NULL) <> (o.original_order_time IS NULL))",
    },
    Check {
        invariant: 4,
        title: "a back order that was folded back is cancelled, and has no back order of its own",
        sql: "
            SELECT o.number || ' was folded back and is ' || o.state || CASE WHEN o.parent_id IS NULL
                THEN ', but followed no order' WHEN o.child_id IS NOT NULL THEN ' with a back order' ELSE '' END AS detail
            FROM purchase_order o
            WHERE o.store_id = {store} AND o.folded_back
              AND (o.state <> 'CANCELLED' OR o.parent_id IS NULL OR o.child_id IS NOT NULL)",
    },
];

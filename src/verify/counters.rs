//! Invariant 13: the counters that orders and the store keep so that no rule has to load what they count.
//!
//! A wrong counter lets a command do what its rule forbids, for example complete an order with something pending.
//! Each check counts the rows themselves and compares.

use super::check::Check;

/// The checks that headers and the store row count what they say they count.
pub(super) const CHECKS: &[Check] = &[
    Check {
        invariant: 13,
        title: "a header counts its lines and those with a quantity pending",
        // `counted`: each order's lines, and those with a quantity pending, as the lines themselves have them.
        sql: "
            WITH counted AS (
                SELECT po_id, count(*) AS lines, sum(CASE WHEN pending > 0 THEN 1 ELSE 0 END) AS pending
                FROM purchase_order_line WHERE store_id = {store} GROUP BY po_id)
            SELECT o.number || ' counts ' || o.line_count || ' lines, ' || o.pending_lines || ' of them pending, but has '
                || COALESCE(c.lines, 0) || ' and ' || COALESCE(c.pending, 0) AS detail
            FROM purchase_order o LEFT JOIN counted c ON c.po_id = o.po_id
            WHERE o.store_id = {store}
              AND (o.line_count <> COALESCE(c.lines, 0) OR o.pending_lines <> COALESCE(c.pending, 0))",
    },
    Check {
        invariant: 13,
        title: "a header has the highest number of a line of its chain so far",
        // `highest`: of each order's own lines. A back order takes its parent's number over. An original may have had
        // more lines as a draft, and the parent of a back order that was folded back may go on without it.
        sql: "
            WITH highest AS (
                SELECT po_id, max(line_number) AS line_number FROM purchase_order_line
                WHERE store_id = {store} GROUP BY po_id)
            SELECT o.number || ' has ' || o.last_line || ' as its last line, but its lines end with '
                || h.line_number || ' and those of its parent with ' || COALESCE(p.last_line, 0) AS detail
            FROM purchase_order o JOIN highest h ON h.po_id = o.po_id
            LEFT JOIN purchase_order p ON p.store_id = {store} AND p.po_id = o.parent_id
            WHERE o.store_id = {store} AND NOT o.folded_back AND (o.last_line < h.line_number OR o.last_line < p.last_line
                OR (o.parent_id IS NOT NULL AND o.last_line > p.last_line AND o.last_line > h.line_number))",
    },
    Check {
        invariant: 13,
        title: "a header has the highest number of a back order of its chain, up to its own back order",
        // `numbered`: each order with the n of its PO-000001-Bn, 0 for an original; NULL if its number is not of that
        // form, which is a finding of another check. `following`: the highest n behind an order: that of its back order,
        // or, of one that was folded back, the highest behind that.
        sql: "
            WITH numbered AS (
                SELECT o.po_id, o.parent_id, o.folded_back, o.last_back_order, CASE WHEN o.parent_id IS NULL THEN 0
                    WHEN length(o.number) - length(r.number) BETWEEN 3 AND 11
                        AND ltrim(substr(o.number, length(r.number) + 3), '0123456789') = ''
                        THEN CAST(substr(o.number, length(r.number) + 3) AS BIGINT) END AS n
                FROM purchase_order o LEFT JOIN purchase_order r ON r.store_id = o.store_id AND r.po_id = o.root_id
                WHERE o.store_id = {store}),
            following AS (
                SELECT parent_id, max(CASE WHEN folded_back THEN last_back_order ELSE n END) AS n FROM numbered
                WHERE parent_id IS NOT NULL GROUP BY parent_id)
            SELECT o.number || ' has ' || o.last_back_order || ' as the last number of a back order, but it is number '
                || d.n || ' itself, and ' || COALESCE(f.n, 0) || ' follows' AS detail
            FROM numbered d JOIN purchase_order o ON o.store_id = {store} AND o.po_id = d.po_id
            LEFT JOIN following f ON f.parent_id = d.po_id
            WHERE o.last_back_order <> CASE WHEN COALESCE(f.n, 0) > d.n THEN f.n ELSE d.n END",
    },
    Check {
        invariant: 13,
        title: "a header's totals are the sums over its lines",
        // `total`: the sums over each order's lines. An order without lines is a finding of another check.
        sql: "
            WITH total AS (
                SELECT po_id, sum(ordered) AS ordered, sum(received) AS received, sum(rejected) AS rejected,
                    sum(back_ordered) AS back_ordered, sum(cancelled) AS cancelled, sum(pending) AS pending,
                    sum(excess) AS excess
                FROM purchase_order_line WHERE store_id = {store} GROUP BY po_id)
            SELECT o.number || ' totals ordered {q:' || o.ordered || '}, received {q:' || o.received || '}, rejected {q:'
                || o.rejected || '}, back-ordered {q:' || o.back_ordered || '}, cancelled {q:' || o.cancelled
                || '}, pending {q:' || o.pending || '}, excess {q:' || o.excess || '}, but its lines {q:' || t.ordered || '}, {q:' || t.received
                || '}, {q:' || t.rejected || '}, {q:' || t.back_ordered || '}, {q:' || t.cancelled || '}, {q:'
                || t.pending || '}, {q:' || t.excess || '}' AS detail
            FROM purchase_order o JOIN total t ON t.po_id = o.po_id
            WHERE o.store_id = {store} AND (o.ordered <> t.ordered OR o.received <> t.received
                OR o.rejected <> t.rejected OR o.back_ordered <> t.back_ordered OR o.cancelled <> t.cancelled
                OR o.pending <> t.pending OR o.excess <> t.excess)",
    },
    Check {
        invariant: 13,
        title: "a header counts its receipts, those that are not voided, and their items and lots",
        // `item` and `booked` count an order's items and lots, and its receipts, apart from each other: joined first, each
        // receipt would be counted once per item. Receipts are numbered without a gap, so the last number is
        // their count.
        sql: "
            WITH item AS (
                SELECT po_id, count(*) AS items FROM (
                    SELECT po_id FROM receipt_item WHERE store_id = {store}
                    UNION ALL SELECT po_id FROM receipt_lot WHERE store_id = {store}) AS booked
                GROUP BY po_id),
            booked AS (
                SELECT po_id, sum(CASE WHEN void_time IS NULL THEN 1 ELSE 0 END) AS active, count(*) AS receipts,
                    max(receipt_number) AS last
                FROM receipt WHERE store_id = {store} GROUP BY po_id)
            SELECT o.number || ' counts ' || o.active_receipts || ' active receipts, ' || o.last_receipt
                || ' in all and ' || o.receipt_items || ' items and lots, but has ' || COALESCE(b.active, 0) || ', '
                || COALESCE(b.receipts, 0) || ' (the last is number ' || COALESCE(b.last, 0) || ') and '
                || COALESCE(i.items, 0) AS detail
            FROM purchase_order o
            LEFT JOIN booked b ON b.po_id = o.po_id
            LEFT JOIN item i ON i.po_id = o.po_id
            WHERE o.store_id = {store} AND (o.active_receipts <> COALESCE(b.active, 0)
                OR o.last_receipt <> COALESCE(b.receipts, 0) OR o.last_receipt <> COALESCE(b.last, 0)
                OR o.receipt_items <> COALESCE(i.items, 0))",
    },
    Check {
        invariant: 13,
        title: "a header's received cost is the sum of its active receipts' values",
        sql: "
            WITH booked AS (
                SELECT i.po_id, sum(i.value) AS value
                FROM receipt r JOIN receipt_item i USING (store_id, po_id, receipt_number)
                WHERE r.store_id = {store} AND r.void_time IS NULL GROUP BY i.po_id)
            SELECT o.number || ' has received for {q:' || o.received_cost || '}, but its active receipts are worth {q:'
                || COALESCE(b.value, 0) || '}' AS detail
            FROM purchase_order o LEFT JOIN booked b ON b.po_id = o.po_id
            WHERE o.store_id = {store} AND o.received_cost <> COALESCE(b.value, 0)",
    },
    Check {
        invariant: 13,
        title: "the store counts its open orders",
        sql: "
            WITH counted AS (
                SELECT count(*) AS orders FROM purchase_order
                WHERE store_id = {store} AND state IN ('DRAFT', 'ON_ORDER', 'RECEIVING'))
            SELECT 'the store counts ' || s.open_orders || ' open orders, but has ' || c.orders AS detail
            FROM store s CROSS JOIN counted c
            WHERE s.store_id = {store} AND s.open_orders <> c.orders",
    },
    Check {
        invariant: 13,
        title: "the store counts the numbers that it has given out",
        sql: "
            WITH counted AS (
                SELECT count(*) AS orders FROM purchase_order WHERE store_id = {store} AND parent_id IS NULL)
            SELECT 'the store has given out ' || s.last_order_number || ' numbers, but has ' || c.orders || ' originals'
                AS detail
            FROM store s CROSS JOIN counted c
            WHERE s.store_id = {store} AND s.last_order_number <> c.orders",
    },
];

//! Invariants 1, 4 and 8: what was cancelled of a line has an event and a reason for each part.

use super::check::Check;

/// The checks of cancellations against lines, orders and events.
pub(super) const CHECKS: &[Check] = &[
    Check {
        invariant: 1,
        title: "cancelled is the sum of what its events cancelled",
        // `parts`: per line, what its cancellations add up to.
        sql: "
            WITH parts AS (
                SELECT po_id, line_number, sum(quantity) AS quantity FROM line_cancellation
                WHERE store_id = {store} GROUP BY po_id, line_number)
            SELECT 'line ' || l.line_number || ' of ' || o.number || ': cancelled {q:' || l.cancelled
                || '}, but its cancellations add up to {q:' || COALESCE(p.quantity, 0) || '}' AS detail
            FROM purchase_order_line l JOIN purchase_order o USING (store_id, po_id)
            LEFT JOIN parts p ON p.po_id = l.po_id AND p.line_number = l.line_number
            WHERE l.store_id = {store} AND l.cancelled <> COALESCE(p.quantity, 0)",
    },
    Check {
        invariant: 1,
        title: "a cancellation is of a line",
        sql: "
            SELECT 'event ' || c.event_number || ' cancelled a quantity of line ' || c.line_number || ' of order '
                || c.po_id || ', which does not exist' AS detail
            FROM line_cancellation c
            LEFT JOIN purchase_order_line l ON l.store_id = c.store_id AND l.po_id = c.po_id
                AND l.line_number = c.line_number
            WHERE c.store_id = {store} AND l.product_id IS NULL",
    },
    Check {
        invariant: 4,
        title: "what was cancelled after it was placed has a reason",
        sql: "
            SELECT 'line ' || c.line_number || ' of ' || o.number || ' has a cancelled quantity without a reason'
                AS detail
            FROM line_cancellation c JOIN purchase_order o USING (store_id, po_id)
            WHERE c.store_id = {store} AND o.place_time IS NOT NULL AND c.reason IS NULL AND o.cancel_reason IS NULL",
    },
    Check {
        invariant: 8,
        title: "a cancellation is by an event of its order that cancels",
        // Events before the first that is kept prove nothing.
        sql: "
            WITH retained AS (SELECT min(event_number) AS first FROM event WHERE store_id = {store})
            SELECT 'line ' || c.line_number || ' of ' || o.number || ' was cancelled by event ' || c.event_number
                || ', which is ' || COALESCE(e.event_type, 'of another order') AS detail
            FROM line_cancellation c JOIN purchase_order o USING (store_id, po_id) CROSS JOIN retained k
            LEFT JOIN event e ON e.store_id = c.store_id AND e.event_number = c.event_number AND e.po_id = c.po_id
            WHERE c.store_id = {store} AND c.event_number >= k.first
              AND (e.event_type IS NULL
                OR e.event_type NOT IN ('LINES_CANCELLED', 'ORDER_CANCELLED', 'ORDER_COMPLETED', 'BACK_ORDER_FOLDED'))",
    },
];

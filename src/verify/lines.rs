//! Invariant 1: each line by itself, and against the active receipts, which are those that are not voided.
//!
//! A line's quantities are kept on the line so that no command has to add up receipts. CHECKs of the schema hold the
//! equation too; it is checked here again for databases whose constraints were dropped, and for rows that no
//! constraint compares: there are no foreign keys between orders, lines, receipts and their items.

use super::check::Check;

/// The checks of lines, receipts and receipt items.
pub(super) const CHECKS: &[Check] = &[
    Check {
        invariant: 1,
        title: "ordered + excess = received + back_ordered + cancelled + pending",
        sql: "
            SELECT 'line ' || l.line_number || ' of ' || o.number || ': ordered {q:' || l.ordered || '} + excess {q:'
                || l.excess || '} is not received {q:' || l.received || '} + back-ordered {q:' || l.back_ordered
                || '} + cancelled {q:' || l.cancelled || '} + pending {q:' || l.pending || '}' AS detail
            FROM purchase_order_line l JOIN purchase_order o USING (store_id, po_id)
            WHERE l.store_id = {store}
              AND l.ordered + l.excess <> l.received + l.back_ordered + l.cancelled + l.pending",
    },
    Check {
        invariant: 1,
        title: "a line has an excess only if nothing is back-ordered or pending",
        sql: "
            SELECT 'line ' || l.line_number || ' of ' || o.number || ': excess {q:' || l.excess
                || '} together with back-ordered {q:' || l.back_ordered || '}, cancelled {q:' || l.cancelled
                || '}, pending {q:' || l.pending || '}' AS detail
            FROM purchase_order_line l JOIN purchase_order o USING (store_id, po_id)
            WHERE l.store_id = {store} AND l.excess > 0 AND (l.back_ordered > 0 OR l.pending > 0)",
    },
    Check {
        invariant: 1,
        title: "no quantity or cost of a line is negative or out of range",
        sql: "
            SELECT 'line ' || l.line_number || ' of ' || o.number || ': one of its quantities is negative or too'
                || ' large: first ordered {q:' || l.first_ordered || '}, ordered {q:' || l.ordered
                || '}, received {q:' || l.received || '}, rejected {q:' || l.rejected || '}, back-ordered {q:'
                || l.back_ordered || '}, cancelled {q:' || l.cancelled || '}, pending {q:' || l.pending
                || '}, excess {q:' || l.excess || '}, confirmed {q:' || COALESCE(l.confirmed, 0) || '}, at a unit cost of {c:' || l.unit_cost || '}' AS detail
            FROM purchase_order_line l JOIN purchase_order o USING (store_id, po_id)
            WHERE l.store_id = {store} AND NOT (
                l.first_ordered BETWEEN 0 AND 9999999999999 AND l.ordered BETWEEN 0 AND 9999999999999
                AND l.received BETWEEN 0 AND 9999999999999 AND l.rejected BETWEEN 0 AND 9999999999999
                AND l.back_ordered BETWEEN 0 AND 9999999999999 AND l.cancelled BETWEEN 0 AND 9999999999999
                AND l.pending BETWEEN 0 AND 9999999999999 AND l.excess BETWEEN 0 AND 9999999999999
                AND COALESCE(l.confirmed, 0) BETWEEN 0 AND 9999999999999
                AND l.unit_cost BETWEEN 0 AND 1000000000000000)",
    },
    Check {
        invariant: 1,
        title: "a line has a known unit, and whole quantities if that unit is counted in whole numbers",
        // `known`: each unit with the smallest step of its quantities, in ten-thousandths. The first six are counted
        // in whole numbers.
        sql: "
            WITH known(unit, step) AS (VALUES
                ('EACH', 10000), ('PAIR', 10000), ('SET', 10000), ('BOX', 10000), ('ROLL', 10000), ('BOTTLE', 10000),
                ('KILOGRAM', 1), ('GRAM', 1), ('LITRE', 1), ('MILLILITRE', 1), ('METRE', 1), ('SQUARE_METRE', 1))
            SELECT 'line ' || l.line_number || ' of ' || o.number || ': quantities that its unit does not allow: '
                || l.unit || ', ordered {q:' || l.ordered || '}, received {q:' || l.received || '}, rejected {q:'
                || l.rejected || '}, back-ordered {q:' || l.back_ordered || '}, cancelled {q:' || l.cancelled
                || '}' AS detail
            FROM purchase_order_line l JOIN purchase_order o USING (store_id, po_id)
            LEFT JOIN known k ON k.unit = l.unit
            WHERE l.store_id = {store} AND (
                k.unit IS NULL OR l.first_ordered % k.step <> 0 OR l.ordered % k.step <> 0
                OR l.received % k.step <> 0 OR l.rejected % k.step <> 0 OR l.back_ordered % k.step <> 0
                OR l.cancelled % k.step <> 0
                OR COALESCE(l.confirmed, 0) % k.step <> 0)",
    },
    Check {
        invariant: 1,
        title: "received and rejected are the sums over active receipts",
        // `booked`: per line, what its active receipts hold.
        sql: "
            WITH booked AS (
                SELECT i.po_id, i.line_number, sum(i.accepted) AS accepted, sum(i.rejected) AS rejected
                FROM receipt r JOIN receipt_item i USING (store_id, po_id, receipt_number)
                WHERE r.store_id = {store} AND r.void_time IS NULL
                GROUP BY i.po_id, i.line_number)
            SELECT 'line ' || l.line_number || ' of ' || o.number || ': received {q:' || l.received
                || '} and rejected {q:' || l.rejected || '}, but its active receipts hold {q:'
                || COALESCE(b.accepted, 0) || '} and {q:' || COALESCE(b.rejected, 0) || '}' AS detail
            FROM purchase_order_line l JOIN purchase_order o USING (store_id, po_id)
            LEFT JOIN booked b ON b.po_id = l.po_id AND b.line_number = l.line_number
            WHERE l.store_id = {store}
              AND (l.received <> COALESCE(b.accepted, 0) OR l.rejected <> COALESCE(b.rejected, 0))",
    },
    Check {
        invariant: 1,
        title: "a line's receive times are the first and last of its active receipts",
        // `booked`: per line, the earliest and latest arrival over its active receipts.
        sql: "
            WITH booked AS (
                SELECT i.po_id, i.line_number, min(r.receive_time) AS first_time, max(r.receive_time) AS last_time
                FROM receipt r JOIN receipt_item i USING (store_id, po_id, receipt_number)
                WHERE r.store_id = {store} AND r.void_time IS NULL
                GROUP BY i.po_id, i.line_number)
            SELECT 'line ' || l.line_number || ' of ' || o.number || ': received from '
                || COALESCE('{t:' || l.first_receive_time || '}', 'never') || ' to '
                || COALESCE('{t:' || l.last_receive_time || '}', 'never') || ', but its active receipts are from '
                || COALESCE('{t:' || b.first_time || '}', 'never') || ' to '
                || COALESCE('{t:' || b.last_time || '}', 'never') AS detail
            FROM purchase_order_line l JOIN purchase_order o USING (store_id, po_id)
            LEFT JOIN booked b ON b.po_id = l.po_id AND b.line_number = l.line_number
            WHERE l.store_id = {store} AND (l.first_receive_time IS DISTINCT FROM b.first_time
                OR l.last_receive_time IS DISTINCT FROM b.last_time)",
    },
    Check {
        invariant: 1,
        title: "an outstanding line is due at its own date, or else at its order's, and no other line is",
        sql: "
            SELECT 'line ' || l.line_number || ' of ' || o.number || ': due ' || COALESCE(l.due_date, 'never')
                || ', but it is ' || o.state || ' with pending {q:' || l.pending || '}, expected '
                || COALESCE(l.expected_date, o.expected_date, 'at no date') AS detail
            FROM purchase_order_line l JOIN purchase_order o USING (store_id, po_id)
            WHERE l.store_id = {store} AND l.due_date IS DISTINCT FROM
                CASE WHEN o.state IN ('ON_ORDER', 'RECEIVING') AND l.pending > 0
                    THEN COALESCE(l.expected_date, o.expected_date, 'none') END",
    },
    Check {
        invariant: 1,
        title: "a receipt item has a quantity, none negative, and a reason for what is rejected",
        sql: "
            SELECT 'line ' || i.line_number || ' of receipt ' || i.receipt_number || ' of '
                || COALESCE(o.number, i.po_id) || ': accepted {q:' || i.accepted || '}, rejected {q:' || i.rejected
                || '}, reject reason: ' || COALESCE(i.reject_reason, 'none') AS detail
            FROM receipt_item i LEFT JOIN purchase_order o USING (store_id, po_id)
            WHERE i.store_id = {store} AND (i.accepted < 0 OR i.rejected < 0 OR i.accepted + i.rejected <= 0
                OR (i.rejected > 0 AND i.reject_reason IS NULL))",
    },
    Check {
        invariant: 1,
        title: "a line belongs to an order",
        sql: "
            SELECT 'line ' || l.line_number || ' belongs to ' || l.po_id || ', which is not an order' AS detail
            FROM purchase_order_line l LEFT JOIN purchase_order o USING (store_id, po_id)
            WHERE l.store_id = {store} AND o.number IS NULL",
    },
    Check {
        invariant: 1,
        title: "a receipt belongs to an order and has items",
        sql: "
            SELECT 'receipt ' || r.receipt_number || ' of ' || COALESCE(o.number, r.po_id)
                || CASE WHEN o.number IS NULL THEN ', which is not an order' ELSE ' has no items' END AS detail
            FROM receipt r LEFT JOIN purchase_order o USING (store_id, po_id)
            WHERE r.store_id = {store} AND (o.number IS NULL OR NOT EXISTS (
                SELECT 1 FROM receipt_item i WHERE i.store_id = r.store_id AND i.po_id = r.po_id
                    AND i.receipt_number = r.receipt_number))",
    },
    Check {
        invariant: 1,
        title: "a receipt item belongs to a receipt and a line of its order",
        sql: "
            SELECT 'line ' || i.line_number || ' of receipt ' || i.receipt_number || ' of '
                || COALESCE(o.number, i.po_id) || ': there is no such '
                || CASE WHEN l.product_id IS NULL THEN 'line' ELSE 'receipt' END AS detail
            FROM receipt_item i
            LEFT JOIN purchase_order o USING (store_id, po_id)
            LEFT JOIN purchase_order_line l ON l.store_id = i.store_id AND l.po_id = i.po_id
                AND l.line_number = i.line_number
            LEFT JOIN receipt r ON r.store_id = i.store_id AND r.po_id = i.po_id
                AND r.receipt_number = i.receipt_number
            WHERE i.store_id = {store} AND (l.product_id IS NULL OR r.receive_time IS NULL)",
    },
];

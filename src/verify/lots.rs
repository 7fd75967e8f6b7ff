//! Invariants 1 and 5 for lots: what was accepted is divided into them, and what is on hand of each is what its ledger rows
//! add up to.

use super::check::Check;

/// The checks of the lots of receipt items, and of those in stock.
pub(super) const CHECKS: &[Check] = &[
    Check {
        invariant: 1,
        title: "the lots of an item add up to what was accepted",
        sql: "
            WITH total AS (
                SELECT po_id, receipt_number, line_number, sum(quantity) AS quantity, count(*) AS lots,
                    count(DISTINCT lot_code || ' ' || COALESCE(expiry_date, '')) AS different, max(lot_number) AS last
                FROM receipt_lot WHERE store_id = {store} GROUP BY po_id, receipt_number, line_number)
            SELECT 'line ' || t.line_number || ' of receipt ' || t.receipt_number || ' of ' || COALESCE(o.number, t.po_id)
                || ' has ' || t.lots || ' lots of {q:' || t.quantity || '}, ' || t.different || ' of them different, the last '
                || 'with number ' || t.last || ', but {q:' || COALESCE(i.accepted, 0) || '} were accepted' AS detail
            FROM total t
            LEFT JOIN purchase_order o ON o.store_id = {store} AND o.po_id = t.po_id
            LEFT JOIN receipt_item i ON i.store_id = {store} AND i.po_id = t.po_id
                AND i.receipt_number = t.receipt_number AND i.line_number = t.line_number
            WHERE t.quantity <> COALESCE(i.accepted, 0) OR t.lots <> t.different OR t.lots <> t.last",
    },
    Check {
        invariant: 1,
        title: "what was accepted of a line that needs lots is in lots",
        sql: "
            SELECT 'line ' || i.line_number || ' of receipt ' || i.receipt_number || ' of ' || o.number || ': {q:'
                || i.accepted || '} accepted without a lot' AS detail
            FROM receipt_item i
            JOIN purchase_order_line l USING (store_id, po_id, line_number)
            JOIN purchase_order o USING (store_id, po_id)
            LEFT JOIN receipt_lot t ON t.store_id = i.store_id AND t.po_id = i.po_id
                AND t.receipt_number = i.receipt_number AND t.line_number = i.line_number AND t.lot_number = 1
            WHERE i.store_id = {store} AND l.lot_required AND i.accepted > 0 AND t.quantity IS NULL",
    },
    Check {
        invariant: 5,
        title: "what is on hand of a lot is the sum of its ledger rows",
        // `part`: what is kept of each lot, and what its ledger rows take away from that.
        sql: "
            WITH part AS (
                SELECT product_id, lot_code, expiry_date, on_hand, on_hand AS rest FROM inventory_lot
                WHERE store_id = {store}
                UNION ALL
                SELECT product_id, lot_code, COALESCE(expiry_date, 'none'), 0, -quantity FROM stock_movement
                WHERE store_id = {store} AND lot_code IS NOT NULL),
            total AS (
                SELECT product_id, lot_code, expiry_date, sum(on_hand) AS on_hand, sum(rest) AS rest FROM part
                GROUP BY product_id, lot_code, expiry_date)
            SELECT product_id || ', lot ' || lot_code || ' ' || expiry_date || ': {q:' || on_hand
                || '} on hand, but its ledger rows add up to {q:' || (on_hand - rest) || '}' AS detail
            FROM total WHERE rest <> 0 OR on_hand < 0",
    },
];

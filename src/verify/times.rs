//! Invariant 9: recorded times never go back, and the times on rows are those of their events.
//!
//! A store's clock never runs behind its last event, even if the machine's does. What is recorded by the service
//! (created, placed, booked, voided, closed) is therefore in order; what callers give (ordered, received) is bounded by
//! it. The queries compare microseconds.

use super::check::Check;

/// The checks of the order of times, and of times on rows against those of events.
pub(super) const CHECKS: &[Check] = &[
    Check {
        invariant: 9,
        title: "the receipts of one delivery agree on when, by whom and from whom it was",
        // `delivery`: what the first and the last of its receipts say, by value; with one of each they all agree. A
        // correction may say something else.
        sql: "
            WITH delivery AS (
                SELECT delivery_id, count(*) AS receipts FROM receipt
                WHERE store_id = {store} AND delivery_id IS NOT NULL AND corrects IS NULL
                GROUP BY delivery_id
                HAVING min(receive_time) <> max(receive_time) OR min(book_time) <> max(book_time)
                    OR min(booked_by) <> max(booked_by) OR min(supplier_id) <> max(supplier_id)
                    OR min(COALESCE(delivery_note, '')) <> max(COALESCE(delivery_note, '')))
            SELECT 'the ' || receipts || ' receipts of delivery ' || delivery_id || ' say different things' AS detail
            FROM delivery",
    },
    Check {
        invariant: 9,
        title: "a correction was booked by whom and when the receipt in whose place it is was voided, and alone",
        // `w`: the receipt that was wrong; `t`: another in its place.
        sql: "
            SELECT 'receipt ' || r.receipt_number || ' of ' || o.number || ' corrects receipt ' || r.corrects
                || ', which was voided ' || COALESCE('{t:' || w.void_time || '} by ' || w.voided_by, 'never')
                || CASE WHEN t.receipt_number IS NULL THEN '' ELSE ' and has another correction' END AS detail
            FROM receipt r JOIN purchase_order o USING (store_id, po_id)
            LEFT JOIN receipt w ON w.store_id = r.store_id AND w.po_id = r.po_id AND w.receipt_number = r.corrects
            LEFT JOIN receipt t ON t.store_id = r.store_id AND t.po_id = r.po_id AND t.corrects = r.corrects
                AND t.receipt_number <> r.receipt_number
            WHERE r.store_id = {store} AND r.corrects IS NOT NULL
              AND (w.void_time IS DISTINCT FROM r.book_time OR w.voided_by IS DISTINCT FROM r.booked_by
                OR w.delivery_id IS DISTINCT FROM r.delivery_id OR t.receipt_number IS NOT NULL)",
    },
    Check {
        invariant: 9,
        title: "recorded times never go back along the events",
        // `consecutive`: each event's time with that of the event before.
        sql: "
            WITH consecutive AS (
                SELECT event_number, event_time, lag(event_time) OVER (ORDER BY event_number) AS before
                FROM event WHERE store_id = {store})
            SELECT 'event ' || event_number || ' happened at {t:' || event_time || '}, but the event before it at {t:'
                || before || '}' AS detail
            FROM consecutive WHERE event_time < before",
    },
    Check {
        invariant: 9,
        title: "ordered ≤ placed, and created ≤ placed ≤ closed",
        sql: "
            SELECT o.number || ': created {t:' || o.create_time || '}, ordered '
                || COALESCE('{t:' || o.order_time || '}', 'never') || ', placed '
                || COALESCE('{t:' || o.place_time || '}', 'never') || ', closed '
                || COALESCE('{t:' || o.close_time || '}', 'never') AS detail
            FROM purchase_order o
            WHERE o.store_id = {store} AND (o.order_time > o.place_time OR o.create_time > o.place_time
                OR o.place_time > o.close_time OR o.create_time > o.close_time)",
    },
    Check {
        invariant: 9,
        title: "placed ≤ booked ≤ voided ≤ closed",
        sql: "
            SELECT 'receipt ' || r.receipt_number || ' of ' || o.number || ': placed '
                || COALESCE('{t:' || o.place_time || '}', 'never') || ', booked {t:' || r.book_time || '}, voided '
                || COALESCE('{t:' || r.void_time || '}', 'never') || ', closed '
                || COALESCE('{t:' || o.close_time || '}', 'never') AS detail
            FROM receipt r JOIN purchase_order o USING (store_id, po_id)
            WHERE r.store_id = {store} AND (o.place_time IS NULL OR o.place_time > r.book_time
                OR r.book_time > r.void_time OR r.book_time > o.close_time OR r.void_time > o.close_time)",
    },
    Check {
        invariant: 9,
        // The rule is by the store's local day. SQL cannot check it exactly: SQLite has no time zones, and a store's
        // zone may have been changed since. No local day since 1970 was longer than 31 hours in any zone (that of
        // Antarctica/Vostok in 1994), so a receipt that is 31 hours (111,600,000,000 microseconds) or more before the
        // order is wrong in every zone.
        title: "the day of original_order_time ≤ that of receive_time, and receive_time ≤ booked",
        sql: "
            SELECT 'receipt ' || r.receipt_number || ' of ' || o.number || ': ordered '
                || COALESCE('{t:' || o.original_order_time || '}', 'never') || ', received {t:' || r.receive_time
                || '}, booked {t:' || r.book_time || '}' AS detail
            FROM receipt r JOIN purchase_order o USING (store_id, po_id)
            WHERE r.store_id = {store} AND (o.original_order_time - 111600000000 >= r.receive_time
                OR r.receive_time > r.book_time)",
    },
    Check {
        invariant: 9,
        title: "original_order_time is the order time of the chain's original",
        sql: "
            SELECT o.number || ': originally ordered ' || COALESCE('{t:' || o.original_order_time || '}', 'never')
                || ', but ' || COALESCE(r.number || ' was ordered ' || COALESCE('{t:' || r.order_time || '}', 'never'),
                    'its original is not there') AS detail
            FROM purchase_order o LEFT JOIN purchase_order r ON r.store_id = o.store_id AND r.po_id = o.root_id
            WHERE o.store_id = {store} AND o.original_order_time IS DISTINCT FROM r.order_time",
    },
    Check {
        invariant: 9,
        title: "a back order is ordered when it is made",
        sql: "
            SELECT o.number || ': made {t:' || o.create_time || '}, ordered '
                || COALESCE('{t:' || o.order_time || '}', 'never') || ', placed '
                || COALESCE('{t:' || o.place_time || '}', 'never') AS detail
            FROM purchase_order o
            WHERE o.store_id = {store} AND o.parent_id IS NOT NULL
              AND (o.order_time IS DISTINCT FROM o.create_time OR o.place_time IS DISTINCT FROM o.create_time)",
    },
    Check {
        invariant: 9,
        title: "a back-ordered line has the time at which its order was completed",
        sql: "
            SELECT 'line ' || l.line_number || ' of ' || o.number || ': {q:' || l.back_ordered || '} back-ordered '
                || COALESCE('{t:' || l.back_order_time || '}', 'never') || ' on an order closed '
                || COALESCE('{t:' || o.close_time || '}', 'never') AS detail
            FROM purchase_order_line l JOIN purchase_order o USING (store_id, po_id)
            WHERE l.store_id = {store} AND l.back_order_time IS DISTINCT FROM
                CASE WHEN l.back_ordered > 0 THEN o.close_time END",
    },
    Check {
        invariant: 9,
        title: "an order's times are those of its events",
        // A completion counts unless the order was reopened after it.
        sql: "
            SELECT 'event ' || e.event_number || ', ' || e.event_type || ', happened to ' || o.number || ' at {t:'
                || e.event_time || '}, but that says created {t:' || o.create_time || '} by event ' || o.create_event
                || ', placed '
                || COALESCE('{t:' || o.place_time || '}', 'never') || ', closed '
                || COALESCE('{t:' || o.close_time || '}', 'never') AS detail
            FROM event e JOIN purchase_order o USING (store_id, po_id)
            WHERE e.store_id = {store} AND (
                (e.event_type IN ('ORDER_CREATED', 'BACK_ORDER_CREATED') AND (o.create_time <> e.event_time OR o.create_event <> e.event_number))
                OR (e.event_type IN ('ORDER_PLACED', 'BACK_ORDER_CREATED')
                    AND o.place_time IS DISTINCT FROM e.event_time)
                OR (e.event_type IN ('ORDER_COMPLETED', 'ORDER_CANCELLED', 'BACK_ORDER_FOLDED')
                    AND o.close_time IS DISTINCT FROM e.event_time
                    AND NOT EXISTS (
                        SELECT 1 FROM event r WHERE r.store_id = e.store_id AND r.po_id = e.po_id
                            AND r.revision > e.revision AND r.event_type = 'ORDER_REOPENED')))",
    },
    Check {
        invariant: 9,
        title: "a receipt was booked and voided by the actors and at the times of its events",
        // An event has no receipt number in a column, so a receipt is looked for by time and actor. By EXISTS: of receipts
        // that were booked at the same time a join would make every pair.
        sql: "
            SELECT 'event ' || e.event_number || ', ' || e.event_type || ' by ' || e.actor || ' at {t:' || e.event_time
                || '}, is of no receipt of ' || COALESCE(o.number, e.po_id) AS detail
            FROM event e
            LEFT JOIN purchase_order o USING (store_id, po_id)
            WHERE e.store_id = {store} AND (
                (e.event_type IN ('RECEIPT_BOOKED', 'RECEIPT_CORRECTED') AND NOT EXISTS (
                    SELECT 1 FROM receipt b WHERE b.store_id = e.store_id AND b.po_id = e.po_id
                        AND b.book_time = e.event_time AND b.booked_by = e.actor))
                OR (e.event_type IN ('RECEIPT_VOIDED', 'RECEIPT_CORRECTED') AND NOT EXISTS (
                    SELECT 1 FROM receipt v WHERE v.store_id = e.store_id AND v.po_id = e.po_id
                        AND v.void_time = e.event_time AND v.voided_by = e.actor)))",
    },
];

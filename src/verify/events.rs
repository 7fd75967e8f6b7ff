//! Invariants 8, 9 and 11 as far as the events tell them: an order's revisions and states, the
//! numbering, and the feature gate. Events may one day be pruned from the oldest on, so each check
//! asks only what the events that are kept can answer.

use super::check::Check;

/// See the module.
pub(super) const CHECKS: &[Check] = &[
    Check {
        invariant: 8,
        title: "an order's revisions are consecutive",
        sql: "
            WITH told AS (
                SELECT po_id, event_number, revision,
                    lag(revision) OVER (PARTITION BY po_id ORDER BY event_number) AS before
                FROM event WHERE store_id = {store} AND po_id IS NOT NULL),
            kept AS (SELECT min(event_number) AS first FROM event WHERE store_id = {store})
            SELECT 'event ' || t.event_number || ' is revision ' || t.revision || ' of ' || COALESCE(o.number, t.po_id)
                || ', after ' || COALESCE('revision ' || t.before, 'none') AS detail
            FROM told t CROSS JOIN kept k
            LEFT JOIN purchase_order o ON o.store_id = {store} AND o.po_id = t.po_id
            WHERE t.revision <> t.before + 1 OR (t.before IS NULL AND k.first = 1 AND t.revision <> 1)",
    },
    Check {
        invariant: 8,
        title: "an order is as its last event left it",
        sql: "
            WITH ends AS (
                SELECT po_id, max(event_number) AS event_number FROM event
                WHERE store_id = {store} AND po_id IS NOT NULL GROUP BY po_id)
            SELECT o.number || ' is ' || o.state || ' at revision ' || o.revision || ', but event ' || e.event_number
                || ' left it ' || e.state_after || ' at revision ' || e.revision AS detail
            FROM ends n
            JOIN event e ON e.store_id = {store} AND e.event_number = n.event_number
            JOIN purchase_order o ON o.store_id = {store} AND o.po_id = n.po_id
            WHERE o.state <> e.state_after OR o.revision <> e.revision",
    },
    Check {
        invariant: 8,
        title: "an order has events",
        sql: "
            WITH kept AS (SELECT min(event_number) AS first FROM event WHERE store_id = {store})
            SELECT o.number || ' has no event' AS detail
            FROM purchase_order o CROSS JOIN kept k
            WHERE o.store_id = {store} AND COALESCE(k.first, 1) = 1 AND NOT EXISTS (
                SELECT 1 FROM event e WHERE e.store_id = o.store_id AND e.po_id = o.po_id)",
    },
    Check {
        invariant: 8,
        title: "an order's event is of an order",
        sql: "
            SELECT 'event ' || e.event_number || ' happened to ' || COALESCE(e.po_id, 'nothing') || ', which is no order'
                AS detail
            FROM event e LEFT JOIN purchase_order o ON o.store_id = e.store_id AND o.po_id = e.po_id
            WHERE e.store_id = {store} AND o.number IS NULL
              AND (e.po_id IS NOT NULL OR e.event_type IN ('ORDER_CREATED', 'BACK_ORDER_CREATED', 'ORDER_UPDATED', 'ORDER_PLACED',
                'RECEIPT_BOOKED', 'RECEIPT_VOIDED', 'ORDER_COMPLETED', 'ORDER_CANCELLED'))",
    },
    Check {
        invariant: 8,
        title: "each event leads from one state of its order to another as its type says",
        sql: "
            WITH step(event_type, before, after) AS (VALUES
                ('ORDER_CREATED', '', 'DRAFT'), ('BACK_ORDER_CREATED', '', 'ON_ORDER'),
                ('ORDER_UPDATED', 'DRAFT', 'DRAFT'), ('ORDER_UPDATED', 'ON_ORDER', 'ON_ORDER'),
                ('ORDER_UPDATED', 'RECEIVING', 'RECEIVING'), ('ORDER_PLACED', 'DRAFT', 'ON_ORDER'),
                ('RECEIPT_BOOKED', 'ON_ORDER', 'RECEIVING'), ('RECEIPT_BOOKED', 'RECEIVING', 'RECEIVING'),
                ('RECEIPT_VOIDED', 'RECEIVING', 'RECEIVING'), ('RECEIPT_VOIDED', 'RECEIVING', 'ON_ORDER'),
                ('ORDER_COMPLETED', 'RECEIVING', 'COMPLETED'),
                ('ORDER_CANCELLED', 'DRAFT', 'CANCELLED'), ('ORDER_CANCELLED', 'ON_ORDER', 'CANCELLED'),
                ('ORDER_CANCELLED', 'RECEIVING', 'CANCELLED')),
            told AS (
                SELECT po_id, event_number, event_type, revision, state_after,
                    COALESCE(lag(state_after) OVER (PARTITION BY po_id ORDER BY event_number), '') AS before
                FROM event WHERE store_id = {store} AND po_id IS NOT NULL)
            SELECT 'event ' || t.event_number || ', ' || t.event_type || ', led ' || COALESCE(o.number, t.po_id)
                || ' from ' || CASE WHEN t.before = '' THEN 'nothing' ELSE t.before END || ' to ' || t.state_after
                AS detail
            FROM told t
            LEFT JOIN step s ON s.event_type = t.event_type AND s.before = t.before AND s.after = t.state_after
            LEFT JOIN purchase_order o ON o.store_id = {store} AND o.po_id = t.po_id
            WHERE s.after IS NULL AND (t.before <> '' OR t.revision = 1)",
    },
    Check {
        invariant: 8,
        title: "a back order begins as one, right after the completion that made it",
        sql: "
            WITH kept AS (SELECT min(event_number) AS first FROM event WHERE store_id = {store})
            SELECT o.number || ' began with event ' || e.event_number || ', ' || e.event_type || ', which does not follow'
                || ' the completion of another order' AS detail
            FROM event e CROSS JOIN kept k
            JOIN purchase_order o ON o.store_id = e.store_id AND o.po_id = e.po_id
            LEFT JOIN event p ON p.store_id = e.store_id AND p.event_number = e.event_number - 1
                AND p.event_type = 'ORDER_COMPLETED' AND p.po_id = o.parent_id AND p.event_time = e.event_time
                AND p.actor = e.actor
            WHERE e.store_id = {store} AND e.revision = 1 AND (
                (o.parent_id IS NULL AND e.event_type <> 'ORDER_CREATED')
                OR (o.parent_id IS NOT NULL AND e.event_type <> 'BACK_ORDER_CREATED')
                OR (o.parent_id IS NOT NULL AND p.po_id IS NULL AND e.event_number > k.first))",
    },
    Check {
        invariant: 8,
        title: "an order has as many receipts booked and voided as events that tell of it",
        sql: "
            WITH kept AS (SELECT min(event_number) AS first FROM event WHERE store_id = {store}),
            told AS (
                SELECT po_id, sum(CASE WHEN event_type = 'RECEIPT_BOOKED' THEN 1 ELSE 0 END) AS booked,
                    sum(CASE WHEN event_type = 'RECEIPT_VOIDED' THEN 1 ELSE 0 END) AS voided
                FROM event WHERE store_id = {store} AND po_id IS NOT NULL GROUP BY po_id),
            there AS (
                SELECT po_id, count(*) AS booked, count(void_time) AS voided FROM receipt
                WHERE store_id = {store} GROUP BY po_id)
            SELECT o.number || ' has ' || COALESCE(r.booked, 0) || ' receipts, ' || COALESCE(r.voided, 0)
                || ' of them voided, but its events tell of ' || COALESCE(t.booked, 0) || ' and ' || COALESCE(t.voided, 0)
                AS detail
            FROM purchase_order o CROSS JOIN kept k
            LEFT JOIN told t ON t.po_id = o.po_id
            LEFT JOIN there r ON r.po_id = o.po_id
            WHERE o.store_id = {store} AND COALESCE(k.first, 1) = 1
              AND (COALESCE(t.booked, 0) <> COALESCE(r.booked, 0) OR COALESCE(t.voided, 0) <> COALESCE(r.voided, 0))",
    },
    Check {
        invariant: 9,
        title: "event numbers are consecutive from the first kept",
        sql: "
            WITH told AS (
                SELECT event_number, lag(event_number) OVER (ORDER BY event_number) AS before
                FROM event WHERE store_id = {store})
            SELECT 'event ' || event_number || ' follows event ' || before AS detail
            FROM told WHERE event_number <> before + 1",
    },
    Check {
        invariant: 9,
        title: "the store knows its last event and when that was",
        sql: "
            WITH ends AS (SELECT max(event_number) AS event_number FROM event WHERE store_id = {store})
            SELECT 'the store''s last event is number ' || s.last_event || ' at {t:' || s.last_event_time
                || '}, but there is ' || COALESCE('number ' || e.event_number || ' at {t:' || e.event_time || '}', 'none')
                AS detail
            FROM store s CROSS JOIN ends n
            LEFT JOIN event e ON e.store_id = s.store_id AND e.event_number = n.event_number
            WHERE s.store_id = {store} AND (e.event_number IS DISTINCT FROM s.last_event
                OR e.event_time IS DISTINCT FROM s.last_event_time)",
    },
    Check {
        invariant: 9,
        title: "a store begins with its creation, and is created once",
        sql: "
            SELECT 'event ' || e.event_number || ' at {t:' || e.event_time || '} is ' || e.event_type
                || ', and the store was created at {t:' || s.create_time || '}' AS detail
            FROM event e JOIN store s USING (store_id)
            WHERE e.store_id = {store} AND (e.event_number = 1 OR e.event_type = 'STORE_CREATED')
              AND (e.event_number <> 1 OR e.event_type <> 'STORE_CREATED' OR e.event_time <> s.create_time)",
    },
    Check {
        invariant: 11,
        title: "no order was open when back orders were turned on",
        sql: "
            WITH enabled AS (
                SELECT event_number FROM event WHERE store_id = {store} AND event_type = 'BACK_ORDERS_ENABLED'),
            span AS (
                SELECT po_id, min(CASE WHEN revision = 1 THEN event_number END) AS first,
                    max(CASE WHEN state_after IN ('COMPLETED', 'CANCELLED') THEN event_number END) AS last
                FROM event WHERE store_id = {store} AND po_id IS NOT NULL GROUP BY po_id)
            SELECT o.number || ' was open at event ' || e.event_number || ', when back orders were turned on' AS detail
            FROM enabled e CROSS JOIN span s
            JOIN purchase_order o ON o.store_id = {store} AND o.po_id = s.po_id
            WHERE COALESCE(s.first, 0) < e.event_number
              AND (s.last > e.event_number OR (s.last IS NULL AND o.state NOT IN ('COMPLETED', 'CANCELLED')))",
    },
    Check {
        invariant: 11,
        title: "the store's feature is as its events left it, turned on and off by turns",
        sql: "
            WITH turned AS (
                SELECT event_number, event_type, lag(event_type) OVER (ORDER BY event_number) AS before,
                    lead(event_type) OVER (ORDER BY event_number) AS after
                FROM event
                WHERE store_id = {store} AND event_type IN ('BACK_ORDERS_ENABLED', 'BACK_ORDERS_DISABLED')),
            kept AS (SELECT min(event_number) AS first FROM event WHERE store_id = {store})
            SELECT 'event ' || event_number || ', ' || event_type || ', follows ' || COALESCE(before, 'none of its kind')
                AS detail
            FROM turned CROSS JOIN kept
            WHERE event_type = before
               OR (before IS NULL AND kept.first = 1 AND event_type <> 'BACK_ORDERS_ENABLED')
            UNION ALL
            SELECT 'the store has back orders turned ' || CASE WHEN s.back_orders_enabled THEN 'on' ELSE 'off' END
                || ', but the last event about it is ' || COALESCE(t.event_type, 'missing')
            FROM store s CROSS JOIN kept LEFT JOIN turned t ON t.after IS NULL
            WHERE s.store_id = {store} AND (
                (t.event_type IS NOT NULL AND s.back_orders_enabled <> (t.event_type = 'BACK_ORDERS_ENABLED'))
                OR (t.event_type IS NULL AND s.back_orders_enabled AND kept.first = 1))",
    },
    Check {
        invariant: 11,
        title: "a back order was made only while back orders were turned on",
        sql: "
            WITH told AS (
                SELECT event_number, event_type,
                    max(CASE WHEN event_type = 'BACK_ORDERS_ENABLED' THEN event_number END)
                        OVER (ORDER BY event_number) AS turned_on,
                    max(CASE WHEN event_type = 'BACK_ORDERS_DISABLED' THEN event_number END)
                        OVER (ORDER BY event_number) AS turned_off
                FROM event
                WHERE store_id = {store}
                  AND event_type IN ('BACK_ORDERS_ENABLED', 'BACK_ORDERS_DISABLED', 'BACK_ORDER_CREATED')),
            kept AS (SELECT min(event_number) AS first FROM event WHERE store_id = {store})
            SELECT 'event ' || t.event_number || ' made a back order while back orders were turned off' AS detail
            FROM told t CROSS JOIN kept k
            WHERE t.event_type = 'BACK_ORDER_CREATED' AND (t.turned_off > COALESCE(t.turned_on, 0)
                OR (t.turned_on IS NULL AND t.turned_off IS NULL AND k.first = 1))",
    },
];

//! Invariants 8, 9 and 11 as far as events can show them: an order's revisions and states (8), the numbering of events
//! (9), and that back orders were made only while they were turned on (11).
//!
//! Events may be pruned from the oldest on, so each check asks only what the retained events can answer. The CTE
//! `retained` is the number of the oldest event of the store that is still there; if that is 1, all are.

use super::check::Check;

/// The checks of a store's events by themselves and against its orders.
pub(super) const CHECKS: &[Check] = &[
    Check {
        invariant: 8,
        title: "an order's revisions are consecutive",
        // `consecutive`: each event of an order with the revision of that order's event before, NULL for its first
        // retained one, which is revision 1 only if nothing was pruned.
        sql: "
            WITH consecutive AS (
                SELECT po_id, event_number, revision,
                    lag(revision) OVER (PARTITION BY po_id ORDER BY event_number) AS before
                FROM event WHERE store_id = {store} AND po_id IS NOT NULL),
            retained AS (SELECT min(event_number) AS first FROM event WHERE store_id = {store})
            SELECT 'event ' || t.event_number || ' is revision ' || t.revision || ' of ' || COALESCE(o.number, t.po_id)
                || ', after ' || COALESCE('revision ' || t.before, 'none') AS detail
            FROM consecutive t CROSS JOIN retained k
            LEFT JOIN purchase_order o ON o.store_id = {store} AND o.po_id = t.po_id
            WHERE t.revision <> t.before + 1 OR (t.before IS NULL AND k.first = 1 AND t.revision <> 1)",
    },
    Check {
        invariant: 8,
        title: "an order is as its last event left it",
        // `latest`: the number of each order's last event.
        sql: "
            WITH latest AS (
                SELECT po_id, max(event_number) AS event_number FROM event
                WHERE store_id = {store} AND po_id IS NOT NULL GROUP BY po_id)
            SELECT o.number || ' is ' || o.state || ' at revision ' || o.revision || ', but event ' || e.event_number
                || ' left it ' || e.state_after || ' at revision ' || e.revision AS detail
            FROM latest n
            JOIN event e ON e.store_id = {store} AND e.event_number = n.event_number
            JOIN purchase_order o ON o.store_id = {store} AND o.po_id = n.po_id
            WHERE o.state <> e.state_after OR o.revision <> e.revision",
    },
    Check {
        invariant: 8,
        title: "an order's numbers are as its last event left them",
        // `latest`: the last event of each order, with the end of the JSON that the order's columns would make now.
        sql: "
            WITH latest AS (
                SELECT o.number, e.event_number, e.order_after,
                    ',\"lines\":' || o.line_count || ',\"pending_lines\":' || o.pending_lines
                    || ',\"active_receipts\":' || o.active_receipts
                    || ',\"ordered\":' || o.ordered || ',\"received\":' || o.received || ',\"rejected\":' || o.rejected
                    || ',\"back_ordered\":' || o.back_ordered || ',\"cancelled\":' || o.cancelled
                    || ',\"pending\":' || o.pending || ',\"excess\":' || o.excess
                    || ',\"ordered_cost\":' || o.ordered_cost || ',\"pending_cost\":' || o.pending_cost
                    || ',\"received_cost\":' || o.received_cost || '}' AS numbers
                FROM (SELECT po_id, max(event_number) AS event_number FROM event
                    WHERE store_id = {store} AND po_id IS NOT NULL GROUP BY po_id) AS n
                JOIN event e ON e.store_id = {store} AND e.event_number = n.event_number
                JOIN purchase_order o ON o.store_id = {store} AND o.po_id = n.po_id)
            SELECT number || ' has the numbers ' || numbers || ', but event ' || event_number || ' left it with '
                || order_after AS detail
            FROM latest
            WHERE substr(order_after, length(order_after) - length(numbers) + 1) <> numbers",
    },
    Check {
        invariant: 8,
        title: "an order has events",
        sql: "
            WITH retained AS (SELECT min(event_number) AS first FROM event WHERE store_id = {store})
            SELECT o.number || ' has no event' AS detail
            FROM purchase_order o CROSS JOIN retained k
            WHERE o.store_id = {store} AND COALESCE(k.first, 1) = 1 AND NOT EXISTS (
                SELECT 1 FROM event e WHERE e.store_id = o.store_id AND e.po_id = o.po_id)",
    },
    Check {
        invariant: 8,
        title: "an order's event is of an order",
        sql: "
            SELECT 'event ' || e.event_number || ' happened to ' || COALESCE(e.po_id, 'nothing') || ', which is not an order'
                AS detail
            FROM event e LEFT JOIN purchase_order o ON o.store_id = e.store_id AND o.po_id = e.po_id
            WHERE e.store_id = {store} AND o.number IS NULL
              AND (e.po_id IS NOT NULL OR e.event_type IN ('ORDER_CREATED', 'BACK_ORDER_CREATED', 'ORDER_UPDATED', 'ORDER_PLACED',
                'RECEIPT_BOOKED', 'RECEIPT_VOIDED', 'RECEIPT_CORRECTED', 'LINES_CANCELLED', 'ORDER_AMENDED', 'ORDER_CONFIRMED', 'ORDER_COMPLETED', 'ORDER_CANCELLED',
                'ORDER_REOPENED', 'BACK_ORDER_FOLDED'))",
    },
    Check {
        invariant: 8,
        title: "each event leads from one state of its order to another as its type says",
        // `allowed`: the states from and to which each type of event leads; '' is before an order's creation.
        // `transition`: each event of an order with the state in which the event before left it. It is '' for the
        // first retained one, which proves nothing unless it is the order's first.
        sql: "
            WITH allowed(event_type, before, after) AS (VALUES
                ('ORDER_CREATED', '', 'DRAFT'), ('BACK_ORDER_CREATED', '', 'ON_ORDER'),
                ('ORDER_UPDATED', 'DRAFT', 'DRAFT'), ('ORDER_UPDATED', 'ON_ORDER', 'ON_ORDER'),
                ('ORDER_UPDATED', 'RECEIVING', 'RECEIVING'), ('ORDER_UPDATED', 'COMPLETED', 'COMPLETED'),
                ('ORDER_UPDATED', 'CANCELLED', 'CANCELLED'), ('ORDER_PLACED', 'DRAFT', 'ON_ORDER'),
                ('RECEIPT_BOOKED', 'ON_ORDER', 'RECEIVING'), ('RECEIPT_BOOKED', 'RECEIVING', 'RECEIVING'),
                ('RECEIPT_CORRECTED', 'RECEIVING', 'RECEIVING'), ('RECEIPT_VOIDED', 'RECEIVING', 'RECEIVING'), ('RECEIPT_VOIDED', 'RECEIVING', 'ON_ORDER'),
                ('LINES_CANCELLED', 'ON_ORDER', 'ON_ORDER'), ('LINES_CANCELLED', 'RECEIVING', 'RECEIVING'),
                ('ORDER_AMENDED', 'DRAFT', 'DRAFT'), ('ORDER_AMENDED', 'ON_ORDER', 'ON_ORDER'),
                ('ORDER_AMENDED', 'RECEIVING', 'RECEIVING'), ('ORDER_CONFIRMED', 'ON_ORDER', 'ON_ORDER'),
                ('ORDER_CONFIRMED', 'RECEIVING', 'RECEIVING'),
                ('ORDER_COMPLETED', 'RECEIVING', 'COMPLETED'), ('STOCK_ADJUSTED', 'COMPLETED', 'COMPLETED'),
                ('ORDER_CANCELLED', 'DRAFT', 'CANCELLED'), ('ORDER_CANCELLED', 'ON_ORDER', 'CANCELLED'),
                ('ORDER_CANCELLED', 'RECEIVING', 'CANCELLED'),
                ('ORDER_REOPENED', 'COMPLETED', 'RECEIVING'), ('BACK_ORDER_FOLDED', 'ON_ORDER', 'CANCELLED')),
            transition AS (
                SELECT po_id, event_number, event_type, revision, state_after,
                    COALESCE(lag(state_after) OVER (PARTITION BY po_id ORDER BY event_number), '') AS before
                FROM event WHERE store_id = {store} AND po_id IS NOT NULL)
            SELECT 'event ' || t.event_number || ', ' || t.event_type || ', led ' || COALESCE(o.number, t.po_id)
                || ' from ' || CASE WHEN t.before = '' THEN 'nothing' ELSE t.before END || ' to ' || t.state_after
                AS detail
            FROM transition t
            LEFT JOIN allowed s ON s.event_type = t.event_type AND s.before = t.before AND s.after = t.state_after
            LEFT JOIN purchase_order o ON o.store_id = {store} AND o.po_id = t.po_id
            WHERE s.after IS NULL AND (t.before <> '' OR t.revision = 1)",
    },
    Check {
        invariant: 8,
        title: "a back order begins as one, right after the completion that made it",
        sql: "
            WITH retained AS (SELECT min(event_number) AS first FROM event WHERE store_id = {store})
            SELECT o.number || ' began with event ' || e.event_number || ', ' || e.event_type || ', which does not follow'
                || ' the completion of another order' AS detail
            FROM event e CROSS JOIN retained k
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
        title: "a back order is folded back right after its order was reopened, and only then",
        // Both directions: from the event to the order and to the event in front of it, and from an order that was folded
        // back to its last event.
        sql: "
            SELECT 'event ' || e.event_number || ' folded ' || o.number || ' back, which '
                || CASE WHEN o.folded_back THEN 'does not follow the reopening of its order'
                    ELSE 'is not folded back' END AS detail
            FROM event e JOIN purchase_order o USING (store_id, po_id)
            LEFT JOIN event p ON p.store_id = e.store_id AND p.event_number = e.event_number - 1
                AND p.event_type = 'ORDER_REOPENED' AND p.po_id = o.parent_id AND p.event_time = e.event_time
                AND p.actor = e.actor
            CROSS JOIN (SELECT min(event_number) AS first FROM event WHERE store_id = {store}) AS k
            WHERE e.store_id = {store} AND e.event_type = 'BACK_ORDER_FOLDED'
              AND (NOT o.folded_back OR (p.po_id IS NULL AND e.event_number > k.first))
            UNION ALL
            SELECT o.number || ' is folded back, but no event has folded it'
            FROM purchase_order o
            CROSS JOIN (SELECT min(event_number) AS first FROM event WHERE store_id = {store}) AS k
            WHERE o.store_id = {store} AND o.folded_back AND COALESCE(k.first, 1) = 1 AND NOT EXISTS (
                SELECT 1 FROM event e WHERE e.store_id = o.store_id AND e.po_id = o.po_id
                    AND e.event_type = 'BACK_ORDER_FOLDED')",
    },
    Check {
        invariant: 8,
        title: "an order has as many receipts booked and voided as its events say",
        // `reported`: receipts booked and voided, by an order's events. `stored`: the same by its receipts. They are
        // comparable only if no event was pruned. A correction books one and voids another.
        sql: "
            WITH retained AS (SELECT min(event_number) AS first FROM event WHERE store_id = {store}),
            reported AS (
                SELECT po_id,
                    sum(CASE WHEN event_type IN ('RECEIPT_BOOKED', 'RECEIPT_CORRECTED') THEN 1 ELSE 0 END) AS booked,
                    sum(CASE WHEN event_type IN ('RECEIPT_VOIDED', 'RECEIPT_CORRECTED') THEN 1 ELSE 0 END) AS voided
                FROM event WHERE store_id = {store} AND po_id IS NOT NULL GROUP BY po_id),
            stored AS (
                SELECT po_id, count(*) AS booked, count(void_time) AS voided FROM receipt
                WHERE store_id = {store} GROUP BY po_id)
            SELECT o.number || ' has ' || COALESCE(r.booked, 0) || ' receipts, ' || COALESCE(r.voided, 0)
                || ' of them voided, but its events say ' || COALESCE(t.booked, 0) || ' and ' || COALESCE(t.voided, 0)
                AS detail
            FROM purchase_order o CROSS JOIN retained k
            LEFT JOIN reported t ON t.po_id = o.po_id
            LEFT JOIN stored r ON r.po_id = o.po_id
            WHERE o.store_id = {store} AND COALESCE(k.first, 1) = 1
              AND (COALESCE(t.booked, 0) <> COALESCE(r.booked, 0) OR COALESCE(t.voided, 0) <> COALESCE(r.voided, 0))",
    },
    Check {
        invariant: 8,
        title: "an order's terms have changed if an event amended or confirmed it once it was placed, and only then",
        // Events before the first that is kept prove nothing: an order whose creation is not kept may have been
        // amended before it. The terms of a draft are not agreed yet.
        sql: "
            WITH retained AS (SELECT min(event_number) AS first FROM event WHERE store_id = {store})
            SELECT o.number || CASE WHEN o.terms_changed THEN ' has changed terms, and no event changed them'
                ELSE ' has the terms of its placing, but an event changed them' END AS detail
            FROM purchase_order o CROSS JOIN retained k
            WHERE o.store_id = {store} AND o.create_event >= k.first AND o.terms_changed <> EXISTS (
                SELECT 1 FROM event e WHERE e.store_id = {store} AND e.po_id = o.po_id
                    AND e.event_type IN ('ORDER_AMENDED', 'ORDER_CONFIRMED') AND e.state_after <> 'DRAFT')",
    },
    Check {
        invariant: 9,
        title: "event numbers are consecutive from the oldest one retained",
        sql: "
            WITH consecutive AS (
                SELECT event_number, lag(event_number) OVER (ORDER BY event_number) AS before
                FROM event WHERE store_id = {store})
            SELECT 'event ' || event_number || ' follows event ' || before AS detail
            FROM consecutive WHERE event_number <> before + 1",
    },
    Check {
        invariant: 9,
        title: "events are kept from the first one on that the store row names",
        sql: "
            WITH retained AS (SELECT min(event_number) AS first FROM event WHERE store_id = {store})
            SELECT 'the store''s first event is number ' || s.first_event || ', but there is '
                || COALESCE('number ' || k.first, 'none') AS detail
            FROM store s CROSS JOIN retained k
            WHERE s.store_id = {store} AND k.first IS DISTINCT FROM s.first_event",
    },
    Check {
        invariant: 9,
        title: "the store row has the number and time of its last event",
        sql: "
            WITH latest AS (SELECT max(event_number) AS event_number FROM event WHERE store_id = {store})
            SELECT 'the store''s last event is number ' || s.last_event || ' at {t:' || s.last_event_time
                || '}, but there is ' || COALESCE('number ' || e.event_number || ' at {t:' || e.event_time || '}', 'none')
                AS detail
            FROM store s CROSS JOIN latest n
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
        // `enabled`: the events that turned back orders on. `turning`: the events that opened an order, by creating or
        // reopening it, and those that closed it, each with its neighbours. `span`: from which event to which an order was
        // open. A closing without an opening in front of it is of an order whose creation was pruned, and so is an order
        // that is open without either.
        sql: "
            WITH enabled AS (
                SELECT event_number FROM event WHERE store_id = {store} AND event_type = 'BACK_ORDERS_ENABLED'),
            relevant AS (
                SELECT po_id, event_number,
                    CASE WHEN revision = 1 OR event_type = 'ORDER_REOPENED' THEN 1 ELSE 0 END AS opens
                FROM event WHERE store_id = {store} AND po_id IS NOT NULL AND (revision = 1
                    OR event_type IN ('ORDER_REOPENED', 'ORDER_COMPLETED', 'ORDER_CANCELLED', 'BACK_ORDER_FOLDED'))),
            turning AS (
                SELECT po_id, event_number, opens, lag(event_number) OVER (PARTITION BY po_id ORDER BY event_number) AS before,
                    lead(event_number) OVER (PARTITION BY po_id ORDER BY event_number) AS after
                FROM relevant),
            span AS (
                SELECT po_id, event_number AS first, after AS last FROM turning WHERE opens = 1
                UNION ALL SELECT po_id, 0, event_number FROM turning WHERE opens = 0 AND before IS NULL
                UNION ALL SELECT o.po_id, 0, NULL FROM purchase_order o
                LEFT JOIN (SELECT DISTINCT po_id FROM relevant) AS known ON known.po_id = o.po_id
                WHERE o.store_id = {store} AND known.po_id IS NULL)
            SELECT o.number || ' was open at event ' || e.event_number || ', when back orders were turned on' AS detail
            FROM enabled e CROSS JOIN span s
            JOIN purchase_order o ON o.store_id = {store} AND o.po_id = s.po_id
            WHERE s.first < e.event_number
              AND (s.last > e.event_number OR (s.last IS NULL AND o.state NOT IN ('COMPLETED', 'CANCELLED')))",
    },
    Check {
        invariant: 11,
        title: "back orders are on or off as the store's last event about them says, and their events alternate",
        // `turned`: the events that turned back orders on or off, each with its neighbours of the same kind. The one
        // without an event after it is the last. A new store has back orders turned off.
        sql: "
            WITH turned AS (
                SELECT event_number, event_type, lag(event_type) OVER (ORDER BY event_number) AS before,
                    lead(event_type) OVER (ORDER BY event_number) AS after
                FROM event
                WHERE store_id = {store} AND event_type IN ('BACK_ORDERS_ENABLED', 'BACK_ORDERS_DISABLED')),
            retained AS (SELECT min(event_number) AS first FROM event WHERE store_id = {store})
            SELECT 'event ' || event_number || ', ' || event_type || ', follows ' || COALESCE(before, 'none of its kind')
                AS detail
            FROM turned CROSS JOIN retained
            WHERE event_type = before
               OR (before IS NULL AND retained.first = 1 AND event_type <> 'BACK_ORDERS_ENABLED')
            UNION ALL
            SELECT 'the store has back orders turned ' || CASE WHEN s.back_orders_enabled THEN 'on' ELSE 'off' END
                || ', but the last event about it is ' || COALESCE(t.event_type, 'missing')
            FROM store s CROSS JOIN retained LEFT JOIN turned t ON t.after IS NULL
            WHERE s.store_id = {store} AND (
                (t.event_type IS NOT NULL AND s.back_orders_enabled <> (t.event_type = 'BACK_ORDERS_ENABLED'))
                OR (t.event_type IS NULL AND s.back_orders_enabled AND retained.first = 1))",
    },
    Check {
        invariant: 11,
        title: "a back order was made only while back orders were turned on",
        // `history`: each creation of a back order with the numbers of the last events before it that turned back
        // orders on and off. The greater of the two was in force.
        sql: "
            WITH history AS (
                SELECT event_number, event_type,
                    max(CASE WHEN event_type = 'BACK_ORDERS_ENABLED' THEN event_number END)
                        OVER (ORDER BY event_number) AS turned_on,
                    max(CASE WHEN event_type = 'BACK_ORDERS_DISABLED' THEN event_number END)
                        OVER (ORDER BY event_number) AS turned_off
                FROM event
                WHERE store_id = {store}
                  AND event_type IN ('BACK_ORDERS_ENABLED', 'BACK_ORDERS_DISABLED', 'BACK_ORDER_CREATED')),
            retained AS (SELECT min(event_number) AS first FROM event WHERE store_id = {store})
            SELECT 'event ' || t.event_number || ' made a back order while back orders were turned off' AS detail
            FROM history t CROSS JOIN retained k
            WHERE t.event_type = 'BACK_ORDER_CREATED' AND (t.turned_off > COALESCE(t.turned_on, 0)
                OR (t.turned_on IS NULL AND t.turned_off IS NULL AND k.first = 1))",
    },
];

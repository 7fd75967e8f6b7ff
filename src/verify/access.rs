//! Invariant 12: the actor of each event held the permission at that moment.
//!
//! A role is held, and allows something, from one event to another. What an event gives counts after
//! it, and what it takes away was still there: the event itself was judged by what came before.

use super::check::Check;

/// What each type of event took, and whether a platform operator may do it without a role, must be
/// one, or may not. A literal by a macro, because only literals can be put together in a constant.
macro_rules! needed {
    () => {
        "WITH needed(event_type, permission, by_operator) AS (VALUES
            ('STORE_CREATED', '', 'ONLY'), ('STORE_UPDATED', 'MANAGE_STORE', 'ALSO'),
            ('BACK_ORDERS_ENABLED', '', 'ONLY'), ('BACK_ORDERS_DISABLED', '', 'ONLY'),
            ('ROLE_CREATED', 'MANAGE_ACCESS', 'ALSO'), ('ROLE_GRANTED', 'MANAGE_ACCESS', 'ALSO'),
            ('ROLE_REVOKED', 'MANAGE_ACCESS', 'ALSO'),
            ('ROLE_UPDATED', 'MANAGE_ACCESS', 'ALSO'), ('ROLE_DELETED', 'MANAGE_ACCESS', 'ALSO'),
            ('ORDER_CREATED', 'EDIT', 'NEVER'), ('ORDER_UPDATED', 'EDIT', 'NEVER'), ('ORDER_PLACED', 'PLACE', 'NEVER'),
            ('RECEIPT_BOOKED', 'RECEIVE', 'NEVER'), ('RECEIPT_VOIDED', 'RECEIVE', 'NEVER'),
            ('ORDER_COMPLETED', 'COMPLETE_PURCHASE_ORDERS', 'NEVER'),
            ('BACK_ORDER_CREATED', 'COMPLETE_PURCHASE_ORDERS', 'NEVER'),
            ('ORDER_CANCELLED', 'CANCEL', 'NEVER')) "
    };
}

/// Whether the actor of the event `e` held a permission by the grants and roles of that moment.
macro_rules! actor_held {
    ($permission:literal) => {
        concat!(
            "EXISTS (
                SELECT 1 FROM role_grant g
                JOIN role_permission h ON h.store_id = g.store_id AND h.role_id = g.role_id
                WHERE g.store_id = e.store_id AND g.principal = e.actor AND h.permission = ",
            $permission,
            "     AND g.from_event < e.event_number AND (g.to_event IS NULL OR g.to_event >= e.event_number)
                  AND h.from_event < e.event_number AND (h.to_event IS NULL OR h.to_event >= e.event_number))"
        )
    };
}

/// Grants and permissions alike: what is held, from when to when. See [`needed`] for why a macro.
macro_rules! tenures {
    () => {
        "WITH validity AS (
            SELECT 'the role ' || role_id || ' of ' || principal AS held, 'GRANT' AS kind, from_event, to_event
            FROM role_grant WHERE store_id = {store}
            UNION ALL
            SELECT 'the permission ' || permission || ' of the role ' || role_id, 'PERMISSION', from_event, to_event
            FROM role_permission WHERE store_id = {store}) "
    };
}

/// See the module.
pub(super) const CHECKS: &[Check] = &[
    Check {
        invariant: 12,
        title: "an event is of a known type",
        sql: concat!(
            needed!(),
            "SELECT 'event ' || e.event_number || ' by ' || e.actor || ' is of the unknown type ' || e.event_type AS detail
            FROM event e LEFT JOIN needed n ON n.event_type = e.event_type
            WHERE e.store_id = {store} AND n.by_operator IS NULL"
        ),
    },
    Check {
        invariant: 12,
        title: "what only a platform operator may do was done by one, and orders never were",
        sql: concat!(
            needed!(),
            "SELECT 'event ' || e.event_number || ', ' || e.event_type || ' by ' || e.actor || ', was '
                || CASE WHEN e.as_operator THEN '' ELSE 'not ' END || 'done as platform operator' AS detail
            FROM event e JOIN needed n ON n.event_type = e.event_type
            WHERE e.store_id = {store} AND ((n.by_operator = 'ONLY' AND NOT e.as_operator)
                OR (n.by_operator = 'NEVER' AND e.as_operator))"
        ),
    },
    Check {
        invariant: 12,
        title: "at each event its actor held the permission",
        sql: concat!(
            needed!(),
            "SELECT 'event ' || e.event_number || ', ' || e.event_type || ', was by ' || e.actor
                || ', who did not hold ' || n.permission || ' then' AS detail
            FROM event e JOIN needed n ON n.event_type = e.event_type
            WHERE e.store_id = {store} AND n.by_operator <> 'ONLY' AND NOT e.as_operator AND NOT ",
            actor_held!("n.permission")
        ),
    },
    Check {
        invariant: 12,
        title: "nobody granted what they did not hold",
        sql: concat!(
            "SELECT 'event ' || e.event_number || ': ' || e.actor || ' granted ' || t.role_id || ' to ' || t.principal
                || ' without holding ' || p.permission AS detail
            FROM role_grant t
            JOIN event e ON e.store_id = t.store_id AND e.event_number = t.from_event
            JOIN role_permission p ON p.store_id = t.store_id AND p.role_id = t.role_id
                AND p.from_event < e.event_number AND (p.to_event IS NULL OR p.to_event >= e.event_number)
            WHERE t.store_id = {store} AND e.event_type = 'ROLE_GRANTED' AND NOT e.as_operator AND NOT ",
            actor_held!("p.permission")
        ),
    },
    Check {
        invariant: 12,
        title: "nobody let a role allow what they did not hold",
        sql: concat!(
            "SELECT 'event ' || e.event_number || ': ' || e.actor || ' let ' || p.role_id || ' allow ' || p.permission
                || ' without holding it' AS detail
            FROM role_permission p
            JOIN event e ON e.store_id = p.store_id AND e.event_number = p.from_event
            WHERE p.store_id = {store} AND e.event_type = 'ROLE_UPDATED' AND NOT e.as_operator AND NOT ",
            actor_held!("p.permission")
        ),
    },
    Check {
        invariant: 12,
        title: "a role that somebody holds allows something, from first to last",
        sql: "
            WITH edge AS (
                SELECT role_id, from_event AS event_number FROM role_permission WHERE store_id = {store}
                UNION SELECT role_id, to_event FROM role_permission WHERE store_id = {store} AND to_event IS NOT NULL
                UNION SELECT role_id, from_event FROM role_grant WHERE store_id = {store})
            SELECT 'from event ' || d.event_number || ' on, ' || g.principal || ' holds ' || g.role_id
                || ', which is no role' AS detail
            FROM edge d JOIN role_grant g ON g.store_id = {store} AND g.role_id = d.role_id
                AND g.from_event <= d.event_number AND (g.to_event IS NULL OR g.to_event > d.event_number)
            WHERE NOT EXISTS (
                SELECT 1 FROM role_permission p
                WHERE p.store_id = g.store_id AND p.role_id = g.role_id
                  AND p.from_event <= d.event_number AND (p.to_event IS NULL OR p.to_event > d.event_number))",
    },
    Check {
        invariant: 12,
        title: "a validity period begins and ends with events that there are",
        sql: concat!(
            tenures!(),
            "SELECT t.held || ' lasts from event ' || t.from_event || ' to ' || COALESCE('event ' || t.to_event, 'now')
                || ', but the last event is number ' || s.last_event AS detail
            FROM validity t JOIN store s ON s.store_id = {store}
            WHERE t.from_event NOT BETWEEN 1 AND s.last_event OR t.to_event > s.last_event
               OR t.to_event <= t.from_event"
        ),
    },
    Check {
        invariant: 12,
        title: "nobody holds the same twice at once",
        sql: concat!(
            tenures!(),
            ", following AS (
                SELECT held, from_event, to_event, lead(from_event) OVER (PARTITION BY held ORDER BY from_event) AS next
                FROM validity)
            SELECT held || ' lasts from event ' || from_event || ' to ' || COALESCE('event ' || to_event, 'now')
                || ', and begins again at event ' || next AS detail
            FROM following WHERE next < COALESCE(to_event, next + 1)"
        ),
    },
    Check {
        invariant: 12,
        title: "a validity period begins and ends with an event about it",
        sql: concat!(
            tenures!(),
            ", edge AS (
                SELECT held, kind || ' BEGINS' AS kind, from_event AS event_number FROM validity
                UNION ALL SELECT held, kind || ' ENDS', to_event FROM validity WHERE to_event IS NOT NULL),
            told(kind, event_type) AS (VALUES
                ('GRANT BEGINS', 'STORE_CREATED'), ('GRANT BEGINS', 'ROLE_GRANTED'), ('GRANT ENDS', 'ROLE_REVOKED'),
                ('PERMISSION BEGINS', 'STORE_CREATED'), ('PERMISSION BEGINS', 'ROLE_CREATED'),
                ('PERMISSION BEGINS', 'ROLE_UPDATED'), ('PERMISSION ENDS', 'ROLE_UPDATED'),
                ('PERMISSION ENDS', 'ROLE_DELETED')),
            kept AS (SELECT min(event_number) AS first FROM event WHERE store_id = {store})
            SELECT d.held || ': ' || d.kind || ' with event ' || d.event_number || ', which is '
                || COALESCE(e.event_type, 'not there') AS detail
            FROM edge d CROSS JOIN kept k
            LEFT JOIN event e ON e.store_id = {store} AND e.event_number = d.event_number
            LEFT JOIN told t ON t.kind = d.kind AND t.event_type = e.event_type
            WHERE t.kind IS NULL AND d.event_number >= k.first"
        ),
    },
    Check {
        invariant: 12,
        title: "an event that gives or takes a role has the row that tells so",
        sql: concat!(
            tenures!(),
            ", edge AS (
                SELECT kind || ' BEGINS' AS kind, from_event AS event_number FROM validity
                UNION SELECT kind || ' ENDS', to_event FROM validity WHERE to_event IS NOT NULL
                UNION SELECT kind || ' BEGINS OR ENDS', from_event FROM validity
                UNION SELECT kind || ' BEGINS OR ENDS', to_event FROM validity WHERE to_event IS NOT NULL),
            wanted(event_type, kind) AS (VALUES
                ('STORE_CREATED', 'GRANT BEGINS'), ('STORE_CREATED', 'PERMISSION BEGINS'),
                ('ROLE_CREATED', 'PERMISSION BEGINS'), ('ROLE_GRANTED', 'GRANT BEGINS'),
                ('ROLE_REVOKED', 'GRANT ENDS'), ('ROLE_UPDATED', 'PERMISSION BEGINS OR ENDS'),
                ('ROLE_DELETED', 'PERMISSION ENDS'))
            SELECT 'event ' || e.event_number || ' is ' || e.event_type || ', but there is no row that says ' || w.kind
                AS detail
            FROM event e JOIN wanted w ON w.event_type = e.event_type
            LEFT JOIN edge d ON d.event_number = e.event_number AND d.kind = w.kind
            WHERE e.store_id = {store} AND d.kind IS NULL"
        ),
    },
    Check {
        invariant: 12,
        title: "somebody holds MANAGE_ACCESS",
        sql: "
            SELECT 'nobody holds MANAGE_ACCESS' AS detail
            FROM store s
            WHERE s.store_id = {store} AND NOT EXISTS (
                SELECT 1 FROM role_grant g
                JOIN role_permission p ON p.store_id = g.store_id AND p.role_id = g.role_id
                WHERE g.store_id = s.store_id AND g.to_event IS NULL AND p.to_event IS NULL
                  AND p.permission = 'MANAGE_ACCESS')",
    },
];

//! Invariant 12: the actor of each event held the permission for it at that moment.
//!
//! Rows of grants and of roles' permissions have a validity period, `from_event` to `to_event`, and are never deleted.
//! So what anybody held at any event can still be computed. An event is judged by what was in force before it: a row
//! that begins with an event is not yet valid for that event, and one that ends with it still is. Hence `from_event <`
//! and `to_event >=` wherever an event is judged.
//!
//! The table of which event needs which permission is written here again, so that a wrong one in the domain is found.

use super::check::Check;

/// The permission that each type of event needs, and how a platform operator may do it: `ALSO` without a role, `ONLY`
/// they may do it, or `NEVER` without a role. It is a macro, because `concat!` takes literals only, not constants.
macro_rules! required_permissions {
    () => {
        "WITH required(event_type, permission, by_operator) AS (VALUES
            ('STORE_CREATED', '', 'ONLY'), ('STORE_UPDATED', 'MANAGE_STORE', 'ALSO'),
            ('BACK_ORDERS_ENABLED', '', 'ONLY'), ('BACK_ORDERS_DISABLED', '', 'ONLY'),
            ('ROLE_CREATED', 'MANAGE_ACCESS', 'ALSO'), ('ROLE_GRANTED', 'MANAGE_ACCESS', 'ALSO'),
            ('ROLE_REVOKED', 'MANAGE_ACCESS', 'ALSO'),
            ('ROLE_UPDATED', 'MANAGE_ACCESS', 'ALSO'), ('ROLE_DELETED', 'MANAGE_ACCESS', 'ALSO'),
            ('ORDER_CREATED', 'EDIT', 'NEVER'), ('ORDER_UPDATED', 'EDIT', 'NEVER'), ('ORDER_PLACED', 'PLACE', 'NEVER'),
            ('RECEIPT_BOOKED', 'RECEIVE', 'NEVER'), ('RECEIPT_VOIDED', 'RECEIVE', 'NEVER'),
            ('RECEIPT_CORRECTED', 'RECEIVE', 'NEVER'),
            ('ORDER_COMPLETED', 'COMPLETE_PURCHASE_ORDERS', 'NEVER'),
            ('BACK_ORDER_CREATED', 'COMPLETE_PURCHASE_ORDERS', 'NEVER'),
            ('ORDER_CANCELLED', 'CANCEL', 'NEVER'), ('LINES_CANCELLED', 'CANCEL', 'NEVER'),
            ('ORDER_AMENDED', 'EDIT', 'NEVER'), ('ORDER_CONFIRMED', 'EDIT', 'NEVER'),
            ('ORDER_REOPENED', 'REOPEN', 'NEVER'), ('BACK_ORDER_FOLDED', 'REOPEN', 'NEVER'),
            ('STOCK_ADJUSTED', 'ADJUST_INVENTORY', 'NEVER')) "
    };
}

/// Whether the actor of the event `e` held a permission, which is given as an SQL expression, through any role that was
/// granted to them and allowed it when the event happened.
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

/// The validity periods of grants and of permissions in one list: what is held, of which kind it is, and the events with
/// which it begins and ends. It is a macro for the same reason as [`required_permissions`].
macro_rules! validity_periods {
    () => {
        "WITH validity AS (
            SELECT 'the role ' || role_id || ' of ' || principal AS held, 'GRANT' AS kind, from_event, to_event
            FROM role_grant WHERE store_id = {store}
            UNION ALL
            SELECT 'the permission ' || permission || ' of the role ' || role_id, 'PERMISSION', from_event, to_event
            FROM role_permission WHERE store_id = {store}) "
    };
}

/// The checks of events against grants and roles, and of grants and roles against events.
pub(super) const CHECKS: &[Check] = &[
    Check {
        invariant: 12,
        title: "an event is of a known type",
        sql: concat!(
            required_permissions!(),
            "SELECT 'event ' || e.event_number || ' by ' || e.actor || ' is of the unknown type ' || e.event_type AS detail
            FROM event e LEFT JOIN required n ON n.event_type = e.event_type
            WHERE e.store_id = {store} AND n.by_operator IS NULL"
        ),
    },
    Check {
        invariant: 12,
        title: "platform operators did what only they may do, and changed no order",
        sql: concat!(
            required_permissions!(),
            "SELECT 'event ' || e.event_number || ', ' || e.event_type || ' by ' || e.actor || ', was '
                || CASE WHEN e.as_operator THEN '' ELSE 'not ' END || 'done as platform operator' AS detail
            FROM event e JOIN required n ON n.event_type = e.event_type
            WHERE e.store_id = {store} AND ((n.by_operator = 'ONLY' AND NOT e.as_operator)
                OR (n.by_operator = 'NEVER' AND e.as_operator))"
        ),
    },
    Check {
        invariant: 12,
        title: "the actor of each event held its permission at that event",
        sql: concat!(
            required_permissions!(),
            "SELECT 'event ' || e.event_number || ', ' || e.event_type || ', was by ' || e.actor
                || ', who did not hold ' || n.permission || ' then' AS detail
            FROM event e JOIN required n ON n.event_type = e.event_type
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
        title: "nobody gave a role a permission that they did not hold",
        sql: concat!(
            "SELECT 'event ' || e.event_number || ': ' || e.actor || ' gave the role ' || p.role_id || ' the permission '
                || p.permission || ' without holding it' AS detail
            FROM role_permission p
            JOIN event e ON e.store_id = p.store_id AND e.event_number = p.from_event
            WHERE p.store_id = {store} AND e.event_type = 'ROLE_UPDATED' AND NOT e.as_operator AND NOT ",
            actor_held!("p.permission")
        ),
    },
    Check {
        invariant: 12,
        title: "a role allows something for as long as somebody holds it",
        // `boundary`: every event with which a role's permissions may change or a grant of it begins. Between two of
        // them nothing changes, so it is enough to look at each. Here, what holds from the boundary on counts.
        sql: "
            WITH boundary AS (
                SELECT role_id, from_event AS event_number FROM role_permission WHERE store_id = {store}
                UNION SELECT role_id, to_event FROM role_permission WHERE store_id = {store} AND to_event IS NOT NULL
                UNION SELECT role_id, from_event FROM role_grant WHERE store_id = {store})
            SELECT 'from event ' || d.event_number || ' on, ' || g.principal || ' holds ' || g.role_id
                || ', which is not a role' AS detail
            FROM boundary d JOIN role_grant g ON g.store_id = {store} AND g.role_id = d.role_id
                AND g.from_event <= d.event_number AND (g.to_event IS NULL OR g.to_event > d.event_number)
            WHERE NOT EXISTS (
                SELECT 1 FROM role_permission p
                WHERE p.store_id = g.store_id AND p.role_id = g.role_id
                  AND p.from_event <= d.event_number AND (p.to_event IS NULL OR p.to_event > d.event_number))",
    },
    Check {
        invariant: 12,
        title: "a validity period begins and ends with events that exist",
        sql: concat!(
            validity_periods!(),
            "SELECT t.held || ' lasts from event ' || t.from_event || ' to ' || COALESCE('event ' || t.to_event, 'now')
                || ', but the last event is number ' || s.last_event AS detail
            FROM validity t JOIN store s ON s.store_id = {store}
            WHERE t.from_event NOT BETWEEN 1 AND s.last_event OR t.to_event > s.last_event
               OR t.to_event <= t.from_event"
        ),
    },
    Check {
        invariant: 12,
        title: "no two validity periods of the same grant or permission overlap",
        // `following`: each period with the beginning of the next one of the same. A period without an end overlaps
        // with any that follows.
        sql: concat!(
            validity_periods!(),
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
        // `boundary`: each beginning and end of a period. `expected`: the types of events that may cause them.
        // `retained`: the oldest event that pruning has left; what is older cannot be checked.
        sql: concat!(
            validity_periods!(),
            ", boundary AS (
                SELECT held, kind || ' BEGINS' AS kind, from_event AS event_number FROM validity
                UNION ALL SELECT held, kind || ' ENDS', to_event FROM validity WHERE to_event IS NOT NULL),
            expected(kind, event_type) AS (VALUES
                ('GRANT BEGINS', 'STORE_CREATED'), ('GRANT BEGINS', 'ROLE_GRANTED'), ('GRANT ENDS', 'ROLE_REVOKED'),
                ('PERMISSION BEGINS', 'STORE_CREATED'), ('PERMISSION BEGINS', 'ROLE_CREATED'),
                ('PERMISSION BEGINS', 'ROLE_UPDATED'), ('PERMISSION ENDS', 'ROLE_UPDATED'),
                ('PERMISSION ENDS', 'ROLE_DELETED')),
            retained AS (SELECT min(event_number) AS first FROM event WHERE store_id = {store})
            SELECT d.held || ': ' || d.kind || ' with event ' || d.event_number || ', which is '
                || COALESCE(e.event_type, 'missing') AS detail
            FROM boundary d CROSS JOIN retained k
            LEFT JOIN event e ON e.store_id = {store} AND e.event_number = d.event_number
            LEFT JOIN expected t ON t.kind = d.kind AND t.event_type = e.event_type
            WHERE t.kind IS NULL AND d.event_number >= k.first"
        ),
    },
    Check {
        invariant: 12,
        title: "an event about a role or a grant has a row that begins or ends with it",
        // `boundary`: what begins and what ends with each event, and either, because an update of a role may only
        // add or only take away permissions. `expected`: what each type of event must have caused.
        sql: concat!(
            validity_periods!(),
            ", boundary AS (
                SELECT kind || ' BEGINS' AS kind, from_event AS event_number FROM validity
                UNION SELECT kind || ' ENDS', to_event FROM validity WHERE to_event IS NOT NULL
                UNION SELECT kind || ' BEGINS OR ENDS', from_event FROM validity
                UNION SELECT kind || ' BEGINS OR ENDS', to_event FROM validity WHERE to_event IS NOT NULL),
            expected(event_type, kind) AS (VALUES
                ('STORE_CREATED', 'GRANT BEGINS'), ('STORE_CREATED', 'PERMISSION BEGINS'),
                ('ROLE_CREATED', 'PERMISSION BEGINS'), ('ROLE_GRANTED', 'GRANT BEGINS'),
                ('ROLE_REVOKED', 'GRANT ENDS'), ('ROLE_UPDATED', 'PERMISSION BEGINS OR ENDS'),
                ('ROLE_DELETED', 'PERMISSION ENDS'))
            SELECT 'event ' || e.event_number || ' is ' || e.event_type || ', but there is no row of the kind ' || w.kind
                AS detail
            FROM event e JOIN expected w ON w.event_type = e.event_type
            LEFT JOIN boundary d ON d.event_number = e.event_number AND d.kind = w.kind
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

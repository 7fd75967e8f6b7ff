//! Invariant 10: a request id has one effect and one stored answer.
//!
//! The answers are JSON, whose text begins with the event's number. It is read as text, because the
//! two databases read JSON in different ways, and PostgreSQL fails on what is none.

use super::check::Check;

/// The stored answers with the numbers of their events, NULL where an answer is unreadable. A
/// literal by a macro, because only literals can be put together in a constant.
macro_rules! answers {
    () => {
        "WITH tail AS (
            SELECT principal, request_id, fingerprint, create_time, outcome, CASE
                WHEN outcome LIKE '{\"event\":%}' THEN substr(outcome, 10) ELSE '' END AS tail
            FROM stored_response WHERE store_id = {store}),
        answer AS (
            SELECT principal, request_id, fingerprint, create_time, outcome, CASE
                WHEN length(tail) - length(ltrim(tail, '0123456789')) BETWEEN 1 AND 18
                    AND substr(ltrim(tail, '0123456789'), 1, 1) IN (',', '}')
                THEN CAST(substr(tail, 1, length(tail) - length(ltrim(tail, '0123456789'))) AS BIGINT) END AS event_number
            FROM tail) "
    };
}

/// See the module.
pub(super) const CHECKS: &[Check] = &[
    Check {
        invariant: 10,
        title: "a stored answer can be read and has a fingerprint",
        sql: concat!(
            answers!(),
            "SELECT 'request ' || request_id || ' of ' || principal || ' with the fingerprint ' || fingerprint
                || ' was answered by ' || outcome AS detail
            FROM answer
            WHERE event_number IS NULL OR length(fingerprint) <> 64 OR ltrim(fingerprint, '0123456789abcdef') <> ''"
        ),
    },
    Check {
        invariant: 10,
        title: "a stored answer's event is there, by the same caller at the same time",
        sql: concat!(
            answers!(),
            ", kept AS (SELECT min(event_number) AS first FROM event WHERE store_id = {store})
            SELECT 'request ' || a.request_id || ' of ' || a.principal || ' was answered at {t:' || a.create_time
                || '} with event ' || a.event_number || ', which '
                || COALESCE('is by ' || e.actor || ' at {t:' || e.event_time || '}', 'is not there') AS detail
            FROM answer a CROSS JOIN kept k
            LEFT JOIN event e ON e.store_id = {store} AND e.event_number = a.event_number
            WHERE (a.event_number > 0 AND a.event_number >= COALESCE(k.first, 0) AND e.actor IS NULL)
               OR e.actor <> a.principal OR e.event_time <> a.create_time"
        ),
    },
    Check {
        invariant: 10,
        title: "a stored answer names the order that its event happened to",
        sql: concat!(
            answers!(),
            "SELECT 'request ' || a.request_id || ' of ' || a.principal || ' was answered by ' || a.outcome
                || ', but event ' || e.event_number || ' happened to ' || COALESCE(e.po_id, 'no order') AS detail
            FROM answer a JOIN event e ON e.store_id = {store} AND e.event_number = a.event_number
            WHERE CASE WHEN e.po_id IS NULL THEN a.outcome LIKE '%\"order\":%'
                ELSE a.outcome NOT LIKE '%,\"order\":\"' || e.po_id || '\"%' END"
        ),
    },
    Check {
        invariant: 10,
        title: "no two request ids have the same effect",
        sql: concat!(
            answers!(),
            "SELECT 'event ' || event_number || ' is the effect of ' || count(*) || ' requests, ' || min(request_id)
                || ' to ' || max(request_id) AS detail
            FROM answer WHERE event_number > 0 GROUP BY event_number HAVING count(*) > 1"
        ),
    },
];

//! Invariant 10: a request id has one effect and one stored answer.
//!
//! A request that is sent again is answered from its stored answer and does nothing a second time. So a stored answer
//! must name the event that its request caused, and no two of them the same one.
//!
//! The answers are JSON, whose text begins with the event's number. It is read as text, because the two databases read
//! JSON in different ways, and PostgreSQL's query fails as a whole on a text that is not JSON, which `verify` must
//! report as a finding instead. Events may be pruned, so an answer whose event is older than the oldest retained one
//! is no finding.

use super::check::Check;

/// The stored answers with the numbers of their events.
///
/// `tail` is what follows `{"event":` in an answer, empty where it begins otherwise. `answer` takes the digits that the
/// tail begins with; where these are none, too many for a BIGINT, or not followed by `,` or `}`, the answer is
/// unreadable and its `event_number` is NULL.
///
/// It is a macro, because `concat!` takes literals only, not constants.
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

/// The checks of stored answers against the events that they name.
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
            ", retained AS (SELECT min(event_number) AS first FROM event WHERE store_id = {store})
            SELECT 'request ' || a.request_id || ' of ' || a.principal || ' was answered at {t:' || a.create_time
                || '} with event ' || a.event_number || ', which '
                || COALESCE('is by ' || e.actor || ' at {t:' || e.event_time || '}', 'is not there') AS detail
            FROM answer a CROSS JOIN retained k
            LEFT JOIN event e ON e.store_id = {store} AND e.event_number = a.event_number
            WHERE (a.event_number > 0 AND a.event_number >= COALESCE(k.first, 0) AND e.actor IS NULL)
               OR e.actor <> a.principal OR e.event_time <> a.create_time"
        ),
    },
    Check {
        invariant: 10,
        title: "a stored answer names the order that its event happened to",
        // An event of the store itself has no order, and its answer must name none.
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
        // A request that changed nothing is stored with event 0, which any number of them may have.
        sql: concat!(
            answers!(),
            "SELECT 'event ' || event_number || ' is the effect of ' || count(*) || ' requests, ' || min(request_id)
                || ' to ' || max(request_id) AS detail
            FROM answer WHERE event_number > 0 GROUP BY event_number HAVING count(*) > 1"
        ),
    },
];

//! The access log: a line for each call, or for one of so many, with who called what in which store and how it ended.
//!
//! What a call is about becomes known on its way: the guard authenticates the caller, and the handler finds the store and the
//! request id in the message. Each notes it in the call's record, which is logged when the call ends.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tonic::Code;
use uuid::Uuid;

use crate::domain::code::{PrincipalId, StoreId};
use crate::telemetry::ACCESS_LOG;
use crate::traces::CallTrace;

/// What becomes known of a call while it is answered.
#[derive(Debug, Default)]
pub struct CallRecord {
    /// The authenticated caller; unset if there is none.
    pub caller: OnceLock<PrincipalId>,
    /// The store that the request names, the first of several; unset if the call was refused before that was known.
    pub store: OnceLock<StoreId>,
    /// The request id of a mutation; unset if the client sent none.
    pub request_id: OnceLock<Uuid>,
    /// The trace that the call is a part of: its caller's, or one of its own if it is sampled.
    pub trace: CallTrace,
}

impl CallRecord {
    /// The record of a call that has just begun, of which nothing else is known yet.
    pub fn begin(trace: CallTrace) -> Self {
        Self { trace, ..Self::default() }
    }
}

/// Chooses which calls are logged.
#[derive(Debug)]
pub struct AccessLog {
    /// Of how many calls one is logged; 0: none is.
    one_of: u32,
    /// How many calls have ended.
    ended: AtomicU64,
}

/// Reasons with which every stream ends that nobody ends earlier: no faults, although their code is UNAVAILABLE.
pub(super) const ENDS_OF_STREAMS: [&str; 2] = ["WATCH_ENDED", "STOPPING"];
/// The target of lines for faults that were not sampled. They are limited in rate like all lines that are no sample: in an
/// outage every call is a fault.
const FAULT_LOG: &str = "purchase_order_service::access_log::fault";

/// Whether a call is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    None,
    /// It is the one of so many.
    Sampled,
    /// It is none of those, but it ended with a fault of the service.
    Fault,
}

/// How a call ended.
pub struct Ended<'c> {
    /// The full name of the service; `unknown` if the call names no rpc.
    pub service: &'c str,
    /// The name of the method.
    pub method: &'c str,
    /// The status that the caller got.
    pub code: Code,
    /// The reason in the status's details; empty if the call succeeded.
    pub reason: &'c str,
    /// How long it took.
    pub took: Duration,
}

impl AccessLog {
    /// Logs one of so many calls; with 0 none.
    pub fn new(one_of: u32) -> Self {
        Self { one_of, ended: AtomicU64::new(0) }
    }

    /// Logs a call that has ended, if it is one to be logged.
    pub fn log(&self, record: &CallRecord, ended: &Ended<'_>) {
        let Ended { service, method, code, reason, took } = ended;
        // A macro, because the target of an event must be a constant.
        macro_rules! line {
            ($target:expr) => {
                tracing::info!(
                    target: $target,
                    service,
                    method,
                    caller = record.caller.get().map(PrincipalId::as_str),
                    store = record.store.get().map(StoreId::as_str),
                    code = ?code,
                    reason = Some(*reason).filter(|reason| !reason.is_empty()),
                    duration_ms = took.as_secs_f64() * 1e3,
                    request_id = record.request_id.get().map(tracing::field::display),
                    trace_id = record.trace.id().map(tracing::field::display),
                    "call"
                )
            };
        }
        match self.choice(*code, reason) {
            Choice::Sampled => line!(ACCESS_LOG),
            Choice::Fault => line!(FAULT_LOG),
            Choice::None => {}
        }
    }

    /// Whether a call that ended so is logged, and why.
    fn choice(&self, code: Code, reason: &str) -> Choice {
        if self.one_of == 0 {
            return Choice::None;
        }
        // Relaxed: the number alone matters, and no other memory depends on it.
        if self.ended.fetch_add(1, Ordering::Relaxed).is_multiple_of(self.one_of.into()) {
            return Choice::Sampled;
        }
        let is_fault = matches!(code, Code::Internal | Code::Unknown | Code::Unavailable | Code::DataLoss);
        if is_fault && !ENDS_OF_STREAMS.contains(&reason) { Choice::Fault } else { Choice::None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_so_many_calls_is_logged_and_every_fault() {
        let chosen = |one_of: u32, code: Code, reason: &str| {
            let log = AccessLog::new(one_of);
            let choices: Vec<_> = (0..100).map(|_| log.choice(code, reason)).collect();
            [Choice::Sampled, Choice::Fault].map(|wanted| choices.iter().filter(|choice| **choice == wanted).count())
        };
        for (one_of, expected) in [(0, [0, 0]), (1, [100, 0]), (3, [34, 0]), (100, [1, 0]), (1_000, [1, 0])] {
            assert_eq!(chosen(one_of, Code::Ok, ""), expected, "{one_of}");
        }
        for (one_of, expected) in [(0, [0, 0]), (1, [100, 0]), (1_000, [1, 99])] {
            assert_eq!(chosen(one_of, Code::Unavailable, "DATABASE_UNAVAILABLE"), expected, "{one_of}");
        }
        assert_eq!(chosen(1_000, Code::Unavailable, "WATCH_ENDED"), [1, 0], "it is how every watch ends");
        assert_eq!(chosen(1_000, Code::PermissionDenied, "PERMISSION_MISSING"), [1, 0], "a refusal is no fault");
    }
}

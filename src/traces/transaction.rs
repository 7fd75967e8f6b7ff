//! The spans of a write transaction, in which many calls may share.

use std::time::Instant;

use opentelemetry::KeyValue;
use opentelemetry::trace::{Link, Status};
use opentelemetry_sdk::trace::SpanData;

use super::call::TracedCall;

/// A part of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// Its name, such as `load`.
    pub name: &'static str,
    /// When it began, which is when the one before it ended.
    pub from: Instant,
    /// When it ended, or failed.
    pub to: Instant,
}

/// An attempt to execute commands in one transaction.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// How many commands it had, of traced calls and of others.
    pub commands: usize,
    /// Its phases, each of which began when the one before had ended; the last is the one that failed, if one did.
    pub phases: &'a [Phase],
    /// How it failed, such as `rolled_back`; `None`: it was committed.
    pub failure: Option<&'static str>,
}

impl Attempt<'_> {
    /// Records the transaction for these calls, each with the time since which it has waited for it.
    ///
    /// The transaction has a trace of its own, because it belongs to no call more than to another: its span has a link to the
    /// span of each call. In each call's trace stand the wait and a copy of the transaction with its phases, which has a link
    /// to the transaction's own span. So each call shows where its time went, and leads to those that shared the transaction.
    pub fn record(&self, calls: &[(&TracedCall, Instant)]) {
        let (Some((first_call, _)), Some(first), Some(last)) = (calls.first(), self.phases.first(), self.phases.last())
        else {
            return;
        };
        let mut own = first_call.root("write_batch", first.from, last.to);
        self.describe(&mut own);
        own.links.links = calls.iter().map(|(call, _)| call.link()).collect();
        let link = Link::new(own.span_context.clone(), Vec::new(), 0);
        for (call, waits_since) in calls {
            call.record_wait(*waits_since, first.from);
            let mut shared = call.child("transaction", first.from, last.to);
            self.describe(&mut shared);
            shared.links.links = vec![link.clone()];
            for phase in self.phases {
                call.record(call.below(&shared.span_context, phase.name, phase.from, phase.to));
            }
            call.record(shared);
        }
        // It takes its room in the queue as one of the first call's spans.
        first_call.record(own);
    }

    fn describe(&self, span: &mut SpanData) {
        span.attributes = vec![KeyValue::new("purchase_order_service.batch.commands", self.commands as i64)];
        if let Some(failure) = self.failure {
            span.attributes.push(KeyValue::new("error.type", failure));
            span.status = Status::error(failure);
        }
    }
}

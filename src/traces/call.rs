//! The span of a call, and those of what was done for it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::HeaderMap;
use opentelemetry::KeyValue;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{
    Link, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId, TraceState,
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SpanData;

use super::export::SpanRecorder;

/// How long a `tracestate` may be to be passed on; it goes into each span that has one. W3C Trace
/// Context asks for so much and allows to leave out longer ones.
const MAX_STATE: usize = 512;

/// The trace that a call is a part of.
#[derive(Debug, Default)]
pub struct CallTrace {
    /// The caller's span, if the call came with one.
    caller: Option<SpanContext>,
    traced: Option<TracedCall>,
}

/// A call that is sampled. Clones are the same call.
#[derive(Clone, Debug)]
pub struct TracedCall(Arc<SampledCall>);

#[derive(Debug)]
struct SampledCall {
    recorder: Arc<SpanRecorder>,
    context: SpanContext,
    began: Moment,
    /// Whether it is sampled because its caller's trace is.
    asked_for: bool,
}

/// How a call ended.
#[derive(Debug)]
pub struct EndedCall<'c> {
    /// The full name of the rpc, such as `purchasing.v1.StoreService/GetStore`; `None` if the call names no rpc.
    pub rpc: Option<String>,
    /// The authenticated caller, if there is one.
    pub caller: Option<&'c str>,
    /// The store that the request names, if that became known.
    pub store: Option<&'c str>,
    /// The request id of a mutation, if it has one.
    pub request_id: Option<String>,
    /// The name of the status code, such as `NOT_FOUND`.
    pub code: &'static str,
    /// The reason in the status's details; empty if there is none.
    pub reason: &'c str,
    /// Whether it counts as an error of the server.
    pub is_error: bool,
}

impl CallTrace {
    pub(super) fn begin(recorder: Option<&Arc<SpanRecorder>>, metadata: &HeaderMap) -> Self {
        let caller = caller_span(metadata);
        let Some(recorder) = recorder else { return Self { caller, traced: None } };
        let (trace, state) = match &caller {
            // Its caller records nothing of this trace, so a span here would have no parent.
            Some(span) if !span.is_sampled() => return Self { caller, traced: None },
            Some(span) => (span.trace_id(), span.trace_state().clone()),
            None => match recorder.sampled_trace() {
                Some(trace) => (trace, TraceState::NONE),
                None => return Self::default(),
            },
        };
        let context = recorder.new_span(trace, state);
        let recorder = Arc::clone(recorder);
        let call = SampledCall { recorder, context, began: Moment::now(), asked_for: caller.is_some() };
        Self { caller, traced: Some(TracedCall(Arc::new(call))) }
    }

    /// The trace's id: the caller's, or a new one if the call is sampled without.
    pub fn id(&self) -> Option<TraceId> {
        let context = self.traced.as_ref().map(TracedCall::context).or(self.caller.as_ref());
        context.map(SpanContext::trace_id)
    }

    /// What workers need to record what they do for the call; `None` if it is not sampled.
    pub fn traced(&self) -> Option<&TracedCall> {
        self.traced.as_ref()
    }

    /// Records the call's span, if it is sampled.
    pub fn end(&self, ended: EndedCall<'_>) {
        let Some(traced) = &self.traced else { return };
        // Anybody can write that a trace is sampled; only who is known is believed.
        if traced.0.asked_for && ended.caller.is_none() {
            return;
        }
        let parent = self.caller.as_ref().map_or(SpanId::INVALID, SpanContext::span_id);
        let name = ended.rpc.clone().map_or(Cow::Borrowed("grpc"), Cow::Owned);
        let mut span = traced.span(traced.0.context.clone(), parent, name, traced.0.began.instant, Instant::now());
        span.span_kind = SpanKind::Server;
        span.parent_span_is_remote = self.caller.is_some();
        span.attributes = attributes(&ended);
        if ended.is_error {
            span.status = Status::error(ended.reason.to_owned());
        }
        traced.record(span);
    }
}

fn attributes(ended: &EndedCall<'_>) -> Vec<KeyValue> {
    let rpc = ended.rpc.clone().unwrap_or_else(|| "_OTHER".to_owned());
    let mut attributes = vec![
        KeyValue::new("rpc.system.name", "grpc"),
        KeyValue::new("rpc.method", rpc),
        KeyValue::new("rpc.response.status_code", ended.code),
    ];
    let mut add = |key: &'static str, value: Option<String>| {
        attributes.extend(value.map(|value| KeyValue::new(key, value)));
    };
    add("enduser.id", ended.caller.map(str::to_owned));
    add("purchase_order_service.store_id", ended.store.map(str::to_owned));
    add("purchase_order_service.request_id", ended.request_id.clone());
    let error = if ended.reason.is_empty() { ended.code } else { ended.reason };
    add("error.type", (ended.code != "OK").then(|| error.to_owned()));
    attributes
}

impl TracedCall {
    /// Records that the call waited for a reader, and its read. `class` is the name of the read's class.
    pub fn record_read(&self, class: &'static str, queued: Instant, began: Instant, ended: Instant) {
        self.record_wait(queued, began);
        let mut read = self.child("read", began, ended);
        read.attributes = vec![KeyValue::new("purchase_order_service.read.class", class)];
        self.record(read);
    }

    /// Records that the call has waited for a worker, also for one that never came.
    pub fn record_wait(&self, from: Instant, to: Instant) {
        self.record(self.child("queue", from, to));
    }

    /// A span below that of the call.
    pub(super) fn child(&self, name: &'static str, from: Instant, to: Instant) -> SpanData {
        self.below(&self.0.context, name, from, to)
    }

    /// A span below another one of the call's trace.
    pub(super) fn below(&self, parent: &SpanContext, name: &'static str, from: Instant, to: Instant) -> SpanData {
        let context = self.0.recorder.new_span(parent.trace_id(), TraceState::NONE);
        self.span(context, parent.span_id(), Cow::Borrowed(name), from, to)
    }

    /// A span that begins a trace of its own.
    pub(super) fn root(&self, name: &'static str, from: Instant, to: Instant) -> SpanData {
        let context = self.0.recorder.new_span(self.0.recorder.new_trace(), TraceState::NONE);
        self.span(context, SpanId::INVALID, Cow::Borrowed(name), from, to)
    }

    fn span(
        &self,
        span_context: SpanContext,
        parent_span_id: SpanId,
        name: Cow<'static, str>,
        from: Instant,
        to: Instant,
    ) -> SpanData {
        SpanData {
            span_context,
            parent_span_id,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name,
            start_time: self.0.began.at(from),
            end_time: self.0.began.at(to),
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: Default::default(),
            links: Default::default(),
            status: Status::Unset,
            instrumentation_scope: self.0.recorder.scope(),
        }
    }

    fn context(&self) -> &SpanContext {
        &self.0.context
    }

    /// The span's identity, to link to. It leaves out the caller's state, of which there may be one in each of many links.
    pub(super) fn link(&self) -> Link {
        let span = &self.0.context;
        let span = SpanContext::new(span.trace_id(), span.span_id(), span.trace_flags(), false, TraceState::NONE);
        Link::new(span, Vec::new(), 0)
    }

    pub(super) fn record(&self, span: SpanData) {
        self.0.recorder.record(span, self.0.asked_for);
    }
}

/// One moment by both clocks. Spans are measured by the one that never jumps, and dated by the other; all spans of a call
/// by the same moment, so that they fit into each other.
#[derive(Clone, Copy, Debug)]
struct Moment {
    instant: Instant,
    time: SystemTime,
}

impl Moment {
    #[expect(
        clippy::disallowed_methods,
        reason = "a span is dated by the machine's clock, and nothing is decided by it"
    )]
    fn now() -> Self {
        Self { instant: Instant::now(), time: SystemTime::now() }
    }

    fn at(&self, instant: Instant) -> SystemTime {
        let after: Duration = instant.saturating_duration_since(self.instant);
        let before: Duration = self.instant.saturating_duration_since(instant);
        self.time + after - before
    }
}

/// The caller's span, by the headers `traceparent` and `tracestate`; `None` if there is none, or no valid one.
fn caller_span(metadata: &HeaderMap) -> Option<SpanContext> {
    if !metadata.get("traceparent").is_some_and(|header| is_traceparent(header.as_bytes())) {
        return None;
    }
    let context = TraceContextPropagator::new().extract(&Headers(metadata));
    let span = context.span().span_context().clone();
    // The flag alone is kept of the flags that the caller sent.
    span.is_valid().then(|| {
        let flags = span.trace_flags() & TraceFlags::SAMPLED;
        SpanContext::new(span.trace_id(), span.span_id(), flags, true, span.trace_state().clone())
    })
}

/// Whether a header has the form of a `traceparent`: the version, the trace, the span and the flags in lower-case
/// hexadecimal, of 2, 32, 16 and 2 digits. The propagator takes numbers of other lengths too.
fn is_traceparent(header: &[u8]) -> bool {
    const LENGTH: usize = 55;
    let is_well_formed = header.iter().take(LENGTH).enumerate().all(|(place, byte)| match place {
        2 | 35 | 52 => *byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    });
    // Later versions may have more behind another hyphen.
    is_well_formed && header.len() >= LENGTH && header.get(LENGTH).is_none_or(|byte| *byte == b'-')
}

/// The metadata of a call as the propagator reads them.
struct Headers<'m>(&'m HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let value = self.0.get(key)?.to_str().ok()?;
        (key != "tracestate" || value.len() <= MAX_STATE).then_some(value)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn trace_of(traceparent: &str) -> Option<String> {
        let mut metadata = HeaderMap::new();
        metadata.insert("traceparent", traceparent.parse().unwrap());
        CallTrace::begin(None, &metadata).id().map(|id| id.to_string())
    }

    #[test]
    fn the_trace_of_the_caller_is_known_from_a_valid_traceparent() {
        let valid = format!("00-{TRACE}-00f067aa0ba902b7-01");
        assert_eq!(trace_of(&valid).as_deref(), Some(TRACE));
        for bad in [
            "",
            "00",
            TRACE,
            "0-1-1-1",
            "00-+1-+1-01",
            &valid[..54],
            &format!("{valid}0"),
            &valid.to_uppercase(),
            &valid.replace("00-4b", "ff-4b"),
            &valid.replace(TRACE, &"0".repeat(32)),
            &valid.replace("00f067aa0ba902b7", "0000000000000000"),
        ] {
            assert_eq!(trace_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_state_that_is_longer_than_must_be_passed_on_is_left_out() {
        for (length, expected) in [(512, 512), (513, 0)] {
            let mut metadata = HeaderMap::new();
            metadata.insert("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01").parse().unwrap());
            // Three members, because the value of one may have 256 characters.
            let value = |rest: usize| "x".repeat(rest);
            let state = format!("a={},b={},c={}", value(250), value(250), value(length - 508));
            metadata.insert("tracestate", state.parse().unwrap());
            assert_eq!(caller_span(&metadata).unwrap().trace_state().header().len(), expected);
        }
    }

    #[test]
    fn times_before_and_after_the_begin_of_a_call_are_dated_from_it() {
        let began = Moment::now();
        let second = Duration::from_secs(1);
        assert_eq!(began.at(began.instant + second), began.time + second);
        assert_eq!(began.at(began.instant - second), began.time - second);
    }
}

//! Traces: spans of calls and of what the workers do for them, sent to a collector by OTLP.
//!
//! A call that is sampled has a span from its first byte to its status, with a span for each thing that took its time: the
//! wait for a worker, and the read or the transaction that it shared with other commands. Workers know when each phase
//! began and ended only afterwards, so spans are not opened and closed on the way: they are made when what they tell has
//! ended, with the times that were taken for the metrics anyway. A call that is not sampled costs a look at one header.
//!
//! A call is sampled if its caller's trace is (W3C Trace Context), and by chance if it comes without a trace. What callers
//! can cause by that is bounded: spans wait in a queue of [`MAX_WAITING`], of which those that callers asked for fill at
//! most half; what finds no room is dropped and counted, and nobody ever waits for the collector. Callers who are not
//! authenticated cannot ask for a trace.
//!
//! The names follow the semantic conventions of OpenTelemetry for RPC, as of their release candidate, where those have one.

mod call;
mod export;
mod transaction;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

pub use self::call::{CallTrace, EndedCall, TracedCall};
use self::export::SpanRecorder;
pub use self::export::{Endpoint, EndpointError, MAX_WAITING, SpanCounts, StartError};
pub use self::transaction::{Attempt, Phase};

/// Where spans are sent, and of which calls.
#[derive(Clone, Debug)]
pub struct TraceConfig {
    /// The collector's address.
    pub endpoint: Endpoint,
    /// A file with the certificates of the authorities that may have signed the collector's, in PEM; `None`: those that the
    /// operating system trusts.
    pub authorities: Option<PathBuf>,
    /// The share of calls without a trace of their caller that are sampled, from 0 to 1.
    pub ratio: f64,
}

impl TraceConfig {
    /// Reads the file that it names, and checks that the address can be used with it. Connects to nothing.
    pub fn check(&self) -> Result<(), StartError> {
        export::remote(self).map(drop)
    }
}

/// Samples calls and records their spans. The default does neither.
#[derive(Clone, Debug, Default)]
pub struct Tracer(Option<Arc<SpanRecorder>>);

impl Tracer {
    /// Exports spans from now on. It connects when the first are sent, so the collector need not be there yet. Must be called
    /// within a tokio runtime.
    pub fn start(config: &TraceConfig) -> Result<Self, StartError> {
        Ok(Self(Some(Arc::new(SpanRecorder::start(config)?))))
    }

    /// A call with this metadata begins.
    pub fn begin_call(&self, metadata: &HeaderMap) -> CallTrace {
        CallTrace::begin(self.0.as_ref(), metadata)
    }

    /// What became of the spans so far.
    pub fn counts(&self) -> SpanCounts {
        self.0.as_ref().map(|recorder| recorder.counts()).unwrap_or_default()
    }

    /// Sends the spans that wait, for `within` at most. It blocks the thread.
    pub fn stop(&self, within: Duration) {
        if let Some(recorder) = &self.0 {
            recorder.stop(within);
        }
    }
}

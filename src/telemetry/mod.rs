//! Logging: what happens to the service itself, written to standard error. A refused call is the caller's matter and
//! has no line but that of the access log, if that is on; an internal error is logged once, with the id that its caller
//! received.
//!
//! What a peer can do to the log by what it sends, with or without credentials, is bounded:
//!
//! - Only this program and its connection pool log, whatever `RUST_LOG` says. The libraries of the transport would
//!   log what peers send, headers and so tokens included, and h2 warns of each unsolicited PING acknowledgement.
//! - Each call site logs a burst of [`rate::BURST`] lines and then one per second; the next line says how many were
//!   suppressed. Only the access log has more: a line for each call, or for one of so many.
//! - Each event is one line of bounded length, whatever text it contains.
//! - No call ever waits for the log: a thread of its own writes from a bounded queue. Lines that find the queue full,
//!   because nobody reads standard error, are dropped and counted, and their number is written later.

mod line;
mod rate;
mod writer;

use std::io::{self, Write};
use std::panic;
use std::time::Instant;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use self::line::OneLine;
use self::rate::Limited;
pub use self::writer::Logs;

/// The crates whose events are logged: this program, and the pool of connections to the database.
const LOGGED: [&str; 2] = [env!("CARGO_CRATE_NAME"), "r2d2"];

/// The target of the access log's events, by which `RUST_LOG` can choose them.
pub const ACCESS_LOG: &str = "purchase_order_service::access_log";

/// How events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people to read.
    #[default]
    Console,
    /// One object for each event, for programs.
    Json,
}

/// Starts to log in this format with the filter in `RUST_LOG`, or from `info` on. The result must be kept until the end of the
/// process: dropping it writes the lines that are queued. Panics are logged too from then on.
pub fn init(format: LogFormat) -> Logs {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let (logs, queue) = writer::start(io::stderr(), format);
    subscriber(filter, format, move || queue.clone()).init();
    panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        tracing::error!(panic = panic.payload_as_str(), location, "a panic");
    }));
    logs
}

fn subscriber<M, W>(filter: EnvFilter, format: LogFormat, writer: M) -> impl Subscriber + Send + Sync
where
    M: Fn() -> W + Send + Sync + 'static,
    W: Write + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(move || OneLine { format, to: writer.make_writer() })
        .with_ansi(false)
        // Such an error would be written to standard error by the thread that logs, which would wait for it.
        .log_internal_errors(false);
    let lines = match format {
        LogFormat::Console => {
            lines.event_format(Limited::new(tracing_subscriber::fmt::format(), false, Instant::now)).boxed()
        }
        LogFormat::Json => {
            let json = tracing_subscriber::fmt::format().json().flatten_event(true);
            let json = json.with_current_span(false).with_span_list(false);
            lines.fmt_fields(JsonFields::new()).event_format(Limited::new(json, true, Instant::now)).boxed()
        }
    };
    // Not a directive of `filter`, because a more specific one in `RUST_LOG` would take precedence over it.
    let logged = filter_fn(|event| LOGGED.contains(&event.target().split("::").next().unwrap_or_default()));
    tracing_subscriber::registry().with(lines).with(filter).with(logged)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str, log: impl Fn()) -> String {
        logged_as(LogFormat::Console, filter, log)
    }

    fn logged_as(format: LogFormat, filter: &str, log: impl Fn()) -> String {
        let written = Written::default();
        let writer = written.clone();
        tracing::subscriber::with_default(subscriber(EnvFilter::new(filter), format, move || writer.clone()), log);
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn libraries_of_the_transport_log_nothing_whatever_is_asked() {
        let text = logged("trace,h2::proto=trace,rustls[handshake]=trace,tower=trace", || {
            tracing::error!(target: "h2::proto::ping_pong", "of h2");
            tracing::error!(target: "hyper", "of hyper");
            tracing::error!(target: "rustls::common_state", "of rustls");
            tracing::error!(target: "purchase_order_service_of_others", "of others");
            tracing::warn!(target: "r2d2", "of the pool");
            tracing::trace!("of ours");
        });
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains("of the pool") && text.contains("of ours"), "{text}");
    }

    #[test]
    fn a_call_site_that_logs_without_end_is_limited_and_the_others_are_not() {
        let text = logged("info", || {
            for number in 0..1_000 {
                tracing::warn!(number, "again");
            }
            tracing::warn!("another");
        });
        // A slow machine may see another second begin.
        let again = text.matches("again").count();
        assert!((rate::BURST as usize..rate::BURST as usize + 60).contains(&again), "{again} lines");
        assert!(text.contains("another"), "{text}");
    }

    #[test]
    fn events_of_the_access_log_are_all_written() {
        let text = logged("info", || {
            for call in 0..1_000 {
                tracing::info!(target: ACCESS_LOG, call);
            }
        });
        assert_eq!(text.lines().count(), 1_000);
    }

    #[test]
    fn as_json_each_line_is_an_object() {
        let text = logged_as(LogFormat::Json, "info", || tracing::warn!(number = 7, name = "a\"b\nc", "again"));
        let event: serde_json::Value = serde_json::from_str(&text).unwrap();
        let expected = serde_json::json!({ "level": "WARN", "message": "again", "number": 7, "name": "a\"b\nc" });
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(&event[field], value, "{text}");
        }
    }
}

//! How calls are counted, under the names that gRPC servers have in common (`grpc_server_started_total` and so on).
//!
//! Only the rpcs that are served have series of their own; a call of any other method counts under the name `unknown`. So
//! what peers call adds no series. The instruments of an rpc are found by one look into a table that never changes.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::{DURATIONS, PREFIX};

/// What stands for the type, the service and the method of a call that names no rpc.
const UNKNOWN: &str = "unknown";

/// The label of each status code, by its number.
const CODES: [&str; 17] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];
/// The number of the code OK.
const OK: usize = 0;
/// The number of the code UNKNOWN, under which a number that is no code counts.
const CODE_UNKNOWN: usize = 2;

/// The upper bounds of the buckets beyond those of other durations, for streams: the last is the longest time of a watch by
/// default.
const LONG_DURATIONS: [f64; 3] = [60.0, 120.0, 300.0];

fn call_durations() -> Histogram {
    Histogram::new(DURATIONS.into_iter().chain(LONG_DURATIONS))
}

/// An rpc as metrics name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RpcName {
    /// Which side streams: `unary`, `client_stream`, `server_stream` or `bidi_stream`.
    pub grpc_type: &'static str,
    /// The full name of the service, such as `purchasing.v1.StoreService`.
    pub grpc_service: String,
    /// The name of the method, such as `GetStore`.
    pub grpc_method: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabel {
    grpc_code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    grpc_service: String,
    grpc_method: String,
    reason: String,
}

/// The counters of all rpcs. Clones share them. Where no scrape could show them, calls are not counted.
#[derive(Clone, Debug)]
pub struct CallMetrics {
    by_path: Arc<HashMap<String, Arc<RpcMetrics>>>,
    unknown: Arc<RpcMetrics>,
}

/// The counters of one rpc, if calls are counted, and its name in any case.
#[derive(Debug)]
pub struct RpcMetrics {
    name: RpcName,
    counters: Option<RpcCounters>,
}

#[derive(Debug)]
struct RpcCounters {
    started: Counter,
    handling: Histogram,
    handled: Family<(RpcName, CodeLabel), Counter>,
    /// The counters of `handled` that were used, by the number of their code.
    by_code: [OnceLock<Counter>; CODES.len()],
    refusals: Family<RefusalLabels, Counter>,
}

/// The families that the counters of each rpc are a part of.
struct Families {
    started: Family<RpcName, Counter>,
    handled: Family<(RpcName, CodeLabel), Counter>,
    handling: Family<RpcName, Histogram, fn() -> Histogram>,
    refusals: Family<RefusalLabels, Counter>,
}

impl CallMetrics {
    /// Counters for these rpcs, which a scrape of this registry shows.
    pub fn registered(registry: &mut Registry, rpcs: Vec<RpcName>) -> Self {
        let families = Families {
            started: Family::default(),
            handled: Family::default(),
            handling: Family::new_with_constructor(call_durations),
            refusals: Family::default(),
        };
        registry.register("grpc_server_started", "Calls that began", families.started.clone());
        let help = "Calls that ended, by their status; abandoned ones as Canceled";
        registry.register("grpc_server_handled", help, families.handled.clone());
        let help = "How long calls took until their status was known";
        registry.register_with_unit("grpc_server_handling", help, Unit::Seconds, families.handling.clone());
        let help = "Calls that ended with an error, by the reason in its details";
        registry.sub_registry_with_prefix(PREFIX).register("refusals", help, families.refusals.clone());
        Self::by_path(rpcs, |name| Some(families.of(name)))
    }

    /// The names of these rpcs, whose calls are not counted.
    pub fn off(rpcs: Vec<RpcName>) -> Self {
        Self::by_path(rpcs, |_| None)
    }

    fn by_path(rpcs: Vec<RpcName>, counters: impl Fn(&RpcName) -> Option<RpcCounters>) -> Self {
        let of = |name| Arc::new(RpcMetrics { counters: counters(&name), name });
        let unknown = RpcName { grpc_type: UNKNOWN, grpc_service: UNKNOWN.to_owned(), grpc_method: UNKNOWN.to_owned() };
        let by_path = rpcs.into_iter().map(|rpc| (format!("/{}/{}", rpc.grpc_service, rpc.grpc_method), of(rpc)));
        Self { by_path: Arc::new(by_path.collect()), unknown: of(unknown) }
    }

    /// The counters of the rpc with this path, or those of unknown methods.
    pub fn of(&self, path: &str) -> &Arc<RpcMetrics> {
        self.by_path.get(path).unwrap_or(&self.unknown)
    }
}

impl Families {
    /// The counters of one rpc. Those of its calls, and of the ones that end well, are shown from the beginning: a rate cannot
    /// be computed from a series that appears with its first call. An error's series appears with the first such error.
    fn of(&self, name: &RpcName) -> RpcCounters {
        let counters = RpcCounters {
            started: self.started.get_or_create_owned(name),
            handling: self.handling.get_or_create_owned(name),
            handled: self.handled.clone(),
            by_code: Default::default(),
            refusals: self.refusals.clone(),
        };
        counters.of_code(name, OK);
        counters
    }
}

impl RpcMetrics {
    /// Whether it counts an rpc, and not the calls of methods that do not exist.
    pub fn is_known(&self) -> bool {
        self.name.grpc_type != UNKNOWN
    }

    /// The names of the service and of the method.
    pub fn name(&self) -> (&str, &str) {
        (&self.name.grpc_service, &self.name.grpc_method)
    }

    /// Counts a call that begins.
    pub fn started(&self) {
        if let Some(counters) = &self.counters {
            counters.started.inc();
        }
    }

    /// Counts a call that ended with the status code of this number after this time.
    pub fn handled(&self, code: i32, took: Duration) {
        if let Some(counters) = &self.counters {
            counters.of_code(&self.name, usize::try_from(code).unwrap_or(CODE_UNKNOWN)).inc();
            counters.handling.observe(took.as_secs_f64());
        }
    }

    /// Counts a call that ended with an error for this reason. Reasons are those of the contract, never a peer's text.
    pub fn refused(&self, reason: String) {
        if let Some(counters) = &self.counters {
            let (grpc_service, grpc_method) = (self.name.grpc_service.clone(), self.name.grpc_method.clone());
            counters.refusals.get_or_create(&RefusalLabels { grpc_service, grpc_method, reason }).inc();
        }
    }
}

impl RpcCounters {
    fn of_code(&self, name: &RpcName, code: usize) -> &Counter {
        let code = if code < CODES.len() { code } else { CODE_UNKNOWN };
        self.by_code[code].get_or_init(|| {
            let labels = (name.clone(), CodeLabel { grpc_code: CODES[code] });
            self.handled.get_or_create_owned(&labels)
        })
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::prometheus_text::encode;

    use super::*;

    fn shown(registry: &Registry) -> String {
        let mut text = String::new();
        encode(&mut text, registry).unwrap();
        text
    }

    #[test]
    fn calls_count_under_their_rpc_and_all_others_under_one_name() {
        let mut registry = Registry::default();
        let rpc = RpcName { grpc_type: "unary", grpc_service: "a.Orders".to_owned(), grpc_method: "Get".to_owned() };
        let calls = CallMetrics::registered(&mut registry, vec![rpc]);
        let before = shown(&registry).lines().count();

        calls.of("/a.Orders/Get").started();
        calls.of("/a.Orders/Get").handled(0, Duration::from_millis(3));
        for number in 0..1_000 {
            let unknown = calls.of(&format!("/a.Orders/Get{number}"));
            unknown.started();
            unknown.handled(12, Duration::ZERO);
        }

        let after = shown(&registry);
        let unknown = r#"grpc_type="unknown",grpc_service="unknown",grpc_method="unknown""#;
        for line in [
            r#"grpc_server_started_total{grpc_type="unary",grpc_service="a.Orders",grpc_method="Get"} 1"#.to_owned(),
            r#"grpc_server_handled_total{grpc_type="unary",grpc_service="a.Orders",grpc_method="Get",grpc_code="OK"} 1"#
                .to_owned(),
            r#"grpc_server_handling_seconds_bucket{grpc_type="unary",grpc_service="a.Orders",grpc_method="Get",le="0.0025"} 0"#
                .to_owned(),
            format!("grpc_server_started_total{{{unknown}}} 1000"),
            format!("grpc_server_handled_total{{{unknown},grpc_code=\"Unimplemented\"}} 1000"),
        ] {
            assert!(after.lines().any(|shown| shown == line), "{line} is not in:\n{after}");
        }
        assert_eq!(after.lines().count(), before + 1, "one code of unknown methods was seen");
    }

    #[test]
    fn a_number_that_is_no_code_counts_as_unknown() {
        let mut registry = Registry::default();
        let calls = CallMetrics::registered(&mut registry, Vec::new());
        for code in [-1, 17, i32::MAX] {
            calls.of("").handled(code, Duration::ZERO);
        }
        assert!(shown(&registry).contains("grpc_code=\"Unknown\"} 3"), "{}", shown(&registry));
    }

    #[test]
    fn calls_that_are_not_counted_have_names_all_the_same() {
        let rpc = RpcName { grpc_type: "unary", grpc_service: "a.Orders".to_owned(), grpc_method: "Get".to_owned() };
        let calls = CallMetrics::off(vec![rpc]);
        for (path, name) in [("/a.Orders/Get", ("a.Orders", "Get")), ("/a.Orders/Set", (UNKNOWN, UNKNOWN))] {
            let rpc = calls.of(path);
            rpc.started();
            rpc.handled(12, Duration::from_millis(3));
            rpc.refused("METHOD_UNKNOWN".to_owned());
            assert_eq!(rpc.name(), name);
            assert!(rpc.counters.is_none());
        }
    }
}

//! What the service measures of itself, for Prometheus: the instruments that calls and workers write to, and the
//! [`listener`] that answers scrapes.
//!
//! There is no global registry. If metrics are served, the composition root makes one, registers the instruments in it and
//! hands them to those who measure. Otherwise nobody could read them, so those who measure get instruments that record
//! nothing, which are the default. What is counted anyway, such as the length of a queue, is no instrument: the root reads it
//! when it is scraped.
//!
//! The number of series is bounded whatever peers send: every label has a value of a fixed set, or of the contract. An
//! instrument that is used for each command is looked up once, when it is made. Counting is an addition then; a histogram
//! takes a lock for the moment of one observation.

pub mod calls;
pub mod listener;
pub mod workers;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// What the names begin with that no convention gives.
pub const PREFIX: &str = "purchase_order_service";

/// The upper bounds of the buckets for durations, in seconds: from a statement on the same machine to the longest time that an
/// ordinary call has by default.
const DURATIONS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// A histogram of durations in seconds.
fn durations() -> Histogram {
    Histogram::new(DURATIONS)
}

/// Records what somebody measures in a histogram that a scrape shows. The default records nothing, and costs next to nothing.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Option<Histogram>);

impl Recorder {
    /// Records one value, in the unit that the histogram is registered with.
    pub fn observe(&self, value: f64) {
        if let Some(histogram) = &self.0 {
            histogram.observe(value);
        }
    }
}

impl From<Histogram> for Recorder {
    fn from(histogram: Histogram) -> Self {
        Self(Some(histogram))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
}

/// Registers what is known when the service starts and never changes: its version, that of its schema, and when it started, in
/// seconds since 1970.
pub fn register_facts(registry: &mut Registry, schema_version: i64, started: f64) {
    let help = "When the service started, in seconds since 1970";
    registry.register_with_unit("process_start_time", help, Unit::Seconds, ConstGauge::new(started));
    let own = registry.sub_registry_with_prefix(PREFIX);
    let build = Family::<BuildLabels, Gauge>::default();
    build.get_or_create(&BuildLabels { version: env!("CARGO_PKG_VERSION") }).set(1);
    own.register("build_info", "The version of this program, as a label; always 1", build);
    let help = "The version of the database's schema, which is that of the program's newest migration";
    own.register("schema_version", help, ConstGauge::new(schema_version));
}

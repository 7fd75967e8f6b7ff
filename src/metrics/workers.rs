//! What the writers and readers measure: how long work waits, how many commands share a transaction, and where its time goes.
//!
//! Clones share their values. The default is registered nowhere, for tests.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::{PREFIX, durations};

/// The upper bounds of the buckets for the commands of one transaction. At most 128 share one.
const COMMANDS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PhaseLabels {
    phase: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabels {
    class: &'static str,
}

/// What all writers of an instance measure.
#[derive(Clone, Debug)]
pub struct WriterMetrics {
    /// How long a command waited until a writer first took it.
    pub queue_wait: Histogram,
    /// How many commands a transaction answered.
    pub batch_commands: Histogram,
    /// BEGIN, and locking the stores of a batch.
    pub lock: Histogram,
    /// Loading what the commands of a batch need, and judging who may do what.
    pub load: Histogram,
    /// Deciding the commands of a batch, in memory.
    pub decide: Histogram,
    /// Sending the changes of a batch.
    pub save: Histogram,
    /// COMMIT, or the ROLLBACK of a batch that changed nothing.
    pub commit: Histogram,
    phases: Family<PhaseLabels, Histogram, fn() -> Histogram>,
}

impl Default for WriterMetrics {
    fn default() -> Self {
        let phases = Family::<PhaseLabels, Histogram, fn() -> Histogram>::new_with_constructor(durations);
        let of = |phase| phases.get_or_create_owned(&PhaseLabels { phase });
        Self {
            queue_wait: durations(),
            batch_commands: Histogram::new(COMMANDS),
            lock: of("lock"),
            load: of("load"),
            decide: of("decide"),
            save: of("save"),
            commit: of("commit"),
            phases,
        }
    }
}

impl WriterMetrics {
    /// Instruments that a scrape of this registry shows.
    pub fn registered(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let own = registry.sub_registry_with_prefix(PREFIX);
        let help = "How long commands waited until a writer took them";
        own.register_with_unit("writer_queue_wait", help, Unit::Seconds, metrics.queue_wait.clone());
        let help = "How many commands shared a transaction that was committed";
        own.register("writer_batch_commands", help, metrics.batch_commands.clone());
        let help = "How long each phase of a write transaction took";
        own.register_with_unit("writer_phase", help, Unit::Seconds, metrics.phases.clone());
        metrics
    }
}

/// What the readers measure of reads of one class.
#[derive(Clone, Debug)]
pub struct ReadClassMetrics {
    /// How long a read waited until a reader took it.
    pub queue_wait: Histogram,
    /// How long a read took, with its retries, whatever came of it.
    pub duration: Histogram,
}

/// What all readers of an instance measure.
#[derive(Clone, Debug)]
pub struct ReaderMetrics {
    /// Of small reads.
    pub small: ReadClassMetrics,
    /// Of large reads.
    pub large: ReadClassMetrics,
    queue_waits: Family<ClassLabels, Histogram, fn() -> Histogram>,
    durations: Family<ClassLabels, Histogram, fn() -> Histogram>,
}

impl Default for ReaderMetrics {
    fn default() -> Self {
        let queue_waits = Family::<ClassLabels, Histogram, fn() -> Histogram>::new_with_constructor(durations);
        let durations = Family::<ClassLabels, Histogram, fn() -> Histogram>::new_with_constructor(durations);
        let of = |class| ReadClassMetrics {
            queue_wait: queue_waits.get_or_create_owned(&ClassLabels { class }),
            duration: durations.get_or_create_owned(&ClassLabels { class }),
        };
        Self { small: of("small"), large: of("large"), queue_waits, durations }
    }
}

impl ReaderMetrics {
    /// Instruments that a scrape of this registry shows.
    pub fn registered(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let own = registry.sub_registry_with_prefix(PREFIX);
        let help = "How long reads waited until a reader took them";
        own.register_with_unit("reader_queue_wait", help, Unit::Seconds, metrics.queue_waits.clone());
        let help = "How long reads took, with their retries";
        own.register_with_unit("read_duration", help, Unit::Seconds, metrics.durations.clone());
        metrics
    }
}

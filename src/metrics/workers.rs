//! What the writers and readers measure: how long work waits, how many commands share a transaction, and where its time goes.
//!
//! Clones share their values. The default is shown nowhere, so it records nothing.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::{PREFIX, Recorder, durations};

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
#[derive(Clone, Debug, Default)]
pub struct WriterMetrics {
    /// How long a command waited until a writer first took it.
    pub queue_wait: Recorder,
    /// How many commands a transaction answered.
    pub batch_commands: Recorder,
    /// BEGIN, and locking the stores of a batch.
    pub lock: Recorder,
    /// Loading what the commands of a batch need, and judging who may do what.
    pub load: Recorder,
    /// Deciding the commands of a batch, in memory.
    pub decide: Recorder,
    /// Sending the changes of a batch.
    pub save: Recorder,
    /// COMMIT, or the ROLLBACK of a batch that changed nothing.
    pub commit: Recorder,
}

impl WriterMetrics {
    /// Instruments that a scrape of this registry shows.
    pub fn registered(registry: &mut Registry) -> Self {
        let queue_wait = durations();
        let batch_commands = Histogram::new(COMMANDS);
        let phases = Family::<PhaseLabels, Histogram, fn() -> Histogram>::new_with_constructor(durations);
        let of = |phase| phases.get_or_create_owned(&PhaseLabels { phase }).into();
        let metrics = Self {
            queue_wait: queue_wait.clone().into(),
            batch_commands: batch_commands.clone().into(),
            lock: of("lock"),
            load: of("load"),
            decide: of("decide"),
            save: of("save"),
            commit: of("commit"),
        };
        let own = registry.sub_registry_with_prefix(PREFIX);
        let help = "How long commands waited until a writer took them";
        own.register_with_unit("writer_queue_wait", help, Unit::Seconds, queue_wait);
        let help = "How many commands shared a transaction that was committed";
        own.register("writer_batch_commands", help, batch_commands);
        let help = "How long each phase of a write transaction took";
        own.register_with_unit("writer_phase", help, Unit::Seconds, phases);
        metrics
    }
}

/// What the readers measure of reads of one class.
#[derive(Clone, Debug, Default)]
pub struct ReadClassMetrics {
    /// How long a read waited until a reader took it.
    pub queue_wait: Recorder,
    /// How long a read took, with its retries, whatever came of it.
    pub duration: Recorder,
}

/// What all readers of an instance measure.
#[derive(Clone, Debug, Default)]
pub struct ReaderMetrics {
    /// Of small reads.
    pub small: ReadClassMetrics,
    /// Of large reads.
    pub large: ReadClassMetrics,
}

impl ReaderMetrics {
    /// Instruments that a scrape of this registry shows.
    pub fn registered(registry: &mut Registry) -> Self {
        let queue_waits = Family::<ClassLabels, Histogram, fn() -> Histogram>::new_with_constructor(durations);
        let durations = Family::<ClassLabels, Histogram, fn() -> Histogram>::new_with_constructor(durations);
        let of = |class| ReadClassMetrics {
            queue_wait: queue_waits.get_or_create_owned(&ClassLabels { class }).into(),
            duration: durations.get_or_create_owned(&ClassLabels { class }).into(),
        };
        let metrics = Self { small: of("small"), large: of("large") };
        let own = registry.sub_registry_with_prefix(PREFIX);
        let help = "How long reads waited until a reader took them";
        own.register_with_unit("reader_queue_wait", help, Unit::Seconds, queue_waits);
        let help = "How long reads took, with their retries";
        own.register_with_unit("read_duration", help, Unit::Seconds, durations);
        metrics
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::prometheus_text::encode;

    use super::*;

    #[test]
    fn what_is_registered_records_and_the_default_does_not() {
        let mut registry = Registry::default();
        let registered = WriterMetrics::registered(&mut registry);
        registered.commit.observe(0.25);
        registered.queue_wait.observe(0.25);
        registered.batch_commands.observe(3.0);
        ReaderMetrics::registered(&mut registry).large.duration.observe(0.25);

        let mut shown = String::new();
        encode(&mut shown, &registry).unwrap();
        for sum in [
            "writer_phase_seconds_sum{phase=\"commit\"} 0.25",
            "writer_queue_wait_seconds_sum 0.25",
            "writer_batch_commands_sum 3.0",
            "read_duration_seconds_sum{class=\"large\"} 0.25",
        ] {
            assert!(shown.contains(&format!("{PREFIX}_{sum}")), "{sum} is not in:\n{shown}");
        }

        let (off, reads) = (WriterMetrics::default(), ReaderMetrics::default());
        off.commit.observe(0.25);
        reads.large.duration.observe(0.25);
        assert!(off.commit.0.is_none() && off.queue_wait.0.is_none() && reads.large.duration.0.is_none());
    }
}

//! Measures the phases of a write transaction, which follow on each other without a gap.

use std::time::Instant;

use crate::metrics::Recorder;
use crate::traces::Phase;

/// The phases in their order.
const PHASES: [&str; 5] = ["lock", "load", "decide", "save", "commit"];

/// Knows the phases that have ended, and when the present one began.
pub(super) struct Stopwatch {
    ended: Vec<Phase>,
    from: Instant,
}

impl Stopwatch {
    /// The first phase begins.
    pub(super) fn start() -> Self {
        Self { ended: Vec::with_capacity(PHASES.len()), from: Instant::now() }
    }

    /// A phase ends, which is what this measures, and the next one begins.
    pub(super) fn lap(&mut self, measured: &Recorder) {
        let phase = self.end_phase();
        measured.observe(phase.to.saturating_duration_since(phase.from).as_secs_f64());
    }

    /// All phases. If the transaction failed, the last is the one in which it did.
    pub(super) fn phases(mut self, failed: bool) -> Vec<Phase> {
        if failed {
            self.end_phase();
        }
        self.ended
    }

    fn end_phase(&mut self) -> Phase {
        // There are no more phases than these; if there were, a trace would show the last name again.
        let name = PHASES[self.ended.len().min(PHASES.len() - 1)];
        let phase = Phase { name, from: self.from, to: Instant::now() };
        self.from = phase.to;
        self.ended.push(phase);
        phase
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_follow_on_each_other_and_the_last_is_the_one_that_failed() {
        let measured = Recorder::default();
        let mut stopwatch = Stopwatch::start();
        stopwatch.lap(&measured);
        stopwatch.lap(&measured);
        let phases = stopwatch.phases(true);
        assert_eq!(phases.iter().map(|phase| phase.name).collect::<Vec<_>>(), ["lock", "load", "decide"]);
        assert!(phases.windows(2).all(|pair| pair[0].to == pair[1].from));
    }

    #[test]
    fn a_transaction_that_was_committed_has_the_phases_that_were_measured() {
        let measured = Recorder::default();
        let mut stopwatch = Stopwatch::start();
        PHASES.iter().for_each(|_| stopwatch.lap(&measured));
        assert_eq!(stopwatch.phases(false).iter().map(|phase| phase.name).collect::<Vec<_>>(), PHASES);
    }
}

//! Measures phases that follow on each other without a gap.

use std::time::Instant;

use crate::metrics::Recorder;

/// Knows when the present phase began.
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    /// The first phase begins.
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    /// A phase ends, which is what this measures, and the next one begins.
    pub(super) fn lap(&mut self, phase: &Recorder) {
        let now = Instant::now();
        phase.observe(now.saturating_duration_since(self.0).as_secs_f64());
        self.0 = now;
    }
}

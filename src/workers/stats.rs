//! Counts how commands were batched, for the log and for tests that assert that a batch was shared. How the attempts of
//! each transaction ended is counted by [`crate::repository::transaction`], also for those that failed.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many transactions were committed and how many commands shared them, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// The transactions that answered at least one command. One that changed nothing counts too.
    pub batches: u64,
    /// The commands that these transactions answered.
    pub commands: u64,
    /// The highest number of commands that one transaction answered.
    pub largest_batch: u64,
}

/// The counters behind [`Stats`], shared by all writers. They are independent of each other: a reader may see
/// one updated and another not yet.
#[derive(Debug, Default)]
pub(super) struct BatchCounters {
    batches: AtomicU64,
    commands: AtomicU64,
    largest_batch: AtomicU64,
}

impl BatchCounters {
    pub(super) fn committed(&self, commands: usize) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.commands.fetch_add(commands as u64, Ordering::Relaxed);
        self.largest_batch.fetch_max(commands as u64, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Stats {
        Stats {
            batches: self.batches.load(Ordering::Relaxed),
            commands: self.commands.load(Ordering::Relaxed),
            largest_batch: self.largest_batch.load(Ordering::Relaxed),
        }
    }
}

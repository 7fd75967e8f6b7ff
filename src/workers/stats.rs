//! How commands were batched.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many commands shared a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Transactions that were committed.
    pub batches: u64,
    /// Commands that were answered by them.
    pub commands: u64,
    /// The most commands in one of them.
    pub largest_batch: u64,
}

/// Counts what [`Stats`] tells.
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

//! The worker threads between the calls and the database. A writer takes the commands that have queued up for its
//! stores and executes them in one transaction; readers execute reads, each on one snapshot. There is no SQL here
//! and no rule: [`crate::repository`] has the one and [`crate::domain`] the other.
//!
//! Diesel blocks the thread that uses it, so these are threads and not async tasks; calls wait for their answer
//! without blocking one. All queues are bounded, and so is every wait for the database (see [`Supervisor`]).
//!
//! Each store belongs to one writer by the hash of its id, so within an instance its commands are executed one
//! after another in the order in which they came; the lock on the store's row does the same between instances.

mod availability;
mod batch;
mod change_poller;
pub mod error;
mod in_flight;
mod job;
mod prober;
mod queue;
mod read_queue;
mod readers;
mod responder;
mod schedule;
mod stats;
mod stopwatch;
pub mod store_changes;
mod supervisor;
mod writer;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::availability::{Availability, AvailabilityState};
pub use self::change_poller::poll as poll_changes;
pub use self::prober::Prober;
pub use self::read_queue::ReadClass;
pub use self::readers::{ReaderParts, Readers, Requester};
pub use self::schedule::QueuedWork;
pub use self::stats::Stats;
pub use self::supervisor::{Supervised, Supervisor};

use self::error::{ServiceFault, WorkerError};
use self::job::Job;
use self::responder::Responder;
use self::stats::BatchCounters;
use self::store_changes::StoreChanges;
use self::supervisor::PendingCalls;
use self::writer::Writer;
use crate::clock::Clock;
use crate::domain::Ids;
use crate::domain::code::StoreId;
use crate::domain::command::{Envelope, Reply};
use crate::metrics::workers::WriterMetrics;
use crate::repository::dialect::Layout;
use crate::repository::pool::{Pool, PoolState};
use crate::traces::TracedCall;

/// What writers need from outside.
#[derive(Clone)]
pub struct WriterParts {
    /// Sessions for writing: at least one per writer, and some to replace those that hang.
    pub pool: Pool,
    /// The wall clock, by which commands are dated when they are decided.
    pub clock: Arc<dyn Clock>,
    /// The source of the ids that commands give to what they create.
    pub ids: Arc<dyn Ids>,
    /// How the database's tables are laid out, which decides how many stores may share a transaction.
    pub layout: Layout,
    /// The state of the database; commands are refused while writes are not possible.
    pub availability: Availability,
    /// How long a session may wait for one answer of the database before it is given up.
    pub timeout: Duration,
    /// How long a writer waits for another program that holds SQLite's write lock.
    pub lock_timeout: Duration,
    /// Is told of every store in which something was committed.
    pub changes: Arc<StoreChanges>,
    /// How long commands wait and take.
    pub metrics: WriterMetrics,
}

/// The writers of an instance.
pub struct Writers {
    writers: Vec<Arc<Writer>>,
    availability: Availability,
    counters: Arc<BatchCounters>,
    pool: Pool,
}

impl Writers {
    /// Starts this many writers, at least one.
    pub fn start(count: usize, parts: &WriterParts) -> std::io::Result<Self> {
        let counters = Arc::new(BatchCounters::default());
        let mut writers = Vec::new();
        for number in 0..count.max(1) {
            writers.push(Writer::start(number, parts, &counters)?);
        }
        Ok(Self { writers, availability: parts.availability.clone(), counters, pool: parts.pool.clone() })
    }

    /// Executes a command and answers once it is committed. `bytes` is how much memory it takes while it waits; `traced` is
    /// its call, if that is sampled.
    ///
    /// Dropping the future abandons the command: it is dropped from the queue, or not decided if it has left the
    /// queue already. Only when it was decided before that is it committed all the same.
    pub async fn submit(
        &self,
        envelope: Envelope,
        bytes: usize,
        deadline: Option<Instant>,
        traced: Option<TracedCall>,
    ) -> Result<Reply, WorkerError> {
        // Before it is queued: nothing would take it from the queue as long as the database is unavailable.
        self.availability.check_writes()?;
        let (answer, answered) = Responder::channel();
        let writer = self.writer_of(&envelope.store);
        writer.queue.push(Job::new(envelope, bytes, deadline, traced, answer))?;
        match answered.await {
            Ok(answer) => answer,
            // The responder was dropped unanswered: its thread has panicked, perhaps after the commit.
            Err(_) => Err(ServiceFault::OutcomeUnknown.into()),
        }
    }

    fn writer_of(&self, store: &StoreId) -> &Writer {
        // This hasher has fixed keys, so within a process a store always has the same writer.
        let mut hasher = DefaultHasher::new();
        store.hash(&mut hasher);
        &self.writers[(hasher.finish() % self.writers.len() as u64) as usize]
    }

    /// How the commands were batched so far.
    pub fn stats(&self) -> Stats {
        self.counters.read()
    }

    /// How many commands wait for the writers now, and how many bytes of memory they take.
    pub fn waiting(&self) -> QueuedWork {
        let mut waiting = QueuedWork::default();
        for writer in &self.writers {
            let queued = writer.queue.waiting();
            waiting.commands += queued.commands;
            waiting.bytes += queued.bytes;
        }
        waiting
    }

    /// The sessions of the writers.
    pub fn pool(&self) -> PoolState {
        self.pool.state()
    }

    /// The writers as the supervisor needs them, to replace threads that hang.
    pub fn supervised(&self) -> impl Iterator<Item = Arc<dyn Supervised>> {
        self.writers.iter().map(|writer| Arc::new(Arc::clone(writer)) as Arc<dyn Supervised>)
    }

    /// The queues as the prober needs them, to refuse what waits for an unavailable database.
    fn pending_calls(&self) -> impl Iterator<Item = Arc<dyn PendingCalls>> {
        self.writers.iter().map(|writer| Arc::new(Arc::clone(writer)) as Arc<dyn PendingCalls>)
    }

    /// Rejects further commands, and waits until those that are queued have been executed.
    pub fn stop(&self) {
        // All queues are closed first, so that the writers end at the same time and not one after another.
        self.writers.iter().for_each(|writer| writer.queue.close());
        self.writers.iter().for_each(|writer| writer.join());
    }
}

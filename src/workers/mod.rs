//! Threads between the callers and the database. A writer takes whatever commands have queued up for
//! its stores and does them in one transaction; readers answer reads, each on one snapshot. No SQL
//! lives here, and no rule.
//!
//! Each store belongs to one writer by the hash of its id, so its commands are done one after another
//! in the order in which they came; the lock on the store's row does the same between instances.

mod availability;
mod batch;
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
mod supervisor;
mod writer;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::availability::{Availability, Usable};
pub use self::prober::Prober;
pub use self::read_queue::ReadClass;
pub use self::readers::{ReaderParts, Readers};
pub use self::stats::Stats;
pub use self::supervisor::{Supervised, Supervisor};

use self::error::{ServiceFault, WorkerError};
use self::job::Job;
use self::responder::Responder;
use self::stats::BatchCounters;
use self::supervisor::Waiters;
use self::writer::Writer;
use crate::clock::Clock;
use crate::domain::Ids;
use crate::domain::code::StoreId;
use crate::domain::command::{Envelope, Reply};
use crate::repository::dialect::Layout;
use crate::repository::pool::Pool;

/// What writers are made with.
#[derive(Clone)]
pub struct WriterParts {
    /// Sessions for writing, at least one per writer, and some to replace them by.
    pub pool: Pool,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn Ids>,
    /// How the database's tables are laid out.
    pub layout: Layout,
    /// Whether the database can be used now.
    pub availability: Availability,
    /// How long a session waits for one answer of the database.
    pub timeout: Duration,
    /// How long a writer waits for a program that holds SQLite's write lock.
    pub lock_timeout: Duration,
}

/// The writers of a service.
pub struct Writers {
    writers: Vec<Arc<Writer>>,
    availability: Availability,
    counters: Arc<BatchCounters>,
}

impl Writers {
    /// Starts so many writers.
    pub fn start(count: usize, parts: &WriterParts) -> std::io::Result<Self> {
        let counters = Arc::new(BatchCounters::default());
        let writers = (0..count.max(1)).map(|number| Writer::start(number, parts, &counters));
        let writers = writers.collect::<std::io::Result<_>>()?;
        Ok(Self { writers, availability: parts.availability.clone(), counters })
    }

    /// Does a command and answers once it is committed. `bytes` is what it takes in memory.
    ///
    /// Dropping the future drops the command, unless its transaction has begun.
    pub async fn submit(
        &self,
        envelope: Envelope,
        bytes: usize,
        deadline: Option<Instant>,
    ) -> Result<Reply, WorkerError> {
        self.availability.check_writes()?;
        let (answer, answered) = Responder::channel();
        let writer = self.writer_of(&envelope.store);
        writer.queue.push(Job::new(envelope, bytes, deadline, answer))?;
        // A writer that ends without an answer may have committed before.
        answered.await.unwrap_or(Err(ServiceFault::OutcomeUnknown.into()))
    }

    fn writer_of(&self, store: &StoreId) -> &Writer {
        let mut hasher = DefaultHasher::new();
        store.hash(&mut hasher);
        &self.writers[(hasher.finish() % self.writers.len() as u64) as usize]
    }

    /// What the writers have done so far.
    pub fn stats(&self) -> Stats {
        self.counters.read()
    }

    /// Who replaces their threads.
    pub fn supervised(&self) -> impl Iterator<Item = Arc<dyn Supervised>> {
        self.writers.iter().map(|writer| Arc::new(Arc::clone(writer)) as Arc<dyn Supervised>)
    }

    /// Where their commands wait.
    fn waiters(&self) -> impl Iterator<Item = Arc<dyn Waiters>> {
        self.writers.iter().map(|writer| Arc::new(Arc::clone(writer)) as Arc<dyn Waiters>)
    }

    /// Has the writers finish what is queued, and waits for them.
    pub fn stop(&self) {
        self.writers.iter().for_each(|writer| writer.queue.close());
        self.writers.iter().for_each(|writer| writer.join());
    }
}

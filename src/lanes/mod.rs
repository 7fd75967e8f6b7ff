//! Threads between the callers and the database. A lane takes whatever commands have queued up for
//! its stores and does them in one transaction; readers answer reads, each on one snapshot. No SQL
//! lives here, and no rule.
//!
//! Each store belongs to one lane by the hash of its id, so its commands are done one after another
//! in the order in which they came; the lock on the store's row does the same between instances.

mod answer;
mod availability;
mod batch;
mod job;
mod lane;
mod prober;
mod queue;
mod read_queue;
mod readers;
mod schedule;
mod seat;
mod stats;
mod supervisor;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::availability::{Availability, Usable};
pub use self::prober::Prober;
pub use self::read_queue::ReadClass;
pub use self::readers::{ReaderParts, Readers};
pub use self::stats::Stats;
pub use self::supervisor::{Supervised, Supervisor};

use self::answer::Answer;
use self::job::Job;
use self::lane::Writer;
use self::stats::Counters;
use self::supervisor::Waiters;
use crate::clock::Clock;
use crate::domain::Ids;
use crate::domain::code::StoreId;
use crate::domain::mutation::{Reply, Request};
use crate::domain::refusal::Refusal;
use crate::repository::dialect::Layout;
use crate::repository::pool::Pool;

/// What lanes are made with.
#[derive(Clone)]
pub struct LaneParts {
    /// Sessions for writing, at least one per lane, and some to replace them by.
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
}

/// The lanes of a service.
pub struct Lanes {
    writers: Vec<Arc<Writer>>,
    availability: Availability,
    counters: Arc<Counters>,
}

impl Lanes {
    /// Starts so many lanes.
    pub fn start(count: usize, parts: &LaneParts) -> std::io::Result<Self> {
        let counters = Arc::new(Counters::default());
        let writers = (0..count.max(1)).map(|number| Writer::start(number, parts, &counters));
        let writers = writers.collect::<std::io::Result<_>>()?;
        Ok(Self { writers, availability: parts.availability.clone(), counters })
    }

    /// Does a command and answers once it is committed. `bytes` is what it takes in memory.
    ///
    /// Dropping the future drops the command, unless its transaction has begun.
    pub async fn submit(&self, request: Request, bytes: usize, deadline: Option<Instant>) -> Result<Reply, Refusal> {
        self.availability.check_writes()?;
        let (answer, answered) = Answer::channel();
        let writer = self.writer_of(&request.store);
        writer.queue.push(Job::new(request, bytes, deadline, answer))?;
        // A writer that ends without an answer may have committed before.
        answered.await.unwrap_or(Err(Refusal::OutcomeUnknown))
    }

    fn writer_of(&self, store: &StoreId) -> &Writer {
        let mut hasher = DefaultHasher::new();
        store.hash(&mut hasher);
        &self.writers[(hasher.finish() % self.writers.len() as u64) as usize]
    }

    /// What the lanes have done so far.
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

    /// Has the lanes finish what is queued, and waits for them.
    pub fn stop(&self) {
        self.writers.iter().for_each(|writer| writer.queue.close());
        self.writers.iter().for_each(|writer| writer.join());
    }
}

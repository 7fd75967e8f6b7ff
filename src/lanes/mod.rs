//! Threads between the callers and the database. A lane takes whatever commands have queued up for
//! its stores and does them in one transaction; readers answer reads, each on one snapshot. No SQL
//! lives here, and no rule.
//!
//! Each store belongs to one lane by the hash of its id, so its commands are done one after another
//! in the order in which they came; the lock on the store's row does the same between instances.

mod batch;
mod job;
mod lane;
mod queue;
mod read_queue;
mod readers;
mod schedule;
mod stats;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

pub use self::read_queue::ReadClass;
pub use self::readers::Readers;
pub use self::stats::Stats;

use self::job::Job;
use self::lane::Lane;
use self::queue::Queue;
use self::stats::Counters;
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
    /// Sessions for writing, at least one per lane.
    pub pool: Pool,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn Ids>,
    /// How the database's tables are laid out.
    pub layout: Layout,
    /// How long a writer waits for a program that holds SQLite's write lock.
    pub lock_patience: Duration,
}

/// The lanes of a service.
pub struct Lanes {
    queues: Vec<Arc<Queue>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    counters: Arc<Counters>,
}

impl Lanes {
    /// Starts so many lanes.
    pub fn start(count: usize, parts: &LaneParts) -> std::io::Result<Self> {
        let counters = Arc::new(Counters::default());
        let (mut queues, mut threads) = (Vec::new(), Vec::new());
        for number in 0..count.max(1) {
            let queue = Arc::new(Queue::default());
            let lane = Lane::new(Arc::clone(&queue), parts.clone(), Arc::clone(&counters));
            threads.push(std::thread::Builder::new().name(format!("lane-{number}")).spawn(move || lane.run())?);
            queues.push(queue);
        }
        Ok(Self { queues, threads: Mutex::new(threads), counters })
    }

    /// Does a command and answers once it is committed. `bytes` is what it takes in memory.
    ///
    /// Dropping the future drops the command, unless its transaction has begun.
    pub async fn submit(&self, request: Request, bytes: usize, deadline: Option<Instant>) -> Result<Reply, Refusal> {
        let (answer, answered) = oneshot::channel();
        let lane = self.lane_of(&request.store);
        lane.push(Job::new(request, bytes, deadline, answer))?;
        answered.await.unwrap_or_else(|_| Err(Refusal::Internal("a lane dropped a command".to_owned())))
    }

    fn lane_of(&self, store: &StoreId) -> &Queue {
        let mut hasher = DefaultHasher::new();
        store.hash(&mut hasher);
        &self.queues[(hasher.finish() % self.queues.len() as u64) as usize]
    }

    /// What the lanes have done so far.
    pub fn stats(&self) -> Stats {
        self.counters.read()
    }

    /// Lets the lanes finish what is queued, and waits for them.
    pub fn stop(&self) {
        self.queues.iter().for_each(|queue| queue.close());
        for thread in self.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            if thread.join().is_err() {
                tracing::error!("a lane ended by a panic");
            }
        }
    }
}

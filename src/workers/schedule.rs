//! Which commands a writer takes next: one queue per store, served in turn by cost, so that no store waits for
//! more than its share of another store's work. This module is pure: the time is passed in, and nothing is
//! locked or awaited here; [`super::queue`] does that.
//!
//! The turns are a deficit round robin (Shreedhar and Varghese, 1995). At each turn a store is granted
//! [`QUANTUM`] of cost, and its commands are taken as long as the cost granted so far covers them. So a store
//! with one small command waits for at most one turn of each other store, and while a store saves up for a
//! command that costs 5,000, the others have their turns.
//!
//! Invariant: the commands of one store are taken in the order in which they came, also when some of them were
//! taken before and are put back.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::job::Job;
use crate::domain::code::StoreId;

/// How many commands may wait for one writer; those of one store fill at most half of it.
const MAX_COMMANDS: usize = 4_096;
/// How many bytes of memory the waiting commands may take; those of one store fill at most half of it.
const MAX_BYTES: usize = 24 * 1024 * 1024;
/// The most commands of one transaction.
pub(super) const BATCH_COMMANDS: usize = 128;
/// The highest cost of one transaction. A command that costs more gets a transaction of its own.
pub(super) const BATCH_COST: usize = 3_000;
/// The cost that a store is granted at each of its turns.
const QUANTUM: usize = 256;
/// How soon the lock of a store is tried again that another instance held. Each retry costs one short
/// transaction for all such stores together.
const FIRST_RETRY: Duration = Duration::from_millis(2);
/// The longest delay before a retry; the delay doubles with each failed attempt until then.
const LAST_RETRY: Duration = Duration::from_millis(16);

/// The number of waiting commands and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueuedWork {
    /// How many commands wait.
    pub commands: usize,
    /// How many bytes of memory they take.
    pub bytes: usize,
}

impl QueuedWork {
    fn add(&mut self, job: &Job) {
        self.commands += 1;
        self.bytes += job.bytes;
    }

    fn remove(&mut self, job: &Job) {
        self.commands -= 1;
        self.bytes -= job.bytes;
    }

    /// Whether another job fits into `1 / divisor` of the limits. The first job always does: no message is larger
    /// than that.
    fn has_room_for(&self, job: &Job, divisor: usize) -> bool {
        if self.commands == 0 {
            return true;
        }
        self.commands < MAX_COMMANDS / divisor && self.bytes + job.bytes <= MAX_BYTES / divisor
    }
}

/// The waiting commands of one store. It exists only while there are any, so that memory does not grow with the
/// number of stores that requests name.
#[derive(Default)]
struct StoreQueue {
    jobs: VecDeque<Job>,
    queued: QueuedWork,
    /// The cost that was granted to the store at its turns and is not used yet.
    deficit: usize,
    state: StoreState,
}

/// Whether a store gets turns.
#[derive(Clone, Copy, Default)]
enum StoreState {
    /// The queue was just created, and is not in any list yet.
    #[default]
    New,
    /// The store is in `Schedule::rotation` and waits for its turn.
    InRotation,
    /// The store is in `Schedule::backing_off` and gets no turn before its retry.
    BackingOff,
}

/// All commands that wait for one writer.
#[derive(Default)]
pub(super) struct Schedule {
    stores: HashMap<StoreId, StoreQueue>,
    /// The stores that get turns, the next one first.
    rotation: VecDeque<StoreId>,
    /// The stores whose lock another instance held, by the time of their next retry.
    backing_off: BTreeSet<(Instant, StoreId)>,
    total: QueuedWork,
}

impl Schedule {
    /// All waiting jobs, those of each store in their order.
    pub(super) fn into_jobs(self) -> Vec<Job> {
        self.stores.into_values().flat_map(|queue| queue.jobs).collect()
    }

    /// Puts a job at the end of its store's queue; gives it back if there is no room.
    pub(super) fn push(&mut self, job: Job) -> Result<(), Job> {
        let of_store = self.stores.get(&job.envelope.store).map(|queue| queue.queued).unwrap_or_default();
        if !self.total.has_room_for(&job, 1) || !of_store.has_room_for(&job, 2) {
            return Err(job);
        }
        self.queue_for(&job).jobs.push_back(job);
        Ok(())
    }

    /// Puts jobs that were taken in front of their stores' queues again, in their order. There is always room
    /// for them: their callers were promised an answer.
    pub(super) fn requeue(&mut self, jobs: Vec<Job>) {
        for job in jobs.into_iter().rev() {
            self.queue_for(&job).jobs.push_front(job);
        }
    }

    /// Requeues jobs whose stores another instance has locked, and gives these stores no turn for a short time.
    /// The delay doubles each time that the same job finds its store locked, up to [`LAST_RETRY`]. `jitter`, from
    /// 0 to 1, varies it so that several instances do not retry in step.
    pub(super) fn back_off(&mut self, mut jobs: Vec<Job>, now: Instant, jitter: f64) {
        let mut delays: HashMap<StoreId, Duration> = HashMap::new();
        for job in &mut jobs {
            // Bounded before the shift, which would overflow for a job that finds its store locked for long.
            let delay = (FIRST_RETRY * (1 << job.lock_attempts.min(8))).min(LAST_RETRY);
            job.lock_attempts += 1;
            // The oldest job of a store decides.
            delays.entry(job.envelope.store.clone()).or_insert(delay);
        }
        self.requeue(jobs);
        for (store, delay) in delays {
            let retry = now + delay.mul_f64(0.5 + jitter / 2.0);
            if let Some(queue) = self.stores.get_mut(&store) {
                queue.state = StoreState::BackingOff;
                // Requeueing has put it into the rotation if it had no queue left.
                self.rotation.retain(|other| *other != store);
                self.backing_off.insert((retry, store));
            }
        }
    }

    /// Takes the jobs of one transaction, about at most `max_stores` stores; none if no store gets a turn now.
    pub(super) fn take_batch(&mut self, max_stores: usize, now: Instant) -> Vec<Job> {
        self.resume_stores(now);
        let mut batch = Batch::default();
        // Stores whose next command does not fit into this batch. Those that the batch has nothing of come first
        // in the next one, so that they do not wait twice; the others come last.
        let mut passed_over = Vec::new();
        let mut served = Vec::new();
        while batch.jobs.len() < BATCH_COMMANDS
            && let Some(store) = self.rotation.pop_front()
        {
            match self.take_turn(&store, &mut batch, max_stores) {
                TurnEnd::QueueEmpty => {
                    // With its queue goes what it was granted and has not used: nobody saves up for later while nothing
                    // waits.
                    self.stores.remove(&store);
                }
                TurnEnd::DeficitTooLow => self.rotation.push_back(store),
                TurnEnd::BatchFull if batch.stores.contains(&store) => served.push(store),
                TurnEnd::BatchFull => passed_over.push(store),
            }
        }
        self.rotation.extend(served);
        for store in passed_over.into_iter().rev() {
            self.rotation.push_front(store);
        }
        batch.jobs
    }

    /// When the next store that is backing off is to be tried again.
    pub(super) fn next_retry(&self) -> Option<Instant> {
        self.backing_off.first().map(|(retry, _)| *retry)
    }

    /// What waits, also for a retry.
    pub(super) fn waiting(&self) -> QueuedWork {
        self.total
    }

    /// Whether no job waits, not even for a retry.
    pub(super) fn is_empty(&self) -> bool {
        self.stores.is_empty()
    }

    /// The queue that a job is about to enter. Counts the job, and gives a new queue its place in the rotation.
    fn queue_for(&mut self, job: &Job) -> &mut StoreQueue {
        self.total.add(job);
        let queue = self.stores.entry(job.envelope.store.clone()).or_default();
        queue.queued.add(job);
        // A store that is backing off comes back at its retry, and not because another command of it has come.
        if matches!(queue.state, StoreState::New) {
            queue.state = StoreState::InRotation;
            self.rotation.push_back(job.envelope.store.clone());
        }
        queue
    }

    /// Puts the stores whose retry is due back into the rotation.
    fn resume_stores(&mut self, now: Instant) {
        while let Some((retry, _)) = self.backing_off.first()
            && *retry <= now
            && let Some((_, store)) = self.backing_off.pop_first()
        {
            if let Some(queue) = self.stores.get_mut(&store) {
                queue.state = StoreState::InRotation;
                self.rotation.push_back(store);
            }
        }
    }

    /// Grants a store its quantum and takes its commands into the batch as long as they fit and are covered.
    fn take_turn(&mut self, store: &StoreId, batch: &mut Batch, max_stores: usize) -> TurnEnd {
        let Some(queue) = self.stores.get_mut(store) else { return TurnEnd::QueueEmpty };
        queue.deficit += QUANTUM;
        while let Some(job) = queue.jobs.front() {
            if !batch.has_room_for(job, max_stores) {
                // Turns that end for want of room must not add up to a burst later: the store keeps no more than
                // its next command takes.
                queue.deficit = queue.deficit.min(QUANTUM.max(job.cost));
                return TurnEnd::BatchFull;
            }
            if job.cost > queue.deficit {
                return TurnEnd::DeficitTooLow;
            }
            // It is the job that was looked at above.
            let Some(job) = queue.jobs.pop_front() else { break };
            queue.deficit -= job.cost;
            queue.queued.remove(&job);
            self.total.remove(&job);
            batch.add(job);
        }
        TurnEnd::QueueEmpty
    }
}

/// Why a store's turn ended.
enum TurnEnd {
    /// All of its commands were taken.
    QueueEmpty,
    /// Its next command costs more than it was granted so far.
    DeficitTooLow,
    /// Its next command does not fit into this batch.
    BatchFull,
}

/// A batch that is being filled.
#[derive(Default)]
struct Batch {
    jobs: Vec<Job>,
    cost: usize,
    stores: BTreeSet<StoreId>,
    /// The stores of which an exclusive command was taken: no other command of these may join.
    exclusive: BTreeSet<StoreId>,
}

impl Batch {
    /// Whether a command may join. The first always may, whatever it costs: otherwise it would never be done.
    fn has_room_for(&self, job: &Job, max_stores: usize) -> bool {
        if self.jobs.is_empty() {
            return true;
        }
        if self.jobs.len() >= BATCH_COMMANDS || self.cost + job.cost > BATCH_COST || job.alone || self.jobs[0].alone {
            return false;
        }
        let store = &job.envelope.store;
        if self.stores.contains(store) {
            !job.is_exclusive() && !self.exclusive.contains(store)
        } else {
            self.stores.len() < max_stores
        }
    }

    fn add(&mut self, job: Job) {
        self.cost += job.cost;
        self.stores.insert(job.envelope.store.clone());
        if job.is_exclusive() {
            self.exclusive.insert(job.envelope.store.clone());
        }
        self.jobs.push(job);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::job::tests::job_of;
    use super::*;
    use crate::domain::needs::{Need, Needs};

    /// A job of this store with this cost. Its number is kept as its bytes.
    fn job(store: &str, number: usize, cost: usize) -> Job {
        Job { cost, ..job_of(store, number).0 }
    }

    fn exclusive(store: &str, number: usize) -> Job {
        let mut needs = Needs::default();
        needs.add(Need::OpenOrders);
        Job { needs: Arc::new(needs), ..job(store, number, 1) }
    }

    fn schedule(jobs: impl IntoIterator<Item = Job>) -> Schedule {
        let mut schedule = Schedule::default();
        for job in jobs {
            assert!(schedule.push(job).is_ok(), "there is room");
        }
        schedule
    }

    fn names(batch: &[Job]) -> Vec<String> {
        batch.iter().map(|job| format!("{}{}", job.envelope.store, job.bytes)).collect()
    }

    /// Batches until nothing is left.
    fn batches(mut schedule: Schedule, max_stores: usize) -> Vec<Vec<String>> {
        let now = Instant::now();
        let mut batches = Vec::new();
        loop {
            let batch = schedule.take_batch(max_stores, now);
            if batch.is_empty() {
                return batches;
            }
            batches.push(names(&batch));
        }
    }

    #[test]
    fn a_store_keeps_its_order_and_small_work_shares_a_batch() {
        let jobs = [job("a", 1, 1), job("b", 1, 1), job("a", 2, 1), job("c", 1, 1)];
        assert_eq!(batches(schedule(jobs), 64), [["a1", "a2", "b1", "c1"]]);
    }

    #[test]
    fn a_store_with_much_work_leaves_the_others_their_turns() {
        for cost in [1, 100, 2_000, 5_000] {
            let greedy = (1..=1_000).map(|n| job("a", n, cost));
            let taken = batches(schedule(greedy.chain([job("b", 1, 1), job("c", 1, 10)])), 64);
            let first_two = taken[..2].concat();
            assert!(["b1", "c1"].iter().all(|small| first_two.contains(&(*small).to_owned())), "{cost}: {first_two:?}");
            let of_greedy: Vec<String> = taken.concat().into_iter().filter(|name| name.starts_with('a')).collect();
            assert_eq!(of_greedy, (1..=1_000).map(|n| format!("a{n}")).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_batch_is_bounded_by_commands_and_cost() {
        let small = batches(schedule((1..=300).map(|n| job("a", n, 1))), 64);
        assert_eq!(small.iter().map(Vec::len).collect::<Vec<_>>(), [128, 128, 44]);
        let large = batches(schedule((1..=7).map(|n| job("a", n, 1_000))), 64);
        assert_eq!(large.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1]);
    }

    #[test]
    fn a_command_larger_than_a_batch_goes_alone_and_in_its_turn() {
        let jobs = [job("a", 1, 1), job("a", 2, 20_000), job("a", 3, 1), job("b", 1, 1), job("b", 2, 1)];
        assert_eq!(batches(schedule(jobs), 64), [vec!["a1", "b1", "b2"], vec!["a2"], vec!["a3"]]);
    }

    #[test]
    fn an_exclusive_command_shares_its_batch_with_none_of_its_store() {
        let jobs = [job("a", 1, 1), exclusive("a", 2), exclusive("a", 3), job("a", 4, 1), job("b", 1, 1)];
        let expected = [vec!["a1", "b1"], vec!["a2"], vec!["a3"], vec!["a4"]];
        assert_eq!(batches(schedule(jobs), 64), expected);
    }

    #[test]
    fn a_command_that_has_to_be_alone_keeps_its_order_too() {
        let alone = |store, number| Job { alone: true, ..job(store, number, 1) };
        let jobs = [job("a", 1, 1), alone("a", 2), alone("a", 3), job("a", 4, 1), alone("b", 1)];
        assert_eq!(batches(schedule(jobs), 64), [["a1"], ["b1"], ["a2"], ["a3"], ["a4"]]);
    }

    #[test]
    fn a_batch_is_about_so_many_stores() {
        let jobs = ["a", "b", "a", "c"].map(|store| job(store, 1, 1));
        assert_eq!(batches(schedule(jobs), 1), [vec!["a1", "a1"], vec!["b1"], vec!["c1"]]);
    }

    /// Pushes jobs of a store until one is refused; how many were accepted.
    fn fill(schedule: &mut Schedule, store: &str) -> usize {
        let mut accepted = 0;
        while schedule.push(job(store, 1, 1)).is_ok() {
            accepted += 1;
        }
        accepted
    }

    #[test]
    fn a_store_fills_at_most_half_of_the_room_and_all_together_fill_it() {
        let mut schedule = Schedule::default();
        assert_eq!(fill(&mut schedule, "a"), MAX_COMMANDS / 2);
        assert_eq!(fill(&mut schedule, "b"), MAX_COMMANDS / 2);
        assert!(schedule.push(job("c", 1, 1)).is_err(), "there is no room left");
        schedule.take_batch(64, Instant::now());
        assert!(schedule.push(job("c", 1, 1)).is_ok(), "there is room again");
        let mut by_bytes = Schedule::default();
        assert!(by_bytes.push(job("a", MAX_BYTES / 2, 1)).is_ok() && by_bytes.push(job("a", 1, 1)).is_err());
    }

    #[test]
    fn a_locked_store_is_retried_later_each_time_and_delays_no_other() {
        let mut schedule = schedule([job("a", 1, 1), job("a", 2, 1), job("b", 1, 1)]);
        let mut now = Instant::now();
        let mut delays = Vec::new();
        for n in 0..6 {
            let mut batch = schedule.take_batch(64, now);
            let locked: Vec<Job> = batch.extract_if(.., |job| job.envelope.store.as_str() == "a").collect();
            assert_eq!(names(&locked), ["a1", "a2"]);
            assert_eq!(batch.len(), usize::from(n == 0), "the other store is served at once");
            schedule.back_off(locked, now, 1.0);
            assert!(schedule.take_batch(64, now).is_empty());
            let retry = schedule.next_retry().unwrap();
            delays.push((retry - now).as_millis());
            now = retry;
        }
        assert_eq!(delays, [2, 4, 8, 16, 16, 16]);
        schedule.push(job("a", 3, 1)).unwrap_or_else(|_| panic!("there is room"));
        assert_eq!(names(&schedule.take_batch(64, now)), ["a1", "a2", "a3"]);
        assert!(schedule.is_empty() && schedule.next_retry().is_none());
    }

    #[test]
    fn jitter_shortens_a_delay_by_up_to_half() {
        let now = Instant::now();
        for (jitter, micros) in [(0.0, 1_000), (0.5, 1_500), (1.0, 2_000)] {
            let mut schedule = Schedule::default();
            schedule.back_off(vec![job("a", 1, 1)], now, jitter);
            assert_eq!((schedule.next_retry().unwrap() - now).as_micros(), micros);
        }
    }

    #[test]
    fn requeued_jobs_come_first_again() {
        let mut schedule = schedule([job("a", 1, 1), job("a", 2, 1), job("a", 3, 1)]);
        let batch = schedule.take_batch(64, Instant::now());
        schedule.push(job("a", 4, 1)).unwrap_or_else(|_| panic!("there is room"));
        schedule.requeue(batch);
        assert_eq!(batches(schedule, 64), [["a1", "a2", "a3", "a4"]]);
    }
}

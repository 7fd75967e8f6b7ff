//! Which commands a writer takes next: a queue for each store, served in turn by cost, so that no store
//! waits for more than its share of another's work. Pure: time is handed in, and nothing is locked or
//! awaited here; [`super::queue`] does that.
//!
//! The turns are a deficit round robin (Shreedhar and Varghese, 1995): at each turn a store is granted
//! [`QUANTUM`] of cost and gives up commands as long as what it was granted covers them. So a store
//! with one small command waits for one turn of each other store at most, and a store with a command
//! that costs 5,000 lets the others have their turns in the meantime.
//!
//! The commands of one store keep their order, whatever happens.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::job::Job;
use crate::domain::code::StoreId;

/// How many commands wait at most, and how many bytes they may take; one store's at most half of each.
const MAX_COMMANDS: usize = 4_096;
const MAX_BYTES: usize = 24 * 1024 * 1024;
/// How many commands a transaction takes.
pub(super) const BATCH_COMMANDS: usize = 128;
/// How much cost a transaction takes. A command that costs more has a transaction of its own.
pub(super) const BATCH_COST: usize = 3_000;
/// How much cost a store is granted at each of its turns.
const QUANTUM: usize = 256;
/// How soon a store that somebody else has locked is tried again: at first, and at most. Trying costs
/// one short transaction for all such stores together.
const FIRST_RETRY: Duration = Duration::from_millis(2);
const LAST_RETRY: Duration = Duration::from_millis(16);

/// Commands and what they take in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct QueuedWork {
    commands: usize,
    bytes: usize,
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

    /// Whether a job still fits under one `share`-th of the bounds. A single job always does: no message
    /// is larger than a share.
    fn fits(&self, job: &Job, share: usize) -> bool {
        self.commands == 0 || (self.commands < MAX_COMMANDS / share && self.bytes + job.bytes <= MAX_BYTES / share)
    }
}

/// The commands of one store. It exists while there are any.
#[derive(Default)]
struct StoreQueue {
    jobs: VecDeque<Job>,
    load: QueuedWork,
    /// What the store was granted and has not used.
    deficit: usize,
    place: Place,
}

/// Where a store stands.
#[derive(Clone, Copy, Default)]
enum Place {
    #[default]
    Nowhere,
    /// Its turn comes.
    InRound,
    /// Its turn does not come before a moment that `Schedule::aside` holds.
    Aside,
}

/// See the module.
#[derive(Default)]
pub(super) struct Schedule {
    stores: HashMap<StoreId, StoreQueue>,
    /// The stores whose turn comes, in their order.
    round: VecDeque<StoreId>,
    /// The stores that are set aside, by when they are tried again.
    aside: BTreeSet<(Instant, StoreId)>,
    total: QueuedWork,
}

impl Schedule {
    /// All jobs, those of each store in their order.
    pub(super) fn into_jobs(self) -> Vec<Job> {
        self.stores.into_values().flat_map(|queue| queue.jobs).collect()
    }

    /// Puts a job at the end of its store's queue; gives it back if there is no room.
    pub(super) fn push(&mut self, job: Job) -> Result<(), Job> {
        let of_store = self.stores.get(&job.envelope.store).map(|queue| queue.load).unwrap_or_default();
        if !self.total.fits(&job, 1) || !of_store.fits(&job, 2) {
            return Err(job);
        }
        self.queue_of(&job).jobs.push_back(job);
        Ok(())
    }

    /// Puts jobs that were taken back in front of their stores' queues, in their order.
    pub(super) fn put_back(&mut self, jobs: Vec<Job>) {
        for job in jobs.into_iter().rev() {
            self.queue_of(&job).jobs.push_front(job);
        }
    }

    /// Puts jobs back likewise, and does not give their stores a turn for a moment: somebody else has
    /// locked them. The moment grows with each time that the same job finds its store so, up to
    /// [`LAST_RETRY`]; `jitter`, from 0 to 1, keeps instances from trying in step.
    pub(super) fn set_aside(&mut self, mut jobs: Vec<Job>, now: Instant, jitter: f64) {
        let mut delays: HashMap<StoreId, Duration> = HashMap::new();
        for job in &mut jobs {
            let delay = (FIRST_RETRY * (1 << job.lock_attempts.min(8))).min(LAST_RETRY);
            job.lock_attempts += 1;
            delays.entry(job.envelope.store.clone()).or_insert(delay);
        }
        self.put_back(jobs);
        for (store, delay) in delays {
            let until = now + delay.mul_f64(0.5 + jitter / 2.0);
            if let Some(queue) = self.stores.get_mut(&store) {
                queue.place = Place::Aside;
                self.round.retain(|other| *other != store);
                self.aside.insert((until, store));
            }
        }
    }

    /// Takes the jobs of one transaction about at most so many stores; none if no store has its turn.
    pub(super) fn take_batch(&mut self, max_stores: usize, now: Instant) -> Vec<Job> {
        self.end_set_asides(now);
        let mut batch = Batch::default();
        // Stores whose next command does not go with this batch. Those that it has nothing of come first
        // in the next.
        let (mut passed_over, mut served) = (Vec::new(), Vec::new());
        while batch.jobs.len() < BATCH_COMMANDS
            && let Some(store) = self.round.pop_front()
        {
            match self.take_turn(&store, &mut batch, max_stores) {
                Turn::Exhausted => drop(self.stores.remove(&store)),
                Turn::NotCovered => self.round.push_back(store),
                Turn::NotFitting if batch.stores.contains(&store) => served.push(store),
                Turn::NotFitting => passed_over.push(store),
            }
        }
        self.round.extend(served);
        for store in passed_over.into_iter().rev() {
            self.round.push_front(store);
        }
        batch.jobs
    }

    /// When the next store that is set aside is to be tried again.
    pub(super) fn next_retry(&self) -> Option<Instant> {
        self.aside.first().map(|(until, _)| *until)
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.stores.is_empty()
    }

    /// The queue that a job is about to enter.
    fn queue_of(&mut self, job: &Job) -> &mut StoreQueue {
        self.total.add(job);
        let queue = self.stores.entry(job.envelope.store.clone()).or_default();
        queue.load.add(job);
        if matches!(queue.place, Place::Nowhere) {
            queue.place = Place::InRound;
            self.round.push_back(job.envelope.store.clone());
        }
        queue
    }

    /// Gives the stores a turn again whose moment has passed.
    fn end_set_asides(&mut self, now: Instant) {
        while let Some((until, _)) = self.aside.first()
            && *until <= now
            && let Some((_, store)) = self.aside.pop_first()
        {
            if let Some(queue) = self.stores.get_mut(&store) {
                queue.place = Place::InRound;
                self.round.push_back(store);
            }
        }
    }

    fn take_turn(&mut self, store: &StoreId, batch: &mut Batch, max_stores: usize) -> Turn {
        let Some(queue) = self.stores.get_mut(store) else { return Turn::Exhausted };
        queue.deficit += QUANTUM;
        while let Some(job) = queue.jobs.front() {
            if !batch.may_take(job, max_stores) {
                // What it was granted is not saved up beyond what its next command takes.
                queue.deficit = queue.deficit.min(QUANTUM.max(job.cost));
                return Turn::NotFitting;
            }
            if job.cost > queue.deficit {
                return Turn::NotCovered;
            }
            let Some(job) = queue.jobs.pop_front() else { break };
            queue.deficit -= job.cost;
            queue.load.remove(&job);
            self.total.remove(&job);
            batch.add(job);
        }
        Turn::Exhausted
    }
}

/// How a store's turn ended.
enum Turn {
    /// It has nothing left.
    Exhausted,
    /// What it was granted does not cover its next command.
    NotCovered,
    /// Its next command does not go with this batch.
    NotFitting,
}

/// A batch in the making.
#[derive(Default)]
struct Batch {
    jobs: Vec<Job>,
    cost: usize,
    stores: BTreeSet<StoreId>,
    /// Stores of which a command was taken that must be the only one.
    exclusive: BTreeSet<StoreId>,
}

impl Batch {
    /// Whether a command may join. The first always may, whatever it costs.
    fn may_take(&self, job: &Job, max_stores: usize) -> bool {
        if self.jobs.is_empty() {
            return true;
        }
        if self.jobs.len() >= BATCH_COMMANDS || self.cost + job.cost > BATCH_COST || job.alone || self.jobs[0].alone {
            return false;
        }
        let store = &job.envelope.store;
        match self.stores.contains(store) {
            true => !job.is_exclusive() && !self.exclusive.contains(store),
            false => self.stores.len() < max_stores,
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

    use super::*;
    use crate::domain::code::PrincipalId;
    use crate::domain::command::Envelope;
    use crate::domain::needs::Needs;
    use crate::domain::principal::Principal;
    use crate::domain::store::back_orders::DisableBackOrders;

    /// A job of a store that costs so much. Its bytes tell it from the others of its store.
    fn job(store: &str, number: usize, cost: usize) -> Job {
        let envelope = Envelope {
            store: StoreId::new(store),
            principal: Principal { id: PrincipalId::new("anybody"), is_operator: false },
            idempotency_key: None,
            command: Arc::new(DisableBackOrders),
        };
        Job { cost, ..Job::new(envelope, number, None, crate::workers::responder::Responder::channel().0) }
    }

    fn exclusive(store: &str, number: usize) -> Job {
        let mut needs = Needs::default();
        needs.add(crate::domain::needs::Need::OpenOrders);
        Job { needs: std::sync::Arc::new(needs), ..job(store, number, 1) }
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
        let next = move || Some(names(&schedule.take_batch(max_stores, now))).filter(|batch| !batch.is_empty());
        std::iter::from_fn(next).collect()
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

    #[test]
    fn a_store_fills_at_most_half_of_the_room_and_all_together_fill_it() {
        let mut schedule = Schedule::default();
        let fill = |schedule: &mut Schedule, store: &str| {
            (1..=MAX_COMMANDS).take_while(|n| schedule.push(job(store, *n, 1)).is_ok()).count()
        };
        assert_eq!(fill(&mut schedule, "a"), MAX_COMMANDS / 2);
        assert_eq!(fill(&mut schedule, "b"), MAX_COMMANDS / 2);
        assert!(schedule.push(job("c", 1, 1)).is_err(), "there is no room left");
        schedule.take_batch(64, Instant::now());
        assert!(schedule.push(job("c", 1, 1)).is_ok(), "there is room again");
        let mut by_bytes = Schedule::default();
        assert!(by_bytes.push(job("a", MAX_BYTES / 2, 1)).is_ok() && by_bytes.push(job("a", 1, 1)).is_err());
    }

    #[test]
    fn a_store_that_is_set_aside_waits_longer_each_time_and_holds_up_nobody() {
        let mut schedule = schedule([job("a", 1, 1), job("a", 2, 1), job("b", 1, 1)]);
        let mut now = Instant::now();
        let mut delays = Vec::new();
        for n in 0..6 {
            let mut batch = schedule.take_batch(64, now);
            let locked: Vec<Job> = batch.extract_if(.., |job| job.envelope.store.as_str() == "a").collect();
            assert_eq!(names(&locked), ["a1", "a2"]);
            assert_eq!(batch.len(), usize::from(n == 0), "the other store is served at once");
            schedule.set_aside(locked, now, 1.0);
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
    fn what_is_put_back_comes_first_again() {
        let mut schedule = schedule([job("a", 1, 1), job("a", 2, 1), job("a", 3, 1)]);
        let batch = schedule.take_batch(64, Instant::now());
        schedule.push(job("a", 4, 1)).unwrap_or_else(|_| panic!("there is room"));
        schedule.put_back(batch);
        assert_eq!(batches(schedule, 64), [["a1", "a2", "a3", "a4"]]);
    }
}

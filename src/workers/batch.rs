//! One batch in one transaction: lock, load, decide, save. Runs again from the beginning as often as
//! it must: nothing outside the transaction changes until it is committed.

use std::collections::{BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::error::{ServiceFault, WorkerError};
use super::job::Job;
use super::schedule::BATCH_COST;
use crate::clock::Clock;
use crate::domain::Ids;
use crate::domain::code::StoreId;
use crate::domain::command::{Envelope, Passed, Reply, Verdict, decide, gate, reply};
use crate::domain::idempotency::StoredResponseKey;
use crate::domain::needs::{Need, Needs};
use crate::domain::order::{Order, OrderId};
use crate::domain::refusal::Refusal;
use crate::domain::working_set::WorkingSet;
use crate::repository::error::DbError;
use crate::repository::gate;
use crate::repository::load;
use crate::repository::save::save;
use crate::repository::session::{Session, WriteError};

/// What became of one job.
pub(super) enum Outcome {
    /// It is answered, once the transaction is committed.
    Answered(Box<Result<Reply, WorkerError>>),
    /// Another transaction will do it: with what this one has to do, it is too much. It costs so much,
    /// as is known now.
    PutBack(usize),
    /// Somebody else has locked its store.
    StoreLocked,
}

/// Does a batch; the outcomes are in the order of the jobs.
pub(super) fn run(
    session: &mut Session,
    jobs: &[Job],
    clock: &dyn Clock,
    ids: &dyn Ids,
) -> Result<Vec<Outcome>, WriteError> {
    session.write_changes(|session| {
        let mut working_set = WorkingSet::default();
        let locked = lock(session, &mut working_set, jobs)?;
        let ready: Vec<&Envelope> =
            jobs.iter().map(|job| &*job.envelope).filter(|envelope| !locked.contains(&envelope.store)).collect();
        gate::load(session, &mut working_set, &ready)?;
        let plan = Plan::of(&working_set, jobs, &locked);
        load::details(session, &mut working_set, plan.needs(jobs))?;
        let outcomes = decide_all(&mut working_set, jobs, plan, clock, ids);
        let changes = save(session, &working_set)?;
        Ok((outcomes, changes))
    })
}

/// Locks the stores of the batch; those that somebody else has locked. A store that does not exist is
/// ready too: its commands are refused, or create it.
fn lock(session: &mut Session, working_set: &mut WorkingSet, jobs: &[Job]) -> Result<BTreeSet<StoreId>, DbError> {
    let stores: BTreeSet<StoreId> = jobs.iter().map(|job| job.envelope.store.clone()).collect();
    let stores: Vec<StoreId> = stores.into_iter().collect();
    load::lock_stores(session, working_set, &stores)?;
    let missing: Vec<StoreId> = stores.into_iter().filter(|store| working_set.store(store).is_err()).collect();
    if missing.is_empty() {
        return Ok(BTreeSet::new());
    }
    let locked_elsewhere = load::existing_stores(session, &missing)?;
    for store in missing {
        if !locked_elsewhere.contains(&store) {
            working_set.stores.insert_absent(store);
        }
    }
    Ok(locked_elsewhere)
}

/// What is to be done with each job, by what the gate's rows tell.
struct Plan(Vec<Step>);

enum Step {
    /// Load what it needs, and decide.
    Decide,
    /// Load what repeating its stored response needs.
    Replay(Needs),
    /// Refuse it: nothing that the batch decides can change that.
    Refuse(Refusal),
    /// Leave it to another transaction. It costs so much.
    PutBack(usize),
    /// Somebody else has locked its store.
    StoreLocked,
}

impl Plan {
    fn of(working_set: &WorkingSet, jobs: &[Job], locked: &BTreeSet<StoreId>) -> Self {
        let mut planning = Planning::default();
        let steps = jobs.iter().map(|job| match locked.contains(&job.envelope.store) {
            true => Step::StoreLocked,
            false => planning.step(working_set, job, jobs.len() == 1),
        });
        Self(steps.collect())
    }

    /// What the commands need that are decided, and the answers that are repeated.
    fn needs<'a>(&'a self, jobs: &'a [Job]) -> impl Iterator<Item = (&'a StoreId, &'a Needs)> {
        self.0.iter().zip(jobs).filter_map(|(step, job)| match step {
            Step::Decide => Some((&job.envelope.store, &*job.needs)),
            Step::Replay(needs) => Some((&job.envelope.store, needs)),
            Step::Refuse(_) | Step::PutBack(_) | Step::StoreLocked => None,
        })
    }
}

/// Plans the jobs of a batch in their order.
#[derive(Default)]
struct Planning {
    cost: usize,
    /// The orders that earlier commands are about, by store: what the gate judges of them may change in
    /// this batch. A store without any has earlier commands too; they may create orders.
    changing: HashMap<StoreId, BTreeSet<OrderId>>,
    /// The request ids of earlier commands: their responses may be stored when a later one is judged.
    envelopes: BTreeSet<StoredResponseKey>,
    /// Stores of which a command was put back: the commands behind it keep their order.
    put_back: BTreeSet<StoreId>,
}

impl Planning {
    fn step(&mut self, working_set: &WorkingSet, job: &Job, is_alone: bool) -> Step {
        let envelope = &job.envelope;
        let passed = gate(working_set, envelope);
        let cost = match &passed {
            Ok(Passed::ToDecide(_)) => cost_of(working_set, job),
            _ => 1,
        };
        // One that is too large for a batch comes back alone, so that it locks no store but its own.
        let fits = is_alone || self.cost + cost <= BATCH_COST;
        if !fits || self.put_back.contains(&envelope.store) {
            self.put_back.insert(envelope.store.clone());
            return Step::PutBack(cost);
        }
        self.cost += cost;
        let target = envelope.command.target().map(|target| target.order);
        let is_sent_again = envelope.stored_response_key().is_some_and(|key| !self.envelopes.insert(key));
        match passed {
            Ok(Passed::Replay(outcome)) => return Step::Replay(Needs::of_replay(&outcome)),
            Ok(Passed::ToDecide(_)) => {}
            // An earlier command may change what the header says, or create the order: the gate judges
            // again when it is this command's turn.
            Err(refusal) if is_by_header(&refusal) && self.is_changing(&envelope.store, target) => {}
            // Or be the same request, or another with the same id.
            Err(refusal) if is_by_header(&refusal) && is_sent_again => {}
            Err(Refusal::OrderNotFound) if is_sent_again => {}
            Err(Refusal::OrderNotFound) if self.changing.contains_key(&envelope.store) => {}
            // Permissions do not change within a batch, see `Needs::are_exclusive`.
            Err(refusal) => return Step::Refuse(refusal),
        }
        self.changing.entry(envelope.store.clone()).or_default().extend(target);
        Step::Decide
    }

    fn is_changing(&self, store: &StoreId, order: Option<OrderId>) -> bool {
        let of_store = self.changing.get(store);
        order.is_some_and(|order| of_store.is_some_and(|orders| orders.contains(&order)))
    }
}

/// Whether the gate refused by what the order's header says, and not by who calls.
const fn is_by_header(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::ReceiptNotFound { .. }
            | Refusal::EtagMismatch { .. }
            | Refusal::WrongState { .. }
            | Refusal::NothingReceived(_)
            | Refusal::AcceptedStaged(_)
            | Refusal::FieldsFixed { .. }
            | Refusal::InvalidForStoredData(_)
    )
}

/// How many rows a command loads or makes, with what its order's header tells.
fn cost_of(working_set: &WorkingSet, job: &Job) -> usize {
    let envelope = &job.envelope;
    let header = |order: OrderId| -> Option<&Order> { working_set.order(&envelope.order_key(order)).ok().flatten() };
    let rows = |need: &Need| match need {
        Need::AllLines(order) | Need::LinesOfReceipt(order, _) => {
            header(*order).map_or(0, |order| order.counters.lines as usize)
        }
        Need::StagedItems(order) | Need::OtherReceiveTimes(order, _) => {
            header(*order).map_or(0, |order| order.counters.receipt_items as usize)
        }
        _ => 0,
    };
    job.cost.max(1 + job.needs.iter().map(rows).sum::<usize>())
}

fn decide_all(
    working_set: &mut WorkingSet,
    jobs: &[Job],
    plan: Plan,
    clock: &dyn Clock,
    ids: &dyn Ids,
) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(jobs.len());
    for (job, step) in jobs.iter().zip(plan.0) {
        outcomes.push(match step {
            Step::StoreLocked => Outcome::StoreLocked,
            Step::PutBack(cost) => Outcome::PutBack(cost),
            Step::Refuse(refusal) => Outcome::Answered(Box::new(Err(refusal.into()))),
            Step::Decide | Step::Replay(_) => Outcome::Answered(Box::new(decide_one(working_set, job, clock, ids))),
        });
    }
    outcomes
}

fn decide_one(working_set: &mut WorkingSet, job: &Job, clock: &dyn Clock, ids: &dyn Ids) -> Result<Reply, WorkerError> {
    if job.is_late() || job.is_abandoned() {
        return Err(ServiceFault::DeadlineExceeded.into());
    }
    let outcome = match judge(working_set, &job.envelope, clock, ids)? {
        Verdict::Replayed(outcome) => outcome,
        Verdict::Decided(decision, outcome) => {
            working_set.absorb(*decision);
            outcome
        }
    };
    Ok(reply(working_set, &job.envelope, outcome)?)
}

/// A panic refuses its command alone: deciding changes nothing, so nothing is half done.
fn judge(working_set: &WorkingSet, envelope: &Envelope, clock: &dyn Clock, ids: &dyn Ids) -> Result<Verdict, Refusal> {
    let judged = catch_unwind(AssertUnwindSafe(|| decide(working_set, envelope, clock.now(), ids)));
    judged.unwrap_or_else(|_| Err(Refusal::Bug(format!("a panic while deciding {:?}", envelope.command))))
}

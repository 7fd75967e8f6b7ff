//! Executes one batch in one transaction: lock the stores, load, decide, save.
//!
//! Everything between BEGIN and COMMIT may run again from the beginning, any number of times: it changes nothing
//! but the transaction and a working set of its own. Callers are answered only after the commit, by
//! [`super::writer`].

use std::collections::{BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::error::{ServiceFault, WorkerError};
use super::job::Job;
use super::schedule::BATCH_COST;
use super::stopwatch::Stopwatch;
use crate::clock::Clock;
use crate::domain::Ids;
use crate::domain::code::StoreId;
use crate::domain::command::{Envelope, Passed, Reply, Verdict, decide, gate, reply};
use crate::domain::idempotency::StoredResponseKey;
use crate::domain::needs::{Need, Needs};
use crate::domain::order::{Order, OrderId};
use crate::domain::refusal::Refusal;
use crate::domain::working_set::WorkingSet;
use crate::metrics::workers::WriterMetrics;
use crate::repository::error::DbError;
use crate::repository::gate as gate_rows;
use crate::repository::load;
use crate::repository::save::save;
use crate::repository::session::{Session, WriteError};
use crate::repository::transaction::TransactionName;

/// The result of one job, valid once the transaction is committed.
pub(super) enum Outcome {
    /// The answer to its caller, who must not see it before the commit.
    Answered(Box<Result<Reply, WorkerError>>),
    /// It goes into a later transaction, because this one is too large with it; its cost is known better now.
    Requeue { cost: usize },
    /// Another instance holds the lock of its store: retry in a moment.
    StoreLocked,
}

/// Executes a batch; the outcomes are in the order of the jobs. Each phase is measured when it ends, also in a transaction
/// that fails later.
pub(super) fn run(
    session: &mut Session,
    jobs: &[Job],
    clock: &dyn Clock,
    ids: &dyn Ids,
    metrics: &WriterMetrics,
    stopwatch: &mut Stopwatch,
) -> Result<Vec<Outcome>, WriteError> {
    let committed = session.write_changes(TransactionName::WriteBatch, |session| {
        let mut working_set = WorkingSet::default();
        let locked_elsewhere = lock_stores(session, &mut working_set, jobs)?;
        stopwatch.lap(&metrics.lock);
        let mut envelopes: Vec<&Envelope> = Vec::new();
        for job in jobs {
            if !locked_elsewhere.contains(&job.envelope.store) {
                envelopes.push(&job.envelope);
            }
        }
        gate_rows::load(session, &mut working_set, &envelopes)?;
        let plan = BatchPlan::new(&working_set, jobs, &locked_elsewhere);
        load::details(session, &mut working_set, plan.needs(jobs))?;
        stopwatch.lap(&metrics.load);
        // From here to the save no statement is sent, so the locks are not held longer than the decisions take.
        let outcomes = decide_all(&mut working_set, jobs, plan, clock, ids);
        stopwatch.lap(&metrics.decide);
        let changes = save(session, &working_set)?;
        stopwatch.lap(&metrics.save);
        Ok((outcomes, changes))
    })?;
    stopwatch.lap(&metrics.commit);
    Ok(committed)
}

/// Locks the stores of the batch. Returns those that another instance has locked; nothing may be read or written
/// about these. A store that does not exist needs no lock: its commands are refused, or create it.
fn lock_stores(
    session: &mut Session,
    working_set: &mut WorkingSet,
    jobs: &[Job],
) -> Result<BTreeSet<StoreId>, DbError> {
    // Each store once, however many commands of it there are.
    let stores: BTreeSet<StoreId> = jobs.iter().map(|job| job.envelope.store.clone()).collect();
    let stores: Vec<StoreId> = stores.into_iter().collect();
    load::lock_stores(session, working_set, &stores)?;
    // The working set is new, so the stores in it are those that were locked just now.
    let locked: BTreeSet<StoreId> = working_set.stores.present().map(|store| store.id.clone()).collect();
    let missing: Vec<StoreId> = stores.into_iter().filter(|store| !locked.contains(store)).collect();
    if missing.is_empty() {
        return Ok(BTreeSet::new());
    }
    // A missing store either does not exist, or another instance has locked its row.
    let locked_elsewhere = load::existing_stores(session, &missing)?;
    for store in missing {
        if !locked_elsewhere.contains(&store) {
            // CreateStore must see that it is absent, and not that it was not loaded.
            working_set.stores.insert_absent(store);
        }
    }
    Ok(locked_elsewhere)
}

/// What is to be done with each job, in the order of the jobs. It is determined after the gate's rows were loaded
/// and before anything else is, so that a command that the gate refuses costs no more than these rows.
struct BatchPlan(Vec<Action>);

/// What is to be done with one job of a batch.
enum Action {
    /// Load the command's needs and decide it.
    Decide,
    /// Load these needs and repeat the stored response.
    Replay(Needs),
    /// Refuse it: no other command of the batch can change that.
    Refuse(Refusal),
    /// Leave it to a later transaction.
    Requeue { cost: usize },
    /// Leave it until the lock of its store is free.
    StoreLocked,
}

impl BatchPlan {
    fn new(working_set: &WorkingSet, jobs: &[Job], locked_elsewhere: &BTreeSet<StoreId>) -> Self {
        let mut planner = Planner::default();
        let mut actions = Vec::with_capacity(jobs.len());
        for job in jobs {
            if locked_elsewhere.contains(&job.envelope.store) {
                actions.push(Action::StoreLocked);
            } else {
                actions.push(planner.action(working_set, job, jobs.len() == 1));
            }
        }
        Self(actions)
    }

    /// The needs of the jobs that are decided or replayed, each with its store.
    fn needs<'a>(&'a self, jobs: &'a [Job]) -> impl Iterator<Item = (&'a StoreId, &'a Needs)> {
        self.0.iter().zip(jobs).filter_map(|(action, job)| match action {
            Action::Decide => Some((&job.envelope.store, &*job.needs)),
            Action::Replay(needs) => Some((&job.envelope.store, needs)),
            Action::Refuse(_) | Action::Requeue { .. } | Action::StoreLocked => None,
        })
    }
}

/// Goes through the jobs of a batch in their order, and remembers what a later one may depend on: the gate's rows
/// show the state before the batch, and earlier commands of the batch may change it.
#[derive(Default)]
struct Planner {
    /// The cost of the jobs that this transaction executes.
    cost: usize,
    /// The orders that earlier commands are about, by store: their headers may change in this batch. A store
    /// whose earlier commands name no order has an empty set; these commands may create orders.
    changing: HashMap<StoreId, BTreeSet<OrderId>>,
    /// The request ids of earlier commands: their responses may be stored when a later one is judged.
    request_ids: BTreeSet<StoredResponseKey>,
    /// The stores of which a command was requeued: their later commands must be requeued too, to keep the order.
    requeued: BTreeSet<StoreId>,
}

impl Planner {
    fn action(&mut self, working_set: &WorkingSet, job: &Job, is_only_job: bool) -> Action {
        let envelope = &job.envelope;
        let passed = gate(working_set, envelope);
        let cost = match &passed {
            Ok(Passed::ToDecide(_)) => cost_of(working_set, job),
            // A refusal or a replay loads little, whatever the command would have cost.
            _ => 1,
        };
        // A job that is too large for any batch is requeued once, comes back as the only job, and is executed
        // then: so it holds the lock of no store but its own.
        let fits = is_only_job || self.cost + cost <= BATCH_COST;
        if !fits || self.requeued.contains(&envelope.store) {
            self.requeued.insert(envelope.store.clone());
            return Action::Requeue { cost };
        }
        self.cost += cost;
        let targets: Vec<OrderId> = envelope.command.targets().iter().map(|target| target.order).collect();
        let is_repeated = envelope.stored_response_key().is_some_and(|key| !self.request_ids.insert(key));
        match passed {
            Ok(Passed::Replay(outcome)) => return Action::Replay(Needs::of_replay(&outcome)),
            Ok(Passed::ToDecide(_)) => {}
            // An earlier command may change the header, or create the order. So this refusal is not final: the
            // gate judges again when it is this command's turn.
            Err(refusal) if is_by_header(&refusal) && self.is_changing(&envelope.store, &targets) => {}
            // An earlier command may be the same request, or another with the same id; then that decides.
            Err(refusal) if is_by_header(&refusal) && is_repeated => {}
            Err(refusal) if is_order_missing(&refusal) && is_repeated => {}
            Err(refusal) if is_order_missing(&refusal) && self.changing.contains_key(&envelope.store) => {}
            // Permissions do not change within a batch, see `Needs::are_exclusive`.
            Err(refusal) => return Action::Refuse(refusal),
        }
        self.changing.entry(envelope.store.clone()).or_default().extend(targets);
        Action::Decide
    }

    fn is_changing(&self, store: &StoreId, orders: &[OrderId]) -> bool {
        let Some(changing) = self.changing.get(store) else { return false };
        orders.iter().any(|order| changing.contains(order))
    }
}

/// Whether the gate refused because an order does not exist.
fn is_order_missing(refusal: &Refusal) -> bool {
    matches!(of_one_order(refusal), Refusal::OrderNotFound)
}

/// What is wrong with the first order, where several are refused.
fn of_one_order(refusal: &Refusal) -> &Refusal {
    match refusal {
        Refusal::OfOrders { refusal, .. } => refusal,
        refusal => refusal,
    }
}

/// Whether the gate refused because of what the order's header says, and not because of who calls.
fn is_by_header(refusal: &Refusal) -> bool {
    matches!(
        of_one_order(refusal),
        Refusal::ReceiptNotFound { .. }
            | Refusal::EtagMismatch { .. }
            | Refusal::WrongState { .. }
            | Refusal::NothingReceived(_)
            | Refusal::NothingPending(_)
            | Refusal::NothingToCopy(_)
            | Refusal::AcceptedStaged(_)
            | Refusal::BackOrderTouched { .. }
            | Refusal::FieldsFixed { .. }
            | Refusal::InvalidForStoredData(_)
    )
}

/// How many rows a command loads or creates, by its request and the header of its order.
fn cost_of(working_set: &WorkingSet, job: &Job) -> usize {
    let mut cost = 1;
    for need in job.needs.iter() {
        cost += match need {
            Need::AllLines(order) | Need::LinesOfReceipt(order, _) | Need::BackOrderOf(order) => {
                header(working_set, job, *order).map_or(0, |order| order.counters.lines as usize)
            }
            Need::StagedItems(order) | Need::OtherReceiveTimes(order, _) | Need::LastCompletion(order) => {
                header(working_set, job, *order).map_or(0, |order| order.counters.receipt_items as usize)
            }
            _ => 0,
        };
    }
    // The greater of both: the request knows the lines and products that it names, the header how many rows are stored.
    job.cost.max(cost)
}

/// The header of an order, if the gate has loaded one.
fn header<'a>(working_set: &'a WorkingSet, job: &Job, order: OrderId) -> Option<&'a Order> {
    working_set.order(&job.envelope.order_key(order)).ok().flatten()
}

fn decide_all(
    working_set: &mut WorkingSet,
    jobs: &[Job],
    plan: BatchPlan,
    clock: &dyn Clock,
    ids: &dyn Ids,
) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(jobs.len());
    for (job, action) in jobs.iter().zip(plan.0) {
        outcomes.push(match action {
            Action::StoreLocked => Outcome::StoreLocked,
            Action::Requeue { cost } => Outcome::Requeue { cost },
            Action::Refuse(refusal) => Outcome::Answered(Box::new(Err(refusal.into()))),
            // A replay is judged again as well: the rows that it shows are those after the commands before it.
            Action::Decide | Action::Replay(_) => Outcome::Answered(Box::new(decide_one(working_set, job, clock, ids))),
        });
    }
    outcomes
}

/// Decides one command, on top of what those before it have decided.
fn decide_one(working_set: &mut WorkingSet, job: &Job, clock: &dyn Clock, ids: &dyn Ids) -> Result<Reply, WorkerError> {
    // Locking and loading take time. A caller who gave up meanwhile was told, or will be, that the deadline has
    // passed; changing nothing is the better half of that answer.
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

/// Judges one command. A panic in a rule refuses this command alone: deciding does not change the working set, so
/// nothing is left half done.
fn judge(working_set: &WorkingSet, envelope: &Envelope, clock: &dyn Clock, ids: &dyn Ids) -> Result<Verdict, Refusal> {
    let judged = catch_unwind(AssertUnwindSafe(|| decide(working_set, envelope, clock.now(), ids)));
    judged.unwrap_or_else(|_| Err(Refusal::Bug(format!("a panic while deciding {:?}", envelope.command))))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::job::tests::job_of;
    use super::*;
    use crate::clock::SystemClock;
    use crate::ids::UuidV7;

    fn decided(job: &Job) -> WorkerError {
        decide_one(&mut WorkingSet::default(), job, &SystemClock, &UuidV7).unwrap_err()
    }

    #[test]
    fn a_command_whose_deadline_passed_while_it_was_loaded_is_not_decided() {
        let (mut job, _caller) = job_of("north", 1);
        job.deadline = Some(Instant::now());
        assert_eq!(decided(&job), ServiceFault::DeadlineExceeded.into());
    }

    #[test]
    fn a_command_whose_caller_has_gone_while_it_was_loaded_is_not_decided() {
        let (job, caller) = job_of("north", 1);
        drop(caller);
        assert_eq!(decided(&job), ServiceFault::DeadlineExceeded.into());
    }

    #[test]
    fn a_command_whose_caller_waits_is_decided() {
        let (job, _caller) = job_of("north", 1);
        // Nothing was loaded, which a command that is decided finds out.
        assert!(matches!(decided(&job), WorkerError::Refused(Refusal::Bug(_))), "{:?}", decided(&job));
    }
}

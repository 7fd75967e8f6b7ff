//! One batch in one transaction: lock, load, decide, save. Runs again from the beginning as often as
//! it must: nothing outside the transaction changes until it is committed.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::job::Job;
use crate::clock::Clock;
use crate::domain::Ids;
use crate::domain::code::StoreId;
use crate::domain::mutation::{Reply, Request, Verdict, decide, reply};
use crate::domain::refusal::Refusal;
use crate::domain::workspace::Workspace;
use crate::repository::error::DbError;
use crate::repository::load::{self, Wanted};
use crate::repository::save::save;
use crate::repository::session::{Session, WriteError};

/// How many lines a transaction makes or loads. A larger command runs alone.
const BATCH_LINES: usize = 3_000;

/// What became of one job.
pub(super) enum Outcome {
    /// It is answered, once the transaction is committed.
    Answered(Box<Result<Reply, Refusal>>),
    /// Another transaction will do it.
    PutBack,
}

/// Does a batch; the outcomes are in the order of the jobs.
pub(super) fn run(
    session: &mut Session,
    jobs: &[Job],
    clock: &dyn Clock,
    ids: &dyn Ids,
) -> Result<Vec<Outcome>, WriteError> {
    session.write(|session| {
        let mut workspace = Workspace::default();
        let ready = lock(session, &mut workspace, jobs)?;
        let wanted: Vec<Wanted<'_>> =
            jobs.iter().filter(|job| ready.contains(&job.request.store)).map(|job| Wanted::by(&job.request)).collect();
        load::headers(session, &mut workspace, &wanted)?;
        let fitting = fitting(&workspace, &wanted);
        load::details(session, &mut workspace, &wanted[..fitting])?;
        let outcomes = decide_all(&mut workspace, jobs, &ready, fitting, clock, ids);
        save(session, &workspace)?;
        Ok(outcomes)
    })
}

/// Locks the stores of the batch; those whose commands can be done now. A store that does not exist
/// is ready too: its commands are refused, or create it.
fn lock(session: &mut Session, workspace: &mut Workspace, jobs: &[Job]) -> Result<BTreeSet<StoreId>, DbError> {
    let stores: BTreeSet<StoreId> = jobs.iter().map(|job| job.request.store.clone()).collect();
    let all: Vec<StoreId> = stores.iter().cloned().collect();
    load::lock_stores(session, workspace, &all)?;
    let missing: Vec<StoreId> = all.into_iter().filter(|store| workspace.store(store).is_err()).collect();
    if missing.is_empty() {
        return Ok(stores);
    }
    let locked_elsewhere = load::existing_stores(session, &missing)?;
    missing
        .into_iter()
        .filter(|store| !locked_elsewhere.contains(store))
        .for_each(|store| workspace.stores.sought(store));
    let is_ready = |workspace: &Workspace, store: &StoreId| workspace.store(store).is_ok();
    if let Some(oldest) = jobs.first().map(|job| &job.request.store)
        && !stores.iter().any(|store| is_ready(workspace, store))
    {
        load::await_store(session, workspace, oldest)?;
    }
    Ok(stores.into_iter().filter(|store| is_ready(workspace, store)).collect())
}

/// How many of the commands fit into one transaction by their lines.
fn fitting(workspace: &Workspace, wanted: &[Wanted<'_>]) -> usize {
    let mut lines = 0;
    let fits = |w: &&Wanted<'_>| {
        lines += w.line_count(workspace);
        lines <= BATCH_LINES
    };
    wanted.iter().take_while(fits).count().max(1).min(wanted.len())
}

fn decide_all(
    workspace: &mut Workspace,
    jobs: &[Job],
    ready: &BTreeSet<StoreId>,
    mut fitting: usize,
    clock: &dyn Clock,
    ids: &dyn Ids,
) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(jobs.len());
    for job in jobs {
        if !ready.contains(&job.request.store) || fitting == 0 {
            outcomes.push(Outcome::PutBack);
            continue;
        }
        fitting -= 1;
        outcomes.push(Outcome::Answered(Box::new(decide_one(workspace, job, clock, ids))));
    }
    outcomes
}

fn decide_one(workspace: &mut Workspace, job: &Job, clock: &dyn Clock, ids: &dyn Ids) -> Result<Reply, Refusal> {
    if job.is_late() || job.is_abandoned() {
        return Err(Refusal::DeadlineExceeded);
    }
    let made = match judge(workspace, &job.request, clock, ids)? {
        Verdict::Replayed(made) => made,
        Verdict::Decided(decision) => {
            let made = decision.made.clone();
            workspace.absorb(*decision);
            made
        }
    };
    reply(workspace, &job.request, made)
}

/// A panic refuses its command alone: deciding changes nothing, so nothing is half done.
fn judge(workspace: &Workspace, request: &Request, clock: &dyn Clock, ids: &dyn Ids) -> Result<Verdict, Refusal> {
    let judged = catch_unwind(AssertUnwindSafe(|| decide(workspace, request, clock.now(), ids)));
    judged.unwrap_or_else(|_| Err(Refusal::Internal(format!("a panic while deciding {:?}", request.mutation))))
}

//! One effect wherever a retry arrives: in the same batch, at another instance, at both at once, or
//! after a restart.

use rstest::rstest;

use crate::replays::contents::{Contents, Growth};
use crate::replays::repeating::{assert_names_request_id, new_id, ok, staged};
use crate::replays::row::Row;
use crate::replays::table::table;
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Instance, World};

const ROUNDS: usize = 3;
const SENDINGS: usize = 6;

/// A world with another instance beside its own, where instances may share a database: a SQLite
/// database belongs to one.
async fn instances(on: Engine) -> Option<(World, Option<Instance>)> {
    let world = World::on(on).await?;
    let other = match on {
        Sqlite => None,
        Postgres => Some(world.another_instance().await),
    };
    Some((world, other))
}

/// What a call that is sent once adds to the database.
async fn effect_of_one(row: &dyn Row, world: &World) -> Growth {
    let (stage, request) = staged(row, world).await;
    let before = Contents::of(&world.database);
    ok(row, &stage.me, &request, &new_id()).await;
    before.growth(&world.database)
}

/// PostgreSQL alone: a SQLite database belongs to one instance.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_instance_did_another_answers() {
    let Some((world, Some(other))) = instances(Postgres).await else { return };
    for row in &table() {
        let ((stage, request), id) = (staged(&**row, &world).await, new_id());
        let first = ok(&**row, &stage.me, &request, &id).await;
        let before = Contents::of(&world.database);
        assert_eq!(ok(&**row, &other.caller(&stage.me), &request, &id).await.whole, first.whole, "{}", row.path());
        before.assert_still(&world.database, row.path());
    }
    world.verify().await;
}

/// The rpcs whose commands are the only ones of their store in their transaction: what they look at, or
/// what they change, is not kept up to date while others are decided.
const EXCLUSIVE: [&str; 11] = [
    "/CreateStore",
    "/EnableBackOrders",
    "/CreateRole",
    "/UpdateRole",
    "/DeleteRole",
    "/GrantRole",
    "/RevokeRole",
    "/VoidReceipt",
    "/ReopenPurchaseOrder",
    "/CorrectReceipt",
    "/ReceiveDelivery",
];

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn sendings_that_meet_have_one_effect_and_one_answer(#[values(Sqlite, Postgres)] on: Engine) {
    let Some((world, other)) = instances(on).await else { return };
    for row in &table() {
        let effect = effect_of_one(&**row, &world).await;
        for _ in 0..ROUNDS {
            let ((stage, request), id) = (staged(&**row, &world).await, new_id());
            let there = other.as_ref().map_or_else(|| stage.me.clone(), |other| other.caller(&stage.me));
            let before = Contents::of(&world.database);
            let sendings: Vec<_> =
                (0..SENDINGS).map(|n| row.send([&stage.me, &there][n % 2], &request, &id).unwrap()).collect();
            let mut answers = Vec::new();
            for sent in sendings {
                answers.push(sent.await.unwrap().unwrap_or_else(|status| panic!("{}: {status:?}", row.path())).whole);
            }
            assert!(answers.iter().all(|answer| *answer == answers[0]), "{}: {answers:#?}", row.path());
            assert_eq!(before.growth(&world.database), effect, "{}", row.path());
        }
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn sendings_in_one_batch_have_one_effect_and_one_answer(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    for row in &table() {
        let effect = effect_of_one(&**row, &world).await;
        let ((stage, request), id) = (staged(&**row, &world).await, new_id());
        let mut requests = vec![request.clone(), request.clone()];
        requests.extend(row.other(&request));
        let (before, counted) = (Contents::of(&world.database), world.stats());
        let mut answers = row.send_as_one_batch(&stage.me, &requests, &id, &world).await;
        let counts = world.stats();
        // Every other command came alone. Some commands are the only ones of their store in their
        // transaction, so no two of them share one.
        let shared = (counts.commands - counted.commands) - (counts.batches - counted.batches);
        let is_exclusive = EXCLUSIVE.iter().any(|rpc| row.path().ends_with(rpc));
        let expected = if is_exclusive { 0 } else { requests.len() as u64 - 1 };
        assert_eq!(shared, expected, "{} was not one batch", row.path());

        if requests.len() > 2 {
            let status = answers.pop().unwrap().expect_err("it is another request");
            assert_names_request_id(&status, "REQUEST_ID_REUSED", row.path());
        }
        let answers: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().whole).collect();
        assert_eq!(answers[0], answers[1], "{}", row.path());
        assert_eq!(before.growth(&world.database), effect, "{}", row.path());
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_before_a_restart_is_answered_after_it(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(mut world) = World::on(on).await else { return };
    let (table, mut done) = (table(), Vec::new());
    for row in &table {
        let ((stage, request), id) = (staged(&**row, &world).await, new_id());
        let first = ok(&**row, &stage.me, &request, &id).await;
        done.push((row, request, id, first.whole));
    }
    let before = Contents::of(&world.database);
    world.restart().await;
    for (row, request, id, first) in done {
        let again = ok(&**row, &world.caller(row.by()), &request, &id).await;
        assert_eq!(again.whole, first, "{}", row.path());
    }
    before.assert_still(&world.database, "a replay after a restart");
    world.verify().await;
}

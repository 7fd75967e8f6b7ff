//! One intention: the stored response again, another request under its id refused, and a refusal
//! forgotten.

use prost::Message;
use purchase_order_service::proto::v1::{GetStoreRequest, Permission};
use rstest::rstest;
use tonic::Code::{self, InvalidArgument, PermissionDenied};
use tonic::Status;
use tonic_types::StatusExt;
use uuid::Uuid;

use crate::replays::contents::Contents;
use crate::replays::row::{Again, Answer, Blocked, Row};
use crate::replays::stage::Stage;
use crate::replays::table::{DORA, table};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, World, reason};

/// Sends a request of a row's.
pub async fn send(row: &dyn Row, caller: &Caller, request: &[u8], id: &str) -> Result<Answer, Status> {
    let sent = row.send(caller, request, id).expect("it is a request of this rpc");
    sent.await.expect("a call does not panic")
}

/// The answer of a call that must succeed.
pub async fn ok(row: &dyn Row, caller: &Caller, request: &[u8], id: &str) -> Answer {
    send(row, caller, request, id).await.unwrap_or_else(|status| panic!("{} was refused: {status:?}", row.path()))
}

/// The refusal of a call that must be refused.
pub async fn refused(row: &dyn Row, caller: &Caller, request: &[u8], id: &str) -> Status {
    match send(row, caller, request, id).await {
        Ok(answer) => panic!("{} should be refused and was answered {answer:?}", row.path()),
        Err(status) => status,
    }
}

/// The code and the reason of a refusal.
pub fn code_and_reason(status: &Status) -> (Code, String) {
    (status.code(), reason(status))
}

/// Checks that a refusal says this and names the field `request_id` alone.
pub fn assert_names_request_id(status: &Status, reason: &str, what: &str) {
    assert_eq!(code_and_reason(status), (InvalidArgument, reason.to_owned()), "{what}: {status:?}");
    let violations = status.get_error_details().bad_request().map(|bad| bad.field_violations.clone());
    let fields: Vec<String> = violations.into_iter().flatten().map(|violation| violation.field).collect();
    assert_eq!(fields, ["request_id"], "{what}: {status:?}");
}

/// A legal call of a row's in a store of its own.
pub async fn staged(row: &dyn Row, world: &World) -> (Stage, Vec<u8>) {
    let stage = Stage::new(world, row.by()).await;
    let request = row.prepare(stage.clone()).await;
    (stage, request)
}

/// The store that a request is about: the first field of every one.
pub fn store_of(request: &[u8]) -> String {
    GetStoreRequest::decode(request).expect("it begins with the store").store_id
}

pub fn new_id() -> String {
    Uuid::now_v7().to_string()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_stored_response_is_given_again_and_nothing_changes(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    for row in &table() {
        let ((stage, request), id) = (staged(&**row, &world).await, new_id());
        let first = ok(&**row, &stage.me, &request, &id).await;
        assert!(first.parts.event > 0, "{} has nothing to do: {first:?}", row.path());
        let before = Contents::of(&world.database);
        for _ in 0..3 {
            assert_eq!(ok(&**row, &stage.me, &request, &id).await.whole, first.whole, "{}", row.path());
        }
        before.assert_still(&world.database, row.path());
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_is_told_again_beside_what_stands_now(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    for row in &table() {
        let ((stage, request), id) = (staged(&**row, &world).await, new_id());
        let first = ok(&**row, &stage.me, &request, &id).await;
        row.meanwhile(stage.clone(), &request).await;

        let before = Contents::of(&world.database);
        let again = ok(&**row, &stage.me, &request, &id).await;
        before.assert_still(&world.database, row.path());
        assert_eq!(again.made, first.made, "{}", row.path());
        assert_eq!(again.whole != first.whole, first.parts.can_change(), "{}: {first:?} {again:?}", row.path());
        again.parts.assert_as_seen_by(&stage.me, row.path()).await;
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn another_request_under_the_same_id_is_refused(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    for row in &table() {
        let ((stage, request), id) = (staged(&**row, &world).await, new_id());
        let first = ok(&**row, &stage.me, &request, &id).await;
        let before = Contents::of(&world.database);
        if let Some(other) = row.other(&request) {
            let status = refused(&**row, &stage.me, &other, &id).await;
            assert_names_request_id(&status, "REQUEST_ID_REUSED", row.path());
        }
        before.assert_still(&world.database, row.path());
        assert_eq!(ok(&**row, &stage.me, &request, &id).await.whole, first.whole, "{}", row.path());
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_same_id_for_another_rpc_is_refused(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (table, mut taken_for_another) = (table(), 0);
    for row in &table {
        let ((stage, request), id) = (staged(&**row, &world).await, new_id());
        ok(&**row, &stage.me, &request, &id).await;
        let before = Contents::of(&world.database);
        let me = stage.me.at(&store_of(&request));
        me.create_role("bystander", &[Permission::View]).id(&id).refused(InvalidArgument, "REQUEST_ID_REUSED").await;
        me.update_store(&["display_name"]).id(&id).refused(InvalidArgument, "REQUEST_ID_REUSED").await;
        for other in table.iter().filter(|other| other.path() != row.path()) {
            taken_for_another += usize::from(is_taken_for_another(&**row, &**other, &stage.me, &request, &id).await);
        }
        before.assert_still(&world.database, row.path());
    }
    assert!(taken_for_another > table.len(), "{taken_for_another} requests were legal for another rpc");
    world.verify().await;
}

/// Sends what a row did to another row's rpc, byte for byte: where it makes a legal request there, it
/// is another one.
async fn is_taken_for_another(row: &dyn Row, other: &dyn Row, me: &Caller, request: &[u8], id: &str) -> bool {
    let what = format!("what {} did, sent to {}", row.path(), other.path());
    let Some(sent) = other.send(me, request, id) else { return false };
    let status = sent.await.unwrap().expect_err(&what);
    if ["INVALID_REQUEST", "NO_STORE_ACCESS", "NOT_PLATFORM_OPERATOR"].contains(&&*reason(&status)) {
        return false;
    }
    assert_names_request_id(&status, "REQUEST_ID_REUSED", &what);
    true
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_gets_the_role_afterwards_succeeds(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    for row in table().iter().filter(|row| row.by() == DORA) {
        let ((stage, request), id) = (staged(&**row, &world).await, new_id());
        stage.alice.revoke(DORA, "owner").ok().await;
        let before = Contents::of(&world.database);
        let status = refused(&**row, &stage.me, &request, &id).await;
        assert_eq!(code_and_reason(&status), (PermissionDenied, "NO_STORE_ACCESS".to_owned()), "{}", row.path());
        before.assert_still(&world.database, row.path());
        stage.alice.grant(DORA, "owner").ok().await;
        succeeds_once(&**row, &stage.me, &request, &id).await;
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_is_judged_afresh_when_its_obstacle_is_gone(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    for row in &table() {
        let stage = Stage::new(&world, row.by()).await;
        let Blocked { request, refusal, clear } = match row.blocked(stage.clone()) {
            Ok(blocked) => blocked.await,
            Err(why) => {
                println!("{} is not refused first: {why}", row.path());
                continue;
            }
        };
        let (before, id) = (Contents::of(&world.database), new_id());
        for _ in 0..2 {
            let status = refused(&**row, &stage.me, &request, &id).await;
            assert_eq!(code_and_reason(&status), (refusal.0, refusal.1.to_owned()), "{}", row.path());
        }
        before.assert_still(&world.database, row.path());
        clear.await;
        succeeds_once(&**row, &stage.me, &request, &id).await;
    }
    world.verify().await;
}

async fn succeeds_once(row: &dyn Row, caller: &Caller, request: &[u8], id: &str) {
    let first = ok(row, caller, request, id).await;
    assert!(first.parts.event > 0, "{} changed nothing: {first:?}", row.path());
    assert_eq!(ok(row, caller, request, id).await.whole, first.whole, "{}", row.path());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn without_an_id_a_second_call_is_a_second_intention(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    for row in &table() {
        let (stage, request) = staged(&**row, &world).await;
        let first = ok(&**row, &stage.me, &request, "").await;
        let before = Contents::of(&world.database);
        let second = send(&**row, &stage.me, &request, "").await;
        match (row.again(), second) {
            (Again::Happens, Ok(second)) => {
                assert!(second.parts.event > first.parts.event, "{}: {second:?}", row.path());
                continue;
            }
            (Again::ChangesNothing, Ok(second)) => assert_eq!(second.parts.event, 0, "{}: {second:?}", row.path()),
            (Again::Refused(expected), Err(status)) => assert_eq!(reason(&status), expected, "{}", row.path()),
            (_, second) => panic!("{}, a second time: {second:?}", row.path()),
        }
        before.assert_still(&world.database, row.path());
    }
    world.verify().await;
}

//! Whose an id is, and what is one: the caller's in the store, a UUID in either case.

use purchase_order_service::proto::v1::Permission;
use rstest::rstest;

use crate::replays::contents::Contents;
use crate::replays::repeating::{assert_names_request_id, new_id, ok, refused, send, staged, store_of};
use crate::replays::table::table;
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::World;

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn in_another_store_the_same_id_is_another(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    for row in &table() {
        let id = new_id();
        let ((here, here_request), (there, there_request)) =
            (staged(&**row, &world).await, staged(&**row, &world).await);
        let before = Contents::of(&world.database);
        let first = ok(&**row, &here.me, &here_request, &id).await;
        let effect = before.growth(&world.database);
        let before = Contents::of(&world.database);
        let second = ok(&**row, &there.me, &there_request, &id).await;
        assert_eq!(before.growth(&world.database), effect, "{}", row.path());
        assert_eq!(ok(&**row, &here.me, &here_request, &id).await.whole, first.whole, "{}", row.path());
        assert_eq!(ok(&**row, &there.me, &there_request, &id).await.whole, second.whole, "{}", row.path());
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn by_another_caller_the_same_id_is_another(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    for row in &table() {
        let ((stage, request), id) = (staged(&**row, &world).await, new_id());
        let first = ok(&**row, &stage.me, &request, &id).await;
        // The very same request: she is not told what another's call made.
        if let Ok(hers) = send(&**row, &stage.alice, &request, &id).await {
            assert_ne!(hers.made, first.made, "{}", row.path());
        } else {
            // And an id that was refused is still hers to use.
            let elsewhere = stage.alice.at(&store_of(&request));
            elsewhere.create_role("bystander", &[Permission::View]).id(&id).ok().await;
        }
        let again = ok(&**row, &stage.me, &request, &id).await;
        assert_eq!(again.made, first.made, "{}", row.path());
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_the_same_in_upper_and_lower_case(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    for row in &table() {
        let (stage, request) = staged(&**row, &world).await;
        let lower = new_id();
        let (upper, (head, tail)) = (lower.to_uppercase(), lower.split_at(18));
        let mixed = format!("{}{tail}", head.to_uppercase());
        let first = ok(&**row, &stage.me, &request, &upper).await;
        let before = Contents::of(&world.database);
        for id in [lower, mixed, upper] {
            assert_eq!(ok(&**row, &stage.me, &request, &id).await.whole, first.whole, "{}", row.path());
        }
        before.assert_still(&world.database, row.path());
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_uuid_is_refused(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    for row in &table() {
        let ((stage, request), id) = (staged(&**row, &world).await, new_id());
        let before = Contents::of(&world.database);
        let malformed = [
            "x".to_owned(),
            id.replace('-', ""),
            format!("{{{id}}}"),
            format!("urn:uuid:{id}"),
            format!(" {id}"),
            format!("{id}\n"),
            id.replace('-', "_"),
            format!("{}g", &id[..35]),
            // 36 bytes, and no byte of them begins a digit.
            "é".repeat(18),
            id.repeat(60),
        ];
        for id in malformed {
            let status = refused(&**row, &stage.me, &request, &id).await;
            assert_names_request_id(&status, "INVALID_REQUEST", &format!("{} with {id:?}", row.path()));
        }
        before.assert_still(&world.database, row.path());
        ok(&**row, &stage.me, &request, &id).await;
    }
    world.verify().await;
}

//! An etag is what a caller has seen of an order: a call that carries one is done only if the order is
//! still that.

use std::pin::Pin;

use purchase_order_service::proto::v1::AdjustmentKind::ReturnToSupplier;
use purchase_order_service::proto::v1::PendingDisposition::BackOrder;
use purchase_order_service::proto::v1::{PurchaseOrder, PurchaseOrderState};
use rstest::rstest;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::replays::contents::Contents;
use crate::replays::contract::assert_covers;
use crate::replays::repeating::new_id;
use crate::replays::row::Doing;
use crate::replays::stage::Stage;
use crate::replays::table::DORA;
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Call, Caller, Rpc, World, reason};

type Answered = Pin<Box<dyn Future<Output = Result<(), Status>>>>;

/// Who calls, about which order, with which etag, under which request id.
type Send = Box<dyn Fn(&Caller, &PurchaseOrder, &str, &str) -> Answered>;

/// One rpc that takes an etag.
struct Row {
    path: &'static str,
    /// An order that the rpc may be called about.
    order: fn(Stage) -> Doing<'static, PurchaseOrder>,
    /// Calls it with an etag, under a request id if it takes one.
    send: Send,
}

fn row<R: Rpc>(
    order: fn(Stage) -> Doing<'static, PurchaseOrder>,
    call: impl Fn(&Caller, &PurchaseOrder) -> Call<R> + 'static,
    mark: fn(&mut R, String, String),
) -> Row {
    let send = move |caller: &Caller, order: &PurchaseOrder, etag: &str, id: &str| -> Answered {
        let call = call(caller, order).with(|request| mark(request, etag.to_owned(), id.to_owned()));
        Box::pin(async move { call.await.map(drop) })
    };
    Row { path: R::PATH, order, send: Box::new(send) }
}

fn draft(stage: Stage) -> Doing<'static, PurchaseOrder> {
    Box::pin(async move { stage.alice.draft(&[("apples", "10")]).await })
}

fn placed(stage: Stage) -> Doing<'static, PurchaseOrder> {
    Box::pin(async move { stage.alice.order(&[("apples", "10")]).await })
}

fn received(stage: Stage) -> Doing<'static, PurchaseOrder> {
    Box::pin(async move { stage.alice.received(&[("apples", "10")], &[(1, "4")]).await })
}

fn completed(stage: Stage) -> Doing<'static, PurchaseOrder> {
    Box::pin(async move {
        let order = stage.alice.received(&[("apples", "10")], &[(1, "4")]).await;
        stage.alice.complete(&order).rest(BackOrder).ok().await.purchase_order.unwrap()
    })
}

fn table() -> Vec<Row> {
    vec![
        row(
            draft,
            |me, order| me.update(order, &["note"]).with(|r| r.note = "by the gate".to_owned()),
            |r, etag, id| (r.etag, r.request_id) = (etag, id),
        ),
        row(draft, |me, order| me.place(order), |r, etag, id| (r.etag, r.request_id) = (etag, id)),
        row(placed, |me, order| me.receive(order).accept(1, "3"), |r, etag, id| (r.etag, r.request_id) = (etag, id)),
        row(received, |me, order| me.void(order, 1), |r, etag, id| (r.etag, r.request_id) = (etag, id)),
        row(
            received,
            |me, order| me.correct(order, 1).accept(1, "3"),
            |r, etag, id| (r.etag, r.request_id) = (etag, id),
        ),
        row(placed, |me, order| me.amend(order, &[(1, "9")]), |r, etag, id| (r.etag, r.request_id) = (etag, id)),
        row(placed, |me, order| me.confirm(order, &[(1, "9")]), |r, etag, id| (r.etag, r.request_id) = (etag, id)),
        row(placed, |me, order| me.cancel_lines(order, &[(1, "1")]), |r, etag, id| (r.etag, r.request_id) = (etag, id)),
        row(received, |me, order| me.preview(order), |r, etag, _| r.etag = etag),
        row(
            received,
            |me, order| me.complete(order).rest(BackOrder),
            |r, etag, id| (r.etag, r.request_id) = (etag, id),
        ),
        row(completed, |me, order| me.reopen(order), |r, etag, id| (r.etag, r.request_id) = (etag, id)),
        row(placed, |me, order| me.cancel(order), |r, etag, id| (r.etag, r.request_id) = (etag, id)),
        row(
            completed,
            |me, order| me.adjust("apples", ReturnToSupplier, "1").of_line(order, 1),
            |r, etag, id| (r.etag, r.request_id) = (etag, id),
        ),
    ]
}

/// A fresh store with one order that has changed since somebody looked: as they saw it, and as it is.
async fn changed(row: &Row, world: &World) -> (Stage, PurchaseOrder, PurchaseOrder) {
    let stage = Stage::new(world, DORA).await;
    let seen = (row.order)(stage.clone()).await;
    let now = if seen.state() == PurchaseOrderState::Completed {
        // What may change of a closed order.
        let update =
            stage.alice.update(&seen, &["external_id"]).with(|request| request.external_id = "erp-1".to_owned());
        update.ok().await.purchase_order
    } else {
        let update = stage.alice.update(&seen, &["note"]).with(|request| request.note = "meanwhile".to_owned());
        update.ok().await.purchase_order
    };
    (stage, seen, now.unwrap())
}

#[test]
fn every_rpc_that_takes_an_etag_is_in_the_table() {
    assert_covers(table().iter().map(|row| row.path), "etag");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_etag_that_is_not_the_orders_changes_nothing(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    for row in &table() {
        let (stage, seen, now) = changed(row, &world).await;
        let before = Contents::of(&world.database);
        let zeros = format!("0{}", now.etag);
        let spaced = format!(" {}", now.etag);
        for etag in [seen.etag.as_str(), &zeros, &spaced, "x", "-1", "99", &"9".repeat(2_000)] {
            let status = (row.send)(&stage.me, &now, etag, &new_id()).await.expect_err(row.path);
            let answered = (status.code(), reason(&status));
            assert_eq!(answered, (Code::Aborted, "ETAG_MISMATCH".to_owned()), "{} with {etag}", row.path);
            let details = status.get_error_details();
            assert_eq!(details.error_info().unwrap().metadata["etag"], now.etag, "{} with {etag}", row.path);
        }
        before.assert_still(&world.database, row.path);
        (row.send)(&stage.me, &now, &now.etag, &new_id()).await.expect(row.path);
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn no_etag_asks_for_nothing(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    for row in &table() {
        let (stage, _, now) = changed(row, &world).await;
        (row.send)(&stage.me, &now, "", &new_id()).await.expect(row.path);
    }
    world.verify().await;
}

/// The stored answer comes before the etag: a retry carries the etag that its first sending moved.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_answered_whatever_became_of_its_etag(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    for row in &table() {
        let ((stage, _, now), id) = (changed(row, &world).await, new_id());
        for _ in 0..3 {
            (row.send)(&stage.me, &now, &now.etag, &id).await.expect(row.path);
        }
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_etag_is_good_at_every_instance_and_after_a_restart(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(mut world) = World::on(on).await else { return };
    if on == Postgres {
        let other = world.another_instance().await;
        for row in &table() {
            let (stage, seen, now) = changed(row, &world).await;
            let there = other.caller(&stage.me);
            (row.send)(&there, &now, &seen.etag, &new_id()).await.expect_err(row.path);
            (row.send)(&there, &now, &now.etag, &new_id()).await.expect(row.path);
        }
    }
    let mut read = Vec::new();
    for row in table() {
        let (_, seen, now) = changed(&row, &world).await;
        read.push((row, seen, now));
    }
    world.restart().await;
    for (row, seen, now) in read {
        let me = world.caller(DORA).at(&now.store_id);
        (row.send)(&me, &now, &seen.etag, &new_id()).await.expect_err(row.path);
        (row.send)(&me, &now, &now.etag, &new_id()).await.expect(row.path);
    }
    world.verify().await;
}

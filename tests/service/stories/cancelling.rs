//! Cancelling: an open order is given up, unless something of it is in the building.

use purchase_order_service::proto::v1::PurchaseOrderState;
use rstest::rstest;
use tonic::Code::{FailedPrecondition, InvalidArgument};

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{World, at, line_text};

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_draft_needs_no_reason_and_an_order_does(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let draft = alice.draft(&[("apples", "10")]).await;
    let order = alice.order(&[("apples", "10"), ("pears", "5")]).await;
    world.clock.set("2026-03-03T10:00:00Z");

    let cancelled = alice.cancel(&draft).with(|request| request.reason.clear()).ok().await.purchase_order.unwrap();
    assert_eq!((cancelled.state(), &*cancelled.cancel_reason), (PurchaseOrderState::Cancelled, ""));
    let reasonless = alice.cancel(&order).with(|request| request.reason.clear());
    reasonless.refused(InvalidArgument, "INVALID_FOR_STORED_DATA").await.names_fields(&["reason"]);
    let cancelled = alice.cancel(&order).ok().await.purchase_order.unwrap();

    assert_eq!((cancelled.state(), &*cancelled.cancel_reason), (PurchaseOrderState::Cancelled, "not needed any more"));
    assert_eq!((cancelled.cancel_time, cancelled.complete_time), (at("2026-03-03T10:00:00Z"), None));
    let lines: Vec<String> = alice.lines(&order).await.iter().map(line_text).collect();
    assert_eq!(lines, ["1 apples: 10 ordered, 10 cancelled", "2 pears: 5 ordered, 5 cancelled"]);
    assert_eq!(alice.stock("apples").await, "");
    let refused = alice.cancel(&order).refused(FailedPrecondition, "WRONG_STATE").await;
    assert_eq!(refused.metadata("state"), "CANCELLED");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn stock_in_the_building_is_never_forgotten(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.received(&[("apples", "10"), ("pears", "5")], &[(1, "1")]).await;

    let refused = alice.cancel(&order).refused(FailedPrecondition, "ACCEPTED_STAGED").await;
    assert_eq!(refused.metadata("number"), "PO-000001");
    alice.void(&order, 1).ok().await;
    alice.cancel(&order).ok().await;

    assert_eq!(alice.stock("apples").await, "");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn rejections_alone_stay_on_the_cancelled_order(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.order(&[("apples", "10")]).await;
    alice.receive(&order).reject(1, "10", "mouldy").ok().await;

    let cancelled = alice.cancel(&order).ok().await.purchase_order.unwrap();

    assert_eq!((cancelled.state(), cancelled.active_receipt_count), (PurchaseOrderState::Cancelled, 1));
    let lines: Vec<String> = alice.lines(&order).await.iter().map(line_text).collect();
    assert_eq!(lines, ["1 apples: 10 ordered, 10 rejected, 10 cancelled"]);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_back_order_leaves_its_parent_as_it_was(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.received(&[("apples", "10")], &[(1, "4")]).await;
    let child = alice.back_order(&order).await;
    let parent = alice.seen(&order.purchase_order_id).await;
    assert_eq!(alice.stock("apples").await, "4 on hand, 6 on order, 6 back-ordered");

    alice.cancel(&child).ok().await;

    assert_eq!(alice.seen(&order.purchase_order_id).await, parent);
    assert_eq!(alice.stock("apples").await, "4 on hand");
    let chain = alice.chain(&order).ok().await;
    assert_eq!((&*chain.lines[0].received, &*chain.lines[0].cancelled, &*chain.lines[0].pending), ("4", "6", "0"));
    world.verify().await;
}

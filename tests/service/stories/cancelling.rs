//! Cancelling: an open order is given up, unless something of it is in the building.

use purchase_order_service::proto::v1::PendingDisposition::Cancel;
use purchase_order_service::proto::v1::{CancelReason, PurchaseOrder, PurchaseOrderAction, PurchaseOrderState};
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
async fn one_line_is_given_up_and_the_rest_is_received_and_completed(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (alice, carol) = (world.alice(), world.carol());
    let order = alice.order(&[("apples", "10"), ("pears", "5"), ("plums", "8")]).await;
    let discontinued = carol.cancel_lines(&order, &[(2, "")]);
    discontinued.with(|request| request.lines[0].reason = "discontinued".to_owned()).ok().await;
    assert_eq!(alice.stock("pears").await, "");
    alice.receive(&order).accept(2, "1").refused(FailedPrecondition, "OVER_RECEIPT").await;

    // All that is pending leaves out what was given up.
    let received = alice.receive(&order).accept(1, "10").accept(3, "2").ok().await;
    assert_eq!(received.purchase_order.unwrap().pending_line_count, 1);
    let complete = carol.complete(&order).line(3, "4", "2").with(|request| {
        request.lines[0].cancel_reason = "too small".to_owned();
        request.lines[0].expected_date = "2026-03-20".to_owned();
    });
    let completed = complete.ok().await;

    let lines: Vec<String> = alice.lines(&order).await.iter().map(line_text).collect();
    assert_eq!(
        lines,
        [
            "1 apples: 10 ordered, 10 received",
            "2 pears: 5 ordered, 5 cancelled",
            "3 plums: 8 ordered, 2 received, 4 back-ordered, 2 cancelled"
        ]
    );
    assert_eq!(completed.purchase_order.unwrap().cancel_reason, "", "each line has its own");
    let child = alice.seen(&completed.back_order.unwrap().purchase_order_id).await;
    let lines = alice.lines(&child).await;
    assert_eq!(
        (line_text(&lines[0]), &*lines[0].expected_date),
        ("3 plums: 4 ordered, 4 pending".to_owned(), "2026-03-20")
    );
    assert_eq!(lines.len(), 1);
    // What was given up of an order can be ordered again.
    let again = alice.copy(&order).with(|request| request.cancelled_only = true).ok().await.purchase_order.unwrap();
    let lines: Vec<String> = alice.lines(&again).await.iter().map(line_text).collect();
    assert_eq!(lines, ["1 pears: 5 ordered, 5 pending", "2 plums: 2 ordered, 2 pending"]);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_back_order_is_given_up(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.received(&[("apples", "10")], &[(1, "4")]).await;
    let child = alice.back_order(&order).await;
    alice.cancel_lines(&child, &[(1, "2")]).ok().await;
    assert_eq!(alice.stock("apples").await, "4 on hand, 4 on order, 4 back-ordered");
    alice.receive(&child).all_pending().ok().await;
    alice.complete(&child).ok().await;
    assert_eq!(alice.stock("apples").await, "8 on hand");
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

    // It cannot be reopened any more, because what it back-ordered is given up.
    let copy_alone = PurchaseOrder { allowed_actions: vec![PurchaseOrderAction::Copy.into()], ..parent };
    assert_eq!(alice.seen(&order.purchase_order_id).await, copy_alone);
    assert_eq!(alice.stock("apples").await, "4 on hand");
    let chain = alice.chain(&order).ok().await;
    assert_eq!((&*chain.lines[0].received, &*chain.lines[0].cancelled, &*chain.lines[0].pending), ("4", "6", "0"));
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_reason_has_a_kind_beside_its_text(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let late = i32::from(CancelReason::Late);
    let order = alice.order(&[("apples", "10")]).await;

    let textless = alice.cancel(&order).with(|r| (r.reason, r.reason_code) = (String::new(), late));
    textless.refused(InvalidArgument, "INVALID_FOR_STORED_DATA").await.names_fields(&["reason"]);
    for unknown in [-1, 9] {
        let refused = alice.cancel(&order).with(|request| request.reason_code = unknown);
        refused.refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["reason_code"]);
    }
    let cancelled = alice.cancel(&order).with(|request| request.reason_code = late).ok().await;
    assert_eq!(cancelled.purchase_order.unwrap().cancel_reason_code(), CancelReason::Late);

    // A completion that cancels nothing has no reason, whatever its request says.
    let received = alice.received(&[("apples", "1")], &[(1, "1")]).await;
    let all_came = alice.complete(&received).because("late").with(|request| request.cancel_reason_code = late);
    let header = all_came.ok().await.purchase_order.unwrap();
    assert_eq!((&*header.cancel_reason, header.cancel_reason_code()), ("", CancelReason::Unspecified));

    let received = alice.received(&[("apples", "2")], &[(1, "1")]).await;
    let some_came = alice.complete(&received).rest(Cancel).because("late");
    let header = some_came.with(|request| request.cancel_reason_code = late).ok().await.purchase_order.unwrap();
    assert_eq!((&*header.cancel_reason, header.cancel_reason_code()), ("late", CancelReason::Late));
    let reopened = alice.reopen(&header).ok().await.purchase_order.unwrap();
    assert_eq!((&*reopened.cancel_reason, reopened.cancel_reason_code()), ("", CancelReason::Unspecified));
    world.verify().await;
}

//! Stories of PreviewCompletion and CompletePurchaseOrder: a screen shows what is pending, somebody
//! chooses, and what they were shown is what happens.

use purchase_order_service::proto::v1::PendingDisposition::{BackOrder, Cancel};
use purchase_order_service::proto::v1::{
    CompletePurchaseOrderRequest, PreviewCompletionRequest, PreviewCompletionResponse, PurchaseOrder,
    PurchaseOrderState,
};
use rstest::rstest;
use tonic::Code::{Aborted, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied};

use crate::contract::story::{AN_ID, ANOTHER_ID, Story, absent, as_much_as_there_may_be};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{at, line_text};

fn blockers(preview: &PreviewCompletionResponse) -> Vec<&str> {
    preview.blockers.iter().map(|blocker| blocker.reason.as_str()).collect()
}

/// A manager opens the screen, chooses, and sees nothing in the way any more.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn preview_completion(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<PreviewCompletionRequest>::on(on).await else { return };
    let carol = story.world.carol();
    let order = carol.received(&[("apples", "10"), ("pears", "5")], &[(1, "4")]).await;

    let opened = story.ok(carol.preview(&order)).await;
    assert_eq!(blockers(&opened), ["PENDING_UNSETTLED"]);
    let pending: Vec<_> =
        opened.pending_lines.iter().map(|line| (line.line_number, &*line.pending, line.pending_cost())).collect();
    assert_eq!(pending, [(1, "6", "15"), (2, "5", "12.5")]);
    let choices = || carol.preview(&order).line(2, "", "5").rest(BackOrder).because("out of season");
    let chosen = story.ok(choices()).await;
    assert_eq!((blockers(&chosen), &*chosen.back_order_number), (vec![], "PO-000001-B1"));
    assert_eq!((chosen.back_order_line_count, chosen.purchase_order.as_ref()), (1, Some(&order)));
    let apples = &chosen.stock[0];
    assert_eq!((&*apples.on_hand_before, &*apples.on_hand_after, &*apples.back_ordered_after), ("0", "4", "6"));

    let unfit = carol.preview(&order).line(2, "1", "5");
    let refused = story.refused(unfit, InvalidArgument, "INVALID_FOR_STORED_DATA").await;
    refused.names_fields(&["lines[0]"]);
    let refused = story.refused(carol.preview(&order).line(3, "1", ""), NotFound, "LINE_NOT_FOUND").await;
    assert_eq!(refused.metadata("line_numbers"), "3");
    story.refused(carol.preview(&absent()), NotFound, "PURCHASE_ORDER_NOT_FOUND").await;
    let stale = choices().with(|request| request.etag = "1".to_owned());
    assert_eq!(story.refused(stale, Aborted, "ETAG_MISMATCH").await.metadata("etag"), order.etag);
    let refused = story.refused(story.world.bob().preview(&order), PermissionDenied, "PERMISSION_MISSING").await;
    assert_eq!(refused.metadata("permission"), "COMPLETE_PURCHASE_ORDERS");

    assert_eq!(carol.seen(&order.purchase_order_id).await, order, "looking changes nothing");
    carol.complete(&order).line(2, "", "5").rest(BackOrder).because("out of season").ok().await;
    let refused = story.refused(choices(), FailedPrecondition, "WRONG_STATE").await;
    assert_eq!(refused.metadata("state"), "COMPLETED");
    story.end().await;
}

/// An order comes in half: what is there is sold, what is not follows on a back order.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn complete_purchase_order(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<CompletePurchaseOrderRequest>::on(on).await else { return };
    let (alice, carol) = (story.world.alice(), story.world.carol());
    let order = alice.order(&[("apples", "10"), ("pears", "5")]).await;
    let choices = || carol.complete(&order).line(2, "", "5").rest(BackOrder).because("out of season");
    story.refused(choices(), FailedPrecondition, "NOTHING_RECEIVED").await;
    let order = alice.receive(&order).accept(1, "4").ok().await.purchase_order.unwrap();
    story.world.clock.set("2026-03-03T10:00:00Z");

    what_does_not_fit(&story, &order).await;
    story.world.operator().disable_back_orders().ok().await;
    let refused = story.refused(choices(), FailedPrecondition, "BACK_ORDERS_DISABLED").await;
    assert_eq!(refused.metadata("line_numbers"), "1");
    // It cannot be turned on again while this order is open, so its rest is given up.
    let rest = carol.complete(&order).rest(Cancel).because("late").id(AN_ID);
    let completed = story.ok(rest.clone().with(|request| request.etag = order.etag.clone())).await;
    let header = completed.purchase_order.clone().unwrap();
    assert_eq!((header.state(), &*header.cancel_reason), (PurchaseOrderState::Completed, "late"));
    assert_eq!((header.complete_time, completed.back_order), (at("2026-03-03T10:00:00Z"), None));
    story.refused(rest, InvalidArgument, "REQUEST_ID_REUSED").await;
    let refused = story.refused(choices(), FailedPrecondition, "WRONG_STATE").await;
    assert_eq!(refused.metadata("state"), "COMPLETED");

    story.world.operator().enable_back_orders().ok().await;
    let order = alice.received(&[("apples", "10"), ("pears", "5")], &[(1, "6")]).await;
    let split = || carol.complete(&order).line(1, "3", "1").rest(BackOrder).because("enough").id(ANOTHER_ID);
    let completed = story.ok(split()).await;
    let child = completed.back_order.clone().unwrap();
    assert_eq!((&*child.number, child.line_count), ("PO-000002-B1", 2));
    assert_eq!(story.ok(split()).await, completed, "sent again, it is the same back order");
    let child = alice.lines(&alice.seen(&child.purchase_order_id).await).await;
    let texts: Vec<String> = child.iter().map(line_text).collect();
    assert_eq!(texts, ["1 apples: 3 ordered, 3 pending", "2 pears: 5 ordered, 5 pending"]);
    assert_eq!(alice.stock("apples").await, "10 on hand, 3 on order, 3 back-ordered");
    more_than_a_store_can_have(&story).await;
    story.end().await;
}

type Completing = Story<CompletePurchaseOrderRequest>;

async fn what_does_not_fit(story: &Completing, order: &PurchaseOrder) {
    let carol = story.world.carol();
    let refused = story.refused(carol.complete(order), FailedPrecondition, "PENDING_UNSETTLED").await;
    assert_eq!((refused.metadata("line_numbers"), refused.metadata("total")), ("1,2".to_owned(), "2".to_owned()));
    let wrong = carol.complete(order).line(1, "7", "").line(2, "4.5", "0.5").because("late");
    let wrong = wrong.with(|request| request.expected_date = "2026-03-02".to_owned());
    let refused = story.refused(wrong, InvalidArgument, "INVALID_FOR_STORED_DATA").await;
    refused.names_fields(&["lines[0]", "lines[1].back_order", "lines[1].cancel", "expected_date"]);
    let unknown = carol.complete(order).line(3, "1", "").rest(BackOrder);
    story.refused(unknown, NotFound, "LINE_NOT_FOUND").await;
    story.refused(carol.complete(&absent()), NotFound, "PURCHASE_ORDER_NOT_FOUND").await;
    let stale = carol.complete(order).rest(BackOrder).with(|request| request.etag = "2".to_owned());
    assert_eq!(story.refused(stale, Aborted, "ETAG_MISMATCH").await.metadata("etag"), order.etag);
    story.refused(story.world.bob().complete(order), PermissionDenied, "PERMISSION_MISSING").await;
}

async fn more_than_a_store_can_have(story: &Completing) {
    let alice = story.world.alice();
    let full = alice.order(&as_much_as_there_may_be("grain")).await;
    alice.receive(&full).all_pending().ok().await;
    story.ok(alice.complete(&full)).await;
    let one_more = alice.received(&[("grain", "1")], &[(1, "1")]).await;
    assert_eq!(blockers(&alice.preview(&one_more).ok().await), ["LEVEL_OUT_OF_RANGE"]);
    let refused = story.refused(alice.complete(&one_more), FailedPrecondition, "LEVEL_OUT_OF_RANGE").await;
    assert_eq!(refused.metadata("product_ids"), "grain");
    assert_eq!(alice.stock("grain").await, "900000000000 on hand, 1 staged");
}

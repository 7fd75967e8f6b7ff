//! Story of ReopenPurchaseOrder: a completion that was wrong is undone, as long as nobody has built on it.

use purchase_order_service::proto::v1::AdjustmentKind::{Count, ReturnToSupplier, Sale};
use purchase_order_service::proto::v1::PendingDisposition::{BackOrder, Cancel};
use purchase_order_service::proto::v1::PurchaseOrderAction::Reopen;
use purchase_order_service::proto::v1::{
    FoldedBackOrder, PurchaseOrder, PurchaseOrderState, ReopenPurchaseOrderRequest,
};
use rstest::rstest;
use tonic::Code::{Aborted, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, Unauthenticated};

use crate::contract::story::{AN_ID, Story, absent, as_much_as_there_may_be};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::line_text;

/// A box is found in the yard after the order was completed, so it is reopened, and its back order is folded back.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn reopen_purchase_order(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<ReopenPurchaseOrderRequest>::on(on).await else { return };
    let (alice, bob, carol) = (story.world.alice(), story.world.bob(), story.world.carol());
    let order = alice.received(&[("apples", "10"), ("pears", "5")], &[(1, "4")]).await;
    let refused = story.refused(alice.reopen(&order), FailedPrecondition, "WRONG_STATE").await;
    assert_eq!(refused.metadata("state"), "RECEIVING");
    let completed = alice.complete(&order).line(2, "2", "3").rest(BackOrder).because("enough").ok().await;
    let seen = completed.purchase_order.unwrap();
    assert!(seen.allowed_actions().any(|action| action == Reopen));
    let child = alice.seen(&completed.back_order.unwrap().purchase_order_id).await;

    who_may_not(&story, &seen).await;
    what_stands_in_the_way(&story, &seen, &child).await;

    let now = alice.seen(&order.purchase_order_id).await;
    let reopen = carol.reopen(&order).id(AN_ID).with(|request| request.etag = now.etag.clone());
    let reopened = story.ok(reopen.clone()).await;
    let header = reopened.purchase_order.clone().unwrap();
    assert_eq!((header.state(), &*header.cancel_reason), (PurchaseOrderState::Receiving, ""));
    assert_eq!((&header.complete_time, &*header.completed_by), (&None, ""));
    assert_eq!(header.back_order_purchase_order_id, "");
    let folded = FoldedBackOrder { purchase_order_id: child.purchase_order_id.clone(), number: child.number.clone() };
    assert_eq!(reopened.folded_back_order, Some(folded));
    assert_eq!(story.ok(reopen.clone()).await, reopened, "sent again, it is the same");
    let other = reopen.with(|request| request.reason.push('!'));
    story.refused(other, InvalidArgument, "REQUEST_ID_REUSED").await;
    let texts: Vec<String> = alice.lines(&order).await.iter().map(line_text).collect();
    assert_eq!(texts, ["1 apples: 10 ordered, 4 received, 6 pending", "2 pears: 5 ordered, 5 pending"]);
    assert_eq!(alice.stock("apples").await, "4 staged, 6 on order");
    let child = alice.seen(&child.purchase_order_id).await;
    assert_eq!((child.state(), child.folded_back), (PurchaseOrderState::Cancelled, true));
    assert_eq!((&*child.cancel_reason, &*child.cancelled_by), ("a box was found", "carol"));
    let refused = story.refused(alice.reopen(&child), FailedPrecondition, "WRONG_STATE").await;
    assert_eq!(refused.metadata("state"), "CANCELLED");

    more_than_a_store_can_have(&story).await;
    bob.receive(&order).accept(1, "2").ok().await;
    let child = alice.back_order(&order).await;
    assert_eq!(child.number, "PO-000001-B2");
    story.world.operator().disable_back_orders().ok().await;
    let refused = story.refused(alice.reopen(&order), FailedPrecondition, "BACK_ORDERS_DISABLED").await;
    assert_eq!(refused.metadata("back_order"), child.number);
    story.end().await;
}

type Reopening = Story<ReopenPurchaseOrderRequest>;

async fn who_may_not(story: &Reopening, order: &PurchaseOrder) {
    let alice = story.world.alice();
    story.refused(alice.reopen(&absent()), NotFound, "PURCHASE_ORDER_NOT_FOUND").await;
    let refused = story.refused(story.world.bob().reopen(order), PermissionDenied, "PERMISSION_MISSING").await;
    assert_eq!(refused.metadata("permission"), "REOPEN");
    story.refused(story.world.operator().reopen(order), PermissionDenied, "NO_STORE_ACCESS").await;
    story.refused(story.world.caller("").reopen(order), Unauthenticated, "NO_CREDENTIALS").await;
    let silent = alice.reopen(order).with(|request| request.reason.clear());
    story.refused(silent, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["reason"]);
    let stale = alice.reopen(order).with(|request| request.etag = "1".to_owned());
    assert_eq!(story.refused(stale, Aborted, "ETAG_MISMATCH").await.metadata("etag"), order.etag);
}

async fn what_stands_in_the_way(story: &Reopening, order: &PurchaseOrder, child: &PurchaseOrder) {
    let alice = story.world.alice();
    alice.adjust("apples", Sale, "1").ok().await;
    let refused = story.refused(alice.reopen(order), FailedPrecondition, "STOCK_GONE").await;
    assert_eq!(
        (refused.metadata("number"), refused.metadata("product_ids")),
        (order.number.clone(), "apples".to_owned())
    );
    alice.receive(child).accept(1, "1").ok().await;
    let refused = story.refused(alice.reopen(order), FailedPrecondition, "BACK_ORDER_TOUCHED").await;
    assert_eq!(refused.metadata("back_order"), child.number);
    assert!(alice.seen(&order.purchase_order_id).await.allowed_actions().all(|action| action != Reopen));
    // Each is taken out of the way again.
    alice.void(child, 1).ok().await;
    assert!(alice.seen(&order.purchase_order_id).await.allowed_actions().any(|action| action == Reopen));
    alice.adjust("apples", Count, "4").ok().await;
    let renamed = alice.update(child, &["note", "supplier_reference", "external_id"]).with(|request| {
        request.note = "ring twice".to_owned();
        request.supplier_reference = "S-1".to_owned();
        request.external_id = "erp-1".to_owned();
    });
    renamed.ok().await;
    let returned = alice.received(&[("plums", "2")], &[(1, "2")]).await;
    alice.complete(&returned).ok().await;
    alice.adjust("plums", ReturnToSupplier, "1").of_line(&returned, 1).ok().await;
    let refused = story.refused(alice.reopen(&returned), FailedPrecondition, "GOODS_RETURNED").await;
    assert_eq!((refused.metadata("line_numbers"), refused.metadata("total")), ("1".to_owned(), "1".to_owned()));
}

/// What is pending again must fit into a level too.
async fn more_than_a_store_can_have(story: &Reopening) {
    let alice = story.world.alice();
    let order = alice.received(&[("grain", "2")], &[(1, "1")]).await;
    alice.complete(&order).rest(Cancel).because("late").ok().await;
    alice.order(&as_much_as_there_may_be("grain")).await;
    let refused = story.refused(alice.reopen(&order), FailedPrecondition, "LEVEL_OUT_OF_RANGE").await;
    assert_eq!(refused.metadata("product_ids"), "grain");
}

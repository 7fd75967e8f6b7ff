//! Story of CopyPurchaseOrder: the same is ordered again, or what never came.

use purchase_order_service::proto::v1::PendingDisposition::Cancel;
use purchase_order_service::proto::v1::PurchaseOrderAction::{Copy, Reopen};
use purchase_order_service::proto::v1::{CopyPurchaseOrderRequest, PurchaseOrderState};
use rstest::rstest;
use tonic::Code::{FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, Unauthenticated};

use crate::contract::story::{AN_ID, Story, absent};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::line_text;

/// Every week the same, and once what the supplier could not deliver.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn copy_purchase_order(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<CopyPurchaseOrderRequest>::on(on).await else { return };
    let (alice, bob) = (story.world.alice(), story.world.bob());
    let create = alice.create(&[("bread", "10"), ("milk", "6"), ("salt", "0")]).with(|request| {
        request.note = "at the back gate".to_owned();
        request.external_id = "erp-1".to_owned();
        request.expected_date = "2026-03-09".to_owned();
        request.lines[1].note = "whole".to_owned();
    });
    let draft = create.ok().await.purchase_order.unwrap();
    assert!(draft.allowed_actions().any(|action| action == Copy));
    let without_salt = alice.update(&draft, &["lines"]).with(|request| {
        request.lines = vec![crate::support::line("bread", "10"), crate::support::line("milk", "6")];
        request.lines[1].note = "whole".to_owned();
    });
    without_salt.ok().await;
    let order = alice.place(&draft).ok().await.purchase_order.unwrap();
    let cancelled = |order| alice.copy(order).with(|request| request.cancelled_only = true);
    story.refused(cancelled(&order), FailedPrecondition, "NOTHING_TO_COPY").await;
    alice.receive(&order).accept(1, "10").accept(2, "1").ok().await;
    let completed = alice.complete(&order).rest(Cancel).because("sold out").ok().await.purchase_order.unwrap();
    assert_eq!(completed.allowed_actions().collect::<Vec<_>>(), [Copy, Reopen], "a closed order can be ordered again");

    let copied = story.ok(alice.copy(&order).id(AN_ID)).await;
    let again = copied.purchase_order.clone().unwrap();
    assert_eq!((&*again.number, again.state(), &*again.etag), ("PO-000002", PurchaseOrderState::Draft, "1"));
    assert_eq!((&*again.supplier_id, &*again.note, &*again.external_id, &*again.expected_date), ("acme", "", "", ""));
    assert_eq!(again.ordered_cost, order.ordered_cost);
    let lines = alice.lines(&again).await;
    let texts: Vec<String> = lines.iter().map(line_text).collect();
    assert_eq!(texts, ["1 bread: 10 ordered, 10 pending", "2 milk: 6 ordered, 6 pending"]);
    assert_eq!((&*lines[1].note, &*lines[0].expected_date), ("whole", ""));
    assert_eq!(story.ok(alice.copy(&order).id(AN_ID)).await, copied, "sent again, it is the same draft");
    let other = cancelled(&order).id(AN_ID);
    story.refused(other, InvalidArgument, "REQUEST_ID_REUSED").await;
    assert_eq!(alice.seen(&order.purchase_order_id).await, completed, "the order itself stays as it was");

    let rest = story.ok(cancelled(&order)).await.purchase_order.unwrap();
    let lines: Vec<String> = alice.lines(&rest).await.iter().map(line_text).collect();
    assert_eq!(lines, ["1 milk: 5 ordered, 5 pending"]);
    let nothing = alice.draft(&[("salt", "0")]).await;
    assert!(nothing.allowed_actions().all(|action| action != Copy));
    let refused = story.refused(alice.copy(&nothing), FailedPrecondition, "NOTHING_TO_COPY").await;
    assert_eq!(refused.metadata("number"), nothing.number);

    // A caller who may edit may copy, and sees no cost for it.
    let buyer = story.world.caller("dora");
    alice.create_role("planner", &[purchase_order_service::proto::v1::Permission::Edit]).ok().await;
    alice.grant("dora", "planner").ok().await;
    assert_eq!(story.ok(buyer.copy(&order)).await.purchase_order.unwrap().ordered_cost, None);
    story.refused(alice.copy(&absent()), NotFound, "PURCHASE_ORDER_NOT_FOUND").await;
    let malformed = alice.copy(&order).with(|request| request.purchase_order_id = "PO-000001".to_owned());
    story.refused(malformed, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["purchase_order_id"]);
    story.refused(bob.copy(&order), PermissionDenied, "PERMISSION_MISSING").await;
    story.refused(story.world.operator().copy(&order), PermissionDenied, "NO_STORE_ACCESS").await;
    story.refused(story.world.caller("").copy(&order), Unauthenticated, "NO_CREDENTIALS").await;
    story.end().await;
}

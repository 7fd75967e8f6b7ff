//! Story of CancelPurchaseOrderLines: one product cannot be had, and the order goes on without it.

use purchase_order_service::proto::v1::PurchaseOrderAction::CancelLines;
use purchase_order_service::proto::v1::{CancelPurchaseOrderLinesRequest, PurchaseOrderState};
use rstest::rstest;
use tonic::Code::{Aborted, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, Unauthenticated};

use crate::contract::story::{AN_ID, Story, absent};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::line_text;

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn cancel_purchase_order_lines(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<CancelPurchaseOrderLinesRequest>::on(on).await else { return };
    let (alice, bob) = (story.world.alice(), story.world.bob());
    let order = alice.order(&[("apples", "10"), ("pears", "5"), ("plums", "2")]).await;
    assert!(order.allowed_actions().any(|action| action == CancelLines));

    let cancel = alice.cancel_lines(&order, &[(2, ""), (1, "4"), (3, "0")]).id(AN_ID);
    let cancel = cancel.with(|request| request.etag = order.etag.clone());
    let cancelled = story.ok(cancel.clone()).await;
    let lines: Vec<String> = cancelled.lines.iter().map(line_text).collect();
    assert_eq!(lines, ["1 apples: 10 ordered, 4 cancelled, 6 pending", "2 pears: 5 ordered, 5 cancelled"]);
    let header = cancelled.purchase_order.clone().unwrap();
    assert_eq!((header.state(), &*header.cancel_reason), (PurchaseOrderState::OnOrder, ""));
    assert_eq!(alice.stock("pears").await, "");
    assert_eq!(story.ok(cancel.clone()).await, cancelled, "sent again, it is the same");
    let other = cancel.with(|request| request.lines[1].quantity = Some("1".to_owned()));
    story.refused(other, InvalidArgument, "REQUEST_ID_REUSED").await;
    let stale = alice.cancel_lines(&order, &[(1, "1")]).with(|request| request.etag = order.etag.clone());
    story.refused(stale, Aborted, "ETAG_MISMATCH").await;

    let silent = alice.cancel_lines(&order, &[(1, "1")]).with(|request| request.lines[0].reason.clear());
    story.refused(silent, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["lines[0].reason"]);
    let twice = alice.cancel_lines(&order, &[(1, "1"), (1, "2")]);
    story.refused(twice, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["lines[1].line_number"]);
    let nothing = alice.cancel_lines(&order, &[(1, "0")]);
    story.refused(nothing, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["lines"]);
    let stored = "INVALID_FOR_STORED_DATA";
    for (lines, field) in [
        (&[(1, "7")][..], "lines[0].quantity"),
        (&[(1, "0.5")], "lines[0].quantity"),
        (&[(3, "1"), (2, "")], "lines[1]"),
    ] {
        let refused = story.refused(alice.cancel_lines(&order, lines), InvalidArgument, stored).await;
        refused.names_fields(&[field]);
    }
    let refused = story.refused(alice.cancel_lines(&order, &[(4, "")]), NotFound, "LINE_NOT_FOUND").await;
    assert_eq!(refused.metadata("line_numbers"), "4");
    let all = alice.cancel_lines(&order, &[(1, ""), (3, "")]);
    let refused = story.refused(all.clone(), FailedPrecondition, "NOTHING_LEFT").await;
    assert_eq!(refused.metadata("number"), order.number);

    // With something in the building, nothing needs to be pending any more.
    alice.receive(&order).accept(1, "1").ok().await;
    let last = story.ok(all).await.purchase_order.unwrap();
    assert!(last.allowed_actions().all(|action| action != CancelLines));
    let refused = story.refused(alice.cancel_lines(&order, &[(1, "1")]), FailedPrecondition, "NOTHING_PENDING").await;
    assert_eq!(refused.metadata("number"), order.number);
    let completed = alice.complete(&order).ok().await;
    assert_eq!(completed.back_order, None);
    assert_eq!(alice.stock("apples").await, "1 on hand");
    let refused = story.refused(alice.cancel_lines(&order, &[(1, "1")]), FailedPrecondition, "WRONG_STATE").await;
    assert_eq!(refused.metadata("state"), "COMPLETED");

    the_reasons_are_limited_together(&story).await;
    story.refused(alice.cancel_lines(&absent(), &[(1, "")]), NotFound, "PURCHASE_ORDER_NOT_FOUND").await;
    story.refused(bob.cancel_lines(&order, &[(1, "")]), PermissionDenied, "PERMISSION_MISSING").await;
    let operator = story.world.operator();
    story.refused(operator.cancel_lines(&order, &[(1, "")]), PermissionDenied, "NO_STORE_ACCESS").await;
    let nobody = story.world.caller("");
    story.refused(nobody.cancel_lines(&order, &[(1, "")]), Unauthenticated, "NO_CREDENTIALS").await;
    story.end().await;
}

/// 500 reasons as long as one may be fit into a request, for whichever command cancels, and a byte more does not.
async fn the_reasons_are_limited_together(story: &Story<CancelPurchaseOrderLinesRequest>) {
    let alice = story.world.alice();
    let products: Vec<String> = (1..=502).map(|number| format!("part-{number}")).collect();
    let lines: Vec<(&str, &str)> = products.iter().map(|product| (product.as_str(), "2")).collect();
    let order = alice.order(&lines).await;
    let reason = "r".repeat(1_000);
    let named: Vec<(i32, &str)> = (1..=501).map(|line| (line, "1")).collect();
    let cancel = |count: usize| {
        alice.cancel_lines(&order, &named[..count]).with(|request| {
            request.lines.iter_mut().for_each(|line| line.reason = reason.clone());
            request.lines.iter_mut().skip(500).for_each(|line| line.reason = "r".to_owned());
        })
    };
    story.refused(cancel(501), InvalidArgument, "INVALID_REQUEST").await.names_fields(&["lines"]);
    story.ok(cancel(500)).await;
    alice.receive(&order).accept(502, "2").ok().await;
    let complete = |more: &str| {
        let complete = (1..=500).fold(alice.complete(&order), |call, line| call.line(line, "", "1"));
        complete.line(501, "", "2").because("late").with(|request| {
            request.lines.iter_mut().for_each(|line| line.cancel_reason = reason.clone());
            request.lines[500].cancel_reason = more.to_owned();
        })
    };
    complete("r").refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["lines"]);
    complete("").ok().await;
}

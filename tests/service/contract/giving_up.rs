//! Stories of CancelPurchaseOrder and GetBackOrderChain: what was given up, and what became of it all.

use purchase_order_service::proto::v1::PendingDisposition::Cancel;
use purchase_order_service::proto::v1::{CancelPurchaseOrderRequest, GetBackOrderChainRequest, PurchaseOrderState};
use rstest::rstest;
use tonic::Code::{Aborted, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, Unauthenticated};

use crate::contract::story::{AN_ID, Story, absent};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{at, chain_line_text, line_text};

/// Three orders are given up: a draft, one that never came, and one of which only rubbish came.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn cancel_purchase_order(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<CancelPurchaseOrderRequest>::on(on).await else { return };
    let carol = story.world.carol();
    let draft = carol.draft(&[("apples", "3")]).await;
    let order = carol.order(&[("apples", "10")]).await;
    let rubbish = carol.order(&[("pears", "5")]).await;
    carol.receive(&rubbish).reject(1, "5", "mouldy").ok().await;
    story.world.clock.set("2026-03-03T10:00:00Z");

    let silent = story.ok(carol.cancel(&draft).with(|request| request.reason.clear())).await;
    assert_eq!(silent.purchase_order.unwrap().state(), PurchaseOrderState::Cancelled);
    let refused = carol.cancel(&order).with(|request| request.reason.clear());
    let refused = story.refused(refused, InvalidArgument, "INVALID_FOR_STORED_DATA").await;
    refused.names_fields(&["reason"]);
    let long = carol.cancel(&order).with(|request| request.reason = "r".repeat(1_001));
    story.refused(long, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["reason"]);
    let stale = carol.cancel(&order).with(|request| request.etag = "1".to_owned());
    assert_eq!(story.refused(stale, Aborted, "ETAG_MISMATCH").await.metadata("etag"), "2");
    story.refused(story.world.bob().cancel(&order), PermissionDenied, "PERMISSION_MISSING").await;
    story.refused(carol.cancel(&absent()), NotFound, "PURCHASE_ORDER_NOT_FOUND").await;

    carol.receive(&order).accept(1, "1").ok().await;
    let refused = story.refused(carol.cancel(&order), FailedPrecondition, "ACCEPTED_STAGED").await;
    assert_eq!(refused.metadata("number"), order.number);
    carol.void(&order, 1).ok().await;
    let cancelled = story.ok(carol.cancel(&order).id(AN_ID)).await;
    let header = cancelled.purchase_order.clone().unwrap();
    assert_eq!((header.state(), &*header.cancel_reason), (PurchaseOrderState::Cancelled, "not needed any more"));
    assert_eq!((header.cancel_time, header.complete_time), (at("2026-03-03T10:00:00Z"), None));
    assert_eq!(line_text(&carol.lines(&order).await[0]), "1 apples: 10 ordered, 10 cancelled");
    assert_eq!(story.ok(carol.cancel(&order).id(AN_ID)).await, cancelled, "sent again, it is the same");
    let refused = story.refused(carol.cancel(&order), FailedPrecondition, "WRONG_STATE").await;
    assert_eq!(refused.metadata("state"), "CANCELLED");

    story.ok(carol.cancel(&rubbish)).await;
    assert_eq!(line_text(&carol.lines(&rubbish).await[0]), "1 pears: 5 ordered, 5 rejected, 5 cancelled");
    assert_eq!((carol.stock("apples").await, carol.stock("pears").await), (String::new(), String::new()));
    story.end().await;
}

/// An order took three deliveries over three orders; its story is told from any of them.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn get_back_order_chain(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<GetBackOrderChainRequest>::on(on).await else { return };
    let (alice, bob) = (story.world.alice(), story.world.bob());
    let original = alice.received(&[("apples", "10"), ("pears", "5"), ("plums", "2")], &[(1, "4"), (3, "2")]).await;
    story.world.clock.set("2026-03-04T10:00:00Z");
    let first = alice.back_order(&original).await;
    alice.receive(&first).accept(1, "1").accept(2, "2").ok().await;
    let second = alice.back_order(&first).await;
    alice.receive(&second).accept(1, "3").ok().await;

    let chain = story.ok(bob.chain(&second)).await;
    let numbers: Vec<&str> = chain.purchase_orders.iter().map(|order| order.number.as_str()).collect();
    assert_eq!(numbers, ["PO-000001", "PO-000001-B1", "PO-000001-B2"]);
    let lines: Vec<String> = chain.lines.iter().map(chain_line_text).collect();
    assert_eq!(
        lines,
        [
            "1 apples: 10 ordered, 8 received, 5 on hand, 2 pending",
            "2 pears: 5 ordered, 2 received, 2 on hand, 3 pending",
            "3 plums: 2 ordered, 2 received, 2 on hand",
        ]
    );
    let times = (chain.lines[0].first_receive_time, chain.lines[0].last_receive_time);
    assert_eq!(times, (at("2026-03-02T09:00:00Z"), at("2026-03-04T10:00:00Z")));
    alice.complete(&second).rest(Cancel).because("enough").ok().await;
    let ended = story.ok(bob.chain(&original)).await;
    assert_eq!(chain_line_text(&ended.lines[1]), "2 pears: 5 ordered, 2 received, 2 on hand, 3 cancelled");
    let page = story.ok(bob.chain(&first).with(|request| request.page_size = 2)).await;
    assert_eq!((&page.lines[..], &page.purchase_orders[..]), (&ended.lines[..2], &ended.purchase_orders[..2]));
    let token = page.next_page_token;
    let rest = bob.chain(&first).with(|r| (r.page_size, r.page_token) = (2, token.clone()));
    let rest = story.ok(rest).await;
    assert_eq!((&rest.lines[..], &rest.purchase_orders[..]), (&ended.lines[2..], &ended.purchase_orders[2..]));
    assert_eq!(rest.next_page_token, "");

    let elsewhere = bob.chain(&second).with(|request| request.page_token = token);
    story.refused(elsewhere, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_token"]);
    story.refused(bob.chain(&absent()), NotFound, "PURCHASE_ORDER_NOT_FOUND").await;
    story.refused(story.world.operator().chain(&first), PermissionDenied, "NO_STORE_ACCESS").await;
    story.refused(story.world.caller("").chain(&first), Unauthenticated, "NO_CREDENTIALS").await;
    story.end().await;
}

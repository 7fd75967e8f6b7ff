//! The story of ListPurchaseOrderHistory: who did what to an order, and when.

use purchase_order_service::proto::v1::history_entry::Change;
use purchase_order_service::proto::v1::{HistoryEntry, ListPurchaseOrderHistoryRequest};
use rstest::rstest;
use tonic::Code::{InvalidArgument, NotFound, PermissionDenied, Unauthenticated};

use crate::contract::story::{Story, absent};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::at;

/// The revision after each entry, who made it, and when.
fn who_and_when(entries: &[HistoryEntry]) -> Vec<(i64, &str, Option<prost_types::Timestamp>)> {
    entries.iter().map(|entry| (entry.revision, entry.actor.as_str(), entry.event_time)).collect()
}

/// A clerk finds out who gave an order up, and why.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn list_purchase_order_history(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<ListPurchaseOrderHistoryRequest>::on(on).await else { return };
    let (alice, bob, carol) = (story.world.alice(), story.world.bob(), story.world.carol());
    let order = alice.order(&[("apples", "10"), ("pears", "5")]).await;
    let other = alice.order(&[("apples", "1")]).await;
    story.world.clock.set("2026-03-03T10:00:00Z");
    bob.receive(&order).reject(1, "10", "mouldy").ok().await;
    story.world.clock.set("2026-03-04T10:00:00Z");
    let cancelled = carol.cancel(&order).ok().await;
    let page = |size: i32, token: &str| {
        let token = token.to_owned();
        bob.history(&order).with(|request| (request.page_size, request.page_token) = (size, token))
    };

    let all = story.ok(bob.history(&order)).await;
    let monday = at("2026-03-02T09:00:00Z");
    assert_eq!(
        who_and_when(&all.entries),
        [
            (1, "alice", monday),
            (2, "alice", monday),
            (3, "bob", at("2026-03-03T10:00:00Z")),
            (4, "carol", at("2026-03-04T10:00:00Z")),
        ]
    );
    assert_eq!(all.next_page_token, "");
    let last = &all.entries[3];
    assert_eq!(last.event_number, cancelled.event_number);
    assert_eq!(last.revision.to_string(), cancelled.purchase_order.unwrap().etag);
    let Some(Change::Cancelled(change)) = &last.change else { panic!("{last:?}") };
    assert_eq!(change.reason, "not needed any more");

    let first = story.ok(page(3, "")).await;
    assert_eq!(first.entries, all.entries[..3]);
    // What happens meanwhile is told at the end.
    alice.update(&order, &["external_id"]).with(|request| request.external_id = "erp-7".to_owned()).ok().await;
    let rest = story.ok(page(50, &first.next_page_token)).await;
    assert_eq!((rest.entries.len(), &rest.entries[0], &*rest.next_page_token), (2, last, ""));
    assert!(matches!(&rest.entries[1].change, Some(Change::Updated(change)) if change.external_id == "erp-7"));

    let elsewhere = bob.history(&other).with(|request| request.page_token = first.next_page_token.clone());
    story.refused(elsewhere, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_token"]);
    story.refused(page(0, "4"), InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_token"]);
    story.refused(page(-1, ""), InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_size"]);
    story.refused(bob.history(&absent()), NotFound, "PURCHASE_ORDER_NOT_FOUND").await;
    story.refused(story.world.operator().history(&order), PermissionDenied, "NO_STORE_ACCESS").await;
    story.refused(story.world.caller("").history(&order), Unauthenticated, "NO_CREDENTIALS").await;
    story.end().await;
}

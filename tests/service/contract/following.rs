//! The stories of ListPurchaseOrderHistory, ListEvents and WatchEvents: who did what, and when.

use purchase_order_service::proto::v1::event::Change;
use purchase_order_service::proto::v1::{
    Event, EventType, ListEventsRequest, ListPurchaseOrderHistoryRequest, WatchEventsRequest,
};
use rstest::rstest;
use tonic::Code::{InvalidArgument, NotFound, OutOfRange, PermissionDenied, Unauthenticated};

use crate::contract::story::{Story, absent};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Rpc, STORE, at, order_of, position};

/// The revision after each entry, who made it, and when.
fn who_and_when(entries: &[Event]) -> Vec<(i64, &str, Option<prost_types::Timestamp>)> {
    entries.iter().map(|entry| (order_of(entry).revision, entry.actor.as_str(), entry.event_time)).collect()
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
        who_and_when(&all.events),
        [
            (1, "alice", monday),
            (2, "alice", monday),
            (3, "bob", at("2026-03-03T10:00:00Z")),
            (4, "carol", at("2026-03-04T10:00:00Z")),
        ]
    );
    assert_eq!(all.next_page_token, "");
    let last = &all.events[3];
    assert_eq!(last.event_number, cancelled.event_number);
    assert_eq!(order_of(last).revision.to_string(), cancelled.purchase_order.unwrap().etag);
    let Some(Change::Cancelled(change)) = &last.change else { panic!("{last:?}") };
    assert_eq!(change.reason, "not needed any more");

    let first = story.ok(page(3, "")).await;
    assert_eq!(first.events, all.events[..3]);
    // What happens meanwhile is told at the end.
    alice.update(&order, &["external_id"]).with(|request| request.external_id = "erp-7".to_owned()).ok().await;
    let rest = story.ok(page(50, &first.next_page_token)).await;
    assert_eq!((rest.events.len(), &rest.events[0], &*rest.next_page_token), (2, last, ""));
    assert!(matches!(&rest.events[1].change, Some(Change::Updated(change)) if change.external_id == "erp-7"));

    let elsewhere = bob.history(&other).with(|request| request.page_token = first.next_page_token.clone());
    story.refused(elsewhere, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_token"]);
    story.refused(page(0, "4"), InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_token"]);
    story.refused(page(-1, ""), InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_size"]);
    story.refused(bob.history(&absent()), NotFound, "PURCHASE_ORDER_NOT_FOUND").await;
    story.refused(story.world.operator().history(&order), PermissionDenied, "NO_STORE_ACCESS").await;
    story.refused(story.world.caller("").history(&order), Unauthenticated, "NO_CREDENTIALS").await;
    story.end().await;
}

/// Deletes the first event of the store, as the pruner does.
fn prune_first_event<R: Rpc>(story: &Story<R>) {
    let deleted = "DELETE FROM event WHERE store_id = 'north' AND event_number = 1;
        UPDATE store SET first_event = 2 WHERE store_id = 'north'";
    story.world.database.session().batch(deleted).unwrap();
}

/// An ERP takes over what has happened, asks for more, and is told where it must not ask.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn list_events(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<ListEventsRequest>::on(on).await else { return };
    let (alice, bob, operator) = (story.world.alice(), story.world.bob(), story.world.operator());
    operator.at("south").create_store("sam").ok().await;
    let begun = alice.last_event().await;
    let order = alice.order(&[("apples", "10")]).await;

    let page = story.ok(bob.events(begun)).await;
    assert!(page.up_to_date);
    assert_eq!(page.positions, [position(STORE, begun + 2)]);
    assert_eq!(
        page.events.iter().map(Event::r#type).collect::<Vec<_>>(),
        [EventType::OrderCreated, EventType::OrderPlaced]
    );
    assert_eq!(order_of(&page.events[1]).number, order.number);
    let first = story.ok(bob.events(begun).with(|request| request.page_size = 1)).await;
    assert_eq!((&first.events[..], first.up_to_date), (&page.events[..1], false));

    let both = |positions| bob.call(ListEventsRequest { positions, ..ListEventsRequest::default() });
    let refused =
        story.refused(both(vec![position(STORE, 0), position("south", 0)]), PermissionDenied, "NO_STORE_ACCESS");
    assert_eq!(refused.await.metadata("store_id"), "south");
    story.refused(bob.events(begun + 3), OutOfRange, "POSITION_AHEAD").await;
    prune_first_event(&story);
    let pruned = story.refused(bob.events(0), OutOfRange, "POSITION_PRUNED").await;
    assert_eq!((pruned.metadata("first_event_number"), pruned.metadata("after")), ("2".to_owned(), "0".to_owned()));
    assert_eq!(story.ok(bob.events(1)).await.events[0].event_number, 2);
    let twice = both(vec![position(STORE, 0), position(STORE, 1)]);
    story.refused(twice, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["positions[1].store_id"]);
    let negative = bob.events(-1).with(|request| request.page_size = -1);
    let negative = story.refused(negative, InvalidArgument, "INVALID_REQUEST").await;
    negative.names_fields(&["positions[0].after", "page_size"]);
    let unknown = bob.events(0).with(|request| request.types = vec![0]);
    story.refused(unknown, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["types[0]"]);
    story.refused(both(Vec::new()), InvalidArgument, "INVALID_REQUEST").await.names_fields(&["positions"]);
    story.refused(operator.events(0), PermissionDenied, "NO_STORE_ACCESS").await;
    story.refused(story.world.caller("").events(0), Unauthenticated, "NO_CREDENTIALS").await;
    story.end().await;
}

/// A dashboard watches a store, and is told where it must not.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn watch_events(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<WatchEventsRequest>::on(on).await else { return };
    let (alice, bob, operator) = (story.world.alice(), story.world.bob(), story.world.operator());
    let begun = alice.last_event().await;

    let first = story.ok(bob.watch(begun)).await;
    assert_eq!((first.events.len(), &first.positions[..]), (0, &[position(STORE, begun)][..]));
    let mut watching = bob.watch(begun).begin().await;
    let order = alice.order(&[("apples", "10")]).await;
    let events = watching.events(2).await;
    assert_eq!(order_of(&events[1]).number, order.number);

    story.refused(bob.watch(begun + 3), OutOfRange, "POSITION_AHEAD").await;
    prune_first_event(&story);
    let pruned = story.refused(bob.watch(0), OutOfRange, "POSITION_PRUNED").await;
    assert_eq!(pruned.metadata("first_event_number"), "2");
    let nowhere = bob.watch(0).with(|request| request.positions.push(position("south", 0)));
    story.refused(nowhere, PermissionDenied, "NO_STORE_ACCESS").await;
    story.refused(bob.watch(-1), InvalidArgument, "INVALID_REQUEST").await.names_fields(&["positions[0].after"]);
    story.refused(operator.watch(0), PermissionDenied, "NO_STORE_ACCESS").await;
    story.refused(story.world.caller("").watch(0), Unauthenticated, "NO_CREDENTIALS").await;
    story.end().await;
}

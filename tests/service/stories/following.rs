//! Following a store: what happens there, read afterwards or as it happens, without a gap and never twice.

use purchase_order_service::proto::v1::event::Change;
use purchase_order_service::proto::v1::{
    Event, EventType, ListEventsRequest, Permission, PurchaseOrder, PurchaseOrderSummary, QuantityTotals,
    WatchEventsRequest,
};
use rstest::rstest;
use tonic::Code::{OutOfRange, PermissionDenied};

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, STORE, World, order_of, position, reason};

const ALL: i32 = 1_000;

/// Everything that has happened in the caller's store after an event.
async fn all_after(caller: &Caller, after: i64) -> Vec<Event> {
    let page = caller.events(after).with(|request| request.page_size = ALL).ok().await;
    assert!(page.up_to_date);
    page.events
}

fn numbers(events: &[Event]) -> Vec<i64> {
    events.iter().map(|event| event.event_number).collect()
}

fn types(events: &[Event]) -> Vec<EventType> {
    events.iter().map(Event::r#type).collect()
}

/// An order with a receipt and a back order; the events are those of the store and eight more.
async fn completed(world: &World) -> PurchaseOrder {
    let (alice, bob) = (world.alice(), world.bob());
    let order = alice.order(&[("apples", "10"), ("pears", "5")]).await;
    bob.receive(&order).accept(1, "6").reject(2, "5", "mouldy").ok().await;
    alice.complete(&order).line(1, "3", "1").line(2, "5", "0").because("sold out").ok().await;
    order
}

/// What a header says that an event says too.
fn as_summary(order: &PurchaseOrder) -> PurchaseOrderSummary {
    let order = order.clone();
    PurchaseOrderSummary {
        purchase_order_id: order.purchase_order_id,
        number: order.number,
        state: order.state,
        revision: order.etag.parse().unwrap(),
        supplier_id: order.supplier_id,
        external_id: order.external_id,
        expected_date: order.expected_date,
        original_purchase_order_id: order.original_purchase_order_id,
        parent_purchase_order_id: order.parent_purchase_order_id,
        back_order_purchase_order_id: order.back_order_purchase_order_id,
        back_order_sequence: order.back_order_sequence,
        totals: order.totals,
        line_count: order.line_count,
        pending_line_count: order.pending_line_count,
        active_receipt_count: order.active_receipt_count,
        ordered_cost: order.ordered_cost,
        received_cost: order.received_cost,
        pending_cost: order.pending_cost,
        charges_cost: order.charges_cost,
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_store_tells_everything_from_its_creation_on(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    alice.create_role("auditor", &[Permission::View]).ok().await;
    alice.update_role("auditor", &[Permission::View, Permission::ViewCosts]).ok().await;
    alice.grant("dora", "auditor").ok().await;
    alice.revoke("dora", "auditor").ok().await;
    alice.delete_role("auditor").ok().await;
    alice.update_store(&["display_name"]).with(|request| request.display_name = "North".to_owned()).ok().await;
    completed(&world).await;

    let events = all_after(&alice, 0).await;

    assert_eq!(numbers(&events), (1..=events.len() as i64).collect::<Vec<_>>());
    assert!(events.iter().all(|event| event.store_id == STORE && event.change.is_some()));
    assert!(events.is_sorted_by_key(|event| event.event_time.map(|time| (time.seconds, time.nanos))));
    let store_events = types(&events).into_iter().filter(|kind| *kind < EventType::OrderCreated).collect::<Vec<_>>();
    assert_eq!(
        store_events,
        [
            EventType::StoreCreated,
            EventType::RoleGranted,
            EventType::RoleGranted,
            EventType::BackOrdersEnabled,
            EventType::RoleCreated,
            EventType::RoleUpdated,
            EventType::RoleGranted,
            EventType::RoleRevoked,
            EventType::RoleDeleted,
            EventType::StoreUpdated,
        ]
    );
    let Some(Change::StoreCreated(created)) = &events[0].change else { panic!("{:?}", events[0]) };
    assert_eq!((&*created.owner, &*created.currency, events[0].as_operator), ("alice", "EUR", true));
    let Some(Change::RoleUpdated(updated)) = &events[5].change else { panic!("{:?}", events[5]) };
    assert_eq!((updated.added().collect::<Vec<_>>(), updated.removed.len()), (vec![Permission::ViewCosts], 0));
    let Some(Change::StoreUpdated(updated)) = &events[9].change else { panic!("{:?}", events[9]) };
    assert_eq!((updated.display_name.as_deref(), &updated.time_zone), (Some("North"), &None));
    assert_eq!(
        types(&events)[10..],
        [
            EventType::OrderCreated,
            EventType::OrderPlaced,
            EventType::ReceiptBooked,
            EventType::OrderCompleted,
            EventType::BackOrderCreated,
        ]
    );
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_event_has_the_order_as_it_left_it(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (alice, bob) = (world.alice(), world.bob());
    let begun = alice.last_event().await;
    let mut headers = Vec::new();
    let draft = alice.create(&[("apples", "10"), ("pears", "5")]).with(|request| {
        request.external_id = "erp-7".to_owned();
        request.expected_date = "2026-03-20".to_owned();
    });
    let draft = draft.ok().await.purchase_order.unwrap();
    headers.push(draft.clone());
    headers.push(alice.place(&draft).ok().await.purchase_order.unwrap());
    headers.push(alice.confirm(&draft, &[(1, "9")]).ok().await.purchase_order.unwrap());
    headers.push(alice.amend(&draft, &[(1, "9")]).ok().await.purchase_order.unwrap());
    bob.receive(&draft).accept(1, "6").reject(2, "1", "wet").ok().await;
    headers.push(alice.seen(&draft.purchase_order_id).await);
    headers.push(alice.cancel_lines(&draft, &[(2, "2")]).ok().await.purchase_order.unwrap());
    let completion = alice.complete(&draft).line(1, "3", "0").line(2, "3", "0").ok().await;
    headers.push(completion.purchase_order.unwrap());
    headers.push(alice.seen(&completion.back_order.unwrap().purchase_order_id).await);

    let events = all_after(&alice, begun).await;

    let summaries: Vec<&PurchaseOrderSummary> = events.iter().map(order_of).collect();
    assert_eq!(summaries.len(), headers.len());
    for (summary, header) in summaries.iter().zip(&headers) {
        assert_eq!(**summary, as_summary(header));
    }
    assert_eq!(summaries[4].totals.as_ref().map(|totals: &QuantityTotals| &*totals.pending), Some("8"));
    // The history of the order is its events.
    let history = alice.history(&draft).ok().await.events;
    assert_eq!(history[..], events[..7]);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn page_by_page_it_is_the_same_in_one_store_and_in_several(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (alice, south) = (world.alice(), world.alice().at("south"));
    world.operator().at("south").create_store("alice").ok().await;
    completed(&world).await;
    south.draft(&[("apples", "1")]).await;
    let all = [all_after(&south, 0).await, all_after(&alice, 0).await].concat();
    let wanted = [EventType::OrderCreated, EventType::StoreCreated];
    for size in [1, 2, 3, 5, 50] {
        for types in [vec![], wanted.map(i32::from).to_vec()] {
            let mut positions = vec![position("south", 0), position(STORE, 0)];
            let (mut events, mut pages) = (Vec::new(), 0);
            loop {
                let (positions_now, types) = (positions.clone(), types.clone());
                let request = ListEventsRequest { positions: positions_now, types, page_size: size };
                let page = alice.call(request).ok().await;
                assert!(page.events.len() <= size as usize);
                events.extend(page.events);
                positions = page.positions;
                pages += 1;
                assert!(pages <= 30, "the pages come to an end");
                if page.up_to_date {
                    break;
                }
            }
            let of_types = |event: &&Event| types.is_empty() || types.contains(&event.r#type);
            assert_eq!(events, all.iter().filter(of_types).cloned().collect::<Vec<_>>(), "pages of {size}");
            assert_eq!(positions[0].after, south.last_event().await);
            assert_eq!(positions[1].after, alice.last_event().await);
        }
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn costs_and_roles_are_shown_to_those_who_may_see_them(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (alice, bob) = (world.alice(), world.bob());
    world.operator().at("south").create_store("bob").ok().await;
    completed(&world).await;
    bob.at("south").draft(&[("apples", "1")]).await;
    let seen = all_after(&alice, 0).await;
    let costs = |events: &[Event]| {
        let orders = events.iter().filter_map(|event| event.purchase_order.as_ref());
        orders.filter(|order| order.ordered_cost.is_some()).count()
    };
    assert_eq!((costs(&seen), seen.iter().filter(|event| event.change.is_none()).count()), (5, 0));

    let hidden = all_after(&bob, 0).await;
    let told = |events: &[Event]| events.iter().map(|event| (event.event_number, event.r#type)).collect::<Vec<_>>();
    assert_eq!(told(&hidden), told(&seen), "nothing is left out");
    assert_eq!(costs(&hidden), 0);
    let Some(Change::StoreCreated(created)) = &hidden[0].change else { panic!("{:?}", hidden[0]) };
    assert_eq!((&*created.owner, &*created.currency), ("", "EUR"), "who was made the owner is not shown");
    let without_change = hidden.iter().filter(|event| event.change.is_none()).map(Event::r#type);
    assert_eq!(without_change.collect::<Vec<_>>(), [EventType::RoleGranted, EventType::RoleGranted]);

    // Where several stores are asked for, each is judged by itself.
    let positions = vec![position(STORE, 0), position("south", 0)];
    let both = bob.call(ListEventsRequest { positions, page_size: ALL, ..ListEventsRequest::default() }).ok().await;
    let (north, south): (Vec<_>, Vec<_>) = both.events.into_iter().partition(|event| event.store_id == STORE);
    assert_eq!((costs(&north), costs(&south)), (0, 1));
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_is_sent_what_happens_without_asking(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let begun = alice.last_event().await;
    let mut watching = world.bob().watch(begun - 2).begin().await;
    assert_eq!((watching.first.events.len(), &watching.first.positions[..]), (0, &[position(STORE, begun - 2)][..]));
    assert_eq!(numbers(&watching.events(2).await), [begun - 1, begun], "what there is comes first");

    completed(&world).await;
    let events = watching.events(5).await;

    assert_eq!(numbers(&events), (begun + 1..=begun + 5).collect::<Vec<_>>());
    let listed = all_after(&world.bob(), begun).await;
    assert_eq!(events, listed, "a watch shows what a list shows");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_of_types_moves_on_past_the_others(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let types = |request: &mut WatchEventsRequest| request.types = vec![EventType::OrderCompleted.into()];
    let mut watching = alice.watch(0).with(types).begin().await;
    completed(&world).await;
    let message = loop {
        let message = watching.next().await.unwrap();
        if !message.events.is_empty() {
            break message;
        }
    };
    assert_eq!(self::types(&message.events), [EventType::OrderCompleted]);
    let after = message.positions[0].after;
    assert!(after >= message.events[0].event_number);
    // The next message without events has moved on past the back order.
    let last = alice.last_event().await;
    let mut seen = after;
    while seen < last {
        seen = watching.next().await.unwrap().positions[0].after;
    }
    world.verify().await;
}

/// PostgreSQL alone: a SQLite database belongs to one instance.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_instance_writes_comes_to_every_watch() {
    let Some(world) = World::on(Postgres).await else { return };
    let other = world.another_instance().await;
    let alice = world.alice();
    let begun = alice.last_event().await;
    let mut watching = [alice.watch(begun).begin().await, world.bob().watch(begun).begin().await];
    for n in 1..=3 {
        other.caller(&alice).draft(&[("apples", "1")]).await;
        for watching in &mut watching {
            assert_eq!(numbers(&watching.events(1).await), [begun + n]);
        }
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn who_loses_access_is_told_and_sees_no_more(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (alice, bob) = (world.alice(), world.bob());
    world.operator().at("south").create_store("bob").ok().await;
    let (north_begun, south_begun) = (alice.last_event().await, bob.at("south").last_event().await);
    let of_one = bob.watch(north_begun).begin().await;
    let positions = vec![position(STORE, north_begun), position("south", south_begun)];
    let request = WatchEventsRequest { positions, ..WatchEventsRequest::default() };
    let mut of_both = bob.call(request).begin().await;

    alice.revoke("bob", "receiver").ok().await;
    alice.draft(&[("apples", "1")]).await;

    let refused = of_one.end().await;
    assert_eq!((refused.code(), &*reason(&refused)), (PermissionDenied, "NO_STORE_ACCESS"));
    let ended = loop {
        let message = of_both.next().await.unwrap();
        assert_eq!(message.events.len(), 0, "nothing is shown that happened after the revocation");
        if !message.ended_store_ids.is_empty() {
            break message;
        }
    };
    assert_eq!((&ended.ended_store_ids[..], &*ended.positions[0].store_id), (&[STORE.to_owned()][..], "south"));
    bob.at("south").draft(&[("apples", "1")]).await;
    assert_eq!(numbers(&of_both.events(1).await), [south_begun + 1], "the other store goes on");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_when_the_service_stops_and_goes_on_where_it_ended(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(mut world) = World::on(on).await else { return };
    let begun = world.alice().last_event().await;
    let mut watching = world.alice().watch(begun).begin().await;
    completed(&world).await;
    let before = watching.events(5).await;
    world.restart().await;
    let stopped = watching.end().await;
    assert_eq!((stopped.code(), &*reason(&stopped)), (tonic::Code::Unavailable, "STOPPING"));

    let last = before.last().unwrap().event_number;
    let mut again = world.alice().watch(last).begin().await;
    world.alice().draft(&[("apples", "1")]).await;
    assert_eq!(numbers(&again.events(1).await), [last + 1]);
    world.verify().await;
}

/// A client that does not read is waited for: everything is there when it does.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_loses_nothing(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let begun = alice.last_event().await;
    let mut slow = alice.watch(begun).begin().await;
    let mut quick = alice.watch(begun).begin().await;
    let lines: Vec<(String, String)> = (0..500).map(|n| (format!("p{n}"), "1".to_owned())).collect();
    let lines: Vec<(&str, &str)> = lines.iter().map(|(product, quantity)| (&**product, &**quantity)).collect();
    for _ in 0..20 {
        alice.draft(&lines).await;
    }
    let (read, late) = (quick.events(20).await, slow.events(20).await);
    assert_eq!(read, late);
    assert_eq!(numbers(&late), (begun + 1..=begun + 20).collect::<Vec<_>>());
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_store_is_told_from_a_broken_connection(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let begun = world.alice().last_event().await;
    let mut watching = world.alice().watch(begun).begin().await;
    for _ in 0..3 {
        let message = watching.next().await.unwrap();
        assert_eq!((message.events.len(), &message.positions[..]), (0, &[position(STORE, begun)][..]));
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_position_from_before_a_restore_is_refused(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let last = alice.last_event().await;
    let refused = alice.events(last + 1).refused(OutOfRange, "POSITION_AHEAD").await;
    assert_eq!(
        (refused.metadata("store_id"), refused.metadata("last_event_number")),
        (STORE.to_owned(), last.to_string())
    );
    alice.watch(last + 1).refused(OutOfRange, "POSITION_AHEAD").await;
    assert_eq!(all_after(&alice, last).await, []);
    world.verify().await;
}

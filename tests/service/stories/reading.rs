//! Reading: lists with filters and pages, levels, and the ledger.

use purchase_order_service::proto::v1::PurchaseOrderState::{Completed, Draft, OnOrder};
use purchase_order_service::proto::v1::{ListPurchaseOrdersRequest, PurchaseOrderView};
use rstest::rstest;
use tonic::Code::{InvalidArgument, NotFound};

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, World, at};

/// Three originals and a back order, a day apart: a completed one, its back order, an order from
/// another supplier, and a draft.
async fn four_orders(world: &World) {
    let alice = world.alice();
    let order = alice.received(&[("apples", "10"), ("pears", "5")], &[(1, "10")]).await;
    world.clock.set("2026-03-03T09:00:00Z");
    alice.back_order(&order).await;
    world.clock.set("2026-03-04T09:00:00Z");
    let other = alice.create(&[("plums", "10")]).with(|request| {
        request.supplier_id = "orchard".to_owned();
        request.supplier_reference = "A%_1".to_owned();
    });
    alice.place(&other.ok().await.purchase_order.unwrap()).ok().await;
    world.clock.set("2026-03-05T09:00:00Z");
    alice.draft(&[("pears", "1")]).await;
}

async fn numbers(caller: &Caller, filter: impl FnOnce(&mut ListPurchaseOrdersRequest)) -> Vec<String> {
    let orders = caller.list().with(filter).ok().await.purchase_orders;
    orders.into_iter().map(|order| order.number).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn orders_are_found_by_what_is_known_of_them(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    four_orders(&world).await;
    let bob = world.bob();
    let (original, back_order, other, draft) = ("PO-000001", "PO-000001-B1", "PO-000002", "PO-000003");

    assert_eq!(numbers(&bob, |_| {}).await, [draft, other, back_order, original]);
    assert_eq!(numbers(&bob, |r| r.states = vec![Completed.into(), Draft.into()]).await, [draft, original]);
    assert_eq!(numbers(&bob, |r| r.supplier_id = "orchard".into()).await, [other]);
    assert_eq!(numbers(&bob, |r| r.product_id = "pears".into()).await, [draft, back_order, original]);
    assert_eq!(numbers(&bob, |r| r.number_prefix = "PO-000001".into()).await, [back_order, original]);
    assert_eq!(numbers(&bob, |r| r.number_prefix = "PO-00000_".into()).await, [""; 0]);
    assert_eq!(numbers(&bob, |r| r.number_prefix = "po-000001-b".into()).await, [back_order]);
    assert_eq!(numbers(&bob, |r| r.number_prefix = "po_".into()).await, [""; 0]);
    assert_eq!(numbers(&bob, |r| r.supplier_reference = "A%_1".into()).await, [other]);
    assert_eq!(numbers(&bob, |r| r.supplier_reference = "A%".into()).await, [""; 0]);
    assert_eq!(numbers(&bob, |r| r.back_orders_only = true).await, [back_order]);
    let (from, before) = (at("2026-03-03T09:00:00Z"), at("2026-03-05T09:00:00Z"));
    let between = numbers(&bob, |r| (r.create_time_from, r.create_time_before) = (from, before)).await;
    assert_eq!(between, [other, back_order]);
    let all = numbers(&bob, |r| (r.product_id, r.states) = ("pears".into(), vec![OnOrder.into()])).await;
    assert_eq!(all, [back_order], "filters must all hold");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_one_another_even_where_times_are_equal(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    for _ in 0..7 {
        alice.draft(&[("apples", "1")]).await;
    }
    let whole = numbers(&alice, |_| {}).await;

    let (mut paged, mut token) = (Vec::new(), String::new());
    loop {
        let page = alice.list().with(|request| (request.page_size, request.page_token) = (3, token)).ok().await;
        assert!(page.purchase_orders.len() <= 3);
        paged.extend(page.purchase_orders.into_iter().map(|order| order.number));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
        // What is created meanwhile is newer and disturbs nobody who is under way.
        world.clock.set("2026-03-03T09:00:00Z");
        alice.draft(&[("apples", "1")]).await;
    }

    assert_eq!((paged.len(), &paged), (7, &whole));
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn page_sizes_and_tokens_have_rules(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    for _ in 0..55 {
        alice.draft(&[("apples", "1")]).await;
    }

    assert_eq!(numbers(&alice, |_| {}).await.len(), 50, "0 means 50");
    assert_eq!(numbers(&alice, |request| request.page_size = 2_000_000_000).await.len(), 55);
    let negative = alice.list().with(|request| request.page_size = -1);
    negative.refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_size"]);
    let token = alice.list().ok().await.next_page_token;
    let other = alice.list().with(|r| (r.page_token, r.supplier_id) = (token.clone(), "acme".into()));
    other.refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_token"]);
    let made_up = alice.list().with(|request| request.page_token = "made up".to_owned());
    made_up.refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_token"]);
    let rest = alice.list().with(|request| (request.page_token, request.page_size) = (token, 5)).ok().await;
    assert_eq!((rest.purchase_orders.len(), rest.next_page_token.as_str()), (5, ""), "the size may change");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn filters_that_cannot_be_are_refused(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();

    let wrong = alice.list().with(|request| {
        request.states = vec![Draft.into(), 0, 77];
        request.supplier_id = "s".repeat(65);
        request.product_id = "a\0b".to_owned();
        request.create_time_from = at("2026-03-02T09:00:00Z").map(|time| prost_types::Timestamp { nanos: -1, ..time });
    });
    let refused = wrong.refused(InvalidArgument, "INVALID_REQUEST").await;
    refused.names_fields(&["states[1]", "states[2]", "supplier_id", "product_id", "create_time_from"]);
    alice.get("42").refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["purchase_order_id"]);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn lines_come_when_they_are_asked_for(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.draft(&[("apples", "1"), ("pears", "2")]).await;
    let with_view = |view: i32| alice.get(&order.purchase_order_id).with(|request| request.view = view);

    for (view, lines) in
        [(PurchaseOrderView::Unspecified, 0), (PurchaseOrderView::Basic, 0), (PurchaseOrderView::Full, 2)]
    {
        let got = with_view(view.into()).ok().await;
        assert_eq!((got.purchase_order.as_ref(), got.lines.len()), (Some(&order), lines), "{view:?}");
    }
    with_view(9).refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["view"]);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_adds_up_page_by_page(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    for quantity in ["1", "2", "3", "4", "5"] {
        let order = alice.received(&[("apples", quantity)], &[(1, quantity)]).await;
        alice.complete(&order).ok().await;
    }

    let first = alice.movements("apples").with(|request| request.page_size = 3).ok().await;
    let token = first.next_page_token;
    let second = alice.movements("apples").with(|request| request.page_token = token.clone()).ok().await;

    let rows = first.stock_movements.iter().chain(&second.stock_movements);
    let rows: Vec<_> = rows.map(|m| (m.movement_number, m.quantity.as_str(), m.balance_after.as_str())).collect();
    assert_eq!(rows, [(1, "1", "1"), (2, "2", "3"), (3, "3", "6"), (4, "4", "10"), (5, "5", "15")]);
    assert_eq!(second.next_page_token, "");
    let other = alice.movements("pears").with(|request| request.page_token = token);
    other.refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["page_token"]);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_product_that_no_order_named_has_no_level(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    alice.draft(&[("apples", "1")]).await;

    let refused = alice.level("pears").refused(NotFound, "PRODUCT_NOT_FOUND").await;
    assert_eq!(refused.metadata("product_id"), "pears");
    alice.movements("pears").refused(NotFound, "PRODUCT_NOT_FOUND").await;
    let level = alice.level("apples").ok().await.inventory_level.unwrap();
    assert_eq!((&*level.on_hand, &*level.staged, &*level.on_order, &*level.back_ordered), ("0", "0", "0", "0"));
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_bound_of_a_list_is_exact_to_the_nanosecond(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    world.clock.set("2026-03-03T10:00:00.000007Z");
    alice.draft(&[("apples", "1")]).await;
    for (bound, from, before) in [
        ("2026-03-03T10:00:00.000006999Z", 1, 0),
        ("2026-03-03T10:00:00.000007Z", 1, 0),
        ("2026-03-03T10:00:00.000007001Z", 0, 1),
        ("2026-03-03T10:00:00.000008Z", 0, 1),
    ] {
        let found = alice.list().with(|request| request.create_time_from = at(bound)).ok().await;
        assert_eq!(found.purchase_orders.len(), from, "from {bound}");
        let found = alice.list().with(|request| request.create_time_before = at(bound)).ok().await;
        assert_eq!(found.purchase_orders.len(), before, "before {bound}");
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn newest_first_is_by_what_happened_and_not_by_ids(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    world.ids.count_down();
    world.clock.set("2026-03-02T11:00:00Z");
    for number in 1..=6 {
        // Put right after three drafts: the store's own clock stands still from then on.
        if number == 4 {
            world.clock.set("2026-03-02T09:00:00Z");
        }
        alice.draft(&[("apples", "1")]).await;
    }

    let (mut numbers, mut token) = (Vec::new(), String::new());
    loop {
        let page = alice.list().with(|r| (r.page_size, r.page_token) = (2, token)).ok().await;
        numbers.extend(page.purchase_orders.into_iter().map(|order| order.number));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }

    let newest_first = ["PO-000006", "PO-000005", "PO-000004", "PO-000003", "PO-000002", "PO-000001"];
    assert_eq!(numbers, newest_first);
    world.verify().await;
}

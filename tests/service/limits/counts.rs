//! How many: lines of an order, items of its receipts, roles of a store, products of a list, rows of a
//! page; each one less than the limit, at it, and one more.

use purchase_order_service::proto::v1::*;
use rstest::rstest;
use tonic::Code::{FailedPrecondition, InvalidArgument};

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, World, line, together};

fn lines(count: usize) -> Vec<NewLine> {
    vec![line("screws", "10"); count]
}

async fn created(caller: &Caller, count: usize) -> PurchaseOrder {
    caller.create(&[]).with(|request| request.lines = lines(count)).ok().await.purchase_order.unwrap()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_order_has_1_to_5000_lines(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let draft = created(&alice, 1).await;
    for count in [0, 5_001] {
        let create = alice.create(&[]).with(|request| request.lines = lines(count));
        create.refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["lines"]);
        let update = alice.update(&draft, &["lines"]).with(|request| request.lines = lines(count));
        update.refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["lines"]);
    }
    for count in [4_999, 5_000, 1] {
        assert_eq!(created(&alice, count).await.line_count, count as i32);
        let update = alice.update(&draft, &["lines"]).with(|request| request.lines = lines(count));
        // It has one line at first, and gets one again at last.
        assert_eq!(update.ok().await.purchase_order.unwrap().line_count, count as i32);
    }
    world.verify().await;
}

fn items(numbers: impl Iterator<Item = i32>) -> Vec<NewReceiptItem> {
    let item = |line_number| NewReceiptItem { line_number, accepted: Some("1".into()), ..Default::default() };
    numbers.map(item).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_receipts_of_an_order_have_20000_items(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let draft = created(&alice, 5_000).await;
    let order = alice.place(&draft).ok().await.purchase_order.unwrap();
    let receive = |count: i32| alice.receive(&order).with(|request| request.items = items(1..=count));

    let beyond = alice.receive(&order).with(|request| request.items = items(5_001..=5_001));
    assert_eq!(beyond.refused(tonic::Code::NotFound, "LINE_NOT_FOUND").await.metadata("line_numbers"), "5001");
    receive(5_001).refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["items"]);
    for count in [5_000, 5_000, 4_999, 5_000] {
        assert_eq!(receive(count).ok().await.receipt.unwrap().item_count, count);
    }
    let said = receive(2).refused(FailedPrecondition, "TOO_MANY_RECEIPT_ITEMS").await;
    assert!(said.message().contains("20001 items"), "{}", said.message());
    // What is voided counts on: its rows are there.
    alice.void(&order, 1).ok().await;
    receive(2).refused(FailedPrecondition, "TOO_MANY_RECEIPT_ITEMS").await;
    alice.receive(&order).all_pending().refused(FailedPrecondition, "TOO_MANY_RECEIPT_ITEMS").await;
    receive(1).ok().await;
    let last = alice.receive(&order).accept(5_000, "1");
    last.refused(FailedPrecondition, "TOO_MANY_RECEIPT_ITEMS").await;

    for count in [5_000, 5_001] {
        let settled = |line_number| LineDisposition { line_number, cancel: Some("0".into()), ..Default::default() };
        let dispositions: Vec<LineDisposition> = (1..=count).map(settled).collect();
        let preview = alice.preview(&order).with(|request| request.lines = dispositions.clone());
        let complete = alice.complete(&order).with(|request| request.lines = dispositions);
        // None of these lines has nothing pending; one too many is told apart from that.
        let (reason, field) = match count {
            5_000 => ("INVALID_FOR_STORED_DATA", "lines[0]"),
            _ => ("INVALID_REQUEST", "lines"),
        };
        let said = [preview.refused(InvalidArgument, reason).await, complete.refused(InvalidArgument, reason).await];
        said.iter().for_each(|said| assert!(said.message().starts_with(&format!("{field} ")), "{}", said.message()));
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_store_has_100_roles(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let create = |n: usize| alice.create_role(&format!("role-{n}"), &[Permission::View]);
    // Three come with the store.
    for created in together((4..=99).map(create)).await {
        created.unwrap();
    }
    create(100).ok().await;
    create(101).refused(FailedPrecondition, "TOO_MANY_ROLES").await;
    assert_eq!(alice.list_roles().ok().await.roles.len(), 100);
    alice.delete_role("role-4").ok().await;
    create(101).ok().await;
    create(102).refused(FailedPrecondition, "TOO_MANY_ROLES").await;
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_asked_for_1000_products_by_name(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    alice.draft(&[("screws", "1"), ("0999", "1"), ("1000", "1")]).await;
    let ask = |count: usize| {
        let products = (1..=count).map(|n| format!("{n:0>4}")).collect();
        alice.list_levels().with(|request| (request.product_ids, request.page_size) = (products, 1_000))
    };
    assert_eq!(ask(999).ok().await.inventory_levels.len(), 1);
    assert_eq!(ask(1_000).ok().await.inventory_levels.len(), 2);
    ask(1_001).refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["product_ids"]);
    world.verify().await;
}

/// How many rows a page of a list with more than 1,000 has for each size asked for.
const PAGES: [(i32, usize); 6] = [(0, 50), (1, 1), (999, 999), (1_000, 1_000), (1_001, 1_000), (i32::MAX, 1_000)];

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_has_at_most_1000_rows(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (alice, operator) = (world.alice(), world.operator());
    together((0..1_001).map(|n| operator.at(&format!("store-{n}")).create_store("alice"))).await;
    together((0..1_001).map(|n| alice.grant(&format!("clerk-{n}"), "receiver"))).await;
    together((0..1_001).map(|_| alice.create(&[("screws", "1")]))).await;
    let products: Vec<String> = (0..1_001).map(|n| format!("product-{n}")).collect();
    let order = alice.order(&products.iter().map(|product| (product.as_str(), "2")).collect::<Vec<_>>()).await;
    alice.receive(&order).accept(1, "1").ok().await;
    let piecemeal = alice.order(&[("screws", "1001")]).await;
    together((0..1_001).map(|_| alice.receive(&piecemeal).accept(1, "1"))).await;

    for (asked, rows) in PAGES {
        let has = |name: &str, found: usize, next: &str| {
            assert_eq!((found, next.is_empty()), (rows, false), "{name}, page_size {asked}");
        };
        let page = operator.list_stores().with(|request| request.page_size = asked).ok().await;
        has("stores", page.stores.len(), &page.next_page_token);
        let page = alice.list_grants().with(|request| request.page_size = asked).ok().await;
        has("grants", page.grants.len(), &page.next_page_token);
        let page = alice.list().with(|request| request.page_size = asked).ok().await;
        has("orders", page.purchase_orders.len(), &page.next_page_token);
        let page = alice.list_lines(&order).with(|request| request.page_size = asked).ok().await;
        has("lines", page.lines.len(), &page.next_page_token);
        let page = alice.list_levels().with(|request| request.page_size = asked).ok().await;
        has("levels", page.inventory_levels.len(), &page.next_page_token);
        let page = alice.chain(&order).with(|request| request.page_size = asked).ok().await;
        has("chain", page.lines.len(), &page.next_page_token);
        let page = alice.preview(&order).with(|request| request.page_size = asked).ok().await;
        has("pending lines", page.pending_lines.len(), &page.next_page_token);
        has("stock", page.stock.len(), &page.next_page_token);
        let page = alice.list_receipts(&piecemeal).with(|request| request.page_size = asked).ok().await;
        has("receipts", page.receipts.len(), &page.next_page_token);
        let page = alice.history(&piecemeal).with(|request| request.page_size = asked).ok().await;
        has("history", page.events.len(), &page.next_page_token);
        let page = alice.events(0).with(|request| request.page_size = asked).ok().await;
        has("events", page.events.len(), if page.up_to_date { "" } else { "more" });
    }
    alice.complete(&piecemeal).ok().await;
    for (asked, rows) in PAGES {
        let page = alice.movements("screws").with(|request| request.page_size = asked).ok().await;
        assert_eq!((page.stock_movements.len(), page.next_page_token.is_empty()), (rows, false), "page_size {asked}");
    }
    world.verify().await;
}

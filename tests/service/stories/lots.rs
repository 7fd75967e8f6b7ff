//! Lots: what came together is told apart, in stock and in the ledger, until it is sold or called back.

use purchase_order_service::proto::v1::AdjustmentKind::{Count, CustomerReturn, Loss, ReturnToSupplier, Sale};
use purchase_order_service::proto::v1::PendingDisposition::BackOrder;
use purchase_order_service::proto::v1::{PurchaseOrder, StockMovement};
use rstest::rstest;
use tonic::Code::{FailedPrecondition, InvalidArgument};

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, World, lot_text};

/// An order of a product that is received in lots, and of one that need not be.
async fn ordered(alice: &Caller) -> PurchaseOrder {
    let create = alice.create(&[("yoghurt", "12"), ("spoons", "5")]).with(|request| {
        request.lines[0].lot_required = true;
        request.lines[0].over_receipt_tolerance = Some("50".to_owned());
    });
    let draft = create.ok().await.purchase_order.unwrap();
    alice.place(&draft).ok().await.purchase_order.unwrap()
}

async fn in_stock(alice: &Caller) -> Vec<String> {
    let lots = alice.list_lots().ok().await.inventory_lots;
    lots.iter().map(|lot| format!("{} {}: {}", lot.lot_code, lot.expiry_date, lot.on_hand)).collect()
}

async fn ledger(alice: &Caller, product: &str) -> Vec<String> {
    let text = |row: &StockMovement| format!("{} {}: {}", row.lot_code, row.expiry_date, row.quantity);
    alice.movements(product).ok().await.stock_movements.iter().map(text).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn each_lot_of_a_delivery_is_a_row_of_the_ledger(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = ordered(&alice).await;
    let first = alice.receive(&order).accept(1, "5").lot("L2", "2026-05-01", "3").lot("L1", "2026-04-01", "2");
    first.accept(2, "1").ok().await;
    // The supplier printed another date on the same code.
    alice.receive(&order).accept(1, "2").lot("L1", "2026-04-02", "2").ok().await;
    let receipt = alice.receipt(&order, 1).ok().await.receipt.unwrap();
    let lots: Vec<String> = receipt.items[0].lots.iter().map(lot_text).collect();
    assert_eq!(lots, ["L2 2026-05-01: 3", "L1 2026-04-01: 2"], "as they were given");
    assert_eq!((receipt.items.len(), receipt.items[1].lots.len()), (2, 0));
    assert_eq!(in_stock(&alice).await, [""; 0], "staged is not on hand");

    let child = alice.back_order(&order).await;
    assert_eq!(ledger(&alice, "yoghurt").await, ["L2 2026-05-01: 3", "L1 2026-04-01: 2", "L1 2026-04-02: 2"]);
    assert_eq!(ledger(&alice, "spoons").await, [" : 1"]);
    assert_eq!(in_stock(&alice).await, ["L1 2026-04-01: 2", "L1 2026-04-02: 2", "L2 2026-05-01: 3"]);
    let carried = alice.lines(&child).await;
    assert_eq!(carried.iter().map(|line| line.lot_required).collect::<Vec<_>>(), [true, false]);

    // The rest of a lot comes with the back order.
    alice.receive(&child).accept(1, "1").lot("L1", "2026-04-01", "1").ok().await;
    alice.back_order(&child).await;
    assert_eq!(in_stock(&alice).await, ["L1 2026-04-01: 3", "L1 2026-04-02: 2", "L2 2026-05-01: 3"]);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_voided_receipt_brings_no_lot(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = ordered(&alice).await;
    alice.receive(&order).accept(1, "5").lot("wrong", "", "5").ok().await;
    alice.receive(&order).accept(1, "4").lot("right", "", "4").ok().await;
    let voided = alice.void(&order, 1).ok().await.receipt.unwrap();
    assert_eq!(lot_text(&voided.items[0].lots[0]), "wrong: 5", "what was booked stays readable");
    alice.complete(&order).rest(BackOrder).ok().await;
    assert_eq!(in_stock(&alice).await, ["right : 4"]);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_lot_is_divided_where_the_free_goods_begin(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = ordered(&alice).await;
    let delivery = alice.receive(&order).accept(1, "15").lot("L1", "", "10").lot("L2", "", "5");
    delivery.with(|request| request.items[0].excess_unit_cost = Some("0".to_owned())).ok().await;
    alice.complete(&order).rest(BackOrder).ok().await;
    let rows = alice.movements("yoghurt").ok().await.stock_movements;
    let rows: Vec<String> =
        rows.iter().map(|row| format!("{} {} at {}", row.lot_code, row.quantity, row.unit_cost())).collect();
    assert_eq!(rows, ["L1 10 at 2.5", "L2 2 at 2.5", "L2 3 at 0"]);
    assert_eq!(in_stock(&alice).await, ["L1 : 10", "L2 : 5"]);
    world.verify().await;
}

/// A recall: what is left of a lot goes back, and the books tell where the rest went.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_lot_is_sold_counted_and_called_back(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = ordered(&alice).await;
    let delivery = alice.receive(&order).accept(1, "10").lot("L1", "2026-04-01", "6").lot("L2", "2026-05-01", "4");
    delivery.ok().await;
    alice.complete(&order).rest(BackOrder).ok().await;

    alice.adjust("yoghurt", Sale, "7").ok().await;
    assert_eq!(in_stock(&alice).await, ["L2 2026-05-01: 3"]);
    alice.adjust("yoghurt", CustomerReturn, "1").of_lot("L1", "").ok().await;
    alice.adjust("yoghurt", CustomerReturn, "1").ok().await;
    assert_eq!(in_stock(&alice).await, ["L1 2026-04-01: 1", "L2 2026-05-01: 3"], "one came back without a lot");
    assert_eq!(alice.stock("yoghurt").await, "5 on hand, 2 on order, 2 back-ordered");
    alice.adjust("yoghurt", Count, "2").of_lot("L2", "").ok().await;
    let back = alice.adjust("yoghurt", ReturnToSupplier, "1").of_line(&order, 1).of_lot("L1", "");
    assert_eq!(back.ok().await.line.unwrap().returned, "1");
    assert_eq!(in_stock(&alice).await, ["L2 2026-05-01: 2"]);
    // Without a lot, the one that came without a lot is the last to go.
    alice.adjust("yoghurt", Loss, "3").ok().await;
    assert_eq!(in_stock(&alice).await, [""; 0]);
    let rows = ledger(&alice, "yoghurt").await;
    assert_eq!(rows[rows.len() - 2..], ["L2 2026-05-01: -2", " : -1"]);
    world.verify().await;
}

/// Many tills sell the same lots at once, in transactions that they share.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn sales_that_share_a_transaction_empty_one_lot_after_the_other(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = ordered(&alice).await;
    let delivery = alice.receive(&order).accept(1, "12").lot("L1", "2026-04-01", "5").lot("L2", "2026-05-01", "7");
    delivery.ok().await;
    alice.complete(&order).rest(BackOrder).ok().await;

    let sales = (0..12).map(|_| alice.adjust("yoghurt", Sale, "1")).collect();
    let answers = world.queued_up(sales).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert!(world.stats().largest_batch >= 12, "{:?}", world.stats());
    let rows = ledger(&alice, "yoghurt").await;
    let expected = [vec!["L1 2026-04-01: -1"; 5], vec!["L2 2026-05-01: -1"; 7]].concat();
    assert_eq!(rows[2..], expected);
    assert_eq!(in_stock(&alice).await, [""; 0]);
    world.verify().await;
}

/// Nobody tells what is sold of it, so a lot for each day is still in stock, thousands of them.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn of_thousands_of_lots_the_first_are_taken(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.order(&[("bread", "4000"), ("milk", "2")]).await;
    let bread = alice.receive(&order).accept(1, "4000");
    let bread = (0..4_000).fold(bread, |call, n| call.lot(&format!("B{:04}", 9_999 - n), "", "1"));
    bread.accept(2, "2").lot("M2", "2026-05-01", "1").lot("M1", "2026-04-01", "1").ok().await;
    alice.complete(&order).ok().await;

    // In one transaction, so that the lots of both products are loaded together.
    let sales = ["bread", "milk", "bread"].map(|product| alice.adjust(product, Sale, "1"));
    let answers = world.queued_up(sales.into()).await;
    let sold: Vec<String> = answers.into_iter().map(|answer| lot_text(&answer.unwrap().lots[0])).collect();
    assert_eq!(sold, ["B6000: -1", "M1 2026-04-01: -1", "B6001: -1"]);
    let refused = alice.adjust("bread", Sale, "1001").refused(FailedPrecondition, "TOO_MANY_LOTS").await;
    assert_eq!(refused.metadata("product_id"), "bread");
    assert_eq!(alice.adjust("bread", Sale, "1000").ok().await.movement_count, 1_000);
    let first = alice.list_lots().with(|request| (request.page_size, request.product_id) = (1, "bread".to_owned()));
    assert_eq!(first.ok().await.inventory_lots[0].lot_code, "B7002");
    world.verify().await;
}

/// A supplier who has one code for everything, with another date each day: the code alone names no lot.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn of_a_code_with_thousands_of_dates_one_is_named_by_its_date(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.order(&[("bread", "3500"), ("milk", "2")]).await;
    let day = |n: i32| format!("{}-{:02}-{:02}", 2027 + n / 336, 1 + n / 28 % 12, 1 + n % 28);
    let bread = alice.receive(&order).accept(1, "3500");
    let bread = (0..3_500).fold(bread, |call, n| call.lot("B", &day(n), "1"));
    bread.accept(2, "2").lot("M", "2026-05-01", "1").lot("M", "2026-04-01", "1").ok().await;
    alice.complete(&order).ok().await;

    // In one transaction, so that the lots of all of them are loaded together.
    let of_lot = |product, lot_code, expiry_date| alice.adjust(product, Sale, "1").of_lot(lot_code, expiry_date);
    let last = day(3_499);
    let sales = [of_lot("milk", "M", ""), of_lot("bread", "B", ""), of_lot("bread", "B", &last)];
    let [milk, any, last] = world.queued_up(sales.into()).await.try_into().unwrap();
    assert_eq!(lot_text(&milk.unwrap().lots[0]), "M 2026-04-01: -1");
    assert_eq!(lot_text(&last.unwrap().lots[0]), format!("B {}: -1", day(3_499)));
    assert!(any.unwrap_err().message().contains("more than 1,000 lots of bread"));
    let unnamed = alice.adjust("bread", CustomerReturn, "1").of_lot("B", "");
    unnamed.refused(InvalidArgument, "INVALID_FOR_STORED_DATA").await.names_fields(&["lot.expiry_date"]);
    world.verify().await;
}

//! Deliveries as they come: in packs, at another price, more than ordered, and booked from a form that sends every
//! line.

use purchase_order_service::proto::v1::PendingDisposition::{BackOrder, Cancel};
use purchase_order_service::proto::v1::{
    Charge, NewLine, PurchaseOrder, ReceivePurchaseOrderRequest, RejectReason, StockMovement,
};
use rstest::rstest;
use tonic::Code::{FailedPrecondition, InvalidArgument};

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Call, Caller, World, line, line_text};

/// What an order costs: ordered, received, pending and charges.
fn costs(order: &PurchaseOrder) -> [&str; 4] {
    [order.ordered_cost(), order.received_cost(), order.pending_cost(), order.charges_cost()]
}

/// A product's ledger: quantity, cost of a unit, average cost afterwards.
async fn ledger(caller: &Caller, product: &str) -> Vec<String> {
    let text = |row: &StockMovement| {
        format!("{} at {}, {} on average", row.quantity, row.unit_cost(), row.average_cost_after())
    };
    caller.movements(product).ok().await.stock_movements.iter().map(text).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn goods_that_are_priced_by_the_pack_are_worth_their_packs(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (alice, carol) = (world.alice(), world.carol());
    let create = alice.create(&[("tins", "36")]).with(|request| {
        request.lines[0].packs = Some("3".to_owned());
        request.lines[0].pack_size = Some("12".to_owned());
        request.lines[0].pack_cost = Some("10".to_owned());
        request.lines[0].unit_cost = None;
        request.lines[0].supplier_product_id = "T-12".to_owned();
        request.lines[0].note = "ring pull".to_owned();
        request.charges.push(Charge { description: "freight".to_owned(), amount: Some("4.5".to_owned()) });
        request.external_id = "erp-1".to_owned();
    });
    let draft = create.ok().await.purchase_order.unwrap();
    assert_eq!(costs(&draft), ["30", "0", "30", "4.5"]);
    let order = carol.place(&draft).ok().await.purchase_order.unwrap();
    assert_eq!((&*order.created_by, &*order.placed_by, &*order.completed_by), ("alice", "carol", ""));

    let two_packs = alice.receive(&order).accept(1, "24").with(|request| {
        request.items[0].accepted = None;
        request.items[0].accepted_packs = Some("2".to_owned());
    });
    let received = two_packs.ok().await;
    assert_eq!(costs(received.purchase_order.as_ref().unwrap()), ["30", "20", "10", "4.5"]);
    let tins = &received.lines[0];
    assert_eq!((&*tins.ordered_packs, &*tins.received_packs, &*tins.pending_packs), ("3", "2", "1"));
    assert_eq!((tins.pack_cost(), tins.unit_cost(), tins.ordered_cost()), ("10", "0.833333", "30"));
    let loose = alice.receive(&order).accept(1, "1").ok().await;
    assert_eq!(loose.receipt.as_ref().unwrap().value(), "0.8333");
    assert_eq!(&*loose.lines[0].received_packs, "", "25 tins are no whole packs");

    let completed = carol.complete(&order).rest(BackOrder).ok().await;
    let parent = completed.purchase_order.unwrap();
    assert_eq!((&*parent.completed_by, costs(&parent)), ("carol", ["30", "20.8333", "0", "4.5"]));
    let child = alice.seen(&completed.back_order.unwrap().purchase_order_id).await;
    assert_eq!((costs(&child), &*child.external_id), (["9.1667", "0", "9.1667", "0"], ""));
    let carried = &alice.lines(&child).await[0];
    assert_eq!((&*carried.supplier_product_id, &*carried.note, carried.pack_cost()), ("T-12", "ring pull", "10"));
    assert_eq!(
        ledger(&alice, "tins").await,
        ["24 at 0.833333, 0.833333 on average", "1 at 0.833333, 0.833333 on average"]
    );
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn more_came_than_was_ordered_and_the_surplus_is_free(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let twelve_each = alice.create(&[("jam", "10"), ("honey", "10")]).with(|request| {
        request.lines.iter_mut().for_each(|line| line.unit_cost = Some("12".to_owned()));
        request.lines[1].over_receipt_tolerance = Some("0".to_owned());
    });
    let draft = twelve_each.ok().await.purchase_order.unwrap();
    let order = alice.place(&draft).ok().await.purchase_order.unwrap();
    let eleven = |line: i32| alice.receive(&order).accept(line, "11");
    let refused = eleven(1).refused(FailedPrecondition, "OVER_RECEIPT").await;
    assert!(
        refused.message().ends_with("line 1 would have 11, 1 more than the 10 that may be received"),
        "{}",
        refused.message()
    );

    let tolerant = alice.update_store(&["over_receipt_tolerance"]);
    let tolerant = tolerant.with(|request| request.over_receipt_tolerance = "10".to_owned()).ok().await;
    assert_eq!(tolerant.store.unwrap().over_receipt_tolerance, "10");
    eleven(2).refused(FailedPrecondition, "OVER_RECEIPT").await;
    let free = |call: Call<ReceivePurchaseOrderRequest>| {
        call.with(|request| request.items[0].excess_unit_cost = Some("0".to_owned()))
    };
    let none_too_many = free(alice.receive(&order).accept(1, "10"));
    none_too_many
        .refused(InvalidArgument, "INVALID_FOR_STORED_DATA")
        .await
        .names_fields(&["items[0].excess_unit_cost"]);
    let received = free(eleven(1)).ok().await;
    assert_eq!(line_text(&received.lines[0]), "1 jam: 10 ordered, 11 received, 1 excess");
    let item = &received.receipt.as_ref().unwrap().items[0];
    assert_eq!((&*item.excess, item.value(), item.excess_unit_cost()), ("1", "120", "0"));
    assert_eq!(received.purchase_order.unwrap().totals.unwrap().excess, "1");

    alice.complete(&order).rest(Cancel).because("no honey").ok().await;
    assert_eq!(ledger(&alice, "jam").await, ["10 at 12, 12 on average", "1 at 0, 10.909091 on average"]);
    let level = alice.level("jam").ok().await.inventory_level.unwrap();
    assert_eq!((&*level.on_hand, level.average_cost(), level.value()), ("11", "10.909091", "120"));
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_invoice_says_another_price(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let invoiced = async |quantity: &str, cost: &str| {
        let order = alice.order(&[("tea", quantity)]).await;
        let receive = alice.receive(&order).accept(1, quantity);
        receive.with(|request| request.items[0].unit_cost = Some(cost.to_owned())).ok().await;
        alice.complete(&order).ok().await;
    };
    invoiced("10", "60").await;
    invoiced("30", "80").await;
    invoiced("1", "0.000123").await;
    let expected = ["10 at 60, 60 on average", "30 at 80, 75 on average", "1 at 0.000123, 73.170735 on average"];
    assert_eq!(ledger(&alice, "tea").await, expected);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_form_sends_every_line_and_only_what_came_is_booked(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.order(&[("apples", "10"), ("pears", "5"), ("plums", "2")]).await;
    let form = alice.receive(&order).accept(1, "0").accept(2, "5").accept(3, "0.0").with(|request| {
        // A line that is not on the order is passed over too, as long as nothing came of it.
        request.items[2].line_number = 7;
    });
    let received = form.ok().await.receipt.unwrap();
    let lines: Vec<i32> = received.items.iter().map(|item| item.line_number).collect();
    assert_eq!((lines, received.item_count), (vec![2], 1));
    // A row with lots is none that nobody has filled in.
    let unsaid = alice.receive(&order).accept(1, "0").lot("L1", "", "2").accept(2, "0");
    unsaid.refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["items[0].lots", "items"]);
    let unexplained = alice.receive(&order).reject(1, "1", "leaking").with(|request| {
        request.items[0].reject_reason = RejectReason::Other.into();
        request.items[0].reject_note.clear();
    });
    unexplained.refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["items[0].reject_note"]);
    let expired = alice.receive(&order).reject(1, "1", "").with(|request| {
        request.items[0].reject_reason = RejectReason::Expired.into();
    });
    let rejected = &expired.ok().await.receipt.unwrap().items[0];
    assert_eq!((rejected.reject_reason(), &*rejected.rejected), (RejectReason::Expired, "1"));
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn packs_prices_and_charges_that_contradict_themselves_are_refused(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let wrong = alice.create(&[]).with(|request| {
        let tins = || line("tins", "36");
        let some = |text: &str| Some(text.to_owned());
        let (size, cost) = (some("12"), some("10"));
        request.lines = vec![
            NewLine { packs: some("2"), pack_size: size.clone(), ..tins() },
            NewLine { packs: some("3"), ..tins() },
            NewLine { pack_cost: cost.clone(), pack_size: size, ..tins() },
            NewLine { pack_cost: cost, unit_cost: None, ..tins() },
            NewLine { quantity: None, unit_cost: None, ..tins() },
            NewLine { pack_size: some("0"), ..tins() },
        ];
        request.charges.push(Charge { description: " ".to_owned(), amount: None });
    });
    let refused = wrong.refused(InvalidArgument, "INVALID_REQUEST").await;
    refused.names_fields(&[
        "charges[0].description",
        "charges[0].amount",
        "lines[0].packs",
        "lines[1].packs",
        "lines[2].unit_cost",
        "lines[3].pack_cost",
        "lines[4].quantity",
        "lines[4].unit_cost",
        "lines[5].pack_size",
    ]);
    world.verify().await;
}

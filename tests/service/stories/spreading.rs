//! Goods are booked by what is in one's hand: a product, a bar code, something that nobody ordered; and one lorry
//! brings the goods of several orders.

use std::time::Instant;

use purchase_order_service::proto::v1::PendingDisposition::Cancel;
use purchase_order_service::proto::v1::{NewReceiptItem, PurchaseOrder, ReceiveDeliveryResponse, RejectReason};
use rstest::rstest;
use tonic::Code::{Aborted, AlreadyExists, FailedPrecondition, InvalidArgument, NotFound};

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, World, item_of_product, line_text, together, unlisted_item};

const AN_ID: &str = "0191e0c8-0b5e-7c11-9f3a-2f6c1d8e4b7a";

async fn texts(caller: &Caller, order: &PurchaseOrder) -> Vec<String> {
    caller.lines(order).await.iter().map(line_text).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_back_order_is_received_by_product_and_bar_code(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    world.operator().enable_back_orders().ok().await;
    allow_unlisted_items(&alice, true).await;
    let create = alice.create(&[("rice", "10"), ("tea", "4")]);
    let draft = create.with(|request| request.lines[1].gtin = "036000291452".to_owned()).ok().await;
    let order = alice.place(&draft.purchase_order.unwrap()).ok().await.purchase_order.unwrap();
    alice.receive(&order).accept_product("rice", "1").ok().await;
    let child = alice.back_order(&order).await;
    let soap = alice.receive(&child).with(|request| request.items.push(unlisted_item("soap", "2"))).ok().await;
    assert_eq!(line_text(&soap.lines[0]), "3 soap: 2 received, 2 excess");
    let mixed = alice.receive(&child).accept_product("rice", "2").accept_product("soap", "1").with(|request| {
        request.items.push(NewReceiptItem {
            gtin: "0036000291452".to_owned(),
            accepted: Some("3".to_owned()),
            ..Default::default()
        });
    });
    let received: Vec<String> = mixed.ok().await.lines.iter().map(line_text).collect();
    assert_eq!(
        received,
        [
            "1 rice: 9 ordered, 2 received, 7 pending",
            "2 tea: 4 ordered, 3 received, 1 pending",
            "3 soap: 3 received, 3 excess"
        ]
    );
    world.verify().await;
}

/// The numbers of the orders that a delivery was booked on, each with the lines of its receipt.
fn booked(delivered: &ReceiveDeliveryResponse) -> Vec<(&str, Vec<i32>)> {
    let mut booked = Vec::new();
    for of_order in &delivered.orders {
        let number = of_order.purchase_order.as_ref().unwrap().number.as_str();
        let items = of_order.receipt.as_ref().unwrap().items.iter();
        booked.push((number, items.map(|item| item.line_number).collect()));
    }
    booked
}

async fn allow_unlisted_items(alice: &Caller, allow: bool) {
    let update = alice.update_store(&["allow_unlisted_items"]);
    let store = update.with(|request| request.allow_unlisted_items = allow).ok().await.store.unwrap();
    assert_eq!(store.allow_unlisted_items, allow);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_product_is_booked_on_its_lines_pending_first(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.order(&[("rice", "10"), ("tea", "4"), ("rice", "6")]).await;
    let received = alice.receive(&order).accept_product("rice", "12").ok().await;
    assert_eq!(
        received.lines.iter().map(line_text).collect::<Vec<_>>(),
        ["1 rice: 10 ordered, 10 received", "3 rice: 6 ordered, 2 received, 4 pending"]
    );
    let refused = alice.receive(&order).accept_product("rice", "5").refused(FailedPrecondition, "OVER_RECEIPT").await;
    assert!(refused.message().ends_with("items[0] would bring 1 more of rice than may be received"));
    let tolerant = alice.update_store(&["over_receipt_tolerance"]);
    tolerant.with(|request| request.over_receipt_tolerance = "10".to_owned()).ok().await;
    alice.receive(&order).accept_product("rice", "5").ok().await;
    assert_eq!(texts(&alice, &order).await[0], "1 rice: 10 ordered, 11 received, 1 excess");
    let unknown = alice.receive(&order).accept_product("salt", "1").accept_product("pepper", "1");
    let refused = unknown.refused(NotFound, "PRODUCT_NOT_RECEIVABLE").await;
    assert_eq!(refused.message(), "no line that can be received is of product salt, product pepper");
    alice.complete(&order).rest(Cancel).because("enough").ok().await;
    assert_eq!(alice.stock("rice").await, "17 on hand");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_bar_code_finds_its_product_with_and_without_leading_zeros(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let create = alice.create(&[("rice", "10"), ("tea", "4")]);
    let draft = create.with(|request| request.lines[1].gtin = "036000291452".to_owned()).ok().await;
    let order = alice.place(&draft.purchase_order.unwrap()).ok().await.purchase_order.unwrap();
    let scan =
        |gtin: &str| NewReceiptItem { gtin: gtin.to_owned(), accepted: Some("1".to_owned()), ..Default::default() };
    for gtin in ["036000291452", "0036000291452", "00036000291452"] {
        let received = alice.receive(&order).with(|request| request.items.push(scan(gtin))).ok().await;
        assert_eq!(received.receipt.unwrap().items[0].line_number, 2, "{gtin}");
    }
    let delivered = alice.deliver().item(scan("036000291452")).ok().await;
    assert_eq!(booked(&delivered), [("PO-000001", vec![2])]);
    let wrong = alice.receive(&order).with(|request| request.items.push(scan("036000291453")));
    wrong.refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["items[0].gtin"]);

    // Another product is ordered under the same code. It is the one that is still waited for.
    let order_under_code = async |product: &str| {
        let create = alice.create(&[(product, "4")]);
        let draft = create.with(|request| request.lines[0].gtin = "036000291452".to_owned()).ok().await;
        alice.place(&draft.purchase_order.unwrap()).ok().await.purchase_order.unwrap()
    };
    let green = order_under_code("green tea").await;
    let delivered = alice.deliver().item(scan("036000291452")).ok().await;
    assert_eq!(booked(&delivered), [(&*green.number, vec![1])]);
    // Once both are, a scan does not tell any more what came, unless the order does.
    order_under_code("tea").await;
    let ambiguous = alice.deliver().item(scan("036000291452")).refused(InvalidArgument, "INVALID_FOR_STORED_DATA");
    ambiguous.await.names_fields(&["items[0].gtin"]);
    alice.receive(&green).with(|request| request.items.push(scan("036000291452"))).ok().await;
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_ordered_gets_a_line_and_becomes_stock(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (alice, bob) = (world.alice(), world.bob());
    world.operator().enable_back_orders().ok().await;
    let order = alice.order(&[("rice", "10")]).await;
    let samples = || bob.receive(&order).accept(1, "4").with(|request| request.items.push(unlisted_item("tea", "3")));
    samples().refused(FailedPrecondition, "UNLISTED_ITEMS_NOT_ALLOWED").await;
    allow_unlisted_items(&alice, true).await;
    let received = samples().ok().await;
    assert_eq!(line_text(&received.lines[1]), "2 tea: 3 received, 3 excess");
    assert_eq!((&*received.lines[1].description, &*received.lines[1].first_ordered), ("Fresh tea", "0"));
    let order = received.purchase_order.unwrap();
    assert_eq!((order.line_count, &*order.totals.clone().unwrap().excess), (2, "3"));

    let ordered = bob.receive(&order).with(|request| request.items.push(unlisted_item("rice", "1")));
    ordered.refused(InvalidArgument, "INVALID_FOR_STORED_DATA").await.names_fields(&["items[0].unlisted.product_id"]);
    let wrong_unit = bob.receive(&order).with(|request| {
        let mut item = unlisted_item("tea", "1");
        item.unlisted.as_mut().unwrap().unit = purchase_order_service::proto::v1::Unit::Kilogram.into();
        request.items.push(item);
    });
    wrong_unit.refused(InvalidArgument, "INVALID_FOR_STORED_DATA").await.names_fields(&["items[0].unlisted.unit"]);
    // The same product again is booked on the line that it got.
    let more = bob.receive(&order).with(|request| request.items.push(unlisted_item("tea", "2"))).ok().await;
    assert_eq!(line_text(&more.lines[0]), "2 tea: 5 received, 5 excess");

    // The line has nothing pending, so the back order has none of its number, and a new line gets the next.
    let child = alice.back_order(&order).await;
    assert_eq!(alice.stock("tea").await, "5 on hand");
    assert_eq!(texts(&alice, &child).await, ["1 rice: 6 ordered, 6 pending"]);
    let more = bob.receive(&child).with(|request| request.items.push(unlisted_item("salt", "1"))).ok().await;
    assert_eq!(line_text(&more.lines[0]), "3 salt: 1 received, 1 excess");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_unlisted_line_whose_receipt_was_voided_is_in_nobodys_way(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    allow_unlisted_items(&alice, true).await;
    let order = alice.order(&[("rice", "10")]).await;
    alice.receive(&order).with(|request| request.items.push(unlisted_item("tea", "3"))).ok().await;
    alice.void(&order, 1).ok().await;
    assert_eq!(texts(&alice, &order).await, ["1 rice: 10 ordered, 10 pending", "2 tea: "]);
    alice.receive(&order).all_pending().ok().await;
    alice.complete(&order).ok().await;
    assert_eq!((alice.stock("rice").await, alice.stock("tea").await), ("10 on hand".to_owned(), String::new()));
    let other = alice.order(&[("rice", "1")]).await;
    let rejected = alice.receive(&other).with(|request| {
        let mut item = unlisted_item("soap", "0");
        item.rejected = Some("2".to_owned());
        item.reject_reason = RejectReason::NotOrdered.into();
        request.items.push(item);
    });
    assert_eq!(line_text(&rejected.ok().await.lines[0]), "2 soap: 2 rejected");
    alice.cancel(&other).ok().await;
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_was_cancelled_may_still_come_where_unlisted_items_are_allowed(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    world.operator().enable_back_orders().ok().await;
    let order = alice.received(&[("rice", "10"), ("tea", "5")], &[(1, "4")]).await;
    let child = alice.back_order(&order).await;
    // Nothing cancelled stays open today but by completing, so only the bound itself shows here.
    alice.receive(&child).accept(1, "7").refused(FailedPrecondition, "OVER_RECEIPT").await;
    allow_unlisted_items(&alice, true).await;
    alice.receive(&child).accept(1, "7").refused(FailedPrecondition, "OVER_RECEIPT").await;
    alice.receive(&child).accept(1, "6").ok().await;
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn one_lorry_brings_the_goods_of_three_orders(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (alice, bob) = (world.alice(), world.bob());
    world.operator().enable_back_orders().ok().await;
    let first = alice.received(&[("rice", "10"), ("tea", "5")], &[(2, "5")]).await;
    let first = alice.back_order(&first).await;
    let second = alice.order(&[("rice", "6"), ("salt", "1")]).await;
    let third = alice.order(&[("rice", "8")]).await;
    let draft = alice.draft(&[("rice", "100")]).await;

    let lorry = || {
        let lorry = bob.deliver().accept_product("rice", "18").accept_line(&second, 2, "1").etag(&second);
        lorry.with(|request| request.delivery_note = "LS 42".to_owned()).id(AN_ID)
    };
    let delivered = lorry().ok().await;
    assert_eq!(
        booked(&delivered),
        [("PO-000001-B1", vec![1]), ("PO-000002", vec![1, 2]), ("PO-000003", vec![1])],
        "the order that was ordered first before the others"
    );
    assert_eq!(texts(&alice, &third).await, ["1 rice: 8 ordered, 2 received, 6 pending"]);
    assert_eq!(texts(&alice, &draft).await, ["1 rice: 100 ordered, 100 pending"]);
    let events: Vec<i64> = delivered.orders.iter().map(|order| order.event_number).collect();
    assert_eq!(events, [events[0], events[0] + 1, events[0] + 2], "one event for each order");
    for of_order in &delivered.orders {
        let receipt = of_order.receipt.as_ref().unwrap();
        assert_eq!((&receipt.delivery_id, &*receipt.delivery_note), (&delivered.delivery_id, "LS 42"));
        assert_eq!(of_order.lines.len(), receipt.items.len());
    }
    assert_eq!(lorry().ok().await, delivered, "sent again, it is told again");
    assert_eq!(alice.stock("rice").await, "18 staged, 6 on order");

    let known = bob.deliver().accept_product("rice", "1").with(|request| request.delivery_note = "LS 42".to_owned());
    let mut refusing = known.clone();
    refusing = refusing.with(|request| request.refuse_known_delivery_note = true);
    refusing.refused(AlreadyExists, "DELIVERY_NOTE_KNOWN").await;
    assert!(known.ok().await.same_delivery_note.is_some());
    for order in [&first, &second, &third] {
        alice.complete(order).rest(Cancel).because("enough").ok().await;
    }
    assert_eq!(alice.stock("rice").await, "19 on hand");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_booked_as_a_whole_or_not_at_all(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let first = alice.order(&[("rice", "10")]).await;
    let second = alice.order(&[("rice", "6")]).await;
    let create = alice.create(&[("rice", "4")]).with(|request| request.supplier_id = "bolt".to_owned());
    let of_other = alice.place(&create.ok().await.purchase_order.unwrap()).ok().await.purchase_order.unwrap();
    let closed = alice.order(&[("rice", "1")]).await;
    alice.cancel(&closed).ok().await;

    alice.deliver().accept_product("rice", "17").refused(FailedPrecondition, "OVER_RECEIPT").await;
    let spanning = alice.deliver().accept_line(&first, 1, "1").accept_line(&of_other, 1, "1");
    let refused = spanning.refused(InvalidArgument, "INVALID_FOR_STORED_DATA").await;
    refused.names_fields(&["items[1].purchase_order_id"]);
    let twice = alice.deliver().accept_line(&first, 1, "1").accept_line(&first, 1, "1").accept_product("rice", "1");
    let twice = twice.item(item_of_product("rice", "1"));
    let refused = twice.refused(InvalidArgument, "INVALID_REQUEST").await;
    refused.names_fields(&["items[1].line_number", "items[3].product_id"]);
    alice.receive(&second).accept(1, "1").ok().await;
    let outdated = alice.deliver().accept_line(&first, 1, "1").etag(&first).accept_line(&second, 1, "1").etag(&second);
    let refused = outdated.refused(Aborted, "ETAG_MISMATCH").await;
    assert!(refused.message().starts_with("PO-000002: "), "{}", refused.message());
    let into_closed = alice.deliver().accept_line(&first, 1, "1").accept_line(&closed, 1, "1");
    let refused = into_closed.refused(FailedPrecondition, "WRONG_STATE").await;
    assert!(refused.message().starts_with("PO-000004: "), "{}", refused.message());
    let nowhere = alice.deliver().item(NewReceiptItem { line_number: 1, ..item_of_product("", "1") });
    nowhere.refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["items[0].purchase_order_id"]);
    let both = alice.deliver().item(NewReceiptItem { line_number: 1, ..item_of_product("rice", "1") });
    both.refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["items[0]"]);
    assert_eq!(texts(&alice, &first).await, ["1 rice: 10 ordered, 10 pending"]);
    assert_eq!(alice.seen(&first.purchase_order_id).await.active_receipt_count, 0);
    world.verify().await;
}

/// Looking a product up must not read the large order, which a planner without statistics might begin with: then six
/// deliveries took ten times as long as placing that order, and not a fraction of it.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_product_is_found_beside_an_order_of_five_thousand_lines(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let products: Vec<String> = (1..=5_000).map(|number| format!("part-{number}")).collect();
    let lines: Vec<(&str, &str)> = products.iter().map(|product| (product.as_str(), "5")).collect();
    let begun = Instant::now();
    let large = alice.order(&lines).await;
    let placing = begun.elapsed();
    let small = alice.order(&[("part-1", "2"), ("rice", "1")]).await;
    let begun = Instant::now();
    for delivered in together((0..6).map(|_| alice.deliver().accept_product("part-1", "1"))).await {
        assert_eq!(delivered.unwrap().orders.len(), 1);
    }
    let found = alice.find("part-1").ok().await;
    assert_eq!(found.lines.len(), 2);
    let finding = begun.elapsed();
    assert!(finding < placing, "{finding:?} for a few lines, {placing:?} for the large order");
    let numbers = [&large, &small].map(|order| order.number.as_str());
    assert_eq!(numbers, ["PO-000001", "PO-000002"]);
    assert_eq!(texts(&alice, &small).await[0], "1 part-1: 2 ordered, 1 received, 1 pending");
    world.verify().await;
}

//! The largest answers: all below the 4 MiB that clients take unless they are told otherwise, and
//! received by such a client. An answer that is too large would be lost after its commit.

use std::ops::RangeInclusive;

use prost::Message;
use purchase_order_service::proto::v1::*;
use rstest::rstest;
use tonic::Code::{self, InvalidArgument};

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::contract::{rpcs, send_bytes};
use crate::support::{Caller, Rpc, World, at, reason, together};

const MAX_MESSAGE: usize = 4 * 1024 * 1024;
/// Of the reject notes of one receipt, together.
const MAX_REASONS: usize = 500_000;

/// The largest order: 5,000 lines, every text and number full.
async fn largest_order(alice: &Caller) -> PurchaseOrder {
    full_order(alice, 1..=5_000, false).await
}

/// An order of full lines.
async fn full_order(alice: &Caller, lines: RangeInclusive<i32>, lot_required: bool) -> PurchaseOrder {
    let line = |n: i32| NewLine {
        product_id: format!("{n:0>64}"),
        description: "d".repeat(200),
        gtin: "10012345678902".to_owned(),
        unit: Unit::SquareMetre.into(),
        quantity: Some("999999999.9999".to_owned()),
        // With it 5,000 lines are worth just what an order may be worth.
        unit_cost: Some("0.019999".to_owned()),
        expected_date: "2026-03-10".to_owned(),
        supplier_product_id: "p".repeat(64),
        // 5,000 of them are as long as the notes of an order may be together.
        note: "n".repeat(100),
        pack_size: Some("999999999.9999".to_owned()),
        packs: None,
        pack_cost: None,
        over_receipt_tolerance: Some("999.9999".to_owned()),
        lot_required,
    };
    let create = alice.create(&[]).with(|request| {
        request.lines = lines.map(line).collect();
        fill_header(request);
    });
    let draft = create.ok().await.purchase_order.unwrap();
    alice.place(&draft).ok().await.purchase_order.unwrap()
}

fn fill_header(request: &mut CreatePurchaseOrderRequest) {
    request.supplier_id = "s".repeat(64);
    request.supplier_reference = "r".repeat(200);
    request.note = "n".repeat(1_000);
    request.expected_date = "2026-03-10".to_owned();
}

/// Half of each of these lines is accepted and half rejected, for this reason.
fn halves(lines: i32, reason: &str) -> Vec<NewReceiptItem> {
    let item = |line_number| NewReceiptItem {
        line_number,
        accepted: Some("499999999.9999".to_owned()),
        rejected: Some("499999999.9999".to_owned()),
        reject_reason: RejectReason::Damaged.into(),
        reject_note: reason.to_owned(),
        ..NewReceiptItem::default()
    };
    (1..=lines).map(item).collect()
}

/// The same without a note, and with a lot for what is accepted.
fn halves_in_lots(lines: i32) -> Vec<NewReceiptItem> {
    let mut items = halves(lines, "");
    for item in &mut items {
        item.lots = vec![NewLot {
            lot_code: format!("{:l>64}", item.line_number),
            expiry_date: "2026-12-31".to_owned(),
            quantity: item.accepted.clone(),
        }];
    }
    items
}

/// An answer's name and size; it fits.
fn fits(name: &str, answer: &impl Message) {
    let bytes = answer.encoded_len();
    assert!(bytes <= MAX_MESSAGE, "{name} has {bytes} bytes");
    println!("{name}: {bytes} bytes");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_largest_answers_fit(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = largest_order(&alice).await;
    world.clock.set("2026-03-02T10:00:00.123456Z");
    let receive = alice.receive(&order).with(|request| {
        request.items = halves(5_000, &"x".repeat(MAX_REASONS / 5_000));
        request.delivery_note = "d".repeat(200);
        request.note = "n".repeat(1_000);
        request.receive_time = at("2026-03-02T09:59:59.123456Z");
    });
    let mut one_more = receive.clone();
    one_more.request.items[4_999].reject_note.push('x');
    one_more.refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["items"]);

    let received = receive.ok().await;
    fits("ReceivePurchaseOrder", &received);
    fits("GetReceipt", &alice.receipt(&order, 1).ok().await);
    let mut full = alice.get(&order.purchase_order_id).with(|r| r.view = PurchaseOrderView::Full.into());
    fits("GetPurchaseOrder", &full.clone().ok().await);
    fits("ListPurchaseOrderLines", &alice.list_lines(&order).with(|r| r.page_size = 1_000).ok().await);
    let preview = alice.preview(&order).with(|request| request.page_size = 1_000).rest(PendingDisposition::BackOrder);
    fits("PreviewCompletion", &preview.ok().await);
    fits("GetBackOrderChain", &alice.chain(&order).with(|request| request.page_size = 1_000).ok().await);
    fits("ListInventoryLevels", &alice.list_levels().with(|request| request.page_size = 1_000).ok().await);
    let void = alice.void(&order, 1).with(|request| request.reason = "v".repeat(1_000));
    fits("VoidReceipt", &void.ok().await);
    let again = alice.receive(&order).with(|request| request.items = halves(5_000, "wet"));
    again.ok().await;
    let complete = alice.complete(&order).rest(PendingDisposition::BackOrder).ok().await;
    fits("CompletePurchaseOrder", &complete);
    fits("GetPurchaseOrder, completed", &full.clone().ok().await);
    full.request.purchase_order_id = complete.back_order.unwrap().purchase_order_id;
    fits("GetPurchaseOrder, the back order", &full.ok().await);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_largest_answers_fit_with_a_lot_for_each_line(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = full_order(&alice, 1..=5_000, true).await;
    world.clock.set("2026-03-02T10:00:00.123456Z");
    let receive = alice.receive(&order).with(|request| {
        request.items = halves_in_lots(5_000);
        request.delivery_note = "d".repeat(200);
        request.note = "n".repeat(1_000);
        request.receive_time = at("2026-03-02T09:59:59.123456Z");
    });
    // A lot counts as a hundred bytes of reject notes, and 5,000 lots leave nothing for these.
    let noted = receive.clone().with(|request| request.items[0].reject_note = "x".to_owned());
    noted.refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["items"]);
    let another = receive.clone().with(|request| {
        let lot = NewLot { lot_code: "one more".to_owned(), quantity: Some("1".to_owned()), ..NewLot::default() };
        request.items[0].lots.push(lot);
    });
    another.refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["items.lots"]);

    fits("ReceivePurchaseOrder", &receive.ok().await);
    fits("GetReceipt", &alice.receipt(&order, 1).ok().await);
    fits("VoidReceipt", &alice.void(&order, 1).with(|request| request.reason = "v".repeat(1_000)).ok().await);
    alice.receive(&order).with(|request| request.items = halves_in_lots(5_000)).ok().await;
    fits("CompletePurchaseOrder", &alice.complete(&order).rest(PendingDisposition::BackOrder).ok().await);
    let lots = alice.list_lots().with(|request| request.page_size = 1_000).ok().await;
    assert_eq!(lots.inventory_lots.len(), 1_000);
    fits("ListInventoryLots", &lots);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_the_largest_delivery_fits(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    world.clock.set("2026-03-02T10:00:00.123456Z");
    let mut items = Vec::new();
    for number in 0..50 {
        let order = full_order(&alice, number * 80 + 1..=number * 80 + 80, false).await;
        for mut item in halves(80, &"x".repeat(MAX_REASONS / 4_000)) {
            item.purchase_order_id = order.purchase_order_id.clone();
            items.push(item);
        }
    }
    let lorry = alice.deliver().with(|request| {
        request.supplier_id = "s".repeat(64);
        request.items = items;
        request.delivery_note = "d".repeat(200);
        request.note = "n".repeat(1_000);
        request.receive_time = at("2026-03-02T09:59:59.123456Z");
    });
    let delivered = lorry.ok().await;
    assert_eq!(delivered.orders.iter().map(|order| order.lines.len()).sum::<usize>(), 4_000);
    fits("ReceiveDelivery", &delivered);
    world.verify().await;
}

/// MUSICAL SYMBOL SIXTEENTH NOTE: four bytes, and twelve in normal form C.
const GROWS: &str = "\u{1d161}";

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn reject_notes_are_measured_as_they_are_kept(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = largest_order(&alice).await;
    let receive = |lines: i32, reason: String| alice.receive(&order).with(|r| r.items = halves(lines, &reason));

    // 1,500 times 332 bytes as sent and 996 as kept.
    let grown = receive(1_500, GROWS.repeat(83));
    grown.refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["items"]);
    // 500 times 1,500 bytes as sent and 1,000 as kept.
    let received = receive(500, "e\u{301}".repeat(500)).ok().await;
    assert_eq!(received.receipt.unwrap().items[499].reject_note, "\u{e9}".repeat(500));
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_full_headers_fit(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let orders = together((0..1_001).map(|_| alice.create(&[("apples", "1")]).with(fill_header))).await;
    let orders: Vec<PurchaseOrder> = orders.into_iter().map(|order| order.unwrap().purchase_order.unwrap()).collect();
    together(orders.iter().map(|order| alice.cancel(order).with(|request| request.reason = "c".repeat(1_000)))).await;

    let page = alice.list().with(|request| request.page_size = 1_000).ok().await;
    assert_eq!(page.purchase_orders.len(), 1_000);
    assert!(page.purchase_orders.iter().all(|order| order.cancel_reason.len() == 1_000));
    fits("ListPurchaseOrders", &page);

    let order = alice.order(&[("pears", "1000")]).await;
    let note = |request: &mut ReceivePurchaseOrderRequest| {
        (request.note, request.delivery_note) = ("n".repeat(1_000), "d".repeat(200));
    };
    together((0..1_000).map(|_| alice.receive(&order).accept(1, "1").with(note))).await;
    let void = |number| alice.void(&order, number).with(|request| request.reason = "v".repeat(1_000));
    together((1..=999).map(void)).await;
    let page = alice.list_receipts(&order).with(|request| request.page_size = 1_000).ok().await;
    assert_eq!((page.receipts.len(), page.receipts[998].void_reason.len()), (1_000, 1_000));
    fits("ListReceipts", &page);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_request_has_at_most_4_mib(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let sized = |bytes: usize| {
        let mut create = alice.create(&[("apples", "1")]);
        // The field's number, its length in four bytes, and the rest of the request.
        create.request.note = "n".repeat(bytes - create.request.encoded_len() - 5);
        assert_eq!(create.request.encoded_len(), bytes);
        create
    };
    let at_limit = sized(MAX_MESSAGE).refused(InvalidArgument, "INVALID_REQUEST").await;
    at_limit.names_fields(&["note"]);
    let above = sized(MAX_MESSAGE + 1).refused(Code::ResourceExhausted, "MESSAGE_TOO_LARGE").await;
    assert!(above.message().contains("4 MiB"), "{}", above.message());
    alice.list().ok().await;
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_message_are_refused(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    for rpc in rpcs() {
        // A first field of three bytes, of which one is there; a string that is no UTF-8.
        for bytes in [vec![0x0a, 0x03, b'x'], vec![0x0a, 0x01, 0xff], vec![0xff; 16]] {
            let said = send_bytes(&world.channel(), "alice", &rpc.path, bytes.clone()).await;
            let is_list_stores = rpc.path.ends_with("/ListStores");
            assert!(is_list_stores || reason(&said.unwrap_err()) == "MALFORMED_MESSAGE", "{} {bytes:?}", rpc.path);
        }
    }
    assert_eq!(CreateStoreRequest::PATH, "/purchasing.v1.StoreService/CreateStore");
    world.verify().await;
}

//! Stories of ReceivePurchaseOrder and VoidReceipt: what came is booked in, and taken back if it was
//! booked wrongly.

use purchase_order_service::proto::v1::{
    PurchaseOrder, PurchaseOrderState, ReceivePurchaseOrderRequest, VoidReceiptRequest,
};
use rstest::rstest;
use tonic::Code::{Aborted, AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied};

use crate::contract::story::{AN_ID, Story, absent, as_much_as_there_may_be};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, at, line_text, lot_text, unlisted_item};

/// Two deliveries come in for one order, the second while the scanner's clock runs ahead.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn receive_purchase_order(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<ReceivePurchaseOrderRequest>::on(on).await else { return };
    let (alice, bob) = (story.world.alice(), story.world.bob());
    let order = alice.order(&[("apples", "10"), ("pears", "5")]).await;
    story.world.clock.set("2026-03-03T10:00:00Z");

    let first = bob.receive(&order).accept(1, "4").reject(2, "2", "mouldy").id(AN_ID);
    let received = story.ok(first.clone()).await;
    let touched: Vec<String> = received.lines.iter().map(line_text).collect();
    assert_eq!(touched, ["1 apples: 10 ordered, 4 received, 6 pending", "2 pears: 5 ordered, 2 rejected, 5 pending"]);
    let header = received.purchase_order.clone().unwrap();
    assert_eq!((header.state(), header.active_receipt_count), (PurchaseOrderState::Receiving, 1));
    assert_eq!(story.ok(first.clone()).await, received, "scanned twice, it came once");
    let other = first.accept(2, "5");
    story.refused(other, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["items[2].line_number"]);
    let other = bob.receive(&order).accept(2, "5").id(AN_ID);
    story.refused(other, InvalidArgument, "REQUEST_ID_REUSED").await;

    what_cannot_have_come(&story, &order).await;

    let second = bob.receive(&order).all_pending().with(|request| {
        request.receive_time = at("2026-03-03T10:04:59Z");
        request.etag = header.etag.clone();
    });
    let received = story.ok(second).await;
    assert_eq!(received.receipt.unwrap().receive_time, at("2026-03-03T10:00:00Z"));
    assert_eq!(alice.stock("apples").await, "10 staged");
    story.refused(bob.receive(&order).all_pending(), FailedPrecondition, "NOTHING_PENDING").await;
    let unseen = bob.receive(&order).all_pending().with(|request| request.etag = header.etag.clone());
    story.refused(unseen, Aborted, "ETAG_MISMATCH").await;
    beyond_what_a_store_can_hold(&story, &alice).await;
    what_was_booked_before(&story, &alice).await;
    in_lots(&story, &alice).await;
    story.end().await;
}

type Receiving = Story<ReceivePurchaseOrderRequest>;

async fn what_cannot_have_come(story: &Receiving, order: &PurchaseOrder) {
    let (alice, bob) = (story.world.alice(), story.world.bob());
    let over = story.refused(bob.receive(order).accept(1, "7"), FailedPrecondition, "OVER_RECEIPT").await;
    assert_eq!((over.metadata("line_numbers"), over.metadata("total")), ("1".to_owned(), "1".to_owned()));
    let half = bob.receive(order).accept(1, "0.5");
    let refused = story.refused(half, InvalidArgument, "INVALID_FOR_STORED_DATA").await;
    refused.names_fields(&["items[0].accepted"]);
    for time in ["2026-03-01T22:59:59Z", "2026-03-03T10:05:01Z"] {
        let delivery = bob.receive(order).accept(1, "1").with(|request| request.receive_time = at(time));
        let refused = story.refused(delivery, InvalidArgument, "INVALID_FOR_STORED_DATA").await;
        refused.names_fields(&["receive_time"]);
    }
    let unnamed = bob.receive(order).accept_product("coal", "1");
    let refused = story.refused(unnamed, NotFound, "PRODUCT_NOT_RECEIVABLE").await;
    assert_eq!(refused.metadata("products"), "product coal");
    let unlisted = bob.receive(order).with(|request| request.items.push(unlisted_item("soap", "1")));
    let refused = story.refused(unlisted, FailedPrecondition, "UNLISTED_ITEMS_NOT_ALLOWED").await;
    assert_eq!(refused.metadata("product_ids"), "soap");
    let unknown = bob.receive(order).accept(1, "1").accept(3, "1").accept(4, "1");
    let refused = story.refused(unknown, NotFound, "LINE_NOT_FOUND").await;
    assert_eq!((refused.metadata("line_numbers"), refused.metadata("total")), ("3,4".to_owned(), "2".to_owned()));
    story.refused(bob.receive(&absent()).all_pending(), NotFound, "PURCHASE_ORDER_NOT_FOUND").await;
    let draft = alice.draft(&[("apples", "1")]).await;
    let refused = story.refused(bob.receive(&draft).all_pending(), FailedPrecondition, "WRONG_STATE").await;
    assert_eq!(refused.metadata("state"), "DRAFT");
}

/// The same delivery note once more, and an invoice beyond all bounds.
async fn what_was_booked_before(story: &Receiving, alice: &Caller) {
    let order = alice.order(&[("plums", "200")]).await;
    let noted = || alice.receive(&order).accept(1, "1").with(|request| request.delivery_note = "LS 88".to_owned());
    assert_eq!(story.ok(noted()).await.same_delivery_note, None);
    let known = story.ok(noted()).await.same_delivery_note.unwrap();
    assert_eq!((&known.number, known.receipt_number), (&order.number, 1));
    let once = noted().with(|request| request.refuse_known_delivery_note = true);
    let refused = story.refused(once, AlreadyExists, "DELIVERY_NOTE_KNOWN").await;
    assert_eq!(refused.metadata("receipt_number"), "2", "the latest is named");
    let dear = alice.receive(&order).accept(1, "101").with(|request| {
        request.items[0].unit_cost = Some("1000000000".to_owned());
    });
    story.refused(dear, FailedPrecondition, "RECEIVED_VALUE_OUT_OF_RANGE").await;
    let packs = alice.receive(&order).accept(1, "1").with(|request| {
        request.items[0].accepted_packs = Some("1".to_owned());
        request.items[0].excess_unit_cost = Some("0".to_owned());
    });
    let refused = story.refused(packs, InvalidArgument, "INVALID_FOR_STORED_DATA").await;
    refused.names_fields(&["items[0].accepted_packs"]);
}

/// Yoghurt comes in lots, and can be called back by them.
async fn in_lots(story: &Receiving, alice: &Caller) {
    let draft = alice.create(&[("yoghurt", "12")]).with(|request| {
        request.lines[0].lot_required = true;
    });
    let order = draft.ok().await.purchase_order.unwrap();
    alice.place(&order).ok().await;
    let receive = |quantity: &str| alice.receive(&order).accept(1, quantity);
    let stored = "INVALID_FOR_STORED_DATA";
    for wrong in [
        receive("4"),
        receive("4").lot("L1", "2026-04-01", "3"),
        receive("4").lot("L1", "2026-04-01", "3.5").lot("L2", "", "0.5"),
        receive("4").lot("L1", "2026-03-02", "4"),
    ] {
        story.refused(wrong, InvalidArgument, stored).await.names_fields(&["items[0].lots"]);
    }
    let all = alice.receive(&order).all_pending();
    story.refused(all, InvalidArgument, stored).await.names_fields(&["all_pending"]);
    let twice = receive("4").lot("L1", "2026-04-01", "2").lot("L1", "2026-04-01", "2").lot("", "", "1");
    let twice = story.refused(twice, InvalidArgument, "INVALID_REQUEST").await;
    twice.names_fields(&["items[0].lots[1].lot_code", "items[0].lots[2].lot_code"]);
    let booked = story.ok(receive("4").lot("L1", "2026-04-01", "3").lot("", "", "0").lot("L2", "", "1")).await;
    let lots: Vec<String> = booked.receipt.unwrap().items[0].lots.iter().map(lot_text).collect();
    assert_eq!(lots, ["L1 2026-04-01: 3", "L2: 1"]);
    assert!(booked.lines[0].lot_required);

    // 5,000 lots fit, but one of them is divided over two lines.
    let order = alice.order(&[("cups", "2500"), ("cups", "2501")]).await;
    let received = |lots: u32, quantity: &str| {
        let item = alice.receive(&order).accept_product("cups", quantity);
        (0..lots).fold(item, |call, lot| call.lot(&lot.to_string(), "", if lot == 2_499 { "2" } else { "1" }))
    };
    story.refused(received(5_000, "5001"), FailedPrecondition, "RECEIPT_TOO_LARGE").await;
    story.ok(received(4_999, "5000")).await;
}

async fn beyond_what_a_store_can_hold(story: &Receiving, alice: &Caller) {
    let full = alice.order(&as_much_as_there_may_be("grain")).await;
    story.ok(alice.receive(&full).all_pending()).await;
    let one_more = alice.order(&[("grain", "1")]).await;
    let refused = story.refused(alice.receive(&one_more).all_pending(), FailedPrecondition, "LEVEL_OUT_OF_RANGE").await;
    assert_eq!(refused.metadata("product_ids"), "grain");

    let lines: Vec<String> = (1..=5_000).map(|number| format!("part-{number}")).collect();
    let lines: Vec<(&str, &str)> = lines.iter().map(|part| (part.as_str(), "5")).collect();
    let order = alice.order(&lines).await;
    let unlisted = alice.update_store(&["allow_unlisted_items"]);
    unlisted.with(|request| request.allow_unlisted_items = true).ok().await;
    let one_more = alice.receive(&order).with(|request| request.items.push(unlisted_item("soap", "1")));
    story.refused(one_more, FailedPrecondition, "TOO_MANY_LINES").await;
    for _ in 0..4 {
        (1..=5_000).fold(alice.receive(&order), |call, line| call.accept(line, "1")).ok().await;
    }
    let twenty_thousand_and_one = alice.receive(&order).accept(1, "1");
    story.refused(twenty_thousand_and_one, FailedPrecondition, "TOO_MANY_RECEIPT_ITEMS").await;
}

/// A delivery was booked to the wrong order: it is taken back, and so is the one before it.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn void_receipt(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<VoidReceiptRequest>::on(on).await else { return };
    let (alice, bob) = (story.world.alice(), story.world.bob());
    let order = alice.received(&[("apples", "10")], &[(1, "4")]).await;
    let order = alice.receive(&order).accept(1, "6").ok().await.purchase_order.unwrap();
    story.world.clock.set("2026-03-03T10:00:00Z");

    let stale = bob.void(&order, 2).with(|request| request.etag = "1".to_owned());
    assert_eq!(story.refused(stale, Aborted, "ETAG_MISMATCH").await.metadata("etag"), order.etag);
    let silent = bob.void(&order, 2).with(|request| request.reason.clear());
    story.refused(silent, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["reason"]);
    let refused = story.refused(bob.void(&order, 3), NotFound, "RECEIPT_NOT_FOUND").await;
    assert_eq!(refused.metadata("receipt_number"), "3");
    story.refused(bob.void(&absent(), 1), NotFound, "PURCHASE_ORDER_NOT_FOUND").await;

    let wrong = bob.void(&order, 2).id(AN_ID).with(|request| request.etag = order.etag.clone());
    let voided = story.ok(wrong.clone()).await;
    let receipt = voided.receipt.clone().unwrap();
    assert_eq!((&*receipt.voided_by, &*receipt.void_reason), ("bob", "counted again"));
    assert_eq!(receipt.void_time, at("2026-03-03T10:00:00Z"));
    assert_eq!(line_text(&voided.lines[0]), "1 apples: 10 ordered, 4 received, 6 pending");
    assert_eq!(voided.purchase_order.clone().unwrap().state(), PurchaseOrderState::Receiving);
    assert_eq!(story.ok(wrong).await, voided, "sent again, it is the same void");
    let refused = story.refused(bob.void(&order, 2), FailedPrecondition, "RECEIPT_VOIDED").await;
    assert_eq!(refused.metadata("receipt_number"), "2");
    let last = story.ok(bob.void(&order, 1)).await.purchase_order.unwrap();
    assert_eq!((last.state(), last.active_receipt_count), (PurchaseOrderState::OnOrder, 0));
    assert_eq!(alice.stock("apples").await, "10 on order");
    let refused = story.refused(bob.void(&order, 1), FailedPrecondition, "WRONG_STATE").await;
    assert_eq!(refused.metadata("state"), "ON_ORDER");

    // What is taken back is on order again, and there may be as much on order already.
    let full = alice.order(&as_much_as_there_may_be("grain")).await;
    alice.receive(&full).all_pending().ok().await;
    alice.order(&as_much_as_there_may_be("grain")).await;
    let refused = story.refused(bob.void(&full, 1), FailedPrecondition, "LEVEL_OUT_OF_RANGE").await;
    assert_eq!(refused.metadata("product_ids"), "grain");
    assert_eq!(alice.stock("grain").await, "900000000000 staged, 900000000000 on order");
    story.refused(story.world.operator().void(&full, 1), PermissionDenied, "NO_STORE_ACCESS").await;
    story.end().await;
}

//! Story of CorrectReceipt: what was booked wrongly is replaced by what really came.

use purchase_order_service::proto::v1::{CorrectReceiptRequest, PurchaseOrder, PurchaseOrderState};
use rstest::rstest;
use tonic::Code::{Aborted, AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied};

use crate::contract::story::{AN_ID, Story, absent, as_much_as_there_may_be};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, at, item_of_product, line_text, unlisted_item};

type Correcting = Story<CorrectReceiptRequest>;

/// A scanner booked apples for pears.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn correct_receipt(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Correcting::on(on).await else { return };
    let (alice, bob) = (story.world.alice(), story.world.bob());
    let order = alice.order(&[("apples", "10"), ("pears", "5")]).await;
    let booked = alice.receive(&order).accept(1, "4").with(|request| {
        request.delivery_note = "LS 7".to_owned();
        request.receive_time = at("2026-03-02T08:30:00Z");
    });
    let order = booked.ok().await.purchase_order.unwrap();
    story.world.clock.set("2026-03-03T10:00:00Z");

    what_cannot_be(&story, &order).await;
    let pears = bob.correct(&order, 1).accept(2, "4").id(AN_ID).with(|request| request.etag = order.etag.clone());
    let corrected = story.ok(pears.clone()).await;
    let lines: Vec<String> = corrected.lines.iter().map(line_text).collect();
    assert_eq!(lines, ["1 apples: 10 ordered, 10 pending", "2 pears: 5 ordered, 4 received, 1 pending"]);
    let receipt = corrected.receipt.clone().unwrap();
    assert_eq!((receipt.receipt_number, receipt.corrects_receipt_number), (2, 1));
    assert_eq!((receipt.receive_time, &*receipt.delivery_note), (at("2026-03-02T08:30:00Z"), "LS 7"));
    assert_eq!((receipt.book_time, &*receipt.booked_by), (at("2026-03-03T10:00:00Z"), "bob"));
    let header = corrected.purchase_order.clone().unwrap();
    assert_eq!((header.state(), header.active_receipt_count), (PurchaseOrderState::Receiving, 1));
    assert_eq!(story.ok(pears.clone()).await, corrected, "sent again, it is the same correction");
    story.refused(pears.accept(1, "1"), InvalidArgument, "REQUEST_ID_REUSED").await;
    let wrong = alice.receipt(&order, 1).ok().await.receipt.unwrap();
    assert_eq!((&*wrong.voided_by, &*wrong.void_reason, wrong.items.len()), ("bob", "counted again", 1));
    assert_eq!(alice.stock("apples").await, "10 on order");

    let refused = story.refused(bob.correct(&order, 1).accept(1, "1"), FailedPrecondition, "RECEIPT_VOIDED").await;
    assert_eq!(refused.metadata("receipt_number"), "1");
    // What was pending before the receipt is pending for the correction.
    let all = story.ok(bob.correct(&order, 2).all_pending()).await;
    assert_eq!(line_text(&all.lines[1]), "2 pears: 5 ordered, 5 received");
    the_delivery_note(&story, &alice).await;
    beyond_what_there_may_be(&story, &alice).await;
    story.ok(bob.correct(&order, 3).accept(1, "10").accept(2, "5")).await;
    alice.complete(&order).ok().await;
    assert_eq!(alice.stock("pears").await, "5 on hand");
    let refused = story.refused(bob.correct(&order, 4).accept(1, "1"), FailedPrecondition, "WRONG_STATE").await;
    assert_eq!(refused.metadata("state"), "COMPLETED");
    story.end().await;
}

async fn what_cannot_be(story: &Correcting, order: &PurchaseOrder) {
    let bob = story.world.bob();
    let correct = || bob.correct(order, 1).accept(1, "1");
    let silent = correct().with(|request| request.reason.clear());
    story.refused(silent, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["reason"]);
    story.refused(bob.correct(order, 1), InvalidArgument, "INVALID_REQUEST").await.names_fields(&["items"]);
    let priced = correct().with(|request| request.items[0].unit_cost = Some("1".to_owned()));
    story.refused(priced, PermissionDenied, "PERMISSION_MISSING").await;
    let refused = story.refused(bob.correct(order, 2).accept(1, "1"), NotFound, "RECEIPT_NOT_FOUND").await;
    assert_eq!(refused.metadata("receipt_number"), "2");
    story.refused(bob.correct(&absent(), 1).accept(1, "1"), NotFound, "PURCHASE_ORDER_NOT_FOUND").await;
    let stale = correct().with(|request| request.etag = "1".to_owned());
    story.refused(stale, Aborted, "ETAG_MISMATCH").await;
    story.refused(correct().accept(3, "1"), NotFound, "LINE_NOT_FOUND").await;
    let unnamed = correct().item(item_of_product("coal", "1"));
    story.refused(unnamed, NotFound, "PRODUCT_NOT_RECEIVABLE").await;
    let half = bob.correct(order, 1).accept(1, "0.5");
    story.refused(half, InvalidArgument, "INVALID_FOR_STORED_DATA").await.names_fields(&["items[0].accepted"]);
    let early = correct().with(|request| request.receive_time = at("2026-03-01T22:59:59Z"));
    story.refused(early, InvalidArgument, "INVALID_FOR_STORED_DATA").await.names_fields(&["receive_time"]);
    let over = story.refused(bob.correct(order, 1).accept(1, "11"), FailedPrecondition, "OVER_RECEIPT").await;
    assert_eq!(over.metadata("line_numbers"), "1");
    let unlisted = bob.correct(order, 1).item(unlisted_item("soap", "1"));
    story.refused(unlisted, FailedPrecondition, "UNLISTED_ITEMS_NOT_ALLOWED").await;
    story.refused(story.world.operator().correct(order, 1).all_pending(), PermissionDenied, "NO_STORE_ACCESS").await;
}

/// Neither the receipt that is corrected nor the other receipts of its delivery are another delivery.
async fn the_delivery_note(story: &Correcting, alice: &Caller) {
    let first = alice.order(&[("plums", "5")]).await;
    let second = alice.order(&[("plums", "5")]).await;
    let lorry = alice.deliver().accept_line(&first, 1, "1").accept_line(&second, 1, "1");
    let lorry = lorry.with(|request| request.delivery_note = "LS 88".to_owned()).ok().await;
    let noted = |receipt| {
        let again = alice.correct(&second, receipt).accept(1, "2");
        again.with(|request| request.delivery_note = Some("LS 88".to_owned()))
    };
    let once = noted(1).with(|request| request.refuse_known_delivery_note = true);
    let corrected = story.ok(once).await;
    assert_eq!(corrected.same_delivery_note, None);
    assert_eq!(corrected.receipt.unwrap().delivery_id, lorry.delivery_id, "it is still of that delivery");
    alice.receive(&first).accept(1, "1").with(|request| request.delivery_note = "LS 88".to_owned()).ok().await;
    let known = story.ok(noted(2)).await.same_delivery_note.unwrap();
    assert_eq!((&known.number, known.receipt_number), (&first.number, 2));
    let once = noted(3).with(|request| request.refuse_known_delivery_note = true);
    story.refused(once, AlreadyExists, "DELIVERY_NOTE_KNOWN").await;
    let without = alice.correct(&second, 3).accept(1, "3").with(|request| request.delivery_note = Some(String::new()));
    assert_eq!(story.ok(without).await.receipt.unwrap().delivery_note, "");
}

async fn beyond_what_there_may_be(story: &Correcting, alice: &Caller) {
    // As if the receipt had never been, everything is pending again; but of a line that was voided since, nothing is.
    let dear = alice.received(&[("gold", "200")], &[(1, "1")]).await;
    let invoiced = |units: &str| {
        let item = alice.correct(&dear, 1).accept(1, units);
        item.with(|request| request.items[0].unit_cost = Some("1000000000".to_owned()))
    };
    story.refused(invoiced("101"), FailedPrecondition, "RECEIVED_VALUE_OUT_OF_RANGE").await;
    let full = alice.order(&as_much_as_there_may_be("grain")).await;
    alice.receive(&full).all_pending().ok().await;
    let other = alice.order(&[("grain", "1"), ("rye", "1")]).await;
    alice.receive(&other).accept(2, "1").ok().await;
    let refused =
        story.refused(alice.correct(&other, 1).accept(1, "1"), FailedPrecondition, "LEVEL_OUT_OF_RANGE").await;
    assert_eq!(refused.metadata("product_ids"), "grain");

    let cups = alice.received(&[("cups", "2500"), ("cups", "2501")], &[(1, "1")]).await;
    let lots = alice.correct(&cups, 1).item(item_of_product("cups", "5001"));
    let lots = (0..5_000).fold(lots, |call, lot| call.lot(&lot.to_string(), "", if lot == 2_499 { "2" } else { "1" }));
    story.refused(lots, FailedPrecondition, "RECEIPT_TOO_LARGE").await;

    let nothing = alice.order(&[("milk", "1")]).await;
    alice.receive(&nothing).all_pending().ok().await;
    let rejected = alice.receive(&nothing).reject(1, "1", "sour").ok().await.receipt.unwrap();
    let all = alice.correct(&nothing, rejected.receipt_number).all_pending();
    story.refused(all, FailedPrecondition, "NOTHING_PENDING").await;

    let lines: Vec<String> = (1..=5_000).map(|number| format!("part-{number}")).collect();
    let lines: Vec<(&str, &str)> = lines.iter().map(|part| (part.as_str(), "5")).collect();
    let order = alice.order(&lines).await;
    for _ in 0..4 {
        (1..=5_000).fold(alice.receive(&order), |call, line| call.accept(line, "1")).ok().await;
    }
    let one_more = alice.correct(&order, 4).accept(1, "1");
    story.refused(one_more, FailedPrecondition, "TOO_MANY_RECEIPT_ITEMS").await;
    let unlisted = alice.update_store(&["allow_unlisted_items"]);
    unlisted.with(|request| request.allow_unlisted_items = true).ok().await;
    let soap = alice.correct(&order, 4).item(unlisted_item("soap", "1"));
    story.refused(soap, FailedPrecondition, "TOO_MANY_RECEIPT_ITEMS").await;
    let large = alice.order(&lines).await;
    alice.receive(&large).accept(1, "1").ok().await;
    let soap = alice.correct(&large, 1).item(unlisted_item("soap", "1"));
    story.refused(soap, FailedPrecondition, "TOO_MANY_LINES").await;
}

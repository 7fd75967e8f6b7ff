//! Receiving: deliveries are booked as they come, staged until the order completes, and taken back
//! when they were booked wrongly. Times are the goods' own.

use purchase_order_service::proto::v1::PurchaseOrderAction::{
    Amend, Cancel as MayCancel, CancelLines, Complete, Confirm, Copy, CorrectReceipt, Receive, Update, VoidReceipt,
};
use purchase_order_service::proto::v1::{NewReceiptItem, PurchaseOrderState, RejectReason, Unit};
use rstest::rstest;
use tonic::Code::{FailedPrecondition, InvalidArgument, NotFound};

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{MONDAY, World, at, line, line_text};

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_staged_and_not_on_hand(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let order = world.alice().order(&[("apples", "10"), ("pears", "5")]).await;
    world.clock.set("2026-03-03T10:00:00Z");

    let delivery = world.bob().receive(&order).accept(2, "5").accept(1, "4").reject(1, "1", "mouldy");
    let twice = delivery.refused(InvalidArgument, "INVALID_REQUEST").await;
    twice.names_fields(&["items[2].line_number"]);
    let delivery = world.bob().receive(&order).accept(2, "5").accept(1, "4").with(|request| {
        request.items[1].rejected = Some("1.0".to_owned());
        request.items[1].reject_reason = RejectReason::Damaged.into();
        request.items[1].reject_note = "mouldy".to_owned();
        request.delivery_note = "LS 88".to_owned();
        request.note = "two pallets".to_owned();
    });
    let received = delivery.ok().await;

    let order = received.purchase_order.unwrap();
    assert_eq!(order.state(), PurchaseOrderState::Receiving);
    assert_eq!((order.pending_line_count, order.active_receipt_count), (1, 1));
    let totals = order.totals.unwrap();
    assert_eq!((&*totals.ordered, &*totals.received, &*totals.rejected, &*totals.pending), ("15", "9", "1", "6"));
    let touched: Vec<String> = received.lines.iter().map(line_text).collect();
    assert_eq!(touched, ["1 apples: 10 ordered, 4 received, 1 rejected, 6 pending", "2 pears: 5 ordered, 5 received"]);
    let receipt = received.receipt.unwrap();
    assert_eq!((receipt.receipt_number, &*receipt.booked_by), (1, "bob"));
    assert_eq!((receipt.receive_time, receipt.book_time), (at("2026-03-03T10:00:00Z"), at("2026-03-03T10:00:00Z")));
    assert_eq!((&*receipt.delivery_note, &*receipt.note), ("LS 88", "two pallets"));
    let items: Vec<_> =
        receipt.items.iter().map(|i| (i.line_number, &*i.accepted, &*i.rejected, &*i.reject_note)).collect();
    assert_eq!(items, [(1, "4", "1", "mouldy"), (2, "5", "0", "")]);
    assert_eq!(world.alice().stock("apples").await, "4 staged, 6 on order");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn all_pending_books_everything_that_is_left(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.received(&[("apples", "10"), ("pears", "5"), ("plums", "1")], &[(1, "4"), (2, "5")]).await;

    let received = world.bob().receive(&order).all_pending().ok().await;

    let items = received.receipt.unwrap().items;
    let items: Vec<_> = items.iter().map(|item| (item.line_number, &*item.accepted, &*item.rejected)).collect();
    assert_eq!(items, [(1, "6", "0"), (3, "1", "0")]);
    alice.receive(&order).all_pending().refused(FailedPrecondition, "NOTHING_PENDING").await;
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_quantity_stays_pending_however_often_it_comes(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.order(&[("apples", "10")]).await;

    // What is turned away at the transport is not bounded by what was ordered.
    alice.receive(&order).reject(1, "8", "mouldy").ok().await;
    alice.receive(&order).reject(1, "8", "mouldy again").ok().await;
    let received = alice.receive(&order).accept(1, "10").ok().await;

    assert_eq!(line_text(&received.lines[0]), "1 apples: 10 ordered, 10 received, 16 rejected");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn no_line_takes_more_than_was_ordered(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.received(&[("apples", "10"), ("pears", "5"), ("plums", "3")], &[(1, "10"), (2, "5")]).await;

    let over = alice.receive(&order).accept(2, "1").accept(3, "3").accept(1, "1");
    let refused = over.refused(FailedPrecondition, "OVER_RECEIPT").await;

    assert_eq!((refused.metadata("line_numbers"), refused.metadata("total")), ("2,1".to_owned(), "2".to_owned()));
    assert_eq!(alice.stock("plums").await, "3 on order", "nothing of a refused delivery is booked");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_delivery_is_refused_with_all_that_is_wrong(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.order(&[("apples", "10"), ("pears", "5")]).await;

    let nothing = alice.receive(&order).accept(1, "0").reject(2, "0.0", "");
    nothing.refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["items"]);
    let wrong = alice.receive(&order).accept(0, "1").accept(1, "").reject(2, "1", "").with(|request| {
        request.request_id = "42".to_owned();
        request.purchase_order_id = "none".to_owned();
        request.note = "n".repeat(1_001);
        request.delivery_note = "two\nlines".to_owned();
        request.items[2].accepted = Some("1.00001".to_owned());
    });
    let refused = wrong.refused(InvalidArgument, "INVALID_REQUEST").await;
    refused.names_fields(&[
        "request_id",
        "purchase_order_id",
        "items[0].line_number",
        "items[1].accepted",
        "items[2].accepted",
        "items[2].reject_reason",
        "delivery_note",
        "note",
    ]);
    alice.receive(&order).refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["items"]);
    let both = alice.receive(&order).accept(1, "1").all_pending();
    both.refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["items"]);
    let unknown = alice.receive(&order).accept(7, "1").accept(1, "1").accept(5, "1");
    let refused = unknown.refused(NotFound, "LINE_NOT_FOUND").await;
    assert_eq!(refused.metadata("line_numbers"), "7,5");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn fractions_are_for_units_that_have_them(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let create = alice.create(&[("apples", "10")]).with(|request| {
        let mut cheese = line("cheese", "2.5");
        cheese.unit = Unit::Kilogram.into();
        request.lines.push(cheese);
    });
    let order = alice.place(&create.ok().await.purchase_order.unwrap()).ok().await.purchase_order.unwrap();

    let halves = alice.receive(&order).accept(1, "0.5").accept(2, "0.5");
    let refused = halves.refused(InvalidArgument, "INVALID_FOR_STORED_DATA").await;
    refused.names_fields(&["items[0].accepted"]);
    let received = alice.receive(&order).accept(2, "1.2345").ok().await;

    assert_eq!(line_text(&received.lines[0]), "2 cheese: 2.5 ordered, 1.2345 received, 1.2655 pending");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn goods_arrive_between_the_order_and_five_minutes_from_now(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.order(&[("apples", "10")]).await;
    world.clock.set("2026-03-03T10:00:00Z");
    let delivery = |time: &str| alice.receive(&order).accept(1, "1").with(|request| request.receive_time = at(time));

    // The store is in Amsterdam, where Monday begins at 23:00 UTC.
    for outside in ["2026-03-01T22:59:59.999999Z", "2026-03-03T10:05:00.000001Z"] {
        let refused = delivery(outside).refused(InvalidArgument, "INVALID_FOR_STORED_DATA").await;
        refused.names_fields(&["receive_time"]);
    }
    for (given, kept) in [
        (MONDAY, MONDAY),
        ("2026-03-01T23:00:00Z", "2026-03-01T23:00:00Z"),
        ("2026-03-03T09:59:59.123456789Z", "2026-03-03T09:59:59.123456Z"),
        ("2026-03-03T10:05:00Z", "2026-03-03T10:00:00Z"),
    ] {
        let receipt = delivery(given).ok().await.receipt.unwrap();
        assert_eq!((receipt.receive_time, receipt.book_time), (at(kept), at("2026-03-03T10:00:00Z")), "{given}");
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn goods_of_a_back_order_may_have_come_before_it_was_made(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.received(&[("apples", "10")], &[(1, "1")]).await;
    world.clock.set("2026-03-05T10:00:00Z");
    let child = alice.back_order(&order).await;
    let delivery = |time: &str| alice.receive(&child).accept(1, "1").with(|request| request.receive_time = at(time));

    // The chain's first order is what counts: the goods stood in the yard on Wednesday.
    let receipt = delivery("2026-03-04T10:00:00Z").ok().await.receipt.unwrap();
    assert_eq!(receipt.receive_time, at("2026-03-04T10:00:00Z"));
    delivery("2026-03-01T10:00:00Z").refused(InvalidArgument, "INVALID_FOR_STORED_DATA").await;
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn voiding_takes_a_delivery_back_and_its_times_too(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (alice, bob) = (world.alice(), world.bob());
    let order = alice.order(&[("apples", "10"), ("pears", "5")]).await;
    for day in ["2026-03-03", "2026-03-04", "2026-03-05"] {
        world.clock.set(&format!("{day}T10:00:00Z"));
        bob.receive(&order).accept(1, "2").ok().await;
    }
    let times = async || {
        let lines = alice.lines(&order).await;
        (lines[0].first_receive_time, lines[0].last_receive_time)
    };
    assert_eq!(times().await, (at("2026-03-03T10:00:00Z"), at("2026-03-05T10:00:00Z")));
    world.clock.set("2026-03-06T10:00:00Z");

    let voided = bob.void(&order, 1).ok().await;
    let receipt = voided.receipt.unwrap();
    assert_eq!((receipt.void_time, &*receipt.void_reason), (at("2026-03-06T10:00:00Z"), "counted again"));
    assert_eq!(receipt.receive_time, at("2026-03-03T10:00:00Z"));
    assert_eq!(line_text(&voided.lines[0]), "1 apples: 10 ordered, 4 received, 6 pending");
    assert_eq!(times().await, (at("2026-03-04T10:00:00Z"), at("2026-03-05T10:00:00Z")));
    bob.void(&order, 3).ok().await;
    assert_eq!(times().await, (at("2026-03-04T10:00:00Z"), at("2026-03-04T10:00:00Z")));
    let last = bob.void(&order, 2).ok().await.purchase_order.unwrap();
    assert_eq!((last.state(), last.active_receipt_count), (PurchaseOrderState::OnOrder, 0));
    assert_eq!(times().await, (None, None));

    let again = bob.receive(&order).accept(1, "1").ok().await.receipt.unwrap();
    assert_eq!(again.receipt_number, 4, "numbers of receipts are never used again");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_voided(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.received(&[("apples", "10")], &[(1, "1")]).await;
    alice.receive(&order).accept(1, "1").ok().await;
    alice.void(&order, 1).ok().await;

    let refused = alice.void(&order, 1).refused(FailedPrecondition, "RECEIPT_VOIDED").await;
    assert_eq!(refused.metadata("receipt_number"), "1");
    alice.void(&order, 7).refused(NotFound, "RECEIPT_NOT_FOUND").await;
    let reasonless = alice.void(&order, 2).with(|request| request.reason.clear());
    reasonless.refused(InvalidArgument, "INVALID_REQUEST").await.names_fields(&["reason"]);
    alice.void(&order, 2).ok().await;
    let refused = alice.void(&order, 2).refused(FailedPrecondition, "WRONG_STATE").await;
    assert_eq!(refused.metadata("state"), "ON_ORDER");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_buttons_follow_what_was_accepted(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let carol = world.carol();
    let order = carol.order(&[("apples", "10")]).await;
    assert_eq!(order.allowed_actions, [Update, Receive, MayCancel, CancelLines, Copy, Amend, Confirm].map(i32::from));

    let rejected = carol.receive(&order).reject(1, "1", "mouldy").ok().await.purchase_order.unwrap();
    assert_eq!(
        rejected.allowed_actions,
        [Update, Receive, VoidReceipt, CorrectReceipt, MayCancel, CancelLines, Copy, Amend, Confirm].map(i32::from)
    );
    let accepted = carol.receive(&order).accept(1, "1").ok().await.purchase_order.unwrap();
    assert_eq!(
        accepted.allowed_actions,
        [Update, Receive, VoidReceipt, CorrectReceipt, Complete, CancelLines, Copy, Amend, Confirm].map(i32::from)
    );
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_reason_may_have_lines_and_must_say_something(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.order(&[("apples", "10")]).await;
    let rejected = |reason: &str| {
        alice.receive(&order).with(|request| {
            request.items = vec![NewReceiptItem {
                line_number: 1,
                rejected: Some("1".to_owned()),
                reject_reason: RejectReason::Other.into(),
                reject_note: reason.to_owned(),
                ..NewReceiptItem::default()
            }];
        })
    };
    let lines = "two crates:\n\twet \u{200f}\u{5e8}\u{5d8}\u{5d5}\u{5d1}";
    assert_eq!(rejected(lines).ok().await.receipt.unwrap().items[0].reject_note, lines);
    // One fault is one violation.
    for wrong in ["", " ", "\u{a0}", "\u{3000}", "\n", "a\u{202e}b", "a\u{200b}b"] {
        let refused = rejected(wrong).refused(InvalidArgument, "INVALID_REQUEST").await;
        let refused = refused.names_fields(&["items[0].reject_note"]);
        assert_eq!(refused.metadata("violations_total"), "1", "{wrong:?}");
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_true_now_is_taken_while_the_clock_is_an_hour_behind(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    world.clock.set("2026-03-03T10:00:00Z");
    let order = alice.order(&[("apples", "10")]).await;
    world.clock.set("2026-03-03T09:00:00Z");
    let delivery = |time: &str| alice.receive(&order).accept(1, "1").with(|request| request.receive_time = at(time));

    // The store's clock stands at its last event, and five minutes ahead of that are allowed.
    for given in ["2026-03-03T10:00:00Z", "2026-03-03T10:05:00Z"] {
        let receipt = delivery(given).ok().await.receipt.unwrap();
        assert_eq!((receipt.receive_time, receipt.book_time), (at("2026-03-03T10:00:00Z"), at("2026-03-03T10:00:00Z")));
    }
    let refused = delivery("2026-03-03T10:05:00.000001Z").refused(InvalidArgument, "INVALID_FOR_STORED_DATA").await;
    refused.names_fields(&["receive_time"]);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn goods_arrive_now_although_the_clock_was_an_hour_ahead_before(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    world.clock.set("2026-03-02T12:00:00Z");
    let order = alice.order(&[("apples", "10")]).await;
    world.clock.set("2026-03-02T11:10:00Z");

    let delivery =
        alice.receive(&order).accept(1, "4").with(|request| request.receive_time = at("2026-03-02T11:10:00Z"));
    let receipt = delivery.ok().await.receipt.unwrap();

    // It is before the time at which the order was placed, as far as that was known.
    assert_eq!(receipt.receive_time, at("2026-03-02T11:10:00Z"));
    assert_eq!(receipt.book_time, at("2026-03-02T12:00:00Z"));
    world.verify().await;
}

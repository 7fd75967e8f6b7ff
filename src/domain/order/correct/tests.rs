//! Tests of correcting: the order is as if the wrong receipt had never been, and the refusals come in their order.

use super::*;
use crate::domain::access::Permission;
use crate::domain::code::ProductId;
use crate::domain::order::receipt::DeliveryId;
use crate::domain::order::receive::Receive;
use crate::domain::order::receive::items::{ItemTarget, NewItem, UnlistedProduct};
use crate::domain::testing::{NO_SUCH_ORDER, TestStore, at, new_item};
use crate::domain::unit::Unit;

/// A correction of a receipt to `line, accepted, rejected`.
fn correct(order: OrderId, receipt: i32, items: &[(i32, &str, &str)]) -> CorrectReceipt {
    let mut listed = Vec::new();
    for (index, (line, accepted, rejected)) in items.iter().enumerate() {
        listed.push(NewItem { index, ..new_item(ItemTarget::Line(order, *line), accepted, rejected) });
    }
    CorrectReceipt {
        order,
        receipt,
        etag: String::new(),
        reason: "counted again".to_owned(),
        items: Items::Listed(listed),
        receive_time: None,
        delivery_note: None,
        refuse_known_delivery_note: false,
        note: None,
    }
}

#[test]
fn the_order_is_as_if_only_the_correction_had_been_booked() {
    // 4 oak and 1 ash were booked, with 2 oak rejected, after 3 oak that were right.
    for (items, oak, ash) in [
        (
            &[(1, "5", "0"), (2, "1", "0")][..],
            "oak: 10 ordered, 8 received, 2 pending",
            "ash: 5 ordered, 1 received, 4 pending",
        ),
        (&[(1, "1", "0")], "oak: 10 ordered, 4 received, 6 pending", "ash: 5 ordered, 5 pending"),
        (&[(2, "5", "0")], "oak: 10 ordered, 3 received, 7 pending", "ash: 5 ordered, 5 received"),
        (&[(1, "0", "7")], "oak: 10 ordered, 3 received, 7 rejected, 7 pending", "ash: 5 ordered, 5 pending"),
        // All that was pending before the wrong receipt may come.
        (&[(1, "7", "0")], "oak: 10 ordered, 10 received", "ash: 5 ordered, 5 pending"),
    ] {
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 10", "ash 5"]);
        store.receipt(order, &[(1, "3", "0")]);
        store.receipt(order, &[(1, "4", "2"), (2, "1", "0")]);
        store.accept(correct(order, 2, items));
        assert_eq!(store.events(), ["RECEIPT_CORRECTED"]);
        assert_eq!(store.lines_of(order), [oak, ash], "{items:?}");
        let header = store.header(order);
        assert_eq!(
            (header.state, header.counters.active_receipts, header.counters.last_receipt),
            (State::Receiving, 2, 3)
        );
        assert_eq!(store.receipt_of(order, 3).corrects, Some(2));
    }
}

#[test]
fn everything_pending_is_what_was_pending_before_the_wrong_receipt() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10", "ash 5"]);
    store.receipt(order, &[(1, "10", "0")]);
    store.accept(CorrectReceipt { items: Items::AllPending, ..correct(order, 1, &[]) });
    assert_eq!(store.lines_of(order), ["oak: 10 ordered, 10 received", "ash: 5 ordered, 5 received"]);
}

#[test]
fn the_wrong_receipt_stays_readable_and_the_answer_shows_the_lines_of_both() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10", "ash 5"]);
    store.receipt(order, &[(1, "4", "0")]);
    let reply = store.send(correct(order, 1, &[(2, "3", "0")])).unwrap();
    let lines: Vec<i32> = reply.orders[0].lines.iter().map(|line| line.key.number).collect();
    assert_eq!(lines, [1, 2]);
    assert_eq!(reply.orders[0].receipt.as_ref().map(|receipt| receipt.key.number), Some(2));
    let wrong = store.receipt_of(order, 1);
    assert_eq!(
        (wrong.voided.as_ref().map(|voided| voided.reason.as_str()), wrong.items.len()),
        (Some("counted again"), 1)
    );
    let arrival = wrong.receive_time.micros();
    let expected = format!(
        r#"{{"receipt":1,"reason":"counted again","items_before":[{{"line":1,"accepted":"4","rejected":"0"}}],"replacement":2,"receive_time":{arrival},"items":[{{"line":2,"accepted":"3","rejected":"0"}}]}}"#
    );
    assert_eq!(store.event_details(), [expected]);
}

#[test]
fn what_the_request_does_not_say_is_kept() {
    let other = at("2026-03-02T07:30:00Z");
    let noted = |text: &str| Some(Some(text.to_owned()));
    for (receive_time, delivery_note, note, expected) in [
        (None, None, None, (None, Some("LS-1"), Some("by the gate"))),
        (Some(other), noted("LS-2"), noted("at the ramp"), (Some(other), Some("LS-2"), Some("at the ramp"))),
        (None, Some(None), Some(None), (None, None, None)),
    ] {
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 10"]);
        let arrival = store.now;
        store.receipt(order, &[(1, "4", "0")]);
        let delivery = DeliveryId(uuid::Uuid::from_u128(9));
        store.change_receipt(order, 1, |receipt| {
            receipt.delivery_note = Some("LS-1".to_owned());
            receipt.note = Some("by the gate".to_owned());
            receipt.delivery = Some(delivery);
        });
        store.now = at("2026-03-02T18:00:00Z");
        store.accept(CorrectReceipt { receive_time, delivery_note, note, ..correct(order, 1, &[(1, "5", "0")]) });
        let receipt = store.receipt_of(order, 2);
        let (time, delivery_note, note) = expected;
        assert_eq!(receipt.receive_time, time.unwrap_or(arrival));
        assert_eq!((receipt.delivery_note.as_deref(), receipt.note.as_deref()), (delivery_note, note));
        assert_eq!((receipt.delivery, receipt.book_time), (Some(delivery), store.now));
        let oak = store.line_of(order, 1);
        assert_eq!(
            (oak.first_receive_time, oak.last_receive_time),
            (Some(receipt.receive_time), Some(receipt.receive_time))
        );
    }
}

#[test]
fn neither_the_wrong_receipt_nor_its_delivery_counts_as_the_same_delivery_note() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10"]);
    for (receipt, delivery) in [(1, None), (2, Some(7)), (3, Some(7))] {
        store.receipt(order, &[(1, "1", "0")]);
        store.change_receipt(order, receipt, |receipt| {
            receipt.delivery_note = Some("LS-1".to_owned());
            receipt.delivery = delivery.map(|id| DeliveryId(uuid::Uuid::from_u128(id)));
        });
    }
    let noted = |receipt| CorrectReceipt {
        delivery_note: Some(Some("LS-1".to_owned())),
        ..correct(order, receipt, &[(1, "1", "0")])
    };
    let reply = store.send(noted(2)).unwrap();
    let Outcome::ReceiptCorrected(corrected) = reply.outcome else { panic!("{:?}", reply.outcome) };
    assert_eq!(corrected.same_delivery_note.map(|known| known.receipt), Some(1), "and not 3, of its own delivery");
    let refused = CorrectReceipt { refuse_known_delivery_note: true, ..noted(1) };
    assert_eq!(store.refuse(refused), "DELIVERY_NOTE_KNOWN");
    // The note that the receipt has already was told of when it was booked.
    let kept = CorrectReceipt { refuse_known_delivery_note: true, ..correct(order, 1, &[(1, "2", "0")]) };
    store.accept(kept);
}

#[test]
fn an_unlisted_item_is_booked_on_the_line_that_the_wrong_receipt_gave_it() {
    let mut store = TestStore::new();
    store.row().allow_unlisted_items = true;
    let order = store.on_order(&["oak 10"]);
    let soap = |accepted: &str| {
        let product = UnlistedProduct {
            product: ProductId::new("soap"),
            description: "soap".to_owned(),
            gtin: None,
            unit: Unit::Each,
            pack_size: None,
        };
        vec![new_item(ItemTarget::Unlisted(order, product), accepted, "0")]
    };
    let details = DeliveryDetails::default();
    store.accept(Receive { order, etag: String::new(), items: Items::Listed(soap("2")), details });
    store.accept(CorrectReceipt { items: Items::Listed(soap("5")), ..correct(order, 1, &[]) });
    assert_eq!(store.lines_of(order)[1], "soap: 5 received, 5 excess");
    store.accept(correct(order, 2, &[(1, "1", "0")]));
    assert_eq!(store.lines_of(order)[1], "soap: ");
}

#[test]
fn refusals_come_in_their_order() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10"]);
    let mut command = correct(NO_SUCH_ORDER, 1, &[(1, "11", "0")]);
    command.etag = "9".to_owned();
    store.call_with(&[Permission::Edit]);
    assert_eq!(store.refuse(command.clone()), "PERMISSION_MISSING");
    store.call_as("ann");
    assert_eq!(store.refuse(command.clone()), "PURCHASE_ORDER_NOT_FOUND");
    command = CorrectReceipt { etag: command.etag, ..correct(order, 1, &[(1, "11", "0")]) };
    assert_eq!(store.refuse(command.clone()), "RECEIPT_NOT_FOUND");
    store.receipt(order, &[(1, "4", "0")]);
    assert_eq!(store.refuse(command.clone()), "ETAG_MISMATCH");
    command.etag.clear();
    store.change_order(order, |order| order.state = State::Completed);
    assert_eq!(store.refuse(command.clone()), "WRONG_STATE");
    store.change_order(order, |order| order.state = State::Receiving);
    assert_eq!(store.refuse(correct(order, 1, &[(7, "1", "0")])), "LINE_NOT_FOUND");
    assert_eq!(store.refuse(correct(order, 1, &[(1, "0.5", "0")])), "INVALID_FOR_STORED_DATA");
    assert_eq!(store.refuse(command), "OVER_RECEIPT");
    store.accept(correct(order, 1, &[(1, "10", "0")]));
    assert_eq!(store.refuse(correct(order, 1, &[(1, "1", "0")])), "RECEIPT_VOIDED");
}

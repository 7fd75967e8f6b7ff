//! Tests of receiving: what each delivery does to the lines that it is booked on, and each refusal in its order.

use super::book::{check_item_count, receive_time};
use super::items::ProductSelector;
use super::*;
use crate::domain::access::Permission;
use crate::domain::code::ProductId;
use crate::domain::money::UnitCost;
use crate::domain::order::State;
use crate::domain::order::receipt::{RejectReason, Rejection};
use crate::domain::order::tolerance::Tolerance;
use crate::domain::testing::{NO_SUCH_ORDER, TestStore, at, item, new_item, quantity};
use crate::domain::time::{TimeZone, Timestamp};

mod by_product;
mod lots;
mod unlisted;

/// A delivery of `line, accepted, rejected`.
fn receive(order: OrderId, items: &[(i32, &str, &str)]) -> Receive {
    let mut listed = Vec::new();
    for (line, accepted, rejected) in items {
        listed.push(new_item(ItemTarget::Line(order, *line), accepted, rejected));
    }
    listing(order, listed)
}

fn listing(order: OrderId, mut items: Vec<NewItem>) -> Receive {
    (0..).zip(&mut items).for_each(|(index, item)| item.index = index);
    Receive { order, etag: String::new(), items: Items::Listed(items), details: DeliveryDetails::default() }
}

fn items_of(command: &mut Receive) -> &mut Vec<NewItem> {
    match &mut command.items {
        Items::Listed(items) => items,
        Items::AllPending => panic!("they are listed"),
    }
}

fn arriving(at: Timestamp, mut command: Receive) -> Receive {
    command.details.receive_time = Some(at);
    command
}

fn receive_all(order: OrderId) -> Receive {
    Receive { items: Items::AllPending, ..receive(order, &[]) }
}

#[test]
fn what_is_accepted_is_staged_and_what_is_rejected_stays_pending() {
    for (items, oak, level) in [
        (&[(1, "4", "0")][..], "oak: 10 ordered, 4 received, 6 pending", "4 staged, 6 on order"),
        (&[(1, "10", "0")], "oak: 10 ordered, 10 received", "10 staged"),
        (&[(1, "3", "2")], "oak: 10 ordered, 3 received, 2 rejected, 7 pending", "3 staged, 7 on order"),
        // What was rejected is no part of what was ordered, so any quantity may be.
        (&[(1, "0", "12")], "oak: 10 ordered, 12 rejected, 10 pending", "10 on order"),
    ] {
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 10", "ash 5"]);
        store.accept(receive(order, items));
        assert_eq!(store.lines_of(order), [oak, "ash: 5 ordered, 5 pending"]);
        assert_eq!(store.level("oak"), level);
        assert_eq!((store.header(order).state, store.header(order).revision), (State::Receiving, 2));
        assert_eq!(store.events(), ["RECEIPT_BOOKED"]);
    }
}

#[test]
fn a_receipt_keeps_its_time_and_its_items_by_line() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10", "ash 5"]);
    let earlier = at("2026-03-01T09:00:00Z");
    store.accept(receive(order, &[(2, "1", "0"), (1, "4", "1")]));
    assert_eq!(
        store.event_details(),
        [format!(
            r#"{{"receipt":1,"receive_time":{},"items":[{{"line":1,"accepted":"4","rejected":"1"}},{{"line":2,"accepted":"1","rejected":"0"}}]}}"#,
            store.now.micros()
        )]
    );
    let reply = store.send(arriving(earlier, receive(order, &[(1, "1", "0")]))).unwrap();

    assert_eq!(store.receipt_of(order, 1).items, [item(1, "4", "1"), item(2, "1", "0")]);
    let second = store.receipt_of(order, 2).clone();
    assert_eq!((second.receive_time, second.book_time), (earlier, store.now));
    assert_eq!(second.booked_by.as_str(), "ann");
    let line = store.line_of(order, 1);
    assert_eq!((line.first_receive_time, line.last_receive_time), (Some(earlier), Some(store.now)));
    assert_eq!((&reply.orders[0].receipt, &reply.orders[0].lines), (&Some(second), &vec![line.clone()]));
}

#[test]
fn everything_that_is_pending_is_received_at_once() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10", "ash 5", "elm 1"]);
    store.receipt(order, &[(1, "4", "0"), (2, "5", "0")]);
    store.accept(receive_all(order));
    assert_eq!(store.receipt_of(order, 2).items, [item(1, "6", "0"), item(3, "1", "0")]);
    assert_eq!(store.header(order).counters.pending_lines, 0);
    assert_eq!(store.refuse(receive_all(order)), "NOTHING_PENDING");
    // The form of the request comes first, also where there is nothing to receive.
    for time in ["2026-02-27T09:00:00Z", "2026-03-02T09:06:00Z"] {
        assert_eq!(store.refuse(arriving(at(time), receive_all(order))), "INVALID_FOR_STORED_DATA");
    }
}

#[test]
fn goods_are_received_while_the_order_is_on_order_or_receiving() {
    for state in [State::Draft, State::Completed, State::Cancelled] {
        let mut store = TestStore::new();
        let order = store.order_in(state);
        assert_eq!(store.refuse(receive(order, &[(1, "1", "0")])), "WRONG_STATE", "{state}");
    }
}

#[test]
fn nothing_is_accepted_beyond_what_was_ordered_line_by_line() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10", "oak 5", "ash 2"]);
    store.receipt(order, &[(1, "4", "0")]);
    let text = store.refusal_text(receive(order, &[(3, "3", "0"), (2, "1", "0"), (1, "7", "0")]));
    assert_eq!(
        text,
        "more would be received than is allowed on lines 3, 1: \
         line 3 would have 3, 1 more than the 2 that may be received"
    );
    store.accept(receive(order, &[(3, "2", "0"), (1, "6", "0")]));
}

#[test]
fn a_delivery_may_bring_more_within_the_tolerance() {
    // The tolerance of the store, that of the line, what came before, what comes now, and what the line has
    // then or how it is refused.
    for (of_store, own, before, accepted, expected) in [
        ("10", None, "0", "11", Ok("oak: 10 ordered, 11 received, 1 excess")),
        ("10", None, "9", "2", Ok("oak: 10 ordered, 11 received, 1 excess")),
        ("10", None, "9", "3", Err("line 1 would have 12, 1 more than the 11 that may be received")),
        ("0", Some("20"), "0", "12", Ok("oak: 10 ordered, 12 received, 2 excess")),
        ("20", Some("0"), "0", "11", Err("line 1 would have 11, 1 more than the 10 that may be received")),
        ("9.9999", None, "0", "11", Err("line 1 would have 11, 1 more than the 10 that may be received")),
    ] {
        let mut store = TestStore::new();
        store.row().over_receipt_tolerance = Tolerance::parse(of_store).unwrap();
        let order = store.on_order(&["oak 10"]);
        store.change_line(order, 1, |line| line.tolerance = own.and_then(Tolerance::parse));
        if before != "0" {
            store.receipt(order, &[(1, before, "0")]);
        }
        match store.send(receive(order, &[(1, accepted, "0")])) {
            Ok(_) => assert_eq!(Ok(store.lines_of(order).concat().as_str()), expected),
            Err(refusal) => {
                let text = refusal.to_string();
                assert_eq!(Err(text.split_once(": ").unwrap().1), expected);
            }
        }
    }
}

#[test]
fn what_was_cancelled_is_no_part_of_what_is_wanted() {
    let mut store = TestStore::new();
    store.row().over_receipt_tolerance = Tolerance::parse("50").unwrap();
    let order = store.on_order(&["oak 10"]);
    store.change_line(order, 1, |line| {
        line.quantities.cancelled = quantity("6");
        line.quantities.pending = quantity("4");
    });
    assert_eq!(store.refuse(receive(order, &[(1, "7", "0")])), "OVER_RECEIPT");
    store.accept(receive(order, &[(1, "6", "0")]));
    assert_eq!(store.lines_of(order), ["oak: 10 ordered, 6 received, 6 cancelled, 2 excess"]);
}

fn cost(text: &str) -> Option<UnitCost> {
    if text.is_empty() { None } else { Some(UnitCost::parse(text).unwrap()) }
}

#[test]
fn what_is_accepted_is_worth_what_it_cost() {
    // Ordered 24 at 10 for a pack of 12, tolerance 100 %: units accepted, invoiced cost, cost of the excess,
    // what of it is excess, and what it is worth.
    for (accepted, unit_cost, excess_unit_cost, excess, value) in [
        ("24", "", "", "0", "20"),
        ("12", "", "", "0", "10"),
        ("13", "", "", "0", "10.8333"),
        ("12", "1", "", "0", "12"),
        ("36", "", "", "12", "30"),
        ("36", "", "0", "12", "20"),
        ("36", "", "0.5", "12", "26"),
        ("36", "1", "0.5", "12", "30"),
        ("25", "0.333333", "0.000001", "1", "8"),
    ] {
        let mut store = TestStore::new();
        store.row().over_receipt_tolerance = Tolerance::parse("100").unwrap();
        let order = store.on_order(&["oak 24"]);
        store.change_line(order, 1, |line| {
            line.pack_size = Some(quantity("12"));
            line.pack_cost = cost("10");
            line.unit_cost = cost("0.833333").unwrap();
        });
        let mut command = receive(order, &[(1, accepted, "0")]);
        let items = items_of(&mut command);
        items[0].costs = ItemCosts { unit_cost: cost(unit_cost), excess_unit_cost: cost(excess_unit_cost) };
        store.accept(command);
        let item = &store.receipt_of(order, 1).items[0];
        let seen = (item.excess.to_string(), item.value.to_string());
        assert_eq!(seen, (excess.to_owned(), value.to_owned()), "{accepted} at {unit_cost:?}, {excess_unit_cost:?}");
        assert_eq!(store.header(order).counters.received_cost.to_string(), value);
    }
}

#[test]
fn packs_are_received_as_units() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 36", "ash 5"]);
    store.change_line(order, 1, |line| line.pack_size = Some(quantity("12")));
    let mut command = receive(order, &[(1, "0", "0"), (2, "0", "0")]);
    let items = items_of(&mut command);
    items[0].accepted = StatedQuantity { units: None, packs: Some(quantity("2")) };
    items[0].rejected = StatedQuantity { units: Some(quantity("1")), packs: Some(quantity("1")) };
    items[1].accepted = StatedQuantity { units: None, packs: Some(quantity("1")) };
    assert_eq!(
        store.refusal_text(command.clone()),
        "items[0].rejected_packs is 1, and 1 packs of 12 are 12, but 1 is given in units; \
         items[1].accepted_packs is given, but the line has no pack_size"
    );
    let items = items_of(&mut command);
    items[0].rejected = StatedQuantity { units: Some(quantity("12")), packs: Some(quantity("1")) };
    items[0].rejection = Some(Rejection { reason: RejectReason::Expired, note: None });
    items.pop();
    store.accept(command);
    assert_eq!(store.lines_of(order)[0], "oak: 36 ordered, 24 received, 12 rejected, 12 pending");
}

#[test]
fn a_cost_of_the_excess_needs_an_excess() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10"]);
    let mut command = receive(order, &[(1, "10", "0")]);
    let items = items_of(&mut command);
    items[0].costs.excess_unit_cost = cost("0");
    let text = "items[0].excess_unit_cost is given, but nothing goes beyond what is pending";
    assert_eq!(store.refusal_text(command), text);
}

#[test]
fn what_was_received_of_an_order_has_a_limit_of_value() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 200"]);
    let mut command = receive(order, &[(1, "100", "0")]);
    let items = items_of(&mut command);
    items[0].costs.unit_cost = Some(UnitCost::MAX);
    store.accept(command);
    assert_eq!(
        store.refusal_text(receive(order, &[(1, "1", "0")])),
        "what was received of purchase order PO-000001 would be worth more than 100000000000"
    );
}

#[test]
fn a_delivery_note_that_was_booked_is_told_or_refused() {
    let mut store = TestStore::new();
    let (order, other) = (store.on_order(&["oak 10"]), store.on_order(&["ash 10"]));
    let noted = |order: OrderId| {
        let mut command = receive(order, &[(1, "1", "0")]);
        command.details.delivery_note = Some("LS-7".to_owned());
        command
    };
    let known = |reply: crate::domain::command::Reply| match reply.outcome {
        Outcome::ReceiptBooked(booked) => booked.same_delivery_note.map(|known| (known.number, known.receipt)),
        outcome => panic!("{outcome:?}"),
    };
    assert_eq!(known(store.send(noted(order)).unwrap()), None);
    assert_eq!(known(store.send(noted(other)).unwrap()), Some(("PO-000001".to_owned(), 1)));
    let mut refused = noted(other);
    refused.details.refuse_known_delivery_note = true;
    let text = store.refusal_text(refused.clone());
    assert!(text.starts_with("delivery note 'LS-7' of this supplier was booked before, as receipt 1"), "{text}");
    // Another supplier numbers its notes for itself.
    store.change_order(other, |order| order.supplier = "other".to_owned());
    store.accept(refused);
}

#[test]
fn the_items_of_an_orders_receipts_are_limited() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10", "ash 5"]);
    let items = receive(order, &[(1, "1", "0"), (2, "1", "0")]);
    let mut header = store.header(order).clone();
    header.counters.receipt_items = 19_998;
    assert_eq!(check_item_count(&header, 2), Ok(()));
    let refusal = check_item_count(&header, 3).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "the receipts of purchase order PO-000001 would have 20001 items and lots; at most 20,000 are allowed, \
         voided ones included"
    );
    store.accept(items);
}

#[test]
fn refusals_come_in_their_order() {
    let mut store = TestStore::new();
    let order = store.draft(&["oak 10", "flour 2.5 kg"]);
    let mut command = receive(NO_SUCH_ORDER, &[(2, "2.5", "0"), (1, "10.5", "0"), (7, "1", "0")]);
    command.etag = "9".to_owned();
    command.details.receive_time = Some(at("2026-03-02T09:06:00Z"));
    store.call_with(&[Permission::Edit]);
    assert_eq!(store.refuse(command.clone()), "PERMISSION_MISSING");
    store.call_with(&[Permission::Receive]);
    assert_eq!(store.refuse(command.clone()), "PURCHASE_ORDER_NOT_FOUND");
    command.order = order;
    for item in items_of(&mut command) {
        let ItemTarget::Line(of_order, _) = &mut item.target else { panic!("it names a line") };
        *of_order = order;
    }
    assert_eq!(store.refuse(command.clone()), "ETAG_MISMATCH");
    command.etag = "1".to_owned();
    assert_eq!(store.refuse(command.clone()), "WRONG_STATE");
    store.change_order(order, |order| order.state = State::OnOrder);
    assert_eq!(store.refusal_text(command.clone()), "purchase order PO-000001 has no line 7");
    let items = items_of(&mut command);
    items.pop();
    assert_eq!(
        store.refusal_text(command.clone()),
        "items[1].accepted is 10.5, but oak is counted in whole units; \
         receive_time is 2026-03-02T09:06:00Z, more than 5 minutes ahead of 2026-03-02T09:00:00Z"
    );
    let items = items_of(&mut command);
    items[1] = NewItem { index: 1, ..new_item(ItemTarget::Line(order, 1), "11", "999999999") };
    command.details.receive_time = Some(at("2026-03-02T09:05:00Z"));
    assert_eq!(store.refuse(command.clone()), "OVER_RECEIPT");
    store.change_line(order, 1, |line| line.quantities.rejected = quantity("1"));
    assert_eq!(
        store.refusal_text(command.clone()),
        "items[1].rejected would bring what was rejected on line 1 above 999999999.9999"
    );
    let items = items_of(&mut command);
    items[1] = NewItem { index: 1, ..new_item(ItemTarget::Line(order, 1), "10", "1") };
    store.accept(command);
    assert_eq!(store.receipt_of(order, 1).receive_time, store.now);
}

#[test]
fn goods_arrive_from_the_local_day_of_the_order_to_a_few_minutes_ahead() {
    let (amsterdam, utc) = (TimeZone::parse("Europe/Amsterdam").unwrap(), TimeZone::parse("UTC").unwrap());
    let ordered = at("2026-03-02T23:30:00.5Z");
    for (zone, now, told, taken) in [
        // In Amsterdam the order was made on the third, half an hour after midnight.
        (&amsterdam, "2026-03-03T09:00:00Z", "2026-03-02T22:59:59.999999Z", None),
        (&amsterdam, "2026-03-03T09:00:00Z", "2026-03-02T23:00:00Z", Some("2026-03-02T23:00:00Z")),
        (&utc, "2026-03-03T09:00:00Z", "2026-03-01T23:59:59.999999Z", None),
        (&utc, "2026-03-03T09:00:00Z", "2026-03-02T00:00:00Z", Some("2026-03-02T00:00:00Z")),
        (&utc, "2026-03-02T23:30:00.5Z", "2026-03-02T23:30:00Z", Some("2026-03-02T23:30:00Z")),
        (&utc, "2026-03-02T23:30:00.5Z", "2026-03-02T23:35:00.5Z", Some("2026-03-02T23:30:00.5Z")),
        (&utc, "2026-03-02T23:30:00.5Z", "2026-03-02T23:35:00.500001Z", None),
    ] {
        let mut violations = Violations::default();
        let time = receive_time(Some(at(told)), at(now), Some(ordered), zone, &mut violations);
        assert_eq!(taken.map(at), (violations.total == 0).then_some(time), "{told} at {now} in {zone:?}");
    }
}

#[test]
fn as_much_is_rejected_of_a_line_as_a_quantity_holds() {
    let mut store = TestStore::new();
    let order = store.on_order(&["flour 2.5 kg"]);
    store.accept(receive(order, &[(1, "0", "999999999.9998")]));
    assert_eq!(store.refuse(receive(order, &[(1, "0", "0.0002")])), "INVALID_FOR_STORED_DATA");
    store.accept(receive(order, &[(1, "0", "0.0001")]));
    assert_eq!(store.line_of(order, 1).quantities.rejected, Quantity::MAX);
}

/// Of one order, the items `product accepted rejected`.
fn products(order: OrderId, items: &[(&str, &str, &str)]) -> Receive {
    let mut listed = Vec::new();
    for (product, accepted, rejected) in items {
        let selector = ProductSelector::Product(ProductId::new(*product));
        listed.push(new_item(ItemTarget::Product(Some(order), selector), accepted, rejected));
    }
    listing(order, listed)
}

fn accepted_by_line(store: &TestStore, order: OrderId) -> Vec<(i32, String, String)> {
    let items = store.receipt_of(order, 1).items.iter();
    items.map(|item| (item.line, item.accepted.to_string(), item.rejected.to_string())).collect()
}

fn told(items: &[(i32, &str, &str)]) -> Vec<(i32, String, String)> {
    items.iter().map(|(line, accepted, rejected)| (*line, (*accepted).to_owned(), (*rejected).to_owned())).collect()
}

#[test]
fn goods_that_are_all_rejected_are_of_no_line_too_much() {
    let mut store = TestStore::new();
    store.row().over_receipt_tolerance = Tolerance::parse("50").unwrap();
    let order = store.on_order(&["oak 10"]);
    store.accept(receive(order, &[(1, "15", "0")]));
    // More was received now than may be.
    store.row().over_receipt_tolerance = Tolerance::default();
    assert_eq!(store.refuse(receive(order, &[(1, "1", "0")])), "OVER_RECEIPT");
    store.accept(receive(order, &[(1, "0", "3")]));
    assert_eq!(store.lines_of(order), ["oak: 10 ordered, 15 received, 3 rejected, 5 excess"]);
}

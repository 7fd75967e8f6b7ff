//! Tests of deliveries in lots: how they are divided over lines, and what a line needs.

use super::*;
use crate::domain::inventory::lot::{Lot, LotQuantity};
use crate::domain::order::receipt::MAX_ITEMS_SIZE;
use crate::domain::testing::date;

fn lot(code: &str, expiry_date: &str, amount: &str) -> LotQuantity {
    let expiry_date = if expiry_date.is_empty() { None } else { Some(date(expiry_date)) };
    LotQuantity { lot: Lot { code: code.to_owned(), expiry_date }, quantity: quantity(amount) }
}

/// An item of `oak`, wherever it goes, in lots of `code amount`.
fn in_lots(target: ItemTarget, accepted: &str, lots: &[&str]) -> NewItem {
    let lots = lots.iter().map(|text| {
        let (code, amount) = text.split_once(' ').unwrap();
        lot(code, "", amount)
    });
    NewItem { lots: lots.collect(), ..new_item(target, accepted, "0") }
}

fn of_oak(order: OrderId) -> ItemTarget {
    ItemTarget::Product(Some(order), ProductSelector::Product(ProductId::new("oak")))
}

/// The lots of each item of the first receipt.
fn booked(store: &TestStore, order: OrderId) -> Vec<String> {
    let mut booked = Vec::new();
    for item in &store.receipt_of(order, 1).items {
        let lots = item.lots.iter().map(|lot| format!("{} {}", lot.lot.code, lot.quantity));
        booked.push(format!("{}: {}", item.line, lots.collect::<Vec<_>>().join(", ")));
    }
    booked
}

#[test]
fn lots_go_with_their_quantity_in_the_order_given() {
    // Ordered: 10 oak, 6 oak; the tolerance is 50 %.
    for (items, expected) in [
        (&[("4", &["a 1", "b 3"][..])][..], &["1: a 1, b 3"][..]),
        (&[("16", &["a 8", "b 8"])], &["1: a 8, b 2", "2: b 6"]),
        (&[("16", &["a 16"])], &["1: a 10", "2: a 6"]),
        // What goes beyond what is pending is of the last lots.
        (&[("18", &["a 10", "b 6", "c 2"])], &["1: a 10, c 2", "2: b 6"]),
        (&[("23", &["a 12", "b 11"])], &["1: a 10, b 5", "2: a 2, b 6"]),
        // Items that meet on a line have each lot once.
        (&[("3", &["a 3"]), ("4", &["b 1", "a 3"])], &["1: a 6, b 1"]),
    ] {
        let mut store = TestStore::new();
        store.row().over_receipt_tolerance = Tolerance::parse("50").unwrap();
        let order = store.on_order(&["oak 10", "oak 6"]);
        let mut listed = Vec::new();
        for (index, (accepted, lots)) in items.iter().enumerate() {
            let target = if index == 0 { of_oak(order) } else { ItemTarget::Line(order, 1) };
            listed.push(in_lots(target, accepted, lots));
        }
        // The item that names a line is booked first.
        listed.reverse();
        let mut booked_lots = expected.to_vec();
        store.accept(listing(order, listed));
        if items.len() > 1 {
            booked_lots = vec!["1: b 1, a 6"];
        }
        assert_eq!(booked(&store, order), booked_lots, "{items:?}");
    }
}

#[test]
fn a_line_that_needs_lots_takes_nothing_without_them() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10", "ash 5", "elm 3"]);
    for line in [1, 3] {
        store.change_line(order, line, |line| line.lot_required = true);
    }
    assert_eq!(
        store.refusal_text(receive(order, &[(2, "1", "0"), (3, "1", "0"), (1, "1", "0")])),
        "items[2].lots is required: line 1 is received in lots; items[1].lots is required: line 3 is received in lots"
    );
    assert_eq!(
        store.refusal_text(receive_all(order)),
        "all_pending has no lots, in which these lines are received: 1, 3; list the items"
    );
    store.accept(listing(order, vec![in_lots(ItemTarget::Line(order, 1), "4", &["a 4"])]));
    // What is rejected is in no lot, and a line that needs none may have them.
    store.accept(receive(order, &[(1, "0", "2")]));
    store.accept(listing(order, vec![in_lots(ItemTarget::Line(order, 2), "1", &["a 1"])]));
    assert_eq!(store.header(order).counters.receipt_items, 5, "3 items and 2 lots");
    // Where nothing of such lines is pending, everything can be received at once.
    let items =
        [(1, "6"), (3, "3")].map(|(line, all)| in_lots(ItemTarget::Line(order, line), all, &[&format!("b {all}")]));
    store.accept(listing(order, items.to_vec()));
    store.accept(receive_all(order));
}

#[test]
fn lots_add_up_to_what_is_accepted_in_quantities_of_the_unit() {
    for (accepted, lots, text) in [
        ("4", &["a 3"][..], "items[0].lots adds up to 3, but 4 are accepted"),
        ("4", &["a 3", "b 2"], "items[0].lots adds up to 5, but 4 are accepted"),
        ("0", &["a 1"], "items[0].lots adds up to 1, but 0 are accepted"),
        (
            "4",
            &["a 2.5", "b 1.5"],
            "items[0].lots has 2.5 of lot a without an expiry date, but oak is counted in whole units",
        ),
    ] {
        for by_product in [false, true] {
            let mut store = TestStore::new();
            let order = store.on_order(&["oak 10"]);
            let target = if by_product { of_oak(order) } else { ItemTarget::Line(order, 1) };
            assert_eq!(store.refusal_text(listing(order, vec![in_lots(target, accepted, lots)])), text);
        }
    }
}

#[test]
fn items_that_meet_on_a_line_all_have_lots_or_none() {
    for (first, second, first_names) in [(&["a 3"][..], &[][..], "3"), (&[], &["a 2"], "2")] {
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 10"]);
        let items = vec![in_lots(ItemTarget::Line(order, 1), "3", first), in_lots(of_oak(order), "2", second)];
        assert_eq!(
            store.refusal_text(listing(order, items)),
            format!(
                "items[0].lots has {first_names} of the 5 that are accepted on line 1: give lots with all items of the \
                 line, or with none"
            )
        );
    }
}

#[test]
fn goods_that_had_expired_when_they_arrived_are_not_accepted() {
    // It is 10 in the morning of 2 March in Amsterdam.
    for (expiry_date, arrival, accepted) in [
        ("2026-03-02", "2026-03-02T09:00:00Z", true),
        ("2026-03-01", "2026-03-02T09:00:00Z", false),
        ("2026-03-01", "2026-03-01T22:59:59Z", true),
        ("2026-03-01", "2026-03-01T23:00:00Z", false),
    ] {
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 10"]);
        let item = NewItem { lots: vec![lot("a", expiry_date, "4")], ..new_item(ItemTarget::Line(order, 1), "4", "0") };
        let command = arriving(at(arrival), listing(order, vec![item]));
        if accepted {
            store.accept(command);
        } else {
            assert_eq!(
                store.refusal_text(command),
                "items[0].lots has lot a that expires on 2026-03-01, before 2026-03-02, the day on which it arrived"
            );
        }
    }
}

#[test]
fn what_the_items_say_is_bounded_after_it_was_divided_over_lines() {
    let mut store = TestStore::new();
    let order = store.on_order(&vec!["oak 1"; 2_501]);
    let lots = |count: usize| -> Vec<LotQuantity> { (0..count).map(|n| lot(&n.to_string(), "", "0.5")).collect() };
    for line in 1..=2_501 {
        store.change_line(order, line, |line| line.unit = crate::domain::unit::Unit::Kilogram);
    }
    let of = |lines: usize| NewItem { lots: lots(lines * 2), ..new_item(of_oak(order), &lines.to_string(), "0") };
    let refused = store.refusal_text(listing(order, vec![of(2_501)]));
    assert!(refused.contains("would have 500200 bytes; at most 500,000 are allowed"), "{refused}");
    assert_eq!(MAX_ITEMS_SIZE, 500_000);
    store.accept(listing(order, vec![of(2_500)]));
}

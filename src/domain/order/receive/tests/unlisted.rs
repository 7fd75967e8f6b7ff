//! Tests of items that the order does not name.

use super::super::items::UnlistedProduct;
use super::*;
use crate::domain::unit::Unit;

fn unlisted(order: OrderId, name: &str, accepted: &str, rejected: &str) -> NewItem {
    let unlisted = UnlistedProduct {
        product: ProductId::new(name),
        description: name.to_owned(),
        gtin: None,
        unit: Unit::Each,
        pack_size: None,
    };
    new_item(ItemTarget::Unlisted(order, unlisted), accepted, rejected)
}

fn allowing_unlisted_items() -> TestStore {
    let mut store = TestStore::new();
    store.row().allow_unlisted_items = true;
    store
}

#[test]
fn what_the_order_does_not_name_gets_a_line_of_its_own() {
    let mut store = allowing_unlisted_items();
    let order = store.on_order(&["oak 10", "ash 5"]);
    let items = vec![unlisted(order, "elm", "3", "1"), unlisted(order, "fir", "0", "2")];
    store.accept(listing(order, items));
    assert_eq!(
        store.lines_of(order),
        [
            "oak: 10 ordered, 10 pending",
            "ash: 5 ordered, 5 pending",
            "elm: 3 received, 1 rejected, 3 excess",
            "fir: 2 rejected"
        ]
    );
    assert_eq!(store.level("elm"), "3 staged");
    let counters = store.header(order).counters;
    assert_eq!((counters.lines, counters.last_line, counters.pending_lines), (4, 4, 2));
    let line = store.line_of(order, 3);
    assert_eq!((line.first_ordered, line.carried_over), (Quantity::ZERO, false));
    assert!(store.event_details()[0].contains(r#""lines_added":[3,4]"#), "{:?}", store.event_details());
    // Again on the same line, without any bound.
    store.accept(listing(order, vec![unlisted(order, "elm", "30", "0")]));
    assert_eq!(store.lines_of(order)[2], "elm: 33 received, 1 rejected, 33 excess");
    store.accept(receive(order, &[(3, "1", "0")]));
    store.accept(products(order, &[("elm", "1", "0")]));
    assert_eq!(store.lines_of(order)[2], "elm: 35 received, 1 rejected, 35 excess");
}

#[test]
fn an_unlisted_item_counts_in_its_own_packs() {
    let mut store = allowing_unlisted_items();
    let order = store.on_order(&["oak 10"]);
    let packs = |count: &str, size: Option<&str>| {
        let mut item = unlisted(order, "elm", "0", "0");
        item.accepted = StatedQuantity { units: None, packs: Some(quantity(count)) };
        let ItemTarget::Unlisted(_, unlisted) = &mut item.target else { panic!("it is unlisted") };
        unlisted.pack_size = size.map(quantity);
        listing(order, vec![item])
    };
    store.accept(packs("1", Some("12")));
    store.accept(packs("2", Some("6")));
    assert_eq!(store.line_of(order, 2).quantities.received, quantity("24"));
    // Without a size those of its line count.
    store.accept(packs("1", None));
    assert_eq!(store.line_of(order, 2).quantities.received, quantity("36"));
}

#[test]
fn an_unlisted_item_costs_what_it_says_or_what_the_product_costs_on_average() {
    for (named, average, expected) in [("2.5", "4", "2.5"), ("0", "4", "0"), ("", "4", "4"), ("", "", "0")] {
        let mut store = allowing_unlisted_items();
        let order = store.on_order(&["oak 10"]);
        if !average.is_empty() {
            store.on_order(&["elm 1"]);
            store.change_level("elm", |level| level.average_cost = cost(average).unwrap());
        }
        let mut item = unlisted(order, "elm", "2", "0");
        item.costs.unit_cost = cost(named);
        store.accept(listing(order, vec![item]));
        assert_eq!(store.line_of(order, 2).unit_cost.to_string(), expected, "{named:?} {average:?}");
    }
}

#[test]
fn an_unlisted_product_must_be_unlisted_and_counted_as_the_store_does() {
    let mut store = allowing_unlisted_items();
    let order = store.on_order(&["oak 10", "flour 2.5 kg"]);
    store.on_order(&["salt 1 kg"]);
    let items =
        vec![unlisted(order, "oak", "1", "0"), unlisted(order, "salt", "1", "0"), unlisted(order, "elm", "1.5", "0")];
    assert_eq!(
        store.refusal_text(listing(order, items)),
        "items[0].unlisted.product_id is oak, which line 1 orders: name the line or the product; \
         items[1].unlisted.unit is EACH, but this store counts salt in KILOGRAM; \
         items[2].accepted is 1.5, but elm is counted in whole units"
    );
}

#[test]
fn unlisted_items_and_what_was_cancelled_need_the_stores_setting() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10"]);
    store.change_line(order, 1, |line| {
        line.quantities.cancelled = quantity("4");
        line.quantities.balance();
    });
    let elm = || listing(order, vec![unlisted(order, "elm", "1", "0")]);
    assert_eq!(store.refuse(elm()), "UNLISTED_ITEMS_NOT_ALLOWED");
    assert_eq!(store.refuse(receive(order, &[(1, "7", "0")])), "OVER_RECEIPT");
    store.row().allow_unlisted_items = true;
    store.accept(elm());
    assert_eq!(store.refuse(receive(order, &[(1, "11", "0")])), "OVER_RECEIPT");
    store.accept(receive(order, &[(1, "10", "0")]));
    assert_eq!(store.lines_of(order)[0], "oak: 10 ordered, 10 received, 4 cancelled, 4 excess");
    // Nothing more of the added line, once the setting is off again.
    store.row().allow_unlisted_items = false;
    assert_eq!(store.refuse(receive(order, &[(2, "1", "0")])), "OVER_RECEIPT");
}

#[test]
fn an_order_has_no_more_lines_than_it_may_have() {
    let mut store = allowing_unlisted_items();
    let lines = vec!["oak 1"; 4_999];
    let order = store.on_order(&lines);
    store.accept(listing(order, vec![unlisted(order, "elm", "1", "0")]));
    let refusal = store.send(listing(order, vec![unlisted(order, "fir", "1", "0")])).unwrap_err();
    assert_eq!(refusal.reason(), "TOO_MANY_LINES");
    assert_eq!(refusal.to_string(), "purchase order PO-000001 would have 5001 lines; at most 5,000 are allowed");
}

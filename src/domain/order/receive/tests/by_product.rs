//! Tests of items that name a product or a bar code: on which lines they are booked.

use super::*;
use crate::domain::gtin::Gtin;

#[test]
fn a_product_is_spread_over_its_lines_pending_first_and_then_within_the_tolerance() {
    // Ordered: 10 oak, 5 ash, 6 oak; the store's tolerance is 50 %, that of the last line 0.
    for (items, expected) in [
        (&[("oak", "4", "0")][..], Ok(&[(1, "4", "0")][..])),
        (&[("oak", "12", "0")], Ok(&[(1, "10", "0"), (3, "2", "0")])),
        (&[("oak", "18", "0")], Ok(&[(1, "12", "0"), (3, "6", "0")])),
        (&[("oak", "21", "3")], Ok(&[(1, "15", "3"), (3, "6", "0")])),
        (&[("oak", "0", "3")], Ok(&[(1, "0", "3")])),
        // 7.5 may be received of ash, which is counted in whole units.
        (&[("ash", "7", "0"), ("oak", "1", "0")], Ok(&[(1, "1", "0"), (2, "7", "0")])),
        (&[("ash", "8", "0")], Err("items[0] would bring 1 more of ash than may be received")),
        (&[("oak", "1", "0"), ("ash", "9", "0")], Err("items[1] would bring 2 more of ash than may be received")),
    ] {
        let mut store = TestStore::new();
        store.row().over_receipt_tolerance = Tolerance::parse("50").unwrap();
        let order = store.on_order(&["oak 10", "ash 5", "oak 6"]);
        store.change_line(order, 3, |line| line.tolerance = Tolerance::parse("0"));
        match store.send(products(order, items)) {
            Ok(_) => assert_eq!(Ok(accepted_by_line(&store, order)), expected.map(told), "{items:?}"),
            Err(refusal) => {
                assert_eq!(refusal.reason(), "OVER_RECEIPT");
                assert_eq!(Err(refusal.to_string().split_once(": ").unwrap().1), expected, "{items:?}");
            }
        }
    }
}

#[test]
fn items_that_name_a_line_come_before_those_that_name_a_product() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10", "oak 6"]);
    let by_product = products(order, &[("oak", "7", "0")]);
    let by_line = receive(order, &[(1, "8", "1")]);
    let items = [by_product, by_line].map(|mut command| items_of(&mut command).remove(0));
    store.accept(listing(order, items.to_vec()));
    assert_eq!(accepted_by_line(&store, order), told(&[(1, "10", "1"), (2, "5", "0")]));
}

#[test]
fn items_that_meet_on_a_line_agree_on_its_cost_and_on_why_it_is_rejected() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10"]);
    let items = || {
        let mut items = items_of(&mut receive(order, &[(1, "3", "1")])).clone();
        items.extend(items_of(&mut products(order, &[("oak", "2", "1")])).clone());
        items
    };
    let mut other_cost = items();
    other_cost[1].costs.unit_cost = cost("2");
    let mut other_reason = items();
    other_reason[1].rejection = Some(Rejection { reason: RejectReason::Quality, note: None });
    for items in [other_cost, other_reason] {
        assert_eq!(
            store.refusal_text(listing(order, items)),
            "items[1] is booked on line 1 together with items[0], which has another cost or reject reason: \
             name the lines of both"
        );
    }
    store.accept(listing(order, items()));
    assert_eq!(accepted_by_line(&store, order), told(&[(1, "5", "2")]));
}

#[test]
fn a_product_is_found_by_the_number_under_its_bar_code() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10", "ash 5"]);
    store.change_line(order, 2, |line| line.gtin = Some("0036000291452".to_owned()));
    let by_gtin = |gtin: &str| {
        let target = ItemTarget::Product(Some(order), ProductSelector::Gtin(Gtin::of(gtin)));
        listing(order, vec![new_item(target, "5", "0")])
    };
    assert_eq!(store.refusal_text(by_gtin("4006381333931")), "no line that can be received is of GTIN 4006381333931");
    store.accept(by_gtin("036000291452"));
    assert_eq!(accepted_by_line(&store, order), told(&[(2, "5", "0")]));
}

#[test]
fn a_bar_code_of_several_products_does_not_say_which_of_them_came() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10", "flour 2.5 kg", "oak 3"]);
    for line in 1..=3 {
        store.change_line(order, line, |line| line.gtin = Some("0036000291452".to_owned()));
    }
    let scan = |accepted: &str| {
        let target = ItemTarget::Product(Some(order), ProductSelector::Gtin(Gtin::of("036000291452")));
        listing(order, vec![new_item(target, accepted, "0")])
    };
    let by_gtin = scan("11");
    assert_eq!(
        store.refusal_text(by_gtin.clone()),
        "items[0].gtin is on lines of flour and of oak: name the product or the line"
    );
    // It is the one that is pending, or else the one that may come beyond it.
    store.change_line(order, 2, |line| {
        line.quantities.received = line.quantities.pending;
        line.quantities.balance();
        line.tolerance = Some(Tolerance::parse("100").unwrap());
    });
    store.accept(by_gtin);
    assert_eq!(accepted_by_line(&store, order), told(&[(1, "10", "0"), (3, "1", "0")]));
    store.accept(scan("2"));
    store.accept(scan("2.5"));
    assert_eq!(store.line_of(order, 2).quantities.received, quantity("5"));
    assert_eq!(store.refuse(scan("1")), "OVER_RECEIPT");
}

#[test]
fn what_is_wholly_rejected_is_of_the_first_line_that_is_pending() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10", "oak 5"]);
    store.accept(receive(order, &[(1, "10", "0")]));
    store.accept(products(order, &[("oak", "0", "2")]));
    assert_eq!(store.lines_of(order), ["oak: 10 ordered, 10 received", "oak: 5 ordered, 2 rejected, 5 pending"]);
    store.accept(receive(order, &[(2, "5", "0")]));
    store.accept(products(order, &[("oak", "0", "1")]));
    assert_eq!(store.lines_of(order)[0], "oak: 10 ordered, 10 received, 1 rejected");
}

#[test]
fn goods_that_find_no_line_or_no_room_are_refused_after_the_form() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10", "ash 5"]);
    for (items, refused) in [
        (vec![("elm", "1", "0"), ("oak", "1.5", "0")], "PRODUCT_NOT_RECEIVABLE"),
        (vec![("oak", "11", "0"), ("ash", "1.5", "0")], "OVER_RECEIPT"),
    ] {
        let malformed = products(order, &items);
        assert!(store.refusal_text(malformed).ends_with("is counted in whole units"), "{refused}");
        let whole: Vec<_> =
            items.iter().map(|(product, accepted, _)| (*product, accepted.trim_end_matches(".5"), "0")).collect();
        assert_eq!(store.refuse(products(order, &whole)), refused);
    }
    // All that is beyond what is pending has no room here, so it is too much and not a cost without an excess.
    let mut command = products(order, &[("oak", "11", "0")]);
    items_of(&mut command)[0].costs.excess_unit_cost = cost("0");
    assert_eq!(store.refuse(command), "OVER_RECEIPT");
}

#[test]
fn a_product_that_no_line_is_of_is_refused_with_all_others() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10"]);
    let refusal = store.send(products(order, &[("elm", "1", "0"), ("oak", "1", "0"), ("fir", "1", "0")])).unwrap_err();
    assert_eq!(
        (refusal.reason(), refusal.to_string().as_str()),
        ("PRODUCT_NOT_RECEIVABLE", "no line that can be received is of product elm, product fir")
    );
}

#[test]
fn packs_of_a_product_mean_something_only_where_its_lines_agree_on_them() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 24", "oak 12"]);
    store.change_line(order, 1, |line| line.pack_size = Some(quantity("12")));
    let mut command = products(order, &[("oak", "0", "0")]);
    items_of(&mut command)[0].accepted = StatedQuantity { units: None, packs: Some(quantity("3")) };
    assert_eq!(
        store.refusal_text(command.clone()),
        "items[0].accepted_packs is given, but the lines of the product have packs of different sizes: give units"
    );
    store.change_line(order, 2, |line| line.pack_size = Some(quantity("12")));
    store.accept(command);
    assert_eq!(accepted_by_line(&store, order), told(&[(1, "24", "0"), (2, "12", "0")]));
}

#[test]
fn the_cost_of_the_excess_counts_on_the_lines_that_have_one() {
    let mut store = TestStore::new();
    store.row().over_receipt_tolerance = Tolerance::parse("100").unwrap();
    let order = store.on_order(&["oak 2", "oak 2"]);
    let mut command = products(order, &[("oak", "5", "0")]);
    items_of(&mut command)[0].costs.excess_unit_cost = cost("0");
    store.accept(command);
    let [first, second] = store.receipt_of(order, 1).items.as_slice() else { panic!("two items") };
    assert_eq!((first.excess.to_string(), first.costs.excess_unit_cost), ("1".to_owned(), cost("0")));
    assert_eq!((second.excess.to_string(), second.costs.excess_unit_cost), ("0".to_owned(), None));
    assert_eq!(store.header(order).counters.received_cost.to_string(), "4");
}

#[test]
fn the_excess_of_an_item_may_be_on_a_line_that_another_began() {
    let mut store = TestStore::new();
    store.row().over_receipt_tolerance = Tolerance::parse("100").unwrap();
    let order = store.on_order(&["oak 2", "oak 2"]);
    let mut items = items_of(&mut receive(order, &[(1, "3", "0")])).clone();
    items.extend(items_of(&mut products(order, &[("oak", "3", "0")])).clone());
    items.iter_mut().for_each(|item| item.costs.excess_unit_cost = cost("0"));
    store.accept(listing(order, items));
    assert_eq!(accepted_by_line(&store, order), told(&[(1, "4", "0"), (2, "2", "0")]));
}

#[test]
fn more_lines_than_there_are_items_for_are_left_alone() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 2", "oak 2", "oak 2"]);
    store.accept(products(order, &[("oak", "3", "0")]));
    assert_eq!(store.lines_of(order)[2], "oak: 2 ordered, 2 pending");
    assert_eq!(store.receipt_of(order, 1).items.len(), 2);
}

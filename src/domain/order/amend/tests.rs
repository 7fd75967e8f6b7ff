//! Tables of what an amendment changes of an order, and of what it is refused for.

use super::*;
use crate::domain::access::Permission;
use crate::domain::money::Amount;
use crate::domain::order::State;
use crate::domain::order::update::tests::{new_line, nothing as no_update};
use crate::domain::testing::{NO_SUCH_ORDER, TestStore, date, quantity};
use crate::domain::unit::Unit;

fn nothing(order: OrderId) -> AmendOrder {
    AmendOrder {
        order,
        etag: String::new(),
        expected_date: None,
        charges: None,
        lines: Vec::new(),
        new_lines: Vec::new(),
    }
}

fn amend(order: OrderId, lines: Vec<LineAmendment>) -> AmendOrder {
    AmendOrder { lines, ..nothing(order) }
}

/// Sets how much is ordered of a line.
fn ordering(line: i32, text: &str) -> LineAmendment {
    LineAmendment { line, quantity: StatedQuantity::units(quantity(text)), ..LineAmendment::default() }
}

fn removing(line: i32) -> LineAmendment {
    LineAmendment { line, is_removed: true, ..LineAmendment::default() }
}

fn costing(line: i32, unit_cost: &str) -> LineAmendment {
    LineAmendment { line, unit_cost: UnitCost::parse(unit_cost), ..LineAmendment::default() }
}

fn expecting(line: i32, text: &str) -> LineAmendment {
    let expected_date = Some((!text.is_empty()).then(|| date(text)));
    LineAmendment { line, expected_date, ..LineAmendment::default() }
}

/// A placed order of 10 oak and 5 ash. Of the oak 4 were received and 2 cancelled.
fn placed(store: &mut TestStore) -> OrderId {
    let order = store.on_order(&["oak 10", "ash 5"]);
    store.receipt(order, &[(1, "4", "0")]);
    store.change_line(order, 1, |line| {
        line.quantities.cancelled = quantity("2");
        line.quantities.balance();
    });
    order
}

#[test]
fn what_is_ordered_of_a_placed_line_goes_down_to_what_was_received_and_cancelled() {
    let text =
        |ordered: &str| format!("lines[0].quantity is {ordered} in units, but 6 of line 1 are received or cancelled");
    for (ordered, oak) in [
        ("12", Ok("oak: 12 ordered, 4 received, 2 cancelled, 6 pending")),
        ("7", Ok("oak: 7 ordered, 4 received, 2 cancelled, 1 pending")),
        ("6", Ok("oak: 6 ordered, 4 received, 2 cancelled")),
        ("5", Err(text("5"))),
        ("0", Err(text("0"))),
        ("6.5", Err("lines[0].quantity is 6.5 in units, but oak is counted in whole units".to_owned())),
    ] {
        let mut store = TestStore::new();
        let order = placed(&mut store);
        let amended = amend(order, vec![ordering(1, ordered)]);
        match oak {
            Ok(oak) => {
                store.accept(amended);
                assert_eq!(store.lines_of(order), [oak, "ash: 5 ordered, 5 pending"], "{ordered}");
                assert_eq!(store.line_of(order, 1).first_ordered, quantity("10"));
                assert_eq!((store.events(), store.header(order).state), (vec!["ORDER_AMENDED"], State::Receiving));
                assert!(store.header(order).terms_changed, "a back order like this is not folded back");
            }
            Err(text) => assert_eq!(store.refusal_text(amended), text),
        }
    }
}

#[test]
fn an_excess_becomes_what_was_ordered() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10"]);
    store.receipt(order, &[(1, "12", "0")]);
    for (ordered, oak) in
        [("11", "oak: 11 ordered, 12 received, 1 excess"), ("13", "oak: 13 ordered, 12 received, 1 pending")]
    {
        store.accept(amend(order, vec![ordering(1, ordered)]));
        assert_eq!(store.lines_of(order), [oak]);
    }
}

#[test]
fn a_removed_line_of_a_placed_order_stays_with_nothing_pending() {
    let mut store = TestStore::new();
    let order = placed(&mut store);
    store.accept(amend(order, vec![removing(1), removing(2)]));
    assert_eq!(store.lines_of(order), ["oak: 6 ordered, 4 received, 2 cancelled", "ash: "]);
    assert_eq!((store.level("oak").as_str(), store.level("ash").as_str()), ("4 staged", ""));
    assert_eq!(store.accept(amend(order, vec![removing(1)])), 0, "it is as it should be");
}

#[test]
fn a_draft_changes_line_by_line_and_gives_no_number_again() {
    let mut store = TestStore::new();
    let order = store.draft(&["oak 10", "ash 5", "elm 1"]);
    let reply = store.send(amend(order, vec![ordering(2, "0"), removing(3)])).unwrap();
    assert_eq!(store.lines_of(order), ["oak: 10 ordered, 10 pending", "ash: "]);
    assert_eq!(store.line_of(order, 2).first_ordered, Quantity::ZERO, "nothing was placed yet");
    assert!(!store.header(order).terms_changed, "nor agreed");
    assert_eq!(reply.orders[0].lines.iter().map(|line| line.key.number).collect::<Vec<_>>(), [2]);
    let added = AmendOrder { new_lines: vec![new_line("yew", "3")], ..nothing(order) };
    let reply = store.send(added).unwrap();
    assert_eq!(reply.orders[0].lines.iter().map(|line| line.key.number).collect::<Vec<_>>(), [4]);
    assert_eq!((store.header(order).counters.lines, store.header(order).counters.last_line), (3, 4));
    assert_eq!(
        store.event_details(),
        [r#"{"lines":[{"line":4,"is_added":true,"ordered":{"to":"3"},"unit_cost":{"to":"1"}}]}"#]
    );
    // All lines in place of those that there are begin with 1 again.
    let mut all = no_update(order);
    all.lines = Some(vec![new_line("fir", "1"), new_line("oak", "1")]);
    store.accept(all);
    assert_eq!(store.lines_of(order), ["fir: 1 ordered, 1 pending", "oak: 1 ordered, 1 pending"]);
    assert_eq!(store.header(order).counters.last_line, 2);
}

#[test]
fn an_added_line_was_first_ordered_by_its_own_quantity() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10"]);
    let mut line = new_line("yew", "3");
    line.expected_date = Some(date("2026-03-09"));
    store.accept(AmendOrder { new_lines: vec![line], ..nothing(order) });
    let line = store.line_of(order, 2).clone();
    assert_eq!((line.first_ordered, line.first_expected_date), (quantity("3"), Some(date("2026-03-09"))));
    assert_eq!(store.level("yew"), "3 on order");
    let empty = AmendOrder { new_lines: vec![new_line("yew", "0")], ..nothing(order) };
    assert_eq!(store.refusal_text(empty), "new_lines[0].quantity must be above zero: the order is placed");
    let mut other = new_line("yew", "1");
    other.unit = Unit::Kilogram;
    let other = AmendOrder { new_lines: vec![other], ..nothing(order) };
    assert_eq!(store.refusal_text(other), "new_lines[0].unit is KILOGRAM, but this store counts yew in EACH");
}

#[test]
fn the_first_promise_stays_when_a_delay_is_announced() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10", "ash 5"]);
    let promises = |store: &TestStore| {
        [1, 2].map(|line| {
            let line = store.line_of(order, line);
            (line.expected_date, line.first_expected_date)
        })
    };
    let (ninth, tenth) = (Some(date("2026-03-09")), Some(date("2026-03-10")));
    store.accept(amend(order, vec![expecting(1, "2026-03-09")]));
    assert_eq!(promises(&store), [(ninth, ninth), (None, None)]);
    store.accept(AmendOrder { expected_date: Some(tenth), ..nothing(order) });
    assert_eq!(promises(&store), [(ninth, ninth), (None, tenth)]);
    assert_eq!(store.event_details(), [r#"{"expected_date":{"to":"2026-03-10"}}"#]);
    store.accept(amend(order, vec![expecting(1, "2026-03-30"), expecting(2, "2026-03-30")]));
    assert_eq!(promises(&store).map(|(_, first)| first), [ninth, tenth]);
    store.accept(amend(order, vec![expecting(1, "")]));
    assert_eq!(store.event_details(), [r#"{"lines":[{"line":1,"expected_date":{"from":"2026-03-30"}}]}"#]);
    // A draft has promised nothing yet.
    let draft = store.draft(&["oak 10"]);
    for (text, expected) in [("2026-03-09", ninth), ("2026-03-10", tenth), ("", None)] {
        store.accept(amend(draft, vec![expecting(1, text)]));
        assert_eq!(store.line_of(draft, 1).first_expected_date, expected);
    }
}

#[test]
fn goods_are_not_expected_before_they_were_ordered() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10"]);
    let mut line = new_line("yew", "3");
    line.expected_date = Some(date("2026-02-26"));
    let command = AmendOrder {
        expected_date: Some(Some(date("2026-02-27"))),
        lines: vec![expecting(1, "2026-02-25")],
        new_lines: vec![line],
        ..nothing(order)
    };
    assert_eq!(
        store.refusal_text(command),
        "expected_date is 2026-02-27, before the order's date, 2026-02-28; \
         lines[0].expected_date is 2026-02-25, before the order's date, 2026-02-28; \
         new_lines[0].expected_date is 2026-02-26, before the order's date, 2026-02-28"
    );
    store.accept(amend(order, vec![expecting(1, "2026-02-28")]));
    let draft = store.draft(&["oak 10"]);
    store.accept(amend(draft, vec![expecting(1, "2025-02-28")]));
}

#[test]
fn a_cost_changes_until_something_is_received() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10", "ash 5"]);
    store.receipt(order, &[(1, "0", "1")]);
    store.accept(amend(order, vec![costing(1, "1.25")]));
    assert_eq!(store.header(order).counters.ordered_cost.to_string(), "17.5");
    store.receipt(order, &[(1, "1", "0")]);
    assert_eq!(
        store.refusal_text(amend(order, vec![costing(1, "2")])),
        "lines[0].unit_cost changes the cost of line 1, of which 1 are received"
    );
    assert_eq!(store.accept(amend(order, vec![costing(1, "1.25")])), 0, "it is the same");
    let by_pack = LineAmendment { line: 2, pack_cost: UnitCost::parse("10"), ..LineAmendment::default() };
    assert_eq!(
        store.refusal_text(amend(order, vec![by_pack.clone()])),
        "lines[0].pack_cost is given, but line 2 has no pack_size"
    );
    store.change_line(order, 2, |line| line.pack_size = Some(quantity("3")));
    store.accept(amend(order, vec![by_pack.clone()]));
    let line = store.line_of(order, 2);
    assert_eq!((line.unit_cost.to_string(), line.pack_cost), ("3.333333".to_owned(), by_pack.pack_cost));
    store.accept(amend(order, vec![costing(2, "3")]));
    assert_eq!(store.line_of(order, 2).pack_cost, None);
    let dear = LineAmendment { pack_cost: Some(UnitCost::MAX), ..by_pack };
    store.change_line(order, 2, |line| line.pack_size = Some(quantity("0.5")));
    assert_eq!(
        store.refusal_text(amend(order, vec![dear])),
        "lines[0].pack_cost makes one unit cost more than 1000000000"
    );
}

#[test]
fn a_quantity_in_packs_is_one_in_units() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10"]);
    let packs = |packs: &str| LineAmendment {
        line: 1,
        quantity: StatedQuantity { units: None, packs: Some(quantity(packs)) },
        ..LineAmendment::default()
    };
    assert_eq!(
        store.refusal_text(amend(order, vec![packs("2")])),
        "lines[0].packs is given, but the line has no pack_size"
    );
    store.change_line(order, 1, |line| line.pack_size = Some(quantity("12")));
    store.accept(amend(order, vec![packs("2")]));
    assert_eq!(store.lines_of(order), ["oak: 24 ordered, 24 pending"]);
    store.receipt(order, &[(1, "13", "0")]);
    assert_eq!(
        store.refusal_text(amend(order, vec![packs("1")])),
        "lines[0].packs is 12 in units, but 13 of line 1 are received or cancelled"
    );
}

#[test]
fn an_order_is_not_left_without_anything() {
    let mut store = TestStore::new();
    let draft = store.draft(&["oak 10", "ash 5"]);
    assert_eq!(store.refuse(amend(draft, vec![removing(1), removing(2)])), "NOTHING_LEFT");
    store.accept(amend(draft, vec![ordering(1, "0"), ordering(2, "0")]));
    let replaced =
        AmendOrder { lines: vec![removing(1), removing(2)], new_lines: vec![new_line("yew", "0")], ..nothing(draft) };
    store.accept(replaced);
    let order = store.on_order(&["oak 10", "ash 5"]);
    store.receipt(order, &[(2, "0", "1")]);
    assert_eq!(store.refuse(amend(order, vec![removing(1), ordering(2, "0")])), "NOTHING_LEFT");
    store.accept(amend(order, vec![removing(1)]));
    assert_eq!(store.refuse(amend(order, vec![removing(2)])), "NOTHING_LEFT");
    store.receipt(order, &[(2, "1", "0")]);
    store.accept(amend(order, vec![removing(2)]));
}

#[test]
fn the_charges_and_the_value_are_those_of_the_whole_order() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10", "ash 5"]);
    let freight = |amount: Amount| vec![Charge { description: "freight".to_owned(), amount }];
    let charged = AmendOrder { charges: Some(freight(Amount::parse("12.5").unwrap())), ..nothing(order) };
    store.accept(charged.clone());
    assert_eq!(store.event_details(), [r#"{"charges":[{"description":"freight","amount":"12.5"}]}"#]);
    assert_eq!(store.accept(charged), 0);
    let too_much = AmendOrder { charges: Some(freight(Amount::MAX)), ..nothing(order) };
    let text = store.refusal_text(too_much);
    assert_eq!(text, "lines make the order worth more than 100000000000 with its charges");
    let mut dear = new_line("yew", "999999999");
    dear.price = Price::Unit(UnitCost::MAX);
    let dear = AmendOrder { new_lines: vec![dear], ..nothing(order) };
    assert_eq!(store.refuse(dear), "INVALID_FOR_STORED_DATA");
}

#[test]
fn notes_are_limited_together_and_lines_by_their_count() {
    let noting = |line: i32, size: usize| {
        let note = Some((size > 0).then(|| "n".repeat(size)));
        LineAmendment { line, note, ..LineAmendment::default() }
    };
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10", "ash 5"]);
    store.change_line(order, 1, |line| line.note = Some("n".repeat(MAX_LINE_NOTES - 10)));
    store.accept(amend(order, vec![noting(2, 10)]));
    assert_eq!(store.event_details(), [r#"{"lines":[{"line":2,"is_note_changed":true}]}"#]);
    assert_eq!(
        store.refusal_text(amend(order, vec![noting(2, 11)])),
        "lines would have notes of 500001 bytes; at most 500000 together"
    );
    store.accept(amend(order, vec![noting(1, 0), noting(2, 11)]));
    let emptied = amend(order, vec![noting(2, 0)]);
    assert_eq!(store.envelope(emptied).needs().iter().count(), 1, "no other line is loaded for it");

    let many = |count: usize| AmendOrder { new_lines: vec![new_line("yew", "1"); count], ..nothing(order) };
    assert_eq!(store.refuse(many(MAX_LINES - 1)), "TOO_MANY_LINES");
    store.accept(many(MAX_LINES - 2));
}

#[test]
fn refusals_come_in_their_order() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10"]);
    let mut command = amend(NO_SUCH_ORDER, vec![ordering(7, "0.5")]);
    command.etag = "9".to_owned();
    store.call_with(&[Permission::Place]);
    assert_eq!(store.refuse(command.clone()), "PERMISSION_MISSING");
    store.call_with(&[Permission::Edit]);
    assert_eq!(store.refuse(command.clone()), "PURCHASE_ORDER_NOT_FOUND");
    command.order = store.order_in(State::Completed);
    assert_eq!(store.refuse(command.clone()), "ETAG_MISMATCH");
    command.etag.clear();
    assert_eq!(store.refuse(command.clone()), "WRONG_STATE");
    command.order = order;
    assert_eq!(store.refuse(command.clone()), "LINE_NOT_FOUND");
    command.lines[0].line = 1;
    assert_eq!(store.refuse(command.clone()), "INVALID_FOR_STORED_DATA");
    command.lines[0].quantity = StatedQuantity::units(Quantity::ZERO);
    assert_eq!(store.refuse(command.clone()), "NOTHING_LEFT");
    command.lines[0].quantity = StatedQuantity::units(quantity("1"));
    store.accept(command);
}

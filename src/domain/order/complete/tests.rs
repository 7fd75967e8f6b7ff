//! Tests of completing: every disposition with what follows from it, and each refusal in its order.

use super::*;
use crate::domain::access::Permission;
use crate::domain::testing::{FIRST_NEW_ORDER, NO_SUCH_ORDER, TestStore, date, quantity};

/// Completes an order; each exception is a line with what is back-ordered and what is cancelled.
fn complete(
    order: OrderId,
    exceptions: &[(i32, &str, &str)],
    default_disposition: Option<Disposition>,
) -> CompleteOrder {
    let lines = exceptions.iter().map(|(line, back_order, cancel)| LineDisposition {
        line: *line,
        back_order: quantity(back_order),
        cancel: quantity(cancel),
        ..LineDisposition::default()
    });
    let lines = lines.collect();
    let cancel_reason = Some("out of season".to_owned());
    CompleteOrder {
        order,
        etag: String::new(),
        lines,
        default_disposition,
        cancel_reason,
        cancel_reason_code: None,
        expected_date: None,
    }
}

#[test]
fn every_pending_quantity_is_back_ordered_or_cancelled() {
    use Disposition::{BackOrder, Cancel};
    // Of 10 oak and 5 ash, 4 oak were received.
    for (exceptions, default, parent, child) in [
        (
            &[][..],
            Some(BackOrder),
            ["oak: 10 ordered, 4 received, 6 back-ordered", "ash: 5 ordered, 5 back-ordered"],
            &["oak: 6 ordered, 6 pending", "ash: 5 ordered, 5 pending"][..],
        ),
        (&[], Some(Cancel), ["oak: 10 ordered, 4 received, 6 cancelled", "ash: 5 ordered, 5 cancelled"], &[]),
        (
            &[(1, "2", "4")],
            Some(Cancel),
            ["oak: 10 ordered, 4 received, 2 back-ordered, 4 cancelled", "ash: 5 ordered, 5 cancelled"],
            &["oak: 2 ordered, 2 pending"],
        ),
        (
            &[(1, "0", "6"), (2, "5", "0")],
            None,
            ["oak: 10 ordered, 4 received, 6 cancelled", "ash: 5 ordered, 5 back-ordered"],
            &["ash: 5 ordered, 5 pending"],
        ),
    ] {
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 10", "ash 5"]);
        store.receipt(order, &[(1, "4", "0")]);
        store.accept(complete(order, exceptions, default));
        assert_eq!(store.header(order).state, State::Completed);
        assert_eq!(store.lines_of(order), parent);
        assert_eq!(store.lines_of(FIRST_NEW_ORDER), child);
        let child = if child.is_empty() { None } else { Some(FIRST_NEW_ORDER) };
        assert_eq!(store.header(order).child, child);
    }
}

#[test]
fn what_was_received_goes_on_hand_and_the_back_order_is_on_order() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10"]);
    store.receipt(order, &[(1, "3", "1")]);
    store.receipt(order, &[(1, "0", "2")]);
    store.receipt(order, &[(1, "1", "0")]);
    assert_eq!(store.level("oak"), "4 staged, 6 on order");

    store.accept(complete(order, &[], Some(Disposition::BackOrder)));

    assert_eq!(store.level("oak"), "4 on hand, 6 on order, 6 back-ordered");
    // The second receipt brought nothing that was accepted, so it has no ledger row.
    let ledger = store.decided.movements.iter();
    let ledger: Vec<_> =
        ledger.map(|m| (m.number, m.receipt, m.quantity.to_string(), m.balance_after.to_string())).collect();
    assert_eq!(ledger, [(1, Some(1), "3".into(), "3".into()), (2, Some(3), "1".into(), "4".into())]);
    assert_eq!(store.events(), ["ORDER_COMPLETED", "BACK_ORDER_CREATED"]);
    assert_eq!(
        store.event_details(),
        [
            r#"{"settled":[{"line":1,"back_ordered":"6","cancelled":"0"}],"back_order":"00000000-0000-0000-0000-000000000064","cancel_reason":null}"#,
            r#"{"number":"PO-000001-B1","parent":"00000000-0000-0000-0000-000000000001","lines":[{"line":1,"quantity":"6"}]}"#,
        ]
    );
    assert_eq!(store.row().open_orders, 1);
    assert_eq!(store.header(order).close_time, Some(store.now));
    assert_eq!(store.line_of(order, 1).back_order_time, Some(store.now));
}

#[test]
fn a_back_order_follows_its_parent_in_the_chain() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10", "ash 5"]);
    store.change_order(order, |order| {
        order.note = Some("ring twice".to_owned());
        order.expected_date = Some(date("2026-03-10"));
    });
    store.change_line(order, 2, |line| line.expected_date = Some(date("2026-04-01")));
    store.receipt(order, &[(1, "10", "0"), (2, "1", "0")]);
    store.accept(complete(order, &[], Some(Disposition::BackOrder)));

    let child = store.header(FIRST_NEW_ORDER).clone();
    assert_eq!((child.parent, child.root, child.chain_position), (Some(order), order, 1));
    assert_eq!((child.number.as_str(), child.state, child.revision), ("PO-000001-B1", State::OnOrder, 1));
    assert_eq!((child.expected_date, child.note), (Some(date("2026-03-10")), None));
    assert_eq!(child.original_order_time, store.header(order).order_time);
    assert_eq!(child.order_time, Some(store.now));
    let line = store.line_of(FIRST_NEW_ORDER, 2).clone();
    assert!(line.carried_over);
    assert_eq!((line.expected_date, line.first_ordered), (Some(date("2026-04-01")), quantity("4")));

    // The second back order follows the first, and is expected when the caller says.
    store.receipt(FIRST_NEW_ORDER, &[(2, "1", "0")]);
    let again = complete(FIRST_NEW_ORDER, &[], Some(Disposition::BackOrder));
    store.accept(CompleteOrder { expected_date: Some(date("2026-05-01")), ..again });
    let id = store.header(FIRST_NEW_ORDER).child.unwrap();
    let second = store.header(id);
    assert_eq!((second.number.as_str(), second.root, second.chain_position), ("PO-000001-B2", order, 2));
    assert_eq!(second.expected_date, Some(date("2026-05-01")));
    assert_eq!(store.line_of(id, 2).expected_date, None);
    assert_eq!(store.level("ash"), "2 on hand, 3 on order, 3 back-ordered");
}

#[test]
fn a_reason_is_stored_only_if_something_is_cancelled() {
    for (default, stored) in [(Disposition::BackOrder, None), (Disposition::Cancel, Some("out of season"))] {
        let mut store = TestStore::new();
        let order = store.order_in(State::Receiving);
        let cancel_reason_code = Some(CancelReason::Late);
        store.accept(CompleteOrder { cancel_reason_code, ..complete(order, &[], Some(default)) });
        assert_eq!(store.header(order).cancel_reason.as_deref(), stored);
        assert_eq!(store.header(order).cancel_reason_code, stored.and(cancel_reason_code));
    }
}

#[test]
fn a_line_may_have_a_reason_and_a_date_of_its_own() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10", "ash 5", "elm 3"]);
    store.receipt(order, &[(1, "1", "0")]);
    store.change_line(order, 3, |line| line.expected_date = Some(date("2026-04-01")));
    let mut command = complete(order, &[(1, "5", "4"), (2, "0", "5")], Some(Disposition::BackOrder));
    command.lines[0].expected_date = Some(date("2026-03-09"));
    command.lines[1].cancel_reason = Some("discontinued".to_owned());
    command.cancel_reason = None;
    assert_eq!(store.refusal_text(command.clone()), "cancel_reason is required where a quantity is cancelled");
    command.lines[0].cancel_reason = Some("sold out".to_owned());
    command.lines[0].expected_date = Some(date("2026-03-01"));
    assert_eq!(store.refusal_text(command.clone()), "lines[0].expected_date is 2026-03-01, before today, 2026-03-02");
    command.lines[0].expected_date = Some(date("2026-03-09"));
    store.accept(command.clone());
    let cancelled = store.decided.cancellations.iter();
    let cancelled: Vec<_> = cancelled.map(|row| (row.line.number, row.quantity, row.reason.as_deref())).collect();
    assert_eq!(cancelled, [(1, quantity("4"), Some("sold out")), (2, quantity("5"), Some("discontinued"))]);
    assert_eq!(store.header(order).cancel_reason, None);
    assert!(store.event_details()[0].contains(r#""cancelled":"5","reason":"discontinued"}"#));
    let dates = [1, 3].map(|line| store.line_of(FIRST_NEW_ORDER, line).expected_date);
    assert_eq!(dates, [Some(date("2026-03-09")), Some(date("2026-04-01"))]);

    // The date of the whole completion counts where a line has no other.
    store.receipt(FIRST_NEW_ORDER, &[(1, "1", "0")]);
    let mut again = complete(FIRST_NEW_ORDER, &[(3, "2", "1")], Some(Disposition::BackOrder));
    again.lines[0].expected_date = Some(date("2026-05-02"));
    again.expected_date = Some(date("2026-05-01"));
    store.accept(again);
    let second = store.header(FIRST_NEW_ORDER).child.unwrap();
    assert_eq!(store.header(second).expected_date, Some(date("2026-05-01")));
    let dates = [1, 3].map(|line| store.line_of(second, line).expected_date);
    assert_eq!(dates, [None, Some(date("2026-05-02"))]);
    let promised = [1, 3].map(|line| store.line_of(second, line).first_expected_date);
    assert_eq!(promised, [Some(date("2026-03-09")), Some(date("2026-05-02"))]);
}

#[test]
fn an_order_is_completed_while_it_is_receiving_with_something_accepted() {
    for (state, expected) in [
        (State::Draft, "WRONG_STATE"),
        (State::OnOrder, "NOTHING_RECEIVED"),
        (State::Completed, "WRONG_STATE"),
        (State::Cancelled, "WRONG_STATE"),
    ] {
        let mut store = TestStore::new();
        let order = store.order_in(state);
        assert_eq!(store.refuse(complete(order, &[], Some(Disposition::Cancel))), expected, "{state}");
    }
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10"]);
    store.receipt(order, &[(1, "0", "4")]);
    assert_eq!(store.refuse(complete(order, &[], Some(Disposition::Cancel))), "NOTHING_RECEIVED");
}

#[test]
fn dispositions_fit_their_lines() {
    for (exceptions, text) in [
        (&[(1, "5", "0")][..], "lines[0] settles 5 (back_order 5, cancel 0), but line 1 has 6 pending"),
        (&[(1, "6", "1")], "lines[0] settles 7 (back_order 6, cancel 1), but line 1 has 6 pending"),
        (&[(1, "6", "0"), (2, "1.5", "0.5")], "lines[1].back_order is 1.5, but ash is counted in whole units"),
        (&[(3, "1", "0"), (9, "1", "0")], "purchase order PO-000001 has no line 9"),
    ] {
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 10", "ash 2", "flour 1.5 kg"]);
        store.receipt(order, &[(1, "4", "0")]);
        let refused = store.refusal_text(complete(order, exceptions, Some(Disposition::BackOrder)));
        assert!(refused.starts_with(text), "{refused}");
    }
}

#[test]
fn the_stock_of_a_product_stays_within_its_limit() {
    let mut store = TestStore::new();
    let order = store.order_in(State::Receiving);
    store.change_level("oak", |level| level.on_hand = Quantity::MAX_LEVEL - quantity("3"));
    let text = store.refusal_text(complete(order, &[], Some(Disposition::Cancel)));
    assert_eq!(text, "the stock or the quantity on order of product oak would pass its limit of 900,000,000,000 units");
    store.change_level("oak", |level| level.on_hand = Quantity::MAX_LEVEL - quantity("4"));
    store.accept(complete(order, &[], Some(Disposition::Cancel)));
}

/// Each step repairs what the step before was refused for, and nothing else.
#[test]
fn refusals_come_in_their_order() {
    let mut store = TestStore::new();
    store.row().back_orders_enabled = false;
    let order = store.draft(&["oak 10", "ash 5"]);
    let mut command = complete(NO_SUCH_ORDER, &[(1, "3", "1"), (9, "1", "0")], None);
    command.etag = "7".to_owned();
    command.cancel_reason = None;
    store.call_as("stranger");
    assert_eq!(store.refuse(command.clone()), "NO_STORE_ACCESS");
    store.call_with(&[Permission::Receive]);
    assert_eq!(store.refuse(command.clone()), "PERMISSION_MISSING");
    store.call_as("ann");
    assert_eq!(store.refuse(command.clone()), "PURCHASE_ORDER_NOT_FOUND");
    command.order = order;
    assert_eq!(store.refuse(command.clone()), "ETAG_MISMATCH");
    command.etag = "1".to_owned();
    assert_eq!(store.refuse(command.clone()), "WRONG_STATE");
    store.change_order(order, |order| order.state = State::OnOrder);
    assert_eq!(store.refuse(command.clone()), "NOTHING_RECEIVED");
    store.receipt(order, &[(1, "4", "0")]);
    assert_eq!(store.refuse(command.clone()), "LINE_NOT_FOUND");
    command.lines.pop();
    command.expected_date = Some(date("2026-03-01"));
    assert_eq!(
        store.refusal_text(command.clone()),
        "lines[0] settles 4 (back_order 3, cancel 1), but line 1 has 6 pending; \
         expected_date is 2026-03-01, before today, 2026-03-02; \
         cancel_reason is required where a quantity is cancelled"
    );
    command.lines[0].cancel = quantity("3");
    command.expected_date = Some(date("2026-03-02"));
    command.cancel_reason = Some("too late".to_owned());
    assert_eq!(
        store.refusal_text(command.clone()),
        "quantities are pending on line 2: say in `lines` or `rest` what is back-ordered and what cancelled"
    );
    command.default_disposition = Some(Disposition::Cancel);
    assert_eq!(store.refuse(command.clone()), "BACK_ORDERS_DISABLED");
    store.row().back_orders_enabled = true;
    store.accept(command);
}

#[test]
fn each_lot_goes_on_hand_by_itself_and_is_divided_where_the_excess_begins() {
    use crate::domain::inventory::lot::{Lot, LotQuantity};
    use crate::domain::order::receipt::ItemCosts;
    let cost = |text: &str| UnitCost::parse(text);
    // 7 came of 5: lots of 4, 2 and 1.
    for (unit_cost, excess_unit_cost, expected) in [
        (None, None, &["a 4 at 1", "b 2 at 1", "c 1 at 1"][..]),
        (cost("3"), None, &["a 4 at 3", "b 2 at 3", "c 1 at 3"]),
        (None, cost("0"), &["a 4 at 1", "b 1 at 1", "b 1 at 0", "c 1 at 0"]),
        (cost("3"), cost("3"), &["a 4 at 3", "b 2 at 3", "c 1 at 3"]),
    ] {
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 5"]);
        store.receipt(order, &[(1, "7", "0")]);
        store.change_receipt(order, 1, |receipt| {
            let item = &mut receipt.items[0];
            (item.excess, item.costs) = (quantity("2"), ItemCosts { unit_cost, excess_unit_cost });
            for (code, amount) in [("a", "4"), ("b", "2"), ("c", "1")] {
                let lot = Lot { code: code.to_owned(), expiry_date: None };
                item.lots.push(LotQuantity { lot, quantity: quantity(amount) });
            }
        });
        store.accept(complete(order, &[], None));
        let mut posted = Vec::new();
        for row in &store.decided.movements {
            posted.push(format!("{} {} at {}", row.lot.as_ref().unwrap().code, row.quantity, row.unit_cost));
        }
        assert_eq!(posted, expected);
    }
}

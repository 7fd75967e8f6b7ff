//! Tests of reopening: what each disposition of a completion becomes again, the ledger and the average cost, and each
//! refusal in its order.

use super::*;
use crate::domain::access::Permission;
use crate::domain::inventory::adjust::{AdjustInventory, AdjustmentKind, ReturnedLine};
use crate::domain::inventory::lot::LotQuantity;
use crate::domain::order::cancel::CancelOrder;
use crate::domain::order::cancel_lines::{CancelLines, LineToCancel};
use crate::domain::order::cancellation::CancelReason;
use crate::domain::order::complete::{CompleteOrder, Disposition, LineDisposition};
use crate::domain::order::void::VoidReceipt;
use crate::domain::testing::{FIRST_NEW_ORDER, NO_SUCH_ORDER, TestStore, at, quantity};

const REASON: &str = "a box was found";

fn reopen(order: OrderId) -> ReopenOrder {
    ReopenOrder { order, etag: String::new(), reason: REASON.to_owned() }
}

/// Completes an order: what is pending of line 1 as the exception says, everything else is back-ordered.
fn complete(order: OrderId, exception: Option<(&str, &str)>) -> CompleteOrder {
    let lines = exception.into_iter().map(|(back_order, cancel)| LineDisposition {
        line: 1,
        back_order: quantity(back_order),
        cancel: quantity(cancel),
        ..LineDisposition::default()
    });
    CompleteOrder {
        order,
        etag: String::new(),
        lines: lines.collect(),
        default_disposition: Some(Disposition::BackOrder),
        cancel_reason: Some("out of season".to_owned()),
        cancel_reason_code: Some(CancelReason::NoLongerNeeded),
        expected_date: None,
    }
}

fn cancel_line(order: OrderId, line: i32, amount: &str) -> CancelLines {
    let line = LineToCancel {
        index: 0,
        line,
        quantity: Some(quantity(amount)),
        reason: "sold out".to_owned(),
        reason_code: None,
    };
    CancelLines { order, etag: String::new(), lines: vec![line] }
}

fn adjust(kind: AdjustmentKind, amount: &str, returned_line: Option<(OrderId, i32)>) -> AdjustInventory {
    AdjustInventory {
        product: ProductId::new("oak"),
        kind,
        quantity: quantity(amount),
        unit_cost: None,
        unit: None,
        reason: "counted".to_owned(),
        returned_line: returned_line.map(|(order, line)| ReturnedLine { order, line, etag: String::new() }),
        lot: None,
    }
}

/// An order of 10 oak and 5 ash of which 4 oak were received, and that was completed.
fn completed(store: &mut TestStore, exception: Option<(&str, &str)>) -> OrderId {
    let order = store.on_order(&["oak 10", "ash 5"]);
    store.receipt(order, &[(1, "4", "0")]);
    store.accept(complete(order, exception));
    order
}

#[test]
fn whatever_a_completion_did_is_undone() {
    for exception in [None, Some(("6", "0")), Some(("2", "4")), Some(("0", "6"))] {
        let mut store = TestStore::new();
        let order = completed(&mut store, exception);
        store.accept(reopen(order));
        let header = store.header(order).clone();
        assert_eq!((header.state, header.close_time, header.closed_by), (State::Receiving, None, None));
        assert_eq!((header.cancel_reason, header.cancel_reason_code, header.child), (None, None, None));
        assert_eq!(store.lines_of(order), ["oak: 10 ordered, 4 received, 6 pending", "ash: 5 ordered, 5 pending"]);
        assert_eq!(store.line_of(order, 1).back_order_time, None);
        assert_eq!((store.level("oak").as_str(), store.level("ash").as_str()), ("4 staged, 6 on order", "5 on order"));
        assert_eq!(store.events(), ["ORDER_REOPENED", "BACK_ORDER_FOLDED"], "{exception:?}");
        assert_eq!(store.row().open_orders, 1);
        // Its receipt is as it was.
        assert!(store.receipt_of(order, 1).is_active());
    }
}

#[test]
fn the_back_order_is_cancelled_and_no_part_of_the_chain_any_more() {
    let mut store = TestStore::new();
    let order = completed(&mut store, Some(("2", "4")));
    store.now = at("2026-03-03T09:00:00Z");
    let reply = store.send(reopen(order)).unwrap();
    let folded_back = Some(FoldedBackOrder { order: FIRST_NEW_ORDER, number: "PO-000001-B1".to_owned() });
    let event = reply.outcome.event();
    assert_eq!(reply.outcome, Outcome::OrderReopened(OrderReopened { event, order, folded_back }));
    let child = store.header(FIRST_NEW_ORDER);
    assert_eq!((child.state, child.folded_back, child.close_time), (State::Cancelled, true, Some(store.now)));
    assert_eq!((child.cancel_reason.as_deref(), child.parent), (Some(REASON), Some(order)));
    assert_eq!(store.lines_of(FIRST_NEW_ORDER), ["oak: 2 ordered, 2 cancelled", "ash: 5 ordered, 5 cancelled"]);
    let parts = store.decided.cancellations.iter().map(|part| (part.line.order.order, part.event, part.quantity));
    let parts: Vec<_> = parts.collect();
    assert_eq!(parts, [(FIRST_NEW_ORDER, event + 1, quantity("2")), (FIRST_NEW_ORDER, event + 1, quantity("5"))]);
    assert_eq!(
        store.event_details(),
        [
            r#"{"reason":"a box was found","folded_back":"00000000-0000-0000-0000-000000000064","lines":[{"line":1,"back_ordered":"2","cancelled":"4"},{"line":2,"back_ordered":"5","cancelled":"0"}]}"#,
            r#"{"parent":"00000000-0000-0000-0000-000000000001","reason":"a box was found","lines":[{"line":1,"quantity":"2"},{"line":2,"quantity":"5"}]}"#,
        ]
    );
}

#[test]
fn an_order_without_a_back_order_is_reopened_alone() {
    let mut store = TestStore::new();
    store.row().back_orders_enabled = false;
    let order = store.on_order(&["oak 4"]);
    store.receipt(order, &[(1, "4", "0")]);
    store.accept(complete(order, None));
    let reply = store.send(reopen(order)).unwrap();
    let event = reply.outcome.event();
    assert_eq!(reply.outcome, Outcome::OrderReopened(OrderReopened { event, order, folded_back: None }));
    assert_eq!(
        (store.lines_of(order), store.events()),
        (vec!["oak: 4 ordered, 4 received".to_owned()], vec!["ORDER_REOPENED"])
    );
    // The reply tells what may be done now.
    let allowed = &reply.orders[0].view.allowed_actions;
    assert!(allowed.contains(&Action::Complete) && !allowed.contains(&Action::Reopen), "{allowed:?}");
}

#[test]
fn what_was_cancelled_before_the_completion_stays_cancelled() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10"]);
    store.receipt(order, &[(1, "4", "0")]);
    store.accept(cancel_line(order, 1, "1"));
    store.accept(complete(order, Some(("2", "3"))));
    assert_eq!(store.lines_of(order), ["oak: 10 ordered, 4 received, 2 back-ordered, 4 cancelled"]);
    store.accept(reopen(order));
    assert_eq!(store.lines_of(order), ["oak: 10 ordered, 4 received, 1 cancelled, 5 pending"]);
    let removed = store.decided.cancellations_removed.iter();
    assert_eq!(removed.map(|row| row.quantity).collect::<Vec<_>>(), [quantity("3")]);
}

#[test]
fn an_excess_stays_an_excess() {
    let mut store = TestStore::new();
    store.row().over_receipt_tolerance = crate::domain::order::tolerance::Tolerance::parse("50").unwrap();
    let order = store.on_order(&["oak 4"]);
    store.receipt(order, &[(1, "5", "0")]);
    store.accept(complete(order, None));
    store.accept(reopen(order));
    assert_eq!(store.lines_of(order), ["oak: 4 ordered, 5 received, 1 excess"]);
}

#[test]
fn the_next_back_order_takes_the_next_number_at_the_same_place() {
    let mut store = TestStore::new();
    let order = completed(&mut store, None);
    for n in [2, 3] {
        store.accept(reopen(order));
        store.accept(complete(order, None));
        let child = store.header(store.header(order).child.unwrap());
        assert_eq!((child.number.as_str(), child.chain_position), (format!("PO-000001-B{n}").as_str(), 1));
    }
    // So does the back order of a back order, and what that has used is not given again either.
    let third = store.header(order).child.unwrap();
    store.receipt(third, &[(1, "1", "0")]);
    store.accept(complete(third, None));
    assert_eq!(store.refuse(reopen(order)), "BACK_ORDER_TOUCHED");
    store.accept(reopen(third));
    store.accept(VoidReceipt { order: third, receipt: 1, etag: String::new(), reason: "not ours".to_owned() });
    store.accept(reopen(order));
    store.accept(complete(order, None));
    assert_eq!(store.header(store.header(order).child.unwrap()).number, "PO-000001-B5");
}

#[test]
fn rows_are_reversed_by_new_rows_the_last_first() {
    let mut store = TestStore::new();
    let order = store.on_order(&["oak 10"]);
    store.receipt(order, &[(1, "4", "0")]);
    store.receipt(order, &[(1, "3", "0")]);
    store.accept(complete(order, None));
    store.accept(reopen(order));
    let rows = store.decided.movements.iter();
    let rows: Vec<_> = rows.map(|m| (m.number, m.kind, m.receipt, m.quantity.to_string(), m.balance_after)).collect();
    let reversal = MovementKind::ReceiptReversal;
    assert_eq!(
        rows,
        [(3, reversal, Some(2), "-3".into(), quantity("4")), (4, reversal, Some(1), "-4".into(), Quantity::ZERO)]
    );
    // The second time, the rows of the second completion are reversed and no others.
    store.accept(complete(order, None));
    store.accept(reopen(order));
    assert_eq!(store.decided.movements.iter().map(|m| m.number).collect::<Vec<_>>(), [7, 8]);
    assert_eq!(store.level("oak"), "7 staged, 3 on order");
}

/// Receives `amount` oak at `cost` on an order of its own.
fn at_cost(store: &mut TestStore, amount: &str, cost: &str) -> OrderId {
    let order = store.on_order(&[&format!("oak {amount}")]);
    store.change_line(order, 1, |line| line.unit_cost = UnitCost::parse(cost).unwrap());
    store.receipt(order, &[(1, amount, "0")]);
    store.accept(complete(order, None));
    order
}

fn average(store: &TestStore) -> String {
    store.level_of("oak").average_cost.to_string()
}

#[test]
fn the_average_cost_is_restored_exactly_where_nothing_moved_in_between() {
    let mut store = TestStore::new();
    at_cost(&mut store, "3", "1");
    let second = at_cost(&mut store, "4", "2");
    assert_eq!(average(&store), "1.571429", "11 for 7");
    store.accept(reopen(second));
    // By the formula it would be 1.000001: (7 × 1.571429 − 4 × 2) ÷ 3.
    assert_eq!(average(&store), "1");
    store.accept(complete(second, None));
    assert_eq!(average(&store), "1.571429");
}

#[test]
fn goods_leave_at_their_own_cost_where_something_moved_in_between() {
    for (moved, expected) in [
        // (6 × 1.571429 − 4 × 2) ÷ 2 = 0.714287
        (AdjustmentKind::Sale, "0.714287"),
        // A count that puts in at the average: (8 × 1.571429 − 4 × 2) ÷ 4 = 1.142858
        (AdjustmentKind::CustomerReturn, "1.142858"),
    ] {
        let mut store = TestStore::new();
        at_cost(&mut store, "3", "1");
        let second = at_cost(&mut store, "4", "2");
        store.accept(adjust(moved, "1", None));
        store.accept(reopen(second));
        assert_eq!(average(&store), expected, "{moved:?}");
    }
}

#[test]
fn the_average_cost_stays_where_it_would_be_negative_or_nothing_is_left() {
    let mut store = TestStore::new();
    at_cost(&mut store, "10", "1");
    let second = at_cost(&mut store, "2", "50");
    // 12 are worth 110; after 9 are sold, 3 at 9.166667 are worth less than the 2 that cost 100.
    store.accept(adjust(AdjustmentKind::Sale, "9", None));
    store.accept(reopen(second));
    assert_eq!(average(&store), "9.166667");
    let mut store = TestStore::new();
    let only = at_cost(&mut store, "2", "50");
    store.accept(adjust(AdjustmentKind::CustomerReturn, "1", None));
    store.accept(adjust(AdjustmentKind::Sale, "1", None));
    store.accept(reopen(only));
    assert_eq!(average(&store), "50", "nothing is left");
}

#[test]
fn an_order_is_not_reopened_once_its_back_order_was_touched() {
    type Touch = fn(&mut TestStore);
    let ways: [(&str, Touch); 5] = [
        ("received", |store| store.receipt(FIRST_NEW_ORDER, &[(1, "1", "0")])),
        ("rejected", |store| store.receipt(FIRST_NEW_ORDER, &[(1, "0", "1")])),
        ("cancelled in part", |store| _ = store.accept(cancel_line(FIRST_NEW_ORDER, 1, "1"))),
        ("cancelled", |store| {
            let reason = Some("not needed".to_owned());
            store.accept(CancelOrder { order: FIRST_NEW_ORDER, etag: String::new(), reason, reason_code: None });
        }),
        ("changed", |store| store.change_order(FIRST_NEW_ORDER, |order| order.terms_changed = true)),
    ];
    for (way, touch) in ways {
        let mut store = TestStore::new();
        let order = completed(&mut store, None);
        touch(&mut store);
        assert_eq!(store.refuse(reopen(order)), "BACK_ORDER_TOUCHED", "{way}");
    }
    let mut store = TestStore::new();
    let order = completed(&mut store, None);
    store.receipt(FIRST_NEW_ORDER, &[(1, "1", "0")]);
    assert_eq!(
        store.refusal_text(reopen(order)),
        "purchase order PO-000001 is not reopened: of its back order PO-000001-B1, something was received, cancelled, \
         added or changed since"
    );
    // A receipt that was voided does not stand any more, and a note touches nothing.
    store.accept(VoidReceipt { order: FIRST_NEW_ORDER, receipt: 1, etag: String::new(), reason: "no".to_owned() });
    store.change_order(FIRST_NEW_ORDER, |order| {
        order.note = Some("ring twice".to_owned());
        order.supplier_reference = Some("S-1".to_owned());
        order.external_id = Some("erp-1".to_owned());
    });
    store.accept(reopen(order));
}

#[test]
fn in_one_batch_a_parent_is_known_to_be_touched_as_soon_as_its_back_order_is() {
    let mut store = TestStore::new();
    let order = completed(&mut store, None);
    let envelope = store.envelope(reopen(order));
    let mut working_set = store.load(&envelope);
    let allowed = |set: &crate::domain::working_set::WorkingSet| {
        Action::Reopen.check(set.order(&store.order_key(order)).unwrap().unwrap()).is_ok()
    };
    assert!(allowed(&working_set));
    // As if a command before had received something of it, and another voided that again.
    for (state, is_allowed) in [(State::Receiving, false), (State::OnOrder, true)] {
        let child = Order { state, ..store.header(FIRST_NEW_ORDER).clone() };
        working_set.absorb(crate::domain::decision::Decision { orders: vec![child], ..Default::default() });
        assert_eq!(allowed(&working_set), is_allowed, "{state}");
    }
}

#[test]
fn an_order_is_not_reopened_once_its_goods_are_gone() {
    for negative in [false, true] {
        let mut store = TestStore::new();
        store.row().allow_negative_stock = negative;
        let order = completed(&mut store, None);
        store.accept(adjust(AdjustmentKind::Sale, "1", None));
        assert_eq!(
            store.refusal_text(reopen(order)),
            "purchase order PO-000001 is not reopened: too little of what it put on hand is left in stock, or in its lots, of oak"
        );
        // As many as were sold came back, or others came.
        store.accept(adjust(AdjustmentKind::Count, "4", None));
        store.accept(reopen(order));
    }
}

/// An order of 4 oak that were received in the lots `a` and `b`, 2 of each, or in none.
fn completed_in_lots(store: &mut TestStore, codes: &[&str]) -> OrderId {
    let order = store.on_order(&["oak 4"]);
    store.receipt(order, &[(1, "4", "0")]);
    store.change_receipt(order, 1, |receipt| {
        receipt.items[0].lots =
            codes.iter().map(|code| LotQuantity { lot: lot(code), quantity: quantity("2") }).collect();
    });
    store.accept(complete(order, None));
    order
}

fn lot(code: &str) -> Lot {
    Lot { code: code.to_owned(), expiry_date: None }
}

#[test]
fn each_lot_must_be_there_and_what_is_in_no_lot() {
    let mut store = TestStore::new();
    let order = completed_in_lots(&mut store, &["a", "b"]);
    // 3 more of no lot: the product is there, but of lot `a` one was sold.
    at_cost(&mut store, "3", "1");
    store.accept(adjust(AdjustmentKind::Sale, "1", None));
    assert_eq!(store.refuse(reopen(order)), "STOCK_GONE");
    let mut store = TestStore::new();
    let order = completed_in_lots(&mut store, &["a", "b"]);
    store.accept(reopen(order));
    assert_eq!(
        store.decided.movements.iter().map(|m| m.lot.clone().unwrap()).collect::<Vec<_>>(),
        [lot("b"), lot("a")]
    );

    // Of what is in no lot, one was sold before others came in a lot.
    let mut store = TestStore::new();
    let order = completed_in_lots(&mut store, &[]);
    store.accept(adjust(AdjustmentKind::Sale, "1", None));
    completed_in_lots(&mut store, &["a", "b"]);
    assert_eq!(store.refuse(reopen(order)), "STOCK_GONE");
}

#[test]
fn refusals_come_in_their_order() {
    let mut store = TestStore::new();
    let order = completed(&mut store, None);
    let mut command = reopen(NO_SUCH_ORDER);
    command.etag = "9".to_owned();
    store.call_with(&[Permission::CompletePurchaseOrders]);
    assert_eq!(store.refuse(command.clone()), "PERMISSION_MISSING");
    store.call_as("ann");
    assert_eq!(store.refuse(command.clone()), "PURCHASE_ORDER_NOT_FOUND");
    command.order = store.on_order(&["oak 10"]);
    assert_eq!(store.refuse(command.clone()), "ETAG_MISMATCH");
    command.etag.clear();
    assert_eq!(store.refuse(command.clone()), "WRONG_STATE");
    command.order = order;
    store.accept(adjust(AdjustmentKind::ReturnToSupplier, "1", Some((order, 1))));
    store.receipt(FIRST_NEW_ORDER, &[(1, "1", "0")]);
    store.row().back_orders_enabled = false;
    assert_eq!(store.refuse(command.clone()), "BACK_ORDER_TOUCHED");
    store.accept(VoidReceipt { order: FIRST_NEW_ORDER, receipt: 1, etag: String::new(), reason: "no".to_owned() });
    assert_eq!(
        store.refusal_text(command.clone()),
        "purchase order PO-000001 is not reopened: goods of line 1 were returned to the supplier"
    );
    store.change_line(order, 1, |line| line.returned = Quantity::ZERO);
    assert_eq!(store.refuse(command.clone()), "STOCK_GONE");
    store.accept(adjust(AdjustmentKind::Count, "4", None));
    assert_eq!(
        store.refusal_text(command.clone()),
        "purchase order PO-000001 is not reopened: it has the back order PO-000001-B1, and back orders are off in this store"
    );
    store.row().back_orders_enabled = true;
    store.accept(command);
}

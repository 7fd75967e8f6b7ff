//! Tests of adjusting: what each kind does to stock and to the line that goods came by, and each refusal in its order.

use super::*;
use crate::domain::testing::{NO_SUCH_ORDER, TestStore, quantity};

mod lots;

const KINDS: [AdjustmentKind; 5] = AdjustmentKind::ALL;

fn adjust(kind: AdjustmentKind, amount: &str) -> AdjustInventory {
    AdjustInventory {
        product: ProductId::new("oak"),
        kind,
        quantity: quantity(amount),
        unit_cost: None,
        unit: None,
        reason: "as told".to_owned(),
        returned_line: None,
        lot: None,
    }
}

fn at_cost(cost: &str, adjust: AdjustInventory) -> AdjustInventory {
    AdjustInventory { unit_cost: Some(UnitCost::parse(cost).unwrap()), ..adjust }
}

fn of_line(order: OrderId, line: i32, adjust: AdjustInventory) -> AdjustInventory {
    AdjustInventory { returned_line: Some(ReturnedLine { order, line, etag: String::new() }), ..adjust }
}

/// A store with a draft of oak, so that oak is known, and so much of it on hand at 2.
fn store_with(on_hand: i64) -> TestStore {
    let mut store = TestStore::new();
    store.draft(&["oak 1"]);
    store.change_level("oak", |level| {
        level.on_hand = Quantity::from_scaled(on_hand * Quantity::SCALE);
        level.average_cost = UnitCost::parse("2").unwrap();
    });
    store
}

/// The ledger rows of the last command: kind, quantity, cost, balance and average.
fn ledger(store: &TestStore) -> Vec<String> {
    let rows = store.decided.movements.iter();
    rows.map(|row| {
        let Movement { quantity, unit_cost, balance_after, average_after, .. } = row;
        format!("{} {quantity} at {unit_cost}: {balance_after} at {average_after}", row.kind.name())
    })
    .collect()
}

#[test]
fn each_kind_moves_stock_its_way() {
    for (command, row) in [
        (adjust(AdjustmentKind::Sale, "4"), "SALE -4 at 2: 6 at 2"),
        (adjust(AdjustmentKind::Sale, "10"), "SALE -10 at 2: 0 at 2"),
        (adjust(AdjustmentKind::CustomerReturn, "5"), "CUSTOMER_RETURN 5 at 2: 15 at 2"),
        (at_cost("5", adjust(AdjustmentKind::CustomerReturn, "5")), "CUSTOMER_RETURN 5 at 5: 15 at 3"),
        (adjust(AdjustmentKind::ReturnToSupplier, "4"), "RETURN_TO_SUPPLIER -4 at 2: 6 at 2"),
        (adjust(AdjustmentKind::Count, "7"), "COUNT -3 at 2: 7 at 2"),
        (adjust(AdjustmentKind::Count, "0"), "COUNT -10 at 2: 0 at 2"),
        (adjust(AdjustmentKind::Count, "12"), "COUNT 2 at 2: 12 at 2"),
        (at_cost("8", adjust(AdjustmentKind::Count, "12")), "COUNT 2 at 8: 12 at 3"),
        // What is taken out leaves at the average, whatever the count said that it cost.
        (at_cost("8", adjust(AdjustmentKind::Count, "9")), "COUNT -1 at 2: 9 at 2"),
        (adjust(AdjustmentKind::Loss, "1"), "LOSS -1 at 2: 9 at 2"),
    ] {
        let mut store = store_with(10);
        assert_eq!(store.accept(command.clone()), 11, "{command:?}");
        assert_eq!(ledger(&store), [row], "{command:?}");
        assert_eq!(store.events(), ["STOCK_ADJUSTED"]);
        let posted = &store.decided.movements[0];
        assert_eq!((posted.event, posted.number, posted.reason.as_deref()), (11, 1, Some("as told")));
        assert_eq!((posted.order, posted.line, posted.receipt), (None, None, None));
    }
}

#[test]
fn an_event_tells_what_moved_and_why() {
    let mut store = store_with(10);
    store.accept(adjust(AdjustmentKind::Loss, "3"));
    let expected =
        r#"{"product":"oak","kind":"LOSS","quantity":"-3","unit_cost":"2","on_hand":"7","reason":"as told"}"#;
    assert_eq!(store.event_details(), [expected]);
}

#[test]
fn a_count_that_finds_what_is_there_writes_nothing() {
    let mut store = store_with(10);
    let reply = store.send(adjust(AdjustmentKind::Count, "10")).unwrap();
    assert_eq!(reply.outcome.event(), 0);
    assert_eq!(reply.level.unwrap().on_hand, quantity("10"));
    assert!(store.decided.movements.is_empty() && store.decided.levels.is_empty());
    assert_eq!(store.events(), [""; 0]);
}

#[test]
fn nothing_is_taken_out_that_is_not_there() {
    for kind in [AdjustmentKind::Sale, AdjustmentKind::ReturnToSupplier, AdjustmentKind::Loss] {
        for (on_hand, taken, refusal) in [
            (3, "5", "3 of product oak are on hand, 2 too few: the store does not allow negative stock"),
            (0, "1", "0 of product oak are on hand, 1 too few: the store does not allow negative stock"),
            (-2, "1", "-2 of product oak are on hand, 3 too few: the store does not allow negative stock"),
        ] {
            let mut store = store_with(on_hand);
            assert_eq!(store.refusal_text(adjust(kind, taken)), refusal);
            assert_eq!(store.refuse(adjust(kind, taken)), "INSUFFICIENT_STOCK");
            store.row().allow_negative_stock = true;
            store.accept(adjust(kind, taken));
            assert!(store.decided.levels[0].on_hand < Quantity::ZERO);
        }
    }
}

#[test]
fn stock_below_zero_is_put_right_also_where_it_is_not_allowed_any_more() {
    let mut store = store_with(-5);
    store.accept(at_cost("9", adjust(AdjustmentKind::CustomerReturn, "2")));
    assert_eq!(ledger(&store), ["CUSTOMER_RETURN 2 at 9: -3 at 9"]);
    assert_eq!(store.refuse(adjust(AdjustmentKind::Sale, "1")), "INSUFFICIENT_STOCK");
    store.accept(adjust(AdjustmentKind::Count, "0"));
    assert_eq!(ledger(&store), ["COUNT 3 at 9: 0 at 9"]);
}

#[test]
fn a_first_adjustment_fixes_the_unit_of_its_product() {
    let new = |kind, amount, unit| AdjustInventory { unit, ..adjust(kind, amount) };
    let mut store = TestStore::new();
    for kind in KINDS {
        assert_eq!(store.refuse(new(kind, "1", None)), "INVALID_FOR_STORED_DATA");
    }
    assert_eq!(
        store.refusal_text(new(AdjustmentKind::Count, "1.5", None)),
        "unit is required: the product oak is new to this store"
    );
    assert_eq!(store.refuse(new(AdjustmentKind::Count, "1.5", Some(Unit::Each))), "INVALID_FOR_STORED_DATA");
    assert_eq!(store.refuse(new(AdjustmentKind::Sale, "1", Some(Unit::Each))), "INSUFFICIENT_STOCK");
    // Nothing was found of something that nobody knew.
    let reply = store.send(new(AdjustmentKind::Count, "0", Some(Unit::Each))).unwrap();
    assert_eq!((reply.outcome.event(), reply.level), (0, None));

    let first = at_cost("3", new(AdjustmentKind::Count, "1.5", Some(Unit::Kilogram)));
    let reply = store.send(first).unwrap();
    assert_eq!(reply.level.unwrap().unit, Unit::Kilogram);
    assert_eq!(ledger(&store), ["COUNT 1.5 at 3: 1.5 at 3"]);
    store.accept(new(AdjustmentKind::Sale, "0.25", Some(Unit::Kilogram)));
    assert_eq!(
        store.refusal_text(new(AdjustmentKind::Sale, "1", Some(Unit::Each))),
        "unit is EACH, but oak is counted in KILOGRAM in this store"
    );
}

#[test]
fn levels_stay_within_their_limits_on_both_sides() {
    let mut store = store_with(899_999_999_999);
    assert_eq!(store.refuse(adjust(AdjustmentKind::CustomerReturn, "2")), "LEVEL_OUT_OF_RANGE");
    store.accept(adjust(AdjustmentKind::CustomerReturn, "1"));
    let mut store = store_with(-899_999_999_999);
    store.row().allow_negative_stock = true;
    assert_eq!(store.refuse(adjust(AdjustmentKind::Sale, "2")), "LEVEL_OUT_OF_RANGE");
    store.accept(adjust(AdjustmentKind::Sale, "1"));
}

/// An order of which 4 oak at 1 were received and completed, and 10 oak at 2 on hand.
fn completed() -> (TestStore, OrderId) {
    let mut store = TestStore::new();
    let order = store.order_in(State::Completed);
    store.change_level("oak", |level| {
        level.on_hand = quantity("10");
        level.average_cost = UnitCost::parse("2").unwrap();
    });
    (store, order)
}

#[test]
fn goods_go_back_by_the_line_that_they_came_by() {
    let (mut store, order) = completed();
    let back = |amount| of_line(order, 1, adjust(AdjustmentKind::ReturnToSupplier, amount));
    let reply = store.send(back("3")).unwrap();
    // They leave at what the line cost, and the average stays.
    assert_eq!(ledger(&store), ["RETURN_TO_SUPPLIER -3 at 1: 7 at 2"]);
    let posted = &store.decided.movements[0];
    assert_eq!((posted.order, posted.line, posted.receipt), (Some(order), Some(1), None));
    assert_eq!(store.line_of(order, 1).returned, quantity("3"));
    // It is the order's event, and moves its revision.
    let event = &store.decided.events[0];
    assert_eq!(
        event.order.as_ref().map(|after| (after.order, after.revision, after.state)),
        Some((order, 2, State::Completed))
    );
    assert_eq!(reply.orders[0].view.order.etag(), "2");
    assert_eq!(reply.orders[0].lines[0].returned, quantity("3"));

    assert_eq!(store.refusal_text(back("2")), "quantity is 2, but of line 1 4 were received and 3 returned");
    store.accept(back("1"));
    assert_eq!(store.refuse(back("1")), "INVALID_FOR_STORED_DATA");
}

#[test]
fn a_return_must_fit_its_line() {
    let (mut store, order) = completed();
    let back = adjust(AdjustmentKind::ReturnToSupplier, "1");
    let of_ash = AdjustInventory { product: ProductId::new("ash"), unit: Some(Unit::Each), ..back.clone() };
    assert_eq!(store.refusal_text(of_line(order, 1, of_ash)), "product_id is ash, but line 1 is of oak");
    assert_eq!(store.refuse(of_line(order, 2, back.clone())), "LINE_NOT_FOUND");
    // More was received than is on hand, because some was sold.
    store.change_level("oak", |level| level.on_hand = quantity("0.5"));
    assert_eq!(store.refuse(of_line(order, 1, back)), "INSUFFICIENT_STOCK");
}

#[test]
fn refusals_come_in_their_order() {
    let (mut store, order) = completed();
    let mut command = of_line(NO_SUCH_ORDER, 2, adjust(AdjustmentKind::ReturnToSupplier, "99.5"));
    let change = |command: &mut AdjustInventory, changed: ReturnedLine| command.returned_line = Some(changed);
    store.call_with(&[Permission::View, Permission::Receive]);
    assert_eq!(store.refuse(command.clone()), "PERMISSION_MISSING");
    store.call_with(&[Permission::AdjustInventory]);
    assert_eq!(store.refuse(command.clone()), "PURCHASE_ORDER_NOT_FOUND");
    change(&mut command, ReturnedLine { order, line: 2, etag: "9".to_owned() });
    store.change_order(order, |order| order.state = State::Receiving);
    assert_eq!(store.refuse(command.clone()), "ETAG_MISMATCH");
    change(&mut command, ReturnedLine { order, line: 2, etag: "1".to_owned() });
    for state in [State::Draft, State::OnOrder, State::Receiving, State::Cancelled] {
        store.change_order(order, |order| order.state = state);
        assert_eq!(store.refuse(command.clone()), "WRONG_STATE");
    }
    store.change_order(order, |order| order.state = State::Completed);
    assert_eq!(store.refuse(command.clone()), "LINE_NOT_FOUND");
    change(&mut command, ReturnedLine { order, line: 1, etag: "1".to_owned() });
    assert_eq!(store.refuse(command.clone()), "INVALID_FOR_STORED_DATA");
    command.quantity = quantity("4");
    store.change_level("oak", |level| level.on_hand = quantity("3"));
    assert_eq!(store.refuse(command.clone()), "INSUFFICIENT_STOCK");
    command.quantity = quantity("3");
    store.accept(command);
}

#[test]
fn a_retry_is_answered_again_with_the_level_as_it_is_now() {
    use crate::domain::idempotency::IdempotencyKey;
    let mut store = store_with(10);
    let key = IdempotencyKey { id: uuid::Uuid::from_u128(7), fingerprint: "sale".to_owned() };
    store.request_id = Some(key);
    let first = store.send(adjust(AdjustmentKind::Sale, "8")).unwrap();
    let again = store.send(adjust(AdjustmentKind::Sale, "8")).unwrap();
    assert_eq!((first.clone(), store.events()), (again, vec![]));
    assert_eq!(first.level.unwrap().on_hand, quantity("2"));
}

//! Tests of adjusting stock that is in lots.

use super::*;
use crate::domain::inventory::lot::MAX_LOTS_TAKEN;
use crate::domain::testing::date;

fn of_lot(code: &str, expiry_date: &str, adjust: AdjustInventory) -> AdjustInventory {
    let expiry_date = if expiry_date.is_empty() { None } else { Some(date(expiry_date)) };
    AdjustInventory { lot: Some(NamedLot { code: code.to_owned(), expiry_date }), ..adjust }
}

/// 10 oak: 2 of lot a, which never expires; 3 of b, which expires in May; 1 of b, which expires in April; 4 in no lot.
fn stock() -> TestStore {
    let mut store = store_with(4);
    for (code, expiry_date, amount) in [("a", "", "2"), ("b", "2026-05-01", "3"), ("b", "2026-04-01", "1")] {
        // Together with its date the code tells the lot.
        store.lot("oak", code, expiry_date, amount);
    }
    store
}

/// The ledger rows of the last command: lot, expiry date and quantity.
fn lots(store: &TestStore) -> Vec<String> {
    let mut lots = Vec::new();
    for row in &store.decided.movements {
        let lot = row.lot.as_ref().map_or("no lot".to_owned(), |lot| {
            format!("{} {}", lot.code, lot.expiry_date.map_or("never".to_owned(), |date| date.to_string()))
        });
        lots.push(format!("{lot}: {}", row.quantity));
    }
    lots
}

#[test]
fn stock_is_taken_from_the_lot_that_expires_first_and_put_into_none() {
    use AdjustmentKind::{Count, CustomerReturn, Loss, ReturnToSupplier, Sale};
    let all = ["b 2026-04-01: -1", "b 2026-05-01: -3", "a never: -2", "no lot: -4"];
    for (kind, amount, expected) in [
        (Sale, "1", &all[..1]),
        (Sale, "3", &["b 2026-04-01: -1", "b 2026-05-01: -2"]),
        (Loss, "6", &all[..3]),
        (ReturnToSupplier, "10", &all),
        (Count, "0", &all),
        (Count, "9", &all[..1]),
        (Count, "12", &["no lot: 2"]),
        (CustomerReturn, "2", &["no lot: 2"]),
    ] {
        let mut store = stock();
        let reply = store.send(adjust(kind, amount)).unwrap();
        assert_eq!(lots(&store), expected, "{kind:?} {amount}");
        let Outcome::StockAdjusted(adjusted) = reply.outcome else { panic!("{:?}", reply.outcome) };
        assert_eq!((adjusted.movement, adjusted.movement_count), (1, expected.len() as i32));
        assert_eq!(adjusted.lots.len(), expected.iter().filter(|row| !row.starts_with("no lot")).count());
        let numbers: Vec<i64> = store.decided.movements.iter().map(|row| row.number).collect();
        assert_eq!(numbers, (1..=expected.len() as i64).collect::<Vec<_>>());
        assert_eq!(store.events(), ["STOCK_ADJUSTED"]);
    }
}

#[test]
fn a_named_lot_alone_changes() {
    use AdjustmentKind::{Count, CustomerReturn, Loss, Sale};
    for (kind, code, expiry_date, amount, expected) in [
        (Sale, "a", "", "2", &["a never: -2"][..]),
        (Loss, "b", "2026-05-01", "2", &["b 2026-05-01: -2"]),
        // Without its date, of the lots with this code the one that expires first.
        (Sale, "b", "", "2", &["b 2026-04-01: -1", "b 2026-05-01: -1"]),
        (Count, "b", "", "3", &["b 2026-04-01: -1"]),
        (Count, "b", "2026-05-01", "5", &["b 2026-05-01: 2"]),
        (Count, "a", "", "0", &["a never: -2"]),
        (CustomerReturn, "a", "", "1", &["a never: 1"]),
        (CustomerReturn, "b", "2026-04-01", "1", &["b 2026-04-01: 1"]),
        // A lot that nobody knows yet, or with another date.
        (CustomerReturn, "c", "2026-06-01", "1", &["c 2026-06-01: 1"]),
        (Count, "c", "", "1", &["c never: 1"]),
        (CustomerReturn, "a", "2026-06-01", "1", &["a 2026-06-01: 1"]),
    ] {
        let mut store = stock();
        store.accept(of_lot(code, expiry_date, adjust(kind, amount)));
        assert_eq!(lots(&store), expected, "{kind:?} {code} {expiry_date} {amount}");
    }
    for (code, amount) in [("a", "2"), ("b", "4"), ("c", "0")] {
        let mut store = stock();
        let reply = store.send(of_lot(code, "", adjust(AdjustmentKind::Count, amount))).unwrap();
        assert_eq!((reply.outcome.event(), lots(&store).len()), (0, 0), "{code} is as it was counted");
    }
}

#[test]
fn a_lot_that_was_sold_out_is_known_by_its_code() {
    let mut store = stock();
    store.accept(of_lot("b", "2026-04-01", adjust(AdjustmentKind::Sale, "1")));
    store.accept(of_lot("b", "2026-04-01", adjust(AdjustmentKind::CustomerReturn, "1")));
    assert_eq!(lots(&store), ["b 2026-04-01: 1"]);
    let mut store = stock();
    store.accept(of_lot("a", "", adjust(AdjustmentKind::Sale, "2")));
    store.accept(of_lot("a", "", adjust(AdjustmentKind::CustomerReturn, "1")));
    assert_eq!(lots(&store), ["a never: 1"]);
}

#[test]
fn a_lot_is_never_taken_below_zero() {
    for allowed in [false, true] {
        let mut store = stock();
        store.row().allow_negative_stock = allowed;
        for (code, expiry_date, amount, text) in [
            ("a", "", "3", "2 of lot a of product oak are on hand, 1 too few"),
            ("b", "2026-05-01", "4", "3 of lot b of product oak are on hand, 1 too few"),
            ("b", "", "5", "4 of lot b of product oak are on hand, 1 too few"),
            ("c", "", "1", "0 of lot c of product oak are on hand, 1 too few"),
            ("a", "2026-05-01", "1", "0 of lot a of product oak are on hand, 1 too few"),
        ] {
            let command = of_lot(code, expiry_date, adjust(AdjustmentKind::Sale, amount));
            assert_eq!(store.refusal_text(command.clone()), text);
            assert_eq!(store.refuse(command), "INSUFFICIENT_LOT");
        }
    }
    // What is missing altogether is missing from what is in no lot.
    let mut store = stock();
    assert_eq!(store.refuse(adjust(AdjustmentKind::Sale, "11")), "INSUFFICIENT_STOCK");
    store.row().allow_negative_stock = true;
    store.accept(adjust(AdjustmentKind::Sale, "11"));
    assert_eq!(lots(&store), ["b 2026-04-01: -1", "b 2026-05-01: -3", "a never: -2", "no lot: -5"]);
    store.lot("oak", "d", "", "1");
    store.row().allow_negative_stock = false;
    // One is of lot d, but in all there is none.
    assert_eq!(store.refuse(of_lot("d", "", adjust(AdjustmentKind::Sale, "1"))), "INSUFFICIENT_STOCK");
    assert_eq!(store.accept(of_lot("d", "", adjust(AdjustmentKind::Count, "1"))), 0, "it is there as counted");
}

#[test]
fn goods_are_put_into_one_of_several_lots_by_its_date() {
    let mut store = stock();
    for kind in [AdjustmentKind::CustomerReturn, AdjustmentKind::Count] {
        assert_eq!(
            store.refusal_text(of_lot("b", "", adjust(kind, "5"))),
            "lot.expiry_date is required: 2 lots of oak have this code"
        );
    }
}

#[test]
fn a_code_of_more_lots_than_are_looked_at_needs_its_expiry_date() {
    let mut store = store_with(0);
    for n in 0..=MAX_LOTS_TAKEN {
        let (year, month, day) = (2027 + n / 336, 1 + n / 28 % 12, 1 + n % 28);
        store.lot("oak", "a", &format!("{year}-{month:02}-{day:02}"), "1");
    }
    for kind in [AdjustmentKind::Sale, AdjustmentKind::CustomerReturn, AdjustmentKind::Count] {
        assert_eq!(
            store.refusal_text(of_lot("a", "", adjust(kind, "1"))),
            "lot.expiry_date is required: more than 1,000 lots of oak have this code"
        );
    }
    store.accept(of_lot("a", "2027-01-01", adjust(AdjustmentKind::Sale, "1")));
    store.accept(of_lot("a", "2027-01-02", adjust(AdjustmentKind::Count, "3")));
    assert_eq!(store.decided.movements.len(), 1);
}

#[test]
fn stock_is_taken_out_of_so_many_lots_at_most() {
    let mut store = store_with(0);
    for n in 0..=MAX_LOTS_TAKEN {
        store.lot("oak", &n.to_string(), "", "1");
    }
    assert_eq!(store.refuse(adjust(AdjustmentKind::Sale, "1001")), "TOO_MANY_LOTS");
    assert_eq!(store.refuse(adjust(AdjustmentKind::Sale, "1002")), "INSUFFICIENT_STOCK");
    store.accept(adjust(AdjustmentKind::Sale, "1000"));
    assert_eq!(store.decided.movements.len(), 1_000);
    store.accept(adjust(AdjustmentKind::Sale, "1"));
}

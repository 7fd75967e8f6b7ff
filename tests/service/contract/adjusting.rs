//! Story of AdjustInventory: stock that moves beside purchase orders.

use purchase_order_service::proto::v1::AdjustmentKind::{
    Count, CustomerReturn, Loss, ReturnToSupplier, Sale, Unspecified,
};
use purchase_order_service::proto::v1::PendingDisposition::BackOrder;
use purchase_order_service::proto::v1::{AdjustInventoryRequest, AdjustInventoryResponse, StockMovementKind, Unit};
use rstest::rstest;
use tonic::Code::{Aborted, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied};

use crate::contract::story::{AN_ID, Story, absent, as_much_as_there_may_be};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, lot_text};

const OTHER_ID: &str = "00000000-0000-4000-8000-000000000077";

/// What an adjustment came to: its quantity, what is on hand now, at which average, and their value.
fn told(answer: &AdjustInventoryResponse) -> String {
    let level = answer.inventory_level.as_ref().unwrap();
    let (average, value) = (level.average_cost.as_deref().unwrap(), level.value.as_deref().unwrap());
    format!("{}: {} on hand at {average}, worth {value}", answer.quantity, level.on_hand)
}

async fn allow_negative_stock(alice: &Caller, allow: bool) {
    let update = alice.update_store(&["allow_negative_stock"]);
    let store = update.with(|request| request.allow_negative_stock = allow).ok().await.store.unwrap();
    assert_eq!(store.allow_negative_stock, allow);
}

/// A week behind the till: everything that happens to goods that are there.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn adjust_inventory(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(story) = Story::<AdjustInventoryRequest>::on(on).await else { return };
    let (alice, bob) = (story.world.alice(), story.world.bob());

    // A product that nobody knew is counted for the first time.
    let unknown = story.refused(alice.adjust("tea", Count, "1.5"), InvalidArgument, "INVALID_FOR_STORED_DATA").await;
    unknown.names_fields(&["unit"]);
    let unsold = alice.adjust("tea", Sale, "1").counted_in(Unit::Kilogram);
    story.refused(unsold, FailedPrecondition, "INSUFFICIENT_STOCK").await;
    let halves = alice.adjust("tea", Count, "1.5").counted_in(Unit::Box);
    story.refused(halves, InvalidArgument, "INVALID_FOR_STORED_DATA").await.names_fields(&["quantity"]);
    let none = alice.adjust("tea", Count, "0").counted_in(Unit::Kilogram).ok().await;
    assert_eq!((none.event_number, none.inventory_level), (0, None));
    let first = alice.adjust("tea", Count, "1.5").counted_in(Unit::Kilogram).costing("60");
    let first = story.ok(first).await;
    assert_eq!((told(&first), first.movement_number), ("1.5: 1.5 on hand at 60, worth 90".to_owned(), 1));

    // It is sold, brought back, lost, sent back and counted.
    let other_unit = alice.adjust("tea", Sale, "1").counted_in(Unit::Gram);
    story.refused(other_unit, InvalidArgument, "INVALID_FOR_STORED_DATA").await.names_fields(&["unit"]);
    let sold = story.ok(alice.adjust("tea", Sale, "0.5").id(AN_ID)).await;
    assert_eq!(told(&sold), "-0.5: 1 on hand at 60, worth 60");
    let too_much = story.refused(alice.adjust("tea", Sale, "1.2501"), FailedPrecondition, "INSUFFICIENT_STOCK").await;
    assert_eq!((too_much.metadata("on_hand"), too_much.metadata("missing")), ("1".to_owned(), "0.2501".to_owned()));
    let back = story.ok(alice.adjust("tea", CustomerReturn, "0.25").costing("80")).await;
    assert_eq!(told(&back), "0.25: 1.25 on hand at 64, worth 80");
    let priced = alice.adjust("tea", Sale, "1").costing("9");
    story.refused(priced, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["unit_cost"]);
    assert_eq!(told(&story.ok(alice.adjust("tea", Loss, "0.05")).await), "-0.05: 1.2 on hand at 64, worth 76.8");
    story.refused(alice.adjust("tea", Loss, "1.3"), FailedPrecondition, "INSUFFICIENT_STOCK").await;
    story.ok(alice.adjust("tea", ReturnToSupplier, "0.2")).await;
    story.refused(alice.adjust("tea", ReturnToSupplier, "2"), FailedPrecondition, "INSUFFICIENT_STOCK").await;
    let counted = story.ok(alice.adjust("tea", Count, "3")).await;
    assert_eq!(told(&counted), "2: 3 on hand at 64, worth 192");
    let same = alice.adjust("tea", Count, "3").ok().await;
    assert_eq!((same.event_number, same.movement_number, &*same.quantity), (0, 0, "0"));

    // A retry is answered by what it did, and by the level as it is now.
    let again = alice.adjust("tea", Sale, "0.5").id(AN_ID).ok().await;
    assert_eq!((again.event_number, again.movement_number), (sold.event_number, sold.movement_number));
    assert_eq!(told(&again), "-0.5: 3 on hand at 64, worth 192");
    story.refused(alice.adjust("tea", Sale, "0.6").id(AN_ID), InvalidArgument, "REQUEST_ID_REUSED").await;

    let ledger = alice.movements("tea").ok().await.stock_movements;
    let kinds: Vec<StockMovementKind> = ledger.iter().map(|row| row.kind()).collect();
    use StockMovementKind as K;
    assert_eq!(kinds, [K::Count, K::Sale, K::CustomerReturn, K::Loss, K::ReturnToSupplier, K::Count]);
    let row = &ledger[2];
    assert_eq!((&*row.reason, &*row.purchase_order_id, row.receive_time), ("as told", "", None));
    assert_eq!((row.unit_cost.as_deref(), row.average_cost_after.as_deref()), (Some("80"), Some("64")));

    // A till goes on selling what is not booked in yet, if the store wants that.
    allow_negative_stock(&alice, true).await;
    assert_eq!(told(&story.ok(alice.adjust("tea", Sale, "5")).await), "-5: -2 on hand at 64, worth 0");
    allow_negative_stock(&alice, false).await;
    story.refused(alice.adjust("tea", Sale, "1"), FailedPrecondition, "INSUFFICIENT_STOCK").await;
    assert_eq!(told(&alice.adjust("tea", CustomerReturn, "1").costing("3").ok().await), "1: -1 on hand at 3, worth 0");
    assert_eq!(told(&alice.adjust("tea", CustomerReturn, "2").costing("2").ok().await), "2: 1 on hand at 2, worth 2");

    goods_go_back(&story, &alice).await;
    lots_of_goods(&story, &alice).await;

    let full: Vec<(&str, &str)> = as_much_as_there_may_be("salt");
    let salt = alice.order(&full).await;
    alice.receive(&salt).all_pending().ok().await;
    alice.complete(&salt).ok().await;
    story.refused(alice.adjust("salt", CustomerReturn, "1"), FailedPrecondition, "LEVEL_OUT_OF_RANGE").await;

    let nothing = alice.adjust("tea", Unspecified, "0").with(|request| request.reason.clear());
    let nothing = story.refused(nothing, InvalidArgument, "INVALID_REQUEST").await;
    nothing.names_fields(&["kind", "quantity", "reason"]);
    let unset = alice.adjust("tea", Sale, "0").with(|request| request.line_number = 1);
    let unset = story.refused(unset, InvalidArgument, "INVALID_REQUEST").await;
    unset.names_fields(&["quantity", "line_number"]);
    story.refused(bob.adjust("tea", Sale, "1"), PermissionDenied, "PERMISSION_MISSING").await;
    story.refused(story.world.operator().adjust("tea", Sale, "1"), PermissionDenied, "NO_STORE_ACCESS").await;
    story.end().await;
}

/// Goods that came in lots are taken out of the one that expires first, or of the one that is at hand.
async fn lots_of_goods(story: &Story<AdjustInventoryRequest>, alice: &Caller) {
    let order = alice.order(&[("milk", "2000")]).await;
    let few = alice.receive(&order).accept(1, "9").lot("M2", "2026-05-01", "4").lot("M1", "2026-04-01", "3");
    few.lot("M3", "", "2").ok().await;
    let many = alice.receive(&order).accept(1, "999");
    (0..999).fold(many, |call, n| call.lot(&format!("S{n}"), "", "1")).ok().await;
    alice.complete(&order).rest(BackOrder).ok().await;
    let lots = |answer: &AdjustInventoryResponse| answer.lots.iter().map(lot_text).collect::<Vec<_>>();

    let sold = story.ok(alice.adjust("milk", Sale, "5").id(OTHER_ID)).await;
    assert_eq!(lots(&sold), ["M1 2026-04-01: -3", "M2 2026-05-01: -2"]);
    assert_eq!((sold.movement_number, sold.movement_count, &*sold.quantity), (1_003, 2, "-5"));
    let again = alice.adjust("milk", Sale, "5").id(OTHER_ID).ok().await;
    assert_eq!((lots(&again), again.movement_count), (lots(&sold), 2), "a retry tells the same lots");
    let lost = story.ok(alice.adjust("milk", Loss, "1").of_lot("M3", "")).await;
    assert_eq!((lots(&lost), &*lost.inventory_level.unwrap().on_hand), (vec!["M3: -1".to_owned()], "1002"));
    let back = story.ok(alice.adjust("milk", CustomerReturn, "1").of_lot("M1", "")).await;
    assert_eq!(lots(&back), ["M1 2026-04-01: 1"], "a lot that was sold out is known by its code");
    let counted = story.ok(alice.adjust("milk", Count, "5").of_lot("M2", "2026-05-01")).await;
    assert_eq!((lots(&counted), &*counted.quantity), (vec!["M2 2026-05-01: 3".to_owned()], "3"));

    let refused =
        story.refused(alice.adjust("milk", Sale, "2").of_lot("M3", ""), FailedPrecondition, "INSUFFICIENT_LOT");
    let refused = refused.await;
    assert_eq!((refused.metadata("lot_code"), refused.metadata("missing")), ("M3".to_owned(), "1".to_owned()));
    let unknown = alice.adjust("milk", Sale, "1").of_lot("M1", "2026-05-01");
    story.refused(unknown, FailedPrecondition, "INSUFFICIENT_LOT").await;
    story.ok(alice.adjust("milk", CustomerReturn, "1").of_lot("M1", "2026-05-01")).await;
    let which = alice.adjust("milk", CustomerReturn, "1").of_lot("M1", "");
    story.refused(which, InvalidArgument, "INVALID_FOR_STORED_DATA").await.names_fields(&["lot.expiry_date"]);
    let malformed = alice.adjust("milk", Sale, "1").of_lot("", "soon");
    let malformed = story.refused(malformed, InvalidArgument, "INVALID_REQUEST").await;
    malformed.names_fields(&["lot.lot_code", "lot.expiry_date"]);
    let all = alice.level("milk").ok().await.inventory_level.unwrap().on_hand;
    story.refused(alice.adjust("milk", Sale, &all), FailedPrecondition, "TOO_MANY_LOTS").await;
    story.ok(alice.adjust("milk", Sale, "1000")).await;
}

/// Some of what was delivered goes back to the supplier, by the line that it came by.
async fn goods_go_back(story: &Story<AdjustInventoryRequest>, alice: &Caller) {
    let order = alice.received(&[("apples", "10"), ("pears", "5")], &[(1, "4"), (2, "1")]).await;
    let back = |quantity: &str| alice.adjust("apples", ReturnToSupplier, quantity).of_line(&order, 1);
    story.refused(back("1"), FailedPrecondition, "WRONG_STATE").await;
    let completed = alice.complete(&order).rest(BackOrder).ok().await.purchase_order.unwrap();
    let etag = |etag: &str| back("3").with(|request| request.etag = etag.to_owned());
    story.refused(etag("1"), Aborted, "ETAG_MISMATCH").await;
    let answer = story.ok(etag(&completed.etag)).await;
    assert_eq!(answer.line.as_ref().unwrap().returned, "3");
    let after = answer.purchase_order.unwrap();
    assert_eq!((after.purchase_order_id, after.etag), (order.purchase_order_id.clone(), "5".to_owned()));

    let more = story.refused(back("2"), InvalidArgument, "INVALID_FOR_STORED_DATA").await;
    assert_eq!(more.message(), "quantity is 2, but of line 1 4 were received and 3 returned");
    let pears = alice.adjust("pears", ReturnToSupplier, "1").of_line(&order, 1);
    story.refused(pears, InvalidArgument, "INVALID_FOR_STORED_DATA").await.names_fields(&["product_id"]);
    story.refused(back("1").of_line(&order, 9), NotFound, "LINE_NOT_FOUND").await;
    story.refused(back("1").of_line(&absent(), 1), NotFound, "PURCHASE_ORDER_NOT_FOUND").await;
    let sold = alice.adjust("apples", Sale, "1").of_line(&order, 1);
    story.refused(sold, InvalidArgument, "INVALID_REQUEST").await.names_fields(&["purchase_order_id"]);
    alice.adjust("apples", Sale, "1").ok().await;
    story.refused(back("1"), FailedPrecondition, "INSUFFICIENT_STOCK").await;

    let chain = alice.chain(&order).ok().await;
    assert_eq!((&*chain.lines[0].received, &*chain.lines[0].returned), ("4", "3"));
    let ledger = alice.movements("apples").ok().await.stock_movements;
    assert_eq!((&*ledger[1].purchase_order_id, ledger[1].line_number), (&*order.purchase_order_id, 1));
}

//! Reopening: a completion is put right in the open, and the books are as if it had been right at once. What others have
//! built on it stands.

use purchase_order_service::proto::v1::AdjustmentKind::{CustomerReturn, Sale};
use purchase_order_service::proto::v1::PendingDisposition::{BackOrder, Cancel};
use purchase_order_service::proto::v1::event::Change;
use purchase_order_service::proto::v1::{PurchaseOrder, PurchaseOrderAction, PurchaseOrderState, StockMovementKind};
use rstest::rstest;
use tonic::Code::FailedPrecondition;
use uuid::Uuid;

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, World, at, line, line_text, order_of, unlisted_item};

async fn texts(caller: &Caller, order: &PurchaseOrder) -> Vec<String> {
    caller.lines(order).await.iter().map(line_text).collect()
}

async fn may_reopen(caller: &Caller, order: &PurchaseOrder) -> bool {
    let seen = caller.seen(&order.purchase_order_id).await;
    let listed = caller.list().ok().await.purchase_orders;
    assert!(listed.contains(&seen), "a list shows what Get shows");
    seen.allowed_actions().any(|action| action == PurchaseOrderAction::Reopen)
}

/// The average cost of a product, and what its ledger says: kind, quantity and the average cost after it.
async fn ledger(caller: &Caller, product: &str) -> Vec<(StockMovementKind, String, String)> {
    let rows = caller.movements(product).ok().await.stock_movements;
    rows.into_iter().map(|row| (row.kind(), row.quantity.clone(), row.average_cost_after().to_owned())).collect()
}

async fn average(caller: &Caller, product: &str) -> String {
    caller.level(product).ok().await.inventory_level.unwrap().average_cost().to_owned()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_line_is_corrected_after_its_order_was_completed(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (alice, bob) = (world.alice(), world.bob());
    let order = alice.order(&[("apples", "10"), ("pears", "5")]).await;
    world.clock.set("2026-03-03T10:00:00Z");
    bob.receive(&order).accept(1, "4").accept(2, "5").with(|r| r.receive_time = at("2026-03-02T18:00:00Z")).ok().await;
    world.clock.set("2026-03-04T10:00:00Z");
    let first = alice.back_order(&order).await;

    // It was six apples, as the note says.
    world.clock.set("2026-03-05T10:00:00Z");
    alice.reopen(&order).ok().await;
    let receipt = alice.receipt(&order, 1).ok().await.receipt.unwrap();
    assert_eq!((receipt.receive_time, receipt.book_time), (at("2026-03-02T18:00:00Z"), at("2026-03-03T10:00:00Z")));
    alice.correct(&order, 1).accept(1, "6").accept(2, "5").ok().await;
    let second = alice.back_order(&order).await;

    assert_eq!(
        texts(&alice, &order).await,
        ["1 apples: 10 ordered, 6 received, 4 back-ordered", "2 pears: 5 ordered, 5 received"]
    );
    assert_eq!(texts(&alice, &second).await, ["1 apples: 4 ordered, 4 pending"]);
    assert_eq!(alice.stock("apples").await, "6 on hand, 4 on order, 4 back-ordered");
    let line = alice.lines(&order).await.remove(0);
    assert_eq!(
        (line.first_receive_time, line.back_order_time),
        (at("2026-03-02T18:00:00Z"), at("2026-03-05T10:00:00Z"))
    );
    assert_eq!(alice.seen(&order.purchase_order_id).await.complete_time, at("2026-03-05T10:00:00Z"));

    // The chain goes on with the next number at the same place, whichever of its orders it is asked for by.
    assert_eq!((&*first.number, &*second.number, second.back_order_sequence), ("PO-000001-B1", "PO-000001-B2", 1));
    for named in [&order, &first, &second] {
        let chain = alice.chain(named).ok().await;
        let numbers: Vec<&str> = chain.purchase_orders.iter().map(|order| &*order.number).collect();
        assert_eq!(numbers, ["PO-000001", "PO-000001-B2"], "by {}", named.number);
        assert_eq!((&*chain.lines[0].received, &*chain.lines[0].cancelled, &*chain.lines[0].pending), ("6", "0", "4"));
    }
    // It is an order of the store like others, also by its product.
    for by_prefix in [false, true] {
        let by_product = alice.list().with(|request| {
            request.product_id = "apples".to_owned();
            request.number_prefix = if by_prefix { "PO-000001".to_owned() } else { String::new() };
        });
        let listed = by_product.ok().await.purchase_orders;
        assert_eq!(listed.len(), 3, "{:?}", listed.iter().map(|order| &order.number).collect::<Vec<_>>());
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_price_is_corrected_with_the_average_cost_right_to_the_last_place(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let old = alice.create(&[]).with(|r| {
        r.lines = vec![line("tea", "3")];
        r.lines[0].unit_cost = Some("1".to_owned());
    });
    let old = old.ok().await.purchase_order.unwrap();
    alice.place(&old).ok().await;
    alice.receive(&old).all_pending().ok().await;
    alice.complete(&old).ok().await;
    let new = alice.order(&[("tea", "4"), ("tea", "3")]).await;
    let priced = |cost: &str| {
        alice.receive(&new).accept(1, "4").accept(2, "3").with(|request| {
            request.items[0].unit_cost = Some(cost.to_owned());
            request.items[1].unit_cost = Some("0.7".to_owned());
        })
    };
    priced("2").ok().await;
    alice.complete(&new).ok().await;
    assert_eq!(average(&alice, "tea").await, "1.31");

    alice.reopen(&new).ok().await;
    assert_eq!(average(&alice, "tea").await, "1", "exactly what it was");
    let corrected = alice.correct(&new, 1).accept(1, "4").accept(2, "3").with(|request| {
        request.items[0].unit_cost = Some("2.1".to_owned());
        request.items[1].unit_cost = Some("0.7".to_owned());
    });
    corrected.ok().await;
    alice.complete(&new).ok().await;
    use StockMovementKind::{Receipt, ReceiptReversal};
    let row = |kind, quantity: &str, average: &str| (kind, quantity.to_owned(), average.to_owned());
    assert_eq!(
        ledger(&alice, "tea").await,
        [
            row(Receipt, "3", "1"),
            row(Receipt, "4", "1.571429"),
            row(Receipt, "3", "1.31"),
            row(ReceiptReversal, "-3", "1.571429"),
            row(ReceiptReversal, "-4", "1"),
            // (3 × 1 + 4 × 2.1) ÷ 7, as if nothing had been before it.
            row(Receipt, "4", "1.628571"),
            row(Receipt, "3", "1.35"),
        ]
    );
    // Once something has moved, the goods leave at their own cost: (11 × 1.35 − 7 × 1.5) ÷ 4, row by row.
    alice.adjust("tea", CustomerReturn, "1").ok().await;
    alice.reopen(&new).ok().await;
    assert_eq!(average(&alice, "tea").await, "1.0875");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn twice_in_a_row_and_what_was_cancelled_before_stays(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.received(&[("apples", "10"), ("pears", "5")], &[(1, "4")]).await;
    alice.cancel_lines(&order, &[(1, "1")]).ok().await;
    let open = ["1 apples: 10 ordered, 4 received, 1 cancelled, 5 pending", "2 pears: 5 ordered, 5 pending"];
    for (rest, child) in [(BackOrder, true), (Cancel, false), (BackOrder, true)] {
        let completed = alice.complete(&order).line(1, "2", "3").rest(rest).because("late").ok().await;
        assert!(completed.back_order.is_some());
        let reopened = alice.reopen(&order).id(Uuid::now_v7()).ok().await;
        assert_eq!(reopened.folded_back_order.unwrap().number, completed.back_order.unwrap().number);
        assert_eq!(texts(&alice, &order).await, open, "{child}");
        assert_eq!(alice.stock("apples").await, "4 staged, 5 on order");
    }
    let refused = alice.reopen(&order).refused(FailedPrecondition, "WRONG_STATE").await;
    assert_eq!(refused.metadata("state"), "RECEIVING");
    alice.complete(&order).rest(Cancel).because("late").ok().await;
    assert_eq!(texts(&alice, &order).await[0], "1 apples: 10 ordered, 4 received, 6 cancelled");
    let numbers: Vec<String> = alice.list().ok().await.purchase_orders.into_iter().map(|order| order.number).collect();
    assert_eq!(numbers, ["PO-000001-B3", "PO-000001-B2", "PO-000001-B1", "PO-000001"]);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn not_once_its_back_order_was_touched(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    alice.update_store(&["allow_unlisted_items"]).with(|request| request.allow_unlisted_items = true).ok().await;
    for way in
        ["received", "rejected", "cancelled in part", "cancelled", "completed", "amended", "confirmed", "a line added"]
    {
        let order = alice.received(&[("apples", "10"), ("pears", "5")], &[(1, "4")]).await;
        let child = alice.back_order(&order).await;
        assert!(may_reopen(&alice, &order).await, "{way}");
        match way {
            "received" => drop(alice.receive(&child).accept(1, "1").ok().await),
            "rejected" => drop(alice.receive(&child).reject(1, "1", "mouldy").ok().await),
            "cancelled in part" => drop(alice.cancel_lines(&child, &[(1, "1")]).ok().await),
            "amended" => drop(alice.amend(&child, &[(1, "7")]).ok().await),
            "confirmed" => drop(alice.confirm(&child, &[(1, "")]).ok().await),
            "cancelled" => drop(alice.cancel(&child).ok().await),
            "completed" => {
                alice.receive(&child).all_pending().ok().await;
                alice.complete(&child).ok().await;
            }
            _ => {
                let soap = alice.receive(&child).with(|request| request.items.push(unlisted_item("soap", "1")));
                soap.ok().await;
                alice.void(&child, 1).ok().await;
            }
        }
        assert!(!may_reopen(&alice, &order).await, "{way}");
        let refused = alice.reopen(&order).refused(FailedPrecondition, "BACK_ORDER_TOUCHED").await;
        assert_eq!(refused.metadata("back_order"), child.number, "{way}");
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_reopened_order_is_amended_and_completed_again(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.received(&[("apples", "10"), ("pears", "5")], &[(1, "4")]).await;
    alice.amend(&order, &[(1, "12")]).ok().await;
    let first = alice.back_order(&order).await;
    assert_eq!(texts(&alice, &first).await, ["1 apples: 8 ordered, 8 pending", "2 pears: 5 ordered, 5 pending"]);
    alice.reopen(&order).ok().await;
    let amended = alice.amend(&order, &[(1, "5")]).with(|request| request.new_lines.push(line("figs", "3")));
    amended.ok().await;
    let second = alice.back_order(&order).await;
    assert_eq!(
        texts(&alice, &second).await,
        ["1 apples: 1 ordered, 1 pending", "2 pears: 5 ordered, 5 pending", "3 figs: 3 ordered, 3 pending"]
    );
    let chain = alice.chain(&order).ok().await;
    let of_chain: Vec<_> = chain
        .lines
        .iter()
        .map(|line| (&*line.first_ordered, &*line.amended, &*line.received, &*line.pending))
        .collect();
    assert_eq!(of_chain, [("10", "-5", "4", "1"), ("5", "0", "0", "5"), ("3", "0", "0", "3")]);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_chain_is_reopened_from_its_end(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.received(&[("apples", "10")], &[(1, "4")]).await;
    let first = alice.back_order(&order).await;
    alice.receive(&first).accept(1, "1").ok().await;
    let second = alice.back_order(&first).await;
    assert!(!may_reopen(&alice, &order).await && may_reopen(&alice, &first).await);
    alice.reopen(&first).ok().await;
    alice.reopen(&order).refused(FailedPrecondition, "BACK_ORDER_TOUCHED").await;
    alice.void(&first, 1).ok().await;
    assert!(may_reopen(&alice, &order).await);
    alice.reopen(&order).ok().await;
    assert_eq!(texts(&alice, &order).await, ["1 apples: 10 ordered, 4 received, 6 pending"]);
    let third = alice.back_order(&order).await;
    assert_eq!((&*second.number, &*third.number), ("PO-000001-B2", "PO-000001-B3"));
    for folded in [first, second] {
        let seen = alice.seen(&folded.purchase_order_id).await;
        assert_eq!((seen.state(), seen.folded_back), (PurchaseOrderState::Cancelled, true));
    }
    assert_eq!(alice.stock("apples").await, "4 on hand, 6 on order, 6 back-ordered");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn not_once_the_stock_is_gone_of_a_product_or_of_a_lot(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    alice.update_store(&["allow_negative_stock"]).with(|request| request.allow_negative_stock = true).ok().await;
    let order = alice.order(&[("apples", "4"), ("cheese", "5"), ("bread", "2")]).await;
    let delivery = alice.receive(&order).accept(1, "4").accept(2, "5").lot("L1", "2026-05-01", "3");
    delivery.lot("L2", "2026-06-01", "2").accept(3, "2").ok().await;
    alice.complete(&order).ok().await;
    // More cheese is there than before, but not of the first lot; and of bread nothing is in no lot any more.
    alice.adjust("cheese", CustomerReturn, "9").ok().await;
    alice.adjust("cheese", Sale, "1").of_lot("L1", "2026-05-01").ok().await;
    alice.adjust("bread", Sale, "1").ok().await;
    alice.adjust("bread", CustomerReturn, "1").of_lot("B1", "2026-04-01").ok().await;
    let refused = alice.reopen(&order).refused(FailedPrecondition, "STOCK_GONE").await;
    assert_eq!(
        (refused.metadata("product_ids"), refused.metadata("total")),
        ("bread,cheese".to_owned(), "2".to_owned())
    );
    alice.adjust("apples", Sale, "5").ok().await;
    let refused = alice.reopen(&order).refused(FailedPrecondition, "STOCK_GONE").await;
    assert_eq!(refused.metadata("product_ids"), "apples,bread,cheese");
    assert!(may_reopen(&alice, &order).await, "stock is judged by the call alone");
    for (product, lot) in [("apples", None), ("bread", None), ("cheese", Some(("L1", "2026-05-01")))] {
        let back = alice.adjust(product, CustomerReturn, "5");
        let back = match lot {
            Some((code, expiry_date)) => back.of_lot(code, expiry_date),
            None => back,
        };
        back.ok().await;
    }
    alice.reopen(&order).ok().await;
    let lots = alice.list_lots().ok().await.inventory_lots;
    let lots: Vec<_> = lots.iter().map(|lot| (&*lot.product_id, &*lot.lot_code, &*lot.on_hand)).collect();
    assert_eq!(lots, [("bread", "B1", "1"), ("cheese", "L1", "4")], "the lots of the order were taken out");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn in_one_batch_an_answer_tells_what_may_be_done_after_the_commands_before_it(
    #[values(Sqlite, Postgres)] on: Engine,
) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.order(&[("apples", "10")]).await;
    let first = alice.receive(&order).accept(1, "4").id(Uuid::now_v7());
    first.clone().ok().await;
    let child = alice.back_order(&order).await;
    assert!(may_reopen(&alice, &order).await);
    // Something of the back order is received, and the receipt of its parent is sent again, which answers with the header
    // as it is now.
    let answers = world.queued_up(vec![alice.receive(&child).accept(1, "1"), first]).await;
    let header = answers[1].as_ref().unwrap().purchase_order.clone().unwrap();
    assert_eq!(header, alice.seen(&order.purchase_order_id).await);
    assert!(header.allowed_actions().all(|action| action != PurchaseOrderAction::Reopen), "{header:?}");
    assert!(world.stats().largest_batch >= 2, "{:?}", world.stats());
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_histories_of_both_orders_tell_why(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (alice, carol) = (world.alice(), world.carol());
    let order = alice.received(&[("apples", "10"), ("pears", "5")], &[(1, "4")]).await;
    let completed = alice.complete(&order).line(2, "2", "3").rest(BackOrder).because("late").ok().await;
    let child = alice.seen(&completed.back_order.unwrap().purchase_order_id).await;
    let reopened = carol.reopen(&order).ok().await;
    let last = alice.history(&order).ok().await.events.pop().unwrap();
    assert_eq!(
        (last.event_number, &*last.actor, order_of(&last).state()),
        (reopened.event_number, "carol", PurchaseOrderState::Receiving)
    );
    let Some(Change::Reopened(change)) = last.change else { panic!("{last:?}") };
    let lines = change.lines.iter().map(|line| (line.line_number, &*line.back_ordered, &*line.cancelled));
    assert_eq!(lines.collect::<Vec<_>>(), [(1, "6", "0"), (2, "2", "3")]);
    assert_eq!((change.line_count, &*change.reason), (2, "a box was found"));
    assert_eq!(change.back_order_purchase_order_id, child.purchase_order_id);
    let last = alice.history(&child).ok().await.events.pop().unwrap();
    assert_eq!(
        (last.event_number, order_of(&last).state()),
        (reopened.event_number + 1, PurchaseOrderState::Cancelled)
    );
    let Some(Change::BackOrderFolded(change)) = last.change else { panic!("{last:?}") };
    let lines = change.lines.iter().map(|line| (line.line_number, &*line.quantity));
    assert_eq!(lines.collect::<Vec<_>>(), [(1, "6"), (2, "2")]);
    assert_eq!((change.line_count, &*change.reason), (2, "a box was found"));
    assert_eq!(change.parent_purchase_order_id, order.purchase_order_id);
    world.verify().await;
}

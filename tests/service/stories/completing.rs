//! Completing: what came goes on hand, what did not is back-ordered or cancelled as the caller says,
//! and nothing is lost or made up on the way.

use purchase_order_service::proto::v1::PendingDisposition::{BackOrder, Cancel};
use purchase_order_service::proto::v1::{PurchaseOrderAction, PurchaseOrderState, StockMovement};
use rstest::rstest;
use tonic::Code::{FailedPrecondition, InvalidArgument, NotFound};

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{World, at, line_text};

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn ten_lines_of_which_some_came_some_in_part_some_not_and_some_were_rejected(
    #[values(Sqlite, Postgres)] on: Engine,
) {
    let Some(world) = World::on(on).await else { return };
    let (alice, bob) = (world.alice(), world.bob());
    let names = ["apples", "pears", "plums", "figs", "dates", "limes", "leeks", "onions", "peas", "beans"];
    let order = alice.order(&names.map(|name| (name, "10"))).await;
    let monday = bob.receive(&order).accept(1, "10").accept(2, "4").accept(3, "10").reject(8, "10", "mouldy");
    monday.ok().await;
    let tuesday = bob.receive(&order).accept(2, "3").reject(4, "2", "crushed").accept(5, "1");
    tuesday.ok().await;

    let completed = alice.complete(&order).line(9, "", "10").rest(BackOrder).because("not sold any more").ok().await;

    let lines = alice.lines(&order).await;
    assert_eq!(
        lines.iter().map(line_text).collect::<Vec<_>>(),
        [
            "1 apples: 10 ordered, 10 received",
            "2 pears: 10 ordered, 7 received, 3 back-ordered",
            "3 plums: 10 ordered, 10 received",
            "4 figs: 10 ordered, 2 rejected, 10 back-ordered",
            "5 dates: 10 ordered, 1 received, 9 back-ordered",
            "6 limes: 10 ordered, 10 back-ordered",
            "7 leeks: 10 ordered, 10 back-ordered",
            "8 onions: 10 ordered, 10 rejected, 10 back-ordered",
            "9 peas: 10 ordered, 10 cancelled",
            "10 beans: 10 ordered, 10 back-ordered",
        ]
    );
    let child = completed.back_order.unwrap();
    assert_eq!((child.number.as_str(), child.line_count), ("PO-000001-B1", 7));
    let child = alice.lines(&alice.seen(&child.purchase_order_id).await).await;
    assert_eq!(
        child.iter().map(line_text).collect::<Vec<_>>(),
        [
            "2 pears: 3 ordered, 3 pending",
            "4 figs: 10 ordered, 10 pending",
            "5 dates: 9 ordered, 9 pending",
            "6 limes: 10 ordered, 10 pending",
            "7 leeks: 10 ordered, 10 pending",
            "8 onions: 10 ordered, 10 pending",
            "10 beans: 10 ordered, 10 pending",
        ]
    );
    for (product, stock) in [
        ("apples", "10 on hand"),
        ("pears", "7 on hand, 3 on order, 3 back-ordered"),
        ("onions", "10 on order, 10 back-ordered"),
        ("peas", ""),
    ] {
        assert_eq!(alice.stock(product).await, stock, "{product}");
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_came_whole_makes_no_back_order(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.received(&[("apples", "10"), ("pears", "5")], &[(1, "10"), (2, "5")]).await;
    world.clock.set("2026-03-03T10:00:00Z");

    let completed = alice.complete(&order).ok().await;

    assert_eq!(completed.back_order, None);
    let order = completed.purchase_order.unwrap();
    assert_eq!(order.state(), PurchaseOrderState::Completed);
    assert_eq!(order.complete_time, at("2026-03-03T10:00:00Z"));
    assert_eq!((order.back_order_purchase_order_id.as_str(), order.pending_line_count), ("", 0));
    assert_eq!(alice.stock("apples").await, "10 on hand");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn with_nothing_pending_any_disposition_is_accepted_and_needs_no_feature(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    world.operator().disable_back_orders().ok().await;
    let order = alice.received(&[("apples", "10")], &[(1, "10")]).await;

    let completed = alice.complete(&order).line(1, "0", "0").rest(BackOrder).ok().await;

    assert_eq!(completed.back_order, None);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_line_is_split_between_the_back_order_and_cancelling(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.received(&[("apples", "10"), ("pears", "8"), ("plums", "5")], &[(1, "4")]).await;

    let split = alice.complete(&order).line(1, "5", "1").line(2, "", "8").rest(BackOrder);
    let completed = split.because("late").ok().await;

    let order = completed.purchase_order.unwrap();
    assert_eq!(order.cancel_reason, "late");
    let lines = alice.lines(&order).await;
    assert_eq!(
        lines.iter().map(line_text).collect::<Vec<_>>(),
        [
            "1 apples: 10 ordered, 4 received, 5 back-ordered, 1 cancelled",
            "2 pears: 8 ordered, 8 cancelled",
            "3 plums: 5 ordered, 5 back-ordered",
        ]
    );
    assert_eq!(completed.back_order.unwrap().line_count, 2);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn two_lines_with_one_product_are_computed_separately(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.order(&[("apples", "10"), ("apples", "10")]).await;

    // 20 came for 20 ordered, but what one line has too much never makes up for the other.
    let uneven = alice.receive(&order).accept(1, "12").accept(2, "8");
    let refused = uneven.refused(FailedPrecondition, "OVER_RECEIPT").await;
    assert_eq!((refused.metadata("line_numbers"), refused.metadata("total")), ("1".to_owned(), "1".to_owned()));

    alice.receive(&order).accept(1, "10").accept(2, "8").ok().await;
    assert_eq!(alice.stock("apples").await, "18 staged, 2 on order");
    let back_order = alice.back_order(&order).await;
    assert_eq!(alice.stock("apples").await, "18 on hand, 2 on order, 2 back-ordered");
    let lines = alice.lines(&back_order).await;
    assert_eq!(lines.iter().map(line_text).collect::<Vec<_>>(), ["2 apples: 2 ordered, 2 pending"]);
    let movements = alice.movements("apples").ok().await.stock_movements;
    let rows: Vec<_> = movements.iter().map(|m| (m.line_number, &*m.quantity, &*m.balance_after)).collect();
    assert_eq!(rows, [(1, "10", "10"), (2, "8", "18")]);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_settles_is_refused_with_the_list_of_it(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let lines: Vec<(String, &str)> = (1..=25).map(|n| (format!("product-{n}"), "2")).collect();
    let lines: Vec<(&str, &str)> = lines.iter().map(|(name, quantity)| (name.as_str(), *quantity)).collect();
    let order = alice.received(&lines, &[(1, "2"), (2, "1")]).await;

    let refused = alice.complete(&order).line(3, "2", "").refused(FailedPrecondition, "PENDING_UNSETTLED").await;

    assert_eq!(refused.metadata("total"), "23");
    assert_eq!(refused.metadata("line_numbers"), "2,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22");
    assert_eq!(alice.seen(&order.purchase_order_id).await, order, "a refused call changes nothing");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_nothing_was_accepted_of_is_not_completed(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.order(&[("apples", "10")]).await;
    let completion = || alice.complete(&order).rest(BackOrder);

    completion().refused(FailedPrecondition, "NOTHING_RECEIVED").await;
    alice.receive(&order).reject(1, "10", "mouldy").ok().await;
    completion().refused(FailedPrecondition, "NOTHING_RECEIVED").await;

    let draft = alice.draft(&[("apples", "1")]).await;
    let refused = alice.complete(&draft).refused(FailedPrecondition, "WRONG_STATE").await;
    assert_eq!(refused.metadata("state"), "DRAFT");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_completed_order_is_closed_to_everything(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.received(&[("apples", "10")], &[(1, "10")]).await;
    alice.complete(&order).ok().await;

    for state in [
        alice.complete(&order).refused(FailedPrecondition, "WRONG_STATE").await.metadata("state"),
        alice.place(&order).refused(FailedPrecondition, "WRONG_STATE").await.metadata("state"),
        alice.receive(&order).accept(1, "1").refused(FailedPrecondition, "WRONG_STATE").await.metadata("state"),
        alice.void(&order, 1).refused(FailedPrecondition, "WRONG_STATE").await.metadata("state"),
        alice.cancel(&order).refused(FailedPrecondition, "WRONG_STATE").await.metadata("state"),
        alice.preview(&order).refused(FailedPrecondition, "WRONG_STATE").await.metadata("state"),
    ] {
        assert_eq!(state, "COMPLETED");
    }
    let allowed = alice.seen(&order.purchase_order_id).await.allowed_actions;
    let expected = [PurchaseOrderAction::Copy, PurchaseOrderAction::Reopen].map(i32::from);
    assert_eq!(allowed, expected, "it can be ordered again, as another order, or put right");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn dispositions_must_fit_what_is_pending(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.received(&[("apples", "10"), ("pears", "8"), ("plums", "5")], &[(1, "4"), (3, "5")]).await;
    let completion = || alice.complete(&order).because("late");

    let wrong = completion().line(1, "7", "").line(2, "7", "0.5").line(3, "1", "").rest(Cancel);
    let refused = wrong.refused(InvalidArgument, "INVALID_FOR_STORED_DATA").await;
    refused.names_fields(&["lines[0]", "lines[1].cancel", "lines[1]", "lines[2]"]);

    let unreasoned = alice.complete(&order).line(1, "5", "1").rest(BackOrder);
    let refused = unreasoned.refused(InvalidArgument, "INVALID_FOR_STORED_DATA").await;
    refused.names_fields(&["cancel_reason"]);

    let malformed = completion().line(1, "-1", "1e3").line(0, "1", "").line(1, "", ".5").with(|r| r.rest = 9);
    let refused = malformed.refused(InvalidArgument, "INVALID_REQUEST").await;
    refused.names_fields(&[
        "lines[0].back_order",
        "lines[0].cancel",
        "lines[1].line_number",
        "lines[2].line_number",
        "lines[2].cancel",
        "rest",
    ]);

    let unknown = completion().line(9, "1", "").line(1, "6", "").line(12, "1", "").rest(BackOrder);
    let refused = unknown.refused(NotFound, "LINE_NOT_FOUND").await;
    assert_eq!(refused.metadata("line_numbers"), "9,12");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn every_accepted_item_becomes_one_row_of_the_ledger(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.order(&[("apples", "10")]).await;
    world.clock.set("2026-03-03T10:00:00Z");
    alice.receive(&order).accept(1, "6").ok().await;
    world.clock.set("2026-03-04T10:00:00Z");
    let backdated = |time| alice.receive(&order).accept(1, "1").with(|r| r.receive_time = at(time));
    backdated("2026-03-03T08:00:00Z").ok().await;
    alice.receive(&order).reject(1, "3", "mouldy").ok().await;
    world.clock.set("2026-03-05T10:00:00Z");
    assert_eq!(alice.movements("apples").ok().await.stock_movements, [], "nothing staged is on hand");

    alice.complete(&order).rest(Cancel).because("enough").ok().await;

    let movements = alice.movements("apples").ok().await.stock_movements;
    let row = |m: &StockMovement| (m.movement_number, m.receipt_number, m.quantity.clone(), m.balance_after.clone());
    let rows: Vec<_> = movements.iter().map(row).collect();
    assert_eq!(rows, [(1, 1, "6".into(), "6".into()), (2, 2, "1".into(), "7".into())]);
    assert!(movements.iter().all(|m| m.create_time == at("2026-03-05T10:00:00Z") && m.unit_cost() == "2.5"));
    assert!(movements.iter().all(|m| m.purchase_order_id == order.purchase_order_id && m.line_number == 1));
    assert_eq!(movements[0].receive_time, at("2026-03-03T10:00:00Z"));
    assert_eq!(movements[1].receive_time, at("2026-03-03T08:00:00Z"));
    world.verify().await;
}

//! The feature gate: only an operator turns a store's back orders on, and only while every order of
//! the store is closed.

use rstest::rstest;
use tonic::Code::{FailedPrecondition, NotFound, PermissionDenied};

use purchase_order_service::proto::v1::PendingDisposition::{BackOrder, Cancel};

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::World;

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn without_the_feature_nothing_goes_to_a_back_order(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    world.operator().disable_back_orders().ok().await;
    let order = alice.received(&[("apples", "10"), ("pears", "5")], &[(1, "4")]).await;

    let refused = alice.complete(&order).rest(BackOrder).refused(FailedPrecondition, "BACK_ORDERS_DISABLED").await;
    assert_eq!(refused.metadata("line_numbers"), "1,2");
    let one = alice.complete(&order).line(2, "5", "").rest(Cancel).because("late");
    assert_eq!(one.refused(FailedPrecondition, "BACK_ORDERS_DISABLED").await.metadata("line_numbers"), "2");
    let completed = alice.complete(&order).line(2, "0", "5").rest(Cancel).because("late").ok().await;

    assert_eq!(completed.back_order, None);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_open_order_keeps_the_gate_shut(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (alice, operator) = (world.alice(), world.operator());
    let parent = alice.received(&[("apples", "10")], &[(1, "4")]).await;
    let back_order = alice.back_order(&parent).await;
    let draft = alice.draft(&[("apples", "1")]).await;
    let on_order = alice.order(&[("apples", "1")]).await;
    let receiving = alice.received(&[("apples", "2")], &[(1, "1")]).await;
    operator.disable_back_orders().ok().await;

    let mut open = vec![&back_order.number, &draft.number, &on_order.number, &receiving.number];
    for order in [&back_order, &draft, &on_order, &receiving] {
        let refused = operator.enable_back_orders().refused(FailedPrecondition, "OPEN_PURCHASE_ORDERS").await;
        let expected: Vec<String> = open.iter().map(ToString::to_string).collect();
        assert_eq!(refused.metadata("numbers"), expected.join(","));
        assert_eq!(refused.metadata("total"), expected.len().to_string());
        assert!(refused.message().contains(&order.number), "{}", refused.message());
        open.remove(0);
        match order.number == receiving.number {
            true => drop(alice.complete(order).rest(Cancel).because("late").ok().await),
            false => drop(alice.cancel(order).ok().await),
        }
    }

    let store = operator.enable_back_orders().ok().await.store.unwrap();
    assert!(store.back_orders_enabled);
    assert_eq!(store.open_purchase_order_count, 0);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn at_most_twenty_open_orders_are_named_and_all_are_counted(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    world.operator().disable_back_orders().ok().await;
    for _ in 0..23 {
        world.alice().draft(&[("apples", "1")]).await;
    }

    let refused = world.operator().enable_back_orders().refused(FailedPrecondition, "OPEN_PURCHASE_ORDERS").await;

    let first: Vec<String> = (1..=20).map(|n| format!("PO-{n:06}")).collect();
    assert_eq!((refused.metadata("numbers"), refused.metadata("total")), (first.join(","), "23".to_owned()));
    assert!(refused.message().contains("and 3 more"), "{}", refused.message());
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn turning_it_to_what_it_is_changes_nothing(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let operator = world.operator();
    let order = world.alice().draft(&[("apples", "1")]).await;

    // It is on already, so an open order is no obstacle.
    assert_eq!(operator.enable_back_orders().ok().await.event_number, 0);
    let off = operator.disable_back_orders().ok().await;
    assert!(off.event_number > 0 && !off.store.unwrap().back_orders_enabled);
    assert_eq!(operator.disable_back_orders().ok().await.event_number, 0);
    let next = world.alice().cancel(&order).ok().await;
    assert_eq!(next.event_number, off.event_number + 1, "what changes nothing leaves no event");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_gate_is_the_operators_alone(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };

    for caller in [world.alice(), world.bob(), world.caller("mallory")] {
        caller.enable_back_orders().refused(PermissionDenied, "NOT_PLATFORM_OPERATOR").await;
        caller.disable_back_orders().refused(PermissionDenied, "NOT_PLATFORM_OPERATOR").await;
    }
    world.operator().at("nowhere").enable_back_orders().refused(NotFound, "STORE_NOT_FOUND").await;
    assert!(world.alice().get_store().ok().await.store.unwrap().back_orders_enabled);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_new_store_has_it_off(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };

    let store = world.operator().at("south").create_store("sam").ok().await.store.unwrap();

    assert!(!store.back_orders_enabled);
    world.verify().await;
}

//! The limit of a level, 900,000,000,000 units, wherever it can be passed: on order when placing and
//! voiding, staged when receiving, on hand when completing. What is back-ordered is a part of what is
//! on order and passes it never first.

use purchase_order_service::proto::v1::*;
use rstest::rstest;
use tonic::Code::{FailedPrecondition, InvalidArgument};

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, World, line};

/// A draft of sand, in kilograms, a line for each quantity.
async fn sand(caller: &Caller, quantities: &[&str]) -> PurchaseOrder {
    let in_kilograms = |quantity: &&str| NewLine { unit: Unit::Kilogram.into(), ..line("sand", quantity) };
    let lines = quantities.iter().map(in_kilograms).collect();
    caller.create(&[]).with(|request| request.lines = lines).ok().await.purchase_order.unwrap()
}

/// An order of 900,000,000,000 kg less `missing`: 900 of the largest quantities, and one of the rest.
async fn almost_all(caller: &Caller, rest: &str) -> PurchaseOrder {
    let mut quantities = vec!["999999999.9999"; 900];
    quantities.push(rest);
    let draft = sand(caller, &quantities).await;
    caller.place(&draft).ok().await.purchase_order.unwrap()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn on_order_stops_at_its_limit(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let large = almost_all(&alice, "0.0899").await;
    assert_eq!(alice.stock("sand").await, "899999999999.9999 on order");
    let (one, two) = (sand(&alice, &["0.0001"]).await, sand(&alice, &["0.0002"]).await);

    let refused = alice.place(&two).refused(FailedPrecondition, "LEVEL_OUT_OF_RANGE").await;
    assert_eq!((refused.metadata("product_ids"), refused.metadata("total")), ("sand".to_owned(), "1".to_owned()));
    alice.place(&one).ok().await;
    assert_eq!(alice.stock("sand").await, "900000000000 on order");
    let another = sand(&alice, &["0.0001"]).await;
    alice.place(&another).refused(FailedPrecondition, "LEVEL_OUT_OF_RANGE").await;

    // What is received makes room, and what takes that room keeps the receipt from being voided.
    alice.receive(&large).accept(1, "0.0001").ok().await;
    alice.place(&another).ok().await;
    alice.void(&large, 1).refused(FailedPrecondition, "LEVEL_OUT_OF_RANGE").await;
    alice.cancel(&another).ok().await;
    alice.void(&large, 1).ok().await;
    assert_eq!(alice.stock("sand").await, "900000000000 on order");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn staged_and_on_hand_stop_at_their_limit(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let large = almost_all(&alice, "0.0899").await;
    alice.receive(&large).all_pending().ok().await;
    let draft = sand(&alice, &["0.0002", "1"]).await;
    let small = alice.place(&draft).ok().await.purchase_order.unwrap();

    alice.receive(&small).accept(1, "0.0002").refused(FailedPrecondition, "LEVEL_OUT_OF_RANGE").await;
    alice.receive(&small).accept(1, "0.0001").ok().await;
    assert_eq!(alice.stock("sand").await, "900000000000 staged, 1.0001 on order");
    alice.receive(&small).accept(1, "0.0001").refused(FailedPrecondition, "LEVEL_OUT_OF_RANGE").await;

    alice.complete(&large).ok().await;
    alice.receive(&small).accept(1, "0.0001").ok().await;
    assert_eq!(alice.stock("sand").await, "899999999999.9999 on hand, 0.0002 staged, 1 on order");
    let preview = alice.preview(&small).rest(PendingDisposition::BackOrder).ok().await;
    let blockers: Vec<&str> = preview.blockers.iter().map(|blocker| blocker.reason.as_str()).collect();
    assert_eq!(blockers, ["LEVEL_OUT_OF_RANGE"]);
    let complete = alice.complete(&small).rest(PendingDisposition::BackOrder);
    complete.clone().refused(FailedPrecondition, "LEVEL_OUT_OF_RANGE").await;
    alice.void(&small, 2).ok().await;
    complete.ok().await;
    assert_eq!(alice.stock("sand").await, "900000000000 on hand, 1.0001 on order, 1.0001 back-ordered");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn back_ordered_may_be_all_that_is_on_order(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let large = almost_all(&alice, "0.09").await;
    alice.receive(&large).accept(901, "0.09").ok().await;
    let back_order = alice.back_order(&large).await;
    assert_eq!(alice.stock("sand").await, "0.09 on hand, 899999999999.91 on order, 899999999999.91 back-ordered");
    assert_eq!(back_order.totals.unwrap().ordered, "899999999999.91");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_rejected_on_a_line_has_the_limit_of_a_quantity(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let draft = sand(&alice, &["1", "1"]).await;
    let order = alice.place(&draft).ok().await.purchase_order.unwrap();
    alice.receive(&order).reject(2, "999999999.9998", "wet").ok().await;

    let one_more = alice.receive(&order).reject(1, "0.0002", "wet").reject(2, "0.0002", "wet");
    one_more.refused(InvalidArgument, "INVALID_FOR_STORED_DATA").await.names_fields(&["items[1].rejected"]);
    alice.receive(&order).reject(2, "0.0001", "wet").ok().await;
    let full = alice.receive(&order).reject(2, "0.0001", "wet");
    full.refused(InvalidArgument, "INVALID_FOR_STORED_DATA").await.names_fields(&["items[0].rejected"]);
    // Voided, they make room again.
    alice.void(&order, 1).ok().await;
    alice.receive(&order).reject(2, "999999999.9998", "wet").ok().await;
    world.verify().await;
}

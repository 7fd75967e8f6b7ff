//! Times to the microsecond: how far ahead and how far back a delivery and an order may be.

use purchase_order_service::proto::v1::PurchaseOrder;
use rstest::rstest;
use tonic::Code::InvalidArgument;

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{World, at};

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_at_most_5_minutes_ahead(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.order(&[("apples", "9")]).await;
    world.clock.set("2026-03-02T10:00:00.000007Z");
    let receive = |time: &str| {
        let time = at(time);
        alice.receive(&order).accept(1, "1").with(|request| request.receive_time = time)
    };
    // Nanoseconds are cut, so the last of a microsecond still belongs to it.
    for (given, taken) in [
        ("2026-03-02T10:00:00.000006Z", "2026-03-02T10:00:00.000006Z"),
        ("2026-03-02T10:00:00.000007Z", "2026-03-02T10:00:00.000007Z"),
        ("2026-03-02T10:00:00.000008Z", "2026-03-02T10:00:00.000007Z"),
        ("2026-03-02T10:05:00.000006Z", "2026-03-02T10:00:00.000007Z"),
        ("2026-03-02T10:05:00.000007999Z", "2026-03-02T10:00:00.000007Z"),
    ] {
        assert_eq!(receive(given).ok().await.receipt.unwrap().receive_time, at(taken), "{given}");
    }
    for ahead in ["2026-03-02T10:05:00.000008Z", "9999-12-31T23:59:59.999999999Z"] {
        receive(ahead).refused(InvalidArgument, "INVALID_FOR_STORED_DATA").await.names_fields(&["receive_time"]);
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_not_before_the_chain_was_ordered(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let draft = alice.draft(&[("apples", "9")]).await;
    let place = alice.place(&draft).with(|request| request.order_time = at("2026-02-28T08:00:00.000001Z"));
    let order = place.ok().await.purchase_order.unwrap();
    let receive = |order: &PurchaseOrder, time: &str| {
        let time = at(time);
        alice.receive(order).accept(1, "1").with(|request| request.receive_time = time)
    };
    // The store is in Amsterdam: its 28 February begins at 23:00 UTC.
    let too_early = receive(&order, "2026-02-27T22:59:59.999999999Z");
    too_early.refused(InvalidArgument, "INVALID_FOR_STORED_DATA").await.names_fields(&["receive_time"]);
    for same_day in ["2026-02-27T23:00:00Z", "2026-02-28T08:00:00Z", "2026-02-28T08:00:00.000001Z"] {
        assert_eq!(receive(&order, same_day).ok().await.receipt.unwrap().receive_time, at(same_day));
    }

    // The back order is days younger; its goods may have come with the first.
    world.clock.set("2026-03-05T09:00:00Z");
    let back_order = alice.back_order(&order).await;
    let too_early = receive(&back_order, "2026-02-27T22:59:59Z");
    too_early.refused(InvalidArgument, "INVALID_FOR_STORED_DATA").await.names_fields(&["receive_time"]);
    receive(&back_order, "2026-02-27T23:00:00Z").ok().await;
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_neither_in_the_future_nor_older_than_ten_years(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    for (given, taken) in [
        ("0206-03-02T09:00:00Z", None),
        ("2016-03-01T22:59:59.999999999Z", None),
        ("2016-03-01T23:00:00.999999999Z", Some("2016-03-01T23:00:00.999999Z")),
        ("2026-03-02T08:59:59.999999Z", Some("2026-03-02T08:59:59.999999Z")),
        ("2026-03-02T09:00:00.000000999Z", Some("2026-03-02T09:00:00Z")),
        ("2026-03-02T09:00:00.000001Z", None),
        ("9999-12-31T23:59:59Z", None),
    ] {
        let draft = alice.draft(&[("apples", "1")]).await;
        let place = alice.place(&draft).with(|request| request.order_time = at(given));
        let Some(taken) = taken else {
            place.refused(InvalidArgument, "INVALID_FOR_STORED_DATA").await.names_fields(&["order_time"]);
            continue;
        };
        let placed = place.ok().await.purchase_order.unwrap();
        assert_eq!((placed.order_time, placed.original_order_time), (at(taken), at(taken)), "{given}");
    }
    world.verify().await;
}

//! Sending again: a request id stands for one intention, however often the network makes a client
//! send it; an etag stands for what a caller has seen.

use purchase_order_service::proto::v1::PendingDisposition::{BackOrder, Cancel};
use purchase_order_service::proto::v1::{Permission, PurchaseOrderState};
use rstest::rstest;
use tonic::Code::{Aborted, FailedPrecondition, InvalidArgument, PermissionDenied};
use uuid::Uuid;

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Call, Caller, Mutation, World};

/// Sends a request again and again: the stored response is repeated, and another request under the same
/// id is refused.
async fn repeats<R: Mutation>(call: Call<R>, other: impl FnOnce(&mut R)) -> R::Answer
where
    R::Answer: PartialEq,
{
    let call = call.id(Uuid::now_v7());
    let first = call.clone().ok().await;
    assert_eq!(call.clone().ok().await, first, "{}", R::PATH);
    let refused = call.clone().with(other).refused(InvalidArgument, "REQUEST_ID_REUSED").await;
    refused.names_fields(&["request_id"]);
    assert_eq!(call.ok().await, first, "{}", R::PATH);
    first
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn every_mutation_of_an_order_is_done_once(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();

    let created = repeats(alice.create(&[("apples", "10")]), |request| request.note.push('x')).await;
    let draft = created.purchase_order.unwrap();
    let order = repeats(alice.place(&draft), |request| request.etag.push('1')).await.purchase_order.unwrap();
    let receive = alice.receive(&order).accept(1, "4");
    let received = repeats(receive, |request| request.items[0].accepted = Some("5".to_owned())).await;
    assert_eq!(received.receipt.unwrap().receipt_number, 1);
    alice.receive(&order).accept(1, "1").ok().await;
    repeats(alice.void(&order, 2), |request| request.receipt_number = 1).await;
    let completion = alice.complete(&order).rest(BackOrder);
    let completed = repeats(completion, |request| request.rest = Cancel.into()).await;
    let child = alice.seen(&completed.back_order.unwrap().purchase_order_id).await;
    repeats(alice.cancel(&child), |request| request.reason.push('!')).await;

    let numbers: Vec<String> = alice.list().ok().await.purchase_orders.into_iter().map(|order| order.number).collect();
    assert_eq!(numbers.len(), 2, "{numbers:?}");
    assert_eq!(alice.stock("apples").await, "4 on hand");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn every_mutation_of_a_store_is_done_once(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (operator, alice) = (world.operator(), world.alice());

    repeats(operator.at("south").create_store("sam"), |request| request.currency = "USD".to_owned()).await;
    let (off, on) = (Uuid::now_v7(), Uuid::now_v7());
    let disabled = operator.disable_back_orders().id(off).ok().await;
    assert_eq!(operator.disable_back_orders().id(off).ok().await, disabled);
    // They hold nothing but the store, so another request is one for another rpc.
    operator.enable_back_orders().id(off).refused(InvalidArgument, "REQUEST_ID_REUSED").await;
    let enabled = operator.enable_back_orders().id(on).ok().await;
    assert_eq!(operator.enable_back_orders().id(on).ok().await, enabled);
    assert_eq!(operator.disable_back_orders().id(off).ok().await.event_number, disabled.event_number);
    assert!(operator.get_store().ok().await.store.unwrap().back_orders_enabled, "a replay changes nothing");
    repeats(alice.create_role("pilot", &[Permission::View]), |request| request.permissions.push(2)).await;
    repeats(alice.grant("dora", "pilot"), |request| request.principal = "emil".to_owned()).await;
    repeats(alice.revoke("dora", "pilot"), |request| request.principal = "emil".to_owned()).await;
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_shows_what_was_made_then_and_the_header_as_it_is_now(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.order(&[("apples", "10")]).await;
    let receive = alice.receive(&order).accept(1, "4").id(Uuid::now_v7());
    let received = receive.clone().ok().await;
    alice.receive(&order).accept(1, "1").ok().await;
    world.clock.set("2026-03-03T10:00:00Z");
    alice.void(&order, 1).ok().await;
    let complete = alice.complete(&order).rest(BackOrder).id(Uuid::now_v7());
    let completed = complete.clone().ok().await;
    let child = alice.seen(&completed.back_order.clone().unwrap().purchase_order_id).await;
    alice.cancel(&child).ok().await;

    let receive_again = receive.ok().await;
    assert_eq!((&receive_again.receipt, receive_again.event_number), (&received.receipt, received.event_number));
    let header = receive_again.purchase_order.unwrap();
    assert_eq!((header.state(), header), (PurchaseOrderState::Completed, alice.seen(&order.purchase_order_id).await));
    assert_eq!(receive_again.lines, alice.lines(&order).await);
    let again = complete.ok().await;
    let made = (&again.back_order, again.event_number);
    assert_eq!(made, (&completed.back_order, completed.event_number), "the back order it made is told as it was made");
    assert_eq!(again.purchase_order, Some(alice.seen(&order.purchase_order_id).await));
    assert_ne!(again.purchase_order, completed.purchase_order, "it cannot be reopened any more");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_id_means_something_to_one_caller_in_one_store(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    world.operator().at("south").create_store("alice").ok().await;
    let id = Uuid::now_v7();
    let create = |caller: Caller| caller.create(&[("apples", "1")]).id(id);

    let first = create(world.alice()).ok().await.purchase_order.unwrap();
    let others = create(world.carol()).ok().await.purchase_order.unwrap();
    let elsewhere = create(world.alice().at("south")).ok().await.purchase_order.unwrap();

    assert_eq!([&*first.number, &*others.number, &*elsewhere.number], ["PO-000001", "PO-000002", "PO-000001"]);
    let shouted = world.alice().create(&[("apples", "1")]).id(id.to_string().to_uppercase());
    assert_eq!(shouted.ok().await.purchase_order.unwrap(), first, "a UUID is the same in either case");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_is_judged_afresh(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.order(&[("apples", "10")]).await;
    let complete = alice.complete(&order).rest(BackOrder).id(Uuid::now_v7());

    complete.clone().refused(FailedPrecondition, "NOTHING_RECEIVED").await;
    alice.receive(&order).accept(1, "1").ok().await;
    let completed = complete.clone().ok().await;

    assert_eq!(complete.ok().await, completed);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_stored_answer_is_for_those_who_still_may(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let create = world.carol().create(&[("apples", "1")]).id(Uuid::now_v7());
    create.clone().ok().await;

    world.alice().revoke("carol", "manager").ok().await;

    create.refused(PermissionDenied, "NO_STORE_ACCESS").await;
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn stored_responses_are_kept_for_seven_days(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let id = Uuid::now_v7();
    let first = world.alice().create(&[("apples", "1")]).id(id).ok().await;

    for day in 2..9 {
        world.clock.set(&format!("2026-03-{day:02}T09:00:00Z"));
        world.prune().await.unwrap();
    }
    world.clock.set("2026-03-09T08:59:00Z");
    world.prune().await.unwrap();
    assert_eq!(world.alice().create(&[("apples", "1")]).id(id).ok().await, first);
    world.clock.set("2026-03-10T09:00:00Z");
    world.prune().await.unwrap();
    let again = world.alice().create(&[("apples", "1")]).id(id).ok().await;

    assert_eq!(again.purchase_order.unwrap().number, "PO-000002", "after that, an id is a new one");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_etag_holds_until_the_order_changes(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let draft = alice.draft(&[("apples", "10")]).await;
    let order = alice.place(&draft).with(|r| r.etag = draft.etag.clone()).ok().await.purchase_order.unwrap();
    let etag = draft.etag.as_str();

    let refused = [
        alice.place(&order).with(|r| r.etag = etag.to_owned()).refused(Aborted, "ETAG_MISMATCH").await,
        alice.receive(&order).accept(1, "1").with(|r| r.etag = etag.to_owned()).refused(Aborted, "ETAG_MISMATCH").await,
        alice.complete(&order).with(|r| r.etag = etag.to_owned()).refused(Aborted, "ETAG_MISMATCH").await,
        alice.cancel(&order).with(|r| r.etag = etag.to_owned()).refused(Aborted, "ETAG_MISMATCH").await,
    ];
    assert!(refused.iter().all(|refused| refused.metadata("etag") == order.etag));
    let received = alice.receive(&order).accept(1, "1").with(|r| r.etag = order.etag.clone()).ok().await;
    let after = received.purchase_order.unwrap();
    assert_ne!(after.etag, order.etag);
    let void = alice.void(&order, 1);
    void.clone().with(|r| r.etag = order.etag.clone()).refused(Aborted, "ETAG_MISMATCH").await;
    void.with(|r| r.etag = after.etag).ok().await;
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn stock_grants_and_settings_move_no_etag(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.received(&[("apples", "10")], &[(1, "1")]).await;

    let other = alice.received(&[("apples", "2")], &[(1, "2")]).await;
    alice.complete(&other).ok().await;
    alice.grant("dora", "receiver").ok().await;
    world.operator().disable_back_orders().ok().await;

    assert_eq!(alice.seen(&order.purchase_order_id).await, order);
    world.verify().await;
}

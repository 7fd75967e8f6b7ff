//! Races: calls that meet, many rounds each. Whatever order they come in, one of the stories that
//! could be told one after another is what happened. On PostgreSQL they come through two instances.

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Call, Caller, Instance, STORE, World, reason, together, writer_of};
use purchase_order_service::proto::v1::PendingDisposition::BackOrder;
use purchase_order_service::proto::v1::{CompletePurchaseOrderRequest, PurchaseOrder, PurchaseOrderAction};
use rstest::rstest;
use tonic::Code::{FailedPrecondition, PermissionDenied};
use uuid::Uuid;

const ROUNDS: usize = 25;

/// A world with another instance beside its own, where instances may share a database: a SQLite
/// database belongs to one.
async fn instances(on: Engine) -> Option<(World, Option<Instance>)> {
    let world = World::on(on).await?;
    let other = match on {
        Sqlite => None,
        Postgres => Some(world.another_instance().await),
    };
    Some((world, other))
}

/// The same caller through the other instance, if there is one.
fn through(other: &Option<Instance>, caller: &Caller) -> Caller {
    other.as_ref().map_or_else(|| caller.clone(), |other| other.caller(caller))
}

fn complete(caller: &Caller, order: &PurchaseOrder) -> Call<CompletePurchaseOrderRequest> {
    caller.complete(order).rest(BackOrder).id(Uuid::now_v7())
}

/// The numbers of the back orders that an order has.
async fn back_orders_of(caller: &Caller, order: &PurchaseOrder) -> Vec<String> {
    let of_order = caller.list().with(|r| (r.number_prefix, r.back_orders_only) = (order.number.clone(), true));
    of_order.ok().await.purchase_orders.into_iter().map(|order| order.number).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn of_thirty_two_completions_one_wins(#[values(Sqlite, Postgres)] on: Engine) {
    let Some((world, other)) = instances(on).await else { return };
    let alice = world.alice();
    for _ in 0..ROUNDS {
        let order = alice.received(&[("apples", "10"), ("pears", "5")], &[(1, "4")]).await;
        let callers = [alice.clone(), through(&other, &alice)];

        let answers = together((0..32).map(|n| complete(&callers[n % 2], &order))).await;

        let refused: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
        assert_eq!(refused.len(), 31);
        assert!(refused.iter().all(|status| (status.code(), &*reason(status)) == (FailedPrecondition, "WRONG_STATE")));
        assert_eq!(back_orders_of(&alice, &order).await.len(), 1);
    }
    assert_eq!(alice.movements("apples").ok().await.stock_movements.len(), ROUNDS);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn thirty_two_sendings_of_one_completion_get_one_answer(#[values(Sqlite, Postgres)] on: Engine) {
    let Some((world, other)) = instances(on).await else { return };
    let alice = world.alice();
    for _ in 0..ROUNDS {
        let order = alice.received(&[("apples", "10"), ("pears", "5")], &[(1, "4")]).await;
        let (callers, id) = ([alice.clone(), through(&other, &alice)], Uuid::now_v7());

        let answers = together((0..32).map(|n| complete(&callers[n % 2], &order).id(id))).await;

        let expected = answers[0].as_ref().unwrap();
        assert!(answers.iter().all(|answer| answer.as_ref().unwrap() == expected));
        assert_eq!(back_orders_of(&alice, &order).await, [expected.back_order.clone().unwrap().number]);
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_gate_opens_before_an_order_is_created_or_not_at_all(#[values(Sqlite, Postgres)] on: Engine) {
    let Some((world, other)) = instances(on).await else { return };
    let (alice, operator) = (world.alice(), through(&other, &world.operator()));
    let mut opened = 0;
    for round in 0..ROUNDS {
        operator.disable_back_orders().ok().await;

        // Who is sent first changes from round to round.
        let early = (round % 2 == 0).then(|| operator.enable_back_orders().start());
        let drafts: Vec<_> = (0..3).map(|_| alice.create(&[("apples", "1")]).start()).collect();
        let enabled = early.unwrap_or_else(|| operator.enable_back_orders().start()).await.unwrap();

        let mut events = Vec::new();
        for draft in drafts {
            let draft = draft.await.unwrap().unwrap();
            events.push(draft.event_number);
            alice.cancel(&draft.purchase_order.unwrap()).ok().await;
        }
        match enabled {
            Ok(enabled) => {
                opened += 1;
                assert!(events.iter().all(|created| *created > enabled.event_number), "{events:?} {enabled:?}");
            }
            Err(status) => assert_eq!(reason(&status), "OPEN_PURCHASE_ORDERS"),
        }
    }
    println!("the gate opened in {opened} of {ROUNDS} rounds");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_back_order_is_folded_back_or_received_and_never_both(#[values(Sqlite, Postgres)] on: Engine) {
    let Some((world, other)) = instances(on).await else { return };
    let (alice, bob) = (world.alice(), through(&other, &world.bob()));
    let mut folded = 0;
    for round in 0..ROUNDS {
        let order = alice.received(&[("apples", "10")], &[(1, "4")]).await;
        let child = alice.back_order(&order).await;

        // Who is sent first changes from round to round.
        let delivery = bob.receive(&child).accept(1, "1");
        let early = (round % 2 == 0).then(|| delivery.clone().start());
        let reopened = alice.reopen(&order).start();
        let received = early.unwrap_or_else(|| delivery.start()).await.unwrap();

        match (reopened.await.unwrap(), received) {
            (Ok(reopened), Err(status)) => {
                folded += 1;
                assert_eq!(reason(&status), "WRONG_STATE");
                assert_eq!(reopened.folded_back_order.unwrap().number, child.number);
            }
            (Err(status), Ok(_)) => assert_eq!(reason(&status), "BACK_ORDER_TOUCHED"),
            both => panic!("{both:?}"),
        }
        let seen = alice.seen(&order.purchase_order_id).await;
        assert!(seen.allowed_actions().all(|action| action != PurchaseOrderAction::Reopen), "{seen:?}");
    }
    println!("the back order was folded back in {folded} of {ROUNDS} rounds");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_completed_or_refused_and_never_lost(#[values(Sqlite, Postgres)] on: Engine) {
    let Some((world, other)) = instances(on).await else { return };
    let (alice, bob) = (world.alice(), through(&other, &world.bob()));
    let mut on_hand = 0;
    for round in 0..ROUNDS {
        let order = alice.received(&[("apples", "10")], &[(1, "4")]).await;

        let delivery = bob.receive(&order).accept(1, "3");
        let early = (round % 2 == 0).then(|| delivery.clone().start());
        let completed = complete(&alice, &order).start();
        let received = early.unwrap_or_else(|| delivery.start()).await.unwrap();

        let child = completed.await.unwrap().unwrap().back_order.unwrap();
        let child = alice.seen(&child.purchase_order_id).await.totals.unwrap();
        let expected = match received {
            Ok(_) => (7, "3"),
            Err(status) => {
                assert_eq!((status.code(), &*reason(&status)), (FailedPrecondition, "WRONG_STATE"));
                (4, "6")
            }
        };
        on_hand += expected.0;
        assert_eq!(child.pending, expected.1);
        let level = alice.level("apples").ok().await.inventory_level.unwrap();
        assert_eq!((level.on_hand, level.staged), (on_hand.to_string(), "0".to_owned()));
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_cancelled_or_received_and_never_both(#[values(Sqlite, Postgres)] on: Engine) {
    let Some((world, other)) = instances(on).await else { return };
    let (alice, bob) = (world.alice(), through(&other, &world.bob()));
    for round in 0..ROUNDS {
        let order = alice.order(&[("apples", "10")]).await;

        let delivery = bob.receive(&order).all_pending();
        let early = (round % 2 == 0).then(|| delivery.clone().start());
        let cancelled = alice.cancel(&order).start();
        let received = early.unwrap_or_else(|| delivery.start()).await.unwrap();

        match (cancelled.await.unwrap(), received) {
            (Ok(_), Err(status)) => assert_eq!(reason(&status), "WRONG_STATE"),
            (Err(status), Ok(_)) => assert_eq!(reason(&status), "ACCEPTED_STAGED"),
            both => panic!("{both:?}"),
        }
    }
    world.verify().await;
}

/// Less is ordered at the moment at which more comes: the second of the two is judged by what the first has left.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_is_ordered_however_much_an_amendment_takes_away(#[values(Sqlite, Postgres)] on: Engine) {
    let Some((world, other)) = instances(on).await else { return };
    let (alice, bob) = (world.alice(), through(&other, &world.bob()));
    let mut amended = 0;
    for round in 0..ROUNDS {
        let order = alice.received(&[("apples", "10")], &[(1, "2")]).await;

        // Who is sent first changes from round to round.
        let amend = alice.amend(&order, &[(1, "5")]);
        let early = (round % 2 == 0).then(|| amend.clone().start());
        let received = bob.receive(&order).accept(1, "6").start();
        let amend = early.unwrap_or_else(|| amend.start()).await.unwrap();
        let received = received.await.unwrap();

        // 8 of 5 would be more than the store allows.
        match (amend, received) {
            (Ok(_), Err(status)) => {
                amended += 1;
                assert_eq!(reason(&status), "OVER_RECEIPT");
            }
            (Err(status), Ok(_)) => assert_eq!(reason(&status), "INVALID_FOR_STORED_DATA"),
            (amend, received) => panic!("{amend:?} and {received:?}"),
        }
    }
    println!("the amendment was first in {amended} of {ROUNDS} rounds");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_line_is_given_up_or_back_ordered_and_never_both(#[values(Sqlite, Postgres)] on: Engine) {
    let Some((world, other)) = instances(on).await else { return };
    let (alice, carol) = (world.alice(), through(&other, &world.carol()));
    let mut given_up = 0;
    for round in 0..ROUNDS {
        let order = alice.received(&[("apples", "10"), ("pears", "5")], &[(1, "4")]).await;

        // Who is sent first changes from round to round.
        let cancel = carol.cancel_lines(&order, &[(2, "")]);
        let early = (round % 2 == 0).then(|| cancel.clone().start());
        let completed = complete(&alice, &order).start();
        let cancelled = early.unwrap_or_else(|| cancel.start()).await.unwrap();
        let child = completed.await.unwrap().unwrap().back_order.unwrap();

        match cancelled {
            Ok(_) => {
                given_up += 1;
                assert_eq!(child.line_count, 1);
            }
            Err(status) => {
                assert_eq!(reason(&status), "WRONG_STATE");
                assert_eq!(child.line_count, 2);
            }
        }
    }
    println!("the line was given up in {given_up} of {ROUNDS} rounds");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_completion_that_waits_behind_a_revoke_is_refused(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (alice, carol) = (world.alice(), world.carol());
    for _ in 0..ROUNDS {
        let order = alice.received(&[("apples", "10")], &[(1, "4")]).await;

        let held = world.database.hold(STORE);
        let revoked = alice.revoke("carol", "manager").start();
        world.catch_up().await;
        let completed = complete(&carol, &order).start();
        world.catch_up().await;
        held.release();

        revoked.await.unwrap().unwrap();
        let status = completed.await.unwrap().unwrap_err();
        assert_eq!((status.code(), &*reason(&status)), (PermissionDenied, "NO_STORE_ACCESS"));
        alice.grant("carol", "manager").ok().await;
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_completion_in_front_of_a_revoke_is_done(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (alice, carol) = (world.alice(), world.carol());
    let order = alice.received(&[("apples", "10")], &[(1, "4")]).await;

    let held = world.database.hold(STORE);
    let completed = complete(&carol, &order).start();
    world.catch_up().await;
    let revoked = alice.revoke("carol", "manager").start();
    world.catch_up().await;
    held.release();

    let completed = completed.await.unwrap().unwrap();
    assert!(completed.event_number < revoked.await.unwrap().unwrap().event_number);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_revoke_by_another_instance_holds_from_its_commit(#[values(Sqlite, Postgres)] on: Engine) {
    let Some((world, other)) = instances(on).await else { return };
    let (alice, carol) = (world.alice(), through(&other, &world.carol()));
    for _ in 0..ROUNDS {
        let order = alice.received(&[("apples", "10")], &[(1, "4")]).await;

        let held = world.database.hold(STORE);
        let revoked = alice.revoke("carol", "manager").start();
        let completed = complete(&carol, &order).start();
        world.catch_up().await;
        held.release();

        let revoked = revoked.await.unwrap().unwrap().event_number;
        match completed.await.unwrap() {
            Ok(completed) => assert!(completed.event_number < revoked, "{completed:?} after {revoked}"),
            Err(status) => assert_eq!(reason(&status), "NO_STORE_ACCESS"),
        }
        alice.grant("carol", "manager").ok().await;
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn completions_that_share_products_in_opposite_order_both_succeed(#[values(Sqlite, Postgres)] on: Engine) {
    let Some((world, other)) = instances(on).await else { return };
    let alice = world.alice();
    for _ in 0..ROUNDS {
        let there = alice.received(&[("apples", "10"), ("pears", "10")], &[(1, "5"), (2, "5")]).await;
        let back = alice.received(&[("pears", "10"), ("apples", "10")], &[(1, "5"), (2, "5")]).await;

        let answers = together([complete(&alice, &there), complete(&through(&other, &alice), &back)]).await;

        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    }
    let expected = (ROUNDS * 10).to_string();
    for product in ["apples", "pears"] {
        assert_eq!(alice.level(product).ok().await.inventory_level.unwrap().on_hand, expected);
    }
    world.verify().await;
}

/// PostgreSQL alone: on SQLite a writer waits for the database and reads afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_store_is_locked_is_tried_again_until_it_is_not() {
    let recorder = crate::support::Recorder::default();
    let Some(database) = crate::support::Database::migrated(Postgres) else { return };
    let setup = crate::support::Setup { observer: Some(recorder.observer()), ..crate::support::Setup::default() };
    let world = World::set_up(database, setup).await;
    let order = world.alice().received(&[("apples", "10")], &[(1, "4")]).await;
    let before = recorder.begun();

    let mut other = world.database.session();
    other.batch("BEGIN; UPDATE store SET last_event = last_event WHERE store_id = 'north'").unwrap();
    let completed = complete(&world.alice(), &order).start();
    while recorder.begun() < before + 3 {
        tokio::task::yield_now().await;
    }
    assert!(!completed.is_finished(), "it is tried again and again, and waits for nobody");
    other.batch("COMMIT").unwrap();

    completed.await.unwrap().unwrap();
    world.verify().await;
}

/// PostgreSQL alone: SQLite locks the database and not stores.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_locked_elsewhere_holds_up_no_other_of_its_writer() {
    let Some(world) = World::on(Postgres).await else { return };
    let names = (0..).map(|n| format!("store-{n}")).filter(|name| writer_of(name) == writer_of(STORE));
    let names: Vec<String> = names.take(3).collect();
    let owner = |store: &str| Caller::of(world.channel(), "alice", store);
    for name in &names {
        Caller::of(world.channel(), "operator", name).create_store("alice").ok().await;
    }

    let held = world.database.hold(STORE);
    let waits = world.alice().create(&[("apples", "1")]).start();
    world.catch_up().await;
    for round in 0..10 {
        for name in &names {
            owner(name).create(&[("apples", "1")]).ok().await;
        }
        assert!(!waits.is_finished(), "its store is locked in round {round}");
    }
    held.release();

    waits.await.unwrap().unwrap();
    world.verify().await;
}

//! A database that is sharded by store: every transaction is about one store, and every statement of it
//! compares `store_id` with a parameter, for each table that it reads or changes, so that it can be
//! sent to one shard. PostgreSQL alone: an embedded database is one file.

use crate::support::Engine::Postgres;
use crate::support::{Caller, Database, Recorder, STORE, STORE_TABLES, Setup, Statement, World, line, writer_of};
use purchase_order_service::proto::v1::PendingDisposition::BackOrder;
use purchase_order_service::proto::v1::Permission::{Edit, View};
use purchase_order_service::proto::v1::PurchaseOrder;
use purchase_order_service::repository::dialect::Layout;
use uuid::Uuid;

async fn sharded() -> Option<(World, Recorder)> {
    let recorder = Recorder::default();
    let setup = Setup { observer: Some(recorder.observer()), layout: Layout::Sharded, ..Setup::default() };
    Some((World::set_up(Database::migrated(Postgres)?, setup).await, recorder))
}

/// How often a text has this one.
fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

/// Whether each table of a statement is compared with one store, by a parameter.
fn names_its_store(statement: &Statement) -> bool {
    let text = statement.text.replace('"', "");
    if text.starts_with("INSERT INTO ") {
        return text.contains(" (store_id, ") && text.contains(" SELECT $1, ");
    }
    // The keys and rows that a statement is about come from `unnest`, which is no table.
    let tables = count(&text, " JOIN ") + count(&text, "UPDATE ") - count(&text, " FOR NO KEY UPDATE")
        + STORE_TABLES.iter().map(|table| count(&text, &format!("FROM {table} "))).sum::<usize>();
    let equalities = count(&text, "store_id = $");
    tables > 0 && equalities >= tables && !text.contains("ANY($1)") && !text.contains("k.k0 AND")
}

/// Every command once, with everything that it can make.
async fn every_command(world: &World) {
    let (alice, operator) = (world.alice(), world.operator());
    Caller::of(world.channel(), "operator", "south").create_store("alice").id(Uuid::now_v7()).ok().await;
    alice.update_store(&["display_name"]).with(|r| r.display_name = "Up north".to_owned()).ok().await;
    operator.disable_back_orders().ok().await;
    operator.enable_back_orders().ok().await;
    alice.create_role("buyer", &[View, Edit]).ok().await;
    alice.update_role("buyer", &[View]).ok().await;
    alice.grant("dave", "buyer").ok().await;
    alice.revoke("dave", "buyer").ok().await;
    alice.delete_role("buyer").ok().await;
    let draft = alice.create(&[("apples", "10"), ("pears", "5")]).id(Uuid::now_v7()).ok().await;
    let order = draft.purchase_order.unwrap();
    let lines = alice.update(&order, &["lines"]).with(|r| r.lines = vec![line("apples", "10"), line("figs", "5")]);
    lines.ok().await;
    alice.place(&order).ok().await;
    alice.receive(&order).accept(1, "4").id(Uuid::now_v7()).ok().await;
    alice.receive(&order).all_pending().ok().await;
    let (voided, completed) = (Uuid::now_v7(), Uuid::now_v7());
    for _ in 0..2 {
        alice.void(&order, 2).id(voided).ok().await;
    }
    let completion = alice.complete(&order).rest(BackOrder).id(completed);
    completion.clone().ok().await;
    completion.ok().await;
    alice.reopen(&order).ok().await;
    let child = alice.complete(&order).rest(BackOrder).ok().await.back_order.unwrap().purchase_order_id;
    alice.cancel(&PurchaseOrder { purchase_order_id: child, ..order }).ok().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_of_every_command_names_its_store_by_equality() {
    let Some((world, recorder)) = sharded().await else { return };

    every_command(&world).await;

    let statements: Vec<Statement> = recorder.statements();
    let ends = ["BEGIN", "COMMIT", "ROLLBACK"];
    let inside = statements.iter().filter(|it| !ends.iter().any(|word| it.text.starts_with(word)));
    let wrong: Vec<&String> = inside.clone().filter(|it| !names_its_store(it)).map(|it| &it.text).collect();
    assert!(inside.count() > 100, "the statements are recorded");
    assert!(wrong.is_empty(), "{wrong:#?}");
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_several_stores_share_no_transaction() {
    let Some((world, _)) = sharded().await else { return };
    let name = (0..).map(|n| format!("store-{n}")).find(|name| writer_of(name) == writer_of(STORE)).unwrap();
    Caller::of(world.channel(), "operator", &name).create_store("alice").ok().await;
    let neighbour = Caller::of(world.channel(), "alice", &name);
    let before = world.stats();

    let held = [world.database.hold(STORE), world.database.hold(&name)];
    let calls: Vec<_> = [world.alice(), neighbour.clone(), world.alice(), neighbour]
        .map(|caller| caller.create(&[("apples", "1")]).start())
        .into_iter()
        .collect();
    world.catch_up().await;
    held.into_iter().for_each(crate::support::StoreHeld::release);
    for call in calls {
        call.await.unwrap().unwrap();
    }

    let after = world.stats();
    assert!(after.batches - before.batches >= 2, "{before:?} {after:?}");
    world.verify().await;
}

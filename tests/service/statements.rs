//! What a write costs: the statements of a transaction, counted as the writers send them. They depend
//! neither on the lines of an order nor on the commands that share the transaction. SQLite saves row
//! by row with statements that are prepared once; all else is by the set, on both databases.

use std::collections::BTreeSet;

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Call, Caller, Database, Mutation, Recorder, Rpc, Setup, Statement, Transaction, World, line};
use purchase_order_service::proto::v1::AdjustmentKind::{ReturnToSupplier, Sale};
use purchase_order_service::proto::v1::PendingDisposition::BackOrder;
use purchase_order_service::proto::v1::Permission::{Edit, View};
use purchase_order_service::proto::v1::PurchaseOrder;
use rstest::rstest;
use uuid::Uuid;

async fn recorded(on: Engine) -> Option<(World, Recorder)> {
    let recorder = Recorder::default();
    let setup = Setup { observer: Some(recorder.observer()), ..Setup::default() };
    Some((World::set_up(Database::migrated(on)?, setup).await, recorder))
}

/// What must not depend on how much a transaction does: on PostgreSQL every statement, on SQLite those
/// that lock and load, and which ones save.
fn cost(on: Engine, transaction: &Transaction) -> (Vec<String>, BTreeSet<String>) {
    let texts = |statements: &[Statement]| statements.iter().map(|s| s.text.clone()).collect::<Vec<String>>();
    let (mut counted, saves) = (texts(&transaction.loads), texts(&transaction.saves));
    if on == Postgres {
        counted.extend(saves.clone());
    }
    (counted, saves.into_iter().collect())
}

/// The cost of the transaction that does one call.
async fn cost_of<R: Rpc>(on: Engine, recorder: &Recorder, call: Call<R>) -> (Vec<String>, BTreeSet<String>) {
    call.ok().await;
    cost(on, &recorder.last_transaction())
}

/// An order of so many lines, whose transactions cost as much as that of one line: created, rewritten,
/// placed, received in part, one receipt voided, completed with a back order, reopened, completed again, the back order
/// cancelled.
async fn costs_of_an_order(
    on: Engine,
    world: &World,
    recorder: &Recorder,
    lines: usize,
) -> Vec<(Vec<String>, BTreeSet<String>)> {
    let alice = world.alice();
    // Half of the products are new to the store and half are not.
    let names: Vec<String> = (0..lines).map(|n| format!("{lines}-{}", n / 2)).collect();
    let wanted: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "10")).collect();
    let mut costs = vec![cost_of(on, recorder, alice.create(&wanted).id(Uuid::now_v7())).await];
    let order = alice.list().ok().await.purchase_orders.remove(0);
    let rewritten = alice.update(&order, &["lines"]).with(|request| {
        request.lines = wanted.iter().map(|(product, _)| line(product, "9")).collect();
    });
    costs.push(cost_of(on, recorder, rewritten.id(Uuid::now_v7())).await);
    costs.push(cost_of(on, recorder, alice.place(&order).id(Uuid::now_v7())).await);
    let delivery = || (1..=lines).fold(alice.receive(&order), |call, line| call.accept(line as i32, "4"));
    costs.push(cost_of(on, recorder, delivery().id(Uuid::now_v7())).await);
    costs.push(cost_of(on, recorder, delivery().id(Uuid::now_v7())).await);
    costs.push(cost_of(on, recorder, alice.void(&order, 1).id(Uuid::now_v7())).await);
    costs.push(cost_of(on, recorder, alice.complete(&order).rest(BackOrder).id(Uuid::now_v7())).await);
    costs.push(cost_of(on, recorder, alice.reopen(&order).id(Uuid::now_v7())).await);
    costs.push(cost_of(on, recorder, alice.complete(&order).rest(BackOrder).id(Uuid::now_v7())).await);
    let child = alice.seen(&order.purchase_order_id).await.back_order_purchase_order_id;
    let child = PurchaseOrder { purchase_order_id: child, ..order };
    costs.push(cost_of(on, recorder, alice.cancel(&child).id(Uuid::now_v7())).await);
    costs
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_lines_cost_the_statements_of_one(#[values(Sqlite, Postgres)] on: Engine) {
    let Some((world, recorder)) = recorded(on).await else { return };

    let one = costs_of_an_order(on, &world, &recorder, 1).await;
    let five_hundred = costs_of_an_order(on, &world, &recorder, 500).await;

    for (index, (one, five_hundred)) in one.iter().zip(&five_hundred).enumerate() {
        assert_eq!(one, five_hundred, "step {index}");
    }
    assert!(
        one.iter().all(|(counted, _)| counted.len() <= 10),
        "{:?}",
        one.iter().map(|(c, _)| c.len()).collect::<Vec<_>>()
    );
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_over_forty_orders_costs_the_statements_of_one(#[values(Sqlite, Postgres)] on: Engine) {
    let Some((world, recorder)) = recorded(on).await else { return };
    let alice = world.alice();
    for _ in 0..41 {
        alice.order(&[("apples", "1"), ("pears", "1")]).await;
    }
    let one = cost_of(on, &recorder, alice.deliver().accept_product("apples", "1").id(Uuid::now_v7())).await;
    let forty = cost_of(on, &recorder, alice.deliver().accept_product("apples", "40").id(Uuid::now_v7())).await;
    assert_eq!(one, forty);
    world.verify().await;
}

/// The cost of a batch of calls, the last transaction that was not the decoy's.
async fn cost_of_batch<R: Mutation>(
    on: Engine,
    world: &World,
    recorder: &Recorder,
    calls: Vec<Call<R>>,
) -> (Vec<String>, BTreeSet<String>) {
    let count = calls.len() as u64;
    let calls = calls.into_iter().map(|call| call.id(Uuid::now_v7())).collect();
    let answers = world.queued_up(calls).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let cost = cost(on, &recorder.last_transaction());
    // Another command: when it is answered, the batch before it has been counted.
    world.alice().grant("bob", "receiver").ok().await;
    assert!(world.stats().largest_batch >= count, "{:?} after {count} calls", world.stats());
    cost
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn twenty_commands_cost_the_statements_of_one(#[values(Sqlite, Postgres)] on: Engine) {
    let Some((world, recorder)) = recorded(on).await else { return };
    let alice = world.alice();
    let mut orders = Vec::new();
    for n in 0..21 {
        orders.push(alice.order(&[(&format!("product-{n}"), "10"), ("apples", "10")]).await);
    }
    let (one, twenty) = orders.split_at(1);
    let deliveries = |orders: &[PurchaseOrder]| -> Vec<_> {
        orders.iter().map(|order| alice.receive(order).accept(1, "10").accept(2, "4")).collect()
    };
    let completions = |orders: &[PurchaseOrder]| -> Vec<_> {
        orders.iter().map(|order| alice.complete(order).rest(BackOrder)).collect()
    };

    let of_one = cost_of_batch(on, &world, &recorder, deliveries(one)).await;
    assert_eq!(cost_of_batch(on, &world, &recorder, deliveries(twenty)).await, of_one);
    let of_one = cost_of_batch(on, &world, &recorder, completions(one)).await;
    assert_eq!(cost_of_batch(on, &world, &recorder, completions(twenty)).await, of_one);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn each_text_is_prepared_once(#[values(Sqlite, Postgres)] on: Engine) {
    let Some((world, recorder)) = recorded(on).await else { return };
    for lines in [1, 7, 40] {
        costs_of_an_order(on, &world, &recorder, lines).await;
    }

    let prepared = recorder.prepared();
    let distinct: BTreeSet<&String> = prepared.iter().collect();
    let twice = prepared.iter().filter(|text| prepared.iter().filter(|other| other == text).count() > 1);
    assert_eq!(prepared.len(), distinct.len(), "{:#?}", twice.collect::<BTreeSet<_>>());
    let Transaction { loads, saves } = recorder.last_transaction();
    for statement in loads.iter().chain(&saves) {
        assert!(distinct.contains(&statement.text), "it is not kept: {}", statement.text);
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn receiving_one_line_of_five_thousand_loads_one_line(#[values(Sqlite, Postgres)] on: Engine) {
    let Some((world, recorder)) = recorded(on).await else { return };
    let alice = world.alice();
    let names: Vec<String> = (1..=5_000).map(|n| format!("product-{n}")).collect();
    let lines: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "10")).collect();
    let order = alice.order(&lines).await;

    alice.receive(&order).accept(4_321, "4").ok().await;

    let Transaction { loads, saves } = recorder.last_transaction();
    let about = |statements: &[Statement], table: &str| -> Vec<Statement> {
        let names =
            |s: &&Statement| ["JOIN", "UPDATE", "INTO"].iter().any(|word| s.text.contains(&format!("{word} {table} ")));
        statements.iter().filter(names).cloned().collect()
    };
    let [line] = &about(&loads, "purchase_order_line")[..] else { panic!("{loads:#?}") };
    assert_eq!(line.binds.matches(&order.purchase_order_id).count(), 1, "{line:?}");
    assert_eq!(line.binds.matches("4321").count(), 1, "it is found by its number: {line:?}");
    assert_eq!(about(&loads, "inventory_level"), std::slice::from_ref(line), "its level comes with it");
    assert_eq!(about(&loads, "receipt_item"), [], "no receipt is needed");
    let [saved] = &about(&saves, "purchase_order_line")[..] else { panic!("{saves:#?}") };
    assert_eq!(saved.binds.matches("4321").count(), if on == Postgres { 4 } else { 1 }, "{saved:?}");
    let [level] = &about(&saves, "inventory_level")[..] else { panic!("{saves:#?}") };
    assert_eq!(level.binds.matches("product-").count(), 1, "{level:?}");

    alice.receive(&order).accept_product("product-4322", "4").ok().await;
    let Transaction { loads, saves } = recorder.last_transaction();
    let [line] = &about(&loads, "purchase_order_line")[..] else { panic!("{loads:#?}") };
    assert_eq!(line.binds.matches("product-4322").count(), 1, "it is found by its product: {line:?}");
    assert!(line.text.contains("product_id = k."), "the database picks the line: {}", line.text);
    let [saved] = &about(&saves, "purchase_order_line")[..] else { panic!("{saves:#?}") };
    assert_eq!(saved.binds.matches("4322").count(), if on == Postgres { 4 } else { 1 }, "{saved:?}");
    world.verify().await;
}

/// How many statements a command takes on PostgreSQL when it is alone, BEGIN and COMMIT counted. Each
/// is a round trip.
#[tokio::test(flavor = "multi_thread")]
async fn each_command_takes_so_many_round_trips() {
    let Some((world, recorder)) = recorded(Postgres).await else { return };
    let (alice, operator) = (world.alice(), world.operator());
    let (mut taken, recorder) = (String::new(), &recorder);
    macro_rules! count {
        ($name:literal, $call:expr) => {{
            let answer = $call.id(Uuid::now_v7()).ok().await;
            let Transaction { loads, saves } = recorder.last_transaction();
            taken.push_str(&format!("{:<24} {}\n", $name, 2 + loads.len() + saves.len()));
            answer
        }};
    }
    let of = |answer: &Option<PurchaseOrder>| answer.clone().unwrap();

    let elsewhere = Caller::of(world.channel(), "operator", "south");
    count!("CreateStore", elsewhere.create_store("alice"));
    count!("UpdateStore", alice.update_store(&["display_name"]).with(|r| r.display_name = "Up north".to_owned()));
    count!("DisableBackOrders", operator.disable_back_orders());
    count!("EnableBackOrders", operator.enable_back_orders());
    count!("CreateRole", alice.create_role("buyer", &[View, Edit]));
    count!("UpdateRole", alice.update_role("buyer", &[View]));
    count!("GrantRole", alice.grant("dave", "buyer"));
    count!("RevokeRole", alice.revoke("dave", "buyer"));
    count!("DeleteRole", alice.delete_role("buyer"));
    let order = of(&count!("CreatePurchaseOrder", alice.create(&[("apples", "10"), ("pears", "5")])).purchase_order);
    let note = alice.update(&order, &["note"]).with(|r| r.note = "call first".to_owned());
    count!("Update: note", note);
    let lines = alice.update(&order, &["lines"]).with(|r| r.lines = vec![line("apples", "10"), line("figs", "5")]);
    count!("Update: lines", lines);
    count!("AmendPurchaseOrder", alice.amend(&order, &[(2, "6")]));
    let date = alice.amend(&order, &[]).with(|r| {
        r.expected_date = Some("2026-03-20".to_owned());
    });
    count!("Amend: expected date", date);
    count!("CopyPurchaseOrder", alice.copy(&order));
    count!("PlacePurchaseOrder", alice.place(&order));
    count!("ConfirmPurchaseOrder", alice.confirm(&order, &[(1, "9")]));
    count!("Receive", alice.receive(&order).accept(1, "4"));
    count!("Receive: all pending", alice.receive(&order).all_pending());
    count!("VoidReceipt", alice.void(&order, 2));
    count!("CorrectReceipt", alice.correct(&order, 1).accept(1, "3"));
    count!("Receive: by product", alice.receive(&order).accept_product("apples", "1"));
    count!("ReceiveDelivery", alice.deliver().accept_line(&order, 1, "1"));
    count!("Delivery: by product", alice.deliver().accept_product("apples", "1"));
    let preview_id = Uuid::now_v7();
    let completed = alice.complete(&order).rest(BackOrder).id(preview_id).ok().await;
    let Transaction { loads, saves } = recorder.last_transaction();
    taken.push_str(&format!("{:<24} {}\n", "CompletePurchaseOrder", 2 + loads.len() + saves.len()));
    alice.complete(&order).rest(BackOrder).id(preview_id).ok().await;
    let Transaction { loads, saves } = recorder.last_transaction();
    taken.push_str(&format!("{:<24} {}\n", "Complete, again", 2 + loads.len() + saves.len()));
    assert!(completed.back_order.is_some());
    count!("ReopenPurchaseOrder", alice.reopen(&order));
    let completed = alice.complete(&order).rest(BackOrder).ok().await;
    let child = PurchaseOrder { purchase_order_id: completed.back_order.unwrap().purchase_order_id, ..order.clone() };
    count!("CancelLines", alice.cancel_lines(&child, &[(1, "1")]));
    count!("CancelPurchaseOrder", alice.cancel(&child));
    count!("AdjustInventory", alice.adjust("apples", Sale, "1"));
    count!("AdjustInventory: of line", alice.adjust("apples", ReturnToSupplier, "1").of_line(&order, 1));

    let expected = "\
CreateStore              7
UpdateStore              5
DisableBackOrders        5
EnableBackOrders         5
CreateRole               6
UpdateRole               7
GrantRole                7
RevokeRole               7
DeleteRole               7
CreatePurchaseOrder      6
Update: note             5
Update: lines            8
AmendPurchaseOrder       7
Amend: expected date     7
CopyPurchaseOrder        6
PlacePurchaseOrder       6
ConfirmPurchaseOrder     7
Receive                  6
Receive: all pending     6
VoidReceipt              10
CorrectReceipt           11
Receive: by product      6
ReceiveDelivery          6
Delivery: by product     6
CompletePurchaseOrder    8
Complete, again          5
ReopenPurchaseOrder      11
CancelLines              6
CancelPurchaseOrder      6
AdjustInventory          7
AdjustInventory: of line 8
";
    assert_eq!(taken, expected);
    world.verify().await;
}

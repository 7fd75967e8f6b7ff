//! The guards of the writers: commands that share a transaction do not share their faults, and a
//! connection that breaks at the worst moment loses and doubles nothing.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Call, Cut, Database, Proxy, Recorder, STORE, Setup, World, reason};
use futures_util::FutureExt;
use purchase_order_service::domain::code::{PrincipalId, StoreId};
use purchase_order_service::domain::command::{Envelope, Reply};
use purchase_order_service::domain::principal::Principal;
use purchase_order_service::domain::store::update::UpdateStore;
use purchase_order_service::metrics::workers::WriterMetrics;
use purchase_order_service::proto::v1::{CreatePurchaseOrderRequest, PurchaseOrder};
use purchase_order_service::repository::dialect::{Layout, Purpose};
use purchase_order_service::repository::pool::Pool;
use purchase_order_service::repository::session::{Observed, Observer};
use purchase_order_service::workers::error::{ServiceFault, WorkerError};
use purchase_order_service::workers::{Availability, WriterParts, Writers};
use rstest::rstest;
use tonic::Code::{Internal, Unavailable, Unknown};
use tonic::codegen::tokio_stream::StreamExt;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use uuid::Uuid;

/// All that a caller is told of a fault.
const FAULT: &str = "a fault of this service; its log tells more under the id in this error's metadata";

fn create(world: &World, product: &str) -> Call<CreatePurchaseOrderRequest> {
    world.alice().create(&[(product, "1")])
}

async fn orders(world: &World) -> Vec<PurchaseOrder> {
    let mut orders = world.alice().list().ok().await.purchase_orders;
    orders.sort_by(|one, other| one.number.cmp(&other.number));
    orders
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn two_equal_ids_in_one_batch_are_one_intention(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let id = Uuid::now_v7();

    let answers = world.as_one_batch(vec![create(&world, "apples").id(id), create(&world, "apples").id(id)]).await;

    assert_eq!(answers[0].as_ref().unwrap(), answers[1].as_ref().unwrap());
    assert_eq!(orders(&world).await.len(), 1);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_was_used_earlier_in_the_batch_comes_before_the_state(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (alice, id) = (world.alice(), Uuid::now_v7());
    let received = alice.received(&[("apples", "10")], &[(1, "10")]).await;
    let draft = alice.draft(&[("pears", "1")]).await;

    let answers = world.as_one_batch(vec![alice.complete(&received).id(id), alice.complete(&draft).id(id)]).await;

    answers[0].as_ref().unwrap();
    assert_eq!(reason(answers[1].as_ref().unwrap_err()), "REQUEST_ID_REUSED");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn one_id_with_two_requests_in_one_batch_is_refused_once(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let id = Uuid::now_v7();

    let answers = world.as_one_batch(vec![create(&world, "apples").id(id), create(&world, "pears").id(id)]).await;

    assert_eq!(answers[0].as_ref().unwrap().purchase_order.as_ref().unwrap().number, "PO-000001");
    assert_eq!(reason(answers[1].as_ref().unwrap_err()), "REQUEST_ID_REUSED");
    assert_eq!(orders(&world).await.len(), 1);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn each_command_of_a_batch_sees_what_those_before_it_did(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.order(&[("apples", "10")]).await;

    let deliveries = vec![alice.receive(&order).accept(1, "4"); 4];
    let answers = world.as_one_batch(deliveries).await;

    let received = |index: usize| answers[index].as_ref().unwrap().receipt.as_ref().unwrap().receipt_number;
    assert_eq!((received(0), received(1)), (1, 2));
    assert!(answers[2..].iter().all(|answer| reason(answer.as_ref().unwrap_err()) == "OVER_RECEIPT"));
    assert_eq!(alice.stock("apples").await, "8 staged, 2 on order");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_cannot_be_saved_fails_alone(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let trigger = match on {
        Sqlite => {
            "CREATE TRIGGER guilty BEFORE INSERT ON purchase_order WHEN NEW.supplier_id = 'guilty' \
             BEGIN SELECT RAISE(ABORT, 'injected'); END"
        }
        Postgres => "ALTER TABLE purchase_order ADD CONSTRAINT guilty CHECK (supplier_id <> 'guilty')",
    };
    world.database.session().batch(trigger).unwrap();
    let mut calls: Vec<_> = (0..11).map(|n| create(&world, &format!("product-{n}")).id(Uuid::now_v7())).collect();
    calls[5].request.supplier_id = "guilty".to_owned();

    let answers = world.queued_up(calls.clone()).await;

    assert!(world.ids.given() >= 2 * 11, "they were decided together, and then each by itself");
    let refused: Vec<usize> = (0..11).filter(|index| answers[*index].is_err()).collect();
    assert_eq!(refused, [5]);
    let status = answers[5].as_ref().unwrap_err();
    assert_eq!((status.code(), &*reason(status), status.message()), (Internal, "INTERNAL", FAULT));
    assert_eq!(orders(&world).await.len(), 10);
    // The others were done, and are known by their ids.
    for (call, answer) in calls.into_iter().zip(answers).filter(|(_, answer)| answer.is_ok()) {
        assert_eq!(call.ok().await, answer.unwrap());
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_a_rule_refuses_one_command(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    world.ids.panic_once();

    let calls: Vec<_> = (0..5).map(|n| create(&world, &format!("product-{n}"))).collect();
    let answers = world.as_one_batch(calls).await;

    let status = answers[0].as_ref().unwrap_err();
    assert_eq!((status.code(), &*reason(status), status.message()), (Internal, "INTERNAL", FAULT));
    assert!(answers[1..].iter().all(Result::is_ok), "{answers:?}");
    let numbers: Vec<String> = orders(&world).await.into_iter().map(|order| order.number).collect();
    assert_eq!(numbers, ["PO-000001", "PO-000002", "PO-000003", "PO-000004"], "it took no number either");
    world.verify().await;
}

/// A world whose service reaches its database by a way that can be cut. PostgreSQL alone: SQLite has
/// no connection that could break.
async fn cuttable() -> Option<(World, Proxy)> {
    let database = Database::migrated(Postgres)?;
    let proxy = Proxy::to(&database);
    let setup = Setup { by_way_of: Some(proxy.url.clone()), ..Setup::default() };
    Some((World::set_up(database, setup).await, proxy))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_before_commit_is_replaced_unseen() {
    let Some((world, proxy)) = cuttable().await else { return };
    proxy.cut(Cut::InTransaction);

    create(&world, "apples").ok().await;

    assert!(proxy.has_cut());
    assert_eq!(orders(&world).await.len(), 1);
    world.verify().await;
}

#[rstest]
#[case::before(Cut::BeforeCommit)]
#[case::after(Cut::AfterCommit)]
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_cut_is_done_once_for_those_who_made_an_id(#[case] cut: Cut) {
    let Some((world, proxy)) = cuttable().await else { return };
    let call = create(&world, "apples").id(Uuid::now_v7());
    proxy.cut(cut);

    let created = call.clone().ok().await;

    assert!(proxy.has_cut());
    assert_eq!(call.ok().await, created);
    assert_eq!(orders(&world).await, [created.purchase_order.unwrap()]);
    world.verify().await;
}

#[rstest]
#[case::before(Cut::BeforeCommit, 0)]
#[case::after(Cut::AfterCommit, 1)]
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_cut_is_unknown_to_those_who_made_none(#[case] cut: Cut, #[case] done: usize) {
    let Some((world, proxy)) = cuttable().await else { return };
    proxy.cut(cut);

    create(&world, "apples").refused(Unknown, "OUTCOME_UNKNOWN").await;

    assert!(proxy.has_cut());
    assert_eq!(orders(&world).await.len(), done, "and it is not done again");
    world.verify().await;
}

#[rstest]
#[case::before(Cut::BeforeCommit, 3)]
#[case::after(Cut::AfterCommit, 6)]
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_commit_is_cut_is_settled_one_by_one(#[case] cut: Cut, #[case] done: usize) {
    let Some((world, proxy)) = cuttable().await else { return };
    let named = |n: usize| create(&world, &format!("product-{n}"));
    let calls = (0..6).map(|n| if n % 2 == 0 { named(n).id(Uuid::now_v7()) } else { named(n) }).collect();
    proxy.cut(cut);

    let answers = world.queued_up(calls).await;

    assert!(proxy.has_cut());
    for (n, answer) in answers.iter().enumerate() {
        match answer {
            Ok(_) => assert_eq!(n % 2, 0, "{answer:?}"),
            Err(status) => assert_eq!((n % 2, &*reason(status)), (1, "OUTCOME_UNKNOWN")),
        }
    }
    assert_eq!(orders(&world).await.len(), done);
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_unavailable_is_used_again() {
    let Some((world, proxy)) = cuttable().await else { return };
    let mut health = HealthClient::new(world.channel());
    let watched = health.watch(HealthCheckRequest { service: String::new() }).await.unwrap();
    let mut watched = watched.into_inner().map(|answer| answer.unwrap().status());
    assert_eq!(watched.next().await, Some(ServingStatus::Serving));

    proxy.take_away();
    let (write, read) = (create(&world, "apples"), world.alice().list());
    let write = write.refused(Unavailable, "DATABASE_UNAVAILABLE");
    let (write, read) = tokio::join!(write, read.refused(Unavailable, "DATABASE_UNAVAILABLE"));
    assert!(write.may_be_retried() && read.may_be_retried());
    assert_eq!(watched.next().await, Some(ServingStatus::NotServing));
    proxy.bring_back();
    assert_eq!(watched.next().await, Some(ServingStatus::Serving));

    create(&world, "apples").ok().await;
    assert_eq!(orders(&world).await.len(), 1);
    world.verify().await;
}

/// Stops a thread of the service right before it sends a statement, until the test releases it.
#[derive(Clone, Default)]
struct Breakpoint(Arc<(Mutex<BreakpointState>, Condvar)>);

#[derive(Default)]
enum BreakpointState {
    #[default]
    Off,
    /// Stops the next thread whose statement or binds contain this.
    Set(&'static str),
    Reached,
}

impl Breakpoint {
    fn set(&self, text: &'static str) {
        *self.0.0.lock().unwrap() = BreakpointState::Set(text);
    }

    /// Waits until a thread has stopped at it.
    fn wait_until_reached(&self) {
        let state = self.0.0.lock().unwrap();
        let is_awaited = |state: &mut BreakpointState| !matches!(state, BreakpointState::Reached);
        drop(self.0.1.wait_while(state, is_awaited).unwrap());
    }

    /// Lets the thread that has stopped go on.
    fn release(&self) {
        *self.0.0.lock().unwrap() = BreakpointState::Off;
        self.0.1.notify_all();
    }

    fn stop_at(&self, statement: &str) {
        let mut state = self.0.0.lock().unwrap();
        if matches!(*state, BreakpointState::Set(text) if statement.contains(text)) {
            *state = BreakpointState::Reached;
            self.0.1.notify_all();
            drop(self.0.1.wait_while(state, |state| matches!(state, BreakpointState::Reached)).unwrap());
        }
    }
}

/// One writer of its own on a world's database, whose callers are futures of the test: dropping one is a caller
/// who goes, at once and without a connection in between.
struct OneWriter {
    writers: Writers,
    breakpoint: Breakpoint,
    recorder: Recorder,
}

type Submitted<'w> = Pin<Box<dyn Future<Output = Result<Reply, WorkerError>> + Send + 'w>>;

impl OneWriter {
    fn on(world: &World) -> Self {
        let (breakpoint, recorder) = (Breakpoint::default(), Recorder::default());
        let (stopping, recording) = (breakpoint.clone(), recorder.observer());
        let observer: Observer = Arc::new(move |observed: Observed<'_>| {
            recording(observed);
            if let Observed::Statement(statement) = observed {
                stopping.stop_at(statement);
            }
        });
        let parts = WriterParts {
            pool: Pool::new(&world.database.url, Purpose::Write(Layout::Single), 1, Some(observer)),
            clock: world.clock.clone(),
            ids: world.ids.clone(),
            layout: Layout::Single,
            availability: Availability::default(),
            timeout: Duration::from_secs(60),
            lock_timeout: Duration::from_secs(30),
            changes: Arc::default(),
            metrics: WriterMetrics::default(),
        };
        Self { writers: Writers::start(1, &parts).unwrap(), breakpoint, recorder }
    }

    /// Queues a command that changes the store's name to `name` and whose caller has this name too.
    fn queue(&self, name: &str, deadline: Option<Instant>) -> Submitted<'_> {
        let envelope = Envelope {
            store: StoreId::new(STORE),
            principal: Principal { id: PrincipalId::new(name), is_operator: true },
            idempotency_key: None,
            named_cost: None,
            command: Arc::new(UpdateStore { display_name: Some(name.to_owned()), ..UpdateStore::default() }),
        };
        let mut submitted: Submitted<'_> = Box::pin(self.writers.submit(envelope, 1, deadline, None));
        assert!((&mut submitted).now_or_never().is_none(), "it is queued");
        submitted
    }

    /// Queues a command and waits until its transaction is about to begin: what is queued from then on waits.
    fn queue_and_stop_at_begin(&self, name: &str) -> Submitted<'_> {
        self.breakpoint.set("BEGIN");
        let submitted = self.queue(name, None);
        self.breakpoint.wait_until_reached();
        submitted
    }

    /// How many statements named the caller or the name of this command.
    fn statements_about(&self, name: &str) -> usize {
        self.recorder.statements().iter().filter(|statement| statement.binds.contains(name)).count()
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn for_late_and_abandoned_commands_in_the_queue_no_statement_is_sent(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let writer = OneWriter::on(&world);
    let first = writer.queue_and_stop_at_begin("first");
    let late = writer.queue("late", Some(Instant::now()));
    let gone = writer.queue("gone", None);
    let waiting = writer.queue("waiting", Some(Instant::now() + Duration::from_secs(3_600)));

    drop(gone);
    writer.breakpoint.release();

    first.await.unwrap();
    waiting.await.unwrap();
    assert_eq!(late.await, Err(ServiceFault::DeadlineExceeded.into()));
    assert_eq!((writer.statements_about("late"), writer.statements_about("gone")), (0, 0));
    assert_eq!(writer.recorder.begun(), 2);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn where_all_that_is_queued_is_late_or_abandoned_no_transaction_begins(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let writer = OneWriter::on(&world);
    let first = writer.queue_and_stop_at_begin("first");
    let late = writer.queue("late", Some(Instant::now()));
    drop(writer.queue("gone", None));

    writer.breakpoint.release();

    first.await.unwrap();
    assert_eq!(late.await, Err(ServiceFault::DeadlineExceeded.into()));
    writer.writers.stop();
    assert_eq!(writer.recorder.begun(), 1);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_abandoned_while_it_is_loaded_changes_nothing(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let writer = OneWriter::on(&world);
    writer.breakpoint.set("gone");
    let gone = writer.queue("gone", None);
    writer.breakpoint.wait_until_reached();
    assert_eq!(writer.recorder.begun(), 1, "its transaction has begun");

    drop(gone);
    writer.breakpoint.release();

    // The next command is executed after it.
    writer.queue("next", None).await.unwrap();
    assert_eq!(writer.statements_about("gone"), 1, "the one that loads what the gate judges, and no change");
    world.verify().await;
}

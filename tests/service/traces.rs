//! Traces: the spans that a collector gets of calls, and of what the workers did for them.

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::server_process::ServerProcess;
use crate::support::{
    Authority, Call, Collector, Cut, Database, Proxy, Rpc, STORE, Setup, Span, World, within_timeout,
};
use purchase_order_service::proto::v1::GetStoreRequest;
use purchase_order_service::proto::v1::PendingDisposition::BackOrder;
use purchase_order_service::traces::{MAX_WAITING, TraceConfig};
use rstest::rstest;
use tokio::net::{TcpListener, TcpStream};
use tonic::Code::{FailedPrecondition, Unauthenticated, Unknown};
use uuid::Uuid;

/// The span of a caller.
const CALLER: &str = "00f067aa0ba902b7";
const PHASES: [&str; 5] = ["lock", "load", "decide", "save", "commit"];

/// A new trace id.
fn trace() -> String {
    Uuid::now_v7().simple().to_string()
}

fn sampled(trace: &str) -> String {
    format!("00-{trace}-{CALLER}-01")
}

/// A world whose service sends spans to this collector: of so many of the calls whose callers have no trace.
async fn traced(on: Engine, collector: &Collector, ratio: f64) -> Option<World> {
    let database = Database::migrated(on)?;
    Some(World::set_up(database, Setup { traces: Some(to(collector, ratio)), ..Setup::default() }).await)
}

fn to(collector: &Collector, ratio: f64) -> TraceConfig {
    TraceConfig { endpoint: collector.endpoint().parse().unwrap(), authorities: None, ratio }
}

/// The one span with this name.
fn one<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    let named: Vec<&Span> = spans.iter().filter(|span| span.name == name).collect();
    assert_eq!(named.len(), 1, "{name} in {spans:#?}");
    named[0]
}

/// Sends a call as a part of a trace that is sampled.
async fn within<R: Rpc>(call: Call<R>, trace: &str) -> R::Answer {
    call.traced(&sampled(trace)).ok().await
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_completion_can_be_followed_from_its_caller_to_the_commit(#[values(Sqlite, Postgres)] on: Engine) {
    let collector = Collector::start().await;
    let Some(world) = traced(on, &collector, 0.0).await else { return };
    let order = world.alice().received(&[("apples", "10")], &[(1, "4")]).await;
    let (trace, id) = (trace(), Uuid::now_v7());

    within(world.alice().complete(&order).rest(BackOrder).id(id), &trace).await;

    let spans = collector.call(&trace).await;
    let names: Vec<&str> = spans.iter().map(|span| &*span.name).collect();
    assert_eq!(names.len(), 8, "{names:?}");
    let call = one(&spans, "purchasing.v1.PurchaseOrderService/CompletePurchaseOrder");
    assert!(call.is_of_server && !call.has_failed, "{call:?}");
    assert_eq!(call.parent, CALLER);
    let id = id.to_string();
    let expected = [
        ("enduser.id", "alice"),
        ("purchase_order_service.request_id", &id),
        ("purchase_order_service.store_id", STORE),
        ("rpc.method", "purchasing.v1.PurchaseOrderService/CompletePurchaseOrder"),
        ("rpc.response.status_code", "OK"),
        ("rpc.system.name", "grpc"),
    ];
    assert_eq!(call.attributes.iter().map(|(key, text)| (&**key, &**text)).collect::<Vec<_>>(), expected);
    assert_eq!(call.resource["service.name"], "purchase-order-service");
    assert_eq!(call.resource["service.version"], env!("CARGO_PKG_VERSION"));
    assert!(call.resource.contains_key("service.instance.id"));

    let (queue, transaction) = (one(&spans, "queue"), one(&spans, "transaction"));
    assert_eq!([&queue.parent, &transaction.parent], [&call.id, &call.id]);
    assert!(call.from <= queue.from && queue.to == transaction.from && transaction.to <= call.to, "{spans:#?}");
    let mut until = transaction.from;
    for name in PHASES {
        let phase = one(&spans, name);
        assert_eq!((&phase.parent, phase.from), (&transaction.id, until), "{name}");
        until = phase.to;
    }
    assert_eq!(until, transaction.to);

    let batch = &collector.named("write_batch", 1).await[0];
    assert_ne!(batch.trace, trace);
    assert_eq!((&batch.parent, &batch.links), (&String::new(), &vec![call.id.clone()]));
    assert_eq!(transaction.links, std::slice::from_ref(&batch.id));
    assert_eq!(batch.attribute("purchase_order_service.batch.commands"), "1");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn calls_that_share_a_transaction_find_each_other_by_its_span(#[values(Sqlite, Postgres)] on: Engine) {
    let collector = Collector::start().await;
    let Some(world) = traced(on, &collector, 0.0).await else { return };
    let traces = [trace(), trace()];
    let mut calls: Vec<_> = ["a", "b", "c"].map(|product| world.alice().create(&[(product, "1")])).into();
    calls[0] = calls[0].clone().traced(&sampled(&traces[0]));
    calls[2] = calls[2].clone().traced(&sampled(&traces[1]));

    world.as_one_batch(calls).await;

    let batch = &collector.named("write_batch", 1).await[0];
    assert_eq!(batch.attribute("purchase_order_service.batch.commands"), "3", "the one that is not traced too");
    let mut shared = Vec::new();
    for trace in &traces {
        let spans = collector.call(trace).await;
        assert_eq!(one(&spans, "transaction").links, std::slice::from_ref(&batch.id));
        shared.push(one(&spans, "purchasing.v1.PurchaseOrderService/CreatePurchaseOrder").id.clone());
    }
    assert_eq!(batch.links, shared);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_read_is_its_wait_for_a_reader_and_the_read(#[values(Sqlite, Postgres)] on: Engine) {
    let collector = Collector::start().await;
    let Some(world) = traced(on, &collector, 0.0).await else { return };
    let (store, list) = (trace(), trace());

    within(world.alice().get_store(), &store).await;
    within(world.alice().events(0), &list).await;

    for (trace, class) in [(store, "small"), (list, "large")] {
        let spans = collector.trace(&trace, 3).await;
        let (queue, read) = (one(&spans, "queue"), one(&spans, "read"));
        let call = spans.iter().find(|span| span.is_of_server).unwrap();
        assert_eq!([&queue.parent, &read.parent], [&call.id, &call.id]);
        assert_eq!((queue.to, read.attribute("purchase_order_service.read.class")), (read.from, class));
    }
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_is_one_span_however_often_it_reads() {
    let collector = Collector::start().await;
    let Some(mut world) = traced(Sqlite, &collector, 0.0).await else { return };
    let trace = trace();

    let mut watching = world.alice().watch(0).traced(&sampled(&trace)).open().await.unwrap();
    for _ in 0..3 {
        world.alice().draft(&[("apples", "1")]).await;
        while watching.message().await.unwrap().unwrap().events.is_empty() {}
    }
    world.restart().await;
    while watching.message().await.is_ok() {}

    let spans = collector.call(&trace).await;
    assert_eq!(spans.len(), 1, "{spans:#?}");
    let outcome = ["rpc.response.status_code", "error.type"].map(|key| spans[0].attribute(key));
    assert_eq!((outcome, spans[0].has_failed), (["UNAVAILABLE", "STOPPING"], false), "so ends every watch");
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_traced_if_its_caller_is_and_by_chance_without_a_trace() {
    let collector = Collector::start().await;
    let Some(world) = traced(Sqlite, &collector, 0.0).await else { return };
    let (not_sampled, nobodys, last) = (trace(), trace(), trace());

    world.alice().get_store().ok().await;
    world.alice().get_store().traced(&format!("00-{not_sampled}-{CALLER}-00")).ok().await;
    world.alice().get_store().traced("no trace").ok().await;
    let nobody = world.caller("");
    nobody.get_store().traced(&sampled(&nobodys)).refused(Unauthenticated, "NO_CREDENTIALS").await;
    within(world.alice().get_store(), &last).await;

    // Spans are sent in their order, so whatever the calls before would have caused has arrived.
    collector.trace(&last, 3).await;
    let others: Vec<Span> = collector.spans().into_iter().filter(|span| span.trace != last).collect();
    assert_eq!(others, []);
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_a_ratio_of_one_each_call_is_traced_also_of_those_who_are_not_known() {
    let collector = Collector::start().await;
    let Some(world) = traced(Sqlite, &collector, 1.0).await else { return };

    world.caller("").get_store().refused(Unauthenticated, "NO_CREDENTIALS").await;
    let path = "/purchasing.v1.StoreService/NoSuchMethod";
    let unknown = crate::support::call_unknown(world.channel(), path).await;
    assert_eq!(unknown.code(), tonic::Code::Unimplemented);

    let refused = |span: &&Span| span.attribute("error.type") == "NO_CREDENTIALS";
    let spans = collector.named("grpc", 1).await;
    assert_eq!(spans[0].attribute("rpc.method"), "_OTHER");
    assert!(spans[0].has_failed, "UNIMPLEMENTED is a fault of the server in the conventions");
    let spans = collector.spans();
    let refused = spans.iter().find(refused).expect("it was sent before");
    assert_eq!((refused.parent.as_str(), refused.attribute("enduser.id")), ("", ""));
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_its_reason_and_only_a_fault_is_an_error(#[values(Sqlite, Postgres)] on: Engine) {
    let collector = Collector::start().await;
    let Some(world) = traced(on, &collector, 0.0).await else { return };
    let order = world.alice().draft(&[("apples", "1")]).await;
    let (refused, late) = (trace(), trace());

    let receive = world.alice().receive(&order).accept(1, "1").traced(&sampled(&refused));
    receive.refused(FailedPrecondition, "WRONG_STATE").await;
    let held = world.database.hold(STORE);
    let in_front = world.alice().grant("bob", "receiver").start();
    world.catch_up().await;
    let create = world.alice().create(&[("pears", "1")]).traced(&sampled(&late));
    create.within(std::time::Duration::from_millis(50)).await.expect_err("the store is locked");
    held.release();
    in_front.await.unwrap().unwrap();

    let spans = collector.call(&refused).await;
    let call = spans.iter().find(|span| span.is_of_server).unwrap();
    let outcome = ["rpc.response.status_code", "error.type"].map(|key| call.attribute(key));
    assert_eq!((outcome, call.has_failed), (["FAILED_PRECONDITION", "WRONG_STATE"], false));
    let spans = collector.trace(&late, 2).await;
    assert_eq!(one(&spans, "queue").name, "queue", "it has waited, and was not executed");
    let call = spans.iter().find(|span| span.is_of_server).unwrap();
    // The service tells the deadline, or the client's reset is first.
    let code = call.attribute("rpc.response.status_code");
    assert!(["DEADLINE_EXCEEDED", "CANCELLED"].contains(&code), "{call:?}");
    assert_eq!(call.has_failed, code == "DEADLINE_EXCEEDED");
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_failed_is_seen_beside_the_one_that_answered() {
    let collector = Collector::start().await;
    let Some(database) = Database::migrated(Postgres) else { return };
    let proxy = Proxy::to(&database);
    let (by_way_of, traces) = (Some(proxy.url.clone()), Some(to(&collector, 0.0)));
    let world = World::set_up(database, Setup { by_way_of, traces, ..Setup::default() }).await;
    let (again, unknown) = (trace(), trace());

    proxy.cut(Cut::InTransaction);
    within(world.alice().create(&[("apples", "1")]), &again).await;
    proxy.cut(Cut::AfterCommit);
    let create = world.alice().create(&[("pears", "1")]).traced(&sampled(&unknown));
    create.refused(Unknown, "OUTCOME_UNKNOWN").await;

    let outcome = |span: &Span| (span.has_failed, span.attribute("error.type").to_owned());
    let transactions = |spans: &[Span]| {
        let mut found: Vec<&Span> = spans.iter().filter(|span| span.name == "transaction").collect();
        found.sort_by_key(|span| span.from);
        found.into_iter().map(outcome).collect::<Vec<_>>()
    };
    let spans = collector.call(&again).await;
    assert_eq!(transactions(&spans), [(true, "rolled_back".to_owned()), (false, String::new())]);
    let queued: Vec<&Span> = spans.iter().filter(|span| span.name == "queue").collect();
    let failed = spans.iter().find(|span| span.name == "transaction" && span.has_failed).unwrap();
    assert!(queued[0].to <= failed.from && failed.to <= queued[1].from, "{spans:#?}");
    let spans = collector.call(&unknown).await;
    assert_eq!(transactions(&spans), [(true, "commit_unknown".to_owned())]);
    let call = spans.iter().find(|span| span.is_of_server).unwrap();
    assert_eq!(outcome(call), (true, "OUTCOME_UNKNOWN".to_owned()));
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_collector_that_does_not_answer_and_what_waits_for_it_is_bounded() {
    // It accepts connections, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap()).parse().unwrap();
    let traces = Some(TraceConfig { endpoint, authorities: None, ratio: 0.0 });
    let world = World::set_up(Database::migrated(Sqlite).unwrap(), Setup { traces, ..Setup::default() }).await;
    let dropped = r#"purchase_order_service_spans_total{outcome="dropped"}"#;

    // Three spans of each call: what its caller asked for fills half of the queue.
    let within_the_bound = MAX_WAITING / 2 / 3;
    let mut sent = 0;
    while world.scrape().await.count(dropped) == 0.0 {
        for _ in 0..100 {
            within(world.alice().get_store(), &trace()).await;
        }
        sent += 100;
        assert!(sent < 10 * within_the_bound, "spans are dropped in the end");
    }
    assert!(sent > within_the_bound / 2, "{sent} calls filled a queue for {within_the_bound}");
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_that_no_collector_takes_are_counted_and_calls_go_on() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = format!("http://{closed}").parse().unwrap();
    let traces = Some(TraceConfig { endpoint, authorities: None, ratio: 0.0 });
    let world = World::set_up(Database::migrated(Sqlite).unwrap(), Setup { traces, ..Setup::default() }).await;

    within(world.alice().get_store(), &trace()).await;

    world.shows(r#"purchase_order_service_spans_total{outcome="failed"}"#, 3.0).await;
    world.alice().get_store().ok().await;
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_whose_peer_is_gone_without_a_word_is_replaced() {
    let collector = Collector::start().await;
    let way = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", way.local_addr().unwrap()).parse().unwrap();
    let onward = collector.address();
    let forwarding = tokio::spawn(async move {
        // The first connection leads nowhere, and stays open.
        let _silent = way.accept().await.unwrap();
        while let Ok((mut near, _)) = way.accept().await {
            let mut far = TcpStream::connect(onward).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        }
    });
    let traces = Some(TraceConfig { endpoint, authorities: None, ratio: 0.0 });
    let world = World::set_up(Database::migrated(Sqlite).unwrap(), Setup { traces, ..Setup::default() }).await;
    let (lost, sent) = (trace(), trace());

    within(world.alice().get_store(), &lost).await;
    let failed = r#"purchase_order_service_spans_total{outcome="failed"}"#;
    within_timeout(async {
        while world.scrape().await.count(failed) == 0.0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    within(world.alice().get_store(), &sent).await;

    assert_eq!(collector.trace(&sent, 3).await.len(), 3);
    forwarding.abort();
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_with_tls_is_believed_only_with_a_certificate_of_the_authority() {
    let (authority, stranger) = (Authority::new("authority"), Authority::new("stranger"));
    let collector = Collector::with_tls(&authority.server()).await;
    let home = tempfile::tempdir().unwrap();
    let pem = home.path().join("ca.pem");
    for (trusted, outcome) in [(&authority, "exported"), (&stranger, "failed")] {
        std::fs::write(&pem, trusted.pem()).unwrap();
        let traces = Some(TraceConfig { authorities: Some(pem.clone()), ..to(&collector, 0.0) });
        let world = World::set_up(Database::migrated(Sqlite).unwrap(), Setup { traces, ..Setup::default() }).await;

        within(world.alice().get_store(), &trace()).await;

        world.shows(&format!(r#"purchase_order_service_spans_total{{outcome="{outcome}"}}"#), 3.0).await;
        world.verify().await;
    }
    assert_eq!(collector.spans().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_sends_its_last_spans_when_it_stops_and_its_access_log_names_their_trace() {
    use std::io::Read;
    let collector = Collector::start().await;
    let (mut log, writer) = std::io::pipe().unwrap();
    let database = Database::empty(Sqlite).unwrap();
    let arguments = ["--otlp-endpoint", &collector.endpoint(), "--trace-ratio", "1"];
    let logging = ["--access-log", "1", "--log-format", "json"];
    let mut server = ServerProcess::on_with_log(&database, &[&arguments[..], &logging[..]].concat(), writer);
    let log = std::thread::spawn(move || {
        let mut text = String::new();
        log.read_to_string(&mut text).unwrap();
        text
    });

    let asked = GetStoreRequest { store_id: "demo".to_owned() };
    server.alice().call(asked).ok().await;
    server.terminate();
    assert!(within_timeout(server.ends_well()).await);
    drop(server);

    let call = one(&collector.spans(), "purchasing.v1.StoreService/GetStore").clone();
    let log = log.join().unwrap();
    let line = log.lines().find(|line| line.contains("\"GetStore\"")).unwrap();
    assert!(line.contains(&format!("\"trace_id\":\"{}\"", call.trace)), "{line}");
}

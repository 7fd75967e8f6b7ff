//! What Prometheus reads: each call counted with the status that its caller got, queues, batches, transactions and
//! connections; that no peer can add series or block the scrapes; and that the page for operators names what there is.

#![expect(clippy::float_cmp, reason = "counts are whole numbers, which the format shows exactly")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, Database, Proxy, STORE, Scrape, Setup, World, http_get, reason, within_timeout};
use futures_util::{StreamExt, stream};
use purchase_order_service::proto::v1::{GetStoreRequest, GetStoreResponse};
use purchase_order_service::repository::transaction::TransactionName;
use purchase_order_service::transport::resource_limits::Limits;
use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code::{FailedPrecondition, PermissionDenied, Unauthenticated, Unavailable, Unimplemented};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request};

const ORDERS: &str = "purchasing.v1.PurchaseOrderService";
const STORES: &str = "purchasing.v1.StoreService";
const EVENTS: &str = "purchasing.v1.EventService";
const SERVICE: &str = "purchase_order_service";

fn rpc(kind: &str, service: &str, method: &str) -> String {
    format!(r#"grpc_type="{kind}",grpc_service="{service}",grpc_method="{method}""#)
}

fn started(kind: &str, service: &str, method: &str) -> String {
    format!("grpc_server_started_total{{{}}}", rpc(kind, service, method))
}

fn handled(kind: &str, service: &str, method: &str, code: &str) -> String {
    format!(r#"grpc_server_handled_total{{{},grpc_code="{code}"}}"#, rpc(kind, service, method))
}

fn refusals(service: &str, method: &str, reason: &str) -> String {
    format!(r#"{SERVICE}_refusals_total{{grpc_service="{service}",grpc_method="{method}",reason="{reason}"}}"#)
}

/// A metric of the service without labels, or with those of the text.
fn own(name: &str) -> String {
    format!("{SERVICE}_{name}")
}

/// Calls a path that no rpc has, and returns its status.
async fn call_unknown(channel: Channel, path: String) -> Code {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<GetStoreRequest, GetStoreResponse>::default();
    let path = PathAndQuery::try_from(path).unwrap();
    client.unary(Request::new(GetStoreRequest::default()), path, codec).await.unwrap_err().code()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_call_counts_with_the_status_that_its_caller_gets(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let order = alice.order(&[("apples", "1")]).await;
    alice.place(&order).refused(FailedPrecondition, "WRONG_STATE").await;
    alice.place(&order).refused(FailedPrecondition, "WRONG_STATE").await;
    world.caller("").list_stores().refused(Unauthenticated, "NO_CREDENTIALS").await;

    let shown = world.scrape().await;

    let place = "PlacePurchaseOrder";
    assert_eq!(shown.count(&started("unary", ORDERS, "CreatePurchaseOrder")), 1.0);
    assert_eq!(shown.count(&handled("unary", ORDERS, "CreatePurchaseOrder", "OK")), 1.0);
    assert_eq!(shown.count(&started("unary", ORDERS, place)), 3.0);
    assert_eq!(shown.count(&handled("unary", ORDERS, place, "OK")), 1.0);
    assert_eq!(shown.count(&handled("unary", ORDERS, place, "FailedPrecondition")), 2.0);
    assert_eq!(shown.count(&refusals(ORDERS, place, "WRONG_STATE")), 2.0);
    let handling = rpc("unary", ORDERS, place);
    assert_eq!(shown.value(&format!("grpc_server_handling_seconds_count{{{handling}}}")), Some(3.0));
    assert!(shown.count(&format!("grpc_server_handling_seconds_sum{{{handling}}}")) > 0.0);
    // The guard refuses this one, before it reaches an rpc.
    assert_eq!(shown.count(&started("unary", STORES, "ListStores")), 1.0);
    assert_eq!(shown.count(&handled("unary", STORES, "ListStores", "Unauthenticated")), 1.0);
    assert_eq!(shown.count(&refusals(STORES, "ListStores", "NO_CREDENTIALS")), 1.0);
    let never_called = handled("unary", ORDERS, "ReopenPurchaseOrder", "OK");
    assert_eq!(shown.value(&never_called), Some(0.0), "it is there before its first call");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_counts_when_it_ends(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let refused = world.bob().watch(0).begin().await;
    let given_up = world.alice().watch(0).begin().await;
    let watches = own(r#"calls_in_flight{class="event_watch"}"#);
    let open = world.scrape().await;
    assert_eq!(open.value(&watches), Some(2.0));
    assert_eq!(open.value(&own("watched_stores")), Some(2.0));
    assert_eq!(open.count(&started("server_stream", EVENTS, "WatchEvents")), 2.0);
    assert_eq!(open.count(&handled("server_stream", EVENTS, "WatchEvents", "OK")), 0.0);

    world.alice().revoke("bob", "receiver").ok().await;
    let status = refused.end().await;
    drop(given_up);

    assert_eq!(status.code(), PermissionDenied);
    let ended = handled("server_stream", EVENTS, "WatchEvents", "PermissionDenied");
    assert_eq!(world.scrape().await.count(&ended), 1.0);
    world.shows(&handled("server_stream", EVENTS, "WatchEvents", "Canceled"), 1.0).await;
    assert_eq!(world.scrape().await.count(&refusals(EVENTS, "WatchEvents", &reason(&status))), 1.0);
    world.shows(&watches, 0.0).await;
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_that_do_not_exist_count_under_one_name_and_add_no_series() {
    let world = World::on(Sqlite).await.unwrap();
    assert_eq!(call_unknown(world.channel(), format!("/{STORES}/DropStore")).await, Unimplemented);
    let before = world.scrape().await;

    let calls = stream::iter(0..300).map(|number| {
        let service = if number % 2 == 0 { STORES.to_owned() } else { format!("made.up.Service{number}") };
        call_unknown(world.channel(), format!("/{service}/Method{number}"))
    });
    let codes: Vec<Code> = calls.buffer_unordered(1).collect().await;

    assert_eq!(codes.iter().find(|code| **code != Unimplemented), None);
    let after = world.scrape().await;
    assert_eq!(after.names(), before.names());
    assert_eq!(after.count(&handled("unknown", "unknown", "unknown", "Unimplemented")), 301.0);
    assert_eq!(after.count(&refusals("unknown", "unknown", "METHOD_UNKNOWN")), 301.0);
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn commands_are_measured_from_the_queue_to_the_commit(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let before = world.scrape().await;
    let held = world.database.hold(STORE);
    // On SQLite the first command is taken and waits for the database's lock. On PostgreSQL a writer does not wait for
    // the lock of a store: what needs it goes back to the queue.
    let in_front = world.alice().grant("bob", "receiver").start();
    let taken = if on == Sqlite { 1.0 } else { 0.0 };
    world.shows(&own("writer_queue_length"), 1.0 - taken).await;
    world.shows(r#"purchase_order_service_calls_in_flight{class="ordinary"}"#, 1.0).await;
    world.catch_up().await;
    let queued: Vec<_> = ["a", "b", "c"].map(|product| world.alice().create(&[(product, "1")]).start()).into();
    world.shows(&own("writer_queue_length"), 4.0 - taken).await;

    held.release();
    in_front.await.unwrap().unwrap();
    for call in queued {
        call.await.unwrap().unwrap();
    }

    world.shows(&own("writer_queue_length"), 0.0).await;
    world.shows(&own("writer_queue_bytes"), 0.0).await;
    let after = world.scrape().await;
    let grown = |name: &str| after.count(&own(name)) - before.count(&own(name));
    assert_eq!(grown("writer_queue_wait_seconds_count"), 4.0);
    assert!(grown("writer_queue_wait_seconds_sum") > 0.0);
    assert_eq!(grown("writer_batch_commands_sum"), 4.0);
    let batches = grown("writer_batch_commands_count");
    assert!((1.0..=2.0).contains(&batches), "those that waited shared a transaction: {batches}");
    for phase in ["lock", "load", "decide", "save", "commit"] {
        let count = format!(r#"writer_phase_seconds_count{{phase="{phase}"}}"#);
        assert!(grown(&count) >= batches, "{phase}: {}", grown(&count));
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn reads_and_transactions_are_counted(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let before = world.scrape().await;
    let order = world.alice().order(&[("apples", "1")]).await;
    world.alice().seen(&order.purchase_order_id).await;
    // However few events there are, each may be about many lines.
    world.alice().events(0).ok().await;

    for (class, metric) in [("small", "read_duration_seconds"), ("large", "reader_queue_wait_seconds")] {
        let series = own(&format!(r#"{metric}_count{{class="{class}"}}"#));
        within_timeout(async {
            while world.scrape().await.count(&series) <= before.count(&series) {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(world.scrape().await.value(&own(&format!(r#"reader_queue_length{{class="{class}"}}"#))), Some(0.0));
    }
    let shown = world.scrape().await;
    let stats = world.transactions(TransactionName::WriteBatch);
    for (outcome, count) in
        [("committed", stats.committed), ("rolled_back", stats.rolled_back), ("refused", stats.refused)]
    {
        let series = format!(r#"database_transactions_total{{transaction="write_batch",outcome="{outcome}"}}"#);
        assert_eq!(shown.value(&own(&series)), Some(count as f64), "{outcome}");
    }
    assert!(
        stats.committed
            > before.count(&own(r#"database_transactions_total{transaction="write_batch",outcome="committed"}"#))
                as u64
    );
    assert_eq!(shown.value(&own(r#"database_transaction_retries_total{transaction="write_batch"}"#)), Some(0.0));
    let sessions = shown.count(&own(r#"database_sessions{pool="write",state="in_use"}"#));
    let limit = shown.count(&own(r#"database_sessions_limit{pool="write"}"#));
    assert!(sessions >= 1.0 && sessions <= limit, "{sessions} of {limit}");
    world.verify().await;
}

#[rstest]
#[case::in_total(Limits { connections: 3, ..Limits::default() }, "limit")]
#[case::of_one_peer(Limits { connections_per_peer: 3, ..Limits::default() }, "peer_limit")]
#[tokio::test(flavor = "multi_thread")]
async fn connections_are_counted_and_those_that_are_refused(#[case] limits: Limits, #[case] reason: &str) {
    let setup = Setup { limits: Some(limits), ..Setup::default() };
    let world = World::set_up(Database::migrated(Sqlite).unwrap(), setup).await;
    let refused = |reason: &str| own(&format!(r#"connections_refused_total{{reason="{reason}"}}"#));
    let address = world.address();
    // The callers of the world have one.
    world.shows(&own("connections"), 1.0).await;
    let idle = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
    world.shows(&own("connections"), 3.0).await;

    let mut beyond = TcpStream::connect(address).await.unwrap();
    assert_eq!(beyond.read(&mut [0; 1]).await.unwrap(), 0, "it is closed at once");

    world.shows(&refused(reason), 1.0).await;
    assert_eq!(world.scrape().await.value(&refused("handshake")), Some(0.0));
    let [mut one, other] = idle;
    one.write_all(b"GET / HTTP/1.1\r\nhost: service\r\n\r\n").await.unwrap();
    world.shows(&refused("handshake"), 1.0).await;
    drop(other);
    world.shows(&refused("handshake"), 2.0).await;
    world.shows(&own("connections"), 1.0).await;
    world.alice().get_store().ok().await;
    world.verify().await;
}

/// Sends this on a connection of its own, and returns what is answered until the connection ends.
async fn sent(address: SocketAddr, bytes: &[u8]) -> String {
    within_timeout(async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // The connection may end while something is still being sent, and is reset if something was not read.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_end_are_counted_by_cause_and_their_limits_are_shown() {
    let limits = Limits { connections: 50, connections_per_peer: 20, ..Limits::default() };
    let setup = Setup { limits: Some(limits), ..Setup::default() };
    let world = World::set_up(Database::migrated(Sqlite).unwrap(), setup).await;
    let begin = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &[0, 0, 0, 4, 0, 0, 0, 0, 0]].concat();
    let data_on_no_stream = [0, 0, 1, 0, 0, 0, 0, 0, 0, 7].to_vec();
    // PING with ACK.
    let acknowledgement = [&[0, 0, 8, 6, 1, 0, 0, 0, 0][..], b"whatever"].concat();
    for (cause, then) in [("protocol_error", data_on_no_stream), ("flood", acknowledgement.repeat(50))] {
        sent(world.address(), &[&begin[..], &then].concat()).await;
        world.shows(&own(&format!(r#"connections_ended_total{{cause="{cause}"}}"#)), 1.0).await;
    }
    let shown = world.scrape().await;
    let closed = own(r#"connections_ended_total{cause="closed"}"#);
    assert_eq!(shown.value(&closed), Some(0.0));
    assert_eq!(shown.value(&own("connections_limit")), Some(50.0));
    assert_eq!(shown.value(&own("connections_per_peer_limit")), Some(20.0));

    let channel = world.connect();
    Caller::of(channel.clone(), "alice", STORE).get_store().ok().await;
    drop(channel);

    world.shows(&closed, 1.0).await;
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_browsers_that_are_no_calls_are_counted_by_the_reason() {
    let world = World::on(Sqlite).await.unwrap();
    let refused = |reason: &str| own(&format!(r#"web_requests_refused_total{{reason="{reason}"}}"#));
    let request = |method: &str, headers: &str| {
        let length = "content-length: 0\r\nconnection: close";
        format!("{method} /{STORES}/GetStore HTTP/1.1\r\nhost: service\r\n{length}\r\n{headers}\r\n\r\n")
    };
    let web = "content-type: application/grpc-web+proto";
    let large = request("POST", &format!("{web}\r\nx: {}", "x".repeat(300_000)));
    for (reason, status, request) in [
        ("origin", "403", request("POST", &format!("{web}\r\norigin: https://evil.example"))),
        ("method", "405", request("GET", web)),
        ("text_format", "415", request("POST", "content-type: application/grpc-web-text")),
        ("not_grpc_web", "400", request("POST", "content-type: application/json")),
        ("malformed", "400", "what?\r\n\r\n".to_owned()),
        ("head_too_large", "431", large),
    ] {
        assert_eq!(world.scrape().await.value(&refused(reason)), Some(0.0), "{reason}");
        let answer = sent(world.web_address(), request.as_bytes()).await;
        // An answer to what was not read to its end may get lost with the connection.
        let is_lost = reason == "head_too_large" && answer.is_empty();
        assert!(is_lost || answer.starts_with(&format!("HTTP/1.1 {status} ")), "{reason}: {answer}");
        world.shows(&refused(reason), 1.0).await;
    }
    let call = sent(world.web_address(), request("POST", web).as_bytes()).await;
    assert!(call.starts_with("HTTP/1.1 200 "), "{call}");
    let shown = world.scrape().await;
    let all = ["origin", "method", "text_format", "not_grpc_web", "malformed", "head_too_large"];
    assert_eq!(all.map(|reason| shown.count(&refused(reason))), [1.0; 6], "a call is not refused");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn open_back_orders_are_counted_in_each_round_of_the_pruner(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (alice, open) = (world.alice(), own("open_back_orders"));
    world.operator().at("south").create_store("alice").ok().await;
    world.operator().at("south").enable_back_orders().ok().await;
    let mut back_orders = Vec::new();
    for (store, count) in [(STORE, 2), ("south", 1)] {
        for _ in 0..count {
            let order = alice.at(store).order(&[("apples", "10")]).await;
            alice.at(store).receive(&order).accept(1, "4").ok().await;
            back_orders.push((store, alice.at(store).back_order(&order).await));
        }
    }
    // Neither is a back order.
    alice.order(&[("apples", "10")]).await;
    alice.draft(&[("apples", "10")]).await;
    assert_eq!(world.scrape().await.value(&open), None, "nobody has counted yet");

    world.prune().await.unwrap();
    assert_eq!(world.scrape().await.value(&open), Some(3.0));

    let [(_, cancelled), (_, completed), _] = &back_orders[..] else { panic!("{back_orders:?}") };
    alice.cancel(cancelled).ok().await;
    alice.receive(completed).all_pending().ok().await;
    alice.complete(completed).ok().await;
    world.prune().await.unwrap();
    let shown = world.scrape().await;
    assert_eq!(shown.value(&open), Some(1.0));
    let sessions =
        |pool: &str, state: &str| shown.value(&own(&format!(r#"database_sessions{{pool="{pool}",state="{state}"}}"#)));
    assert_eq!((sessions("prune", "in_use"), sessions("prune", "idle")), (Some(0.0), Some(1.0)));
    assert_eq!(sessions("probe", "in_use").zip(sessions("probe", "idle")).map(|(used, idle)| used + idle), Some(1.0));
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scrapes_are_answered_while_the_database_is_away_or_silent() {
    let Some(database) = Database::migrated(Postgres) else { return };
    let proxy = Proxy::to(&database);
    let timeout = Some(Duration::from_secs(1));
    let setup = Setup { by_way_of: Some(proxy.url.clone()), database_timeout: timeout, ..Setup::default() };
    let world = World::set_up(database, setup).await;
    let available = |operation: &str| own(&format!(r#"database_available{{operation="{operation}"}}"#));
    assert_eq!(world.scrape().await.value(&available("write")), Some(1.0));
    assert_eq!(world.scrape().await.value(&own("serving")), Some(1.0));

    for is_silent in [false, true] {
        if is_silent {
            proxy.fall_silent_everywhere();
        } else {
            proxy.take_away();
        }
        world.shows(&available("read"), 0.0).await;
        world.shows(&available("write"), 0.0).await;
        world.shows(&own("serving"), 0.0).await;
        world.alice().create(&[("apples", "1")]).refused(Unavailable, "DATABASE_UNAVAILABLE").await;
        let shown = world.scrape().await;
        assert!(shown.count(&refusals(ORDERS, "CreatePurchaseOrder", "DATABASE_UNAVAILABLE")) >= 1.0);
        assert_eq!(shown.value(&own("writer_queue_length")), Some(0.0));

        if is_silent {
            proxy.speak_again();
        } else {
            proxy.bring_back();
        }
        world.shows(&own("serving"), 1.0).await;
    }
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scrapers_who_hold_connections_cost_nobody_anything_and_are_bounded() {
    let world = World::on(Sqlite).await.unwrap();
    let address = world.metrics_address();
    let mut held = Vec::new();
    for _ in 0..8 {
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(b"GET /metrics HTTP/1.1\r\n").await.unwrap();
        held.push(connection);
    }

    // A connection that is closed with unread bytes is reset.
    let answer = http_get(address, "/metrics").await.unwrap_or_default();

    assert_eq!(answer, "", "there is no room");
    world.alice().create(&[("apples", "1")]).ok().await;
    drop(held);
    within_timeout(async {
        while !http_get(address, "/metrics").await.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 ")) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(http_get(address, "/").await.unwrap().starts_with("HTTP/1.1 404 "));
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scrapes_are_answered_until_the_last_call_has_ended() {
    let mut world = World::on(Sqlite).await.unwrap();
    let address = world.metrics_address();
    let held = world.database.hold(STORE);
    let call = world.alice().create(&[("apples", "1")]).start();
    let in_flight = own(r#"calls_in_flight{class="ordinary"}"#);
    world.shows(&in_flight, 1.0).await;

    let stopping = tokio::spawn(world.take_server().stop());
    within_timeout(async {
        loop {
            let shown = Scrape::of(address).await;
            if shown.value(&own("serving")) == Some(0.0) {
                assert_eq!(shown.value(&in_flight), Some(1.0));
                break;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    held.release();
    call.await.unwrap().unwrap();
    stopping.await.unwrap();

    assert!(TcpStream::connect(address).await.is_err(), "it has ended with the service");
    world.verify().await;
}

/// A row of the table in docs/operations.md: the metric's type and its labels.
type Row = (String, BTreeSet<String>);

fn documented() -> BTreeMap<String, Row> {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md")).unwrap();
    let (_, section) = page.split_once("\n## Metrics\n").expect("the page has a section on metrics");
    let section = section.split("\n## ").next().unwrap();
    let mut rows = BTreeMap::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let mut cells = row.trim_matches('|').split('|').map(str::trim);
        let mut next = || cells.next().unwrap_or_else(|| panic!("too few cells: {row}"));
        let (name, kind, labels) = (next().trim_matches('`').to_owned(), next().to_owned(), next());
        let labels = labels.split(',').map(|label| label.trim().trim_matches('`').to_owned());
        let labels = labels.filter(|label| !label.is_empty()).collect();
        assert_eq!(rows.insert(name, (kind, labels)), None, "{row}");
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_for_operators_names_every_metric_with_its_type_and_labels() {
    let world = World::on(Sqlite).await.unwrap();
    // Refusals are the one family that is empty at first.
    world.caller("").list_stores().refused(Unauthenticated, "NO_CREDENTIALS").await;
    let shown = world.scrape().await;
    let mut found = BTreeMap::new();
    for (name, kind) in &shown.types {
        let labels = shown.labels(name).into_iter().map(str::to_owned).collect();
        found.insert(name.clone(), (kind.clone(), labels));
    }

    assert_eq!(documented(), found);

    let version = format!(r#"build_info{{version="{}"}}"#, env!("CARGO_PKG_VERSION"));
    assert_eq!(shown.value(&own(&version)), Some(1.0));
    assert!(shown.count(&own("schema_version")) > 20_260_000_000_000.0);
    assert!(shown.count("process_start_time_seconds") > 1.7e9);
    world.verify().await;
}

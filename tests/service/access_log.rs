//! The access log: a line for each call, with who called what where and how it ended, for programs to read.

use std::io::Read;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::server_process::ServerProcess;
use crate::support::{Database, Engine};
use purchase_order_service::proto::v1::GetStoreRequest;
use purchase_order_service::proto::v1::store_service_client::StoreServiceClient;
use tonic::Code::{FailedPrecondition, PermissionDenied, Unauthenticated};
use tonic::Request;

/// What the program logs of calls while `calls` are made.
async fn logged(arguments: &[&str], calls: impl AsyncFnOnce(&ServerProcess)) -> Vec<Value> {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let database = Database::empty(Engine::Sqlite).unwrap();
    let arguments = [&["--log-format", "json"], arguments].concat();
    let mut server = ServerProcess::on_with_log(&database, &arguments, writer);
    let log = std::thread::spawn(move || {
        let mut log = String::new();
        reader.read_to_string(&mut log).unwrap();
        log
    });
    calls(&server).await;
    server.terminate();
    assert!(server.ends_well().await);
    drop(server);
    let log = log.join().unwrap();
    let events = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("each line is an object of JSON"));
    events.filter(|event| event["target"] == "purchase_order_service::access_log").collect()
}

/// The fields of a line that do not differ from run to run.
fn fields<const N: usize>(line: &Value, names: [&str; N]) -> [Value; N] {
    names.map(|name| line[name].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_has_a_line_that_tells_who_called_what_where_and_how_it_ended() {
    let id = Uuid::now_v7();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let lines = logged(&["--access-log", "1"], async |server| {
        let alice = server.alice();
        let order = alice.create(&[("apples", "1")]).id(id).ok().await.purchase_order.unwrap();
        alice.receive(&order).accept(1, "1").refused(FailedPrecondition, "WRONG_STATE").await;
        alice.at("elsewhere").get_store().refused(PermissionDenied, "NO_STORE_ACCESS").await;
        let mut traced = Request::new(GetStoreRequest { store_id: "demo".to_owned() });
        traced.metadata_mut().insert("traceparent", format!("00-{trace}-00f067aa0ba902b7-01").parse().unwrap());
        let refused = StoreServiceClient::new(server.channel()).get_store(traced).await.unwrap_err();
        assert_eq!(refused.code(), Unauthenticated);
    })
    .await;

    let names = ["service", "method", "caller", "store", "code", "reason", "request_id", "trace_id"];
    let found: Vec<_> = lines.iter().map(|line| fields(line, names)).collect();
    let (orders, stores) = ("purchasing.v1.PurchaseOrderService", "purchasing.v1.StoreService");
    let none = Value::Null;
    let expected = [
        [
            json!(orders),
            json!("CreatePurchaseOrder"),
            json!("alice"),
            json!("demo"),
            json!("Ok"),
            none.clone(),
            json!(id),
            none.clone(),
        ],
        [
            json!(orders),
            json!("ReceivePurchaseOrder"),
            json!("alice"),
            json!("demo"),
            json!("FailedPrecondition"),
            json!("WRONG_STATE"),
            none.clone(),
            none.clone(),
        ],
        [
            json!(stores),
            json!("GetStore"),
            json!("alice"),
            json!("elsewhere"),
            json!("PermissionDenied"),
            json!("NO_STORE_ACCESS"),
            none.clone(),
            none.clone(),
        ],
        [
            json!(stores),
            json!("GetStore"),
            none.clone(),
            none.clone(),
            json!("Unauthenticated"),
            json!("NO_CREDENTIALS"),
            none,
            json!(trace),
        ],
    ];
    assert_eq!(found, expected, "{lines:#?}");
    assert!(lines.iter().all(|line| line["duration_ms"].as_f64().unwrap() > 0.0), "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_so_many_calls_is_logged_if_that_is_asked_for_and_none_by_default() {
    let twenty_calls = async |server: &ServerProcess| {
        for _ in 0..20 {
            server.alice().get_store().ok().await;
        }
    };
    assert_eq!(logged(&["--access-log", "10"], twenty_calls).await.len(), 2);
    assert_eq!(logged(&[], twenty_calls).await.len(), 0);
}

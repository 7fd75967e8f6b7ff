//! `call`, as a process against a server: what people type, what they get, and that nothing is done twice.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::pin::Pin;
use std::process::{Command, Output, Stdio};

use prost::Message;
use prost_types::FileDescriptorProto;
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::codegen::tokio_stream::wrappers::TcpListenerStream;
use tonic::codegen::tokio_stream::{Stream, StreamExt};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest as Question;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse as Answer;
use tonic_reflection::pb::v1::server_reflection_server::{ServerReflection, ServerReflectionServer};
use tonic_reflection::pb::v1::{
    FileDescriptorResponse, ListServiceResponse, ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
};

use crate::credentials::secured::{Secured, uri};
use crate::support::Engine::{Postgres, Sqlite};
use crate::support::server_process::ServerProcess;
use crate::support::{Database, Proxy, Setup, World, within_timeout};

/// `call` at a server, with nothing in its environment but what is given.
fn call(address: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_purchase-order-service"));
    command.env_clear().args(["call", "--server", address]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(address: &str, arguments: &[&str]) -> Output {
    call(address, arguments).output().unwrap()
}

/// The same beside what else this test does.
async fn run_beside(address: &str, arguments: &[&str]) -> Output {
    let mut command = call(address, arguments);
    within_timeout(tokio::task::spawn_blocking(move || command.output().unwrap())).await.unwrap()
}

fn with_input(address: &str, arguments: &[&str], input: &str) -> Output {
    let mut process = call(address, arguments).stdin(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    process.wait_with_output().unwrap()
}

/// What a call prints that succeeds.
fn printed(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn answer(output: &Output) -> Value {
    serde_json::from_str(&printed(output)).unwrap()
}

/// What a call says that fails: nothing is printed as if it were an answer.
fn complaint(output: &Output) -> String {
    assert_eq!((output.status.code(), &*output.stdout), (Some(1), &b""[..]), "{output:?}");
    said(output)
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A server in development mode, with the demo store.
fn serving() -> (Database, ServerProcess) {
    let database = Database::empty(Sqlite).unwrap();
    let server = ServerProcess::on(&database, &[]);
    (database, server)
}

const GET_STORE: [&str; 4] = ["--as", "alice", "StoreService/GetStore", r#"{"store_id": "demo"}"#];
const ORDER: &str = r#"{"store_id": "demo", "supplier_id": "baker-foods", "lines": [
    {"product_id": "oil", "description": "Olive oil", "unit": "UNIT_BOTTLE", "quantity": "24", "unit_cost": "4.75"}]}"#;

#[test]
fn a_method_is_called_with_json_and_answers_with_json() {
    let (_database, server) = serving();

    for method in
        ["StoreService/GetStore", "purchasing.v1.StoreService/GetStore", "/purchasing.v1.StoreService/GetStore"]
    {
        let output = run(&server.address, &["--as", "alice", method, r#"{"storeId": "demo"}"#]);
        assert_eq!(answer(&output)["store"]["displayName"], "Demo store", "{output:?}");
        assert_eq!(said(&output), "", "what went well needs no comment");
    }
    let health = run(&server.address, &["grpc.health.v1.Health/Check"]);
    assert_eq!(answer(&health), json!({"status": "SERVING"}));
    let named =
        call("127.0.0.1:1", &GET_STORE[2..]).args(["-H", "X-Principal: bob", "--server", &server.address]).output();
    assert_eq!(named.unwrap().status.code(), Some(2), "--server is given twice");
    let named = run(&server.address, &["-H", "X-Principal: bob", GET_STORE[2], GET_STORE[3]]);
    assert_eq!(answer(&named)["store"]["storeId"], "demo");
}

#[test]
fn a_request_comes_from_standard_input_too() {
    let (_database, server) = serving();
    let arguments = ["--as", "alice", "PurchaseOrderService/CreatePurchaseOrder"];

    let absent = answer(&with_input(&server.address, &arguments, ORDER));
    let hyphen = answer(&with_input(&server.address, &[&arguments[..], &["-"]].concat(), ORDER));

    let number = |answer: &Value| answer["purchaseOrder"]["number"].as_str().unwrap().to_owned();
    assert_eq!([number(&absent), number(&hyphen)], ["PO-000001", "PO-000002"]);
    let empty = with_input(&server.address, &["--as", "alice", "StoreService/ListStores"], "");
    assert_eq!(answer(&empty)["stores"][0]["storeId"], "demo");
}

#[test]
fn a_refusal_is_shown_with_its_details() {
    let (_database, server) = serving();

    let refused =
        complaint(&run(&server.address, &["--as", "bob", "AccessService/ListRoles", r#"{"store_id": "demo"}"#]));
    assert!(refused.starts_with("purchase-order-service: PERMISSION_DENIED, PERMISSION_MISSING: "), "{refused}");
    assert!(refused.lines().any(|line| line == "  permission = MANAGE_ACCESS"), "{refused}");

    let order = ORDER.replace("24", "-1").replace("4.75", "free");
    let refused =
        complaint(&run(&server.address, &["--as", "alice", "PurchaseOrderService/CreatePurchaseOrder", &order]));
    assert!(refused.starts_with("purchase-order-service: INVALID_ARGUMENT, INVALID_REQUEST\n"), "{refused}");
    for field in ["  lines[0].quantity: ", "  lines[0].unit_cost: ", "  violations_total = 2"] {
        assert!(refused.lines().any(|line| line.starts_with(field)), "{field}: {refused}");
    }
    assert!(!refused.contains("request_id"), "nothing was done, so the id is of no use: {refused}");
}

#[test]
fn what_is_typed_wrong_is_named_before_it_is_sent() {
    let (_database, server) = serving();
    let refused = |arguments: &[&str]| complaint(&run(&server.address, arguments));

    let unknown = refused(&["StoreService/GetStor", "{}"]);
    assert!(unknown.contains("'StoreService/GetStor'") && unknown.contains("StoreService/GetStore"), "{unknown}");
    let field = refused(&["StoreService/GetStore", r#"{"store": "demo"}"#]);
    assert!(field.contains("'store'") && field.contains("line 1 column 8"), "{field}");
    let json = refused(&["StoreService/GetStore", "{"]);
    assert!(json.contains("GetStoreRequest") && json.contains("line 1 column"), "{json}");
    let many = refused(&["--max-messages", "1", "StoreService/GetStore", "{}"]);
    assert!(many.contains("--max-messages"), "{many}");
    let stream = refused(&["grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "{}"]);
    assert!(stream.contains("stream of requests"), "{stream}");

    for (arguments, allowed) in [
        (&["--timeout-seconds", "0", "StoreService/GetStore"][..], "from 1 to 3600"),
        (&["--max-messages", "x", "EventService/WatchEvents"], "from 1 to 1000000"),
        (&["--metadata", "x", "StoreService/GetStore"], "name: value"),
        (&["--client-key", "a.key", "StoreService/GetStore"], "--client-certificate"),
        (&[], "METHOD"),
    ] {
        let output = run(&server.address, arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(said(&output).contains(allowed), "{output:?}");
    }
    let address = run("nowhere", &["StoreService/GetStore"]);
    assert!(address.status.code() == Some(2) && said(&address).contains("HOST:PORT"), "{address:?}");
}

#[test]
fn methods_are_listed_and_described_by_the_server_or_without_one() {
    let (_database, server) = serving();

    for address in [&*server.address, "127.0.0.1:1"] {
        let list = run(address, &["--list", "StoreService"]);
        assert_eq!(printed(&list).lines().count(), 6, "{list:?}");
        assert!(printed(&list).contains("Returns one store."), "{list:?}");
        let described = run(address, &["--describe", "StoreService/GetStore"]);
        assert!(printed(&described).contains("  // The id of the store.\n  string store_id = 1;"), "{described:?}");
        let is_served = address == server.address;
        assert_eq!(said(&described).contains("this is the contract of version"), !is_served, "{described:?}");
    }
}

#[test]
fn a_server_that_is_not_there_is_told_at_once() {
    let away = complaint(&run("127.0.0.1:1", &GET_STORE));
    assert!(away.contains("127.0.0.1:1") && away.contains("nothing listens there"), "{away}");
}

#[test]
fn a_stream_prints_each_message_until_it_is_enough() {
    let (_database, server) = serving();
    let watch = ["--as", "alice", "EventService/WatchEvents", r#"{"positions": [{"store_id": "demo"}]}"#];

    let two = printed(&run(&server.address, &[&["--max-messages", "2"], &watch[..]].concat()));
    let messages: Vec<Value> = serde_json::Deserializer::from_str(&two).into_iter().map(Result::unwrap).collect();
    assert_eq!(messages.len(), 2, "{two}");
    assert!(messages[1]["events"][0]["eventNumber"].is_string(), "{two}");

    let late = run(&server.address, &[&["--timeout-seconds", "1"], &watch[..]].concat());
    assert!(printed(&late).contains("eventNumber"), "a deadline is the end and no failure: {late:?}");
    let refused = complaint(&run(&server.address, &[&["--as", "mallory"], &watch[2..]].concat()));
    assert!(refused.contains("PERMISSION_DENIED"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_certificates_are_shown_to_a_server_with_tls() {
    let Some(secured) = Secured::on(Sqlite).await else { return };
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| write(folder.path(), name, text);
    let token = file("token", &format!("{}\n", secured.issuer.token("alice")));
    let pair = secured.authority.client(&[uri("spiffe://corp.example/till")]);
    let (certificate, key) = (file("till.pem", &pair.certificate), file("till.key", &pair.key));
    let (address, authority) = (secured.address(), secured.authority_file());
    secured.caller("alice").grant("uri:spiffe://corp.example/till", "receiver").ok().await;
    let request = ["StoreService/GetStore", r#"{"store_id": "north"}"#];
    let tls = ["--server-ca", &authority, "--server-name", "localhost"];
    let bearing = [&tls[..], &["--token-file", &token], &request[..]].concat();

    let alice = run_beside(&address, &bearing).await;
    assert_eq!((&*answer(&alice)["store"]["storeId"].to_string(), &*said(&alice)), ("\"north\"", ""));
    let certified = ["--client-certificate", &certificate, "--client-key", &key];
    let till = run_beside(&address, &[&tls[..], &certified[..], &request[..]].concat()).await;
    assert_eq!(answer(&till)["store"]["storeId"], "north");

    // Reflection is refused to nobody's name, and so is the call.
    let nobody = run_beside(&address, &[&tls[..], &request[..]].concat()).await;
    let refused = complaint(&nobody);
    assert!(refused.contains("does not describe its contract (UNAUTHENTICATED"), "{refused}");
    assert!(refused.contains("purchase-order-service: UNAUTHENTICATED, NO_CREDENTIALS"), "{refused}");

    let plain = complaint(&run_beside(&address, &request).await);
    assert!(plain.contains("speaks TLS") && plain.contains("--server-ca"), "{plain}");
    let no_name = complaint(&run_beside(&address, &[&["--server-ca", &*authority], &request[..]].concat()).await);
    assert!(no_name.contains("--server-name"), "{no_name}");
    let other = file("other.pem", &crate::credentials::secured::Authority::new("other").pem());
    let stranger = ["--server-ca", &other, "--server-name", "localhost"];
    let stranger = complaint(&run_beside(&address, &[&stranger[..], &request[..]].concat()).await);
    assert!(stranger.contains("not the authority"), "{stranger}");
    secured.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_in_no_output() {
    let (_database, server) = serving();
    let folder = TempDir::new().unwrap();
    let token = write(folder.path(), "token", "hunter2");

    for (arguments, status) in [(&["StoreService/GetStore", "{}"][..], 1), (&["grpc.health.v1.Health/Check"], 0)] {
        let mut command = call(&server.address, arguments);
        let output = command.env("CALL_TOKEN_FILE", &token).env("RUST_LOG", "trace").output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        assert!(!format!("{output:?}").contains("hunter2"), "{output:?}");
    }
    let absent = complaint(&run(&server.address, &["--token-file", "/absent", "StoreService/GetStore", "{}"]));
    assert!(absent.contains("the token file /absent"), "{absent}");
}

#[test]
fn tls_at_a_server_without_it_is_named() {
    let (_database, server) = serving();
    let folder = TempDir::new().unwrap();
    let authority = write(folder.path(), "ca.pem", &crate::credentials::secured::Authority::new("ca").pem());

    let refused = complaint(&run(&server.address, &[&["--server-ca", &*authority], &GET_STORE[..]].concat()));
    assert!(refused.contains("without TLS") && refused.contains("leave --server-ca out"), "{refused}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_purchase-order-service"));
    let check = ["healthcheck", "--server", &server.address, "--server-ca", &authority];
    let refused = complaint(&command.env_clear().args(check).output().unwrap());
    assert!(refused.contains("leave --server-ca out"), "{refused}");
}

/// The connection breaks when the service has done what was asked for, and before it can say so.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_over_a_connection_that_breaks_is_done_once() {
    let (_database, server) = serving();
    let alice = server.alice();
    let relay = Relay::to(&server.address, b"baker-foods").await;
    let address = relay.address.clone();

    let calling = tokio::spawn(async move {
        run_beside(&address, &["--as", "alice", "PurchaseOrderService/CreatePurchaseOrder", ORDER]).await
    });
    within_timeout(async { while alice.list().ok().await.purchase_orders.is_empty() {} }).await;
    relay.break_off();
    let output = within_timeout(calling).await.unwrap();

    let created = answer(&output);
    let orders = alice.list().ok().await.purchase_orders;
    assert_eq!(orders.len(), 1, "{output:?}");
    assert_eq!(created["purchaseOrder"]["purchaseOrderId"], *orders[0].purchase_order_id, "{output:?}");
    let said = said(&output);
    assert!(said.contains("attempt 1 of 5: ") && said.contains("with the same request_id "), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_retries_the_id_to_send_again_is_told() {
    let (_database, server) = serving();
    let alice = server.alice();
    let relay = Relay::to(&server.address, b"baker-foods").await;
    let address = relay.address.clone();

    let arguments = ["--as", "alice", "--no-retry", "PurchaseOrderService/CreatePurchaseOrder", ORDER];
    let calling = tokio::spawn(async move { run_beside(&address, &arguments).await });
    within_timeout(async { while alice.list().ok().await.purchase_orders.is_empty() {} }).await;
    relay.break_off();
    let refused = complaint(&within_timeout(calling).await.unwrap());

    let (_, id) = refused.split_once("request_id ").unwrap();
    let id = id.split(':').next().unwrap();
    let again = ORDER.replacen('{', &format!("{{\"request_id\": \"{id}\", "), 1);
    let again = answer(&run(&server.address, &["--as", "alice", "PurchaseOrderService/CreatePurchaseOrder", &again]));
    let orders = alice.list().ok().await.purchase_orders;
    assert_eq!(orders.len(), 1);
    assert_eq!(again["purchaseOrder"]["purchaseOrderId"], *orders[0].purchase_order_id);
}

#[rstest]
#[case::comes_back(true)]
#[case::stays_away(false)]
#[tokio::test(flavor = "multi_thread")]
async fn a_service_whose_database_is_away_is_asked_again(#[case] comes_back: bool) {
    let Some(database) = Database::migrated(Postgres) else { return };
    let proxy = Proxy::to(&database);
    let world = World::set_up(database, Setup { by_way_of: Some(proxy.url.clone()), ..Setup::default() }).await;
    let address = world.address().to_string();
    proxy.take_away();

    let arguments = ["--as", "alice", "StoreService/GetStore", r#"{"store_id": "north"}"#];
    let mut process = call(&address, &arguments).spawn().unwrap();
    let mut errors = std::io::BufReader::new(process.stderr.take().unwrap());
    let output = tokio::task::spawn_blocking(move || {
        let mut said = String::new();
        std::io::BufRead::read_line(&mut errors, &mut said).unwrap();
        if comes_back {
            proxy.bring_back();
        }
        std::io::Read::read_to_string(&mut errors, &mut said).unwrap();
        (process.wait_with_output().unwrap(), said, proxy)
    });
    let (output, said, proxy) = within_timeout(output).await.unwrap();

    assert!(said.starts_with("attempt 1 of 5: UNAVAILABLE, DATABASE_UNAVAILABLE"), "{said}");
    match comes_back {
        true => assert_eq!(answer(&output)["store"]["storeId"], "north"),
        false => {
            assert_eq!(output.status.code(), Some(1), "{output:?}");
            assert!(said.contains("attempt 4 of 5") && said.contains("may be sent again after"), "{said}");
            assert!(!said.contains("attempt 5") && !said.contains("request_id"), "{said}");
        }
    }
    proxy.bring_back();
    world.verify().await;
}

#[test]
fn shells_complete_the_methods() {
    for shell in ["bash", "zsh", "fish"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_purchase-order-service"));
        let script = printed(&command.env_clear().args(["completions", shell]).output().unwrap());
        for name in ["StoreService/GetStore", "grpc.health.v1.Health/Check"] {
            assert!(script.contains(name), "{shell}: {name}");
        }
    }
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A way to a server. The connection on which a marked request passes brings no answers from then on, and can be broken;
/// all others are left alone.
struct Relay {
    address: String,
    breaks: oneshot::Sender<()>,
    _accepting: JoinHandle<()>,
}

impl Relay {
    async fn to(server: &str, mark: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (server, (breaks, mut broken)) = (server.to_owned(), oneshot::channel());
        let accepting = tokio::spawn(async move {
            let (client, _) = listener.accept().await.unwrap();
            relay_first(client, TcpStream::connect(&server).await.unwrap(), mark, &mut broken).await;
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let mut server = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut server).await });
            }
        });
        Self { address, breaks, _accepting: accepting }
    }

    fn break_off(self) {
        self.breaks.send(()).unwrap();
        // The relay goes on with the process's runtime.
    }
}

async fn relay_first(client: TcpStream, server: TcpStream, mark: &[u8], broken: &mut oneshot::Receiver<()>) {
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let answering = tokio::spawn(forward(from_server, to_client));
    let (mut from_client, mut to_server) = (from_client, to_server);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = from_client.read(&mut buffer).await.unwrap();
        assert!(length > 0, "the marked request comes");
        if buffer[..length].windows(mark.len()).any(|window| window == mark) {
            answering.abort();
            // The half for writing must be gone with its task before the connection can be closed.
            let _ = answering.await;
            to_server.write_all(&buffer[..length]).await.unwrap();
            broken.await.unwrap();
            return;
        }
        to_server.write_all(&buffer[..length]).await.unwrap();
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length) = from.read(&mut buffer).await {
        if length == 0 || to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
}

/// A server that describes file after file, each of a megabyte, without an end.
struct Endless;

#[tonic::async_trait]
impl ServerReflection for Endless {
    type ServerReflectionInfoStream = Pin<Box<dyn Stream<Item = Result<ServerReflectionResponse, Status>> + Send>>;

    async fn server_reflection_info(
        &self,
        request: Request<Streaming<ServerReflectionRequest>>,
    ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
        let answers = request.into_inner().map(|question| {
            let answer = match question?.message_request {
                Some(Question::ListServices(_)) => {
                    let service = vec![ServiceResponse { name: "endless.Service".to_owned() }];
                    Answer::ListServicesResponse(ListServiceResponse { service })
                }
                Some(Question::FileByFilename(name)) => endless_file(name.parse().unwrap()),
                _ => endless_file(0),
            };
            Ok(ServerReflectionResponse { message_response: Some(answer), ..ServerReflectionResponse::default() })
        });
        Ok(Response::new(Box::pin(answers)))
    }
}

fn endless_file(number: u32) -> Answer {
    let file = FileDescriptorProto {
        name: Some(number.to_string()),
        package: Some("x".repeat(1024 * 1024)),
        dependency: vec![(number + 1).to_string()],
        ..FileDescriptorProto::default()
    };
    Answer::FileDescriptorResponse(FileDescriptorResponse { file_descriptor_proto: vec![file.encode_to_vec()] })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_describes_without_end_is_not_listened_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = Server::builder().add_service(ServerReflectionServer::new(Endless));
    let serving = tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));

    let output = run_beside(&address, &["--list"]).await;

    assert!(said(&output).contains("describes more than 16 MiB"), "{output:?}");
    assert!(printed(&output).contains("StoreService/GetStore"), "its own contract is listed instead");
    serving.abort();
}

#[test]
fn a_token_is_not_sent_without_tls_to_another_machine() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "secret").unwrap();
    for credentials in [["--token-file", token.to_str().unwrap()], ["-H", "Authorization: Bearer secret"]] {
        let arguments = [&credentials[..], &["StoreService/GetStore", "{}"]].concat();
        // An address for documentation (RFC 5737): nobody has it.
        let refused = complaint(&run("192.0.2.1:50051", &arguments));
        assert!(
            refused.contains("without TLS to 192.0.2.1:50051") && refused.contains("--allow-plaintext"),
            "{refused}"
        );
        assert!(!refused.contains("secret"), "{refused}");
    }
}

//! What is too much, or not meant for here: each with the code that other stacks use.

use http::Request;
use hyper::body::Bytes;
use prost::Message;
use purchase_order_service::proto::v1::GetStoreRequest;
use tonic::Code;
use tonic::Code::{
    DeadlineExceeded, InvalidArgument, NotFound, ResourceExhausted, Unauthenticated, Unavailable, Unimplemented,
};
use tonic_health::pb::HealthCheckRequest;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_types::StatusExt;

use crate::frames::connect;
use crate::support::server_process::ServerProcess;
use crate::support::{together, within_timeout};

const GET_STORE: &str = "/purchasing.v1.StoreService/GetStore";
const CHECK: &str = "/grpc.health.v1.Health/Check";
const WATCH: &str = "/grpc.health.v1.Health/Watch";
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

/// Sends one call as it is; its code and its reason.
async fn send(attacked: &ServerProcess, request: Request<()>, body: Bytes) -> (Code, String) {
    let socket = connect(&attacked.address, 2).await.unwrap();
    let (sender, connection) = h2::client::handshake(socket).await.unwrap();
    tokio::spawn(connection);
    let (answer, mut stream) = sender.ready().await.unwrap().send_request(request, false).unwrap();
    // The service may refuse before it has read everything.
    let _ = stream.send_data(body, true);
    let mut answer = within_timeout(answer).await.unwrap();
    let mut status = tonic::Status::from_header_map(answer.headers());
    while status.is_none() {
        // A stream says it at its end.
        if within_timeout(answer.body_mut().data()).await.is_none() {
            let trailers = within_timeout(answer.body_mut().trailers()).await.unwrap().unwrap();
            status = tonic::Status::from_header_map(&trailers);
        }
    }
    let status = status.unwrap();
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("a refusal without its reason: {status:?}"));
    assert_eq!(info.domain, "purchasing.v1", "{status:?}");
    (status.code(), info.reason.clone())
}

fn head(path: &str, more: &[(&str, &str)]) -> Request<()> {
    head_of("alice", path, more)
}

fn head_of(principal: &str, path: &str, more: &[(&str, &str)]) -> Request<()> {
    let request = Request::post(format!("http://localhost{path}"));
    let request = request.header("content-type", "application/grpc").header("te", "trailers");
    let request = request.header("x-principal", principal);
    more.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(()).unwrap()
}

fn framed(bytes: &[u8], flag: u8) -> Bytes {
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [&[flag], &length[..], bytes].concat().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_is_refused_by_its_code() {
    let attacked = ServerProcess::alone(&[]);
    let get = framed(&GetStoreRequest { store_id: "demo".to_owned() }.encode_to_vec(), 0);
    let large = GetStoreRequest { store_id: "d".repeat(5 * 1024 * 1024) }.encode_to_vec();
    let filler = "f".repeat(17 * 1024);

    let cases = [
        (send(&attacked, head(GET_STORE, &[]), framed(&large, 0)).await, (ResourceExhausted, "MESSAGE_TOO_LARGE")),
        (
            send(&attacked, head(GET_STORE, &[("x-filler", &filler)]), get.clone()).await,
            (ResourceExhausted, "METADATA_TOO_LARGE"),
        ),
        (send(&attacked, head(GET_STORE, &[]), framed(&[0xff; 9], 0)).await, (InvalidArgument, "MALFORMED_MESSAGE")),
        (
            send(&attacked, head("/purchasing.v1.StoreService/Drop", &[]), get.clone()).await,
            (Unimplemented, "METHOD_UNKNOWN"),
        ),
        (send(&attacked, head("/admin", &[]), get.clone()).await, (Unimplemented, "METHOD_UNKNOWN")),
        // Nothing compressed is taken, so nothing can grow when it is unpacked.
        (
            send(&attacked, head(GET_STORE, &[("grpc-encoding", "gzip")]), framed(&[0x1f, 0x8b], 1)).await,
            (Unimplemented, "COMPRESSION_UNSUPPORTED"),
        ),
        (
            send(&attacked, head(GET_STORE, &[("grpc-timeout", "soon")]), get.clone()).await,
            (InvalidArgument, "INVALID_REQUEST"),
        ),
    ];

    for ((code, reason), (expected, why)) in cases {
        assert_eq!((code, reason.as_str()), (expected, why));
    }
    attacked.alice().get_store().ok().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_of_the_transport_tells_a_true_reason() {
    let attacked = ServerProcess::alone(&[]);
    let get = || framed(&GetStoreRequest { store_id: "demo".to_owned() }.encode_to_vec(), 0);
    let unknown = || framed(&HealthCheckRequest { service: "nobody".to_owned() }.encode_to_vec(), 0);
    let reflect =
        |message_request| framed(&ServerReflectionRequest { host: String::new(), message_request }.encode_to_vec(), 0);
    let symbol = MessageRequest::FileContainingSymbol("purchasing.v1.Nothing".to_owned());
    let gzip = [("grpc-encoding", "gzip")];
    let compressed = (Unimplemented, "COMPRESSION_UNSUPPORTED");
    let malformed = (InvalidArgument, "MALFORMED_MESSAGE");
    let long = "p".repeat(1_000);

    for (what, request, body, expected) in [
        ("a nameless caller", head_of("", GET_STORE, &[]), get(), (Unauthenticated, "NO_CREDENTIALS")),
        ("a name too long", head_of(&long, GET_STORE, &[]), get(), (Unauthenticated, "INVALID_CREDENTIALS")),
        ("two names", head(GET_STORE, &[("x-principal", "bob")]), get(), (Unauthenticated, "INVALID_CREDENTIALS")),
        ("no time at all", head(GET_STORE, &[("grpc-timeout", "0n")]), get(), (DeadlineExceeded, "DEADLINE_EXCEEDED")),
        ("no message", head(GET_STORE, &[]), Bytes::new(), malformed),
        ("two messages", head(GET_STORE, &[]), [get(), get()].concat().into(), malformed),
        ("an unknown flag", head(GET_STORE, &[]), framed(&[], 2), malformed),
        ("a compressed message", head(GET_STORE, &[]), framed(&[0x1f], 1), compressed),
        ("a compressed check", head(CHECK, &gzip), framed(&[0x1f], 1), compressed),
        ("a compressed watch", head(WATCH, &gzip), framed(&[0x1f], 1), compressed),
        ("compressed reflection", head(REFLECTION, &gzip), framed(&[0x1f], 1), compressed),
        ("a watch without a message", head(WATCH, &[]), Bytes::new(), malformed),
        ("a watch of broken bytes", head(WATCH, &[]), framed(&[0xff; 9], 0), malformed),
        ("the health of nobody", head(CHECK, &[]), unknown(), (NotFound, "SERVICE_UNKNOWN")),
        ("reflection of nothing", head(REFLECTION, &[]), reflect(Some(symbol)), (NotFound, "SYMBOL_UNKNOWN")),
        ("reflection without a question", head(REFLECTION, &[]), reflect(None), malformed),
    ] {
        let (code, reason) = send(&attacked, request, body).await;
        assert_eq!((code, reason.as_str()), expected, "{what}");
    }
}

/// Makes an order; its number, which counts the orders of its store.
async fn last_number(attacked: &ServerProcess) -> u32 {
    let order = attacked.alice().create(&[("apples", "1")]).ok().await.purchase_order.unwrap();
    order.number.trim_start_matches("PO-").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_times_more_than_it_can_take_is_answered_refused_or_late() {
    let attacked = ServerProcess::alone(&[]);
    let orders_before = last_number(&attacked).await;
    let before = attacked.memory();
    let calls = (0..80).flat_map(|_| {
        let alice = attacked.alice();
        (0..250).map(move |_| alice.create(&[("apples", "1")]))
    });

    let answers = within_timeout(together(calls)).await;

    let (mut done, mut refused, mut late) = (0_u32, 0_u32, 0_u32);
    for answer in answers {
        match answer {
            Ok(_) => done += 1,
            // On a slow machine some wait until their time is over.
            Err(status) if status.code() == DeadlineExceeded => late += 1,
            // The client's HTTP/2 may count a call as ended that the server still counts, and then begin
            // one too many. REFUSED_STREAM says that nothing of it was done.
            Err(status) if status.code() == Unavailable && format!("{status:?}").contains("REFUSED_STREAM") => {
                refused += 1;
            }
            Err(status) => {
                assert_eq!(status.code(), ResourceExhausted, "{status:?}");
                assert!(status.get_error_details().retry_info().is_some());
                refused += 1;
            }
        }
    }
    eprintln!(
        "20,000 calls at once: {done} done, {refused} refused, {late} late; {before} -> {} KiB",
        attacked.memory()
    );
    assert!(done > 0 && refused > 0, "{done} done, {refused} refused");
    // A call that was refused made no order, and one that was late may have made one.
    let made = last_number(&attacked).await - orders_before - 1;
    assert!((done..=done + late).contains(&made), "{made} orders were made; {done} calls done, {late} late");
    assert!(attacked.memory() < before + 256 * 1024);
    attacked.alice().get_store().ok().await;
}

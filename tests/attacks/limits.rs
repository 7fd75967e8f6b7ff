//! What is too much, or not meant for here: each with the code that other stacks use.

use http::Request;
use hyper::body::Bytes;
use prost::Message;
use purchase_order_service::proto::v1::GetStoreRequest;
use tonic::Code;
use tonic::Code::{DeadlineExceeded, InvalidArgument, ResourceExhausted, Unavailable, Unimplemented};
use tonic_types::StatusExt;

use crate::attacked::Attacked;
use crate::frames::connect;
use crate::support::{patiently, together};

const GET_STORE: &str = "/purchasing.v1.StoreService/GetStore";

/// Sends one call as it is; its status, and its reason where it carries one.
async fn send(attacked: &Attacked, request: Request<()>, body: Bytes) -> (Code, String) {
    let socket = connect(&attacked.address, 2).await.unwrap();
    let (sender, connection) = h2::client::handshake(socket).await.unwrap();
    tokio::spawn(connection);
    let (answer, mut stream) = sender.ready().await.unwrap().send_request(request, false).unwrap();
    // The service may refuse before it has read everything.
    let _ = stream.send_data(body, true);
    let answer = patiently(answer).await.unwrap();
    let status = tonic::Status::from_header_map(answer.headers()).unwrap();
    let reason = status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default();
    (status.code(), reason)
}

fn head(path: &str, more: &[(&str, &str)]) -> Request<()> {
    let request = Request::post(format!("http://localhost{path}"));
    let request = request.header("content-type", "application/grpc").header("te", "trailers");
    let request = request.header("x-principal", "alice");
    more.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(()).unwrap()
}

fn framed(bytes: &[u8], flag: u8) -> Bytes {
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [&[flag], &length[..], bytes].concat().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_is_refused_by_its_code() {
    let attacked = Attacked::alone(&[]);
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
async fn ten_times_more_than_it_can_take_is_answered_refused_or_late() {
    let attacked = Attacked::alone(&[]);
    let before = attacked.memory();
    let calls = (0..80).flat_map(|_| {
        let alice = attacked.alice();
        (0..250).map(move |_| alice.create(&[("apples", "1")]))
    });

    let answers = patiently(together(calls)).await;

    let (mut done, mut refused, mut late) = (0, 0, 0);
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
    assert!(done > 0 && refused > 0 && done + refused + late == 20_000);
    assert!(attacked.memory() < before + 256 * 1024);
    attacked.alice().get_store().ok().await;
}

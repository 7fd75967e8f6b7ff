//! Many watches and unfinished calls of peers without credentials: they have a small budget of their
//! own, and everything else is served as before.

use std::future::IntoFuture;

use hyper::body::Bytes;
use tokio::task::JoinSet;
use tonic::Status;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_types::StatusExt;

use crate::bodies::{Peer, framed, peer};
use crate::support::server_process::ServerProcess;
use crate::support::within_timeout;

const ADDRESSES: [u8; 2] = [2, 3];
const CONNECTIONS: usize = 16;
const STREAMS: usize = 128;

/// Opens as many calls of `path` as the connections of both addresses carry, each with `body`.
async fn occupy(attacked: &ServerProcess, path: &str, body: Option<Bytes>) -> (Vec<Peer>, Occupied) {
    let (mut peers, mut calls) = (Vec::new(), JoinSet::new());
    for from in ADDRESSES {
        for _ in 0..CONNECTIONS {
            let mut peer = peer(&attacked.address, from, 65_535).await;
            for _ in 0..STREAMS {
                let (answer, mut stream) = peer.call_unknown(path).await.unwrap();
                if let Some(body) = &body {
                    stream.send_data(body.clone(), true).unwrap();
                }
                calls.spawn(async move { (answer.await.unwrap(), stream) });
            }
            peers.push(peer);
        }
    }
    (peers, Occupied { calls, granted: Vec::new(), refused: 0 })
}

type Call = (http::Response<h2::RecvStream>, h2::SendStream<Bytes>);

/// Calls that wait or were answered.
struct Occupied {
    calls: JoinSet<Call>,
    granted: Vec<Call>,
    refused: usize,
}

impl Occupied {
    /// Takes one answer: what is refused is refused for want of room, with its reason.
    async fn next(&mut self) {
        let (response, stream) = within_timeout(self.calls.join_next()).await.unwrap().unwrap();
        let Some(status) = Status::from_header_map(response.headers()) else {
            return self.granted.push((response, stream));
        };
        let details = status.get_error_details();
        let reason = details.error_info().map(|info| info.reason.as_str());
        assert_eq!((status.code(), reason), (tonic::Code::ResourceExhausted, Some("QUEUE_FULL")), "{status:?}");
        self.refused += 1;
    }
}

/// How many of 200 ordinary calls are answered, and what health says.
async fn served(attacked: &ServerProcess) -> (usize, Result<ServingStatus, Status>) {
    let alice = attacked.alice();
    let mut answered = 0;
    for _ in 0..200 {
        answered += usize::from(within_timeout(alice.get_store().into_future()).await.is_ok());
    }
    (answered, within_timeout(attacked.health()).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_leave_ordinary_calls_and_health_their_room() {
    let attacked = ServerProcess::alone(&[]);
    let path = "/grpc.health.v1.Health/Watch";
    let (peers, mut watches) = occupy(&attacked, path, Some(framed(&HealthCheckRequest::default()))).await;
    for _ in 0..ADDRESSES.len() * CONNECTIONS * STREAMS {
        watches.next().await;
    }

    let (answered, health) = served(&attacked).await;

    let (granted, refused) = (watches.granted.len(), watches.refused);
    eprintln!("4,096 watches: {granted} granted, {refused} refused; {answered} of 200 calls answered, {health:?}");
    assert_eq!((answered, health.unwrap()), (200, ServingStatus::Serving));
    assert!(granted > 0 && refused > 0);
    drop(peers);
}

#[tokio::test(flavor = "multi_thread")]
async fn unfinished_public_calls_leave_ordinary_calls_and_health_their_room() {
    let attacked = ServerProcess::alone(&[]);
    let (peers, mut unfinished) = occupy(&attacked, "/grpc.health.v1.Health/Check", None).await;
    // Refused calls are answered at once; those that found room wait for the rest of their message.
    while unfinished.refused == 0 {
        unfinished.next().await;
    }

    let (answered, health) = served(&attacked).await;

    eprintln!("4,096 unfinished calls: {answered} of 200 calls answered, {health:?}");
    assert_eq!((answered, health.unwrap()), (200, ServingStatus::Serving));
    drop(peers);
}

//! Messages that come slowly, and answers that nobody reads.

use std::time::Duration;

use h2::client::{ResponseFuture, SendRequest};
use h2::{PingPong, SendStream};
use http::Request;
use hyper::body::Bytes;
use prost::Message;
use purchase_order_service::proto::v1::{GetPurchaseOrderRequest, PurchaseOrderView};
use tokio::task::JoinSet;

use crate::frames::connect;
use crate::support::server_process::{Honest, ServerProcess};
use crate::support::{line, within_timeout};

/// An HTTP/2 connection from 127.0.0.`from` with this window per stream. Flow control is not given back unless
/// the test does so.
pub async fn peer(address: &str, from: u8, window: u32) -> Peer {
    try_peer(address, from, window).await.unwrap()
}

/// The same where the service may refuse the connection. Not every refusal is seen before [`Peer::is_served`].
pub async fn try_peer(address: &str, from: u8, window: u32) -> Result<Peer, Box<dyn std::error::Error>> {
    let socket = connect(address, from).await?;
    let mut builder = h2::client::Builder::new();
    let (calls, mut connection) = builder.initial_window_size(window).handshake(socket).await?;
    let pings = connection.ping_pong().unwrap();
    tokio::spawn(connection);
    Ok(Peer { calls, pings })
}

pub struct Peer {
    calls: SendRequest<Bytes>,
    pings: PingPong,
}

impl Peer {
    /// Begins a call of alice's; its message is still to be sent.
    pub async fn call(&mut self, path: &str) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        self.begin(head(path).header("x-principal", "alice").body(()).unwrap()).await
    }

    /// Begins a call without credentials; its message is still to be sent.
    pub async fn call_unknown(&mut self, path: &str) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        self.begin(head(path).body(()).unwrap()).await
    }

    async fn begin(&mut self, request: Request<()>) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        std::future::poll_fn(|cx| self.calls.poll_ready(cx)).await?;
        self.calls.send_request(request, false)
    }

    /// Whether the service answers on this connection.
    pub async fn is_served(&mut self) -> bool {
        within_timeout(self.pings.ping(h2::Ping::opaque())).await.is_ok()
    }

    /// Begins so many calls, waits until the service has seen them, and gives them up.
    pub async fn round(&mut self, count: usize) -> Result<(), h2::Error> {
        let mut begun = Vec::new();
        for _ in 0..count {
            begun.push(self.call("/purchasing.v1.StoreService/GetStore").await?);
        }
        self.pings.ping(h2::Ping::opaque()).await?;
        begun.iter_mut().for_each(|(_, body)| body.send_reset(h2::Reason::CANCEL));
        self.pings.ping(h2::Ping::opaque()).await.map(drop)
    }
}

fn head(path: &str) -> http::request::Builder {
    let request = Request::post(format!("http://localhost{path}"));
    request.header("content-type", "application/grpc").header("te", "trailers")
}

/// A message as gRPC sends it.
pub fn framed(message: &impl Message) -> Bytes {
    let bytes = message.encode_to_vec();
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [&[0], &length[..], &bytes].concat().into()
}

fn status(response: &http::Response<h2::RecvStream>) -> String {
    response.headers().get("grpc-status").map(|status| status.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_a_byte_at_a_time_is_cut_off_at_the_deadline() {
    let arguments = ["--max-deadline-seconds", "2"];
    let attacked = ServerProcess::alone(&arguments);
    let before = attacked.memory();
    let honest = Honest::begin(&attacked);
    let mut peer = peer(&attacked.address, 2, 65_535).await;
    let mut slow = JoinSet::new();
    for _ in 0..50 {
        let (mut answer, mut body) = peer.call("/purchasing.v1.StoreService/GetStore").await.unwrap();
        // The beginning of a message of 256 bytes.
        body.send_data(Bytes::from_static(&[0, 0, 0, 1, 0]), false).unwrap();
        slow.spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(200));
            loop {
                tokio::select! {
                    answered = &mut answer => break status(&answered.unwrap()),
                    _ = ticks.tick() => drop(body.send_data(Bytes::from_static(&[0]), false)),
                }
            }
        });
    }

    while let Some(status) = within_timeout(slow.join_next()).await {
        assert_eq!(status.unwrap(), "4", "DEADLINE_EXCEEDED");
    }
    honest.end("a byte at a time", before, &attacked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_reads_are_bounded_and_cut_off() {
    let arguments = ["--max-deadline-seconds", "20"];
    let attacked = ServerProcess::alone(&arguments);
    let alice = attacked.alice();
    let long = "d".repeat(200);
    let order = alice.create(&[]).with(|request| {
        request.lines = (0..1_500).map(|number| line(&format!("product-{number}"), "1")).collect();
        request.lines.iter_mut().for_each(|line| line.description = long.clone());
    });
    let order = order.ok().await.purchase_order.unwrap();
    let get = GetPurchaseOrderRequest {
        store_id: "demo".to_owned(),
        purchase_order_id: order.purchase_order_id,
        view: PurchaseOrderView::Full.into(),
        external_id: String::new(),
    };
    let before = attacked.memory();
    let honest = Honest::begin(&attacked);
    let (mut unread, mut full, mut late) = (JoinSet::new(), 0, 0);
    for from in 2..4 {
        let mut peer = peer(&attacked.address, from, 0).await;
        for _ in 0..100 {
            let path = "/purchasing.v1.PurchaseOrderService/GetPurchaseOrder";
            let (answer, mut body) = peer.call(path).await.unwrap();
            body.send_data(framed(&get), true).unwrap();
            unread.spawn(async move {
                let response = answer.await.unwrap();
                let refused = status(&response);
                // Nothing is ever read: the stream must be reset by the service.
                let mut body = response.into_body();
                let ended = if refused.is_empty() { body.data().await.map(|data| data.is_err()) } else { None };
                (refused, ended)
            });
        }
    }

    let mut most = before;
    let mut cut_off = 0;
    while let Some(ended) = within_timeout(unread.join_next()).await {
        most = most.max(attacked.memory());
        match ended.unwrap() {
            (refused, _) if refused == "8" => full += 1,
            (refused, _) if refused == "4" => late += 1,
            (refused, Some(true)) if refused.is_empty() => cut_off += 1,
            other => panic!("neither refused nor cut off: {other:?}"),
        }
    }
    eprintln!("answers not read: {cut_off} cut off, {full} refused, {late} late; {before} -> {most} KiB at most");
    assert!(cut_off > 0 && full > 0, "{cut_off} cut off, {full} refused");
    assert!(most < before + 256 * 1024, "{before} -> {most} KiB");
    honest.end("answers not read", before, &attacked).await;
}

//! What every call passes, seen with rpcs that misbehave: one that panics, one that never answers; and
//! with peers that watch for ever or never finish what they send.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::support::{Caller, STORE, within_timeout};
use futures_util::FutureExt;
use hyper::body::Bytes;
use purchase_order_service::auth::development::Development;
use purchase_order_service::proto::v1::store_service_server::{StoreService, StoreServiceServer};
use purchase_order_service::proto::v1::*;
use purchase_order_service::rpc::guard::Guard;
use purchase_order_service::rpc::health::HealthService;
use purchase_order_service::transport::resource_limits::{Budget, Limits, ResourceLimiter};
use purchase_order_service::transport::{Protocol, Transport};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::Code::{
    DeadlineExceeded, Internal, InvalidArgument, NotFound, ResourceExhausted, Unauthenticated, Unavailable,
};
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status, Streaming};
use tonic_health::pb::health_check_response::ServingStatus::{self, NotServing, ServiceUnknown, Serving};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_reflection::pb::v1::ServerReflectionResponse;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;

/// How often each rpc was begun, and how often it was dropped unanswered.
#[derive(Default)]
struct Seen {
    begun: AtomicU64,
    dropped: AtomicU64,
}

/// GetStore panics, ListStores never answers, UpdateStore answers.
#[derive(Clone, Default)]
struct Misbehaving(Arc<Seen>);

struct Unanswered(Arc<Seen>);

impl Drop for Unanswered {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

#[tonic::async_trait]
impl StoreService for Misbehaving {
    async fn get_store(&self, _: Request<GetStoreRequest>) -> Result<Response<GetStoreResponse>, Status> {
        panic!("a secret of the code")
    }

    async fn list_stores(&self, _: Request<ListStoresRequest>) -> Result<Response<ListStoresResponse>, Status> {
        self.0.begun.fetch_add(1, Ordering::SeqCst);
        let _unanswered = Unanswered(Arc::clone(&self.0));
        std::future::pending().await
    }

    async fn update_store(&self, _: Request<UpdateStoreRequest>) -> Result<Response<UpdateStoreResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn create_store(&self, _: Request<CreateStoreRequest>) -> Result<Response<CreateStoreResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn enable_back_orders(
        &self,
        _: Request<EnableBackOrdersRequest>,
    ) -> Result<Response<EnableBackOrdersResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn disable_back_orders(
        &self,
        _: Request<DisableBackOrdersRequest>,
    ) -> Result<Response<DisableBackOrdersResponse>, Status> {
        Ok(Response::new(Default::default()))
    }
}

/// The service whose health can be asked for by name.
const NAMES: [&str; 1] = [STORES];
const STORES: &str = "purchasing.v1.StoreService";

/// How long what may take.
#[derive(Clone, Copy)]
struct Bounds {
    call: Duration,
    public_call: Duration,
    watch: Duration,
}

/// The transport and the guard before rpcs that misbehave, and before health and reflection.
struct Guarded {
    seen: Arc<Seen>,
    /// What health tells.
    healthy: watch::Sender<bool>,
    closing: watch::Sender<bool>,
    serving: JoinHandle<()>,
    address: SocketAddr,
    channel: Channel,
}

impl Guarded {
    async fn with(limits: Limits, max_deadline: Duration) -> Self {
        Self::bounded(limits, Bounds { call: max_deadline, public_call: LONG, watch: LONG }).await
    }

    async fn bounded(limits: Limits, bounds: Bounds) -> Self {
        let (closing, closes) = watch::channel(false);
        let rpcs = Misbehaving::default();
        let reflection = tonic_reflection::server::Builder::configure().build_v1().unwrap();
        let routes = Routes::new(StoreServiceServer::new(rpcs.clone()));
        let (healthy, status) = watch::channel(true);
        let guard = Guard {
            routes: routes.add_service(HealthService::server(status, &NAMES)).add_service(reflection).prepare(),
            authenticator: Arc::new(Development),
            max_deadline: bounds.call,
            max_public_deadline: bounds.public_call,
            max_watch: bounds.watch,
            public_reflection: false,
            closing: closes.clone(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let resource_limits = ResourceLimiter::new(limits);
        let transport = Transport { protocol: Protocol::Http2, resource_limits, tls: None, closing: closes };
        let answer = move |connection, request| guard.clone().answer(connection, Arc::default(), request);
        let serving = tokio::spawn(transport.serve(listener, answer));
        let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
        Self { seen: rpcs.0, healthy, closing, serving, address, channel }
    }

    fn health(&self) -> HealthClient<Channel> {
        HealthClient::new(self.channel.clone())
    }

    /// Watches as soon as there is room.
    async fn watch(&self) -> Streaming<HealthCheckResponse> {
        self.watch_of("").await
    }

    async fn watch_of(&self, service: &str) -> Streaming<HealthCheckResponse> {
        as_soon_as_there_is_room(|| async { self.health().watch(asked(service)).await }).await
    }

    async fn check(&self, service: &str) -> Result<ServingStatus, Status> {
        Ok(self.health().check(asked(service)).await?.into_inner().status())
    }

    /// Asks by reflection as soon as there is room, and never ends the request.
    async fn reflect(&self, principal: &'static str) -> Result<Streaming<ServerReflectionResponse>, Status> {
        let mut request = Request::new(futures_util::stream::pending());
        request.metadata_mut().insert("x-principal", principal.parse().unwrap());
        let answer = ServerReflectionClient::new(self.channel.clone()).server_reflection_info(request).await?;
        Ok(answer.into_inner())
    }

    fn alice(&self) -> Caller {
        Caller::of(self.channel.clone(), "alice", STORE)
    }

    /// Waits until so many calls of ListStores were begun.
    async fn begun(&self, count: u64) {
        reaches(&self.seen.begun, count).await;
    }

    async fn dropped(&self, count: u64) {
        reaches(&self.seen.dropped, count).await;
    }
}

async fn reaches(counter: &AtomicU64, count: u64) {
    within_timeout(async {
        while counter.load(Ordering::SeqCst) < count {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// A call that may come before the room of the last one is given back.
async fn as_soon_as_there_is_room<T, F>(call: impl Fn() -> F) -> T
where
    F: Future<Output = Result<Response<T>, Status>>,
{
    within_timeout(async {
        loop {
            match call().await {
                Err(status) if status.code() == ResourceExhausted => tokio::task::yield_now().await,
                answer => break answer.unwrap().into_inner(),
            }
        }
    })
    .await
}

fn asked(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

/// The next status of a watch.
async fn next_status(watched: &mut Streaming<HealthCheckResponse>) -> ServingStatus {
    within_timeout(watched.message()).await.unwrap().expect("the watch goes on").status()
}

/// Checks that what is watched ends, and that its caller is told to watch again.
async fn ends<T: std::fmt::Debug>(watched: &mut Streaming<T>) {
    let ended = within_timeout(async {
        loop {
            match watched.message().await {
                Ok(Some(_)) => {}
                ended => break ended.map(drop),
            }
        }
    });
    let status = ended.await.unwrap_err();
    assert_eq!((status.code(), crate::support::reason(&status).as_str()), (Unavailable, "WATCH_ENDED"), "{status:?}");
    assert!(status.message().contains("watch again"), "{status:?}");
}

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(600);

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_becomes_internal_with_an_id_and_the_connection_lives() {
    let guarded = Guarded::with(Limits::default(), LONG).await;
    let other = guarded.alice().list_stores().start();
    guarded.begun(1).await;

    let refused = guarded.alice().get_store().refused(Internal, "INTERNAL").await;

    assert_eq!(refused.metadata("id").len(), 36);
    assert!(!refused.message().contains("secret"), "{}", refused.message());
    guarded.alice().update_store(&["display_name"]).ok().await;
    assert!(!other.is_finished(), "what else goes on, on the same connection, goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_takes_no_longer_than_the_service_allows_whatever_its_caller_says() {
    let guarded = Guarded::with(Limits::default(), Duration::from_millis(50)).await;

    for call in [guarded.alice().list_stores(), guarded.alice().list_stores().within(LONG)] {
        within_timeout(call.refused(DeadlineExceeded, "DEADLINE_EXCEEDED")).await;
    }

    guarded.dropped(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_has_passed_begins_nothing() {
    let guarded = Guarded::with(Limits::default(), Duration::ZERO).await;

    guarded.alice().list_stores().refused(DeadlineExceeded, "DEADLINE_EXCEEDED").await;

    assert_eq!(guarded.seen.begun.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_caller_has_gone_is_dropped() {
    let guarded = Guarded::with(Limits::default(), LONG).await;
    let waiting = guarded.alice().list_stores().start();
    guarded.begun(1).await;

    waiting.abort();

    guarded.dropped(1).await;
    guarded.alice().update_store(&["display_name"]).ok().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_room_a_call_is_refused_before_it_begins() {
    let guarded = Guarded::with(Limits { calls: 4, ..Limits::default() }, LONG).await;
    let waiting = [guarded.alice().list_stores().start(), guarded.alice().list_stores().start()];
    guarded.begun(2).await;

    let third = guarded.alice().list_stores();
    let refused = within_timeout(third.refused(ResourceExhausted, "QUEUE_FULL")).await;

    assert!(refused.may_be_retried());
    assert_eq!(guarded.seen.begun.load(Ordering::SeqCst), 2, "one peer has half of the room");
    waiting.iter().for_each(JoinHandle::abort);
    guarded.dropped(2).await;
    within_timeout(async { while guarded.alice().update_store(&["display_name"]).await.is_err() {} }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_for_which_there_is_no_room_is_refused() {
    // One peer has half of it, for the bytes that come and for what decoding makes of them.
    let guarded = Guarded::with(Limits { bytes: 4_000, ..Limits::default() }, LONG).await;
    let update = |size: usize| {
        let name = "n".repeat(size);
        guarded.alice().update_store(&["display_name"]).with(|request| request.display_name = name)
    };

    update(500).ok().await;
    assert!(update(1_500).refused(ResourceExhausted, "QUEUE_FULL").await.may_be_retried());
    for _ in 0..10 {
        update(500).ok().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_service_stops_no_connection_is_accepted_and_calls_in_flight_may_finish() {
    let guarded = Guarded::with(Limits::default(), LONG).await;
    let waiting = guarded.alice().list_stores().start();
    guarded.begun(1).await;

    guarded.closing.send_replace(true);

    within_timeout(async { while guarded.alice().update_store(&["display_name"]).await.is_ok() {} }).await;
    assert!(!guarded.serving.is_finished(), "it waits for the call in flight");
    waiting.abort();
    within_timeout(guarded.serving).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_that_cannot_be_read_is_refused() {
    let guarded = Guarded::with(Limits::default(), LONG).await;
    for malformed in ["", "5", "S", "-1S", "123456789S", "1s", "+5S", "1 S"] {
        let mut client = tonic::client::Grpc::new(guarded.channel.clone());
        client.ready().await.unwrap();
        let mut request = Request::new(UpdateStoreRequest::default());
        request.metadata_mut().insert("x-principal", "alice".parse().unwrap());
        request.metadata_mut().insert("grpc-timeout", malformed.parse().unwrap());
        let path = tonic::codegen::http::uri::PathAndQuery::from_static("/purchasing.v1.StoreService/UpdateStore");
        let codec = tonic_prost::ProstCodec::<_, UpdateStoreResponse>::default();
        let refused = client.unary(request, path, codec).await.unwrap_err();
        assert_eq!(refused.code(), InvalidArgument, "{malformed:?}");
        assert!(refused.message().contains("grpc-timeout"), "{malformed:?}: {}", refused.message());
    }
}

/// An HTTP/2 client whose calls are read and given up by hand.
struct RawPeer {
    calls: h2::client::SendRequest<Bytes>,
    pings: h2::PingPong,
    /// Ends when the connection does.
    connection: JoinHandle<()>,
}

impl RawPeer {
    /// Connects; `window` is how many bytes of each response the service may send before the peer reads them.
    async fn connect(guarded: &Guarded, window: u32) -> Self {
        let socket = TcpStream::connect(guarded.address).await.unwrap();
        let mut builder = h2::client::Builder::new();
        let (calls, mut connection) = builder.initial_window_size(window).handshake(socket).await.unwrap();
        let pings = connection.ping_pong().unwrap();
        // How it ends is seen by the calls.
        let connection = tokio::spawn(async move { drop(connection.await) });
        Self { calls, pings, connection }
    }

    /// Sends a call of alice's with an empty message.
    async fn call(&mut self, method: &str) -> Result<h2::client::ResponseFuture, h2::Error> {
        let head = http::Request::post(format!("http://localhost/{STORES}/{method}"));
        let head = head.header("content-type", "application/grpc").header("x-principal", "alice").body(()).unwrap();
        std::future::poll_fn(|cx| self.calls.poll_ready(cx)).await?;
        let (answer, mut body) = self.calls.send_request(head, false)?;
        body.send_data(Bytes::from_static(&[0; 5]), true)?;
        Ok(answer)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_abandons_one_call_after_another_is_disconnected() {
    let guarded = Guarded::with(Limits::default(), LONG).await;
    let mut peer = RawPeer::connect(&guarded, 65_535).await;
    let mut abandoned = 0;
    'connected: while abandoned < 3_000 {
        let mut calls = Vec::new();
        for _ in 0..100 {
            let Ok(call) = peer.call("ListStores").await else { break 'connected };
            calls.push(call);
        }
        tokio::select! {
            () = guarded.begun(abandoned + 100) => {}
            _ = &mut peer.connection => break 'connected,
        }
        drop(calls);
        abandoned += 100;
        if peer.pings.ping(h2::Ping::opaque()).await.is_err() {
            break;
        }
        guarded.dropped(abandoned).await;
    }
    assert!((500..3_000).contains(&abandoned), "disconnected after {abandoned} abandoned calls");
    guarded.alice().update_store(&["display_name"]).ok().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_is_not_read_is_cut_off_soon_after_the_deadline() {
    let guarded = Guarded::with(Limits::default(), SHORT).await;
    let mut peer = RawPeer::connect(&guarded, 0).await;
    let begun = Instant::now();

    let answer = within_timeout(peer.call("UpdateStore").await.unwrap()).await.unwrap();
    let ended = within_timeout(answer.into_body().data()).await;

    assert!(ended.is_some_and(|data| data.is_err()), "the service resets the stream");
    // An answer that was made in time may be read for a second after the deadline; the rest is the machine's.
    let took = begun.elapsed();
    assert!((Duration::from_secs(1)..Duration::from_secs(10)).contains(&took), "{took:?}");
}

const ONE: Budget = Budget { calls: 1, calls_per_peer: 1, bytes: 100_000, bytes_per_peer: 100_000 };
const NONE: Budget = Budget { calls: 0, calls_per_peer: 0, bytes: 0, bytes_per_peer: 0 };

#[tokio::test(flavor = "multi_thread")]
async fn what_is_watched_ends_after_a_while_and_gives_its_room_back() {
    let limits = Limits { watches: ONE, ..Limits::default() };
    let guarded = Guarded::bounded(limits, Bounds { call: LONG, public_call: LONG, watch: SHORT }).await;
    for _ in 0..3 {
        ends(&mut guarded.watch().await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_request_never_ends_gives_its_room_back_too() {
    let limits = Limits { watches: ONE, ..Limits::default() };
    let guarded = Guarded::bounded(limits, Bounds { call: LONG, public_call: LONG, watch: SHORT }).await;
    let mut kept = Vec::new();
    for _ in 0..3 {
        let reflecting = || async { guarded.reflect("alice").await.map(Response::new) };
        let mut reflected = as_soon_as_there_is_room(reflecting).await;
        ends(&mut reflected).await;
        kept.push(reflected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_call_whose_message_never_comes_ends_soon_and_gives_its_room_back() {
    let limits = Limits { public: ONE, ..Limits::default() };
    let guarded = Guarded::bounded(limits, Bounds { call: LONG, public_call: SHORT, watch: LONG }).await;
    let socket = TcpStream::connect(guarded.address).await.unwrap();
    let (sender, connection) = h2::client::handshake(socket).await.unwrap();
    tokio::spawn(connection);
    let head = http::Request::post(format!("http://{}/grpc.health.v1.Health/Check", guarded.address));
    let head = head.header("content-type", "application/grpc").body(()).unwrap();
    let (answer, unfinished) = sender.ready().await.unwrap().send_request(head, false).unwrap();

    let answer = within_timeout(answer).await.unwrap();

    assert_eq!(Status::from_header_map(answer.headers()).unwrap().code(), DeadlineExceeded);
    as_soon_as_there_is_room(|| async { guarded.health().check(HealthCheckRequest::default()).await }).await;
    drop(unfinished);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_answered_while_there_is_room_for_nothing_else() {
    let limits = Limits { calls: 0, watches: NONE, ..Limits::default() };
    let guarded = Guarded::with(limits, LONG).await;

    guarded.alice().list_stores().refused(ResourceExhausted, "QUEUE_FULL").await;
    let refused = guarded.health().watch(HealthCheckRequest::default()).await.unwrap_err();
    assert_eq!((refused.code(), crate::support::reason(&refused).as_str()), (ResourceExhausted, "QUEUE_FULL"));
    guarded.health().check(HealthCheckRequest::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_judged_before_room_is_taken() {
    let guarded = Guarded::with(Limits { calls: 0, watches: NONE, ..Limits::default() }, LONG).await;
    let nobody = Caller::of(guarded.channel.clone(), "", STORE);

    nobody.list_stores().refused(Unauthenticated, "NO_CREDENTIALS").await;

    let refused = guarded.reflect("").await.unwrap_err();
    assert_eq!(refused.code(), Unauthenticated, "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_tells_each_change_of_the_whole_and_of_each_service_by_name() {
    let guarded = Guarded::with(Limits::default(), LONG).await;
    let mut watches = [guarded.watch_of("").await, guarded.watch_of(STORES).await];

    for (healthy, expected) in [(true, Serving), (false, NotServing), (true, Serving)] {
        guarded.healthy.send_replace(healthy);
        // What is sent again is no change, and not reported again.
        guarded.healthy.send_replace(healthy);
        for watched in &mut watches {
            assert_eq!(next_status(watched).await, expected);
        }
        for name in ["", STORES] {
            assert_eq!(guarded.check(name).await.unwrap(), expected, "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_of_an_unknown_service_is_not_found_and_its_watch_stays_open() {
    let limits = Limits { watches: ONE, ..Limits::default() };
    let guarded = Guarded::bounded(limits, Bounds { call: LONG, public_call: LONG, watch: LONG }).await;
    for name in ["purchasing.v1.OrderService", " ", "purchasing.v1.storeservice"] {
        let refused = guarded.check(name).await.unwrap_err();
        assert_eq!(
            (refused.code(), crate::support::reason(&refused).as_str()),
            (NotFound, "SERVICE_UNKNOWN"),
            "{name:?}"
        );

        let mut watched = guarded.watch_of(name).await;
        assert_eq!(next_status(&mut watched).await, ServiceUnknown, "{name:?}");
        guarded.healthy.send_replace(false);
        guarded.healthy.send_replace(true);
        // It has no message and no end yet, and still holds the room of a watch.
        let refused = guarded.health().watch(asked("")).await.unwrap_err();
        assert_eq!(refused.code(), ResourceExhausted, "{name:?}");
        assert!(watched.message().now_or_never().is_none(), "{name:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_watch_of_an_unknown_service_ends_like_every_other() {
    let limits = Limits { watches: ONE, ..Limits::default() };
    let guarded = Guarded::bounded(limits, Bounds { call: LONG, public_call: LONG, watch: SHORT }).await;
    for _ in 0..3 {
        ends(&mut guarded.watch_of("nobody").await).await;
    }
}

//! Calls of web pages: gRPC-Web over HTTP/1.1, for pages of the configured origins alone, with the same answers, refusals
//! and limits as for other callers.

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use purchase_order_service::proto::v1::event_service_client::EventServiceClient;
use purchase_order_service::proto::v1::purchase_order_service_client::PurchaseOrderServiceClient;
use purchase_order_service::proto::v1::store_service_client::StoreServiceClient;
use purchase_order_service::proto::v1::{
    EventPosition, GetPurchaseOrderRequest, GetStoreRequest, PlacePurchaseOrderRequest, WatchEventsRequest,
    WatchEventsResponse,
};
use purchase_order_service::transport::resource_limits::Limits;
use rstest::rstest;
use tonic::body::Body;
use tonic::codegen::http::{HeaderMap, Method, Request as HttpRequest, Response as HttpResponse, StatusCode, Uri};
use tonic::service::interceptor::InterceptedService;
use tonic::{Code, Request, Status};
use tonic_web::{GrpcWebCall, GrpcWebClientLayer, GrpcWebClientService};
use tower::Layer;

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Database, ORIGIN, STORE, Setup, World, reason, within_timeout};

type Http = Client<HttpConnector, GrpcWebCall<Body>>;

/// What a page calls with: HTTP/1.1 through which gRPC-Web goes.
fn page(world: &World) -> (GrpcWebClientService<Http>, Uri) {
    let http = Client::builder(TokioExecutor::new()).build_http();
    (GrpcWebClientLayer::new().layer(http), format!("http://{}", world.web_address()).parse().unwrap())
}

type Alice = fn(Request<()>) -> Result<Request<()>, Status>;

/// Says that alice calls.
fn as_alice(mut request: Request<()>) -> Result<Request<()>, Status> {
    request.metadata_mut().insert("x-principal", "alice".parse().unwrap());
    Ok(request)
}

fn alice_of(world: &World) -> (InterceptedService<GrpcWebClientService<Http>, Alice>, Uri) {
    let (http, address) = page(world);
    (InterceptedService::new(http, as_alice), address)
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_reads_changes_and_is_refused_like_every_caller(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let order = world.alice().order(&[("apples", "10")]).await;
    let (http, address) = alice_of(&world);
    let mut orders = PurchaseOrderServiceClient::with_origin(http, address);
    let (store_id, purchase_order_id) = (STORE.to_owned(), order.purchase_order_id.clone());
    let get = GetPurchaseOrderRequest { store_id, purchase_order_id, ..Default::default() };

    let read = orders.get_purchase_order(get).await.unwrap().into_inner();
    let (store_id, purchase_order_id) = (STORE.to_owned(), order.purchase_order_id);
    let place = PlacePurchaseOrderRequest { store_id, purchase_order_id, ..Default::default() };
    let refused = orders.place_purchase_order(place).await.unwrap_err();

    assert_eq!(read.purchase_order.unwrap().line_count, 1);
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::FailedPrecondition, "WRONG_STATE"));
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_without_credentials_is_refused_before_there_is_a_message() {
    let world = World::on(Sqlite).await.unwrap();
    let (http, address) = page(&world);
    let get = GetStoreRequest { store_id: STORE.to_owned() };
    let refused = StoreServiceClient::with_origin(http, address).get_store(get).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Unauthenticated, "NO_CREDENTIALS"));
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_follows_events() {
    let world = World::on(Sqlite).await.unwrap();
    let (http, address) = alice_of(&world);
    let mut events = EventServiceClient::with_origin(http, address);
    let positions = vec![EventPosition { store_id: STORE.to_owned(), ..Default::default() }];
    let watch = WatchEventsRequest { positions, ..Default::default() };
    let mut watched = events.watch_events(watch).await.unwrap().into_inner();
    world.alice().order(&[("apples", "10")]).await;

    let is_created = |message: &WatchEventsResponse| message.events.iter().any(|event| event.purchase_order.is_some());
    within_timeout(async { while !is_created(&watched.message().await.unwrap().unwrap()) {} }).await;
    world.verify().await;
}

/// Sends a request without a body, as a page of `origin` would.
async fn send(
    world: &World,
    method: Method,
    origin: &str,
    headers: &[(&str, &str)],
) -> HttpResponse<hyper::body::Incoming> {
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let path = format!("http://{}/purchasing.v1.StoreService/GetStore", world.web_address());
    let mut request = HttpRequest::builder().method(method).uri(path).header("origin", origin);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.request(request.body(Empty::new()).unwrap()).await.unwrap()
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_told_that_pages_of_the_configured_origin_may_call_and_others_may_not() {
    let world = World::on(Sqlite).await.unwrap();
    let asked =
        [("access-control-request-method", "POST"), ("access-control-request-headers", "x-principal,x-grpc-web")];

    let allowed = send(&world, Method::OPTIONS, ORIGIN, &asked).await;
    assert_eq!(allowed.status(), StatusCode::OK);
    let headers = allowed.headers();
    assert_eq!(text(headers, "access-control-allow-origin"), Some(ORIGIN));
    assert_eq!(text(headers, "access-control-allow-methods"), Some("POST"));
    for name in ["authorization", "content-type", "x-principal", "x-grpc-web", "grpc-timeout"] {
        assert!(text(headers, "access-control-allow-headers").unwrap().contains(name), "{name}: {headers:?}");
    }
    assert_eq!(text(headers, "access-control-max-age"), Some("3600"));

    for other in ["https://orders.example.evil", "http://orders.example", "null"] {
        let refused = send(&world, Method::OPTIONS, other, &asked).await;
        assert_eq!(text(refused.headers(), "access-control-allow-origin"), None, "{other}");
    }
    // What a call answers can be read by the same pages, with its status.
    let called = send(&world, Method::POST, ORIGIN, &[("content-type", "application/grpc-web+proto")]).await;
    assert_eq!(text(called.headers(), "access-control-allow-origin"), Some(ORIGIN));
    assert!(text(called.headers(), "access-control-expose-headers").unwrap().contains("grpc-status-details-bin"));
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_grpc_web_is_an_error_of_http() {
    let world = World::on(Sqlite).await.unwrap();
    for (method, content_type, expected) in [
        (Method::GET, "text/html", StatusCode::BAD_REQUEST),
        (Method::POST, "application/grpc", StatusCode::BAD_REQUEST),
        (Method::POST, "application/json", StatusCode::BAD_REQUEST),
        (Method::GET, "application/grpc-web+proto", StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let answer = send(&world, method.clone(), ORIGIN, &[("content-type", content_type)]).await;
        assert_eq!(answer.status(), expected, "{method} {content_type}");
    }
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_browsers_count_against_the_same_limits() {
    let database = Database::migrated(Sqlite).unwrap();
    // The world's own connection is one.
    let limits = Limits { connections_per_peer: 1, ..Limits::default() };
    let world = World::set_up(database, Setup { limits: Some(limits), ..Setup::default() }).await;
    let (http, address) = alice_of(&world);
    let get = GetStoreRequest { store_id: STORE.to_owned() };
    let refused = StoreServiceClient::with_origin(http, address).get_store(get).await.unwrap_err();
    assert!(reason(&refused).starts_with("no reason"), "it was not answered: {refused}");
    world.alice().get_store().ok().await;
    world.verify().await;
}

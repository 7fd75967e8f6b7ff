//! Finding out: what a client that knows nothing is told by reflection, and what a balancer is told
//! by the health service.

use std::collections::BTreeSet;

use rstest::rstest;
use tonic::codegen::tokio_stream::StreamExt;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::{v1, v1alpha};

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::World;

const SERVICES: [&str; 5] = [
    "purchasing.v1.AccessService",
    "purchasing.v1.InventoryService",
    "purchasing.v1.PurchaseOrderService",
    "purchasing.v1.ReportService",
    "purchasing.v1.StoreService",
];

async fn reflect(
    channel: Channel,
    request: v1::server_reflection_request::MessageRequest,
) -> v1::ServerReflectionResponse {
    let request = v1::ServerReflectionRequest { host: String::new(), message_request: Some(request) };
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(channel);
    let answers = client.server_reflection_info(tonic::codegen::tokio_stream::once(request)).await.unwrap();
    answers.into_inner().next().await.unwrap().unwrap()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn reflection_lists_the_services(#[values(Sqlite, Postgres)] on: Engine) {
    use v1::server_reflection_request::MessageRequest::ListServices;
    use v1::server_reflection_response::MessageResponse::ListServicesResponse;
    let Some(world) = World::on(on).await else { return };

    let answer = reflect(world.channel(), ListServices(String::new())).await.message_response;

    let Some(ListServicesResponse(listed)) = answer else { panic!("{answer:?}") };
    let listed: BTreeSet<String> = listed.service.into_iter().map(|service| service.name).collect();
    for service in SERVICES.iter().chain(&["grpc.health.v1.Health"]) {
        assert!(listed.contains(*service), "{service} is not among {listed:?}");
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn reflection_knows_the_details_of_refusals(#[values(Sqlite, Postgres)] on: Engine) {
    use v1::server_reflection_request::MessageRequest::FileContainingSymbol;
    use v1::server_reflection_response::MessageResponse::FileDescriptorResponse;
    let Some(world) = World::on(on).await else { return };

    for symbol in [
        "google.rpc.ErrorInfo",
        "google.rpc.BadRequest",
        "google.rpc.PreconditionFailure",
        "google.rpc.RetryInfo",
        "purchasing.v1.PurchaseOrderService",
        "purchasing.v1.Blocker",
    ] {
        let answer = reflect(world.channel(), FileContainingSymbol(symbol.to_owned())).await.message_response;
        let Some(FileDescriptorResponse(files)) = answer else { panic!("{symbol}: {answer:?}") };
        assert!(!files.file_descriptor_proto.is_empty(), "{symbol}");
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn older_clients_reflect_too(#[values(Sqlite, Postgres)] on: Engine) {
    use v1alpha::server_reflection_request::MessageRequest::ListServices;
    let Some(world) = World::on(on).await else { return };
    let request =
        v1alpha::ServerReflectionRequest { host: String::new(), message_request: Some(ListServices(String::new())) };

    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(world.channel());
    let answers = client.server_reflection_info(tonic::codegen::tokio_stream::once(request)).await.unwrap();

    let answer = format!("{:?}", answers.into_inner().next().await.unwrap().unwrap());
    assert!(SERVICES.iter().all(|service| answer.contains(service)), "{answer}");
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn every_service_and_the_whole_are_healthy(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let mut health = HealthClient::new(world.channel());

    for service in SERVICES.iter().chain(&[""]) {
        let request = HealthCheckRequest { service: (*service).to_owned() };
        let answer = health.check(request).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service:?}");
    }
    let unknown = health.check(HealthCheckRequest { service: "purchasing.v1.None".to_owned() }).await;
    assert_eq!(unknown.unwrap_err().code(), tonic::Code::NotFound);
    world.verify().await;
}

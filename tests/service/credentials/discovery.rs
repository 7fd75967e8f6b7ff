//! What may be called without credentials: health; reflection needs credentials.

use rstest::rstest;
use tonic::Code::Unauthenticated;
use tonic::Request;
use tonic::codegen::tokio_stream::{StreamExt, once};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest::ListServices;

use crate::credentials::secured::Secured;
use crate::support::Engine::{self, Postgres, Sqlite};

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn health_needs_no_credentials_and_reflection_does(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(secured) = Secured::on(on).await else { return };
    let channel = secured.connect(&[&secured.authority], None);
    let ask = || {
        let message_request = Some(ListServices(String::new()));
        Request::new(once(ServerReflectionRequest { host: String::new(), message_request }))
    };

    HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await.unwrap();
    let mut reflection = ServerReflectionClient::new(channel);
    let refused = reflection.server_reflection_info(ask()).await.unwrap_err();
    assert_eq!(refused.code(), Unauthenticated);
    let mut known = ask();
    let bearer = format!("Bearer {}", secured.issuer.token("anybody"));
    known.metadata_mut().insert("authorization", bearer.parse().unwrap());
    let answer = reflection.server_reflection_info(known).await.unwrap().into_inner().next().await;

    assert!(answer.unwrap().unwrap().message_response.is_some());
    secured.verify().await;
}

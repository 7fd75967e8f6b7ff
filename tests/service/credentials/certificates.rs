//! Client certificates: a service that calls for itself.

use rstest::rstest;
use tonic::Code::{PermissionDenied, Unauthenticated};
use tonic::Status;
use tonic_types::StatusExt;

use crate::credentials::secured::{Authority, OPERATOR, STORE, Secured, dns, uri};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, within_timeout};

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_a_principal(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(secured) = Secured::on(on).await else { return };
    let till = secured.certified(&secured.authority.client(&[uri("spiffe://corp.example/till"), dns("till.example")]));
    let gate = secured.certified(&secured.authority.client(&[dns("gate.example")]));
    till.get_store().refused(PermissionDenied, "NO_STORE_ACCESS").await;

    secured.caller("alice").grant("uri:spiffe://corp.example/till", "receiver").ok().await;
    secured.caller("alice").grant("dns:gate.example", "receiver").ok().await;

    till.get_store().ok().await;
    gate.get_store().ok().await;
    till.list_roles().refused(PermissionDenied, "PERMISSION_MISSING").await;
    secured.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_listed_certificate_operates_the_platform(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(secured) = Secured::on(on).await else { return };
    let operator = secured.certified(&secured.authority.client(&[uri(OPERATOR)]));
    let other = secured.certified(&secured.authority.client(&[uri("spiffe://corp.example/operator2")]));

    operator.at("south").create_store("sam").ok().await;

    other.at("east").create_store("sam").refused(PermissionDenied, "NOT_PLATFORM_OPERATOR").await;
    secured.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_without_one_name_names_nobody(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(secured) = Secured::on(on).await else { return };
    let ambiguous = [uri("spiffe://corp.example/a"), uri("spiffe://corp.example/b")];
    for names in [&ambiguous[..], &[dns("a.example"), dns("b.example")], &[dns("*.example")], &[]] {
        let nobody = secured.certified(&secured.authority.client(names));
        nobody.get_store().refused(Unauthenticated, "NO_CREDENTIALS").await;
        // It may carry somebody's token all the same.
        nobody.bearing(Some(secured.issuer.token("alice"))).get_store().ok().await;
    }
    secured.verify().await;
}

/// Whether the connection was refused, and no call was answered: with TLS 1.3 a client learns of it
/// late, and names it as it comes.
fn is_shut_out(refused: &Status) -> bool {
    refused.get_error_details().error_info().is_none()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_is_not_let_in() {
    let Some(secured) = Secured::on(Sqlite).await else { return };
    let stranger = Authority::new("stranger");

    let refused = secured.certified(&stranger.client(&[uri(OPERATOR)])).get_store().await.unwrap_err();

    assert!(is_shut_out(&refused), "{refused:?}");
    secured.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_token_speaks_before_the_certificate_and_a_bad_one_is_not_passed_over(
    #[values(Sqlite, Postgres)] on: Engine,
) {
    let Some(secured) = Secured::on(on).await else { return };
    let operator = secured.certified(&secured.authority.client(&[uri(OPERATOR)]));
    let as_mallory = operator.bearing(Some(secured.issuer.token("mallory")));

    as_mallory.get_store().refused(PermissionDenied, "NO_STORE_ACCESS").await;
    operator.bearing(Some("bad".to_owned())).get_store().refused(Unauthenticated, "INVALID_CREDENTIALS").await;
    operator.get_store().ok().await;
    secured.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_came_in_by_a_certificate_shows_it_again_when_the_authority_changes() {
    let Some(secured) = Secured::on(Sqlite).await else { return };
    let second = Authority::new("second");
    let till = secured.certified(&secured.authority.client(&[uri("spiffe://corp.example/till")]));
    secured.caller("alice").grant("uri:spiffe://corp.example/till", "receiver").ok().await;
    till.get_store().ok().await;

    secured.turn_over_clients(&[&second]);

    // Its connection is ended between two calls, and no other is let in.
    let refused = within_timeout(async {
        loop {
            if let Err(refused) = till.get_store().await {
                break refused;
            }
        }
    })
    .await;
    assert!(is_shut_out(&refused), "{refused:?}");
    let renewed = Caller::of(
        secured.connect(&[&secured.authority], Some(&second.client(&[uri("spiffe://corp.example/till")]))),
        "",
        STORE,
    );
    renewed.get_store().ok().await;
    secured.verify().await;
}

//! Tokens, one property at a time.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rstest::rstest;
use serde_json::{Value, json};
use tonic::Code::Unauthenticated;

use crate::credentials::issuer::{AUDIENCE, Issuer, by_hand, claims, now};
use crate::credentials::secured::Secured;
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::within_timeout;

/// A good token's claims with one of them changed, or taken out where it is null.
fn with(name: &str, value: Value) -> Value {
    let mut claims = claims("alice");
    let map = claims.as_object_mut().unwrap();
    match value {
        Value::Null => drop(map.remove(name)),
        value => drop(map.insert(name.to_owned(), value)),
    }
    claims
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_a_token_must_say(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(secured) = Secured::on(on).await else { return };
    let call = async |claims: Value| {
        let caller = secured.nobody().bearing(Some(secured.issuer.sign(&claims)));
        caller.get_store().await.map_err(|status| status.message().to_owned()).map(drop)
    };
    let refused = |why: &str| Err(format!("the token {why}"));

    for good in [
        claims("alice"),
        with("aud", json!(["another", AUDIENCE])),
        // Clocks differ by half a minute at most.
        with("exp", json!(now() - 15)),
        with("nbf", json!(now() + 15)),
    ] {
        assert_eq!(call(good.clone()).await, Ok(()), "{good}");
    }
    for (bad, why) in [
        (with("exp", json!(now() - 45)), "has expired"),
        (with("nbf", json!(now() + 60)), "is not valid yet"),
        (with("iss", json!("https://other.example")), "is from another issuer"),
        (with("aud", json!("another")), "is for another audience"),
        (with("exp", Value::Null), "lacks the claim exp"),
        (with("iss", Value::Null), "lacks the claim iss"),
        (with("aud", Value::Null), "lacks the claim aud"),
        (with("sub", Value::Null), "lacks the claim sub"),
        (with("sub", json!("")), "has no subject (sub)"),
        (
            with("sub", json!("uri:spiffe://corp.example/operator")),
            "has a subject (sub) that only a certificate may have",
        ),
        (with("sub", json!("dns:till.example")), "has a subject (sub) that only a certificate may have"),
        (
            with("sub", json!("al\u{202e}ice")),
            "has a subject (sub) that holds the bidirectional control character U+202E",
        ),
    ] {
        assert_eq!(call(bad.clone()).await, refused(why), "{bad}");
    }
    for malformed in [with("exp", json!("soon")), with("exp", json!(true))] {
        assert!(call(malformed.clone()).await.is_err(), "{malformed}");
    }
    secured.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_for_one_algorithm_and_no_token_brings_its_own(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(secured) = Secured::on(on).await else { return };
    let public = secured.issuer.pair.public_key_raw();
    let stranger = Issuer::new("first", Algorithm::EdDSA);
    let header = |algorithm: Algorithm| Header { kid: Some("first".to_owned()), ..Header::new(algorithm) };
    let claims = claims("alice");
    let own_key: Header = serde_json::from_value(json!({"alg": "EdDSA", "kid": "first", "jwk": {
        "kty": "OKP", "crv": "Ed25519", "x": stranger.jwk()["x"]
    }}))
    .unwrap();
    let named = json!({"alg": "EdDSA", "kid": "first"});
    let good = secured.issuer.token("alice");
    let (signed, _) = good.rsplit_once('.').unwrap();

    for (token, why) in [
        (
            by_hand(&json!({"alg": "none", "kid": "first"}), &claims, b""),
            "does not name the algorithm (alg) EdDSA, which its key is for here",
        ),
        (
            encode(&header(Algorithm::HS256), &claims, &EncodingKey::from_secret(public)).unwrap(),
            "does not name the algorithm (alg) EdDSA, which its key is for here",
        ),
        (secured.issuer.sign_under(&Header::new(Algorithm::EdDSA), &claims), "names no key (kid)"),
        (stranger.token("alice"), "has a bad signature"),
        (stranger.sign_under(&own_key, &claims), "has a bad signature"),
        (by_hand(&named, &claims, b""), "has a bad signature"),
        (
            by_hand(&json!({"alg": "EdDSA", "kid": "first", "crit": ["exp"]}), &claims, b""),
            "demands an extension (crit) that is not known here",
        ),
        (format!("{signed}."), "has a bad signature"),
        ("not a token".to_owned(), "is malformed"),
        (String::new(), "is malformed"),
    ] {
        let caller = secured.nobody().bearing(Some(token.clone()));
        let refused = caller.get_store().refused(Unauthenticated, "INVALID_CREDENTIALS").await;
        assert_eq!(refused.parts().1, format!("the token {why}"), "{token}");
    }
    secured.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_algorithm_that_is_taken_works() {
    let Some(secured) = Secured::on(Sqlite).await else { return };
    let issuers = [("ed", Algorithm::EdDSA), ("ec", Algorithm::ES256), ("rsa", Algorithm::RS256)];
    let issuers = issuers.map(|(kid, algorithm)| Issuer::new(kid, algorithm));
    let mut keys: Vec<Value> = issuers.iter().map(Issuer::jwk).collect();
    // Issuers publish keys for other purposes too; they are passed over.
    keys.push(json!({"kty": "RSA", "use": "enc", "kid": "rsa", "n": "AQAB", "e": "AQAB"}));
    keys.push(json!({"kty": "oct", "kid": "ed", "k": "c2VjcmV0"}));
    secured.turn_over_keys(&keys);

    for issuer in &issuers {
        let caller = secured.nobody().bearing(Some(issuer.token("alice")));
        within_timeout(async { while caller.get_store().await.is_err() {} }).await;
    }
    secured.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authorization_that_is_no_bearer_token_is_refused() {
    let Some(secured) = Secured::on(Sqlite).await else { return };
    secured.nobody().get_store().refused(Unauthenticated, "NO_CREDENTIALS").await;
    for header in ["Basic YWxpY2U6", "Bearer", &secured.issuer.token("alice")] {
        let mut client = tonic::client::Grpc::new(secured.connect(&[&secured.authority], None));
        client.ready().await.unwrap();
        let mut request = tonic::Request::new(secured.nobody().get_store().request);
        request.metadata_mut().insert("authorization", header.parse().unwrap());
        let path = tonic::codegen::http::uri::PathAndQuery::from_static("/purchasing.v1.StoreService/GetStore");
        let codec = tonic_prost::ProstCodec::<_, purchase_order_service::proto::v1::GetStoreResponse>::default();
        let refused = client.unary(request, path, codec).await.unwrap_err();
        assert_eq!(
            (refused.code(), refused.message()),
            (Unauthenticated, "the metadata key authorization must be 'Bearer' and a token"),
            "{header}"
        );
    }
    secured.verify().await;
}

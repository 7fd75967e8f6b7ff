//! Who may call what: every rpc of the contract, by every kind of caller, about every store, with every
//! credential. What comes out is a page that a reviewer can read; both databases give the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use prost::Message;
use purchase_order_service::proto::DESCRIPTORS;
use rstest::rstest;
use serde_json::{Value, json};
use tonic_types::StatusExt;

use crate::credentials::issuer::{Issuer, by_hand, claims, now};
use crate::credentials::secured::Secured;
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, Entry, every_rpc, within_timeout};

/// Who calls: the store's people, somebody whose role was revoked, a stranger, and the operator.
const PEOPLE: [(&str, &str); 6] = [
    ("owner", "alice"),
    ("manager", "carol"),
    ("receiver", "bob"),
    ("revoked", "dora"),
    ("nobody", "mallory"),
    ("operator", "operator"),
];
const STORES: [&str; 3] = ["north", "south", "nowhere"];
const CREDENTIALS: [&str; 8] = [
    "none",
    "expired",
    "wrong audience",
    "wrong issuer",
    "alg none",
    "HS256 by the public key",
    "unknown key",
    "revoked key",
];

/// Who signs what.
struct Signers<'s> {
    good: &'s Issuer,
    unknown: Issuer,
    revoked: Issuer,
}

impl Signers<'_> {
    /// A token that must not do.
    fn bad(&self, credential: &str, subject: &str) -> Option<String> {
        let with = |name: &str, value: Value| {
            let mut claims = claims(subject);
            claims[name] = value;
            self.good.sign(&claims)
        };
        Some(match credential {
            "expired" => with("exp", json!(now() - 3_600)),
            "wrong audience" => with("aud", json!("another")),
            "wrong issuer" => with("iss", json!("https://other.example")),
            "alg none" => by_hand(&json!({"alg": "none", "kid": self.good.kid}), &claims(subject), b""),
            "HS256 by the public key" => {
                let header = Header { kid: Some(self.good.kid.clone()), ..Header::new(Algorithm::HS256) };
                let secret = EncodingKey::from_secret(self.good.pair.public_key_raw());
                encode(&header, &claims(subject), &secret).unwrap()
            }
            "unknown key" => self.unknown.token(subject),
            "revoked key" => self.revoked.token(subject),
            _ => return None,
        })
    }
}

/// What a call came to: `OK`, or the code, the reason and the permission that was missing.
async fn outcome(entry: &Entry, caller: &Caller) -> String {
    let Err(status) = (entry.call)(caller).await else { return "OK".to_owned() };
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("{}: {status:?}", entry.path));
    let permission = info.metadata.get("permission").map_or(String::new(), |missing| format!(" {missing}"));
    format!("{:?} {}{permission}", status.code(), info.reason)
}

/// The rpcs as the contract's descriptor set has them.
fn contract() -> Vec<Entry> {
    let set = prost_types::FileDescriptorSet::decode(DESCRIPTORS).unwrap();
    let mut entries: BTreeMap<&str, Entry> = every_rpc().into_iter().map(|entry| (entry.path, entry)).collect();
    let mut listed = Vec::new();
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                listed.push(entries.remove(path.as_str()).unwrap_or_else(|| panic!("{path} is not in the matrix")));
            }
        }
    }
    assert!(entries.is_empty(), "what is no rpc: {:?}", entries.keys());
    listed
}

async fn matrix(secured: &Secured) -> String {
    let revoked = Issuer::new("revoked", Algorithm::EdDSA);
    let signers = Signers { good: &secured.issuer, unknown: Issuer::new("unknown", Algorithm::EdDSA), revoked };
    withdraw(secured, &signers).await;
    let nobody = secured.nobody();
    let (mut page, mut uniform) = (String::new(), BTreeMap::<&str, BTreeSet<String>>::new());
    for (number, entry) in contract().iter().enumerate() {
        writeln!(page, "{}", entry.path).unwrap();
        for (role, person) in PEOPLE {
            for store in STORES {
                // Each rpc has an absent store of its own, lest one of them makes it.
                let absent = format!("nowhere-{number}");
                let about = nobody.at(if store == "nowhere" { &absent } else { store });
                for credential in CREDENTIALS {
                    let caller = about.bearing(signers.bad(credential, person));
                    uniform.entry(credential).or_default().insert(outcome(entry, &caller).await);
                }
                let came_to = outcome(entry, &about.bearing(Some(signers.good.token(person)))).await;
                writeln!(page, "  {role:<9} {store:<8} {came_to}").unwrap();
            }
        }
    }
    writeln!(page, "with a credential that does not hold, each of these cells is:").unwrap();
    for (credential, outcomes) in &uniform {
        let outcomes: Vec<&str> = outcomes.iter().map(String::as_str).collect();
        writeln!(page, "  {credential:<24} {}", outcomes.join(" or ")).unwrap();
    }
    page
}

/// Lets a key be good and then not, and a role be held and then not.
async fn withdraw(secured: &Secured, signers: &Signers<'_>) {
    let once = secured.nobody().bearing(Some(signers.revoked.token("alice")));
    secured.turn_over_keys(&[signers.good.jwk(), signers.revoked.jwk()]);
    within_timeout(async { while once.get_store().await.is_err() {} }).await;
    secured.turn_over_keys(&[signers.good.jwk()]);
    within_timeout(async { while once.get_store().await.is_ok() {} }).await;
    let alice = secured.caller("alice");
    alice.grant("dora", "manager").ok().await;
    secured.caller("dora").get_store().ok().await;
    alice.revoke("dora", "manager").ok().await;
    secured.caller("operator").at("south").create_store("sam").ok().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn every_rpc_by_everybody_about_every_store_with_every_credential(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(secured) = Secured::on(on).await else { return };

    let page = matrix(&secured).await;

    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("matrix", page);
    });
    secured.verify().await;
}

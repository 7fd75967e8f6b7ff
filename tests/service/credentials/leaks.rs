//! What never gets out: of the database to a caller, of a caller into the logs.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use jsonwebtoken::Algorithm;
use rstest::rstest;
use serde_json::json;
use tonic::Code::Internal;
use tonic::transport::Endpoint;

use crate::credentials::issuer::{AUDIENCE, ISSUER, Issuer, claims};
use crate::credentials::secured::{STORE, Secured};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, Database};

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_the_database_is_told_by_an_id_alone(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(secured) = Secured::on(on).await else { return };
    let alice = secured.caller("alice");
    secured.database.session().batch("ALTER TABLE purchase_order RENAME TO elsewhere").unwrap();

    for refused in [
        alice.list().refused(Internal, "INTERNAL").await,
        alice.create(&[("apples", "1")]).refused(Internal, "INTERNAL").await,
    ] {
        assert_eq!(refused.metadata("id").len(), 36);
        let said = format!("{:?}", refused.parts()).to_lowercase();
        for leak in ["purchase_order", "table", "relation", "column", "sql", "select", "insert"] {
            assert!(!said.contains(leak), "{leak}: {said}");
        }
    }

    secured.database.session().batch("ALTER TABLE elsewhere RENAME TO purchase_order").unwrap();
    alice.list().ok().await;
    secured.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_holds_no_token_and_no_line_that_a_caller_wrote() {
    let (folder, issuer) = (tempfile::tempdir().unwrap(), Issuer::new("only", Algorithm::EdDSA));
    let database = Database::migrated(Sqlite).unwrap();
    let keys = folder.path().join("keys.json");
    fs::write(&keys, json!({"keys": [issuer.jwk()]}).to_string()).unwrap();
    let mut process = Command::new(env!("CARGO_BIN_EXE_purchase-order-service"))
        .args(["serve", "--listen", "127.0.0.1:0", "--database-url", &database.url_text()])
        .args(["--token-issuer", ISSUER, "--token-audience", AUDIENCE, "--token-keys", keys.to_str().unwrap()])
        .args(["--operator-claim", "roles=platform-operator"])
        .env("RUST_LOG", "trace,h2=trace,hyper=trace,tonic=trace")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = process.stderr.take().unwrap();
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        log.read_to_string(&mut text).map(|_| text)
    });
    let first_line = BufReader::new(process.stdout.as_mut().unwrap()).lines().next().unwrap().unwrap();
    let address = first_line.split_once("listens on ").unwrap().1.split(' ').next().unwrap().to_owned();
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
    let bearing = |token: &str| Caller::of(channel.clone(), "", STORE).bearing(Some(token.to_owned()));
    let (good, operator) = (issuer.token("alice"), issuer.token("operator"));
    let forger = issuer.sign(&claims("x\n2026-01-01T00:00:00Z ERROR forged"));

    bearing(&operator).create_store("alice").ok().await;
    bearing(&good).order(&[("apples", "1")]).await;
    let _ = bearing(&forger).get_store().await;
    let _ = bearing(&good).at("north\n2026-01-01T00:00:00Z ERROR forged").get_store().await;
    let _ = bearing(&good).create(&[("a\n2026-01-01T00:00:00Z ERROR forged", "1")]).await;
    assert!(Command::new("kill").arg(process.id().to_string()).status().unwrap().success());
    assert!(process.wait().unwrap().success());
    let log = reading.join().unwrap().unwrap();

    assert!(log.contains("stopped"), "the log is read: {log}");
    for token in [&good, &operator, &forger] {
        let parts = token.split('.').filter(|part| part.len() > 20);
        parts.skip(1).for_each(|part| assert!(!log.contains(part), "a token is in the log"));
    }
    let strange = log.lines().find(|line| !line.starts_with("202") || line.starts_with("2026-01-01T00:00:00Z"));
    assert_eq!(strange, None);
}

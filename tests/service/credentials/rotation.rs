//! Keys and certificates are turned over while calls go on, and no call fails for it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use jsonwebtoken::Algorithm;
use rstest::rstest;
use tokio::task::JoinSet;
use tonic::transport::Channel;

use crate::credentials::issuer::Issuer;
use crate::credentials::secured::{Authority, STORE, Secured};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, within_timeout};

/// Callers that go on and on: each call must succeed.
struct LoadOfCalls {
    token: Arc<Mutex<String>>,
    enough: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
    callers: JoinSet<()>,
}

impl LoadOfCalls {
    /// Half of the callers stay on one connection, the others connect anew for each call.
    fn begin(connect: impl Fn() -> Channel + Clone + Send + 'static, token: String) -> Self {
        let (token, enough) = (Arc::new(Mutex::new(token)), Arc::new(AtomicBool::new(false)));
        let (count, mut callers) = (Arc::new(AtomicU64::new(0)), JoinSet::new());
        for number in 0..6 {
            let (token, enough, count, connect) = (token.clone(), enough.clone(), count.clone(), connect.clone());
            callers.spawn(async move {
                let kept = connect();
                while !enough.load(Ordering::Relaxed) {
                    let channel = if number % 2 == 0 { kept.clone() } else { connect() };
                    let bearer = token.lock().unwrap().clone();
                    let caller = Caller::of(channel, "", STORE).bearing(Some(bearer));
                    caller.order(&[("apples", "1")]).await;
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Self { token, enough, count, callers }
    }

    fn bear(&self, token: String) {
        *self.token.lock().unwrap() = token;
    }

    /// Waits until another twenty orders are made.
    async fn go_on(&self) {
        let until = self.count.load(Ordering::Relaxed) + 20;
        within_timeout(async {
            while self.count.load(Ordering::Relaxed) < until {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    async fn end(mut self) -> u64 {
        self.enough.store(true, Ordering::Relaxed);
        while let Some(ended) = self.callers.join_next().await {
            ended.expect("no call failed");
        }
        self.count.load(Ordering::Relaxed)
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn everything_is_turned_over_without_a_failed_call(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(secured) = Secured::on(on).await else { return };
    let secured = Arc::new(secured);
    let second = Arc::new(Authority::new("second"));
    let connect = {
        let (secured, second) = (secured.clone(), second.clone());
        move || secured.connect(&[&secured.authority, &second], None)
    };
    let load = LoadOfCalls::begin(connect, secured.issuer.token("alice"));
    load.go_on().await;

    // The server's certificate, of another authority: who trusts that alone gets in from then on.
    secured.turn_over_certificate(&second.server());
    let of_second = || {
        let channel = secured.connect(&[&second], None);
        Caller::of(channel, "", STORE).bearing(Some(secured.issuer.token("alice")))
    };
    within_timeout(async { while of_second().get_store().await.is_err() {} }).await;
    load.go_on().await;

    // Token keys: the new one beside the old, then the new one alone.
    let newer = Issuer::new("second", Algorithm::ES256);
    let bearing = |token: String| Caller::of(secured.connect(&[&second], None), "", STORE).bearing(Some(token));
    secured.turn_over_keys(&[secured.issuer.jwk(), newer.jwk()]);
    let with_newer = bearing(newer.token("alice"));
    within_timeout(async { while with_newer.get_store().await.is_err() {} }).await;
    load.bear(newer.token("alice"));
    load.go_on().await;
    secured.turn_over_keys(&[newer.jwk()]);
    let with_older = bearing(secured.issuer.token("alice"));
    within_timeout(async { while with_older.get_store().await.is_ok() {} }).await;

    // Bad ones are not taken: two good turns of the other file later, the last good ones still serve.
    secured.turn_over_certificate(&crate::credentials::secured::Pair {
        certificate: "bad".to_owned(),
        key: "bad".to_owned(),
    });
    for issuer in ["third", "fourth"].map(|kid| Issuer::new(kid, Algorithm::EdDSA)) {
        secured.turn_over_keys(&[newer.jwk(), issuer.jwk()]);
        let caller = bearing(issuer.token("alice"));
        within_timeout(async { while caller.get_store().await.is_err() {} }).await;
    }
    secured.break_keys();
    load.go_on().await;
    bearing(newer.token("alice")).get_store().ok().await;

    let count = load.end().await;
    assert!(count >= 80, "{count} orders were made meanwhile");
    drop(with_newer);
    let Ok(secured) = Arc::try_unwrap(secured) else { panic!("nobody else holds it") };
    secured.verify().await;
}

//! SIGTERM while the database, peers or the reader of the output are stuck: the program ends all the same,
//! within a bound.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use diesel::QueryableByName;
use diesel::sql_types::Integer;
use purchase_order_service::proto::v1::ListStoresRequest;
use purchase_order_service::verify::verify;
use rstest::rstest;

use crate::bodies::{framed, peer};
use crate::logs::full_pipe;
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::server_process::ServerProcess;
use crate::support::{Cluster, Database, StoreHeld, cluster, within_timeout};

/// What the README promises beyond the delay and the draining.
const STOP_END: Duration = Duration::from_secs(12);

/// A database that answers nothing any more, until this is dropped.
enum Stuck {
    /// SQLite: another process holds the write lock.
    Locked(Option<StoreHeld>),
    /// PostgreSQL: the processes that serve the service's connections are stopped. The connections stay
    /// open, and no byte comes.
    Frozen(Vec<i32>),
}

#[derive(QueryableByName)]
struct Backend {
    #[diesel(sql_type = Integer)]
    pid: i32,
}

impl Stuck {
    fn make(database: &Database) -> Self {
        if database.engine == Sqlite {
            return Self::Locked(Some(database.hold("demo")));
        }
        let others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let backends: Vec<Backend> = database.session().load(diesel::sql_query(others)).unwrap();
        let pids: Vec<i32> = backends.into_iter().map(|backend| backend.pid).collect();
        assert!(!pids.is_empty(), "the service has connections");
        send("-STOP", &pids);
        Self::Frozen(pids)
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        match self {
            Self::Locked(held) => held.take().into_iter().for_each(StoreHeld::release),
            // Else they could not be told to end, and their database could not be dropped.
            Self::Frozen(pids) => send("-CONT", pids),
        }
    }
}

fn send(signal: &str, pids: &[i32]) {
    let pids = pids.iter().map(i32::to_string);
    assert!(Command::new("kill").arg(signal).args(pids).status().unwrap().success());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn it_ends_although_everything_is_stuck_at_once(#[values(Sqlite, Postgres)] on: Engine) {
    if on == Postgres && !matches!(cluster(), Some(Cluster::Private { .. })) {
        // The processes of a server that somebody else runs are not ours to stop.
        return;
    }
    let Some(database) = Database::migrated(on) else { return };
    let (_unread, full) = full_pipe();
    let mut attacked = ServerProcess::on_with_log(&database, &["--drain-seconds", "1"], full);
    let alice = attacked.alice();
    let order = alice.create(&[("apples", "1")]).ok().await.purchase_order.unwrap();
    // A peer that reads no answer.
    let mut deaf = peer(&attacked.address, 2, 0).await;
    let mut unread = Vec::new();
    for _ in 0..32 {
        let (answer, mut body) = deaf.call("/purchasing.v1.StoreService/ListStores").await.unwrap();
        body.send_data(framed(&ListStoresRequest::default()), true).unwrap();
        unread.push((answer, body));
    }
    let stuck = Stuck::make(&database);
    // Writes and reads that wait for the database; whether they are answered is not asked.
    let waiting: Vec<_> = (0..8).map(|_| alice.create(&[("pears", "1")]).start()).collect();
    let reading: Vec<_> = (0..8).map(|_| alice.get(&order.purchase_order_id).start()).collect();
    let late = alice.create(&[("plums", "1")]).within(Duration::from_millis(500)).await;
    assert!(late.is_err(), "the database is stuck: {late:?}");

    attacked.terminate();
    let asked = Instant::now();
    within_timeout(attacked.ends()).await;

    let took = asked.elapsed();
    eprintln!("SIGTERM while everything is stuck, on {on:?}: ended after {took:?}");
    assert!(took < Duration::from_secs(1) + STOP_END, "{took:?}");
    waiting.iter().for_each(|call| call.abort());
    reading.iter().for_each(|call| call.abort());
    drop(stuck);
    let findings = verify(&mut database.session(), |_, _| {}).unwrap();
    assert!(findings.is_empty(), "{}", findings.len());
    let again = ServerProcess::on(&database, &[]);
    again.alice().seen(&order.purchase_order_id).await;
}

/// What nobody foresaw is bounded too: here the handshake waits for somebody to read it, and so nothing
/// is there that would stop in stages.
#[tokio::test(flavor = "multi_thread")]
async fn it_ends_although_its_output_is_not_read() {
    let database = Database::migrated(Sqlite).unwrap();
    let (_unread, full) = full_pipe();
    let mut process = Command::new(env!("CARGO_BIN_EXE_purchase-order-service"))
        .env_clear()
        .env("RUST_LOG", "info")
        .args(["develop", "--listen", "127.0.0.1:0", "--drain-seconds", "0", "--database-url", &database.url_text()])
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(process.stderr.take().unwrap());
    // The demo store is there: it is about to handshake.
    within_timeout(async {
        while verify(&mut database.session(), |_, _| {}).is_err() || !database_has_demo(&database) {
            tokio::task::yield_now().await;
        }
    })
    .await;

    assert!(Command::new("kill").args(["-TERM", &process.id().to_string()]).status().unwrap().success());

    let asked = Instant::now();
    let ended = tokio::task::spawn_blocking(move || process.wait().unwrap());
    let ended = within_timeout(ended).await.unwrap();
    eprintln!("SIGTERM while nobody reads its handshake: {ended} after {:?}", asked.elapsed());
    assert!(asked.elapsed() < STOP_END + Duration::from_secs(3), "{:?}", asked.elapsed());
    drop(said.lines());
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = Integer)]
    count: i32,
}

fn database_has_demo(database: &Database) -> bool {
    let query = "SELECT count(*) AS count FROM store WHERE store_id = 'demo'";
    let rows: Vec<Count> = database.session().load(diesel::sql_query(query)).unwrap();
    rows[0].count == 1
}

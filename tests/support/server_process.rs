//! The program under attack, and an honest caller.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::{Caller, Database, Engine, within_timeout};

/// See the module; killed with this.
pub struct ServerProcess {
    process: Child,
    pub address: String,
    /// Its own, if it has one.
    kept: Option<Database>,
    _turn: Option<Turn>,
}

/// Whose attack it is. Each leans on the whole machine, and would be an attack on the others too: their
/// clients would not be there in time to answer the service's pings.
struct Turn;

static TAKEN: Mutex<bool> = Mutex::new(false);
static GIVEN_BACK: Condvar = Condvar::new();

impl Turn {
    fn wait() -> Self {
        let taken = TAKEN.lock().unwrap();
        *GIVEN_BACK.wait_while(taken, |taken| *taken).unwrap() = true;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // A test that fails gives its turn back too.
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) = false;
        GIVEN_BACK.notify_one();
    }
}

impl ServerProcess {
    /// The program on a fresh SQLite database.
    pub fn alone(arguments: &[&str]) -> Self {
        let turn = Turn::wait();
        let database = Database::empty(Engine::Sqlite).unwrap();
        let mut attacked = Self::on(&database, arguments);
        (attacked.kept, attacked._turn) = (Some(database), Some(turn));
        attacked
    }

    /// The program on a fresh SQLite database, which logs as `filter` says to `log`.
    pub fn logging(filter: &str, log: impl Into<Stdio>) -> Self {
        let turn = Turn::wait();
        let database = Database::empty(Engine::Sqlite).unwrap();
        let mut attacked = Self::begin(&database, &[], &[("RUST_LOG", filter)], log.into());
        (attacked.kept, attacked._turn) = (Some(database), Some(turn));
        attacked
    }

    /// The same with an allocator that gives back what is free instead of keeping it for later, so that
    /// resident memory is what the program uses (mallopt(3)).
    pub fn giving_memory_back() -> Self {
        let database = Database::empty(Engine::Sqlite).unwrap();
        let give_back =
            [("MALLOC_ARENA_MAX", "1"), ("MALLOC_MMAP_THRESHOLD_", "65536"), ("MALLOC_TRIM_THRESHOLD_", "65536")];
        let mut attacked = Self::begin(&database, &[], &give_back, Stdio::null());
        attacked.kept = Some(database);
        attacked
    }

    /// The program in development mode on a database.
    pub fn on(database: &Database, arguments: &[&str]) -> Self {
        Self::begin(database, arguments, &[("RUST_LOG", "info")], Stdio::null())
    }

    /// The same, which logs to `log`.
    pub fn on_with_log(database: &Database, arguments: &[&str], log: impl Into<Stdio>) -> Self {
        Self::begin(database, arguments, &[("RUST_LOG", "debug")], log.into())
    }

    fn begin(database: &Database, arguments: &[&str], environment: &[(&str, &str)], log: Stdio) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_purchase-order-service"))
            .env_clear()
            // An argument wins over it.
            .env("LISTEN", "127.0.0.1:0")
            .envs(environment.iter().copied())
            .args(["develop", "--database-url", &database.url_text()])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let first_line = output.next().unwrap();
        let address = first_line.split_once("listens on ").unwrap().1.split(' ').next().unwrap().to_owned();
        std::thread::spawn(move || output.count());
        Self { process, address, kept: None, _turn: None }
    }

    /// Alice of the demo store, from 127.0.0.1.
    pub fn alice(&self) -> Caller {
        Caller::of(self.channel(), "alice", "demo")
    }

    /// Its health, asked by somebody without credentials, from 127.0.0.1.
    pub async fn health(&self) -> Result<ServingStatus, Status> {
        let answer = HealthClient::new(self.channel()).check(HealthCheckRequest::default()).await?;
        Ok(answer.into_inner().status())
    }

    /// Another connection to it, which is made anew whenever it breaks.
    pub fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap().connect_lazy()
    }

    /// Its resident memory, in KiB.
    pub fn memory(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most resident memory that it had since [`ServerProcess::forget_peak`], in KiB.
    pub fn peak(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// Lets [`ServerProcess::peak`] begin again with what is resident now (proc(5), `clear_refs`).
    pub fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.process.id()), "5").unwrap();
    }

    fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// The CPU time that its threads have used so far.
    pub fn cpu(&self) -> Duration {
        cpu_time(self.process.id())
    }

    pub fn terminate(&self) {
        assert!(Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().unwrap().success());
    }

    /// Whether it ends well.
    pub async fn ends_well(&mut self) -> bool {
        within_timeout(self.ends()).await.success()
    }

    /// Waits until it has ended; how it did.
    pub async fn ends(&mut self) -> ExitStatus {
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                break status;
            }
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The CPU time that the threads of a process have used so far.
pub fn cpu_time(process: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let nanoseconds = threads.map(|thread| {
        // A thread that has ended meanwhile counts no more.
        let used = std::fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap_or_default();
        used.split(' ').next().and_then(|used| used.parse::<u64>().ok()).unwrap_or_default()
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// An honest caller who calls again and again while an attack goes on.
pub struct Honest {
    enough: Arc<AtomicBool>,
    calling: JoinHandle<Vec<Duration>>,
}

impl Honest {
    pub fn begin(attacked: &ServerProcess) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let (stop, alice) = (Arc::clone(&enough), attacked.alice());
        let calling = tokio::spawn(async move {
            let mut took = Vec::new();
            while !stop.load(Ordering::Relaxed) || took.len() < 20 {
                let begun = Instant::now();
                alice.get_store().ok().await;
                took.push(begun.elapsed());
            }
            took
        });
        Self { enough, calling }
    }

    /// Every call was answered; how long they took is printed.
    pub async fn end(self, attack: &str, before: u64, attacked: &ServerProcess) {
        self.enough.store(true, Ordering::Relaxed);
        let mut took = within_timeout(self.calling).await.expect("every honest call is answered");
        took.sort();
        let (count, after) = (took.len(), attacked.memory());
        let (median, last) = (took[count / 2], took[count - 1]);
        eprintln!(
            "{attack}: {count} honest calls, {:?} {median:?} {last:?} (min, median, max); {before} -> {after} KiB",
            took[0]
        );
    }
}

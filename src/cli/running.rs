//! What `serve` and `develop` have in common: options, signals, and an end within a promised time.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::CommandError;
use super::whole_number::within;
use crate::config::ServeConfig;
use crate::repository::dialect::{Layout, may_be_sharded, writers_for};
use crate::repository::url::DatabaseUrl;
use crate::server::{Parts, Server};
use crate::telemetry;
use crate::traces::{self, TraceConfig};
use crate::transport::origin::Origin;
use crate::transport::resource_limits::Limits;

pub const LISTEN: &str = "127.0.0.1:50051";
const RETENTION_DAYS: u64 = 7;
const MAX_DEADLINE_SECONDS: u64 = 30;
const DATABASE_TIMEOUT_SECONDS: u64 = 5;
const DRAIN_SECONDS: u64 = 20;
const TRACE_RATIO: f64 = 0.01;
/// Descriptors that are not for connections: the database's, files, and the runtime's own.
const DESCRIPTORS_KEPT: usize = 128;
/// How long threads that are stuck may keep the process from ending.
const RUNTIME_END: Duration = Duration::from_secs(1);
/// How much longer than its delay and its draining a stop may take, whatever is stuck. More than the
/// bounds of everything that ends then: the probe, the writers, the pruner, the runtime, the log.
const STOP_END: Duration = Duration::from_secs(12);

/// How the tables are laid out over database servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DatabaseLayout {
    /// All on one server
    Single,
    /// By store over several servers, on PostgreSQL: each transaction is about one store
    Sharded,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// Lines for people to read
    Console,
    /// An object of JSON in each line
    Json,
}

impl From<LogFormat> for telemetry::LogFormat {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Console => Self::Console,
            LogFormat::Json => Self::Json,
        }
    }
}

/// Options of `serve` and `develop`
#[derive(Debug, Args)]
pub struct Running {
    /// Where to listen
    ///
    /// `develop` allows loopback only. Port 0 chooses a free port and prints it.
    #[arg(long, env = "LISTEN", default_value = LISTEN)]
    pub listen: SocketAddr,
    /// Where to answer scrapes of Prometheus, in plain text and without credentials [default: nowhere]
    ///
    /// See operations.md on metrics.
    #[arg(long, env = "METRICS_LISTEN", value_name = "ADDR")]
    metrics_listen: Option<SocketAddr>,
    /// How the log is written to standard error
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Console)]
    log_format: LogFormat,
    /// Of how many calls one is logged: 0 to 1000000; 0: of none, 1: each
    ///
    /// With any but 0, calls that end with a fault of the service are logged too, limited in rate.
    #[arg(long, env = "ACCESS_LOG", value_name = "N", default_value_t = 0, value_parser = within::<u32>(0..=1_000_000))]
    access_log: u32,
    /// The collector that traces are sent to by OTLP over gRPC [default: nowhere]
    ///
    /// http://HOST:PORT or https://HOST:PORT. See operations.md on traces.
    #[arg(long, env = "OTLP_ENDPOINT", value_name = "URL")]
    otlp_endpoint: Option<traces::Endpoint>,
    /// The authorities of the collector's certificate, in PEM: a file [default: those that the operating system trusts]
    #[arg(long, env = "OTLP_CA", value_name = "FILE", requires = "otlp_endpoint")]
    otlp_ca: Option<PathBuf>,
    /// The share of calls that are traced, from 0 to 1
    ///
    /// A call whose caller has a trace is traced if that one is.
    #[arg(long, env = "TRACE_RATIO", value_name = "RATIO", default_value_t = TRACE_RATIO, value_parser = ratio)]
    trace_ratio: f64,
    /// Where browsers call, by gRPC-Web over HTTP/1.1 [default: nowhere]
    ///
    /// With TLS if `--tls-certificate` is given. `develop` allows loopback only. See operations.md on browsers.
    #[arg(long, env = "WEB_LISTEN", value_name = "ADDR", requires = "web_origins")]
    pub web_listen: Option<SocketAddr>,
    /// The origins of the web pages that may call there, separated by commas
    ///
    /// Each is SCHEME://HOST or SCHEME://HOST:PORT, as a browser sends it.
    #[arg(long, env = "WEB_ORIGINS", value_name = "ORIGIN", value_delimiter = ',', requires = "web_listen")]
    web_origins: Vec<Origin>,
    /// For how many days the first answer to each request id is kept: 1 to 3650
    #[arg(long, env = "REQUEST_RETENTION_DAYS", default_value_t = RETENTION_DAYS, value_parser = within::<u64>(1..=3650))]
    request_retention_days: u64,
    /// For how many days events are kept at least: 1 to 36500 [default: for ever]
    ///
    /// Older ones are deleted, except the last of each store: see operations.md on retention.
    #[arg(long, env = "EVENT_RETENTION_DAYS", value_parser = within::<u64>(1..=36_500))]
    event_retention_days: Option<u64>,
    /// How many transactions write at once on PostgreSQL: 1 to 64 [default: this machine's cores]
    ///
    /// As many as it has cores to give. SQLite always has one writer.
    #[arg(long, env = "WRITERS", value_parser = within::<u16>(1..=64))]
    writers: Option<u16>,
    /// How the tables are laid out over database servers
    ///
    /// `single`: all on one. `sharded`: PostgreSQL spreads them by store over several, see operations.md.
    #[arg(long, env = "DATABASE_LAYOUT", value_enum, default_value_t = DatabaseLayout::Single)]
    database_layout: DatabaseLayout,
    /// How many seconds a statement or COMMIT may go unanswered before its connection is given up: 1 to 60
    #[arg(long, env = "DATABASE_TIMEOUT_SECONDS", default_value_t = DATABASE_TIMEOUT_SECONDS, value_parser = within::<u64>(1..=60))]
    database_timeout_seconds: u64,
    /// How many seconds a call may take at most, even if its caller allows more: 1 to 600
    #[arg(long, env = "MAX_DEADLINE_SECONDS", default_value_t = MAX_DEADLINE_SECONDS, value_parser = within::<u64>(1..=600))]
    max_deadline_seconds: u64,
    /// For how many seconds the service still serves after it is asked to stop: 0 to 600 [default: 5; 0 for develop]
    ///
    /// Health reports NOT_SERVING meanwhile, so that load balancers send callers elsewhere (lame duck mode).
    #[arg(long, env = "SHUTDOWN_DELAY_SECONDS", value_parser = within::<u64>(0..=600))]
    shutdown_delay_seconds: Option<u64>,
    /// How many seconds calls in flight have to finish after that: 0 to 600
    #[arg(long, env = "DRAIN_SECONDS", default_value_t = DRAIN_SECONDS, value_parser = within::<u64>(0..=600))]
    drain_seconds: u64,
    /// How many connections may be open at once: 1 to 100000 [default: 1000, or what the descriptor limit leaves]
    ///
    /// 128 file descriptors are reserved for other purposes.
    #[arg(long, env = "MAX_CONNECTIONS", value_parser = within::<u32>(1..=100_000))]
    max_connections: Option<u32>,
    /// How many of them one address may have (IPv6: one /64): 1 to 100000
    ///
    /// Raise it if all callers connect through one proxy.
    #[arg(long, env = "MAX_CONNECTIONS_PER_PEER", default_value_t = Limits::default().connections_per_peer as u32, value_parser = within::<u32>(1..=100_000))]
    max_connections_per_peer: u32,
}

impl Running {
    /// The configuration that the options describe; `shutdown_delay` is the command's default.
    pub fn config(&self, database: DatabaseUrl, shutdown_delay: Duration) -> Result<ServeConfig, CommandError> {
        let mut config = ServeConfig::new(database);
        config.layout = match self.database_layout {
            DatabaseLayout::Single => Layout::Single,
            DatabaseLayout::Sharded if !may_be_sharded(&config.database) => {
                return Err("--database-layout sharded: an embedded database is one file; use PostgreSQL".into());
            }
            DatabaseLayout::Sharded => Layout::Sharded,
        };
        config.request_retention = days(self.request_retention_days);
        config.event_retention = self.event_retention_days.map(days);
        config.database_timeout = Duration::from_secs(self.database_timeout_seconds);
        config.max_deadline = Duration::from_secs(self.max_deadline_seconds);
        config.shutdown_delay = self.shutdown_delay_seconds.map_or(shutdown_delay, Duration::from_secs);
        config.drain = Duration::from_secs(self.drain_seconds);
        config.metrics_listen = self.metrics_listen;
        config.access_log = self.access_log;
        config.traces = self.otlp_endpoint.as_ref().map(|endpoint| TraceConfig {
            endpoint: endpoint.clone(),
            authorities: self.otlp_ca.clone(),
            ratio: self.trace_ratio,
        });
        config.web_listen = self.web_listen;
        config.web_origins.clone_from(&self.web_origins);
        config.limits.connections = connections(self.max_connections, descriptors())?;
        config.limits.connections_per_peer = self.max_connections_per_peer as usize;
        if let Some(writers) = self.writers {
            config.writers = writers_for(&config.database, writers.into());
        }
        Ok(config)
    }

    /// Serves until SIGTERM or Ctrl-C. `announce` prints where it listens, once it accepts connections.
    pub fn serve(
        &self,
        config: &ServeConfig,
        announce: impl FnOnce(&DatabaseUrl, SocketAddr),
    ) -> Result<ExitCode, CommandError> {
        let _logs = telemetry::init(self.log_format.into());
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let served = runtime.block_on(async {
            // First, so that a signal during the start is a request to stop and does not kill the process.
            let mut asked = requests_to_stop(config.shutdown_delay + config.drain + STOP_END)?;
            let bound = TcpListener::bind(self.listen).await;
            let listener = bound.map_err(|error| format!("{}: {error}", self.listen))?;
            let server = tokio::select! {
                started = Server::start(listener, config, Parts::default()) => started?,
                // Starting may wait for the database; a request to stop must not wait with it.
                _ = asked.recv() => return Ok(ExitCode::SUCCESS),
            };
            announce(&config.database, server.local_addr());
            // A supervisor must start it again if it ended by itself.
            let was_asked = server.run_until_asked(asked).await;
            Ok(if was_asked { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        });
        runtime.shutdown_timeout(RUNTIME_END);
        served
    }
}

/// A share of calls, as an option gives it.
fn ratio(text: &str) -> Result<f64, &'static str> {
    let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or("must be a number from 0 to 1, such as 0.01")
}

const fn days(count: u64) -> Duration {
    Duration::from_secs(count * 24 * 60 * 60)
}

/// How many connections to accept: what was asked for, if the process may open enough descriptors for it.
fn connections(asked: Option<u32>, descriptors: Option<usize>) -> Result<usize, CommandError> {
    let room = descriptors.map_or(usize::MAX, |descriptors| descriptors.saturating_sub(DESCRIPTORS_KEPT));
    match asked.map(|asked| asked as usize) {
        Some(asked) if asked > room => Err(format!(
            "--max-connections {asked}: the process may open {} descriptors (ulimit -n), which leaves {room} for connections",
            room + DESCRIPTORS_KEPT
        )
        .into()),
        Some(asked) => Ok(asked),
        None => Ok(Limits::default().connections.min(room).max(1)),
    }
}

/// How many descriptors the process may open; `None` if there is no limit.
fn descriptors() -> Option<usize> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.and_then(|limit| usize::try_from(limit).ok())
}

/// SIGTERM and Ctrl-C from now on, each as a request to stop. The first is the promise that the process
/// ends `within` that time, whatever is stuck.
fn requests_to_stop(within: Duration) -> std::io::Result<mpsc::Receiver<()>> {
    let (mut terminated, mut interrupted) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (ask, asked) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut is_first = true;
        loop {
            tokio::select! {
                _ = terminated.recv() => {}
                _ = interrupted.recv() => {}
            }
            if std::mem::take(&mut is_first) {
                end_within(within);
            }
            // If the channel is full, a request waits already and this one adds nothing.
            let _ = ask.try_send(());
        }
    });
    Ok(asked)
}

/// Ends the process after this time if it has not ended before. It uses a thread of its own because the
/// runtime may be what is stuck. Nothing is lost by it: what was acknowledged was committed, and a transaction that is cut off
/// is rolled back.
fn end_within(time: Duration) {
    let thread = std::thread::Builder::new().name("stop".to_owned());
    #[expect(
        clippy::disallowed_methods,
        reason = "what is stuck cannot return to main, and its destructors cannot run"
    )]
    let spawned = thread.spawn(move || {
        std::thread::sleep(time);
        std::process::exit(1);
    });
    if let Err(error) = spawned {
        tracing::error!(%error, "no time limit for the stop: the thread that enforces it did not start");
    }
}

#[cfg(test)]
mod tests {
    use super::connections;

    #[test]
    fn connections_stay_below_the_descriptor_limit() {
        assert_eq!(connections(None, Some(100_000)).unwrap(), 1_000);
        assert_eq!(connections(None, Some(256)).unwrap(), 128);
        assert_eq!(connections(Some(128), Some(256)).unwrap(), 128);
        let refused = connections(Some(129), Some(256)).unwrap_err().to_string();
        assert!(refused.contains("129") && refused.contains("256"), "{refused}");
    }
}

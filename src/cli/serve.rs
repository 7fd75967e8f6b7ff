//! `serve`: the service in development mode, the only mode there is until credentials exist.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;

use super::CommandError;
use crate::config::ServeConfig;
use crate::repository::dialect::lanes_for;
use crate::repository::url::DatabaseUrl;
use crate::server::{Parts, Server};
use crate::{demo, telemetry};

const LISTEN: &str = "127.0.0.1:50051";
const RETENTION_DAYS: u64 = 7;

/// Serve; the default
#[derive(Debug, Args)]
pub struct Serve {
    /// Where to listen; development mode allows loopback only
    #[arg(long, env = "LISTEN", default_value = LISTEN)]
    listen: SocketAddr,
    /// For how many days the first answer to each request id is kept
    #[arg(long, env = "REQUEST_RETENTION_DAYS", default_value_t = RETENTION_DAYS, value_parser = clap::value_parser!(u64).range(1..=3650))]
    request_retention_days: u64,
    /// How many transactions write at once on PostgreSQL: as many as it has cores to give [default: this machine's cores]
    #[arg(long, env = "LANES", value_parser = clap::value_parser!(u16).range(1..=64))]
    lanes: Option<u16>,
}

impl Serve {
    /// Serves until the process is asked to end.
    pub fn run(self, database: DatabaseUrl) -> Result<ExitCode, CommandError> {
        if !self.listen.ip().is_loopback() {
            let why = "in development mode callers name themselves, so only loopback may be listened on";
            return Err(format!("cannot listen on {}: {why}", self.listen).into());
        }
        telemetry::init();
        tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(self.serve(database))
    }

    async fn serve(self, database: DatabaseUrl) -> Result<ExitCode, CommandError> {
        let mut config = ServeConfig::new(database);
        config.demo_store = true;
        config.request_retention = Duration::from_secs(self.request_retention_days * 24 * 60 * 60);
        if let Some(lanes) = self.lanes {
            config.lanes = lanes_for(&config.database, lanes.into());
        }
        let listener = TcpListener::bind(self.listen).await.map_err(|error| format!("{}: {error}", self.listen))?;
        let server = Server::start(listener, &config, Parts::default()).await?;
        greet(&config.database, server.local_addr());
        server.run_until(asked_to_end()).await;
        Ok(ExitCode::SUCCESS)
    }
}

fn greet(database: &DatabaseUrl, address: SocketAddr) {
    println!("purchase-order-service listens on {address} with {database}");
    println!("DEVELOPMENT MODE: callers name themselves in the metadata key x-principal; do not expose this port");
    println!(
        "the store '{}': {} may do everything, {} may receive; 'operator' runs the platform",
        demo::STORE,
        demo::OWNER,
        demo::RECEIVER
    );
    println!(
        "try: grpcurl -plaintext -H 'x-principal: alice' -d '{{\"store_id\": \"demo\"}}' {address} purchasing.v1.StoreService/GetStore"
    );
}

/// Ends at SIGTERM or Ctrl-C.
async fn asked_to_end() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(error) => {
                tracing::error!(%error, "SIGTERM cannot be heard");
                std::future::pending().await
            }
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        _ = interrupted => {}
        () = terminated => {}
    }
    tracing::info!("asked to end; calls in flight may finish");
}

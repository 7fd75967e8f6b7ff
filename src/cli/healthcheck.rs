//! `healthcheck`: asks a running service for its health, for probes where no other tool is installed, such as in a container.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::CommandError;
use super::client::{Connection, is_transport_failure};
use super::whole_number::within;

/// Ask a running service for its health
#[derive(Debug, Args)]
pub struct Healthcheck {
    #[command(flatten)]
    connection: Connection,
    /// The name of a service of the contract; empty: all of them
    #[arg(long, default_value = "")]
    service: String,
    /// For how many seconds to wait for the answer: 1 to 60
    #[arg(long, default_value = "3", value_parser = within::<u64>(1..=60))]
    timeout_seconds: u64,
}

impl Healthcheck {
    /// Succeeds if the service reports SERVING.
    pub fn run(self) -> Result<ExitCode, CommandError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let address = self.connection.address();
        let timeout = Duration::from_secs(self.timeout_seconds);
        // Around connecting and asking: each may take this long by itself, and together they may not take twice as
        // long.
        let answered = runtime.block_on(async { tokio::time::timeout(timeout, self.status(timeout)).await });
        let status = answered.map_err(|_| format!("{address}: no answer within {} s", timeout.as_secs()))??;
        if status != ServingStatus::Serving {
            return Err(format!("{address} reports {}", status.as_str_name()).into());
        }
        println!("{}", status.as_str_name());
        Ok(ExitCode::SUCCESS)
    }

    async fn status(self, timeout: Duration) -> Result<ServingStatus, CommandError> {
        let channel = self.connection.connect(timeout).await?;
        let request = HealthCheckRequest { service: self.service };
        match HealthClient::new(channel).check(request).await {
            Ok(answer) => Ok(answer.into_inner().status()),
            Err(failure) if is_transport_failure(&failure) => Err(self.connection.explained(&failure).await.into()),
            Err(refusal) => Err(format!("{}: {}", self.connection.address(), refusal.message()).into()),
        }
    }
}

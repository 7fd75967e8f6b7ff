//! `healthcheck`: asks a running service for its health, for probes where no other tool is installed, such as in a container.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::CommandError;
use super::whole_number::within;

/// Ask a running service for its health
#[derive(Debug, Args)]
pub struct Healthcheck {
    /// The address that the service listens on, HOST:PORT
    #[arg(long, env = "LISTEN", default_value = super::running::LISTEN)]
    listen: String,
    /// The name of a service of the contract; empty: all of them
    #[arg(long, default_value = "")]
    service: String,
    /// The authorities of the server's certificate, in PEM: a file; without it, no TLS is used
    #[arg(long)]
    server_ca: Option<PathBuf>,
    /// The name in the server's certificate, if it is not the host of the address
    #[arg(long, requires = "server_ca")]
    server_name: Option<String>,
    /// For how many seconds to wait for the answer: 1 to 60
    #[arg(long, default_value = "3", value_parser = within::<u64>(1..=60))]
    timeout_seconds: u64,
}

impl Healthcheck {
    /// Succeeds if the service reports SERVING.
    pub fn run(self) -> Result<ExitCode, CommandError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let address = reachable(&self.listen);
        // Around everything: the handshake of TLS has no timeout of its own.
        let timeout = Duration::from_secs(self.timeout_seconds);
        let answered = runtime.block_on(async { tokio::time::timeout(timeout, self.status(&address)).await });
        let status = answered.map_err(|_| format!("{address}: no answer within {} s", timeout.as_secs()))?;
        let status = status.map_err(|error| format!("{address}: {error}"))?;
        if status != ServingStatus::Serving {
            return Err(format!("{address} reports {}", status.as_str_name()).into());
        }
        println!("{}", status.as_str_name());
        Ok(ExitCode::SUCCESS)
    }

    async fn status(self, address: &str) -> Result<ServingStatus, CommandError> {
        let scheme = if self.server_ca.is_some() { "https" } else { "http" };
        let mut endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))?;
        if let Some(path) = self.server_ca {
            let pem = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
            if let Some(name) = self.server_name {
                tls = tls.domain_name(name);
            }
            endpoint = endpoint.tls_config(tls)?;
        }
        let channel = endpoint.connect().await.map_err(|error| with_cause(&error))?;
        let request = HealthCheckRequest { service: self.service };
        let answer = HealthClient::new(channel).check(request).await.map_err(|status| status.message().to_owned())?;
        Ok(answer.into_inner().status())
    }
}

/// The address to connect to: a service that listens on all addresses is reached on loopback.
fn reachable(address: &str) -> String {
    match address.rsplit_once(':') {
        Some(("0.0.0.0", port)) => format!("127.0.0.1:{port}"),
        Some(("[::]", port)) => format!("[::1]:{port}"),
        _ => address.to_owned(),
    }
}

/// An error with what caused it: by itself it says no more than "transport error".
fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => with_cause(cause),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::reachable;

    #[test]
    fn a_service_on_all_addresses_is_reached_on_loopback() {
        for (listen, connect) in [
            ("0.0.0.0:50051", "127.0.0.1:50051"),
            ("[::]:50051", "[::1]:50051"),
            ("10.0.0.7:50051", "10.0.0.7:50051"),
            ("orders.example:50051", "orders.example:50051"),
        ] {
            assert_eq!(reachable(listen), connect);
        }
    }
}

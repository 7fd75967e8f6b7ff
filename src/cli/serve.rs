//! `serve`: the service for callers with a token or a client certificate. It refuses to start without any kind
//! of credentials, or without encryption where others could read tokens.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::CommandError;
use super::running::Running;
use crate::auth::certificate::KINDS;
use crate::auth::credentials::CredentialConfig;
use crate::auth::tokens::{OperatorClaim, TokenConfig};
use crate::config::{Authentication, ServeConfig};
use crate::domain::code::PrincipalId;
use crate::repository::url::DatabaseUrl;
use crate::transport::tls::TlsFiles;

/// How long the service still serves after it is asked to stop: enough for a load balancer that checks health
/// every second or two to send its callers elsewhere.
const SHUTDOWN_DELAY: Duration = Duration::from_secs(5);

/// Serve callers with tokens or client certificates
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    running: Running,
    /// The key set (JWKS) of the tokens' issuer: a file, read again when it changes
    ///
    /// Requires `--token-issuer` and `--token-audience`.
    #[arg(long, env = "TOKEN_KEYS", requires_all = ["token_issuer", "token_audience"])]
    token_keys: Option<PathBuf>,
    /// What the claim `iss` of a token must be
    #[arg(long, env = "TOKEN_ISSUER")]
    token_issuer: Option<String>,
    /// What the claim `aud` of a token must be, or hold
    #[arg(long, env = "TOKEN_AUDIENCE")]
    token_audience: Option<String>,
    /// The claim that makes a platform operator, as NAME=VALUE
    ///
    /// The claim is that text, a list that contains it, or `true`. A name that begins with `/` is a JSON pointer:
    /// `/realm_access/roles=platform-operator`.
    #[arg(long, env = "OPERATOR_CLAIM", requires = "token_keys")]
    operator_claim: Option<OperatorClaim>,
    /// The server's certificate chain, in PEM: a file, read again when it changes
    #[arg(long, env = "TLS_CERTIFICATE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// The server's private key, in PEM: a file, read again when it changes
    #[arg(long, env = "TLS_KEY", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// The authorities of client certificates, in PEM: a file, read again when it changes
    #[arg(long, env = "CLIENT_CA", requires = "tls_certificate")]
    client_ca: Option<PathBuf>,
    /// Names of the client certificates of platform operators, separated by commas
    ///
    /// Each is a URI or a DNS name of the certificate, such as `uri:spiffe://corp.example/operator` or
    /// `dns:ops.corp.example`.
    #[arg(long, env = "OPERATOR_CERTIFICATES", value_delimiter = ',', requires = "client_ca")]
    operator_certificates: Vec<String>,
    /// Listen without TLS beyond loopback
    ///
    /// Tokens can be read on the network unless something else encrypts it, such as a service mesh.
    #[arg(long, env = "ALLOW_PLAINTEXT", conflicts_with = "tls_certificate")]
    allow_plaintext: bool,
    /// Serve reflection without credentials
    #[arg(long, env = "PUBLIC_REFLECTION")]
    public_reflection: bool,
}

impl Serve {
    /// Serves until SIGTERM or Ctrl-C.
    pub fn run(&self, database: DatabaseUrl) -> Result<ExitCode, CommandError> {
        let config = self.config(database)?;
        let how = if config.tls.is_some() { "TLS" } else { "plain text" };
        self.running.serve(&config, |database: &DatabaseUrl, address: SocketAddr| {
            println!("purchase-order-service listens on {address} ({how}) with {database}");
        })
    }

    /// What a server is started with, if these options make up a whole that is safe to serve.
    pub fn config(&self, database: DatabaseUrl) -> Result<ServeConfig, CommandError> {
        let credentials = self.credentials()?;
        let tls = self.tls_certificate.clone().zip(self.tls_key.clone());
        for listen in [Some(self.running.listen), self.running.web_listen].into_iter().flatten() {
            if tls.is_none() && !listen.ip().is_loopback() && !self.allow_plaintext {
                let why = "without TLS, tokens could be read on the way";
                let cure = "give --tls-certificate and --tls-key, or --allow-plaintext where something else encrypts";
                return Err(format!("cannot listen on {listen}: {why}; {cure}").into());
            }
        }
        let mut config = self.running.config(database, SHUTDOWN_DELAY)?;
        config.access = Authentication::Credentials(credentials);
        let client_ca = self.client_ca.clone();
        config.tls = tls.map(|(certificate, key)| TlsFiles { certificate, key, client_ca });
        config.public_reflection = self.public_reflection;
        Ok(config)
    }

    fn credentials(&self) -> Result<CredentialConfig, CommandError> {
        if self.token_keys.is_none() && self.client_ca.is_none() {
            let cure = "give --token-keys with --token-issuer and --token-audience, or --client-ca, or both";
            return Err(format!(
                "no credentials are configured, so nobody could call: {cure}; `develop` serves without, on loopback"
            )
            .into());
        }
        let bad = |name: &&String| !KINDS.iter().any(|kind| name.starts_with(kind));
        if let Some(name) = self.operator_certificates.iter().find(bad) {
            return Err(format!("--operator-certificates: '{name}' begins neither with uri: nor with dns:").into());
        }
        let parts = self.token_keys.clone().zip(self.token_issuer.clone().zip(self.token_audience.clone()));
        let operator = self.operator_claim.clone();
        Ok(CredentialConfig {
            tokens: parts.map(|(keys, (issuer, audience))| TokenConfig { keys, issuer, audience, operator }),
            operator_certificates: self
                .operator_certificates
                .iter()
                .map(|name| PrincipalId::new(name.as_str()))
                .collect(),
        })
    }
}

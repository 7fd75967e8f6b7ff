//! The service as it stands in a company's network: TLS with client certificates, and tokens; all
//! keys made for this one test.

use std::fs;
use std::path::PathBuf;

pub use crate::support::{Authority, Pair, dns, uri};
use jsonwebtoken::Algorithm;
use purchase_order_service::auth::credentials::CredentialConfig;
use purchase_order_service::auth::tokens::TokenConfig;
use purchase_order_service::config::{Authentication, ServeConfig};
use purchase_order_service::domain::code::PrincipalId;
use purchase_order_service::server::{Parts, Server};
use purchase_order_service::transport::tls::TlsFiles;
use purchase_order_service::verify::verify;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::credentials::issuer::{AUDIENCE, ISSUER, Issuer};
use crate::support::{Caller, Database, Engine};

/// The store that alice owns.
pub const STORE: &str = "north";
/// The certificate that operates the platform.
pub const OPERATOR: &str = "spiffe://corp.example/operator";

/// See the module. A test ends with [`Secured::verify`].
pub struct Secured {
    server: Server,
    folder: TempDir,
    pub authority: Authority,
    pub issuer: Issuer,
    pub database: Database,
}

impl Secured {
    /// The service on this engine, with the store north, which alice owns, carol manages and bob
    /// receives in; `None` if the engine is not to be had.
    pub async fn on(engine: Engine) -> Option<Self> {
        let database = Database::migrated(engine)?;
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new("first"));
        let issuer = Issuer::new("first", Algorithm::EdDSA);
        let file = |name: &str| folder.path().join(name);
        write(&file("server.pem"), &file("server.key"), &authority.server());
        fs::write(file("clients.pem"), authority.pem()).unwrap();
        fs::write(file("keys.json"), key_set(&[issuer.jwk()])).unwrap();
        let mut config = ServeConfig::new(database.url.clone());
        (config.writers, config.readers, config.public_reflection) = (2, 2, false);
        config.tls = Some(TlsFiles {
            certificate: file("server.pem"),
            key: file("server.key"),
            client_ca: Some(file("clients.pem")),
        });
        config.access = Authentication::Credentials(CredentialConfig {
            tokens: Some(TokenConfig {
                keys: file("keys.json"),
                issuer: ISSUER.to_owned(),
                audience: AUDIENCE.to_owned(),
                operator: Some("roles=platform-operator".parse().unwrap()),
            }),
            operator_certificates: [PrincipalId::new(format!("uri:{OPERATOR}"))].into(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Server::start(listener, &config, Parts::default()).await.unwrap();
        let secured = Self { server, folder, authority, issuer, database };
        secured.caller("operator").create_store("alice").ok().await;
        let alice = secured.caller("alice");
        alice.grant("carol", "manager").ok().await;
        alice.grant("bob", "receiver").ok().await;
        Some(secured)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        self.server.local_addr().to_string()
    }

    /// A file with the authority of its certificate.
    pub fn authority_file(&self) -> String {
        self.file("clients.pem").to_str().unwrap().to_owned()
    }

    /// A connection that trusts these authorities and shows this certificate.
    pub fn connect(&self, trusted: &[&Authority], identity: Option<&Pair>) -> Channel {
        let authorities = trusted.iter().map(|authority| Certificate::from_pem(authority.pem()));
        let mut tls = ClientTlsConfig::new().ca_certificates(authorities).domain_name("localhost");
        if let Some(Pair { certificate, key }) = identity {
            tls = tls.identity(Identity::from_pem(certificate, key));
        }
        let address = format!("https://{}", self.server.local_addr());
        Endpoint::from_shared(address).unwrap().tls_config(tls).unwrap().connect_lazy()
    }

    /// Somebody with a good token.
    pub fn caller(&self, subject: &str) -> Caller {
        self.nobody().bearing(Some(self.issuer.token(subject)))
    }

    /// Somebody without any credential.
    pub fn nobody(&self) -> Caller {
        Caller::of(self.connect(&[&self.authority], None), "", STORE)
    }

    /// Somebody with a certificate and no token.
    pub fn certified(&self, certificate: &Pair) -> Caller {
        Caller::of(self.connect(&[&self.authority], Some(certificate)), "", STORE)
    }

    pub fn turn_over_certificate(&self, pair: &Pair) {
        write(&self.file("server.pem"), &self.file("server.key"), pair);
    }

    pub fn turn_over_clients(&self, authorities: &[&Authority]) {
        let pem: String = authorities.iter().map(|authority| authority.pem()).collect();
        fs::write(self.file("clients.pem"), pem).unwrap();
    }

    pub fn turn_over_keys(&self, keys: &[Value]) {
        fs::write(self.file("keys.json"), key_set(keys)).unwrap();
    }

    pub fn break_keys(&self) {
        fs::write(self.file("keys.json"), "{\"keys\": [{\"kty\": \"OKP\"").unwrap();
    }

    /// Checks every invariant and ends the service.
    pub async fn verify(self) {
        let findings = verify(&mut self.database.session(), |_, _| {}).unwrap();
        assert!(findings.is_empty(), "{}", findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
        self.server.stop().await;
    }
}

fn key_set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

fn write(certificate: &PathBuf, key: &PathBuf, pair: &Pair) {
    fs::write(certificate, &pair.certificate).unwrap();
    fs::write(key, &pair.key).unwrap();
}

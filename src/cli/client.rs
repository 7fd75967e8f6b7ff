//! A connection to a running service, for the commands that call one: the options for it, and what to try when it fails.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use http::uri::Authority;
use rustls::{CertificateError, Error as TlsError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Status;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use super::CommandError;

/// What every client of HTTP/2 sends first: the preface and empty settings (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// How long to wait for the answer to it.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// How to reach the service
#[derive(Debug, Args)]
pub struct Connection {
    /// The address that the service listens on, HOST:PORT
    #[arg(
        id = "listen",
        long = "server",
        alias = "listen",
        env = "LISTEN",
        default_value = super::running::LISTEN,
        value_name = "HOST:PORT",
        value_parser = host_and_port
    )]
    server: String,
    /// The authorities of the server's certificate, in PEM: a file; without it, no TLS is used
    #[arg(long, value_name = "FILE")]
    server_ca: Option<PathBuf>,
    /// The name in the server's certificate, if it is not the host of the address
    #[arg(long, requires = "server_ca", value_name = "NAME")]
    server_name: Option<String>,
    /// The certificate chain to show to the server, in PEM: a file
    #[arg(long, requires_all = ["server_ca", "client_key"], value_name = "FILE")]
    client_certificate: Option<PathBuf>,
    /// The private key of that certificate, in PEM: a file
    #[arg(long, requires = "client_certificate", value_name = "FILE")]
    client_key: Option<PathBuf>,
}

impl Connection {
    /// The address to connect to.
    pub fn address(&self) -> String {
        reachable(&self.server)
    }

    /// Whether others can read on the way what is sent.
    pub fn is_exposed(&self) -> bool {
        let address = self.address();
        let host = address.rsplit_once(':').map_or(&*address, |(host, _)| host).trim_matches(['[', ']']);
        let is_loopback = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        self.server_ca.is_none() && !is_loopback
    }

    /// Connects. The error says what to try.
    pub async fn connect(&self, within: Duration) -> Result<Channel, CommandError> {
        // Around everything: the handshake of TLS has no timeout of its own.
        match tokio::time::timeout(within, self.endpoint()?.connect()).await {
            Ok(Ok(channel)) => Ok(channel),
            Ok(Err(error)) => Err(self.explained(&error).await.into()),
            Err(_) => Err(format!("{}: no connection within {:.0?}", self.address(), within).into()),
        }
    }

    fn endpoint(&self) -> Result<Endpoint, CommandError> {
        let scheme = if self.server_ca.is_some() { "https" } else { "http" };
        let endpoint = Endpoint::from_shared(format!("{scheme}://{}", self.address()))?;
        let Some(path) = &self.server_ca else { return Ok(endpoint) };
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(path)?));
        if let Some(name) = &self.server_name {
            tls = tls.domain_name(name);
        }
        if let Some((certificate, key)) = self.client_certificate.as_ref().zip(self.client_key.as_ref()) {
            tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
        }
        Ok(endpoint.tls_config(tls)?)
    }

    /// Why a connection failed, and what to try.
    pub async fn explained(&self, error: &(dyn Error + 'static)) -> String {
        let (address, cause) = (self.address(), innermost(error));
        match self.advice(error).await {
            Some(advice) => format!("{address}: {advice} ({cause})"),
            None => format!("{address}: {cause}"),
        }
    }

    async fn advice(&self, error: &(dyn Error + 'static)) -> Option<&'static str> {
        if let Some(TlsError::InvalidCertificate(wrong)) = find::<TlsError>(error) {
            return about_certificate(wrong);
        }
        if find::<io::Error>(error).is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            return Some("nothing listens there; is the service running, and is --server its address?");
        }
        // Last, because it connects once more and may take a second.
        match (spoken_at(&self.address()).await?, self.server_ca.is_some()) {
            (Spoken::Tls, false) => Some("the server speaks TLS: name the authority of its certificate by --server-ca"),
            (Spoken::Http2, true) => Some("the server speaks plain text, without TLS: leave --server-ca out"),
            (Spoken::Http1, _) => Some("a server of HTTP/1 answers there, and none of gRPC"),
            (Spoken::Tls, true) | (Spoken::Http2, false) => None,
        }
    }
}

/// Whether a status was made by this side, because the connection failed; the server has not said it.
pub fn is_transport_failure(status: &Status) -> bool {
    status.source().is_some()
}

/// The innermost error of its kind among the causes of another.
pub fn find<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    let mut found = None;
    let mut next = Some(error);
    while let Some(error) = next {
        found = error.downcast_ref::<E>().or(found);
        // The `source` of an error of input and output passes over the error that it wraps.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = wrapped.map(|wrapped| wrapped as &(dyn Error + 'static)).or_else(|| error.source());
    }
    found
}

/// What caused an error: by itself it says no more than "transport error".
fn innermost(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => innermost(cause),
        None => error.to_string(),
    }
}

fn about_certificate(wrong: &CertificateError) -> Option<&'static str> {
    match wrong {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Some("give the name that is in the server's certificate by --server-name")
        }
        CertificateError::UnknownIssuer => Some("--server-ca is not the authority of the server's certificate"),
        _ => None,
    }
}

/// The language of a server.
enum Spoken {
    Tls,
    Http2,
    Http1,
}

/// What the server at an address answers to a client of HTTP/2 without TLS: a server of TLS sends an alert (RFC 8446,
/// section 6), one of HTTP/2 its settings, and one of HTTP/1 that it does not understand.
async fn spoken_at(address: &str) -> Option<Spoken> {
    let answer = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        stream.write_all(PREFACE).await.ok()?;
        let mut begin = [0; 5];
        stream.read_exact(&mut begin).await.ok()?;
        Some(begin)
    };
    match tokio::time::timeout(PROBE_TIMEOUT, answer).await.ok()?? {
        [0x15 | 0x16, 3, ..] => Some(Spoken::Tls),
        [b'H', b'T', b'T', b'P', _] => Some(Spoken::Http1),
        [_, _, _, 4, _] => Some(Spoken::Http2),
        _ => None,
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn host_and_port(text: &str) -> Result<String, String> {
    let parsed: Option<Authority> = text.parse().ok();
    match parsed {
        Some(it) if it.port_u16().is_some() && !it.host().is_empty() && !text.contains('@') => Ok(text.to_owned()),
        _ => Err("must be HOST:PORT, such as 127.0.0.1:50051 or orders.example:443".to_owned()),
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

#[cfg(test)]
mod tests {
    use super::{host_and_port, reachable};

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

    #[test]
    fn an_address_has_a_host_and_a_port_and_nothing_else() {
        for address in ["127.0.0.1:50051", "[::1]:1", "orders.example:443"] {
            assert_eq!(host_and_port(address), Ok(address.to_owned()));
        }
        for wrong in ["", "50051", ":50051", "localhost", "http://localhost:1", "a@b:1", "localhost:70000", "a b:1"] {
            assert!(host_and_port(wrong).unwrap_err().contains("HOST:PORT"), "{wrong}");
        }
    }
}

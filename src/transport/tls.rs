//! The TLS configuration of the server, made from files by rustls. It is made again when a file changes, so that
//! certificates can be renewed without a restart; a connection keeps the configuration of its handshake.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::Protocol;
use crate::reload::Reloading;

/// The files that TLS is configured by, all in PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The server's certificate, followed by the intermediate certificates up to its authority.
    pub certificate: PathBuf,
    /// The private key of the server's certificate.
    pub key: PathBuf,
    /// The authorities whose client certificates are accepted; `None` if clients are not asked for one.
    pub client_ca: Option<PathBuf>,
}

/// Reads the files and watches them from then on. `protocol` is what clients must speak inside of TLS. An error says which
/// file cannot be used and why.
pub async fn open(files: &TlsFiles, protocol: Protocol) -> Result<Reloading<ServerConfig>, String> {
    let TlsFiles { certificate, key, client_ca } = files.clone();
    let paths = [certificate, key].into_iter().chain(client_ca).collect();
    Reloading::open("the TLS certificates", paths, move |contents| match contents {
        [certificate, key] => config(protocol, certificate, key, None),
        [certificate, key, client_ca] => config(protocol, certificate, key, Some(client_ca)),
        _ => Err("files are missing".to_owned()),
    })
    .await
}

fn config(
    protocol: Protocol,
    certificate: &[u8],
    key: &[u8],
    client_ca: Option<&[u8]>,
) -> Result<ServerConfig, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let chain = certificates("the certificate", certificate)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| "the key is not a private key in PEM".to_owned())?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(authorities) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates("the client authority", authorities)? {
                roots.add(authority).map_err(|error| format!("the client authority cannot be used: {error}"))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            // A client without a certificate may still send a token, and load balancers check health with neither.
            let verifier = verifier.allow_unauthenticated().build();
            builder.with_client_cert_verifier(verifier.map_err(|error| error.to_string())?)
        }
    };
    let config = builder.with_single_cert(chain, key);
    let mut config = config.map_err(|error| format!("certificate and key cannot be used: {error}"))?;
    // gRPC clients insist on it, and a client that speaks something else is refused by its own TLS library.
    config.alpn_protocols = vec![protocol.alpn().to_vec()];
    Ok(config)
}

/// Parses one or more certificates; `what` names the file in the error.
fn certificates(what: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(format!("{what} is not a certificate in PEM")),
    }
}

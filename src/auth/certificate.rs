//! The principal that a client certificate names: a service that calls in its own name.
//!
//! The name is the certificate's one URI among its subject alternative names, such as a SPIFFE id
//! (the SPIFFE X.509-SVID standard asks for exactly one), otherwise its one DNS name. It is written
//! with its kind in front, `uri:spiffe://north.example/till` or `dns:till.north.example`, so that it
//! can never be the subject of a token: tokens with such a subject are refused.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::domain::code::PrincipalId;
use crate::domain::text;

/// The prefixes of the names of certificates. A token whose subject begins with one of them is refused.
pub const KINDS: [&str; 2] = ["uri:", "dns:"];

/// A client certificate whose chain was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The principal that the certificate names, with its prefix.
    pub principal: PrincipalId,
    /// When the certificate expires. Connections are ended then, because TLS checks it at the handshake only.
    pub not_after: SystemTime,
}

impl Certificate {
    /// Reads a certificate whose chain was verified. An error says why it does not name a principal.
    pub fn of(der: &[u8]) -> Result<Self, String> {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| "it cannot be read".to_owned())?;
        // An end before 1970 is in the past like 1970 itself.
        let not_after = certificate.validity().not_after.timestamp().max(0).unsigned_abs();
        let name = name(&certificate)?;
        match text::code(&name, text::MAX_DESCRIPTION) {
            Ok(name) => {
                Ok(Self { principal: PrincipalId::new(name), not_after: UNIX_EPOCH + Duration::from_secs(not_after) })
            }
            Err(rule) => Err(format!("its name {rule}")),
        }
    }
}

/// The one URI of a certificate, or else its one DNS name, with its prefix. A wildcard names no single service.
fn name(certificate: &X509Certificate<'_>) -> Result<String, String> {
    let names = certificate.subject_alternative_name().map_err(|_| "its names cannot be read".to_owned())?;
    let names = names.map(|names| names.value.general_names.as_slice()).unwrap_or_default();
    let mut uris = Vec::new();
    let mut hosts = Vec::new();
    for name in names {
        match name {
            GeneralName::URI(uri) => uris.push(format!("uri:{uri}")),
            GeneralName::DNSName(host) if !host.contains('*') => hosts.push(format!("dns:{host}")),
            _ => {}
        }
    }
    // A certificate with several names would make the caller depend on their order.
    match (uris.as_slice(), hosts.as_slice()) {
        ([uri], _) => Ok(uri.clone()),
        ([], [host]) => Ok(host.clone()),
        _ => Err("it has not exactly one URI, or else one DNS name, as its subject alternative name".to_owned()),
    }
}

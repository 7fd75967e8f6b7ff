//! The principal that a client certificate names: a service that acts for itself.
//!
//! The name is the certificate's one URI among its subject alternative names, such as a SPIFFE id
//! (the SPIFFE X.509-SVID standard asks for exactly one), otherwise its one DNS name. It is written
//! with its kind in front, `uri:spiffe://north.example/till` or `dns:till.north.example`, so that it
//! can never be the subject of a token: those are refused if they begin so.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::domain::code::PrincipalId;
use crate::domain::text;

/// What the names of certificates begin with.
pub const KINDS: [&str; 2] = ["uri:", "dns:"];

/// A client certificate whose chain was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The principal that it names.
    pub principal: PrincipalId,
    /// When it ends.
    pub not_after: SystemTime,
}

impl Certificate {
    /// Reads a verified certificate; an error says why it names nobody.
    pub fn of(der: &[u8]) -> Result<Self, String> {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| "it cannot be read".to_owned())?;
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

fn name(certificate: &X509Certificate<'_>) -> Result<String, String> {
    let names = certificate.subject_alternative_name().map_err(|_| "its names cannot be read".to_owned())?;
    let names = names.map(|names| names.value.general_names.as_slice()).unwrap_or_default();
    let (mut uris, mut hosts) = (Vec::new(), Vec::new());
    for name in names {
        match name {
            GeneralName::URI(uri) => uris.push(format!("uri:{uri}")),
            GeneralName::DNSName(host) if !host.contains('*') => hosts.push(format!("dns:{host}")),
            _ => {}
        }
    }
    match (uris.as_slice(), hosts.as_slice()) {
        ([uri], _) => Ok(uri.clone()),
        ([], [host]) => Ok(host.clone()),
        _ => Err("it has not exactly one URI, or else one DNS name, as its subject alternative name".to_owned()),
    }
}

//! Who calls: by a token, by a client certificate, or, in development mode on loopback, by saying so.

pub mod certificate;
pub mod credentials;
pub mod development;
pub mod error;
pub mod keys;
pub mod tokens;

use http::HeaderMap;

use self::certificate::Certificate;
use crate::auth::error::AuthError;
use crate::domain::principal::Principal;

/// Finds out who calls from what came with a call.
pub trait Authenticator: Send + Sync {
    /// The caller: by the headers of the call and the certificate of its connection, if it has one.
    fn authenticate(&self, headers: &HeaderMap, certificate: Option<&Certificate>) -> Result<Principal, AuthError>;
}

/// The one value of a header; refused if there are several or it is no ASCII text.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, AuthError> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return Ok(None) };
    match (first.to_str(), values.next()) {
        (Ok(text), None) => Ok(Some(text)),
        (Err(_), _) => Err(AuthError::InvalidCredentials(format!("the metadata key {name} is not ASCII text"))),
        (_, Some(_)) => Err(AuthError::InvalidCredentials(format!("the metadata key {name} is there twice"))),
    }
}

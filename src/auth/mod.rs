//! Authentication: who calls, by a token or a client certificate; in development mode, which is for loopback only,
//! callers name themselves. What a caller may do is decided elsewhere, by the rules of [`crate::domain`].

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

/// Authenticates the caller of each call. There is one implementation per mode of the service.
pub trait Authenticator: Send + Sync {
    /// Determines the principal of a call by its headers and the verified certificate of its connection, if there is
    /// one. Called for every call on an async task, so it must not block.
    fn authenticate(&self, headers: &HeaderMap, certificate: Option<&Certificate>) -> Result<Principal, AuthError>;
}

/// The value of a header; `None` if it is missing. Several values are refused: which of them counts would depend on
/// who reads them, a proxy in front or this service.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, AuthError> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return Ok(None) };
    match (first.to_str(), values.next()) {
        (Ok(text), None) => Ok(Some(text)),
        (Err(_), _) => Err(AuthError::InvalidCredentials(format!("the metadata key {name} is not ASCII text"))),
        (_, Some(_)) => Err(AuthError::InvalidCredentials(format!("the metadata key {name} is there twice"))),
    }
}

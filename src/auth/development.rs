//! Development mode: callers name themselves in a header. Nothing proves it, which is why the service refuses to
//! listen on anything but loopback in this mode.

use http::HeaderMap;

use super::certificate::Certificate;
use super::{Authenticator, only};
use crate::auth::error::AuthError;
use crate::domain::code::PrincipalId;
use crate::domain::principal::Principal;
use crate::domain::text;

/// The header in which a caller names itself.
pub const PRINCIPAL_HEADER: &str = "x-principal";
/// The name of the principal that is the platform operator in this mode.
pub const OPERATOR: &str = "operator";

/// Authenticates each caller as the principal that it names.
#[derive(Clone, Copy, Debug)]
pub struct Development;

impl Authenticator for Development {
    fn authenticate(&self, headers: &HeaderMap, _: Option<&Certificate>) -> Result<Principal, AuthError> {
        let Some(name) = only(headers, PRINCIPAL_HEADER)? else {
            let missing = format!("the metadata key {PRINCIPAL_HEADER} is missing: name the caller in it");
            return Err(AuthError::NoCredentials(missing));
        };
        match text::code(name, text::MAX_DESCRIPTION) {
            Ok(name) if !name.is_empty() => Ok(Principal { is_operator: name == OPERATOR, id: PrincipalId::new(name) }),
            Ok(_) => Err(AuthError::NoCredentials(format!("the metadata key {PRINCIPAL_HEADER} is empty"))),
            Err(rule) => Err(AuthError::InvalidCredentials(format!("the metadata key {PRINCIPAL_HEADER} {rule}"))),
        }
    }
}

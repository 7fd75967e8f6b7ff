//! Development mode: callers name themselves. Nothing is proved, which is why the service refuses to
//! listen on anything but loopback in this mode.

use http::HeaderMap;

use super::certificate::Certificate;
use super::{Authenticator, only};
use crate::auth::error::AuthError;
use crate::domain::code::PrincipalId;
use crate::domain::principal::Principal;
use crate::domain::text;

/// The header by which a caller names itself.
pub const PRINCIPAL_HEADER: &str = "x-principal";
/// The principal who operates the platform.
pub const OPERATOR: &str = "operator";

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Development;

impl Authenticator for Development {
    fn authenticate(&self, headers: &HeaderMap, _: Option<&Certificate>) -> Result<Principal, AuthError> {
        let Some(name) = only(headers, PRINCIPAL_HEADER)? else {
            let missing = format!("the metadata key {PRINCIPAL_HEADER} is missing: name the caller in it");
            return Err(AuthError::NoCredentials(missing));
        };
        let told = |what: &str| format!("the metadata key {PRINCIPAL_HEADER} {what}");
        match text::code(name, text::MAX_DESCRIPTION) {
            Ok(name) if !name.is_empty() => Ok(Principal { is_operator: name == OPERATOR, id: PrincipalId::new(name) }),
            Ok(_) => Err(AuthError::NoCredentials(told("is empty"))),
            Err(rule) => Err(AuthError::InvalidCredentials(told(&rule))),
        }
    }
}

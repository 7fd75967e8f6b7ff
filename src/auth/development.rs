//! Development mode: callers name themselves. Whoever can reach the port is believed, so the server
//! refuses to listen on anything but loopback in this mode.

use super::Authenticator;
use crate::domain::code::PrincipalId;
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::domain::text;

/// The header by which a caller names itself.
pub const PRINCIPAL_HEADER: &str = "x-principal";
/// The principal who operates the platform.
pub const OPERATOR: &str = "operator";

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Development;

impl Authenticator for Development {
    fn authenticate(&self, header: &dyn Fn(&str) -> Option<String>) -> Result<Principal, Refusal> {
        let refused = |what: &str| Err(Refusal::NoCredentials(format!("the metadata key {PRINCIPAL_HEADER} {what}")));
        let Some(name) = header(PRINCIPAL_HEADER) else { return refused("is missing: name the caller in it") };
        match text::bounded(&name, text::MAX_DESCRIPTION) {
            Ok(name) if !name.is_empty() => Ok(Principal { is_operator: name == OPERATOR, id: PrincipalId::new(name) }),
            Ok(_) => refused("is empty"),
            Err(rule) => refused(&rule),
        }
    }
}

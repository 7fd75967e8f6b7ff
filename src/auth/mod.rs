//! Who calls. Until credentials exist there is one way: development mode, on loopback only.

pub mod development;

use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;

/// Finds out who calls from what came with a call.
pub trait Authenticator: Send + Sync {
    /// The caller. `header` looks a header up by its lower-case name.
    fn authenticate(&self, header: &dyn Fn(&str) -> Option<String>) -> Result<Principal, Refusal>;
}

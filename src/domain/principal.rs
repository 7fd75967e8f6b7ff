//! Who calls.

use super::code::PrincipalId;

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The name that grants and events hold.
    pub id: PrincipalId,
    /// Whether it operates the platform: may use store and access rpcs everywhere, and orders only
    /// by a grant like anybody else.
    pub is_operator: bool,
}

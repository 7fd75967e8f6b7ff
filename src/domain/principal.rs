//! The caller of a request, as the credential tells: known before anything is loaded.

use super::code::PrincipalId;

/// An authenticated caller: who calls, which is known before anything is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The id under which grants, events and receipts know the caller.
    pub id: PrincipalId,
    /// Whether the caller operates the platform: operators may call store and access rpcs of every
    /// store, and order rpcs only by a grant like anybody else.
    pub is_operator: bool,
}

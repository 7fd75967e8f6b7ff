//! Why a caller is not authenticated.

/// The caller's credentials are missing or not accepted. The texts name the rule and never repeat a
/// credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The call carries no credentials of a kind that is accepted here.
    #[error("{0}")]
    NoCredentials(String),
    /// The call carries credentials that are malformed, expired, or not signed by a known key.
    #[error("{0}")]
    InvalidCredentials(String),
}

impl AuthError {
    /// The stable reason that callers may branch on.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoCredentials(_) => "NO_CREDENTIALS",
            Self::InvalidCredentials(_) => "INVALID_CREDENTIALS",
        }
    }
}

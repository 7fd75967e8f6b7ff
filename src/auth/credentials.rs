//! Authentication by credentials: by a token, which names the person or service that the call is made for, or else
//! by the client certificate of the connection, which names the service that calls. A token that is not valid is
//! refused even if there is a certificate: falling back to it would execute the call as somebody else.

use std::collections::BTreeSet;

use http::HeaderMap;

use super::certificate::Certificate;
use super::tokens::{TokenConfig, Tokens};
use super::{Authenticator, only};
use crate::auth::error::AuthError;
use crate::domain::code::PrincipalId;
use crate::domain::principal::Principal;

/// Which credentials are accepted, besides the certificates that TLS verifies.
#[derive(Clone, Debug, Default)]
pub struct CredentialConfig {
    /// The issuer whose tokens are accepted; `None` if only certificates are.
    pub tokens: Option<TokenConfig>,
    /// The names of the certificates of platform operators, each with its prefix `uri:` or `dns:`.
    pub operator_certificates: BTreeSet<PrincipalId>,
}

/// Authenticates callers by their credentials. The configuration of TLS decides which certificates are verified.
pub struct Credentials {
    tokens: Option<Tokens>,
    operator_certificates: BTreeSet<PrincipalId>,
}

impl Credentials {
    /// Reads the token keys and watches them from then on. An error says why they cannot be used.
    pub async fn open(config: CredentialConfig) -> Result<Self, String> {
        let tokens = match config.tokens {
            Some(tokens) => Some(Tokens::open(tokens).await?),
            None => None,
        };
        Ok(Self { tokens, operator_certificates: config.operator_certificates })
    }
}

impl Authenticator for Credentials {
    fn authenticate(&self, headers: &HeaderMap, certificate: Option<&Certificate>) -> Result<Principal, AuthError> {
        match (only(headers, "authorization")?, &self.tokens, certificate) {
            (Some(authorization), Some(tokens), _) => tokens.verify(bearer(authorization)?),
            (Some(_), None, _) => Err(AuthError::InvalidCredentials("tokens are not taken here".to_owned())),
            (None, _, Some(certificate)) => Ok(Principal {
                id: certificate.principal.clone(),
                is_operator: self.operator_certificates.contains(&certificate.principal),
            }),
            (None, Some(_), None) => Err(AuthError::NoCredentials(
                "the metadata key authorization is missing: send 'Bearer' and a token in it".to_owned(),
            )),
            (None, None, None) => {
                Err(AuthError::NoCredentials("a client certificate that names a principal is needed".to_owned()))
            }
        }
    }
}

/// The token of an `authorization` header (RFC 6750, section 2.1).
fn bearer(authorization: &str) -> Result<&str, AuthError> {
    match authorization.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim_start_matches(' ')),
        _ => {
            Err(AuthError::InvalidCredentials("the metadata key authorization must be 'Bearer' and a token".to_owned()))
        }
    }
}

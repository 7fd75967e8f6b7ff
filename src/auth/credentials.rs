//! Callers who prove who they are: by a token, which speaks for somebody, or else by the certificate
//! of their connection, with which a service speaks for itself. A bad token is refused whatever the
//! certificate says.

use std::collections::BTreeSet;

use http::HeaderMap;

use super::certificate::Certificate;
use super::tokens::{TokenConfig, Tokens};
use super::{Authenticator, only};
use crate::auth::error::AuthError;
use crate::domain::code::PrincipalId;
use crate::domain::principal::Principal;

/// Which credentials are taken.
#[derive(Clone, Debug, Default)]
pub struct CredentialConfig {
    /// Whose tokens, if any are.
    pub tokens: Option<TokenConfig>,
    /// Which certificates are of platform operators: `uri:...` or `dns:...`.
    pub operator_certificates: BTreeSet<PrincipalId>,
}

/// See the module.
pub struct Credentials {
    tokens: Option<Tokens>,
    operator_certificates: BTreeSet<PrincipalId>,
}

impl Credentials {
    /// Reads the keys; an error says what is wrong with them.
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

fn bearer(authorization: &str) -> Result<&str, AuthError> {
    match authorization.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim_start_matches(' ')),
        _ => {
            Err(AuthError::InvalidCredentials("the metadata key authorization must be 'Bearer' and a token".to_owned()))
        }
    }
}

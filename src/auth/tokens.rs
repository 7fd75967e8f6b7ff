//! JSON Web Tokens (RFC 7519) by which callers are known. What a token says of its own key (`jwk`,
//! `jku`, `x5c`, `x5u`) is not looked at: the key set decides which key there is and which algorithm
//! it is for.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Validation, decode};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::certificate::KINDS;
use super::keys::KeySet;
use crate::auth::error::AuthError;
use crate::domain::code::PrincipalId;
use crate::domain::principal::Principal;
use crate::domain::text;
use crate::reload::Reloading;

/// By how many seconds the clocks of issuer and service may differ.
const LEEWAY: u64 = 30;

/// Whose tokens are taken.
#[derive(Clone, Debug)]
pub struct TokenConfig {
    /// The file with the issuer's key set.
    pub keys: PathBuf,
    /// What `iss` must be.
    pub issuer: String,
    /// What `aud` must be, or hold.
    pub audience: String,
    /// What makes a platform operator.
    pub operator: Option<OperatorClaim>,
}

/// The claim that makes a platform operator: it equals the value, is `true` where that is "true", or
/// is a list that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorClaim {
    name: String,
    value: String,
}

impl std::str::FromStr for OperatorClaim {
    type Err = String;

    /// `NAME=VALUE`; a name that begins with `/` is a JSON pointer (RFC 6901).
    fn from_str(text: &str) -> Result<Self, String> {
        match text.rsplit_once('=') {
            Some((name, value)) if !name.is_empty() && !value.is_empty() => {
                Ok(Self { name: name.to_owned(), value: value.to_owned() })
            }
            _ => Err("must be NAME=VALUE, such as roles=platform-operator".to_owned()),
        }
    }
}

impl OperatorClaim {
    fn is_in(&self, claims: &Map<String, Value>) -> bool {
        let found = match self.name.strip_prefix('/') {
            None => claims.get(&self.name),
            Some(path) => {
                let (first, rest) = path.split_once('/').unwrap_or((path, ""));
                let first = claims.get(&first.replace("~1", "/").replace("~0", "~"));
                if rest.is_empty() { first } else { first.and_then(|value| value.pointer(&format!("/{rest}"))) }
            }
        };
        let is_it = |value: &Value| match value {
            Value::String(text) => *text == self.value,
            Value::Bool(flag) => *flag && self.value == "true",
            _ => false,
        };
        match found {
            Some(Value::Array(values)) => values.iter().any(is_it),
            Some(value) => is_it(value),
            None => false,
        }
    }
}

/// See the module.
pub struct Tokens {
    config: TokenConfig,
    keys: Reloading<KeySet>,
}

/// What the first part of a token says and is looked at.
#[derive(Deserialize)]
struct Header {
    kid: Option<String>,
    alg: String,
    crit: Option<Value>,
}

impl Tokens {
    /// Reads the key set and watches it.
    pub async fn open(config: TokenConfig) -> Result<Self, String> {
        let parse = |contents: &[Vec<u8>]| KeySet::parse(contents.first().map(Vec::as_slice).unwrap_or_default());
        let keys = Reloading::open("the token keys", vec![config.keys.clone()], parse).await?;
        Ok(Self { config, keys })
    }

    /// Who a token speaks for.
    pub fn verify(&self, token: &str) -> Result<Principal, AuthError> {
        self.judge(token).map_err(|why| AuthError::InvalidCredentials(format!("the token {why}")))
    }

    fn judge(&self, token: &str) -> Result<Principal, String> {
        let header = header(token).ok_or("is malformed")?;
        if header.crit.is_some() {
            return Err("demands an extension (crit) that is not known here".to_owned());
        }
        let id = header.kid.ok_or("names no key (kid)")?;
        let keys = self.keys.current();
        let key = keys.get(&id).ok_or("is signed with a key that is not known here")?;
        if header.alg != format!("{:?}", key.algorithm) {
            return Err("is signed with an algorithm that its key is not for".to_owned());
        }
        let mut validation = Validation::new(key.algorithm);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.config.issuer]);
        validation.set_audience(&[&self.config.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let claims = decode::<Map<String, Value>>(token, &key.key, &validation).map_err(why)?.claims;
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
        let is_operator = self.config.operator.as_ref().is_some_and(|operator| operator.is_in(&claims));
        Ok(Principal { id: principal(subject)?, is_operator })
    }
}

fn header(token: &str) -> Option<Header> {
    let (first, _) = token.split_once('.')?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(first).ok()?).ok()
}

/// The principal that a subject names; a certificate's name is none.
fn principal(subject: &str) -> Result<PrincipalId, String> {
    match text::code(subject, text::MAX_DESCRIPTION) {
        Ok(name) if name.is_empty() => Err("has no subject (sub)".to_owned()),
        Ok(name) if KINDS.iter().any(|kind| name.starts_with(kind)) => {
            Err("has a subject (sub) that only a certificate may have".to_owned())
        }
        Ok(name) => Ok(PrincipalId::new(name)),
        Err(rule) => Err(format!("has a subject (sub) that {rule}")),
    }
}

fn why(error: Error) -> String {
    match error.kind() {
        ErrorKind::ExpiredSignature => "has expired".to_owned(),
        ErrorKind::ImmatureSignature => "is not valid yet".to_owned(),
        ErrorKind::InvalidIssuer => "is from another issuer".to_owned(),
        ErrorKind::InvalidAudience => "is for another audience".to_owned(),
        ErrorKind::MissingRequiredClaim(claim) => format!("lacks the claim {claim}"),
        ErrorKind::InvalidSignature => "has a bad signature".to_owned(),
        _ => "is malformed".to_owned(),
    }
}

//! Authentication by JSON Web Tokens (RFC 7519). What a token says about its own key (`jwk`, `jku`, `x5c`, `x5u`) is
//! ignored: which keys there are, and which algorithm each is used with, is decided by the key set alone.

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

/// By how many seconds the clocks of the issuer and of this service may differ.
const LEEWAY: u64 = 30;

/// Which tokens are accepted.
#[derive(Clone, Debug)]
pub struct TokenConfig {
    /// The file with the issuer's key set; it is read again when it changes.
    pub keys: PathBuf,
    /// The issuer that the claim `iss` must name.
    pub issuer: String,
    /// The audience that the claim `aud` must be, or contain if it is a list.
    pub audience: String,
    /// The claim that makes its subject a platform operator; `None` if no token does.
    pub operator: Option<OperatorClaim>,
}

/// The claim that makes the subject of a token a platform operator: the claim equals the value, is the boolean `true`
/// and the value is "true", or is a list that contains such an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorClaim {
    name: String,
    value: String,
}

impl std::str::FromStr for OperatorClaim {
    type Err = String;

    /// Parses `NAME=VALUE`. A name that begins with `/` is a JSON pointer (RFC 6901) to a nested claim.
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
            // The first part is looked up by hand, because the claims are a map and no JSON value.
            Some(path) => {
                let (first, rest) = path.split_once('/').unwrap_or((path, ""));
                let first = claims.get(&first.replace("~1", "/").replace("~0", "~"));
                if rest.is_empty() { first } else { first.and_then(|value| value.pointer(&format!("/{rest}"))) }
            }
        };
        match found {
            Some(Value::Array(values)) => values.iter().any(|value| self.matches(value)),
            Some(value) => self.matches(value),
            None => false,
        }
    }

    fn matches(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => *text == self.value,
            Value::Bool(flag) => *flag && self.value == "true",
            _ => false,
        }
    }
}

/// Verifies tokens with the keys that their issuer publishes at present.
pub struct Tokens {
    config: TokenConfig,
    keys: Reloading<KeySet>,
}

/// The fields of a token's header that matter here; the signature is not verified yet when they are read.
#[derive(Deserialize)]
struct Header {
    kid: Option<String>,
    alg: String,
    crit: Option<Value>,
}

impl Tokens {
    /// Reads the key set and watches it from then on. An error says why it cannot be used.
    pub async fn open(config: TokenConfig) -> Result<Self, String> {
        let keys = Reloading::open("the token keys", vec![config.keys.clone()], |contents| match contents {
            [json] => KeySet::parse(json),
            _ => Err("the file is missing".to_owned()),
        })
        .await?;
        Ok(Self { config, keys })
    }

    /// Verifies a token and returns the principal that it names. An error names the rule and not the token.
    pub fn verify(&self, token: &str) -> Result<Principal, AuthError> {
        self.judge(token).map_err(|why| AuthError::InvalidCredentials(format!("the token {why}")))
    }

    fn judge(&self, token: &str) -> Result<Principal, String> {
        let header = header(token).ok_or("is malformed")?;
        // RFC 7515, section 4.1.11: an extension that is marked critical and not understood must be refused.
        if header.crit.is_some() {
            return Err("demands an extension (crit) that is not known here".to_owned());
        }
        let id = header.kid.ok_or("names no key (kid)")?;
        let keys = self.keys.current();
        let key = keys.get(&id).ok_or("is signed with a key that is not known here")?;
        // The variants of `Algorithm` are called as the algorithms are in a token.
        if header.alg != format!("{:?}", key.algorithm) {
            return Err(format!("does not name the algorithm (alg) {:?}, which its key is for here", key.algorithm));
        }
        let mut validation = Validation::new(key.algorithm);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.config.issuer]);
        validation.set_audience(&[&self.config.audience]);
        // The library checks a claim only if it is there: a token without `aud` would be accepted by every service.
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

/// The principal that a subject names. A subject that looks like the name of a certificate is refused: otherwise an
/// issuer of tokens could name the service that a certificate authority vouches for.
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

/// The rule that a token violates, as its sender is told.
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

//! The public keys that tokens are verified with: a JSON Web Key Set (RFC 7517). Each key is used with one algorithm
//! only, which the type of the key decides. If the token could decide it, a caller could have a public key used as a
//! shared secret and forge tokens.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// The smallest RSA modulus, in bytes (RFC 7518, section 3.3: 2048 bits).
const MIN_MODULUS: usize = 256;

/// A public key and the one algorithm that it may be used with.
pub struct Key {
    /// The algorithm that the type of the key implies; a token with another is refused.
    pub algorithm: Algorithm,
    /// The public key itself, ready to verify signatures.
    pub key: DecodingKey,
}

/// The keys of an issuer by their ids (`kid`), at least one.
pub struct KeySet(BTreeMap<String, Key>);

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    d: Option<String>,
}

impl KeySet {
    /// Parses a key set. Keys for other uses and algorithms are skipped, because issuers publish such keys too. A
    /// key that should be usable and is malformed, or that is a private key, is an error for the whole set: the file
    /// is not what its author meant.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let document: Document = serde_json::from_slice(json).map_err(|error| format!("no key set: {error}"))?;
        let mut keys = BTreeMap::new();
        for (index, value) in document.keys.into_iter().enumerate() {
            let jwk: Jwk = serde_json::from_value(value).map_err(|_| format!("key {index} is malformed"))?;
            let id = jwk.kid.clone().unwrap_or_default();
            let Some(key) = jwk.usable().map_err(|error| format!("key {index} ('{id}') {error}"))? else { continue };
            // After the keys that are skipped: those need no id.
            if id.is_empty() {
                return Err(format!("key {index} has no kid"));
            }
            if keys.insert(id.clone(), key).is_some() {
                return Err(format!("the kid '{id}' is there twice"));
            }
        }
        if keys.is_empty() {
            return Err("there is no key for EdDSA (Ed25519), ES256 or RS256 in it".to_owned());
        }
        Ok(Self(keys))
    }

    /// The key with this id, which is the `kid` of a token.
    pub fn get(&self, id: &str) -> Option<&Key> {
        self.0.get(id)
    }
}

impl Jwk {
    /// The key, if it can verify signatures of tokens by one of the supported algorithms.
    fn usable(&self) -> Result<Option<Key>, String> {
        // First, so that a private key is noticed also where its kind would be skipped.
        if self.d.is_some() {
            return Err("is a private key, which must not be here".to_owned());
        }
        let (algorithm, name) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("OKP", Some("Ed25519")) => (Algorithm::EdDSA, "EdDSA"),
            ("EC", Some("P-256")) => (Algorithm::ES256, "ES256"),
            ("RSA", _) => (Algorithm::RS256, "RS256"),
            _ => return Ok(None),
        };
        let for_this = self.alg.as_deref().is_none_or(|alg| alg == name || (alg == "Ed25519" && name == "EdDSA"));
        if !for_this || self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return Ok(None);
        }
        Ok(Some(Key { algorithm, key: self.decoding_key(algorithm)? }))
    }

    fn decoding_key(&self, algorithm: Algorithm) -> Result<DecodingKey, String> {
        let made = match algorithm {
            Algorithm::EdDSA => DecodingKey::from_ed_components(part("x", self.x.as_deref(), 32..=32)?),
            Algorithm::ES256 => {
                let x = part("x", self.x.as_deref(), 32..=32)?;
                let y = part("y", self.y.as_deref(), 32..=32)?;
                DecodingKey::from_ec_components(x, y)
            }
            _ => {
                let n = part("n", self.n.as_deref(), MIN_MODULUS..=1024)?;
                DecodingKey::from_rsa_components(n, part("e", self.e.as_deref(), 1..=8)?)
            }
        };
        made.map_err(|_| "cannot be used".to_owned())
    }
}

/// A component of a key, which must be base64url of this many bytes. Leading zeros do not count towards the least
/// number of bytes of an RSA modulus: a short modulus could be padded with them.
fn part<'p>(name: &str, text: Option<&'p str>, bytes: std::ops::RangeInclusive<usize>) -> Result<&'p str, String> {
    let text = text.ok_or_else(|| format!("lacks {name}"))?;
    let decoded = URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("has a malformed {name}"))?;
    let length = decoded.iter().skip_while(|byte| **byte == 0).count();
    // The coordinates of a curve have a fixed length, and may begin with zeros.
    let is_fixed_length = bytes.start() == bytes.end();
    if bytes.contains(&decoded.len()) && (is_fixed_length || length >= *bytes.start()) {
        Ok(text)
    } else {
        Err(format!("has {name} of {length} bytes, not {} to {}", bytes.start(), bytes.end()))
    }
}

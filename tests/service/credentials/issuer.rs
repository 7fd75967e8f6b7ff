//! Somebody who gives out tokens: a key, what a key set says of it, and what it signs.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256};
use serde_json::{Value, json};

/// What tokens must say here.
pub const ISSUER: &str = "https://issuer.example";
pub const AUDIENCE: &str = "purchase-orders";

/// A key for tokens.
pub struct Issuer {
    pub kid: String,
    pub algorithm: Algorithm,
    pub pair: KeyPair,
}

impl Issuer {
    /// A new key for an algorithm.
    pub fn new(kid: &str, algorithm: Algorithm) -> Self {
        let kind = match algorithm {
            Algorithm::ES256 => &PKCS_ECDSA_P256_SHA256,
            Algorithm::RS256 => &PKCS_RSA_SHA256,
            _ => &PKCS_ED25519,
        };
        Self { kid: kid.to_owned(), algorithm, pair: KeyPair::generate_for(kind).unwrap() }
    }

    /// What a key set says of it.
    pub fn jwk(&self) -> Value {
        let raw = self.pair.public_key_raw();
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self.algorithm {
            Algorithm::ES256 => {
                json!({"kty": "EC", "crv": "P-256", "kid": self.kid, "x": text(&raw[1..33]), "y": text(&raw[33..])})
            }
            Algorithm::RS256 => {
                let (n, e) = modulus_and_exponent(raw);
                json!({"kty": "RSA", "alg": "RS256", "use": "sig", "kid": self.kid, "n": text(n), "e": text(e)})
            }
            _ => json!({"kty": "OKP", "crv": "Ed25519", "kid": self.kid, "x": text(raw)}),
        }
    }

    /// A token of these claims.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_under(&Header { kid: Some(self.kid.clone()), ..Header::new(self.algorithm) }, claims)
    }

    /// A token of these claims under another header.
    pub fn sign_under(&self, header: &Header, claims: &Value) -> String {
        let pem = self.pair.serialize_pem();
        let key = match self.algorithm {
            Algorithm::ES256 => EncodingKey::from_ec_pem(pem.as_bytes()),
            Algorithm::RS256 => EncodingKey::from_rsa_pem(pem.as_bytes()),
            _ => EncodingKey::from_ed_pem(pem.as_bytes()),
        };
        encode(header, claims, &key.unwrap()).unwrap()
    }

    /// A good token.
    pub fn token(&self, subject: &str) -> String {
        self.sign(&claims(subject))
    }
}

/// What a good token says. The subject `operator` operates the platform.
pub fn claims(subject: &str) -> Value {
    let roles = if subject == "operator" { vec!["staff", "platform-operator"] } else { vec!["staff"] };
    json!({"sub": subject, "iss": ISSUER, "aud": AUDIENCE, "exp": now() + 600, "roles": roles})
}

/// Seconds since 1970.
pub fn now() -> i64 {
    i64::try_from(jsonwebtoken::get_current_timestamp()).unwrap()
}

/// A token made of parts by hand.
pub fn by_hand(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let text = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", text(header), text(claims), URL_SAFE_NO_PAD.encode(signature))
}

/// The two numbers of a DER `RSAPublicKey` (RFC 8017, appendix A.1.1).
fn modulus_and_exponent(der: &[u8]) -> (&[u8], &[u8]) {
    let (sequence, _) = element(der);
    let (modulus, rest) = element(sequence);
    let (exponent, _) = element(rest);
    (modulus.strip_prefix(&[0]).unwrap_or(modulus), exponent)
}

/// The first element's contents, and what follows it.
fn element(der: &[u8]) -> (&[u8], &[u8]) {
    let (length, from) = match usize::from(der[1]) {
        short @ 0..=127 => (short, 2),
        long => {
            let bytes = long - 128;
            (der[2..2 + bytes].iter().fold(0, |length, byte| length * 256 + usize::from(*byte)), 2 + bytes)
        }
    };
    der[from..].split_at(length)
}

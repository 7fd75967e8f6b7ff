//! Pages: how many rows, and from where on. A token is the key of the last row given out, signed
//! together with the request that it was given out for, so that it leads on in that list and nowhere
//! else.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::field_parser::FieldParser;

const DEFAULT_SIZE: usize = 50;
const MAX_SIZE: usize = 1_000;
/// Bytes of a token's signature.
const SIGNATURE: usize = 16;

/// What tokens are signed with: the same in every instance on one database.
#[derive(Clone)]
pub struct PageKey(Hmac<Sha256>);

impl PageKey {
    /// The key that a secret makes.
    pub fn new(secret: &str) -> Self {
        let mut block = [0; 64];
        block[..32].copy_from_slice(&Sha256::digest(secret));
        Self(<Hmac<Sha256> as hmac::digest::KeyInit>::new(&block.into()))
    }

    /// Signs keys for one request alone.
    fn for_request<R: Paged>(&self, bare: &R) -> Hmac<Sha256> {
        let mut signer = self.0.clone();
        let request = bare.encode_to_vec();
        signer.update(R::RPC.as_bytes());
        signer.update(&(request.len() as u64).to_be_bytes());
        signer.update(&request);
        signer
    }
}

/// A list request.
pub trait Paged: Message + Sized {
    /// The rpc's full name.
    const RPC: &'static str;

    /// The fields `page_size` and `page_token`.
    fn page_fields(&mut self) -> (&mut i32, &mut String);
}

/// Which page is asked for, with keys of the type `K`.
#[derive(Clone)]
pub struct Page<K> {
    /// At most so many rows.
    pub size: usize,
    /// Rows behind this key; `None` for the first page.
    pub after: Option<K>,
    signer: Hmac<Sha256>,
}

impl<K: Serialize + DeserializeOwned> Page<K> {
    /// Reads which page a request asks for. Takes the page out of the request: what is left is what the
    /// tokens are signed with.
    pub fn of<R: Paged>(key: &PageKey, request: &mut R, fields: &mut FieldParser) -> Self {
        let (size, token) = request.page_fields();
        let (size, token) = (std::mem::take(size), std::mem::take(token));
        let signer = key.for_request(request);
        if size < 0 {
            fields.violation("page_size", "must not be negative; 0 means 50");
        }
        let after = if token.is_empty() { None } else { decode(&signer, &token) };
        if after.is_none() && !token.is_empty() {
            fields.violation("page_token", "must be the next_page_token of an answer to the same request");
        }
        let size = match usize::try_from(size).unwrap_or_default() {
            0 => DEFAULT_SIZE,
            size => size.min(MAX_SIZE),
        };
        Self { size, after, signer }
    }

    /// How many rows to load: one more than the page holds, to learn whether another follows.
    pub fn limit(&self) -> i64 {
        self.size as i64 + 1
    }

    /// Cuts `rows` to the page; the token of the next one, or empty.
    pub fn cut<T>(&self, rows: &mut Vec<T>, key: impl Fn(&T) -> K) -> String {
        if rows.len() <= self.size {
            return String::new();
        }
        rows.truncate(self.size);
        let key = rows.last().and_then(|last| serde_json::to_vec(&key(last)).ok());
        key.map(|key| encode(&self.signer, &key)).unwrap_or_default()
    }
}

fn encode(signer: &Hmac<Sha256>, key: &[u8]) -> String {
    let signature = signer.clone().chain_update(key).finalize().into_bytes();
    URL_SAFE_NO_PAD.encode([&signature[..SIGNATURE], key].concat())
}

fn decode<K: DeserializeOwned>(signer: &Hmac<Sha256>, token: &str) -> Option<K> {
    let token = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (signature, key) = token.split_at_checked(SIGNATURE)?;
    signer.clone().chain_update(key).verify_truncated_left(signature).ok()?;
    serde_json::from_slice(key).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::v1::ListStoresRequest;

    impl ListStoresRequest {
        fn at(page_token: String) -> Self {
            Self { page_token, ..Self::default() }
        }
    }

    fn token(secret: &str) -> String {
        let page: Page<String> =
            Page::of(&PageKey::new(secret), &mut ListStoresRequest::default(), &mut FieldParser::default());
        encode(&page.signer, br#""north""#)
    }

    fn read(secret: &str, token: String) -> Option<String> {
        Page::of(&PageKey::new(secret), &mut ListStoresRequest::at(token), &mut FieldParser::default()).after
    }

    #[test]
    fn a_token_is_read_with_the_key_that_signed_it_and_no_other() {
        assert_eq!(read("secret", token("secret")).as_deref(), Some("north"));
        assert_eq!(read("other", token("secret")), None);
    }

    #[test]
    fn a_token_that_was_changed_anywhere_is_refused() {
        let raw = URL_SAFE_NO_PAD.decode(token("secret")).unwrap();
        for at in 0..raw.len() {
            for bit in 0..8 {
                let mut forged = raw.clone();
                forged[at] ^= 1 << bit;
                assert_eq!(read("secret", URL_SAFE_NO_PAD.encode(forged)), None, "byte {at}, bit {bit}");
            }
        }
        for end in 0..raw.len() {
            assert_eq!(read("secret", URL_SAFE_NO_PAD.encode(&raw[..end])), None, "cut to {end} bytes");
        }
    }
}

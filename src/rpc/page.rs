//! Pages: how many, and from where on. A token is the key of the last row given out, together with a
//! digest of the request it was given out for.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use prost::Message;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::form::Form;

const DEFAULT_SIZE: usize = 50;
const MAX_SIZE: usize = 1_000;

/// A list request.
pub trait Paged: Message + Clone {
    /// The rpc's full name.
    const RPC: &'static str;

    /// The fields `page_size` and `page_token`.
    fn page_fields(&mut self) -> (&mut i32, &mut String);
}

/// Which page is asked for, with keys of the type `K`.
#[derive(Clone, Debug)]
pub struct Page<K> {
    /// At most so many rows.
    pub size: usize,
    /// Rows behind this key; `None` for the first page.
    pub after: Option<K>,
    digest: String,
}

#[derive(Serialize, Deserialize)]
struct Token<K> {
    d: String,
    k: K,
}

impl<K: Serialize + DeserializeOwned> Page<K> {
    /// Reads which page a request asks for.
    pub fn of<R: Paged>(request: &R, form: &mut Form) -> Self {
        let mut bare = request.clone();
        let (size, token) = bare.page_fields();
        let (size, token) = (std::mem::take(size), std::mem::take(token));
        let digest = digest::<R>(&bare);
        let after = match token.as_str() {
            "" => None,
            token => decode::<K>(token).filter(|token| token.d == digest).map(|token| token.k),
        };
        if after.is_none() && !token.is_empty() {
            form.violation("page_token", "must be the next_page_token of an answer to the same request");
        }
        if size < 0 {
            form.violation("page_size", "must not be negative");
        }
        let size = match usize::try_from(size).unwrap_or_default() {
            0 => DEFAULT_SIZE,
            size => size.min(MAX_SIZE),
        };
        Self { size, after, digest }
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
        let token = rows.last().map(|last| Token { d: self.digest.clone(), k: key(last) });
        token
            .and_then(|token| serde_json::to_vec(&token).ok())
            .map(|json| URL_SAFE_NO_PAD.encode(json))
            .unwrap_or_default()
    }
}

fn decode<K: DeserializeOwned>(token: &str) -> Option<Token<K>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}

fn digest<R: Paged>(bare: &R) -> String {
    let mut hash = Sha256::new();
    hash.update(R::RPC);
    hash.update([0]);
    hash.update(bare.encode_to_vec());
    URL_SAFE_NO_PAD.encode(&hash.finalize()[..12])
}

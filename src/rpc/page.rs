//! Paging of lists: how many rows, and after which row.
//!
//! A page token is the key of the last row that was returned, signed together with the request that it was
//! returned for. So the service keeps no state between pages, a client cannot make up a position, and a token
//! continues only the list that it came from: the same rpc with the same store and filters.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::field_parser::FieldParser;
use crate::workers::ReadClass;

/// The size of a page whose request leaves `page_size` at 0.
const DEFAULT_SIZE: usize = 50;
/// Larger sizes are treated as this one.
const MAX_SIZE: usize = 1_000;
/// A page of more rows than this is a large read: it must not delay small ones.
const SMALL_PAGE: usize = 100;
/// Bytes of a token's signature: HMAC-SHA-256 cut to 128 bits, which cannot be guessed, and keeps tokens
/// short.
const SIGNATURE: usize = 16;

/// The key that tokens are signed with. All instances on one database load the same, so that a load balancer
/// may send the pages of one list to different instances.
#[derive(Clone)]
pub struct PageKey(Hmac<Sha256>);

impl PageKey {
    /// Derives the key from the database's secret.
    pub fn new(secret: &str) -> Self {
        // A key as large as a block of the hash is never refused. HMAC pads a shorter one with the same zeros.
        let mut block = [0; 64];
        block[..32].copy_from_slice(&Sha256::digest(secret));
        Self(<Hmac<Sha256> as hmac::digest::KeyInit>::new(&block.into()))
    }

    /// A signer for one request. `bare` is the request without its page fields; the length in front of it
    /// separates it from the row's key, which is signed after it.
    fn for_request<R: Paged>(&self, bare: &R) -> Hmac<Sha256> {
        let mut signer = self.0.clone();
        // Equal requests have equal bytes: the contract has no maps, whose entries come in any order.
        let request = bare.encode_to_vec();
        signer.update(R::RPC.as_bytes());
        signer.update(&(request.len() as u64).to_be_bytes());
        signer.update(&request);
        signer
    }
}

/// A list request. The build script implements it for every request with a `page_token`.
pub trait Paged: Message + Sized {
    /// The rpc's full name: a part of what is signed, so that a token is of no use with another rpc.
    const RPC: &'static str;

    /// The fields `page_size` and `page_token`, to be taken out of the request.
    fn page_fields(&mut self) -> (&mut i32, &mut String);
}

/// How many rows a page holds at most, by the field `page_size`.
pub fn page_size(size: i32, fields: &mut FieldParser) -> usize {
    if size < 0 {
        fields.violation("page_size", format_args!("must not be negative; 0 means {DEFAULT_SIZE}"));
    }
    // A negative size is a violation; the default stands in for it.
    match usize::try_from(size).unwrap_or_default() {
        0 => DEFAULT_SIZE,
        size => size.min(MAX_SIZE),
    }
}

/// The page that a request asks for. `K` is the key of a row in the list's order.
#[derive(Clone)]
pub struct Page<K> {
    /// How many rows the page holds at most.
    pub size: usize,
    /// The page begins after the row with this key; `None` for the first page.
    pub after: Option<K>,
    /// Whether several stores have to be read for it.
    is_over_stores: bool,
    signer: Hmac<Sha256>,
}

impl<K: Serialize + DeserializeOwned> Page<K> {
    /// Parses the page fields of a request. They are taken out of it: what is left is what tokens are signed
    /// with, so that a client may change the size between pages and nothing else.
    pub fn of<R: Paged>(key: &PageKey, request: &mut R, fields: &mut FieldParser) -> Self {
        let (size_field, token_field) = request.page_fields();
        let size = page_size(std::mem::take(size_field), fields);
        let token = std::mem::take(token_field);
        let signer = key.for_request(request);
        let after = if token.is_empty() { None } else { decode(&signer, &token) };
        if after.is_none() && !token.is_empty() {
            fields.violation("page_token", "must be the next_page_token of an answer to the same request");
        }
        Self { size, after, is_over_stores: false, signer }
    }

    /// Which of the readers' two classes the page belongs to.
    pub fn class(&self) -> ReadClass {
        if self.size > SMALL_PAGE || self.is_over_stores { ReadClass::Large } else { ReadClass::Small }
    }

    /// The same page over several stores: of fewer rows, because for each of them another store may have to be read.
    #[must_use]
    pub fn over_stores(self) -> Self {
        Self { size: self.size.min(SMALL_PAGE), is_over_stores: true, ..self }
    }

    /// How many rows to load: one more than the page holds, to learn whether another follows.
    pub fn limit(&self) -> i64 {
        self.size as i64 + 1
    }

    /// Cuts `rows`, which were loaded with [`Page::limit`], to the page. Returns the token of the next page, or
    /// an empty one if this is the last.
    pub fn cut<T>(&self, rows: &mut Vec<T>, key: impl Fn(&T) -> K) -> String {
        if rows.len() <= self.size {
            return String::new();
        }
        rows.truncate(self.size);
        rows.last().map(|last| self.token_after(&key(last))).unwrap_or_default()
    }

    /// The token of the page that begins after the row with this key. For lists that are not cut by the number
    /// of their rows alone; the others use [`Page::cut`].
    pub fn token_after(&self, key: &K) -> String {
        serde_json::to_vec(key).map(|key| encode(&self.signer, &key)).unwrap_or_default()
    }
}

fn encode(signer: &Hmac<Sha256>, key: &[u8]) -> String {
    let signature = signer.clone().chain_update(key).finalize().into_bytes();
    URL_SAFE_NO_PAD.encode([&signature[..SIGNATURE], key].concat())
}

fn decode<K: DeserializeOwned>(signer: &Hmac<Sha256>, token: &str) -> Option<K> {
    let token = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (signature, key) = token.split_at_checked(SIGNATURE)?;
    // Before the key is parsed, so that nothing is read that a client made up. It compares in constant time, so that
    // the signature cannot be found out byte by byte.
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

    #[test]
    fn a_page_has_fifty_rows_unless_the_request_says_so_and_a_thousand_at_most() {
        for (page_size, size, class) in [
            (0, 50, ReadClass::Small),
            (1, 1, ReadClass::Small),
            (100, 100, ReadClass::Small),
            (101, 101, ReadClass::Large),
            (1_000, 1_000, ReadClass::Large),
            (1_001, 1_000, ReadClass::Large),
            (i32::MAX, 1_000, ReadClass::Large),
        ] {
            let mut fields = FieldParser::default();
            let mut request = ListStoresRequest { page_size, ..ListStoresRequest::default() };
            let page: Page<String> = Page::of(&PageKey::new("secret"), &mut request, &mut fields);
            assert_eq!((page.size, page.limit(), page.class()), (size, size as i64 + 1, class), "{page_size}");
            assert_eq!((fields.finish(), request.page_size), (Ok(()), 0), "{page_size}");
        }
    }

    #[test]
    fn a_negative_size_and_a_token_of_another_list_are_violations() {
        for (page_size, page_token, refused) in [
            (-1, String::new(), true),
            (0, "bm9ydGg".to_owned(), true),
            (0, token("other"), true),
            (0, token("secret"), false),
        ] {
            let mut fields = FieldParser::default();
            let mut request = ListStoresRequest { page_size, page_token };
            Page::<String>::of(&PageKey::new("secret"), &mut request, &mut fields);
            assert_eq!(fields.finish().is_err(), refused, "{page_size}");
        }
    }

    #[test]
    fn a_page_is_cut_after_its_last_row_and_the_next_begins_there() {
        let mut request = ListStoresRequest { page_size: 2, ..ListStoresRequest::default() };
        let page: Page<String> = Page::of(&PageKey::new("secret"), &mut request, &mut FieldParser::default());
        for (loaded, kept, next) in [
            (&[][..], &[][..], None),
            (&["east", "north"], &["east", "north"], None),
            (&["east", "north", "south"], &["east", "north"], Some("north")),
        ] {
            let mut rows = loaded.to_vec();
            let token = page.cut(&mut rows, |row| (*row).to_owned());
            assert_eq!(rows, kept);
            assert_eq!(token.is_empty(), next.is_none());
            assert_eq!(read("secret", token).as_deref(), next);
        }
    }
}

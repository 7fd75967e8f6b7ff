//! Identifiers that callers choose. Each kind has a type of its own, so that the compiler refuses a
//! product id where a store id belongs.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// A checked identifier of the kind `K`. The kind exists in the type alone; cloning copies a pointer,
/// because the same ids are parts of very many keys.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code<K> {
    text: Arc<str>,
    kind: PhantomData<fn() -> K>,
}

impl<K> Code<K> {
    /// Wraps text that was checked already: by [`super::text`] when a request was parsed, or by the
    /// database.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self { text: text.into(), kind: PhantomData }
    }

    /// The identifier as text, as it is stored and sent.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl<K> fmt::Display for Code<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<K> fmt::Debug for Code<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// The kind of [`StoreId`]; it has no values and exists as a type only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoreKind {}
/// The kind of [`ProductId`]; it has no values and exists as a type only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProductKind {}
/// The kind of [`RoleId`]; it has no values and exists as a type only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoleKind {}
/// The kind of [`PrincipalId`]; it has no values and exists as a type only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrincipalKind {}

/// The id of a store: the unit of consistency, isolation and sharding, so every key begins with it.
pub type StoreId = Code<StoreKind>;
/// The id of a product in the caller's catalogue; this service keeps no catalogue of its own.
pub type ProductId = Code<ProductKind>;
/// The id of a role, unique within its store.
pub type RoleId = Code<RoleKind>;
/// The id of an authenticated caller, a person or a service, as its credential names it.
pub type PrincipalId = Code<PrincipalKind>;

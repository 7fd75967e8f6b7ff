//! Identifiers that callers choose: one type each, so that a product can never pass for a store.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// A checked identifier of the kind `K`. Cloning it copies a pointer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code<K> {
    text: Arc<str>,
    kind: PhantomData<fn() -> K>,
}

impl<K> Code<K> {
    /// Wraps text that was checked already: by [`super::text`] on its way in, or by the database.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self { text: text.into(), kind: PhantomData }
    }

    /// The identifier as text.
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

/// The kind of [`StoreId`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoreKind {}
/// The kind of [`ProductId`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProductKind {}
/// The kind of [`RoleId`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoleKind {}
/// The kind of [`PrincipalId`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrincipalKind {}

/// A store: the unit of consistency, isolation and sharding.
pub type StoreId = Code<StoreKind>;
/// A product of the caller's catalogue.
pub type ProductId = Code<ProductKind>;
/// A role within a store.
pub type RoleId = Code<RoleKind>;
/// Somebody, or a service, that calls.
pub type PrincipalId = Code<PrincipalKind>;

//! What key a record has: a part of it, or something that is computed.
//!
//! It knows nothing of hashes or tables.

use std::borrow::Borrow;
use std::marker::PhantomData;

use crate::key::Key;

/// Tells the key of records.
pub trait KeyOf<T>: Send + Sync + 'static {
    /// The key.
    type Key: Key;
    /// The key, or a reference to it within the record.
    type Found<'a>: Borrow<Self::Key>
    where
        T: 'a;

    /// The key of a record.
    fn key<'a>(&self, item: &'a T) -> Self::Found<'a>;
}

/// The key is a part of the record.
pub struct Borrowed<K, F>(F, PhantomData<fn() -> K>);

impl<K, F> Borrowed<K, F> {
    /// The function shows the part.
    pub fn new(f: F) -> Self {
        Borrowed(f, PhantomData)
    }
}

impl<T: 'static, K: Key, F: Fn(&T) -> &K + Send + Sync + 'static> KeyOf<T> for Borrowed<K, F> {
    type Key = K;
    type Found<'a> = &'a K;

    #[inline]
    fn key<'a>(&self, item: &'a T) -> &'a K {
        (self.0)(item)
    }
}

/// The key is computed.
pub struct Computed<K, F>(F, PhantomData<fn() -> K>);

impl<K, F> Computed<K, F> {
    /// The function computes it.
    pub fn new(f: F) -> Self {
        Computed(f, PhantomData)
    }
}

impl<T: 'static, K: Key, F: Fn(&T) -> K + Send + Sync + 'static> KeyOf<T> for Computed<K, F> {
    type Key = K;
    type Found<'a> = K;

    #[inline]
    fn key(&self, item: &T) -> K {
        (self.0)(item)
    }
}

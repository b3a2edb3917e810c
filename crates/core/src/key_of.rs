//! What key a record has: a part of it, or something that is computed.
//!
//! It knows nothing of hashes or tables.

use std::borrow::{Borrow, Cow};
use std::marker::PhantomData;
use std::sync::Arc;

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

    /// What was found, in the form that it has for all keys of one type.
    fn found<'a>(found: Self::Found<'a>) -> Cow<'a, Self::Key>
    where
        T: 'a;
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

    fn found<'a>(found: &'a K) -> Cow<'a, K>
    where
        T: 'a,
    {
        Cow::Borrowed(found)
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

    fn found<'a>(found: K) -> Cow<'a, K>
    where
        T: 'a,
    {
        Cow::Owned(found)
    }
}

/// Tells the key of records, where only its type is known: with one dynamic call for each record.
pub struct BoxedKey<T, K: Key>(Arc<dyn AnyKeyOf<T, K>>);

impl<T: 'static, K: Key> BoxedKey<T, K> {
    /// Forgets how the key is told.
    pub fn new(key: Arc<impl KeyOf<T, Key = K>>) -> Self {
        BoxedKey(key)
    }
}

trait AnyKeyOf<T, K: Key>: Send + Sync {
    fn key<'a>(&self, item: &'a T) -> Cow<'a, K>;
}

impl<T, S: KeyOf<T>> AnyKeyOf<T, S::Key> for S {
    fn key<'a>(&self, item: &'a T) -> Cow<'a, S::Key> {
        S::found(KeyOf::key(self, item))
    }
}

impl<T: 'static, K: Key> KeyOf<T> for BoxedKey<T, K> {
    type Key = K;
    type Found<'a> = Cow<'a, K>;

    #[inline]
    fn key<'a>(&self, item: &'a T) -> Cow<'a, K> {
        self.0.key(item)
    }

    fn found<'a>(found: Cow<'a, K>) -> Cow<'a, K>
    where
        T: 'a,
    {
        found
    }
}

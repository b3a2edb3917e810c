//! The contract of a checkpoint store: four verbs over immutable objects.
//!
//! An object is created once, whole, and never changed. That one conditional verb is all that the
//! commit of a checkpoint rests on. A store knows nothing of barriers, manifests or jobs.

use std::sync::Arc;

use crate::error::Result;

/// Holds immutable objects under names such as `log/0000000042`.
///
/// All calls block until the answer is known; they are made beside the workers. Every call may be
/// repeated: an `Unavailable` answer says nothing about whether the call took effect.
pub trait Store: Send + Sync {
    /// Creates the object `name` if there is none. When this returns, the object is durable, and
    /// whoever looks sees all of it.
    ///
    /// # Errors
    /// `Unavailable` if it is not known whether the object was created.
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put>;

    /// The bytes of `name`, or `None` if there is no such object.
    ///
    /// # Errors
    /// `Unavailable` if the store does not answer.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>>;

    /// The names that begin with `prefix`, in ascending order.
    ///
    /// # Errors
    /// `Unavailable` if the store does not answer.
    fn list(&self, prefix: &str) -> Result<Vec<String>>;

    /// Removes `name`; without effect if there is no such object.
    ///
    /// # Errors
    /// `Unavailable` if the store does not answer.
    fn delete(&self, name: &str) -> Result<()>;

    /// Where it is, for people: `file:///var/lib/ledger`.
    fn describe(&self) -> String;
}

impl<S: Store + ?Sized> Store for Arc<S> {
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        (**self).put_if_absent(name, bytes)
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        (**self).get(name)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        (**self).list(prefix)
    }

    fn delete(&self, name: &str) -> Result<()> {
        (**self).delete(name)
    }

    fn describe(&self) -> String {
        (**self).describe()
    }
}

/// The outcome of a conditional put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The object was created by this call.
    Created,
    /// An object of that name was there before; it is unchanged.
    AlreadyExists,
}

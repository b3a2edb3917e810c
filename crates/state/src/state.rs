//! What can be kept in a table.

use serde::{Serialize, de::DeserializeOwned};

/// What can be a value in a table.
pub trait State: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<V> State for V where V: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {}

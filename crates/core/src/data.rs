//! What may cross an exchange.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A record that can be handed from task to task, kept in state, and one day sent to another process: it can
/// be written down and read again.
pub trait Data: Serialize + DeserializeOwned + Send + 'static {}

impl<T> Data for T where T: Serialize + DeserializeOwned + Send + 'static {}

//! What can be kept in a table.

use std::io;

use serde::{Serialize, de::DeserializeOwned};

/// What can be a value in a table.
pub trait State: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<V> State for V where V: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {}

/// How many bytes a value takes where state is written; none if it refuses to be serialized, which is said
/// when it is.
pub fn encoded_bytes(value: &impl Serialize) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    match rmp_serde::encode::write_named(&mut count, value) {
        Ok(()) => count.0,
        Err(_) => 0,
    }
}

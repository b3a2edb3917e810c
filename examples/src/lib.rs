//! Jobs to read and to try; each is an example of its own: `cargo run --example payments -- run`.

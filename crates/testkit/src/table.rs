//! A table of the simulated database, as an outside reader and its sink see it.

use std::collections::BTreeMap;

use steadfast_core::target::Marker;

/// One table: what an outside reader sees, and the marker.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Appended rows, by what they speak of: who computed each, and its text.
    pub appended: BTreeMap<String, Vec<(u16, String)>>,
    /// Rows by key, where the sink upserts.
    pub by_key: BTreeMap<String, (u16, String)>,
    /// The marker.
    pub marker: Option<Marker>,
    /// The rank of the newest claim that has changed it.
    pub rank: u64,
    /// Whether the sink created it.
    pub created: bool,
}

//! A checkpoint with all splits of its sources in its manifest: those too of which only a few bytes are kept, in
//! state.
//!
//! It knows nothing of what is right or wrong about them.

use std::path::Path;
use std::sync::Arc;

use steadfast_checkpoint::store::MemoryStore;
use steadfast_core::source::SplitStatus;
use steadfast_files::FileSplit;
use steadfast_protocol::manifest::{Manifest, SplitNumber};
use steadfast_runtime::context::{RestoreSource, Seeks};
use steadfast_runtime::task::remembered_splits;

use crate::disk::DurableDisk;
use crate::input_files::InputFiles;

/// `manifest`, whose objects lie on `disk` below `root`, with all splits of `source`, which reads `files`.
pub fn with_all_splits(
    mut manifest: Manifest,
    source: &str,
    files: &InputFiles,
    (disk, root): (&DurableDisk, &str),
) -> Manifest {
    let table = format!("{source}/finished-splits");
    let objects = manifest.state.get(&table).into_iter().flatten();
    let contents = objects.filter_map(|file| {
        let bytes = disk.read(&format!("{root}/{}", file.object.name))?;
        Some((file.object.name.clone(), Arc::new(bytes)))
    });
    let contents = contents.collect();
    let store = Arc::new(MemoryStore::new());
    let restore = RestoreSource {
        manifest: Some(manifest.clone()),
        contents,
        store,
        seeks: Seeks::default(),
    };
    // Of a damaged one nothing can be said.
    let finished = remembered_splits(source, &restore).unwrap_or_default();
    let splits = manifest.sources.entry(source.to_string()).or_default();
    for (number, finished) in (0..).zip(&finished) {
        let split = files.paths().find_map(|path| FileSplit::remembered(finished, Path::new(path)));
        let Some(split) = split else { continue };
        let status = SplitStatus { split, finished: true, done: 0 };
        splits.insert(
            SplitNumber(u64::MAX - number),
            serde_json::to_value(status).unwrap_or_default(),
        );
    }
    manifest
}

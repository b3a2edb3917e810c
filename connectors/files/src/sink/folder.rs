//! A folder as a target: one part for each checkpoint that has output, and a marker.
//!
//! A part is written under a temporary name, synced and renamed, then the marker is replaced the
//! same way. If the process dies between the two, the same part is written once more with the same
//! contents, which nobody can see. What a dead process left under temporary names is removed when
//! the folder is opened.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use steadfast_core::disk::Disk;
use steadfast_core::id::CheckpointId;
use steadfast_core::sink::{DeliveryGuarantee, Target, TargetIdentity};
use steadfast_core::{Error, Result};
use steadfast_disk::{Existing, write_durably};

/// See the module.
pub(super) struct FolderTarget {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    identity: TargetIdentity,
    prefix: &'static str,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Marker {
    job: String,
    sink: String,
    checkpoint: CheckpointId,
}

const MARKER: &str = ".steadfast-marker.json";
/// So many that names sort as numbers do.
const DIGITS: usize = 10;
/// See [`write_durably`].
const TEMPORARY: &str = ".tmp-";
/// Sets temporary names of one process apart; its number sets those of processes apart. A process
/// that was taken for dead may still be writing the same part, and two writers of one temporary
/// file could publish half of it.
static SEQUENCE: AtomicU64 = AtomicU64::new(0);

impl FolderTarget {
    /// The folder as a target; parts are called `prefix-0000000042.jsonl`.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        identity: &TargetIdentity,
        prefix: &'static str,
    ) -> Result<Self> {
        let folder = folder.to_path_buf();
        let target = FolderTarget { disk, folder, identity: identity.clone(), prefix };
        target.disk.create_dir_all(&target.folder).map_err(|e| target.failed("create", e))?;
        target.marker()?;
        target.remove_all(|name| name.starts_with(TEMPORARY))?;
        Ok(target)
    }

    /// Removes the files whose names are chosen, and makes that durable.
    fn remove_all(&self, is_chosen: impl Fn(&str) -> bool) -> Result<()> {
        let files = self.disk.list(&self.folder).map_err(|e| self.failed("list", e))?;
        let mut removed = false;
        for path in files {
            let name = path.file_name().and_then(|name| name.to_str());
            if !name.is_some_and(&is_chosen) {
                continue;
            }
            match self.disk.remove(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(self.failed("clear", error));
                }
                _ => removed = true,
            }
        }
        if removed {
            self.disk.sync_dir(&self.folder).map_err(|e| self.failed("sync", e))
        } else {
            Ok(())
        }
    }

    fn failed(&self, verb: &str, error: std::io::Error) -> Error {
        Error::unavailable(format!("cannot {verb} the folder"))
            .caused_by(error)
            .at(self.folder.display().to_string())
    }

    /// The marker, looked at anew each time: two sinks may have opened one empty folder, and then
    /// the marker of one would tell the other that its output is there already.
    fn marker(&self) -> Result<Option<Marker>> {
        let path = self.folder.join(MARKER);
        let marker: Marker = match self.disk.read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("read the marker of", error)),
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
                let place = path.display().to_string();
                Error::damaged("the marker is not what was written").caused_by(e).at(place)
            })?,
        };
        let TargetIdentity { job, sink } = &self.identity;
        if (&marker.job, &marker.sink) == (job, sink) {
            return Ok(Some(marker));
        }
        let Marker { job, sink, .. } = marker;
        Err(Error::configuration(format!(
            "the folder holds the output of sink '{sink}' of job '{job}'"
        ))
        .at(self.folder.display().to_string())
        .hint("give each sink a folder of its own"))
    }

    fn write(&self, name: &str, bytes: &[u8], existing: Existing) -> Result<()> {
        let sequence = SEQUENCE.fetch_add(1, Ordering::Relaxed);
        let temporary = format!("{name}-{}-{sequence}", std::process::id());
        write_durably(&*self.disk, &self.folder.join(name), bytes, &temporary, existing)
            .map(drop)
            .map_err(|e| self.failed("write to", e))
    }

    fn is_part(&self, name: &str) -> bool {
        let number = name.strip_prefix(self.prefix).and_then(|rest| rest.strip_prefix('-'));
        let number = number.and_then(|rest| rest.strip_suffix(".jsonl"));
        number.is_some_and(|n| n.len() >= DIGITS && n.bytes().all(|byte| byte.is_ascii_digit()))
    }
}

impl Target for FolderTarget {
    fn applied(&mut self) -> Result<Option<CheckpointId>> {
        Ok(self.marker()?.map(|marker| marker.checkpoint))
    }

    fn apply(&mut self, checkpoint: CheckpointId, parts: &[Vec<u8>]) -> Result<()> {
        if self.applied()? >= Some(checkpoint) {
            return Ok(());
        }
        let contents = parts.concat();
        if !contents.is_empty() {
            let name = format!("{}-{:0DIGITS$}.jsonl", self.prefix, checkpoint.0);
            self.write(&name, &contents, Existing::Replace)?;
        }
        let TargetIdentity { job, sink } = self.identity.clone();
        let marker = serde_json::to_vec(&Marker { job, sink, checkpoint })
            .map_err(|e| Error::internal("a marker does not serialize").caused_by(e))?;
        self.write(MARKER, &marker, Existing::Replace)
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::AppendOnce
    }

    fn reset(&mut self) -> Result<()> {
        self.marker()?;
        // The marker goes last, and not before the rest is durably gone: a reset that was cut off
        // is then repeated, and never leaves parts behind that nobody knows of.
        self.remove_all(|name| name.starts_with(TEMPORARY) || self.is_part(name))?;
        self.remove_all(|name| name == MARKER)
    }
}

#[cfg(test)]
mod tests;

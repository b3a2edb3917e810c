//! A folder keeps the contract of all targets.

use std::path::PathBuf;

use steadfast_conformance::{TargetFixture, target};
use steadfast_core::sink::{Sink, SinkWriter};
use steadfast_core::target::{Target, TargetIdentity};
use steadfast_files::JsonLinesSink;

struct Folder(tempfile::TempDir);

impl Folder {
    fn path(&self) -> PathBuf {
        self.0.path().join("out")
    }

    fn sink(&self) -> JsonLinesSink<u64> {
        JsonLinesSink::new(self.path())
    }
}

impl TargetFixture for Folder {
    fn target(&self, identity: &TargetIdentity) -> Box<dyn Target> {
        self.sink().target(identity).unwrap()
    }

    fn chunk(&self, rows: &[u64]) -> Vec<u8> {
        let mut writer = self.sink().writer().unwrap();
        writer.write(&mut rows.to_vec()).unwrap();
        writer.take_staged()
    }

    fn rows(&self) -> Vec<u64> {
        let Ok(entries) = std::fs::read_dir(self.path()) else { return Vec::new() };
        let mut parts: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        parts.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
        parts.sort();
        let lines = parts.iter().flat_map(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            text.lines().map(|line| line.parse().unwrap()).collect::<Vec<_>>()
        });
        lines.collect()
    }

    fn occupy(&self) -> Option<()> {
        std::fs::create_dir(self.path()).unwrap();
        std::fs::write(self.path().join("a-person-s.jsonl"), "77\n").unwrap();
        Some(())
    }

    fn poison(&self) -> Option<Vec<u8>> {
        None
    }
}

/// In memory where there is such a place: hundreds of folders, and durability is not the subject.
#[test]
fn it_is_a_target() {
    target(|| Folder(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()));
}

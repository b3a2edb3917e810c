//! The machine's own disk keeps the contract of all disks.

use std::path::{Path, PathBuf};

use steadfast_conformance::{DiskFixture, disk};
use steadfast_core::disk::Disk;
use steadfast_disk::SystemDisk;

struct Folder(tempfile::TempDir);

impl DiskFixture for Folder {
    fn disk(&self) -> Box<dyn Disk> {
        Box::new(SystemDisk)
    }

    fn root(&self) -> PathBuf {
        Path::to_path_buf(self.0.path())
    }
}

#[test]
fn it_is_a_disk() {
    disk(|| Folder(tempfile::tempdir().unwrap()));
}

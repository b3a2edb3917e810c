//! The checkout that this tool works on: where it is, its packages, its Rust files.
//!
//! It knows no rule; those that check rules ask it what is there.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The root of the repository.
pub struct Checkout {
    root: PathBuf,
}

impl Checkout {
    /// The checkout that this tool was built from.
    pub fn find() -> Result<Self> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.parent().context("the manifest of xtask has no parent folder")?;
        Ok(Checkout { root: root.to_path_buf() })
    }

    /// A path below the root.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// The same cargo that started this tool, to be run at the root.
    pub fn cargo(&self) -> Command {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        // These belong to the package xtask; a build script of another one must not see them.
        command.current_dir(&self.root).env_remove("CARGO_MANIFEST_DIR");
        command.env_remove("CARGO_MANIFEST_PATH");
        command
    }

    /// What cargo knows about the members of the workspace, without their outside dependencies.
    pub fn metadata(&self) -> Result<Value> {
        let output = self
            .cargo()
            .args(["metadata", "--format-version", "1", "--no-deps"])
            .output()
            .context("cannot run cargo metadata")?;
        if !output.status.success() {
            bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")
    }

    /// All Rust files outside build folders, with paths relative to the root, in order.
    pub fn rust_files(&self) -> Result<Vec<RustFile>> {
        rust_files_in(&self.root)
    }
}

/// A Rust file as it is on disk.
pub struct RustFile {
    /// Relative to the folder that was searched, with `/` between folders.
    pub path: String,
    pub text: String,
}

/// All Rust files below `folder`, in the order of their paths; hidden and build folders are left out.
pub fn rust_files_in(folder: &Path) -> Result<Vec<RustFile>> {
    let mut files = Vec::new();
    collect(folder, "", &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<RustFile>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()));
    for entry in entries? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        // Cargo marks its build folders; a module may be called `target` too.
        let is_built = kind.is_dir() && entry.path().join("CACHEDIR.TAG").exists();
        if kind.is_dir() && !name.starts_with('.') && !is_built {
            collect(&entry.path(), &format!("{path}/"), files)?;
        } else if kind.is_file() && name.ends_with(".rs") {
            let text = fs::read_to_string(entry.path())
                .with_context(|| format!("cannot read {}", entry.path().display()))?;
            files.push(RustFile { path, text });
        }
    }
    Ok(())
}

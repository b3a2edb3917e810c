//! `cargo xtask arrows`: what depends on what, compared with what ARCHITECTURE.md allows.
//!
//! Between crates the allowed arrows are listed, and the list must be exact: it neither lacks an
//! arrow nor keeps one that is gone. Inside a crate, modules may not import each other in a circle.

mod allowed;
mod circle;
mod modules;
mod packages;

use std::fs;

use anyhow::{Context, Result};

use crate::arrows::allowed::Allowed;
use crate::arrows::modules::ModuleGraph;
use crate::arrows::packages::Packages;
use crate::checkout::{Checkout, rust_files_in};

/// Prints every arrow that should not be; `true` if there is none.
pub fn check(checkout: &Checkout) -> Result<bool> {
    let packages = Packages::read(&checkout.metadata()?)?;
    let mut faults = module_circles(&packages)?;
    match allowed(checkout) {
        Ok(allowed) => faults.extend(packages.compare(&allowed)),
        Err(error) => faults.push(format!("{error:#}")),
    }
    for fault in &faults {
        println!("arrows: {fault}");
    }
    if faults.is_empty() {
        println!("arrows: {} packages, all as ARCHITECTURE.md says", packages.len());
    }
    Ok(faults.is_empty())
}

fn allowed(checkout: &Checkout) -> Result<Allowed> {
    let text = fs::read_to_string(checkout.path("ARCHITECTURE.md"))
        .context("ARCHITECTURE.md, which lists the allowed arrows, cannot be read")?;
    Allowed::parse(&text).context("ARCHITECTURE.md")
}

fn module_circles(packages: &Packages) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for (name, folder) in packages.source_folders() {
        let files = rust_files_in(&folder)?;
        let graph = ModuleGraph::read(&files);
        for circle in graph.circles() {
            faults.push(format!("modules of {name} import each other in a circle:\n{circle}"));
        }
    }
    Ok(faults)
}

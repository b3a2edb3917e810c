//! `cargo xtask guarantees`: every test that GUARANTEES.md names is there.
//!
//! A name is what stands between backticks with `::` in it. Its last part must be a function or a
//! module of the sources; it says nothing about whether the test shows what the row claims.

use anyhow::{Context, Result};

use crate::checkout::{Checkout, RustFile};

const PAGE: &str = "GUARANTEES.md";

/// Prints every name that is nowhere; `true` if there is none.
pub fn check(checkout: &Checkout) -> Result<bool> {
    let page = std::fs::read_to_string(checkout.path(PAGE)).context(PAGE)?;
    let files = checkout.rust_files()?;
    let names = names(&page);
    let missing: Vec<_> = names.iter().filter(|name| !is_there(name, &files)).collect();
    missing.iter().for_each(|name| println!("guarantees: there is no `{name}`"));
    if missing.is_empty() {
        println!("guarantees: {} names of tests, all there", names.len());
    }
    Ok(missing.is_empty())
}

/// The names of tests on a page, in order.
fn names(page: &str) -> Vec<&str> {
    let quoted = page.split('`').skip(1).step_by(2);
    quoted.filter(|name| name.contains("::") && !name.contains(' ')).collect()
}

fn is_there(name: &str, files: &[RustFile]) -> bool {
    let parts: Vec<_> = name.split("::").filter(|part| *part != "*").collect();
    let Some(last) = parts.last() else { return false };
    let (function, module) = (format!("fn {last}("), format!("mod {last}"));
    let generic = format!("fn {last}<");
    files.iter().any(|file| {
        file.path.ends_with(&format!("/{last}.rs"))
            || file.text.contains(&function)
            || file.text.contains(&generic)
            || file.text.contains(&module)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_missed() {
        let page = "`a::b::works` and `a::kill::*`, `plain`, `x y::z`, `a::gone`";
        assert_eq!(names(page), ["a::b::works", "a::kill::*", "a::gone"]);
        let text = "fn works() {}".to_string();
        let files = [RustFile { path: "a/tests/kill.rs".into(), text }];
        let there = |name: &&str| is_there(name, &files);
        assert_eq!(names(page).iter().filter(|n| there(n)).count(), 2);
    }
}

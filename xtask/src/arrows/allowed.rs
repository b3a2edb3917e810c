//! The list of allowed arrows between crates: the fenced block ```` ```arrows ```` of a document.
//!
//! A line reads `runtime -> core protocol`; names are those of packages without `steadfast-`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};

const FENCE: &str = "```";

/// For each crate in the list, the crates it may depend on.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Allowed(pub BTreeMap<String, BTreeSet<String>>);

impl Allowed {
    /// Reads the one block `arrows` of a Markdown document.
    pub fn parse(document: &str) -> Result<Self> {
        let mut lines = document.lines().enumerate();
        let is_open = |line: &str| line.trim_end().strip_prefix(FENCE) == Some("arrows");
        if !lines.any(|(_, line)| is_open(line)) {
            bail!("there is no block that begins with {FENCE}arrows");
        }
        let mut allowed = Allowed::default();
        loop {
            let (index, line) = lines.next().context("the block of arrows has no end")?;
            if line.starts_with(FENCE) {
                break;
            }
            allowed.add(line).with_context(|| format!("line {}", index + 1))?;
        }
        if lines.any(|(_, line)| is_open(line)) {
            bail!("there is more than one block of arrows");
        }
        Ok(allowed)
    }

    fn add(&mut self, line: &str) -> Result<()> {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            return Ok(());
        }
        let (from, to) = line.split_once("->").context("an arrow reads 'runtime -> core state'")?;
        let from = from.trim();
        if from.is_empty() || from.contains(char::is_whitespace) {
            bail!("exactly one crate stands before '->', not '{from}'");
        }
        let to = to.split_whitespace().map(str::to_owned).collect();
        if self.0.insert(from.to_owned(), to).is_some() {
            bail!("'{from}' is listed twice");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "# A map\n\n```text\ncore -> nothing\n```\n\n```arrows\ncore ->\n\n# the engine\nruntime -> core state   # and no more\nstate   -> core\n```\n\nEnd.\n";

    #[test]
    fn the_block_is_read_and_the_rest_of_the_document_is_not() {
        let allowed = Allowed::parse(SAMPLE).unwrap();
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let expected: BTreeMap<String, BTreeSet<String>> = [
            ("core".to_owned(), set(&[])),
            ("runtime".to_owned(), set(&["core", "state"])),
            ("state".to_owned(), set(&["core"])),
        ]
        .into();
        assert_eq!(allowed.0, expected);
    }

    #[test]
    fn what_cannot_be_meant_is_an_error_that_names_the_line() {
        let fails = |document: &str| format!("{:#}", Allowed::parse(document).unwrap_err());
        assert!(fails("no block").contains("no block that begins"));
        assert!(fails("```arrows\ncore ->\n").contains("no end"));
        assert!(fails("```arrows\ncore state\n```").contains("line 2: an arrow reads"));
        assert!(fails("```arrows\na b -> c\n```").contains("exactly one crate"));
        assert!(fails("```arrows\na -> b\na -> c\n```").contains("line 3: 'a' is listed twice"));
        assert!(fails(&format!("{SAMPLE}{SAMPLE}")).contains("more than one"));
    }
}

//! What a checkpoint or a job has under the names of operators, and how it is told to people.
//!
//! It knows nothing of what is allowed.

use std::collections::BTreeSet;

use super::{JobShape, operator_of};
use crate::manifest::Manifest;

/// Whose name something is kept under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Operator,
    Source,
    Sink,
}

/// Something that is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Part {
    pub(super) kind: Kind,
    /// For people.
    shown: String,
    /// As flags take it.
    name: String,
}

impl Part {
    fn new(kind: Kind, what: &str, name: &str, of: &str) -> Self {
        Part { kind, shown: format!("{what} '{name}'"), name: of.to_string() }
    }
}

/// All that is kept.
pub(super) struct Parts<'a> {
    tables: BTreeSet<&'a str>,
    sources: BTreeSet<&'a str>,
    sinks: BTreeSet<&'a str>,
}

impl<'a> Parts<'a> {
    pub(super) fn of_checkpoint(manifest: &'a Manifest) -> Self {
        Parts {
            tables: manifest.tables.iter().map(String::as_str).collect(),
            sources: manifest.sources.keys().map(String::as_str).collect(),
            sinks: manifest.outputs.keys().map(String::as_str).collect(),
        }
    }

    pub(super) fn of_job(shape: &'a JobShape) -> Self {
        Parts {
            tables: shape.tables.iter().map(String::as_str).collect(),
            sources: shape.sources.iter().map(String::as_str).collect(),
            sinks: shape.sinks.iter().map(String::as_str).collect(),
        }
    }

    /// What is here and not in `other`.
    pub(super) fn beyond(&self, other: &Parts<'_>) -> BTreeSet<Part> {
        let tables = self.tables.difference(&other.tables).map(|table| self.of_table(table));
        let sources = self.sources.difference(&other.sources);
        let sinks = self.sinks.difference(&other.sinks);
        tables
            .chain(sources.map(|name| Part::new(Kind::Source, "source", name, name)))
            .chain(sinks.map(|name| Part::new(Kind::Sink, "sink", name, name)))
            .collect()
    }

    /// Whose it is: what a source keeps beside its positions is told as the source.
    pub(super) fn of_table(&self, table: &str) -> Part {
        let operator = operator_of(table);
        match self.sources.contains(operator) {
            true => Part::new(Kind::Source, "source", operator, operator),
            false => Part::new(Kind::Operator, "state", table, operator),
        }
    }
}

pub(super) fn listed(parts: &BTreeSet<Part>) -> String {
    parts.iter().map(|part| part.shown.as_str()).collect::<Vec<_>>().join(", ")
}

/// As flags take them.
pub(super) fn names(parts: &BTreeSet<Part>) -> String {
    let names: BTreeSet<_> = parts.iter().map(|part| part.name.as_str()).collect();
    Vec::from_iter(names).join(",")
}

pub(super) fn has_source(parts: &BTreeSet<Part>) -> bool {
    parts.iter().any(|part| part.kind == Kind::Source)
}

/// How each kind among them is told that it was renamed.
pub(super) fn former_names(parts: &BTreeSet<Part>) -> String {
    let kinds: BTreeSet<_> = parts.iter().map(|part| part.kind).collect();
    let ways = kinds.iter().map(|kind| match kind {
        Kind::Operator => "a renamed operator its former name with formerly()",
        Kind::Source => "a renamed source its former name with source_formerly()",
        Kind::Sink => "a renamed sink the name that it had",
    });
    format!("give {}", ways.collect::<Vec<_>>().join(", "))
}

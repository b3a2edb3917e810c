//! What operators are called, and what is refused about it: state, positions and output are kept under these
//! names.
//!
//! It knows nothing of what is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use steadfast_core::source::Seek;
use steadfast_core::{Cause, Error, Result};
use steadfast_protocol::fit::{JobShape, operator_of};

use super::OperatorNode;

/// What an operator is called, and was before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperatorName {
    /// The user's own name; without it one is derived from the operator's kind.
    pub(super) chosen: Option<String>,
    pub(super) former: Vec<String>,
}

impl OperatorName {
    /// The user's own name.
    pub fn chosen(name: impl Into<String>) -> Self {
        OperatorName { chosen: Some(name.into()), former: Vec::new() }
    }

    /// The same, called `name`.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        OperatorName { chosen: Some(name.into()), ..self }
    }

    /// The same, called `name` before.
    #[must_use]
    pub fn formerly(mut self, name: impl Into<String>) -> Self {
        self.former.push(name.into());
        self
    }
}

/// A name that no operator has, nor had before: the kind of its operator, with a number if need be. What is kept
/// under a former name is found by the operator that had it, and by no other.
pub(super) fn derived(
    operators: &[OperatorNode],
    renamed: &BTreeMap<String, String>,
    kind: &str,
) -> String {
    let is_free = |name: &String| {
        operators.iter().all(|operator| operator.name != *name) && !renamed.contains_key(name)
    };
    (1..)
        .map(|n| if n == 1 { kind.to_string() } else { format!("{kind}-{n}") })
        .find(is_free)
        .unwrap_or_default()
}

/// What is to be said of operators that are called nothing: no flag could name them.
pub(super) fn empty(operators: &[OperatorNode]) -> Vec<String> {
    let nameless = operators.iter().filter(|node| node.name.is_empty());
    nameless.map(|node| format!("the name of an operator is empty: {}", Placed(node))).collect()
}

/// What is to be said of operators that are called the same.
pub(super) fn same(operators: &[OperatorNode]) -> Vec<String> {
    let mut by_name = BTreeMap::<&str, Vec<&OperatorNode>>::new();
    operators.iter().for_each(|node| by_name.entry(&node.name).or_default().push(node));
    let several = by_name.into_iter().filter(|(_, nodes)| nodes.len() > 1);
    let said = several.map(|(name, nodes)| {
        let shown = nodes.iter().map(|node| match node.is_named {
            true => Placed(node).to_string(),
            false => format!("{} after its kind", Placed(node)),
        });
        let count = if nodes.len() == 2 { "two".to_string() } else { nodes.len().to_string() };
        format!("{count} operators are named '{name}': {}", list(shown.collect()))
    });
    said.collect()
}

/// See [`super::Plan::check_state_is_named`].
pub(super) fn state_is_named(operators: &[OperatorNode], shape: &JobShape) -> Result<()> {
    let with_state: BTreeSet<&str> = shape.tables.iter().map(|table| operator_of(table)).collect();
    let is_unnamed = |node: &&OperatorNode| !node.is_named && with_state.contains(&*node.name);
    let unnamed: Vec<_> = operators.iter().filter(is_unnamed).collect();
    let Some(first) = unnamed.first() else { return Ok(()) };
    let who = match unnamed.len() {
        1 => "an operator keeps state without a name of its own".to_string(),
        count => format!("{count} operators keep state without names of their own"),
    };
    let shown = list(unnamed.iter().map(|node| Placed(node).to_string()).collect());
    let what = format!("{who}: {shown}");
    let others: Vec<_> = unnamed[1..].iter().map(|node| format!("\"{}\"", node.name)).collect();
    let others = match others.is_empty() {
        true => String::new(),
        false => format!(" (the others are there as {})", list(others)),
    };
    Err(Error::because(Cause::UNNAMED_STATE, what).hint(format!(
        "write a name before it, such as .named(\"balances\"), and keep that name; what older checkpoints hold \
         is found again with .named(\"balances\").formerly(\"{}\"){others}",
        first.name
    )))
}

/// See [`super::Plan::check_new_are_there`].
pub(super) fn new_are_there(
    operators: &[OperatorNode],
    shape: &JobShape,
    new: &BTreeSet<String>,
) -> Result<()> {
    let is_nowhere = |name: &&String| operators.iter().all(|operator| operator.name != **name);
    let nowhere: Vec<_> = new.iter().filter(is_nowhere).map(String::as_str).collect();
    if nowhere.is_empty() {
        return Ok(());
    }
    let with_state = shape.tables.iter().map(|table| operator_of(table));
    let there: BTreeSet<_> = with_state.chain(shape.sinks.iter().map(String::as_str)).collect();
    let there = there.into_iter().filter(|name| !shape.sources.contains(*name));
    let (nowhere, there) = (nowhere.join(", "), there.collect::<Vec<_>>().join(", "));
    let what = format!("the job has nothing of a name that is to be new: {nowhere}");
    Err(Error::because(Cause::OPTION, what).hint(format!(
        "correct --new (RunOptions::new_operators): what can be new in this job is {there}"
    )))
}

/// See [`super::Plan::check_sought_are_there`].
pub(super) fn sought_are_there(shape: &JobShape, seeks: &[(String, Seek)]) -> Result<()> {
    let Some((nowhere, _)) = seeks.iter().find(|(source, _)| !shape.sources.contains(source))
    else {
        return Ok(());
    };
    let there: Vec<_> = shape.sources.iter().map(String::as_str).collect();
    let what = format!("the job has no source '{nowhere}' that could be read from another place");
    Err(Error::because(Cause::OPTION, what)
        .hint(format!("correct --seek (RunOptions::seek): its sources are {}", there.join(", "))))
}

/// An operator by its kind and its place in the code.
struct Placed<'a>(&'a OperatorNode);

impl fmt::Display for Placed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OperatorNode { kind, place, .. } = self.0;
        write!(f, "{kind} ({}:{})", place.file(), place.line())
    }
}

fn list(mut shown: Vec<String>) -> String {
    match shown.pop() {
        Some(last) if !shown.is_empty() => format!("{} and {last}", shown.join(", ")),
        last => last.unwrap_or_default(),
    }
}

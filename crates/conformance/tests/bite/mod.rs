//! Shows that a suite bites: run on something wrong, it must break the very rule that is named.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Mistakes, each with a part of the rule that it must break, or of several between bars.
pub fn every_mistake_is_seen<M: Copy + Debug>(
    mistakes: impl IntoIterator<Item = (M, &'static str)>,
    suite: impl Fn(M),
) {
    let unseen: Vec<String> = mistakes
        .into_iter()
        .filter_map(|(mistake, rules)| {
            let Err(panic) = catch_unwind(AssertUnwindSafe(|| suite(mistake))) else {
                return Some(format!("{mistake:?} passes"));
            };
            let message = panic.downcast_ref::<String>().map_or("", String::as_str);
            let rule = message.strip_prefix("conformance: ").unwrap_or_default();
            let named = rules.split('|').any(|part| rule.contains(part));
            (!named).then(|| format!("{mistake:?} breaks another rule: {message}"))
        })
        .collect();
    assert!(unseen.is_empty(), "{}", unseen.join("\n"));
}

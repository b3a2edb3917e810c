//! What is right and what is wrong about what a round leaves behind.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::logs::Logs;
use super::payment::Payments;
use crate::verdict::Verdict;

/// What a process says of itself when it was told to end.
pub(super) fn of_summary(verdict: &mut Verdict, summary: &Value) {
    for count in ["duplicates", "late_records", "dead_letters", "missed_wakeups"] {
        if summary[count] != 0 {
            verdict.violation(format!("{} {count} instead of none", summary[count]));
        }
    }
}

/// Holds the table against what was written; what is missing counts if `was_waited_for`. Returns the logs that
/// something is wrong with.
pub(super) fn of_table(
    verdict: &mut Verdict,
    table: &BTreeMap<String, (i64, i64)>,
    logs: &Logs,
    payments: Payments,
    was_waited_for: bool,
) -> Vec<usize> {
    let mut found: BTreeMap<(usize, &str), BTreeSet<u64>> = BTreeMap::new();
    let mut there = BTreeSet::new();
    for (account, (cents, count)) in table {
        let known =
            account.parse::<u64>().ok().and_then(|payment| Some((payment, logs.owner(payment)?)));
        let Some((payment, log)) = known else {
            verdict.violation(format!("the table has the account {account}, which nobody has"));
            continue;
        };
        there.insert(payment);
        if *count != 1 {
            found.entry((log, "counted more than once")).or_default().insert(payment);
        } else if *cents != payments.cents(payment) {
            found.entry((log, "not with their amount")).or_default().insert(payment);
        }
    }
    let missing = (0..logs.written()).filter(|payment| !there.contains(payment));
    for (payment, log) in missing.filter_map(|payment| Some((payment, logs.owner(payment)?))) {
        found.entry((log, "missing")).or_default().insert(payment);
    }
    if !was_waited_for {
        found.retain(|(_, what), _| *what != "missing");
    }
    for ((log, what), payments) in &found {
        let (first, last) = (payments.first(), payments.last());
        let (first, last) = (first.copied().unwrap_or(0), last.copied().unwrap_or(0));
        let name = logs.log(*log).name.as_deref().unwrap_or("deleted");
        let many = payments.len();
        verdict
            .violation(format!("{many} payments {what} (of log {log}, {name}: {first} to {last})"));
    }
    found.into_keys().map(|(log, _)| log).collect()
}

//! `run --show-config`: the options of a run and where each comes from.

use serde_json::{Map, Value, json};
use steadfast_core::Result;

use super::given::{Choice, Chosen};
use super::table::{Side, aligned};
use super::terminal;

/// Prints them, as a table or as JSON.
pub(super) fn print(job: &str, chosen: &Chosen) -> Result<()> {
    if chosen.flags.json {
        let each = |option: &Choice| {
            let Choice { name, value, from } = option;
            (name.clone(), json!({ "value": value, "from": from }))
        };
        let options: Map<String, Value> = chosen.options.iter().map(each).collect();
        return terminal::print_json(&json!({ "job": job, "options": options }), false);
    }
    let row = |option: &Choice| {
        let value = if option.value.is_empty() { "-" } else { &option.value };
        vec![option.name.clone(), value.to_string(), option.from.clone()]
    };
    let rows: Vec<_> = chosen.options.iter().map(row).collect();
    let table = aligned("  ", &[Side::Left, Side::Left, Side::Left], &rows);
    terminal::print(&format!("job '{job}' would run with\n{table}"))
}

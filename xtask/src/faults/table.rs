//! The result: who found which fault, and how many of each crate were found.
//!
//! It knows nothing of how they were found.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::Result;

use super::known::Known;
use super::list::Fault;
use super::trial::Found;

/// A fault and its finders.
pub struct Row {
    pub fault: Fault,
    pub simulation: Option<Found>,
    /// Whether the simulation has looked for it, if it comes to its place.
    pub sought: bool,
    /// Whether the simulation comes to its place.
    pub reached: bool,
    pub tests: Option<Found>,
    /// Whether tests have.
    pub tested: bool,
}

/// How many faults there were, and how many were found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    planted: usize,
    simulated: usize,
    by_simulation: usize,
    found: usize,
    /// Not found by the simulation, and not looked for by tests.
    open: usize,
}

impl Counts {
    fn add(&mut self, row: &Row) {
        self.planted += 1;
        self.simulated += usize::from(row.reached);
        self.by_simulation += usize::from(row.simulation.is_some());
        self.found += usize::from(row.simulation.is_some() || row.tests.is_some());
        self.open += usize::from(row.simulation.is_none() && !row.tested);
    }
}

fn counts(rows: &[Row]) -> (BTreeMap<&str, Counts>, Counts) {
    let (mut by_package, mut all) = (BTreeMap::<&str, Counts>::new(), Counts::default());
    for row in rows {
        by_package.entry(&row.fault.package).or_default().add(row);
        all.add(row);
    }
    (by_package, all)
}

fn percent(part: usize, whole: usize) -> usize {
    (part * 100).checked_div(whole).unwrap_or(100)
}

impl Row {
    /// A fault with what is known of it.
    pub fn new(fault: Fault, known: &[Known]) -> Self {
        let (sought, reached, tested) = (false, false, false);
        let mut row = Row { fault, simulation: None, sought, reached, tests: None, tested };
        for known in known.iter().filter(|known| known.is_of(&row.fault)) {
            if known.sought {
                (row.sought, row.reached) = (true, known.reached);
                row.simulation = known.simulation.clone();
            }
            if known.tested {
                (row.tested, row.tests) = (true, known.tests.clone());
            }
        }
        row
    }

    fn line(&self) -> String {
        let cell = |text: String| text.replace('|', "\\|").replace('\n', " ");
        let (package, name) = (short(&self.fault.package), self.fault.name.replace('-', " "));
        let (why, tests) = (cell(self.fault.why.clone()), cell(self.by_tests()));
        format!("| {package}: {name} | {why} | {} | {tests} |\n", cell(self.by_simulation()))
    }

    fn by_simulation(&self) -> String {
        match &self.simulation {
            Some(found) => found.to_string(),
            None if self.reached => "-".into(),
            None => "(does not run it)".into(),
        }
    }

    fn by_tests(&self) -> String {
        match &self.tests {
            Some(found) => found.to_string(),
            None if self.tested => "-".into(),
            None => String::new(),
        }
    }
}

/// For people at a terminal.
pub fn text(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let name = format!("{}/{}", short(&row.fault.package), row.fault.name);
        let _ = writeln!(text, "{name:70} {:40} {}", row.by_simulation(), row.by_tests());
    }
    let (by_package, all) = counts(rows);
    for (package, counts) in by_package.into_iter().chain([("all", all)]) {
        let Counts { planted, simulated, by_simulation, found, .. } = counts;
        let _ = writeln!(
            text,
            "{:12} {planted:3} planted; {by_simulation:3} of {simulated:3} found by the simulation; \
             {found:3} found by it or by tests",
            short(package)
        );
    }
    text
}

/// For programs, and for a later run.
pub fn json(rows: &[Row]) -> Result<String> {
    let known = |row: &Row| {
        let Fault { name, package, file, find, plant, why, .. } = row.fault.clone();
        let Row { simulation, tests, sought, reached, tested, .. } = row;
        Known {
            fault: name,
            package,
            file,
            find,
            plant,
            why,
            sought: *sought,
            reached: *reached,
            simulation: simulation.clone(),
            tested: *tested,
            tests: tests.clone(),
        }
    };
    Ok(serde_json::to_string_pretty(&rows.iter().map(known).collect::<Vec<_>>())?)
}

/// The page of the documentation.
pub fn page(rows: &[Row], seeds: u64, date: &str) -> String {
    let (by_package, all) = counts(rows);
    let mut text = format!(
        "# Planted faults\n\n\
         Written by `cargo xtask faults --write` on {date}: {} mistakes, chosen by hand, planted one at a time in \
         a copy of the sources. The simulation has {seeds} seeds, each under three levels; the tests of the \
         packages that should know look for what it does not find. [How it works]\
         (verification.md#planted-faults).\n\n\
         The simulation finds {} of the {} in code that it runs ({} %); with the tests {} of {} are found \
         ({} %).",
        all.planted,
        all.by_simulation,
        all.simulated,
        percent(all.by_simulation, all.simulated),
        all.found,
        all.planted,
        percent(all.found, all.planted),
    );
    if all.open > 0 {
        let _ = write!(
            text,
            " For {} that the simulation has not found, no test has looked.",
            all.open
        );
    }
    text += "\n\n| crate | planted | run by the simulation | found by it | found by it or by tests |\n\
             |---|--:|--:|--:|--:|\n";
    for (package, counts) in by_package {
        let Counts { planted, simulated, by_simulation, found, .. } = counts;
        let package = short(package);
        let _ =
            writeln!(text, "| {package} | {planted} | {simulated} | {by_simulation} | {found} |");
    }
    text += "\nA number is that of the seeds until then.\n\n\
             | fault | what it would do | the simulation | tests |\n|---|---|---|---|\n";
    rows.iter().for_each(|row| text += &row.line());
    text
}

fn short(package: &str) -> &str {
    package.strip_prefix("steadfast-").unwrap_or(package)
}

#[cfg(test)]
mod tests {
    use super::super::list::tests::fault;
    use super::*;

    #[test]
    fn what_was_printed_is_known_to_the_next_run_unless_the_fault_has_changed() {
        let found = |what: &str| Some(Found { seeds: Some(7), what: what.into() });
        let (simulation, tests) = (found("a"), None);
        let (sought, reached, tested) = (true, true, true);
        let row = Row { fault: fault(1, "x", ""), simulation, sought, reached, tests, tested };
        let known: Vec<Known> = serde_json::from_str(&json(&[row]).unwrap()).unwrap();
        let again = Row::new(fault(1, "x", ""), &known);
        assert!(again.sought && again.reached && again.tested && again.tests.is_none());
        assert_eq!(again.simulation, found("a"));
        assert!(!Row::new(fault(1, "x", "y"), &known).sought);
    }

    #[test]
    fn what_the_simulation_does_not_run_is_not_held_against_it() {
        let found = |what: &str| Some(Found { seeds: None, what: what.into() });
        let row = |reached, simulation, tests| {
            let fault = fault(1, "", "");
            Row { fault, simulation, sought: true, reached, tests, tested: true }
        };
        let rows =
            [row(true, found("a"), None), row(true, None, found("b")), row(false, None, None)];
        let all = Counts { planted: 3, simulated: 2, by_simulation: 1, found: 2, open: 0 };
        assert_eq!(counts(&rows).1, all);
        let page = page(&rows, 300, "2026-01-02");
        assert!(page.contains("finds 1 of the 2 in code that it runs (50 %)"), "{page}");
        assert!(page.contains("| (does not run it) | - |"), "{page}");
    }
}

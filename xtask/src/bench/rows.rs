//! The rows of the benchmark: which two programs are compared, and what is asked of the ratio.

use std::ffi::OsString;
use std::path::Path;

use clap::ValueEnum;

/// Rows that belong together and can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Group {
    /// Without deduplication, against the hand-written loop.
    Naive,
    /// With deduplication, against the hand-written loop that does it too.
    Dedup,
    /// With checkpoints, against the same job without.
    Checkpoints,
    /// Results with every checkpoint, against results at the end.
    Emit,
}

/// A program with its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    Baseline { dedup: bool },
    Payments { parallelism: u16, dedup: bool, interval: &'static str, emit: &'static str },
}

/// What the throughput of the variant, divided by that of the baseline, has to be at least.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    Ratio(f64),
    /// What the variant may cost, in per cent of the baseline's throughput.
    Cost(f64),
}

/// A comparison.
#[derive(Clone, Debug)]
pub struct Row {
    pub group: Group,
    pub baseline: Program,
    pub variant: Program,
    pub target: Target,
}

impl Target {
    /// The smallest ratio that reaches it.
    pub fn ratio(self) -> f64 {
        match self {
            Target::Ratio(ratio) => ratio,
            Target::Cost(per_cent) => 1.0 - per_cent / 100.0,
        }
    }
}

/// All rows, in the order of the table.
pub fn all() -> Vec<Row> {
    let mut rows = Vec::new();
    for (dedup, group, targets) in
        [(false, Group::Naive, [0.9, 1.7]), (true, Group::Dedup, [0.9, 1.6])]
    {
        for (parallelism, target) in [(1, targets[0]), (2, targets[1])] {
            let baseline = Program::Baseline { dedup };
            let variant = payments(parallelism, dedup, "1s", "final");
            rows.push(Row { group, baseline, variant, target: Target::Ratio(target) });
        }
    }
    for (interval, cost) in [("1s", 3.0), ("100ms", 10.0)] {
        for (parallelism, dedup) in [(1, false), (2, false), (1, true), (2, true)] {
            rows.push(Row {
                group: Group::Checkpoints,
                baseline: payments(parallelism, dedup, "none", "final"),
                variant: payments(parallelism, dedup, interval, "final"),
                target: Target::Cost(cost),
            });
        }
    }
    for (parallelism, dedup) in [(1, false), (2, false), (1, true), (2, true)] {
        rows.push(Row {
            group: Group::Emit,
            baseline: payments(parallelism, dedup, "1s", "final"),
            variant: payments(parallelism, dedup, "1s", "changes"),
            target: Target::Ratio(0.7),
        });
    }
    rows
}

fn payments(parallelism: u16, dedup: bool, interval: &'static str, emit: &'static str) -> Program {
    Program::Payments { parallelism, dedup, interval, emit }
}

impl Row {
    /// What is compared, for people.
    pub fn title(&self) -> String {
        let Program::Payments { dedup, interval, emit, parallelism } = &self.variant else {
            return "the hand-written loop".to_owned();
        };
        let what = match self.group {
            Group::Naive | Group::Dedup => "the loop".to_owned(),
            Group::Checkpoints => format!("checkpoints every {interval} : none"),
            Group::Emit => format!("--emit {emit} : final"),
        };
        let dedup = if *dedup { "with dedup" } else { "without dedup" };
        match self.group {
            Group::Naive | Group::Dedup => format!("{dedup} : {what}, p={parallelism}"),
            Group::Checkpoints | Group::Emit => format!("{what}, {dedup}, p={parallelism}"),
        }
    }
}

impl Program {
    /// The arguments for a run that reads `input` and keeps everything that it writes in `scratch`.
    pub fn arguments(&self, input: &Path, scratch: &Path) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = Vec::new();
        let database = scratch.join("balances.sqlite");
        match self {
            Program::Baseline { dedup } => {
                arguments.extend([input.into(), "--output".into(), database.into()]);
                arguments.extend(dedup.then(|| "--dedup".into()));
            }
            Program::Payments { parallelism, dedup, interval, emit } => {
                let mut sink = OsString::from("sqlite:");
                sink.push(database);
                arguments.extend(["run".into(), "--input".into(), input.into()]);
                arguments.extend(["--sink".into(), sink, "--checkpoints".into()]);
                arguments.push(scratch.join("checkpoints").into());
                arguments.extend(["--parallelism".into(), parallelism.to_string().into()]);
                arguments.extend(["--checkpoint-interval", interval].map(OsString::from));
                arguments.extend(["--emit", emit].map(OsString::from));
                arguments.extend(["--bad-input", "skip", "--json"].map(OsString::from));
                arguments.extend((!dedup).then(|| "--naive".into()));
            }
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(program: &Program) -> String {
        let arguments = program.arguments(Path::new("in"), Path::new("run"));
        arguments.iter().map(|a| a.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn programs_are_called_as_their_command_lines_want() {
        let loop_ = |dedup| line(&Program::Baseline { dedup });
        assert_eq!(loop_(false), "in --output run/balances.sqlite");
        assert_eq!(loop_(true), "in --output run/balances.sqlite --dedup");
        let job = "run --input in --sink sqlite:run/balances.sqlite --checkpoints run/checkpoints \
                   --parallelism 2 --checkpoint-interval 100ms --emit final --bad-input skip --json";
        assert_eq!(line(&payments(2, true, "100ms", "final")), job);
        assert_eq!(line(&payments(2, false, "100ms", "final")), format!("{job} --naive"));
    }

    #[test]
    fn every_row_compares_like_with_like() {
        let setting = |program: &Program| match program {
            Program::Baseline { dedup } => (*dedup, None),
            Program::Payments { dedup, parallelism, .. } => (*dedup, Some(*parallelism)),
        };
        let rows = all();
        assert_eq!(rows.len(), 16);
        for row in &rows {
            let (baseline, variant) = (setting(&row.baseline), setting(&row.variant));
            assert_eq!(baseline.0, variant.0, "{}", row.title());
            assert!(baseline.1.is_none() || baseline.1 == variant.1, "{}", row.title());
            assert_ne!(row.baseline, row.variant);
        }
        let titles: std::collections::BTreeSet<_> = rows.iter().map(Row::title).collect();
        assert_eq!(titles.len(), rows.len(), "two rows have the same title");
    }

    #[test]
    fn a_cost_is_a_ratio_below_one() {
        assert_eq!(Target::Cost(10.0).ratio(), 0.9);
        assert_eq!(Target::Ratio(1.7).ratio(), 1.7);
    }
}

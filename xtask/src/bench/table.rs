//! The table of a benchmark: medians, ratios and whether they reach what is asked of them.

use std::fmt::Write;

use anyhow::{Context, Result, ensure};

use crate::bench::process::Run;
use crate::bench::rows::{Row, Target};

const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";

/// The two sides of a ratio, run one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    pub baseline: Run,
    pub variant: Run,
}

impl Pair {
    /// The throughput of the variant divided by that of the baseline.
    pub fn ratio(&self) -> f64 {
        self.baseline.seconds / self.variant.seconds
    }
}

/// A row with all that was measured for it: at least one pair.
pub struct Measured {
    pub row: Row,
    pub pairs: Vec<Pair>,
}

/// The table in Markdown, with the sentence that says how to read it.
pub fn render(measured: &[Measured], lines: u64, rounds: u64) -> String {
    let mut text = String::from(
        "| compared | events/s | of the baseline | ratio: median [min–max] | asked | reached | peak memory |\n\
         |---|--:|--:|--:|--:|---|--:|\n",
    );
    for measured in measured {
        let _ = writeln!(text, "{}", line(measured, lines));
    }
    let _ = write!(
        text,
        "\n{} events, {rounds} pairs for each row. A ratio is the throughput of the left side divided \
         by that of the right, both as whole processes run one after the other; figures are medians.\n",
        grouped(lines as f64),
    );
    text
}

fn line(measured: &Measured, lines: u64) -> String {
    let Measured { row, pairs } = measured;
    let rate = |run: &Run| lines as f64 / run.seconds;
    let variant = median(pairs.iter().map(|pair| rate(&pair.variant)));
    let baseline = median(pairs.iter().map(|pair| rate(&pair.baseline)));
    let ratios = || pairs.iter().map(Pair::ratio);
    let ratio = median(ratios());
    let (least, most) = (ratios().fold(f64::MAX, f64::min), ratios().fold(f64::MIN, f64::max));
    let asked = match row.target {
        Target::Ratio(ratio) => format!("≥ {ratio:.2}"),
        Target::Cost(per_cent) => format!("≥ {:.2} (cost ≤ {per_cent} %)", row.target.ratio()),
    };
    let reached = if ratio >= row.target.ratio() { "yes" } else { "**no**" };
    let peaks: Vec<_> = pairs.iter().filter_map(|pair| pair.variant.peak_bytes).collect();
    let memory = match peaks.is_empty() {
        true => "–".to_owned(),
        false => format!("{:.0} MiB", median(peaks.iter().map(|&b| b as f64)) / 1048576.0),
    };
    format!(
        "| {} | {} | {} | {ratio:.3} [{least:.3}–{most:.3}] | {asked} | {reached} | {memory} |",
        row.title(),
        grouped(variant),
        grouped(baseline),
    )
}

/// The middle value, or the mean of the two in the middle.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}

/// A whole number with its thousands apart.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `document` with `text` in place of what stands between the markers.
pub fn replace(document: &str, text: &str) -> Result<String> {
    let missing = || format!("the markers {BEGIN} and {END} are missing");
    let begin = document.find(BEGIN).with_context(missing)? + BEGIN.len();
    let end = begin + document[begin..].find(END).with_context(missing)?;
    ensure!(document.matches(BEGIN).count() == 1, "{BEGIN} stands there more than once");
    Ok(format!("{}\n\n{}\n\n{}", &document[..begin], text.trim(), &document[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::rows::{Group, Program};

    fn measured(target: Target, seconds: &[(f64, f64)]) -> Measured {
        let run = |seconds| Run { seconds, peak_bytes: Some(100 << 20) };
        let pairs = seconds.iter().map(|&(b, v)| Pair { baseline: run(b), variant: run(v) });
        let variant =
            Program::Payments { parallelism: 2, dedup: true, interval: "1s", emit: "final" };
        let row = Row {
            group: Group::Dedup,
            baseline: Program::Baseline { dedup: true },
            variant,
            target,
        };
        Measured { row, pairs: pairs.collect() }
    }

    #[test]
    fn a_line_tells_medians_of_pairs_and_whether_they_are_enough() {
        let row = measured(Target::Ratio(1.6), &[(2.0, 1.0), (1.0, 2.0), (3.2, 2.0)]);
        let expected = "| with dedup : the loop, p=2 | 1,000,000 | 1,000,000 | \
                        1.600 [0.500–2.000] | ≥ 1.60 | yes | 100 MiB |";
        assert_eq!(line(&row, 2_000_000), expected);
    }

    #[test]
    fn a_target_that_is_missed_is_told_as_such() {
        let row = measured(Target::Cost(3.0), &[(0.96, 1.0)]);
        let line = line(&row, 1000);
        assert!(line.contains("| 0.960 [0.960–0.960] | ≥ 0.97 (cost ≤ 3 %) | **no** |"), "{line}");
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(median([4.0, 1.0, 2.0, 9.0].into_iter()), 3.0);
        assert_eq!(median([4.0, 1.0, 9.0].into_iter()), 4.0);
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(
            [0.0, 999.4, 1000.0, 12_345_678.0].map(grouped).join(" "),
            "0 999 1,000 12,345,678"
        );
    }

    #[test]
    fn only_what_stands_between_the_markers_is_replaced() {
        let document = format!("a\n{BEGIN}\nold\n{END}\nz\n");
        let new = replace(&document, "new\n").unwrap();
        assert_eq!(new, format!("a\n{BEGIN}\n\nnew\n\n{END}\nz\n"));
        assert_eq!(replace(&new, "new").unwrap(), new);
        assert!(replace("a", "new").is_err());
        assert!(replace(&format!("{END}{BEGIN}"), "new").is_err());
    }
}

//! What is gone, what is new, and what has another name.

use steadfast_core::ErrorKind;

use super::*;
use crate::manifest::{Counters, SplitNumber, Splits, StagedOutput, manifest_for_tests};

fn names(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|name| name.to_string()).collect()
}

fn manifest() -> Manifest {
    Manifest {
        sources: BTreeMap::from([("in".to_string(), Splits::from([(SplitNumber(0), 1.into())]))]),
        tables: names(&["sum/state"]),
        state: BTreeMap::from([("sum/state".to_string(), vec![])]),
        outputs: BTreeMap::from([("out".to_string(), StagedOutput::default())]),
        counters: Counters::from([("sum".to_string(), BTreeMap::new())]),
        ..manifest_for_tests(7, 1)
    }
}

fn shape(tables: &[&str], sources: &[&str], sinks: &[&str]) -> JobShape {
    let (tables, sources, sinks) = (names(tables), names(sources), names(sinks));
    JobShape { tables, sources, sinks, ..JobShape::default() }
}

fn fits(shape: &JobShape, differences: &Differences) -> Result<Manifest> {
    let mut manifest = manifest();
    adapt(&mut manifest, shape, differences)?;
    check(&manifest, shape, differences)?;
    Ok(manifest)
}

#[test]
fn what_is_the_same_fits() {
    let differences = Differences::default();
    let same = fits(&shape(&["sum/state"], &["in"], &["out"]), &differences).unwrap();
    assert_eq!(same, manifest());
    // A source that is new is read from its start; the sink is judged by its target.
    fits(&shape(&["sum/state"], &["in", "more"], &["out", "more"]), &differences).unwrap();
}

#[test]
fn what_is_gone_is_refused_unless_it_is_to_be_forgotten() {
    let less = shape(&[], &[], &[]);
    let error = fits(&less, &Differences::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    for named in ["state 'sum/state'", "source 'in'", "sink 'out'", "--forget in,out,sum"] {
        assert!(error.to_string().contains(named), "{error}");
    }
    let forget = Differences { forget: names(&["sum", "in", "out"]), ..Differences::default() };
    let rest = fits(&less, &forget).unwrap();
    assert!(rest.state.is_empty() && rest.sources.is_empty() && rest.outputs.is_empty());
}

#[test]
fn a_source_that_was_renamed_is_told_as_one_and_nothing_leads_to_reading_twice() {
    let mut before = manifest();
    before.tables.insert("in/finished-splits".into());
    let renamed = shape(&["sum/state", "input/finished-splits"], &["input"], &["out"]);
    let error = check(&before, &renamed, &Differences::default()).unwrap_err().to_string();
    for told in [
        "no place for: source 'in'; new in the job: source 'input' [SF0304]",
        "give a renamed source its former name with source_formerly()",
        "--forget in (RunOptions::forget), but a source of another name that reads the same input reads all",
    ] {
        assert!(error.contains(told), "{told}: {error}");
    }
    assert!(!error.contains("operator") && !error.contains("finished-splits"), "{error}");
    // Whoever forgets it all the same is told once more.
    let forget = Differences { forget: names(&["in"]), ..Differences::default() };
    let mut after = before.clone();
    adapt(&mut after, &renamed, &forget).unwrap();
    let error = check(&after, &renamed, &forget).unwrap_err().to_string();
    for told in [
        "in mid-life: source 'input' [SF0305]",
        "give a renamed source its former name with source_formerly()",
        "read from its beginning, and what one of another name has read of the same input is counted again",
    ] {
        assert!(error.contains(told), "{told}: {error}");
    }
    // The name of the source given to the operator behind it.
    let mut behind = renamed.clone();
    behind.renamed.insert("in".into(), "sum".into());
    let error = adapt(&mut before, &behind, &Differences::default()).unwrap_err().to_string();
    assert!(
        error.contains("'in' is a source") && error.contains("source_formerly(\"in\")"),
        "{error}"
    );
}

#[test]
fn each_kind_is_told_how_it_is_renamed_beside_what_is_new_of_it() {
    let renamed = shape(&["total/state"], &["in"], &["output"]);
    let error = check(&manifest(), &renamed, &Differences::default()).unwrap_err().to_string();
    for told in [
        "place for: state 'sum/state', sink 'out'; new in the job: state 'total/state', sink 'output' [",
        "give a renamed operator its former name with formerly(), a renamed sink the name that it had; or drop \
         with --forget out,sum (RunOptions::forget); or",
    ] {
        assert!(error.contains(told), "{told}: {error}");
    }
    // What is new of another kind says nothing about it.
    let other = shape(&[], &["in", "more"], &["out"]);
    let error = check(&manifest(), &other, &Differences::default()).unwrap_err().to_string();
    assert!(!error.contains("more") && !error.contains("new in the job"), "{error}");
}

#[test]
fn state_that_would_begin_empty_is_refused_unless_it_is_new() {
    let more = shape(&["sum/state", "count/state"], &["in"], &["out"]);
    let error = fits(&more, &Differences::default()).unwrap_err();
    assert!(error.to_string().contains("--new count"), "{error}");
    let new = Differences { new: names(&["count"]), ..Differences::default() };
    fits(&more, &new).unwrap();
}

#[test]
fn a_renamed_operator_finds_its_state_and_a_renamed_source_its_position() {
    let mut shape = shape(&["total/state"], &["input"], &["out"]);
    shape.renamed.insert("sum".into(), "total".into());
    shape.renamed.insert("in".into(), "input".into());
    let adapted = fits(&shape, &Differences::default()).unwrap();
    assert_eq!(adapted.tables, names(&["total/state"]));
    assert!(adapted.state.contains_key("total/state"));
    assert_eq!(adapted.sources["input"], Splits::from([(SplitNumber(0), 1.into())]));
    assert!(adapted.counters.contains_key("total"));
}

/// Found by the second attack: positions dropped while the state stays, at every start.
#[test]
fn what_the_job_still_has_is_not_forgotten() {
    let same = shape(&["sum/state"], &["in"], &["out"]);
    for name in ["sum", "in", "out"] {
        let forget = Differences { forget: names(&[name]), ..Differences::default() };
        let error = fits(&same, &forget).unwrap_err();
        assert!(error.to_string().contains("still has"), "{name}: {error}");
        let again = Differences { new: names(&[name]), ..forget };
        assert_eq!(fits(&same, &again).is_ok(), name == "sum", "{name}");
    }
}

#[test]
fn a_renamed_operator_does_not_take_the_place_of_another() {
    let mut shape = shape(&["count/state"], &["in"], &["out"]);
    shape.renamed.insert("sum".into(), "count".into());
    let mut both = manifest();
    both.tables.insert("count/state".into());
    let mut differences = Differences::default();
    let error = adapt(&mut both.clone(), &shape, &differences).unwrap_err();
    assert!(error.to_string().contains("of both"), "{error}");
    differences.forget.insert("sum".into());
    adapt(&mut both, &shape, &differences).unwrap();
}

#[test]
fn a_former_name_that_the_job_uses_again_keeps_what_is_its_own() {
    let mut shape = shape(&["sum/state", "total/state"], &["in", "input"], &["out"]);
    shape.renamed.insert("sum".into(), "total".into());
    shape.renamed.insert("in".into(), "input".into());
    let mut differences = Differences::default();
    differences.new.insert("total".into());
    let adapted = fits(&shape, &differences).unwrap();
    assert_eq!(adapted.tables, names(&["sum/state"]));
    assert!(adapted.state.contains_key("sum/state"));
    assert_eq!(adapted.sources.keys().collect::<Vec<_>>(), ["in"]);
}

/// Row B4 of the attack of 2026-11-22: an operator's name may hold slashes.
#[test]
fn of_two_operators_whose_names_begin_alike_one_can_be_forgotten() {
    let tables = names(&["orders/total/state", "orders/count/state"]);
    let before = Manifest { tables, ..manifest() };
    let shape = shape(&["orders/total/state"], &["in"], &["out"]);
    let error = check(&before, &shape, &Differences::default()).unwrap_err();
    assert!(error.to_string().contains("--forget orders/count"), "{error}");
    let forget = Differences { forget: names(&["orders/count"]), ..Differences::default() };
    let mut after = before;
    adapt(&mut after, &shape, &forget).unwrap();
    check(&after, &shape, &forget).unwrap();
    assert_eq!(after.tables, names(&["orders/total/state"]));
}

#[test]
fn what_a_forgotten_operator_has_counted_is_forgotten_with_its_state() {
    let shape = shape(&["sum/state"], &["in"], &["out"]);
    let again = Differences { forget: names(&["sum"]), new: names(&["sum"]) };
    assert!(fits(&shape, &again).unwrap().counters.is_empty());
}

/// Row A3 of the attack of 2026-11-22.
#[test]
fn an_operator_that_emits_in_another_way_is_refused() {
    let modes = |mode: &str| BTreeMap::from([("sum".to_string(), mode.to_string())]);
    let before = Manifest { modes: modes("final"), ..manifest() };
    let same = shape(&["sum/state"], &["in"], &["out"]);
    let error = |shape: &JobShape| check(&before, shape, &Differences::default()).err();
    assert!(error(&JobShape { modes: modes("final"), ..same.clone() }).is_none());
    let other = error(&JobShape { modes: modes("changes"), ..same.clone() }).unwrap();
    assert_eq!(other.kind(), ErrorKind::Configuration);
    assert!(other.to_string().contains("'sum' emits 'changes'"), "{other}");
    // What was begun again has emitted nothing.
    let mut after = before.clone();
    let again = Differences { forget: names(&["sum"]), new: names(&["sum"]) };
    let shape = JobShape { modes: modes("changes"), ..same };
    adapt(&mut after, &shape, &again).unwrap();
    check(&after, &shape, &again).unwrap();
}

#[test]
fn what_is_to_be_forgotten_and_is_nowhere_is_told_beside_what_there_is() {
    let shape = shape(&["count/state"], &["in"], &["out"]);
    let forget = |all: &[&str]| Differences { forget: names(all), ..Differences::default() };
    let manifest = manifest();
    let differences = forget(&["sum", "summ", "count"]);
    let (nowhere, held) = nowhere(&manifest, &shape, &differences).unwrap();
    assert_eq!(nowhere, BTreeSet::from(["summ"]));
    assert_eq!(held, BTreeSet::from(["in", "out", "sum"]));
    assert!(super::nowhere(&manifest, &shape, &forget(&["sum"])).is_none());
}

//! The target suite, on a system in memory: as it should be, and with one mistake at a time.

mod bite;
mod memory_target;

use memory_target::{Kind, MemorySystem, Mistake};

fn suite(kind: Kind, mistake: Mistake) {
    steadfast_conformance::target(|| MemorySystem::new(kind, mistake));
}

#[test]
fn right_targets_pass() {
    for kind in [Kind::Appends, Kind::Upserts, Kind::PlacePerSink, Kind::EmptiesOwn] {
        suite(kind, Mistake::None);
    }
}

#[test]
fn a_right_target_without_a_marker_passes() {
    suite(Kind::Unmarked, Mistake::None);
}

#[test]
fn every_mistake_is_seen() {
    let mistakes = [
        (Mistake::LookCreates, "looking leaves it so|is Absent"),
        (Mistake::AcquiresUnasked, "an acquire that expects another marker"),
        (Mistake::AcquireEmpties, "taking over keeps the rows"),
        (Mistake::AcquireOnce, "a repeated acquire"),
        (Mistake::AppliesAgain, "a repeated application"),
        (Mistake::ComparesCheckpoints, "an acquire that expects another marker"),
        (Mistake::ComparesGenerations, "expects another marker|was overtaken"),
        (Mistake::IgnoresLineage, "expects another marker"),
        (Mistake::IgnoresNonce, "expects another marker"),
        (Mistake::IgnoresCheckpoint, "expects another marker|shows once"),
        (Mistake::CutsNumbers, "a marker comes back"),
        (Mistake::HandleRemembers, "a process that was overtaken"),
        (Mistake::ChunksBackwards, "an acquire that expects another marker"),
        (Mistake::MarkerStaysIfEmpty, "an application of nothing"),
        (Mistake::ResetKeepsRows, "a reset empties"),
        (Mistake::RepeatedResetEmpties, "a repeated reset"),
        (Mistake::AcquiresAfterReset, "two writers in any order"),
        (Mistake::ResetUnasked, "was overtaken|reset"),
        (Mistake::AdoptsUnasked, "not taken without adopt"),
        (Mistake::ForgetsAdoption, "what is foreign is taken with adopt"),
        (Mistake::EmptiesAdopted, "a reset of what was adopted|what a step would refuse"),
        (Mistake::ChecksNothing, "what a step would refuse"),
        (Mistake::NeverCreates, "adopt makes no difference"),
        (Mistake::JoinsNames, "another job or sink"),
        (Mistake::IgnoresSink, "another job or sink"),
        (Mistake::FailsHalfway, "a refused row fails"),
        (Mistake::FailsOtherwise, "a refused row fails"),
        (Mistake::DoesNotCount, "a refused row is set aside"),
        (Mistake::PromisesNothing, "promises that output shows once"),
    ];
    bite::every_mistake_is_seen(mistakes, |mistake| suite(Kind::Appends, mistake));
}

#[test]
fn every_mistake_of_other_kinds_is_seen() {
    let mistakes = [
        (
            (Kind::EmptiesOwn, Mistake::EmptiesAdopted),
            "a reset of what was adopted|what a step would refuse",
        ),
        ((Kind::PlacePerSink, Mistake::JoinsNames), "another job or sink"),
        ((Kind::PlacePerSink, Mistake::ResetEmptiesAll), "a reader sees|another job or sink"),
        ((Kind::Upserts, Mistake::AppliesStale), "was overtaken|expects another marker"),
        ((Kind::Unmarked, Mistake::LosesRows), "without a marker shows"),
        ((Kind::Unmarked, Mistake::ChunksBackwards), "without a marker shows"),
        ((Kind::Unmarked, Mistake::PromisesMore), "without a marker promises"),
        ((Kind::Unmarked, Mistake::LookCreates), "without a marker stays one"),
    ];
    bite::every_mistake_is_seen(mistakes, |(kind, mistake)| suite(kind, mistake));
}

//! What every [`Target`] must pass.
//!
//! It sees an outside system from two sides: through targets, and through a reader that knows
//! nothing of markers. It knows nothing of tables, files or topics.

mod applying;
mod interleaving;
mod ownership;
mod races;
mod rejecting;
mod resetting;
mod taking_over;
mod unmarked;

use steadfast_core::Result;
use steadfast_core::id::{CheckpointId, ClaimId, Generation, Lineage};
use steadfast_core::target::{
    Applied, Conditional, DeliveryGuarantee, Marker, RejectedRows, Target, TargetIdentity,
    TargetState,
};

use crate::rule::Rule;

const LOOKED: Rule = Rule("look finds the marker that was made last, and who created the target");
const DONE: Rule = Rule("a step is taken if the marker is the expected one");
const ROWS: Rule = Rule("a reader sees exactly what was applied, in order if it is appended");

/// An outside system that a sink writes to, and somebody who reads it without the sink.
pub trait TargetFixture {
    /// Another process's handle on the system.
    fn target(&self, identity: &TargetIdentity) -> Box<dyn Target>;

    /// What the sink's writer stages for these rows.
    fn chunk(&self, rows: &[u64]) -> Vec<u8>;

    /// What an independent reader sees, of whoever wrote it: in the order in which it was appended,
    /// or in ascending order if the sink upserts.
    fn rows(&self) -> Vec<u64>;

    /// Somebody else creates what the sink would write to, with or without rows; `None` if that
    /// cannot be.
    fn occupy(&self) -> Option<()>;

    /// A chunk with one row only, which the system refuses for good; `None` if there is no such row.
    fn poison(&self) -> Option<Vec<u8>>;
}

/// Runs all checks of the [`Target`] contract; every call of `make` gives a system that no sink has
/// written to.
///
/// A target without a marker passes if it does what little can be asked of it.
///
/// ```no_run
/// use steadfast_conformance::TargetFixture;
/// use steadfast_core::target::{Target, TargetIdentity};
///
/// struct Fixture { /* a database in a temporary folder */ }
///
/// impl TargetFixture for Fixture {
///     # fn target(&self, _: &TargetIdentity) -> Box<dyn Target> { panic!() }
///     # fn chunk(&self, _: &[u64]) -> Vec<u8> { Vec::new() }
///     # fn rows(&self) -> Vec<u64> { Vec::new() }
///     # fn occupy(&self) -> Option<()> { None }
///     # fn poison(&self) -> Option<Vec<u8>> { None }
///     // …
/// }
///
/// steadfast_conformance::target(|| Fixture { /* a fresh one */ });
/// ```
///
/// # Panics
/// If a rule is broken, with the rule.
pub fn target<F: TargetFixture>(make: impl Fn() -> F) {
    let first = make();
    if LOOKED.answered(first.target(&identity()).look()) == TargetState::Unmarked {
        return unmarked::output_shows_up_and_nothing_is_promised(&first);
    }
    taking_over::looking_changes_nothing(&first);
    taking_over::the_first_acquire_creates(&make());
    taking_over::only_the_expected_marker_will_do(&make());
    taking_over::whoever_was_overtaken_is_refused(&make());
    taking_over::a_marker_comes_back_as_it_was(&make());
    applying::rows_and_marker_move_together(&make());
    applying::a_repeated_apply_shows_once(&make());
    applying::a_stale_apply_changes_nothing(&make());
    applying::chunks_are_applied_in_order(&make());
    applying::there_may_be_nothing_to_apply(&make());
    resetting::a_reset_empties_what_was_created(&make());
    resetting::a_stale_reset_changes_nothing(&make());
    resetting::a_repeated_reset_loses_nothing(&make());
    ownership::what_others_created_is_not_taken_unasked(&make());
    ownership::what_was_adopted_is_never_emptied(&make());
    ownership::adopting_nothing_creates(&make());
    ownership::another_sink_is_a_stranger(&make);
    rejecting::a_rejected_row_fails_all_of_it(&make());
    rejecting::a_rejected_row_is_set_aside(&make());
    races::one_of_many_acquires_wins(&make());
    races::one_of_many_applications_wins(&make());
    interleaving::two_writers_in_every_order(&make);
}

fn identity() -> TargetIdentity {
    named("conformance", "rows")
}

fn named(job: &str, sink: &str) -> TargetIdentity {
    TargetIdentity { job: job.to_owned(), sink: sink.to_owned() }
}

const LINEAGE: Lineage = Lineage(0xfeed_0000_0000_0001);

/// The marker of a process by the number of its claim.
fn marker(claim: u64, checkpoint: u64) -> Marker {
    let claim = ClaimId { generation: Generation(claim), nonce: 0xc000_0000_0000_0000 | claim };
    Marker { lineage: LINEAGE, claim, checkpoint: CheckpointId(checkpoint) }
}

/// Markers that are nearly this one, each with the stranger who would have it. Its checkpoint must
/// not be 0.
fn strangers(marker: Marker) -> [(&'static str, Marker); 6] {
    let Marker { lineage, claim, checkpoint } = marker;
    let other_lineage = Lineage(lineage.0 ^ (1 << 63));
    let earlier = ClaimId { generation: Generation(claim.generation.0 - 1), ..claim };
    let later = ClaimId { generation: Generation(claim.generation.0 + 1), ..claim };
    let other_nonce = ClaimId { nonce: claim.nonce ^ (1 << 63), ..claim };
    [
        ("another lineage", Marker { lineage: other_lineage, ..marker }),
        ("an earlier claim", Marker { claim: earlier, ..marker }),
        ("a later claim", Marker { claim: later, ..marker }),
        ("a copy of the store", Marker { claim: other_nonce, ..marker }),
        ("an older checkpoint", Marker { checkpoint: CheckpointId(checkpoint.0 - 1), ..marker }),
        ("a later checkpoint", Marker { checkpoint: CheckpointId(checkpoint.0 + 1), ..marker }),
    ]
}

/// Applies one chunk for each slice of rows.
fn apply<F: TargetFixture>(
    fixture: &F,
    target: &mut dyn Target,
    expected: Marker,
    new: Marker,
    chunks: &[&[u64]],
) -> Result<Conditional<Applied>> {
    let chunks: Vec<Vec<u8>> = chunks.iter().map(|rows| fixture.chunk(rows)).collect();
    target.apply(&expected, &new, &chunks, RejectedRows::Fail)
}

/// What an application says that nothing was wrong with.
const APPLIED: Conditional<Applied> = Conditional::Done(Applied { rejected: 0 });

/// A target that `marker(2, 5)` has brought the rows 1, 2 and 3 into, and that marker.
fn with_rows<F: TargetFixture>(fixture: &F) -> (Box<dyn Target>, Marker) {
    let mut target = fixture.target(&identity());
    let acquired = DONE.answered(target.acquire(None, &marker(2, 0), false));
    DONE.equal(&acquired, &Conditional::Done(()));
    let applied = apply(fixture, &mut *target, marker(2, 0), marker(2, 5), &[&[1, 2], &[3]]);
    DONE.equal(&DONE.answered(applied), &APPLIED);
    (target, marker(2, 5))
}

/// A fresh process finds this marker on what the sink created, and a reader these rows.
#[track_caller]
fn holds<F: TargetFixture>(rule: Rule, fixture: &F, marker: Marker, rows: &[u64]) {
    let state = rule.answered(fixture.target(&identity()).look());
    rule.equal(&state, &TargetState::Owned { marker, created: true });
    rule.equal(&fixture.rows(), &in_order(fixture, rows));
}

/// Rows in the order in which the fixture's reader gives them.
fn in_order<F: TargetFixture>(fixture: &F, rows: &[u64]) -> Vec<u64> {
    let mut rows = rows.to_vec();
    if fixture.target(&identity()).guarantee() == DeliveryGuarantee::UpsertOnce {
        rows.sort_unstable();
        rows.dedup();
    }
    rows
}

//! Two writers, in every order in which their steps can come, held against a model of five lines.
//!
//! Every step is atomic by the contract, so one thread can play both writers. A writer goes on with
//! the marker that it knows, however often it is refused: it may be a process that slept.

use steadfast_core::target::{Conditional, Marker, RejectedRows, Target, TargetState};

use super::{TargetFixture, identity, in_order, marker};
use crate::rule::Rule;

const AS_THE_MODEL: Rule =
    Rule("two writers in any order leave what one atomic step after the other leaves");

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Looks, and believes what it sees.
    Look,
    /// Takes over with a claim of its own from what it knows.
    Acquire,
    /// Applies two chunks.
    Apply,
    /// Empties the target, with a claim of its own.
    Reset,
    /// Makes the last call again, as if its answer had been lost.
    Repeat,
}

/// A call with all that it takes, so that it can be made again.
#[derive(Clone, Debug)]
enum Call {
    Acquire { expected: Option<Marker>, new: Marker },
    Apply { expected: Marker, new: Marker, rows: [u64; 2] },
    Reset { expected: Marker, new: Marker },
}

/// What the target must be: a marker and rows, changed by one call after the other.
#[derive(Default)]
struct Model {
    marker: Option<Marker>,
    rows: Vec<u64>,
}

impl Model {
    fn take(&mut self, call: &Call) -> Conditional<()> {
        let (expected, new) = match *call {
            Call::Acquire { expected, new } => (expected, new),
            Call::Apply { expected, new, .. } | Call::Reset { expected, new } => {
                (Some(expected), new)
            }
        };
        if self.marker == Some(new) {
            return Conditional::Done(());
        }
        if self.marker != expected {
            return Conditional::Unexpected(self.marker);
        }
        self.marker = Some(new);
        match call {
            Call::Acquire { .. } => {}
            Call::Apply { rows, .. } => self.rows.extend(rows),
            Call::Reset { .. } => self.rows.clear(),
        }
        Conditional::Done(())
    }
}

/// A process with what it believes about the target.
struct Writer {
    target: Box<dyn Target>,
    known: Option<Marker>,
    /// Its claims are this one and those after it.
    next_claim: u64,
    /// Its rows are this one and those after it.
    next_row: u64,
    last: Option<Call>,
}

impl Writer {
    /// The call that this step makes; none if the writer cannot make it yet.
    fn call(&mut self, step: Step) -> Option<Call> {
        let checkpoint = self.known.map_or(0, |known| known.checkpoint.0);
        match step {
            Step::Look => None,
            Step::Repeat => self.last.clone(),
            Step::Acquire => {
                self.next_claim += 1;
                let new = marker(self.next_claim, checkpoint);
                Some(Call::Acquire { expected: self.known, new })
            }
            Step::Apply => {
                let expected = self.known?;
                // Both writers count on from what they know, so their numbers often are the same.
                let mut new = expected;
                new.checkpoint.0 += 1;
                self.next_row += 2;
                Some(Call::Apply { expected, new, rows: [self.next_row, self.next_row + 1] })
            }
            Step::Reset => {
                let expected = self.known?;
                self.next_claim += 1;
                Some(Call::Reset { expected, new: marker(self.next_claim, 0) })
            }
        }
    }

    fn make<F: TargetFixture>(&mut self, fixture: &F, call: &Call, path: &str) -> Conditional<()> {
        let (new, answer) = match call {
            Call::Acquire { expected, new } => {
                (new, self.target.acquire(expected.as_ref(), new, false))
            }
            Call::Reset { expected, new } => (new, self.target.reset(expected, new)),
            Call::Apply { expected, new, rows } => {
                let chunks = rows.map(|row| fixture.chunk(&[row]));
                let applied = self.target.apply(expected, new, &chunks, RejectedRows::Fail);
                let answer = applied.map(|applied| match applied {
                    Conditional::Done(_) => Conditional::Done(()),
                    Conditional::Unexpected(found) => Conditional::Unexpected(found),
                });
                (new, answer)
            }
        };
        let answer =
            answer.unwrap_or_else(|error| AS_THE_MODEL.broken(&format!("{path}: {error}")));
        if answer == Conditional::Done(()) {
            self.known = Some(*new);
        }
        self.last = Some(call.clone());
        answer
    }
}

pub(super) fn two_writers_in_every_order<F: TargetFixture>(make: &impl Fn() -> F) {
    use Step::{Acquire, Apply, Look, Repeat, Reset};
    // Both begin from nothing.
    explore(make, false, &[Look, Acquire, Apply], &[Look, Acquire, Apply, Reset]);
    // The first owns the target already.
    explore(make, true, &[Apply, Repeat, Apply], &[Look, Acquire, Repeat, Apply]);
    explore(make, true, &[Apply, Reset, Repeat, Apply], &[Look, Reset, Repeat, Apply]);
    explore(make, true, &[Apply, Acquire, Apply], &[Look, Acquire, Apply, Reset, Apply]);
    explore(make, true, &[Apply, Acquire, Apply], &[Look, Reset, Apply]);
    explore(make, true, &[Reset, Apply, Repeat], &[Look, Acquire, Apply, Repeat]);
}

/// Plays the steps of `first` and `second` in every order, each on a fresh system.
fn explore<F: TargetFixture>(make: &impl Fn() -> F, owned: bool, first: &[Step], second: &[Step]) {
    for order in orders(first.len(), second.len()) {
        play(&make(), owned, [first, second], &order);
    }
}

/// Every order of `first` zeros and `second` ones.
fn orders(first: usize, second: usize) -> Vec<Vec<usize>> {
    if first == 0 && second == 0 {
        return vec![Vec::new()];
    }
    let mut orders = Vec::new();
    for (writer, left) in [(0, first.checked_sub(1)), (1, second.checked_sub(1))] {
        let Some(left) = left else { continue };
        let rest = if writer == 0 { self::orders(left, second) } else { self::orders(first, left) };
        orders.extend(rest.into_iter().map(|rest| [vec![writer], rest].concat()));
    }
    orders
}

fn play<F: TargetFixture>(fixture: &F, owned: bool, steps: [&[Step]; 2], order: &[usize]) {
    let mut model = Model::default();
    let mut writers = [(10, 1000), (20, 2000)].map(|(next_claim, next_row)| {
        let target = fixture.target(&identity());
        Writer { target, known: None, next_claim, next_row, last: None }
    });
    let mut steps = steps.map(|steps| steps.iter().copied());
    let mut path = String::new();
    let prelude: &[(usize, Step)] =
        if owned { &[(0, Step::Acquire), (0, Step::Apply)] } else { &[] };
    let played = order.iter().filter_map(|&n| steps[n].next().map(|step| (n, step)));
    for (n, step) in prelude.iter().copied().chain(played) {
        path = format!("{path}{} {step:?}, ", ["A", "B"][n]);
        let writer = &mut writers[n];
        if let Some(call) = writer.call(step) {
            let answer = writer.make(fixture, &call, &path);
            AS_THE_MODEL.equal(&(&path, answer), &(&path, model.take(&call)));
        } else if matches!(step, Step::Look) {
            let state = AS_THE_MODEL.answered(writer.target.look());
            AS_THE_MODEL.equal(&(&path, &state), &(&path, &expected(&model)));
            writer.known = model.marker;
        }
        let state = AS_THE_MODEL.answered(fixture.target(&identity()).look());
        AS_THE_MODEL.equal(&(&path, state), &(&path, expected(&model)));
        let rows = in_order(fixture, &model.rows);
        AS_THE_MODEL.equal(&(&path, fixture.rows()), &(&path, rows));
    }
}

fn expected(model: &Model) -> TargetState {
    match model.marker {
        Some(marker) => TargetState::Owned { marker, created: true },
        None => TargetState::Absent,
    }
}

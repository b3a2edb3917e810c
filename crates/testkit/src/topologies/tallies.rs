//! An operator with three tables, each of which says whether the others are right.
//!
//! What it keeps as a value is removed at every third event of a key, so that entries go and come
//! back. A key is text: it must say the same as the event.

use std::cell::Cell;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};
use steadfast::Emitter;
use steadfast_core::{Result, UserError};
use steadfast_runtime::operators::{KeyedContext, KeyedStates};

use crate::input::Event;
use crate::oracle::MOST_OF_A_KEY;

/// What is emitted where tables disagree: a number that no event is ever due.
const NEVER: u64 = 0;
/// What is added in a row more where an event is not later than the one before it of its split: that
/// may be only where events are read again.
const LATE: u64 = MOST_OF_A_KEY;

type Keyed = (Named, Event);
type Tally = dyn FnMut(
        &mut KeyedContext<'_, Named>,
        &Keyed,
        &mut Emitter<'_, (u32, u64)>,
    ) -> Result<(), UserError>
    + Send;

thread_local! {
    /// How often a [`Seq`] was copied by the process that runs on this thread.
    static COPIES: Cell<u64> = const { Cell::new(0) };
    /// Whether keys of the process that runs on this thread hash in another way.
    static HASHES_OTHERWISE: Cell<bool> = const { Cell::new(false) };
}

/// A key. How it hashes may change from one process to the next, which nobody may go on with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Named(pub(super) String);

impl Hash for Named {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.hash(hasher);
        if HASHES_OTHERWISE.get() {
            hasher.write_u8(1);
        }
    }
}

/// How keys hash from now on in the process that runs on this thread.
pub(super) fn hash_otherwise(is_so: bool) {
    HASHES_OTHERWISE.set(is_so);
}

/// The number of an event. Only a table copies it: where it writes what a snapshot still reads.
#[derive(Serialize, Deserialize)]
struct Seq(u64);

impl Clone for Seq {
    fn clone(&self) -> Self {
        COPIES.set(COPIES.get() + 1);
        Seq(self.0)
    }
}

/// How often the process that runs on this thread has copied state because a snapshot still read it.
pub fn copies_on_write() -> u64 {
    COPIES.get()
}

/// Emits a number within its key for each event.
pub(super) fn process(states: &mut KeyedStates<Named>) -> Box<Tally> {
    let total = states.value::<u64>("total");
    let open = states.value::<u64>("open");
    let newest = states.map::<u64, Seq>("newest");
    Box::new(move |context, (_, event), out| {
        let number = context.get(total).copied().unwrap_or(0) + 1;
        context.set(total, number);
        let opened = context.get(open).copied().unwrap_or(0) + 1;
        if opened == 3 {
            context.clear(open);
        } else {
            context.set(open, opened);
        }
        let before = context.map(newest).insert(event.split as u64, Seq(event.seq));
        let Named(key) = context.key();
        let says_key = key[key.len() - 6..].parse() == Ok(event.key);
        let agree = says_key && opened % 3 == number % 3;
        let is_late = before.is_some_and(|before| before.0 >= event.seq);
        out.push((event.key, if agree { number } else { NEVER }));
        if is_late {
            out.push((event.key, LATE + number));
        }
        Ok(())
    })
}

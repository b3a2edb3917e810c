//! Operators over batches: what a user's `fold`, `dedup`, `window` and `process` become in a task.
//!
//! They know tables and records, and nothing of channels, barriers or threads.

use steadfast_core::message::Batch;
use steadfast_core::operator::Emission;

mod aggregate;
mod aggregates;
mod alike;
mod dedup;
#[cfg(test)]
mod driven;
mod emit;
mod in_time_order;
mod keyed_state;
mod pass_through;
mod process;
mod side;
mod timeline;
mod timers;
mod unkeyed_process;
mod unkeyed_state;
mod window;
mod windowed;

pub use aggregate::{Aggregate, Aggregation, Fold, TryFold};
pub use aggregates::{Average, Count, Max, Mean, Min, Sum, Top};
pub use dedup::{Dedup, Expiry};
pub use emit::Emit;
pub(crate) use emit::Group;
pub use in_time_order::InTimeOrder;
pub use keyed_state::{
    Declaring, KeyedContext, KeyedStates, List, ListState, Map, MapState, StateHandle, ValueState,
};
pub use pass_through::PassThrough;
pub use process::{Emitter, ForEachRecord, Process, ProcessFunction};
pub use side::Sided;
pub use timers::Clock;
pub use unkeyed_process::{ForEachUnkeyed, UnkeyedFunction, UnkeyedProcess};
pub use unkeyed_state::{
    Broadcast, BroadcastState, Split, SplitState, UnkeyedContext, UnkeyedStates,
};
pub use window::{Window, Windows};
pub use windowed::{Emitting, WindowResult, Windowed};

/// About so many results are emitted in one step.
const AT_ONCE: usize = 4096;

/// Lets groups of entries emit, one after the other from `next` on, as many as are enough for one step.
fn group_by_group<O>(
    next: &mut usize,
    groups: usize,
    out: &mut Batch<O>,
    mut emit: impl FnMut(usize, &mut Batch<O>),
) -> Emission {
    while *next < groups {
        emit(*next, out);
        *next += 1;
        if out.items.len() >= AT_ONCE {
            return Emission::More;
        }
    }
    *next = 0;
    Emission::Complete
}

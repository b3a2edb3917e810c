//! A function without keys is told of what comes and of the end, and its state outlives it.

use steadfast_core::key::{KeyHash, KeySpace};

use super::super::driven::Driven;
use super::super::{SplitState, UnkeyedStates};
use super::*;

/// Emits sums of three, and the rest at the end.
struct Threes(SplitState<i64>);

impl UnkeyedFunction<i64> for Threes {
    type Out = i64;

    fn on_record(
        &mut self,
        context: &mut UnkeyedContext<'_>,
        record: i64,
        out: &mut Emitter<'_, i64>,
    ) -> Result<(), UserError> {
        let mut waiting = context.split(self.0);
        waiting.push(record);
        if waiting.len() == 3 {
            out.push(waiting.iter().sum());
            waiting.clear();
        }
        Ok(())
    }

    fn on_end(
        &mut self,
        context: &mut UnkeyedContext<'_>,
        out: &mut Emitter<'_, i64>,
    ) -> Result<(), UserError> {
        out.push(context.split(self.0).iter().sum());
        Ok(())
    }
}

#[test]
fn what_waits_is_there_after_a_restart_and_the_end_is_told() {
    let make = || {
        let mut states = UnkeyedStates::new("threes", KeySpace { groups: 8, tasks: 1 }, 0);
        let waiting = states.split("waiting");
        UnkeyedProcess::new(states, Threes(waiting), true)
    };
    let mut driven = Driven::new(make, KeyHash::of);
    assert_eq!(driven.batch([(1, 10), (2, 20), (3, 30), (4, 40), (5, 50)]), [(6, 30)]);
    driven.barrier();
    driven.batch([(100, 60)]);
    driven.restart();
    driven.watermark(70);
    assert_eq!(driven.end(), [(9, 70)]);
    assert_eq!(
        driven.batch([(6, 80)]),
        [(15, 80)],
        "what has been told of stays until it is removed"
    );
}

#[test]
fn what_is_at_the_watermark_is_not_late() {
    let make = || {
        let mut states = UnkeyedStates::new("threes", KeySpace { groups: 8, tasks: 1 }, 0);
        let waiting = states.split("waiting");
        UnkeyedProcess::new(states, Threes(waiting), true)
    };
    let mut driven = Driven::new(make, KeyHash::of);
    driven.watermark(10);
    driven.batch([(1, 10), (2, 9)]);
    let mut late = 0;
    Operator::<i64>::counters(driven.operator(), &mut |_, _, count| late = count);
    assert_eq!(late, 1);
}

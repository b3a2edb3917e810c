//! A task's contents of a checkpoint: what both kinds of task do at a barrier.

use std::sync::{Arc, Weak};
use std::time::Duration;

use steadfast_checkpoint::snapshot::{ReadingTables, TaskSnapshot, ToWriter};
use steadfast_core::message::Barrier;
use steadfast_core::source::BadRecord;
use steadfast_core::state::FrozenTable;
use steadfast_core::time::Timestamp;
use steadfast_protocol::coordinator::TakenSplit;
use steadfast_protocol::manifest::Counters;

use crate::collector::{StageOutput, Staged};
use crate::context::TaskContext;
use crate::exchange::output::Output;

/// What a task has at a barrier.
#[derive(Default)]
pub(super) struct SnapshotContents {
    pub(super) tables: Vec<(String, Box<dyn FrozenTable>)>,
    pub(super) outputs: Vec<(String, Vec<u8>)>,
    pub(super) splits: Vec<TakenSplit>,
    /// How far event time has come, by the operator's or source's name.
    pub(super) watermark: Option<(String, Timestamp)>,
    pub(super) counters: Counters,
    pub(super) align: Duration,
    pub(super) sync: Duration,
}

impl SnapshotContents {
    /// Adds what the sinks at the end of the stage have staged.
    pub(super) fn add_outputs(&mut self, stage_output: &mut dyn StageOutput) {
        for staged in stage_output.staged(0) {
            self.count(&staged.sink, "records", staged.records);
            if !staged.bytes.is_empty() {
                self.outputs.push((staged.sink, staged.bytes));
            }
        }
    }

    pub(super) fn count(&mut self, operator: &str, name: &str, count: u64) {
        let counters = self.counters.entry(operator.to_string()).or_default();
        *counters.entry(name.to_string()).or_default() += count;
    }

    /// Sends it to the snapshot writer of the task's worker.
    pub(super) fn send(self, context: &TaskContext, barrier: Barrier) -> FrozenTables {
        let SnapshotContents { tables, outputs, splits, watermark, counters, align, sync } = self;
        let (task, checkpoint) = (context.id.clone(), barrier.checkpoint);
        let reading = Arc::new(ReadingTables::new(context.waker().clone()));
        let frozen = FrozenTables(Arc::downgrade(&reading));
        let snapshot = TaskSnapshot {
            task,
            checkpoint,
            tables,
            outputs,
            splits,
            watermark,
            counters,
            align,
            sync,
            reading,
        };
        context.writer().send(ToWriter::Snapshot(Box::new(snapshot)));
        frozen
    }
}

/// The tables of a task's last snapshot, which is perhaps still being written.
#[derive(Default)]
pub(super) struct FrozenTables(Weak<ReadingTables>);

impl FrozenTables {
    /// Whether a page that is written now may have to be copied.
    pub(super) fn are_read(&self) -> bool {
        self.0.strong_count() > 0
    }
}

/// Sends staged output ahead of its barrier where it is too much to keep.
pub(super) fn send_early_output(context: &TaskContext, stage_output: &mut dyn StageOutput) {
    stage_output
        .staged(context.services.limits.early_output_bytes)
        .into_iter()
        .for_each(|staged| send_output(context, staged));
}

/// The same for dead letters.
pub(super) fn send_early_dead_letters(context: &TaskContext, port: &mut dyn Output<BadRecord>) {
    if port.staged_bytes() >= context.services.limits.early_output_bytes {
        port.staged().into_iter().for_each(|staged| send_output(context, staged));
    }
}

fn send_output(context: &TaskContext, staged: Staged) {
    let Staged { sink, bytes, .. } = staged;
    let reservation = context.services.staged.reserve(bytes.len());
    context.writer().send(ToWriter::Output { task: context.id.clone(), sink, bytes, reservation });
}

/// Whether so much staged output is on its way to the store that the task must wait. It is woken when
/// there is less.
pub(super) fn is_backpressured(context: &TaskContext) -> bool {
    !context.services.staged.has_room(context.waker())
}

//! Which tasks of a process had to wait for room, and went on: told from what they say.
//!
//! What they wait for is told where only one of the limits is small.

use std::collections::BTreeSet;

use steadfast_checkpoint::limits::Limits;
use steadfast_core::machine::Progress;

use crate::observer::Observer;

/// See the module.
pub(super) struct Waiting<'a> {
    what: Option<&'static str>,
    blocked: BTreeSet<String>,
    observer: &'a Observer,
}

impl<'a> Waiting<'a> {
    /// Nobody waits yet.
    pub(super) fn new(limits: &Limits, observer: &'a Observer) -> Self {
        let usual = Limits::default();
        let channels = limits.channel_batches < usual.channel_batches;
        let in_flight = limits.in_flight_bytes < usual.in_flight_bytes
            && limits.heavy_poll_bytes < usual.heavy_poll_bytes;
        let staged = limits.staged_bytes < usual.staged_bytes
            && limits.early_output_bytes < usual.early_output_bytes;
        let unapplied = limits.unapplied_bytes < usual.unapplied_bytes;
        let copied = limits.copied_bytes < usual.copied_bytes;
        let small = [
            (channels, "full: a channel, and woken"),
            (in_flight, "full: the budget of records in flight, and woken"),
            (staged, "full: the budget of staged output, and woken"),
            (unapplied, "full: the output that waits for its target, and woken"),
            (copied, "full: the pages copied for a snapshot, and woken"),
        ];
        let mut what = small.into_iter().filter(|(small, _)| *small).map(|(_, what)| what);
        let what = what.next().filter(|_| what.next().is_none());
        Waiting { what, blocked: BTreeSet::new(), observer }
    }

    /// A machine was stepped.
    pub(super) fn stepped(&mut self, machine: String, progress: &Progress) {
        let Some(what) = self.what else { return };
        match progress {
            Progress::Blocked => drop(self.blocked.insert(machine)),
            Progress::Worked if self.blocked.remove(&machine) => {
                self.observer.count(what);
                self.what = None;
            }
            _ => {}
        }
    }
}

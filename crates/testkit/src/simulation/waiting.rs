//! Which tasks of a process had to wait for room, and went on: told from what they say.
//!
//! What they wait for is told where only one of the limits is small.

use std::collections::BTreeSet;

use steadfast_checkpoint::limits::Limits;
use steadfast_core::machine::Progress;

use crate::observer::Observer;
use crate::topologies::copies_on_write;

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

/// Which machines have copied state that a snapshot still reads, and may not go on before it is written.
#[derive(Default)]
pub(super) struct Copying {
    copies: u64,
    have_copied: BTreeSet<String>,
}

impl Copying {
    /// A machine was stepped, of a process in which nothing may be copied without waiting for it.
    pub(super) fn stepped(&mut self, machine: &str) -> Option<String> {
        let copies = copies_on_write();
        let has_copied = std::mem::replace(&mut self.copies, copies) < copies;
        if machine.starts_with("snapshot writer") {
            self.have_copied.clear();
        }
        let goes_on = has_copied && !self.have_copied.insert(machine.to_string());
        goes_on.then(|| format!("{machine} has copied state, and goes on to copy more"))
    }
}

//! A machine with its alarm, and whether its turn has come.

use std::sync::Arc;
use std::time::Duration;

use steadfast_core::Result;
use steadfast_core::machine::{Machine, Now, Progress};

use super::alarm::Alarm;
use crate::user_code::caught;

/// See the module.
pub struct Scheduled {
    machine: Box<dyn Machine>,
    alarm: Arc<Alarm>,
    rest: Rest,
}

/// What a machine waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// For nothing.
    None,
    /// For its alarm, or for a time.
    Until(Option<Duration>),
}

impl Scheduled {
    /// A machine that is to be stepped at once, and then whenever `alarm` rings.
    pub(crate) fn new(machine: Box<dyn Machine>, alarm: Arc<Alarm>) -> Self {
        Scheduled { machine, alarm, rest: Rest::None }
    }

    pub(super) fn name(&self) -> &str {
        self.machine.name()
    }

    pub(super) fn alarm(&self) -> &Arc<Alarm> {
        &self.alarm
    }

    /// Whether it is to be stepped.
    pub(crate) fn is_due(&self, now: Now) -> bool {
        self.alarm.has_rung()
            || match self.rest {
                Rest::None => true,
                Rest::Until(at) => at.is_some_and(|at| at <= now.monotonic),
            }
    }

    /// When it is to be stepped even if its alarm does not ring.
    pub(super) fn due_at(&self) -> Option<Duration> {
        match self.rest {
            Rest::None => Some(Duration::ZERO),
            Rest::Until(at) => at,
        }
    }

    /// Takes one step. A panic of user code becomes an error of the machine.
    pub(crate) fn step(&mut self, now: Now) -> Result<Progress> {
        self.alarm.clear();
        // A machine that panicked is never stepped again, so nobody sees it half changed.
        let result = caught(|| self.machine.step(now));
        let progress = result.map_err(|error| error.within(self.machine.name()))?;
        self.rest = match progress {
            Progress::Worked | Progress::Done => Rest::None,
            Progress::Idle(at) => Rest::Until(at),
            Progress::Blocked => Rest::Until(None),
        };
        Ok(progress)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use steadfast_core::time::Timestamp;

    use super::*;

    /// Something comes for it while it looks whether there is anything.
    struct Rung(Waker);

    impl Machine for Rung {
        fn name(&self) -> &str {
            "rung"
        }

        fn step(&mut self, _now: Now) -> Result<Progress> {
            self.0.wake_by_ref();
            Ok(Progress::Idle(None))
        }
    }

    #[test]
    fn what_rings_during_a_step_is_heard_after_it() {
        let alarm = Arc::<Alarm>::default();
        let mut scheduled = Scheduled::new(Box::new(Rung(alarm.waker())), alarm);
        let now = Now { monotonic: Duration::ZERO, wall: Timestamp(0) };
        assert_eq!(scheduled.step(now).unwrap(), Progress::Idle(None));
        assert!(scheduled.is_due(now));
    }
}

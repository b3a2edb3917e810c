//! What is late, since when, and for how long it is waited for.
//!
//! A checkpoint does not fail, it is late: calls to store and targets are repeated until they are answered.
//! People see it here; nothing else of the job changes but that it takes longer. It knows nothing of what
//! the calls are.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use steadfast_checkpoint::retry::{Late, Waiting};
use steadfast_core::time::Clock;

/// See the module.
pub struct Lateness {
    clock: Arc<dyn Clock>,
    give_up_after: Option<Duration>,
    on_wait: Option<OnWait>,
    state: Mutex<State>,
    given_up: Condvar,
}

#[derive(Default)]
struct State {
    /// How many calls are late now.
    calls: usize,
    /// Since when at least one is.
    since: Duration,
    error: String,
    retries: u64,
    /// Without what is late now.
    waited: Duration,
    is_given_up: bool,
}

/// Is told what is late, by whoever is about to wait for it.
pub type OnWait = Arc<dyn Fn(&LatenessReport) + Send + Sync>;

/// What there is to say about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatenessReport {
    /// What is late now, and for how long it has been.
    pub now: Option<(String, Duration)>,
    /// How often a call was repeated, since the attempt began.
    pub retries: u64,
    /// For how long at least one call was late, since the attempt began.
    pub waited: Duration,
}

impl Lateness {
    /// Nothing is late. A call that is not answered for `give_up_after` ends the attempt; none: it is
    /// waited for without end.
    pub fn new(clock: Arc<dyn Clock>, give_up_after: Option<Duration>) -> Self {
        let (state, given_up) = (Mutex::default(), Condvar::new());
        Lateness { clock, give_up_after, on_wait: None, state, given_up }
    }

    /// The same; `on_wait` is told before each wait.
    #[must_use]
    pub fn telling(self, on_wait: OnWait) -> Self {
        Lateness { on_wait: Some(on_wait), ..self }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody wants the answers any more: whoever waits, or will, gives up at once.
    pub fn give_up(&self) {
        self.state().is_given_up = true;
        self.given_up.notify_all();
    }

    /// What there is to say about it now.
    pub fn report(&self) -> LatenessReport {
        let state = self.state();
        let late = self.clock.monotonic().saturating_sub(state.since);
        let now = (state.calls > 0).then(|| (state.error.clone(), late));
        let waited = state.waited + now.as_ref().map_or(Duration::ZERO, |(_, late)| *late);
        LatenessReport { now, retries: state.retries, waited }
    }
}

impl Waiting for Lateness {
    fn now(&self) -> Duration {
        self.clock.monotonic()
    }

    fn wait(&self, late: &Late<'_>) -> bool {
        let mut state = self.state();
        let now = self.clock.monotonic();
        if late.attempts == 1 {
            if state.calls == 0 {
                state.since = late.since;
            }
            state.calls += 1;
        }
        state.error = late.error.to_string();
        let waited = now.saturating_sub(late.since);
        let left = self.give_up_after.map_or(late.pause, |most| most.saturating_sub(waited));
        if state.is_given_up || left.is_zero() {
            // The attempt ends: whatever else is asked while it does is asked once.
            state.is_given_up = true;
            self.given_up.notify_all();
            return false;
        }
        state.retries += 1;
        if let Some(on_wait) = &self.on_wait {
            drop(state);
            on_wait(&self.report());
            state = self.state();
        }
        let waited =
            self.given_up.wait_timeout_while(state, late.pause.min(left), |s| !s.is_given_up);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !state.is_given_up
    }

    fn is_over(&self) {
        let mut state = self.state();
        state.calls -= 1;
        if state.calls == 0 {
            let late = self.clock.monotonic().saturating_sub(state.since);
            state.waited += late;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use steadfast_checkpoint::retry::RetryPolicy;
    use steadfast_core::time::Timestamp;
    use steadfast_core::{Error, Result};

    use super::*;

    /// Goes on by a second whenever somebody looks.
    #[derive(Default)]
    struct Ticking(AtomicU64);

    impl Clock for Ticking {
        fn wall(&self) -> Timestamp {
            Timestamp(0)
        }
        fn monotonic(&self) -> Duration {
            Duration::from_secs(self.0.fetch_add(1, Ordering::SeqCst))
        }
    }

    fn policy(lateness: &Arc<Lateness>) -> RetryPolicy {
        let pause = Duration::from_micros(1);
        let policy = RetryPolicy::new(1, Arc::clone(lateness) as Arc<dyn Waiting>);
        RetryPolicy { first_pause: pause, longest_pause: pause, ..policy }
    }

    fn unavailable() -> Result<()> {
        Err(Error::unavailable("no answer"))
    }

    #[test]
    fn what_is_answered_late_costs_time_only_and_is_reported() {
        let lateness = Arc::new(Lateness::new(Arc::new(Ticking::default()), None));
        let mut calls = 0;
        let answer = policy(&lateness).ask(|| {
            calls += 1;
            if calls > 1 {
                let (error, _) = lateness.report().now.unwrap();
                assert!(error.contains("no answer"));
            }
            if calls < 5 { unavailable() } else { Ok(()) }
        });
        answer.unwrap();
        let LatenessReport { now, retries, waited } = lateness.report();
        assert_eq!((now, retries), (None, 4));
        assert!(waited >= Duration::from_secs(4));
    }

    #[test]
    fn a_call_is_given_up_when_its_time_is_over_and_not_before() {
        let most = Duration::from_secs(10);
        let lateness = Arc::new(Lateness::new(Arc::new(Ticking::default()), Some(most)));
        let mut calls = 0;
        let answer = policy(&lateness).ask(|| {
            calls += 1;
            unavailable()
        });
        assert!(answer.is_err());
        // The clock is looked at when the call was late first, and then before each wait.
        assert_eq!(calls, 10);
        assert!(lateness.report().now.is_none());
    }

    /// Asking the log what the error means would take as long again.
    #[test]
    fn once_a_call_was_given_up_nobody_waits_any_more() {
        let most = Duration::from_secs(10);
        let lateness = Arc::new(Lateness::new(Arc::new(Ticking::default()), Some(most)));
        assert!(policy(&lateness).ask(unavailable).is_err());
        let mut calls = 0;
        let answer = policy(&lateness).ask(|| {
            calls += 1;
            unavailable()
        });
        assert_eq!((answer.is_err(), calls), (true, 1));
    }

    #[test]
    fn whoever_waits_for_long_is_told_that_nobody_wants_the_answer() {
        let lateness = Arc::new(Lateness::new(Arc::new(Ticking::default()), None));
        let hour = Duration::from_secs(3600);
        let policy = RetryPolicy { first_pause: hour, longest_pause: hour, ..policy(&lateness) };
        std::thread::scope(|scope| {
            let asks = scope.spawn(|| policy.ask(unavailable));
            while lateness.report().now.is_none() {
                std::thread::yield_now();
            }
            lateness.give_up();
            assert!(asks.join().unwrap().is_err());
        });
    }
}

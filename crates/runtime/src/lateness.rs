//! What is late, since when, and for how long it is waited for.
//!
//! A checkpoint does not fail, it is late: calls to store and targets are repeated until they are answered.
//! People see it here; nothing else of the job changes but that it takes longer. It knows nothing of what
//! the calls are.

use std::collections::BTreeMap;
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
    /// The calls that have not been answered, with what is asked and since when.
    asked: BTreeMap<u64, (String, Duration)>,
    next_call: u64,
    retries: u64,
    /// Without what is late now.
    waited: Duration,
    is_given_up: bool,
    /// From then on nothing is waited for.
    until: Option<Duration>,
}

/// How long is waited for what is asked once the job is done.
const A_MOMENT: Duration = Duration::from_secs(1);

/// Is told what is late, by whoever is about to wait for it.
pub type OnWait = Arc<dyn Fn(&LatenessReport) + Send + Sync>;

/// What there is to say about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatenessReport {
    /// What is late now, and for how long it has been.
    pub now: Option<(String, Duration)>,
    /// What was asked first of all that has not answered, and for how long it has been.
    pub asked: Option<(String, Duration)>,
    /// How often a call was repeated, since the attempt began.
    pub retries: u64,
    /// For how long at least one call was late, since the attempt began.
    pub waited: Duration,
}

impl LatenessReport {
    /// What has been waited for longest, in words: a call that fails, or one that does not return.
    pub fn longest(&self) -> Option<(String, Duration)> {
        let age = |call: &Option<(String, Duration)>| call.as_ref().map(|(_, age)| *age);
        if age(&self.now) >= age(&self.asked) {
            return self.now.clone();
        }
        let (what, age) = self.asked.as_ref()?;
        Some((format!("{what} has not answered a call yet"), *age))
    }
}

impl Lateness {
    /// Nothing is late. A call that fails for `give_up_after` ends the attempt; none: it is waited for
    /// without end. It is made twice at least, however long it takes to fail.
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
        let time = self.clock.monotonic();
        let now =
            (state.calls > 0).then(|| (state.error.clone(), time.saturating_sub(state.since)));
        let asked = state.asked.values().min_by_key(|(_, since)| *since);
        let asked = asked.map(|(what, since)| (what.clone(), time.saturating_sub(*since)));
        let waited = state.waited + now.as_ref().map_or(Duration::ZERO, |(_, late)| *late);
        LatenessReport { now, asked, retries: state.retries, waited }
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
        // The first failure may have taken longer than all patience.
        let waited =
            if late.attempts == 1 { Duration::ZERO } else { now.saturating_sub(late.failed) };
        let left = self.give_up_after.map_or(late.pause, |most| most.saturating_sub(waited));
        let left = state.until.map_or(left, |until| left.min(until.saturating_sub(now)));
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

    fn is_asked(&self, what: &str, since: Duration) -> u64 {
        let mut state = self.state();
        let call = state.next_call;
        state.next_call += 1;
        state.asked.insert(call, (what.to_string(), since));
        call
    }

    fn is_answered(&self, call: u64) {
        self.state().asked.remove(&call);
    }

    fn hurry(&self) {
        let until = self.clock.monotonic() + A_MOMENT;
        self.state().until.get_or_insert(until);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use steadfast_checkpoint::retry::{RetryPolicy, RetryingStore};
    use steadfast_checkpoint::store::MemoryStore;
    use steadfast_core::store::{Put, Store};
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
        let answer = policy(&lateness).ask("it", || {
            calls += 1;
            if calls > 1 {
                let (error, _) = lateness.report().now.unwrap();
                assert!(error.contains("no answer"));
            }
            if calls < 5 { unavailable() } else { Ok(()) }
        });
        answer.unwrap();
        let LatenessReport { now, asked, retries, waited } = lateness.report();
        assert_eq!((now, asked, retries), (None, None, 4));
        assert!(waited >= Duration::from_secs(4));
    }

    #[test]
    fn a_call_is_given_up_when_its_time_is_over_and_not_before() {
        let most = Duration::from_secs(10);
        let lateness = Arc::new(Lateness::new(Arc::new(Ticking::default()), Some(most)));
        let mut calls = 0;
        let answer = policy(&lateness).ask("it", || {
            calls += 1;
            unavailable()
        });
        assert!(answer.is_err());
        // The clock is looked at when the call was late first, and then before each wait.
        assert_eq!(calls, 10);
        assert!(lateness.report().now.is_none());
    }

    /// A glitch of a target whose answers take long is a glitch.
    #[test]
    fn a_call_that_takes_longer_than_all_patience_is_made_again() {
        let clock = Arc::new(Ticking::default());
        let most = Some(Duration::from_secs(10));
        let lateness = Arc::new(Lateness::new(Arc::clone(&clock) as _, most));
        let mut calls = 0;
        let mut ask = |failures: u64| {
            let asked = calls;
            let answer = policy(&lateness).ask("it", || {
                calls += 1;
                clock.0.fetch_add(60, Ordering::SeqCst);
                if calls - asked > failures { Ok(()) } else { unavailable() }
            });
            (answer.is_ok(), calls - asked)
        };
        assert_eq!(ask(1), (true, 2));
        assert_eq!(ask(9), (false, 2));
    }

    #[test]
    fn a_call_that_does_not_return_is_told() {
        let lateness = Arc::new(Lateness::new(Arc::new(Ticking::default()), None));
        let store = MemoryStore::new();
        store.put_if_absent("a", b"1").unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let watched = Watched { store, lateness: Arc::clone(&lateness), told: Arc::clone(&told) };
        let store = RetryingStore::new(Arc::new(watched), policy(&lateness));
        assert_eq!(store.get("a").unwrap().as_deref(), Some(&b"1"[..]));
        let told = told.lock().unwrap();
        let (what, since) = told.first().and_then(LatenessReport::longest).unwrap();
        assert_eq!(what, "the store memory has not answered a call yet");
        assert!(since >= Duration::from_secs(60), "{since:?}");
        assert_eq!(lateness.report().longest(), None, "it has answered");
    }

    /// A store that takes a minute to answer, and takes note of what is said meanwhile.
    struct Watched {
        store: MemoryStore,
        lateness: Arc<Lateness>,
        told: Arc<Mutex<Vec<LatenessReport>>>,
    }

    impl Store for Watched {
        fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
            self.store.put_if_absent(name, bytes)
        }
        fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
            let ticks = (0..60).map(|_| self.lateness.clock.monotonic());
            assert_eq!(ticks.count(), 60);
            self.told.lock().unwrap().push(self.lateness.report());
            self.store.get(name)
        }
        fn list(&self, prefix: &str) -> Result<Vec<String>> {
            self.store.list(prefix)
        }
        fn delete(&self, name: &str) -> Result<()> {
            self.store.delete(name)
        }
        fn describe(&self) -> String {
            self.store.describe()
        }
    }

    /// What cannot be deleted at the end of a job must not keep it from ending.
    #[test]
    fn whoever_is_in_a_hurry_does_not_wait_for_long() {
        let lateness = Arc::new(Lateness::new(Arc::new(Ticking::default()), None));
        lateness.hurry();
        assert!(policy(&lateness).ask("it", unavailable).is_err());
    }

    /// Asking the log what the error means would take as long again.
    #[test]
    fn once_a_call_was_given_up_nobody_waits_any_more() {
        let most = Duration::from_secs(10);
        let lateness = Arc::new(Lateness::new(Arc::new(Ticking::default()), Some(most)));
        assert!(policy(&lateness).ask("it", unavailable).is_err());
        let mut calls = 0;
        let answer = policy(&lateness).ask("it", || {
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
            let asks = scope.spawn(|| policy.ask("it", unavailable));
            while lateness.report().now.is_none() {
                std::thread::yield_now();
            }
            lateness.give_up();
            assert!(asks.join().unwrap().is_err());
        });
    }
}

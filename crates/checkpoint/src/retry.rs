//! What is done about an outside system that does not answer: it is asked again, for stores and targets
//! alike.
//!
//! Every verb of both may be repeated, so the only question is for how long. It is asked on the thread of
//! a service, never on a worker. Only [`ErrorKind::Unavailable`] is waited out; whatever says that waiting
//! will not help ends the attempt at once. `docs/errors.md` says which is which.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use steadfast_core::store::{Put, Store};
use steadfast_core::{Error, ErrorKind, Result};

/// How patient to be.
#[derive(Clone)]
pub struct RetryPolicy {
    /// About the first pause; each one is twice as long as the one before,
    pub first_pause: Duration,
    /// but no longer than this. All of them are made a little longer at random, so that many processes
    /// do not ask at the same time.
    pub longest_pause: Duration,
    /// Decides what is random.
    pub seed: u64,
    /// Who waits.
    pub waiting: Arc<dyn Waiting>,
}

/// A call that has not been answered.
pub struct Late<'a> {
    /// What it said the last time.
    pub error: &'a Error,
    /// How often it was made.
    pub attempts: u32,
    /// When it was made for the first time, by [`Waiting::now`].
    pub since: Duration,
    /// When it failed for the first time: before that there was nothing to be patient with.
    pub failed: Duration,
    /// For how long to wait.
    pub pause: Duration,
}

/// Waits between two attempts at a call, and decides when to give up.
pub trait Waiting: Send + Sync {
    /// The time, by some clock.
    fn now(&self) -> Duration;

    /// Waits. False if the call is to be given up.
    fn wait(&self, late: &Late<'_>) -> bool;

    /// A call that was late has been answered or given up.
    fn is_over(&self) {}

    /// `what` is about to be asked, at the time `since`. Returns a number for [`Waiting::is_answered`].
    fn is_asked(&self, _what: &str, _since: Duration) -> u64 {
        0
    }

    /// A call has been answered or given up.
    fn is_answered(&self, _call: u64) {}

    /// The job has come to its end: what is asked from now on is waited for only for a moment.
    fn hurry(&self) {}
}

/// Gives up at once.
#[cfg(test)]
struct Never;

#[cfg(test)]
impl Waiting for Never {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn wait(&self, _late: &Late<'_>) -> bool {
        false
    }
}

impl RetryPolicy {
    /// With pauses from 20 milliseconds to 10 seconds.
    pub fn new(seed: u64, waiting: Arc<dyn Waiting>) -> Self {
        let (first_pause, longest_pause) = (Duration::from_millis(20), Duration::from_secs(10));
        RetryPolicy { first_pause, longest_pause, seed, waiting }
    }

    /// Never asks again.
    #[cfg(test)]
    pub(crate) fn never() -> Self {
        Self::new(0, Arc::new(Never))
    }

    /// Makes a call to `what` until it is answered or given up.
    ///
    /// # Errors
    /// The last one of the call.
    pub fn ask<T>(&self, what: &str, call: impl FnMut() -> Result<T>) -> Result<T> {
        // A call may take long until it fails, and may not return at all: that is told, too.
        let since = self.waiting.now();
        let number = self.waiting.is_asked(what, since);
        let answer = self.ask_since(what, since, call);
        self.waiting.is_answered(number);
        answer
    }

    fn ask_since<T>(
        &self,
        what: &str,
        since: Duration,
        mut call: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        let first = match call() {
            Err(error) if error.kind() == ErrorKind::Unavailable => error,
            answer => return answer,
        };
        let answer = self.ask_again(what, first, since, call);
        self.waiting.is_over();
        answer
    }

    #[cold]
    fn ask_again<T>(
        &self,
        what: &str,
        mut error: Error,
        since: Duration,
        mut call: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        let pauses = ExponentialBuilder::new()
            .with_min_delay(self.first_pause)
            .with_max_delay(self.longest_pause)
            .with_jitter()
            .with_jitter_seed(self.seed)
            .without_max_times()
            .build();
        let pauses = pauses.chain(std::iter::repeat(self.longest_pause));
        let failed = self.waiting.now();
        for (attempts, pause) in (1..).zip(pauses) {
            tell_failed(what, attempts, pause, &error);
            if !self.waiting.wait(&Late { error: &error, attempts, since, failed, pause }) {
                break;
            }
            error = match call() {
                Err(error) if error.kind() == ErrorKind::Unavailable => error,
                answer => {
                    tell_answered(what, attempts + 1);
                    return answer;
                }
            };
        }
        tell_given_up(what, &error);
        Err(error)
    }
}

fn tell_failed(asked: &str, attempt: u32, pause: Duration, error: &Error) {
    let (wait_ms, error) = (pause.as_millis() as u64, error.message());
    let text = "a call was not answered, and is made again after the wait";
    tracing::info!(name: "call_failed", asked, attempt, wait_ms, error = %error, "{text}");
}

fn tell_answered(asked: &str, attempts: u32) {
    tracing::info!(name: "call_answered", asked, attempts, "answered again");
}

fn tell_given_up(asked: &str, error: &Error) {
    tracing::warn!(
        name: "call_given_up",
        asked,
        error = %error.message(),
        "a call is not made again: its time is over, or the run has ended"
    );
}

/// A store that is asked again when it did not answer.
pub struct RetryingStore {
    store: Arc<dyn Store>,
    /// What it is called where it is waited for.
    name: String,
    policy: RetryPolicy,
}

impl RetryingStore {
    /// Wraps `store`.
    pub fn new(store: Arc<dyn Store>, policy: RetryPolicy) -> Self {
        let name = format!("the store {}", store.describe());
        RetryingStore { store, name, policy }
    }
}

impl Store for RetryingStore {
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        self.policy.ask(&self.name, || self.store.put_if_absent(name, bytes))
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.policy.ask(&self.name, || self.store.get(name))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        self.policy.ask(&self.name, || self.store.list(prefix))
    }

    fn delete(&self, name: &str) -> Result<()> {
        self.policy.ask(&self.name, || self.store.delete(name))
    }

    fn describe(&self) -> String {
        self.store.describe()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::heard::hear;
    use crate::store::MemoryStore;

    /// Gives up after so many attempts, and writes down the pauses.
    #[derive(Default)]
    struct Impatient {
        most: u32,
        pauses: Mutex<Vec<Duration>>,
        over: AtomicU32,
    }

    impl Waiting for Impatient {
        fn now(&self) -> Duration {
            Duration::ZERO
        }
        fn wait(&self, late: &Late<'_>) -> bool {
            self.pauses.lock().unwrap().push(late.pause);
            late.attempts < self.most
        }
        fn is_over(&self) {
            self.over.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn impatient(most: u32) -> (Arc<Impatient>, RetryPolicy) {
        let waiting = Arc::new(Impatient { most, ..Impatient::default() });
        (Arc::clone(&waiting), RetryPolicy::new(7, waiting))
    }

    /// Carries out every call, and does not answer the first two.
    struct Flaky(MemoryStore, AtomicU32);

    impl Flaky {
        fn answer<T>(&self, answer: Result<T>) -> Result<T> {
            let calls = self.1.fetch_add(1, Ordering::Relaxed);
            if calls % 3 < 2 { Err(Error::unavailable("no answer")) } else { answer }
        }
    }

    impl Store for Flaky {
        fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
            self.answer(self.0.put_if_absent(name, bytes))
        }
        fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
            self.answer(self.0.get(name))
        }
        fn list(&self, prefix: &str) -> Result<Vec<String>> {
            self.answer(self.0.list(prefix))
        }
        fn delete(&self, name: &str) -> Result<()> {
            self.answer(self.0.delete(name))
        }
        fn describe(&self) -> String {
            "flaky".into()
        }
    }

    fn flaky() -> Arc<Flaky> {
        Arc::new(Flaky(MemoryStore::new(), AtomicU32::new(0)))
    }

    #[test]
    fn patience_is_rewarded_and_ends() {
        let (waiting, policy) = impatient(3);
        let store = RetryingStore::new(flaky(), policy);
        // The put took effect the first time, only its answer was lost: callers must expect this.
        assert_eq!(store.put_if_absent("a", b"1").unwrap(), Put::AlreadyExists);
        assert_eq!(store.get("a").unwrap().as_deref(), Some(&b"1"[..]));
        assert_eq!(waiting.over.load(Ordering::Relaxed), 2, "each wait is over once");
        let store = RetryingStore::new(flaky(), impatient(2).1);
        assert!(store.get("a").is_err());
    }

    #[test]
    fn pauses_grow_to_the_longest_and_stay_there() {
        let (waiting, policy) = impatient(30);
        let _ = policy.ask::<()>("it", || Err(Error::unavailable("no answer")));
        let pauses = waiting.pauses.lock().unwrap();
        assert_eq!(pauses.len(), 30);
        assert!(pauses[0] >= policy.first_pause && pauses[0] <= policy.first_pause * 2);
        assert!(pauses.windows(2).take(6).all(|pair| pair[1] > pair[0]), "{pauses:?}");
        assert!(pauses[20..].iter().all(|pause| *pause >= policy.longest_pause), "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause <= policy.longest_pause * 2), "{pauses:?}");
    }

    #[test]
    fn each_wait_and_its_end_are_told_and_nothing_of_what_is_answered_at_once() {
        let store = || RetryingStore::new(flaky(), impatient(3).1);
        let (answer, heard) = hear(|| store().get("a"));
        assert!(answer.is_ok());
        let told = heard.iter().map(|heard| heard.all(["event", "asked", "attempt", "attempts"]));
        let asked = "the store flaky";
        let failed = |attempt| ["call_failed", asked, attempt, ""];
        assert!(told.eq([failed("1"), failed("2"), ["call_answered", asked, "", "3"]]));
        assert_eq!(heard[0].get("error"), "no answer");
        assert!(heard[0].get("wait_ms").parse::<u64>().unwrap() >= 20);

        let (_, heard) = hear(|| RetryingStore::new(flaky(), impatient(1).1).get("a"));
        let [_, given_up] = &heard[..] else { panic!("{heard:?}") };
        assert_eq!(given_up.all(["event", "level"]), ["call_given_up", "WARN"]);
        let (_, heard) =
            hear(|| RetryingStore::new(Arc::new(MemoryStore::new()), impatient(1).1).get("a"));
        assert!(heard.is_empty(), "{heard:?}");
    }

    #[test]
    fn what_waiting_cannot_mend_is_not_waited_for() {
        for kind in [ErrorKind::Configuration, ErrorKind::Damaged, ErrorKind::Fenced] {
            let (waiting, policy) = impatient(30);
            let answer = policy.ask::<()>("it", || Err(Error::new(kind, "no")));
            assert_eq!(answer.unwrap_err().kind(), kind);
            assert!(waiting.pauses.lock().unwrap().is_empty());
        }
    }
}

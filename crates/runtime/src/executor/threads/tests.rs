//! What `Threads` promises: who is woken is stepped, who is not is found by the watchdog only, and an
//! error ends everybody.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use steadfast_checkpoint::mailbox::Mailbox;
use steadfast_core::machine::Machine;
use steadfast_core::time::{Clock, Timestamp};
use tracing::span::Id;
use tracing::{Dispatch, Event, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use super::*;
use crate::executor::Alarm;

/// A clock that stands still: nobody may be woken by time.
struct Stopped;

impl Clock for Stopped {
    fn wall(&self) -> Timestamp {
        Timestamp(0)
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

/// A clock that goes on by a second whenever somebody looks.
#[derive(Default)]
struct Running(AtomicU64);

impl Clock for Running {
    fn wall(&self) -> Timestamp {
        Timestamp(0)
    }
    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.fetch_add(1, Ordering::SeqCst))
    }
}

type Step = Box<dyn FnMut() -> Result<Progress> + Send>;

struct Scripted {
    name: &'static str,
    step: Step,
}

impl Machine for Scripted {
    fn name(&self) -> &str {
        self.name
    }
    fn step(&mut self, _now: Now) -> Result<Progress> {
        (self.step)()
    }
}

fn scheduled(name: &'static str, alarm: &Arc<Alarm>, step: Step) -> Scheduled {
    Scheduled::new(Box::new(Scripted { name, step }), Arc::clone(alarm))
}

fn idle(name: &'static str) -> Scheduled {
    scheduled(name, &Arc::default(), Box::new(|| Ok(Progress::Idle(None))))
}

/// So many numbers go to and fro between two machines; then the second, which leads, is done.
fn to_and_fro(rounds: u64) -> TaskSet {
    let (here, there) = (Arc::<Alarm>::default(), Arc::<Alarm>::default());
    let (to_here, to_there) =
        (Mailbox::<u64>::new(here.waker()), Mailbox::<u64>::new(there.waker()));
    to_here.send(0);
    let (inbox, other) = (to_here.clone(), to_there.clone());
    let worker = scheduled(
        "worker",
        &here,
        Box::new(move || match inbox.take() {
            None => Ok(Progress::Idle(None)),
            Some(number) => {
                other.send(number + 1);
                Ok(if number + 1 < rounds { Progress::Worked } else { Progress::Done })
            }
        }),
    );
    let coordinator = scheduled(
        "coordinator",
        &there,
        Box::new(move || match to_there.take() {
            None => Ok(Progress::Idle(None)),
            Some(number) if number >= rounds => Ok(Progress::Done),
            Some(number) => {
                to_here.send(number);
                Ok(Progress::Worked)
            }
        }),
    );
    TaskSet {
        workers: vec![vec![idle_and_done(), worker]],
        writers: vec![idle("writer")],
        committer: idle("committer"),
        coordinator,
    }
}

/// A task that has nothing to do and is done at once.
fn idle_and_done() -> Scheduled {
    scheduled("done", &Arc::default(), Box::new(|| Ok(Progress::Done)))
}

/// Runs it on a thread, so that a test ends even if it hangs.
fn run(task_set: TaskSet, clock: Arc<dyn Clock>, watchdog: &Arc<Watchdog>) -> Option<Result<()>> {
    run_in(Span::none(), task_set, clock, watchdog)
}

/// The same, with a span for each thread.
fn run_in(
    span: Span,
    task_set: TaskSet,
    clock: Arc<dyn Clock>,
    watchdog: &Arc<Watchdog>,
) -> Option<Result<()>> {
    let (sender, receiver): (Sender<Result<()>>, Receiver<Result<()>>) = channel();
    let watchdog = Arc::clone(watchdog);
    let run = move || {
        let threads = Threads { clock: &*clock, watchdog: &watchdog, on_failure: &|| (), span };
        let _ = sender.send(threads.run(task_set));
    };
    std::thread::Builder::new().spawn(run).unwrap();
    receiver.recv_timeout(Duration::from_secs(60)).ok()
}

#[test]
fn whoever_is_sent_something_is_stepped_and_nobody_waits_for_the_watchdog() {
    let watchdog = Arc::new(Watchdog::default());
    // The clock stands still, so the watchdog never looks: every wake-up counts.
    let ended = run(to_and_fro(10_000), Arc::new(Stopped), &watchdog);
    ended.expect("a wake-up is missing: it hangs").unwrap();
    assert_eq!(watchdog.found(), 0);
}

#[test]
fn what_nobody_has_woken_is_found_by_the_watchdog_and_counted() {
    let mut steps = 0;
    // It finds work at its second step, though nobody has woken it.
    let asleep = scheduled(
        "asleep",
        &Arc::default(),
        Box::new(move || {
            steps += 1;
            Ok(if steps == 1 { Progress::Idle(None) } else { Progress::Done })
        }),
    );
    let task_set = TaskSet {
        workers: Vec::new(),
        writers: Vec::new(),
        committer: idle("committer"),
        coordinator: asleep,
    };
    let watchdog = Arc::new(Watchdog::new(Duration::from_millis(20)));
    run(task_set, Arc::new(Running::default()), &watchdog)
        .expect("the watchdog has not looked")
        .unwrap();
    assert_eq!((watchdog.found(), watchdog.last().as_deref()), (1, Some("asleep")));
}

#[test]
fn an_error_ends_everybody_whoever_sleeps_included() {
    let fails =
        scheduled("fails", &Arc::default(), Box::new(|| Err(Error::user_code("it does not work"))));
    let task_set = TaskSet {
        workers: vec![vec![idle("first")], vec![fails]],
        writers: vec![idle("writer"), idle("writer")],
        committer: idle("committer"),
        coordinator: idle("coordinator"),
    };
    let ended = run(task_set, Arc::new(Stopped), &Arc::default());
    let error = ended.expect("somebody sleeps on").unwrap_err();
    assert!(error.to_string().contains("it does not work"), "{error}");
}

#[test]
fn a_panic_is_an_error_of_the_machine() {
    let panics = scheduled("total", &Arc::default(), Box::new(|| panic!("7 is no prime")));
    let task_set = TaskSet {
        workers: vec![vec![panics]],
        writers: Vec::new(),
        committer: idle("committer"),
        coordinator: idle("coordinator"),
    };
    let error = run(task_set, Arc::new(Stopped), &Arc::default()).expect("it hangs").unwrap_err();
    let error = error.to_string();
    assert!(error.contains("total") && error.contains("7 is no prime"), "{error}");
}

#[test]
fn what_was_sent_before_the_end_is_seen_after_it() {
    // The leader sends and is done: the committer still takes what it was sent.
    let alarm = Arc::<Alarm>::default();
    let inbox = Mailbox::<u64>::new(alarm.waker());
    let (taken, to_committer) = (Arc::new(AtomicU64::new(0)), inbox.clone());
    let count = Arc::clone(&taken);
    let committer = scheduled(
        "committer",
        &alarm,
        Box::new(move || match inbox.take() {
            None => Ok(Progress::Idle(None)),
            Some(number) => {
                count.fetch_add(number, Ordering::SeqCst);
                Ok(Progress::Worked)
            }
        }),
    );
    let coordinator = scheduled(
        "coordinator",
        &Arc::default(),
        Box::new(move || {
            (0..100).for_each(|_| to_committer.send(1));
            Ok(Progress::Done)
        }),
    );
    let task_set = TaskSet { workers: Vec::new(), writers: Vec::new(), committer, coordinator };
    run(task_set, Arc::new(Stopped), &Arc::default()).expect("it hangs").unwrap();
    assert_eq!(taken.load(Ordering::SeqCst), 100);
}

/// Notes on which threads spans are entered, and which events are told.
#[derive(Clone, Default)]
struct Noting(Arc<Mutex<BTreeSet<String>>>);

impl<S: Subscriber> Layer<S> for Noting {
    fn on_enter(&self, _span: &Id, _context: Context<'_, S>) {
        let name = std::thread::current().name().unwrap_or_default().to_string();
        self.0.lock().unwrap().insert(name);
    }

    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        self.0.lock().unwrap().insert(event.metadata().name().to_string());
    }
}

/// Notes on this thread, until what is returned is dropped.
fn listen(noting: &Noting) -> impl Sized {
    // With one subscriber alone, what another thread tells first would count as wanted by nobody.
    static ANOTHER: OnceLock<Dispatch> = OnceLock::new();
    ANOTHER.get_or_init(|| Dispatch::new(Registry::default()));
    Registry::default().with(noting.clone()).set_default()
}

#[test]
fn each_thread_is_in_the_span_of_the_run() {
    let noting = Noting::default();
    let listening = listen(&noting);
    let span = tracing::error_span!("run");
    drop(listening);
    let watchdog = Arc::new(Watchdog::default());
    run_in(span, to_and_fro(1), Arc::new(Stopped), &watchdog).unwrap().unwrap();
    let threads = noting.0.lock().unwrap();
    assert!(threads.iter().eq(["committer", "coordinator", "worker-0", "writer-0"]), "{threads:?}");
}

#[test]
fn what_the_watchdog_finds_is_told() {
    let noting = Noting::default();
    let listening = listen(&noting);
    let watchdog = Watchdog::default();
    let now = Now { monotonic: Duration::ZERO, wall: Timestamp(0) };
    let look = |progress: Progress| {
        let asleep = Box::new(move || Ok(progress));
        watchdog.look(&mut scheduled("asleep", &Arc::default(), asleep), now).unwrap();
        noting.0.lock().unwrap().len()
    };
    assert_eq!(look(Progress::Idle(None)), 0);
    assert_eq!(look(Progress::Worked), 1);
    assert!(noting.0.lock().unwrap().contains("missed_wakeup"));
    drop(listening);
}

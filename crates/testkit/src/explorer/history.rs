//! What a process does, given the answers it gets: found out once for each sequence of answers, by
//! running the real process, and remembered.
//!
//! A process depends on nothing but its answers, so where it stands after a history needs no second
//! run, whatever others did meanwhile. A process that is asked for what it does next after a new
//! history is run from its beginning: the answers of the history are repeated to it, and from there
//! on it runs, undisturbed and speculatively, on a copy of the environment to its end. Everything it
//! does is remembered, because to go on undisturbed is what comes next most often.
//!
//! Two histories count as one in two cases. Where a call's answer was lost and the process makes the
//! same call again at once: what repeats calls keeps nothing of them but their number, which is bounded
//! far above the number of answers that are lost. And where a put was answered that there is such an
//! object already, which is (or was read, and is) the very one that was put, and where the process from there on
//! does to its end what it does when it is answered that the put has created it.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use steadfast_core::store::Put;

use crate::baton::{CallFailure, ProcessId};
use crate::environment::{Answer, Courier, Environment, Fingerprint, Object, Request};

use super::job::{Exit, ExploredJob, Start};

/// An undisturbed process that calls more often than this does not end.
const MOST_CALLS: usize = 5_000;

/// What a process is told.
pub type Reply = Result<Answer, CallFailure>;

/// Where a process stands after a history.
pub struct Place {
    /// Which process.
    pub process: ProcessId,
    /// Equal for histories that are the same.
    pub print: Fingerprint,
    /// What comes next.
    pub next: Next,
    /// Of the request that comes next.
    request_print: Fingerprint,
    came_by: Option<(Weak<Place>, Reply)>,
    followers: Mutex<Vec<(Fingerprint, Arc<Place>)>>,
}

/// What comes next.
pub enum Next {
    /// It asks.
    Ask(Request),
    /// It has ended.
    Ended(Exit),
}

impl Place {
    /// Whether the process has not begun.
    pub fn is_beginning(&self) -> bool {
        self.came_by.is_none()
    }

    /// What it asks next; none if it has ended.
    pub fn request(&self) -> Option<&Request> {
        match &self.next {
            Next::Ask(request) => Some(request),
            Next::Ended(_) => None,
        }
    }

    /// How it has ended, if it has.
    pub fn exit(&self) -> Option<&Exit> {
        match &self.next {
            Next::Ended(exit) => Some(exit),
            Next::Ask(_) => None,
        }
    }

    /// Whether it asks for just this object to be put.
    fn puts(&self, wanted: &str, found: &Object) -> bool {
        matches!(self.request(), Some(Request::Put { name, object, .. })
            if **name == *wanted && object.print == found.print)
    }

    fn followers(&self) -> MutexGuard<'_, Vec<(Fingerprint, Arc<Place>)>> {
        self.followers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn follower(&self, reply: Fingerprint) -> Option<Arc<Place>> {
        self.followers().iter().find(|(print, _)| *print == reply).map(|(_, p)| Arc::clone(p))
    }

    /// All replies from the beginning up to here, each with the fingerprint of what was asked.
    fn replies(&self) -> Vec<(Fingerprint, Reply)> {
        let mut replies = Vec::new();
        let mut before = self.came_by.clone();
        while let Some((place, reply)) = before {
            let Some(place) = place.upgrade() else { break };
            replies.push((place.request_print, reply));
            before = place.came_by.clone();
        }
        replies.reverse();
        replies
    }
}

fn print_of(reply: &Reply) -> Fingerprint {
    match reply {
        Ok(answer) => answer.print(),
        Err(failure) => {
            let mut print = Fingerprint::default();
            print.add(100 + *failure as u64);
            print
        }
    }
}

/// What one process does, whatever it is told.
pub struct Histories {
    job: ExploredJob,
    process: ProcessId,
    start: Start,
    /// Whether histories after which the process does the same count as one.
    joins: bool,
    beginning: OnceLock<Arc<Place>>,
    /// How often the process was run.
    runs: Mutex<u64>,
}

impl Histories {
    /// Nothing is known yet. `joins` says whether repeated puts are taken for what they repeat.
    pub fn new(job: ExploredJob, process: ProcessId, start: Start, joins: bool) -> Self {
        let (beginning, runs) = (OnceLock::new(), Mutex::new(0));
        Histories { job, process, start, joins, beginning, runs }
    }

    /// How often the process was run.
    pub fn runs(&self) -> u64 {
        *self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the process begins.
    pub fn beginning(&self) -> Arc<Place> {
        let begin = || {
            let mut steps = self.record(Vec::new(), &Environment::default());
            let next = if steps.asked.is_empty() {
                Next::Ended(steps.exit)
            } else {
                Next::Ask(steps.asked.remove(0).0)
            };
            self.place(None, next)
        };
        Arc::clone(self.beginning.get_or_init(begin))
    }

    /// Where the process stands when it was killed.
    pub fn crashed(&self) -> Arc<Place> {
        let beginning = self.beginning();
        self.place(Some((&beginning, Err(CallFailure::Dead))), Next::Ended(Exit::Crashed))
    }

    /// Where the process stands when it has been told `reply` at `place`. `environment` is what it
    /// will find if nobody comes in between.
    pub fn after(&self, place: &Arc<Place>, reply: Reply, environment: &Environment) -> Arc<Place> {
        let print = print_of(&reply);
        if let Some(known) = place.follower(print) {
            return known;
        }
        let mut replies = place.replies();
        replies.push((place.request_print, reply.clone()));
        let steps = self.record(replies, environment);
        let first = steps.asked.first().map(|(request, _)| request.print());
        if reply.is_err() && first == Some(place.request_print) {
            place.followers().push((print, Arc::clone(place)));
            return Arc::clone(place);
        }
        let (mut at, mut by) = (Arc::clone(place), reply);
        let mut found = None;
        let mut environment = environment.clone();
        for (number, (request, answer)) in steps.asked.iter().enumerate() {
            let rest = Undisturbed { asked: &steps.asked[number..], exit: &steps.exit };
            at = match self.as_if_created(&at, &by, rest, &environment) {
                Some(same) => join(&at, &by, &same),
                None => self.follow(&at, by, Next::Ask(request.clone())),
            };
            found.get_or_insert_with(|| Arc::clone(&at));
            environment.perform(request);
            by = Ok(answer.clone());
        }
        let last = self.follow(&at, by, Next::Ended(steps.exit));
        found.unwrap_or(last)
    }

    /// The place in which the process stands as it would if the put that it has just repeated had
    /// created the object, if it goes on from here as it would from there.
    fn as_if_created(
        &self,
        at: &Arc<Place>,
        by: &Reply,
        rest: Undisturbed<'_>,
        environment: &Environment,
    ) -> Option<Arc<Place>> {
        let put = match by {
            Ok(Answer::Put(Put::AlreadyExists)) => Arc::clone(at),
            Ok(Answer::Get(Some(found))) => {
                let (put, reply) = at.came_by.as_ref()?;
                let put = put.upgrade()?;
                let read = matches!(at.request()?, Request::Get { name } if put.puts(name, found));
                let repeated = matches!(reply, Ok(Answer::Put(Put::AlreadyExists)));
                (read && repeated).then_some(put)?
            }
            _ => return None,
        };
        if !self.joins {
            return None;
        }
        let Request::Put { name, object, .. } = put.request()? else { return None };
        let there = environment.objects().find(|(other, _)| *other == name);
        if there.is_none_or(|(_, there)| there.print != object.print) {
            return None;
        }
        let created = self.after(&put, Ok(Answer::Put(Put::Created)), environment);
        self.goes_on(&created, rest, environment.clone()).then_some(created)
    }

    /// Whether the process does just this if it goes on undisturbed.
    fn goes_on(
        &self,
        from: &Arc<Place>,
        undisturbed: Undisturbed<'_>,
        mut environment: Environment,
    ) -> bool {
        let mut at = Arc::clone(from);
        for (request, _) in undisturbed.asked {
            if at.request().is_none() || at.request_print != request.print() {
                return false;
            }
            let answer = environment.perform(request);
            at = self.after(&at, Ok(answer), &environment);
        }
        at.exit() == Some(undisturbed.exit)
    }

    /// The place behind `reply`, made if it is not known.
    fn follow(&self, place: &Arc<Place>, reply: Reply, next: Next) -> Arc<Place> {
        let print = print_of(&reply);
        let mut followers = place.followers();
        if let Some((_, known)) = followers.iter().find(|(known, _)| *known == print) {
            return Arc::clone(known);
        }
        let new = self.place(Some((place, reply)), next);
        followers.push((print, Arc::clone(&new)));
        new
    }

    fn place(&self, came_by: Option<(&Arc<Place>, Reply)>, next: Next) -> Arc<Place> {
        let mut print = Fingerprint::default();
        print.add(self.process as u64);
        let mut request_print = Fingerprint::default();
        match (&next, &came_by) {
            // What a process has been through counts no more when it has ended.
            (Next::Ended(_), _) => print.add(1),
            (Next::Ask(_), None) => print.add(2),
            (Next::Ask(_), Some((before, reply))) => {
                print.add_print(before.print);
                print.add_print(print_of(reply));
            }
        }
        if let Next::Ask(request) = &next {
            request_print = request.print();
        }
        let came_by = came_by.map(|(before, reply)| (Arc::downgrade(before), reply));
        let followers = Mutex::default();
        Arc::new(Place { process: self.process, print, next, request_print, came_by, followers })
    }

    /// Runs the process: tells it `replies`, then whatever a copy of `environment` answers.
    fn record(&self, replies: Vec<(Fingerprint, Reply)>, environment: &Environment) -> Steps {
        *self.runs.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        let recording = Recording {
            replies: replies.into_iter(),
            environment: environment.clone(),
            asked: Vec::new(),
        };
        let recorder = Arc::new(Recorder(Mutex::new(recording)));
        let courier: Arc<dyn Courier> = recorder.clone();
        let exit = self.job.run(self.process, self.start, &courier);
        let asked = std::mem::take(&mut recorder.recording().asked);
        Steps { asked, exit }
    }
}

/// What a process does from some place on to its end.
#[derive(Clone, Copy)]
struct Undisturbed<'a> {
    asked: &'a [(Request, Answer)],
    exit: &'a Exit,
}

/// Notes that `reply` leads from `place` to `same`.
fn join(place: &Arc<Place>, reply: &Reply, same: &Arc<Place>) -> Arc<Place> {
    let print = print_of(reply);
    let mut followers = place.followers();
    if let Some((_, known)) = followers.iter().find(|(known, _)| *known == print) {
        return Arc::clone(known);
    }
    followers.push((print, Arc::clone(same)));
    Arc::clone(same)
}

/// What a process did after the replies that were repeated to it.
struct Steps {
    asked: Vec<(Request, Answer)>,
    exit: Exit,
}

struct Recorder(Mutex<Recording>);

struct Recording {
    replies: std::vec::IntoIter<(Fingerprint, Reply)>,
    environment: Environment,
    asked: Vec<(Request, Answer)>,
}

impl Recorder {
    fn recording(&self) -> MutexGuard<'_, Recording> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Courier for Recorder {
    fn ask(&self, request: &Request) -> Reply {
        let recording = &mut *self.recording();
        if let Some((asked, reply)) = recording.replies.next() {
            assert_eq!(
                asked,
                request.print(),
                "a process did something else when it was run again"
            );
            return reply;
        }
        let calls = recording.asked.len();
        assert!(calls < MOST_CALLS, "it goes on calling for ever: {}", request.call());
        let answer = recording.environment.perform(request);
        recording.asked.push((request.clone(), answer.clone()));
        Ok(answer)
    }
}

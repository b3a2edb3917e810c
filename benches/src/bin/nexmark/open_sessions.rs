//! Sessions by hand: the bids of a bidder that follow each other without a pause of ten seconds.

use hashbrown::HashMap;
use rapidhash::fast::RandomState;

use crate::rows::BidderCount;

const PAUSE: i64 = 10_000;

#[derive(Clone, Copy)]
struct Session {
    first: i64,
    last: i64,
    count: u64,
}

impl Session {
    fn is_near(&self, at: i64) -> bool {
        at < self.last + PAUSE && self.first < at + PAUSE
    }

    fn join(&mut self, other: Session) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.count += other.count;
    }
}

/// The sessions of one bidder that are not over: nearly always one.
struct Bidder {
    newest: Session,
    earlier: Vec<Session>,
}

impl Bidder {
    #[cold]
    fn divide_anew(&mut self, session: Session) {
        let mut all = std::mem::take(&mut self.earlier);
        all.extend([self.newest, session]);
        all.sort_unstable_by_key(|session| session.first);
        for session in all {
            match self.earlier.last_mut() {
                Some(last) if last.is_near(session.first) => last.join(session),
                _ => self.earlier.push(session),
            }
        }
        self.newest = self.earlier.pop().unwrap_or(session);
    }
}

/// See the module.
#[derive(Default)]
pub struct OpenSessions(HashMap<u64, Bidder, RandomState>);

impl OpenSessions {
    /// Adds a bid.
    #[inline]
    pub fn add(&mut self, bidder: u64, at: i64) {
        let session = Session { first: at, last: at, count: 1 };
        let none = || Bidder { newest: Session { count: 0, ..session }, earlier: Vec::new() };
        let bidder = self.0.entry(bidder).or_insert_with(none);
        if bidder.earlier.is_empty() && bidder.newest.is_near(at) {
            bidder.newest.join(session);
        } else {
            bidder.divide_anew(session);
        }
    }

    /// Takes the sessions out that are over when everything up to `until` has come.
    pub fn take_over(&mut self, until: i64, mut out: impl FnMut(BidderCount)) {
        self.0.retain(|&bidder, sessions| {
            let mut is_open = |session: &Session| {
                let (endtime, bid_count) = (session.last + PAUSE, session.count);
                if endtime <= until {
                    out(BidderCount { bidder, bid_count, starttime: session.first, endtime });
                }
                endtime > until
            };
            sessions.earlier.retain(&mut is_open);
            if is_open(&sessions.newest) {
                return true;
            }
            match sessions.earlier.pop() {
                Some(session) => sessions.newest = session,
                None => return false,
            }
            true
        });
    }
}

//! A source of one's own: clicks, of which each user's are a split.

use std::sync::mpsc::Sender;
use std::task::Waker;

use serde::{Deserialize, Serialize};
use steadfast::source::{
    Planned, PollLimit, Polled, Resumed, Source, SourceOutput, SplitReader, SplitStatus,
};
use steadfast::time::Timestamp;
use steadfast::{Error, Result};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Click {
    pub user: String,
    pub page: String,
    pub at: Timestamp,
}

/// User, page and milliseconds.
const CLICKS: [(&str, &str, i64); 11] = [
    ("ann", "/", 0),
    ("ann", "/news", 5),
    ("bob", "/", 1),
    ("bot", "/", 2),
    ("ann", "/", 9),
    ("bob", "/", 8),
    ("bot", "/", 3),
    ("bot", "/", 4),
    ("bot", "/", 5),
    ("bot", "/", 6),
    ("ann", "/", 40),
];

pub const USERS: [&str; 3] = ["ann", "bob", "bot"];

#[derive(Clone)]
pub struct Clicks {
    count: usize,
    /// Is told whose clicks have all been read; without it there is an end.
    is_idle: Option<Sender<String>>,
}

impl Clicks {
    pub fn all() -> Self {
        Self::first(CLICKS.len())
    }

    pub fn first(count: usize) -> Self {
        Clicks { count, is_idle: None }
    }

    pub fn without_end(self, is_idle: Sender<String>) -> Self {
        Clicks { is_idle: Some(is_idle), ..self }
    }

    pub fn count(&self) -> u64 {
        self.count as u64
    }

    fn of(&self, user: &str) -> Vec<Click> {
        let own = CLICKS[..self.count].iter().filter(|(name, ..)| *name == user);
        own.map(|(user, page, at)| Click {
            user: user.to_string(),
            page: page.to_string(),
            at: Timestamp(*at),
        })
        .collect()
    }
}

/// A user's clicks, and how many of them have been read.
#[derive(Clone, Serialize, Deserialize)]
pub struct OfUser {
    user: String,
    next: usize,
}

pub struct ClickReader {
    clicks: Vec<Click>,
    split: OfUser,
    is_idle: Option<Sender<String>>,
}

impl Source for Clicks {
    type Item = Click;
    type Split = OfUser;
    type Reader = ClickReader;

    fn plan(&self, resumed: Resumed<OfUser>, _readers: usize) -> Result<Planned<OfUser>> {
        let status = |user: &str| {
            let known = resumed.splits.iter().find(|split| split.user == user);
            let split = known.cloned().unwrap_or(OfUser { user: user.to_string(), next: 0 });
            let finished = self.is_idle.is_none() && split.next == self.of(user).len();
            SplitStatus { finished, done: split.next as u64, split }
        };
        Ok(Planned::new(USERS.map(status).to_vec()))
    }

    fn open(&self, split: OfUser, _waker: &Waker) -> Result<ClickReader> {
        let clicks = self.of(&split.user);
        if split.next > clicks.len() {
            return Err(Error::configuration("there are fewer clicks than were read"));
        }
        Ok(ClickReader { clicks, split, is_idle: self.is_idle.clone() })
    }

    fn at_once(&self) -> usize {
        USERS.len()
    }

    fn total(&self) -> Option<u64> {
        self.is_idle.is_none().then_some(self.count as u64)
    }

    fn describe(&self) -> String {
        "clicks".to_string()
    }
}

impl SplitReader for ClickReader {
    type Item = Click;
    type Split = OfUser;

    fn poll(
        &mut self,
        limit: PollLimit,
        _now: Timestamp,
        output: &mut impl SourceOutput<Click>,
    ) -> Result<Polled> {
        for click in self.clicks.iter().skip(self.split.next).take(limit.records) {
            self.split.next += 1;
            output.push(click.clone())?;
            output.advance(1);
        }
        if self.split.next < self.clicks.len() {
            return Ok(Polled::More);
        }
        let Some(is_idle) = &self.is_idle else { return Ok(Polled::End) };
        // What is looked at before the start is read again. Whoever does not listen any more has heard enough.
        if !output.looks_ahead() {
            let _ = is_idle.send(self.split.user.clone());
        }
        Ok(Polled::Idle(None))
    }

    fn split(&self) -> OfUser {
        self.split.clone()
    }
}

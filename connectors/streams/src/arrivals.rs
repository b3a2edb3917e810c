//! The thread that waits for what arrives, and its end of the hand-over.
//!
//! One thread for each reader: it waits in `poll(2)` for its connections and for the end of the reader, reads what is
//! there, and hands it over. So a worker never waits for whoever writes; descriptors stay as blocking as they were,
//! which matters where they are shared (standard input often is); and files, pipes, terminals and sockets are read in one
//! way. What is handed over and not taken is bounded: when there is no room the thread waits, and with it, in
//! the end, whoever writes.
//!
//! The thread ends when the reader is dropped, as soon as the call that it is in returns. Nobody waits for that.

use std::fs::File;
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError};
use std::task::Waker;
use std::thread::Builder;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use steadfast_core::{Cause, Error, Result};

use crate::endpoint::{Listener, Opened};

/// So much is read at a time.
const PIECE_BYTES: usize = 64 * 1024;
/// So many pieces are handed over before they are taken.
pub(crate) const MOST_PIECES: usize = 16;
/// So many connections are read at the same time; who comes then waits.
const MOST_CONNECTIONS: usize = 64;

/// What has happened.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// A connection, with the name of its other end if it has one.
    Opened { connection: u64, peer: Option<Arc<str>> },
    /// This was sent on a connection, never nothing.
    Bytes { connection: u64, bytes: Vec<u8> },
    /// The other end has closed a connection.
    Closed { connection: u64 },
    /// A connection cannot be read any more.
    Broken { connection: u64, error: io::Error },
    /// All connections have ended, and there will be no other.
    Over,
    /// The thread has ended, because of this.
    Failed(Error),
}

/// What a reader holds of its thread. When it is dropped, the thread ends.
pub(crate) struct Arrivals {
    receiver: Receiver<Arrival>,
    /// Nothing is ever written: the thread sees that it is closed.
    _is_wanted: PipeWriter,
}

/// What comes next.
pub(crate) enum Taken {
    Arrival(Arrival),
    /// Nothing for now: the waker is woken when there is something.
    Nothing,
    /// The thread is gone, and has not said why.
    Lost,
}

impl Arrivals {
    /// Starts a thread that waits for what comes from `opened`, and wakes `waker` when something has come.
    pub(crate) fn of(opened: Opened, waker: &Waker) -> Result<Self> {
        let failed = |error| {
            Error::unavailable("cannot start the thread that waits for input").caused_by(error)
        };
        let (is_unwanted, is_wanted) = io::pipe().map_err(failed)?;
        let (sender, receiver) = mpsc::sync_channel(MOST_PIECES);
        let hand_over = HandOver { sender: Some(sender), waker: waker.clone() };
        let work = move || wait(opened, &is_unwanted, hand_over);
        Builder::new().name("stream-input".to_string()).spawn(work).map_err(failed)?;
        Ok(Arrivals { receiver, _is_wanted: is_wanted })
    }

    pub(crate) fn take(&self) -> Taken {
        match self.receiver.try_recv() {
            Ok(arrival) => Taken::Arrival(arrival),
            Err(TryRecvError::Empty) => Taken::Nothing,
            Err(TryRecvError::Disconnected) => Taken::Lost,
        }
    }
}

/// The thread's end.
struct HandOver {
    sender: Option<SyncSender<Arrival>>,
    waker: Waker,
}

/// The reader has been dropped.
struct Unwanted;

impl HandOver {
    /// Waits for room.
    fn give(&self, arrival: Arrival) -> Result<(), Unwanted> {
        let given = self.sender.as_ref().map(|sender| sender.send(arrival));
        self.wake();
        given.and_then(|given| given.ok()).ok_or(Unwanted)
    }

    fn wake(&self) {
        self.waker.wake_by_ref();
    }
}

impl Drop for HandOver {
    fn drop(&mut self) {
        // If the thread panics, the reader must find that nobody sends any more when it is woken.
        self.sender = None;
        self.wake();
    }
}

/// All that the thread does.
fn wait(opened: Opened, is_unwanted: &PipeReader, hand_over: HandOver) {
    // Held as long as this thread may read it.
    let mut taken = None;
    let (connected, listener) = match opened {
        Opened::StandardInput(input) => (Some(taken.insert(input).input()), None),
        Opened::Connect(address) => (Some(address.connect()), None),
        Opened::Listen(listener) => (None, Some(listener)),
    };
    let mut inputs = Inputs { connections: Vec::new(), next: 0, listener, hand_over };
    let done = match connected {
        Some(Ok(connection)) => inputs.add(connection, None),
        Some(Err(error)) => inputs.hand_over.give(Arrival::Failed(error)),
        None => Ok(()),
    };
    // The reader is told what it needs to know; that it is gone needs no telling.
    let _ = done.and_then(|()| inputs.run(is_unwanted));
    drop(inputs);
    drop(taken);
}

/// What the thread waits for.
struct Inputs {
    connections: Vec<(u64, File)>,
    /// The number of the next connection.
    next: u64,
    listener: Option<Listener>,
    hand_over: HandOver,
}

impl Inputs {
    fn add(&mut self, connection: File, peer: Option<Arc<str>>) -> Result<(), Unwanted> {
        let number = self.next;
        self.next += 1;
        self.connections.push((number, connection));
        self.hand_over.give(Arrival::Opened { connection: number, peer })
    }

    /// Hands over what comes, until nothing more can come or nobody wants it.
    fn run(&mut self, is_unwanted: &PipeReader) -> Result<(), Unwanted> {
        let mut buffer = vec![0; PIECE_BYTES];
        while self.listener.is_some() || !self.connections.is_empty() {
            let ready = match self.ready(is_unwanted) {
                Ok(Some(ready)) => ready,
                Ok(None) => return Err(Unwanted),
                Err(error) => return self.failed("cannot wait for input", error),
            };
            // From the last to the first, so that one that is taken out moves none that is still to come.
            for at in (0..self.connections.len()).rev().filter(|at| ready.connections[*at]) {
                self.read(at, &mut buffer)?;
            }
            if ready.listener {
                self.accept()?;
            }
        }
        self.hand_over.give(Arrival::Over)
    }

    /// Waits until something can be read; none if the reader has been dropped.
    fn ready(&self, is_unwanted: &PipeReader) -> io::Result<Option<Ready>> {
        let is_room = self.connections.len() < MOST_CONNECTIONS;
        let listener = self.listener.as_ref().filter(|_| is_room);
        let mut waited: Vec<PollFd<'_>> = vec![PollFd::new(is_unwanted, PollFlags::IN)];
        waited.extend(self.connections.iter().map(|(_, input)| PollFd::new(input, PollFlags::IN)));
        waited.extend(
            listener.map(|listener| PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN)),
        );
        while let Err(error) = poll(&mut waited, None) {
            if error != Errno::INTR {
                return Err(error.into());
            }
        }
        // Whatever it is, a read tells.
        let mut ready = waited.iter().map(|waited| !waited.revents().is_empty());
        if ready.next() == Some(true) {
            return Ok(None);
        }
        let connections = ready.by_ref().take(self.connections.len()).collect();
        Ok(Some(Ready { connections, listener: ready.next() == Some(true) }))
    }

    /// Reads what is there of a connection: once, so that this does not wait and the others have their turn.
    fn read(&mut self, at: usize, buffer: &mut [u8]) -> Result<(), Unwanted> {
        let (connection, ref mut input) = self.connections[at];
        let arrival = match input.read(buffer) {
            Ok(0) => Arrival::Closed { connection },
            Ok(read) => {
                let bytes = buffer[..read].to_vec();
                return self.hand_over.give(Arrival::Bytes { connection, bytes });
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                return Ok(());
            }
            Err(error) => Arrival::Broken { connection, error },
        };
        self.connections.remove(at);
        self.hand_over.give(arrival)
    }

    fn accept(&mut self) -> Result<(), Unwanted> {
        let Some(listener) = &self.listener else { return Ok(()) };
        match listener.accept() {
            Ok(Some((connection, peer))) => self.add(connection, peer),
            Ok(None) => Ok(()),
            Err(error) => self.failed("cannot take a connection", error),
        }
    }

    fn failed(&mut self, what: &str, error: io::Error) -> Result<(), Unwanted> {
        let error = Error::because(Cause::INPUT_AWAY, what).caused_by(error);
        self.hand_over.give(Arrival::Failed(error))?;
        Err(Unwanted)
    }
}

/// What can be read without waiting.
struct Ready {
    /// In their order.
    connections: Vec<bool>,
    listener: bool,
}

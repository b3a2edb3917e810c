//! Lines of a stream as a source: what there is to choose, and what a start finds.
//!
//! It reads nothing itself.

use std::path::PathBuf;
use std::task::Waker;

use steadfast_core::format::Decoder;
use steadfast_core::source::{Planned, Replay, Resumed, Source, SplitStatus};
use steadfast_core::{Cause, Error, Result};

use crate::arrivals::Arrivals;
use crate::endpoint::{Address, Endpoint};
use crate::reader::StreamReader;
use crate::split::StreamSplit;

const LONGEST_LINE: usize = 1024 * 1024;

/// Reads lines from standard input or from sockets, of each of which `D` makes a record.
///
/// **It cannot be resumed.** What was read and is in no committed checkpoint is lost when the process dies; a start reads
/// what is sent from then on. Each line that arrives is counted at most once, and results agree with each other:
/// `docs/streams.md` says what a job may promise. Where input can be kept in files, read it from files.
///
/// Lines end with a line feed, and payloads are lines without it, a carriage return included. Blank lines that are no record are passed
/// over. A stream is read by one task; more than 1 MiB of what has arrived is not held in advance, so a sender that is
/// faster than the job waits.
///
/// Bad input is told with the byte and the line of its connection.
pub struct LineStream<D> {
    endpoint: Endpoint,
    longest_line: usize,
    decoder: D,
}

impl<D: Decoder> LineStream<D> {
    /// Reads standard input, whatever it is: a pipe, a terminal, a file. Its end is the end of the source; a
    /// last line without a line end is a record if it parses, and bad input otherwise.
    ///
    /// One source of a process can read it at a time.
    ///
    /// ```
    /// use steadfast_formats::Text;
    /// use steadfast_streams::LineStream;
    ///
    /// let lines = LineStream::standard_input(Text);
    /// ```
    pub fn standard_input(decoder: D) -> Self {
        Self::new(Endpoint::StandardInput, decoder)
    }

    /// Connects to a host and port. When the other end closes the connection, the source is at its end; a line
    /// that was not complete then is bad input. A connection that breaks ends the job with an error.
    ///
    /// ```
    /// use steadfast_formats::Text;
    /// use steadfast_streams::LineStream;
    ///
    /// let lines = LineStream::connect_tcp("127.0.0.1:9000", Text);
    /// ```
    pub fn connect_tcp(address: impl Into<String>, decoder: D) -> Self {
        Self::new(Endpoint::Connect(Address::Tcp(address.into())), decoder)
    }

    /// Connects to a socket at a path: see [`LineStream::connect_tcp`].
    pub fn connect_unix(path: impl Into<PathBuf>, decoder: D) -> Self {
        Self::new(Endpoint::Connect(Address::Unix(path.into())), decoder)
    }

    /// Listens at an address of this machine, without an end: takes up to 64 connections at the same time and reads the lines
    /// of each in their order; who comes then waits. A line that was not complete when its connection ended is
    /// bad input.
    ///
    /// Event time sees one split: the disorder that is declared holds for all connections together.
    ///
    /// ```
    /// use steadfast_formats::Text;
    /// use steadfast_streams::LineStream;
    ///
    /// let lines = LineStream::listen_tcp("0.0.0.0:9000", Text);
    /// ```
    pub fn listen_tcp(address: impl Into<String>, decoder: D) -> Self {
        Self::new(Endpoint::Listen(Address::Tcp(address.into())), decoder)
    }

    /// Listens at a path, where no file may be but a socket at which nobody listens any more: see
    /// [`LineStream::listen_tcp`].
    pub fn listen_unix(path: impl Into<PathBuf>, decoder: D) -> Self {
        Self::new(Endpoint::Listen(Address::Unix(path.into())), decoder)
    }

    fn new(endpoint: Endpoint, decoder: D) -> Self {
        LineStream { endpoint, longest_line: LONGEST_LINE, decoder }
    }

    /// Lines longer than this are bad input, of which the first 64 KiB are kept; 1 MiB if not set. So much may be
    /// held of each connection.
    #[must_use]
    pub fn longest_line(mut self, bytes: usize) -> Self {
        self.longest_line = bytes;
        self
    }
}

impl<D: Decoder> Source for LineStream<D> {
    type Item = D::Record;
    type Split = StreamSplit;
    type Reader = StreamReader<D>;

    /// One split: what arrives from now on. What was read before is gone.
    fn plan(&self, resumed: Resumed<StreamSplit>, _readers: usize) -> Result<Planned<StreamSplit>> {
        if !resumed.finished.is_empty() {
            let what = "the job has read files under the name of this source, and not a stream";
            return Err(Error::because(Cause::INPUT_OTHER, what).hint(
                "give the source another name, or start from scratch with --reset (RunOptions::reset)",
            ));
        }
        let before = resumed.splits.iter().map(|split| split.opened_before).max();
        let split = StreamSplit { opened_before: before.map_or(0, |before| before + 1), bytes: 0 };
        Ok(Planned::new(vec![SplitStatus { split, finished: false, done: 0 }]))
    }

    fn open(&self, split: StreamSplit, waker: &Waker) -> Result<StreamReader<D>> {
        let arrivals = Arrivals::of(self.endpoint.open()?, waker)?;
        let lines = (self.longest_line, self.decoder.clone());
        Ok(StreamReader::new(self.endpoint.clone(), arrivals, split, lines))
    }

    fn replay(&self) -> Replay {
        Replay::Impossible
    }

    fn total(&self) -> Option<u64> {
        None
    }

    fn describe(&self) -> String {
        self.endpoint.to_string()
    }
}

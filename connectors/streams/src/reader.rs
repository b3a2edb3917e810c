//! Makes records of what arrives, on the worker that asks.
//!
//! It knows nothing of descriptors and threads, and nothing of what becomes of records.

use std::collections::BTreeMap;
use std::str;
use std::sync::Arc;

use steadfast_core::format::{Decoder, Payload};
use steadfast_core::source::{BadRecord, PollLimit, Polled, SourceOutput, SplitReader};
use steadfast_core::time::Timestamp;
use steadfast_core::{Cause, Error, Result};

use crate::arrivals::{Arrival, Arrivals, MOST_PIECES, Taken};
use crate::endpoint::Endpoint;
use crate::lines::{KEPT_BYTES, Lines, Next};
use crate::split::StreamSplit;

/// Reads one stream, or all connections of a listener.
pub struct StreamReader<D> {
    endpoint: Endpoint,
    arrivals: Arrivals,
    decoder: D,
    longest: usize,
    split: StreamSplit,
    connections: BTreeMap<u64, Connection>,
    /// The connection on which something has arrived last: no other has a whole line.
    latest: u64,
}

/// What is read.
struct Connection {
    /// As places of bad input name it.
    place: String,
    lines: Lines,
}

impl<D: Decoder> StreamReader<D> {
    pub(crate) fn new(
        endpoint: Endpoint,
        arrivals: Arrivals,
        split: StreamSplit,
        (longest, decoder): (usize, D),
    ) -> Self {
        let connections = BTreeMap::new();
        StreamReader { endpoint, arrivals, decoder, longest, split, connections, latest: 0 }
    }

    /// Takes what has arrived next; none if that is nothing to go on with.
    fn arrived(&mut self, output: &mut impl SourceOutput<D::Record>) -> Result<Option<Polled>> {
        let arrival = match self.arrivals.take() {
            Taken::Nothing => return Ok(Some(Polled::Idle(None))),
            Taken::Lost => {
                return Err(Error::internal("the thread that waits for input has ended"));
            }
            Taken::Arrival(arrival) => arrival,
        };
        match arrival {
            Arrival::Opened { connection, peer } => self.begin(connection, peer),
            Arrival::Bytes { connection, bytes } => {
                self.latest = connection;
                if let Some(connection) = self.connections.get_mut(&connection) {
                    connection.lines.arrive(&bytes);
                }
            }
            Arrival::Closed { connection } => self.end(connection, None, output)?,
            Arrival::Broken { connection, error } => match self.endpoint {
                Endpoint::Listen(_) => self.end(connection, Some(&error.to_string()), output)?,
                _ => {
                    return Err(Error::because(Cause::INPUT_AWAY, "the stream broke off")
                        .caused_by(error)
                        .at(self.endpoint.to_string())
                        .hint("run the job again, and see that what was sent since the newest checkpoint is sent again"));
                }
            },
            Arrival::Over => return Ok(Some(Polled::End)),
            Arrival::Failed(error) => return Err(error),
        }
        Ok(None)
    }

    fn begin(&mut self, connection: u64, peer: Option<Arc<str>>) {
        let endpoint = &self.endpoint;
        let place = match (endpoint, peer) {
            (Endpoint::Listen(at), Some(peer)) => {
                format!("{at}, connection {connection} from {peer}")
            }
            (Endpoint::Listen(at), None) => format!("{at}, connection {connection}"),
            _ => endpoint.to_string(),
        };
        let lines = Lines::new(self.longest);
        self.connections.insert(connection, Connection { place, lines });
    }

    /// Nothing more comes on a connection, because it was closed or because of what is `wrong`.
    #[cold]
    fn end(
        &mut self,
        connection: u64,
        wrong: Option<&str>,
        output: &mut impl SourceOutput<D::Record>,
    ) -> Result<()> {
        let Some(connection) = self.connections.remove(&connection) else { return Ok(()) };
        let half = connection.lines.half_line();
        self.split.bytes += half.len() as u64;
        let reason = match (&self.endpoint, wrong) {
            _ if half.is_empty() => return Ok(()),
            // It ends as a file does.
            (Endpoint::StandardInput, _) => match self.decoder.decode(Payload::Bytes(half)) {
                Ok(record) => return output.push(record),
                Err(reason) => {
                    format!(
                        "{reason} (the last line, without a line end: perhaps only half of one)"
                    )
                }
            },
            // A sender that dies closes its connections, too: half a number is a number.
            (_, None) => "the connection was closed before the end of the line".to_string(),
            (_, Some(wrong)) => format!("the connection broke before the end of the line: {wrong}"),
        };
        connection.reject(half, (0, 0), reason, output)
    }

    /// Hands over up to `limit` lines of the block of `length` bytes that comes next. Returns how many there were.
    fn block(
        decoder: &mut D,
        connection: &mut Connection,
        (length, limit, longest): (usize, usize, usize),
        output: &mut impl SourceOutput<D::Record>,
    ) -> Result<(usize, usize)> {
        let bytes = connection.lines.bytes(length);
        let text = str::from_utf8(bytes).ok();
        let (mut begin, mut lines) = (0, 0);
        for end in memchr::memchr_iter(b'\n', bytes) {
            if lines == limit {
                break;
            }
            let line = &bytes[begin..end];
            let payload =
                text.map_or(Payload::Bytes(line), |text| Payload::Text(&text[begin..end]));
            let decoded = if line.len() > longest {
                Err(too_long(longest))
            } else {
                decoder.decode(payload).map_err(|error| error.to_string())
            };
            match decoded {
                Ok(record) => output.push(record)?,
                Err(reason) => connection.reject(line, (begin, lines), reason, output)?,
            }
            begin = end + 1;
            lines += 1;
        }
        connection.lines.pass(begin, lines as u64);
        Ok((lines, begin))
    }
}

fn too_long(longest: usize) -> String {
    format!("the line is longer than {longest} bytes; its beginning is kept")
}

impl Connection {
    /// Rejects a line that begins this many bytes and lines behind what has been passed.
    #[cold]
    fn reject<T>(
        &self,
        line: &[u8],
        (bytes, lines): (usize, usize),
        reason: String,
        output: &mut impl SourceOutput<T>,
    ) -> Result<()> {
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        output.reject(BadRecord {
            raw: line[..line.len().min(KEPT_BYTES)].to_vec(),
            place: self.place.clone(),
            offset: self.lines.position() + bytes as u64,
            line: Some(self.lines.passed() + lines as u64 + 1),
            reason,
        })
    }
}

impl<D: Decoder> SplitReader for StreamReader<D> {
    type Item = D::Record;
    type Split = StreamSplit;

    fn poll(
        &mut self,
        limit: PollLimit,
        _now: Timestamp,
        output: &mut impl SourceOutput<D::Record>,
    ) -> Result<Polled> {
        let (mut left, mut bytes, mut arrivals) = (limit.records, 0, 0);
        let longest = self.longest;
        let polled = loop {
            if left == 0 || bytes >= limit.bytes {
                break Polled::More;
            }
            let connection = self.connections.get_mut(&self.latest);
            let passed = match connection.map(|connection| (connection.lines.next(), connection)) {
                Some((Next::Lines(length), connection)) => {
                    let block = (length, left, longest);
                    Self::block(&mut self.decoder, connection, block, output)?
                }
                Some((Next::TooLong, connection)) => {
                    let line = connection.lines.half_line();
                    connection.reject(line, (0, 0), too_long(longest), output)?;
                    (1, connection.lines.drop_line())
                }
                // What is dropped as it arrives counts for nothing else.
                Some((Next::Nothing, _)) | None if arrivals == MOST_PIECES => break Polled::More,
                Some((Next::Nothing, _)) | None => {
                    arrivals += 1;
                    match self.arrived(output)? {
                        Some(polled) => break polled,
                        None => continue,
                    }
                }
            };
            left -= passed.0;
            bytes += passed.1;
            self.split.bytes += passed.1 as u64;
        };
        output.weigh(bytes);
        Ok(polled)
    }

    fn split(&self) -> StreamSplit {
        self.split.clone()
    }
}

//! Connections that the source makes.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::time::Duration;

use steadfast_core::source::{FinishedSplit, Replay, Resumed, Source, SplitReader};
use steadfast_core::{Cause, ErrorKind};
use steadfast_formats::Text;
use steadfast_streams::{LineStream, StreamSplit};

use super::support::{Reading, plan};

/// A source and the other end of its connection.
fn connected() -> (Reading, TcpStream, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let reading = Reading::of(&LineStream::connect_tcp(address.clone(), Text));
    let (peer, _) = listener.accept().unwrap();
    (reading, peer, address)
}

#[test]
fn lines_come_in_their_order_until_the_other_end_closes() {
    let (mut reading, mut peer, _) = connected();
    for piece in ["one\ntw", "o\n", "\r\n  \nth", "ree\n"] {
        peer.write_all(piece.as_bytes()).unwrap();
    }
    reading.until(|seen| seen.records.len() >= 5);
    drop(peer);
    reading.read_to_the_end().unwrap();
    assert_eq!(reading.seen.records, ["one", "two", "", "  ", "three"]);
    assert!(reading.seen.bad.is_empty());
    assert_eq!(reading.reader.split(), StreamSplit { opened_before: 0, bytes: 19 });
}

#[test]
fn many_lines_come_once_each() {
    let (mut reading, mut peer, _) = connected();
    let lines: Vec<String> = (0..200_000).map(|number| format!("line {number}")).collect();
    let text = lines.join("\n") + "\n";
    let bytes = text.len() as u64;
    let writer =
        std::thread::Builder::new().spawn(move || peer.write_all(text.as_bytes()).unwrap());
    reading.read_to_the_end().unwrap();
    writer.unwrap().join().unwrap();
    assert!(reading.seen.records == lines, "{} lines", reading.seen.records.len());
    assert_eq!(reading.reader.split().bytes, bytes);
}

/// A sender that dies in mid-line closes its connection, too: the 12 may be the beginning of 1200.
#[test]
fn half_a_line_at_the_end_is_bad_input_with_its_place() {
    let (mut reading, mut peer, address) = connected();
    peer.write_all(b"1000\n12").unwrap();
    drop(peer);
    reading.read_to_the_end().unwrap();
    assert_eq!(reading.seen.records, ["1000"]);
    let [bad] = &reading.seen.bad[..] else { panic!("{:?}", reading.seen.bad) };
    assert_eq!((&*bad.raw, bad.offset, bad.line), (&b"12"[..], 5, Some(2)));
    assert_eq!(bad.place, format!("tcp://{address}"));
    assert!(bad.reason.contains("before the end of the line"), "{}", bad.reason);
}

#[test]
fn a_line_that_is_no_record_is_told_with_byte_and_line() {
    let (mut reading, mut peer, _) = connected();
    peer.write_all(b"good\nb\xffd\ngood\n").unwrap();
    drop(peer);
    reading.read_to_the_end().unwrap();
    assert_eq!(reading.seen.records, ["good", "good"]);
    let [bad] = &reading.seen.bad[..] else { panic!("{:?}", reading.seen.bad) };
    assert_eq!((&*bad.raw, bad.offset, bad.line), (&b"b\xffd"[..], 5, Some(2)));
    assert_eq!(bad.reason, "invalid UTF-8, column 2");
}

#[test]
fn a_line_that_is_too_long_is_bad_input_wherever_it_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let source = LineStream::connect_tcp(address, Text).longest_line(100_000);
    let mut reading = Reading::of(&source);
    let (mut peer, _) = listener.accept().unwrap();
    let long = [&vec![b'x'; 5_000_000][..], b"\nshort\n"].concat();
    let rest = [&vec![b'y'; 100_000][..], b"\n", &vec![b'z'; 100_001][..], b"\n"].concat();
    // Beside who reads: a socket need not have room for all of it.
    let writer = std::thread::Builder::new().spawn(move || {
        peer.write_all(&long).unwrap();
        peer.write_all(&rest).unwrap();
    });
    reading.read_to_the_end().unwrap();
    writer.unwrap().join().unwrap();
    let lengths: Vec<_> = reading.seen.records.iter().map(String::len).collect();
    assert_eq!(lengths, [5, 100_000]);
    let bad = reading.seen.bad.iter().map(|bad| (bad.raw.len(), bad.offset, bad.line));
    let bad: Vec<_> = bad.collect();
    assert_eq!(bad, [(65536, 0, Some(1)), (65536, 5_000_001 + 6 + 100_001, Some(4))]);
    assert!(reading.seen.bad[1].reason.contains("longer than 100000 bytes"));
}

/// It is no end: nobody knows what else would have come.
#[test]
fn a_connection_that_breaks_is_an_error() {
    let (mut reading, mut peer, address) = connected();
    peer.write_all(b"one\n").unwrap();
    reading.until(|seen| seen.records.len() == 1);
    rustix::net::sockopt::set_socket_linger(&peer, Some(Duration::ZERO)).unwrap();
    drop(peer);
    let error = reading.read_to_the_end().unwrap_err();
    assert_eq!(error.code(), Cause::INPUT_AWAY.code(), "{error}");
    assert!(error.to_string().contains(&address), "{error}");
}

#[test]
fn where_nobody_listens_the_source_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let mut reading = Reading::of(&LineStream::connect_unix(folder.path().join("nobody"), Text));
    let error = reading.read_to_the_end().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("nobody"), "{error}");
}

#[test]
fn a_socket_at_a_path_is_read_as_one_at_a_port() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines");
    let listener = UnixListener::bind(&path).unwrap();
    let mut reading = Reading::of(&LineStream::connect_unix(&path, Text));
    let (mut peer, _) = listener.accept().unwrap();
    peer.write_all(b"one\ntwo\n").unwrap();
    drop(peer);
    reading.read_to_the_end().unwrap();
    assert_eq!(reading.seen.records, ["one", "two"]);
}

#[test]
fn a_start_reads_what_comes_from_then_on_and_says_so() {
    let source = LineStream::connect_tcp("127.0.0.1:9", Text);
    assert_eq!(source.replay(), Replay::Impossible);
    assert_eq!(source.describe(), "tcp://127.0.0.1:9");
    let first = plan(&source, Vec::new());
    assert_eq!(first, StreamSplit { opened_before: 0, bytes: 0 });
    let before = vec![StreamSplit { bytes: 100, ..first }];
    assert_eq!(plan(&source, before), StreamSplit { opened_before: 1, bytes: 0 });
}

#[test]
fn the_positions_of_a_source_of_files_are_none_of_a_stream() {
    let source = LineStream::connect_tcp("127.0.0.1:9", Text);
    let finished = vec![FinishedSplit(vec![1])];
    let error = source.plan(Resumed { splits: Vec::new(), finished }, 1).unwrap_err();
    assert_eq!(error.code(), Cause::INPUT_OTHER.code());
    let of_a_file = r#"{"path":"in.jsonl","next":0}"#;
    assert!(serde_json::from_str::<StreamSplit>(of_a_file).is_err());
}

#[test]
fn a_reader_that_is_dropped_closes_its_connection() {
    let (reading, peer, _) = connected();
    drop(reading);
    peer.set_read_timeout(Some(super::support::LONG)).unwrap();
    assert_eq!(std::io::Read::read(&mut &peer, &mut [0; 10]).unwrap(), 0);
    // Nor does one wait that nobody has given room.
    let (reading, mut peer, _) = connected();
    peer.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    while peer.write_all(&[b'\n'; 100_000]).is_ok() {}
    drop(reading);
    peer.set_read_timeout(Some(super::support::LONG)).unwrap();
    let read = std::io::Read::read(&mut &peer, &mut [0; 10]);
    assert!(matches!(read, Ok(0)) || read.is_err_and(|e| e.raw_os_error() == Some(104)));
}

//! Connections that others make.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::task::Waker;

use steadfast_core::source::{Polled, Source};
use steadfast_core::{Cause, Error, ErrorKind};
use steadfast_formats::Text;
use steadfast_streams::LineStream;

use super::support::{Reading, plan};

fn refused(source: &LineStream<Text>) -> Error {
    match source.open(plan(source, Vec::new()), Waker::noop()) {
        Ok(_) => panic!("it listens"),
        Err(error) => error,
    }
}

#[test]
fn connections_are_read_at_the_same_time_and_it_goes_on_when_they_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines");
    let mut reading = Reading::of(&LineStream::listen_unix(&path, Text));
    let mut one = UnixStream::connect(&path).unwrap();
    let mut two = UnixStream::connect(&path).unwrap();
    one.write_all(b"a1\na").unwrap();
    reading.until(|seen| seen.records == ["a1"]);
    two.write_all(b"b1\nb").unwrap();
    reading.until(|seen| seen.records.len() == 2);
    one.write_all(b"2\na3").unwrap();
    reading.until(|seen| seen.records.len() == 3);
    two.write_all(b"2\n").unwrap();
    reading.until(|seen| seen.records.len() == 4);
    assert_eq!(
        reading.seen.records,
        ["a1", "b1", "a2", "b2"],
        "lines of two connections are mixed"
    );
    drop((one, two));
    reading.until(|seen| seen.bad.len() == 1);
    let [bad] = &reading.seen.bad[..] else { panic!("{:?}", reading.seen.bad) };
    assert_eq!((&*bad.raw, bad.offset, bad.line), (&b"a3"[..], 6, Some(3)));
    assert!(bad.place.contains("connection 0"), "{}", bad.place);
    let mut three = UnixStream::connect(&path).unwrap();
    three.write_all(b"c1\n").unwrap();
    reading.until(|seen| seen.records.last().is_some_and(|last| last == "c1"));
    drop(three);
    assert!(matches!(reading.poll().unwrap(), Polled::Idle(None) | Polled::More));
}

/// More than are read at once: those wait, and have their turn.
#[test]
fn nobody_is_turned_away() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut reading = Reading::of(&LineStream::listen_tcp(port.to_string(), Text));
    let mut peers: Vec<_> = (0..100).map(|_| TcpStream::connect(port).unwrap()).collect();
    for (number, peer) in peers.iter_mut().enumerate() {
        peer.write_all(format!("from {number}\n").as_bytes()).unwrap();
    }
    reading.until(|seen| seen.records.len() == 64);
    for _ in 0..20 {
        assert!(matches!(reading.poll().unwrap(), Polled::Idle(None) | Polled::More));
    }
    assert_eq!(reading.seen.records.len(), 64);
    peers.drain(..64);
    reading.until(|seen| seen.records.len() == 100);
}

#[test]
fn a_connection_that_breaks_ends_no_other() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut reading = Reading::of(&LineStream::listen_tcp(port.to_string(), Text));
    let mut breaks = TcpStream::connect(port).unwrap();
    let mut stays = TcpStream::connect(port).unwrap();
    breaks.write_all(b"one\nhal").unwrap();
    reading.until(|seen| seen.records == ["one"]);
    rustix::net::sockopt::set_socket_linger(&breaks, Some(std::time::Duration::ZERO)).unwrap();
    drop(breaks);
    reading.until(|seen| seen.bad.len() == 1);
    let bad = &reading.seen.bad[0];
    assert!(bad.reason.contains("broke") && bad.place.contains("from 127.0.0.1:"), "{bad:?}");
    stays.write_all(b"two\n").unwrap();
    reading.until(|seen| seen.records == ["one", "two"]);
}

#[test]
fn what_a_killed_process_has_left_is_taken_away_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines");
    let source = LineStream::listen_unix(&path, Text);
    let listener = UnixListener::bind(&path).unwrap();
    let error = refused(&source);
    assert_eq!(error.code(), Cause::INPUT_UNUSABLE.code(), "somebody listens there: {error}");
    assert!(UnixStream::connect(&path).is_ok());
    drop(listener);
    let mut reading = Reading::of(&source);
    UnixStream::connect(&path).unwrap().write_all(b"one\n").unwrap();
    reading.until(|seen| seen.records == ["one"]);

    let file = folder.path().join("file");
    std::fs::write(&file, "precious").unwrap();
    let error = refused(&LineStream::listen_unix(&file, Text));
    assert!(error.to_string().contains("file"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
}

#[test]
fn an_address_that_is_taken_is_refused() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let error = refused(&LineStream::listen_tcp(address.clone(), Text));
    assert!(error.to_string().contains(&format!("tcp://{address}: cannot listen")), "{error}");
}

#[test]
fn what_is_no_address_is_called_so() {
    for address in ["nonsense", "127.0.0.1:99999", "localhost:", ":9000", "[::1]"] {
        for lines in [LineStream::listen_tcp(address, Text), LineStream::connect_tcp(address, Text)]
        {
            let error = refused(&lines);
            assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
            let error = error.to_string();
            assert!(error.contains(&format!("tcp://{address}: this is no address")), "{error}");
            assert!(error.contains("write a host and a port up to 65535"), "{error}");
        }
    }
}

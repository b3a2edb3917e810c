//! What it costs to wait, for those who write and for those who read.

use std::io::{ErrorKind, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use steadfast_core::source::Polled;
use steadfast_formats::Text;
use steadfast_streams::LineStream;

use super::support::{LONG, Reading};

fn connected() -> (Reading, UnixStream) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines");
    let listener = UnixListener::bind(&path).unwrap();
    let mut reading = Reading::of(&LineStream::connect_unix(&path, Text));
    let (peer, _) = listener.accept().unwrap();
    // That the connection is there has been told.
    assert!(reading.is_woken_within(LONG));
    assert_eq!(reading.poll().unwrap(), Polled::Idle(None));
    (reading, peer)
}

#[test]
fn whoever_has_nothing_is_woken_when_something_has_come_and_not_before() {
    let (mut reading, mut peer) = connected();
    let before = reading.times_woken();
    assert!(!reading.is_woken_within(Duration::from_millis(100)));
    assert_eq!(reading.times_woken(), before);
    peer.write_all(b"one\n").unwrap();
    assert!(reading.is_woken_within(LONG));
    assert_eq!(reading.poll().unwrap(), Polled::Idle(None));
    assert_eq!(reading.seen.records, ["one"]);
    drop(peer);
    assert!(reading.is_woken_within(LONG));
    reading.read_to_the_end().unwrap();
}

#[test]
fn who_writes_faster_than_is_read_waits_and_loses_nothing() {
    let (mut reading, mut peer) = connected();
    let line = [&vec![b'x'; 999][..], b"\n"].concat();
    peer.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut written = 0;
    let half = loop {
        match peer.write(&line) {
            Ok(1000) => written += 1,
            Ok(short) => break short,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break 0,
            Err(error) => panic!("{error}"),
        }
        assert!(written < 10_000, "nobody holds the writer back");
    };
    // A MiB that is handed over, and what the system keeps of a connection.
    assert!(written < 3_000, "{written} kB are held");
    let rest = std::thread::Builder::new().spawn(move || {
        peer.set_write_timeout(None).unwrap();
        peer.write_all(&line[half..]).unwrap();
    });
    reading.read_to_the_end().unwrap();
    rest.unwrap().join().unwrap();
    assert_eq!(reading.seen.records.len(), written + 1);
    assert!(reading.seen.bad.is_empty());
}

/// A task has others to serve.
#[test]
fn one_poll_does_a_bounded_piece_of_work() {
    let (mut reading, mut peer) = connected();
    let writer = std::thread::Builder::new().spawn(move || {
        let _ = peer.write_all(&b"0123456789\n".repeat(20_000));
        // A line that never ends.
        while peer.write_all(&[b'x'; 100_000]).is_ok() {}
    });
    let mut records = 0;
    while records < 20_000 {
        match reading.poll().unwrap() {
            Polled::Idle(_) => assert!(reading.is_woken_within(LONG)),
            polled => assert_eq!(polled, Polled::More),
        }
        assert!(reading.seen.records.len() <= records + 100, "more than was asked for");
        records = reading.seen.records.len();
    }
    for _ in 0..1000 {
        reading.poll().unwrap();
    }
    assert!(reading.seen.bad.len() <= 1);
    drop(reading);
    writer.unwrap().join().unwrap();
}

//! Jobs that read what cannot be read again: nothing twice, nothing lost before its time, and told.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use steadfast::formats::Json;
use steadfast::prelude::*;
use steadfast::source::{Seek, SeekTo};

/// Takes one connection, and does with it what it is told.
fn server(
    serve: impl FnOnce(TcpStream) + Send + 'static,
) -> (LineStream<Json<u64>>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serve = move || serve(listener.accept().unwrap().0);
    (LineStream::connect_tcp(address, Json::new()), Builder::new().spawn(serve).unwrap())
}

fn send(mut to: &TcpStream, numbers: std::ops::Range<u64>) {
    let lines: String = numbers.map(|number| format!("{number}\n")).collect();
    to.write_all(lines.as_bytes()).unwrap();
}

#[test]
fn what_a_stream_has_handed_over_is_no_place() {
    let source = LineStream::connect_tcp("127.0.0.1:9", Json::<u64>::new());
    let job = Job::new("stream");
    job.source("numbers", source).sink("all", Collect::new());
    let seek = Seek::all(SeekTo::Beginning);
    let error = job.run(&RunOptions::in_memory().seek("numbers", seek)).map(drop).unwrap_err();
    assert_eq!(error.code(), "SF0318");
    assert!(error.to_string().contains("what this source has read is gone"), "{error}");
}

/// To see where event time begins, a start looks into splits; what it looked at of a stream would be gone.
#[test]
fn the_first_records_of_a_stream_with_event_times_are_not_looked_at_and_lost() {
    let (source, served) = server(|peer| send(&peer, 0..100));
    let job = Job::new("timed");
    let all = Collect::new();
    let collected = all.collected();
    let time = |number: &u64| Timestamp(i64::try_from(*number).unwrap());
    job.source("numbers", source).event_time(Duration::ZERO, time).sink("all", all);
    let report = job.run(&RunOptions::in_memory()).unwrap();
    served.join().unwrap();
    assert_eq!(collected.items(), (0..100).collect::<Vec<_>>());
    assert!(report.is_finished());
    let told: Vec<_> = report.not_replayable.iter().map(String::as_str).collect();
    assert_eq!(told, ["numbers"]);
}

#[test]
fn sources_that_can_be_read_again_are_not_told() {
    let job = Job::new("values");
    job.source("numbers", Values::new([1_u64])).sink("all", Collect::new());
    assert!(job.run(&RunOptions::in_memory()).unwrap().not_replayable.is_empty());
}

#[test]
fn what_a_failed_run_had_read_counts_at_most_once_and_state_and_output_agree() {
    let collected = Collect::new().collected();
    let checkpoints = CheckpointStore::Memory(Default::default());
    let run = |source| {
        let job = Job::new("sums");
        let count = |count: &mut (u64, u64), number: &u64| *count = (count.0 + 1, *number);
        job.source("numbers", source)
            .key_by(|_| 0_u8)
            .named("count")
            .fold(Emit::Changes, || (0, 0), count)
            .sink("all", Collect::into_collected(&collected));
        let options = RunOptions::new(checkpoints.clone()).parallelism(2);
        job.run(&options.checkpoint_interval(Duration::from_millis(2)))
    };
    let (shown, is_shown) = mpsc::channel::<()>();
    let (source, served) = server(move |peer| {
        send(&peer, 0..50);
        is_shown.recv().unwrap();
        send(&peer, 50..80);
        rustix::net::sockopt::set_socket_linger(&peer, Some(Duration::ZERO)).unwrap();
    });
    let (_never, pause) = mpsc::channel::<()>();
    let seen = collected.clone();
    let watch = Builder::new().spawn(move || {
        while seen.items().last().is_none_or(|(_, (count, _))| *count < 50) {
            let _ = pause.recv_timeout(Duration::from_millis(1));
        }
        shown.send(()).unwrap();
    });
    let error = run(source).unwrap_err();
    assert!(error.to_string().contains("broke off"), "{error}");
    served.join().unwrap();
    watch.unwrap().join().unwrap();

    let (source, served) = server(|peer| send(&peer, 80..100));
    let report = run(source).unwrap();
    served.join().unwrap();
    let (_, (count, last)) = *collected.items().last().unwrap();
    assert_eq!(last, 99);
    assert!((70..=100).contains(&count), "{count} records");
    assert_eq!((report.events(), report.records), (count, 20), "counts agree with the output");
    assert!(report.is_finished());
}

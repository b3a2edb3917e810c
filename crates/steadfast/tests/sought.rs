//! Sources that a person has read from another place than the last checkpoint says.

use steadfast::prelude::*;
use steadfast::source::{Seek, SeekTo};
use tempfile::TempDir;

fn job(out: &TempDir) -> Job {
    let job = Job::new("numbers");
    job.source("numbers", Values::new([1_u64, 2, 3])).sink("out", JsonLinesSink::new(out.path()));
    job
}

fn sought(options: &RunOptions, source: &str, seek: Seek) -> RunOptions {
    options.clone().seek(source, seek)
}

#[test]
fn what_is_read_from_its_beginning_again_counts_again_and_once_for_each_start() {
    let (options, out) = (RunOptions::in_memory(), tempfile::tempdir().unwrap());
    let again = sought(&options, "numbers", Seek::all(SeekTo::Beginning));
    assert_eq!(job(&out).run(&options).unwrap().events(), 3);
    assert_eq!(job(&out).run(&again).unwrap().events(), 6);
    // What was sought is in its checkpoints.
    assert!(!job(&out).run(&options).unwrap().had_work);
    assert_eq!(job(&out).run(&again).unwrap().events(), 9);
}

#[test]
fn a_place_that_is_nowhere_is_refused_before_anything_is_changed() {
    let (options, out) = (RunOptions::in_memory(), tempfile::tempdir().unwrap());
    job(&out).run(&options).unwrap();
    let beginning = || Seek::all(SeekTo::Beginning);
    let cases = [
        ("number", beginning(), "the job has no source 'number'", "its sources are numbers"),
        ("numbers", Seek::all(SeekTo::End), "source 'numbers'", "from its beginning"),
        ("numbers", Seek::split("one", SeekTo::Beginning), "one=beginning", "from its beginning"),
    ];
    for (source, seek, what, why) in cases {
        let refused = sought(&options, source, seek);
        for error in [job(&out).run(&refused).map(drop), job(&out).preview(&refused).map(drop)]
            .map(Result::unwrap_err)
        {
            assert_eq!(error.code(), "SF0318");
            let text = error.to_string();
            assert!(text.contains(what) && text.contains(why), "{text}");
        }
    }
    let done = job(&out).run(&options).unwrap();
    assert_eq!((done.had_work, done.events()), (false, 3));
}

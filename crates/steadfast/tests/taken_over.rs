//! A job that another process takes over while it runs.

use steadfast::ErrorKind;
use steadfast::memory::Collected;
use steadfast::prelude::*;

/// Three numbers; at the first `at_first` is called.
fn job(
    collected: &Collected<u64>,
    at_first: impl Fn() -> std::result::Result<(), &'static str> + Send + Sync + 'static,
) -> Job {
    let job = Job::new("job");
    let numbers = job.source("numbers", Values::new([1_u64, 2, 3]));
    let sink = Collect::into_collected(collected);
    numbers.try_map(move |number| Ok(at_first().map(|()| number)?)).sink("out", sink);
    job
}

/// Whoever has taken over deletes what only its predecessor needed: what that one runs into says nothing.
#[test]
fn what_goes_wrong_after_a_take_over_is_told_as_the_take_over() {
    let (mut options, collected) = (RunOptions::in_memory(), Collect::new().collected());
    options = options.checkpoint_interval(None);
    let (second, into) = (options.clone(), collected.clone());
    let overtaken = job(&collected, move || {
        drop(job(&into, || Ok(())).start(&second));
        Err("it is gone")
    });
    let error = overtaken.run(&options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
    assert!(error.to_string().contains("has been taken over"), "{error}");
    // Where nobody has taken over, an error is told as it comes.
    let error = job(&collected, || Err("it is gone")).run(&options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UserCode, "{error}");
    assert!(error.to_string().contains("it is gone"), "{error}");
}

//! What every job's command line does, whatever the job, as people and programs meet it.

mod process;

use process::{Folder, json};

const EVENTS: u64 = 5000;

fn folder() -> Folder {
    let folder = Folder::of("payments");
    let events = EVENTS.to_string();
    folder.job(&["generate", "--output", "in.jsonl", "--events", &events]).exits(0);
    folder
}

#[test]
fn an_option_comes_from_a_flag_a_variable_or_a_file_and_the_run_says_so() {
    let folder = folder();
    let file = "[default]\ncheckpoints = 'ours'\nretained = 2\nquiet = true\n\
                [payments]\nretained = 3\nparallelism = 1\n";
    std::fs::write(folder.path("jobs.toml"), file).unwrap();
    let variables = [
        ("STEADFAST_CONFIG", "jobs.toml"),
        ("STEADFAST_PARALLELISM", "2"),
        ("STEADFAST_JSON", "yes"),
        ("STEADFAST_CHECKPOINT_INTERVAL", "5ms"),
    ];
    let run = ["run", "--input", "in.jsonl", "--checkpoint-interval", "none"];
    let shown = [&run[..], &["--show-config"]].concat();
    let shown = json(&folder.start_with(&shown, &variables).wait().exits(0).out);
    let options = &shown["options"];
    for (name, value, from) in [
        ("checkpoints", "ours", "jobs.toml, [default]"),
        ("retained", "3", "jobs.toml, [payments]"),
        ("parallelism", "2", "environment, STEADFAST_PARALLELISM"),
        ("json", "true", "environment, STEADFAST_JSON"),
        ("checkpoint-interval", "none", "flag"),
        ("consistency", "exactly-once", "default"),
    ] {
        assert_eq!(options[name]["value"], value, "{name}");
        assert_eq!(options[name]["from"], from, "{name}");
    }
    assert!(!folder.path("ours").exists(), "it has only looked");

    let done = folder.start_with(&run, &variables).wait().exits(0);
    assert_eq!(json(&done.out)["events"], EVENTS);
    assert_eq!(done.err, "", "the file says that it is to be quiet");
    assert!(folder.path("ours/payments/log").exists());
    let list = ["checkpoints", "list", "--json"];
    let list = folder.start_with(&list, &[("STEADFAST_CHECKPOINTS", "ours")]).wait().exits(0);
    assert_eq!(json(&list.out).as_array().map(Vec::len), Some(1));
}

#[test]
fn a_wrong_option_is_refused_wherever_it_stands() {
    let folder = folder();
    let run = ["run", "--input", "in.jsonl"];
    let failed = folder.start_with(&run, &[("STEADFAST_RETAINED", "0")]).wait().exits(2);
    assert!(failed.err.contains("at least one checkpoint is kept"), "{}", failed.err);
    std::fs::write(folder.path("jobs.toml"), "[payments]\nretaind = 3\n").unwrap();
    let failed = folder.job(&[&run[..], &["--config", "jobs.toml"]].concat()).exits(2);
    let reason = "jobs.toml, [payments]: there is no option 'retaind' [SF03]";
    assert!(failed.err.contains(reason), "{}", failed.err);
    assert!(failed.err.contains("the nearest name is 'retained'"), "{}", failed.err);
    assert!(!folder.path(".steadfast").exists());
}

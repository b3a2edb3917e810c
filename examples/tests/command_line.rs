//! What every job's command line does, whatever the job, as people and programs meet it.

mod process;

use process::{Folder, Started, comes_true, json};

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
    let blamed = "invalid value '0' for the environment variable STEADFAST_RETAINED: ";
    assert!(failed.err.contains(blamed) && !failed.err.contains("--retained"), "{}", failed.err);
    std::fs::write(folder.path("jobs.toml"), "[payments]\nretaind = 3\n").unwrap();
    let failed = folder.job(&[&run[..], &["--config", "jobs.toml"]].concat()).exits(2);
    let reason = "jobs.toml, [payments]: there is no option 'retaind' [SF0324]";
    assert!(failed.err.contains(reason), "{}", failed.err);
    assert!(failed.err.contains("the nearest name is 'retained'"), "{}", failed.err);
    let page = folder.job(&["explain", "SF0324"]).exits(0).out;
    assert!(page.contains(&failed.err), "as the page shows it: {}", failed.err);
    assert!(!folder.path(".steadfast").exists());
}

#[test]
fn what_was_meant_as_an_option_and_is_none_is_told_also_quietly() {
    let folder = folder();
    std::fs::write(folder.path("jobs.toml"), "[payment]\nretained = 3\n").unwrap();
    let run = ["run", "--input", "in.jsonl", "--quiet", "--config", "jobs.toml"];
    let variables = [("STEADFAST_CHECKPOINT", "ours"), ("STEADFAST_PARALLELLISM", "2")];
    let done = folder.start_with(&run, &variables).wait().exits(0);
    for told in [
        "the environment variable STEADFAST_CHECKPOINT is of no option: the nearest is STEADFAST_CHECKPOINTS",
        "the nearest is STEADFAST_PARALLELISM",
        "jobs.toml: nothing in it is for this job: it has [payment], and neither [default] nor [payments]",
    ] {
        assert!(done.err.contains(told), "{told}: {}", done.err);
    }
}

#[test]
fn a_name_that_is_nowhere_is_told_with_those_that_there_are() {
    let folder = folder();
    let run = ["run", "--input", "in.jsonl", "--quiet"];
    let refused = folder.job(&[&run[..], &["--new", "balence"]].concat()).exits(2);
    for told in [
        "nothing of a name that is to be new: balence [SF0318]",
        "in this job is accounts, balances, dead-letters",
    ] {
        assert!(refused.err.contains(told), "{told}: {}", refused.err);
    }
    folder.job(&run).exits(0);
    let done = folder.job(&[&run[..], &["--forget", "balence"]].concat()).exits(0);
    for told in [
        "neither in the checkpoint nor in the job",
        "names=balence",
        "held=\"accounts, balances, dead-letters",
    ] {
        assert!(done.err.contains(told), "{told}: {}", done.err);
    }
}

#[test]
fn a_source_with_nothing_to_read_is_told_also_quietly() {
    let folder = Folder::of("payments");
    std::fs::create_dir(folder.path("empty")).unwrap();
    for input in ["no/such/folder/*.jsonl", "empty", "empty/*.jsonl"] {
        let run = ["run", "--quiet", "--reset", "--json", "--input", input];
        let done = folder.job(&run).exits(0);
        let warned = "source 'payments' has nothing to read: ";
        assert!(done.err.contains(warned) && done.err.contains(input), "{}", done.err);
        let told = &json(&done.out)["nothing_to_read"]["payments"];
        assert!(told.as_str().unwrap().ends_with(input), "{told}");
        let run = [&run[..], &["--log-format", "json"]].concat();
        let lines = folder.job(&run).exits(0).err;
        assert!(lines.contains("\"event\":\"nothing_to_read\""), "{lines}");
    }
    let generate = ["generate", "--output", "in.jsonl", "--events", "10"];
    folder.job(&generate).exits(0);
    let done = folder.job(&["run", "--quiet", "--reset", "--json", "--input", "in.jsonl"]).exits(0);
    assert_eq!((&*done.err, &json(&done.out)["nothing_to_read"]), ("", &serde_json::json!({})));
}

/// As GNU `timeout` does: the process, and then its whole group.
#[test]
fn a_signal_that_comes_twice_at_once_stops_at_a_last_checkpoint() {
    let (_folder, job) = running("600", Folder::start);
    job.signals(&["TERM", "INT"]);
    let stopped = job.wait().exits(0);
    assert!(stopped.err.contains("taking a last checkpoint"), "{}", stopped.err);
    assert_eq!(json(&stopped.out)["finished"], false);
}

/// A job that runs, and takes so many seconds if nobody stops it.
fn running(seconds: &str, start: fn(&Folder, &[&str]) -> Started) -> (Folder, Started) {
    let folder = Folder::of("steady");
    let run = ["run", "--json", "--rate", "1000", "--seconds", seconds, "--sensors", "10"];
    let job = start(&folder, &[&run[..], &["--checkpoint-interval", "10ms"]].concat());
    // The claim, and what it was before it got its name: the third belongs to a checkpoint.
    folder.wait_for_entries(".steadfast/steady/log/000000000000", 3);
    (folder, job)
}

/// Each waits for the end of its line, which does not come.
#[test]
#[cfg(target_os = "linux")]
fn more_files_are_open_than_a_process_may_have_at_first() {
    let folder = Folder::of("payments");
    folder.job(&["generate", "--output", "one.jsonl", "--events", "1"]).exits(0);
    let line = std::fs::read_to_string(folder.path("one.jsonl")).unwrap();
    std::fs::create_dir(folder.path("in")).unwrap();
    for number in 0..100 {
        std::fs::write(folder.path(&format!("in/{number}.jsonl")), line.trim_end()).unwrap();
    }
    let run = ["run", "--naive", "--json", "--follow", "--input", "in", "--log", "info"];
    let mut job = folder.job_with_open_files(64, &run);
    job.says("beginning at the start");
    let are_open = comes_true(5_000, || job.open_files().is_none_or(|open| open > 100));
    assert!(are_open, "{:?}", job.open_files());
    job.terminate().exits(0);
}

/// It has not said a word by then.
#[test]
#[cfg(target_os = "linux")]
fn whoever_hears_that_a_job_runs_can_tell_it_to_end() {
    let folder = Folder::of("steady");
    let run = ["run", "--json", "--rate", "1000", "--seconds", "600", "--sensors", "10"];
    let (job, mut hears) = folder.start_unheard(&run);
    job.listens_for(signal_hook::consts::SIGTERM);
    job.signal("TERM");
    std::thread::spawn(move || std::io::copy(&mut hears, &mut std::io::sink()));
    assert_eq!(json(&job.wait().exits(0).out)["finished"], false);
}

#[test]
fn a_job_whose_terminal_is_gone_stops_at_a_last_checkpoint() {
    let (_folder, job) = running("600", Folder::start);
    job.signal("HUP");
    let stopped = job.wait().exits(0);
    assert!(stopped.err.contains("taking a last checkpoint"), "{}", stopped.err);
    assert_eq!(json(&stopped.out)["finished"], false);
}

#[test]
fn a_job_that_was_started_to_live_on_without_a_terminal_does() {
    let (_folder, job) = running("2", Folder::start_without_hangups);
    job.signal("HUP");
    assert_eq!(json(&job.wait().exits(0).out)["finished"], true);
}

#[test]
fn a_run_that_fails_tells_programs_so_in_one_object() {
    let folder = Folder::of("payments");
    let generate = ["generate", "--output", "in.jsonl", "--events", "100", "--bad-lines", "1"];
    folder.job(&generate).exits(0);
    let run = ["run", "--input", "in.jsonl", "--bad-input", "fail"];
    let run = [&run[..], &["--json", "--json-to", "end.json"]].concat();
    let failed = folder.job(&run).exits(4);
    let told = json(&failed.out);
    assert_eq!((&told["job"], &told["finished"]), (&"payments".into(), &false.into()));
    assert_eq!(told["error"]["code"], "SF0101");
    assert_eq!(told["error"]["kind"], "bad_input");
    assert!(told["error"]["message"].as_str().unwrap().contains("in.jsonl"), "{told}");
    assert!(failed.err.contains("[SF0101]"), "people are told, too: {}", failed.err);
    assert_eq!(json(&std::fs::read_to_string(folder.path("end.json")).unwrap()), told);
}

#[test]
fn a_summary_is_never_mixed_with_the_records_of_a_sink() {
    let folder = folder();
    let run = ["run", "--input", "in.jsonl", "--sink", "stdout", "--emit", "final"];
    let refused = folder.job(&[&run[..], &["--json"]].concat()).exits(2);
    let told = json(&refused.out);
    let message = told["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("sink 'balances' prints its records"), "{message}");
    assert_eq!(told["error"]["hint"], "have the summary in a file: --json-to FILE");
    assert!(!folder.path(".steadfast").exists());

    let done = folder.job(&[&run[..], &["--json-to", "summary.json"]].concat()).exits(0);
    let summary = json(&std::fs::read_to_string(folder.path("summary.json")).unwrap());
    let lines = done.out.lines().map(json);
    assert!(lines.clone().all(|row| row["balance_cents"].is_i64()));
    assert_eq!(summary["output"]["balances"], lines.count());
    assert_eq!(summary["output"]["dead-letters"], 0);
    assert!(done.err.contains("to balances"), "{}", done.err);
}

#[test]
fn without_a_terminal_the_state_is_told_from_time_to_time() {
    let folder = Folder::of("steady");
    let run = ["run", "--rate", "20000", "--seconds", "2", "--sensors", "10"];
    let told = folder.job(&[&run[..], &["--status-interval", "300ms"]].concat()).exits(0).err;
    let line = told.lines().find(|line| line.contains("/s  ")).unwrap_or_else(|| panic!("{told}"));
    assert!(line.starts_with("steady: ") && line.contains("checkpoint"), "{line}");
    for more in [["--status-interval", "none"], ["--status-interval=300ms", "--quiet"]] {
        let told = folder.job(&[&run[..], &["--reset"], &more].concat()).exits(0).err;
        assert!(!told.contains("/s  "), "{told}");
    }
}

#[test]
fn a_program_lists_the_checkpoints_of_its_own_job() {
    let folder = folder();
    folder.job(&["run", "--input", "in.jsonl"]).exits(0);
    folder.job(&["run", "--input", "in.jsonl", "--naive"]).exits(0);
    let list = |args: &[&str]| folder.job(&[&["checkpoints", "list", "--json"], args].concat());
    let job_of = |args: &[&str]| json(&list(args).exits(0).out)[0]["job"].clone();
    assert_eq!(job_of(&[]), "payments");
    assert_eq!(job_of(&["--job", "payments-naive"]), "payments-naive");
    assert!(list(&["--job", "pay"]).exits(2).err.contains("no checkpoints of job 'pay'"));

    std::fs::rename(folder.path(".steadfast"), folder.path("ours")).unwrap();
    std::fs::write(folder.path("jobs.toml"), "[payments]\ncheckpoints = 'ours'\n").unwrap();
    assert_eq!(job_of(&["--config", "jobs.toml"]), "payments");
}

#[test]
fn help_puts_the_flags_of_the_job_before_those_of_every_job() {
    let help = Folder::of("payments").job(&["run", "--help"]).exits(0).out;
    let at = |words: &str| help.find(words).unwrap_or_else(|| panic!("no {words}: {help}"));
    assert!(at("--naive") < at("Options of every job:"));
    assert!(at("Options of every job:") < at("--retained"));
}

#[test]
fn a_source_is_read_again_from_the_place_that_is_said() {
    let folder = Folder::of("payments");
    let generate = ["generate", "--output", "in.jsonl", "--events", "10"];
    folder.job(&generate).exits(0);
    let run = ["run", "--naive", "--json", "--input", "in.jsonl"];
    let events = |more: &[&str]| {
        let done = folder.job(&[&run[..], more].concat()).exits(0);
        (json(&done.out)["events"].as_u64().unwrap(), done.err)
    };
    assert_eq!(events(&[]).0, 10);
    let first = std::fs::read_to_string(folder.path("in.jsonl")).unwrap();
    let behind_two = first.split_inclusive('\n').take(2).map(str::len).sum::<usize>();
    let seek = format!("--seek=payments:in.jsonl={behind_two}");
    let (again, told) = events(&[&seek]);
    assert_eq!(again, 18);
    assert!(told.contains("source 'payments' is read from in.jsonl="), "{told}");
    assert_eq!(events(&[]).0, 18);

    for (seek, what) in [
        ("payments:in.jsonl=1", "no line begins at byte 1"),
        ("payments:out.jsonl=end", "there is no such file in the input"),
        ("accounts=end", "the job has no source 'accounts'"),
        ("payments", "write SOURCE=PLACE"),
        (":in.jsonl=end", "write SOURCE=PLACE"),
    ] {
        let refused = folder.job(&[&run[..], &["--seek", seek]].concat()).exits(2);
        assert!(refused.err.contains(what), "{}", refused.err);
    }
    std::fs::write(folder.path("jobs.toml"), "[default]\nseek = [\"payments=end\"]\n").unwrap();
    let refused = folder.job(&[&run[..], &["--config", "jobs.toml"]].concat()).exits(2);
    assert!(refused.err.contains("give it as a flag: --seek"), "{}", refused.err);
}

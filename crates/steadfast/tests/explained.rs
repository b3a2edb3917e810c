//! Errors as the pages of `docs/errors` show them: each is caused here, and printed as its page says.
//!
//! Words in angle brackets stand for what differs, on the pages as here: `<folder>`, `<number>`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use steadfast::prelude::*;
use steadfast::{CheckpointStore, Emitter, KeyedContext, MaxBad};

/// A place for whatever a job reads and writes.
struct Scene(tempfile::TempDir);

impl Scene {
    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn holds(&self, name: &str, contents: impl AsRef<[u8]>) -> String {
        std::fs::write(self.0.path().join(name), contents).unwrap();
        self.path(name)
    }

    fn options(&self, store: &str) -> RunOptions {
        RunOptions::new(CheckpointStore::Folder(self.path(store).into()))
            .parallelism(1)
            .give_up_after(Duration::ZERO)
    }

    /// Runs the job that `build` makes, with the store of this name.
    fn run(&self, store: &str, build: impl FnOnce(&Job)) -> Result<Report> {
        self.run_with(&self.options(store), build)
    }

    fn run_with(&self, options: &RunOptions, build: impl FnOnce(&Job)) -> Result<Report> {
        let job = Job::new("payments");
        build(&job);
        job.run(options)
    }
}

fn numbers(job: &Job) -> Stream<impl OperatorChain<Out = u64>> {
    job.source("numbers", Values::new((0..100_u64).collect::<Vec<_>>()))
        .event_time(Duration::ZERO, |n| Timestamp(i64::try_from(*n).unwrap_or_default()))
}

fn out() -> Collect<u64> {
    Collect::new()
}

fn table(path: String) -> Sqlite<u64> {
    Sqlite::new(path).table("totals").columns(["total"]).row(|n, row| row.integer(*n as i64))
}

type Cause = fn(&Scene) -> Result<Report>;

/// Ways to each error.
const CAUSES: &[(&str, Cause)] = &[
    ("SF0101", |scene| {
        let path = scene.holds("payments.jsonl", "1\nseven\n3\n");
        scene.run("store", |job| {
            job.source("payments", JsonLines::<u64>::new([path])).sink("out", out())
        })
    }),
    ("SF0102", |scene| {
        let path = scene.holds("payments.jsonl.gz", [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x33]);
        scene.run("store", |job| {
            job.source("payments", JsonLines::<u64>::new([path])).sink("out", out())
        })
    }),
    ("SF0104", |scene| {
        let path = scene.holds("payments.jsonl", "no number\n".repeat(100));
        scene.run("store", |job| {
            let payments = job.source("payments", JsonLines::<u64>::new([path]));
            payments.skip_bad_input().sink("out", out());
        })
    }),
    ("SF0105", |scene| {
        let options = scene.options("store").max_bad(MaxBad::Pieces(2));
        let run = |lines: &str| {
            let (path, dead) = (scene.holds("payments.jsonl", lines), scene.path("dead"));
            scene.run_with(&options, |job| {
                let payments = job.source("payments", JsonLines::<u64>::new([path]));
                payments.dead_letters("dead-letters", DeadLetterSink::new(dead)).sink("out", out());
            })
        };
        // What was bad before a restart counts.
        run("1\ntwo\nthree\n")?;
        run("1\ntwo\nthree\n4\nfive\n")
    }),
    ("SF0201", |scene| {
        let rate =
            |n: u64| if n < 50 { Ok(n) } else { Err(format!("no rate is known for {n}").into()) };
        scene.run("store", |job| numbers(job).named("rates").try_map(rate).sink("out", out()))
    }),
    ("SF0202", |scene| {
        let rows = |n: u64| if n < 50 { n } else { panic!("no row for {n}") };
        scene.run("store", |job| numbers(job).named("rows").map(rows).sink("out", out()))
    }),
    ("SF0203", |scene| {
        let folder = scene.path("totals");
        let pairs = |n: u64| BTreeMap::from([((n, n), n)]);
        scene.run("store", |job| numbers(job).map(pairs).sink("totals", JsonLinesSink::new(folder)))
    }),
    ("SF0204", |scene| {
        let table = table(scene.path("totals.db")).columns(["account", "total"]);
        scene.run("store", |job| numbers(job).sink("totals", table))
    }),
    ("SF0301", |scene| {
        scene.run("store", |job| {
            let numbers = numbers(job).shared();
            numbers.stream().sink("out", out());
            let _ = numbers.stream().named("rows").map(|n| n).shared();
        })
    }),
    ("SF0302", |scene| {
        scene.run("store", |job| {
            let keyed = numbers(job).key_by(|n| n % 3).named("steps");
            let steps = keyed.process(|states| {
                let (one, _two) = (states.value::<u64>("last"), states.value::<u64>("last"));
                move |context: &mut KeyedContext<'_, u64>, n: &u64, _: &mut Emitter<'_, u64>| {
                    context.set(one, *n);
                    Ok(())
                }
            });
            steps.sink("out", out());
        })
    }),
    ("SF0303", |scene| {
        scene.holds("payments.jsonl", "1\n");
        grown(scene, || 0_u64)?;
        scene.holds("payments.jsonl", "1\n2\n");
        grown(scene, String::new)
    }),
    ("SF0304", |scene| {
        scene.run("store", |job| folded(job, "accounts", Emit::Final))?;
        scene.run("store", |job| numbers(job).map(|_| 0).sink("out", out()))
    }),
    ("SF0305", |scene| {
        scene.run("store", |job| numbers(job).map(|_| 0).sink("out", out()))?;
        scene.run("store", |job| folded(job, "accounts", Emit::Final))
    }),
    ("SF0306", |scene| {
        scene.run("store", |job| folded(job, "accounts", Emit::Final))?;
        let options = scene.options("store").forget(["accounts"]);
        scene.run_with(&options, |job| folded(job, "accounts", Emit::Final))
    }),
    ("SF0307", |scene| {
        scene.run("store", |job| folded(job, "accounts", Emit::Changes))?;
        scene.run("store", |job| folded(job, "accounts", Emit::Final))
    }),
    ("SF0308", |scene| {
        std::fs::create_dir(scene.path("totals")).unwrap();
        scene.holds("totals/part-0000000001.jsonl", "1\n");
        let folder = scene.path("totals");
        scene.run("store", |job| numbers(job).sink("totals", JsonLinesSink::new(folder)))
    }),
    ("SF0309", |scene| {
        let database = scene.path("totals.db");
        scene.run("store", |job| numbers(job).sink("totals", table(database.clone())))?;
        scene.run("other", |job| numbers(job).sink("totals", table(database)))
    }),
    ("SF0310", |scene| {
        scene.run("store", |job| numbers(job).sink("out", out()))?;
        let database = scene.path("totals.db");
        scene.run("store", |job| {
            let numbers = numbers(job).shared();
            numbers.stream().sink("out", out());
            numbers.stream().sink("totals", table(database));
        })
    }),
    ("SF0312", |scene| {
        let run = |path: String| {
            scene.run("store", |job| {
                job.source("payments", JsonLines::<u64>::new([path])).sink("out", out())
            })
        };
        run(scene.holds("payments.jsonl", "1\n2\n3\n"))?;
        run(scene.holds("payments.jsonl", "1\n"))
    }),
    ("SF0314", |scene| {
        let path = scene.path("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.is_ok_and(|made| made.success()));
        scene.run("store", |job| {
            job.source("payments", JsonLines::<u64>::new([path])).sink("out", out())
        })
    }),
    ("SF0322", |scene| {
        let run = |path: String| {
            scene.run("store", |job| {
                job.source("payments", JsonLines::<u64>::new([path])).sink("out", out())
            })
        };
        run(scene.holds("payments.jsonl", "1\n2\n3\n"))?;
        run(scene.holds("payments.jsonl", "4\n5\n6\n"))
    }),
    ("SF0316", |scene| {
        let folder = scene.holds("totals", "a file");
        scene.run("store", |job| numbers(job).sink("totals", JsonLinesSink::new(folder)))
    }),
    ("SF0317", |scene| {
        let create = "CREATE TABLE IF NOT EXISTS totals(account TEXT)";
        let table = table(scene.path("totals.db")).create(create);
        scene.run("store", |job| numbers(job).sink("totals", table))
    }),
    ("SF0318", |scene| {
        scene.run_with(&scene.options("store").parallelism(1000), |job| {
            numbers(job).sink("out", out())
        })
    }),
    ("SF0321", |scene| {
        scene.run("store", |job| {
            let keyed = numbers(job).key_by(|_| 0_u8).named("order");
            keyed
                .in_time_order_within(10, |n| *n)
                .side(|late| late.sink("late", out()))
                .sink("out", out());
        })
    }),
    ("SF0325", |scene| {
        scene.run("store", |job| {
            let rows = numbers(job).named("rows").map(|n| n);
            rows.named("rows").filter(|_| true).sink("out", out());
        })
    }),
    ("SF0326", |scene| {
        scene.run("store", |job| {
            let sums = numbers(job).key_by(|n| n % 3).fold(Emit::Final, || 0, |sum, n| *sum += n);
            sums.map(|(_, sum)| sum).dedup(|sum| sum, Expiry::Never).sink("out", out());
        })
    }),
    ("SF0403", |scene| {
        let path = scene.path("payments.jsonl");
        scene.run("store", |job| {
            job.source("payments", JsonLines::<u64>::new([path])).sink("out", out())
        })
    }),
    ("SF0501", |scene| {
        let start = || {
            let job = Job::new("payments");
            numbers(&job).sink("out", out());
            job.start(&scene.options("store"))
        };
        let first = start()?;
        let _second = start()?;
        first.join()
    }),
    ("SF0601", |scene| {
        scene.run("store", |job| folded(job, "accounts", Emit::Final))?;
        damage(Path::new(&scene.path("store")));
        scene.run("store", |job| folded(job, "accounts", Emit::Final))
    }),
    ("SF0603", |scene| {
        let run = |folder: String| {
            let options = scene.options("store").consistency(Consistency::AtLeastOnce);
            scene.run_with(&options, |job| numbers(job).sink("totals", JsonLinesSink::new(folder)))
        };
        run(scene.path("totals"))?;
        run(scene.path("elsewhere"))
    }),
    ("SF0801", |scene| {
        let create = "CREATE TABLE IF NOT EXISTS totals(total INTEGER CHECK (total <> 42))";
        let table = table(scene.path("totals.db")).create(create);
        scene.run("store", |job| numbers(job).sink("totals", table))
    }),
];

/// A job that keeps something of the type that `init` has for each account of a file.
fn grown<A>(scene: &Scene, init: fn() -> A) -> Result<Report>
where
    A: Clone + serde::Serialize + serde::de::DeserializeOwned + Send + Sync + 'static,
{
    let path = scene.path("payments.jsonl");
    scene.run("store", |job| {
        let payments = job.source("payments", JsonLines::<u64>::new([path]));
        let keyed = payments.key_by(|n| n % 3).named("accounts");
        keyed.fold(Emit::Final, init, |_, _| ()).map(|_| 0).sink("out", out());
    })
}

fn folded(job: &Job, operator: &str, emit: Emit) {
    let keyed = numbers(job).key_by(|n| n % 3).named(operator);
    keyed.fold(emit, || 0_u64, |sum, n| *sum += n).map(|(_, sum)| sum).sink("out", out());
}

/// Makes every object of state unreadable.
fn damage(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            damage(&path);
        } else if path.extension().is_some_and(|extension| extension == "state") {
            std::fs::write(path, "gone").unwrap();
        }
    }
}

/// Whether `text` is `example`, whose words in angle brackets stand for anything within a line.
fn is_as(example: &str, text: &str) -> bool {
    let Some((before, rest)) = example.split_once('<') else { return example == text };
    let Some((_, rest)) = rest.split_once('>') else { return example == text };
    let Some(text) = text.strip_prefix(before) else { return false };
    let line = text.find('\n').unwrap_or(text.len());
    (0..=line).any(|end| text.is_char_boundary(end) && is_as(rest, &text[end..]))
}

#[test]
fn errors_are_printed_as_their_pages_say() {
    let mut wrong = Vec::new();
    for (code, cause) in CAUSES {
        let scene = Scene(tempfile::tempdir().unwrap());
        let error = match cause(&scene) {
            Ok(_) => "the job has run".to_string(),
            Err(error) => format!("error: {error}"),
        };
        let page = steadfast::explain::page(code).unwrap();
        let example = page.split("```text\n").nth(1).and_then(|rest| rest.split("\n```").next());
        if !is_as(example.unwrap(), &error) {
            wrong.push(format!("{code}\n{error}\nthe page:\n{}", example.unwrap()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn what_differs_stands_for_anything_in_its_line() {
    assert!(is_as("<folder>/a: no <number> [SF]", "/tmp/x/a: no 12 [SF]"));
    assert!(!is_as("<folder>/a: no <number> [SF]", "/tmp/x/a: no 12 [SF0]"));
    assert!(!is_as("a <b> c", "a \n c"));
}

use super::*;

/// `what call path detail`, with `-` for no detail.
fn recording(lines: &[&str]) -> Vec<Noted> {
    let read = |line: &&str| {
        let words: Vec<_> = line.split(' ').map(str::to_string).collect();
        let [what, call, path, detail] = <[String; 4]>::try_from(words).unwrap();
        Noted { what, call, path, detail }
    };
    lines.iter().map(read).collect()
}

/// Each call with what came of it: `thread:verb:kind path detail`.
fn done(lines: &[&str]) -> Vec<Noted> {
    let both = lines.iter().flat_map(|line| {
        let (call, rest) = line.split_once(' ').unwrap();
        ["call", "done"].map(|what| format!("{what} {call}:1 {rest}"))
    });
    let both: Vec<_> = both.collect();
    recording(&both.iter().map(String::as_str).collect::<Vec<_>>())
}

fn found(noted: &[Noted]) -> Vec<String> {
    breaches(noted, &Entries(Vec::new()))
}

const DURABLE: [&str; 6] = [
    "m:create:store-temporary /s/.tmp-1 new",
    "m:write:store-temporary /s/.tmp-1 -1",
    "m:fsync:store-temporary /s/.tmp-1 -",
    "m:link:store-log /s/1 /s/.tmp-1",
    "m:unlink:store-temporary /s/.tmp-1 -",
    "m:fsync:store-log /s -",
];

fn without(step: usize) -> Vec<Noted> {
    let mut lines = DURABLE.to_vec();
    lines.remove(step);
    done(&lines)
}

#[test]
fn a_file_is_synced_before_its_name_and_its_folder_after() {
    assert!(found(&done(&DURABLE)).is_empty());
    assert!(found(&without(2)).iter().any(|line| line.contains("before its bytes are synced")));
    assert!(found(&without(5)).iter().any(|line| line.contains("the folder of /s/1")));
}

#[test]
fn a_sync_that_began_before_the_write_was_over_counts_for_nothing() {
    let lines = [
        "call a:write:store-data:1 /s/1 -1",
        "call b:fsync:store-data:1 /s/1 -",
        "done a:write:store-data:1 /s/1 -1",
        "done b:fsync:store-data:1 /s/1 -",
    ];
    assert_eq!(found(&recording(&lines)).len(), 1);
}

#[test]
fn an_entry_of_the_log_relies_on_its_objects() {
    let synced = ["w:fsync:store /s -", "w:fsync:store-data /s/data -"];
    let [make, link] = ["w:mkdir:store-data /s/data -", "w:link:store-data /s/data/1 /s/.tmp-0"];
    let entries = || Entries(vec![r#"{"name": "data/1"}"#.to_string()]);
    let all = [&[make, synced[0], link, synced[1]], &DURABLE[..]].concat();
    assert!(breaches(&done(&all), &entries()).is_empty());
    for left_out in synced {
        let lines: Vec<_> = all.iter().copied().filter(|line| *line != left_out).collect();
        let found = breaches(&done(&lines), &entries());
        assert!(found.iter().any(|line| line.contains("speaks of data/1")), "{found:?}");
    }
}

#[test]
fn a_target_and_a_deletion_rely_on_the_log() {
    let entry = &DURABLE[..5];
    for step in ["c:write:sqlite-wal /t/o-wal 32", "c:unlink:store-data /s/data/1 -"] {
        let early = [entry, &[step], &DURABLE[5..]].concat();
        assert!(found(&done(&early)).iter().any(|line| line.contains("relies on /s/1")), "{step}");
    }
}

#[test]
fn sqlite_syncs_before_it_lets_go() {
    let write = "c:write:sqlite-wal /t/o-wal 32";
    let [sync, unlock] = ["c:fsync:sqlite-wal /t/o-wal -", "c:unlock:sqlite-shm /t/o-shm 120+1"];
    assert!(found(&done(&[write, sync, unlock])).is_empty());
    assert!(found(&done(&[write, unlock, sync])).iter().any(|line| line.contains("a transaction")));
    let [write, sync] = ["c:write:sqlite /t/o 0", "c:fsync:sqlite /t/o -"];
    let unlink = "c:unlink:sqlite-wal /t/o-wal -";
    assert!(found(&done(&[write, sync, unlink])).is_empty());
    assert!(found(&done(&[write, unlink, sync])).iter().any(|line| line.contains("is removed")));
}

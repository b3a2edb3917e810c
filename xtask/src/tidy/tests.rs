//! Each rule is broken once, and the nearest thing that keeps it passes.

use super::*;

fn faults(path: &str, text: &str) -> Vec<String> {
    let file = RustFile { path: path.to_owned(), text: text.to_owned() };
    examine(&[file]).faults
}

#[track_caller]
fn breaks(path: &str, text: &str, start: &str) {
    let faults = faults(path, text);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].starts_with(start), "{faults:?}");
}

#[track_caller]
fn passes(path: &str, text: &str) {
    assert_eq!(faults(path, text), [""; 0]);
}

#[test]
fn a_file_is_measured_without_its_tests() {
    let lines = |count: usize| "let a = 1;\n".repeat(count);
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", lines(900));
    passes("xtask/src/a.rs", &format!("{}{tests}", lines(800)));
    breaks("xtask/src/a.rs", &format!("{}{tests}", lines(801)), "xtask/src/a.rs: has 801 lines");
    passes("xtask/src/a/tests.rs", &lines(2000));
}

#[test]
fn large_files_are_listed_from_the_largest_down() {
    let file = |path: &str, lines: usize| RustFile {
        path: path.to_owned(),
        text: "fn a() {}\n".repeat(lines),
    };
    let report = examine(&[file("a.rs", 400), file("b.rs", 401), file("c.rs", 500)]);
    assert_eq!(report.large, [(500, "c.rs".to_owned()), (401, "b.rs".to_owned())]);
    assert_eq!(report.faults, [""; 0]);
}

#[test]
fn names_that_say_nothing_are_refused() {
    for name in ["utils", "common", "helper", "helpers", "manager", "misc", "state_manager"] {
        breaks(&format!("benches/{name}.rs"), "", &format!("benches/{name}.rs: '{name}' says"));
    }
    breaks("drills/tests/common/mod.rs", "", "drills/tests/common/mod.rs: 'common' says");
    passes("benches/common_prefix.rs", "");
    passes("benches/manager_view.rs", "");
}

#[test]
fn engine_and_connector_files_open_with_their_concept() {
    breaks("crates/core/src/a.rs", "use b;\n//! Late.\n", "crates/core/src/a.rs: does not open");
    breaks("connectors/a/src/lib.rs", "// A comment.\n", "connectors/a/src/lib.rs: does not");
    passes("crates/core/src/a.rs", "//! What it is for.\n");
    passes("examples/a.rs", "fn main() {}\n");
}

#[test]
fn forbidden_words_are_found_in_code_and_not_in_comments_or_literals() {
    for word in ["todo!()", "unimplemented!(\"x\")", "dbg!(x)"] {
        let code = format!("fn a() {{\n    {word}\n}}\n");
        breaks("xtask/a.rs", &code, "xtask/a.rs:2: `");
        passes("xtask/a.rs", &format!("// {word}\nlet a = r#\"{word}\"#;\n"));
    }
    breaks("xtask/a.rs", "#[test]\n#[ignore = \"slow\"]\nfn a() {}\n", "xtask/a.rs:2: `#[ignore`");
}

#[test]
fn guarded_words_need_a_place_on_the_list() {
    breaks("crates/core/src/a.rs", "//! A.\nunsafe { b() }\n", "crates/core/src/a.rs:2: `unsafe`");
    passes("crates/core/src/a.rs", "//! A.\n#![forbid(unsafe_code)]\n");
    let sleep = "//! A.\nuse std::thread;\nfn a() { thread::sleep(b) }\n";
    breaks("crates/core/src/a.rs", sleep, "crates/core/src/a.rs:3: `thread::sleep`");
    passes("drills/src/a.rs", sleep);
}

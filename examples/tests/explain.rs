//! `explain`, as users of a job call it.

mod process;

use process::Folder;

#[test]
fn the_page_about_a_code_is_printed_and_another_code_is_refused() {
    let folder = Folder::of("payments");
    let page = folder.job(&["explain", "sf0304"]).exits(0).out;
    assert!(page.starts_with("# SF0304: ") && page.contains("## What to do"), "{page}");
    let all = folder.job(&["explain"]).exits(0).out;
    assert!(all.lines().count() > 40 && all.contains("SF0301  the job cannot be built"), "{all}");
    let refused = folder.job(&["explain", "SF9999"]).exits(2).err;
    assert!(refused.contains("there is no error 'SF9999' [SF0318]"), "{refused}");
}

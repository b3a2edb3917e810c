//! The pages about errors, one for each code, as they are in `docs/errors`.
//!
//! It knows nothing of where errors come from.

use steadfast_core::Cause;

macro_rules! pages {
    ($($name:ident $code:literal,)*) => {
        /// Each cause with its page.
        const PAGES: &[(Cause, &str)] = &[$(
            (Cause::$name, include_str!(concat!("../../../docs/errors/", $code, ".md"))),
        )*];
    };
}

pages! {
    BAD_INPUT "SF0100",
    BAD_RECORD "SF0101",
    CUT_OFF "SF0102",
    UNUSABLE_FILE "SF0103",
    ALL_BAD "SF0104",
    TOO_MUCH_BAD "SF0105",
    USER_CODE "SF0200",
    USER_ERROR "SF0201",
    PANIC "SF0202",
    NOT_SERIALIZED "SF0203",
    ROW_WIDTH "SF0204",
    CONFIGURATION "SF0300",
    PLAN "SF0301",
    STATE_NAMES "SF0302",
    STATE_TYPE "SF0303",
    HOMELESS "SF0304",
    BEGINS_EMPTY "SF0305",
    NAMES_COLLIDE "SF0306",
    OTHER_MODE "SF0307",
    TARGET_FOREIGN "SF0308",
    TARGET_OF_ANOTHER_STORE "SF0309",
    NEW_SINK "SF0310",
    OTHER_FORMAT "SF0311",
    INPUT_SHORTER "SF0312",
    INPUT_GONE "SF0313",
    INPUT_UNUSABLE "SF0314",
    INPUT_OTHER "SF0315",
    NOT_WRITABLE "SF0316",
    TABLE_UNFIT "SF0317",
    OPTION "SF0318",
    NO_SUCH_CHECKPOINT "SF0319",
    OTHER_RELEASE "SF0320",
    TOO_MUCH_WAITS "SF0321",
    INPUT_CHANGED "SF0322",
    INPUT_TRUNCATED "SF0323",
    CONFIG_FILE "SF0324",
    SAME_NAME "SF0325",
    UNNAMED_STATE "SF0326",
    UNAVAILABLE "SF0400",
    STORE_AWAY "SF0401",
    TARGET_AWAY "SF0402",
    INPUT_AWAY "SF0403",
    NOT_STOPPED "SF0404",
    FENCED "SF0500",
    JOB_TAKEN_OVER "SF0501",
    TARGET_TAKEN_OVER "SF0502",
    DAMAGED "SF0600",
    NO_INTACT_CHECKPOINT "SF0601",
    LOG_HOLE "SF0602",
    OUTPUT_LOST "SF0603",
    OUTPUT_AHEAD "SF0604",
    UNKNOWN_WRITER "SF0605",
    VERIFIED_DAMAGED "SF0606",
    INTERNAL "SF0700",
    REJECTED "SF0800",
    ROWS_REJECTED "SF0801",
}

/// The page about an error code such as `SF0301`, in Markdown; none if there is no such code. Capitals do not
/// matter.
///
/// ```
/// let page = steadfast::explain::page("sf0202").unwrap();
/// assert!(page.starts_with("# SF0202: "));
/// ```
pub fn page(code: &str) -> Option<&'static str> {
    let is_it = |cause: &Cause| cause.code().eq_ignore_ascii_case(code);
    PAGES.iter().find(|(cause, _)| is_it(cause)).map(|(_, page)| *page)
}

/// Every code with the title of its page, in the order of the codes.
pub fn titles() -> impl Iterator<Item = (&'static str, &'static str)> {
    PAGES.iter().map(|(cause, page)| {
        let first = page.lines().next().unwrap_or_default();
        (cause.code(), first.split_once(": ").map_or(first, |(_, title)| title))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn each_constant_has_a_page_and_each_page_a_constant() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
        let pages = PAGES.iter().map(|(cause, _)| cause.code().to_string());
        let causes: BTreeSet<_> = Cause::ALL.iter().map(|cause| cause.code().to_string()).collect();
        assert_eq!(pages.collect::<BTreeSet<_>>(), causes);
        let files = std::fs::read_dir(docs.join("errors")).unwrap();
        let files = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let files = files.map(|file| file.trim_end_matches(".md").to_string());
        assert_eq!(files.collect::<BTreeSet<_>>(), causes);
        let overview = std::fs::read_to_string(docs.join("errors.md")).unwrap();
        for (code, title) in titles() {
            let row = format!("| [{code}](errors/{code}.md) | {title} |");
            assert!(overview.contains(&row), "docs/errors.md lacks: {row}");
        }
    }

    #[test]
    fn a_page_says_what_happened_shows_it_and_says_why_and_what_to_do() {
        for (cause, page) in PAGES {
            let code = cause.code();
            assert!(page.starts_with(&format!("# {code}: ")), "{code}");
            for part in
                ["*Exit code ", "```text\nerror: ", &format!("[{code}]"), "## Why", "## What to do"]
            {
                assert!(page.contains(part), "{code} lacks {part}");
            }
        }
    }
}

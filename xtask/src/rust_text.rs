//! Rust source as plain text in which words can be searched safely.
//!
//! Comments and literals are blanked out and the code for tests is marked, without a parser: a rule
//! about words must not fall for a word in a comment, and must work on code that does not compile.

use std::ops::Range;

/// The text of a file, with all that is not code blanked out. Offsets and lines stay as they were.
pub struct RustText {
    code: String,
    /// Items under `#[cfg(test)]`, in order, without overlap.
    tests: Vec<Range<usize>>,
}

impl RustText {
    pub fn new(source: &str) -> Self {
        let code = blank(source);
        let tests = test_items(&code);
        RustText { code, tests }
    }

    /// All code, tests included.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The code that ships: items under `#[cfg(test)]` are blanked out too.
    pub fn production(&self) -> String {
        let mut bytes = self.code.clone().into_bytes();
        for range in &self.tests {
            blank_range(&mut bytes, range.clone());
        }
        into_text(bytes)
    }

    /// How many lines the file has without the items under `#[cfg(test)]`.
    pub fn production_lines(&self) -> usize {
        let test_lines: usize =
            self.tests.iter().map(|range| self.code[range.clone()].lines().count()).sum();
        self.code.lines().count().saturating_sub(test_lines)
    }

    /// The names of modules in files of their own that exist in tests only.
    pub fn test_modules(&self) -> Vec<&str> {
        let item = |range: &Range<usize>| self.code[range.clone()].trim_end().strip_suffix(';');
        let name = |item: &'_ str| item.rsplit_once("mod ").map(|(_, name)| name.len());
        self.tests
            .iter()
            .filter_map(item)
            .filter_map(|item| name(item).map(|length| item[item.len() - length..].trim()))
            .filter(|name| !name.is_empty() && name.bytes().all(is_word))
            .collect()
    }

    /// The number of the line at `offset`, from 1.
    pub fn line(&self, offset: usize) -> usize {
        line_of(&self.code, offset)
    }
}

/// Where `word` stands in `code` as a whole: no letter, digit or `_` before or after it.
pub fn find_word(code: &str, word: &str) -> Vec<usize> {
    let bytes = code.as_bytes();
    let open = !word.as_bytes().last().copied().is_some_and(is_word);
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(|&at| at == 0 || !is_word(bytes[at - 1]))
        .filter(|&at| open || bytes.get(at + word.len()).is_none_or(|&next| !is_word(next)))
        .collect()
}

/// The word that `code` begins with; empty if it begins with something else.
pub fn first_word(code: &str) -> &str {
    let end = code.bytes().position(|byte| !is_word(byte)).unwrap_or(code.len());
    &code[..end]
}

fn line_of(code: &str, offset: usize) -> usize {
    code.as_bytes()[..offset].iter().filter(|&&byte| byte == b'\n').count() + 1
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

fn blank_range(bytes: &mut [u8], range: Range<usize>) {
    for byte in &mut bytes[range] {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

fn into_text(bytes: Vec<u8>) -> String {
    // Only whole characters are ever blanked, so nothing is lost here.
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Blanks comments and literals.
fn blank(source: &str) -> String {
    let mut bytes = source.as_bytes().to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_or_comment(&bytes, at);
        if end > at {
            blank_range(&mut bytes, at..end);
            at = end;
        } else {
            at += 1;
        }
    }
    into_text(bytes)
}

/// The end of the literal or comment that begins at `at`; `at` itself if none does.
fn literal_or_comment(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let in_word = at > 0 && is_word(bytes[at - 1]);
    match rest {
        [b'/', b'/', ..] => at + rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => at + block_comment(rest),
        [b'"', ..] => at + string(rest),
        [b'r', b'"' | b'#', ..] if !in_word => at + raw_string(rest, 1),
        [b'b' | b'c', b'r', b'"' | b'#', ..] if !in_word => at + raw_string(rest, 2),
        [b'\'', ..] => at + character(rest),
        _ => at,
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (at, depth) = (at + 2, depth + 1),
            [b'*', b'/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// `r#"..."#`; a raw identifier such as `r#type` is not one and has length 0.
fn raw_string(rest: &[u8], prefix: usize) -> usize {
    let hashes = rest[prefix..].iter().take_while(|&&b| b == b'#').count();
    let open = prefix + hashes;
    if rest.get(open) != Some(&b'"') {
        return 0;
    }
    let mut close = vec![b'"'];
    close.resize(1 + hashes, b'#');
    let body = &rest[open + 1..];
    let end = body.windows(close.len()).position(|window| window == close);
    end.map_or(rest.len(), |end| open + 1 + end + close.len())
}

/// `'a'` or `'\n'`; a lifetime has length 0.
fn character(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        let end = rest.iter().skip(3).position(|&b| b == b'\'');
        return end.map_or(rest.len(), |end| end + 4);
    }
    let Some(&first) = rest.get(1) else { return 0 };
    let width = match first {
        b'\n' => return 0,
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    };
    if rest.get(1 + width) == Some(&b'\'') { width + 2 } else { 0 }
}

/// The items of blanked code that exist in tests only, from the attribute to the end of the item.
fn test_items(code: &str) -> Vec<Range<usize>> {
    let mut items: Vec<Range<usize>> = Vec::new();
    for (start, _) in code.match_indices("#[cfg(").chain(code.match_indices("#![cfg(")) {
        let open = start + code[start..].find('(').unwrap_or(0);
        let close = closing(code, open);
        let condition = code[open + 1..close].trim();
        let test = condition == "test" || condition.starts_with("all(test,");
        if !test || items.last().is_some_and(|last| start < last.end) {
            continue;
        }
        let whole_file = code[start..].starts_with("#!");
        let end = if whole_file { code.len() } else { item_end(code, close + 1) };
        items.push(start..end);
    }
    items
}

/// The end of the item whose first attribute ends near `from`.
fn item_end(code: &str, from: usize) -> usize {
    let bytes = code.as_bytes();
    let mut at = from;
    let skip_blank = |at: usize| at + code[at..].len() - code[at..].trim_start().len();
    at = skip_blank((at + 1).min(code.len())); // the `]` of the attribute
    while code[at..].starts_with("#[") {
        at = skip_blank((closing(code, at + 1) + 1).min(code.len()));
    }
    // A field or a variant ends at a comma; in an item, commas stand between parameters.
    let item = ITEMS.contains(&first_word(&code[at..]));
    while at < code.len() {
        match bytes[at] {
            b';' => return at + 1,
            b',' if !item => return at + 1,
            b'}' | b')' | b']' => return at,
            b'{' => {
                let end = closing(code, at) + 1;
                let next = skip_blank(end.min(code.len()));
                return if bytes.get(next) == Some(&b';') { next + 1 } else { end.min(code.len()) };
            }
            b'(' | b'[' => at = closing(code, at),
            _ => {}
        }
        at += 1;
    }
    code.len()
}

const ITEMS: [&str; 15] = [
    "pub",
    "mod",
    "fn",
    "impl",
    "struct",
    "enum",
    "trait",
    "use",
    "const",
    "static",
    "type",
    "macro_rules",
    "async",
    "extern",
    "unsafe",
];

/// The bracket that closes the one at `open`; the end of the code if none does.
fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return at;
        }
    }
    code.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_lines_stay() {
        let source = "a /* b /* c */ d */ e // f\n\"g\\\"h\" r#\"i\"j\"# 'k' '\\'' b'l' m\n'ü' n";
        let code = blank(source);
        assert_eq!(code.split_whitespace().collect::<String>(), "aebmn");
        assert_eq!(code.lines().count(), source.lines().count());
    }

    #[test]
    fn lifetimes_and_raw_identifiers_are_code() {
        let source = "fn f<'a>(x: &'a str, r#type: &'static str) { b('x') }";
        assert_eq!(blank(source), source.replace("'x'", "   "));
    }

    #[test]
    fn words_are_found_whole_only() {
        assert_eq!(find_word("unsafe_code unsafe munsafe", "unsafe"), [12]);
        assert_eq!(find_word("todo!() my_todo!() todo!(x)", "todo!("), [0, 19]);
    }

    #[test]
    fn code_for_tests_does_not_count() {
        let source = "use a;\n#[cfg(test)]\nuse b::{c};\nfn d() {}\n\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n    fn e() { \"}\" }\n}\nfn f() {}\n";
        let text = RustText::new(source);
        let words: String = text.production().split_whitespace().collect();
        assert_eq!(words, "usea;fnd(){}fnf(){}");
        assert_eq!(text.production_lines(), 4);
        assert_eq!(text.line(source.find("fn f").unwrap()), 11);
    }

    #[test]
    fn an_item_with_generics_ends_where_it_ends_and_a_field_at_its_comma() {
        let text = RustText::new("#[cfg(test)]\nfn a<B, C>() { x }\nfn d() {}");
        assert_eq!(text.production().trim(), "fn d() {}");
        let text = RustText::new("struct A { #[cfg(test)] b: C<(D, E)>, f: G }");
        assert_eq!(text.production().split_whitespace().collect::<String>(), "structA{f:G}");
    }

    #[test]
    fn code_that_may_also_ship_is_production() {
        for condition in ["not(test)", "any(test, unix)", "feature = \"test\""] {
            let text = RustText::new(&format!("#[cfg({condition})]\nmod a {{}}"));
            assert!(text.production().contains("mod a"), "{condition}");
        }
    }

    #[test]
    fn test_modules_in_files_of_their_own_are_named() {
        let source = "mod a;\n#[cfg(test)]\nmod tests;\n#[cfg(test)] pub(crate) mod model;\n#[cfg(test)]\nmod c {}";
        assert_eq!(RustText::new(source).test_modules(), ["tests", "model"]);
    }
}

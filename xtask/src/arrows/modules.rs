//! Which top-level modules of a crate import which, read from the text of its files.
//!
//! A module is a file or folder directly in `src`. An import is a path that begins with `crate::`,
//! or with as many `super::` as lead to the crate's root. A name that the root re-exports leads to
//! the module it comes from. The root itself and code for tests do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::arrows::circle::{self, Graph};
use crate::checkout::RustFile;
use crate::rust_text::{RustText, find_word, first_word};

/// The imports among the top-level modules of one crate.
#[derive(Default)]
pub struct ModuleGraph {
    /// The first place of each import, by the importing and the imported module.
    imports: BTreeMap<(String, String), String>,
}

struct Module<'a> {
    /// Empty for the root of the crate.
    path: Vec<&'a str>,
    file: &'a str,
    text: RustText,
}

impl ModuleGraph {
    /// Reads all files of one `src` folder, with paths relative to it.
    pub fn read(files: &[RustFile]) -> Self {
        let modules: Vec<_> = files
            .iter()
            .filter(|file| !file.path.starts_with("bin/"))
            .map(|file| Module {
                path: module_path(&file.path),
                file: &file.path,
                text: RustText::new(&file.text),
            })
            .collect();
        let modules = without_tests(modules);
        let top: BTreeSet<&str> = modules.iter().filter_map(|m| m.path.first().copied()).collect();
        let mut exports = BTreeMap::new();
        for root in modules.iter().filter(|module| module.path.is_empty()) {
            exports.extend(re_exports(&root.text.production(), &top));
        }
        let mut graph = ModuleGraph::default();
        for module in modules.iter().filter(|module| !module.path.is_empty()) {
            graph.add(module, &top, &exports);
        }
        graph
    }

    fn add(
        &mut self,
        module: &Module<'_>,
        top: &BTreeSet<&str>,
        exports: &BTreeMap<String, String>,
    ) {
        let from = module.path[0];
        let code = module.text.production();
        for (at, name) in names_below_root(&code, module.path.len()) {
            let to = match exports.get(name) {
                _ if top.contains(name) => name,
                Some(origin) => origin,
                None => continue,
            };
            if to != from {
                let place = format!("src/{}:{}", module.file, module.text.line(at));
                self.imports.entry((from.to_owned(), to.to_owned())).or_insert(place);
            }
        }
    }

    /// Each circle of imports, with a place for each of its arrows.
    pub fn circles(&self) -> Vec<String> {
        let mut graph = Graph::new();
        for (from, to) in self.imports.keys() {
            graph.entry(from.clone()).or_default().insert(to.clone());
        }
        circle::circles(&graph).iter().map(|circle| self.describe(circle)).collect()
    }

    fn describe(&self, circle: &[String]) -> String {
        let mut text = String::new();
        for (index, from) in circle.iter().enumerate() {
            let to = &circle[(index + 1) % circle.len()];
            let place = &self.imports[&(from.clone(), to.clone())];
            let _ = writeln!(text, "    {from} -> {to} ({place})");
        }
        text.truncate(text.trim_end().len());
        text
    }
}

fn module_path(file: &str) -> Vec<&str> {
    let mut path: Vec<_> = file.strip_suffix(".rs").unwrap_or(file).split('/').collect();
    let last = path.last().copied().unwrap_or_default();
    if last == "mod" || (path.len() == 1 && (last == "lib" || last == "main")) {
        path.pop();
    }
    path
}

/// Leaves out the files of modules that are declared under `#[cfg(test)]`, and what is below them.
fn without_tests(modules: Vec<Module<'_>>) -> Vec<Module<'_>> {
    let mut tests: BTreeSet<Vec<String>> = BTreeSet::new();
    for module in &modules {
        for name in module.text.test_modules() {
            let path = module.path.iter().copied().chain([name]).map(str::to_owned).collect();
            tests.insert(path);
        }
    }
    let is_test = |module: &Module<'_>| {
        (1..=module.path.len()).any(|length| {
            let above: Vec<_> = module.path[..length].iter().map(|&name| name.to_owned()).collect();
            tests.contains(&above)
        })
    };
    modules.into_iter().filter(|module| !is_test(module)).collect()
}

/// The first names of all paths that begin at the crate's root, with their offsets.
fn names_below_root(code: &str, depth: usize) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for at in find_word(code, "crate::") {
        heads(code, at + "crate::".len(), &mut found);
    }
    for at in find_word(code, "super::") {
        if code[..at].ends_with("::") {
            continue;
        }
        let (mut rest, mut count) = (at, 0);
        while code[rest..].starts_with("super::") {
            rest += "super::".len();
            count += 1;
        }
        if count == depth {
            heads(code, rest, &mut found);
        }
    }
    found
}

/// The first names of the path, or of each path of the group, that begins at `at`.
fn heads<'a>(code: &'a str, at: usize, found: &mut Vec<(usize, &'a str)>) {
    let at = at + code[at..].len() - code[at..].trim_start().len();
    if !code[at..].starts_with('{') {
        found.push((at, first_word(&code[at..])));
        return;
    }
    let (mut depth, mut start) = (0_usize, at + 1);
    for (index, byte) in code.bytes().enumerate().skip(at) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && byte == b',') {
            let name = code[start..index].trim_start();
            found.push((index - name.len(), first_word(name)));
            start = index + 1;
        }
        if depth == 0 {
            return;
        }
    }
}

/// Names that the root makes its own by `use module::Name`, with the module they come from.
fn re_exports(root: &str, top: &BTreeSet<&str>) -> BTreeMap<String, String> {
    let mut exports = BTreeMap::new();
    for at in find_word(root, "use ") {
        let end = root[at..].find(';').map_or(root.len(), |end| at + end);
        let tree = root[at + "use ".len()..end].trim();
        let tree = ["crate::", "self::"].iter().find_map(|p| tree.strip_prefix(p)).unwrap_or(tree);
        let origin = first_word(tree);
        if top.contains(origin) {
            for leaf in tree.split([',', '{', '}']).map(str::trim) {
                let name = leaf.rsplit(" as ").next().and_then(|name| name.rsplit("::").next());
                let name = name.unwrap_or_default().trim();
                if !name.is_empty() && name != origin {
                    exports.insert(name.to_owned(), origin.to_owned());
                }
            }
        }
    }
    exports
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<_> = files
            .iter()
            .map(|&(path, text)| RustFile { path: path.to_owned(), text: text.to_owned() })
            .collect();
        let graph = ModuleGraph::read(&files);
        graph.imports.iter().map(|((from, to), at)| format!("{from}>{to} {at}")).collect()
    }

    #[test]
    fn imports_are_read_from_single_paths_groups_and_plain_expressions() {
        let a = "use crate::{b::{B, c}, c::C, self};\nfn f() { crate::d::g() }\n";
        let found = imports(&[("a.rs", a), ("b.rs", ""), ("c/mod.rs", ""), ("d.rs", "")]);
        assert_eq!(found, ["a>b src/a.rs:1", "a>c src/a.rs:1", "a>d src/a.rs:2"]);
    }

    #[test]
    fn a_folder_is_one_module_and_super_leads_up() {
        let inner = "use crate::a::X;\nuse super::y::Z;\nuse super::super::b::B;\n";
        let files = [("a.rs", "use super::c::C;"), ("a/x.rs", inner), ("b.rs", ""), ("c.rs", "")];
        assert_eq!(imports(&files), ["a>b src/a/x.rs:3", "a>c src/a.rs:1"]);
    }

    #[test]
    fn a_name_of_the_root_leads_to_the_module_it_comes_from() {
        let root = "mod a;\nmod b;\npub use b::{B, inner::Deep as Flat};\n";
        let found = imports(&[
            ("lib.rs", root),
            ("a.rs", "use crate::B;\n\nfn f(_: crate::Flat, _: crate::Other) {}"),
            ("b.rs", "use crate::Flat;"),
        ]);
        assert_eq!(found, ["a>b src/a.rs:1"]);
        let found = imports(&[("lib.rs", root), ("a.rs", "crate::Flat"), ("b.rs", "")]);
        assert_eq!(found, ["a>b src/a.rs:1"]);
    }

    #[test]
    fn tests_comments_binaries_and_the_root_do_not_count() {
        let a =
            "// use crate::b;\n#[cfg(test)]\nmod model;\n#[cfg(test)]\nmod tests { use crate::b; }";
        let files = [
            ("lib.rs", "use crate::b::B;\n#[cfg(test)]\nmod c;"),
            ("a.rs", a),
            ("a/model.rs", "use crate::b;"),
            ("b.rs", ""),
            ("bin/tool.rs", "use crate::a;"),
            ("c.rs", "use crate::a;"),
        ];
        assert_eq!(imports(&files), [""; 0]);
    }

    #[test]
    fn a_circle_is_told_with_its_places() {
        let file = |path: &str, text: &str| RustFile { path: path.into(), text: text.into() };
        let files = [
            file("a.rs", "\nuse crate::b::B;"),
            file("b/x.rs", "use crate::c;"),
            file("c.rs", "use crate::a;"),
            file("d.rs", "use crate::a;"),
        ];
        let circles = ModuleGraph::read(&files).circles();
        let expected =
            "    a -> b (src/a.rs:2)\n    b -> c (src/b/x.rs:1)\n    c -> a (src/c.rs:1)";
        assert_eq!(circles, [expected]);
    }
}

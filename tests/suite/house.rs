//! The house rule: a folder imports only folders above it in [`HOUSE`].
//!
//! A *folder*, here, is a folder or a file directly under `src`. Every path through `crate::…` counts, in a `use`, a `pub use` or inline in code, and so
//! does a chain of `super::` that reaches the root. Not read are comments, texts, `#[cfg(test)]` items, the binary, and `lib.rs`, which
//! re-exports; a name that `lib.rs` re-exports stands for the folder that it comes from.
//!
//! Beside it, the habits that a reader relies on: files of at most [`LINES`] lines, `foo/mod.rs` and never `foo.rs` beside `foo/`, no two files
//! of one name, no two public types of one name.
//!
//! What breaks a rule today is in its list of exceptions, exactly: a new violation fails the test, and so does an exception that is not needed
//! any more. The lists may only shrink.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The folders, from the ground up.
const HOUSE: [&str; 20] = [
    "base",
    "model",
    "ranks",
    "spill",
    "stats",
    "spec",
    "source",
    "synthetic",
    "orders",
    "route",
    "accumulate",
    "state",
    "finalize",
    "lens",
    "report",
    "partials",
    "reduce",
    "pipeline",
    "tasks",
    "jobs",
];

/// The most lines that a file has.
const LINES: usize = 450;

/// Rooms that [`HOUSE`] does not have: their imports, and imports of them, are not judged.
const NOT_PLACED_YET: &[&str] = &[];
/// `FROM -> TO: file`.
const UPWARD_IMPORTS: &[&str] = &[];
/// Files of more than [`LINES`] lines.
const LONG_FILES: &[&str] = &[];
/// `foo.rs` beside `foo/`.
const TWO_HEADS: &[&str] = &[];
/// Public types of one name in `src`, and their files.
const NAMESAKE_TYPES: &[&str] = &[];

/// Fails unless the violations are exactly the exceptions; says both differences as lines of the list.
#[track_caller]
fn exactly(rule: &str, found: impl IntoIterator<Item = String>, exceptions: &[&str]) {
    let found: BTreeSet<String> = found.into_iter().collect();
    let listed: BTreeSet<String> = exceptions.iter().map(|&line| line.to_owned()).collect();
    let lines = |lines: Vec<&String>| lines.into_iter().map(|line| format!("    {line:?},\n")).collect::<String>();
    let (new, gone) = (lines(found.difference(&listed).collect()), lines(listed.difference(&found).collect()));
    assert!(new.is_empty() && gone.is_empty(), "{rule}\nnew violations:\n{new}exceptions that are not needed any more:\n{gone}");
    assert_eq!(listed.len(), exceptions.len(), "an exception is listed twice");
}

/// Files with these extensions under folders of the repository, as paths from its root, sorted.
fn files(folders: &[&str], extensions: &[&str]) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut found, mut open): (Vec<_>, Vec<_>) = (Vec::new(), folders.iter().map(|folder| root.join(folder)).collect());
    while let Some(folder) = open.pop() {
        for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|found| extensions.iter().any(|&wanted| found == wanted)) {
                found.push(path.strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}

/// The parts of a path below `src`, the last one without its extension: `["spill", "mod"]`.
fn parts(path: &Path) -> Vec<String> {
    let path = path.with_extension("");
    path.iter().skip(1).map(|part| part.to_string_lossy().into_owned()).collect()
}

/// The code of the library by file: no comments, no texts, no tests.
fn library() -> BTreeMap<PathBuf, String> {
    let mut code = BTreeMap::new();
    let mut tests = BTreeSet::new();
    for path in files(&["src"], &["rs"]).into_iter().filter(|path| !path.starts_with("src/bin")) {
        let (text, modules) = without_tests(&without_texts(&read(&path)));
        let own = ["mod", "lib"].iter().any(|&head| path.file_stem().is_some_and(|stem| stem == head));
        let folder = if own { path.parent().unwrap().to_owned() } else { path.with_extension("") };
        tests.extend(modules.into_iter().map(|module| folder.join(module)));
        code.insert(path, text);
    }
    code.retain(|path, _| !tests.iter().any(|test| path.with_extension("").starts_with(test)));
    code
}

/// Code with blanks in place of comments, texts and characters.
fn without_texts(code: &str) -> String {
    let code: Vec<char> = code.chars().collect();
    let at = |i: usize| code.get(i).copied().unwrap_or(' ');
    let starts = |i: usize, text: &str| text.chars().enumerate().all(|(k, c)| at(i + k) == c);
    let (mut plain, mut i) = (String::new(), 0);
    while i < code.len() {
        let begun = i;
        if starts(i, "//") {
            i += code[i..].iter().take_while(|&&c| c != '\n').count();
        } else if starts(i, "/*") {
            let mut depth = 0;
            loop {
                let (opens, closes) = (starts(i, "/*"), starts(i, "*/"));
                depth = depth + usize::from(opens) - usize::from(closes);
                i += 1 + usize::from(opens || closes);
                if depth == 0 || i >= code.len() {
                    break;
                }
            }
        } else if at(i) == '"' {
            let hashes = code[..i].iter().rev().take_while(|&&c| c == '#').count();
            let raw = code[..i - hashes].last() == Some(&'r');
            let end = if raw { format!("\"{}", "#".repeat(hashes)) } else { "\"".to_owned() };
            i += 1;
            while i < code.len() && !starts(i, &end) {
                i += if at(i) == '\\' && !raw { 2 } else { 1 };
            }
            i += end.len();
        } else if at(i) == '\'' && (at(i + 1) == '\\' || at(i + 2) == '\'') {
            // Otherwise a lifetime.
            i += if at(i + 1) == '\\' { 3 } else { 2 };
            i += code[i..].iter().take_while(|&&c| c != '\'').count() + 1;
        } else {
            i += 1;
            plain.push(code[begun]);
            continue;
        }
        plain.push(' ');
    }
    plain
}

/// Code without what is only there for tests, and the names of test modules that have files of their own.
fn without_tests(code: &str) -> (String, Vec<String>) {
    const TEST: &str = "#[cfg(test)]";
    let (mut kept, mut modules, mut rest) = (String::new(), Vec::new(), code);
    while let Some((before, item)) = rest.split_once(TEST) {
        kept += before;
        let mut depth = 0;
        let end = item.char_indices().find_map(|(i, c)| {
            depth += i32::from("([{".contains(c)) - i32::from(")]}".contains(c));
            (depth < 0 || depth == 0 && (c == '}' || c == ';')).then_some(if depth < 0 { i } else { i + 1 })
        });
        let (item, after) = item.split_at(end.unwrap_or(item.len()));
        if let Some((_, module)) = item.strip_suffix(';').and_then(|item| item.rsplit_once("mod ")) {
            modules.push(module.trim().to_owned());
        }
        rest = after;
    }
    (kept + rest, modules)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn first_word(code: &str) -> &str {
    let code = code.trim_start();
    &code[..code.find(|c| !is_word(c)).unwrap_or(code.len())]
}

/// The first names of a path or of a group of paths: `a` of `a::b`, `a` and `b` of `{a::{c, d}, b}`.
fn first_names(path: &str) -> Vec<&str> {
    let (mut names, mut depth, mut from) = (Vec::new(), 0, 0);
    let Some(group) = path.trim_start().strip_prefix('{') else { return vec![first_word(path)] };
    for (i, c) in group.char_indices() {
        if depth == 0 && (c == ',' || c == '}') {
            names.push(first_word(&group[from..i]));
            from = i + 1;
        }
        depth += i32::from(c == '{') - i32::from(c == '}');
        if depth < 0 {
            break;
        }
    }
    names
}

/// What a file names at the root of the crate; `depth` is how many `super` reach it.
fn named_at_root(code: &str, depth: usize) -> BTreeSet<&str> {
    let from_root = |start: &'static str| {
        let alone = move |&(i, _): &(usize, &str)| !code[..i].ends_with(|c| is_word(c) || c == ':');
        code.match_indices(start).filter(alone).flat_map(move |(i, _)| first_names(&code[i + start.len()..]))
    };
    let above: &'static str = "super::".repeat(depth).leak();
    from_root("crate::").chain(from_root(above)).filter(|name| !["", "super", "self"].contains(name)).collect()
}

/// The names that `lib.rs` re-exports, and the folders they come from.
fn re_exports(code: &str) -> BTreeMap<String, String> {
    let uses = code.split("pub use ").skip(1).filter_map(|rest| Some(rest.split_once(';')?.0));
    let named = uses.map(|path| path.trim_start_matches("crate::")).flat_map(|path| {
        let names = path.split(|c| !is_word(c)).filter(|name| !name.is_empty());
        names.map(|name| (name.to_owned(), first_word(path).to_owned())).collect::<Vec<_>>()
    });
    named.collect()
}

#[test]
fn a_folder_imports_only_folders_above_it() {
    let library = library();
    let folders: BTreeSet<String> = library.keys().map(|path| parts(path)[0].clone()).filter(|folder| folder != "lib").collect();
    exactly("folders that are not in the list", folders.iter().filter(|folder| !HOUSE.contains(&folder.as_str())).cloned(), NOT_PLACED_YET);

    let re_exports = re_exports(&library[Path::new("src/lib.rs")]);
    let place = |folder: &str| HOUSE.iter().position(|&name| name == folder);
    let mut found = Vec::new();
    let mut read = 0;
    for (path, code) in library.iter().filter(|(path, _)| !path.ends_with("src/lib.rs")) {
        let parts = parts(path);
        let depth = parts.iter().filter(|&part| part != "mod").count();
        for name in named_at_root(code, depth) {
            let to = if folders.contains(name) {
                name
            } else {
                re_exports.get(name).unwrap_or_else(|| panic!("{}: what is crate::{name}?", shown(path)))
            };
            read += 1;
            if let (Some(below), Some(above)) = (place(&parts[0]), place(to))
                && above > below
            {
                found.push(format!("{} -> {to}: {}", parts[0], shown(path)));
            }
        }
    }
    assert!(read > 100, "only {read} imports were found");
    exactly("imports of folders below", found, UPWARD_IMPORTS);
}

#[test]
fn files_are_short() {
    let long = files(&["src", "tests", "benches", "examples"], &["rs", "py"]);
    let long = long.into_iter().filter(|path| read(path).lines().count() > LINES).map(|path| shown(&path));
    exactly("files of more than 450 lines", long, LONG_FILES);
}

#[test]
fn modules_have_one_head_style() {
    let all = files(&["src", "tests/suite", "benches", "examples"], &["rs"]);
    let two = all.iter().map(|path| path.with_extension("")).filter(|head| all.iter().any(|path| path.starts_with(head)));
    exactly("foo.rs beside foo/", two.map(|head| format!("{}.rs", shown(&head))), TWO_HEADS);
}

#[test]
fn file_names_are_unique() {
    let namesakes = |folder: &str| {
        let mut named: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for path in files(&[folder], &["rs"]).iter().filter(|path| !path.ends_with("mod.rs")) {
            named.entry(path.file_name().unwrap().to_string_lossy().into_owned()).or_default().push(shown(path));
        }
        named.into_values().filter(|paths| paths.len() > 1).map(|paths| paths.join(" ")).collect::<Vec<_>>()
    };
    exactly("files of one name", namesakes("src"), &[]);
    exactly("files of one name", namesakes("tests"), &[]);
}

#[test]
fn public_types_are_unique() {
    let mut named: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, code) in library() {
        let words: Vec<&str> = code.split(|c| !is_word(c)).filter(|word| !word.is_empty()).collect();
        for three in words.windows(3) {
            if let ["pub", "struct" | "enum" | "trait" | "type", name] = *three {
                named.entry(name.to_owned()).or_default().push(shown(&path));
            }
        }
    }
    let found = named.into_iter().filter(|(_, paths)| paths.len() > 1).map(|(name, paths)| format!("{name}: {}", paths.join(" ")));
    exactly("public types of one name", found, NAMESAKE_TYPES);
}

#[test]
fn code_is_read_as_the_compiler_reads_it() {
    let code = r##"
        /* crate::a /* crate::b */ crate::c */ // crate::d
        use crate::{base::{self, money}, Error,
            spill::*};
        pub use crate :: no; pub(crate) fn f<'a>(x: &'a str) -> char { let _ = ("crate::e \" crate::f", r#"crate::g " "#, '"', '\'', b'"'); 'é' }
        #[cfg(test)]
        mod tests { use crate::h; fn g() { crate::i() } }
        fn g(at: [u8; 2]) { crate::report::text(super::super::lens::x, super::own) }
        #[cfg(test)]
        #[allow(x)]
        pub(super) mod far;
    "##;
    let (plain, modules) = without_tests(&without_texts(code));
    assert_eq!(modules, ["far"]);
    let found: Vec<_> = named_at_root(&plain, 2).into_iter().collect();
    assert_eq!(found, ["Error", "base", "lens", "report", "spill"]);
    let exports = re_exports("pub use base::{Error, Result}; pub use crate::lens::comparison::Lens2;");
    assert_eq!((exports["Error"].as_str(), exports["Lens2"].as_str()), ("base", "lens"));
}

//! What the sources of the library and of the command hold to: no flags in the one, no import circles in the other.

use super::*;

/// All files below a folder of this crate that end in `.rs`, with their text before any tests.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !path.to_string_lossy().ends_with("tests.rs") {
                let text = fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]").next().unwrap().to_owned();
                found.push((path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_string_lossy().into_owned(), text));
            }
        }
    }
    found
}

/// The library has other users than the command line: its messages name options, and the command says how they are called there.
#[test]
fn the_library_names_no_flags() {
    for (name, text) in sources("src").iter().filter(|(name, _)| !name.starts_with("src/bin")) {
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//") && line.contains('"')) {
            let is_flag = |at: usize| line[at + 2..].starts_with(|c: char| c.is_ascii_lowercase()) && !line[..at].ends_with('-');
            assert!(!line.match_indices("--").any(|(at, _)| is_flag(at)), "{name}: {line}");
        }
    }
}

/// Modules of the command import each other in one direction only.
#[test]
fn the_command_has_no_import_circles() {
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, text) in sources("src/bin/lensflow") {
        let module = |path: &str| path.split(['/', ':', ';', '.', ' ', '(']).next().unwrap().to_owned();
        let own = module(name.strip_prefix("src/bin/lensflow/").unwrap());
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let named = code.flat_map(|line| line.split("crate::").skip(1)).map(module).filter(|other| *other != own);
        imports.entry(own.clone()).or_default().extend(named);
    }
    imports.remove("main");
    while !imports.is_empty() {
        let ready: BTreeSet<_> = imports.keys().filter(|name| imports[*name].iter().all(|of| !imports.contains_key(of))).cloned().collect();
        assert!(!ready.is_empty(), "these import each other: {imports:#?}");
        imports.retain(|name, _| !ready.contains(name));
    }
}

//! The rooms and who may import whom: the import table, held against the code's own `use` lines and paths.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each room and the rooms of ours it may import; `*` is any.
const TABLE: &[(&str, &str)] = &[
    ("address", ""),
    ("os", ""),
    ("terms", "address"),
    ("record", "address"),
    ("filter", "address terms record"),
    ("source", "os terms"),
    ("reader", "os address terms source record filter"),
    ("jail", "address terms"),
    ("ban", "address terms"),
    ("engine", "address terms jail ban"),
    ("store", "os address terms ban"),
    ("publish", "os address terms ban"),
    ("notify", "os address terms ban"),
    ("resolve", "os address"),
    ("fleet", "os address terms ban"),
    ("control", "os address terms ban"),
    ("migrate", "address filter config"),
    ("config", "*"),
    ("observe", "*"),
    ("daemon", "*"),
    ("cli", "*"),
];

/// Rooms that nothing below `daemon` may know.
const NOBODY_KNOWS: &[&str] = &["daemon", "cli"];

/// Rooms without clock, without I/O.
const PURE: &[&str] = &["address", "terms", "record", "filter", "jail", "ban", "engine"];

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

/// The code of a file without its comments and its tests.
fn code_of(path: &Path) -> String {
    if path.file_name().is_some_and(|name| name == "tests.rs") || path.iter().any(|part| part == "tests") {
        return String::new();
    }
    let text = fs::read_to_string(path).expect("a source file is text");
    let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    text[..end].lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The names that directly follow `crate::`, also those in `crate::{a::…, b}`.
fn imported(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            names.extend(top_names(group));
        } else {
            names.insert(rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect());
        }
    }
    names
}

/// The first name of each element of a brace group.
fn top_names(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut name, mut taking) = (1, Vec::new(), String::new(), true);
    for c in group.chars() {
        let of_a_name = c.is_ascii_alphanumeric() || c == '_';
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => taking = true,
            c if depth == 1 && taking && of_a_name => name.push(c),
            _ => {}
        }
        if !name.is_empty() && !of_a_name {
            names.push(std::mem::take(&mut name));
            taking = c == ',';
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn room_of(path: &Path) -> Option<String> {
    let inside = path.strip_prefix(src()).ok()?;
    let first = inside.iter().next()?.to_str()?;
    Some(first.trim_end_matches(".rs").to_owned())
}

#[test]
fn rooms_import_only_what_the_table_allows() {
    let table: BTreeMap<&str, &str> = TABLE.iter().copied().collect();
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for path in files_below(&src()) {
        let room = room_of(&path).expect("below src");
        let Some(allowed) = table.get(room.as_str()) else {
            assert!(matches!(room.as_str(), "lib" | "main"), "{} is in no room of the table", path.display());
            continue;
        };
        looked_at += 1;
        for other in imported(&code_of(&path)) {
            let known = table.contains_key(other.as_str()) && other != room;
            let fits = *allowed == "*" && !(NOBODY_KNOWS.contains(&other.as_str()) && room != "cli");
            if known && !fits && !allowed.split(' ').any(|a| a == other) {
                wrong.push(format!(
                    "{} imports {other}",
                    path.strip_prefix(src()).expect("below src").display()
                ));
            }
        }
    }
    assert!(looked_at > 20, "only {looked_at} files: is the source where it was?");
    assert!(wrong.is_empty(), "against the import table:\n{}", wrong.join("\n"));
}

#[test]
fn the_core_reads_no_clock_and_touches_no_file() {
    let forbidden = ["::now()", "std::fs", "File::open", "std::net::Tcp", "std::thread", "std::process"];
    let mut wrong = Vec::new();
    for path in files_below(&src()) {
        if PURE.contains(&room_of(&path).expect("below src").as_str()) {
            let code = code_of(&path);
            wrong.extend(
                forbidden.iter().filter(|f| code.contains(**f)).map(|f| format!("{}: {f}", path.display())),
            );
        }
    }
    assert!(wrong.is_empty(), "the core is pure:\n{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<_> = files_below(&src())
        .into_iter()
        .filter(|path| !fs::read_to_string(path).expect("text").starts_with("//!"))
        .collect();
    assert!(silent.is_empty(), "no `//!` at the top of {silent:?}");
}

#[test]
fn the_import_scanner_sees_groups_and_paths() {
    let code = "use crate::address::Address;\nuse crate::{terms::{A, B}, ban, os::clock};\nfn f() { crate::store::x() }";
    let seen: Vec<String> = imported(code).into_iter().collect();
    assert_eq!(seen, ["address", "ban", "os", "store", "terms"]);
}

//! Settings from `BANMAP_` variables: `BANMAP_DAEMON__SOCKET` is `socket` of `[daemon]`.
//!
//! `__` separates tables. The value is TOML where it can be read as TOML, else a text. Names of tables that an
//! environment cannot spell (`wordpress-login`) are found again without regard to case, `-` and `_`.

use std::ffi::OsString;
use std::sync::Arc;

use super::keys;
use super::node::{self, Entry, Node, Table, Value};
use super::problem::Problem;
use super::text::{Medium, Place, Text};

/// The variable that names the configuration file.
pub(super) const CONFIG: &str = "BANMAP_CONFIG";

const PREFIX: &str = "BANMAP_";

/// Lays the variables upon what the files said.
pub(super) fn lay_over(tree: &mut Table, environment: &[(OsString, OsString)], problems: &mut Vec<Problem>) {
    let mut ours: Vec<&(OsString, OsString)> =
        environment.iter().filter(|(name, _)| is_setting(name)).collect();
    ours.sort();
    for (name, value) in ours {
        // The name passed `is_setting`, so it is text.
        let name = name.to_string_lossy();
        let Some(value) = value.to_str() else {
            problems.push(Problem::error(format!("environment variable {name}: its value is not UTF-8")));
            continue;
        };
        let path = path_of(&name, tree);
        if path.len() < 2 && !path.iter().any(|key| key == "jails") {
            problems.extend(not_a_setting(&name));
            continue;
        }
        let text = Text::new(Medium::Variable(name.into_owned()), value.to_owned());
        node::merge(tree, nested(&path, read(&text)));
    }
}

fn is_setting(name: &OsString) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(PREFIX) && name != CONFIG)
}

/// A variable without `__` names no key of a table. Kubernetes sets such ones (`BANMAP_SERVICE_HOST`,
/// `BANMAP_PORT_80_TCP`) for a service of our name: they are not for us, and others may be a slip.
fn not_a_setting(name: &str) -> Option<Problem> {
    let rest = name.strip_prefix(PREFIX).unwrap_or(name);
    if rest.starts_with("SERVICE_") || rest.starts_with("PORT") {
        return None;
    }
    let problem = Problem::warning(format!("environment variable {name} is no setting, and is ignored"));
    let table = keys::TABLES.iter().find(|table| rest.to_lowercase().starts_with(&format!("{table}_")));
    let meant = table.map(|table| format!("{PREFIX}{}__{}", table.to_uppercase(), &rest[table.len() + 1..]));
    let fix = meant.map_or_else(
        || "settings are named BANMAP_TABLE__KEY, such as BANMAP_DAEMON__SOCKET".to_owned(),
        |meant| format!("did you mean {meant}? `__` separates a table from its key"),
    );
    Some(problem.fix(fix))
}

/// The tables and the key that a variable names, spelt as the configuration spells them.
fn path_of(name: &str, tree: &Table) -> Vec<String> {
    let rest = name.strip_prefix(PREFIX).unwrap_or(name);
    let mut path = Vec::new();
    let mut inside = Some(tree);
    for segment in rest.split("__") {
        let known = inside.into_iter().flat_map(|table| table.keys().map(String::as_str));
        let named = if path == ["jail"] { named_jails(tree) } else { Vec::new() };
        let found = known.chain(named).find(|key| folded(key) == folded(segment));
        let key = found.map_or_else(|| segment.to_lowercase(), str::to_owned);
        inside = inside.and_then(|table| table.get(&key)).and_then(|entry| match &entry.node.value {
            Value::Table(inner) => Some(inner),
            _ => None,
        });
        path.push(key);
    }
    path
}

/// The jails that the list `jails` enables.
fn named_jails(tree: &Table) -> Vec<&str> {
    let items = tree.get("jails").map_or(&[][..], |entry| entry.node.items());
    items.iter().filter_map(Node::as_str).collect()
}

fn folded(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}

fn read(text: &Arc<Text>) -> Node {
    node::parse_value(text).unwrap_or_else(|| Node {
        value: Value::String(text.body.clone()),
        place: Place::new(text, 0..text.body.len()),
    })
}

fn nested(path: &[String], node: Node) -> Table {
    let place = node.place.clone();
    let wrap = |node: Node, key: &String| Node {
        value: Value::Table(Table::from([(key.clone(), Entry { key: place.clone(), node })])),
        place: place.clone(),
    };
    match path.iter().rev().fold(node, wrap).value {
        Value::Table(table) => table,
        _ => Table::new(),
    }
}

//! `check --effective`: every value with its origin, as a TOML document.

use std::fmt::Write as _;

use super::found::{Shown, ShownValue};
use super::node::{self, Entry};

/// The document. Read as a configuration it says the same again.
pub(super) fn document<'a>(
    shown: &[Shown],
    filters: impl Iterator<Item = (&'a String, &'a Entry)>,
) -> String {
    let mut text = String::new();
    let mut table = "";
    for setting in by_table(shown) {
        if setting.table != table {
            table = &setting.table;
            begin(&mut text, table);
        }
        line(&mut text, setting);
    }
    for (name, entry) in filters {
        filter(&mut text, name, entry);
    }
    text
}

/// In the order in which tables were first read; keys without a table can only stand before all tables.
fn by_table(shown: &[Shown]) -> Vec<&Shown> {
    let mut tables: Vec<&str> = vec![""];
    for setting in shown {
        if tables.last() != Some(&setting.table.as_str()) && !tables.contains(&setting.table.as_str()) {
            tables.push(&setting.table);
        }
    }
    let mut ordered: Vec<&Shown> = shown.iter().collect();
    ordered.sort_by_key(|setting| tables.iter().position(|table| *table == setting.table));
    ordered
}

fn line(text: &mut String, setting: &Shown) {
    let key = &setting.key;
    let done = match &setting.value {
        ShownValue::Unset(origin) => writeln!(text, "# {key} is unset  # {}", one_line(origin)),
        ShownValue::One(value, origin) => writeln!(text, "{key} = {}  # {}", inline(value), one_line(origin)),
        ShownValue::List(items) => list(text, key, items),
    };
    done.expect("a String takes any text");
}

fn list(text: &mut String, key: &str, items: &[(toml::Value, String)]) -> std::fmt::Result {
    match items {
        [] => writeln!(text, "{key} = []"),
        [(value, origin)] => writeln!(text, "{key} = [{}]  # {}", inline(value), one_line(origin)),
        items => {
            writeln!(text, "{key} = [")?;
            for (value, origin) in items {
                writeln!(text, "  {},  # {}", inline(value), one_line(origin))?;
            }
            writeln!(text, "]")
        }
    }
}

/// An inline filter as it was written: what it means is the same in every version.
fn filter(text: &mut String, name: &str, entry: &Entry) {
    let node::Value::Table(table) = &entry.node.value else { return };
    begin(text, &format!("filter.{name}"));
    for (key, entry) in table {
        let value = inline(&entry.node.value.plain());
        writeln!(text, "{} = {value}  # {}", quoted(key), one_line(&entry.key.origin()))
            .expect("a String takes any text");
    }
}

fn begin(text: &mut String, table: &str) {
    writeln!(text, "\n[{}]", header(table)).expect("a String takes any text");
}

/// `jail.www.example` is the jail `www.example`: whatever follows the first dot is one name.
fn header(table: &str) -> String {
    match table.split_once('.') {
        Some((kind, name)) => format!("{kind}.{}", quoted(name)),
        None => table.to_owned(),
    }
}

fn quoted(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if bare { key.to_owned() } else { inline(&toml::Value::String(key.to_owned())) }
}

/// A value on one line.
fn inline(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => string(text),
        toml::Value::Array(items) => {
            let items: Vec<String> = items.iter().map(inline).collect();
            format!("[{}]", items.join(", "))
        }
        toml::Value::Table(table) => {
            let pairs: Vec<String> =
                table.iter().map(|(key, value)| format!("{} = {}", quoted(key), inline(value))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        other => other.to_string(),
    }
}

/// A text in the quotes that leave it readable: literal ones for patterns.
fn string(text: &str) -> String {
    let plain = !text.contains(|c: char| c.is_control());
    if plain && !text.contains(['"', '\\']) {
        return format!("\"{text}\"");
    }
    if plain && !text.contains('\'') {
        return format!("'{text}'");
    }
    let escaped = text.chars().map(|c| match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
        c => c.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

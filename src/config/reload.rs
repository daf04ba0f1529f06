//! `reload` and `validate` of an output: how its server is asked, and what is run.

use std::path::PathBuf;

use super::found::{Found, Origin};
use super::keys;
use super::node::{Node, Value};
use super::section::Section;
use crate::publish::Reload;

/// Signals that make some server read its files again; others would end it.
const SIGNALS: [&str; 4] = ["HUP", "USR1", "USR2", "WINCH"];

/// The `reload` of an output; the default is nginx's pid file where it is an nginx output, else none.
pub(super) fn read(section: Section<'_>, is_nginx: bool) -> Reload {
    let default = if is_nginx {
        Reload::PidFile { path: PathBuf::from("/run/nginx.pid"), signal: "HUP".to_owned() }
    } else {
        Reload::None
    };
    let found = section.node("reload").and_then(|node| written(section, node));
    let origin = found.as_ref().map_or(Origin::Default(""), |found| found.from.clone());
    let reload = found.map_or(default, |found| found.value);
    section.keep("reload", shown(&reload), &origin);
    reload
}

fn written(section: Section<'_>, node: &Node) -> Option<Found<Reload>> {
    let reload = match &node.value {
        Value::String(word) if word == "none" => Some(Reload::None),
        Value::String(word) if word == "external" => Some(Reload::External),
        Value::Table(_) => table(section),
        _ => {
            section.wrong("reload", "is no way to reload a server", &node.place, forms());
            None
        }
    };
    reload.map(|reload| Found::written(reload, &node.place))
}

fn forms() -> String {
    "write { pid_file = \"/run/nginx.pid\", signal = \"HUP\" }, { process = \"nginx\", signal = \"HUP\" }, \
     { command = [\"…\"] }, \"external\" or \"none\""
        .to_owned()
}

fn table(output: Section<'_>) -> Option<Reload> {
    let header = format!("{}.reload", output.name);
    let section = Section::of(output.reading, &header, output.entry("reload"));
    section.only(keys::RELOAD);
    let ways: Vec<&str> =
        ["pid_file", "process", "command"].into_iter().filter(|key| section.entry(key).is_some()).collect();
    match ways[..] {
        ["pid_file"] => {
            let path = section.path("pid_file")?.value;
            Some(Reload::PidFile { path, signal: signal(section)? })
        }
        ["process"] => {
            let name = section.string("process")?.value;
            Some(Reload::Process { name, signal: signal(section)? })
        }
        ["command"] => {
            if let Some(entry) = section.entry("signal") {
                section.wrong("signal", "means nothing for a command", &entry.key, "remove it".to_owned());
            }
            command(section, "command").map(|found| Reload::Command(found.value))
        }
        _ => {
            let what =
                if ways.is_empty() { "says no way to reload a server" } else { "says more than one way" };
            output.wrong("reload", what, section.place?, forms());
            None
        }
    }
}

fn signal(section: Section<'_>) -> Option<String> {
    let Some(node) = section.node("signal") else { return Some("HUP".to_owned()) };
    let word = section.text("signal", node)?.value;
    let bare = word.strip_prefix("SIG").unwrap_or(&word);
    if SIGNALS.contains(&bare) {
        return Some(bare.to_owned());
    }
    let fix = format!("the signals that reload a server are {}", SIGNALS.join(", "));
    section.wrong("signal", format_args!("`{word}` would not reload a server"), &node.place, fix);
    None
}

/// A program and its arguments. Without a shell: a single text with blanks in it would be the name of a program.
fn command(section: Section<'_>, key: &str) -> Option<Found<Vec<String>>> {
    let node = section.node(key)?;
    let texts = section.strings(key)?;
    let words: Vec<String> = texts.into_iter().map(|found| found.value).collect();
    if words.len() < node.items().len() {
        return None;
    }
    match words.first() {
        None => section.wrong(key, "names no program", &node.place, None),
        Some(program) if program.contains(char::is_whitespace) => {
            let list: Vec<String> = program.split_whitespace().map(|word| format!("\"{word}\"")).collect();
            let what = "is run without a shell: the program and each argument stand apart";
            section.wrong(key, what, &node.place, format!("write [{}]", list.join(", ")));
        }
        // A relative path would mean another program in each directory.
        Some(program) if program.contains('/') && !program.starts_with('/') => {
            let what = format_args!("`{program}` must be a name that PATH finds, or an absolute path");
            section.wrong(key, what, &node.place, None);
        }
        Some(_) => return Some(Found::written(words, &node.place)),
    }
    None
}

/// The operator's whole-configuration check; `"none"` for none.
pub(super) fn validate(
    section: Section<'_>,
    is_nginx: bool,
    default: Option<Vec<String>>,
) -> Option<Vec<String>> {
    let unset = toml::Value::String("none".to_owned());
    let (value, origin) = match section.node("validate") {
        None => {
            let about =
                if is_nginx && default.is_none() { "nginx -t needs root, and nginx itself" } else { "" };
            (default, Origin::Default(about))
        }
        Some(Node { value: Value::String(word), place }) if word == "none" => {
            (None, Origin::Written(place.clone()))
        }
        Some(node) => {
            (command(section, "validate").map(|found| found.value), Origin::Written(node.place.clone()))
        }
    };
    let list =
        |words: &Vec<String>| toml::Value::Array(words.iter().cloned().map(toml::Value::String).collect());
    section.keep("validate", value.as_ref().map_or(unset, list), &origin);
    value
}

fn shown(reload: &Reload) -> toml::Value {
    let text = |text: &str| toml::Value::String(text.to_owned());
    let table = |pairs: Vec<(&str, toml::Value)>| {
        toml::Value::Table(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    };
    match reload {
        Reload::None => text("none"),
        Reload::External => text("external"),
        Reload::PidFile { path, signal } => {
            table(vec![("pid_file", text(&path.to_string_lossy())), ("signal", text(signal))])
        }
        Reload::Process { name, signal } => table(vec![("process", text(name)), ("signal", text(signal))]),
        Reload::Command(words) => {
            let words = words.iter().map(|word| text(word)).collect();
            table(vec![("command", toml::Value::Array(words))])
        }
    }
}

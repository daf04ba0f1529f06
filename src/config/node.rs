//! The tree that all files make together: TOML values whose every leaf knows where it was written.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::problem::Problem;
use super::text::{Place, Text};

/// A table: its keys with what they hold.
pub(super) type Table = BTreeMap<String, Entry>;

/// A key of a table, where it stands, and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: Place,
    pub(super) node: Node,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) place: Place,
}

/// A TOML value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    String(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Datetime(toml::value::Datetime),
    Array(Vec<Node>),
    Table(Table),
}

/// So many syntax errors of one file are told; a file that is no TOML at all has thousands.
const SYNTAX_ERRORS_TOLD: usize = 20;

/// Reads a text as a document; what can be read of it is returned whatever is wrong with the rest.
pub(super) fn parse(text: &Arc<Text>, problems: &mut Vec<Problem>) -> Table {
    let (document, errors) = DeTable::parse_recoverable(&text.body);
    for error in errors.iter().take(SYNTAX_ERRORS_TOLD) {
        let place = Place::new(text, error.span().unwrap_or(0..0));
        problems.push(Problem::error(format!("not valid TOML: {}", error.message())).at(place));
    }
    table(document.get_ref(), text, problems)
}

/// Reads a text as a single value; `None` where it is none.
pub(super) fn parse_value(text: &Arc<Text>) -> Option<Node> {
    let value = DeValue::parse(&text.body).ok()?;
    let mut problems = Vec::new();
    let node = node(&value, text, &mut problems);
    problems.is_empty().then_some(node)
}

fn table(from: &DeTable<'_>, text: &Arc<Text>, problems: &mut Vec<Problem>) -> Table {
    let entry = |(key, value): (&Spanned<_>, &Spanned<_>), problems: &mut Vec<Problem>| Entry {
        key: Place::new(text, key.span()),
        node: node(value, text, problems),
    };
    from.iter().map(|pair| (pair.0.get_ref().to_string(), entry(pair, problems))).collect()
}

fn node(from: &Spanned<DeValue<'_>>, text: &Arc<Text>, problems: &mut Vec<Problem>) -> Node {
    let place = Place::new(text, from.span());
    let value = match from.get_ref() {
        DeValue::String(string) => Value::String(string.to_string()),
        DeValue::Integer(number) => Value::Integer(integer(number, &place, problems)),
        DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Datetime(value) => Value::Datetime(*value),
        DeValue::Array(array) => Value::Array(array.iter().map(|item| node(item, text, problems)).collect()),
        DeValue::Table(inner) => Value::Table(table(inner, text, problems)),
    };
    Node { value, place }
}

fn integer(number: &DeInteger<'_>, place: &Place, problems: &mut Vec<Problem>) -> i64 {
    i64::from_str_radix(number.as_str(), number.radix()).unwrap_or_else(|_| {
        problems.push(Problem::error("the number is too large to be read").at(place.clone()));
        0
    })
}

impl Value {
    /// The kind of value in an operator's words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::String(_) => "a text",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number with a fraction",
            Self::Boolean(_) => "true or false",
            Self::Datetime(_) => "a date",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
        }
    }

    /// The value without its places, as other rooms take it.
    pub(super) fn plain(&self) -> toml::Value {
        match self {
            Self::String(text) => toml::Value::String(text.clone()),
            Self::Integer(number) => toml::Value::Integer(*number),
            Self::Float(number) => toml::Value::Float(*number),
            Self::Boolean(value) => toml::Value::Boolean(*value),
            Self::Datetime(value) => toml::Value::Datetime(*value),
            Self::Array(items) => toml::Value::Array(items.iter().map(|item| item.value.plain()).collect()),
            Self::Table(table) => toml::Value::Table(plain(table)),
        }
    }
}

/// A table without its places, as other rooms take it.
pub(super) fn plain(table: &Table) -> toml::Table {
    table.iter().map(|(key, entry)| (key.clone(), entry.node.value.plain())).collect()
}

impl Node {
    /// The text, where it is one.
    pub(super) fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a list; a single value stands for a list of one.
    pub(super) fn items(&self) -> &[Self] {
        match &self.value {
            Value::Array(items) => items,
            _ => std::slice::from_ref(self),
        }
    }
}

/// Where the key that another room named (`rule[1].status`) stands in its table; as far as the path leads.
pub(super) fn locate(table: &Table, path: &str) -> Option<Place> {
    let mut here = None;
    let mut inside = Some(table);
    for segment in path.split('.') {
        let (key, indices) = segment.split_once('[').unwrap_or((segment, ""));
        let Some(entry) = inside.and_then(|table| table.get(key)) else { break };
        let mut node = &entry.node;
        here = Some(entry.key.through(&node.place));
        for index in indices.split('[').map(|index| index.trim_end_matches(']')) {
            let item = index.parse().ok().and_then(|index: usize| node.items().get(index));
            let Some(item) = item else { break };
            if item.place.span != node.place.span {
                here = Some(item.place.clone());
            }
            node = item;
        }
        inside = match &node.value {
            Value::Table(table) => Some(table),
            _ => None,
        };
    }
    here
}

/// Lays `over` upon `base`: later values win key by key, but for the lists that are unions of all files.
pub(super) fn merge(base: &mut Table, over: Table) {
    merge_at(base, over, &mut Vec::new());
}

fn merge_at(base: &mut Table, over: Table, path: &mut Vec<String>) {
    for (key, entry) in over {
        path.push(key.clone());
        match base.get_mut(&key) {
            Some(old) => merge_entry(old, entry, path),
            None => drop(base.insert(key, entry)),
        }
        path.pop();
    }
}

fn merge_entry(old: &mut Entry, new: Entry, path: &mut Vec<String>) {
    let whole = is_one_value(path);
    if is_union(path) {
        let items = old.node.items().iter().chain(new.node.items()).cloned().collect();
        old.node.value = Value::Array(items);
        return;
    }
    match (&mut old.node.value, new.node.value) {
        (Value::Table(inner), Value::Table(over)) if !whole => merge_at(inner, over, path),
        (_, value) => *old = Entry { key: new.key, node: Node { value, place: new.node.place } },
    }
}

/// Addresses that must not be banned are never taken away by a later file.
fn is_union(path: &[String]) -> bool {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    matches!(path[..], ["defaults", "ignoreip"] | ["jail", _, "ignoreip"] | ["real_ip", "trusted_proxies"])
}

/// Values in the form of a table: half of another one makes no sense in them.
fn is_one_value(path: &[String]) -> bool {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    matches!(
        path[..],
        ["output", _, "reload"] | ["defaults", "escalation" | "rate"] | ["jail", _, "escalation" | "rate"]
    )
}

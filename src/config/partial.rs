//! The keys of a jail as one table sets them: `[jail.NAME]` or `[defaults]`.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::Arc;

use jiff::SignedDuration;

use super::addresses;
use super::crawlers;
use super::found::{Found, Show};
use super::growing;
use super::keys;
use super::node::{self, Node, Value};
use super::problem::Problem;
use super::rate;
use super::rules;
use super::section::Section;
use super::widen;
use crate::filter::{ConditionSet, Conditions};
use crate::jail::{Escalation, Jitter, Rate, StormMode};
use crate::record::{Field, FieldError};
use crate::resolve::ListEntry;
use crate::terms::{Crawler, Measure, nearest};

/// More offences than this within one window are not counted one by one.
const HIGHEST_MAXRETRY: u32 = 1_000_000;

/// A hundred bytes each: more addresses than this fill the memory of most hosts.
const HIGHEST_TRACKED: u32 = 10_000_000;

const STORMS: [(&str, StormMode); 3] =
    [("off", StormMode::Off), ("warn", StormMode::Warn), ("hold", StormMode::Hold)];

/// The keys of a jail that one table sets; the rest is unset.
#[derive(Clone, Default)]
pub(super) struct Partial {
    pub(super) filter: Option<Found<String>>,
    pub(super) sources: Option<Vec<Found<String>>>,
    pub(super) outputs: Option<Vec<Found<String>>>,
    pub(super) maxretry: Option<Found<u32>>,
    pub(super) findtime: Option<Found<SignedDuration>>,
    pub(super) bantime: Option<Found<Option<SignedDuration>>>,
    pub(super) escalation: Option<Found<Option<Escalation>>>,
    pub(super) jitter: Option<Found<Option<Jitter>>>,
    pub(super) widen: Option<Found<widen::Rules>>,
    pub(super) extend: Option<Found<bool>>,
    pub(super) rate: Option<Found<Option<Rate>>>,
    pub(super) max_tracked: Option<Found<u32>>,
    pub(super) max_bans: Option<Found<u32>>,
    pub(super) storm: Option<Found<StormMode>>,
    pub(super) enabled: Option<Found<bool>>,
    pub(super) simulate: Option<Found<bool>>,
    pub(super) value: Option<Found<Measure>>,
    pub(super) v4: Option<Found<u32>>,
    pub(super) v6: Option<Found<u32>>,
    pub(super) distinct: Option<Found<Option<Field>>>,
    pub(super) only: Option<Found<ConditionTables>>,
    pub(super) ignore: Option<Found<ConditionTables>>,
    pub(super) ignoreip: Vec<Found<ListEntry>>,
    pub(super) crawlers: Option<Vec<Found<Crawler>>>,
}

/// The tables of `[[where]]` or `[[ignore]]`, compiled, and as they were written.
#[derive(Clone)]
pub(super) struct ConditionTables {
    pub(super) compiled: Vec<Arc<Conditions>>,
    written: toml::Value,
}

impl ConditionTables {
    /// As a filter's rules have them.
    pub(super) fn sets(&self) -> Vec<ConditionSet> {
        let tables = self.written.as_array().into_iter().flatten().filter_map(toml::Value::as_table);
        tables.filter_map(|table| ConditionSet::read(table).ok()).collect()
    }
}

impl Show for ConditionTables {
    fn shown(&self) -> toml::Value {
        self.written.clone()
    }
}

impl Show for StormMode {
    fn shown(&self) -> toml::Value {
        let word = STORMS.iter().find(|(_, mode)| mode == self).map_or("warn", |(word, _)| word);
        toml::Value::String(word.to_owned())
    }
}

impl Show for Measure {
    fn shown(&self) -> toml::Value {
        toml::Value::String(self.word().to_owned())
    }
}

impl Show for Option<Field> {
    fn shown(&self) -> toml::Value {
        toml::Value::String(self.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string))
    }
}

impl Partial {
    /// Reads the keys of a jail; everything wrong with them is reported here, once.
    pub(super) fn read(section: Section<'_>) -> Self {
        section.only(keys::JAIL);
        let header = format!("{}.group", section.name);
        let group = Section::of(section.reading, &header, section.entry("group"));
        group.only(keys::GROUP);
        Self {
            filter: section.string("filter"),
            sources: names(section, ["source", "sources"]),
            outputs: names(section, ["outputs", "output"]),
            maxretry: section.integer("maxretry", 1..=HIGHEST_MAXRETRY),
            findtime: section.span("findtime"),
            bantime: bantime(section),
            escalation: growing::escalation(section),
            jitter: growing::jitter(section),
            widen: widen::read(section),
            extend: section.boolean("extend"),
            rate: rate::read(section),
            max_tracked: section.integer("max_tracked", 1000..=HIGHEST_TRACKED),
            max_bans: section.integer("max_bans", 1000..=HIGHEST_TRACKED),
            storm: section.choice("storm", &STORMS),
            enabled: section.boolean("enabled"),
            simulate: section.boolean("simulate"),
            value: section.choice("value", &Measure::NAMED),
            // Shorter ones would ban a good part of the world for one client.
            v4: group.integer("v4", 8..=32),
            v6: group.integer("v6", 16..=128),
            distinct: distinct(section),
            only: conditions(section, "where"),
            ignore: conditions(section, "ignore"),
            ignoreip: addresses::read(section, "ignoreip"),
            crawlers: crawlers::ignored(section),
        }
    }
}

fn names(section: Section<'_>, names: [&str; 2]) -> Option<Vec<Found<String>>> {
    let (key, entry) = section.either(names)?;
    let found = section.strings(key)?;
    let mut seen = BTreeSet::new();
    for again in found.iter().filter(|name| !seen.insert(name.value.clone())) {
        let place = again.from.place().unwrap_or(&entry.key);
        section.wrong(
            key,
            format_args!("\"{}\" is named twice", again.value),
            place,
            "remove one".to_owned(),
        );
    }
    if found.is_empty() && entry.node.items().is_empty() {
        let fix = format!("leave `{key}` out to take all of them");
        section.wrong(key, "names none", &entry.node.place, fix);
    }
    Some(found)
}

fn bantime(section: Section<'_>) -> Option<Found<Option<SignedDuration>>> {
    let found = section.duration("bantime")?;
    let zero = found.value.is_some_and(|span| span.is_zero());
    if let (true, Some(place)) = (zero, found.from.place()) {
        let fix = "to judge without banning write simulate = true".to_owned();
        section.wrong("bantime", "must be longer than 0", place, fix);
        return None;
    }
    Some(found)
}

fn distinct(section: Section<'_>) -> Option<Found<Option<Field>>> {
    let found = section.string("distinct")?;
    if found.value == "none" {
        return Some(found.map(|_| None));
    }
    let meant = nearest(&found.value, Field::NAMES);
    // A format may name what it likes, but a name so near to a field of every format is a slip.
    let slip = |field: &Field| matches!(field, Field::Named(_)) && meant.is_some();
    let field = Field::from_str(&found.value);
    match field.and_then(|field| if slip(&field) { Err(FieldError(found.value.clone())) } else { Ok(field) })
    {
        Ok(field) => Some(found.map(|_| Some(field))),
        Err(error) => {
            let place = found.from.place()?;
            let meant = meant.map(|meant| format!("did you mean \"{meant}\"?"));
            section.wrong("distinct", error, place, meant);
            None
        }
    }
}

fn conditions(section: Section<'_>, key: &str) -> Option<Found<ConditionTables>> {
    let node = section.node(key)?;
    let compiled = node.items().iter().filter_map(|item| condition_table(section, key, item)).collect();
    let written = toml::Value::Array(node.items().iter().map(|item| item.value.plain()).collect());
    // The place of `[[where]]` is that of the key: the value of a list of tables has none of its own.
    let place = section.entry(key).map_or(&node.place, |entry| &entry.key);
    Some(Found::written(ConditionTables { compiled, written }, place))
}

fn condition_table(section: Section<'_>, key: &str, item: &Node) -> Option<Arc<Conditions>> {
    let Value::Table(table) = &item.value else {
        let fix = format!("write it as [[{}.{key}]] with conditions below", section.name);
        section.wrong(
            key,
            format_args!("must be a table of conditions, not {}", item.value.kind()),
            &item.place,
            fix,
        );
        return None;
    };
    let compiled = rules::conditions(&node::plain(table));
    let problem = |problem: crate::filter::Problem| {
        let place = node::locate(table, &problem.key).unwrap_or_else(|| item.place.clone());
        let about = if problem.key.is_empty() { String::new() } else { format!(".{}", problem.key) };
        Problem::error(format!("[{}] {key}{about}: {}", section.name, problem.message)).at(place)
    };
    compiled
        .map(Arc::new)
        .map_err(|problems| section.reading.report_all(problems.into_iter().map(problem)))
        .ok()
}

//! `[jail.NAME]`, `[defaults]` and the list `jails`: what each jail is when all of them are taken together.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::Arc;

use jiff::SignedDuration;

use super::addresses;
use super::keys;
use super::library::{FoundFilter, Library};
use super::node::{self, Node, Value};
use super::problem::Problem;
use super::rules;
use super::section::{Found, Origin, Reading, Section, Show};
use super::settings::{Jail, Manual};
use super::text::Place;
use crate::address::Group;
use crate::filter::{Conditions, Suggest};
use crate::record::Field;
use crate::resolve::ListEntry;
use crate::terms::{JailName, OutputName, SourceName, nearest};

/// More offences than this within one window are not counted one by one.
const HIGHEST_MAXRETRY: u32 = 1_000_000;

/// The keys of a jail that one table sets; the rest is unset.
#[derive(Clone, Default)]
pub(super) struct Partial {
    filter: Option<Found<String>>,
    sources: Option<Vec<Found<String>>>,
    outputs: Option<Vec<Found<String>>>,
    maxretry: Option<Found<u32>>,
    findtime: Option<Found<SignedDuration>>,
    bantime: Option<Found<Option<SignedDuration>>>,
    enabled: Option<Found<bool>>,
    simulate: Option<Found<bool>>,
    v4: Option<Found<u32>>,
    v6: Option<Found<u32>>,
    distinct: Option<Found<Option<Field>>>,
    only: Option<Found<ConditionTables>>,
    ignore: Option<Found<ConditionTables>>,
    ignoreip: Vec<Found<ListEntry>>,
}

/// The tables of `[[where]]` or `[[ignore]]`, compiled, and as they were written.
#[derive(Clone)]
struct ConditionTables {
    compiled: Vec<Arc<Conditions>>,
    written: toml::Value,
}

impl Show for ConditionTables {
    fn shown(&self) -> toml::Value {
        self.written.clone()
    }
}

impl Show for Option<Field> {
    fn shown(&self) -> toml::Value {
        toml::Value::String(self.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string))
    }
}

/// What jails can refer to.
pub(super) struct World<'a> {
    pub(super) reading: &'a Reading,
    pub(super) library: &'a Library,
    pub(super) sources: Vec<String>,
    pub(super) outputs: Vec<String>,
}

/// What was made of all jails.
#[derive(Default)]
pub(super) struct Jails {
    pub(super) enabled: Vec<Jail>,
    pub(super) disabled: Vec<JailName>,
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
            enabled: section.boolean("enabled"),
            simulate: section.boolean("simulate"),
            // Shorter ones would ban a good part of the world for one client.
            v4: group.integer("v4", 8..=32),
            v6: group.integer("v6", 16..=128),
            distinct: distinct(section),
            only: conditions(section, "where"),
            ignore: conditions(section, "ignore"),
            ignoreip: addresses::read(section, "ignoreip"),
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

/// Whether two entries protect the same addresses, wherever they were written.
fn same(one: &Found<ListEntry>, other: &Found<ListEntry>) -> bool {
    match (&one.value, &other.value) {
        (ListEntry::Prefix { prefix: one, .. }, ListEntry::Prefix { prefix: other, .. }) => one == other,
        (ListEntry::File { path: one, .. }, ListEntry::File { path: other, .. }) => one == other,
        _ => false,
    }
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
    match Field::from_str(&found.value) {
        Ok(field) => Some(found.map(|_| Some(field))),
        Err(error) => {
            let place = found.from.place()?;
            let meant = nearest(&found.value, Field::NAMES).map(|meant| format!("did you mean \"{meant}\"?"));
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

/// What `[defaults]` says for bans by hand; its values are shown here.
pub(super) fn manual(section: Section<'_>, defaults: &Partial) -> Manual {
    let unset = Partial::default();
    let pick = Layers { section, own: defaults, defaults: &unset, suggest: None };
    pick.maxretry();
    pick.findtime();
    let bantime = pick.bantime();
    Manual { bantime, group: pick.group(), ignoreip: pick.ignoreip() }
}

/// Every jail that `jails` or a table names.
pub(super) fn read_all(world: &World<'_>, top: Section<'_>, all: Section<'_>, defaults: &Partial) -> Jails {
    let listed = listed(top);
    let mut names: BTreeMap<&str, &Place> = BTreeMap::new();
    for name in listed.iter().flatten() {
        names.extend(name.from.place().map(|place| (name.value.as_str(), place)));
    }
    names.extend(all.entries().map(|(name, entry)| (name.as_str(), &entry.key)));
    let mut jails = Jails { enabled: Vec::new(), disabled: Vec::new() };
    for (name, place) in names {
        let header = format!("jail.{name}");
        let section = match all.entry(name) {
            Some(entry) => Section::of(world.reading, &header, Some(entry)),
            None => Section::absent(world.reading, &header, place),
        };
        let is_listed = listed.iter().flatten().any(|listed| listed.value == name);
        read(world, section, name, is_listed, defaults, &mut jails);
    }
    jails
}

/// The list `jails`; a jail that it names twice is named once.
fn listed(top: Section<'_>) -> Option<Vec<Found<String>>> {
    let found = top.strings("jails")?;
    top.show_list("jails", found.iter().map(|name| (name.value.shown(), name.from.to_string())));
    Some(found)
}

fn read(
    world: &World<'_>,
    section: Section<'_>,
    name: &str,
    is_listed: bool,
    defaults: &Partial,
    jails: &mut Jails,
) {
    let own = Partial::read(section);
    let Some(parsed) = jail_name(section, name) else { return };
    let inherited = if is_listed { None } else { defaults.enabled.clone() };
    let enabled = section.settle("enabled", own.enabled.clone().or(inherited), true);
    if !enabled {
        jails.disabled.push(parsed);
        return;
    }
    let filter_name =
        section.settle("filter", own.filter.clone().or_else(|| defaults.filter.clone()), name.to_owned());
    let filter = find(world, section, &filter_name, own.filter.as_ref().or(defaults.filter.as_ref()));
    let suggest = filter.as_ref().map(|found| found.filter.definition().suggest.clone());
    let suggest = suggest.map(|suggest| (filter_name, suggest));
    let layers = Layers { section, own: &own, defaults, suggest };
    jails.enabled.extend(layers.settle(world, parsed, filter));
}

fn jail_name(section: Section<'_>, name: &str) -> Option<JailName> {
    let report = |what: String, fix: Option<String>| {
        section.reading.report(Problem::error(what).at(section.place.cloned()).fix(fix));
    };
    match name.parse::<JailName>() {
        Ok(parsed) if parsed.is_manual() => {
            let fix = "give the jail another name, and `filter` the filter's".to_owned();
            report("`manual` is the built-in jail of bans by hand".to_owned(), Some(fix));
            None
        }
        Ok(parsed) => Some(parsed),
        Err(error) => {
            report(format!("jail {error}"), None);
            None
        }
    }
}

fn find(
    world: &World<'_>,
    section: Section<'_>,
    name: &str,
    written: Option<&Found<String>>,
) -> Option<FoundFilter> {
    let place = written.and_then(|found| found.from.place()).or(section.place);
    match world.library.find(name) {
        Ok(found) => {
            if found.hides_shipped {
                let what = format_args!("`{name}` of {} hides the shipped filter of that name", found.origin);
                section.warn(
                    "filter",
                    what,
                    place,
                    "give it another name, or remove it to use the shipped one",
                );
            }
            Some(found)
        }
        Err(problems) => {
            let pointed = problems.into_iter().map(|problem| match (&problem.place, &problem.path) {
                // A problem of the name, not of a filter's text, stands where the name does.
                (None, _) => {
                    Problem { what: format!("[{}] filter: {}", section.name, problem.what), ..problem }
                        .at(place.cloned())
                }
                _ => problem,
            });
            section.reading.report_all(pointed);
            None
        }
    }
}

/// One jail's own values, over its filter's suggestions, over `[defaults]`, over what is built in.
struct Layers<'a> {
    section: Section<'a>,
    own: &'a Partial,
    defaults: &'a Partial,
    suggest: Option<(String, Suggest)>,
}

impl Layers<'_> {
    fn settle(&self, world: &World<'_>, name: JailName, filter: Option<FoundFilter>) -> Option<Jail> {
        let section = self.section;
        let sources = self.references("source", &world.sources, |partial| partial.sources.as_ref());
        let outputs = self.references("outputs", &world.outputs, |partial| partial.outputs.as_ref());
        let (maxretry, findtime, bantime) = (self.maxretry(), self.findtime(), self.bantime());
        let simulate = self.pick(|partial| partial.simulate.as_ref());
        let jail = Jail {
            name,
            filter_name: filter.as_ref().map(|found| found.name.clone()).unwrap_or_default(),
            filter_origin: filter.as_ref()?.origin.clone(),
            filter: filter?.filter,
            sources: sources.iter().filter_map(|name| name.parse::<SourceName>().ok()).collect(),
            outputs: outputs.iter().filter_map(|name| name.parse::<OutputName>().ok()).collect(),
            only: self.conditions("where", |partial| partial.only.as_ref()),
            ignore: self.conditions("ignore", |partial| partial.ignore.as_ref()),
            distinct: self.distinct(),
            ignoreip: self.ignoreip(),
            maxretry,
            findtime,
            bantime,
            group: self.group(),
            simulate: section.settle("simulate", simulate, false),
        };
        Some(jail)
    }

    /// The jail's own value, else that of `[defaults]`.
    fn pick<T: Clone>(&self, of: impl Fn(&Partial) -> Option<&T>) -> Option<T> {
        of(self.own).or_else(|| of(self.defaults)).cloned()
    }

    /// The jail's own value, else the filter's suggestion, else that of `[defaults]`.
    fn pick_suggested<T: Clone>(
        &self,
        of: impl Fn(&Partial) -> Option<&Found<T>>,
        suggested: impl Fn(&Suggest) -> Option<T>,
    ) -> Option<Found<T>> {
        let suggestion = self.suggest.as_ref().and_then(|(filter, suggest)| {
            suggested(suggest).map(|value| Found { value, from: Origin::Suggested(filter.clone()) })
        });
        of(self.own).cloned().or(suggestion).or_else(|| of(self.defaults).cloned())
    }

    fn maxretry(&self) -> u32 {
        let found = self.pick_suggested(|partial| partial.maxretry.as_ref(), |suggest| suggest.maxretry);
        self.section.settle("maxretry", found, 5)
    }

    fn findtime(&self) -> SignedDuration {
        let found = self.pick_suggested(|partial| partial.findtime.as_ref(), |suggest| suggest.findtime);
        self.section.settle("findtime", found, SignedDuration::from_mins(10))
    }

    fn bantime(&self) -> Option<SignedDuration> {
        let found = self.pick(|partial| partial.bantime.as_ref());
        self.section.settle("bantime", found, Some(SignedDuration::from_hours(1)))
    }

    fn distinct(&self) -> Option<Field> {
        let suggested = |suggest: &Suggest| suggest.distinct.clone().map(Some);
        let found = self.pick_suggested(|partial| partial.distinct.as_ref(), suggested);
        self.section.settle("distinct", found, None)
    }

    fn group(&self) -> Group {
        let built_in = Group::default();
        let v4 = self.pick(|partial| partial.v4.as_ref());
        let v6 = self.pick(|partial| partial.v6.as_ref());
        let v4 = self.section.settle("group.v4", v4, built_in.v4.into());
        let v6 = self.section.settle("group.v6", v6, built_in.v6.into());
        let length = |number: u32, built_in| u8::try_from(number).unwrap_or(built_in);
        Group { v4: length(v4, built_in.v4), v6: length(v6, built_in.v6) }
    }

    fn ignoreip(&self) -> Vec<ListEntry> {
        let mut union = self.defaults.ignoreip.clone();
        let own = self.own.ignoreip.iter();
        union.extend(own.filter(|own| !self.defaults.ignoreip.iter().any(|other| same(other, own))).cloned());
        addresses::show(self.section, "ignoreip", &union);
        union.into_iter().map(|found| found.value).collect()
    }

    fn conditions(
        &self,
        key: &str,
        of: impl Fn(&Partial) -> Option<&Found<ConditionTables>>,
    ) -> Vec<Arc<Conditions>> {
        let found = self.pick(of);
        let about = if key == "where" { "all records" } else { "no record" };
        self.section.settle_optional(key, found, about).map(|tables| tables.compiled).unwrap_or_default()
    }

    /// Names of sources or outputs, each of which has to exist; by default all.
    fn references(
        &self,
        key: &str,
        known: &[String],
        of: impl Fn(&Partial) -> Option<&Vec<Found<String>>>,
    ) -> Vec<String> {
        let found = self.pick(of);
        for name in found.iter().flatten().filter(|name| !known.contains(&name.value)) {
            self.unknown_reference(key, name, known);
        }
        self.section.settle_list(key, found, || (known.to_vec(), "all of them"))
    }

    fn unknown_reference(&self, key: &str, name: &Found<String>, known: &[String]) {
        let Some(place) = name.from.place() else { return };
        let table = key.trim_end_matches('s');
        let meant = nearest(&name.value, known.iter().map(String::as_str));
        let fix = match meant {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None if known.is_empty() => format!("there is none at all: add [{table}.{}]", name.value),
            None => format!("there are: {}", known.join(", ")),
        };
        self.section.wrong(key, format_args!("there is no [{table}.{}]", name.value), place, fix);
    }
}

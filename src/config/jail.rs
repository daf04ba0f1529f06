//! What each jail is when its own table, its filter's suggestions, `[defaults]` and the list `jails` are taken together.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;

use super::addresses;
use super::found::{Found, Origin, Reading, Show};
use super::library::{FoundFilter, Library};
use super::partial::{ConditionTables, Partial};
use super::problem::Problem;
use super::section::Section;
use super::settings::{Jail, Manual};
use super::text::Place;
use crate::address::Group;
use crate::filter::{Conditions, Filter, Suggest};
use crate::jail::{Escalation, Jitter, Rate, Settings, StormMode, Widen};
use crate::record::Field;
use crate::resolve::ListEntry;
use crate::terms::{Crawler, JailName, Measure, OutputName, SourceName, nearest};

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

/// Whether two entries protect the same addresses, wherever they were written.
fn same(one: &Found<ListEntry>, other: &Found<ListEntry>) -> bool {
    match (&one.value, &other.value) {
        (ListEntry::Prefix { prefix: one, .. }, ListEntry::Prefix { prefix: other, .. }) => one == other,
        (ListEntry::File { path: one, .. }, ListEntry::File { path: other, .. }) => one == other,
        (ListEntry::Name { name: one, .. }, ListEntry::Name { name: other, .. }) => one == other,
        _ => false,
    }
}

/// What `[defaults]` says for bans by hand; its values are shown here.
pub(super) fn manual(section: Section<'_>, defaults: &Partial) -> Manual {
    let unset = Partial::default();
    let pick = Layers { section, own: defaults, defaults: &unset, suggest: None };
    pick.maxretry();
    pick.findtime();
    let bantime = pick.bantime();
    pick.escalation();
    pick.jitter();
    let group = pick.group();
    pick.widen(group);
    Manual { bantime, group, ignoreip: pick.ignoreip() }
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
            Some(entry) => Section::of_one(world.reading, &header, entry),
            None => Some(Section::absent(world.reading, &header, place)),
        };
        let Some(section) = section else { continue };
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
    if let Some(source) = of_bans(section, &own, defaults) {
        let layers =
            Layers { section, own: &own, defaults, suggest: Some((Origin::Default(""), repeated())) };
        jails.enabled.extend(layers.settle(world, parsed, Looks::AtBans(source)));
        return;
    }
    let filter_name =
        section.settle("filter", own.filter.clone().or_else(|| defaults.filter.clone()), name.to_owned());
    let filter = find(world, section, &filter_name, own.filter.as_ref().or(defaults.filter.as_ref()));
    let suggest = filter.as_ref().map(|found| found.filter.definition().suggest.clone());
    let suggest = suggest.map(|suggest| (Origin::Suggested(filter_name), suggest));
    let layers = Layers { section, own: &own, defaults, suggest };
    jails.enabled.extend(layers.settle(world, parsed, Looks::AtRecords(filter)));
}

/// What a jail looks at.
enum Looks {
    /// Records, through its filter, if that could be found.
    AtRecords(Option<FoundFilter>),
    /// The bans of other jails; where that is written.
    AtBans(Vec<Found<String>>),
}

/// `source = "bans"`, where a jail says so. What only concerns records is an error beside it.
fn of_bans(section: Section<'_>, own: &Partial, defaults: &Partial) -> Option<Vec<Found<String>>> {
    let sources = own.sources.as_ref().or(defaults.sources.as_ref())?;
    let bans = sources.iter().find(|name| name.value == BANS)?;
    if let (true, Some(place)) = (sources.len() > 1, bans.from.place()) {
        let what = format_args!("\"{BANS}\" stands for the bans of other jails, not for a log");
        section.wrong("source", what, place, "name it alone, in a jail of its own".to_owned());
    }
    for key in ["filter", "where", "ignore", "distinct", "rate", "widen"] {
        if let Some(entry) = section.entry(key) {
            let what = format_args!("means nothing beside source = \"{BANS}\": it is about records of a log");
            section.wrong(key, what, &entry.key, format!("remove `{key}`"));
        }
    }
    Some(sources.clone())
}

/// What jails whose source is bans begin with: by one jail alone, growing bans are seldom more than three a day.
fn repeated() -> Suggest {
    Suggest { maxretry: Some(3), findtime: Some(SignedDuration::from_hours(24)), ..Suggest::default() }
}

/// The source that is no log.
pub(super) const BANS: &str = "bans";

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
            section.reading.report_all(found.remarks());
            Some(found)
        }
        Err(problems) => {
            for problem in problems {
                match problem.place {
                    Some(_) => section.reading.report(problem),
                    // A problem of the name, not of a filter's text, stands where the name does.
                    None => section.reading.report_missing(of_name(section, problem).at(place.cloned())),
                }
            }
            None
        }
    }
}

fn of_name(section: Section<'_>, problem: Problem) -> Problem {
    Problem { what: format!("[{}] filter: {}", section.name, problem.what), ..problem }
}

/// One jail's own values, over its filter's suggestions, over `[defaults]`, over what is built in.
struct Layers<'a> {
    section: Section<'a>,
    own: &'a Partial,
    defaults: &'a Partial,
    suggest: Option<(Origin, Suggest)>,
}

impl Layers<'_> {
    fn settle(&self, world: &World<'_>, name: JailName, looks: Looks) -> Option<Jail> {
        let section = self.section;
        let records = matches!(looks, Looks::AtRecords(_));
        let (filter, sources) = match looks {
            Looks::AtRecords(filter) => {
                let sources = self.references("source", &world.sources, |partial| partial.sources.as_ref());
                (Some(filter), sources)
            }
            Looks::AtBans(source) => {
                section.settle_list("source", Some(source), || (Vec::new(), ""));
                (None, Vec::new())
            }
        };
        let outputs = self.references("outputs", &world.outputs, |partial| partial.outputs.as_ref());
        let filter = filter.map(|found| found.and_then(|found| self.narrowed(found)));
        let rate = records.then(|| self.rate(filter.as_ref().and_then(Option::as_ref))).flatten();
        let (maxretry, findtime, distinct) = match rate {
            Some(rate) => (1, rate.per, None),
            None => (self.maxretry(), self.findtime(), if records { self.distinct() } else { None }),
        };
        let bantime = self.bantime();
        let simulate = self.pick(|partial| partial.simulate.as_ref());
        let group = self.group();
        let widen = if records { self.widen(group) } else { Vec::new() };
        let (only, ignore) = if records { self.conditions_of() } else { Default::default() };
        // A jail whose filter could not be found is none.
        let filter = match filter {
            Some(filter) => Some(filter?),
            None => None,
        };
        Some(Jail {
            name,
            filter_name: filter.as_ref().map(|found| found.name.clone()).unwrap_or_default(),
            filter_origin: filter.as_ref().map(|found| found.origin.clone()),
            filter: filter.map(|found| found.filter),
            sources: sources.iter().filter_map(|name| name.parse::<SourceName>().ok()).collect(),
            outputs: outputs.iter().filter_map(|name| name.parse::<OutputName>().ok()).collect(),
            only,
            ignore,
            distinct,
            ignoreip: self.ignoreip(),
            crawlers: self.crawlers(),
            crawler_ranges: Vec::new(),
            maxretry,
            findtime,
            bantime,
            escalation: self.escalation(),
            jitter: self.jitter(),
            widen,
            extend: section.settle("extend", self.pick(|partial| partial.extend.as_ref()), false),
            rate,
            max_tracked: self.max_tracked(),
            max_bans: self.max_bans(),
            storm: self.storm(),
            group,
            simulate: section.settle("simulate", simulate, false),
            value: section.settle("value", self.pick(|partial| partial.value.as_ref()), Measure::Ban),
        })
    }

    /// The conditions of `where` and of `ignore`.
    fn conditions_of(&self) -> (Vec<Arc<Conditions>>, Vec<Arc<Conditions>>) {
        let only = self.conditions("where", |partial| partial.only.as_ref());
        (only, self.conditions("ignore", |partial| partial.ignore.as_ref()))
    }

    /// A rate counts requests, one as the other: weights mean nothing beside it. A suggested one gives way to a jail that
    /// counts offences.
    fn rate(&self, filter: Option<&FoundFilter>) -> Option<Rate> {
        let own = self.own;
        let counts = own.maxretry.is_some() || own.findtime.is_some() || own.distinct.is_some();
        let suggested = |suggest: &Suggest| suggest.rate.filter(|_| !counts).map(Some);
        let found = self.pick_suggested(|partial| partial.rate.as_ref(), suggested);
        let place = found.as_ref().and_then(|found| found.from.place()).cloned();
        let rate = self.section.settle("rate", found, None);
        if let (Some(_), Some(place), Some(filter)) = (rate, place, filter)
            && filter.filter.definition().is_weighted()
        {
            let what =
                format_args!("counts every request once, but the filter `{}` has weights", filter.name);
            let fix = "remove `rate`, or name a filter without `weight`".to_owned();
            self.section.wrong("rate", what, &place, fix);
        }
        rate
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
        let suggestion = self
            .suggest
            .as_ref()
            .and_then(|(from, suggest)| suggested(suggest).map(|value| Found { value, from: from.clone() }));
        of(self.own).cloned().or(suggestion).or_else(|| of(self.defaults).cloned())
    }

    /// The filter for those requests that the jail's `where` names, where it holds for any: so that only their lines are
    /// candidates. One that nobody told which are meant is an error, and bans nobody.
    fn narrowed(&self, found: FoundFilter) -> Option<FoundFilter> {
        let definition = found.filter.definition();
        if definition.needs.is_empty() {
            return Some(found);
        }
        let sets = self.pick(|partial| partial.only.as_ref()).map(|only| only.value.sets());
        let narrowed = definition.narrowed(&sets.unwrap_or_default());
        let narrowed = narrowed.and_then(|definition| Filter::compile(&definition).ok());
        let Some(filter) = narrowed else {
            let fields: Vec<String> = definition.needs.iter().map(|field| format!("`{field}`")).collect();
            let what = format!(
                "the filter `{}` holds for any request: each [[{}.where]] must say which are meant, by {}",
                found.name,
                self.section.name,
                fields.join(" or ")
            );
            let fix = format!("write [[{}.where]] and below it path = '^/your/path/'", self.section.name);
            self.section.missing("where", what, fix);
            return None;
        };
        Some(found.with(filter))
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

    fn escalation(&self) -> Option<Escalation> {
        let found = self.pick(|partial| partial.escalation.as_ref());
        self.section.settle("escalation", found, Some(Escalation::default()))
    }

    fn jitter(&self) -> Option<Jitter> {
        let found = self.pick(|partial| partial.jitter.as_ref());
        self.section.settle("jitter", found, None)
    }

    fn widen(&self, group: Group) -> Vec<Widen> {
        let found = self.pick(|partial| partial.widen.as_ref());
        self.section.settle("widen", found, Widen::usual().into()).settle(self.section, group)
    }

    fn max_tracked(&self) -> usize {
        let found = self.pick(|partial| partial.max_tracked.as_ref());
        let default = u32::try_from(Settings::MAX_TRACKED).unwrap_or(u32::MAX);
        self.section.settle("max_tracked", found, default) as usize
    }

    fn max_bans(&self) -> usize {
        let found = self.pick(|partial| partial.max_bans.as_ref());
        let default = u32::try_from(Settings::MAX_BANS).unwrap_or(u32::MAX);
        self.section.settle("max_bans", found, default) as usize
    }

    fn storm(&self) -> StormMode {
        self.section.settle("storm", self.pick(|partial| partial.storm.as_ref()), StormMode::default())
    }

    fn distinct(&self) -> Option<Field> {
        let suggested = |suggest: &Suggest| suggest.distinct.clone().map(Some);
        let found = self.pick_suggested(|partial| partial.distinct.as_ref(), suggested);
        self.section.settle("distinct", found, None)
    }

    fn group(&self) -> Group {
        let built_in = Group::default();
        let suggested = |suggest: &Suggest| suggest.group;
        let v4 =
            self.pick_suggested(|own| own.v4.as_ref(), |from| suggested(from).map(|group| group.v4.into()));
        let v6 =
            self.pick_suggested(|own| own.v6.as_ref(), |from| suggested(from).map(|group| group.v6.into()));
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

    fn crawlers(&self) -> Vec<Crawler> {
        let found = self.pick(|partial| partial.crawlers.as_ref());
        self.section.settle_list("ignore_crawlers", found, || (Vec::new(), "none"))
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
        let what = format!("[{}] {key}: there is no [{table}.{}]", self.section.name, name.value);
        self.section.reading.report_missing(Problem::error(what).at(place.clone()).fix(fix));
    }
}

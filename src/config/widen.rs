//! `widen` of a jail: when whole prefixes are banned for what is inside them.

use jiff::SignedDuration;

use super::found::{Found, Show};
use super::keys;
use super::node::{Entry, Node, Table, Value};
use super::section::Section;
use crate::address::Group;
use crate::jail::Widen;

/// More groups than this are no longer a few that belong together.
const MOST_GROUPS: u32 = 10_000;
/// Each rule costs a look at each offence.
const MOST_RULES: usize = 16;

/// One rule, and where each of its parts was written.
#[derive(Clone, Debug)]
pub(super) struct Rules(Vec<(Widen, Table)>);

/// A list of rules; `[]`, `false` or `"none"` for none.
pub(super) fn read(section: Section<'_>) -> Option<Found<Rules>> {
    let node = section.node("widen")?;
    let switched_off = match &node.value {
        Value::Boolean(switch) => !switch,
        Value::String(word) => word == "none",
        _ => false,
    };
    if switched_off {
        return Some(Found::written(Rules(Vec::new()), &node.place));
    }
    let items = node.items();
    if items.len() > MOST_RULES {
        section.wrong("widen", format_args!("has more than {MOST_RULES} rules"), &node.place, None);
        return None;
    }
    let rules: Vec<_> = items.iter().map(|item| rule(section, item)).collect();
    let rules = Rules(rules.into_iter().collect::<Option<_>>()?);
    rules.tell_repeated(section);
    Some(Found::written(rules, &node.place))
}

fn rule(jail: Section<'_>, item: &Node) -> Option<(Widen, Table)> {
    let Value::Table(table) = &item.value else {
        let fix = "write { distinct = 5, v4 = 24, v6 = 48, within = \"10m\" }, several in [ ], or \"none\"";
        jail.wrong("widen", "is no rule", &item.place, fix.to_owned());
        return None;
    };
    let header = format!("{}.widen", jail.name);
    let section = Section::new(jail.reading, &header, table, Some(&item.place));
    section.only(keys::WIDEN);
    let distinct = section.integer("distinct", 2..=MOST_GROUPS);
    if section.entry("distinct").is_none() {
        section.missing("distinct", "is missing", "say how many different clients ban a prefix".to_owned());
    }
    let (v4, v6) = (length(section, "v4", 8..=31), length(section, "v6", 19..=127));
    if section.entry("v4").is_none() && section.entry("v6").is_none() {
        let fix = "write v4 = 24, v6 = 48, or both".to_owned();
        section.missing("v4", "neither `v4` nor `v6` says which prefix is banned", fix);
    }
    let within = match section.entry("within") {
        None => SignedDuration::from_mins(10),
        Some(_) => section.span("within")?.value,
    };
    Some((Widen { distinct: distinct?.value, v4, v6, within }, table.clone()))
}

fn length(section: Section<'_>, key: &str, range: std::ops::RangeInclusive<u32>) -> Option<u8> {
    section.integer(key, range).and_then(|found| u8::try_from(found.value).ok())
}

impl Rules {
    /// The rules that hold where groups are these. One that was written must be about something wider.
    pub(super) fn settle(self, section: Section<'_>, group: Group) -> Vec<Widen> {
        for (rule, table) in &self.0 {
            for (key, length, group) in [("v4", rule.v4, group.v4), ("v6", rule.v6, group.v6)] {
                let Some(entry) = table.get(key).filter(|_| length.is_some_and(|length| length >= group))
                else {
                    continue;
                };
                let what =
                    format_args!("{key} must be shorter than the /{group} that `group` counts and bans");
                section.wrong("widen", what, &entry.node.place, None);
            }
        }
        self.0.into_iter().map(|(rule, _)| rule).collect()
    }

    /// Two rules about the same prefix would share what they count.
    fn tell_repeated(&self, section: Section<'_>) {
        for key in ["v4", "v6"] {
            let mut seen = std::collections::BTreeSet::new();
            for (rule, table) in &self.0 {
                let length = if key == "v4" { rule.v4 } else { rule.v6 };
                let place = table.get(key).map(|Entry { node, .. }| &node.place);
                if let (Some(length), Some(place)) = (length, place)
                    && !seen.insert(length)
                {
                    section.wrong("widen", format_args!("{key} = {length} stands in two rules"), place, None);
                }
            }
        }
    }
}

impl From<Vec<Widen>> for Rules {
    fn from(rules: Vec<Widen>) -> Self {
        Self(rules.into_iter().map(|rule| (rule, Table::new())).collect())
    }
}

impl Show for Rules {
    fn shown(&self) -> toml::Value {
        toml::Value::Array(self.0.iter().map(|(rule, _)| shown(rule)).collect())
    }
}

fn shown(rule: &Widen) -> toml::Value {
    let number = |number: u32| toml::Value::Integer(number.into());
    let mut table = toml::Table::new();
    table.insert("distinct".to_owned(), number(rule.distinct));
    table.extend(rule.v4.map(|v4| ("v4".to_owned(), number(v4.into()))));
    table.extend(rule.v6.map(|v6| ("v6".to_owned(), number(v6.into()))));
    table.insert("within".to_owned(), rule.within.shown());
    toml::Value::Table(table)
}

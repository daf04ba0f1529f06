//! Jails that look at fields which no format of their sources has: they would judge nothing, and nobody would notice.

use std::collections::BTreeSet;

use super::found::Reading;
use super::node::{Table, Value};
use super::problem::Problem;
use super::settings::{Config, Jail};
use super::text::Place;
use crate::filter::Conditions;
use crate::record::{Field, Format};
use crate::terms::nearest;

/// Reports each jail whose filter, `where`, `ignore` or `distinct` names a field that its sources never have.
pub(super) fn check(config: &Config, tree: &Table, reading: &Reading) {
    for jail in &config.jails {
        let Some((there, looks)) = there(config, jail).zip(jail.filter.as_ref()) else { continue };
        let filter = format!("the filter `{}`", jail.filter_name);
        let (rules, ignore) = looks.conditions();
        let report = |key: &str, about: &str, field: &Field| {
            let at = place(tree, jail, key);
            reading.report(problem(jail, about, field, &there).at(at));
        };
        for (key, about, field) in [
            ("filter", filter.as_str(), missing(rules.iter(), &there, true)),
            ("filter", filter.as_str(), missing(ignore.iter(), &there, false)),
            ("where", "where", missing(jail.only.iter().map(AsRef::as_ref), &there, true)),
            ("ignore", "ignore", missing(jail.ignore.iter().map(AsRef::as_ref), &there, false)),
            (
                "distinct",
                "distinct",
                jail.distinct.as_ref().filter(|field| !there.contains(&field.to_string())),
            ),
        ] {
            if let Some(field) = field {
                report(key, about, field);
            }
        }
    }
}

/// The fields of all formats that the jail's sources may have; `None` where it has no source.
fn there(config: &Config, jail: &Jail) -> Option<BTreeSet<String>> {
    let sources = config.sources.iter().filter(|source| jail.sources.contains(&source.settings.name));
    let names = |source: &super::settings::Source| match &source.format {
        Some(format) => format.field_names(),
        None => Format::ALL.iter().flat_map(Format::field_names).collect(),
    };
    let all: Vec<Vec<String>> = sources.map(names).collect();
    (!all.is_empty()).then(|| all.into_iter().flatten().collect())
}

/// The first field that only some format names and none here; where every set has to have a field that none here has
/// (`all`), the first of these.
fn missing<'c>(
    sets: impl Iterator<Item = &'c Conditions> + Clone,
    there: &BTreeSet<String>,
    all: bool,
) -> Option<&'c Field> {
    let is_absent = |field: &&Field| !there.contains(&field.to_string());
    let fields = |set: &'c Conditions| set.fields();
    let mut named = sets.clone().flat_map(fields).map(|(field, _)| field).filter(is_absent);
    let unknown = named.find(|field| matches!(field, Field::Named(_)));
    let needed = |set: &'c Conditions| set.fields().filter(|(_, needed)| *needed).map(|(field, _)| field);
    let never = || {
        let each: Option<Vec<&Field>> = sets.map(|set| needed(set).find(is_absent)).collect();
        each?.into_iter().next()
    };
    unknown.or_else(|| if all { never() } else { None })
}

fn problem(jail: &Jail, about: &str, field: &Field, there: &BTreeSet<String>) -> Problem {
    let what = format!(
        "[jail.{}] {about}: looks at the field `{field}`, which no format of its sources has",
        jail.name
    );
    let name = field.to_string();
    let meant =
        nearest(&name, there.iter().map(String::as_str)).map(|meant| format!("did you mean `{meant}`?"));
    let all = || there.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let fix = match meant {
        Some(meant) => meant,
        None if there.is_empty() => {
            "their lines are raw and have no fields: use a raw filter (failregex)".to_owned()
        }
        None => format!("their fields are {}; give the jail another source, or log it", all()),
    };
    Problem::error(what).fix(fix)
}

/// Where the jail says so, else where it is named.
pub(super) fn place(tree: &Table, jail: &Jail, key: &str) -> Option<Place> {
    let table = match tree.get("jail").map(|entry| &entry.node.value) {
        Some(Value::Table(jails)) => jails.get(jail.name.as_str()),
        _ => None,
    };
    let own = table.and_then(|entry| match &entry.node.value {
        Value::Table(keys) => keys.get(key).map(|entry| entry.key.clone()),
        _ => None,
    });
    own.or_else(|| table.map(|entry| entry.key.clone())).or_else(|| tree.get("jails").map(|e| e.key.clone()))
}

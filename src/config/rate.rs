//! `rate` of a jail: how often a client may ask.

use super::found::{Found, Show};
use super::keys;
use super::node::Value;
use super::section::Section;
use crate::jail::Rate;

/// More requests than this nobody counts.
const MOST: u32 = 1_000_000;

/// A table, the whole of it in one place; `false` or `"none"` where offences are counted.
pub(super) fn read(section: Section<'_>) -> Option<Found<Option<Rate>>> {
    let node = section.node("rate")?;
    let rate = match &node.value {
        Value::Boolean(false) => None,
        Value::String(word) if word == "none" => None,
        Value::Table(_) => Some(table(section)?),
        _ => {
            let fix = "write { requests = 300, per = \"1m\", burst = 100 }".to_owned();
            section.wrong("rate", "is no rate", &node.place, fix);
            return None;
        }
    };
    for key in ["maxretry", "findtime", "distinct"] {
        // What [defaults] says besides holds for jails that have no rate.
        let in_jail = section.name != "defaults" && rate.is_some();
        if let Some(entry) = section.entry(key).filter(|_| in_jail) {
            let what = "means nothing beside `rate`, which counts every request";
            section.wrong(key, what, &entry.key, format!("remove `{key}` or `rate`"));
        }
    }
    Some(Found::written(rate, &node.place))
}

fn table(jail: Section<'_>) -> Option<Rate> {
    let header = format!("{}.rate", jail.name);
    let section = Section::of(jail.reading, &header, jail.entry("rate"));
    section.only(keys::RATE);
    for key in ["requests", "per"].into_iter().filter(|key| section.entry(key).is_none()) {
        section.missing(key, "is missing", "write { requests = 300, per = \"1m\" }".to_owned());
    }
    let (requests, per) = (section.integer("requests", 1..=MOST), section.span("per"));
    let (requests, per) = (requests?.value, per?.value);
    let burst = match section.entry("burst") {
        None => requests,
        Some(_) => section.integer("burst", 1..=MOST)?.value,
    };
    Some(Rate { requests, per, burst })
}

impl Show for Option<Rate> {
    fn shown(&self) -> toml::Value {
        let Some(Rate { requests, per, burst }) = self else {
            return toml::Value::String("none".to_owned());
        };
        let mut table = toml::Table::new();
        table.insert("requests".to_owned(), requests.shown());
        table.insert("per".to_owned(), per.shown());
        table.insert("burst".to_owned(), burst.shown());
        toml::Value::Table(table)
    }
}

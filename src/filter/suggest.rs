//! `[suggest]` of a filter: the thresholds that go with it.

use toml::{Table, Value};

use super::reading::{field, kept, shown, subtable, unknown_keys};
use super::{Problem, Suggest};
use crate::address::Group;
use crate::record::Field;
use crate::terms::{Rate, parse_duration, seconds_duration};

/// What a filter may suggest.
pub(super) const SUGGEST_KEYS: [&str; 5] = ["maxretry", "findtime", "distinct", "rate", "group"];

/// Reads `[suggest]`.
pub(super) fn read(table: &Table, problems: &mut Vec<Problem>) -> Suggest {
    let Some(inner) = subtable(table, "suggest", problems) else { return Suggest::default() };
    let mut found = Vec::new();
    unknown_keys(inner, &SUGGEST_KEYS, &mut found);
    let suggest = Suggest {
        maxretry: inner.get("maxretry").and_then(|value| kept(maxretry(value), &mut found)),
        findtime: inner.get("findtime").and_then(|value| kept(findtime(value), &mut found)),
        distinct: inner.get("distinct").and_then(|value| kept(distinct(value), &mut found)).flatten(),
        rate: subtable(inner, "rate", &mut found).and_then(|table| kept(rate(table), &mut found)),
        group: subtable(inner, "group", &mut found).and_then(|table| kept(group(table), &mut found)),
    };
    problems.extend(found.into_iter().map(|problem| problem.under("suggest")));
    suggest
}

fn maxretry(value: &Value) -> Result<u32, Problem> {
    count("maxretry", value)
}

fn count(key: &str, value: &Value) -> Result<u32, Problem> {
    let number =
        value.as_integer().and_then(|number| u32::try_from(number).ok()).filter(|number| *number > 0);
    number.ok_or_else(|| Problem::new(key, format!("a whole number from 1 expected, not {}", shown(value))))
}

fn findtime(value: &Value) -> Result<jiff::SignedDuration, Problem> {
    span("findtime", value)
}

fn span(key: &str, value: &Value) -> Result<jiff::SignedDuration, Problem> {
    let read = match value {
        Value::Integer(seconds) => seconds_duration(*seconds).map(Some),
        Value::String(text) => parse_duration(text),
        _ => {
            return Err(Problem::new(key, format!("a duration like \"10m\" expected, not {}", shown(value))));
        }
    };
    match read {
        Ok(Some(findtime)) if !findtime.is_zero() => Ok(findtime),
        Ok(_) => Err(Problem::new(
            key,
            "the window must be longer than 0 and must end: write a duration like \"10m\"",
        )),
        Err(error) => Err(Problem::new(key, error.to_string())),
    }
}

fn distinct(value: &Value) -> Result<Option<Field>, Problem> {
    match value.as_str() {
        Some("none") => Ok(None),
        Some(name) => field(name).map(Some).map_err(|message| Problem::new("distinct", message)),
        None => Err(Problem::new(
            "distinct",
            format!("the name of a field, or \"none\", expected, not {}", shown(value)),
        )),
    }
}

/// `{ requests = 60, per = "1m", burst = 120 }`; without `burst` as many at once as in all.
fn rate(table: &Table) -> Result<Rate, Problem> {
    let at = |key: &'static str| {
        table.get(key).ok_or_else(|| Problem::new("rate", format!("`{key}` is missing in it")))
    };
    known_only(table, "rate", &["requests", "per", "burst"])?;
    let requests = count("rate.requests", at("requests")?)?;
    let burst = table.get("burst").map_or(Ok(requests), |value| count("rate.burst", value))?;
    Ok(Rate { requests, per: span("rate.per", at("per")?)?, burst })
}

/// `{ v4 = 24, v6 = 64 }`; what is left out is as usual.
fn group(table: &Table) -> Result<Group, Problem> {
    known_only(table, "group", &["v4", "v6"])?;
    let length = |key: &str, from: u8, to: u8, usual: u8| {
        let Some(value) = table.get(key) else { return Ok(usual) };
        let number = value.as_integer().and_then(|number| u8::try_from(number).ok());
        number.filter(|number| (from..=to).contains(number)).ok_or_else(|| {
            let message = format!("a number from {from} to {to} expected, not {}", shown(value));
            Problem::new(format!("group.{key}"), message)
        })
    };
    let usual = Group::default();
    Ok(Group { v4: length("v4", 8, 32, usual.v4)?, v6: length("v6", 16, 128, usual.v6)? })
}

fn known_only(table: &Table, key: &str, known: &[&str]) -> Result<(), Problem> {
    let mut found = Vec::new();
    unknown_keys(table, known, &mut found);
    found.into_iter().next().map_or(Ok(()), |problem| Err(problem.under(key)))
}

//! TOML → definition. Reading goes on after a problem, so that an operator meets all of them at once.

use toml::{Table, Value};

use super::definition::DECODED;
use super::suggest::{self, SUGGEST_KEYS};
use super::{Condition, ConditionSet, Definition, HEAVIEST, Matcher, Problem, Samples};
use crate::record::Field;
use crate::terms::nearest;

/// The keys of a filter.
const FILTER_KEYS: [&str; 10] = [
    "description",
    "suggest",
    "fake_crawlers",
    "needs",
    "rule",
    "ignore",
    "failregex",
    "ignoreregex",
    "weight",
    "samples",
];
/// What only a jail decides, because it depends on the site and not on the offence.
const JAIL_KEYS: [&str; 9] =
    ["bantime", "ignoreip", "outputs", "output", "source", "escalation", "simulate", "enabled", "where"];

impl Definition {
    /// Reads a filter's table (a filter file, or `[filter.NAME]` of the configuration), or tells every problem in it,
    /// unknown keys included (with the nearest known one).
    pub fn read(table: &Table) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        unknown_keys(table, &FILTER_KEYS, &mut problems);
        let definition = Self {
            description: text(table, "description", &mut problems).unwrap_or_default(),
            suggest: suggest::read(table, &mut problems),
            fake_crawlers: flag(table, "fake_crawlers", &mut problems),
            needs: needs(table, &mut problems),
            rules: sets(table, "rule", &mut problems),
            weights: weights(table, &mut problems),
            ignore: sets(table, "ignore", &mut problems),
            failregex: texts(table, "failregex", &mut problems),
            ignoreregex: texts(table, "ignoreregex", &mut problems),
            samples: samples(table, &mut problems),
        };
        one_kind_of_rules(table, &mut problems);
        if problems.is_empty() { Ok(definition) } else { Err(problems) }
    }
}

/// A filter either looks at fields or at lines: what one kind would do with the other's exceptions is not obvious.
fn one_kind_of_rules(table: &Table, problems: &mut Vec<Problem>) {
    let has =
        |key: &str| table.get(key).is_some_and(|value| value.as_array().is_none_or(|list| !list.is_empty()));
    let message = match (has("rule"), has("failregex")) {
        (false, false) => "nothing is an offence: write at least one [[rule]], or failregex",
        (true, true) => "a filter has either [[rule]] or failregex: make two filters of it",
        (true, false) if has("ignoreregex") => {
            "ignoreregex goes with failregex: beside [[rule]] write [[ignore]]"
        }
        (false, true) if has("ignore") => "[[ignore]] goes with [[rule]]: beside failregex write ignoreregex",
        (true, false) if has("weight") => "a rule has its weight in itself: write it in the [[rule]]",
        _ => return,
    };
    problems.push(Problem::new("", message));
}

/// Fields of which the jail's `where` must name one; a raw filter has no rules that it could join.
fn needs(table: &Table, problems: &mut Vec<Problem>) -> Vec<Field> {
    let mut found = Vec::new();
    let fields = texts(table, "needs", &mut found).into_iter().enumerate().filter_map(|(index, name)| {
        let read = field(&name).map_err(|message| Problem::new(format!("needs[{index}]"), message));
        kept(read, problems)
    });
    let fields = fields.collect();
    if table.contains_key("needs") && !table.contains_key("rule") {
        found.push(Problem::new("needs", "goes with [[rule]]: the jail's `where` looks at fields"));
    }
    problems.extend(found);
    fields
}

fn samples(table: &Table, problems: &mut Vec<Problem>) -> Samples {
    let Some(inner) = subtable(table, "samples", problems) else { return Samples::default() };
    let mut found = Vec::new();
    unknown_keys(inner, &["match", "miss"], &mut found);
    let samples =
        Samples { matching: texts(inner, "match", &mut found), missing: texts(inner, "miss", &mut found) };
    problems.extend(found.into_iter().map(|problem| problem.under("samples")));
    samples
}

/// What each rule weighs; beside failregex one number for all, or one for each.
fn weights(table: &Table, problems: &mut Vec<Problem>) -> Vec<u8> {
    let mut read = |key: String, value: &Value| match weight(value) {
        Ok(weight) => weight,
        Err(message) => {
            problems.push(Problem::new(key, message));
            1
        }
    };
    let rules = list(table.get("rule"));
    if !rules.is_empty() {
        let weights = rules.iter().enumerate().map(|(index, rule)| {
            rule.get("weight").map_or(1, |value| read(format!("rule[{index}].weight"), value))
        });
        return weights.collect();
    }
    let written = list(table.get("weight"));
    let weights: Vec<u8> = written.iter().map(|value| read("weight".to_owned(), value)).collect();
    let patterns = list(table.get("failregex")).len();
    match weights.as_slice() {
        [all] => vec![*all; patterns],
        each if each.len() == patterns || each.is_empty() => weights,
        each => {
            let message =
                format!("{} weights for {patterns} patterns: one for each, or one for all", each.len());
            problems.push(Problem::new("weight", message));
            Vec::new()
        }
    }
}

fn weight(value: &Value) -> Result<u8, String> {
    let number = value.as_integer().and_then(|number| u8::try_from(number).ok());
    number.filter(|number| (1..=HEAVIEST).contains(number)).ok_or_else(|| {
        format!(
            "a whole number from 1 to {HEAVIEST} expected (so many times it counts), not {}",
            shown(value)
        )
    })
}

fn sets(table: &Table, key: &str, problems: &mut Vec<Problem>) -> Vec<ConditionSet> {
    let mut sets = Vec::new();
    for (index, value) in list(table.get(key)).iter().enumerate() {
        let read = match value.as_table() {
            Some(table) if key == "rule" && table.contains_key("weight") => {
                let conditions = table.iter().filter(|(key, _)| *key != "weight");
                ConditionSet::read(&conditions.map(|(key, value)| (key.clone(), value.clone())).collect())
            }
            Some(table) => ConditionSet::read(table),
            None => Err(vec![Problem::new(
                "",
                format!("a table of conditions ([[{key}]]) expected, not {}", shown(value)),
            )]),
        };
        match read {
            Ok(set) => sets.push(set),
            Err(found) => {
                problems.extend(found.into_iter().map(|problem| problem.under(&format!("{key}[{index}]"))));
            }
        }
    }
    sets
}

impl ConditionSet {
    /// Reads the table of one rule, ignore, or jail's `where`: `FIELD = VALUE` for each condition.
    pub fn read(table: &Table) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut conditions = Vec::new();
        for (key, value) in table {
            match condition(key, value) {
                Ok(condition) => conditions.push(condition),
                Err(found) => problems.extend(found.into_iter().map(|problem| problem.under(key))),
            }
        }
        if table.is_empty() {
            problems.push(Problem::new("", "no condition: it would hold for every record; name a field"));
        }
        if problems.is_empty() { Ok(Self(conditions)) } else { Err(problems) }
    }
}

fn condition(key: &str, value: &Value) -> Result<Condition, Vec<Problem>> {
    if key == "weight" {
        let message = "is no condition: only a [[rule]] of a filter has a weight";
        return Err(vec![Problem::new("", message)]);
    }
    let (fields, anywhere) = match key {
        "decoded" => (DECODED.to_vec(), true),
        name => (vec![field(name).map_err(|message| vec![Problem::new("", message)])?], false),
    };
    let (not, value) = within(value, "not");
    let (decoded, value) = within(value, "decoded");
    let condition = Condition { fields, decoded: anywhere || decoded, any: Vec::new(), not };
    match matchers(&condition.fields, condition.decoded, value) {
        Ok(any) => Ok(Condition { any, ..condition }),
        Err(mut problems) => {
            for key in
                ["decoded", "not"].iter().zip([decoded, not]).filter_map(|(key, there)| there.then_some(key))
            {
                problems = problems.into_iter().map(|problem| problem.under(key)).collect();
            }
            Err(problems)
        }
    }
}

/// Takes `{ KEY = VALUE }` apart; any other value stays as it is.
fn within<'v>(value: &'v Value, key: &str) -> (bool, &'v Value) {
    let inner = value.as_table().filter(|table| table.len() == 1).and_then(|table| table.get(key));
    (inner.is_some(), inner.unwrap_or(value))
}

fn matchers(fields: &[Field], decoded: bool, value: &Value) -> Result<Vec<Matcher>, Vec<Problem>> {
    // A field that a format names may be a number: whoever compares it with one writes one.
    let is_named = fields.iter().all(|field| matches!(field, Field::Named(_)));
    let numeric =
        fields.iter().any(Field::is_number) || (is_named && list(Some(value)).iter().any(Value::is_integer));
    if numeric && decoded {
        return Err(vec![Problem::new("", "a number has nothing to decode: leave `decoded` out")]);
    }
    let values = list(Some(value));
    if values.is_empty() {
        return Err(vec![Problem::new(
            "",
            "an empty list never holds: name a value, or leave the condition out",
        )]);
    }
    let mut problems = Vec::new();
    let read = |value: &Value| if numeric { range(value) } else { pattern(value) };
    let place = |index: usize| if values.len() > 1 { format!("[{index}]") } else { String::new() };
    let mut matchers = Vec::new();
    for (index, value) in values.iter().enumerate() {
        match read(value) {
            Ok(matcher) => matchers.push(matcher),
            Err(message) => problems.push(Problem::new(place(index), message)),
        }
    }
    if problems.is_empty() { Ok(matchers) } else { Err(problems) }
}

fn pattern(value: &Value) -> Result<Matcher, String> {
    value.as_str().map(|text| Matcher::Regex(text.to_owned())).ok_or_else(|| {
        format!(
            "a regular expression expected (a list of them, or {{ not = … }}, {{ decoded = … }}), not {}",
            shown(value)
        )
    })
}

fn range(value: &Value) -> Result<Matcher, String> {
    let wrong = || format!("a number like 404 or a range like \"400-404\" expected, not {}", shown(value));
    if let Some(number) = value.as_integer() {
        return u64::try_from(number).map(|number| Matcher::Range(number, number)).map_err(|_| wrong());
    }
    let text = value.as_str().ok_or_else(wrong)?;
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| wrong());
    let (first, last) = (number(first)?, number(last)?);
    if first > last {
        return Err(format!("`{text}` is empty: a range begins with its smaller number"));
    }
    Ok(Matcher::Range(first, last))
}

pub(super) fn field(name: &str) -> Result<Field, String> {
    let known = Field::NAMES.iter().copied().chain(["decoded"]);
    let meant = || nearest(name, known).map(|meant| format!("`{name}` is no field; did you mean `{meant}`?"));
    match name.parse() {
        // A format may name what it likes, but a name so near to a field of every format is a slip.
        Ok(Field::Named(_)) => meant().map_or_else(|| Ok(Field::of_format(name)), Err),
        Ok(field) => Ok(field),
        Err(error) => Err(meant().unwrap_or_else(|| error.to_string())),
    }
}

pub(super) fn unknown_keys(table: &Table, known: &[&str], problems: &mut Vec<Problem>) {
    for key in table.keys().filter(|key| !known.contains(&key.as_str())) {
        let message = if JAIL_KEYS.contains(&key.as_str()) {
            format!(
                "`{key}` is the jail's to decide, a filter only suggests {}: set it in [jail.NAME]",
                SUGGEST_KEYS.join(", ")
            )
        } else if SUGGEST_KEYS.contains(&key.as_str()) {
            format!("`{key}` is a suggestion: write it in [suggest]")
        } else if let Some(meant) = nearest(key, known.iter().copied()) {
            format!("unknown key `{key}`; did you mean `{meant}`?")
        } else {
            format!("unknown key `{key}`; known are {}", known.join(", "))
        };
        problems.push(Problem::new(key, message));
    }
}

/// A single value stands for a list of one.
fn list(value: Option<&Value>) -> &[Value] {
    match value {
        Some(Value::Array(values)) => values,
        Some(value) => std::slice::from_ref(value),
        None => &[],
    }
}

pub(super) fn subtable<'t>(table: &'t Table, key: &str, problems: &mut Vec<Problem>) -> Option<&'t Table> {
    let value = table.get(key)?;
    if !value.is_table() {
        problems.push(Problem::new(key, format!("a table ([{key}]) expected, not {}", shown(value))));
    }
    value.as_table()
}

fn text(table: &Table, key: &str, problems: &mut Vec<Problem>) -> Option<String> {
    let value = table.get(key)?;
    if !value.is_str() {
        problems.push(Problem::new(key, format!("a text expected, not {}", shown(value))));
    }
    value.as_str().map(str::to_owned)
}

fn flag(table: &Table, key: &str, problems: &mut Vec<Problem>) -> bool {
    let value = table.get(key);
    if let Some(value) = value.filter(|value| !value.is_bool()) {
        problems.push(Problem::new(key, format!("true or false expected, not {}", shown(value))));
    }
    value.and_then(Value::as_bool).unwrap_or(false)
}

fn texts(table: &Table, key: &str, problems: &mut Vec<Problem>) -> Vec<String> {
    let values = list(table.get(key));
    for (index, value) in values.iter().enumerate().filter(|(_, value)| !value.is_str()) {
        problems
            .push(Problem::new(format!("{key}[{index}]"), format!("a text expected, not {}", shown(value))));
    }
    values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

pub(super) fn kept<T>(read: Result<T, Problem>, problems: &mut Vec<Problem>) -> Option<T> {
    read.map_err(|problem| problems.push(problem)).ok()
}

/// What stands there instead: the kind, and short values themselves.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Table(_) => "a table".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        value => format!("`{value}`"),
    }
}

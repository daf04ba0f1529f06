//! `escalation` and `jitter` of a jail: how long the bans of those who come back are.

use jiff::SignedDuration;

use super::found::{Found, Show};
use super::keys;
use super::node::{Node, Value};
use super::section::Section;
use crate::jail::{Escalation, Growth, Jitter, Scope};

/// A ban that is followed by one more than a thousand times as long is a slip of the finger.
const HIGHEST_FACTOR: f64 = 1000.0;
/// More steps than this nobody counts.
const MOST_STEPS: usize = 100;

const SCOPES: [(&str, Scope); 2] = [("jail", Scope::Jail), ("all", Scope::All)];

/// `escalation`: a table of its own, the whole of it in one place; `false` or `"none"` for bans of one length.
pub(super) fn escalation(section: Section<'_>) -> Option<Found<Option<Escalation>>> {
    let node = section.node("escalation")?;
    let escalation = match &node.value {
        Value::Boolean(false) => None,
        Value::String(word) if word == "none" => None,
        Value::Boolean(true) => Some(Escalation::default()),
        Value::Table(_) => Some(table(section)?),
        _ => {
            let fix = "write { factor = 4, max = \"7d\", decay = \"30d\", scope = \"jail\" }, \
                       { steps = [\"10m\", \"1h\", \"forever\"] } or \"none\"";
            section.wrong("escalation", "is no way to let bans grow", &node.place, fix.to_owned());
            return None;
        }
    };
    Some(Found::written(escalation, &node.place))
}

fn table(jail: Section<'_>) -> Option<Escalation> {
    let header = format!("{}.escalation", jail.name);
    let section = Section::of(jail.reading, &header, jail.entry("escalation"));
    section.only(keys::ESCALATION);
    let growth = growth(section)?;
    let decay = match section.entry("decay") {
        None => Some(Escalation::DECAY),
        Some(_) => lasting(section, "decay")?.value,
    };
    let scope = match section.entry("scope") {
        None => Scope::Jail,
        Some(_) => section.choice("scope", &SCOPES)?.value,
    };
    Some(Escalation { growth, decay, scope })
}

fn growth(section: Section<'_>) -> Option<Growth> {
    if section.entry("steps").is_none() {
        let factor = match section.node("factor") {
            None => Escalation::FACTOR,
            Some(node) => factor(section, node)?,
        };
        let max = match section.entry("max") {
            None => Some(Escalation::MAX),
            Some(_) => lasting(section, "max")?.value,
        };
        return Some(Growth::Factor { factor, max });
    }
    for key in ["factor", "max"] {
        if let Some(entry) = section.entry(key) {
            let what = "means nothing beside `steps`, which say how long each ban lasts";
            section.wrong(key, what, &entry.key, format!("remove `{key}` or `steps`"));
        }
    }
    let steps = section.durations("steps")?;
    if steps.is_empty() || steps.len() > MOST_STEPS {
        let node = section.node("steps")?;
        section.wrong("steps", format_args!("must name 1 to {MOST_STEPS} durations"), &node.place, None);
        return None;
    }
    let steps = steps.into_iter().map(|step| positive(section, "steps", step).map(|step| step.value));
    steps.collect::<Option<_>>().map(Growth::Steps)
}

fn factor(section: Section<'_>, node: &Node) -> Option<f64> {
    let factor = match &node.value {
        Value::Integer(number) => *number as f64,
        Value::Float(number) => *number,
        _ => f64::NAN,
    };
    if (1.0..=HIGHEST_FACTOR).contains(&factor) {
        return Some(factor);
    }
    section.wrong("factor", format_args!("must be a number from 1 to {HIGHEST_FACTOR}"), &node.place, None);
    None
}

/// A duration above zero, or forever.
fn lasting(section: Section<'_>, key: &str) -> Option<Found<Option<SignedDuration>>> {
    positive(section, key, section.duration(key)?)
}

fn positive(
    section: Section<'_>,
    key: &str,
    found: Found<Option<SignedDuration>>,
) -> Option<Found<Option<SignedDuration>>> {
    if found.value.is_none_or(|span| !span.is_zero()) {
        return Some(found);
    }
    section.wrong(key, "must be longer than 0", found.from.place()?, None);
    None
}

/// `jitter`: a duration, or a share from 0 to 1.
pub(super) fn jitter(section: Section<'_>) -> Option<Found<Option<Jitter>>> {
    let node = section.node("jitter")?;
    let jitter = match &node.value {
        Value::String(word) if word == "none" => None,
        Value::Float(share) if (0.0..=1.0).contains(share) => Some(Jitter::Share(*share)),
        Value::Float(_) => {
            section.wrong("jitter", "as a share of the ban must be from 0.0 to 1.0", &node.place, None);
            return None;
        }
        _ => Some(Jitter::UpTo(section.duration("jitter")?.value.or_else(|| endless(section, node))?)),
    };
    Some(Found::written(jitter, &node.place))
}

fn endless(section: Section<'_>, node: &Node) -> Option<SignedDuration> {
    section.wrong("jitter", "cannot be \"forever\"", &node.place, None);
    None
}

impl Show for Option<Escalation> {
    fn shown(&self) -> toml::Value {
        let Some(Escalation { growth, decay, scope }) = self else { return text("none") };
        let scope = SCOPES.iter().find(|(_, known)| known == scope).map_or("jail", |(word, _)| *word);
        let mut table = toml::Table::new();
        match growth {
            Growth::Factor { factor, max } => {
                table.insert("factor".to_owned(), number(*factor));
                table.insert("max".to_owned(), max.shown());
            }
            Growth::Steps(steps) => {
                let steps = steps.iter().map(Show::shown).collect();
                table.insert("steps".to_owned(), toml::Value::Array(steps));
            }
        }
        table.insert("decay".to_owned(), decay.shown());
        table.insert("scope".to_owned(), text(scope));
        toml::Value::Table(table)
    }
}

impl Show for Option<Jitter> {
    fn shown(&self) -> toml::Value {
        match self {
            None => text("none"),
            Some(Jitter::UpTo(span)) => span.shown(),
            Some(Jitter::Share(share)) => toml::Value::Float(*share),
        }
    }
}

fn text(word: &str) -> toml::Value {
    toml::Value::String(word.to_owned())
}

/// A whole number as one.
fn number(value: f64) -> toml::Value {
    if value.fract() == 0.0 { toml::Value::Integer(value as i64) } else { toml::Value::Float(value) }
}

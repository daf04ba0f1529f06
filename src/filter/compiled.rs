//! A compiled filter: what it makes of a record.

use std::ops::Range;

use jiff::Timestamp;

use super::fail2ban::{Language, Memory};
use super::raw::RawPatterns;
use super::required::{self, Required};
use super::{ConditionSet, Conditions, Definition, Problem};
use crate::record::{Format, Record, Reference};

/// A filter that is ready to judge records.
#[derive(Debug)]
pub struct Filter {
    definition: Definition,
    looks: Looks,
}

/// What a filter looks at.
#[derive(Debug)]
enum Looks {
    AtFields {
        rules: Vec<Conditions>,
        ignore: Vec<Conditions>,
        order: Vec<usize>,
    },
    AtLines(RawPatterns),
    /// In fail2ban's language.
    Told(Box<Language>),
}

/// What a filter makes of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// No rule holds.
    Missed,
    /// It is an offence.
    Offence(Match),
    /// A rule holds, and an ignore condition too.
    Ignored(Match),
}

/// Which rule held, and whom it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The index of the rule or failregex, from 0; of several that hold, the heaviest, and of those the first.
    pub rule: usize,
    /// For raw patterns: where `<HOST>` or `<ADDR>` stood, in the whole line; `None` for rules on fields.
    pub host: Option<Range<usize>>,
    /// How many times it counts.
    pub weight: u8,
    /// What a filter in fail2ban's language found; its host may stand in an earlier line.
    pub told: Option<Box<Told>>,
    /// The index of the first exception that holds, of one that is ignored.
    pub exception: Option<usize>,
}

/// What a filter in fail2ban's language found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Whom it names, as logged.
    pub address: String,
    /// When, by the date that the filter found; `None` where it found none.
    pub time: Option<Timestamp>,
    /// Its named groups and what they took.
    pub groups: Vec<(String, String)>,
}

impl Match {
    /// An offence, unless an exception holds.
    pub(super) fn unless(self, exception: Option<usize>) -> Judgement {
        match exception {
            None => Judgement::Offence(self),
            Some(_) => Judgement::Ignored(Self { exception, ..self }),
        }
    }

    /// Whom it names, as `line` or a line before has it; `None` for rules on fields.
    pub fn named<'m>(&'m self, line: &'m [u8]) -> Option<&'m [u8]> {
        match &self.told {
            Some(told) => Some(told.address.as_bytes()),
            None => line.get(self.host.clone()?),
        }
    }
}

impl Filter {
    /// Compiles a definition, or tells every problem in it.
    pub fn compile(definition: &Definition) -> Result<Self, Vec<Problem>> {
        let looks = if definition.rules.is_empty() {
            RawPatterns::compile(definition).map(Looks::AtLines)
        } else {
            at_fields(definition)
        };
        Ok(Self { looks: looks?, definition: definition.clone() })
    }

    /// A filter in fail2ban's language.
    pub fn told(language: Language) -> Self {
        Self { definition: Definition::default(), looks: Looks::Told(Box::new(language)) }
    }

    /// What it says, where it is in fail2ban's language.
    pub fn language(&self) -> Option<&Language> {
        match &self.looks {
            Looks::Told(language) => Some(language),
            Looks::AtFields { .. } | Looks::AtLines(_) => None,
        }
    }

    /// The definition it was compiled from; empty where it is in fail2ban's language.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// Whether it looks at raw lines instead of fields.
    pub fn is_raw(&self) -> bool {
        matches!(self.looks, Looks::AtLines(_) | Looks::Told(_))
    }

    /// Its rules and its exceptions; a raw filter has neither.
    pub fn conditions(&self) -> (&[Conditions], &[Conditions]) {
        match &self.looks {
            Looks::AtFields { rules, ignore, .. } => (rules, ignore),
            Looks::AtLines(_) | Looks::Told(_) => (&[], &[]),
        }
    }

    /// Byte strings one of which every offending line of this format must hold, but for the spellings that the answer
    /// names. `None`: any line may be an offence.
    pub fn required(&self, format: &Format) -> Option<Required> {
        match &self.looks {
            Looks::Told(language) => required::of_language(language, format),
            Looks::AtFields { .. } | Looks::AtLines(_) => required::required(&self.definition, format),
        }
    }

    /// Judges one record by itself.
    pub fn judge(&self, record: &Record<'_>) -> Judgement {
        self.judge_after(record, &mut Memory::default(), None)
    }

    /// Judges the record that comes after those that `memory` knows: filters in fail2ban's language may join lines.
    /// `reference` completes the dates that they find themselves; without it these are the record's own.
    pub fn judge_after(
        &self,
        record: &Record<'_>,
        memory: &mut Memory,
        reference: Option<&Reference>,
    ) -> Judgement {
        match &self.looks {
            Looks::Told(language) => language.judge(record, memory, reference),
            Looks::AtLines(patterns) => patterns.judge(record),
            Looks::AtFields { rules, ignore, order } => {
                let holds = |rule: &&usize| rules.get(**rule).is_some_and(|rule| rule.hold(record));
                let Some(rule) = order.iter().find(holds) else { return Judgement::Missed };
                let weight = self.definition.weight(*rule);
                let found = Match { rule: *rule, host: None, weight, told: None, exception: None };
                found.unless(ignore.iter().position(|exception| exception.hold(record)))
            }
        }
    }
}

fn at_fields(definition: &Definition) -> Result<Looks, Vec<Problem>> {
    let mut problems = Vec::new();
    let rules = compile_all("rule", &definition.rules, &mut problems);
    let ignore = compile_all("ignore", &definition.ignore, &mut problems);
    let order = definition.heaviest_first();
    if problems.is_empty() { Ok(Looks::AtFields { rules, ignore, order }) } else { Err(problems) }
}

fn compile_all(key: &str, sets: &[ConditionSet], problems: &mut Vec<Problem>) -> Vec<Conditions> {
    let mut compiled = Vec::new();
    for (index, set) in sets.iter().enumerate() {
        match Conditions::compile(set) {
            Ok(conditions) => compiled.push(conditions),
            Err(found) => {
                problems.extend(found.into_iter().map(|problem| problem.under(&format!("{key}[{index}]"))));
            }
        }
    }
    compiled
}

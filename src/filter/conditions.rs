//! Compiled conditions: the cheap ones are asked first.

use std::borrow::Cow;

use super::decode::{ROUNDS, decode};
use super::pattern::{Pattern, Patterns};
use super::{Condition, ConditionSet, Matcher, Problem};
use crate::record::{Field, Record};

/// Compiled conditions that must all hold.
#[derive(Debug)]
pub struct Conditions {
    /// Cheapest first.
    tests: Vec<Test>,
}

#[derive(Debug)]
struct Test {
    fields: Vec<Field>,
    wanted: Wanted,
    not: bool,
}

#[derive(Debug)]
enum Wanted {
    /// One of these ranges, both ends included.
    Number(Vec<(u64, u64)>),
    /// One of these patterns in the value.
    Text(Patterns),
    /// One of these patterns in the value or in a decoding of it.
    Decoded(Patterns),
}

impl Conditions {
    /// Compiles a set, or tells every problem in it. Keys are relative to the set's table.
    pub fn compile(set: &ConditionSet) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut tests = Vec::new();
        for condition in &set.0 {
            match Test::compile(condition) {
                Ok(test) => tests.push(test),
                Err(found) => problems.extend(found),
            }
        }
        tests.sort_by_key(Test::cost);
        if problems.is_empty() { Ok(Self { tests }) } else { Err(problems) }
    }

    /// The fields that they look at, each with whether a record needs it: without it they never hold.
    pub fn fields(&self) -> impl Iterator<Item = (&Field, bool)> {
        self.tests.iter().flat_map(|test| {
            let needed = !test.not && test.fields.len() == 1;
            test.fields.iter().map(move |field| (field, needed))
        })
    }

    /// Whether all of them hold.
    pub fn hold(&self, record: &Record<'_>) -> bool {
        self.tests.iter().all(|test| test.holds(record))
    }
}

impl Test {
    fn compile(condition: &Condition) -> Result<Self, Vec<Problem>> {
        let is_named = condition.fields.iter().all(|field| matches!(field, Field::Named(_)));
        let ranges = condition.any.iter().any(|matcher| matches!(matcher, Matcher::Range(..)));
        let numeric = condition.fields.iter().any(Field::is_number) || (is_named && ranges);
        let wanted = if numeric { numbers(condition) } else { texts(condition) }?;
        Ok(Self { fields: condition.fields.clone(), wanted, not: condition.not })
    }

    /// The order in which conditions are asked: numbers, short fields, long ones, the path (which is normalised
    /// when it is first asked for), decodings.
    fn cost(&self) -> u8 {
        match (&self.wanted, self.fields.first()) {
            (Wanted::Number(_), _) => 0,
            (Wanted::Decoded(_), _) => 4,
            (_, Some(Field::Method | Field::Protocol | Field::Host | Field::User)) => 1,
            (_, Some(Field::Path)) => 3,
            _ => 2,
        }
    }

    fn holds(&self, record: &Record<'_>) -> bool {
        self.fields.iter().any(|field| self.wanted.is_found(record, field)) != self.not
    }
}

impl Wanted {
    fn is_found(&self, record: &Record<'_>, field: &Field) -> bool {
        match self {
            Self::Number(ranges) => record
                .number(field)
                .is_some_and(|n| ranges.iter().any(|(first, last)| (*first..=*last).contains(&n))),
            Self::Text(patterns) => record.field(field).is_some_and(|value| patterns.match_in(&value)),
            Self::Decoded(patterns) => record.field(field).is_some_and(|value| in_any_round(patterns, value)),
        }
    }
}

fn in_any_round(patterns: &Patterns, mut value: Cow<'_, [u8]>) -> bool {
    for _ in 0..ROUNDS {
        if patterns.match_in(&value) {
            return true;
        }
        match decode(&value) {
            Cow::Owned(decoded) => value = Cow::Owned(decoded),
            Cow::Borrowed(_) => return false,
        }
    }
    patterns.match_in(&value)
}

fn numbers(condition: &Condition) -> Result<Wanted, Vec<Problem>> {
    let range = |matcher: &Matcher| match matcher {
        Matcher::Range(first, last) => Ok((*first, *last)),
        Matcher::Regex(_) => {
            Err(vec![Problem::new(condition.key(), "this field is a number: write 404 or \"400-404\"")])
        }
    };
    condition.any.iter().map(range).collect::<Result<_, _>>().map(Wanted::Number)
}

fn texts(condition: &Condition) -> Result<Wanted, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut patterns = Vec::new();
    for (index, matcher) in condition.any.iter().enumerate() {
        let read = match matcher {
            Matcher::Regex(text) => Pattern::read(text),
            Matcher::Range(..) => Err("this field is a text: write a regular expression".to_owned()),
        };
        match read {
            Ok(pattern) => patterns.push(pattern),
            Err(message) => problems.push(Problem::new(place(condition, index), message)),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let set = Patterns::compile(&patterns)
        .map_err(|(at, message)| vec![Problem::new(place(condition, at), message)])?;
    Ok(if condition.decoded { Wanted::Decoded(set) } else { Wanted::Text(set) })
}

/// The key of one alternative; a single one stands at the condition's own key.
fn place(condition: &Condition, index: usize) -> String {
    if condition.any.len() > 1 { format!("{}[{index}]", condition.key()) } else { condition.key() }
}

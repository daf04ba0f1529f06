//! A filter as it was written, before it is compiled: values only, `reading` makes them from TOML.

use jiff::SignedDuration;

use crate::address::Group;
use crate::record::Field;
use crate::terms::Rate;

/// What a condition compares a field with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matcher {
    /// A regular expression that is found somewhere in the value.
    Regex(String),
    /// A range of numbers, both ends included; a single number is a range of one.
    Range(u64, u64),
}

/// One condition: any matcher holds for any of the fields (or, negated, none does for any).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The fields that are looked at; never empty. Rules name one, `decoded` stands for `DECODED`.
    pub fields: Vec<Field>,
    /// The value is looked at as it is, and after one, two and three rounds of decoding (`decode`).
    pub decoded: bool,
    /// Alternatives; never empty.
    pub any: Vec<Matcher>,
    /// `{ not = … }`: holds where none of `any` does, and where the record has no such field.
    pub not: bool,
}

/// What the condition key `decoded` looks at: the places where a client can put any text into a log line.
pub(super) const DECODED: [Field; 3] = [Field::RequestUri, Field::Referer, Field::UserAgent];

/// Conditions that must all hold: a `[[rule]]`, an `[[ignore]]`, a jail's `[[where]]`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ConditionSet(pub Vec<Condition>);

/// Thresholds that go with a filter; a jail's own win.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Suggest {
    /// How many offences ban.
    pub maxretry: Option<u32>,
    /// Within which time.
    pub findtime: Option<SignedDuration>,
    /// Count different values of this field only.
    pub distinct: Option<Field>,
    /// Ban by how often a client asks, not by a number of offences.
    pub rate: Option<Rate>,
    /// What is counted, and banned, together.
    pub group: Option<Group>,
}

/// Lines that must, and must not, be offences.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Samples {
    /// Each must be an offence.
    pub matching: Vec<String>,
    /// None may be one.
    pub missing: Vec<String>,
}

/// A filter as written: either rules or raw patterns.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Definition {
    /// What it is for.
    pub description: String,
    /// Thresholds that go with it.
    pub suggest: Suggest,
    /// What it matches is an offence only where the client is not the crawler that it says to be; who judges finds out.
    pub fake_crawlers: bool,
    /// It holds for any record: a jail must say in `where` which are meant, by one of these fields.
    pub needs: Vec<Field>,
    /// Any of these makes an offence.
    pub rules: Vec<ConditionSet>,
    /// How many times an offence by each rule or failregex counts, in their order, from 1 to `HEAVIEST`; 1 where nothing is
    /// said.
    pub weights: Vec<u8>,
    /// Any of these makes it none after all.
    pub ignore: Vec<ConditionSet>,
    /// Raw patterns with fail2ban's tags; any makes an offence.
    pub failregex: Vec<String>,
    /// Raw patterns; any makes it none after all.
    pub ignoreregex: Vec<String>,
    /// Run by `check`, and by the tests.
    pub samples: Samples,
}

/// A setting that cannot be used: which key (a path like `rule[1].status`), and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, relative to the filter; list indices count from 0.
    pub key: String,
    /// What is wrong, and the fix.
    pub message: String,
}

/// The greatest weight: with it a `maxretry` of 100 bans at once, and a mark has room for it.
pub const HEAVIEST: u8 = 100;

impl Definition {
    /// How many times an offence by a rule (or failregex) counts, by its index.
    pub fn weight(&self, rule: usize) -> u8 {
        self.weights.get(rule).copied().unwrap_or(1)
    }

    /// Whether some rule counts more than once.
    pub fn is_weighted(&self) -> bool {
        self.weights.iter().any(|weight| *weight > 1)
    }

    /// The rules (or failregexes) by weight: nobody makes an offence lighter by matching a light rule besides.
    pub(super) fn heaviest_first(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.rules.len().max(self.failregex.len())).collect();
        order.sort_by_key(|rule| std::cmp::Reverse(self.weight(*rule)));
        order
    }
}

impl Condition {
    /// Its key in a rule: the field's name, with `.decoded` and `.not` where its matchers stand inside of them.
    pub fn key(&self) -> String {
        let name = match self.fields.as_slice() {
            [field] if self.decoded => format!("{field}.decoded"),
            [field] => field.to_string(),
            _ => "decoded".to_owned(),
        };
        if !self.not {
            return name;
        }
        name.strip_suffix(".decoded")
            .map_or_else(|| format!("{name}.not"), |field| format!("{field}.not.decoded"))
    }
}

impl ConditionSet {
    /// Whether a record must have something in one of these fields for it to hold.
    fn names(&self, fields: &[Field]) -> bool {
        let named = |condition: &Condition| condition.fields.iter().any(|field| fields.contains(field));
        self.0.iter().any(|condition| !condition.not && named(condition))
    }
}

impl Definition {
    /// The same filter where one of these sets holds too, without its samples, which know nothing of them. `None` where
    /// there is no set, or one that names no field of `needs`.
    pub fn narrowed(&self, sets: &[ConditionSet]) -> Option<Self> {
        if sets.is_empty() || !sets.iter().all(|set| set.names(&self.needs)) {
            return None;
        }
        let both = |rule: &ConditionSet, set: &ConditionSet| {
            ConditionSet(rule.0.iter().chain(&set.0).cloned().collect())
        };
        let rules = self.rules.iter().flat_map(|rule| sets.iter().map(move |set| both(rule, set))).collect();
        let weights =
            (0..self.rules.len()).flat_map(|rule| sets.iter().map(move |_| self.weight(rule))).collect();
        Some(Self { rules, weights, samples: Samples::default(), ..self.clone() })
    }
}

impl Problem {
    /// A problem at a key.
    pub(super) fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into() }
    }

    /// The same problem, seen from a table further out.
    pub(super) fn under(mut self, outer: &str) -> Self {
        let between = if self.key.is_empty() || self.key.starts_with('[') { "" } else { "." };
        self.key = format!("{outer}{between}{}", self.key);
        self
    }
}

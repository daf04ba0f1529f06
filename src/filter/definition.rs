//! A filter as it was written, before it is compiled.

use jiff::SignedDuration;

use crate::record::Field;

/// What a condition compares a field with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matcher {
    /// A regular expression that is found somewhere in the value.
    Regex(String),
    /// A range of numbers, both ends included; a single number is a range of one.
    Range(u64, u64),
}

/// One condition on one field: any matcher holds (or, negated, none of them does).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The field.
    pub field: Field,
    /// Alternatives; never empty.
    pub any: Vec<Matcher>,
    /// `{ not = … }`: holds where none of `any` does, and where the record has no such field.
    pub not: bool,
}

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
    /// Any of these makes an offence.
    pub rules: Vec<ConditionSet>,
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

impl Definition {
    /// Reads a filter's table (a filter file, or `[filter.NAME]` of the configuration), or tells every problem in it,
    /// unknown keys included (with the nearest known one).
    pub fn read(table: &toml::Table) -> Result<Self, Vec<Problem>> {
        let _ = table;
        todo!()
    }
}

impl ConditionSet {
    /// Reads the table of one rule, ignore, or jail's `where`.
    pub fn read(table: &toml::Table) -> Result<Self, Vec<Problem>> {
        let _ = table;
        todo!()
    }
}

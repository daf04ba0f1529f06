//! A compiled filter: what it makes of a record.

use std::ops::Range;

use super::{ConditionSet, Definition, Problem};
use crate::record::{Format, Record};

/// A filter that is ready to judge records.
#[derive(Debug)]
pub struct Filter {}

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
    /// The index of the rule or failregex, from 0.
    pub rule: usize,
    /// For raw patterns: where `<HOST>` or `<ADDR>` stood, in the whole line; `None` for rules on fields.
    pub host: Option<Range<usize>>,
}

/// Compiled conditions that must all hold.
#[derive(Debug)]
pub struct Conditions {}

impl Filter {
    /// Compiles a definition, or tells every problem in it.
    pub fn compile(definition: &Definition) -> Result<Self, Vec<Problem>> {
        let _ = definition;
        todo!()
    }

    /// The definition it was compiled from.
    pub fn definition(&self) -> &Definition {
        todo!()
    }

    /// Whether it looks at raw lines instead of fields.
    pub fn is_raw(&self) -> bool {
        todo!()
    }

    /// Byte strings one of which every offending line of this format must hold, unless its target is written in another
    /// spelling (`%`, `//`, `/.`, an escape: such lines are always candidates). `None`: any line may be an offence.
    pub fn required(&self, format: &Format) -> Option<Vec<Vec<u8>>> {
        let _ = format;
        todo!()
    }

    /// Judges one record.
    pub fn judge(&self, record: &Record<'_>) -> Judgement {
        let _ = record;
        todo!()
    }
}

impl Conditions {
    /// Compiles a set, or tells every problem in it.
    pub fn compile(set: &ConditionSet) -> Result<Self, Vec<Problem>> {
        let _ = set;
        todo!()
    }

    /// Whether all of them hold.
    pub fn hold(&self, record: &Record<'_>) -> bool {
        let _ = record;
        todo!()
    }
}

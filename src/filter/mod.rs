//! What counts as an offence: rules on fields, raw patterns over the line, and the literals that both require.
//!
//! A filter knows records, not jails: thresholds are only suggested.

mod compiled;
mod definition;
mod shipped;

pub use compiled::{Conditions, Filter, Judgement, Match};
pub use definition::{Condition, ConditionSet, Definition, Matcher, Problem, Samples, Suggest};
pub use shipped::{SHIPPED, Shipped};

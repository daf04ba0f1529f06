//! What counts as an offence: rules on fields, raw patterns over the line, and the literals that both require.
//!
//! A filter knows records, not jails: thresholds are only suggested. TOML becomes a `Definition` (`reading`), which
//! becomes a `Filter` (`compiled`): rules are `conditions`, raw patterns `raw` with fail2ban's `tags`. Filters in fail2ban's
//! own language are read and judged in `fail2ban`. What a line must hold to be worth judging is found in `required`. The filters of `templates/filters/` are embedded in `shipped`.

mod compiled;
mod conditions;
mod decode;
mod definition;
mod fail2ban;
mod listing;
mod pattern;
mod raw;
mod reading;
mod required;
mod samples;
mod shipped;
mod suggest;
mod tags;
#[cfg(test)]
mod tests;

pub use compiled::{Filter, Judgement, Match, Told};
pub use conditions::Conditions;
pub use definition::{Condition, ConditionSet, Definition, HEAVIEST, Matcher, Problem, Samples, Suggest};
pub use fail2ban::{
    Call, DateContext, DateDetector, Engine, FoundDate, Language, Memory, ReadFile, Recipe, Sections, Trouble,
};
pub use listing::Listed;
pub use required::{Required, share};
pub use samples::{FailedSample, samples};
pub use shipped::{SHIPPED, Shipped};

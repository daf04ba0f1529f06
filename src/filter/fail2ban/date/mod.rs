//! Dates in raw lines as fail2ban's `datepattern` names them: where the date stands, and what time it is.
//!
//! A pattern is a regular expression with `%` fields. What is written (`written`) becomes shapes: a translation to the
//! linear engine (`translate`), one for each choice that a backreference repeats (`choices`), with the field's texts of
//! `token`. The detector finds the leftmost shape (`detector`); what it holds becomes a time in `moment`.

mod choices;
mod defaults;
mod detector;
mod moment;
#[cfg(test)]
mod tests;
mod token;
mod translate;
mod written;
mod zone;

pub use detector::{DateContext, DateDetector, FoundDate};

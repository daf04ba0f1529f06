//! Filters in fail2ban's language, judged as fail2ban does.
//!
//! `Call` takes `NAME[mode=aggressive]` apart; `Recipe` is what the filter's files (`ini`, `files`) say once every name is
//! replaced (`expand`); `Language` is the recipe compiled: patterns in Python's dialect (`python`) on two engines (`engine`), and
//! what several lines say together (`session`, `window`). Dates are found by `date`.
//! Files that hold jails instead of a filter are `sections`. Files are read by a function that the caller hands in.

mod call;
mod date;
mod engine;
mod expand;
mod files;
mod ini;
mod language;
mod python;
mod recipe;
mod sections;
mod session;
#[cfg(test)]
mod tests;
mod trouble;
mod window;

pub use call::Call;
pub use date::{DateContext, DateDetector, FoundDate};
pub use engine::Engine;
pub use files::ReadFile;
pub use language::{Language, Memory};
pub use recipe::Recipe;
pub use sections::Sections;
pub use trouble::Trouble;

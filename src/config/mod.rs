//! TOML files become settings: every value resolved, every problem located and told at once.
//!
//! The main file, `conf.d/*.toml` beside it and `BANMAP_` variables are merged into one tree whose leaves know where
//! they were written (`gather`, `node`, `environment`). Each table is read with getters that collect problems instead
//! of stopping (`section`; `daemon` is the smallest table to imitate), and what holds is kept for `check --effective`.
//! Other rooms judge their own settings by key and message; the place is added here.

mod addresses;
mod check;
mod clients;
mod crawlers;
mod daemon;
mod effective;
mod environment;
mod fields;
mod format;
mod found;
mod gather;
mod growing;
mod input;
mod jail;
mod keys;
mod library;
mod load;
mod needs;
mod node;
mod output;
mod partial;
mod patterns;
mod problem;
mod rate;
mod reload;
mod rules;
mod section;
mod settings;
mod source;
#[cfg(test)]
mod tests;
mod text;
mod unknown_fields;
mod widen;
mod wiring;

pub use check::{FilterReport, Report, check};
pub use format::{WrongFormat, format_names, format_of};
pub use found::EffectiveValue;
pub use input::journal_match;
pub use keys::KNOWN as KNOWN_KEYS;
pub use library::{FilterOrigin, FoundFilter, Library};
pub use load::{DEFAULT_PATH, Options, load, load_for_replay, socket};
pub use needs::{Need, Needs};
pub use problem::{Problem, Problems, Severity};
pub use settings::{Config, Daemon, Jail, LogFormat, Manual, Source};
pub use text::Place;

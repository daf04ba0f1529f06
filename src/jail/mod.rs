//! Counting and judging: sliding windows for each address, the verdict at the threshold, a hard cap on memory.
//!
//! Pure: time is an argument. A jail knows thresholds and offences, not logs, filters or outputs.

mod entry;
mod escalation;
mod priors;
mod rate;
mod settings;
mod storm;
mod texts;
mod tracker;
mod widening;
mod window;

pub use crate::terms::Rate;
pub use escalation::{Escalation, Growth, Jitter, Scope, chance};
pub use priors::{EndedBan, Priors};
pub use settings::Settings;
pub use storm::{Storm, StormMode, Weather};
pub use texts::{TextId, Texts};
pub use tracker::{Offender, Tracker};
pub use widening::{Crowd, Widen, Widening};
pub use window::{Counted, Verdict};

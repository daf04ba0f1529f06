//! Counting and judging: sliding windows for each address, the verdict at the threshold, a hard cap on memory.
//!
//! Pure: time is an argument. A jail knows thresholds and offences, not logs, filters or outputs.

mod settings;

pub use settings::Settings;

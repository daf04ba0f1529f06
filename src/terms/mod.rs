//! Plain words that several rooms speak: names, what a reader tells of a record, where a reader stands.
//!
//! Values only: nothing here reads, judges or writes.

mod checkpoint;
mod clients;
mod crawler;
mod duration;
pub mod escape;
mod history;
mod kept;
mod measure;
mod names;
mod nearest;
mod observation;
mod prior;
mod rate;
mod tracker;

pub use checkpoint::{Checkpoint, Fingerprint};
pub use clients::ClientSample;
pub use crawler::{Claim, Crawler, Verification};
pub use duration::{DurationError, parse_duration, seconds_duration, show_duration};
pub use history::HistoryKind;
pub use kept::{Allowance, Master, Pause, PublishedFile, ResolvedName};
pub use measure::Measure;
pub use names::{JailName, NameError, OutputName, SourceName};
pub use nearest::nearest;
pub use observation::{Batch, Evidence, Observation, Offence};
pub use prior::PriorEntry;
pub use rate::Rate;
pub use tracker::{Mark, Tracked, TrackerEntry};

//! Plain words that several rooms speak: names, what a reader tells of a record, where a reader stands.
//!
//! Values only: nothing here reads, judges or writes.

mod checkpoint;
mod kept;
mod names;
mod observation;
mod tracker;

pub use checkpoint::{Checkpoint, Fingerprint};
pub use kept::{Master, Pause, PublishedFile};
pub use names::{JailName, NameError, OutputName, SourceName};
pub use observation::{Batch, Evidence, Observation, Offence};
pub use tracker::{Mark, TrackerEntry};

//! Where lines come from: files that are discovered, followed through rotation and truncation, and read once.
//!
//! Blocking work on a thread of its own. Events from the system are hints; a stat tick decides.

mod settings;

pub use settings::{FirstRead, Settings};

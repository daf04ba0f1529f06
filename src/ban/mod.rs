//! Who is banned: the table of bans, its expiry index, and the snapshots that outputs publish.
//!
//! Pure: time is an argument, effects are returned as `Change`s.

mod row;
mod snapshot;

pub use row::{Ban, Change, Ended, Origin};
pub use snapshot::Snapshot;

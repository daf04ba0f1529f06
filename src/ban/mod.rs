//! Who is banned: the table of bans, its expiry index, and the snapshots that outputs publish.
//!
//! Pure: time is an argument, effects are returned as `Change`s.

mod echoes;
mod held;
mod output_set;
mod prefix_map;
mod row;
mod snapshot;
mod table;

pub use echoes::{Echo, Echoes};
pub use held::{HeldBan, HeldEntry};
pub use output_set::OutputSet;
pub use row::{Ban, Change, Ended, Origin};
pub use snapshot::Snapshot;
pub use table::{Inserted, JailId, Row, Table, ends_later};

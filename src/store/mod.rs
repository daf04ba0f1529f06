//! What survives a restart: bans with their evidence, read positions, windows and history, in one `SQLite` file.
//!
//! A `Store` is the file, used by one thread; a `Keeper` is that thread. One `Transaction` is one `SQLite` transaction
//! in WAL mode with `synchronous = FULL`: it is on disk, whole, when the save returns, and a crash at any instruction
//! leaves the state of some earlier save. Operators can read the file with the `sqlite3` shell while banmap runs: times
//! are nanoseconds since 1970 (UTC) in the tables and readable in the views `show_bans`, `show_history` and
//! `show_evidence`.

mod columns;
mod error;
mod event;
mod history;
mod keeper;
mod load;
mod open;
mod pending;
mod prune;
mod save;
mod schema;
mod transaction;

#[cfg(test)]
mod tests;

pub use error::StoreError;
pub use event::Event;
pub use history::{HistoryEvent, HistoryQuery, HistoryRow};
pub use keeper::{Ack, Answer, Keeper};
pub use open::Store;
pub use transaction::{JailTotals, Kept, Transaction};

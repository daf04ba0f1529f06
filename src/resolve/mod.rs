//! Lists from elsewhere: the addresses of `ignoreip` and `trusted_proxies`, read from the configuration and from
//! `file:` lists that are re-read when they change.
//!
//! A list that cannot be read in full is never used in part: at start it is an error, and while running the last good
//! list stays in force. An allow list with a hole would ban the wrong client.

mod entry;
mod file;
mod lists;

pub use entry::{EntryError, ListEntry};
pub use file::ListError;
pub use lists::{Lists, Refreshed};

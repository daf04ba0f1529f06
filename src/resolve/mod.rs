//! Lists from elsewhere: the addresses of `ignoreip` and `trusted_proxies`, read from the configuration, from `file:`
//! lists that are re-read when they change, and from names that are looked up again and again; and whether an address
//! belongs to a domain, for the verification of crawlers.
//!
//! A list that cannot be read in full is never used in part: at start it is an error, and while running the last good
//! list stays in force. An allow list with a hole would ban the wrong client.

mod crawler;
mod entry;
mod file;
mod follow;
mod lists;
mod name;

pub use crawler::{Belongs, Resolver};
pub use entry::{EntryError, ListEntry};
pub use file::ListError;
pub use follow::{Following, Lookup, News, system_lookup};
pub use lists::Lists;
pub use name::{HostName, HostNameError};

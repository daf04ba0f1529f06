//! Who a client is: canonical addresses, prefixes of them, and lists of prefixes that are allowed.
//!
//! Everything here is a value without I/O. `Address` is the one spelling of a client: ports, brackets, zone ids
//! and IPv4-mapped forms are removed when text is read, so that two spellings of a client are never two clients.

mod allowlist;
mod canonical;
mod prefix;

pub use allowlist::{AllowEntry, Allowlist};
pub use canonical::Address;
pub use prefix::{Group, Prefix, PrefixError, aggregate, holds, subtract};

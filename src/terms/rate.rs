//! How often a client may ask, as a jail is told or a filter suggests.

use jiff::SignedDuration;

/// So many requests in that time, evenly; and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// At least 1.
    pub requests: u32,
    /// More than 0.
    pub per: SignedDuration,
    /// What the bucket holds: so many requests may come at once; at least 1.
    pub burst: u32,
}

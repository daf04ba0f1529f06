//! The one place that reads a clock; the core gets `now` as an argument.
#![allow(clippy::disallowed_methods)]

use std::time::Instant;

use jiff::Timestamp;

/// The wall clock.
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// A clock that never goes backwards, for timeouts and durations.
pub fn monotonic() -> Instant {
    Instant::now()
}

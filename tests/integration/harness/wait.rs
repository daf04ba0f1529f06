//! Waiting for something to come true, instead of for a time to pass.

use std::time::{Duration, Instant};

/// Looks every few milliseconds whether `condition` holds; fails naming `what` when it does not within `limit`.
#[track_caller]
pub(crate) fn wait_until(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

//! Waiting for something to come true, instead of for a time to pass.

use std::time::{Duration, Instant};

/// Looks every few milliseconds whether `condition` holds; fails naming `what` when it does not within `limit`.
#[track_caller]
pub(crate) fn wait_until(limit: Duration, what: &str, condition: impl FnMut() -> bool) {
    wait_or(limit, condition, || what.to_owned());
}

/// As `wait_until`, but what the failure says is made when it happens.
#[track_caller]
pub(crate) fn wait_or(
    limit: Duration,
    mut condition: impl FnMut() -> bool,
    explain: impl FnOnce() -> String,
) {
    let deadline = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {}", explain());
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

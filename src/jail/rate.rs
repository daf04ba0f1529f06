//! How often a client may ask: a bucket that leaks evenly, and bans who makes it flow over (GCRA, ITU-T I.371).

use crate::terms::Rate;

/// A rate in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leak {
    /// How long the bucket needs for one request.
    pub(super) each: i64,
    /// How long it needs when it is full.
    pub(super) full: i64,
    /// Requests that are late by more are of another time, and tell nothing.
    pub(super) late: i64,
}

impl From<Rate> for Leak {
    fn from(rate: Rate) -> Self {
        let per = i64::try_from(rate.per.as_nanos()).unwrap_or(i64::MAX).max(1);
        let each = (per / i64::from(rate.requests.max(1))).max(1);
        Self { each, full: each.saturating_mul(rate.burst.max(1).into()), late: per }
    }
}

impl Leak {
    /// When a bucket is empty again that was to be empty at `empty`, and gets one request more at `at`.
    pub(super) fn filled(self, empty: i64, at: i64) -> i64 {
        empty.max(at).saturating_add(self.each)
    }

    /// How many requests it holds at `at`.
    pub(super) fn level(self, empty: i64, at: i64) -> usize {
        let left = empty.saturating_sub(at).max(0);
        usize::try_from(left.saturating_add(self.each - 1) / self.each).unwrap_or(usize::MAX)
    }

    /// Whether it flows over at `at`.
    pub(super) fn is_over(self, empty: i64, at: i64) -> bool {
        empty.saturating_sub(at) > self.full
    }
}

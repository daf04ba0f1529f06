//! Times and lengths of time as people read them.

use jiff::{SignedDuration, Timestamp};

use crate::terms::show_duration;

/// `2026-05-01 10:00:00Z`.
pub(super) fn exact(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// `2026-05-01T10:00:00Z`, as all our JSON has it.
pub(super) fn rfc3339(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// `12m ago`; a time that is yet to come (clocks differ) is `now`.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    let since = now.duration_since(at);
    if since < SignedDuration::from_secs(1) { "now".to_owned() } else { format!("{} ago", coarse(since)) }
}

/// `12m ago`, or `never`.
pub(super) fn ago_or_never(at: Option<Timestamp>, now: Timestamp) -> String {
    at.map_or_else(|| "never".to_owned(), |at| ago(at, now))
}

/// What is left of a time, rounded up, so that a ban of an hour begins with `1h`: `48m`, `forever`, `0s` when it is over.
pub(super) fn left(until: Option<Timestamp>, now: Timestamp) -> String {
    let Some(until) = until else { return "forever".to_owned() };
    let rest = until.duration_since(now).max(SignedDuration::ZERO);
    let seconds = rest.as_secs() + i64::from(rest.subsec_nanos() > 0);
    let unit = unit(seconds);
    show_duration(SignedDuration::from_secs((seconds + unit - 1) / unit * unit))
}

/// A length of time as far as it matters, rounded down: `3d4h`, `1h30m`, `48m`, `12s`.
pub(super) fn coarse(length: SignedDuration) -> String {
    let seconds = length.as_secs();
    let unit = unit(seconds);
    show_duration(SignedDuration::from_secs(seconds / unit * unit))
}

/// What matters of so many seconds: below a minute seconds, below a day minutes, else hours.
fn unit(seconds: i64) -> i64 {
    match seconds.unsigned_abs() {
        0..60 => 1,
        60..86_400 => 60,
        _ => 3_600,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_matters_is_shown() {
        for (seconds, shown) in
            [(0, "0s"), (59, "59s"), (60, "1m"), (2_939, "48m"), (5_430, "1h30m"), (273_900, "3d4h")]
        {
            assert_eq!(coarse(SignedDuration::from_secs(seconds)), shown);
        }
    }

    #[test]
    fn times_are_told_from_now() {
        let now: Timestamp = "2026-05-01T10:00:00Z".parse().unwrap();
        let after = |seconds: i64| now + SignedDuration::from_secs(seconds);
        assert_eq!(ago(after(-720), now), "12m ago");
        assert_eq!(ago(after(5), now), "now");
        assert_eq!(ago_or_never(None, now), "never");
        assert_eq!(left(Some(after(2_880)), now), "48m");
        assert_eq!(left(Some(after(-1)), now), "0s");
        assert_eq!(left(Some(after(3_600)), now + SignedDuration::from_millis(200)), "1h");
        assert_eq!(left(Some(after(86_400)), now + SignedDuration::from_millis(200)), "1d");
        assert_eq!(left(Some(after(10)), now + SignedDuration::from_millis(200)), "10s");
        assert_eq!(left(None, now), "forever");
        assert_eq!(exact(now), "2026-05-01 10:00:00Z");
        assert_eq!(rfc3339(now + SignedDuration::from_millis(999)), "2026-05-01T10:00:00Z");
    }
}

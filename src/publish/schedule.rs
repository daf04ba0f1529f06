//! When the next commit may happen. Pure: the clock's value is an argument.

use std::time::{Duration, Instant};

use super::settings::{Kind, Reload, Settings};

/// Apache notices a new map by its changed time; kernels without fine-grained times stamp with their tick. Two commits
/// closer than this could look the same, and the second would never be read.
const APART: Duration = Duration::from_millis(10);

/// The least time between two reloads: each one closes idle connections and keeps old workers until they drained.
const RELOADS: Duration = Duration::from_secs(5);

/// How far the default is stretched while old workers drain, and how long removals wait at most.
const MINUTE: Duration = Duration::from_mins(1);

/// How many intervals a publish that only removes waits for something that adds.
const REMOVALS_WAIT: u32 = 12;

/// What waits to be published.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pending {
    /// Somebody waits for it: it does not wait for the interval.
    pub(super) by_hand: bool,
    /// It only removes, and is known since then.
    pub(super) removals_since: Option<Instant>,
}

/// The interval of one reload group.
#[derive(Debug)]
pub(super) struct Schedule {
    /// The longest that was configured; it stands.
    configured: Option<Duration>,
    reloads: bool,
    /// The default between reloads, stretched while workers drain.
    stretched: Duration,
    /// The default without reloads, by the size of the largest Apache map.
    unreloaded: Duration,
    last_commit: Option<Instant>,
}

impl Schedule {
    pub(super) fn of(outputs: &[Settings]) -> Self {
        let configured = outputs.iter().filter_map(|output| output.min_interval).max();
        let configured = configured.map(|span| Duration::try_from(span).unwrap_or_default());
        let reloads = outputs.iter().any(|output| !matches!(output.reload, Reload::None | Reload::External));
        Self { configured, reloads, stretched: RELOADS, unreloaded: APART, last_commit: None }
    }

    /// A commit happened; the new sizes decide how soon the next one may.
    pub(super) fn committed<'a>(&mut self, now: Instant, sizes: impl Iterator<Item = (&'a Kind, usize)>) {
        self.last_commit = Some(now);
        let each = sizes.map(|(kind, entries)| match kind {
            Kind::ApacheRewritemap => by_map_size(entries),
            Kind::NginxGeo { .. } | Kind::List => APART,
        });
        self.unreloaded = each.max().unwrap_or(APART);
    }

    pub(super) fn interval(&self) -> Duration {
        let default = if self.reloads { self.stretched } else { self.unreloaded };
        self.configured.unwrap_or(default)
    }

    /// When what waits may be committed; `None` is at once.
    pub(super) fn due(&self, pending: Pending) -> Option<Instant> {
        let last = self.last_commit?;
        if pending.by_hand {
            return Some(last + APART);
        }
        let due = last + self.interval().max(APART);
        let wait = (self.interval() * REMOVALS_WAIT).min(MINUTE);
        Some(pending.removals_since.map_or(due, |since| due.max(since + wait)))
    }

    /// When to begin staging for a commit that is due then: `lead` earlier. Never so early that the new file could have
    /// the time of the one in place, which Apache would take for the same.
    pub(super) fn begin(&self, due: Instant, lead: Duration) -> Instant {
        let early = due.checked_sub(lead).unwrap_or(due);
        self.last_commit.map_or(early, |last| early.max(last + APART))
    }

    /// An interval is over and old workers still drain: doubles the default. `false` where it stands already.
    pub(super) fn stretch(&mut self) -> bool {
        let longer = (self.stretched * 2).min(MINUTE);
        let stretches = self.reloads && self.configured.is_none() && longer > self.stretched;
        if stretches {
            self.stretched = longer;
        }
        stretches
    }

    /// No old worker is left: back to the default.
    pub(super) fn relax(&mut self) {
        self.stretched = RELOADS;
    }
}

/// Each rewrite empties Apache's cache, and a miss costs 0.03 microseconds a line.
fn by_map_size(entries: usize) -> Duration {
    match entries {
        0..=1_000 => APART,
        1_001..=5_000 => Duration::from_millis(100),
        _ => Duration::from_secs(1),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Kind, Pending, Reload, Schedule, Settings};
    use crate::os::clock::monotonic;

    fn output(kind: &str, reload: Reload, seconds: Option<i64>) -> Settings {
        let plain = Settings::plain(Kind::named(kind).unwrap(), "/x".into());
        Settings { reload, min_interval: seconds.map(jiff::SignedDuration::from_secs), ..plain }
    }

    fn nginx(seconds: Option<i64>) -> Settings {
        output("nginx-geo", Reload::Command(vec!["reload".to_owned()]), seconds)
    }

    const NOW: Pending = Pending { by_hand: false, removals_since: None };

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn the_first_change_goes_out_at_once_and_the_next_waits() {
        let outputs = [nginx(None)];
        let mut schedule = Schedule::of(&outputs);
        assert_eq!(schedule.due(NOW), None);
        let now = monotonic();
        schedule.committed(now, [(&outputs[0].kind, 1)].into_iter());
        assert_eq!(schedule.due(NOW), Some(now + ms(5000)));
        assert_eq!(schedule.due(Pending { by_hand: true, ..NOW }), Some(now + ms(10)));
    }

    #[test]
    fn the_default_doubles_to_a_minute_while_workers_drain_and_a_configured_one_stands() {
        let outputs = [nginx(None)];
        let mut schedule = Schedule::of(&outputs);
        let mut seen = vec![schedule.interval().as_secs()];
        while schedule.stretch() {
            seen.push(schedule.interval().as_secs());
        }
        assert_eq!(seen, [5, 10, 20, 40, 60]);
        schedule.relax();
        assert_eq!(schedule.interval(), ms(5000));
        let mut configured = Schedule::of(&[nginx(Some(2)), nginx(Some(7)), nginx(None)]);
        assert!(!configured.stretch());
        assert_eq!(configured.interval(), ms(7000), "the longest configured");
    }

    #[test]
    fn staging_begins_early_but_never_within_a_tick_of_the_last_commit() {
        let outputs = [nginx(None)];
        let mut schedule = Schedule::of(&outputs);
        let now = monotonic();
        assert_eq!(schedule.begin(now + ms(100), ms(30)), now + ms(70));
        schedule.committed(now, [(&outputs[0].kind, 1)].into_iter());
        assert_eq!(schedule.begin(now + ms(5000), ms(30)), now + ms(4970));
        assert_eq!(schedule.begin(now + ms(10), ms(30)), now + ms(10));
    }

    #[test]
    fn large_maps_are_rewritten_less_often() {
        let map = output("apache-rewritemap", Reload::None, None);
        let interval = |entries| {
            let mut schedule = Schedule::of(std::slice::from_ref(&map));
            schedule.committed(monotonic(), [(&map.kind, entries)].into_iter());
            schedule.interval()
        };
        assert_eq!([1000, 1001, 5001].map(interval), [ms(10), ms(100), ms(1000)]);
    }

    #[test]
    fn removals_wait_up_to_a_minute() {
        let wait = |output: Settings| {
            let mut schedule = Schedule::of(std::slice::from_ref(&output));
            let now = monotonic();
            schedule.committed(now, [(&output.kind, 1)].into_iter());
            schedule.due(Pending { removals_since: Some(now), ..NOW }).unwrap() - now
        };
        assert_eq!(wait(nginx(None)), ms(60_000));
        assert_eq!(wait(nginx(Some(1))), ms(12_000));
        assert_eq!(wait(nginx(Some(100))), ms(100_000), "the interval itself is longer");
        assert_eq!(wait(output("list", Reload::None, None)), ms(120));
    }
}

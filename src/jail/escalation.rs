//! How long a ban lasts that follows earlier ones, and the chance that is added to it.

use std::hash::BuildHasher;

use foldhash::quality::FixedState;
use jiff::{SignedDuration, Timestamp};

use super::Settings;
use crate::address::Prefix;
use crate::terms::JailName;

/// How bans grow with the number of earlier ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Escalation {
    /// By how much.
    pub growth: Growth,
    /// So long without a ban takes one of the earlier ones back; `None`: they are never forgotten. Longer than 0.
    pub decay: Option<SignedDuration>,
    /// Whose earlier bans count.
    pub scope: Scope,
}

/// By how much a ban grows.
#[derive(Clone, Debug, PartialEq)]
pub enum Growth {
    /// `bantime` times this for each earlier ban.
    Factor {
        /// At least 1.
        factor: f64,
        /// No ban grows beyond this; `None`: without limit. One that is longer already does not grow.
        max: Option<SignedDuration>,
    },
    /// In place of `bantime`: the first ban, the second, and so on; the last step holds for all that follow. `None` is
    /// forever. Never empty.
    Steps(Vec<Option<SignedDuration>>),
}

/// Whose earlier bans count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of the same jail.
    Jail,
    /// Those of all jails; bans of several jails at once count once.
    All,
}

impl Escalation {
    /// Where nobody says otherwise.
    pub const DECAY: SignedDuration = SignedDuration::from_hours(30 * 24);
    /// Where nobody says otherwise.
    pub const MAX: SignedDuration = SignedDuration::from_hours(7 * 24);
    /// Where nobody says otherwise.
    pub const FACTOR: f64 = 4.0;
}

impl Default for Escalation {
    /// 1 h becomes 4 h, 16 h, 64 h, and then stays at 7 days; 30 quiet days take one ban back.
    fn default() -> Self {
        let growth = Growth::Factor { factor: Self::FACTOR, max: Some(Self::MAX) };
        Self { growth, decay: Some(Self::DECAY), scope: Scope::Jail }
    }
}

/// What is added to a ban, so that nobody can foresee its end to the second. Never shortens one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Jitter {
    /// Up to so long.
    UpTo(SignedDuration),
    /// Up to this share of the ban, from 0 to 1.
    Share(f64),
}

impl Jitter {
    fn added(self, term: SignedDuration, chance: f64) -> SignedDuration {
        match self {
            Self::UpTo(most) => scaled(most, chance),
            Self::Share(share) => scaled(term, share * chance),
        }
    }
}

/// A number from 0 to 1 that belongs to this ban alone: whoever knows the seed gets the same again, nobody else can
/// foresee it.
pub fn chance(seed: u64, prefix: Prefix, jail: &JailName, since: Timestamp) -> f64 {
    let drawn = FixedState::with_seed(seed).hash_one((prefix, jail, since.as_nanosecond()));
    // The 53 bits that a double holds exactly.
    (drawn >> 11) as f64 / (1_u64 << 53) as f64
}

impl Settings {
    /// How long a ban lasts that follows so many earlier ones; `None` is forever.
    pub fn term(&self, earlier: u32) -> Option<SignedDuration> {
        match self.escalation.as_ref().map(|escalation| &escalation.growth) {
            None => self.bantime,
            Some(Growth::Factor { factor, max }) => {
                self.bantime.map(|usual| grown(usual, *factor, *max, earlier))
            }
            Some(Growth::Steps(steps)) => {
                let step = steps.get(earlier as usize).or_else(|| steps.last());
                step.copied().unwrap_or(self.bantime)
            }
        }
    }

    /// When a jail's ban ends that began at `since` after so many earlier ones; `chance` is from 0 to 1. `None` is never.
    pub fn verdict_until(&self, since: Timestamp, earlier: u32, chance: f64) -> Option<Timestamp> {
        let term = self.term(earlier)?;
        let added = self.jitter.map_or(SignedDuration::ZERO, |jitter| jitter.added(term, chance));
        Some(since.checked_add(term.saturating_add(added)).unwrap_or(Timestamp::MAX))
    }
}

impl Settings {
    /// The later end of a ban from `since` to `until` that a hit at `hit` prolongs: a bantime after the hit, but no
    /// longer than bans may grow. `None` where that is hardly later: a flood of hits must not be a flood of changes.
    pub fn extended(&self, since: Timestamp, until: Timestamp, hit: Timestamp) -> Option<Timestamp> {
        let usual = self.bantime.filter(|_| self.extend)?;
        let later = hit.checked_add(usual).unwrap_or(Timestamp::MAX);
        let last = self.longest().map_or(Timestamp::MAX, |longest| {
            since.checked_add(longest.max(usual)).unwrap_or(Timestamp::MAX)
        });
        let later = later.min(last);
        let gain = SignedDuration::from_secs((usual.as_secs() / HITS_A_BAN).max(1));
        (later.duration_since(until) >= gain).then_some(later)
    }

    /// The longest that bans grow; `None` is without limit.
    fn longest(&self) -> Option<SignedDuration> {
        match self.escalation.as_ref().map(|escalation| &escalation.growth) {
            None => Some(Escalation::MAX),
            Some(Growth::Factor { max, .. }) => *max,
            Some(Growth::Steps(steps)) => {
                steps.iter().copied().collect::<Option<Vec<_>>>()?.into_iter().max()
            }
        }
    }
}

/// So many hits within one bantime prolong a ban at most.
const HITS_A_BAN: i64 = 60;

/// `usual` × `factor` ^ `earlier`, at most `max`, but never shorter than usual.
fn grown(usual: SignedDuration, factor: f64, max: Option<SignedDuration>, earlier: u32) -> SignedDuration {
    let times = factor.powi(i32::try_from(earlier).unwrap_or(i32::MAX));
    let grown = scaled(usual, times);
    max.map_or(grown, |max| grown.min(max)).max(usual)
}

/// Whole seconds from the first second on: nobody wants to read fractions of one.
fn scaled(span: SignedDuration, times: f64) -> SignedDuration {
    /// Seconds; no two timestamps are so far apart.
    const LONGEST: f64 = 1e12;
    let seconds = span.as_secs_f64() * times;
    SignedDuration::from_secs(seconds.clamp(0.0, LONGEST).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(bantime: Option<i64>, escalation: Option<Escalation>) -> Settings {
        let bantime = bantime.map(SignedDuration::from_secs);
        Settings { bantime, escalation, ..Settings::new("j".parse().unwrap()) }
    }

    fn hours(settings: &Settings) -> Vec<Option<i64>> {
        (0..6).map(|earlier| settings.term(earlier).map(|term| term.as_secs() / 3600)).collect()
    }

    #[test]
    fn each_earlier_ban_multiplies_until_the_limit() {
        let usual = settings(Some(3600), Some(Escalation::default()));
        assert_eq!(hours(&usual), [1, 4, 16, 64, 168, 168].map(Some));
        assert_eq!(usual.term(u32::MAX), Some(Escalation::MAX));
        let long = settings(Some(30 * 86400), Some(Escalation::default()));
        assert_eq!(long.term(3), Some(SignedDuration::from_hours(720)), "longer than the limit: not cut");
        let free = Growth::Factor { factor: 1.5, max: None };
        let free = settings(Some(3600), Some(Escalation { growth: free, ..Escalation::default() }));
        assert_eq!(free.term(2), Some(SignedDuration::from_secs(8100)));
        assert_eq!(free.verdict_until(Timestamp::UNIX_EPOCH, u32::MAX, 0.0), Some(Timestamp::MAX));
    }

    #[test]
    fn forever_stays_and_without_escalation_nothing_grows() {
        assert_eq!(settings(None, Some(Escalation::default())).term(3), None);
        assert_eq!(hours(&settings(Some(3600), None)), [Some(1); 6]);
    }

    #[test]
    fn steps_stand_in_place_of_the_bantime() {
        let steps = vec![Some(SignedDuration::from_hours(2)), Some(SignedDuration::from_hours(24)), None];
        let steps = Escalation { growth: Growth::Steps(steps), ..Escalation::default() };
        assert_eq!(hours(&settings(Some(3600), Some(steps)))[..4], [Some(2), Some(24), None, None]);
    }

    #[test]
    fn a_hit_prolongs_by_a_bantime_and_not_beyond_the_limit() {
        let until = |settings: &Settings, until, hit| {
            let at = |second| Timestamp::from_second(second).unwrap();
            settings.extended(at(0), at(until), at(hit)).map(Timestamp::as_second)
        };
        let mut one = Settings { extend: true, ..settings(Some(3600), Some(Escalation::default())) };
        assert_eq!(until(&one, 3600, 1800), Some(5400));
        assert_eq!(until(&one, 3600, 59), None, "hardly later");
        assert_eq!(until(&one, 3600, 60), Some(3660));
        assert_eq!(until(&one, 600_000, 604_000), Some(604_800), "seven days are the limit");
        assert_eq!(until(&one, 14_400, 100), None, "a ban that has grown is not cut");
        let steps = Growth::Steps(vec![Some(SignedDuration::from_secs(600)), None]);
        one.escalation = Some(Escalation { growth: steps, ..Escalation::default() });
        assert_eq!(until(&one, 600_000, 604_000), Some(607_600));
        one.extend = false;
        assert_eq!(until(&one, 3600, 1800), None);
    }

    #[test]
    fn jitter_adds_and_never_shortens() {
        let at = Timestamp::UNIX_EPOCH;
        let until = |jitter, chance| {
            let settings = Settings { jitter: Some(jitter), ..settings(Some(1000), None) };
            settings.verdict_until(at, 0, chance).unwrap().as_second()
        };
        assert_eq!(until(Jitter::Share(0.2), 0.0), 1000);
        assert_eq!(until(Jitter::Share(0.2), 0.5), 1100);
        assert_eq!(until(Jitter::UpTo(SignedDuration::from_secs(60)), 1.0), 1060);
    }

    #[test]
    fn chance_depends_on_the_seed_and_on_the_ban_and_on_nothing_else() {
        let (jail, at) = ("j".parse().unwrap(), Timestamp::UNIX_EPOCH);
        let drawn = |seed, prefix: &str| chance(seed, prefix.parse().unwrap(), &jail, at);
        assert_eq!(drawn(1, "192.0.2.1").to_bits(), drawn(1, "192.0.2.1").to_bits());
        let mean = (0..1000).map(|seed| drawn(seed, "192.0.2.1")).sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
        assert!(drawn(1, "192.0.2.1").to_bits() != drawn(1, "192.0.2.2").to_bits());
    }
}

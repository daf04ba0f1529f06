//! Networks that misbehave as a whole: so many different groups with an offence inside a wider prefix ban the prefix.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

use super::tracker::{Offender, Tracker};
use super::window::{Counted, Rule, Verdict};
use crate::address::Prefix;
use crate::terms::{JailName, Tracked, TrackerEntry};

/// When a prefix is banned for what is inside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Widen {
    /// So many different groups; at least 2.
    pub distinct: u32,
    /// The length of the IPv4 prefix, shorter than the group's; `None`: IPv4 is not widened.
    pub v4: Option<u8>,
    /// The length of the IPv6 prefix, shorter than the group's; `None`: IPv6 is not widened.
    pub v6: Option<u8>,
    /// Within so long; more than 0.
    pub within: SignedDuration,
}

impl Widen {
    /// Where nobody says otherwise: eight /64 make a /48, which is what a site or a customer is given.
    pub fn usual() -> Vec<Self> {
        vec![Self { distinct: 8, v4: None, v6: Some(48), within: SignedDuration::from_mins(10) }]
    }

    /// The prefix around a group that it may ban; `None` where there is none that is wider.
    fn around(&self, group: Prefix) -> Option<Prefix> {
        let length = self.length(group)?;
        (length < group.length()).then(|| Prefix::new(group.first(), length))
    }

    fn length(&self, prefix: Prefix) -> Option<u8> {
        if prefix.is_ipv4() { self.v4 } else { self.v6 }
    }

    fn window(&self) -> Rule {
        let findtime = i64::try_from(self.within.as_nanos()).unwrap_or(i64::MAX);
        Rule { maxretry: self.distinct.max(2) as usize, findtime, distinct: true, leak: None }
    }
}

/// What one rule has counted: for each wider prefix the groups inside it, bounded as a tracker is.
pub struct Widening {
    rule: Widen,
    tracker: Tracker,
}

/// How near a prefix is to being banned as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crowd {
    /// The prefix.
    pub prefix: Prefix,
    /// How many groups inside it have an offence now.
    pub groups: usize,
    /// The rule.
    pub rule: Widen,
}

impl Widening {
    /// Nothing counted yet; at most `cap` prefixes are.
    pub fn new(rule: Widen, cap: usize) -> Self {
        Self { tracker: Tracker::with(Tracked::Groups, rule.window(), cap), rule }
    }

    /// Goes on under another rule, if that is about the same prefixes; says whether it is.
    pub fn adapt(&mut self, rule: &Widen, cap: usize) -> bool {
        let same = (self.rule.v4, self.rule.v6) == (rule.v4, rule.v6);
        if same {
            self.rule.clone_from(rule);
            self.tracker.adapt_to(rule.window(), cap);
        }
        same
    }

    /// The rule.
    pub fn rule(&self) -> &Widen {
        &self.rule
    }

    /// Counts an offence of a group; the prefix to be banned, and why. What decided stays until it is forgotten.
    pub fn count(&mut self, group: Prefix, now: Timestamp, offence: Counted) -> Option<(Prefix, Verdict)> {
        let prefix = self.rule.around(group)?;
        let offence = Counted { distinct: value(group), weight: 1, ..offence };
        let verdict = self.tracker.count(Offender { prefix, now }, offence)?;
        Some((prefix, verdict))
    }

    /// How full the prefix around a group is.
    pub fn near(&self, group: Prefix, now: Timestamp) -> Option<Crowd> {
        let prefix = self.rule.around(group)?;
        let groups = self.tracker.near(prefix, now).count();
        (groups > 0).then(|| Crowd { prefix, groups, rule: self.rule.clone() })
    }

    /// Takes over what the store kept, if it is about the same prefixes; says whether it is.
    pub fn restore(&mut self, entry: &TrackerEntry, now: Timestamp) -> bool {
        let ours =
            entry.what == Tracked::Groups && self.rule.length(entry.prefix) == Some(entry.prefix.length());
        if ours {
            self.tracker.restore(entry, now);
        }
        ours
    }

    /// Forgets those prefixes that are meant; looks at all.
    pub fn forget_where(&mut self, meant: impl Fn(Prefix) -> bool) {
        self.tracker.forget_where(meant);
    }

    /// Forgets a group in the prefix around it.
    pub fn forget_group(&mut self, group: Prefix) {
        if let Some(around) = self.rule.around(group) {
            self.tracker.forget_value(around, value(group));
        }
    }

    /// Clears what a verdict used.
    pub fn consume(&mut self, prefix: Prefix) {
        self.tracker.consume(prefix, None);
    }

    /// Forgets all.
    pub fn forget_all(&mut self) {
        self.tracker.forget_all();
    }

    /// Lets go of at most `limit` prefixes of each kind that were idle for long.
    pub fn sweep(&mut self, now: Timestamp, limit: usize) {
        self.tracker.sweep(now, limit);
    }

    /// Appends what changed since this was last asked.
    pub fn take_changed(&mut self, jail: &JailName, changed: &mut Vec<TrackerEntry>) {
        self.tracker.take_changed(jail, changed);
    }

    /// How many prefixes are counted, and how many gave way since the start.
    pub fn load(&self) -> (usize, u64) {
        (self.tracker.tracked(), self.tracker.evicted())
    }

    /// Panics where the tracker contradicts itself.
    #[cfg(test)]
    pub(crate) fn check_invariants(&self) {
        self.tracker.check_invariants();
    }
}

/// A number for a group, the same in every version since it is stored. Groups of up to 64 bits never share one.
fn value(group: Prefix) -> u64 {
    match group.first().ip() {
        IpAddr::V4(ip) => ip.to_bits().into(),
        IpAddr::V6(ip) => {
            let bits = ip.to_bits();
            // The golden ratio in 64 bits: an odd number without a pattern.
            ((bits >> 64) as u64) ^ (bits as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jail::TextId;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn rule() -> Widen {
        Widen { distinct: 3, v4: Some(24), v6: Some(48), within: SignedDuration::from_secs(60) }
    }

    fn count(widening: &mut Widening, group: &str, second: i64) -> Option<String> {
        let offence = Counted { at: at(second), distinct: 7, weight: 1, text: TextId::NONE };
        let decided = widening.count(group.parse().unwrap(), at(second), offence);
        widening.check_invariants();
        decided
            .map(|(prefix, verdict)| format!("{prefix} {} {}", verdict.offences, verdict.since.as_second()))
    }

    #[test]
    fn different_groups_within_the_time_ban_the_prefix_around_them() {
        let mut widening = Widening::new(rule(), 10);
        for (group, second, expected) in [
            ("192.0.2.1", 0, None),
            ("192.0.2.1", 10, None),
            ("192.0.2.2", 20, None),
            ("192.0.3.3", 30, None),
            ("192.0.2.3", 80, None),
            ("192.0.2.4", 81, None),
            ("192.0.2.5", 82, Some("192.0.2.0/24 3 82")),
            ("2001:db8::/64", 90, None),
            ("2001:db8:0:1::/64", 91, None),
            ("2001:db8:0:2::7", 92, Some("2001:db8::/48 3 92")),
            ("2001:db8::/48", 93, None),
        ] {
            assert_eq!(count(&mut widening, group, second).as_deref(), expected, "{group} at {second}");
        }
        assert_eq!(widening.near("192.0.2.9".parse().unwrap(), at(82)).unwrap().groups, 3);
        widening.consume("192.0.2.0/24".parse().unwrap());
        assert_eq!(count(&mut widening, "192.0.2.6", 83), None);
    }

    #[test]
    fn who_was_unbanned_counts_no_longer() {
        let mut widening = Widening::new(rule(), 10);
        for group in ["192.0.2.1", "192.0.2.2"] {
            count(&mut widening, group, 0);
        }
        let one = "192.0.2.1".parse().unwrap();
        widening.forget_group(one);
        assert_eq!(count(&mut widening, "192.0.2.3", 1), None);
        assert!(count(&mut widening, "192.0.2.4", 2).is_some());
        let net: Prefix = "192.0.0.0/16".parse().unwrap();
        widening.forget_where(|prefix| net.covers(prefix));
        assert_eq!(widening.load(), (0, 0));
    }

    #[test]
    fn the_groups_survive_a_restart_and_the_cap_holds() {
        let mut widening = Widening::new(rule(), 10);
        for group in ["2001:db8::/64", "2001:db8:0:1::/64"] {
            count(&mut widening, group, 0);
        }
        let mut kept = Vec::new();
        widening.take_changed(&"j".parse().unwrap(), &mut kept);
        let mut again = Widening::new(rule(), 10);
        assert!(kept.iter().all(|entry| again.restore(entry, at(1))));
        assert!(count(&mut again, "2001:db8:0:2::/64", 2).is_some());
        let mut other = Widening::new(Widen { v6: Some(56), ..rule() }, 10);
        assert!(!kept.iter().any(|entry| other.restore(entry, at(1))));
        for third in 0..40 {
            count(&mut again, &format!("192.0.{third}.1"), 3);
        }
        assert_eq!(again.load(), (10, 31));
    }

    #[test]
    fn groups_of_a_prefix_have_numbers_of_their_own() {
        let v6 = (0..1000).map(|n| format!("2001:db8:0:{n:x}::/64"));
        let hosts = (0..1000).map(|n| format!("2001:db8::{n:x}"));
        let numbers = |groups: &mut dyn Iterator<Item = String>| {
            groups.map(|group| value(group.parse().unwrap())).collect::<std::collections::BTreeSet<_>>().len()
        };
        assert_eq!((numbers(&mut v6.into_iter()), numbers(&mut hosts.into_iter())), (1000, 1000));
    }
}

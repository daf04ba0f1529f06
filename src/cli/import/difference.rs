//! One jail over one log: line by line what fail2ban finds and what banmap finds, and why it is not the same.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use serde::Serialize;

use super::theirs::{Hit, Line, Stopped, Theirs};
use crate::address::{Address, Allowlist, Group, Prefix};
use crate::reader::{Examined, Outcome};

/// So many differences of one jail in one log are kept with their lines, and so much of each line.
const KEPT: usize = 1_000;
const TEXT: usize = 500;

/// Whom the two never ban.
pub(super) struct Spared {
    /// banmap's: the jail's `ignoreip` and the trusted proxies.
    pub(super) allow: [Allowlist; 2],
    /// This host's own addresses.
    pub(super) own: Vec<Address>,
}

/// Our thresholds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thresholds {
    pub(super) maxretry: usize,
    /// In seconds.
    pub(super) findtime: f64,
    pub(super) group: Group,
}

/// A line that the two judge differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    pub(super) line: u64,
    pub(super) text: String,
    /// Whom only fail2ban finds in it.
    pub(super) fail2ban: Option<String>,
    /// Whom only banmap finds in it.
    pub(super) banmap: Option<String>,
    pub(super) reason: String,
}

/// What the comparison came to.
#[derive(Debug, Default, Serialize)]
pub(super) struct Totals {
    pub(super) lines: u64,
    /// Why lines behind these were not compared.
    pub(super) stopped: Option<&'static str>,
    /// Offences.
    pub(super) both: u64,
    pub(super) only_fail2ban: u64,
    pub(super) only_banmap: u64,
    /// Those that both find, of addresses that neither bans.
    pub(super) spared: u64,
    /// How many of the differences have which reason.
    pub(super) reasons: BTreeMap<String, u64>,
    pub(super) banned_by_both: usize,
    pub(super) banned_only_by_fail2ban: BTreeSet<Prefix>,
    pub(super) banned_only_by_banmap: BTreeSet<Prefix>,
}

/// The offences of one side: when each address had them, in seconds since 1970.
#[derive(Default)]
struct Side {
    times: HashMap<Prefix, Vec<f64>>,
    /// The last time that was read: what has none happened then.
    last: f64,
}

/// A comparison under way.
pub(super) struct Comparing {
    theirs: Theirs,
    spared: Spared,
    thresholds: Thresholds,
    pub(super) differences: Vec<Difference>,
    totals: Totals,
    fail2ban: Side,
    banmap: Side,
}

impl Side {
    fn add(&mut self, who: Prefix, time: Option<f64>, weight: u8) {
        self.last = time.unwrap_or(self.last);
        let times = self.times.entry(who).or_default();
        times.extend(std::iter::repeat_n(self.last, weight.into()));
    }

    /// Who had `maxretry` offences within `findtime` seconds.
    fn banned(self, maxretry: usize, findtime: f64) -> BTreeSet<Prefix> {
        let is_banned = |times: &mut Vec<f64>| {
            times.sort_by(f64::total_cmp);
            let mut windows = times.windows(maxretry.max(1));
            windows.any(|window| {
                matches!(window, [first, .., last] if last - first <= findtime) || maxretry <= 1
            })
        };
        self.times.into_iter().filter_map(|(who, mut times)| is_banned(&mut times).then_some(who)).collect()
    }
}

impl Comparing {
    pub(super) fn new(theirs: Theirs, spared: Spared, thresholds: Thresholds) -> Self {
        let stopped = theirs.stopped.map(|stopped| match stopped {
            Stopped::Time => "time",
            Stopped::Hits => "hits",
        });
        let totals = Totals { lines: theirs.read, stopped, ..Totals::default() };
        let (fail2ban, banmap) = (Side::default(), Side::default());
        Self { theirs, spared, thresholds, differences: Vec::new(), totals, fail2ban, banmap }
    }

    /// How many lines fail2ban has read.
    pub(super) fn lines(&self) -> u64 {
        self.theirs.read
    }

    /// Compares a line that banmap has judged.
    pub(super) fn line(&mut self, examined: &Examined<'_>) {
        let line = self.theirs.lines.remove(&examined.number).unwrap_or_default();
        let found = examined.address.as_deref().filter(|_| examined.outcome == Outcome::Match);
        let found = found.and_then(|address| address.parse::<Prefix>().ok());
        let ours = found.filter(|address| !self.spares(*address));
        let mut matched = false;
        let is_spared = |hit: &&Hit| self.is_ignored(hit) && hit.id.parse().ok() == found;
        if found.is_some() && ours.is_none() && line.hits.iter().any(|hit| is_spared(&hit)) {
            self.totals.spared += 1;
        }
        for hit in self.offences(&line) {
            let who = if hit.is_name { None } else { hit.id.parse::<Prefix>().ok() };
            if let Some(who) = who {
                self.fail2ban.add(who, hit.time, 1);
            }
            if who.is_some() && who == ours {
                matched = true;
            } else {
                let reason = why_not_ours(&hit, found, examined);
                self.differ(examined, (Some(hit.id), None), reason);
            }
        }
        let Some(ours) = ours else { return };
        let time = examined.time.map(|time| time.as_millisecond() as f64 / 1e3);
        self.banmap.add(self.counted(ours), time, examined.weight);
        if matched {
            self.totals.both += 1;
        } else {
            self.differ(examined, (None, Some(ours.to_string())), why_not_theirs(&line, ours));
        }
    }

    fn counted(&self, address: Prefix) -> Prefix {
        Prefix::group(address.first(), self.thresholds.group)
    }

    fn is_own(&self, address: Prefix) -> bool {
        let first = address.first();
        first.is_loopback() || self.spared.own.contains(&first)
    }

    fn spares(&self, address: Prefix) -> bool {
        self.is_own(address) || self.spared.allow.iter().any(|list| list.covering(address).is_some())
    }

    fn is_ignored(&self, hit: &Hit) -> bool {
        let own = || hit.id.parse().is_ok_and(|address| self.is_own(address));
        hit.ignored || (self.theirs.ignoreself && own())
    }

    /// What fail2ban counts of a line.
    fn offences(&self, line: &Line) -> Vec<Hit> {
        line.hits.iter().filter(|hit| !self.is_ignored(hit)).cloned().collect()
    }

    fn differ(
        &mut self,
        examined: &Examined<'_>,
        (fail2ban, banmap): (Option<String>, Option<String>),
        reason: String,
    ) {
        self.totals.only_fail2ban += u64::from(fail2ban.is_some());
        self.totals.only_banmap += u64::from(banmap.is_some());
        *self.totals.reasons.entry(reason.clone()).or_default() += 1;
        if self.differences.len() < KEPT {
            let text = examined.text.get(..TEXT).unwrap_or(examined.text);
            let text = String::from_utf8_lossy(text).into_owned();
            self.differences.push(Difference { line: examined.number, text, fail2ban, banmap, reason });
        }
    }

    /// The end: what fail2ban found in lines that banmap did not see is a difference, too.
    pub(super) fn finish(mut self) -> (Totals, Vec<Difference>) {
        let unseen = std::mem::take(&mut self.theirs.lines);
        for (number, line) in unseen {
            let examined = Examined { number, ..unread() };
            for hit in self.offences(&line) {
                if let (false, Ok(who)) = (hit.is_name, hit.id.parse()) {
                    self.fail2ban.add(who, hit.time, 1);
                }
                self.differ(&examined, (Some(hit.id), None), "banmap did not read the line".to_owned());
            }
        }
        let Self { theirs, thresholds, mut totals, differences, fail2ban, banmap, .. } = self;
        let theirs = fail2ban.banned(theirs.maxretry, theirs.findtime);
        let ours = banmap.banned(thresholds.maxretry, thresholds.findtime);
        // banmap bans an IPv6 client with its network: one ban of ours may be several of theirs.
        let grouped = |who: &Prefix| Prefix::group(who.first(), thresholds.group);
        let by_both = |who: &Prefix| ours.contains(who) || ours.contains(&grouped(who));
        totals.banned_by_both = theirs.iter().filter(|who| by_both(who)).count();
        let banned: BTreeSet<Prefix> = theirs.iter().map(grouped).chain(theirs.iter().copied()).collect();
        totals.banned_only_by_fail2ban = theirs.into_iter().filter(|who| !by_both(who)).collect();
        totals.banned_only_by_banmap = ours.difference(&banned).copied().collect();
        (totals, differences)
    }
}

/// A line of which only the number is known.
fn unread() -> Examined<'static> {
    Examined {
        number: 0,
        text: b"",
        outcome: Outcome::Missed,
        address: None,
        via: Vec::new(),
        time: None,
        rule: None,
        exception: None,
        groups: Vec::new(),
        weight: 1,
        error: None,
    }
}

/// Why banmap does not find what fail2ban finds.
fn why_not_ours(hit: &Hit, found: Option<Prefix>, examined: &Examined<'_>) -> String {
    if hit.is_name || hit.id.parse::<Prefix>().is_err() {
        return "it is no address: banmap never asks the DNS for a name in a log".to_owned();
    }
    let same = found.is_some_and(|found| hit.id.parse().is_ok_and(|hit: Prefix| hit == found));
    match (examined.outcome, &examined.error, found) {
        (Outcome::Match, _, _) if same => {
            "banmap never bans it: an ignoreip, a trusted proxy or this host".to_owned()
        }
        (Outcome::Match, _, Some(_)) => "banmap finds another client in the line".to_owned(),
        (Outcome::Match, _, None) => "banmap finds no address in the line".to_owned(),
        (Outcome::Ignored, ..) => "an ignoreregex holds in banmap".to_owned(),
        (Outcome::Missed, Some(_), _) => {
            "the line is not of the format that banmap reads this log in".to_owned()
        }
        (Outcome::Missed, None, _) if examined.time.is_none() && hit.time.is_some() => {
            "banmap reads no date in the line".to_owned()
        }
        (Outcome::Missed, None, _) if hit.time.is_none() => {
            "the line has no date, and fail2ban takes it without".to_owned()
        }
        (Outcome::Missed, None, _) => "no pattern holds in banmap".to_owned(),
    }
}

/// Why fail2ban does not find what banmap finds.
fn why_not_theirs(line: &Line, ours: Prefix) -> String {
    let same = |hit: &Hit| hit.id.parse::<Prefix>().is_ok_and(|id| id == ours);
    if line.hits.iter().any(same) {
        "fail2ban's ignoreip holds it".to_owned()
    } else if !line.hits.is_empty() {
        "fail2ban finds another client in the line".to_owned()
    } else if line.ignored {
        "an ignoreregex holds in fail2ban".to_owned()
    } else {
        "no pattern holds in fail2ban".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Thresholds = Thresholds { maxretry: 2, findtime: 60.0, group: Group { v4: 32, v6: 64 } };

    fn hit(id: &str, time: f64) -> Hit {
        Hit {
            id: id.to_owned(),
            is_name: id.ends_with("example"),
            time: Some(time),
            ignored: id == "192.0.2.99",
        }
    }

    fn compare(theirs: &[(u64, Hit)], ours: &[(u64, Option<&'static str>)]) -> (Totals, Vec<Difference>) {
        let mut lines: std::collections::HashMap<u64, Line> = std::collections::HashMap::new();
        for (number, hit) in theirs {
            lines.entry(*number).or_default().hits.push(hit.clone());
        }
        lines.insert(7, Line { hits: Vec::new(), ignored: true });
        let theirs =
            Theirs { maxretry: 2, findtime: 60.0, ignoreself: true, read: 9, lines, ..Theirs::default() };
        let own = vec!["192.0.2.80".parse().unwrap()];
        let allow = [
            ["198.51.100.0/24"]
                .iter()
                .map(|text| crate::address::AllowEntry {
                    prefix: text.parse().unwrap(),
                    origin: "ignoreip".into(),
                })
                .collect(),
            Allowlist::default(),
        ];
        let mut comparing = Comparing::new(theirs, Spared { allow, own }, WINDOW);
        for (number, address) in ours {
            let outcome = if address.is_some() { Outcome::Match } else { Outcome::Missed };
            let time = jiff::Timestamp::from_second(*number as i64).ok();
            let address = address.map(Into::into);
            comparing.line(&Examined { number: *number, outcome, address, time, ..unread() });
        }
        comparing.finish()
    }

    fn told(differences: &[Difference]) -> Vec<String> {
        let who = |one: &Difference| one.fail2ban.iter().chain(&one.banmap).cloned().collect::<String>();
        differences.iter().map(|one| format!("{} {}: {}", one.line, who(one), one.reason)).collect()
    }

    #[test]
    fn the_same_offences_are_no_difference_and_ban_the_same() {
        let theirs =
            [(1, hit("203.0.113.7", 1.0)), (2, hit("203.0.113.7", 2.0)), (3, hit("2001:db8::1", 3.0))];
        let ours = [(1, Some("203.0.113.7")), (2, Some("203.0.113.7")), (3, Some("2001:0db8::1")), (4, None)];
        let (totals, differences) = compare(&theirs, &ours);
        assert_eq!(told(&differences), [""; 0]);
        assert_eq!((totals.both, totals.banned_by_both, totals.lines), (3, 1, 9));
    }

    #[test]
    fn each_difference_has_its_reason() {
        let theirs = [
            (1, hit("host.example", 1.0)),
            (2, hit("203.0.113.7", 2.0)),
            (3, hit("203.0.113.7", 3.0)),
            (5, hit("192.0.2.99", 5.0)),
            (6, hit("198.51.100.1", 6.0)),
            (8, hit("203.0.113.8", 8.0)),
        ];
        let ours = [
            (1, Some("host.example")),
            (2, Some("203.0.113.9")),
            (3, None),
            (4, Some("203.0.113.10")),
            (5, Some("192.0.2.99")),
            (6, Some("198.51.100.1")),
            (7, Some("203.0.113.11")),
        ];
        let (totals, differences) = compare(&theirs, &ours);
        assert_eq!(
            told(&differences),
            [
                "1 host.example: it is no address: banmap never asks the DNS for a name in a log",
                "2 203.0.113.7: banmap finds another client in the line",
                "2 203.0.113.9: fail2ban finds another client in the line",
                "3 203.0.113.7: no pattern holds in banmap",
                "4 203.0.113.10: no pattern holds in fail2ban",
                "5 192.0.2.99: fail2ban's ignoreip holds it",
                "6 198.51.100.1: banmap never bans it: an ignoreip, a trusted proxy or this host",
                "7 203.0.113.11: an ignoreregex holds in fail2ban",
                "8 203.0.113.8: banmap did not read the line",
            ]
        );
        assert_eq!((totals.both, totals.only_fail2ban, totals.only_banmap), (0, 5, 4));
        let banned: Vec<String> = totals.banned_only_by_fail2ban.iter().map(ToString::to_string).collect();
        assert_eq!((banned, totals.banned_only_by_banmap.len()), (vec!["203.0.113.7".to_owned()], 0));
    }

    #[test]
    fn this_hosts_own_addresses_are_nobodys_offence() {
        let (totals, differences) = compare(&[(1, hit("192.0.2.80", 1.0))], &[(1, Some("192.0.2.80"))]);
        assert_eq!((totals.both, totals.spared, told(&differences)), (0, 1, Vec::new()));
    }

    #[test]
    fn a_network_of_ours_is_the_same_ban_as_an_address_of_theirs() {
        let theirs = [(1, hit("2001:db8::1", 1.0)), (2, hit("2001:db8::1", 2.0))];
        let ours = [(1, Some("2001:db8::1")), (2, Some("2001:db8::1"))];
        let (totals, _) = compare(&theirs, &ours);
        assert_eq!((totals.banned_by_both, totals.banned_only_by_banmap.len()), (1, 0));
        // Several addresses of one network together.
        let theirs = [(1, hit("2001:db8::1", 1.0)), (2, hit("2001:db8::2", 2.0))];
        let (totals, _) = compare(&theirs, &[(1, Some("2001:db8::1")), (2, Some("2001:db8::2"))]);
        assert_eq!(totals.banned_only_by_banmap.len(), 1);
    }
}

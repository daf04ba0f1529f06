//! How many different clients there are in a minute, from the steady sample: lines that are looked at for where they stand.
//!
//! Candidates are parsed whatever they are, and would count as many times over as they are parsed more often: what a filter
//! makes us parse is not counted here. A live file's lines are nearly all looked at (see `CENSUS` in `scan`); of what grows
//! faster a part is, and the part's size is known.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use hashbrown::HashMap;
use jiff::Timestamp;

use crate::address::{Address, Group, Prefix};
use crate::terms::ClientSample;

/// At most so many clients are kept: 36 kB. The standard error of their number is 1.2 / √1024, 4 %.
const KEPT: usize = 1024;
/// Seconds.
const SPAN: u32 = ClientSample::SPAN;

/// One for all readers of a process, so that samples of two sources know the same client. An attacker does not know it, and
/// cannot choose addresses that are all sampled, or none.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// The clients of the last minute: those whose hash begins with enough zero bits, with the times of their last three records.
///
/// Adaptive sampling (Wegman; Flajolet 1990, "On adaptive sampling"; Gibbons, VLDB 2001): each client is sampled or not, however
/// many records it has, so that heavy ones do not weigh more. With the times the span slides without buckets.
#[derive(Debug, Default)]
pub(super) struct Clientele {
    /// Seconds of the epoch, the newest first; 0 is never.
    seen: HashMap<u64, [u32; 3]>,
    /// Hashes with fewer leading zero bits are passed over.
    level: u32,
    /// The level was lowered at this second, from this one: until a span is over the sample is complete only at the old one.
    lowered: Option<(u32, u32)>,
    newest: u32,
    /// Of each second: lines that were looked at, and lines there were.
    looked: VecDeque<(u32, u64, u64)>,
}

impl Clientele {
    /// Counts a record of the steady sample.
    pub(super) fn count(&mut self, address: Address, at: Timestamp) {
        let hash = HASHER.hash_one(Prefix::group(address, Group::default()));
        self.add(hash, seconds(at));
    }

    fn add(&mut self, hash: u64, second: u32) {
        self.newest = self.newest.max(second);
        if hash.leading_zeros() < self.level || !self.is_within(second) {
            return;
        }
        let times = self.seen.entry(hash).or_default();
        let place = times.iter().position(|time| *time <= second).unwrap_or(times.len());
        if let Some(later) = times.get_mut(place..).filter(|later| !later.is_empty()) {
            later.rotate_right(1);
            later[0] = second;
        }
        if self.seen.len() > KEPT {
            self.make_room();
        }
    }

    /// Notes that of `lines` lines `looked` were looked at, at the time of the newest record.
    pub(super) fn passed(&mut self, looked: u64, lines: u64) {
        match self.looked.back_mut().filter(|(second, ..)| *second == self.newest) {
            Some((_, sum, all)) => (*sum, *all) = (*sum + looked, *all + lines),
            None => self.looked.push_back((self.newest, looked, lines)),
        }
        let newest = self.newest;
        while self.looked.front().is_some_and(|(second, ..)| second + SPAN <= newest) {
            self.looked.pop_front();
        }
    }

    fn is_within(&self, second: u32) -> bool {
        second > 0 && u64::from(second) + u64::from(SPAN) > u64::from(self.newest)
    }

    fn forget_old(&mut self) {
        let newest = u64::from(self.newest);
        self.seen.retain(|_, times| u64::from(times[0]) + u64::from(SPAN) > newest);
    }

    fn make_room(&mut self) {
        self.forget_old();
        while self.seen.len() > KEPT {
            self.level += 1;
            let level = self.level;
            self.seen.retain(|hash, _| hash.leading_zeros() >= level);
        }
    }

    /// Where few are kept and more could be, more are from now on.
    fn widen(&mut self) {
        if self.lowered.is_some_and(|(second, _)| self.is_within(second)) {
            return;
        }
        let room = (KEPT / 4 / self.seen.len().max(1)).checked_ilog2().unwrap_or(0).min(self.level);
        self.lowered = (room > 0).then_some((self.newest, self.level));
        self.level -= room;
    }

    /// The clients of the span that ends with the newest record; `None` where no record told of one.
    pub(super) fn sample(&mut self) -> Option<ClientSample> {
        self.forget_old();
        let lowered = self.lowered.filter(|(second, _)| self.is_within(*second));
        let level = lowered.map_or(self.level, |(_, before)| before.max(self.level));
        let kept = self.seen.iter().filter(|(hash, _)| hash.leading_zeros() >= level);
        let (mut once, mut twice, mut hashes) = (0_u32, 0_u32, Vec::new());
        for (hash, times) in kept {
            hashes.push(*hash);
            once += u32::from(!self.is_within(times[1]));
            twice += u32::from(self.is_within(times[1]) && !self.is_within(times[2]));
        }
        let unseen = unseen(once, twice, self.share()) * f64::from(level).exp2();
        let at = Timestamp::from_second(self.newest.into()).ok()?;
        self.widen();
        (!hashes.is_empty()).then(|| ClientSample { at, level, hashes: hashes.into(), unseen })
    }

    /// Which part of the lines of the span was looked at.
    fn share(&self) -> f64 {
        let sum =
            |(some, all): (u64, u64), (_, looked, lines): &(u32, u64, u64)| (some + looked, all + lines);
        let (looked, lines) = self.looked.iter().fold((0, 0), sum);
        if lines == 0 { 1.0 } else { looked as f64 / lines as f64 }
    }
}

/// How many clients have no record in a sample where `once` have one and `twice` two, at least: Chao's lower bound for a sample
/// without replacement of this `share` (Chao and Lin 2012, Biometrics 68).
///
/// Where each line was looked at nobody is missing. Else it errs to the low side, the more the smaller the share is and the
/// more clients have only one or two records: no sample can tell those from nobody (Charikar et al., PODS 2000).
fn unseen(once: u32, twice: u32, share: f64) -> f64 {
    let (once, twice) = (f64::from(once), f64::from(twice));
    if share >= 1.0 || once < 1.0 {
        return 0.0;
    }
    once * (once - 1.0) / (2.0 * (twice + 1.0) + share / (1.0 - share) * once)
}

/// Seconds of the epoch; cut to the years 1970 to 2106.
fn seconds(at: Timestamp) -> u32 {
    u32::try_from(at.as_second()).unwrap_or(if at.as_second() < 0 { 0 } else { u32::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number as if by chance, the same in each run (splitmix64).
    fn drawn(number: u64) -> u64 {
        let mut bits = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x6a09_e667_f3bc_c909);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    fn number(sample: &ClientSample) -> f64 {
        sample.hashes.len() as f64 * f64::from(sample.level).exp2() + sample.unseen
    }

    /// A minute in which `light` clients have `each` records and ten heavy ones a thousand; of the lines one in `step` is
    /// looked at. Returns the number that is estimated.
    fn minute(light: u64, each: u64, step: u64) -> f64 {
        let mut lines: Vec<u64> = (0..light * each).map(|line| 10 + line % light).collect();
        lines.extend((0..10_000).map(|line| line % 10));
        // In an order by chance: neighbours are not the same client's.
        let mut order: Vec<(u64, u64)> =
            lines.iter().enumerate().map(|(n, client)| (drawn(n as u64 + 1_000_003), *client)).collect();
        order.sort_unstable();
        let mut clientele = Clientele::default();
        let all = order.len() as u64;
        for (n, (_, client)) in (0..all).zip(&order) {
            if n % step == 0 {
                clientele.add(drawn(*client + 17), 1_000_000 + u32::try_from(n * 59 / all).unwrap());
                clientele.passed(1, step);
            }
        }
        number(&clientele.sample().unwrap())
    }

    #[test]
    fn where_each_line_is_looked_at_the_number_is_right_within_a_tenth() {
        for light in [3, 100, 900, 3_000, 50_000, 400_000] {
            let (estimate, truth) = (minute(light, 1, 1), (light + 10) as f64);
            assert!((estimate - truth).abs() <= truth / 10.0, "{estimate} of {truth}");
        }
        // Exact as long as all are kept.
        assert!((minute(900, 5, 1) - 910.0).abs() < 0.5);
    }

    #[test]
    fn of_a_part_the_number_is_no_smaller_than_what_was_seen_and_hardly_ever_too_large() {
        for (light, each, step, low) in [
            (20_000, 1, 16, 0.25),
            (20_000, 16, 16, 0.7),
            (20_000, 64, 16, 0.9),
            (2_000, 100, 256, 0.3),
            (2_000, 1000, 256, 0.9),
            (500, 2000, 256, 0.95),
        ] {
            let (estimate, truth) = (minute(light, each, step), (light + 10) as f64);
            assert!(estimate >= low * truth, "{estimate} of {truth}: {light} × {each}, one in {step}");
            assert!(estimate <= 1.2 * truth, "{estimate} of {truth}: {light} × {each}, one in {step}");
        }
    }

    #[test]
    fn the_span_slides_and_memory_is_bounded() {
        let mut clientele = Clientele::default();
        for client in 0..300_000 {
            clientele.add(drawn(client), 1_000_000);
            clientele.passed(1, 1);
            assert!(clientele.seen.len() <= KEPT);
        }
        for client in 0..40 {
            clientele.add(drawn(client + 9_000_000), 1_000_050);
        }
        let crowded = number(&clientele.sample().unwrap());
        assert!((270_000.0..330_000.0).contains(&crowded), "{crowded}");
        // A minute later only few are there: more of them are kept again, and after another minute they are all known.
        for second in 1_000_060..1_000_240 {
            for client in 0..40 {
                clientele.add(drawn(client + 9_000_000), second);
            }
            clientele.passed(40, 40);
            let now = clientele.sample();
            assert!(second > 1_000_070 || now.is_none_or(|sample| number(&sample) < 20_000.0));
        }
        assert!((number(&clientele.sample().unwrap()) - 40.0).abs() < 0.5);
        assert!(clientele.looked.len() <= SPAN as usize);
        clientele.add(drawn(1), 1_000_000);
        assert!((number(&clientele.sample().unwrap()) - 40.0).abs() < 0.5, "what is old counts no more");
    }
}

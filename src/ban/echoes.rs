//! Bans that are over and whose address still makes hits: the gate may not know yet, or the line is older than the end.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use smallvec::SmallVec;

use super::prefix_map::PrefixMap;
use super::{JailId, OutputSet};
use crate::address::{Address, Prefix};
use crate::terms::Measure;

/// A ban that is over.
#[derive(Clone, Debug)]
pub struct Echo {
    /// Whose ban it was.
    pub jail: JailId,
    /// It was only shown.
    pub simulated: bool,
    /// What it did.
    pub value: Measure,
    /// The jail's outputs when it ended.
    pub outputs: OutputSet,
    /// Records of an earlier event time are hits.
    pub before: Option<Timestamp>,
    /// The first generation without it, if outputs carried it: until they have reached that, records are hits.
    pub carried_until: Option<u64>,
}

impl Echo {
    /// Whether both make the same hits, but for their times.
    fn is_like(&self, other: &Self) -> bool {
        (self.jail, self.simulated, self.value, &self.outputs)
            == (other.jail, other.simulated, other.value, &other.outputs)
    }
}

struct Noted {
    echo: Echo,
    number: u64,
}

/// The newest bans that are over; at most [`Echoes::LIMIT`].
#[derive(Default)]
pub struct Echoes {
    by_prefix: PrefixMap<SmallVec<[Noted; 1]>>,
    /// In the order in which they ended: where, when, and the number that tells whether it still stands.
    order: VecDeque<(Prefix, Timestamp, u64)>,
    next: u64,
}

impl Echoes {
    /// The oldest give way beyond this number.
    pub const LIMIT: usize = 65_536;

    /// How long lines are expected that are older than the end of a ban.
    const LATE: SignedDuration = SignedDuration::from_hours(1);

    /// Notes that a ban ended at `now`; an older echo like it becomes one with it.
    pub fn add(&mut self, prefix: Prefix, mut echo: Echo, now: Timestamp) {
        let number = self.next;
        self.next += 1;
        let noted = self.by_prefix.or_default(prefix);
        if let Some(at) = noted.iter().position(|other| other.echo.is_like(&echo)) {
            let older = noted.remove(at).echo;
            echo.before = echo.before.max(older.before);
            echo.carried_until = echo.carried_until.max(older.carried_until);
        }
        noted.push(Noted { echo, number });
        self.order.push_back((prefix, now, number));
        if self.order.len() > Self::LIMIT {
            self.drop_oldest();
        }
    }

    /// The echoes around `address`.
    pub fn around(&self, address: Address) -> impl Iterator<Item = &Echo> {
        self.by_prefix.around(address).flat_map(|(_, noted)| noted).map(|noted| &noted.echo)
    }

    /// Lets the oldest go that can make no more hits; `waits` says whether an echo's outputs still carry it.
    pub fn purge(&mut self, now: Timestamp, waits: impl Fn(&Echo) -> bool) {
        while let Some((prefix, ended, number)) = self.order.front() {
            let standing = self.by_prefix.get(*prefix);
            let noted = standing.and_then(|noted| noted.iter().find(|noted| noted.number == *number));
            let late = now.duration_since(*ended) < Self::LATE;
            if noted.is_some_and(|noted| (noted.echo.before.is_some() && late) || waits(&noted.echo)) {
                return;
            }
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some((prefix, _, number)) = self.order.pop_front() else { return };
        let Some(noted) = self.by_prefix.get_mut(prefix) else { return };
        noted.retain(|noted| noted.number != number);
        if noted.is_empty() {
            self.by_prefix.remove(prefix);
        }
    }

    /// How many are noted, those included that newer ones replaced.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether none is noted.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Echo, Echoes};
    use crate::address::{Address, Prefix};
    use crate::ban::{JailId, OutputSet};
    use crate::terms::Measure;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn echo(before: i64) -> Echo {
        let outputs = OutputSet::default();
        Echo {
            jail: JailId::new(1),
            simulated: false,
            value: Measure::Ban,
            outputs,
            before: Some(at(before)),
            carried_until: None,
        }
    }

    fn host(number: usize) -> Prefix {
        Prefix::host(Address::from(std::net::IpAddr::from((number as u32).to_be_bytes())))
    }

    #[test]
    fn the_newest_end_counts_and_the_oldest_give_way() {
        let mut echoes = Echoes::default();
        echoes.add(host(1), echo(50), at(100));
        echoes.add(host(1), echo(20), at(101));
        let before: Vec<_> = echoes.around(host(1).first()).map(|echo| echo.before).collect();
        assert_eq!(before, [Some(at(50))]);
        (0..Echoes::LIMIT).for_each(|number| echoes.add(host(number + 2), echo(20), at(102)));
        assert_eq!(echoes.len(), Echoes::LIMIT);
        assert_eq!(echoes.around(host(1).first()).count(), 0);
        assert_eq!(echoes.around(host(2).first()).count(), 1);
        echoes.purge(at(102 + 3599), |_| false);
        assert_eq!(echoes.len(), Echoes::LIMIT);
        echoes.purge(at(102 + 3600), |_| false);
        assert!(echoes.is_empty() && echoes.by_prefix.len() == 0);
    }
}

//! What the engine can be asked: who is banned, how near an address is to a ban, how much was counted.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::effects::may_say_again;
use super::slots::{Slot, Tally};
use super::{Engine, Refusal};
use crate::address::{Address, Prefix};
use crate::ban::{Ban, JailId, Row};
use crate::jail::Texts;
use crate::terms::{Evidence, JailName, Measure, OutputName, Tracked};

/// How an address stands.
#[derive(Clone, Debug)]
pub struct Why {
    /// An output bans it, or would.
    pub banned: bool,
    /// It is not banned, but an output challenges it, or would.
    pub challenged: bool,
    /// The bans of prefixes that hold it, simulated ones included, the narrowest first.
    pub bans: Vec<Arc<Ban>>,
    /// The rule that protects it, and where it was written.
    pub protected_by: Option<String>,
    /// Jails in which it has offences.
    pub windows: Vec<Near>,
    /// Jails whose next ban of it would be longer, since it was banned before.
    pub earlier: Vec<Earlier>,
    /// The lines behind windows. Those behind bans went out with the changes that told of them.
    pub evidence: Vec<Evidence>,
}

/// How near an address is to a jail's threshold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Near {
    /// The jail.
    pub jail: JailName,
    /// What is counted.
    pub prefix: Prefix,
    /// How many offences (or different values) the window holds that ends now.
    pub offences: usize,
    /// What they weigh together; as many, where no rule has a weight.
    pub weight: usize,
    /// How much weight bans.
    pub maxretry: u32,
    /// The length of the window.
    pub findtime: SignedDuration,
    /// What is counted.
    pub what: Tracked,
}

/// Earlier bans that make the next one longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// The jail.
    pub jail: JailName,
    /// Who was banned.
    pub prefix: Prefix,
    /// How many ended bans count now.
    pub bans: u32,
    /// How long the next one would be; `None` is forever.
    pub next: Option<SignedDuration>,
}

/// What one jail has counted. Totals are since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// The jail.
    pub jail: JailName,
    /// It is configured; else it only has bans that run out.
    pub configured: bool,
    /// Offences inside windows that end now.
    pub offences_current: usize,
    /// Offences that were counted.
    pub offences_total: u64,
    /// Records from addresses that it had banned.
    pub hits_total: u64,
    /// Those of them that a gate let pass though it had the ban.
    pub hits_passed: u64,
    /// Active bans.
    pub bans_current: usize,
    /// Those of them that are only simulated.
    pub bans_simulated: usize,
    /// Bans made, by hand included.
    pub bans_total: u64,
    /// It bans nobody new for now.
    pub paused: bool,
    /// Tracked addresses.
    pub tracked: usize,
    /// Addresses that gave way because `max_tracked` was reached.
    pub evicted: u64,
    /// Wider prefixes that are watched for their clients.
    pub watched: usize,
    /// Those of them that gave way.
    pub unwatched: u64,
}

/// Something of which no more than so much is kept, over all jails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap {
    /// What it is.
    pub name: &'static str,
    /// How much is kept.
    pub used: usize,
    /// How much may be.
    pub limit: usize,
    /// How much gave way since the start.
    pub gave_way: u64,
}

impl Engine {
    /// Refuses a name that no configured jail has, and no jail with bans; the built-in one is always there.
    pub fn check_jail(&self, name: &JailName) -> Result<(), Refusal> {
        self.existing(name).map(drop)
    }

    /// What each jail has counted; cheap.
    pub fn tallies(&self) -> impl Iterator<Item = (&JailName, Tally)> {
        self.slots.iter().map(|(_, slot)| (slot.name(), slot.tally))
    }

    /// The outputs whose bans were seen to have no effect lately: [`Notice::NoEffect`](super::Notice::NoEffect) was
    /// said, and is not old enough to be said again.
    pub fn without_effect(&self, now: Timestamp) -> impl Iterator<Item = Vec<OutputName>> {
        let lately = self.ineffective.iter().filter(move |(_, said)| !may_say_again(Some(*said), now));
        lately.map(|(outputs, _)| self.outputs.names(outputs))
    }

    /// All active bans, simulated ones included, in no order; also those that are over, as long as they have not ended.
    pub fn bans(&self) -> impl Iterator<Item = &Arc<Ban>> {
        self.table.rows().map(|row| &row.ban)
    }

    /// The built-in jail, then the jails in the order in which they were first configured. Looks at every tracked
    /// address: some 10 ms for a million.
    pub fn counts(&self, now: Timestamp) -> Vec<Counts> {
        let shown = |(id, slot): &(JailId, &Slot)| slot.configured || self.table.count_of(*id) > 0;
        self.slots.iter().filter(shown).map(|(id, slot)| self.counts_of(id, slot, now)).collect()
    }

    fn counts_of(&self, id: JailId, slot: &Slot, now: Timestamp) -> Counts {
        Counts {
            jail: slot.name().clone(),
            configured: slot.configured,
            offences_current: slot.tracker.current(now),
            offences_total: slot.tally.offences,
            hits_total: slot.tally.hits,
            hits_passed: slot.tally.passed,
            bans_current: self.table.count_of(id),
            bans_simulated: if slot.settings.simulate { self.simulated(id) } else { 0 },
            bans_total: slot.tally.bans,
            paused: self.is_paused(slot.name()),
            tracked: slot.tracker.tracked(),
            evicted: slot.tracker.evicted(),
            watched: slot.widening.iter().map(|widening| widening.load().0).sum(),
            unwatched: slot.widening.iter().map(|widening| widening.load().1).sum(),
        }
    }

    /// The rows of a jail that are only shown. Of one that does not simulate there are none.
    fn simulated(&self, jail: JailId) -> usize {
        self.table.rows().filter(|row| row.jail == jail && row.simulated).count()
    }

    /// What is bounded over all jails, beside the tracked addresses.
    pub fn caps(&self) -> [Cap; 2] {
        let (texts, priors) = (&self.texts, &self.priors);
        [
            Cap { name: "evidence", used: texts.bytes(), limit: Texts::LIMIT, gave_way: texts.dropped() },
            Cap { name: "earlier bans", used: priors.len(), limit: priors.cap(), gave_way: priors.evicted() },
        ]
    }

    /// Everything that is known about an address.
    pub fn why(&self, address: Address, now: Timestamp) -> Why {
        let rows: Vec<&Row> = self.table.around(address).filter(|row| !row.ban.is_over(now)).collect();
        let in_force = |row: &&&Row| self.is_banned_member(row.jail, row.ban.prefix, address);
        let force = rows.iter().filter(in_force).filter_map(|row| row.force()).max();
        let (banned, challenged) = (force == Some(Measure::Ban), force == Some(Measure::Challenge));
        let bans: Vec<Arc<Ban>> = rows.iter().map(|row| row.ban.clone()).collect();
        let (mut evidence, mut windows, mut earlier) = (Vec::new(), Vec::new(), Vec::new());
        for (id, slot) in self.slots.iter().filter(|(_, slot)| slot.configured) {
            let prefix = self.guard.group(&slot.settings.allow, address, slot.settings.group);
            evidence.extend(self.evidence(id, slot.tracker.near(prefix, now)));
            windows.extend(near(slot, prefix, now));
            windows.extend(crowds(slot, address, now));
            earlier.extend(self.earlier_bans(id, slot, prefix, now));
        }
        Why { banned, challenged, bans, protected_by: self.protected_by(address), windows, earlier, evidence }
    }

    fn earlier_bans(&self, id: JailId, slot: &Slot, prefix: Prefix, now: Timestamp) -> Option<Earlier> {
        let bans = self.earlier(id, prefix, now);
        let next = slot.settings.term(bans);
        (bans > 0).then(|| Earlier { jail: slot.name().clone(), prefix, bans, next })
    }

    /// The rule that protects an address from every jail, or else from one.
    fn protected_by(&self, address: Address) -> Option<String> {
        let host = Prefix::host(address);
        let configured = self.slots.iter().map(|(_, slot)| slot).filter(|slot| slot.configured);
        let mut rules =
            configured.filter_map(|slot| Some((slot, self.guard.rule(&slot.settings.allow, host)?)));
        // The built-in jail comes first: its list holds for all.
        let (slot, rule) = rules.next()?;
        let for_all = slot.name().is_manual();
        Some(if for_all { rule } else { format!("{rule}, in jail `{}`", slot.name()) })
    }
}

fn near(slot: &Slot, prefix: Prefix, now: Timestamp) -> Option<Near> {
    let (settings, offences) = (&slot.settings, slot.tracker.load(prefix, now));
    let (maxretry, findtime) = match settings.rate {
        Some(rate) => (rate.burst.saturating_add(1), rate.per),
        None => (settings.maxretry, settings.findtime),
    };
    let (jail, what) = (slot.name().clone(), slot.tracker.what());
    let weight = slot.tracker.weight(prefix, now);
    (offences > 0).then_some(Near { jail, prefix, offences, weight, maxretry, findtime, what })
}

/// How near the prefixes around an address are to being banned as a whole.
fn crowds(slot: &Slot, address: Address, now: Timestamp) -> impl Iterator<Item = Near> {
    let group = Prefix::group(address, slot.settings.group);
    let crowds = slot.widening.iter().filter_map(move |widening| widening.near(group, now));
    crowds.map(|crowd| Near {
        jail: slot.name().clone(),
        prefix: crowd.prefix,
        offences: crowd.groups,
        weight: crowd.groups,
        maxretry: crowd.rule.distinct,
        findtime: crowd.rule.within,
        what: Tracked::Groups,
    })
}

//! What the engine can be asked: who is banned, how near an address is to a ban, how much was counted.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::effects::may_say_again;
use super::hand::Spared;
use super::slots::{Slot, Tally};
use super::{Engine, Refusal};
use crate::address::Prefix;
use crate::ban::{Ban, HeldBan, JailId, Row};
use crate::jail::Texts;
use crate::terms::{Evidence, JailName, Measure, OutputName, Tracked};

/// How an address, or a prefix as a whole, stands.
#[derive(Clone, Debug)]
pub struct Why {
    /// An output bans it, or would; a prefix: all of it but who is protected inside.
    pub banned: bool,
    /// It is not banned, but an output challenges it, or would.
    pub challenged: bool,
    /// The bans of prefixes that hold it, simulated ones included, the narrowest first.
    pub bans: Vec<Arc<Ban>>,
    /// Bans inside a prefix: the first of them, by address, and how many there are.
    pub inside: (Vec<Arc<Ban>>, usize),
    /// The rule that protects it, and where it was written.
    pub protected_by: Option<String>,
    /// Who is protected inside a prefix from every jail, and by which rule: the first of them, and how many there are.
    pub spared: (Vec<Spared>, usize),
    /// Jails in which it has offences; of a prefix also the fullest windows inside.
    pub windows: Vec<Near>,
    /// Jails whose next ban of it would be longer, since it was banned before.
    pub earlier: Vec<Earlier>,
    /// Verdicts about prefixes that hold it, which wait for the end of a storm and ban nobody yet.
    pub held: Vec<HeldBan>,
    /// Verdicts that wait until it is known whether their client is the crawler that it says it is; then they ban.
    pub asked_about: Vec<HeldBan>,
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
    /// The jail would only show the ban.
    pub simulated: bool,
}

/// So many bans and protected entries inside a prefix are told, and so many windows of each jail.
const INSIDE: usize = 100;
const FULLEST: usize = 10;

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
    /// Verdicts that banned nobody, since it has as many bans as it may.
    pub refused: u64,
    /// Verdicts that wait, since it has or had a storm.
    pub held: usize,
    /// Since when it bans suspiciously many.
    pub storm: Option<Timestamp>,
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
            refused: slot.refused,
            held: self.held.count(id),
            storm: slot.storm.since(),
        }
    }

    /// The jails that have as many bans as they may.
    pub fn full(&self) -> impl Iterator<Item = (&JailName, usize)> {
        let full = self.slots.iter().filter(|(id, slot)| {
            slot.refused > 0 && slot.configured && self.table.count_of(*id) >= slot.settings.max_bans
        });
        full.map(|(_, slot)| (slot.name(), slot.settings.max_bans))
    }

    /// The rows of a jail that are only shown. Of one that does not simulate there are none.
    fn simulated(&self, jail: JailId) -> usize {
        self.table.rows().filter(|row| row.jail == jail && row.simulated).count()
    }

    /// What is bounded over all jails, beside the tracked addresses.
    pub fn caps(&self) -> [Cap; 3] {
        let (texts, priors) = (&self.texts, &self.priors);
        let (used, limit, gave_way) = self.held.load();
        [
            Cap { name: "evidence", used: texts.bytes(), limit: Texts::LIMIT, gave_way: texts.dropped() },
            Cap { name: "earlier bans", used: priors.len(), limit: priors.cap(), gave_way: priors.evicted() },
            Cap { name: "held verdicts", used, limit, gave_way },
        ]
    }

    /// Everything that is known about an address, or about a prefix as such. Of a prefix every window and every ban is
    /// looked at: some 10 ms for a million.
    pub fn why(&self, asked: impl Into<Prefix>, now: Timestamp) -> Why {
        let asked = asked.into();
        let rows: Vec<&Row> = self.table.covering(asked).filter(|row| !row.ban.is_over(now)).collect();
        let force = rows.iter().filter(|row| self.holds_for(row, asked)).filter_map(|row| row.force()).max();
        let (banned, challenged) = (force == Some(Measure::Ban), force == Some(Measure::Challenge));
        let bans: Vec<Arc<Ban>> = rows.iter().map(|row| row.ban.clone()).collect();
        let (mut evidence, mut windows, mut earlier) = (Vec::new(), Vec::new(), Vec::new());
        for (id, slot) in self.slots.iter().filter(|(_, slot)| slot.configured) {
            let prefix = self.counted_as(slot, asked);
            evidence.extend(self.evidence(id, slot.tracker.near(prefix, now)));
            windows.extend(near(slot, prefix, now));
            windows.extend(crowds(slot, asked, now));
            windows.extend(fullest(slot, prefix, now));
            earlier.extend(self.earlier_bans(id, slot, prefix, now));
        }
        let (inside, spared) = (self.bans_inside(asked, now), self.spared_inside(asked));
        let protected_by = self.protected_by(asked);
        let held = self.held.around(asked).cloned().collect();
        let asked_about = self.claims.held(asked).collect();
        Why {
            banned,
            challenged,
            bans,
            inside,
            protected_by,
            spared,
            windows,
            earlier,
            held,
            asked_about,
            evidence,
        }
    }

    /// Whether a ban that lies around `asked` bans it: not if it is protected (for one address alone the ban would have
    /// ended).
    fn holds_for(&self, row: &Row, asked: Prefix) -> bool {
        let allow = &self.slots.get(row.jail).settings.allow;
        row.ban.prefix.is_host() || !self.guard.covers(allow, asked)
    }

    /// What a jail counts the offences of `asked` under.
    fn counted_as(&self, slot: &Slot, asked: Prefix) -> Prefix {
        if asked.is_host() {
            return self.guard.group(&slot.settings.allow, asked.first(), slot.settings.group);
        }
        let group = Prefix::group(asked.first(), slot.settings.group);
        if group.covers(asked) { group } else { asked }
    }

    fn bans_inside(&self, asked: Prefix, now: Timestamp) -> (Vec<Arc<Ban>>, usize) {
        if asked.is_host() {
            return (Vec::new(), 0);
        }
        let is_inside = |row: &&Row| row.ban.prefix != asked && asked.covers(row.ban.prefix);
        let rows = self.table.rows().filter(|row| is_inside(row) && !row.ban.is_over(now));
        let mut bans: Vec<Arc<Ban>> = rows.map(|row| row.ban.clone()).collect();
        bans.sort_by(|a, b| (a.prefix, &a.jail).cmp(&(b.prefix, &b.jail)));
        let count = bans.len();
        bans.truncate(INSIDE);
        (bans, count)
    }

    fn spared_inside(&self, asked: Prefix) -> (Vec<Spared>, usize) {
        let mut spared = self.spared(asked, &JailName::manual());
        spared.retain(|(prefix, _)| *prefix != asked);
        let count = spared.len();
        spared.truncate(INSIDE);
        (spared, count)
    }

    fn earlier_bans(&self, id: JailId, slot: &Slot, prefix: Prefix, now: Timestamp) -> Option<Earlier> {
        let bans = self.earlier(id, prefix, now);
        let next = slot.settings.term(bans);
        (bans > 0).then(|| Earlier { jail: slot.name().clone(), prefix, bans, next })
    }

    /// The rule that protects all of it from every jail, or else from one.
    fn protected_by(&self, asked: Prefix) -> Option<String> {
        let configured = self.slots.iter().map(|(_, slot)| slot).filter(|slot| slot.configured);
        let mut rules =
            configured.filter_map(|slot| Some((slot, self.guard.rule(&slot.settings.allow, asked)?)));
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
    let simulated = settings.simulate;
    let weight = slot.tracker.weight(prefix, now);
    (offences > 0).then_some(Near { jail, prefix, offences, weight, maxretry, findtime, what, simulated })
}

/// The windows inside a prefix that hold most.
fn fullest(slot: &Slot, prefix: Prefix, now: Timestamp) -> Vec<Near> {
    let around = if prefix.is_host() { None } else { Some(prefix) };
    let inside = around.into_iter().flat_map(|around| slot.tracker.inside(around, now));
    let mut inside: Vec<(Prefix, usize)> = inside.filter(|(window, _)| *window != prefix).collect();
    inside.sort_unstable_by_key(|(prefix, load)| (std::cmp::Reverse(*load), *prefix));
    inside.into_iter().take(FULLEST).filter_map(|(window, _)| near(slot, window, now)).collect()
}

/// How near the prefixes around it are to being banned as a whole, and it itself.
fn crowds(slot: &Slot, asked: Prefix, now: Timestamp) -> impl Iterator<Item = Near> {
    let group = Prefix::group(asked.first(), slot.settings.group);
    let crowds = slot.widening.iter().filter_map(move |widening| widening.near(group, now));
    let crowds = crowds.filter(move |crowd| crowd.prefix.covers(asked));
    crowds.map(|crowd| Near {
        jail: slot.name().clone(),
        prefix: crowd.prefix,
        offences: crowd.groups,
        weight: crowd.groups,
        maxretry: crowd.rule.distinct,
        findtime: crowd.rule.within,
        what: Tracked::Groups,
        simulated: slot.settings.simulate,
    })
}

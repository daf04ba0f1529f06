//! The storm breaker: a jail that bans more than 50 addresses and more than 5 % of the clients within a minute has a filter
//! that is wrong, or is under attack. That is said; with `storm = "hold"` its verdicts wait.
//!
//! They wait an hour, until an operator lets them go or drops them. When it calms, new verdicts ban again; those that wait go
//! on waiting: a filter that is wrong calms too, when its victims have left, and must not ban them afterwards.

use jiff::{SignedDuration, Timestamp};

use super::recidive::Made;
use super::{Effects, Engine, Notice, Refusal};
use crate::address::{AllowEntry, Allowlist, Prefix};
use crate::ban::{Ban, Change, HeldBan, JailId};
use crate::jail::{Storm, StormMode, Weather};
use crate::terms::{ClientSample, JailName, SourceName};

/// So long a verdict waits for an operator.
const HOLD: SignedDuration = SignedDuration::from_hours(1);

/// How the records that come next are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// As they are written: storms are seen, and verdicts may be held.
    Live,
    /// From a backlog: what is long past is no storm now.
    Behind,
    /// In a rehearsal: storms are told, nothing is held.
    #[default]
    Rehearsed,
}

impl Engine {
    /// How the next observations are read, and what their source's clients are, where that is news.
    pub fn hear(&mut self, source: &SourceName, pace: Pace, clients: Option<ClientSample>) {
        self.pace = pace;
        if let Some(sample) = clients {
            self.clients.insert(source.clone(), sample);
        }
    }

    /// Whether the number of clients matters to some jail at its next verdict.
    pub fn wants_clients(&mut self, now: Timestamp) -> bool {
        self.slots.iter_mut().any(|slot| slot.storm.bans(now) >= Storm::BANS)
    }

    /// How many clients a jail has lately, about; `None` where no log of its sources tells.
    fn clients_of(&self, jail: JailId, now: Timestamp) -> Option<u64> {
        let sources = &self.slots.get(jail).settings.sources;
        let samples = sources.iter().filter_map(|source| self.clients.get(source));
        let span = SignedDuration::from_secs(ClientSample::SPAN.into());
        union(samples.filter(|sample| now.duration_since(sample.at) <= span))
    }

    /// Whether a verdict has to wait, since its jail has a storm. Counts it.
    fn is_stormy(&mut self, jail: JailId, ban: &Ban, now: Timestamp, effects: &mut Effects) -> bool {
        let slot = self.slots.get_mut(jail);
        let mode = slot.settings.storm;
        let known = self.table.at(ban.prefix).iter().any(|row| row.jail == jail && !row.simulated);
        if mode == StormMode::Off || self.pace == Pace::Behind || ban.simulated || known {
            return false;
        }
        let before = self.held.get(ban.prefix, jail);
        slot.storm.count(before.map(|held| held.judged), now);
        self.look_out(jail, now, effects);
        let stormy = self.slots.get(jail).storm.since().is_some();
        stormy && mode == StormMode::Hold && self.pace == Pace::Live
    }

    /// Looks whether a storm began or is over.
    fn look_out(&mut self, jail: JailId, now: Timestamp, effects: &mut Effects) {
        let near = self.slots.get_mut(jail).storm.is_near(now);
        let clients = if near { self.clients_of(jail, now) } else { None };
        let slot = self.slots.get_mut(jail);
        let holds = slot.settings.storm == StormMode::Hold && self.pace != Pace::Rehearsed;
        let jail_name = slot.name().clone();
        match slot.storm.look(clients, now) {
            None => {}
            Some(Weather::Storm { bans, clients }) => {
                effects.notices.push(Notice::Storm { jail: jail_name, bans, clients, holds });
            }
            Some(Weather::Calm) => {
                let held = self.held.count(jail);
                effects.notices.push(Notice::Calm { jail: jail_name, held });
            }
        }
    }

    /// Holds a verdict, where its jail has a storm; else gives it back.
    pub(super) fn weather(
        &mut self,
        jail: JailId,
        ban: Ban,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Option<Ban> {
        if !self.is_stormy(jail, &ban, now, effects) {
            // It bans now: what waited of it waits no longer.
            self.held.take(ban.prefix, jail);
            return Some(ban);
        }
        let until = now.checked_add(HOLD).unwrap_or(Timestamp::MAX);
        let held = HeldBan { ban, judged: now, until };
        self.hold(jail, held, effects);
        None
    }

    /// Has a verdict wait. It is told when it is new, and as long as none has to give way: under a flood history is bounded, too.
    pub(super) fn hold(&mut self, jail: JailId, held: HeldBan, effects: &mut Effects) {
        let (.., gave_way) = self.held.load();
        let told = held.ban.clone();
        let before = self.held.hold(jail, held);
        if before.is_none() && self.held.load().2 == gave_way {
            effects.changes.push(Change::Held(told.into()));
        }
    }

    /// Sees storms end, and drops verdicts that have waited long enough.
    pub(super) fn tick_storms(&mut self, now: Timestamp, effects: &mut Effects) {
        let stormy = self.slots.iter().filter(|(_, slot)| slot.storm.since().is_some());
        let stormy: Vec<JailId> = stormy.map(|(id, _)| id).collect();
        for jail in stormy {
            self.look_out(jail, now, effects);
        }
        let mut dropped: Vec<(JailId, usize)> = Vec::new();
        for _ in 0..self.slice {
            let Some((jail, _)) = self.held.take_over(now) else { break };
            match dropped.iter_mut().find(|(of, _)| *of == jail) {
                Some((_, count)) => *count += 1,
                None => dropped.push((jail, 1)),
            }
        }
        for (jail, verdicts) in dropped {
            let jail = self.slots.get(jail).name().clone();
            effects.notices.push(Notice::Dropped { jail, verdicts });
        }
    }

    /// A held verdict bans from now on, as long as it would have; not whom meanwhile something protects.
    fn let_go(&mut self, jail: JailId, held: HeldBan, now: Timestamp, effects: &mut Effects) {
        let HeldBan { mut ban, .. } = held;
        let slot = self.slots.get(jail);
        if self.guard.covers(&slot.settings.allow, ban.prefix) {
            return;
        }
        let waited = now.duration_since(ban.since);
        ban.until = ban.until.map(|until| until.checked_add(waited).unwrap_or(Timestamp::MAX));
        ban.since = now;
        let made = Made::by(&ban);
        if self.enforce(ban, jail, effects) {
            self.count_ban(made, now, effects);
        }
    }

    /// Lets the verdicts go that the storm breaker holds of a jail, or drops them; returns how many those were.
    ///
    /// Let go, they ban from now on, and what else this storm brings is not held any more. Dropped, they are forgotten, and
    /// while it lasts new ones are held.
    pub fn release(
        &mut self,
        jail: &JailName,
        drop: bool,
        now: Timestamp,
    ) -> Result<(Effects, usize), Refusal> {
        let id = self.known(jail)?;
        let mut effects = Effects::default();
        let held = self.held.take_where(|of, _| of == id);
        let verdicts = held.len();
        let stormy = self.slots.get(id).storm.since().is_some();
        if verdicts == 0 && !stormy {
            return Err(Refusal::NothingHeld(jail.clone()));
        }
        if !drop {
            self.expire(now, &mut effects);
            self.slots.get_mut(id).storm.let_go(now);
            for (jail, held) in held {
                self.let_go(jail, held, now, &mut effects);
            }
        }
        Ok((effects, verdicts))
    }

    /// Takes over what the store kept; a jail with verdicts of a storm has one until it calms.
    pub(super) fn restore_held(&mut self, kept: Vec<HeldBan>, now: Timestamp) {
        for held in kept {
            let jail = self.slots.id_or_add(&held.ban.jail, &self.outputs);
            let slot = self.slots.get_mut(jail);
            if !slot.configured || slot.settings.simulate {
                self.held.let_go(jail, &held);
                continue;
            }
            if slot.settings.storm == StormMode::Hold {
                slot.storm.resume(held.judged, now);
            }
            self.held.restore(jail, held);
        }
    }

    /// Drops the held verdicts about whom now is protected, and those of jails that would ban nobody.
    pub(super) fn forget_pointless(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let (slots, guard) = (&self.slots, &self.guard);
        drop(self.held.take_where(|jail, held| {
            let slot = slots.get(jail);
            !slot.configured || slot.settings.simulate || guard.covers(&slot.settings.allow, held.ban.prefix)
        }));
    }

    /// Drops the held verdicts about `prefix` and what is inside it (`None`: about all), of one jail or all.
    pub(super) fn forget_held(&mut self, prefixes: Option<&[Prefix]>, only: Option<JailId>) {
        if self.held.is_empty() {
            return;
        }
        let entry = |prefix: &Prefix| AllowEntry { prefix: *prefix, origin: "".into() };
        let meant = prefixes.map(|all| all.iter().map(entry).collect::<Allowlist>());
        let is_meant = |prefix| meant.as_ref().is_none_or(|meant| meant.covering(prefix).is_some());
        drop(
            self.held
                .take_where(|jail, held| only.is_none_or(|only| only == jail) && is_meant(held.ban.prefix)),
        );
    }

    /// Panics where what is held contradicts itself.
    #[cfg(test)]
    pub(super) fn check_held(&self) {
        self.held.check_invariants();
    }

    /// The jails with a storm that nobody has looked at, since when, or with verdicts that wait since there was one, and how
    /// many those are.
    pub fn storms(&self) -> impl Iterator<Item = (&JailName, Option<Timestamp>, usize)> {
        let all = self.slots.iter().map(|(id, slot)| (slot.name(), slot.storm.since(), self.held.count(id)));
        all.filter(|(_, since, held)| since.is_some() || *held > 0)
    }
}

/// How many different clients several samples hold together; `None` without a sample.
///
/// Each is thinned out to the coarsest of them; what they have in common counts once. Clients of whom no sample has a record
/// may be the same in all: the largest number is taken.
fn union<'a>(samples: impl Iterator<Item = &'a ClientSample>) -> Option<u64> {
    let samples: Vec<&ClientSample> = samples.collect();
    let level = samples.iter().map(|sample| sample.level).max()?;
    let unseen = samples.iter().map(|sample| sample.unseen).fold(0.0, f64::max);
    let hashes = samples.iter().flat_map(|sample| sample.hashes.iter().copied());
    let mut kept: Vec<u64> = hashes.filter(|hash| hash.leading_zeros() >= level).collect();
    if samples.len() > 1 {
        kept.sort_unstable();
        kept.dedup();
    }
    Some((kept.len() as f64 * f64::from(level).exp2() + unseen) as u64)
}

//! One record: a hit, an offence, and what follows from it.

use jiff::Timestamp;

use super::changes::counts_later;
use super::effects::may_say_again;
use super::hand::is_wide;
use super::recidive::Made;
use super::regard::Regard;
use super::seen::Seen;
use super::slots::Crowded;
use super::{Effects, Engine, Notice, Spared};
use crate::address::{Address, AllowEntry, Group, Prefix};
use crate::ban::{Ban, Change, Echo, JailId, Origin};
use crate::jail::{Counted, Offender, TextId, Verdict, chance};
use crate::terms::{Evidence, Observation, Offence};

/// So many bans that are over end with each record: more than a record begins, so that `replay`, too, keeps up.
const ENDED_EACH: usize = 16;

impl Engine {
    /// Judges one record by the table as it was before the record, for all jails. Offences of jails that are not
    /// configured are ignored, and so are those of a protected address.
    pub fn observe(&mut self, observation: Observation, now: Timestamp, effects: &mut Effects) {
        self.expire_some(now, ENDED_EACH.min(self.slice), effects);
        self.expire_around(Prefix::host(observation.address), now, effects);
        self.expire_pauses(now, effects);
        self.expire_allowed(now, effects);
        self.expire_claims(now, effects);
        let standing = self.standing(&observation, now);
        if let Some(standing) = &standing {
            self.count_hits(&observation, standing, now, effects);
            self.extend(observation.address, observation.at.min(now), effects);
        }
        if observation.offences.is_empty() {
            return;
        }
        if let Some(rule) = self.guard.always(observation.address) {
            return self.spare(&observation, rule, now, effects);
        }
        let Observation { address, at, refused, offences, claims, text, .. } = observation;
        let mut seen = Seen { address, at: at.min(now), now, claims, text, kept: TextId::NONE };
        for offence in &offences {
            let Some(jail) = self.slots.configured(&offence.jail) else { continue };
            if standing.is_some() {
                self.ask_about_banned(jail, &seen, effects);
            }
            if !standing.as_ref().is_some_and(|standing| self.is_hit(standing, jail, refused)) {
                self.count(jail, offence, &mut seen, effects);
            }
        }
    }

    /// Counts an offence, unless the jail allows its address.
    fn count(&mut self, jail: JailId, offence: &Offence, seen: &mut Seen, effects: &mut Effects) {
        if let Some(entry) = self.slots.get(jail).settings.allow.find(seen.address) {
            let Seen { address, at, .. } = *seen;
            effects.spared.push(Spared { offence: offence.clone(), address, at, by: entry.clone() });
            return;
        }
        match self.regard(jail, offence, seen, effects) {
            Regard::Passes => {}
            regard => self.judge(jail, offence, seen, &regard, effects),
        }
    }

    /// Keeps the record's line.
    pub(super) fn keep(&mut self, seen: &mut Seen) {
        if let Some(text) = seen.text.take() {
            seen.kept = self.texts.keep(seen.at, text);
        }
    }

    /// Counts an offence that is one; what follows from it waits where `regard` says so.
    pub(super) fn judge(
        &mut self,
        jail: JailId,
        offence: &Offence,
        seen: &mut Seen,
        regard: &Regard,
        effects: &mut Effects,
    ) {
        self.keep(seen);
        let slot = self.slots.get_mut(jail);
        let settings = &slot.settings;
        let named = named_group(seen.address, offence.network, settings.group);
        let prefix = self.guard.group(&settings.allow, seen.address, named);
        let distinct = offence.distinct.filter(|_| settings.distinct).unwrap_or(0);
        let counted = Counted { at: seen.at, distinct, weight: offence.weight, text: seen.kept };
        slot.tally.offences += 1;
        let verdict = slot.tracker.count(Offender { prefix, now: seen.now }, counted);
        let group = Prefix::group(seen.address, slot.settings.group);
        // A request within its rate is no offence.
        let offended = slot.settings.rate.is_none() || verdict.is_some();
        let crowded = if offended {
            self.crowd_when_known(regard, jail, (group, counted), seen.now)
        } else {
            Vec::new()
        };
        self.say_full(jail, seen.now, effects);
        if let Some(verdict) = verdict {
            let ban = self.verdict_ban(jail, prefix, &verdict, None);
            self.slots.get_mut(jail).tracker.consume(prefix, ban.until);
            self.decide_when_known(regard, jail, ban, seen.now, effects);
        }
        for Crowded { prefix, verdict, reason } in crowded {
            self.widen(jail, prefix, &verdict, reason, seen.now, effects);
        }
    }

    /// Counts nothing of who is protected from every jail.
    fn spare(&self, observation: &Observation, by: &AllowEntry, now: Timestamp, effects: &mut Effects) {
        let (address, at) = (observation.address, observation.at.min(now));
        let counted =
            observation.offences.iter().filter(|offence| self.slots.configured(&offence.jail).is_some());
        let spared = |offence: &Offence| Spared { offence: offence.clone(), address, at, by: by.clone() };
        effects.spared.extend(counted.map(spared));
    }

    /// Says so where addresses had to give way.
    pub(super) fn say_full(&mut self, jail: JailId, now: Timestamp, effects: &mut Effects) {
        let slot = self.slots.get_mut(jail);
        let evicted = slot.tracker.evicted();
        if slot.said_full.map_or(0, |(_, said)| said) == evicted {
            return;
        }
        if may_say_again(slot.said_full.map(|(last, _)| last), now) {
            slot.said_full = Some((now, evicted));
            effects.notices.push(Notice::TrackerFull { jail: slot.name().clone(), evicted });
        }
    }

    /// Bans a prefix as a whole, unless an output could not leave out who is protected inside it: there the prefix would
    /// be missing, and with it those bans that it covers.
    pub(super) fn widen(
        &mut self,
        jail: JailId,
        prefix: Prefix,
        verdict: &Verdict,
        reason: String,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let slot = self.slots.get(jail);
        let holes: Vec<Prefix> = self.guard.inside(&slot.settings.allow, prefix).collect();
        let unable = self.outputs.unable(&slot.outputs, prefix, &holes);
        if slot.settings.simulate || unable.is_empty() {
            let ban = self.verdict_ban(jail, prefix, verdict, Some(reason));
            return self.decide(jail, ban, now, effects);
        }
        let outputs = self.outputs.names(&unable);
        let slot = self.slots.get_mut(jail);
        if may_say_again(slot.said_narrow, now) {
            slot.said_narrow = Some(now);
            effects.notices.push(Notice::NotWidened { prefix, jail: slot.name().clone(), outputs });
        }
    }

    /// A verdict becomes a ban, is withheld, or was over before it was found.
    pub(super) fn decide(&mut self, jail: JailId, ban: Ban, now: Timestamp, effects: &mut Effects) {
        if self.is_paused(&ban.jail) {
            effects.changes.push(Change::Withheld(ban.into()));
        } else if ban.is_over(now) {
            if let Some(until) = ban.until.filter(|_| counts_later(&ban)) {
                self.remember(&ban, jail, until);
            }
            let outputs = self.slots.get(jail).outputs.clone();
            let (simulated, value, before) = (ban.simulated, ban.value, ban.until);
            let echo = Echo { jail, simulated, value, outputs, before, carried_until: None };
            self.note_end(ban.prefix, echo, now);
            let made = Made::by(&ban);
            effects.changes.push(Change::Past(ban.into()));
            self.count_ban(made, now, effects);
        } else if let Some(ban) = self.weather(jail, ban, now, effects)
            && !self.is_full(jail, ban.prefix, now, effects)
        {
            let made = Made::by(&ban);
            if self.enforce(ban, jail, effects) {
                self.count_ban(made, now, effects);
            }
        }
    }

    pub(super) fn verdict_ban(
        &self,
        jail: JailId,
        prefix: Prefix,
        verdict: &Verdict,
        why: Option<String>,
    ) -> Ban {
        let settings = &self.slots.get(jail).settings;
        let since = verdict.since;
        let earlier = self.earlier(jail, prefix, since);
        let chance = chance(self.seed, prefix, &settings.name, since);
        Ban {
            prefix,
            jail: settings.name.clone(),
            since,
            until: settings.verdict_until(since, earlier, chance),
            value: settings.value,
            offences: verdict.offences,
            origin: Origin::Log,
            reason: joined([why, weighed(verdict, settings.maxretry), repeated(earlier)]),
            simulated: settings.simulate,
            evidence: self.evidence(jail, verdict.texts.iter().copied()),
        }
    }

    /// How many earlier bans make a ban longer that begins at `since`.
    pub(super) fn earlier(&self, jail: JailId, prefix: Prefix, since: Timestamp) -> u32 {
        let settings = &self.slots.get(jail).settings;
        let rule = settings.escalation.as_ref();
        rule.map_or(0, |rule| self.priors.earlier(prefix, &settings.name, rule, since))
    }

    /// The texts that are still kept.
    pub(super) fn evidence(
        &self,
        jail: JailId,
        texts: impl Iterator<Item = (Timestamp, TextId)>,
    ) -> Vec<Evidence> {
        let jail = self.slots.get(jail).name();
        let kept = texts.filter_map(|(at, id)| Some((at, self.texts.get(id, at)?)));
        kept.map(|(at, text)| Evidence { at, jail: jail.clone(), text: text.into() }).collect()
    }
}

/// What is counted of an address: its group, or the network that the line itself names where that is wider. Nobody insists on
/// one that is wider than what people ban by hand without being asked again: there the group counts.
fn named_group(address: Address, network: Option<u8>, group: Group) -> Group {
    match network.filter(|length| !is_wide(Prefix::new(address, *length))) {
        None => group,
        Some(length) => Group { v4: group.v4.min(length), v6: group.v6.min(length) },
    }
}

/// What an operator reads where a ban is longer than the first one.
fn repeated(earlier: u32) -> Option<String> {
    match earlier {
        0 => None,
        1 => Some("banned once before".to_owned()),
        times => Some(format!("banned {times} times before")),
    }
}

/// The same where fewer offences than `maxretry` were enough.
fn weighed(verdict: &Verdict, maxretry: u32) -> Option<String> {
    let Verdict { offences, weight, .. } = verdict;
    let heavy = offences != weight && *offences < maxretry;
    heavy.then(|| format!("they count {weight} times by the weight of their rules"))
}

fn joined(parts: [Option<String>; 3]) -> Option<String> {
    let all: Vec<String> = parts.into_iter().flatten().collect();
    (!all.is_empty()).then(|| all.join("; "))
}

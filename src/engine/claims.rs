//! Clients that say they are a crawler: until it is known whether that is so, verdicts about them are held for some seconds.
//!
//! A crawler that proved to be one is allowed in the jails that ignore it. Who only says so gets no pardon: when the time is
//! over the ban goes out, and an answer that comes later still ends it. A time-out is no "no" either: for a filter that looks
//! for false crawlers it is no offence.

use std::collections::VecDeque;

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use smallvec::SmallVec;

use super::observe::Seen;
use super::slots::Crowded;
use super::{Effects, Engine, Notice};
use crate::address::{AllowEntry, Allowlist, Prefix};
use crate::ban::{AtEnd, Ban, HeldBan, HeldFor, JailId};
use crate::jail::Counted;
use crate::terms::{Claim, Crawler, Offence, Verification};

/// How long a verdict waits for an answer.
pub(super) const HELD: SignedDuration = SignedDuration::from_secs(5);
/// How long answers hold. Crawlers keep their addresses for months; a time-out may be over with the next question.
const CONFIRMED: SignedDuration = SignedDuration::from_hours(6);
const REFUTED: SignedDuration = SignedDuration::from_hours(1);
const UNKNOWN: SignedDuration = SignedDuration::from_mins(1);
/// A question that nobody answers is asked again after this.
const LOST: SignedDuration = SignedDuration::from_mins(1);
/// So many claims are known at once; of more, those that were refuted give way.
const CLAIMS: usize = 10_000;
/// So many claims are looked at to find one that gives way.
const TRIES: usize = 16;
/// So much is held for one claim: a verdict for each of that many jails.
const HELD_EACH: usize = 16;

/// The claims that are looked into, and what came of others.
#[derive(Debug, Default)]
pub(super) struct Claims {
    standing: IndexMap<Claim, Standing>,
    /// Whether somebody answers; in `replay` nobody does.
    answered: bool,
    /// Where the next claim that gives way is looked for.
    cursor: usize,
    /// When what is held for a claim is let go at the latest, the soonest first.
    deadlines: VecDeque<(Timestamp, Claim)>,
    /// When the first confirmation is over.
    confirmed_until: Option<Timestamp>,
}

/// How far a claim is.
#[derive(Debug)]
enum Standing {
    Asked { since: Timestamp, held: SmallVec<[Held; 1]> },
    Answered { answer: Verification, until: Timestamp },
}

/// What waits for the answer.
#[derive(Debug)]
enum Held {
    /// A ban.
    Verdict(JailId, Ban),
    /// An offence inside of prefixes that may be banned as a whole.
    Crowd(JailId, Prefix, Counted),
    /// An offence that is one only if the claim is false.
    Offence(JailId, Offence, Seen),
}

/// What is done about an offence.
pub(super) enum Regard {
    /// It counts, and what follows from it, too.
    Counts,
    /// It counts, and what follows from it waits.
    Waits(Claim),
    /// It does not count, or not yet.
    Passes,
}

/// What is known of a claim now.
enum Known {
    Confirmed,
    Refuted,
    Unknown,
    /// Somebody was asked, not long ago.
    Asked,
    /// Somebody was asked, and verdicts do not wait any longer.
    Late,
}

impl Claims {
    pub(super) fn new(answered: bool) -> Self {
        Self { answered, ..Self::default() }
    }

    /// What is known; where that is nothing, the question goes out.
    fn look_into(&mut self, claim: Claim, now: Timestamp, effects: &mut Effects) -> Known {
        match self.standing.get(&claim) {
            Some(Standing::Answered { answer, until }) if *until > now => return answer.into(),
            Some(Standing::Asked { since, .. }) if now.duration_since(*since) < HELD => return Known::Asked,
            Some(Standing::Asked { since, .. }) if now.duration_since(*since) < LOST => return Known::Late,
            _ => {}
        }
        if !self.answered || !self.has_room(claim) {
            return Known::Unknown;
        }
        let before = self.standing.insert(claim, Standing::Asked { since: now, held: SmallVec::new() });
        if let (Some(Standing::Asked { held: old, .. }), Some(Standing::Asked { held, .. })) =
            (before, self.standing.get_mut(&claim))
        {
            *held = old;
        }
        self.deadlines.push_back((now.checked_add(HELD).unwrap_or(now), claim));
        effects.verify.push(claim);
        Known::Asked
    }

    /// Makes room for one more, where that can be had without forgetting a crawler or what is held.
    fn has_room(&mut self, claim: Claim) -> bool {
        // Questions of the last seconds, those included whose claim gave way already.
        if self.deadlines.len() >= 2 * CLAIMS {
            return false;
        }
        if self.standing.len() < CLAIMS || self.standing.contains_key(&claim) {
            return true;
        }
        for _ in 0..TRIES {
            self.cursor = (self.cursor + 1) % CLAIMS;
            let gives_way = match self.standing.get_index(self.cursor) {
                Some((_, Standing::Answered { answer, .. })) => !matches!(answer, Verification::Confirmed(_)),
                _ => false,
            };
            if gives_way {
                self.standing.swap_remove_index(self.cursor);
                return true;
            }
        }
        false
    }

    fn hold(&mut self, claim: Claim, new: Held) {
        let Some(Standing::Asked { held, .. }) = self.standing.get_mut(&claim) else { return };
        let is_there = held.iter().any(|old| match (old, &new) {
            (Held::Verdict(one, _), Held::Verdict(other, _))
            | (Held::Crowd(one, ..), Held::Crowd(other, ..)) => one == other,
            _ => false,
        });
        if !is_there && held.len() < HELD_EACH {
            held.push(new);
        }
    }

    /// Takes an answer in, and what was held out.
    fn answer(&mut self, claim: Claim, answer: Verification, now: Timestamp) -> SmallVec<[Held; 1]> {
        let lasts = match answer {
            Verification::Confirmed(_) => CONFIRMED,
            Verification::Refuted => REFUTED,
            Verification::Unknown => UNKNOWN,
        };
        let until = now.checked_add(lasts).unwrap_or(now);
        if matches!(answer, Verification::Confirmed(_)) {
            self.confirmed_until = Some(self.confirmed_until.map_or(until, |soonest| soonest.min(until)));
        }
        match self.standing.insert(claim, Standing::Answered { answer, until }) {
            Some(Standing::Asked { held, .. }) => held,
            _ => SmallVec::new(),
        }
    }

    /// The confirmed crawlers of these, as an allow list.
    fn confirmed(&self, crawlers: &[Crawler]) -> Allowlist {
        let entry = |(claim, standing): (&Claim, &Standing)| match standing {
            Standing::Answered { answer: Verification::Confirmed(by), .. }
                if crawlers.contains(&claim.crawler) =>
            {
                let origin = format!("verified crawler {}: {by}", claim.crawler).into();
                Some(AllowEntry { prefix: Prefix::host(claim.address), origin })
            }
            _ => None,
        };
        self.standing.iter().filter_map(entry).collect()
    }

    /// The verdicts that wait for an answer, about who lies around `asked`.
    pub(super) fn held(&self, asked: Prefix) -> impl Iterator<Item = HeldBan> {
        self.standing
            .values()
            .flat_map(|standing| match standing {
                Standing::Asked { since, held } => held.iter().map(|held| (*since, held)).collect(),
                Standing::Answered { .. } => Vec::new(),
            })
            .filter_map(move |(since, held)| {
                let Held::Verdict(_, ban) = held else { return None };
                let until = since.checked_add(HELD).unwrap_or(since);
                let held =
                    |ban| HeldBan { ban, why: HeldFor::Crawler, judged: since, until, then: AtEnd::Enforce };
                ban.prefix.covers(asked).then(|| held(ban.clone()))
            })
    }

    /// When something is to be let go of.
    pub(super) fn next_end(&self) -> Option<Timestamp> {
        let deadline = self.deadlines.front().map(|(deadline, _)| *deadline);
        deadline.into_iter().chain(self.confirmed_until).min()
    }

    /// The next claim whose verdicts have waited long enough, and those; offences wait on.
    fn overdue(&mut self, now: Timestamp) -> Option<SmallVec<[Held; 1]>> {
        self.deadlines.front().filter(|(deadline, _)| *deadline <= now)?;
        let (_, claim) = self.deadlines.pop_front()?;
        let Some(Standing::Asked { held, .. }) = self.standing.get_mut(&claim) else {
            return Some(SmallVec::new());
        };
        let (wait, go): (SmallVec<[Held; 1]>, SmallVec<[Held; 1]>) =
            std::mem::take(held).into_iter().partition(|one| matches!(one, Held::Offence(..)));
        *held = wait;
        Some(go)
    }

    /// Forgets confirmations that are over; the addresses that this was about.
    fn expire(&mut self, now: Timestamp) -> Vec<Prefix> {
        if self.confirmed_until.is_none_or(|until| until > now) {
            return Vec::new();
        }
        let (mut over, mut next) = (Vec::new(), None);
        self.standing.retain(|claim, standing| match standing {
            Standing::Answered { answer: Verification::Confirmed(_), until } if *until <= now => {
                over.push(Prefix::host(claim.address));
                false
            }
            Standing::Answered { answer: Verification::Confirmed(_), until } => {
                next = Some(next.map_or(*until, |next: Timestamp| next.min(*until)));
                true
            }
            _ => true,
        });
        self.confirmed_until = next;
        over
    }
}

impl From<&Verification> for Known {
    fn from(answer: &Verification) -> Self {
        match answer {
            Verification::Confirmed(_) => Self::Confirmed,
            Verification::Refuted => Self::Refuted,
            Verification::Unknown => Self::Unknown,
        }
    }
}

impl Engine {
    /// What is done about an offence for a jail, by what its client says to be.
    pub(super) fn regard(
        &mut self,
        jail: JailId,
        offence: &Offence,
        seen: &mut Seen,
        effects: &mut Effects,
    ) -> Regard {
        let settings = &self.slots.get(jail).settings;
        let looks_for_fakes = settings.fakes;
        let claimed = seen.claims.filter(|crawler| looks_for_fakes || settings.crawlers.contains(crawler));
        let Some(crawler) = claimed else {
            return if looks_for_fakes { Regard::Passes } else { Regard::Counts };
        };
        let claim = Claim { address: seen.address, crawler };
        match (self.claims.look_into(claim, seen.now, effects), looks_for_fakes) {
            (Known::Refuted, _) | (Known::Unknown | Known::Late, false) => Regard::Counts,
            (Known::Asked, false) => Regard::Waits(claim),
            (Known::Asked | Known::Late, true) => {
                self.keep(seen);
                self.claims.hold(claim, Held::Offence(jail, offence.clone(), seen.kept_only()));
                Regard::Passes
            }
            (Known::Confirmed, _) | (Known::Unknown, true) => Regard::Passes,
        }
    }

    /// Asks about a client that is banned, and may be a crawler that this jail ignores: it was not known then.
    pub(super) fn ask_about_banned(&mut self, jail: JailId, seen: &Seen, effects: &mut Effects) {
        let crawlers = &self.slots.get(jail).settings.crawlers;
        if let Some(crawler) = seen.claims.filter(|crawler| crawlers.contains(crawler)) {
            let claim = Claim { address: seen.address, crawler };
            self.claims.look_into(claim, seen.now, effects);
        }
    }

    /// Decides about a ban now, or when the answer is there.
    pub(super) fn decide_when_known(
        &mut self,
        regard: &Regard,
        jail: JailId,
        ban: Ban,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        match regard {
            Regard::Waits(claim) => self.claims.hold(*claim, Held::Verdict(jail, ban)),
            Regard::Counts | Regard::Passes => self.decide(jail, ban, now, effects),
        }
    }

    /// Counts an offence in the prefixes around its client now, or when the answer is there.
    pub(super) fn crowd_when_known(
        &mut self,
        regard: &Regard,
        jail: JailId,
        (group, offence): (Prefix, Counted),
        now: Timestamp,
    ) -> Vec<Crowded> {
        match regard {
            Regard::Waits(claim) => {
                if !self.slots.get(jail).widening.is_empty() {
                    self.claims.hold(*claim, Held::Crowd(jail, group, offence));
                }
                Vec::new()
            }
            Regard::Counts | Regard::Passes => self.slots.get_mut(jail).crowded(group, now, offence),
        }
    }

    /// The answer to a question of [`Effects::verify`]. A crawler that is one is allowed from now on where it is ignored, and
    /// its bans there end; else what was held goes its way.
    pub fn verified(&mut self, claim: Claim, answer: &Verification, now: Timestamp) -> Effects {
        let mut effects = Effects::default();
        self.expire(now, &mut effects);
        let held = self.claims.answer(claim, answer.clone(), now);
        match answer {
            Verification::Confirmed(by) => {
                let before = effects.changes.len();
                let spared = held.iter().any(|held| matches!(held, Held::Verdict(..)));
                self.crawlers_changed(&[Prefix::host(claim.address)], now, &mut effects);
                if spared || effects.changes.len() > before {
                    effects.notices.push(Notice::CrawlerSpared { claim, by: by.clone() });
                }
            }
            Verification::Refuted => self.settle_held(held, now, &mut effects),
            Verification::Unknown => {
                let verdicts = held.into_iter().filter(|held| !matches!(held, Held::Offence(..)));
                self.settle_held(verdicts, now, &mut effects);
            }
        }
        effects
    }

    /// Lets verdicts go that have waited long enough, and crawlers whose confirmation is over.
    pub(super) fn expire_claims(&mut self, now: Timestamp, effects: &mut Effects) {
        while let Some(held) = self.claims.overdue(now) {
            self.settle_held(held, now, effects);
        }
        let over = self.claims.expire(now);
        self.crawlers_changed(&over, now, effects);
    }

    fn settle_held(&mut self, held: impl IntoIterator<Item = Held>, now: Timestamp, effects: &mut Effects) {
        for held in held {
            match held {
                Held::Verdict(jail, ban) => {
                    let allow = &self.slots.get(jail).settings.allow;
                    // It may have become allowed meanwhile.
                    if !self.guard.covers(allow, ban.prefix) {
                        self.decide(jail, ban, now, effects);
                    }
                }
                Held::Crowd(jail, group, offence) => {
                    for Crowded { prefix, verdict, reason } in
                        self.slots.get_mut(jail).crowded(group, now, offence)
                    {
                        self.widen(jail, prefix, &verdict, reason, now, effects);
                    }
                }
                Held::Offence(jail, offence, mut seen) => {
                    seen.now = now;
                    let allow = &self.slots.get(jail).settings.allow;
                    if !self.guard.protects(allow, seen.address) {
                        self.judge(jail, &offence, &mut seen, &Regard::Counts, effects);
                    }
                }
            }
        }
    }

    /// Lays the confirmed crawlers over the allow lists of the jails that ignore them.
    pub(super) fn lay_over_crawlers(&mut self) {
        for slot in self.slots.iter_mut().filter(|slot| !slot.settings.crawlers.is_empty()) {
            slot.settings.allow.lay_over(self.claims.confirmed(&slot.settings.crawlers));
        }
    }

    fn crawlers_changed(&mut self, whom: &[Prefix], now: Timestamp, effects: &mut Effects) {
        if whom.is_empty() {
            return;
        }
        self.lay_over_crawlers();
        self.apply_protection(now, effects);
        if whom.iter().any(|prefix| self.table.covering(*prefix).next().is_some()) {
            // Other holes are to be published.
            self.generation += 1;
        }
    }
}

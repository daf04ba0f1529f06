//! What is done about the offences of clients that say they are a crawler.
//!
//! A crawler that proved to be one is allowed in the jails that ignore it. Who only says so gets no pardon: when the time is
//! over the ban goes out, and an answer that comes later still ends it.

use jiff::Timestamp;

use super::claims::{Known, Waiting};
use super::seen::Seen;
use super::slots::Crowded;
use super::{Effects, Engine, Notice};
use crate::address::Prefix;
use crate::ban::{Ban, JailId};
use crate::jail::Counted;
use crate::terms::{Claim, Offence, Verification};

/// What is done about an offence.
pub(super) enum Regard {
    /// It counts, and what follows from it, too.
    Counts,
    /// It counts, and what follows from it waits.
    Waits(Claim),
    /// It does not count, or not yet.
    Passes,
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
                self.claims.hold(claim, Waiting::Offence(jail, offence.clone(), seen.kept_only()));
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
            Regard::Waits(claim) => self.claims.hold(*claim, Waiting::Verdict(jail, ban)),
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
                    self.claims.hold(*claim, Waiting::Crowd(jail, group, offence));
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
                let spared = held.iter().any(|held| matches!(held, Waiting::Verdict(..)));
                self.crawlers_changed(&[Prefix::host(claim.address)], now, &mut effects);
                if spared || effects.changes.len() > before {
                    effects.notices.push(Notice::CrawlerSpared { claim, by: by.clone() });
                }
            }
            Verification::Refuted => self.settle_held(held, now, &mut effects),
            Verification::Unknown => {
                let verdicts = held.into_iter().filter(|held| !matches!(held, Waiting::Offence(..)));
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

    fn settle_held(
        &mut self,
        held: impl IntoIterator<Item = Waiting>,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        for held in held {
            match held {
                Waiting::Verdict(jail, ban) => {
                    let allow = &self.slots.get(jail).settings.allow;
                    // It may have become allowed meanwhile.
                    if !self.guard.covers(allow, ban.prefix) {
                        self.decide(jail, ban, now, effects);
                    }
                }
                Waiting::Crowd(jail, group, offence) => {
                    for Crowded { prefix, verdict, reason } in
                        self.slots.get_mut(jail).crowded(group, now, offence)
                    {
                        self.widen(jail, prefix, &verdict, reason, now, effects);
                    }
                }
                Waiting::Offence(jail, offence, mut seen) => {
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

//! How rows of the ban table come and go; the only place that changes it.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Effects, Engine};
use crate::address::Prefix;
use crate::ban::{Ban, Change, Echo, Ended, Inserted, JailId, Origin, Row};
use crate::jail::EndedBan;
use crate::terms::Evidence;

impl Engine {
    /// Ends what is over at `now`, of bans at most a slice: what is left ends with the next calls.
    pub(super) fn expire(&mut self, now: Timestamp, effects: &mut Effects) {
        self.expire_some(now, self.slice, effects);
        self.expire_pauses(now, effects);
        self.expire_allowed(now, effects);
        self.expire_claims(now, effects);
    }

    /// Ends at most `limit` bans that are over at `now`, the longest over first.
    pub(super) fn expire_some(&mut self, now: Timestamp, limit: usize, effects: &mut Effects) {
        for _ in 0..limit {
            let Some((prefix, jail)) = self.table.first_over(now) else { return };
            self.end(prefix, jail, Ended::Expired, now, effects);
        }
    }

    /// Ends the bans around `prefix` that are over at `now`, whatever else is: nobody is judged by one of them, and no
    /// new ban meets one.
    pub(super) fn expire_around(&mut self, prefix: Prefix, now: Timestamp, effects: &mut Effects) {
        if !self.is_behind(now) {
            return;
        }
        let around = self.table.covering(prefix).filter(|row| row.ban.is_over(now));
        let mut over: Vec<_> = around.map(|row| (row.ban.until, row.ban.prefix, row.jail)).collect();
        over.sort_unstable();
        for (_, prefix, jail) in over {
            self.end(prefix, jail, Ended::Expired, now, effects);
        }
    }

    /// Puts a ban into force. Its lines go with the change; the table does not keep them, since a hundred thousand bans
    /// of twenty lines each would fill gigabytes. Says whether the ban is a new one.
    pub(super) fn enforce(&mut self, mut ban: Ban, jail: JailId, effects: &mut Effects) -> bool {
        let evidence = std::mem::take(&mut ban.evidence);
        let slot = self.slots.get(jail);
        let mut row = Row::new(ban, jail, self.next_generation());
        row.holed = self.guard.reaches_into(&slot.settings.allow, row.ban.prefix);
        let inserted = self.table.insert(row);
        let new = matches!(inserted, Inserted::New(_));
        match inserted {
            Inserted::New(ban) => {
                if !ban.simulated && self.is_published(jail) {
                    self.generation = self.next_generation();
                }
                self.slots.get_mut(jail).tally.bans += 1;
                effects.changes.push(Change::Banned(with(evidence, ban)));
            }
            Inserted::Prolonged(ban) => effects.changes.push(Change::Prolonged(with(evidence, ban))),
            Inserted::Unchanged => {}
        }
        new
    }

    /// Ends a ban, if there is one.
    pub(super) fn end(
        &mut self,
        prefix: Prefix,
        jail: JailId,
        why: Ended,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let Some(row) = self.table.remove(prefix, jail) else { return };
        // Who is allowed now was banned by mistake.
        if why != Ended::Allowed && counts_later(&row.ban) {
            let until = if why == Ended::Expired { row.ban.until.unwrap_or(now) } else { now };
            self.remember(&row.ban, jail, until);
        }
        let carried = !row.simulated && self.is_published(jail);
        if carried {
            self.generation = self.next_generation();
        }
        // Who is allowed now makes neither hits nor offences.
        if why != Ended::Allowed {
            let before = row.ban.until.filter(|_| why == Ended::Expired);
            let carried_until = carried.then_some(self.generation);
            let outputs = self.slots.get(jail).outputs.clone();
            let (simulated, value) = (row.simulated, row.value);
            let echo = Echo { jail, simulated, value, outputs, before, carried_until };
            self.note_end(prefix, echo, now);
        }
        effects.changes.push(Change::Ended(row.ban, why));
    }

    /// Remembers that this ban was and ended at `until`, for bans that grow with earlier ones.
    pub(super) fn remember(&mut self, ban: &Ban, jail: JailId, until: Timestamp) {
        let lasts = |row: &Row| counts_later(&row.ban) && !row.value.is_challenge();
        // A challenge makes those of its own jail longer, and no ban: it counts never for all jails together.
        let goes_on = ban.value.is_challenge() || self.table.at(ban.prefix).iter().any(lasts);
        let decay = self.slots.get(jail).decay();
        let (prefix, jail, since) = (ban.prefix, &ban.jail, ban.since);
        self.priors.add(&EndedBan { prefix, jail, since, until, decay, goes_on });
    }

    /// Remembers a ban that is over, where records may still be hits.
    pub(super) fn note_end(&mut self, prefix: Prefix, echo: Echo, now: Timestamp) {
        if echo.before.is_some() || echo.carried_until.is_some() {
            self.echoes.add(prefix, echo, now);
        }
    }

    /// Whether an output carries this jail's bans.
    fn is_published(&self, jail: JailId) -> bool {
        !self.slots.get(jail).outputs.common(self.outputs.live()).is_empty()
    }
}

/// Whether later bans grow with this one: not with one by hand, nor with one that was only shown.
pub(super) fn counts_later(ban: &Ban) -> bool {
    ban.origin == Origin::Log && !ban.simulated
}

fn with(evidence: Vec<Evidence>, ban: Arc<Ban>) -> Arc<Ban> {
    if evidence.is_empty() { ban } else { Arc::new(Ban { evidence, ..Ban::clone(&ban) }) }
}

//! Jails whose source is bans: who is banned again and again, by whichever jails.

use jiff::Timestamp;

use super::slots::Slot;
use super::{Effects, Engine};
use crate::address::Prefix;
use crate::ban::{Ban, JailId, Row};
use crate::jail::{Counted, Offender};
use crate::terms::{JailName, Measure, show_duration};

/// A ban by a jail's verdict, as these jails see it.
pub(super) struct Made {
    prefix: Prefix,
    jail: JailName,
    since: Timestamp,
    offences: u32,
}

impl Made {
    /// What such a jail counts: not what was only shown, nor a challenge.
    pub(super) fn by(ban: &Ban) -> Option<Self> {
        let Ban { prefix, jail, since, offences, .. } = ban;
        let counts = !ban.simulated && ban.value == Measure::Ban;
        counts.then(|| Self { prefix: *prefix, jail: jail.clone(), since: *since, offences: *offences })
    }

    fn text(&self) -> String {
        let (offences, plural) = (self.offences, if self.offences == 1 { "" } else { "s" });
        format!("{} banned by jail {} for {offences} offence{plural}", self.prefix, self.jail)
    }
}

impl Engine {
    /// Counts a new ban in the jails whose source is bans; their own bans count in none of them.
    pub(super) fn count_ban(&mut self, made: Option<Made>, now: Timestamp, effects: &mut Effects) {
        let Some(made) = made else { return };
        let counting = self.slots.of_bans();
        let own = self.slots.id(&made.jail).is_some_and(|id| self.slots.get(id).settings.of_bans);
        if counting.is_empty() || own {
            return;
        }
        let text = self.texts.keep(made.since, made.text().into());
        let counted = Counted { at: made.since, distinct: 0, weight: 1, text };
        for jail in counting {
            self.count_banned(jail, made.prefix, counted, now, effects);
        }
    }

    /// Counts the ban of a prefix, unless the jail allows that, or has banned it itself.
    fn count_banned(
        &mut self,
        jail: JailId,
        banned: Prefix,
        counted: Counted,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let slot = self.slots.get(jail);
        let prefix = self.counted_prefix(slot, banned);
        let own = |row: &Row| row.jail == jail && !row.ban.is_over(now);
        if self.guard.covers(&slot.settings.allow, banned) || self.table.covering(banned).any(own) {
            return;
        }
        let slot = self.slots.get_mut(jail);
        slot.tally.offences += 1;
        let verdict = slot.tracker.count(Offender { prefix, now }, counted);
        self.say_full(jail, now, effects);
        let Some(verdict) = verdict else { return };
        let slot = self.slots.get(jail);
        let within = show_duration(slot.settings.findtime);
        let (bans, plural) = (verdict.offences, if verdict.offences == 1 { "" } else { "s" });
        let reason = format!("{bans} ban{plural} by other jails within {within}");
        let until = self.verdict_ban(jail, prefix, &verdict, None).until;
        self.slots.get_mut(jail).tracker.consume(prefix, until);
        self.widen(jail, prefix, &verdict, reason, now, effects);
    }

    /// What is counted for a banned prefix: the jail's group around it; but the prefix itself where that is wider, or where
    /// somebody in the group is protected.
    fn counted_prefix(&self, slot: &Slot, banned: Prefix) -> Prefix {
        let group = Prefix::group(banned.first(), slot.settings.group);
        let whole = group.covers(banned) && !self.guard.reaches_into(&slot.settings.allow, group);
        if whole { group } else { banned }
    }
}

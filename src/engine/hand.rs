//! Orders of people: ban, unban. One that is refused changes nothing, not even what is over: its end would be told
//! to nobody.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Effects, Engine, Notice, Order, Refusal, Term};
use crate::address::{Address, Group, Prefix};
use crate::ban::{Ban, Ended, JailId, Origin, Row, ends_later};
use crate::terms::{JailName, Measure, OutputName};

/// The shortest prefixes that a ban may name, as the `geo` files of nginx are limited: wider ones are nearly always
/// a slip of the finger.
const FLOOR_V4: u8 = 8;
const FLOOR_V6: u8 = 19;

/// Wider than this only where people insist: a /16 is what one provider's customers share.
const WIDE_V4: u8 = 16;
const WIDE_V6: u8 = 32;

/// Who stays free inside a banned prefix, and by which rule.
pub(super) type Spared = (Prefix, String);

impl Engine {
    /// Bans by hand. Of a ban that exists the later end is kept; without a change the effects are empty. Protected
    /// addresses inside the prefix stay free.
    pub fn ban(&mut self, order: Order, now: Timestamp) -> Result<Effects, Refusal> {
        let (ban, jail) = self.ordered(order, now)?;
        let mut effects = Effects::default();
        self.expire(now, &mut effects);
        self.expire_around(ban.prefix, now, &mut effects);
        self.enforce(ban, jail, &mut effects);
        Ok(effects)
    }

    /// What [`Engine::ban`] would make of the order: the ban as it would be then, or `None` where there is one already
    /// that lasts as long.
    pub fn would_ban(&self, order: Order, now: Timestamp) -> Result<Option<Ban>, Refusal> {
        let (ban, jail) = self.ordered(order, now)?;
        Ok(self.change_of(ban, jail, now))
    }

    /// The ban as it would be once this one is put into force; `None` where there is one that lasts as long.
    pub(super) fn change_of(&self, ban: Ban, jail: JailId, now: Timestamp) -> Option<Ban> {
        let ours = |row: &&Row| row.jail == jail && !row.simulated && !row.ban.is_over(now);
        let Some(row) = self.table.at(ban.prefix).iter().find(ours) else { return Some(ban) };
        let longer = ends_later(row.ban.until, ban.until);
        longer.then(|| Ban {
            until: ban.until,
            reason: ban.reason.or_else(|| row.ban.reason.clone()),
            ..Ban::clone(&row.ban)
        })
    }

    /// Refuses an order that is seldom meant: one that bans the address which the operator is logged in from (`own`),
    /// or more addresses than people mean to. What else forbids it comes first.
    pub fn caution(&self, order: &Order, own: Option<Address>) -> Result<(), Refusal> {
        let jail = self.permitted(order)?;
        let (prefix, allow) = (order.prefix, &self.slots.get(jail).settings.allow);
        let is_hit = |own: &Address| prefix.contains(*own) && !self.guard.protects(allow, *own);
        match own.filter(is_hit) {
            Some(own) => Err(Refusal::OwnAddress { prefix, own }),
            None if is_wide(prefix) => Err(Refusal::Wide { prefix }),
            None => Ok(()),
        }
    }

    /// Who stays free inside a prefix that this jail bans.
    pub fn spared(&self, prefix: Prefix, jail: &JailName) -> Vec<Spared> {
        if prefix.is_host() {
            return Vec::new();
        }
        let slot = self.slots.id(jail).map(|id| self.slots.get(id));
        slot.map_or_else(Vec::new, |slot| self.guard.spared(&slot.settings.allow, prefix))
    }

    /// The outputs of a jail that cannot hold a prefix without those who stay free in it, and leave it out therefore.
    pub fn unable(&self, prefix: Prefix, jail: &JailName, spared: &[Spared]) -> Vec<OutputName> {
        let holes: Vec<Prefix> = spared.iter().map(|(hole, _)| *hole).collect();
        let slot = self.slots.id(jail).map(|id| self.slots.get(id)).filter(|_| !holes.is_empty());
        let outputs = slot.map(|slot| slot.outputs.common(self.outputs.live()));
        outputs.map_or_else(Vec::new, |outputs| {
            self.outputs.names(&self.outputs.unable(&outputs, prefix, &holes))
        })
    }

    /// The ban that an order means, if nothing forbids it.
    fn ordered(&self, order: Order, now: Timestamp) -> Result<(Ban, JailId), Refusal> {
        let jail = self.permitted(&order)?;
        let ban = Ban {
            prefix: order.prefix,
            jail: self.slots.get(jail).name().clone(),
            value: self.slots.get(jail).settings.value,
            since: now,
            until: self.until(jail, order.term, now)?,
            offences: 0,
            origin: Origin::Hand,
            reason: order.reason,
            simulated: false,
            evidence: Vec::new(),
        };
        Ok((ban, jail))
    }

    /// The jail of an order, if nothing forbids to carry it out.
    pub(super) fn permitted(&self, order: &Order) -> Result<JailId, Refusal> {
        let jail = self.known(order.jail.as_ref().unwrap_or(&JailName::manual()))?;
        let settings = &self.slots.get(jail).settings;
        if settings.simulate {
            return Err(Refusal::Simulates(settings.name.clone()));
        }
        let prefix = order.prefix;
        if is_wider(prefix, FLOOR_V4, FLOOR_V6) {
            return Err(Refusal::TooWide { prefix });
        }
        match self.guard.rule(&settings.allow, prefix) {
            Some(rule) => Err(Refusal::Protected { prefix, rule }),
            None => Ok(jail),
        }
    }

    fn until(&self, jail: JailId, term: Term, now: Timestamp) -> Result<Option<Timestamp>, Refusal> {
        match term {
            Term::Usual => Ok(self.slots.get(jail).settings.until(now)),
            Term::Forever => Ok(None),
            Term::For(time) if !time.is_positive() => Err(Refusal::NoTime(time)),
            Term::For(time) => Ok(Some(now.checked_add(time).unwrap_or(Timestamp::MAX))),
        }
    }

    /// A configured jail.
    pub(super) fn known(&self, jail: &JailName) -> Result<JailId, Refusal> {
        let unknown = || Refusal::UnknownJail { jail: jail.clone(), known: self.slots.names() };
        self.slots.configured(jail).ok_or_else(unknown)
    }

    /// Ends the bans of exactly this prefix, in one jail or all, and forgets its windows there.
    pub fn unban(
        &mut self,
        prefix: Prefix,
        jail: Option<&JailName>,
        now: Timestamp,
    ) -> Result<Effects, Refusal> {
        let effects = self.end_by_hand(prefix, jail, now)?;
        self.forget_windows(&[prefix], jail);
        Ok(effects)
    }

    /// The same for many: windows are passed over once, however many prefixes are ended.
    pub fn unban_each(
        &mut self,
        prefixes: &[Prefix],
        jail: Option<&JailName>,
        now: Timestamp,
    ) -> Vec<Result<Effects, Refusal>> {
        let done: Vec<_> = prefixes.iter().map(|prefix| self.end_by_hand(*prefix, jail, now)).collect();
        let ended = prefixes.iter().zip(&done).filter(|(_, done)| done.is_ok());
        let ended: Vec<Prefix> = ended.map(|(prefix, _)| *prefix).collect();
        self.forget_windows(&ended, jail);
        done
    }

    fn end_by_hand(
        &mut self,
        prefix: Prefix,
        jail: Option<&JailName>,
        now: Timestamp,
    ) -> Result<Effects, Refusal> {
        let ended: Vec<JailId> = self.rows_at(prefix, jail, now)?.iter().map(|row| row.jail).collect();
        let only = jail.map(|jail| self.existing(jail)).transpose()?;
        let mut effects = Effects::default();
        self.expire(now, &mut effects);
        for jail in ended {
            self.end(prefix, jail, Ended::Unbanned, now, &mut effects);
        }
        effects.notices.extend(self.still_banned(prefix, only, now));
        Ok(effects)
    }

    /// The bans that `unban` would end, or why it would not.
    pub fn would_unban(
        &self,
        prefix: Prefix,
        jail: Option<&JailName>,
        now: Timestamp,
    ) -> Result<Vec<Arc<Ban>>, Refusal> {
        Ok(self.rows_at(prefix, jail, now)?.iter().map(|row| Arc::clone(&row.ban)).collect())
    }

    /// The rows of exactly this prefix, in one jail or all; never none.
    fn rows_at(&self, prefix: Prefix, jail: Option<&JailName>, now: Timestamp) -> Result<Vec<&Row>, Refusal> {
        let only = jail.map(|jail| self.existing(jail)).transpose()?;
        let rows = self.table.at(prefix).iter().filter(|row| !row.ban.is_over(now));
        let meant: Vec<&Row> = rows.filter(|row| only.is_none_or(|only| only == row.jail)).collect();
        if meant.is_empty() { Err(self.not_banned(prefix, jail, only, now)) } else { Ok(meant) }
    }

    /// A jail that is configured, or has bans.
    pub(super) fn existing(&self, jail: &JailName) -> Result<JailId, Refusal> {
        let id = self.slots.id(jail).filter(|id| self.table.count_of(*id) > 0);
        id.map_or_else(|| self.known(jail), Ok)
    }

    fn not_banned(
        &self,
        prefix: Prefix,
        jail: Option<&JailName>,
        only: Option<JailId>,
        now: Timestamp,
    ) -> Refusal {
        let wider = self.table.covering(prefix).filter(|row| row.ban.prefix != prefix);
        let mut wider = wider.filter(|row| !row.ban.is_over(now));
        match wider.find(|row| only.is_none_or(|only| only == row.jail)) {
            Some(row) => Refusal::WithinPrefix { prefix, within: row.ban.prefix, jail: row.ban.jail.clone() },
            None => Refusal::NotBanned { prefix, jail: jail.cloned() },
        }
    }

    fn still_banned(&self, prefix: Prefix, only: Option<JailId>, now: Timestamp) -> Option<Notice> {
        let mut wider = self
            .table
            .covering(prefix)
            .filter(|row| row.force() == Some(Measure::Ban) && !row.ban.is_over(now));
        let row = wider.find(|row| only.is_none_or(|only| only == row.jail))?;
        Some(Notice::StillBanned { prefix, by: row.ban.prefix, jail: row.ban.jail.clone() })
    }

    fn forget_windows(&mut self, prefixes: &[Prefix], only: Option<&JailName>) {
        // Of a jail without a number nothing is held.
        match only.map(|only| self.slots.id(only)) {
            None => self.forget_held(Some(prefixes), None),
            Some(Some(jail)) => self.forget_held(Some(prefixes), Some(jail)),
            Some(None) => {}
        }
        let meant = self.slots.iter_mut().filter(|slot| only.is_none_or(|only| only == slot.name()));
        meant.for_each(|slot| slot.forget(prefixes));
    }

    /// Forgets how often these prefixes, what lies inside them and the groups they belong to were banned, in one jail or
    /// all; returns those of whom that was known.
    pub fn forget_earlier(&mut self, prefixes: &[Prefix], jail: Option<&JailName>) -> Vec<Prefix> {
        let mut groups: Vec<Group> = self.slots.iter().map(|(_, slot)| slot.settings.group).collect();
        groups.dedup();
        let mut meant = prefixes.to_vec();
        for prefix in prefixes {
            let around = groups.iter().map(|group| Prefix::group(prefix.first(), *group));
            meant.extend(around.filter(|group| group.covers(*prefix)));
        }
        meant.sort_unstable();
        meant.dedup();
        self.priors.forget(&meant, jail)
    }

    /// Forgets how often everybody was banned, in one jail or all; returns of how many prefixes that was known.
    pub fn forget_all_earlier(&mut self, jail: Option<&JailName>) -> usize {
        self.priors.forget_all(jail)
    }

    /// Ends every ban, or those of one jail, or those that began at `since` or later, and forgets the windows of these
    /// prefixes; with neither, all windows.
    pub fn unban_all(
        &mut self,
        jail: Option<&JailName>,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Effects, Refusal> {
        let only = jail.map(|jail| self.existing(jail)).transpose()?;
        let mut effects = Effects::default();
        self.expire(now, &mut effects);
        let meant = |id| only.is_none_or(|only| only == id);
        let young = |ban: &Ban| !ban.is_over(now) && since.is_none_or(|since| ban.since >= since);
        let rows = self.table.rows().filter(|row| meant(row.jail) && young(&row.ban));
        let mut ended: Vec<(Prefix, JailId)> = rows.map(|row| (row.ban.prefix, row.jail)).collect();
        ended.sort_unstable();
        for (prefix, jail) in ended {
            self.end(prefix, jail, Ended::Unbanned, now, &mut effects);
            self.slots.get_mut(jail).forget_banned(prefix);
        }
        if since.is_none() {
            self.forget_held(None, only);
        }
        if only.is_none() && since.is_none() {
            self.slots.iter_mut().for_each(super::slots::Slot::forget_all);
        }
        Ok(effects)
    }
}

/// Whether a ban of it would be more than people mean to without insisting.
pub(super) fn is_wide(prefix: Prefix) -> bool {
    is_wider(prefix, WIDE_V4, WIDE_V6)
}

fn is_wider(prefix: Prefix, v4: u8, v6: u8) -> bool {
    prefix.length() < if prefix.is_ipv4() { v4 } else { v6 }
}

//! Orders of people: ban, unban. One that is refused changes nothing, not even what is over: its end would be told
//! to nobody.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Effects, Engine, Notice, Order, Refusal, Term};
use crate::address::Prefix;
use crate::ban::{Ban, Ended, JailId, Origin, Row};
use crate::terms::{JailName, Measure};

/// The shortest prefixes that a ban may name, as the `geo` files of nginx are limited: wider ones are nearly always
/// a slip of the finger.
const FLOOR_V4: u8 = 8;
const FLOOR_V6: u8 = 19;

impl Engine {
    /// Bans by hand. Of a ban that exists the later end is kept; without a change the effects are empty. Protected
    /// addresses inside the prefix stay free.
    pub fn ban(&mut self, order: Order, now: Timestamp) -> Result<Effects, Refusal> {
        let jail = self.permitted(&order)?;
        let until = self.until(jail, order.term, now)?;
        let mut effects = Effects::default();
        self.expire(now, &mut effects);
        self.expire_around(order.prefix, now, &mut effects);
        let ban = Ban {
            prefix: order.prefix,
            jail: self.slots.get(jail).name().clone(),
            value: self.slots.get(jail).settings.value,
            since: now,
            until,
            offences: 0,
            origin: Origin::Hand,
            reason: order.reason,
            simulated: false,
            evidence: Vec::new(),
        };
        self.enforce(ban, jail, &mut effects);
        Ok(effects)
    }

    /// The jail of an order, if nothing forbids to carry it out.
    fn permitted(&self, order: &Order) -> Result<JailId, Refusal> {
        let jail = self.known(order.jail.as_ref().unwrap_or(&JailName::manual()))?;
        let settings = &self.slots.get(jail).settings;
        if settings.simulate {
            return Err(Refusal::Simulates(settings.name.clone()));
        }
        let prefix = order.prefix;
        if prefix.length() < if prefix.is_ipv4() { FLOOR_V4 } else { FLOOR_V6 } {
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
        let ended: Vec<JailId> = self.rows_at(prefix, jail, now)?.iter().map(|row| row.jail).collect();
        let only = jail.map(|jail| self.existing(jail)).transpose()?;
        let mut effects = Effects::default();
        self.expire(now, &mut effects);
        for jail in ended {
            self.end(prefix, jail, Ended::Unbanned, now, &mut effects);
        }
        self.forget_windows(prefix, only);
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

    fn forget_windows(&mut self, prefix: Prefix, only: Option<JailId>) {
        let only = only.map(|only| self.slots.get(only).name().clone());
        for slot in self.slots.iter_mut() {
            if only.as_ref().is_none_or(|only| only == slot.name()) {
                slot.forget(prefix);
            }
        }
    }

    /// Forgets how often `prefix`, what lies inside it and the groups it belongs to were banned, in one jail or all;
    /// returns of how many that was known.
    pub fn forget_earlier(&mut self, prefix: Prefix, jail: Option<&JailName>) -> usize {
        let around = self.slots.iter().map(|(_, slot)| Prefix::group(prefix.first(), slot.settings.group));
        let mut meant: Vec<Prefix> = around.filter(|group| group.covers(prefix)).collect();
        meant.push(prefix);
        meant.sort_unstable();
        meant.dedup();
        meant.into_iter().map(|prefix| self.priors.forget(prefix, jail)).sum()
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
        if only.is_none() && since.is_none() {
            self.slots.iter_mut().for_each(super::slots::Slot::forget_all);
        }
        Ok(effects)
    }
}

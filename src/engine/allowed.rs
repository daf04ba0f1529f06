//! The allow list by hand: entries that hold for all jails, until they are removed or their time is over.

use jiff::Timestamp;

use super::{Effects, Engine, Notice, Refusal};
use crate::address::Prefix;
use crate::ban::JailId;
use crate::jail;
use crate::terms::{Allowance, JailName};

/// What was not done of an order, and why.
type Refused = Vec<(Prefix, Refusal)>;

/// The widest entries. Unique local IPv6 addresses are a /7.
const FLOOR_V4: u8 = 8;
const FLOOR_V6: u8 = 7;

impl Engine {
    /// So many entries are kept; every change costs as much as all of them.
    pub const MAX_ALLOWED: usize = 10_000;

    /// Allows by hand; an entry takes the place of an earlier one of the same prefix. Whom this allows is unbanned, and a
    /// wider ban goes on without them. What is refused is told with its reason, the rest is done.
    pub fn allow(&mut self, entries: Vec<Allowance>, now: Timestamp) -> (Effects, Refused) {
        let (mut effects, mut refused, mut added) = (Effects::default(), Vec::new(), Vec::new());
        self.expire(now, &mut effects);
        for entry in entries {
            match self.allowable(entry.prefix) {
                Ok(()) => {
                    added.push(entry.prefix);
                    self.allowed.insert(entry.prefix, entry);
                }
                Err(refusal) => refused.push((entry.prefix, refusal)),
            }
        }
        for prefix in &added {
            self.expire_around(*prefix, now, &mut effects);
        }
        self.allowed_changed(&added, now, &mut effects);
        for prefix in added {
            self.tell_split(prefix, &mut effects);
        }
        (effects, refused)
    }

    /// Takes entries off the list. Bans that they ended do not come back; a wider ban holds its members again.
    pub fn disallow(&mut self, prefixes: &[Prefix], now: Timestamp) -> (Effects, Refused) {
        let (mut effects, mut refused, mut removed) = (Effects::default(), Vec::new(), Vec::new());
        self.expire(now, &mut effects);
        for prefix in prefixes {
            if self.allowed.remove(prefix).is_some() {
                removed.push(*prefix);
            } else {
                let (prefix, rule) = (*prefix, self.rule(*prefix));
                refused.push((prefix, Refusal::NotAllowed { prefix, rule }));
            }
        }
        self.allowed_changed(&removed, now, &mut effects);
        for prefix in removed {
            effects.notices.extend(self.after_removal(prefix, now));
        }
        (effects, refused)
    }

    /// The entries, by address.
    pub fn allowed(&self) -> impl Iterator<Item = &Allowance> {
        self.allowed.values()
    }

    fn allowable(&self, prefix: Prefix) -> Result<(), Refusal> {
        let limit = Self::MAX_ALLOWED;
        if prefix.length() < if prefix.is_ipv4() { FLOOR_V4 } else { FLOOR_V6 } {
            return Err(Refusal::TooMuchAllowed { prefix });
        }
        if self.allowed.len() >= limit && !self.allowed.contains_key(&prefix) {
            return Err(Refusal::AllowedFull { prefix, limit });
        }
        Ok(())
    }

    /// Ends what is over at `now`.
    pub(super) fn expire_allowed(&mut self, now: Timestamp, effects: &mut Effects) {
        if self.guard.next_end().is_none_or(|end| end > now) {
            return;
        }
        let is_over = |entry: &Allowance| entry.until.is_some_and(|until| until <= now);
        let over: Vec<Allowance> =
            self.allowed.extract_if(.., |_, entry| is_over(entry)).map(|(_, e)| e).collect();
        let prefixes: Vec<Prefix> = over.iter().map(|entry| entry.prefix).collect();
        self.allowed_changed(&prefixes, now, effects);
        effects.notices.extend(over.into_iter().map(Notice::AllowanceOver));
    }

    /// Has everything go by the list as it is now; these entries came or went.
    fn allowed_changed(&mut self, prefixes: &[Prefix], now: Timestamp, effects: &mut Effects) {
        if prefixes.is_empty() {
            return;
        }
        self.guard.allow(self.allowed.values());
        self.apply_protection(now, effects);
        if prefixes.iter().any(|prefix| self.table.covering(*prefix).next().is_some()) {
            // Other holes are to be published.
            self.generation += 1;
        }
    }

    /// Tells of the bans that go on around somebody who is allowed now, and of the outputs that cannot hold them so.
    fn tell_split(&self, prefix: Prefix, effects: &mut Effects) {
        for row in self.table.covering(prefix).filter(|row| !row.simulated) {
            let (within, slot) = (row.ban.prefix, self.slots.get(row.jail));
            let holes: Vec<Prefix> = self.guard.inside(&slot.settings.allow, within).collect();
            let left_out = self.outputs.names(&self.outputs.unable(&slot.outputs, within, &holes));
            effects.notices.push(Notice::Split { prefix, within, jail: row.ban.jail.clone(), left_out });
        }
    }

    /// What holds for somebody who was taken off the list.
    fn after_removal(&self, prefix: Prefix, now: Timestamp) -> Option<Notice> {
        if let Some(rule) = self.rule(prefix) {
            return Some(Notice::StillProtected { prefix, rule });
        }
        let mut around = self.table.covering(prefix).filter(|row| !row.simulated && !row.ban.is_over(now));
        let row = around.next()?;
        Some(Notice::BannedWithin { prefix, within: row.ban.prefix, jail: row.ban.jail.clone() })
    }

    /// The rule that protects a prefix from all jails.
    fn rule(&self, prefix: Prefix) -> Option<String> {
        let manual = self.slots.id(&JailName::manual());
        let allow = manual.map(|id: JailId| &self.slots.get(id).settings);
        allow.and_then(|settings: &jail::Settings| self.guard.rule(&settings.allow, prefix))
    }
}

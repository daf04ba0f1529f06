//! A hard cap on the bans of a jail: of addresses that an attacker has without end, not each gets a row.
//!
//! No ban is given up for a new one: then a flood would free whom it likes. Nobody new is banned instead, and this is said.

use jiff::Timestamp;

use super::effects::may_say_again;
use super::{Effects, Engine, Notice};
use crate::address::Prefix;
use crate::ban::JailId;

impl Engine {
    /// Whether a jail has as many bans as it may, so that this one cannot be added. Counts it.
    pub(super) fn is_full(
        &mut self,
        jail: JailId,
        prefix: Prefix,
        now: Timestamp,
        effects: &mut Effects,
    ) -> bool {
        let limit = self.slots.get(jail).settings.max_bans;
        let has_room = self.table.count_of(jail) < limit;
        if has_room || self.table.at(prefix).iter().any(|row| row.jail == jail) {
            return false;
        }
        let slot = self.slots.get_mut(jail);
        slot.refused += 1;
        if may_say_again(slot.said_refused, now) {
            slot.said_refused = Some(now);
            effects.notices.push(Notice::Full { jail: slot.name().clone(), limit });
        }
        true
    }
}

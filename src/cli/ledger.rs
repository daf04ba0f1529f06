//! What a rehearsal found: by jail, by address, ban by ban, and what protection kept from being banned.
//!
//! Only what is shown is kept of each ban; of addresses with offences at most `TRAILS`. Where there were more, counts of
//! addresses say "at least".

use std::num::NonZeroU32;
use std::sync::Arc;

use hashbrown::HashMap;
use jiff::{SignedDuration, Timestamp};

use super::spared::Sparing;
use crate::address::{Address, Group, Prefix};
use crate::ban::Ban;
use crate::engine::Spared;
use crate::jail;
use crate::terms::{JailName, Offence};

/// So many addresses with offences are told apart, over all jails: some 15 MB.
const TRAILS: usize = 1 << 18;

/// What is told and kept while logs are rehearsed.
pub(super) struct Ledger {
    jails: Vec<JailTotals>,
    /// By jail (its place in `jails`) and counted prefix.
    trails: HashMap<(u32, Prefix), Trail>,
    /// How often each prefix was banned.
    banned: HashMap<Prefix, u64>,
    /// The bans that are kept, in the order in which they were found.
    pub(super) bans: Vec<Row>,
    /// So many of them are.
    most: usize,
    /// Offences of who is protected.
    pub(super) sparing: Sparing,
}

/// What one jail came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct JailTotals {
    pub(super) jail: JailName,
    group: Group,
    /// Records that its filter matched.
    pub(super) offences: u64,
    /// Those of them that came from an address while this jail banned it.
    pub(super) while_banned: u64,
    /// Different addresses (as they are counted) with offences.
    pub(super) addresses: u64,
    /// There were more of them.
    pub(super) more: bool,
    pub(super) bans: u64,
    /// Of the first and the last offence.
    pub(super) span: Option<(Timestamp, Timestamp)>,
    /// The longest ban that ends.
    pub(super) longest: Option<SignedDuration>,
    /// There was one that does not.
    pub(super) forever: bool,
}

/// One address in one jail. Small, since each offence looks for its own among very many: times are in milliseconds.
struct Trail {
    /// The first of its offences since the log's beginning, or since its last ban ended; `NEVER` while there is none.
    first: i64,
    /// When its last ban ends; `NEVER` before the first one, the greatest number where it has no end.
    until: i64,
    /// The row of that ban, where it is kept.
    row: Option<NonZeroU32>,
}

/// Before all times.
const NEVER: i64 = i64::MIN;

/// A ban of the timeline.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) ban: Arc<Ban>,
    /// Its address's first offence in this jail since the log's beginning, or since the ban before it ended; not known of
    /// prefixes that were banned as a whole.
    pub(super) first: Option<Timestamp>,
    /// The last offence before the ban ended.
    pub(super) last: Timestamp,
}

/// A prefix with banned addresses inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Neighbourhood {
    pub(super) prefix: Prefix,
    /// Different addresses (or narrower prefixes) that were banned.
    pub(super) addresses: u64,
    pub(super) bans: u64,
    /// It was banned as a whole as well.
    pub(super) whole: bool,
}

impl Ledger {
    /// An empty one for these jails; it keeps at most `most` bans.
    pub(super) fn new(jails: &[jail::Settings], most: usize) -> Self {
        Self {
            jails: jails.iter().map(JailTotals::new).collect(),
            trails: HashMap::new(),
            banned: HashMap::new(),
            bans: Vec::new(),
            most,
            sparing: Sparing::new(jails),
        }
    }

    /// A filter matched a record.
    pub(super) fn offence(&mut self, offence: &Offence, address: Address, at: Timestamp) {
        let Some(jail) = self.place(&offence.jail) else { return };
        let Some(totals) = self.jails.get_mut(jail) else { return };
        totals.offend(at);
        let key = (jail as u32, Prefix::group(address, totals.group));
        if self.trails.len() >= TRAILS && !self.trails.contains_key(&key) {
            totals.more = true;
            return;
        }
        let trail = self.trails.entry(key).or_insert_with(|| {
            totals.addresses += 1;
            Trail { first: NEVER, until: NEVER, row: None }
        });
        let time = at.as_millisecond();
        if time >= trail.until {
            if trail.first == NEVER {
                trail.first = time;
            }
            return;
        }
        totals.while_banned += 1;
        if let Some(row) = trail.row.and_then(|row| self.bans.get_mut(row.get() as usize - 1)) {
            row.last = row.last.max(at);
        }
    }

    /// Protection kept an offence from being counted.
    pub(super) fn spared(&mut self, spared: &Spared, now: Timestamp) {
        self.sparing.add(spared, now);
    }

    /// Somebody was banned. Returns their first offence.
    pub(super) fn banned(&mut self, ban: &Arc<Ban>) -> Option<Timestamp> {
        *self.banned.entry(ban.prefix).or_default() += 1;
        let is_kept = self.bans.len() < self.most;
        // The row behind the last one, counted from 1.
        let row = u32::try_from(self.bans.len() + 1).ok().and_then(NonZeroU32::new).filter(|_| is_kept);
        let mut first = None;
        if let Some(jail) = self.place(&ban.jail) {
            if let Some(totals) = self.jails.get_mut(jail) {
                totals.ban(ban);
            }
            if let Some(trail) = self.trail_of(jail, ban.prefix) {
                (trail.until, trail.row) = (end(ban), row);
                let began = std::mem::replace(&mut trail.first, NEVER);
                first = Timestamp::from_millisecond(began).ok();
            }
        }
        if is_kept {
            self.bans.push(Row { ban: Arc::clone(ban), first, last: ban.since });
        }
        first
    }

    /// A ban lasts longer than it was told to.
    pub(super) fn prolonged(&mut self, ban: &Ban) {
        let trail = self.place(&ban.jail).and_then(|jail| self.trail_of(jail, ban.prefix));
        if let Some(trail) = trail {
            trail.until = end(ban);
        }
    }

    /// An address may be banned alone though it is counted with its group.
    fn trail_of(&mut self, jail: usize, prefix: Prefix) -> Option<&mut Trail> {
        let group = Prefix::group(prefix.first(), self.jails.get(jail)?.group);
        if group.covers(prefix) { self.trails.get_mut(&(jail as u32, group)) } else { None }
    }

    /// There are few jails.
    fn place(&self, jail: &JailName) -> Option<usize> {
        self.jails.iter().position(|totals| totals.jail == *jail)
    }

    /// The jails that saw an offence, in the order of the configuration.
    pub(super) fn jails(&self) -> impl Iterator<Item = &JailTotals> {
        self.jails.iter().filter(|totals| totals.offences + totals.bans > 0)
    }

    /// How many different prefixes were banned.
    pub(super) fn addresses(&self) -> u64 {
        self.banned.len() as u64
    }

    /// The IPv4 /24 and IPv6 /48 in which several were banned, most of them first.
    pub(super) fn neighbourhoods(&self) -> Vec<Neighbourhood> {
        let mut around: HashMap<Prefix, Neighbourhood> = HashMap::new();
        for (prefix, bans) in &self.banned {
            let wide = neighbourhood(*prefix);
            let whole = prefix.length() <= wide.length();
            let new = || Neighbourhood { prefix: wide, addresses: 0, bans: 0, whole: self.is_whole(wide) };
            let found = around.entry(wide).or_insert_with(new);
            found.bans += bans;
            found.addresses += u64::from(!whole);
        }
        let mut several: Vec<Neighbourhood> =
            around.into_values().filter(|found| found.addresses > 1).collect();
        several.sort_unstable_by_key(|found| {
            (std::cmp::Reverse(found.addresses), std::cmp::Reverse(found.bans), found.prefix)
        });
        several
    }

    /// Whether all of a prefix was banned at one time.
    fn is_whole(&self, prefix: Prefix) -> bool {
        (0..=prefix.length()).any(|length| self.banned.contains_key(&prefix.widened(length)))
    }
}

/// The prefix that one network usually has: what `widen` bans where it is told to, or by default.
fn neighbourhood(prefix: Prefix) -> Prefix {
    prefix.widened(if prefix.is_ipv4() { 24 } else { 48 })
}

impl Neighbourhood {
    /// So many clients are usually a network's own doing: `widen`'s own figure for IPv6, the one that README proposes for
    /// IPv4. They came at any time of the log; a rule of `widen` also asks for them within a while.
    pub(super) fn may_be_widened(&self) -> bool {
        !self.whole && self.addresses >= if self.prefix.is_ipv4() { 5 } else { 8 }
    }
}

/// When a ban ends, in milliseconds.
fn end(ban: &Ban) -> i64 {
    ban.until.map_or(i64::MAX, Timestamp::as_millisecond)
}

impl JailTotals {
    fn new(settings: &jail::Settings) -> Self {
        Self {
            jail: settings.name.clone(),
            group: settings.group,
            offences: 0,
            while_banned: 0,
            addresses: 0,
            more: false,
            bans: 0,
            span: None,
            longest: None,
            forever: false,
        }
    }

    fn offend(&mut self, at: Timestamp) {
        self.offences += 1;
        let (first, last) = self.span.unwrap_or((at, at));
        self.span = Some((first.min(at), last.max(at)));
    }

    fn ban(&mut self, ban: &Ban) {
        self.bans += 1;
        let length = ban.until.map(|until| until.duration_since(ban.since));
        self.longest = self.longest.max(length);
        self.forever |= length.is_none();
    }
}

#[cfg(test)]
mod tests;

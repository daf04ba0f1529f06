//! What protection kept from being banned: for each entry and jail the offences, and the bans that they would have been.
//!
//! Would-be bans are judged by the jail's own thresholds, each jail alone, and last as long as a first ban.

use std::sync::Arc;

use hashbrown::HashMap;
use jiff::Timestamp;

use crate::address::Prefix;
use crate::engine::Spared;
use crate::jail::{self, Counted, Offender, TextId, Tracker};
use crate::terms::JailName;

/// Counts what was spared.
pub(super) struct Sparing {
    jails: Vec<Shadow>,
    /// By entry, where it is written, and jail.
    counts: HashMap<(Prefix, Arc<str>, usize), Tally>,
}

/// A jail as it would be without protection.
struct Shadow {
    settings: jail::Settings,
    tracker: Tracker,
    /// Who would be banned, and until when.
    banned: HashMap<Prefix, Option<Timestamp>>,
}

#[derive(Clone, Copy, Default)]
struct Tally {
    offences: u64,
    bans: u64,
}

/// What one entry kept from one jail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SparedRow<'a> {
    /// The entry's prefix.
    pub(super) entry: Prefix,
    /// Where it is written, or what it stands for.
    pub(super) origin: &'a str,
    pub(super) jail: &'a JailName,
    pub(super) offences: u64,
    pub(super) bans: u64,
}

impl Sparing {
    pub(super) fn new(jails: &[jail::Settings]) -> Self {
        Self { jails: jails.iter().map(Shadow::new).collect(), counts: HashMap::new() }
    }

    /// An offence was not counted.
    pub(super) fn add(&mut self, spared: &Spared, now: Timestamp) {
        let Some(jail) = self.jails.iter().position(|shadow| shadow.settings.name == spared.offence.jail)
        else {
            return;
        };
        let would_ban = self.jails.get_mut(jail).is_some_and(|shadow| shadow.would_ban(spared, now));
        let entry = (spared.by.prefix, Arc::clone(&spared.by.origin), jail);
        let tally = self.counts.entry(entry).or_default();
        tally.offences += 1;
        tally.bans += u64::from(would_ban);
    }

    /// What was spared, most bans first.
    pub(super) fn rows(&self) -> Vec<SparedRow<'_>> {
        let named = self.counts.iter().filter_map(|(key, tally)| Some((key, self.jails.get(key.2)?, tally)));
        let mut rows: Vec<SparedRow<'_>> = named
            .map(|((entry, origin, _), shadow, Tally { offences, bans })| SparedRow {
                entry: *entry,
                origin,
                jail: &shadow.settings.name,
                offences: *offences,
                bans: *bans,
            })
            .collect();
        rows.sort_unstable_by(|a, b| {
            (b.bans, b.offences, a.entry, a.jail, a.origin)
                .cmp(&(a.bans, a.offences, b.entry, b.jail, b.origin))
        });
        rows
    }
}

impl Shadow {
    fn new(settings: &jail::Settings) -> Self {
        Self { tracker: Tracker::new(settings), settings: settings.clone(), banned: HashMap::new() }
    }

    /// Whether the offence would have been the one that bans.
    fn would_ban(&mut self, spared: &Spared, now: Timestamp) -> bool {
        let Spared { offence, address, at, .. } = spared;
        let prefix = Prefix::group(*address, self.settings.group);
        if self.banned.get(&prefix).is_some_and(|until| until.is_none_or(|until| *at < until)) {
            return false;
        }
        let distinct = offence.distinct.filter(|_| self.settings.distinct).unwrap_or(0);
        let counted = Counted { at: *at, distinct, weight: offence.weight, text: TextId::NONE };
        let Some(verdict) = self.tracker.count(Offender { prefix, now }, counted) else { return false };
        let until = self.settings.verdict_until(verdict.since, 0, 0.0);
        self.tracker.consume(prefix, until);
        self.banned.insert(prefix, until);
        true
    }
}

//! The jails' counters over restarts: what earlier runs counted, and what this one has.

use std::collections::BTreeMap;

use crate::engine::{Engine, Tally};
use crate::store::JailTotals;
use crate::terms::JailName;

/// Counters of earlier runs, and what was last stored.
pub(super) struct Totals {
    before: BTreeMap<JailName, Tally>,
    stored: BTreeMap<JailName, Tally>,
}

impl Totals {
    pub(super) fn new(kept: Vec<JailTotals>) -> Self {
        let tally = |kept: &JailTotals| Tally {
            offences: kept.offences,
            hits: kept.hits,
            bans: kept.bans,
            passed: 0,
        };
        let before = kept.into_iter().map(|kept| (kept.jail.clone(), tally(&kept))).collect();
        Self { before, stored: BTreeMap::new() }
    }

    /// What was ever counted in a jail, where this run counted `now`.
    pub(super) fn ever(&self, jail: &JailName, now: Tally) -> Tally {
        let before = self.before.get(jail).copied().unwrap_or_default();
        Tally {
            offences: before.offences + now.offences,
            hits: before.hits + now.hits,
            bans: before.bans + now.bans,
            passed: now.passed,
        }
    }

    /// Those that grew since this was last asked.
    pub(super) fn changed(&mut self, engine: &Engine) -> Vec<JailTotals> {
        let mut changed = Vec::new();
        for (jail, now) in engine.tallies() {
            let ever = self.ever(jail, now);
            if self.stored.get(jail) != Some(&ever) && ever != Tally::default() {
                self.stored.insert(jail.clone(), ever);
                let Tally { offences, hits, bans, .. } = ever;
                changed.push(JailTotals { jail: jail.clone(), offences, hits, bans });
            }
        }
        changed
    }
}

//! Hit or offence: how the address of a record stood in the ban table before that record.

use jiff::Timestamp;
use smallvec::SmallVec;

use super::effects::may_say_again;
use super::outputs::GRACE;
use super::{Effects, Engine, Notice};
use crate::address::{Address, Prefix};
use crate::ban::{Ban, Change, Inserted, JailId, Origin, OutputSet, Row};
use crate::terms::{Measure, Observation};

/// How many hits of a ban pass a gate before it is said.
const PASSED: u32 = 3;

/// How many different sets of outputs are remembered for which that was said.
const SAID: usize = 64;

/// The bans on an address: those in the table, and those that are over and still make hits.
#[derive(Default)]
pub(super) struct Standing {
    /// Where bans in force are.
    outputs: OutputSet,
    /// Where bans or challenges in force are.
    marked: OutputSet,
    /// Whose bans are in force.
    in_force: SmallVec<[JailId; 2]>,
    /// Whose challenges are in force: these clients are not refused.
    challenged: SmallVec<[JailId; 2]>,
    /// Jails that simulate, and would have banned.
    simulated: SmallVec<[JailId; 2]>,
    /// The bans in force that are in the table.
    rows: SmallVec<[(Prefix, JailId); 2]>,
}

impl Standing {
    fn add(&mut self, jail: JailId, outputs: &OutputSet, value: Measure) {
        self.marked.add(outputs);
        let jails = match value {
            Measure::Ban => {
                self.outputs.add(outputs);
                &mut self.in_force
            }
            Measure::Challenge => &mut self.challenged,
        };
        if !jails.contains(&jail) {
            jails.push(jail);
        }
    }

    fn add_simulated(&mut self, jail: JailId) {
        if !self.simulated.contains(&jail) {
            self.simulated.push(jail);
        }
    }

    fn is_free(&self) -> bool {
        self.in_force.is_empty() && self.challenged.is_empty() && self.simulated.is_empty()
    }
}

impl Engine {
    /// How the observed address stands now; `None` if it is not banned.
    pub(super) fn standing(&self, observation: &Observation, now: Timestamp) -> Option<Standing> {
        let mut standing = Standing::default();
        for row in self.table.around(observation.address) {
            if !self.is_banned_member(row.jail, row.ban.prefix, observation.address) {
                continue;
            }
            if row.simulated {
                self.add_simulated(&mut standing, row.jail);
            } else {
                standing.add(row.jail, &self.slots.get(row.jail).outputs, row.value);
                if row.value == Measure::Ban {
                    standing.rows.push((row.ban.prefix, row.jail));
                }
            }
        }
        if !self.echoes.is_empty() {
            self.add_echoes(&mut standing, observation, now);
        }
        (!standing.is_free()).then_some(standing)
    }

    /// A jail that no longer simulates begins anew: what it would have banned makes no hits.
    fn add_simulated(&self, standing: &mut Standing, jail: JailId) {
        if self.slots.get(jail).settings.simulate {
            standing.add_simulated(jail);
        }
    }

    fn add_echoes(&self, standing: &mut Standing, observation: &Observation, now: Timestamp) {
        for echo in self.echoes.around(observation.address) {
            let counts = echo.before.is_some_and(|before| observation.at < before)
                || self.outputs.still_carry(echo, now);
            // Unlike a row, an echo is not ended where its address is protected meanwhile.
            let allow = &self.slots.get(echo.jail).settings.allow;
            if !counts || self.guard.protects(allow, observation.address) {
                continue;
            }
            if echo.simulated {
                self.add_simulated(standing, echo.jail);
            } else {
                standing.add(echo.jail, &echo.outputs, echo.value);
            }
        }
    }

    /// Whether a ban of `prefix` holds for `address` inside it; not if the address is protected (for one address alone
    /// the ban would have ended).
    pub(super) fn is_banned_member(&self, jail: JailId, prefix: Prefix, address: Address) -> bool {
        prefix.is_host() || !self.guard.protects(&self.slots.get(jail).settings.allow, address)
    }

    /// Whether the record is a hit for `jail`: the gates that the jail would tell have been told already. That a client is
    /// challenged tells only jails that challenge: to those that ban, what it does is an offence.
    pub(super) fn is_hit(&self, standing: &Standing, jail: JailId, refused: bool) -> bool {
        let slot = self.slots.get(jail);
        let challenges = slot.settings.value.is_challenge();
        let told = if slot.outputs.is_empty() {
            standing.in_force.contains(&jail) || (challenges && standing.challenged.contains(&jail))
        } else {
            let told = if challenges { &standing.marked } else { &standing.outputs };
            told.covers(&slot.outputs)
        };
        let any = !(standing.in_force.is_empty() && standing.challenged.is_empty());
        told || standing.simulated.contains(&jail) || (refused && any)
    }

    /// Counts the record for the jails whose bans its address has, and whether the gate let it pass.
    pub(super) fn count_hits(
        &mut self,
        observation: &Observation,
        standing: &Standing,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let Standing { in_force, challenged, simulated, .. } = standing;
        let challenged = challenged.iter().filter(|jail| !in_force.contains(jail));
        let simulated = simulated.iter();
        let simulated =
            simulated.filter(|jail| !in_force.contains(jail) && !standing.challenged.contains(jail));
        for jail in in_force.iter().chain(challenged).chain(simulated) {
            self.slots.get_mut(*jail).tally.hits += 1;
        }
        if observation.refused {
            return;
        }
        for (prefix, jail) in &standing.rows {
            if self.has_passed(observation, *prefix, *jail) {
                self.count_passed(*prefix, *jail, now, effects);
            }
        }
    }

    /// Prolongs the bans of jails that say so: the record is a hit of theirs. Bans by hand end when they were told to.
    pub(super) fn extend(&mut self, address: Address, hit: Timestamp, effects: &mut Effects) {
        let longer = |row: &Row| {
            let settings = &self.slots.get(row.jail).settings;
            let ours = row.ban.origin == Origin::Log && row.simulated == settings.simulate;
            let until = row.ban.until.filter(|_| ours && settings.extend)?;
            let until = settings.extended(row.ban.since, until, hit)?;
            let member = self.is_banned_member(row.jail, row.ban.prefix, address);
            member.then(|| (Ban { until: Some(until), ..Ban::clone(&row.ban) }, row.jail))
        };
        let longer: SmallVec<[(Ban, JailId); 1]> = self.table.around(address).filter_map(longer).collect();
        for (ban, jail) in longer {
            if let Inserted::Prolonged(ban) = self.table.insert(Row::new(ban, jail, self.generation)) {
                effects.changes.push(Change::Extended(ban));
            }
        }
    }

    /// Whether a gate that has this ban let the record pass: it was logged after the ban took hold, and its log belongs
    /// to a gate that the ban's outputs serve.
    fn has_passed(&self, observation: &Observation, prefix: Prefix, jail: JailId) -> bool {
        let outputs = &self.slots.get(jail).outputs;
        let Some(logged) = observation.logged else { return false };
        if outputs.common(self.outputs.live()).is_empty() || !self.serves_gate_of(outputs, observation) {
            return false;
        }
        let row = self.table.at(prefix).iter().find(|row| row.jail == jail);
        let settled = row.and_then(|row| self.outputs.settled_at(outputs, row.generation));
        settled.is_some_and(|settled| logged.duration_since(settled) > GRACE)
    }

    /// Outputs serve the gate of a log if they are all there are, or if a jail that reads this log has no others.
    fn serves_gate_of(&self, outputs: &OutputSet, observation: &Observation) -> bool {
        let reads = |jail| {
            let own = &self.slots.get(jail).outputs;
            !own.is_empty() && outputs.covers(own)
        };
        let mut jails =
            observation.offences.iter().filter_map(|offence| self.slots.configured(&offence.jail));
        outputs.covers(self.outputs.live()) || jails.any(reads)
    }

    fn count_passed(&mut self, prefix: Prefix, jail: JailId, now: Timestamp, effects: &mut Effects) {
        self.slots.get_mut(jail).tally.passed += 1;
        let Some(row) = self.table.row_mut(prefix, jail) else { return };
        row.passed = row.passed.saturating_add(1);
        let passed = row.passed;
        let outputs = self.slots.get(jail).outputs.common(self.outputs.live());
        if passed >= PASSED && self.may_say_ineffective(&outputs, now) {
            let jail = self.slots.get(jail).name().clone();
            let outputs = self.outputs.names(&outputs);
            effects.notices.push(Notice::NoEffect { prefix, jail, outputs, passed });
        }
    }

    fn may_say_ineffective(&mut self, outputs: &OutputSet, now: Timestamp) -> bool {
        let said = self.ineffective.iter().position(|(set, _)| set == outputs);
        let last = said.and_then(|at| self.ineffective.get(at)).map(|(_, last)| *last);
        if !may_say_again(last, now) {
            return false;
        }
        said.map(|at| self.ineffective.remove(at));
        self.ineffective.push_back((outputs.clone(), now));
        if self.ineffective.len() > SAID {
            self.ineffective.pop_front();
        }
        true
    }
}

//! Jails and ban table behind one door: records go in, changes of the table come out.
//!
//! Pure: no clock, no I/O, no lock. `now` is an argument, and what is to be done is returned as [`Effects`]. `run`,
//! `replay` and `test` drive the same engine. One owner calls it; each call that changes something first ends
//! some of what is over at `now`: never more than a slice, so that none takes long.

mod allowed;
mod changes;
mod claims;
mod effects;
mod full;
mod guard;
mod hand;
mod held;
mod hits;
mod inherit;
mod observe;
mod outputs;
mod pauses;
mod questions;
mod recidive;
mod regard;
mod seen;
mod settings;
mod slots;
mod snapshot;
mod storm;

use std::collections::{BTreeMap, VecDeque};

use hashbrown::HashMap;
use jiff::Timestamp;

pub use effects::{Effects, Notice, Order, Refusal, Spared, Term};
pub use inherit::Inherited;
pub use questions::{Cap, Counts, Earlier, Near, Why};
pub use settings::{Holds, Protection, Restored, Settings};
pub use slots::Tally;
pub use storm::Pace;

use crate::address::Prefix;
use crate::ban::{Echoes, Ended, HeldEntry, Origin, OutputSet, Row, Table};
use crate::jail::{Priors, Texts};
use crate::terms::{Allowance, ClientSample, Pause, PriorEntry, SourceName, TrackerEntry};
use claims::Claims;
use guard::Guard;
use held::Held;
use outputs::Outputs;
use slots::Slots;

/// The jails, who is banned, and who must never be.
pub struct Engine {
    slots: Slots,
    outputs: Outputs,
    guard: Guard,
    /// Clients that say they are a crawler.
    claims: Claims,
    table: Table,
    echoes: Echoes,
    /// Earlier bans, for those that grow with them.
    priors: Priors,
    seed: u64,
    texts: Texts,
    pauses: Vec<Pause>,
    /// Who is allowed by hand.
    allowed: BTreeMap<Prefix, Allowance>,
    held: Held,
    /// How the records are read that come next.
    pace: Pace,
    /// The clients of each source, as they were last told.
    clients: HashMap<SourceName, ClientSample>,
    generation: u64,
    /// The generation that all changes of a step have, while one is taken.
    step: Option<u64>,
    /// So many bans end in one call.
    slice: usize,
    /// For which outputs, and when, it was last said that a ban has no effect; bounded by the sets of outputs.
    ineffective: VecDeque<(OutputSet, Timestamp)>,
}

impl Engine {
    /// So many bans end in one call: some milliseconds of work.
    const SLICE: usize = 1024;

    /// An engine that goes on from what the store kept. The effects are those bans that ended meanwhile, or whose
    /// address is allowed now.
    pub fn new(settings: Settings, restored: Restored, now: Timestamp) -> (Self, Effects) {
        let mut engine = Self {
            slots: Slots::new(&settings.manual),
            outputs: Outputs::default(),
            guard: Guard::new(&settings.protected),
            claims: Claims::new(settings.verifies),
            table: Table::default(),
            echoes: Echoes::default(),
            priors: Priors::default(),
            seed: settings.seed,
            texts: Texts::default(),
            pauses: restored.pauses,
            allowed: restored.allowed.into_iter().map(|entry| (entry.prefix, entry)).collect(),
            held: Held::default(),
            pace: Pace::default(),
            clients: HashMap::new(),
            generation: restored.generation + 1,
            step: None,
            slice: Self::SLICE,
            ineffective: VecDeque::new(),
        };
        engine.outputs.configure(&settings.outputs, &settings.picky);
        engine.slots.configure(settings.jails, &settings.manual, &mut engine.outputs);
        for ban in restored.bans {
            let jail = engine.slots.id_or_add(&ban.jail, &engine.outputs);
            engine.table.insert(Row::new(ban, jail, engine.generation));
        }
        engine.priors.restore(&restored.priors);
        engine.restore_trackers(&restored.trackers, now);
        engine.guard.allow(engine.allowed.values());
        engine.restore_held(restored.held, now);
        let mut effects = Effects::default();
        engine.apply_simulation(now, &mut effects);
        engine.apply_protection(now, &mut effects);
        engine.expire(now, &mut effects);
        while engine.is_behind(now) {
            engine.expire(now, &mut effects);
        }
        (engine, effects)
    }

    fn restore_trackers(&mut self, trackers: &[TrackerEntry], now: Timestamp) {
        for entry in trackers {
            if !self.slots.find_mut(&entry.jail).is_some_and(|slot| slot.restore(entry, now)) {
                self.slots.let_go(entry);
            }
        }
    }

    /// Goes on under other settings. Windows and bans stay. What is allowed or trusted now is unbanned; bans of a jail
    /// that is gone run out in its outputs; a new bantime holds for new bans.
    pub fn reconfigure(&mut self, settings: Settings, now: Timestamp) -> Effects {
        let mut effects = Effects::default();
        self.expire(now, &mut effects);
        self.guard = Guard::new(&settings.protected);
        self.guard.allow(self.allowed.values());
        self.seed = settings.seed;
        self.outputs.configure(&settings.outputs, &settings.picky);
        self.slots.configure(settings.jails, &settings.manual, &mut self.outputs);
        self.lay_over_crawlers();
        // Which bans an output carries, and the holes in them, may be others now.
        self.generation += 1;
        self.apply_simulation(now, &mut effects);
        self.apply_protection(now, &mut effects);
        effects
    }

    /// Ends what a jail decided while it simulated and it no longer does, or the other way round: none of its old verdicts
    /// holds, and its windows go on. What was banned by hand in its name stays.
    fn apply_simulation(&mut self, now: Timestamp, effects: &mut Effects) {
        let is_other = |row: &&Row| {
            let slot = self.slots.get(row.jail);
            slot.configured && row.ban.origin == Origin::Log && row.simulated != slot.settings.simulate
        };
        let others = self.table.rows().filter(is_other);
        let mut ended: Vec<_> = others.map(|row| (row.ban.until, row.ban.prefix, row.jail)).collect();
        ended.sort_unstable();
        for (until, prefix, jail) in ended {
            let over = until.is_some_and(|until| until <= now);
            self.end(prefix, jail, if over { Ended::Expired } else { Ended::Simulation }, now, effects);
        }
    }

    /// Ends the bans of those who are protected now, and notes which prefixes have protected members.
    fn apply_protection(&mut self, now: Timestamp, effects: &mut Effects) {
        let mut ended = Vec::new();
        for row in self.table.rows_mut() {
            let allow = &self.slots.get(row.jail).settings.allow;
            if self.guard.covers(allow, row.ban.prefix) {
                let why = if row.ban.is_over(now) { Ended::Expired } else { Ended::Allowed };
                ended.push((row.ban.until, row.ban.prefix, row.jail, why));
            }
            row.holed = self.guard.reaches_into(allow, row.ban.prefix);
        }
        ended.sort_unstable_by_key(|(until, prefix, jail, _)| (*until, *prefix, *jail));
        for (_, prefix, jail, why) in ended {
            self.end(prefix, jail, why, now, effects);
        }
        self.forget_pointless();
    }

    /// Ends what is over at `now`, and forgets some of what is no longer needed. Of many bans that are over a part ends:
    /// while [`Engine::is_behind`], call again.
    pub fn tick(&mut self, now: Timestamp, effects: &mut Effects) {
        /// Addresses of a jail that are forgotten at once: some 100 µs.
        const SWEEP: usize = 1024;
        self.expire(now, effects);
        self.tick_storms(now, effects);
        self.slots.iter_mut().for_each(|slot| slot.sweep(now, SWEEP));
        let outputs = &self.outputs;
        self.echoes.purge(now, |echo| outputs.still_carry(echo, now));
        self.priors.sweep(now, self.slots.longest_decay(), SWEEP);
    }

    /// Whether bans are over that have not been ended.
    pub fn is_behind(&self, now: Timestamp) -> bool {
        self.table.first_over(now).is_some()
    }

    /// When [`Engine::tick`] has something to end.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        let pauses = self.pauses.iter().filter_map(|pause| pause.until);
        let allowed = self.guard.next_end().into_iter().chain(self.claims.next_end());
        pauses.chain(allowed).chain(self.table.next_end()).chain(self.held.next_end()).min()
    }

    /// The generation of the next change of what outputs carry.
    fn next_generation(&self) -> u64 {
        self.step.unwrap_or(self.generation + 1)
    }

    /// Has several changes made as one: they have one generation, which no output can publish in part.
    pub fn in_one_step<T>(&mut self, changes: impl FnOnce(&mut Self) -> T) -> T {
        self.step = Some(self.next_generation());
        let made = changes(self);
        self.step = None;
        made
    }

    /// Grows with every change of what outputs carry.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The output reached the best state it can at this generation.
    pub fn settled(&mut self, output: &crate::terms::OutputName, generation: u64, now: Timestamp) {
        self.outputs.settle(output, generation, now);
    }

    /// The windows that changed since this was last asked, for the store. Without marks: no longer tracked.
    pub fn take_changed_trackers(&mut self) -> Vec<TrackerEntry> {
        self.slots.take_changed()
    }

    /// The held verdicts that changed since this was last asked, for the store.
    pub fn take_changed_held(&mut self) -> Vec<HeldEntry> {
        self.held.take_changed()
    }

    /// The earlier bans that changed since this was last asked, for the store. Without bans: no longer remembered.
    pub fn take_changed_priors(&mut self) -> Vec<PriorEntry> {
        self.priors.take_changed()
    }
}

#[cfg(test)]
mod tests;

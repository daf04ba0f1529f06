//! A crash at any step: an engine that goes on from what was stored last, and reads again what came since, bans the same.
//!
//! What a store holds is of one moment: bans, windows, earlier bans, and where reading stood. Lines since then are read a
//! second time, a third time where the next crash comes before the next store, and all of them later than they were
//! logged. `BANMAP_SEED=N` replays one seed.

use std::collections::BTreeMap;

use super::simulation::{LATE, Random, all_jails, clients, seeds};
use super::*;
use crate::terms::{PriorEntry, Tracked, TrackerEntry};

/// A store takes what is new at least so often.
const STORED_EACH: i64 = 2;

/// What survives a crash.
#[derive(Default)]
struct Disk {
    at: i64,
    bans: Vec<Ban>,
    generation: u64,
    windows: BTreeMap<(JailName, Prefix, Tracked), TrackerEntry>,
    priors: BTreeMap<(Prefix, Option<JailName>), PriorEntry>,
}

impl Disk {
    /// One transaction.
    fn store(&mut self, engine: &mut Engine, now: i64) {
        for entry in engine.take_changed_trackers() {
            let key = (entry.jail.clone(), entry.prefix, entry.what);
            if entry.marks.is_empty() {
                self.windows.remove(&key);
            } else {
                self.windows.insert(key, entry);
            }
        }
        for entry in engine.take_changed_priors() {
            let key = (entry.prefix, entry.jail.clone());
            if entry.bans == 0 {
                self.priors.remove(&key);
            } else {
                self.priors.insert(key, entry);
            }
        }
        self.bans = engine.bans().map(|ban| Ban::clone(ban)).collect();
        (self.generation, self.at) = (engine.generation(), now);
    }

    fn restored(&self) -> Restored {
        Restored {
            generation: self.generation,
            bans: self.bans.clone(),
            trackers: self.windows.values().cloned().collect(),
            priors: self.priors.values().cloned().collect(),
            pauses: Vec::new(),
            allowed: Vec::new(),
            held: Vec::new(),
        }
    }
}

/// An engine, what is stored of it, and what was read since.
struct Run {
    random: Random,
    engine: Engine,
    disk: Disk,
    since: Vec<Observation>,
    /// Bans that have ended, and when.
    ended: Vec<(Prefix, i64)>,
    now: i64,
    /// Lines that were read a second time, and bans that were told a second time.
    read_again: usize,
    told_again: usize,
}

fn world() -> Settings {
    settings(all_jails(), &["web", "other"])
}

/// The rows, without the lines that led to them: these are stored with a ban, and in memory only until then.
fn rows(engine: &Engine) -> Vec<Ban> {
    let mut rows: Vec<Ban> =
        engine.bans().map(|ban| Ban { evidence: Vec::new(), ..Ban::clone(ban) }).collect();
    rows.sort_by(|a, b| (a.prefix, &a.jail).cmp(&(b.prefix, &b.jail)));
    rows
}

fn settle(engine: &mut Engine, now: i64) -> Effects {
    let mut effects = Effects::default();
    engine.tick(at(now), &mut effects);
    let generation = engine.generation();
    for name in ["web", "other"] {
        engine.settled(&output(name), generation, at(now));
    }
    effects
}

impl Run {
    fn new(seed: u64) -> Self {
        let (engine, _) = Engine::new(world(), Restored::default(), at(0));
        Self {
            random: Random(seed),
            engine,
            disk: Disk::default(),
            since: Vec::new(),
            ended: Vec::new(),
            now: 0,
            read_again: 0,
            told_again: 0,
        }
    }

    /// What a ban still was to a gate when it ended is not stored: a start would count a request as an offence that is a hit
    /// to who remembers. So such clients make none for a while.
    fn note_ended(&mut self, effects: &Effects) {
        let ended =
            effects.changes.iter().filter(|change| matches!(change, Change::Ended(..) | Change::Past(_)));
        self.ended.extend(ended.map(|change| (change.ban().prefix, self.now)));
    }

    fn read(&mut self) {
        let names: Vec<JailName> = all_jails().into_iter().map(|jail| jail.name).collect();
        let client = *self.random.pick(&clients());
        if self.ended.iter().any(|(prefix, _)| prefix.contains(client)) {
            return;
        }
        let jails: Vec<JailName> = names.into_iter().filter(|_| self.random.one_in(3)).collect();
        let distinct = self.random.below(4) as u64;
        let late = if self.random.one_in(4) { self.random.below(LATE as usize) as i64 } else { 0 };
        let offence = |jail| Offence { jail, distinct: Some(distinct), weight: 1, network: None };
        let observation = Observation {
            offences: jails.into_iter().map(offence).collect(),
            ..record(&client.to_string(), self.now - late, &[])
        };
        let mut effects = Effects::default();
        self.engine.observe(observation.clone(), at(self.now), &mut effects);
        self.note_ended(&effects);
        self.since.push(observation);
    }

    fn step(&mut self) {
        let pause = if self.random.one_in(60) { 200 } else { self.random.below(2) as i64 };
        if self.now + pause - self.disk.at >= STORED_EACH {
            self.disk.store(&mut self.engine, self.now);
            self.since.clear();
        }
        self.now += pause;
        let effects = settle(&mut self.engine, self.now);
        self.note_ended(&effects);
        self.ended.retain(|(_, ended)| self.now - ended <= LATE + 4);
        self.read();
        self.crash();
    }

    /// A start right now: what is stored, and what came since, all of it read now.
    fn recovered(&self) -> (Engine, Effects) {
        let (mut engine, mut effects) = Engine::new(world(), self.disk.restored(), at(self.now));
        for name in ["web", "other"] {
            engine.settled(&output(name), engine.generation(), at(self.now));
        }
        for observation in &self.since {
            engine.observe(observation.clone(), at(self.now), &mut effects);
        }
        (engine, effects)
    }

    /// Both ban the same, and what the second tells again of bans that were told before changes nothing; the run goes on
    /// with either.
    fn crash(&mut self) {
        let (mut again, told_again) = self.recovered();
        settle(&mut self.engine, self.now);
        settle(&mut again, self.now);
        let rows = rows(&self.engine);
        assert_eq!(self::rows(&again), rows);
        for name in ["web", "other"].map(output) {
            let (one, other) = (again.snapshot(&name), self.engine.snapshot(&name));
            assert_eq!((&one.prefixes, &one.holes), (&other.prefixes, &other.holes), "{name}");
        }
        let mut table: BTreeMap<(Prefix, JailName), Ban> =
            rows.iter().map(|ban| ((ban.prefix, ban.jail.clone()), ban.clone())).collect();
        for change in &told_again.changes {
            let ban = Ban { evidence: Vec::new(), ..Ban::clone(change.ban()) };
            let key = (ban.prefix, ban.jail.clone());
            match change {
                Change::Banned(_) | Change::Extended(_) | Change::Prolonged(_) => {
                    self.told_again += 1;
                    table.insert(key, ban);
                }
                Change::Ended(..) => drop(table.remove(&key)),
                Change::Past(_) | Change::Withheld(_) | Change::Held(_) => {}
            }
        }
        assert!(table.into_values().eq(rows), "{told_again:?}");
        self.read_again += self.since.len();
        if self.random.one_in(3) {
            self.engine = again;
        }
    }
}

#[test]
fn a_crash_at_any_step_leads_to_the_same_table() {
    let (seeds, mut read_again, mut told_again) = (seeds(), 0, 0);
    for seed in &seeds {
        let mut run = Run::new(*seed);
        for step in 0..600 {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run.step()));
            assert!(outcome.is_ok(), "BANMAP_SEED={seed}, step {step}, second {}", run.now);
        }
        read_again += run.read_again;
        told_again += run.told_again;
    }
    assert!(read_again > 600 * seeds.len() && told_again > 40 * seeds.len(), "{read_again} {told_again}");
}

//! Thousands of random steps, and after each the engine must agree with the naive model.
//!
//! `BANMAP_SEED=N` replays one seed.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Model, Row};
use super::*;
use crate::jail::{Escalation, Growth, Jitter, Rate, Scope, Widen};
use crate::terms::{Allowance, Mark, Pause, PriorEntry, Tracked, TrackerEntry};

/// `SplitMix64` (Steele, Lea, Flood 2014).
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub(super) fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    pub(super) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// The latest that a record is logged; no jail's findtime is shorter, so that windows are exact.
pub(super) const LATE: i64 = 20;

/// Seconds after which a ban no longer counts.
const DECAY: i64 = 400;
/// That of jails that say nothing.
const LONGEST_DECAY: i64 = 30 * 86_400;

const PREFIXES: [&str; 12] = [
    "203.0.113.1",
    "203.0.113.2",
    "203.0.113.6",
    "203.0.113.4/30",
    "203.0.113.0/28",
    "203.0.113.0/24",
    "10.10.1.25",
    "10.10.1.24/30",
    "2001:db8:0:1::/64",
    "2001:db8::/48",
    "2001:db8:0:1::1",
    "198.51.100.0/24",
];

/// Everybody who ever makes a request.
pub(super) fn clients() -> Vec<Address> {
    let v4 = (0..12).map(|last| format!("203.0.113.{last}"));
    let v6 = (0..9).map(|n| format!("2001:db8:0:{}::{}", n / 3, n % 3 + 1));
    let others = ["10.10.1.25", "10.10.1.26", "127.0.0.1", "192.0.2.80", "198.51.100.1"].map(str::to_owned);
    v4.chain(v6).chain(others).map(|text| address(&text)).collect()
}

fn growing(factor: f64, scope: Scope) -> Escalation {
    let growth = Growth::Factor { factor, max: Some(SignedDuration::from_secs(900)) };
    Escalation { growth, decay: Some(SignedDuration::from_secs(DECAY)), scope }
}

fn widen(distinct: u32, v4: u8, v6: u8) -> Widen {
    Widen { distinct, v4: Some(v4), v6: Some(v6), within: SignedDuration::from_secs(25) }
}

pub(super) fn all_jails() -> Vec<jail::Settings> {
    let seconds = |seconds| Some(SignedDuration::from_secs(seconds));
    let findtime = SignedDuration::from_secs;
    let (web, both) = (vec![output("web")], vec![output("web"), output("other")]);
    vec![
        jail::Settings {
            bantime: seconds(120),
            escalation: Some(growing(3.0, Scope::Jail)),
            ..jail("plain")
        },
        jail::Settings {
            group: Group { v4: 30, v6: 48 },
            maxretry: 4,
            findtime: findtime(30),
            bantime: seconds(15),
            escalation: Some(growing(1.5, Scope::All)),
            extend: true,
            jitter: Some(Jitter::Share(0.5)),
            outputs: both.clone(),
            ..jail("group")
        },
        jail::Settings {
            distinct: true,
            bantime: seconds(500),
            widen: vec![widen(3, 28, 56), widen(4, 24, 48)],
            outputs: vec![output("other")],
            ..jail("distinct")
        },
        jail::Settings {
            simulate: true,
            maxretry: 2,
            widen: vec![widen(2, 31, 63)],
            extend: true,
            findtime: findtime(20),
            outputs: web,
            ..jail("simulated")
        },
        jail::Settings { maxretry: 1, bantime: seconds(10), outputs: Vec::new(), ..jail("silent") },
        jail::Settings {
            rate: Some(Rate { requests: 3, per: findtime(25), burst: 4 }),
            bantime: seconds(40),
            ..jail("rate")
        },
        jail::Settings {
            of_bans: true,
            maxretry: 2,
            findtime: findtime(200),
            bantime: seconds(150),
            group: Group { v4: 31, v6: 64 },
            outputs: both.clone(),
            ..jail("again")
        },
        jail::Settings { maxretry: 7, findtime: findtime(90), bantime: None, outputs: both, ..jail("slow") },
    ]
}

fn random_settings(random: &mut Random) -> Settings {
    let mut some = |chances: usize| -> Allowlist {
        let picked: Vec<&str> = PREFIXES.into_iter().filter(|_| random.one_in(chances)).collect();
        allow(&picked)
    };
    let (trusted, global) = (some(20), some(20));
    let union = |own: Allowlist| own.entries().iter().chain(global.entries()).cloned().collect::<Allowlist>();
    let mut jails = all_jails();
    for jail in &mut jails {
        jail.allow = union(some(16));
    }
    jails.retain(|_| !random.one_in(6));
    for jail in jails.iter_mut().filter(|jail| ["simulated", "plain"].contains(&jail.name.as_str())) {
        jail.simulate = if random.one_in(3) { !jail.simulate } else { jail.simulate };
    }
    for jail in jails.iter_mut().filter(|jail| ["group", "plain", "silent"].contains(&jail.name.as_str())) {
        jail.value = if random.one_in(2) { Measure::Challenge } else { Measure::Ban };
    }
    let mut settings = settings(jails, &["web", "other"]);
    settings.manual.allow = global;
    settings.protected.trusted =
        trusted.entries().iter().chain(allow(&["10.10.1.25"]).entries()).cloned().collect();
    let crowds = clients().into_iter().filter(|_| random.one_in(40));
    settings.protected.crowds = crowds.map(|client| ("site".parse().unwrap(), client)).collect();
    settings
}

struct Simulation {
    random: Random,
    engine: Engine,
    model: Model,
    /// What is configured; the model is told of who is allowed by hand as if that were, too.
    configured: Settings,
    now: i64,
    clients: Vec<Address>,
    generations: Vec<u64>,
    /// So many bans end in one call.
    slice: usize,
    /// What a store holds: windows, and the table as its changes made it.
    windows: BTreeMap<(JailName, Prefix, Tracked), Vec<Mark>>,
    priors: BTreeMap<(Prefix, Option<JailName>), PriorEntry>,
    table: BTreeMap<(Prefix, JailName), Ban>,
    /// The kinds of changes that occurred.
    seen: BTreeSet<String>,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let settings = settings(all_jails(), &["web", "other"]);
        let (mut engine, _) = Engine::new(settings.clone(), Restored::default(), at(0));
        let slice = if seed.is_multiple_of(2) { 1 } else { Engine::SLICE };
        engine.slice = slice;
        Self {
            slice,
            random: Random(seed),
            generations: vec![engine.generation()],
            engine,
            model: Model::new(settings.clone()),
            configured: settings,
            now: 0,
            clients: clients(),
            windows: BTreeMap::new(),
            priors: BTreeMap::new(),
            table: BTreeMap::new(),
            seen: BTreeSet::new(),
        }
    }

    fn step(&mut self) {
        self.now += match self.random.below(100) {
            0 => 700,
            1..=4 => 60,
            5..=40 => 0,
            _ => self.random.below(4) as i64,
        };
        match self.random.below(200) {
            0..=159 => self.observe(),
            160..=164 => self.tick(),
            165 => self.allow(),
            166..=171 => self.ban(),
            172..=178 => self.unban(),
            179 => self.unban_all(),
            180..=182 => self.pause(),
            183..=193 => self.settle(),
            194..=195 => self.store(),
            196 => self.forget(),
            197..=198 => self.reconfigure(),
            _ => self.restart(),
        }
        self.check();
    }

    /// The engine's changes must be the model's; the store follows them.
    fn agree(&mut self, effects: &Effects) {
        let changes: Vec<String> = effects.changes.iter().map(told_change).collect();
        let (expired, mut others): (Vec<&String>, Vec<&String>) =
            changes.iter().partition(|told| told.starts_with("expired"));
        for told in expired {
            self.model.has_expired(told);
        }
        others.sort();
        assert_eq!(others, self.model.told(self.engine.generation()).iter().collect::<Vec<_>>());
        assert!(self.model.late.is_empty() || self.engine.is_behind(at(self.now)));
        self.seen.extend(changes.iter().filter_map(|told| Some(told.split(' ').next()?.to_owned())));
        for change in &effects.changes {
            let ban = change.ban();
            if ban.reason.as_deref().is_some_and(|reason| reason.contains("of it")) {
                self.seen.insert("widened".to_owned());
            }
            if matches!(change, Change::Banned(_)) && !ban.simulated {
                self.seen.extend(ban.value.is_challenge().then(|| "challenged".to_owned()));
                self.seen.extend((ban.jail.as_str() == "again").then(|| "again".to_owned()));
            }
            let key = (ban.prefix, ban.jail.clone());
            assert!(ban.evidence.len() <= jail::Verdict::TEXTS);
            let row = Ban { evidence: Vec::new(), ..Ban::clone(ban) };
            match change {
                Change::Banned(_) => drop(self.table.insert(key, row)),
                Change::Prolonged(_) | Change::Extended(_) => assert!(self.table.insert(key, row).is_some()),
                Change::Ended(..) => assert!(self.table.remove(&key).is_some(), "{key:?} was no ban"),
                Change::Withheld(_) | Change::Held(_) | Change::Past(_) => {}
            }
        }
    }

    fn observe(&mut self) {
        let late = if self.random.one_in(4) { self.random.below(LATE as usize + 1) as i64 } else { 0 };
        let of_logs = all_jails().into_iter().filter(|jail| !jail.of_bans);
        let names: Vec<JailName> = of_logs.map(|jail| jail.name).collect();
        let number = self.random.below(4);
        let offences = (0..number).map(|_| Offence {
            jail: self.random.pick(&names).clone(),
            distinct: Some(self.random.below(4) as u64),
            weight: if self.random.one_in(3) { 1 + self.random.below(3) as u8 } else { 1 },
            network: self.random.one_in(8).then(|| 8 + self.random.below(25) as u8),
        });
        let mut offences: Vec<Offence> = offences.collect();
        offences.dedup_by(|a, b| a.jail == b.jail);
        let observation = Observation {
            claims: None,
            offences: offences.into_iter().collect(),
            refused: self.random.one_in(4),
            at: at(self.now - late),
            ..record(&self.random.pick(&self.clients).to_string(), self.now - late, &[])
        };
        self.model.observe(&observation, self.now);
        let mut effects = Effects::default();
        self.engine.observe(observation, at(self.now), &mut effects);
        self.agree(&effects);
    }

    fn tick(&mut self) {
        let mut effects = Effects::default();
        self.engine.tick(at(self.now), &mut effects);
        self.model.expire(self.now);
        let over = self.model.late.len();
        self.agree(&effects);
        assert_eq!(
            self.model.late.len(),
            over.saturating_sub(self.engine.slice),
            "as many as a call may end"
        );
    }

    fn ban(&mut self) {
        let jail = ["manual", "plain", "group", "simulated"].map(jail_name);
        let jail = self.random.pick(&jail).clone();
        let term = match self.random.below(10) {
            0 => Term::Forever,
            1..=5 => Term::For(SignedDuration::from_secs(self.random.below(300) as i64 + 1)),
            _ => Term::Usual,
        };
        let prefix = prefix(PREFIXES[self.random.below(PREFIXES.len())]);
        self.tick();
        let settings = &self.model.jails[&jail];
        let refused =
            !self.model.is_configured(&jail) || settings.simulate || self.model.is_protected(&jail, prefix);
        let until = match term {
            Term::Forever => None,
            Term::For(time) => Some(self.now + time.as_secs()),
            Term::Usual => settings.bantime.map(|bantime| self.now + bantime.as_secs()),
        };
        if !refused {
            let (jail, value) = (jail.clone(), settings.value);
            let row = Row { prefix, jail, value, since: self.now, until, simulated: false, by_log: false };
            self.model.enforce(row);
        }
        let order = Order { prefix, jail: Some(jail), term, reason: None };
        let effects = self.engine.ban(order, at(self.now));
        assert_eq!(effects.is_err(), refused, "{effects:?}");
        self.agree(&effects.unwrap_or_default());
    }

    fn unban(&mut self) {
        self.tick();
        let row = self.model.rows.get(self.random.below(20)).cloned();
        let prefix =
            row.as_ref().map_or(prefix(PREFIXES[self.random.below(PREFIXES.len())]), |row| row.prefix);
        let jail = row.map(|row| row.jail).filter(|_| self.random.one_in(2));
        let fits = |row: &Row| row.prefix == prefix && jail.as_ref().is_none_or(|jail| row.jail == *jail);
        let ended = self.model.end_where("unbanned", self.now, fits);
        if !ended.is_empty() {
            self.model.forget_windows(prefix, jail.as_ref());
        }
        let effects = self.engine.unban(prefix, jail.as_ref(), at(self.now));
        assert_eq!(effects.is_err(), ended.is_empty(), "{effects:?}");
        self.agree(&effects.unwrap_or_default());
    }

    fn unban_all(&mut self) {
        self.tick();
        let since = self.random.one_in(2).then_some(self.now - 50);
        let jail = self.model.rows.first().map(|row| row.jail.clone()).filter(|_| self.random.one_in(2));
        let meant = |row: &Row| jail.as_ref().is_none_or(|jail| row.jail == *jail);
        let ended = self.model.end_where("unbanned", self.now, |row| {
            meant(row) && since.is_none_or(|since| row.since >= since)
        });
        for row in ended {
            self.model.forget_banned(&row.jail, row.prefix);
        }
        if jail.is_none() && since.is_none() {
            self.model.forget_all_windows();
        }
        let effects = self.engine.unban_all(jail.as_ref(), since.map(at), at(self.now)).unwrap();
        self.agree(&effects);
    }

    fn pause(&mut self) {
        if self.random.one_in(2) {
            self.model.pauses.clear();
            drop(self.engine.resume(None));
            return;
        }
        let jail = self.random.one_in(2).then(|| jail_name("manual"));
        let until = Some(at(self.now + self.random.below(30) as i64 + 1));
        self.engine.pause(jail.clone(), until).unwrap();
        self.model.pauses.retain(|pause| pause.jail != jail);
        self.model.pauses.push(Pause { jail, until });
    }

    fn settle(&mut self) {
        let name = *self.random.pick(&["web", "other"]);
        let recent = self.generations.len().saturating_sub(self.random.below(3) + 1);
        let generation = self.generations[recent];
        self.engine.settled(&output(name), generation, at(self.now));
        self.model.settled(&output(name), generation, self.now);
    }

    fn forget(&mut self) {
        self.catch_up();
        let prefix = prefix(PREFIXES[self.random.below(PREFIXES.len())]);
        let mut groups: Vec<Prefix> =
            self.model.jails.values().map(|jail| Prefix::group(prefix.first(), jail.group)).collect();
        groups.retain(|group| group.covers(prefix));
        self.model
            .priors
            .retain(|(other, _), _| !(prefix.covers(*other) || groups.iter().any(|g| g.covers(*other))));
        self.engine.forget_earlier(&[prefix], None);
    }

    fn store(&mut self) {
        for TrackerEntry { jail, prefix, what, marks, .. } in self.engine.take_changed_trackers() {
            if marks.is_empty() {
                assert!(self.windows.remove(&(jail, prefix, what)).is_some(), "{prefix} was not stored");
            } else {
                self.windows.insert((jail, prefix, what), marks);
            }
        }
    }

    fn store_priors(&mut self) {
        for entry in self.engine.take_changed_priors() {
            let key = (entry.prefix, entry.jail.clone());
            if entry.bans == 0 {
                self.priors.remove(&key)
            } else {
                self.priors.insert(key, entry)
            };
        }
    }

    /// The earlier bans are those that the model counts; what no longer counts may have been let go.
    fn check_priors(&self) {
        if !self.model.late.is_empty() {
            return;
        }
        let kept = self.engine.priors.entries();
        let kept: BTreeMap<_, _> =
            kept.into_iter().map(|e| ((e.prefix, e.jail), (e.bans, e.ended.as_second()))).collect();
        let counts = |(bans, ended): &(u32, i64)| (self.now - ended) / LONGEST_DECAY < i64::from(*bans);
        for (key, prior) in self.model.priors.iter().filter(|(_, prior)| counts(prior)) {
            assert_eq!(kept.get(key), Some(prior), "{key:?}");
        }
        let known = |(key, prior): (&_, &_)| self.model.priors.get(key) == Some(prior);
        assert!(kept.iter().all(known), "{kept:?}");
    }

    fn reconfigure(&mut self) {
        let settings = random_settings(&mut self.random);
        self.configured = settings.clone();
        self.model.reconfigure(self.with_allowed(), self.now);
        let effects = self.engine.reconfigure(settings, at(self.now));
        self.agree(&effects);
    }

    /// Somebody comes to the list by hand, or goes from it.
    fn allow(&mut self) {
        self.tick();
        let prefix = prefix(PREFIXES[self.random.below(PREFIXES.len())]);
        let there = self.engine.allowed().next().map(|entry| entry.prefix);
        let (effects, refused) = if let Some(there) = there {
            self.engine.disallow(&[there], at(self.now))
        } else {
            let entry = Allowance { prefix, since: at(self.now), until: None, uid: None, reason: None };
            self.engine.allow(vec![entry], at(self.now))
        };
        assert!(refused.is_empty(), "{refused:?}");
        self.model.reconfigure(self.with_allowed(), self.now);
        self.agree(&effects);
    }

    fn with_allowed(&self) -> Settings {
        let mut settings = self.configured.clone();
        let trusted = settings.protected.trusted.entries().to_vec();
        let by_hand =
            self.engine.allowed().map(|entry| AllowEntry { prefix: entry.prefix, origin: "by hand".into() });
        settings.protected.trusted = trusted.into_iter().chain(by_hand).collect();
        settings
    }

    /// What ends later is not forgotten before.
    fn catch_up(&mut self) {
        while self.engine.is_behind(at(self.now)) {
            self.tick();
        }
    }

    fn restart(&mut self) {
        self.catch_up();
        self.store();
        self.store_priors();
        let trackers = self.windows.iter().map(|((jail, prefix, what), marks)| TrackerEntry {
            jail: jail.clone(),
            prefix: *prefix,
            what: *what,
            marks: marks.clone(),
            fresh: false,
        });
        let restored = Restored {
            allowed: self.engine.allowed().cloned().collect(),
            held: Vec::new(),
            generation: self.engine.generation(),
            bans: self.table.values().cloned().collect(),
            trackers: trackers.collect(),
            priors: self.priors.values().cloned().collect(),
            pauses: self.engine.pauses().to_vec(),
        };
        self.model.restart(self.now);
        let (engine, effects) = Engine::new(self.configured.clone(), restored, at(self.now));
        self.engine = engine;
        self.agree(&effects);
        self.engine.slice = self.slice;
    }

    fn check(&mut self) {
        self.engine.check_invariants();
        let table: BTreeMap<(Prefix, JailName), Ban> =
            self.engine.bans().map(|ban| ((ban.prefix, ban.jail.clone()), Ban::clone(ban))).collect();
        assert_eq!(table, self.table, "the table is the replay of its changes");
        for name in ["web", "other"].map(output) {
            let snapshot = self.engine.snapshot(&name);
            assert!(
                snapshot.prefixes.is_sorted_by(|a, b| a < b) && snapshot.holes.is_sorted_by(|a, b| a < b)
            );
            for client in &self.clients {
                let inside = |list: &[Prefix]| list.iter().any(|prefix| prefix.contains(*client));
                let refused = inside(&snapshot.prefixes) && !inside(&snapshot.holes);
                assert_eq!(
                    refused,
                    self.model.carries(&name, *client, Measure::Ban),
                    "{client} at {name}: {snapshot:?}"
                );
                let challenged = inside(&snapshot.challenged) && !inside(&snapshot.spared);
                assert_eq!(
                    challenged,
                    self.model.carries(&name, *client, Measure::Challenge),
                    "{client} at {name}: {snapshot:?}"
                );
            }
        }
        for counts in self.engine.counts(at(self.now)) {
            let model = |map: &BTreeMap<JailName, u64>| map.get(&counts.jail).copied().unwrap_or(0);
            assert_eq!(counts.hits_total, model(&self.model.hits), "hits of {}", counts.jail);
            assert_eq!(counts.offences_total, model(&self.model.counted), "offences of {}", counts.jail);
        }
        self.check_priors();
        let generation = self.engine.generation();
        assert!(self.generations.last().is_some_and(|last| *last <= generation));
        self.generations.push(generation);
    }
}

impl Engine {
    fn check_invariants(&self) {
        self.table.check_invariants();
        self.priors.check_invariants();
        for (_, slot) in self.slots.iter() {
            slot.tracker.check_invariants();
            slot.widening.iter().for_each(crate::jail::Widening::check_invariants);
        }
        for row in self.table.rows() {
            let allow = &self.slots.get(row.jail).settings.allow;
            assert!(!self.guard.covers(allow, row.ban.prefix), "{} is protected", row.ban.prefix);
            if let (true, crate::ban::Origin::Log) = (self.slots.get(row.jail).configured, row.ban.origin) {
                assert_eq!(row.simulated, self.slots.get(row.jail).settings.simulate);
            }
            assert_eq!(row.holed, self.guard.reaches_into(allow, row.ban.prefix));
            assert!(row.ban.evidence.is_empty());
        }
    }
}

/// The seeds to run: the one that `BANMAP_SEED` names, or some.
pub(super) fn seeds() -> Vec<u64> {
    match std::env::var("BANMAP_SEED") {
        Ok(seed) => vec![seed.parse().expect("BANMAP_SEED is a number")],
        Err(_) => (1..=8).collect(),
    }
}

#[test]
fn the_engine_agrees_with_the_model_at_every_step() {
    let seeds = seeds();
    let mut seen = BTreeSet::new();
    for seed in &seeds {
        let mut simulation = Simulation::new(*seed);
        for step in 0..2500 {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| simulation.step()));
            assert!(outcome.is_ok(), "BANMAP_SEED={seed}, step {step}, second {}", simulation.now);
        }
        seen.extend(simulation.seen);
    }
    let kinds = [
        "again",
        "allowed",
        "banned",
        "challenged",
        "expired",
        "extended",
        "past",
        "prolonged",
        "simulation",
        "unbanned",
        "widened",
        "withheld",
    ];
    assert!(seeds.len() == 1 || seen.iter().eq(kinds), "{seen:?}");
}

#[test]
fn caps_hold_and_nobody_protected_is_banned_while_addresses_give_way() {
    let clients = clients();
    let mut evicted = [0; 3];
    let worlds = seeds().into_iter().flat_map(|seed| (0..4).map(move |world| Random(seed << 8 | world)));
    for mut random in worlds {
        let mut settings = random_settings(&mut random);
        settings.jails.iter_mut().for_each(|jail| jail.max_tracked = 1 + random.below(5));
        let of_logs = settings.jails.iter().filter(|jail| !jail.of_bans);
        let names: Vec<JailName> = of_logs.map(|jail| jail.name.clone()).collect();
        let (mut engine, mut effects) = Engine::new(settings, Restored::default(), at(0));
        engine.priors = crate::jail::Priors::new(3);
        for second in 0..200 {
            let client = random.pick(&clients).to_string();
            let jails: Vec<&str> = names.iter().map(JailName::as_str).collect();
            engine.observe(record(&client, second, &jails), at(second), &mut effects);
            engine.check_invariants();
        }
        let counts = engine.counts(at(200));
        evicted[0] += counts.iter().map(|counts| counts.evicted).sum::<u64>();
        evicted[1] += counts.iter().map(|counts| counts.unwatched).sum::<u64>();
        evicted[2] += engine.caps()[1].gave_way;
    }
    assert!(evicted.iter().all(|count| *count > 0), "{evicted:?}");
}

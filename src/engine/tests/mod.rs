//! Each sentence of the semantics as a small scene, and a seeded simulation against a naive model.

mod allowed;
mod claims;
mod growing;
mod hand;
mod hits;
mod inherit;
mod judging;
mod marking;
mod model;
mod protection;
mod rate;
mod recidive;
mod recovery;
mod simulating;
mod simulation;
mod storm;
mod widening;

use jiff::{SignedDuration, Timestamp};

use super::{Effects, Engine, Notice, Order, Protection, Refusal, Restored, Settings, Term};
use crate::address::{Address, AllowEntry, Allowlist, Group, Prefix};
use crate::ban::{Ban, Change, Ended};
use crate::jail;
use crate::terms::{JailName, Measure, Observation, Offence, OutputName};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn jail_name(text: &str) -> JailName {
    text.parse().unwrap()
}

fn output(text: &str) -> OutputName {
    text.parse().unwrap()
}

fn allow(entries: &[&str]) -> Allowlist {
    entries.iter().map(|text| AllowEntry { prefix: prefix(text), origin: "ignoreip".into() }).collect()
}

/// Three offences within 60 s ban for 300 s in output `web`.
fn jail(name: &str) -> jail::Settings {
    jail::Settings {
        maxretry: 3,
        findtime: SignedDuration::from_secs(60),
        bantime: Some(SignedDuration::from_secs(300)),
        escalation: None,
        widen: Vec::new(),
        outputs: vec![output("web")],
        max_tracked: 1000,
        storm: jail::StormMode::Off,
        ..jail::Settings::new(jail_name(name))
    }
}

fn settings(jails: Vec<jail::Settings>, outputs: &[&str]) -> Settings {
    Settings {
        jails,
        manual: jail("manual"),
        outputs: outputs.iter().map(|name| output(name)).collect(),
        picky: Vec::new(),
        protected: Protection {
            trusted: allow(&["10.10.1.25", "10.20.1.0/24"]),
            host: vec![address("192.0.2.80")],
            crowds: Vec::new(),
        },
        verifies: true,
        seed: 7,
    }
}

/// An engine under a clock that the scene sets.
struct Scene {
    engine: Engine,
    now: i64,
}

impl Scene {
    fn new(jails: Vec<jail::Settings>) -> Self {
        Self::with(settings(jails, &["web"]))
    }

    fn with(settings: Settings) -> Self {
        let (engine, effects) = Engine::new(settings, Restored::default(), at(0));
        assert_eq!(told(&effects), [""; 0]);
        Self { engine, now: 0 }
    }

    fn observe(&mut self, observation: Observation) -> Effects {
        let mut effects = Effects::default();
        self.engine.observe(observation, at(self.now), &mut effects);
        effects
    }

    /// A record at `second` that is an offence for `jails`; what it led to.
    fn offend(&mut self, client: &str, second: i64, jails: &[&str]) -> Vec<String> {
        self.now = self.now.max(second);
        told(&self.observe(record(client, second, jails)))
    }

    /// Three offences at `second` for jail `j`.
    fn ban_by_log(&mut self, client: &str, second: i64) -> Vec<String> {
        (0..3).flat_map(|_| self.offend(client, second, &["j"])).collect()
    }

    fn ban(&mut self, text: &str) -> Result<Vec<String>, Refusal> {
        let order = Order { prefix: prefix(text), jail: None, term: Term::Usual, reason: None };
        self.engine.ban(order, at(self.now)).map(|effects| told(&effects))
    }

    fn tick(&mut self, second: i64) -> Vec<String> {
        self.now = second;
        let mut effects = Effects::default();
        self.engine.tick(at(second), &mut effects);
        told(&effects)
    }

    /// Every output has what the engine has now.
    fn settle(&mut self, output_name: &str) {
        self.engine.settled(&output(output_name), self.engine.generation(), at(self.now));
    }

    fn published(&self, output_name: &str) -> (Vec<String>, Vec<String>) {
        let snapshot = self.engine.snapshot(&output(output_name));
        let shown = |list: &[Prefix]| list.iter().map(ToString::to_string).collect();
        (shown(&snapshot.prefixes), shown(&snapshot.holes))
    }

    /// Offences, hits and bans of a jail.
    fn counted(&self, name: &str) -> (u64, u64, u64) {
        let counts = self.engine.counts(at(self.now));
        let jail = counts.iter().find(|counts| counts.jail.as_str() == name).unwrap();
        (jail.offences_total, jail.hits_total, jail.bans_total)
    }

    fn restart(&self, settings: Settings) -> (Self, Vec<String>) {
        let restored = Restored {
            generation: self.engine.generation(),
            bans: self.engine.bans().map(|ban| Ban::clone(ban)).collect(),
            ..Restored::default()
        };
        let (engine, effects) = Engine::new(settings, restored, at(self.now));
        (Self { engine, now: self.now }, told(&effects))
    }
}

fn offence(jail: &str) -> Offence {
    Offence { jail: jail_name(jail), distinct: None, weight: 1, network: None }
}

fn record(client: &str, second: i64, jails: &[&str]) -> Observation {
    Observation {
        address: address(client),
        at: at(second),
        logged: Some(at(second)),
        refused: false,
        claims: None,
        offences: jails.iter().map(|name| offence(name)).collect(),
        text: Some(format!("{client} at {second}").into()),
    }
}

/// Effects in words: `banned 192.0.2.1 by j until 400`.
fn told(effects: &Effects) -> Vec<String> {
    effects.changes.iter().map(told_change).chain(effects.notices.iter().map(|n| format!("{n:?}"))).collect()
}

fn told_change(change: &Change) -> String {
    let ban = change.ban();
    let until = ban.until.map_or("forever".to_owned(), |until| until.as_second().to_string());
    let verb = match change {
        Change::Banned(_) => "banned",
        Change::Prolonged(_) => "prolonged",
        Change::Extended(_) => "extended",
        Change::Withheld(_) => "withheld",
        Change::Held(_) => "held",
        Change::Past(_) => "past",
        Change::Ended(_, Ended::Expired) => "expired",
        Change::Ended(_, Ended::Unbanned) => "unbanned",
        Change::Ended(_, Ended::Allowed) => "allowed",
        Change::Ended(_, Ended::Simulation) => "simulation",
    };
    format!("{verb} {} by {} until {until}", ban.prefix, ban.jail)
}

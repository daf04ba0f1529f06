//! What a judgement costs with a million tracked addresses, and a snapshot of 100,000 bans.
//!
//! Prints also the memory of a million tracked addresses, as the kernel counts it.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use banmap::address::{Address, Prefix};
use banmap::ban::{Ban, Origin};
use banmap::engine::{Effects, Engine, Protection, Restored, Settings};
use banmap::jail;
use banmap::terms::{JailName, Measure, Observation, Offence, OutputName};
use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;

const TRACKED: u32 = 1_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("within the calendar")
}

fn jail_name(name: &str) -> JailName {
    name.parse().expect("a name")
}

fn output() -> OutputName {
    "web".parse().expect("a name")
}

fn jail(name: &str) -> jail::Settings {
    jail::Settings {
        maxretry: 5,
        outputs: vec![output()],
        max_tracked: TRACKED as usize,
        ..jail::Settings::new(jail_name(name))
    }
}

fn engine(bans: Vec<Ban>) -> Engine {
    let settings = Settings {
        jails: vec![jail("j")],
        manual: jail("manual"),
        outputs: vec![output()],
        picky: Vec::new(),
        protected: Protection::default(),
        verifies: false,
        seed: 0,
    };
    Engine::new(settings, Restored { bans, ..Restored::default() }, at(0)).0
}

/// The addresses in an order that no cache foresees.
fn client(number: u32) -> Address {
    IpAddr::V4(Ipv4Addr::from(number.wrapping_mul(0x9e37_79b1) | 0x8000_0000)).into()
}

fn offence(number: u32, second: i64) -> Observation {
    Observation {
        claims: None,
        address: client(number),
        at: at(second),
        logged: None,
        refused: false,
        offences: [Offence { jail: jail_name("j"), distinct: None, weight: 1, network: None }]
            .into_iter()
            .collect(),
        text: None,
    }
}

/// Resident kilobytes of this process.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn judgement(criterion: &mut Criterion) {
    let mut engine = engine(Vec::new());
    let mut effects = Effects::default();
    let before = resident();
    for number in 0..TRACKED {
        engine.observe(offence(number, 0), at(0), &mut effects);
    }
    println!("one offence each of 1,000,000 addresses: {} MB", (resident() - before) / 1024);
    for number in 0..TRACKED {
        engine.observe(offence(number, 1), at(1), &mut effects);
    }
    println!("two offences each: {} MB", (resident() - before) / 1024);
    let template = offence(0, 0);
    let mut number = 0;
    let mut judge = |first: u32, second: i64| {
        number = (number + 7) % TRACKED;
        let mut observation = template.clone();
        observation.address = client(first + number);
        observation.at = at(second);
        engine.observe(observation, at(second), &mut effects);
        effects.changes.clear();
        effects.notices.clear();
    };
    criterion.bench_function("judge: tracked address among 1 M", |bench| bench.iter(|| judge(0, 2)));
    criterion.bench_function("judge: forged addresses, each pushes one out", |bench| {
        let mut flood = 0;
        bench.iter(|| {
            flood += 1;
            judge(TRACKED + flood, 3);
        });
    });
    criterion
        .bench_function("clone of the observation alone", |bench| bench.iter(|| black_box(template.clone())));
}

fn bans() -> Vec<Ban> {
    let ban = |number| Ban {
        prefix: Prefix::host(client(number)),
        jail: jail_name("j"),
        value: Measure::Ban,
        since: at(0),
        until: Some(at(3600)),
        offences: 5,
        origin: Origin::Log,
        reason: None,
        simulated: false,
        evidence: Vec::new(),
    };
    (0..100_000).map(ban).collect()
}

fn snapshot(criterion: &mut Criterion) {
    let bans = bans();
    criterion.bench_function("start with 100,000 bans", |bench| {
        bench.iter_batched(|| bans.clone(), engine, criterion::BatchSize::PerIteration);
    });
    let engine = engine(bans);
    criterion.bench_function("snapshot of 100,000 bans", |bench| {
        bench.iter(|| black_box(engine.snapshot(&output())));
    });
    let mut hits = engine;
    let mut effects = Effects::default();
    let template = offence(0, 0);
    let mut number = 0;
    criterion.bench_function("judge: hit among 100,000 bans", |bench| {
        bench.iter(|| {
            number = (number + 7) % 100_000;
            let mut observation = template.clone();
            observation.address = client(number);
            hits.observe(observation, at(1), &mut effects);
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(std::time::Duration::from_secs(1));
    targets = judgement, snapshot
}
criterion_main!(benches);

//! Random scripts of what servers, logrotate and crashes do, against the real follower: each line is read exactly once,
//! and those of one file in their order. `BANMAP_SEED=N` replays one script.

use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use super::*;

/// Deterministic random numbers (xorshift64*).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % sides
    }
}

/// How logs are rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rotation {
    Rename,
    Copy,
    /// Now so, now so, but not within a second; a restart would have to guess which file is whose.
    Both,
}

/// How a script's world is arranged.
#[derive(Clone, Copy, Debug)]
struct World {
    pattern: &'static str,
    /// The log is a link to a file that changes.
    linked: bool,
    /// Rotated files are called by number, else by date.
    numbered: bool,
    rotation: Rotation,
}

/// A web server with its log, logrotate, and the follower.
struct Model {
    lab: Lab,
    dice: Dice,
    world: World,
    /// The server's descriptor: it writes there until it reopens.
    server: File,
    /// Written, in order, by the server.
    written: usize,
    /// The unfinished last line.
    partial: Option<String>,
    rotations: usize,
    /// Each write makes files newer, as in the slow real world.
    clock: SystemTime,
    log: Vec<String>,
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let world = World {
            pattern: ["access.log", "access.log*", "acc*.log"][dice.roll(3) as usize],
            linked: dice.roll(4) == 0,
            numbered: dice.roll(2) == 0,
            rotation: [Rotation::Rename, Rotation::Copy, Rotation::Both][dice.roll(3) as usize],
        };
        let lab = Lab::new(&[world.pattern], FirstRead::Beginning);
        let server = File::create(lab.path("nothing-yet")).unwrap();
        let clock = SystemTime::now();
        let mut model = Self {
            lab,
            dice,
            world,
            server,
            written: 0,
            partial: None,
            rotations: 0,
            clock,
            log: Vec::new(),
        };
        model.create();
        // What is rotated away before the first look has never been ours.
        model.lab.turn_after(0);
        model
    }

    /// The server opens its log, and makes it where there is none.
    fn create(&mut self) {
        let mut path = self.lab.path("access.log");
        if self.world.linked {
            path = self.lab.path(&format!("real-2026{:04}", self.rotations));
            symlink(&path, self.lab.path("new-link")).unwrap();
            self.lab.rename("new-link", "access.log");
        }
        self.server = OpenOptions::new().create(true).append(true).open(path).unwrap();
        self.touch();
    }

    fn touch(&mut self) {
        self.clock += Duration::from_millis(20);
        self.server.set_modified(self.clock).unwrap();
    }

    fn write(&mut self, text: &str) {
        self.server.write_all(text.as_bytes()).unwrap();
        self.touch();
    }

    fn finish_partial(&mut self) {
        if let Some(rest) = self.partial.take() {
            self.write(&rest);
        }
    }

    fn append(&mut self) {
        self.finish_partial();
        for _ in 0..=self.dice.roll(4) {
            let pad = "x".repeat(self.dice.roll(90) as usize);
            let line = format!("line-{} {pad}\n", self.written);
            self.written += 1;
            self.write(&line);
        }
    }

    fn append_partly(&mut self) {
        self.finish_partial();
        let line = format!("line-{} in two parts\n", self.written);
        self.written += 1;
        let (now, later) = line.split_at(self.dice.roll(line.len() as u64) as usize);
        self.write(now);
        self.partial = Some(later.to_owned());
    }

    /// Makes room for the next rotated file; what it is called.
    fn rotated_name(&mut self) -> String {
        self.rotations += 1;
        if !self.world.numbered {
            return format!("access.log-2026{:04}", self.rotations);
        }
        for n in (1..self.rotations).rev() {
            let from = format!("access.log.{n}");
            if self.lab.path(&from).exists() {
                self.lab.rename(&from, &format!("access.log.{}", n + 1));
            }
        }
        "access.log.1".to_owned()
    }

    fn rotate(&mut self) {
        let copy = match self.world.rotation {
            // Nobody truncates what a link leads to for a day.
            _ if self.world.linked => false,
            Rotation::Both => {
                self.lab.catch_up();
                self.dice.roll(2) == 0
            }
            rotation => rotation == Rotation::Copy,
        };
        if copy { self.copy_and_truncate() } else { self.rename() }
    }

    /// Rename, and the server reopens: before or after it wrote on into the old file.
    fn rename(&mut self) {
        if self.world.linked {
            self.finish_partial();
            self.rotations += 1;
            return self.create();
        }
        let name = self.rotated_name();
        self.lab.rename("access.log", &name);
        if self.dice.roll(2) == 0 {
            self.turn(0);
            self.append();
        }
        self.finish_partial();
        self.create();
    }

    /// Copy and truncate. The server waits meanwhile: the method itself loses what is written in between.
    fn copy_and_truncate(&mut self) {
        self.finish_partial();
        let name = self.rotated_name();
        fs::copy(self.lab.path("access.log"), self.lab.path(&name)).unwrap();
        let copy = File::options().write(true).open(self.lab.path(&name)).unwrap();
        self.clock += Duration::from_millis(20);
        copy.set_modified(self.clock).unwrap();
        if self.dice.roll(2) == 0 {
            self.turn(0);
        }
        self.server.set_len(0).unwrap();
        self.touch();
        if self.dice.roll(2) == 0 {
            self.append();
        }
    }

    /// Delete and make anew; all was read, since a crash now would lose it.
    fn delete(&mut self) {
        self.finish_partial();
        self.lab.catch_up();
        fs::remove_file(self.lab.path("access.log")).unwrap();
        self.rotations += 1;
        if self.dice.roll(2) == 0 {
            self.turn(1);
        }
        self.create();
        // With the deleted file, the time would be gone from which on rotated logs are new ones.
        self.lab.catch_up();
    }

    /// A crash or a stop. A log whose first line was not read yet could not be told from its copies.
    fn restart(&mut self) {
        if self.lab.recorder.stored.values().any(|checkpoint| checkpoint.offset == 0) {
            self.append();
            self.lab.catch_up();
        }
        if self.world.rotation != Rotation::Both {
            self.lab.restart();
        }
    }

    fn turn(&mut self, millis: i64) {
        self.lab.now += SignedDuration::from_millis(millis);
        self.lab.follower.turn(self.lab.now, &mut self.lab.recorder);
        if self.dice.roll(3) > 0 {
            self.lab.recorder.store(self.lab.follower.positions());
        }
    }

    fn step(&mut self) {
        let action = self.dice.roll(20);
        self.act(action);
        self.log.push(format!("{action}, {} lines: {}", self.written, self.lab.told().join("; ")));
    }

    fn act(&mut self, action: u64) {
        match action {
            0..=5 => self.append(),
            6 => self.append_partly(),
            7..=9 => self.turn(10),
            10..=12 => self.turn(1_100),
            13 => {
                self.turn(61_000);
                self.turn(61_000);
            }
            14..=17 => self.rotate(),
            18 => self.restart(),
            _ => self.delete(),
        }
    }

    fn check(&self, seed: u64) {
        let mut times = vec![0; self.written];
        let mut last = BTreeMap::new();
        for (file, line) in &self.lab.recorder.lines {
            let number: usize = line["line-".len()..].split(' ').next().unwrap().parse().unwrap();
            times[number] += 1;
            let before = last.insert(*file, number);
            assert!(before < Some(number), "seed {seed}: line {number} after {before:?}");
        }
        let wrong: Vec<_> = times.iter().enumerate().filter(|(_, times)| **times != 1).collect();
        let told = || format!("seed {seed}, {:?}:\n{}\n", self.world, self.log.join("\n"));
        assert!(wrong.is_empty(), "{}(line, times read): {wrong:?}", told());
    }
}

fn play(seed: u64) {
    let mut model = Model::new(seed);
    for _ in 0..40 {
        model.step();
    }
    model.finish_partial();
    for _ in 0..3 {
        model.lab.catch_up();
    }
    model.check(seed);
}

#[test]
fn each_line_is_read_exactly_once() {
    if let Some(seed) = std::env::var("BANMAP_SEED").ok().and_then(|seed| seed.parse().ok()) {
        return play(seed);
    }
    (0..300).for_each(play);
}

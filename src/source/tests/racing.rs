//! logrotate at work while a follower looks: names change between any two of its system calls.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// So many that a look often falls into the renaming of them all.
const ROTATIONS: usize = 12;
const LINES: usize = 4;
const ROUNDS: usize = 120;

/// Writes numbered lines and rotates, every old log kept under ever higher numbers, as fast as it can.
fn write_and_rotate(root: &Path) {
    let numbered = |n: usize| root.join(format!("access.log.{n}"));
    for rotation in 0..=ROTATIONS {
        for line in 0..LINES {
            append(&root.join("access.log"), &format!("{}\n", rotation * LINES + line));
        }
        if rotation == ROTATIONS {
            return;
        }
        for n in (1..=rotation).rev() {
            fs::rename(numbered(n), numbered(n + 1)).unwrap();
        }
        fs::rename(root.join("access.log"), numbered(1)).unwrap();
    }
}

/// Every line once, however often the follower looks or begins anew meanwhile.
fn read_while_it_rotates(round: usize) {
    let mut lab = Lab::beginning();
    lab.append("access.log", "first\n");
    lab.catch_up();
    let done = AtomicBool::new(false);
    let root = lab.root.path().to_owned();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            write_and_rotate(&root);
            done.store(true, Ordering::Relaxed);
        });
        let mut turns = 0;
        while !done.load(Ordering::Relaxed) {
            turns += 1;
            // To and fro: far enough for a scan, never so long that a file counts as silent.
            lab.turn_after(if turns % 2 == 0 { -1 } else { 1 });
            if turns % (round + 2) == 0 {
                lab.restart();
            }
        }
    });
    lab.catch_up();
    lab.catch_up();
    let told = lab.told();
    let mut lines: Vec<usize> = lab.lines().iter().skip(1).map(|line| line.parse().unwrap()).collect();
    // Files that were begun before a restart are read on in any order.
    lines.sort_unstable();
    let numbers: Vec<usize> = (0..(ROTATIONS + 1) * LINES).collect();
    assert_eq!(lines, numbers, "round {round}: {told:#?}");
}

#[test]
fn names_that_change_while_they_are_looked_at_lose_and_double_nothing() {
    for round in 0..ROUNDS {
        read_while_it_rotates(round);
    }
}

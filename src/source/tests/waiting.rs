//! Waking up: by events, by the waker, by the tick.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::*;
use crate::os::clock;

/// A follower on a thread of its own, as the daemon runs it; sends each line with the time of its arrival.
fn run(root: &Path) -> (mpsc::Receiver<String>, Waker, mpsc::Sender<()>, thread::JoinHandle<()>) {
    let patterns = vec![root.join("access.log").display().to_string()];
    let settings =
        Settings { name: "site".parse().unwrap(), input: Input::Files(patterns), read: FirstRead::Beginning };
    let mut follower = Follower::new(settings, Vec::new()).unwrap();
    let waker = follower.waker();
    let (lines, received) = mpsc::channel();
    let (stop, stopped) = mpsc::channel();
    let thread = thread::spawn(move || {
        let mut recorder = Recorder::default();
        while stopped.try_recv().is_err() {
            let turn = follower.turn(clock::now(), &mut recorder);
            recorder.store(follower.positions());
            recorder.lines.drain(..).for_each(|(_, line)| lines.send(line).unwrap());
            if !turn.more {
                follower.wait();
            }
        }
    });
    (received, waker, stop, thread)
}

#[test]
fn lines_arrive_and_the_waker_ends_the_wait() {
    let root = tempfile::tempdir().unwrap();
    let log = root.path().join("access.log");
    let (lines, waker, stop, thread) = run(root.path());
    for n in 0..20 {
        append(&log, &format!("{n}\n"));
        assert_eq!(lines.recv_timeout(Duration::from_secs(10)).unwrap(), n.to_string());
    }
    fs::rename(&log, root.path().join("access.log.1")).unwrap();
    append(&log, "successor\n");
    assert_eq!(lines.recv_timeout(Duration::from_secs(10)).unwrap(), "successor");
    stop.send(()).unwrap();
    waker.wake();
    thread.join().unwrap();
}

#[test]
fn a_waker_that_comes_first_ends_the_next_wait() {
    let root = tempfile::tempdir().unwrap();
    let mut follower = follower(root.path(), &["access.log"], FirstRead::End, Vec::new());
    let mut recorder = Recorder::default();
    follower.turn(clock::now(), &mut recorder);
    // Each wait would else last until the tick, a second later.
    let began = clock::monotonic();
    for _ in 0..20 {
        follower.waker().wake();
        follower.wait();
    }
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_write_to_an_idle_file_is_heard_before_the_tick() {
    let root = tempfile::tempdir().unwrap();
    let log = root.path().join("access.log");
    append(&log, "old\n");
    let settings = Settings {
        name: "site".parse().unwrap(),
        input: Input::Files(vec![log.display().to_string()]),
        read: FirstRead::Beginning,
    };
    let mut follower = Follower::new(settings, Vec::new()).unwrap();
    let mut recorder = Recorder::default();
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    // The second turn finds the file silent: at that time, only an event makes it look again.
    for now in [now, now + SignedDuration::from_secs(3)] {
        while follower.turn(now, &mut recorder).more {}
    }
    append(&log, "new\n");
    let began = clock::monotonic();
    while recorder.judged.len() < 2 && began.elapsed() < Duration::from_secs(10) {
        follower.wait();
        follower.turn(now + SignedDuration::from_secs(3), &mut recorder);
    }
    assert_eq!(recorder.judged.len(), 2);
}

//! The storm breaker in the daemon: verdicts wait, survive a crash, and are let go or dropped by hand.

use std::fmt::Write as _;

use nix::sys::signal::Signal;

use crate::harness::scene::{LOG, SITE, SOON, request};
use crate::harness::{Daemon, Scene, cli, wait_or};

/// The first failed log-in bans, and storms are held.
const HOLD: &str = "[jail.login]\nmaxretry = 1\nbantime = \"1h\"\nstorm = \"hold\"\n";

/// A failed log-in of each of so many clients, at once.
fn rush(first: u32, number: u32) -> String {
    (first..first + number).fold(String::new(), |mut lines, n| {
        let client = format!("203.0.{}.{}", n / 250, n % 250);
        write!(lines, "{}", request(&client, "POST /login", 401)).unwrap();
        lines
    })
}

/// So many clients who only look.
fn visitors(number: u32) -> String {
    (0..number).map(visitor).collect()
}

fn visitor(n: u32) -> String {
    request(&format!("192.0.{}.{}", n / 250, n % 250), "GET /", 200)
}

#[test]
fn of_many_clients_so_many_are_no_storm() {
    let scene = Scene::new();
    scene.append(LOG, visitors(1));
    let daemon = scene.start(&format!("{SITE}{HOLD}"));
    // In portions of which each line is looked at: how many clients there are is no estimate then.
    for portion in 0..8 {
        scene.append(LOG, (portion * 300..(portion + 1) * 300).map(visitor).collect::<String>());
        let read = || daemon.ask(&["status"]).1["sources"]["site"]["files"][0]["lines"].as_u64();
        wait_or(SOON, || read() == Some(1 + u64::from(portion + 1) * 300), || format!("{:?}", read()));
    }
    scene.append(LOG, rush(0, 60));
    wait_until_held(&daemon, 0, 60);
    assert!(!daemon.log().contains("a storm in jail"), "{}", daemon.log());
}

#[test]
fn a_storm_is_held_over_a_crash_and_released_by_hand() {
    let scene = Scene::new();
    scene.append(LOG, visitors(1));
    let mut daemon = scene.start(&format!("{SITE}{HOLD}"));
    scene.append(LOG, visitors(100) + &rush(0, 100));
    daemon.wait_logged("a storm in jail login");
    wait_until_held(&daemon, 50, 50);
    let (code, why) = daemon.ask(&["why", "203.0.0.99"]);
    assert_eq!((code, &why["banned"], &why["held"][0]["why"]), (1, &false.into(), &"storm".into()), "{why}");
    let shown = daemon.cli(&["why", "203.0.0.99"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("banmap release login"), "{shown:?}");
    let status = daemon.cli(&["status"]);
    let text = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(
        status.status.code() == Some(1) && text.contains("50 held") && text.contains("banmap release login"),
        "{text}"
    );

    daemon.signal(Signal::SIGKILL);
    drop(daemon);
    daemon = scene.start_again();
    wait_until_held(&daemon, 50, 50);
    let released = daemon.cli(&["release", "login", "--json"]);
    assert_eq!(released.status.code(), Some(0), "{released:?}");
    assert_eq!(String::from_utf8_lossy(&released.stdout).lines().count(), 50);
    wait_until_held(&daemon, 0, 100);
    assert_eq!(scene.listed().len(), 100);
    let history = String::from_utf8(daemon.cli(&["history", "--json"]).stdout).unwrap();
    let by_hand = history.lines().find(|line| line.contains("release: 50 held verdicts")).unwrap();
    assert!(by_hand.contains("\"uid\":") && !by_hand.contains("\"uid\":null"), "{by_hand}");
    assert_eq!(history.lines().filter(|line| line.contains("\"event\":\"held\"")).count(), 50);
    assert_eq!(daemon.cli(&["release", "nobody"]).status.code(), Some(2));
}

/// Waits until so many verdicts are held, and so many bans are in force.
#[track_caller]
fn wait_until_held(daemon: &Daemon, held: u64, bans: u64) {
    let counts = || {
        let jail = daemon.jail("login");
        (jail["held"].as_u64(), jail["bans_current"].as_u64())
    };
    let explain = || format!("{held} held and {bans} banned, not {:?}\n{}", counts(), daemon.log());
    wait_or(SOON, || counts() == (Some(held), Some(bans)), explain);
}

#[test]
fn a_rehearsal_holds_nothing_and_tells_of_the_storm() {
    let scene = Scene::new();
    scene.append(LOG, visitors(100) + &rush(0, 80));
    let config = scene.configure(&format!("{SITE}{HOLD}"));
    let replay = cli(&config, &["replay", "--json"]);
    let (out, err) = (String::from_utf8_lossy(&replay.stdout), String::from_utf8_lossy(&replay.stderr));
    assert_eq!(out.lines().filter(|line| line.contains("\"event\":\"ban\"")).count(), 80, "{out}{err}");
    assert!(err.contains("a storm in jail login") && err.contains("of about"), "{err}");
}

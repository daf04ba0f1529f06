//! The quick start, exactly as README has a newcomer do it: whom it bans, what one line more does, and a second start.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use crate::harness::{Daemon, Place, text, wait_until};

/// README says "within seconds".
const SECONDS: Duration = Duration::from_secs(5);

/// Whom the sample log gives away, as each map has it; a network of IPv6 is one guest.
const BANNED: [&str; 4] = ["198.51.100.23", "198.51.100.66", "2001:db8:bad:1::/64", "203.0.113.7"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The lines of README's shell blocks below `## Try it`.
fn steps() -> Vec<String> {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let section = readme.split("\n## ").find(|section| section.starts_with("Try it")).unwrap();
    let blocks = section.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    blocks.flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// The step that begins so.
fn step(begin: &str) -> String {
    let steps = steps();
    let found = steps.iter().find(|step| step.starts_with(begin));
    found.unwrap_or_else(|| panic!("no `{begin}…` among {steps:#?}")).clone()
}

/// A copy of what a checkout has of it.
struct Checkout(Place);

impl Checkout {
    fn new() -> Self {
        let place = Place::new();
        for name in ["banmap.toml", "access.log"] {
            let name = format!("contrib/quickstart/{name}");
            place.write(&name, &fs::read_to_string(root().join(&name)).unwrap());
        }
        Self(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path("contrib/quickstart").join(name)
    }

    /// The daemon, by the one command of README: what cargo would run, in this directory.
    fn start(&self) -> Daemon {
        let command = step("cargo run --release -- ");
        let arguments: Vec<&str> = command.split(' ').skip(4).collect();
        let ["run", "-c", config] = arguments[..] else { panic!("{command}") };
        Daemon::start(&self.0.path(config))
    }

    /// Has the shell do a step in this directory; the program is the one under test.
    fn shell(&self, step: &str) -> Output {
        let step = step.replace("target/release/banmap", env!("CARGO_BIN_EXE_banmap"));
        Command::new("sh").args(["-c", &step]).current_dir(self.0.path("")).output().unwrap()
    }

    #[track_caller]
    fn shown(&self, step: &str) -> String {
        let output = self.shell(step);
        assert!(output.status.success(), "{step}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The entries of nginx's map.
    fn nginx(&self) -> BTreeSet<String> {
        let map = text(&self.path("out/nginx.conf"));
        map.lines().filter_map(|line| Some(line.trim().strip_suffix(" 1;")?.to_owned())).collect()
    }

    /// The entries of Apache's map, keys of prefixes as prefixes.
    fn apache(&self) -> BTreeSet<String> {
        let map = text(&self.path("out/apache-banned"));
        let keys = map.lines().filter_map(|line| line.strip_suffix(" -"));
        keys.map(|key| key.strip_suffix(':').map_or(key.to_owned(), |net| format!("{net}::/64"))).collect()
    }

    #[track_caller]
    fn wait_for(&self, banned: &[&str]) {
        let expected: BTreeSet<String> = banned.iter().map(|&entry| entry.to_owned()).collect();
        wait_until(SECONDS, &format!("exactly {expected:?} are in both maps"), || {
            self.nginx() == expected && self.apache() == expected
        });
    }
}

fn totals(daemon: &Daemon) -> Vec<(String, u64)> {
    let (_, status) = daemon.ask(&["status"]);
    let jails = status["jails"].as_object().unwrap().iter();
    jails.map(|(name, jail)| (name.clone(), jail["offences_total"].as_u64().unwrap())).collect()
}

#[test]
fn the_quick_start_does_what_readme_says() {
    let checkout = Checkout::new();
    let daemon = checkout.start();
    checkout.wait_for(&BANNED);
    for address in BANNED {
        daemon.wait_logged(&format!("banned {address} by "));
    }
    assert_eq!(daemon.banned(), BANNED);
    let maps =
        checkout.shown(&step("cat contrib/quickstart/out/nginx.conf contrib/quickstart/out/apache-banned"));
    assert!(maps.contains("203.0.113.7 1;") && maps.contains("203.0.113.7 -"), "{maps}");
    let why = checkout.shown(&step("target/release/banmap -c contrib/quickstart/banmap.toml why"));
    assert!(why.contains("is banned") && why.matches("POST /wp-login.php").count() == 5, "{why}");

    checkout.shown(&step("echo "));
    let one_more = [&BANNED[..], &["203.0.113.99"]].concat();
    checkout.wait_for(&one_more);
    let before = totals(&daemon);
    let maps = || ["out/nginx.conf", "out/apache-banned"].map(|name| text(&checkout.path(name)));
    let at_stop = maps();
    let (status, log) = daemon.stop();
    assert!(status.is_some_and(|status| status.success()), "{log}");
    assert_eq!(maps(), at_stop, "the maps stay as they are");

    let daemon = checkout.start();
    let list = checkout.shown(&step("target/release/banmap -c contrib/quickstart/banmap.toml list"));
    assert!(one_more.iter().all(|address| list.contains(address)) && list.lines().count() == 6, "{list}");
    let status = checkout.shown(&step("target/release/banmap -c contrib/quickstart/banmap.toml status"));
    assert!(status.contains("wordpress-login") && status.contains("live"), "{status}");
    assert_eq!(totals(&daemon), before, "no line is counted twice");
    checkout.wait_for(&one_more);
}

#[test]
fn its_configuration_has_nothing_to_complain_about() {
    let checkout = Checkout::new();
    let checked = checkout.shell("target/release/banmap -c contrib/quickstart/banmap.toml check");
    let told = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && told.contains("0 warnings"), "{told}");
    let replayed = checkout.shown("target/release/banmap -c contrib/quickstart/banmap.toml replay --json");
    let events: Vec<serde_json::Value> =
        replayed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let banned: BTreeSet<&str> = events.iter().filter_map(|event| event["address"].as_str()).collect();
    assert_eq!(banned, BANNED.into(), "a replay foretells it");
    assert_eq!(events.last().unwrap()["unparsed"], 0);
}

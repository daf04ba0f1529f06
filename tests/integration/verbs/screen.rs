//! What a terminal gets to see: colours only there, and never a byte that a client wrote as it was.

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use super::{Site, bare, stderr, stdout};
use crate::harness::Scene;
use crate::harness::scene::{LOG, LOGIN, SITE, line, minutes_ago, request};

/// Clears the screen, colours, turns the direction of text, sets the window's title.
const EVIL: &str = "\u{1b}[2J\u{1b}[31m\u{9b}1m\u{202e}\u{1b}]0;mine\u{7}";

/// Runs a command on a terminal of its own (`script`, of Debian's essential packages); all that it shows there.
fn on_terminal(command: &[&str], environment: &[(&str, &str)]) -> String {
    String::from_utf8(script(command, environment).output().unwrap().stdout).unwrap()
}

/// What `on_terminal` runs.
fn script(command: &[&str], environment: &[(&str, &str)]) -> Command {
    let quoted: Vec<String> = command.iter().map(|word| format!("'{word}'")).collect();
    let mut script = Command::new("script");
    script.args(["-qec", &quoted.join(" "), "/dev/null"]).stdin(Stdio::null()).env("TERM", "xterm");
    script.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").envs(environment.iter().copied());
    script
}

/// What is left of a text without our own styles (`ESC [ digits m`).
fn without_styles(text: &str) -> String {
    let mut pieces = text.split("\u{1b}[");
    let mut rest = pieces.next().unwrap().to_owned();
    for piece in pieces {
        let end = piece.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap();
        rest += if piece[end..].starts_with('m') { &piece[end + 1..] } else { piece };
    }
    rest
}

fn is_harmless(text: &str) -> bool {
    !text.contains(|c: char| (c.is_control() && c != '\n' && c != '\r') || c == '\u{202e}')
}

#[test]
fn evidence_is_coloured_by_us_and_by_nobody_else() {
    let scene = Scene::new();
    let attack = line("203.0.113.7", minutes_ago(1), "POST /login", 401, EVIL).repeat(20);
    let visits = request("192.0.2.1", "GET /", 200).repeat(20);
    scene.append(LOG, attack + &visits + &format!("{EVIL} is no line\" 401 \n").repeat(5));
    let daemon = scene.start(&format!("{LOGIN}{SITE}"));
    scene.wait_listed(&daemon, &["203.0.113.7"]);
    let (banmap, config) = (env!("CARGO_BIN_EXE_banmap"), scene.path("banmap.toml"));
    let config = config.to_str().unwrap();
    let why = [banmap, "-c", config, "why", "203.0.113.7"];
    let shown = on_terminal(&why, &[]);
    assert!(shown.contains("\u{1b}[31mbanned"), "{shown:?}");
    assert!(
        shown.contains("\\x1b[2J"),
        "this terminal says that it has no width: lines stay whole: {shown:?}"
    );
    assert!(is_harmless(&without_styles(&shown)), "{shown:?}");
    for verb in
        ["why 203.0.113.7", "list", "status", "history", "replay", "test login logs/access.log --missed"]
    {
        let mut words = vec![banmap, "-c", config];
        words.extend(verb.split(' '));
        let log = scene.path(LOG);
        words.iter_mut().filter(|word| **word == LOG).for_each(|word| *word = log.to_str().unwrap());
        let plain = on_terminal(&words, &[("NO_COLOR", "1")]);
        assert!(plain.contains("203.0.113.7") || plain.contains("login"), "{verb}: {plain:?}");
        assert!(is_harmless(&plain), "{verb}: {plain:?}");
        let piped = bare(&words[1..]).output().unwrap();
        let piped = String::from_utf8(piped.stdout).unwrap() + &String::from_utf8(piped.stderr).unwrap();
        assert!(is_harmless(&piped), "{verb}: {piped:?}");
    }
    let (_, log) = daemon.stop();
    assert!(
        log.contains("banned 203.0.113.7") && log.contains("do not parse") && is_harmless(&log),
        "{log:?}"
    );
}

#[test]
fn problems_are_coloured_on_a_terminal_only() {
    let site = Site::new("jails = [\"nowhere\"]\n");
    let (banmap, config) = (env!("CARGO_BIN_EXE_banmap"), site.path("banmap.toml"));
    let check = [banmap, "-c", config.to_str().unwrap(), "check"];
    assert!(on_terminal(&check, &[]).contains("\u{1b}["));
    assert!(!on_terminal(&check, &[("NO_COLOR", "1")]).contains('\u{1b}'));
    assert!(on_terminal(&check, &[("NO_COLOR", "")]).contains("\u{1b}["), "an empty NO_COLOR says nothing");
    let ended = site.banmap(&["check"]).assert().code(2);
    assert!(is_harmless(&(stdout(&ended) + &stderr(&ended))));
    let help = on_terminal(&[banmap, "--help"], &[("NO_COLOR", "1")]);
    assert!(help.contains("Usage:") && !help.contains('\u{1b}'), "{help:?}");
}

#[test]
fn progress_is_shown_on_a_terminal_only_and_goes_in_the_end() {
    let scene = Scene::new();
    scene.configure(&format!("{LOGIN}{SITE}"));
    scene.append(LOG, request("203.0.113.7", "POST /login", 401).repeat(3));
    let (banmap, config) = (env!("CARGO_BIN_EXE_banmap"), scene.path("banmap.toml"));
    // A log that takes its time: it goes on once progress was shown.
    let slow = scene.path("slow");
    nix::unistd::mkfifo(&slow, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let replay = format!("{banmap} -c {} replay - <{}", config.display(), slow.display());
    let mut script = script(&["sh", "-c", &replay], &[]).stdout(Stdio::piped()).spawn().unwrap();
    let (mut log, lines) = (fs::File::create(&slow).unwrap(), fs::read(scene.path(LOG)).unwrap());
    log.write_all(&lines).unwrap();
    let mut terminal = script.stdout.take().unwrap();
    let mut shown = Vec::new();
    while memchr::memmem::find(&shown, b"read 0.0 MB\x1b[K\r").is_none() {
        let mut some = [0; 256];
        let length = terminal.read(&mut some).unwrap();
        assert!(length > 0, "{:?}", String::from_utf8_lossy(&shown));
        shown.extend_from_slice(&some[..length]);
    }
    log.write_all(&lines).unwrap();
    drop(log);
    terminal.read_to_end(&mut shown).unwrap();
    script.wait().unwrap();
    let shown = String::from_utf8(shown).unwrap();
    let last = shown.rsplit("\u{1b}[K").next().unwrap();
    assert!(last.contains("203.0.113.7") && last.contains("6 lines"), "{shown:?}");
    // As long as it takes until progress is shown on a terminal, and longer.
    let slowly = format!(
        "(cat {log}; sleep 1.5; cat {log}) | {banmap} -c {config} replay -",
        log = scene.path(LOG).display(),
        config = config.display()
    );
    let piped = Command::new("sh").args(["-c", &slowly]).output().unwrap();
    assert!(!String::from_utf8(piped.stderr).unwrap().contains("read "));
}

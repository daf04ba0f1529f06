//! The command line as clap sees it.

use clap::Parser;

use super::{Cli, command};

/// The verbs of this version, as README lists them.
const VERBS: [&str; 22] = [
    "run",
    "check",
    "replay",
    "test",
    "top",
    "status",
    "list",
    "why",
    "history",
    "ban",
    "unban",
    "allow",
    "pause",
    "resume",
    "release",
    "empty",
    "reload",
    "ping",
    "snippet",
    "import",
    "completions",
    "man",
];

fn read(line: &str) -> Result<Cli, String> {
    let words = shell(line);
    Cli::try_parse_from(std::iter::once("banmap".to_owned()).chain(words)).map_err(|error| error.to_string())
}

/// Splits at blanks; a word in quotes is one.
fn shell(line: &str) -> Vec<String> {
    let pieces = line.split('\'').enumerate();
    pieces
        .flat_map(|(i, piece)| match i % 2 {
            1 => vec![piece.to_owned()],
            _ => piece.split_whitespace().map(str::to_owned).collect(),
        })
        .collect()
}

#[test]
fn the_definitions_are_consistent() {
    command().debug_assert();
}

#[test]
fn every_verb_is_there_and_no_other() {
    let command = command();
    let found: Vec<_> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    assert_eq!(found, VERBS);
}

#[test]
fn every_verb_says_what_it_does() {
    for verb in command().get_subcommands() {
        let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(!about.is_empty() && !about.ends_with('.'), "{}: {about}", verb.get_name());
        for argument in verb.get_arguments() {
            assert!(argument.get_help().is_some(), "{} {}", verb.get_name(), argument.get_id());
        }
    }
}

#[test]
fn what_operators_type_is_understood() {
    for line in [
        "run",
        "-c x.toml run",
        "run -c x.toml",
        "check --effective --json",
        "replay",
        "replay a.log b.log.gz - --jail x --since 1h --source site --write nginx-geo=out.conf --json",
        "replay a.log --compare other.toml --all",
        "top",
        "top a.log b.log - --by user_agent --since 2026-05-01T10:00:00Z --limit 5 --source site --json",
        "test probe-paths access.log --missed --json",
        "test 'apache-auth[mode=\"aggressive\"]' --line '- - -' --format combined",
        "test ./my.toml - --source site",
        "status",
        "status wordpress --json",
        "list --jail wordpress --simulated --json",
        "why 203.0.113.7",
        "why 2001:db8::/64 --json",
        "history",
        "history 203.0.113.7 --since 7d --jail x --json",
        "ban 203.0.113.7 2001:db8::/64 --jail x --for 1h30m --reason 'scans us' --no-wait --json",
        "ban 203.0.113.7 --for forever",
        "ban -f -",
        "unban 203.0.113.7 --jail x",
        "unban --all --dry-run",
        "unban --jail x --since 1h",
        "unban -f list.txt --no-wait",
        "pause",
        "pause x --for 30m",
        "resume x",
        "release x --drop --json",
        "empty nginx",
        "empty /var/lib/banmap/out/old.conf",
        "reload",
        "ping",
        "snippet nginx",
        "import fail2ban",
        "import fail2ban /srv/fail2ban",
        "completions zsh",
        "man target/man",
    ] {
        if let Err(error) = read(line) {
            panic!("{line}: {error}");
        }
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for line in [
        "",
        "explode",
        "ban",
        "ban example.net",
        "ban 203.0.113.7 --for 0",
        "ban 203.0.113.7 --for 1hour",
        "ban 203.0.113.7 --jail -x",
        "unban",
        "unban --since 1h",
        "unban --all 203.0.113.7",
        "unban --all -f x",
        "unban 203.0.113.7 --since 1h",
        "pause --for forever",
        "why",
        "why 203.0.113.7 203.0.113.8",
        "history --since yesterday",
        "replay --write x=y",
        "replay --write list=",
        "replay --compare x --write list=y",
        "top --by agent",
        "top --limit 0",
        "top --since forever",
        "test probe-paths",
        "test probe-paths access.log --line x",
        "test probe-paths access.log --source a --format b",
        "snippet",
        "import",
        "import crowdsec",
        "completions tcl",
    ] {
        assert!(read(line).is_err(), "{line}");
    }
}

//! Verbs that talk to the daemon: exit codes, JSON, escaping, and where things are printed.

use std::fs;
use std::process::Stdio;

use assert_cmd::assert::Assert;
use banmap::ban::Origin;
use banmap::control::{
    BanLength, BanRow, Cap, ClientWay, Counting, Earlier, EvidenceRow, FailCode, FileState, FileStatus,
    HistoryRow, Hop, JailStatus, Near, OutputState, OutputStatus, Refusal, Reply, Request, SourceStatus,
    Status, WayEnd, Why,
};
use banmap::terms::{HistoryKind, Measure};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::fake_daemon::{FakeDaemon, banmap, banmap_at, configure};

/// What an attacker may have written into a request: clears the screen, turns the text's direction.
const EVIL: &str = "203.0.113.7 - - [01/May/2026] \"GET /\u{1b}[2J\u{9b}31m\u{202e} HTTP/1.1\" 404 0";

fn row(address: &str, reason: Option<&str>) -> BanRow {
    BanRow {
        address: address.parse().unwrap(),
        jail: "wordpress".parse().unwrap(),
        value: Measure::Ban,
        since: "2026-05-01T10:00:00Z".parse().unwrap(),
        until: None,
        offences: 5,
        origin: Origin::Log,
        reason: reason.map(str::to_owned),
        simulated: false,
        spared: Vec::new(),
    }
}

fn done() -> Reply {
    Reply::Done { messages: Vec::new(), bans: Vec::new(), refused: Vec::new() }
}

fn why(banned: bool) -> Reply {
    let event = HistoryRow {
        at: "2026-05-01T10:00:00Z".parse().unwrap(),
        event: HistoryKind::Banned,
        address: Some("203.0.113.7".parse().unwrap()),
        jail: Some("wordpress".parse().unwrap()),
        since: Some("2026-05-01T10:00:00Z".parse().unwrap()),
        until: Some("2026-05-01T11:00:00Z".parse().unwrap()),
        offences: Some(5),
        origin: Some(Origin::Log),
        reason: None,
        uid: None,
        text: None,
        simulated: false,
        value: Measure::Ban,
    };
    let evidence = EvidenceRow { at: event.at, jail: "wordpress".parse().unwrap(), text: EVIL.to_owned() };
    let near = Near {
        jail: "probe-paths".parse().unwrap(),
        address: "203.0.113.7".parse().unwrap(),
        offences: 2,
        weight: 2,
        maxretry: 3,
        findtime: SignedDuration::from_mins(10),
        what: Counting::Offences,
        simulated: false,
    };
    let earlier = Earlier {
        jail: "wordpress".parse().unwrap(),
        address: "203.0.113.7".parse().unwrap(),
        bans: 2,
        next: Some(SignedDuration::from_hours(16)),
    };
    let hop = |address: &str, entry: Option<&str>| Hop {
        address: address.parse().unwrap(),
        trusted_by: entry.map(str::to_owned),
    };
    let way = ClientWay {
        source: "site".parse().unwrap(),
        client: "x_forwarded_for".to_owned(),
        hops: vec![hop("10.0.0.5", Some("10.0.0.0/8 (trusted_proxies)")), hop("203.0.113.7", None)],
        end: WayEnd::NotTrusted,
        unread: Some("1.2.3.4\u{1b}[2J".to_owned()),
        lines: 1,
    };
    Reply::Why(Why {
        banned,
        challenged: false,
        bans: if banned { vec![row("203.0.113.7", None)] } else { Vec::new() },
        evidence: vec![evidence],
        history: vec![event],
        near: vec![near],
        earlier: vec![earlier],
        clients: vec![way],
        ..Why::of("203.0.113.7".parse().unwrap())
    })
}

fn status() -> Status {
    let file = FileStatus {
        path: "/var/log/nginx/access.log".to_owned(),
        lines: 12,
        unparsed: 0,
        last_line: None,
        mostly_from: None,
        dropped: 0,
        format: Some("combined".to_owned()),
        state: FileState::Live,
        error: None,
    };
    let output = OutputStatus {
        kind: "nginx-geo".to_owned(),
        entries: 2,
        generation: 7,
        published: Some("2026-05-01T10:00:00Z".parse().unwrap()),
        reloaded: None,
        state: OutputState::Verified,
        error: None,
        path: None,
        left_out: 0,
    };
    Status {
        version: "0.1.0".to_owned(),
        started: "2026-05-01T10:00:00Z".parse().unwrap(),
        jails: [(
            "wordpress".parse().unwrap(),
            JailStatus { bans_current: 2, evicted: 9, ..JailStatus::default() },
        )]
        .into(),
        sources: [("site".parse().unwrap(), SourceStatus { files: vec![file] })].into(),
        outputs: [("nginx".parse().unwrap(), output)].into(),
        caps: [("earlier bans".to_owned(), Cap { used: 7, limit: 7, gave_way: 3 })].into(),
        problems: Vec::new(),
    }
}

fn stdout(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).unwrap()
}

fn stderr(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stderr.clone()).unwrap()
}

fn json_lines(assert: &Assert) -> Vec<Value> {
    stdout(assert).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn without_a_daemon_every_question_and_order_exits_with_3() {
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path());
    for line in [
        "status",
        "list",
        "why 203.0.113.7",
        "history",
        "ban 203.0.113.7",
        "unban --all",
        "pause",
        "resume",
        "reload",
        "ping",
    ] {
        let arguments: Vec<_> = line.split(' ').collect();
        let ended = banmap_at(dir.path(), &arguments).assert().code(3);
        assert_eq!(stdout(&ended), "", "{line}");
        let told = stderr(&ended);
        assert!(told.contains("b.sock") && told.contains("systemctl start banmap"), "{line}: {told}");
    }
}

#[test]
fn wrong_usage_exits_with_2_and_help_with_0() {
    banmap().assert().code(2).stdout("");
    for line in ["explode", "ban", "ban example.net", "unban", "status --since 1h", "-c"] {
        let arguments: Vec<_> = line.split(' ').collect();
        banmap().args(arguments).assert().code(2).stdout("");
    }
    for line in ["--help", "-V", "help", "ban --help", "help unban"] {
        let arguments: Vec<_> = line.split(' ').collect();
        let ended = banmap().args(arguments).assert().code(0).stderr("");
        assert!(!stdout(&ended).is_empty(), "{line}");
    }
}

#[test]
fn a_named_configuration_has_to_exist() {
    let ended = banmap().args(["-c", "/nonexistent/x.toml", "status"]).assert().code(2);
    assert!(stderr(&ended).contains("/nonexistent/x.toml"), "{}", stderr(&ended));
    banmap().env("BANMAP_CONFIG", "/nonexistent/x.toml").arg("list").assert().code(2);
    banmap().env("BANMAP_DAEMON__SOCKET", "/nonexistent/x.sock").arg("list").assert().code(3);
}

#[test]
fn list_prints_one_object_a_line() {
    let bans = || vec![row("203.0.113.7", None), row("2001:db8::/64", Some("scans"))];
    let daemon = FakeDaemon::start(move |_| Reply::Bans(bans()));
    let ended =
        daemon.banmap(&["list", "--jail", "wordpress", "--simulated", "--json"]).assert().code(0).stderr("");
    let lines = json_lines(&ended);
    assert_eq!(lines.len(), 2);
    assert_eq!(
        lines[1],
        json!({"address": "2001:db8::/64", "jail": "wordpress", "since": "2026-05-01T10:00:00Z", "until": null,
               "offences": 5, "origin": "log", "reason": "scans", "simulated": false,
               "value": "ban"})
    );
    let asked = Request::List { jail: Some("wordpress".parse().unwrap()), simulated: true };
    assert_eq!(daemon.heard(), [asked]);
}

#[test]
fn list_is_a_table_for_people() {
    let daemon = FakeDaemon::start(|_| Reply::Bans(vec![row("203.0.113.7", Some("a\u{1b}[31mb"))]));
    let ended = daemon.banmap(&["list"]).assert().code(0).stderr("");
    let shown = stdout(&ended);
    assert!(shown.starts_with("ADDRESS") && shown.contains("203.0.113.7"), "{shown}");
    assert!(shown.contains("forever") && shown.contains("a\\x1b[31mb"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
}

#[test]
fn an_empty_list_is_no_data() {
    let daemon = FakeDaemon::start(|_| Reply::Bans(Vec::new()));
    daemon.banmap(&["list", "--json"]).assert().code(0).stdout("").stderr("");
    daemon.banmap(&["list"]).assert().code(0).stdout("");
}

#[test]
fn colours_are_for_terminals_and_those_who_insist() {
    let daemon = FakeDaemon::start(|_| why(true));
    let plain = daemon.banmap(&["why", "203.0.113.7"]).assert().code(0);
    assert!(!stdout(&plain).contains('\u{1b}'));
    let forced = daemon.banmap(&["why", "203.0.113.7"]).env("CLICOLOR_FORCE", "1").assert().code(0);
    assert!(stdout(&forced).contains("\u{1b}[31mbanned"), "{:?}", stdout(&forced));
    let both =
        daemon.banmap(&["why", "203.0.113.7"]).envs([("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).assert();
    assert!(stdout(&both).contains("\\x1b[2J"), "{:?}", stdout(&both));
}

#[test]
fn why_answers_in_its_exit_code_and_never_lets_a_log_line_speak_to_the_terminal() {
    for (banned, code) in [(true, 0), (false, 1)] {
        let daemon = FakeDaemon::start(move |_| why(banned));
        let shown = stdout(&daemon.banmap(&["why", "203.0.113.7"]).assert().code(code));
        assert!(shown.contains("GET /\\x1b[2J\\u{9b}31m\\u{202e} HTTP"), "{shown}");
        assert!(shown.contains("2 of 3 offences within 10m"), "{shown}");
        for part in [
            if banned { "203.0.113.7 is banned forever\n" } else { "203.0.113.7 is not banned\n" },
            "Client of 1 line, as source site finds it (client = x_forwarded_for)",
            "10.0.0.5  connected to the server, trusted proxy 10.0.0.0/8 (trusted_proxies)",
            "203.0.113.7  named by 10.0.0.5: the client, since it is no trusted proxy",
            "what stands before that is not believed: 1.2.3.4\\x1b[2J",
        ] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        assert!(
            shown.contains("wordpress: 203.0.113.7 banned 2 times before: the next ban lasts 16h"),
            "{shown}"
        );
        assert!(!shown.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{shown:?}");
        let ended = daemon.banmap(&["why", "203.0.113.7", "--json"]).assert().code(code);
        assert!(!stdout(&ended).contains(['\u{1b}', '\u{9b}', '\u{202e}']));
        assert_eq!(json_lines(&ended)[0]["evidence"][0]["text"], EVIL);
        assert_eq!(json_lines(&ended)[0]["banned"], banned);
    }
}

#[test]
fn status_exits_with_1_when_somebody_has_to_look() {
    let daemon = FakeDaemon::start(|_| Reply::Status(status()));
    let shown = stdout(&daemon.banmap(&["status"]).assert().code(0).stderr(""));
    let full = ["wordpress: 9 tracked addresses gave way", "earlier bans: 7 of 7 kept, 3 gave way"];
    assert!(full.iter().all(|line| shown.contains(line)), "{shown}");
    for part in ["wordpress", "/var/log/nginx/access.log", "nginx-geo", "verified", "live"] {
        assert!(shown.contains(part), "{part} missing in {shown}");
    }
    assert_eq!(json_lines(&daemon.banmap(&["status", "--json"]).assert().code(0)).len(), 1);
    let broken = |change: fn(&mut Status)| {
        let daemon = FakeDaemon::start(move |_| {
            let mut status = status();
            change(&mut status);
            Reply::Status(status)
        });
        daemon.banmap(&["status", "--json"]).assert().code(1);
        stdout(&daemon.banmap(&["status"]).assert().code(1))
    };
    let shown = broken(|status| status.problems.push("the log is of another format".to_owned()));
    assert!(shown.contains("! the log is of another format"), "{shown}");
    let shown = broken(|status| {
        for output in status.outputs.values_mut() {
            output.state = OutputState::Failed;
            output.error = Some("nginx: [emerg]\nin \u{1b}c".to_owned());
        }
    });
    assert!(shown.contains("! nginx: nginx: [emerg]\n    in \\x1bc"), "{shown}");
    broken(|status| {
        let files = status.sources.values_mut().flat_map(|source| &mut source.files);
        files.for_each(|file| file.state = FileState::Unreadable);
    });
}

#[test]
fn ban_sends_what_was_typed_and_tells_what_was_refused() {
    let daemon = FakeDaemon::start(|_| Reply::Done {
        messages: vec!["2 outputs have it".to_owned()],
        bans: vec![row("203.0.113.7", None)],
        refused: vec![Refusal {
            target: "127.0.0.1".to_owned(),
            reason: "loopback is never banned".to_owned(),
        }],
    });
    let line = ["ban", "203.0.113.7", "127.0.0.1", "--for", "forever", "--reason", "scans", "--no-wait"];
    let mut typed = daemon.banmap(&line);
    let ended = typed.env("SSH_CONNECTION", "198.51.100.9 50822 192.0.2.1 22").assert().code(1);
    assert!(stdout(&ended).starts_with("banned: 203.0.113.7 by wordpress"), "{}", stdout(&ended));
    assert!(stderr(&ended).contains("refused: 127.0.0.1: loopback is never banned"), "{}", stderr(&ended));
    let asked = Request::Ban {
        targets: vec!["203.0.113.7".parse().unwrap(), "127.0.0.1".parse().unwrap()],
        jail: None,
        duration: Some(BanLength::Forever),
        reason: Some("scans".to_owned()),
        own_address: Some("198.51.100.9".parse().unwrap()),
        force: false,
        dry_run: false,
        no_wait: true,
    };
    assert_eq!(daemon.heard(), [asked]);
    let lines = json_lines(&daemon.banmap(&["ban", "203.0.113.7", "--json"]).assert().code(1));
    assert_eq!((lines.len(), &lines[0]["addresses"]), (2, &json!(1)));
    assert_eq!(
        lines[1],
        json!({ "refused": "127.0.0.1", "reason": "loopback is never banned", "place": null })
    );
}

#[test]
fn a_long_file_is_one_command() {
    let daemon = FakeDaemon::start(|_| done());
    let addresses = (0..30_000).map(|i| format!("10.{}.{}.{}\n", i >> 16, (i >> 8) & 255, i & 255));
    let text = format!("# a list\n{}", addresses.collect::<String>());
    for verb in ["ban", "unban"] {
        daemon.banmap(&[verb, "-f", "-"]).write_stdin(text.clone()).assert().code(0);
    }
    let commands: Vec<usize> = daemon
        .heard()
        .into_iter()
        .map(|request| match request {
            Request::Ban { targets, .. } | Request::Unban { targets, .. } => targets.len(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(commands, [30_000, 30_000]);
}

#[test]
fn where_sudo_took_the_variables_away_the_shell_before_it_has_them() {
    let daemon = FakeDaemon::start(|_| done());
    let typed = daemon.banmap(&["ban", "203.0.113.7"]);
    let program = typed.get_program().to_str().unwrap();
    let arguments: Vec<_> = typed.get_args().map(|argument| argument.to_str().unwrap()).collect();
    let line = format!("env -u SSH_CLIENT -u SSH_CONNECTION {program} {}; true", arguments.join(" "));
    let shell = std::process::Command::new("sh")
        .args(["-c", &line])
        .env("SSH_CLIENT", "2001:db8::9 50822 22")
        .env_remove("SSH_CONNECTION")
        .output()
        .unwrap();
    assert!(shell.status.success(), "{shell:?}");
    let heard = daemon.heard();
    let [Request::Ban { own_address, .. }] = &*heard else { panic!("{heard:?} {shell:?}") };
    assert_eq!(own_address.map(|address| address.to_string()).as_deref(), Some("2001:db8::9"));
}

#[test]
fn mistakes_in_a_file_are_listed_and_the_rest_is_applied() {
    let daemon = FakeDaemon::start(|_| done());
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("list");
    fs::File::create(&list).unwrap();
    let file = list.to_str().unwrap();
    daemon.banmap(&["unban", "-f", file]).assert().code(0);
    assert_eq!(daemon.heard(), []);
    let ended =
        daemon.banmap(&["unban", "-f", "-"]).write_stdin("203.0.113.7\nexa\x1bmple\n").assert().code(1);
    assert!(stderr(&ended).contains("refused: stdin:2: `exa\\x1bmple`"), "{}", stderr(&ended));
    assert_eq!(daemon.heard().len(), 1);
    daemon.banmap(&["unban", "-f", "/nonexistent"]).assert().code(2);
}

#[test]
fn a_failure_has_the_exit_code_of_its_kind() {
    for (code, exit) in [(FailCode::Failed, 1), (FailCode::Usage, 2), (FailCode::Unavailable, 3)] {
        let message = "there is no jail `x`:\n  jails are \u{1b}y".to_owned();
        let daemon = FakeDaemon::start(move |_| Reply::Failed { message: message.clone(), code });
        let ended = daemon.banmap(&["pause", "x"]).assert().code(exit).stdout("");
        assert_eq!(stderr(&ended), "banmap: there is no jail `x`:\n  jails are \\x1by\n");
    }
    let daemon = FakeDaemon::start(|_| done());
    daemon.banmap(&["status"]).assert().code(1);
}

#[test]
fn orders_arrive_as_typed() {
    let daemon = FakeDaemon::start(|_| done());
    for line in [
        "ping",
        "reload",
        "resume",
        "pause wordpress --for 2h",
        "empty nginx",
        "unban --all --dry-run",
        "unban --all --forget",
    ] {
        let arguments: Vec<_> = line.split(' ').collect();
        daemon.banmap(&arguments).assert().code(0);
    }
    let jail = Some("wordpress".parse().unwrap());
    let unban = |forget, dry_run| Request::Unban {
        targets: Vec::new(),
        all: true,
        jail: None,
        since: None,
        forget,
        dry_run,
        no_wait: false,
    };
    let expected = [
        Request::Ping,
        Request::Reload,
        Request::Resume { jail: None },
        Request::Pause { jail, duration: Some(SignedDuration::from_hours(2)) },
        Request::Empty { what: "nginx".to_owned() },
        unban(false, true),
        unban(true, false),
    ];
    assert_eq!(daemon.heard(), expected);
}

#[test]
fn history_is_shown_and_printed() {
    let rows = || match why(true) {
        Reply::Why(why) => why.history,
        other => panic!("{other:?}"),
    };
    let daemon = FakeDaemon::start(move |_| Reply::History(rows()));
    let shown = stdout(&daemon.banmap(&["history"]).assert().code(0));
    assert!(shown.contains("2026-05-01 10:00:00Z") && shown.contains("banned"), "{shown}");
    let lines = json_lines(&daemon.banmap(&["history", "--json"]).assert().code(0));
    assert_eq!(lines[0]["event"], "banned");
}

#[test]
fn a_reader_that_leaves_ends_it_quietly() {
    let bans = || (0..20_000_u32).map(|i| row(&std::net::Ipv4Addr::from(i << 8).to_string(), None)).collect();
    let daemon = FakeDaemon::start(move |_| Reply::Bans(bans()));
    let made = daemon.banmap(&["list", "--json"]);
    let mut command = std::process::Command::new(made.get_program());
    command.args(made.get_args()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), "");
    assert!(ended.status.success(), "{:?}", ended.status);
}

#[test]
fn completions_and_manual_pages_know_every_verb() {
    for shell in ["bash", "zsh", "fish"] {
        let ended = banmap().args(["completions", shell]).assert().code(0).stderr("");
        assert!(stdout(&ended).contains("unban"), "{shell}");
    }
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("man/man1");
    banmap().arg("man").arg(&pages).assert().code(0).stdout("").stderr("");
    let page = fs::read_to_string(pages.join("banmap-unban.1")).unwrap();
    assert!(page.contains("dry\\-run"), "{page}");
    for verb in ["banmap.1", "banmap-run.1", "banmap-man.1"] {
        assert!(pages.join(verb).exists(), "{verb}");
    }
    let target = dir.path().join("file");
    fs::File::create(&target).unwrap();
    banmap().arg("man").arg(target.join("x")).assert().code(1);
}

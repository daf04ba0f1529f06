//! Small set-ups in fail2ban's language and what becomes of them.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use toml::Table;

use super::{Imported, MigrateError, from_fail2ban};
use crate::config::{self, Needs, Options};

/// What most set-ups begin with.
const BASE: &str = "\
[DEFAULT]
bantime = 10m
findtime = 10m
maxretry = 5
usedns = warn
mode = normal
banaction = iptables-multiport
filter = %(__name__)s[mode=%(mode)s]
action = %(banaction)s[port=\"%(port)s\", protocol=\"tcp\"]
port = 0:65535
web_log = /srv/logs/nginx/*access.log
[web]
logpath = %(web_log)s
[other]
logpath = /srv/other.log
";

/// A filter that can be compiled.
const FILTER: &str = "[Definition]\nfailregex = ^<HOST> -.*\"GET /<what> \nwhat = x\n";

struct Tree(TempDir);

impl Tree {
    /// `jail.conf` is `BASE`, and there are the filters `web` and `other`.
    fn with(files: &[(&str, &str)]) -> Self {
        let tree = Self(TempDir::new().unwrap());
        tree.write("jail.conf", BASE);
        tree.write("filter.d/web.conf", FILTER);
        tree.write("filter.d/other.conf", FILTER);
        for (name, text) in files {
            tree.write(name, text);
        }
        tree
    }

    #[allow(clippy::disallowed_methods, reason = "a test's own files")]
    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn import(&self) -> Imported {
        from_fail2ban(self.path()).unwrap()
    }

    /// The configuration that is printed; it passes `check` without a warning.
    fn checked(&self) -> Table {
        let text = self.import().text;
        self.write("banmap.toml", &text);
        let options = Options {
            environment: Vec::new(),
            ..Options::new(Some(self.path().join("banmap.toml")), Needs::RUN)
        };
        let problems = config::check(&options).problems.to_string();
        assert_eq!(problems, "", "{text}");
        text.parse().unwrap()
    }
}

fn toml(text: &str) -> Table {
    text.parse().unwrap()
}

/// What is carried over from a jail `web` with these options.
fn web(options: &str) -> (Table, String) {
    let tree = Tree::with(&[("jail.local", &format!("[web]\nenabled = true\n{options}"))]);
    let all = tree.checked();
    (all["jail"]["web"].as_table().unwrap().clone(), tree.import().text)
}

#[test]
fn an_enabled_jail_is_carried_over_whole() {
    let tree = Tree::with(&[("jail.local", "[web]\nenabled = true\nmaxretry = 3\n")]);
    let all = tree.checked();
    assert_eq!(all["jail"], toml("[web]\nfilter = 'web[mode=normal]'\nmaxretry = 3\n").into());
    assert_eq!(all["source"], toml("[nginx-access]\npath = '/srv/logs/nginx/*access.log'\n").into());
    assert_eq!(
        all["defaults"],
        toml("maxretry = 5\nfindtime = '10m'\nbantime = '10m'\nescalation = false\n").into()
    );
    assert_eq!(all["output"], toml("[unread]\nkind = 'list'\n").into());
    assert_eq!(tree.import().carried.len(), 1);
}

#[test]
fn files_hold_in_the_order_of_fail2ban() {
    let (conf, local) =
        ("[web]\nenabled = true\nmaxretry = 7\nfindtime = 7\n", "[web]\nfindtime = 8\nbantime = 8\n");
    let last = "[web]\nbantime = 9\n";
    let tree = Tree::with(&[("jail.d/z.conf", conf), ("jail.local", local), ("jail.d/a.local", last)]);
    let web = &tree.checked()["jail"]["web"];
    assert_eq!(web["maxretry"].as_integer(), Some(7));
    assert_eq!(web["findtime"].as_integer(), Some(8));
    assert_eq!(web["bantime"].as_integer(), Some(9));
}

#[test]
fn bans_grow_as_they_did() {
    for (options, expected) in [
        ("bantime.increment = true", "{ factor = 2, max = '10485760m', decay = '1d', scope = 'jail' }"),
        (
            "bantime.increment = true\nbantime.maxtime = 1w\nbantime.overalljails = yes",
            "{ factor = 2, max = '7d', decay = '1d', scope = 'all' }",
        ),
        (
            "bantime.increment = true\nbantime.multipliers = 1 5 30 60",
            "{ steps = ['10m', '50m', '5h', '10h'], decay = '1d', scope = 'jail' }",
        ),
        (
            "bantime.increment = true\nbantime.factor = 3\nbantime.maxtime = 4h",
            "{ steps = ['10m', '1h', '2h', '4h'], decay = '1d', scope = 'jail' }",
        ),
    ] {
        let (web, text) = web(options);
        let expected = toml(&format!("x = {expected}"));
        assert_eq!(web["escalation"], expected["x"], "{options}: {text}");
    }
    let (grown, text) = web("bantime.increment = true\nbantime.rndtime = 90\nbantime.formula = ban.Time * 3");
    assert_eq!(grown["jitter"].as_integer(), Some(90));
    assert!(text.contains("# not carried over: bantime.formula = ban.Time * 3 --"), "{text}");
    let (_, text) = web("bantime.factor = 3");
    assert!(text.contains("bantime.factor = 3 -- does nothing without bantime.increment"), "{text}");
}

#[test]
fn what_fail2ban_forgets_and_when() {
    let local = "[web]\nenabled = true\nbantime.increment = true\n";
    let server = "[Definition]\ndbpurgeage = 3d\n";
    let tree = Tree::with(&[("jail.local", local), ("fail2ban.local", server)]);
    assert_eq!(tree.checked()["jail"]["web"]["escalation"]["decay"].as_str(), Some("3d"));
}

#[test]
fn a_permanent_ban_is_forever_and_does_not_grow() {
    let (web, _) = web("bantime = -1\nbantime.increment = true");
    assert_eq!(web["bantime"].as_str(), Some("forever"));
    assert!(!web.contains_key("escalation"), "that of [defaults] is the same");
}

#[test]
fn every_jail_ignores_whom_it_ignored_and_nobody_else() {
    let local = "[DEFAULT]\nenabled = true\nignoreip = 10.0.0.0/8, office.example  10.1.0.0/255.255.0.0\n\
                 [other]\nignoreip = 10.0.0.0/8 192.0.2.1 300.1.1.1\n";
    let tree = Tree::with(&[("jail.local", local)]);
    let all = tree.checked();
    assert_eq!(all["defaults"]["ignoreip"].as_str(), Some("10.0.0.0/8"));
    assert_eq!(all["jail"]["web"]["ignoreip"], toml("x = ['dns:office.example', '10.1.0.0/16']")["x"]);
    assert_eq!(all["jail"]["other"]["ignoreip"].as_str(), Some("192.0.2.1"));
    assert!(tree.import().text.contains("# not carried over: ignoreip = 300.1.1.1 --"));
}

#[test]
fn a_file_is_read_by_one_source() {
    let local = "[DEFAULT]\nenabled = true\n[other]\nlogpath = /srv/logs/nginx/shop.access.log\n /srv/more.log tail\n";
    let tree = Tree::with(&[("jail.local", local)]);
    let all = tree.checked();
    let sources = "[nginx-access]\npath = ['/srv/logs/nginx/*access.log', '/srv/logs/nginx/shop.access.log']\n\
                   [srv-more]\npath = '/srv/more.log'\nformat = 'raw'\nread = 'end'\n";
    assert_eq!(all["source"], toml(sources).into());
    assert_eq!(all["jail"]["web"]["source"].as_str(), Some("nginx-access"));
    assert!(!all["jail"]["other"].as_table().unwrap().contains_key("source"), "it looks at all");
    assert!(tree.import().text.contains("# it now also reads /srv/logs/nginx/shop.access.log"));
}

#[test]
fn two_patterns_for_one_file_that_is_there_are_one_source() {
    let tree = Tree::with(&[("logs/a.access.log", "")]);
    let logs = tree.path().join("logs");
    let logs = logs.display();
    let local = format!(
        "[DEFAULT]\nenabled = true\n[web]\nlogpath = {logs}/a.*.log\n[other]\nlogpath = {logs}/*.access.log\n"
    );
    tree.write("jail.local", &local);
    assert_eq!(tree.checked()["source"].as_table().unwrap().len(), 1);
}

/// What a set-up whose jail `web` reads the journal says of it, in the jail or in its filter.
fn in_journal(jail: &str, filter: &str) -> Tree {
    let local = format!("[web]\nenabled = true\n{jail}\n");
    Tree::with(&[("jail.local", &local), ("filter.d/web.conf", &format!("{FILTER}{filter}\n"))])
}

#[test]
fn the_journal_is_read_as_the_jail_or_its_filter_says() {
    let systemd = "backend = systemd\n";
    let sshd = "_SYSTEMD_UNIT=sshd.service + _COMM=sshd";
    for (own, of_filter, name, journal) in [
        ("", "_SYSTEMD_UNIT=a.service + _COMM=b", "a", "_SYSTEMD_UNIT=a.service + _COMM=b"),
        ("", "_SYSTEMD_UNIT=a.service", "a", "a"),
        (
            "",
            "SYSLOG_IDENTIFIER=a _SYSTEMD_UNIT=b.service",
            "a",
            "SYSLOG_IDENTIFIER=a _SYSTEMD_UNIT=b.service",
        ),
        ("", "SYSLOG_IDENTIFIER='a b'", "a", "SYSLOG_IDENTIFIER=\"a b\""),
        ("journalmatch = _COMM=x\n  _UID=0", "_COMM=y", "x", "_COMM=x + _UID=0"),
        ("", sshd, "ssh", "_SYSTEMD_UNIT=ssh.service + _SYSTEMD_UNIT=sshd.service + _COMM=sshd"),
        ("", "_SYSTEMD_UNIT=sshd.service", "ssh", "_SYSTEMD_UNIT=ssh.service + _SYSTEMD_UNIT=sshd.service"),
        (
            "journalmatch = _SYSTEMD_UNIT=ssh.service + _COMM=sshd",
            sshd,
            "ssh",
            "_SYSTEMD_UNIT=ssh.service + _COMM=sshd",
        ),
    ] {
        let tree = in_journal(&format!("{systemd}{own}"), &format!("journalmatch = {of_filter}"));
        let all = tree.checked();
        let source = &all["source"].as_table().unwrap()[&format!("journal-{name}")];
        assert_eq!((source["journal"].as_str(), source["format"].as_str()), (Some(journal), Some("journal")));
        assert_eq!(all["jail"]["web"]["filter"].as_str(), Some("web[mode=normal, logtype=journal]"));
        assert!(!tree.import().text.contains("journalmatch"), "{}", tree.import().text);
    }
    let tree = in_journal("backend = systemd[journalflags=1]\n", "journalmatch = _COMM=a");
    assert!(tree.import().text.contains("# not carried over: backend = systemd[journalflags=1] -- "));
}

#[test]
fn without_a_file_the_journal_is_read_where_it_is_known_what_of_it() {
    let matched = "journalmatch = _COMM=a";
    for (jail, filter, reads_journal) in [
        ("", matched, true),
        ("backend = auto\n", matched, true),
        ("backend = polling\n", matched, false),
        ("", "", false),
    ] {
        let tree = in_journal(jail, filter);
        let all = tree.checked();
        let key = if reads_journal { "journal" } else { "path" };
        let sources = all["source"].as_table().unwrap();
        assert!(sources.values().all(|source| source.get(key).is_some()), "{jail}{filter}: {sources:?}");
    }
    let tree = in_journal("", matched);
    tree.write("x.log", "");
    tree.write(
        "jail.local",
        &format!("[web]\nenabled = true\nlogpath = {} tail\n", tree.path().join("x.log").display()),
    );
    assert!(tree.checked()["source"].as_table().unwrap().values().all(|source| source.get("path").is_some()));
}

#[test]
fn what_a_jail_says_of_its_filter_goes_with_it() {
    let (web, _) = web("datepattern = ^%%Y \"%%m\"\nfailregex = ^<HOST> a, b]\nmaxlines = 2\n");
    assert_eq!(
        web["filter"].as_str(),
        Some("web[mode=normal, failregex=\"^<HOST> a, b]\", datepattern='^%Y \"%m\"', maxlines=2]")
    );
}

#[test]
fn actions_become_outputs_where_there_are_some() {
    let map = "[Definition]\nactionban = printf '<ip> -\\n' >> /etc/apache2/banned.txt\n";
    let log = "[Definition]\n# apache2\nactionban = echo <ip> >> /var/log/x\n";
    let files = [("action.d/own-map.conf", map), ("action.d/own-log.conf", log)];
    for (action, outputs) in [
        ("nginx-block-map", &["nginx"][..]),
        ("own-map[x=\"a b\"]", &["apache"]),
        ("own-map\n  nginx-block-map[y='z w']\n  own-map", &["nginx", "apache"]),
        ("own-log", &["unread"]),
        ("nftables-allports sendmail-whois[dest=x] cloudflare nothing", &["unread"]),
    ] {
        let tree = Tree::with(&files);
        tree.write("jail.local", &format!("[web]\nenabled = true\naction = {action}\n"));
        let all = tree.checked();
        let mut expected = outputs.to_vec();
        expected.sort_unstable();
        let found: Vec<&String> = all["output"].as_table().unwrap().keys().collect();
        assert_eq!(found, expected, "{action}");
    }
}

#[test]
fn a_jail_publishes_where_it_did() {
    let local = "[DEFAULT]\nenabled = true\n[web]\naction = nginx-block-map\n";
    let all = Tree::with(&[("jail.local", local)]).checked();
    assert_eq!(all["jail"]["web"]["outputs"].as_str(), Some("nginx"));
    assert_eq!(all["jail"]["other"]["outputs"].as_str(), Some("unread"));
}

#[test]
fn every_option_that_is_not_carried_over_is_told_in_its_place() {
    let options = "maxmatches = 9\nusedns = yes\nignorecommand = /bin/true <ip>\nignoreself = false\nlogencoding = latin1\n\
                   logtimezone = UTC\nbackend = polling\nport = http\nanything = else\nbanaction = ufw\nmaxretry = many\n";
    let (web, text) = web(options);
    assert_eq!(web["maxretry"].as_integer(), Some(3), "as fail2ban does without a value");
    let jail = &text[text.find("[jail.web]").unwrap()..];
    for option in options.lines() {
        assert!(jail.contains(&format!("# not carried over: {option} -- ")), "{option}: {jail}");
    }
    assert!(jail.contains("# not carried over: action = ufw -- "), "{jail}");
    assert!(text.contains("# not carried over: usedns = warn -- "), "{text}");
    assert!(text.contains("names them: web_log\n"), "{text}");
}

#[test]
fn what_cannot_work_is_left_out_and_told() {
    for (options, why) in [
        ("filter = nothing", "cannot be read"),
        ("filter = ../web", "no filter's name"),
        ("failregex = ^no host (", "filter web: "),
        ("failregex = ^<HOST> a\n  ^<HOST> b", "several lines"),
        ("logpath =", "has no logpath"),
        ("logpath = relative.log", "has no logpath"),
        ("logpath = %(nothing)s", "there is no value for %(nothing)s"),
        ("backend = systemd", "says nothing about the journal"),
        ("backend = systemd\njournalmatch = --file=/x", "journalmatch: `--file` is no field of the journal"),
        ("backend = systemd\njournalmatch = _COMM='a", "journalmatch: "),
    ] {
        let local = format!("[DEFAULT]\nenabled = true\n[web]\n{options}\n");
        let tree = Tree::with(&[("jail.local", &local)]);
        let all = tree.checked();
        let imported = tree.import();
        assert!(!all["jail"].as_table().unwrap().contains_key("web"), "{options}");
        let [(jail, told)] = &imported.left_out[..] else { panic!("{options}: {:?}", imported.left_out) };
        assert_eq!(jail, "web");
        assert!(told.contains(why), "{options}: {told}");
        assert!(imported.text.contains("\n# left out: "), "{}", imported.text);
    }
}

#[test]
fn who_comes_back_is_counted_by_bans() {
    let local = "[DEFAULT]\nenabled = true\n[recidive]\nlogpath = /var/log/fail2ban.log\nbantime = 1w\n";
    let all = Tree::with(&[("jail.local", local)]).checked();
    assert_eq!(all["jail"]["recidive"], toml("source = 'bans'\nbantime = '7d'\n").into());
    let alone = Tree::with(&[("jail.local", "[recidive]\nenabled = true\n")]).import();
    assert_eq!(alone.carried, [], "{}", alone.text);
}

#[test]
fn no_text_leaves_its_comment_or_its_string() {
    let (_, text) = web("anything = a\n [jail.evil]\n enabled = true\n");
    assert!(text.contains("anything = a [jail.evil] enabled = true --"), "{text}");
    let tree = Tree::with(&[(
        "jail.local",
        "[a\"b c]\nenabled = true\nfilter = web\nlogpath = /x/\"y\".log\n[manual]\nenabled=1\nfilter=web\nlogpath=/z\n",
    )]);
    let all = tree.checked();
    assert_eq!(all["jail"].as_table().unwrap().keys().collect::<Vec<_>>(), ["a-b-c", "manual-2"]);
}

#[test]
fn no_set_up_and_no_enabled_jail_are_told() {
    let empty = TempDir::new().unwrap();
    assert!(matches!(from_fail2ban(empty.path()), Err(MigrateError::NoJails(_))));
    assert!(matches!(from_fail2ban(Tree::with(&[]).path()), Err(MigrateError::NoneEnabled(_))));
    let broken = Tree::with(&[("jail.d/x.conf", "nothing\n")]);
    assert!(matches!(from_fail2ban(broken.path()), Err(MigrateError::Written(_))));
}

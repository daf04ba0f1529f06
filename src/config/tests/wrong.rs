//! What is said about wrong configurations: where, what, and the fix.

use proptest::prelude::*;

use super::*;

/// A whole useful configuration, so that only what is under test is wrong.
fn with(text: &str) -> Vec<String> {
    told(&format!("[source.site]\npath = \"/l/a.log\"\n{text}"))
}

#[track_caller]
fn assert_told(told: &[String], expected: &[&str]) {
    assert_eq!(told, expected, "\n{}", told.join("\n"));
}

#[test]
fn every_problem_of_every_file_is_told_at_once() {
    let site = Site::new("[source.site]\npath = 5\nformt = \"auto\"\n[daemon]\nlog = \"jsn\"\nstate = [\n")
        .file("conf.d/a.toml", "x = = 1\n[defaults]\nmaxretry = 0\n")
        .file("conf.d/b.toml", "[output.o]\nkind = \"nginx-geo\"\nvariable = \"$bad\"\nmode = 640\n");
    let told = site.told();
    for expected in [
        "banmap.toml:2:8: [source.site] path: must be a text in quotes, not a whole number",
        "banmap.toml:3:1: unknown key `formt` of [source.site] | did you mean `format`?",
        "banmap.toml:5:7: [daemon] log: must be \"text\" or \"json\", not \"jsn\" | did you mean \"json\"?",
        "conf.d/a.toml:3:12: [defaults] maxretry: must be from 1 to 1000000, not 0",
        "conf.d/b.toml:3:12: [output.o] variable: `$bad` is no name for an nginx variable | write it without `$`: \"bad\"",
        "conf.d/b.toml:4:8: [output.o] mode: must be a text of octal digits | write it as an octal text: mode = \"0640\"",
    ] {
        assert!(told.iter().any(|one| one == expected), "{expected}\n\n{}", told.join("\n"));
    }
    assert!(told.iter().any(|one| one.starts_with("banmap.toml:6:") && one.contains("not valid TOML")));
    assert!(
        told.iter().any(|one| one.starts_with("conf.d/a.toml:1:5: not valid TOML")),
        "{}",
        told.join("\n")
    );
}

#[test]
fn what_may_only_be_unreadable_is_not_called_missing() {
    let told = told("[source.site\npath = \"/l/a.log\"\n[jail.x]\nsource = \"site\"\n[output.o]\n");
    assert_begin(&told, &["banmap.toml:1:13: not valid TOML: unclosed table, expected `]`"]);
}

#[test]
fn a_problem_points_into_its_line() {
    let problems = Site::new("# ümlaut\n[daemon]\n  log = \"jsn\" # ü\n").needs(Needs::FILTERS).problems();
    let rendered = problems.to_string();
    let pointed = "3 |   log = \"jsn\" # ü\n  |         ^^^^^\n";
    assert!(rendered.contains(pointed), "{rendered}");
    assert!(rendered.starts_with("error: [daemon] log: must be"), "{rendered}");
    assert!(rendered.contains("help: did you mean \"json\"?"), "{rendered}");
    assert!(!rendered.contains('\u{1b}') && problems.render(true).contains('\u{1b}'));
}

#[test]
fn missing_and_unreadable_files() {
    let site = Site::empty();
    let told = site.told();
    assert!(
        told[0].starts_with("there is no configuration: banmap.toml does not exist | create it"),
        "{told:?}"
    );
    let named = Options { path: Some(site.path("none.toml")), needs: Needs::FILTERS, ..site.options() };
    let problem = load(&named).unwrap_err().to_string();
    assert!(
        problem.contains("none.toml: No such file") && problem.contains("-c or BANMAP_CONFIG"),
        "{problem}"
    );
    let told = Site::empty().file("banmap.toml", b"[daemon]\n\xff").told();
    assert!(told[0].contains("it is not UTF-8 (line 2)"), "{told:?}");
    let directory = Site::empty().file("banmap.toml/x", "");
    assert!(directory.told()[0].contains("Is a directory"));
    let told = Site::new("").file("conf.d", "").told();
    assert!(told.iter().any(|one| one.contains("cannot read conf.d: Not a directory")), "{told:?}");
}

#[test]
fn unknown_keys_and_those_of_other_versions_and_programs() {
    assert_told(
        &with("bantime = 5\n[daemon]\nhttp = \"127.0.0.1:9417\"\nloglevel = \"INFO\"\n[jial.x]\n"),
        &[
            "banmap.toml:3:1: unknown key `bantime` of [source.site] | the keys here are path, logpath, stdin, listen, journal, owner, mode, format, fields, escape, client, guard, read, host_from_path",
            "banmap.toml:5:1: `http` of [daemon] is not supported by this version | remove it",
            "banmap.toml:6:1: unknown key `loglevel` of [daemon] | the log goes to stderr; `log` of [daemon] is \"text\" or \"json\"",
            "banmap.toml:7:2: unknown key `jial` | did you mean `jail`?",
        ],
    );
}

#[test]
fn sources() {
    let text = "[source.a]\npath = [\"/l/x.log\", \"/l/x.log\", \"/l/a**\", \"\"]\nlogpath = \"y\"\n\
                [source.b]\npath = \"/l/x.log\"\nformat = \"combine\"\nread = \"start\"\n\
                [source.c]\nformat = '$remote_addr [$time_local]'\nescape = \"json\"\nclient = \"user_agent\"\nguard = 1\npath = []\n\
                [source.\"d e\"]\npath = \"/x\"\n[source.e]\nfields = {}\n[source.f]\n";
    assert_told(
        &told(text),
        &[
            "banmap.toml:2:21: [source.a] path: `/l/x.log` is named twice | remove one",
            "banmap.toml:2:33: [source.a] path: `/l/a**` is no file pattern: recursive wildcards must form a single path component (at byte 3) | `*`, `?`, `[…]` and `**` as a whole directory are special",
            "banmap.toml:2:43: [source.a] path: is empty",
            "banmap.toml:3:1: [source.a] logpath: is the same setting as `path`, and both are given | remove one of them, or join both in `path`",
            "banmap.toml:5:8: [source.b] path: `/l/x.log` is already read by [source.a] | a file belongs to one source, and any number of jails can look at that",
            "banmap.toml:6:10: [source.b] format: `combine` is no format | did you mean \"combined\"?",
            "banmap.toml:7:8: [source.b] read: must be \"recent\", \"beginning\" or \"end\", not \"start\"",
            "banmap.toml:11:10: [source.c] client: the field `user_agent` never holds a client's address; write \"remote_addr\", or a header such as \"x_forwarded_for\"",
            "banmap.toml:12:9: [source.c] guard: must be true or false, without quotes, not a whole number",
            "banmap.toml:13:8: [source.c] path: names no file",
            "banmap.toml:14:9: source `d e` is no usable name: letters, digits, `-`, `_` and `.` are, at most 64 of them, not beginning with `-` or `.`",
            "banmap.toml:16:9: [source.e] path: is missing | say which logs it reads: path = \"/var/log/nginx/*access.log\" (or stdin, listen, journal)",
            "banmap.toml:17:1: [source.e] fields: says where the fields of JSON lines stand | write `format = \"json\"` with it, or leave `fields` out",
            "banmap.toml:18:9: [source.f] path: is missing | say which logs it reads: path = \"/var/log/nginx/*access.log\" (or stdin, listen, journal)",
        ],
    );
}

const HEADER: &str = "[source.site]\npath = \"/l/a.log\"\nclient = \"x_forwarded_for\"\n";
const TRUSTING: &str = "[real_ip]\ntrusted_proxies = \"10.0.0.5\"\n";

#[test]
fn a_header_of_nobody_who_is_trusted_is_refused() {
    let told = told(HEADER);
    assert_begin(
        &told,
        &[
            "banmap.toml:3:10: [source.site] client: no proxy is trusted, so `x_forwarded_for` would never count | name the proxies",
        ],
    );
    for needs in [Needs::RUN, Needs::TEST, Needs::REPLAY] {
        Site::new(&format!("{HEADER}{TRUSTING}")).needs(needs).load();
        assert_eq!(Site::new(HEADER).needs(needs).told().len(), 1);
    }
    for (format, told) in [("combined", 1), ("raw", 1), ("combined_xff", 0), ("auto", 0)] {
        let (_, problems) = crate::config::load::read(
            &Site::new(&format!("{HEADER}format = \"{format}\"\n{TRUSTING}")).options(),
        );
        let errors: Vec<_> =
            problems.iter().filter(|p| p.severity == Severity::Error).map(|p| p.what.as_str()).collect();
        assert_eq!(errors, vec!["[source.site] client: the format has no field `x_forwarded_for`"; told]);
    }
}

#[test]
fn bans_of_addresses_that_a_server_never_compares_are_refused() {
    let jails = "jails = [\"probe-paths\"]\n";
    let output =
        |kind: &str, more: &str| format!("{jails}{HEADER}{TRUSTING}[output.o]\nkind = \"{kind}\"\n{more}");
    assert_begin(
        &told(&output("nginx-geo", "")),
        &[
            "banmap.toml:4:10: [source.site] client: jail probe-paths bans clients of `x_forwarded_for` in [output.o], whose server \
           compares the address that connects to it: their bans would have no effect | let nginx take it itself (`set_real_ip_from \
           PROXY; real_ip_header X-Forwarded-For; real_ip_recursive on;`) and write client = \"remote_addr\"; or, where its gate \
           looks up the same header, compares = \"client\" under [output.o]",
        ],
    );
    let apache = told(&output("apache-rewritemap", "compares = \"remote_addr\"\n"));
    assert!(
        apache[0].contains("(`RemoteIPHeader X-Forwarded-For` with `RemoteIPInternalProxy PROXY`)"),
        "{apache:?}"
    );
    for fine in [
        output("list", ""),
        output("nginx-geo", "compares = \"client\"\n"),
        output("nginx-geo", "[jail.probe-paths]\nsimulate = true\n"),
        output("nginx-geo", "[output.l]\nkind = \"list\"\n[jail.probe-paths]\noutput = \"l\"\n"),
        output("nginx-geo", "").replace("x_forwarded_for", "remote_addr"),
    ] {
        Site::new(&fine).load();
    }
    assert_begin(
        &told(&output("nginx-geo", "compares = \"peer\"\n")),
        &["banmap.toml:9:12: [output.o] compares: must be \"remote_addr\" or \"client\""],
    );
    assert_begin(
        &told(&output("list", "compares = \"client\"\n")),
        &["banmap.toml:9:1: [output.o] compares: means nothing for kind \"list\""],
    );
}

#[test]
fn fields_of_json_lines() {
    assert_told(
        &told(
            "[source.a]\npath = \"/l/a\"\nformat = \"json\"\nfields = { path = \"request.uri\" }\n\
             [source.b]\npath = \"/l/b\"\nformat = \"json\"\n[source.b.fields]\nclient = [\"ip\", \"a..b\"]\nPath = \"uri\"\nmethod = 5\n\
             [source.c]\npath = \"/l/c\"\nfields = { client = \"ip\" }\n\
             [source.d]\npath = \"/l/d\"\nformat = \"json\"\nfields = \"ip\"\n",
        ),
        &[
            "banmap.toml:4:1: [source.a] fields: says not under which key the client's address stands | add the key of the client's address: client = \"remote_addr\"",
            "banmap.toml:9:17: [source.b.fields] client: `a..b` is no path: one to six keys with `.` between them",
            "banmap.toml:10:1: [source.b.fields] Path: is no name of a field | did you mean `path`?",
            "banmap.toml:11:10: [source.b.fields] method: must be a text in quotes, not a whole number",
            "banmap.toml:14:1: [source.c] fields: says where the fields of JSON lines stand | write `format = \"json\"` with it, or leave `fields` out",
            "banmap.toml:18:10: `source.d.fields` must be a table, not a text | write it as [source.d.fields]",
        ],
    );
}

#[test]
fn formats() {
    assert_told(
        &told(
            "[source.a]\npath = \"/a\"\nformat = \"combined\"\nescape = \"json\"\n\
             [source.b]\npath = \"/b\"\nformat = ['$remote_addr ', '$http_a $http_b']\nescape = \"jsom\"\n\
             [source.c]\npath = \"/c\"\nformat = []\n\
             [source.d]\npath = \"/d\"\nformat = 7\n\
             [source.e]\npath = \"/e\"\nformat = '%a %Y'\n\
             [source.f]\npath = \"/f\"\nformat = '\"$http_x_forwarded_for\" $status'\n\
             [source.h]\npath = \"/h\"\nescape = \"none\"\n",
        ),
        &[
            "banmap.toml:4:10: [source.a] escape: `escape` goes with a format string; how `combined` is escaped is known | leave `escape` out",
            "banmap.toml:7:10: [source.b] format: `$http_a` and `$http_b` can hold blanks and whatever a client sends, and no quote is between them: where the one ends and the other begins cannot be known (at byte 21) | put quotes around one of them (\"$http_a\"), in the server's configuration too",
            "banmap.toml:8:10: [source.b] escape: must be \"default\", \"json\" or \"none\", not \"jsom\" | did you mean \"json\"?",
            "banmap.toml:11:10: [source.c] format: holds no text | leave it out, or name a format",
            "banmap.toml:14:10: [source.d] format: must be a text in quotes, not a whole number",
            "banmap.toml:17:10: [source.e] format: `%Y` is no directive of LogFormat that can be read: it is not known (at byte 3) | take it out of the log, or put it behind the format's end, where anything may stand",
            "banmap.toml:20:10: [source.f] format: has no client address: no record of it would name anybody | add `$remote_addr` (nginx) or `%a` (Apache) to the server's format",
            "banmap.toml:23:10: [source.h] escape: `escape` goes with a format string; how `auto` is escaped is known | leave `escape` out",
        ],
    );
}

#[test]
fn a_format_that_can_be_forged_is_warned_about() {
    let warned = Site::new(
        "[source.g]\npath = \"/g\"\nformat = '$remote_addr \"$request\"'\nescape = \"none\"\n[jail.trap]\nfilter = \"x\"\n\
         [filter.x]\nrule = [{ path = 'x' }]\n[output.o]\nkind = \"list\"\n",
    )
    .warned();
    let expected = "banmap.toml:3:10: [source.g] escape: with escape=none a client can write anything into \"$request\" | let the server escape";
    assert!(warned.len() == 1 && warned[0].starts_with(expected), "{warned:#?}");
}

#[test]
fn fields_that_no_format_has() {
    let site = |source: &str, jail: &str| {
        Site::new(&format!(
            "[source.s]\npath = \"/l\"\n{source}\n[output.o]\nkind = \"list\"\n[filter.x]\nrule = [{{ status = 404 }}]\n\
             [filter.up]\nrule = [{{ upstream_status = [502] }}]\n[filter.bot]\nrule = [{{ user_agent = 'x' }}]\n[jail.j]\n{jail}\n"
        ))
    };
    let jails = |source: &str, jail: &str| site(source, jail).told();
    let own = "format = '$remote_addr \"$request\" $status $upstream_status'";
    site(own, "filter = \"up\"\ndistinct = \"upstream_status\"").load();
    site(own, "filter = \"x\"\nwhere = [{ upstream_status = '^5' }, { user_agent = 'x' }]").load();
    let one = |source: &str, jail: &str, expected: &str| {
        let told = jails(source, jail);
        assert!(told.len() == 1 && told[0].contains(&format!(":1: [jail.j] {expected}")), "{told:#?}");
    };
    one(
        "format = \"combined\"",
        "filter = \"up\"",
        "the filter `up`: looks at the field `upstream_status`, which no format of its sources has | ",
    );
    one(
        own,
        "filter = \"bot\"",
        "the filter `bot`: looks at the field `user_agent`, which no format of its sources has | ",
    );
    one(
        "format = \"raw\"",
        "filter = \"x\"",
        "the filter `x`: looks at the field `status`, which no format of its sources has | their lines are raw",
    );
    let told = jails(own, "filter = \"x\"\ndistinct = \"upstream_statos\"");
    assert!(told.len() == 1 && told[0].ends_with("did you mean `upstream_status`?"), "{told:#?}");
    let told = jails(own, "filter = \"x\"\nignore = [{ bot = 'x' }]");
    assert!(told.len() == 1 && told[0].contains("ignore: looks at the field `bot`"), "{told:#?}");
}

#[test]
fn sources_that_are_no_files() {
    let text = "[source.a]\nstdin = true\nread = \"end\"\n[source.b]\nstdin = true\nlisten = \"udp:127.0.0.1:5514\"\n\
                [source.c]\nlisten = \"udp:5514\"\nowner = \"www-data\"\n[source.d]\nlisten = \"udp:127.0.0.1:5514\"\nmode = \"0666\"\n\
                [source.e]\nlisten = \"udp:[::1]:5514\"\n[source.f]\nlisten = \"udp:[::1]:5514\"\n[source.g]\njournal = \"a b\"\n\
                [source.h]\njournal = \"nginx\"\nowner = \"x\"\n[source.i]\npath = \"/l/a.log\"\nmode = \"0660\"\n[source.j]\nstdin = false\n\
                [source.k]\nstdin = \"yes\"\n";
    assert_told(
        &told(text),
        &[
            "banmap.toml:3:1: [source.a] read: means nothing for `stdin` | remove it: what arrives is read from now on",
            "banmap.toml:5:9: [source.b] stdin: `stdin` is already read by [source.a] | a file belongs to one source, and any number of jails can look at that",
            "banmap.toml:6:1: [source.b] listen: this source has `stdin` already: it reads one of path, stdin, listen and journal | make it a source of its own",
            "banmap.toml:8:10: [source.c] listen: `5514` is no address with a port | write an address of this host and a port: \"udp:127.0.0.1:5514\", \"udp:[::1]:5514\"",
            "banmap.toml:12:1: [source.d] mode: means nothing for `listen` | remove it: only a unix socket under `listen` has it",
            "banmap.toml:16:10: [source.f] listen: `udp:[::1]:5514` is already read by [source.e] | a file belongs to one source, and any number of jails can look at that",
            "banmap.toml:18:11: [source.g] journal: `a` is no `FIELD=value` | write \"nginx\", or \"_SYSTEMD_UNIT=ssh.service + _COMM=sshd\"",
            "banmap.toml:21:1: [source.h] owner: means nothing for `journal` | remove it: only a unix socket under `listen` has it",
            "banmap.toml:24:1: [source.i] mode: means nothing for `path` | remove it: only a unix socket under `listen` has it",
            "banmap.toml:25:9: [source.j] path: is missing | say which logs it reads: path = \"/var/log/nginx/*access.log\" (or stdin, listen, journal)",
            "banmap.toml:28:9: [source.k] stdin: must be true or false, without quotes, not a text",
        ],
    );
}

#[test]
fn a_file_that_two_sources_match_now() {
    let site = Site::new("[source.a]\npath = \"logs/*.log\"\n[source.b]\npath = [\"logs/x*\", \"logs/y\"]\n");
    assert_eq!(site.load().sources.len(), 2, "nothing is there yet");
    let told = site.file("logs/z.log", "").file("logs/xa.log", "").file("logs/y", "").told();
    assert_eq!(told.len(), 1, "{told:?}");
    let expected = "banmap.toml:3:9: [source.b] path: ";
    assert!(
        told[0].starts_with(expected) && told[0].contains("logs/xa.log is already read by [source.a]"),
        "{told:?}"
    );
}

#[test]
fn outputs() {
    let text = "[output.a]\npath = \"/o/x\"\n[output.b]\nkind = \"haproxy-map\"\n[output.c]\nkind = \"nginx\"\n\
                [output.d]\nkind = \"list\"\npath = \"/l/a.log\"\nvariable = \"x\"\nmode = \"0999\"\nowner = \"a b\"\nvalidate = \"nginx -t\"\n\
                [output.e]\nkind = \"nginx-geo\"\npath = \"/o/x/\"\nreload = { pid_file = \"/p\", command = [\"x\"] }\n\
                [output.f]\nkind = \"nginx-geo\"\nreload = { pid_file = \"/p\", signal = \"KILL\", speed = 1 }\npath = \"/o/same\"\n\
                [output.g]\nkind = \"list\"\nreload = \"externl\"\npath = \"/o/same\"\nmin_interval = \"forever\"\nvalidate = [\"./x\"]\n";
    assert_told(
        &with(text),
        &[
            "banmap.toml:3:9: [output.a] kind: is missing | the kinds are \"nginx-geo\", \"apache-rewritemap\" or \"list\"",
            "banmap.toml:6:8: [output.b] kind: `haproxy-map` is not supported by this version | this version writes \"nginx-geo\", \"apache-rewritemap\" or \"list\"",
            "banmap.toml:8:8: [output.c] kind: there is no kind `nginx` | did you mean \"nginx-geo\"?",
            "banmap.toml:11:8: [output.d] path: /l/a.log would overwrite a log of [source.site] | write it to another directory",
            "banmap.toml:12:1: [output.d] variable: means nothing for kind \"list\" | remove it: only \"nginx-geo\" has it",
            "banmap.toml:13:8: [output.d] mode: is no file mode | write it as an octal text: mode = \"0640\"",
            "banmap.toml:14:9: [output.d] owner: `a b` names no user or group | write \"user\", \"user:group\" or \":group\"",
            "banmap.toml:15:12: [output.d] validate: is run without a shell: the program and each argument stand apart | write [\"nginx\", \"-t\"]",
            "banmap.toml:18:8: [output.e] path: names a directory | name the file inside it",
            "banmap.toml:19:1: [output.e] reload: says more than one way | write { pid_file = \"/run/nginx.pid\", signal = \"HUP\" }, { process = \"nginx\", signal = \"HUP\" }, { command = [\"…\"] }, \"external\" or \"none\"",
            "banmap.toml:22:38: [output.f.reload] signal: `KILL` would not reload a server | the signals that reload a server are HUP, USR1, USR2, WINCH",
            "banmap.toml:22:46: unknown key `speed` of [output.f.reload] | the keys here are pid_file, process, command, signal",
            "banmap.toml:26:10: [output.g] reload: is no way to reload a server | write { pid_file = \"/run/nginx.pid\", signal = \"HUP\" }, { process = \"nginx\", signal = \"HUP\" }, { command = [\"…\"] }, \"external\" or \"none\"",
            "banmap.toml:27:8: [output.g] path: /o/same is already written by [output.f] | give each output a file of its own",
            "banmap.toml:28:16: [output.g] min_interval: cannot be \"forever\"",
            "banmap.toml:29:12: [output.g] validate: `./x` must be a name that PATH finds, or an absolute path",
        ],
    );
}

#[test]
fn jails() {
    let text = "jails = [\"wordpres-login\", \"manual\", \"sshd[mode=x]\"]\n[source.site]\npath = \"/l/a.log\"\n\
                [defaults]\nignoreip = [\"localhost\", \"127.0.0.1/8 ::1\", \"dns:office!\"]\nfindtime = 0\n\
                [jail.plain]\nsource = \"sit\"\noutputs = [\"o\"]\nmaxretry = \"5\"\nbantime = -1\ngroup = { v4 = 4, v5 = 1 }\ndistinct = \"pth\"\n\
                value = \"deny\"\nport = \"http\"\n\
                [filter.plain]\nrule = [{ status = 404 }]\n[jail.b]\nfilter = \"plain\"\nsource = [\"site\", \"site\"]\nbantime = 0\nsimulate = 1\n\
                [jail]\nc = 1\nd = { filter = \"a/b\" }\n";
    assert_told(
        &told(text),
        &[
            "banmap.toml:1:10: [jail.wordpres-login] filter: there is no filter `wordpres-login` | did you mean \"wordpress-login\"?",
            "banmap.toml:1:28: `manual` is the built-in jail of bans by hand | give the jail another name, and `filter` the filter's",
            "banmap.toml:1:38: jail `sshd[mode=x]` is no usable name: letters, digits, `-`, `_` and `.` are, at most 64 of them, not beginning with `-` or `.`",
            "banmap.toml:5:13: [defaults] ignoreip: `localhost` is not an IP address: write an address, a prefix such as \"192.0.2.0/24\", \"file:PATH\" or \"dns:NAME\"",
            "banmap.toml:5:26: [defaults] ignoreip: `127.0.0.1/8 ::1` holds several entries: write each as a text of its own, [\"192.0.2.1\", \"198.51.100.0/24\"]",
            "banmap.toml:5:45: [defaults] ignoreip: `office!` is no host name: letters, digits, `-` and `_`, with dots between parts of at most 63 of them: write \"dns:office.example\"",
            "banmap.toml:6:12: [defaults] findtime: must be longer than 0",
            "banmap.toml:8:10: [jail.plain] source: there is no [source.sit] | did you mean \"site\"?",
            "banmap.toml:9:12: [jail.plain] outputs: there is no [output.o] | there is none at all: add [output.o]",
            "banmap.toml:10:12: [jail.plain] maxretry: must be a whole number, not a text",
            "banmap.toml:11:11: [jail.plain] bantime: `-1` is negative: for a time without end write \"forever\"",
            "banmap.toml:12:16: [jail.plain.group] v4: must be from 8 to 32, not 4",
            "banmap.toml:12:19: unknown key `v5` of [jail.plain.group] | did you mean `v4`?",
            "banmap.toml:13:12: [jail.plain] distinct: `pth` is no field; fields are method, path, request_uri, query, status, host, referer, user_agent, user, protocol, bytes, and those that a log format names, in lower case with `_` | did you mean \"path\"?",
            "banmap.toml:14:9: [jail.plain] value: must be \"ban\" or \"challenge\", not \"deny\"",
            "banmap.toml:15:1: unknown key `port` of [jail.plain] | bans are published by outputs: [output.NAME], and `outputs` of the jail",
            "banmap.toml:20:19: [jail.b] source: \"site\" is named twice | remove one",
            "banmap.toml:21:11: [jail.b] bantime: must be longer than 0 | to judge without banning write simulate = true",
            "banmap.toml:22:12: [jail.b] simulate: must be true or false, without quotes, not a whole number",
            "banmap.toml:24:5: `jail.c` must be a table, not a whole number | write it as [jail.c]",
            "banmap.toml:25:16: [jail.d] filter: `a/b` is no filter's name | put the file into filter.d beside the configuration, and give its name without .toml",
        ],
    );
}

/// The beginnings of what is told; other rooms word the rest.
#[track_caller]
fn assert_begin(told: &[String], expected: &[&str]) {
    assert_eq!(told.len(), expected.len(), "{}", told.join("\n"));
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{expected}\n{told}");
    }
}

#[test]
fn filters_and_conditions_are_told_at_their_place() {
    let text = "[source.site]\npath = \"/l/a.log\"\n[jail.a]\n[jail.b]\nfilter = \"c\"\n[jail.d]\n\
                [filter.a]\nsuggest = { maxretri = 1 }\n[[filter.a.rule]]\nstatus = 404\n[[filter.a.rule]]\nstatus = [200, \"x\"]\npath = '('\n\
                [[jail.a.where]]\nhost = \"(\"\nhots = \"x\"\n";
    let site = Site::new(text)
        .file("filter.d/c.conf", "[Definition]\n")
        .file("filter.d/d.toml", "failregex = [\n  '^x',\n  '(',\n]\nrules = 1\n");
    assert_begin(
        &site.told(),
        &[
            "banmap.toml:8:13: [filter.a] suggest.maxretri: ",
            "banmap.toml:12:16: [filter.a] rule[1].status[1]: ",
            "banmap.toml:13:1: [filter.a] rule[1].path: ",
            "banmap.toml:15:1: [jail.a] where.host: ",
            "banmap.toml:16:1: [jail.a] where.hots: ",
            "filter.d/c.conf:1:1: filter c: nothing is an offence: there is no failregex",
            "filter.d/d.toml:2:3: [filter.d] failregex[0]: ",
            "filter.d/d.toml:3:3: [filter.d] failregex[1]: ",
            "filter.d/d.toml:5:1: [filter.d] rules: ",
        ],
    );
}

#[test]
fn an_unknown_filter_comes_with_the_nearest_and_all_others_in_either_language() {
    let text = "[daemon]\nfilter_path = [\"theirs\"]\n[source.site]\npath = \"/l/a.log\"\n\
                [jail.a]\nfilter = \"nginx-htp-auth\"\n[jail.b]\nfilter = \"quite-another\"\n";
    let conf = "[Definition]\nfailregex = ^<HOST> x\n";
    let site = Site::new(text)
        .file("theirs/nginx-http-auth.conf", conf)
        .file("theirs/own.local", conf)
        .file("theirs/botsearch-common.conf", conf)
        .file("filter.d/plain.toml", "failregex = ['^<HOST> x']");
    let told = site.told();
    assert!(
        told[0].ends_with("there is no filter `nginx-htp-auth` | did you mean \"nginx-http-auth\"?"),
        "{told:?}"
    );
    assert!(
        told[1].contains(", plain, ") && told[1].ends_with("; in fail2ban's language: nginx-http-auth, own"),
        "{told:?}"
    );
}

#[test]
fn variables() {
    let site = Site::new("[source.site]\npath = \"/l/a.log\"\n")
        .variable("BANMAP_DEAMON__LOG", "json")
        .variable("BANMAP_DAEMON__LOG", "[1]")
        .variable("BANMAP_DAEMON_SOCKET", "/s");
    let told = site.told();
    assert_told(
        &told,
        &[
            "$BANMAP_DAEMON__LOG:1:1: [daemon] log: must be a text in quotes, not a list",
            "$BANMAP_DEAMON__LOG:1:1: unknown key `deamon` | did you mean `daemon`?",
        ],
    );
    assert_told(
        &site.told_as(Severity::Warning)[..1],
        &[
            "environment variable BANMAP_DAEMON_SOCKET is no setting, and is ignored | did you mean BANMAP_DAEMON__SOCKET? `__` separates a table from its key",
        ],
    );
}

#[test]
fn what_is_hardly_meant_is_warned_about() {
    let text = "[source.site]\npath = \"/l/a.log\"\n";
    assert_told(
        &Site::new(text).warned(),
        &[
            "no jail is configured: nobody will be banned but by hand | add jails = [\"wordpress-login\", \"probe-paths\"]",
            "no output is configured: bans take hold nowhere | add [output.NAME] with a kind, such as kind = \"nginx-geo\"",
        ],
    );
    let text = format!(
        "jails = []\n{text}[defaults]\nignoreip = \"0.0.0.0/0\"\n\
         [output.a]\nkind = \"nginx-geo\"\n[output.b]\nkind = \"nginx-geo\"\n[output.c]\nkind = \"nginx-geo\"\nvariable = \"other\"\n\
         [output.d]\nkind = \"list\"\nowner = \":no-such-group\"\n"
    );
    assert_told(
        &Site::new(&text).warned(),
        &[
            "banmap.toml:5:12: [defaults] ignoreip: `0.0.0.0/0` holds every address: nobody would be banned | name only those that must never be banned",
            "banmap.toml:8:9: [output.b] variable: `bad_user` is also the variable of [output.a] | in one nginx only one of the two blocks counts: give each a variable of its own",
            "banmap.toml:15:9: [output.d] owner: there is no group `no-such-group` on this host: create it, or name another in `owner`",
        ],
    );
}

proptest! {
    #[test]
    fn any_text_is_a_configuration_or_problems(text in "(?s).{0,200}") {
        let site = Site::new(&text);
        if let Err(problems) = load(&site.options()) {
            prop_assert!(!problems.render(true).is_empty());
        }
    }

    #[test]
    fn any_lines_are_a_configuration_or_problems(lines in proptest::collection::vec(line(), 0..12)) {
        let site = Site::new(&lines.join("\n"));
        match load(&site.options()) {
            Ok(config) => prop_assert!(toml::Table::try_from(config.effective().parse::<toml::Table>().unwrap()).is_ok()),
            Err(problems) => prop_assert!(!problems.to_string().is_empty()),
        }
    }
}

/// A line that is nearly right.
fn line() -> impl Strategy<Value = String> {
    let table = prop_oneof![
        Just("daemon"),
        Just("real_ip"),
        Just("defaults"),
        Just("source.s"),
        Just("source"),
        Just("jail.j"),
        Just("output.o"),
        Just("output.p"),
        Just("output.o.reload"),
        Just("jail.j.group"),
    ];
    let key = prop_oneof![
        proptest::sample::select(crate::config::keys::SOURCE.known),
        proptest::sample::select(crate::config::keys::OUTPUT.known),
        proptest::sample::select(crate::config::keys::DAEMON.known),
        proptest::sample::select(crate::config::keys::RELOAD.known),
        Just("maxretry"),
        Just("findtime"),
        Just("group"),
        Just("ignoreip"),
        Just("trusted_proxies"),
    ];
    let value = prop_oneof![
        Just("1"),
        Just("-1"),
        Just("\"10m\""),
        Just("\"forever\""),
        Just("[]"),
        Just("[\"/a\", \"/b\"]"),
        Just("true"),
        Just("{}"),
        Just("{ v4 = 24 }"),
        Just("\"nginx-geo\""),
        Just("\"list\""),
        Just("\"/x/y\""),
        Just("\"ü\\u0007\""),
        Just("{ pid_file = \"/p\" }"),
        Just("\"file:/x\""),
        Just("[[1]]"),
        Just("1979-05-27"),
        Just("0.5"),
        Just("\"none\""),
    ];
    prop_oneof![
        2 => table.prop_map(|table| format!("[{table}]")),
        5 => (key, value).prop_map(|(key, value)| format!("{key} = {value}")),
    ]
}

#[test]
fn a_port_that_others_reach_is_warned_about() {
    let site = Site::new("[source.l]\nlisten = \"udp:0.0.0.0:5514\"\n");
    let expected = "banmap.toml:2:10: [source.l] listen: anybody who can send there can have any client banned: senders of UDP \
                    prove nothing | listen at 127.0.0.1 or [::1], or let a firewall pass your servers only";
    assert!(site.warned().iter().any(|one| one == expected), "{:?}", site.warned());
}

#[test]
fn a_host_from_a_path_is_one_group_of_a_pattern_for_files() {
    let wrong = |text: &str| with(&format!("host_from_path = {text}\n"));
    assert_begin(
        &wrong("'/nginx/'"),
        &["banmap.toml:3:18: [source.site] host_from_path: has 0 groups, and exactly one must be the host"],
    );
    assert_begin(&wrong("'/(a)/(b)/'"), &["banmap.toml:3:18: [source.site] host_from_path: has 2 groups"]);
    assert_begin(
        &wrong("'/(a/'"),
        &["banmap.toml:3:18: [source.site] host_from_path: is no regular expression: "],
    );
    for input in ["stdin = true", "listen = \"unix:/run/x\"", "journal = \"nginx\""] {
        let told = told(&format!("[source.site]\n{input}\nhost_from_path = '(x)'\n"));
        assert_begin(
            &told,
            &["banmap.toml:3:18: [source.site] host_from_path: means nothing here: only files have a path"],
        );
    }
}

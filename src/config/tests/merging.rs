//! What a configuration says: defaults, drop-ins, variables, layers.

use std::path::Path;

use super::*;
use crate::config::{FilterOrigin, LogFormat, Need};
use crate::publish::{Kind, Reload, Style};
use crate::resolve::{ListEntry, Lists};
use crate::source::{Endpoint, FirstRead, Input, Listen};
use crate::terms::show_duration;

const SOURCE: &str = "[source.site]\npath = \"/var/log/nginx/*access.log\"\n";

/// A filter that suggests nothing, and one that does.
const FILTERS: &str = "
[filter.plain]
rule = [{ status = 404 }]
[filter.eager]
suggest = { maxretry = 2, findtime = \"1m\", distinct = \"path\" }
rule = [{ status = 401 }]
";

fn entries(list: &[ListEntry]) -> Vec<String> {
    let show = |entry: &ListEntry| match entry {
        ListEntry::Prefix { prefix, .. } => prefix.to_string(),
        ListEntry::File { path, .. } => format!("file:{}", path.display()),
        ListEntry::Name { name, .. } => format!("dns:{name}"),
    };
    list.iter().map(show).collect()
}

#[test]
fn without_a_file_there_are_defaults_for_verbs_that_can_do_without() {
    let config = Site::empty().needs(Needs::FILTERS).load();
    assert_eq!(config.daemon.state, Path::new("/var/lib/banmap"));
    assert_eq!(config.daemon.socket, Path::new("/run/banmap/banmap.sock"));
    assert_eq!(config.daemon.log, LogFormat::Text);
    assert_eq!(config.daemon.filter_path, [Path::new("/etc/fail2ban/filter.d")]);
    assert!(config.files.is_empty() && config.warnings.is_empty());
    let config = Site::empty().needs(Needs::REPLAY).load();
    assert!(config.sources.is_empty() && config.jails.is_empty());
}

#[test]
fn the_smallest_useful_file() {
    let text = format!(
        "jails = [\"wordpress-login\", \"probe-paths\"]\n{SOURCE}[output.nginx]\nkind = \"nginx-geo\"\n"
    );
    let config = Site::new(&text).load();
    assert_eq!(config.sources[0].settings.patterns(), ["/var/log/nginx/*access.log"]);
    assert_eq!((&config.sources[0].format, config.sources[0].settings.read), (&None, FirstRead::Recent));
    let [probes, wordpress] = &config.jails[..] else { panic!("two jails: {:?}", config.jails) };
    assert_eq!((wordpress.name.as_str(), wordpress.maxretry), ("wordpress-login", 5));
    assert_eq!(wordpress.filter_origin, Some(FilterOrigin::Shipped));
    assert_eq!((probes.name.as_str(), probes.maxretry), ("probe-paths", 3));
    assert_eq!(probes.distinct, Some(crate::record::Field::Path));
    assert_eq!(strings(&wordpress.sources), ["site"]);
    assert_eq!(strings(&wordpress.outputs), ["nginx"]);
    let output = &config.outputs[0];
    assert_eq!(output.path, Path::new("/var/lib/banmap/out/nginx.conf"));
    assert_eq!(output.kind, Kind::NginxGeo { variable: "bad_user".into(), style: Style::Block });
    assert_eq!(output.reload, Reload::PidFile { path: "/run/nginx.pid".into(), signal: "HUP".into() });
    assert_eq!((output.validate.clone(), output.owner.clone(), output.mode), (None, None, None));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

/// Reader threads share what a configuration says.
fn shared<T: Send + Sync>(_: &T) {}

#[test]
fn without_a_configuration_every_shipped_filter_can_be_a_jail() {
    let site = Site::empty().needs(Needs::REPLAY);
    let config = crate::config::load_for_replay(&site.options()).unwrap();
    let chosen_only = 6;
    assert_eq!(
        config.jails.len(),
        crate::filter::SHIPPED.len() - chosen_only,
        "all but seo-bots, ai-crawlers, haproxy-noserver, trap, expensive-paths, fake-crawlers"
    );
    assert_eq!(strings(&config.jails[0].sources), ["log"]);
    shared(&config);
}

#[test]
fn a_replay_needs_no_source() {
    let site = Site::new("jails = [\"probe-paths\"]").needs(Needs::REPLAY);
    let config = crate::config::load_for_replay(&site.options()).unwrap();
    assert_eq!((config.jails.len(), config.sources.len()), (1, 1));
    let site = Site::new("[source.site]\npath = \"/l\"\n").needs(Needs::REPLAY);
    let config = crate::config::load_for_replay(&site.options()).unwrap();
    assert_eq!((config.jails.len(), config.sources[0].settings.name.as_str()), (0, "site"));
}

#[test]
fn the_whole_of_what_can_be_written() {
    let text = r#"
[daemon]
state  = "/var/lib/banmap"
socket = "/run/banmap/banmap.sock"
log    = "text"
filter_path = ["/etc/fail2ban/filter.d"]
[real_ip]
trusted_proxies = ["10.10.1.25", "10.20.1.0/24", "file:/etc/banmap/cdn.txt"]
[defaults]
maxretry = 5
findtime = "10m"
bantime  = "1h"
ignoreip = ["192.0.2.0/24", "file:/etc/banmap/allow.txt"]
[source.site]
path   = ["/var/log/nginx/*access.log"]
format = "auto"
escape = "default"
client = "remote_addr"
read   = "recent"
[jail.wordpress]
filter   = "wordpress-login"
bantime  = "1h"
enabled  = true
simulate = false
group    = { v4 = 32, v6 = 64 }
distinct = "none"
[[jail.wordpress.where]]
host = ["shop.example", "blog.example"]
[[jail.wordpress.ignore]]
user_agent = '^UptimeRobot/'
[output.nginx]
kind     = "nginx-geo"
path     = "/var/lib/banmap/out/nginx.conf"
variable = "bad_user"
style    = "block"
min_interval = "5s"
validate = ["nginx", "-t", "-q"]
reload   = { pid_file = "/run/nginx.pid", signal = "HUP" }
error_log = "/var/log/nginx/error.log"
[output.apache]
kind  = "apache-rewritemap"
path  = "/var/lib/banmap/out/apache-banned"
owner = "root:root"
mode  = "0640"
"#;
    let config = Site::new(text).load();
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    let [apache, nginx] = &config.outputs[..] else { panic!("two outputs") };
    assert_eq!(
        (apache.kind.clone(), apache.reload.clone(), apache.mode),
        (Kind::ApacheRewritemap, Reload::None, Some(0o640))
    );
    assert_eq!(nginx.validate, Some(strings(&["nginx", "-t", "-q"])));
    assert_eq!(nginx.error_log.as_deref(), Some(Path::new("/var/log/nginx/error.log")));
    let jail = &config.jails[0];
    assert_eq!((jail.only.len(), jail.ignore.len(), jail.ignoreip.len()), (1, 1, 2));
    assert_eq!(config.trusted_proxies.len(), 3);
    assert_eq!(strings(&jail.outputs), ["apache", "nginx"]);
}

#[test]
fn a_drop_in_wins_key_by_key_and_lists_of_the_allowed_are_unions() {
    let main = format!(
        "{SOURCE}[daemon]\nstate = \"/a\"\nlog = \"json\"\n\
         [real_ip]\ntrusted_proxies = \"10.0.0.1\"\n\
         [defaults]\nignoreip = [\"192.0.2.1\"]\nmaxretry = 7\n\
         [jail.plain]\nignoreip = [\"192.0.2.2\"]\nbantime = \"2h\"\n\
         [output.o]\nkind = \"list\"\nreload = {{ pid_file = \"/p\", signal = \"USR1\" }}\n{FILTERS}"
    );
    let first = "[defaults]\nignoreip = \"192.0.2.3\"\n[daemon]\nstate = \"b\"\n";
    let second = "[daemon]\nstate = \"c\"\n[real_ip]\ntrusted_proxies = [\"10.0.0.2\"]\n\
                  [jail.plain]\nignoreip = [\"file:allow.txt\"]\nmaxretry = 9\n\
                  [output.o]\nreload = { command = [\"true\"] }\n";
    let site = Site::new(&main)
        .file("conf.d/20-second.toml", second)
        .file("conf.d/10-first.toml", first)
        .file("conf.d/.hidden.toml", "nonsense")
        .file("conf.d/notes.txt", "nonsense");
    let config = site.load();
    assert_eq!(config.daemon.state, site.path("conf.d/c"));
    assert_eq!(config.daemon.log, LogFormat::Json);
    assert_eq!(entries(&config.trusted_proxies), ["10.0.0.1", "10.0.0.2"]);
    let jail = &config.jails[0];
    assert_eq!((jail.maxretry, jail.bantime.map(show_duration).as_deref()), (9, Some("2h")));
    let list = format!("file:{}", site.path("conf.d/allow.txt").display());
    assert_eq!(entries(&jail.ignoreip), ["192.0.2.1", "192.0.2.3", "192.0.2.2", &list]);
    assert_eq!(entries(&config.manual.ignoreip), ["192.0.2.1", "192.0.2.3"]);
    assert_eq!(config.outputs[0].reload, Reload::Command(vec!["true".into()]));
    let files = ["banmap.toml", "conf.d/10-first.toml", "conf.d/20-second.toml"];
    assert_eq!(config.files, files.map(|name| site.path(name)));
}

#[test]
fn an_entry_says_where_it_was_written() {
    let text = format!(
        "{SOURCE}[defaults]\nignoreip = [\n  \"192.0.2.1\",\n]\n[jail.plain]\nignoreip = \"file:allow.txt\"\n{FILTERS}"
    );
    let site = Site::new(&text).file("allow.txt", "# office\n198.51.100.0/24\n");
    let config = site.load();
    let lists = Lists::open(config.list_entries()).unwrap();
    let settings = config.jails[0].jail_settings(&lists);
    let origins: Vec<String> =
        settings.allow.entries().iter().map(|entry| entry.origin.to_string()).collect();
    let directory = site.directory.path().display();
    assert_eq!(origins[0], format!("ignoreip of [defaults] ({directory}/banmap.toml:5)"));
    assert_eq!(origins[1], format!("file:{directory}/allow.txt:2"));
    assert_eq!(config.manual_settings(&lists).allow.entries().len(), 1);
}

#[test]
fn a_jail_is_its_own_values_over_suggestions_over_defaults() {
    let text = format!(
        "jails = [\"eager\", \"off\"]\n{SOURCE}{FILTERS}\
         [defaults]\nmaxretry = 7\nfindtime = \"5m\"\nbantime = \"forever\"\ngroup = {{ v6 = 56 }}\n\
         [jail.mixed]\nfilter = \"eager\"\nfindtime = 90\ndistinct = \"none\"\nbantime = 60\n\
         [jail.plain]\nsimulate = true\ngroup = {{ v4 = 24 }}\n\
         [jail.off]\nenabled = false\nfilter = \"nowhere\"\n"
    );
    let config = Site::new(&text).load();
    let shown: Vec<String> = config
        .jails
        .iter()
        .map(|jail| {
            let bantime = jail.bantime.map_or_else(|| "forever".to_owned(), show_duration);
            let (findtime, group) = (show_duration(jail.findtime), jail.group);
            let distinct = jail.distinct.as_ref().map(ToString::to_string).unwrap_or_default();
            format!(
                "{} {} {findtime} {bantime} {}/{} {distinct} {}",
                jail.name, jail.maxretry, group.v4, group.v6, jail.simulate
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "eager 2 1m forever 32/56 path false",
            "mixed 2 1m30s 1m 32/56  false",
            "plain 7 5m forever 24/56  true"
        ]
    );
    assert_eq!(strings(&config.disabled), ["off"]);
}

#[test]
fn a_listed_jail_is_enabled_unless_its_own_table_says_no() {
    let text = format!(
        "jails = \"plain\"\n{SOURCE}{FILTERS}[defaults]\nenabled = false\n[jail.eager]\nmaxretry = 1\n"
    );
    let config = Site::new(&text).load();
    assert_eq!(config.jails.len(), 1);
    assert_eq!(
        (config.jails[0].name.as_str(), strings(&config.disabled)),
        ("plain", vec!["eager".to_owned()])
    );
}

#[test]
fn conditions_stand_in_tables_of_their_own() {
    let text = format!(
        "{SOURCE}{FILTERS}[jail.plain]\n[[jail.plain.where]]\nhost = \"a.example\"\n[[jail.plain.where]]\nhost = \"b.example\"\n\
         [[jail.plain.ignore]]\nuser_agent = '^UptimeRobot/'\n"
    );
    let config = Site::new(&text).load();
    assert_eq!((config.jails[0].only.len(), config.jails[0].ignore.len()), (2, 1));
}

#[test]
fn filters_are_found_inline_then_beside_then_on_the_path_then_shipped() {
    let rule = "rule = [{ status = 404 }]\n";
    let text = format!(
        "jails = [\"a\", \"b\", \"c\", \"probe-paths\"]\n{SOURCE}[daemon]\nfilter_path = [\"more\"]\n[filter.a]\n{rule}"
    );
    let site = Site::new(&text)
        .file("filter.d/a.toml", "nonsense")
        .file("filter.d/b.toml", rule)
        .file("more/b.toml", "nonsense")
        .file("more/c.toml", rule)
        .file("more/c.conf", "[Definition]")
        .file("filter.d/probe-paths.toml", rule);
    let config = site.load();
    let origins: Vec<&FilterOrigin> =
        config.jails.iter().filter_map(|jail| jail.filter_origin.as_ref()).collect();
    let inline = FilterOrigin::Inline(format!("[filter.a] ({}:6)", site.path("banmap.toml").display()));
    let file = |name: &str| FilterOrigin::File(site.path(name));
    let (b, c, hiding) = (file("filter.d/b.toml"), file("more/c.toml"), file("filter.d/probe-paths.toml"));
    assert_eq!(origins, [&inline, &b, &c, &hiding]);
    let warnings = site.warned();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("probe-paths.toml hides the shipped filter"), "{warnings:?}");
    assert!(warnings[1].starts_with("no output is configured"), "{warnings:?}");
}

#[test]
fn variables_override_and_are_read_as_toml_or_text() {
    let text = format!("{SOURCE}{FILTERS}[jail.my-jail]\nfilter = \"plain\"\n[output.o]\nkind = \"list\"\n");
    let config = Site::new(&text)
        .variable("BANMAP_DAEMON__LOG", "json")
        .variable("BANMAP_JAIL__MY_JAIL__MAXRETRY", "3")
        .variable("BANMAP_JAIL__MY_JAIL__BANTIME", "\"1d\"")
        .variable("BANMAP_JAILS", "[\"eager\"]")
        .variable("BANMAP_JAIL__EAGER__FINDTIME", "20m")
        .variable("BANMAP_DEFAULTS__IGNOREIP", "[\"192.0.2.1\", \"192.0.2.2\"]")
        .variable("BANMAP_SOURCE__SITE__PATH", "/srv/log/a.log")
        .variable("BANMAP_CONFIG", "")
        .variable("BANMAP_SERVICE_HOST", "10.0.0.1")
        .variable("BANMAP_PORT_80_TCP", "tcp://10.0.0.1:80")
        .variable("OTHER__THING", "1")
        .load();
    assert_eq!(config.daemon.log, LogFormat::Json);
    let [eager, mine] = &config.jails[..] else { panic!("two jails") };
    assert_eq!((mine.name.as_str(), mine.maxretry), ("my-jail", 3));
    assert_eq!(mine.bantime.map(show_duration).as_deref(), Some("1d"));
    assert_eq!(show_duration(eager.findtime), "20m");
    assert_eq!(mine.ignoreip[0].origin().as_ref(), "ignoreip of [defaults] ($BANMAP_DEFAULTS__IGNOREIP)");
    assert_eq!(config.sources[0].settings.patterns(), ["/srv/log/a.log"]);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn the_file_is_named_by_option_or_variable() {
    let site = Site::empty().file("other.toml", SOURCE).needs(Needs { jails: Need::Unread, ..Needs::TEST });
    let path = site.path("other.toml").to_string_lossy().into_owned();
    let config = site.variable("BANMAP_CONFIG", &path).load();
    assert_eq!(config.files.len(), 1);
}

#[test]
fn relative_paths_are_relative_to_their_file() {
    let text = "[daemon]\nstate = \"state\"\nsocket = \"./b.sock\"\n[source.s]\nlogpath = [\"logs/*.log\", \"/x.log\"]\nread = \"beginning\"\n\
                [output.o]\nkind = \"apache-rewritemap\"\n[output.l]\nkind = \"list\"\npath = \"out/l\"\nmode = \"0640\"\nowner = \"banmap:www-data\"\nmin_interval = 2\n";
    let site = Site::new(text);
    let config = site.load();
    assert_eq!(config.daemon.socket, site.path("b.sock"));
    let pattern = site.path("logs/*.log").to_string_lossy().into_owned();
    assert_eq!(config.sources[0].settings.patterns(), [pattern.as_str(), "/x.log"]);
    assert_eq!(config.sources[0].settings.read, FirstRead::Beginning);
    assert_eq!(config.outputs[0].path, site.path("out/l"));
    assert_eq!(
        (config.outputs[0].mode, config.outputs[0].owner.as_deref()),
        (Some(0o640), Some("banmap:www-data"))
    );
    assert_eq!(config.outputs[0].min_interval.map(show_duration).as_deref(), Some("2s"));
    assert_eq!(config.outputs[1].path, site.path("state/out/o-banned"));
    assert_eq!(config.outputs[1].reload, Reload::None);
    assert!(!site.path("state").exists(), "nothing is touched");
}

#[test]
fn a_directory_with_pattern_characters_is_taken_literally() {
    let site = Site::empty().file("[x]/banmap.toml", "[source.s]\npath = \"a*.log\"\n");
    let options = Options { path: Some(site.path("[x]/banmap.toml")), ..site.options() };
    let config = load(&options).unwrap();
    let expected = format!("{}/[[]x[]]/a*.log", site.directory.path().display());
    assert_eq!(config.sources[0].settings.patterns(), [expected]);
}

#[test]
fn what_a_verb_does_not_use_does_not_stop_it() {
    let text =
        "jails = [\"nowhere\"]\n[daemon]\nsocket = \"/s\"\n[source.s]\n[output.o]\nkind = \"what\"\n[typo]\n";
    let site = Site::new(text).needs(Needs::FILTERS);
    assert_eq!(site.load().daemon.socket, Path::new("/s"));
    let site =
        Site::new("jails = [\"nowhere\"]\n[source.s]\n[output.o]\nkind = \"list\"\n").needs(Needs::OUTPUTS);
    assert_eq!(site.load().outputs.len(), 1);
}

#[test]
fn a_source_reads_what_it_says() {
    let site = Site::new(
        "[source.a]\nstdin = true\n[source.b]\nlisten = \"unix:log.sock\"\nmode = \"0666\"\nowner = \":adm\"\n\
         [source.c]\nlisten = \"unix-stream:/run/x\"\nstdin = false\n[source.d]\njournal = \"nginx.service\"\nread = \"end\"\n",
    );
    let config = site.load();
    let inputs: Vec<&Input> = config.sources.iter().map(|source| &source.settings.input).collect();
    let socket = Endpoint::UnixDatagram(site.path("log.sock"));
    let listen = Listen { mode: 0o666, owner: Some(":adm".to_owned()), ..Listen::new(socket) };
    let stream = Listen::new(Endpoint::UnixStream("/run/x".into()));
    let expected = [
        &Input::Stdin,
        &Input::Listen(listen),
        &Input::Listen(stream),
        &Input::Journal("nginx.service".parse().unwrap()),
    ];
    assert_eq!(inputs, expected);
    assert_eq!(config.sources[3].settings.read, FirstRead::End);
}

//! `--effective`: a document that says the same again, with the origin of every value.

use super::*;
use crate::record::Format;

/// The parts of a configuration that can be compared.
fn parts(config: &Config) -> impl PartialEq + std::fmt::Debug {
    let jails: Vec<_> = config
        .jails
        .iter()
        .map(|jail| {
            (
                (jail.name.clone(), jail.filter_name.clone(), jail.sources.clone(), jail.outputs.clone()),
                (jail.only.len(), jail.ignore.len(), jail.distinct.clone(), jail.ignoreip.len()),
                (jail.maxretry, jail.findtime, jail.bantime, jail.group, jail.simulate),
                (jail.escalation.clone(), jail.jitter, jail.widen.clone()),
                (jail.extend, jail.rate, jail.max_tracked, jail.max_bans, jail.storm),
            )
        })
        .collect();
    let manual = (config.manual.bantime, config.manual.group, config.manual.ignoreip.len());
    let fixed =
        (config.daemon.clone(), config.sources.clone(), config.outputs.clone(), config.disabled.clone());
    (jails, manual, fixed, config.trusted_proxies.len())
}

#[test]
fn the_document_says_the_same_again() {
    let text = "jails = [\"plain\"]
[daemon]
state = \"s\"
[real_ip]
trusted_proxies = [\"10.0.0.1\", \"file:p.txt\"]
[defaults]
ignoreip = \"192.0.2.0/24\"
group = { v4 = 24 }
[source.\"www.example\"]
path = \"a.log\"
[source.b]
path = [\"/b.log\", \"/c.log\"]
format = \"common\"
host_from_path = '/(?:a|b)/([^/]+)\\.log'
[source.c]
stdin = true
[source.d]
listen = \"unix:log.sock\"
owner = \":adm\"
[source.e]
listen = \"udp:[::1]:5514\"
[source.f]
journal = \"nginx\"
read = \"end\"
[jail.plain]
bantime = \"forever\"
[[jail.plain.where]]
host = ['a\"b', \"it's\", \"'\\\"\\\\.\"]
[jail.off]
enabled = false
[jail.rate]
filter = \"plain\"
rate = { requests = 300, per = \"1m\", burst = 100 }
extend = true
storm = \"hold\"
max_bans = 2000
max_tracked = 1000
[jail.wide]
filter = \"plain\"
group = { v4 = 32 }
widen = [{ distinct = 5, v4 = 20, v6 = 40 }, { distinct = 9, v6 = 32, within = \"1h\" }]
[jail.steps]
filter = \"plain\"
escalation = { steps = [\"10m\", \"forever\"], decay = \"7d\", scope = \"all\" }
jitter = 0.25
[jail.level]
filter = \"plain\"
escalation = false
jitter = \"90s\"
[output.a]
kind = \"nginx-geo\"
style = \"include\"
validate = [\"nginx\", \"-t\"]
[output.b]
kind = \"list\"
reload = { command = [\"/bin/true\", \"-x\"] }
mode = \"0600\"
min_interval = \"1s500ms\"
[filter.plain]
rule = [{ path = '/\\.env$', status = [404, \"500-599\"] }]
";
    let config = Site::new(text).load();
    let document = config.effective();
    let again = Site::new(document).load();
    assert_eq!(format!("{:?}", parts(&config)), format!("{:?}", parts(&again)), "{document}");
    assert!(parts(&config) == parts(&again));
    assert_eq!(values(again.effective()), values(document));
}

/// A document without its origins.
fn values(document: &str) -> toml::Table {
    document.parse().unwrap()
}

#[test]
fn every_value_names_its_origin() {
    let site = Site::new("[source.s]\npath = \"/l\"\n[output.o]\nkind = \"nginx-geo\"\n")
        .file("conf.d/x.toml", "[defaults]\nignoreip = [\"192.0.2.1\"]\nbantime = \"2h\"\n")
        .variable("BANMAP_DAEMON__LOG", "json")
        .variable("BANMAP_DEFAULTS__IGNOREIP", "192.0.2.2");
    let document = site.load().effective().replace(&format!("{}/", site.directory.path().display()), "");
    for line in [
        "[daemon]\nstate = \"/var/lib/banmap\"  # default\n",
        "log = \"json\"  # $BANMAP_DAEMON__LOG\n",
        "bantime = \"2h\"  # conf.d/x.toml:3\n",
        "ignoreip = [\n  \"192.0.2.1\",  # conf.d/x.toml:2\n  \"192.0.2.2\",  # $BANMAP_DEFAULTS__IGNOREIP\n]\n",
        "[source.s]\npath = [\"/l\"]  # banmap.toml:2\n",
        "# host_from_path is unset  # default: the host is what lines say\n",
        "reload = { pid_file = \"/run/nginx.pid\", signal = \"HUP\" }  # default\n",
        "# min_interval is unset  # default: adapts to the server\n",
    ] {
        assert!(document.contains(line), "{line}\n{document}");
    }
}

#[test]
fn a_mapping_is_shown_as_it_was_written() {
    let site = Site::new(
        "[source.s]\npath = \"/l\"\nformat = \"json\"\nfields = { client = \"ip\", time = [\"a\", \"b\"] }\n[source.t]\npath = \"/t\"\nformat = \"json\"\n",
    );
    let config = site.load();
    let mapping = [("client", "ip"), ("time", "a"), ("time", "b")];
    assert_eq!(config.sources[0].format, Some(Format::json(mapping).unwrap()));
    assert_eq!(config.sources[1].format, Some(Format::JsonUsual));
    let document = config.effective();
    for key in ["fields.client = \"ip\"", "fields.time = [\n", "# fields is unset  # default: the usual keys"]
    {
        assert!(document.contains(key), "{document}");
    }
    let again = Site::new(document).load();
    assert_eq!(again.sources, config.sources, "{document}");
}

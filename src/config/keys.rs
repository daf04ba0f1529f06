//! The keys of each table: those that are read, and those that a later version will read.

/// A table's keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keys {
    /// What is read.
    pub(super) known: &'static [&'static str],
    /// What is planned: not an unknown key, and not silently ignored.
    pub(super) later: &'static [&'static str],
}

/// The tables of a configuration.
pub(super) const TABLES: [&str; 8] =
    ["daemon", "real_ip", "crawlers", "defaults", "source", "jail", "output", "filter"];

pub(super) const TOP: Keys = Keys {
    known: &["jails", "daemon", "real_ip", "crawlers", "defaults", "source", "jail", "output", "filter"],
    later: &["notify", "fleet"],
};

pub(super) const DAEMON: Keys =
    Keys { known: &["state", "socket", "log", "filter_path", "resolver"], later: &["http"] };

pub(super) const REAL_IP: Keys = Keys { known: &["trusted_proxies"], later: &[] };

/// The crawlers that can be verified.
pub(super) const CRAWLERS: Keys = Keys {
    known: &["google", "bing", "apple", "yandex", "duckduckgo", "baidu", "seznam", "mojeek", "yahoo"],
    later: &[],
};

pub(super) const SOURCE: Keys = Keys {
    known: &[
        "path",
        "logpath",
        "stdin",
        "listen",
        "journal",
        "owner",
        "mode",
        "format",
        "fields",
        "escape",
        "client",
        "guard",
        "read",
        "host_from_path",
    ],
    later: &[],
};

pub(super) const JAIL: Keys = Keys {
    known: &[
        "filter",
        "source",
        "sources",
        "output",
        "outputs",
        "maxretry",
        "findtime",
        "bantime",
        "enabled",
        "escalation",
        "jitter",
        "widen",
        "extend",
        "rate",
        "max_tracked",
        "max_bans",
        "storm",
        "simulate",
        "value",
        "group",
        "distinct",
        "where",
        "ignore",
        "ignoreip",
        "ignore_crawlers",
    ],
    later: &[],
};

pub(super) const GROUP: Keys = Keys { known: &["v4", "v6"], later: &[] };

pub(super) const ESCALATION: Keys = Keys { known: &["factor", "max", "steps", "decay", "scope"], later: &[] };

pub(super) const WIDEN: Keys = Keys { known: &["distinct", "v4", "v6", "within"], later: &[] };

pub(super) const RATE: Keys = Keys { known: &["requests", "per", "burst"], later: &[] };

pub(super) const OUTPUT: Keys = Keys {
    known: &[
        "kind",
        "path",
        "variable",
        "style",
        "min_interval",
        "validate",
        "reload",
        "error_log",
        "owner",
        "mode",
        "compares",
    ],
    later: &[],
};

pub(super) const RELOAD: Keys = Keys { known: &["pid_file", "process", "command", "signal"], later: &[] };

/// Every table and the keys that this version reads there; `""` is the top, `output.reload` a table inside of another.
pub const KNOWN: [(&str, &[&str]); 12] = [
    ("", TOP.known),
    ("daemon", DAEMON.known),
    ("real_ip", REAL_IP.known),
    ("crawlers", CRAWLERS.known),
    ("source", SOURCE.known),
    ("jail", JAIL.known),
    ("jail.group", GROUP.known),
    ("jail.escalation", ESCALATION.known),
    ("jail.widen", WIDEN.known),
    ("jail.rate", RATE.known),
    ("output", OUTPUT.known),
    ("output.reload", RELOAD.known),
];

/// Words that fail2ban's users expect in a table, and what banmap has instead.
pub(super) fn instead(key: &str) -> Option<&'static str> {
    Some(match key {
        "logpath" | "path" | "backend" | "logencoding" => "logs belong to a source: `path` of [source.NAME]",
        "failregex" | "ignoreregex" | "datepattern" | "prefregex" => {
            "patterns belong to a filter: [filter.NAME], or filter.d/NAME.toml"
        }
        "action" | "banaction" | "banaction_allports" | "port" | "chain" | "protocol" => {
            "bans are published by outputs: [output.NAME], and `outputs` of the jail"
        }
        "ignoreself" => "this host's own addresses are never banned",
        "usedns" => "names in a log are never resolved",
        "loglevel" | "logtarget" | "syslogsocket" => {
            "the log goes to stderr; `log` of [daemon] is \"text\" or \"json\""
        }
        "dbfile" => "the state directory is `state` of [daemon]",
        "trusted_proxies" => "trusted proxies are `trusted_proxies` of [real_ip]",
        _ => return None,
    })
}

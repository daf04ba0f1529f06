//! `[daemon]` and `[real_ip]`.

use std::path::PathBuf;

use super::addresses;
use super::crawlers;
use super::found::Found;
use super::keys;
use super::section::{Section, absolute};
use super::settings::{Daemon, LogFormat};
use crate::resolve::ListEntry;

pub(super) fn read(section: Section<'_>) -> Daemon {
    section.only(keys::DAEMON);
    let directories: Option<Vec<_>> =
        section.strings("filter_path").map(|paths| paths.into_iter().map(absolute).collect());
    Daemon {
        state: section.settle("state", section.path("state"), PathBuf::from("/var/lib/banmap")),
        socket: section.settle("socket", section.path("socket"), PathBuf::from("/run/banmap/banmap.sock")),
        log: log(section),
        filter_path: section
            .settle_list("filter_path", directories, || (vec![PathBuf::from("/etc/fail2ban/filter.d")], "")),
        resolver: crawlers::resolver(section),
    }
}

fn log(section: Section<'_>) -> LogFormat {
    let words = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let found = section.choice("log", &words);
    let word = found.map(|found: Found<LogFormat>| {
        found.map(|format| if format == LogFormat::Json { "json" } else { "text" }.to_owned())
    });
    let word = section.settle("log", word, "text".to_owned());
    if word == "json" { LogFormat::Json } else { LogFormat::Text }
}

/// Refuses a name among the trusted proxies: whose headers count would depend on an answer that may be late, or forged.
fn is_fixed(section: Section<'_>, entry: &Found<ListEntry>) -> bool {
    if let (ListEntry::Name { name, .. }, Some(place)) = (&entry.value, entry.from.place()) {
        let what =
            format_args!("`dns:{name}` cannot be trusted: whose headers count must not depend on the DNS");
        let fix = "write the proxy's addresses, or a \"file:PATH\" that holds them".to_owned();
        section.wrong("trusted_proxies", what, place, fix);
        return false;
    }
    true
}

pub(super) fn trusted_proxies(section: Section<'_>) -> Vec<ListEntry> {
    section.only(keys::REAL_IP);
    let mut found = addresses::read(section, "trusted_proxies");
    found.retain(|entry| is_fixed(section, entry));
    addresses::show(section, "trusted_proxies", &found);
    found.into_iter().map(|found| found.value).collect()
}

//! `[daemon]` and `[real_ip]`.

use std::path::PathBuf;

use super::addresses;
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

pub(super) fn trusted_proxies(section: Section<'_>) -> Vec<ListEntry> {
    section.only(keys::REAL_IP);
    let found = addresses::read(section, "trusted_proxies");
    addresses::show(section, "trusted_proxies", &found);
    found.into_iter().map(|found| found.value).collect()
}

//! `ignore_crawlers` of a jail, `[crawlers]` with the ranges that their operators publish, and `resolver` of `[daemon]`.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::addresses;
use super::found::{Found, Show};
use super::keys;
use super::section::{Section, one_of};
use super::settings::Jail;
use crate::resolve::ListEntry;
use crate::terms::{Crawler, nearest};

impl Show for Crawler {
    fn shown(&self) -> toml::Value {
        toml::Value::String(self.to_string())
    }
}

impl Show for SocketAddr {
    fn shown(&self) -> toml::Value {
        toml::Value::String(self.to_string())
    }
}

/// The published ranges of each crawler that has some here.
pub(super) type Ranges = BTreeMap<Crawler, Vec<ListEntry>>;

/// The crawlers that a jail ignores; each is named once.
pub(super) fn ignored(section: Section<'_>) -> Option<Vec<Found<Crawler>>> {
    let found = section.strings("ignore_crawlers")?;
    let mut crawlers: Vec<Found<Crawler>> = Vec::new();
    for name in found {
        match (name.value.parse::<Crawler>(), name.from.place()) {
            (Ok(crawler), _) if crawlers.iter().any(|known| known.value == crawler) => {}
            (Ok(crawler), _) => crawlers.push(name.map(|_| crawler)),
            (Err(()), None) => {}
            (Err(()), Some(place)) => {
                let names = Crawler::ALL.map(Crawler::as_str);
                let meant = nearest(&name.value, names).map(|meant| format!("did you mean \"{meant}\"?"));
                let what = format_args!("\"{}\" is not known; crawlers are {}", name.value, one_of(&names));
                section.wrong("ignore_crawlers", what, place, meant);
            }
        }
    }
    Some(crawlers)
}

/// `[crawlers]`.
pub(super) fn ranges(section: Section<'_>) -> Ranges {
    section.only(keys::CRAWLERS);
    let mut ranges = Ranges::new();
    for crawler in Crawler::ALL {
        let found = addresses::read(section, crawler.as_str());
        addresses::show(section, crawler.as_str(), &found);
        if !found.is_empty() {
            ranges.insert(crawler, found.into_iter().map(|found| found.value).collect());
        }
    }
    ranges
}

/// Gives each jail the ranges of the crawlers that it ignores, and reports those of which nothing can be known.
pub(super) fn give(section: Section<'_>, ranges: &Ranges, jails: &mut [Jail]) {
    for jail in jails {
        let known = jail.crawlers.iter().filter_map(|crawler| ranges.get(crawler));
        jail.crawler_ranges = known.flatten().cloned().collect();
        for crawler in jail.crawlers.iter().filter(|crawler| crawler.domains().is_empty()) {
            if !ranges.contains_key(crawler) {
                let what = format_args!(
                    "jail {} ignores {crawler}, which is known by its published ranges alone: none are given",
                    jail.name
                );
                section.warn(
                    crawler.as_str(),
                    what,
                    section.place,
                    "name the file that holds them: \"file:PATH\"",
                );
            }
        }
    }
}

/// The DNS servers that are asked; none: the system's.
pub(super) fn resolver(section: Section<'_>) -> Vec<SocketAddr> {
    let found = section.strings("resolver").map(|texts| {
        let read = |text: Found<String>| {
            let server = text.value.parse::<SocketAddr>().ok();
            let server = server.or_else(|| Some((text.value.parse::<IpAddr>().ok()?, 53).into()));
            if let (None, Some(place)) = (server, text.from.place()) {
                let what = format_args!("`{}` is no address of a DNS server", text.value);
                section.wrong(
                    "resolver",
                    what,
                    place,
                    "write \"192.0.2.53\", or \"127.0.0.1:5353\"".to_owned(),
                );
            }
            Some(text.map(|_| server)).and_then(|found| Some(Found { value: found.value?, from: found.from }))
        };
        texts.into_iter().filter_map(read).collect()
    });
    section.settle_list("resolver", found, || (Vec::new(), "those of /etc/resolv.conf"))
}

#[cfg(test)]
mod tests {
    use super::super::keys;
    use crate::terms::Crawler;

    #[test]
    fn every_crawler_has_its_key() {
        assert_eq!(keys::CRAWLERS.known, Crawler::ALL.map(Crawler::as_str));
    }
}

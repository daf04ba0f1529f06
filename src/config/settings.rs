//! What a configuration says, every value resolved.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::SignedDuration;

use super::found::{EffectiveValue, Shown};
use super::library::{FilterOrigin, Library};
use super::problem::Problem;
use crate::address::{Allowlist, Group};
use crate::filter::{Conditions, Filter};
use crate::reader::{FileReading, HostFromPath};
use crate::record::{ClientFrom, Field, Format};
use crate::resolve::{ListEntry, Lists};
use crate::terms::{Crawler, JailName, Measure, OutputName, SourceName};
use crate::{jail, publish, source};

/// A whole configuration.
#[derive(Debug)]
pub struct Config {
    /// `[daemon]`.
    pub daemon: Daemon,
    /// `trusted_proxies` of `[real_ip]`; a bare address or range here is never banned either.
    pub trusted_proxies: Vec<ListEntry>,
    /// The ranges that the operators of crawlers publish.
    pub crawlers: BTreeMap<Crawler, Vec<ListEntry>>,
    /// By name.
    pub sources: Vec<Source>,
    /// The enabled ones, by name.
    pub jails: Vec<Jail>,
    /// Those that are configured with `enabled = false`.
    pub disabled: Vec<JailName>,
    /// What holds for bans by hand.
    pub manual: Manual,
    /// By name.
    pub outputs: Vec<publish::Settings>,
    /// What is hardly meant so, but can be used.
    pub warnings: Vec<Problem>,
    /// The files that were read, in order; filters not included.
    pub files: Vec<PathBuf>,
    /// Where filters are found.
    pub filters: Library,
    /// Every value with its origin.
    pub(super) shown: Vec<Shown>,
    /// The same as TOML.
    pub(super) effective: String,
}

/// `[daemon]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    /// The directory of the database; absolute.
    pub state: PathBuf,
    /// The control socket; absolute.
    pub socket: PathBuf,
    /// The form of log lines.
    pub log: LogFormat,
    /// Directories of more filters.
    pub filter_path: Vec<PathBuf>,
    /// The DNS servers that verify crawlers; none: the system's.
    pub resolver: Vec<SocketAddr>,
}

/// The form of banmap's own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// One source, and how its lines are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What is read.
    pub settings: source::Settings,
    /// The format of its lines; `None`: found out for each file.
    pub format: Option<Format>,
    /// Where the paths of its files say which host they are about.
    pub host: Option<HostFromPath>,
    /// Where the client of a record stands.
    pub client: ClientFrom,
    /// Whether an address that most lines come from, and that can be no client, is never banned.
    pub guard: bool,
}

/// One enabled jail.
#[derive(Clone, Debug)]
pub struct Jail {
    /// Its name.
    pub name: JailName,
    /// What counts as an offence; `None`: the bans of other jails do.
    pub filter: Option<Arc<Filter>>,
    /// The filter's name; empty where there is none.
    pub filter_name: String,
    /// Where the filter was found.
    pub filter_origin: Option<FilterOrigin>,
    /// The sources it looks at; none where it has no filter.
    pub sources: Vec<SourceName>,
    /// The outputs that carry its bans.
    pub outputs: Vec<OutputName>,
    /// `[[where]]`: only records for which one of these holds; empty: all records.
    pub only: Vec<Arc<Conditions>>,
    /// `[[ignore]]`: no record for which one of these holds.
    pub ignore: Vec<Arc<Conditions>>,
    /// Count different values of this field instead of offences.
    pub distinct: Option<Field>,
    /// Never banned by this jail: the union of all files, `[defaults]` and the jail.
    pub ignoreip: Vec<ListEntry>,
    /// Never banned by this jail, once they are verified.
    pub crawlers: Vec<Crawler>,
    /// The published ranges of these.
    pub crawler_ranges: Vec<ListEntry>,
    /// So many offences within `findtime` ban; at least 1.
    pub maxretry: u32,
    /// The sliding window; longer than 0.
    pub findtime: SignedDuration,
    /// How long a ban lasts; `None` is forever.
    pub bantime: Option<SignedDuration>,
    /// How bans grow with earlier ones; `None`: they do not.
    pub escalation: Option<jail::Escalation>,
    /// What is added to a ban by chance.
    pub jitter: Option<jail::Jitter>,
    /// When prefixes are banned for what is inside them.
    pub widen: Vec<jail::Widen>,
    /// Hits prolong a ban.
    pub extend: bool,
    /// How often a client may ask; then `maxretry` and `distinct` mean nothing, and `findtime` is the time of the rate.
    pub rate: Option<jail::Rate>,
    /// At most so many prefixes are tracked at once.
    pub max_tracked: usize,
    /// At most so many bans.
    pub max_bans: usize,
    /// What happens when it bans suspiciously many at once.
    pub storm: jail::StormMode,
    /// What is counted and banned.
    pub group: Group,
    /// Judge and show, but publish nothing.
    pub simulate: bool,
    /// What its verdicts do.
    pub value: Measure,
}

/// What `[defaults]` says for bans by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manual {
    /// How long a ban lasts where the command does not say; `None` is forever.
    pub bantime: Option<SignedDuration>,
    /// What is counted and banned.
    pub group: Group,
    /// `ignoreip` of `[defaults]`.
    pub ignoreip: Vec<ListEntry>,
}

impl Config {
    /// Every value with its origin: a TOML document that, read as a configuration, says the same.
    pub fn effective(&self) -> &str {
        &self.effective
    }

    /// Every value with its origin, one by one; the keys of `[filter.NAME]` left out.
    pub fn values(&self) -> impl Iterator<Item = EffectiveValue<'_>> {
        self.shown.iter().map(Shown::effective)
    }

    /// Every list entry of the configuration: what `Lists::open` has to read.
    pub fn list_entries(&self) -> impl Iterator<Item = &ListEntry> {
        let jails = self.jails.iter().flat_map(|jail| &jail.ignoreip);
        let crawlers = self.crawlers.values().flatten();
        self.trusted_proxies.iter().chain(&self.manual.ignoreip).chain(jails).chain(crawlers)
    }

    /// The trusted proxies, resolved.
    pub fn trusted(&self, lists: &Lists) -> Allowlist {
        lists.allowlist(&self.trusted_proxies)
    }

    /// The published ranges of crawlers, resolved.
    pub fn crawler_ranges(&self, lists: &Lists) -> BTreeMap<Crawler, Allowlist> {
        self.crawlers.iter().map(|(crawler, entries)| (*crawler, lists.allowlist(entries))).collect()
    }

    /// The built-in jail of bans by hand: all outputs; it counts nothing.
    pub fn manual_settings(&self, lists: &Lists) -> jail::Settings {
        jail::Settings {
            maxretry: 1,
            bantime: self.manual.bantime,
            escalation: None,
            widen: Vec::new(),
            group: self.manual.group,
            allow: lists.allowlist(&self.manual.ignoreip),
            outputs: self.outputs.iter().map(|output| output.name.clone()).collect(),
            ..jail::Settings::new(JailName::manual())
        }
    }
}

impl Source {
    /// How a log of it is begun, whole or followed.
    pub fn reading_of(&self, path: &Path) -> FileReading {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let host = self.host.as_ref().and_then(|host| host.host_of(&path));
        FileReading::new(self.format.clone()).about(host)
    }
}

impl Jail {
    /// What the jail room needs of it, its lists resolved.
    pub fn jail_settings(&self, lists: &Lists) -> jail::Settings {
        jail::Settings {
            name: self.name.clone(),
            of_bans: self.filter.is_none(),
            value: self.value,
            maxretry: self.maxretry,
            findtime: self.findtime,
            bantime: self.bantime,
            escalation: self.escalation.clone(),
            jitter: self.jitter,
            widen: self.widen.clone(),
            extend: self.extend,
            rate: self.rate,
            group: self.group,
            distinct: self.distinct.is_some(),
            simulate: self.simulate,
            allow: lists.allowlist(self.ignoreip.iter().chain(&self.crawler_ranges)),
            crawlers: self.crawlers.clone(),
            fakes: self.bans_fakes(),
            outputs: self.outputs.clone(),
            max_tracked: self.max_tracked,
            max_bans: self.max_bans,
            storm: self.storm,
            sources: self.sources.clone(),
        }
    }

    /// Whether it matters to this jail which crawler a client says to be.
    pub fn asks_crawlers(&self) -> bool {
        !self.crawlers.is_empty() || self.bans_fakes()
    }

    /// Whether those who only say to be crawlers are its offenders.
    fn bans_fakes(&self) -> bool {
        self.filter.as_ref().is_some_and(|filter| filter.definition().fake_crawlers)
    }
}

//! From a configuration to what engine and readers need of it.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use jiff::SignedDuration;

use crate::address::Address;
use crate::config::{Config, Source};
use crate::engine::{Protection, Settings};
use crate::os::host;
use crate::reader::{Clients, Following, Lens, Reader, Surroundings};
use crate::resolve::Lists;
use crate::source::Registry;
use crate::terms::{Checkpoint, SourceName};

/// One for each process: a new configuration does not move the end of a ban that is found again.
static SEED: LazyLock<u64> = LazyLock::new(chance);

/// A number that nobody outside can guess.
pub(super) fn chance() -> u64 {
    RandomState::new().hash_one(0)
}

/// What the engine of a rehearsal judges by: the jails, the outputs' names, and who is never banned.
pub fn engine_settings(config: &Config, lists: &Lists) -> Settings {
    Settings { seed: 0, verifies: false, ..settings(config, lists, &host::addresses(), Vec::new()) }
}

/// The same for the daemon, whose chance nobody foresees, and where this host's addresses and the crowds are known.
pub(super) fn settings(
    config: &Config,
    lists: &Lists,
    host: &[IpAddr],
    crowds: Vec<(SourceName, Address)>,
) -> Settings {
    Settings {
        jails: config.jails.iter().map(|jail| jail.jail_settings(lists)).collect(),
        manual: config.manual_settings(lists),
        outputs: config.outputs.iter().map(|output| output.name.clone()).collect(),
        picky: config.outputs.iter().filter_map(|o| Some((o.name.clone(), o.kind.can_hold()?))).collect(),
        protected: Protection {
            trusted: config.trusted(lists),
            host: host.iter().copied().map(Address::from).collect(),
            crowds,
        },
        verifies: true,
        seed: *SEED,
    }
}

/// What readers go by that tell clients: the trusted proxies, and this host.
pub fn surroundings(config: &Config, lists: &Lists) -> Surroundings {
    around(config, lists, &host::addresses())
}

/// The same, where this host's addresses are known.
pub(super) fn around(config: &Config, lists: &Lists, host: &[IpAddr]) -> Surroundings {
    Surroundings::new(config.trusted(lists), host.iter().copied().map(Address::from).collect())
}

/// How the clients of one source are told.
pub fn clients(source: &Source, around: &Surroundings) -> Clients {
    Clients { from: source.client.clone(), guard: source.guard, around: around.clone() }
}

/// What the jails of one source look for; `seed` is what different values are hashed with.
pub fn lenses(config: &Config, source: &Source, seed: u64) -> Vec<Lens> {
    let looking = config.jails.iter().filter(|jail| jail.sources.contains(&source.settings.name));
    let lens = |jail: &crate::config::Jail| {
        Some(Lens {
            only: jail.only.clone(),
            ignore: jail.ignore.clone(),
            distinct: jail.distinct.clone(),
            crawlers: jail.asks_crawlers(),
            seed,
            ..Lens::new(jail.name.clone(), Arc::clone(jail.filter.as_ref()?))
        })
    };
    looking.filter_map(lens).collect()
}

/// Each source as it is to be followed from `checkpoints` on.
pub(super) fn followings(
    config: &Config,
    around: &Surroundings,
    checkpoints: &[Checkpoint],
    registry: &Registry,
    seed: u64,
) -> Vec<Following> {
    let following = |source: &Source| Following {
        settings: source.settings.clone(),
        format: source.format.clone(),
        host: source.host.clone(),
        checkpoints: checkpoints.iter().filter(|c| c.source == source.settings.name).cloned().collect(),
        reader: Reader::new(lenses(config, source, seed), true).telling(clients(source, around)),
        findtime: findtime(config, source),
        registry: registry.clone(),
    };
    config.sources.iter().map(following).collect()
}

/// The longest findtime of the jails that look at a source.
fn findtime(config: &Config, source: &Source) -> SignedDuration {
    let looking = config.jails.iter().filter(|jail| jail.sources.contains(&source.settings.name));
    looking.map(|jail| jail.findtime).max().unwrap_or_default()
}

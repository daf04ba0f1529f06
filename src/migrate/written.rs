//! The configuration as it is printed.

use std::path::Path;

use super::Imported;
use super::block::Block;
use super::ignored::{common, ignored};
use super::jail::{Jail, not_carried, numbers};
use super::setup::{DEFAULT, Setup};
use super::sources::{Source, plain, sources};
use super::words::{flat, list};

/// Where filters of fail2ban's are found without being told.
const USUAL: &str = "/etc/fail2ban";

/// Everything that the enabled jails say.
pub(super) fn configuration(setup: &Setup, enabled: &[&str]) -> Imported {
    let mut jails: Vec<Jail> = enabled.iter().map(|section| Jail::read(setup, section)).collect();
    if jails.iter().all(|jail| jail.logs.is_empty()) {
        // What looks at the bans of others does nothing alone.
        let alone = || "no other jail is carried over".to_owned();
        for jail in &mut jails {
            jail.left_out.get_or_insert_with(alone);
        }
    }
    let in_force = |jail: &&Jail| jail.left_out.is_none();
    let sources = sources(jails.iter().filter(in_force).flat_map(|jail| &jail.logs));
    let lists: Vec<Vec<String>> =
        jails.iter().filter(in_force).map(|jail| ignored(setup, &jail.section).0).collect();
    let common = common(&lists);
    let defaults = defaults(setup, &common);

    let mut text = head(setup, enabled.len());
    text.push_str(&defaults.render("defaults", true));
    for source in &sources {
        text.push('\n');
        text.push_str(&source.block.render(&format!("source.{}", source.name), true));
    }
    let mut outlets: Vec<_> = jails.iter().filter(in_force).flat_map(|jail| jail.outlets.clone()).collect();
    outlets.sort();
    outlets.dedup();
    let mut names = Vec::new();
    let (mut carried, mut left_out) = (Vec::new(), Vec::new());
    for jail in jails {
        let name = name(&jail.section, &mut names);
        let is_all = jail.outlets == outlets;
        match jail.left_out.clone() {
            Some(why) => left_out.push((jail.section.clone(), why)),
            None => carried.push((jail.section.clone(), name.clone())),
        }
        text.push('\n');
        text.push_str(&table(setup, jail, &name, is_all, (&sources, &common, &defaults)));
    }
    for outlet in outlets {
        text.push('\n');
        text.push_str(&outlet.block().render(&format!("output.{}", outlet.name()), true));
    }
    Imported { text, carried, left_out }
}

fn head(setup: &Setup, enabled: usize) -> String {
    let directory = flat(&setup.directory.display().to_string());
    let others = setup.jails.names().len() - enabled;
    let mut text = format!(
        "# From fail2ban's configuration in {directory}: its enabled jails ({others} others are not enabled).\n\
         # What was not carried over stands in comments where it would have been, with the reason.\n\
         # Where a proxy is in front of the server, name it: it is never banned then.\n\
         # [real_ip]\n# trusted_proxies = [\"10.0.0.5\"]\n\n"
    );
    if setup.directory != Path::new(USUAL) {
        let filters = setup.directory.join("filter.d");
        let filters = std::path::absolute(&filters).unwrap_or(filters);
        let mut daemon = Block::default();
        daemon.set("filter_path", &list(&[filters.display().to_string()]));
        text.push_str(&daemon.render("daemon", true));
        text.push('\n');
    }
    text
}

/// What all jails have.
fn defaults(setup: &Setup, common: &[String]) -> Block {
    let mut block = Block::default();
    block.say("simulate = true # judges and publishes nothing, while fail2ban still runs");
    block.append(numbers(setup, DEFAULT));
    if !common.is_empty() {
        block.set("ignoreip", &list(common));
    }
    if ignored(setup, DEFAULT).0.iter().any(|entry| !common.contains(entry)) {
        block.say(
            "bans by hand spare whom this ignoreip names: the jails do not all have the rest of fail2ban's",
        );
    }
    block.say("group = { v4 = 32, v6 = 128 } # without it IPv6 clients count by their /64, not one by one");
    block
        .say("widen = \"none\" # without it eight such networks that offend within 10 minutes ban their /48");
    // Each jail tells what becomes of its actions.
    let keys = setup.jails.keys(DEFAULT).into_iter();
    not_carried(setup, DEFAULT, keys, &mut block);
    block
}

/// A jail's table; one that is left out is a comment as a whole.
fn table(
    setup: &Setup,
    jail: Jail,
    name: &str,
    publishes_everywhere: bool,
    (sources, common, defaults): (&[Source], &[String], &Block),
) -> String {
    let mut block = jail.block;
    if let Some(why) = &jail.left_out {
        block.say(&format!("left out: {why}"));
    }
    if name != jail.section {
        block.say(&format!("fail2ban calls it {}", jail.section));
    }
    read_by(&mut block, sources, &jail.logs);
    let has_jitter = jail.numbers.value("jitter").is_some();
    block.append(jail.numbers.without(defaults));
    if !has_jitter && defaults.value("jitter").is_some() {
        block.set("jitter", "\"none\"");
    }
    let (mut own, unknown) = ignored(setup, &jail.section);
    own.retain(|entry| !common.contains(entry));
    if !own.is_empty() {
        block.set("ignoreip", &list(&own));
    }
    for entry in unknown {
        block.note("ignoreip", &entry, "is neither an address, nor a prefix, nor a name");
    }
    if !publishes_everywhere {
        let names: Vec<String> = jail.outlets.iter().map(|outlet| outlet.name().to_owned()).collect();
        block.set("outputs", &list(&names));
    }
    block.append(jail.notes.without(defaults));
    block.render(&format!("jail.{name}"), jail.left_out.is_none())
}

/// `source`, where a jail does not look at all of them.
fn read_by(block: &mut Block, sources: &[Source], logs: &[super::jail::Log]) {
    let own: Vec<&Source> =
        sources.iter().filter(|source| logs.iter().any(|log| source.reads(log))).collect();
    if !own.is_empty() && own.len() < sources.len() {
        block.set("source", &list(&own.iter().map(|source| source.name.clone()).collect::<Vec<_>>()));
    }
    let beside: Vec<String> = own.iter().flat_map(|source| source.beside(logs)).collect();
    if !beside.is_empty() {
        block.say(&format!("it now also reads {}: a file belongs to one source", beside.join(", ")));
    }
}

/// A jail's name as banmap has it, if nothing else has it; `manual` is its own.
pub(super) fn plain_name(section: &str) -> String {
    let plain = plain(section);
    if plain == "manual" { "manual-2".to_owned() } else { plain }
}

/// The same, each once.
fn name(section: &str, taken: &mut Vec<String>) -> String {
    let (plain, first) = (plain(section), plain_name(section));
    let numbered = (2..).map(|number| format!("{plain}-{number}"));
    let free = std::iter::once(first).chain(numbered).find(|name| !taken.contains(name)).unwrap_or_default();
    taken.push(free.clone());
    free
}

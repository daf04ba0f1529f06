//! Where a jail's bans were published: its actions, and the outputs that take their place.

use super::block::Block;
use super::setup::{Setup, text};
use super::words::calls;
use crate::filter::Call;

/// An output that takes the place of actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outlet {
    /// nginx reads a list.
    Nginx,
    /// Apache looks a map up.
    Apache,
    /// None of the actions has a counterpart: a list that nobody reads yet.
    Unread,
}

impl Outlet {
    /// The output's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Apache => "apache",
            Self::Unread => "unread",
        }
    }

    /// Its table.
    pub(super) fn block(self) -> Block {
        let mut block = Block::default();
        match self {
            Self::Nginx => {
                block.set("kind", "\"nginx-geo\"");
                block.say("`banmap snippet nginx` prints what nginx needs, instead of the map that the action wrote");
            }
            Self::Apache => {
                block.set("kind", "\"apache-rewritemap\"");
                block.say("`banmap snippet apache` prints what Apache needs, instead of the map that the action wrote; its \
                     workers must be able to read the file: owner = \":www-data\", mode = \"0640\"");
            }
            Self::Unread => {
                block.set("kind", "\"list\"");
                block.say("these jails' actions have no counterpart: nothing reads this list until you let a program read \
                     it, or give it the kind \"nginx-geo\" or \"apache-rewritemap\" and do what `banmap snippet unread` says");
            }
        }
        block
    }
}

const FIREWALLS: [&str; 15] = [
    "iptables",
    "nftables",
    "firewallcmd",
    "ufw",
    "shorewall",
    "pf",
    "ipfw",
    "bsd-ipfw",
    "osx-",
    "npf",
    "ipfilter",
    "apf",
    "route",
    "hostsdeny",
    "symbiosis",
];
const MAILS: [&str; 5] = ["mail", "sendmail", "smtp", "apprise", "complain"];
const REPORTS: [&str; 9] = [
    "cloudflare",
    "abuseipdb",
    "blocklist_de",
    "badips",
    "dshield",
    "mynetwatchman",
    "ipthreat",
    "netscaler",
    "xarf",
];

/// The outputs of a jail, never none. What becomes of each action is said.
pub(super) fn outlets(setup: &Setup, section: &str, block: &mut Block) -> Vec<Outlet> {
    let action = match setup.value(section, "action") {
        Ok(action) => action.unwrap_or_default(),
        Err(trouble) => {
            block.say(&format!("not carried over: action -- {trouble}"));
            String::new()
        }
    };
    let mut outlets = Vec::new();
    for call in calls(&action) {
        let name = Call::read(&call).map_or_else(|_| call.clone(), |call| call.name.to_owned());
        match counterpart(setup, &name) {
            Ok(outlet) => outlets.push(outlet),
            Err(why) => block.note("action", &name, why),
        }
    }
    outlets.sort();
    outlets.dedup();
    if outlets.is_empty() {
        outlets.push(Outlet::Unread);
    }
    outlets
}

/// The output that does what an action does, or why there is none.
fn counterpart(setup: &Setup, name: &str) -> Result<Outlet, &'static str> {
    let is_of = |family: &[&str]| family.iter().any(|first| name.starts_with(first));
    if is_of(&FIREWALLS) {
        return Err("this version changes no firewall: it bans in the web server");
    }
    if is_of(&MAILS) {
        return Err("this version sends no mail: `banmap history` tells what happened");
    }
    if is_of(&REPORTS) {
        return Err("nothing is reported to others: a program of yours can read an output of kind \"list\"");
    }
    let outlet = by_words(name, &[]).or_else(|| by_words(&written(setup, name), &[">>", "sed -i", "tee "]));
    outlet.ok_or("has no counterpart: a program of yours can read an output of kind \"list\"")
}

/// The server that a text is about, where it also holds one of the other words, if there are any.
fn by_words(text: &str, others: &[&str]) -> Option<Outlet> {
    let text = text.to_lowercase();
    let holds = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if !others.is_empty() && !holds(others) {
        return None;
    }
    if holds(&["nginx"]) {
        Some(Outlet::Nginx)
    } else {
        holds(&["apache", "httpd", "rewritemap"]).then_some(Outlet::Apache)
    }
}

/// What an action's files say, without comments.
fn written(setup: &Setup, name: &str) -> String {
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let files = ["conf", "local"].iter().filter(|_| is_name).filter_map(|extension| {
        text(&setup.directory.join("action.d").join(format!("{name}.{extension}"))).ok().flatten()
    });
    let files: Vec<String> = files.collect();
    let lines =
        files.iter().flat_map(|text| text.lines()).filter(|line| !line.trim_start().starts_with(['#', ';']));
    lines.collect::<Vec<_>>().join("\n")
}

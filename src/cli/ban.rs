//! `banmap ban`: bans by hand.

use clap::Args;

use super::duration;
use super::exit::{CliError, Exit};
use super::globals::Globals;
use super::login;
use super::outcome::{Outcome, Verb};
use super::screen::remark;
use super::targets::Targets;
use crate::control::{BanLength, Request};
use crate::terms::JailName;
use crate::terms::escape;

/// Bans addresses or prefixes by hand
///
/// Trusted proxies, loopback, this host's own addresses and allowed ones are never banned; inside a prefix they stay free.
/// The address that you are logged in from by SSH, and prefixes wider than an IPv4 /16 or an IPv6 /32, need --force; an IPv4
/// /8 and an IPv6 /19 are the widest. Banning somebody again keeps the later end. All that is named is banned in one step;
/// the command returns when the web servers have the new list.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(group = clap::ArgGroup::new("whom").required(true).multiple(true).args(["addresses", "file"]))]
pub(super) struct Ban {
    #[command(flatten)]
    targets: Targets,
    /// In this jail, and so in its outputs [default: the built-in jail `manual`, in all outputs]
    #[arg(long)]
    jail: Option<JailName>,
    /// How long: 30m, 7d, forever [default: the jail's bantime]
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::of_ban)]
    length: Option<BanLength>,
    /// Why, for those who ask later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Also the address that you are logged in from, and prefixes wider than /16 (IPv4) or /32 (IPv6)
    #[arg(long)]
    force: bool,
    /// Show whom it would be, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Return when it is stored, without waiting for the web servers
    #[arg(long)]
    no_wait: bool,
    /// The bans as one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Ban {
    pub(super) fn execute(self, globals: &Globals) -> Result<Exit, CliError> {
        let given = self.targets.gather()?;
        given.remarks.iter().for_each(|text| remark(&escape::line(text)));
        let mut outcome = Outcome::of(&given);
        if !given.prefixes.is_empty() {
            let reply = globals.connect()?.order(Request::Ban {
                targets: given.prefixes.clone(),
                jail: self.jail,
                duration: self.length,
                reason: self.reason,
                own_address: login::address(),
                force: self.force,
                dry_run: self.dry_run,
                no_wait: self.no_wait,
            });
            outcome.add(reply?)?;
        }
        outcome.show(&given, if self.dry_run { Verb::WouldBan } else { Verb::Banned }, self.json)
    }
}

//! `banmap ban`: bans by hand.

use clap::Args;

use super::duration;
use super::exit::{CliError, Exit};
use super::globals::Globals;
use super::outcome::Outcome;
use super::screen::remark;
use super::targets::Targets;
use crate::control::{BanLength, Request};
use crate::terms::JailName;
use crate::terms::escape;

/// Bans addresses or prefixes by hand
///
/// Trusted proxies, loopback, this host's own addresses and allowed ones are refused. Banning somebody again keeps the
/// later end. The command returns when the web servers have the new list.
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
        let mut outcome = Outcome { refused: given.refused, ..Outcome::default() };
        outcome.ask_for_all(&mut globals.connect()?, &given.prefixes, |targets, last| Request::Ban {
            targets: targets.to_vec(),
            jail: self.jail.clone(),
            duration: self.length,
            reason: self.reason.clone(),
            no_wait: self.no_wait || !last,
        })?;
        outcome.show("banned", self.json)
    }
}

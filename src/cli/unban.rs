//! `banmap unban`: ends bans by hand.

use clap::Args;

use super::exit::{CliError, Exit};
use super::globals::Globals;
use super::outcome::{Outcome, Verb};
use super::screen::remark;
use super::since::Since;
use super::targets::Targets;
use crate::control::Request;
use crate::os::clock;
use crate::terms::JailName;
use crate::terms::escape;

/// Ends bans, and forgets what was counted so far
///
/// An address inside a banned prefix cannot be unbanned alone: unban the prefix, or allow the address (`ignoreip`). The
/// command returns when the web servers have the new list.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(group = clap::ArgGroup::new("whom").required(true).multiple(true).args(["addresses", "file", "all", "jail"]))]
pub(super) struct Unban {
    #[command(flatten)]
    targets: Targets,
    /// Everybody
    #[arg(long, conflicts_with_all = ["addresses", "file"])]
    all: bool,
    /// Only bans of this jail; without addresses all of them
    #[arg(long)]
    jail: Option<JailName>,
    /// Only bans made since then: 1h, 2026-05-01, 2026-05-01T10:00:00Z
    #[arg(long, value_name = "TIME", conflicts_with_all = ["addresses", "file"])]
    since: Option<Since>,
    /// Forget their earlier bans too, so that the next one is as long as a first one
    #[arg(long, conflicts_with = "dry_run")]
    forget: bool,
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

impl Unban {
    pub(super) fn execute(self, globals: &Globals) -> Result<Exit, CliError> {
        let since = self.since.map(|since| since.resolve(clock::now()));
        let by_name = !self.targets.is_empty();
        let given = self.targets.gather()?;
        given.remarks.iter().for_each(|text| remark(&escape::line(text)));
        let mut outcome = Outcome::of(&given);
        if !by_name || !given.prefixes.is_empty() {
            // A connection is not kept waiting for what is typed on stdin.
            let reply = globals.connect()?.order(Request::Unban {
                targets: given.prefixes.clone(),
                all: self.all,
                jail: self.jail,
                since,
                forget: self.forget,
                dry_run: self.dry_run,
                no_wait: self.no_wait,
            });
            outcome.add(reply?)?;
        }
        outcome.show(&given, if self.dry_run { Verb::WouldUnban } else { Verb::Unbanned }, self.json)
    }
}

//! The command line: one file a verb; this one holds what they have in common and calls the one that was asked for.
//!
//! Data goes to stdout, everything else to stderr. A verb is an argument struct with `execute`, which returns the
//! exit code or what went wrong. The smallest example to imitate is `resume`.
#![allow(clippy::doc_markdown, reason = "doc comments of arguments are help texts: backticks would show")]

mod allow;
mod ban;
mod belonging;
mod by;
mod check;
mod compare;
mod completions;
mod duration;
mod empty;
mod exit;
mod globals;
mod heavy;
mod history;
mod import;
mod ledger;
mod list;
mod load;
mod login;
mod man;
mod outcome;
mod pause;
mod ping;
mod progress;
mod rehearsal;
mod release;
mod reload;
mod replay;
mod report;
mod resume;
mod run;
mod screen;
mod since;
mod snippet;
mod spared;
mod standing;
mod status;
mod table;
mod targets;
mod test;
mod times;
mod top;
mod unban;
mod why;

use std::process::ExitCode;

use clap::{Command, CommandFactory, Parser, Subcommand};

use exit::{CliError, Exit};
use globals::Globals;

/// What the manual pages and `--help` end with.
const AFTER: &str = "\
Exit status: 0 done; 1 failed or, for questions, \"no\"; 2 wrong usage or configuration; 3 the daemon is not reachable.

Configuration: the file given with -c, else $BANMAP_CONFIG, else /etc/banmap/banmap.toml; then conf.d/*.toml beside it. \
Variables like BANMAP_DAEMON__SOCKET override single values. NO_COLOR turns colours off.

JSON: one object a line, times RFC 3339 in UTC, durations in seconds, null is never.";

/// Bans clients in the web server itself, from what its access logs show
///
/// banmap follows the access logs of web servers behind a reverse proxy, decides which client addresses to ban, and
/// publishes the list in the form the server reads: an Apache RewriteMap or an nginx geo include.
#[derive(Debug, Parser)]
#[command(name = "banmap", version, after_long_help = AFTER, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    verb: Verb,
}

/// Every verb of this version.
#[derive(Debug, Subcommand)]
enum Verb {
    Run(run::Run),
    Check(check::Check),
    Replay(replay::Replay),
    Test(test::Test),
    Top(top::Top),
    Status(status::Status),
    List(list::List),
    Why(why::Why),
    History(history::History),
    Ban(ban::Ban),
    Unban(unban::Unban),
    Allow(allow::Allow),
    Pause(pause::Pause),
    Resume(resume::Resume),
    Release(release::Release),
    Empty(empty::Empty),
    Reload(reload::Reload),
    Ping(ping::Ping),
    Snippet(snippet::Snippet),
    Import(import::Import),
    Completions(completions::Completions),
    Man(man::Man),
}

/// The command line's definition: for manual pages, completions and whatever else is generated from it.
pub fn command() -> Command {
    Cli::command()
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(shown) => {
            // Help and version come this way too. A reader that is gone does not change what we say.
            let _ = shown.print();
            return if shown.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    match cli.verb.execute(&cli.globals) {
        Ok(exit) => exit.into(),
        Err(error) if error.is_broken_pipe() => Exit::Done.into(),
        Err(error) => {
            screen::complain(&error.to_string());
            error.exit().into()
        }
    }
}

impl Verb {
    fn execute(self, globals: &Globals) -> Result<Exit, CliError> {
        match self {
            Self::Run(run::Run {}) => run::execute(globals),
            Self::Check(verb) => verb.execute(globals),
            Self::Replay(verb) => verb.execute(globals),
            Self::Test(verb) => verb.execute(globals),
            Self::Top(verb) => verb.execute(globals),
            Self::Status(verb) => verb.execute(globals),
            Self::List(verb) => verb.execute(globals),
            Self::Why(verb) => verb.execute(globals),
            Self::History(verb) => verb.execute(globals),
            Self::Ban(verb) => verb.execute(globals),
            Self::Unban(verb) => verb.execute(globals),
            Self::Allow(verb) => verb.execute(globals),
            Self::Pause(verb) => verb.execute(globals),
            Self::Resume(verb) => verb.execute(globals),
            Self::Release(verb) => verb.execute(globals),
            Self::Empty(verb) => verb.execute(globals),
            Self::Reload(reload::Reload {}) => reload::execute(globals),
            Self::Ping(ping::Ping {}) => ping::execute(globals),
            Self::Snippet(verb) => verb.execute(globals),
            Self::Import(verb) => verb.execute(globals),
            Self::Completions(verb) => verb.execute(),
            Self::Man(verb) => verb.execute(),
        }
    }
}

#[cfg(test)]
mod tests;

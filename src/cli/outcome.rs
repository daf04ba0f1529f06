//! What a change came to: the bans that were made or ended, what is good to know, what was refused.

use std::io;

use super::exit::{CliError, Exit};
use super::globals::Globals;
use super::list;
use super::screen::{Screen, many, remark};
use crate::address::Prefix;
use crate::control::{BanRow, Client, MAX_TARGETS, Refusal, Reply, Request};
use crate::os::clock;
use crate::terms::escape;

/// So many bans are named one by one; more are counted.
const NAMED: usize = 20;

/// The outcome of one or several requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) messages: Vec<String>,
    pub(super) bans: Vec<BanRow>,
    pub(super) refused: Vec<Refusal>,
}

/// Has the daemon do one thing that bans and unbans nobody by name, and shows what it says about it.
pub(super) fn order(globals: &Globals, request: &Request) -> Result<Exit, CliError> {
    let mut outcome = Outcome::default();
    outcome.add(globals.ask(request)?)?;
    outcome.show("changed", false)
}

impl Outcome {
    /// Reads one reply into it.
    pub(super) fn add(&mut self, reply: Reply) -> Result<(), CliError> {
        match reply {
            Reply::Done { messages, bans, refused } => {
                self.messages.extend(messages);
                self.bans.extend(bans);
                self.refused.extend(refused);
                Ok(())
            }
            other => Err(CliError::from_reply(other)),
        }
    }

    /// Sends as many requests as the targets need. Only the last one waits for outputs: they hold all changes before it.
    pub(super) fn ask_for_all<T>(
        &mut self,
        client: &mut Client,
        targets: &[T],
        request: impl Fn(&[T], bool) -> Request,
    ) -> Result<(), CliError> {
        let mut rest = targets.chunks(MAX_TARGETS).peekable();
        let mut sent = 0;
        while let Some(some) = rest.next() {
            let last = rest.peek().is_none();
            let added = client.ask(&request(some, last)).map_err(CliError::from);
            if let Err(error) = added.and_then(|reply| self.add(reply)) {
                if sent > 0 {
                    remark(&format!(
                        "the first {sent} of {} addresses were applied before this:",
                        targets.len()
                    ));
                }
                return Err(error);
            }
            sent += some.len();
        }
        Ok(())
    }

    /// Shows it: bans as JSON, or as sentences (`verb` is their participle, `banned`); refusals and notes on stderr.
    pub(super) fn show(self, verb: &str, json: bool) -> Result<Exit, CliError> {
        let mut screen = Screen::new();
        if json {
            self.bans.iter().try_for_each(|ban| screen.json(ban))?;
        } else {
            self.sentences(verb, &mut screen)?;
        }
        screen.finish()?;
        self.messages.iter().for_each(|message| remark(&escape::lines(message)));
        for Refusal { target, reason } in &self.refused {
            // An output that is late is told in the same list, and nobody refused anything then.
            let is_address = target.parse::<Prefix>().is_ok() || target.starts_with("line ");
            let refused = if is_address { "refused: " } else { "" };
            remark(&format!("{refused}{}: {}", escape::line(target), escape::lines(reason)));
        }
        Ok(if self.refused.is_empty() { Exit::Done } else { Exit::Failed })
    }

    fn sentences(&self, verb: &str, screen: &mut Screen) -> io::Result<()> {
        if self.bans.len() > NAMED {
            return screen.line(format!("{verb}: {}", many(self.bans.len() as u64, "ban")));
        }
        let now = clock::now();
        self.bans.iter().try_for_each(|ban| screen.line(format!("{verb}: {}", list::sentence(ban, now))))
    }
}

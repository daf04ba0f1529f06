//! What a change came to: the bans that were made or ended, what is good to know, what was refused.

use std::io;

use serde::Serialize;

use super::exit::{CliError, Exit};
use super::globals::Globals;
use super::list;
use super::screen::{Screen, many, remark};
use super::targets::Given;
use crate::address::Prefix;
use crate::control::{BanRow, Refusal, Reply, Request};
use crate::os::clock;
use crate::terms::escape;

/// So many bans are named one by one; more are counted.
const NAMED: usize = 20;

/// What was done, or would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Banned,
    WouldBan,
    Unbanned,
    WouldUnban,
}

impl Verb {
    fn participle(self) -> &'static str {
        match self {
            Self::Banned => "banned",
            Self::WouldBan => "would be banned",
            Self::Unbanned => "unbanned",
            Self::WouldUnban => "would be unbanned",
        }
    }

    /// Whoever asks whom it would be wants to see all of them.
    fn names_all(self) -> bool {
        matches!(self, Self::WouldBan | Self::WouldUnban)
    }
}

/// The outcome of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    messages: Vec<String>,
    bans: Vec<BanRow>,
    refused: Vec<Refusal>,
    /// How many of the refused are no addresses: they were never sent.
    unread: usize,
}

/// A ban as JSON.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    ban: &'a BanRow,
    /// How many the ban holds.
    addresses: u128,
}

/// What was not done as JSON.
#[derive(Serialize)]
struct Left<'a> {
    refused: &'a str,
    reason: &'a str,
    /// Where it was written, if in a file: `list.txt:7`.
    place: Option<String>,
}

/// Has the daemon do one thing that bans and unbans nobody by name, and shows what it says about it.
pub(super) fn order(globals: &Globals, request: &Request) -> Result<Exit, CliError> {
    let mut outcome = Outcome::default();
    outcome.add(globals.ask(request)?)?;
    Ok(outcome.told())
}

impl Outcome {
    /// What is known before the daemon is asked.
    pub(super) fn of(given: &Given) -> Self {
        Self { refused: given.refused.clone(), unread: given.refused.len(), ..Self::default() }
    }

    /// Reads a reply into it.
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

    /// Shows it: bans and refusals as JSON, or bans as sentences; refusals and notes on stderr.
    pub(super) fn show(self, given: &Given, verb: Verb, json: bool) -> Result<Exit, CliError> {
        let mut screen = Screen::new();
        if json {
            self.objects(given, &mut screen)?;
        } else {
            self.sentences(verb, &mut screen)?;
        }
        screen.finish()?;
        self.remarks(given);
        Ok(self.exit())
    }

    /// Shows what is said about it, where nobody was banned or unbanned by name.
    pub(super) fn told(self) -> Exit {
        self.remarks(&Given::default());
        self.exit()
    }

    fn exit(&self) -> Exit {
        if self.refused.is_empty() { Exit::Done } else { Exit::Failed }
    }

    fn objects(&self, given: &Given, screen: &mut Screen) -> io::Result<()> {
        for ban in &self.bans {
            screen.json(&Shown { ban, addresses: ban.address.size() })?;
        }
        for (number, Refusal { target, reason }) in self.refused.iter().enumerate() {
            if number < self.unread || target.parse::<Prefix>().is_ok() {
                let place = if number < self.unread { Some(target.clone()) } else { given.place(target) };
                screen.json(&Left { refused: target, reason, place })?;
            }
        }
        Ok(())
    }

    fn remarks(&self, given: &Given) {
        self.messages.iter().for_each(|message| remark(&escape::lines(message)));
        for (number, Refusal { target, reason }) in self.refused.iter().enumerate() {
            // An output that is late is told in the same list, and nobody refused anything then.
            let is_refused = number < self.unread || target.parse::<Prefix>().is_ok();
            let refused = if is_refused { "refused: " } else { "" };
            let place = given.place(target).map(|place| format!("{place}: ")).unwrap_or_default();
            remark(&format!(
                "{refused}{}{}: {}",
                escape::line(&place),
                escape::line(target),
                escape::lines(reason)
            ));
        }
    }

    fn sentences(&self, verb: Verb, screen: &mut Screen) -> io::Result<()> {
        let now = clock::now();
        let participle = verb.participle();
        let names_all = self.bans.len() <= NAMED || verb.names_all();
        if !names_all {
            let prefixes = self.bans.iter().filter(|ban| !ban.address.is_host()).count();
            let prefixes = if prefixes > 0 { format!(", {prefixes} of prefixes") } else { String::new() };
            screen.line(format!("{participle}: {}{prefixes}", many(self.bans.len() as u64, "ban")))?;
        }
        for ban in &self.bans {
            if names_all {
                screen.line(format!("{participle}: {}{}", list::sentence(ban, now), extent(ban)))?;
            }
            for spared in &ban.spared {
                let whose = if names_all { String::new() } else { format!(" of {}", ban.address) };
                screen.line(format!(
                    "  but not {}{whose}: {}",
                    spared.address,
                    escape::line(&spared.rule)
                ))?;
            }
        }
        Ok(())
    }
}

/// How much a prefix holds.
fn extent(ban: &BanRow) -> String {
    if ban.address.is_host() { String::new() } else { format!("; {}", ban.address.extent()) }
}

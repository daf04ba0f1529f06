//! What the other verbs ask of the running daemon.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::answers::{Answer, refused, rows};
use super::circuit::Circuit;
use super::hand::{self, By, Consent, Whom};
use super::inherit::inherited;
use super::status;
use crate::address::{Address, Prefix};
use crate::ban::Ban;
use crate::control::{FailCode, Peer, Reply, Request};
use crate::engine::{Order, Refusal as Refused};
use crate::os::clock;
use crate::publish;
use crate::store::{HistoryQuery, HistoryRow, StoreError};
use crate::terms::JailName;

/// The most rows that `history` answers.
const HISTORY_ROWS: usize = 10_000;

impl Circuit {
    /// Answers one request; commands that wait for outputs answer from a task of their own.
    pub(super) fn command(&mut self, request: Request, peer: Peer, answer: Answer) {
        let now = clock::now();
        match request {
            Request::Ping => self.pings.push(answer),
            Request::Status { jail } => self.reply(answer, |circuit| status::answer(circuit, jail.as_ref())),
            Request::List { jail, simulated } => {
                self.reply(answer, |circuit| circuit.list(jail.as_ref(), simulated));
            }
            Request::Why { address } => self.why(address, now, answer),
            Request::History { address, since, jail } => self.history(address, since, jail, answer),
            Request::Ban { targets, jail, duration, reason, own_address, force, dry_run, no_wait } => {
                let by = By { peer, reason: reason.clone(), no_wait };
                let term = hand::term(duration);
                let order = |prefix| Order { prefix, jail: jail.clone(), term, reason: reason.clone() };
                let (orders, known) = (targets.into_iter().map(order), self.known(jail.as_ref()));
                let consent = Consent { own: own_address.map(Address::from), force };
                if dry_run {
                    let would = known.map(|()| self.would_ban(orders, consent, now));
                    let _ = answer.send(would.unwrap_or_else(|refusal| refused(&refusal)));
                } else {
                    let outcome = known.map(|()| self.ban(orders, consent, now));
                    self.answer_order(outcome, &by, answer);
                }
            }
            Request::Inherit { bans, reason, own_address, force, dry_run, no_wait } => {
                let given = bans.into_iter().map(|ban| inherited(ban, reason.as_ref())).collect();
                let consent = Consent { own: own_address.map(Address::from), force };
                if dry_run {
                    let _ = answer.send(self.would_inherit(given, consent, now));
                } else {
                    let by = By { peer, reason, no_wait };
                    self.inherit(given, (consent, &by), now, answer);
                }
            }
            // The server joins them to the command that they are meant for.
            Request::Targets { .. } => {
                let _ = answer.send(Reply::failed(FailCode::Usage, "these addresses belong to no command"));
            }
            Request::Unban { targets, all, jail, since, forget, dry_run, no_wait } => {
                let whole = targets.is_empty() && (all || jail.is_some());
                let whom = if whole { Whom::All { since } } else { Whom::These(targets) };
                if dry_run {
                    let would = self.would_unban(&whom, jail.as_ref(), now);
                    let _ = answer.send(would.unwrap_or_else(|refusal| refused(&refusal)));
                } else {
                    let outcome = self.unban(whom, jail.as_ref(), forget, now);
                    self.answer_order(outcome, &By { peer, reason: None, no_wait }, answer);
                }
            }
            Request::Allow { targets, duration, reason, no_wait } => {
                let by = By { peer, reason, no_wait };
                self.allow(targets, duration, &by, now, answer);
            }
            Request::Disallow { targets, no_wait } => {
                self.disallow(&targets, &By { peer, reason: None, no_wait }, now, answer);
            }
            Request::Allowed => self.reply(answer, Self::allowed),
            Request::Pause { jail, duration } => {
                let until = duration.and_then(|length| now.checked_add(length).ok());
                self.pause(jail, until, peer, answer);
            }
            Request::Resume { jail } => self.resume(jail, peer, answer),
            Request::Release { jail, drop } => self.release_held(&jail, drop, peer, answer),
            Request::Reload => self.reloads.push((Some(answer), Some(peer))),
            Request::Empty { what } => match self.empty(&what) {
                Ok(done) => self.answer_when_stored(done, answer),
                Err(refusal) => drop(answer.send(*refusal)),
            },
        }
    }
}

impl Circuit {
    fn reply(&self, answer: Answer, make: impl FnOnce(&Self) -> Reply) {
        let _ = answer.send(make(self));
    }

    /// Refuses a jail that is neither configured nor has bans.
    pub(super) fn known(&self, jail: Option<&JailName>) -> Result<(), Refused> {
        jail.map_or(Ok(()), |jail| self.owner.engine.check_jail(jail))
    }

    fn list(&self, jail: Option<&JailName>, simulated: bool) -> Reply {
        if let Err(refusal) = self.known(jail) {
            return refused(&refusal);
        }
        let now = clock::now();
        let wanted = |ban: &&Arc<Ban>| {
            ban.simulated == simulated && !ban.is_over(now) && jail.is_none_or(|name| ban.jail == *name)
        };
        Reply::Bans(rows(self.owner.engine.bans().filter(wanted)))
    }

    /// What happened a moment ago is handed to the store first: it answers from what it was given.
    fn history(
        &mut self,
        address: Option<Prefix>,
        since: Option<Timestamp>,
        jail: Option<JailName>,
        answer: Answer,
    ) {
        let query = HistoryQuery { address, since, jail, limit: HISTORY_ROWS, evidence: false };
        let tell = move |found: Result<Vec<HistoryRow>, StoreError>| {
            let _ = answer.send(match found {
                Ok(rows) => Reply::History(rows.into_iter().rev().map(status::history_row).collect()),
                Err(error) => Reply::failed(FailCode::Failed, error.to_string()),
            });
        };
        self.owner.save();
        self.owner.keeper.history(query, Box::new(tell));
    }

    /// Empties the file of an output that is not configured any more. A live output would be written again at once.
    fn empty(&mut self, what: &str) -> Result<String, Box<Reply>> {
        let live = |o: &&publish::Settings| o.name.as_str() == what || o.path == Path::new(what);
        if let Some(live) = self.config.outputs.iter().find(live) {
            let why = format!(
                "output {} is in use: `banmap unban --all` empties it while the daemon runs, `banmap pause` keeps it empty",
                live.name
            );
            return Err(Box::new(Reply::failed(FailCode::Failed, why)));
        }
        let files: Vec<_> = self.owner.files().cloned().collect();
        let mut left_behind = publish::left_behind(&self.config.outputs, &files).into_iter();
        let Some(file) = left_behind.find(|f| f.output.as_str() == what || f.path == Path::new(what)) else {
            let why = format!("`{what}` is neither an output nor a file that an output has written");
            return Err(Box::new(Reply::failed(FailCode::Usage, why)));
        };
        publish::empty(file).map_err(|error| Box::new(Reply::failed(FailCode::Failed, error.to_string())))?;
        self.owner.forget(file);
        Ok(format!("{} is empty now", file.path.display()))
    }
}

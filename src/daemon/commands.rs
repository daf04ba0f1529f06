//! What the other verbs ask of the running daemon.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::run::Circuit;
use super::status;
use crate::address::Prefix;
use crate::ban::{Ban, Change, Ended};
use crate::control::{BanLength, BanRow, EvidenceRow, FailCode, Near, Peer, Refusal, Reply, Request, Why};
use crate::engine::{Effects, Notice, Order, Refusal as Refused, Term};
use crate::os::clock;
use crate::publish::{self, Report};
use crate::store::{HistoryEvent, HistoryKind, HistoryQuery, HistoryRow, StoreError};
use crate::terms::{Evidence, JailName, OutputName};

/// The newest report of each configured output; `None` while there is none.
pub(super) type Reports = BTreeMap<OutputName, Option<Report>>;

/// How long a command by hand waits for its outputs before it says that they are not there yet: less than clients wait
/// for an answer.
const OUTPUTS_WITHIN: Duration = Duration::from_mins(1);
/// A failure that an output had before the command may be over with the next attempt, which comes at once.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(3);
/// The most rows that `history` answers, and `why`.
const HISTORY_ROWS: usize = 10_000;
const WHY_ROWS: usize = 50;

/// Where an answer goes.
type Answer = oneshot::Sender<Reply>;

fn failed(message: impl Into<String>) -> Reply {
    Reply::Failed { message: message.into(), code: FailCode::Failed }
}

fn done(message: impl Into<String>) -> Reply {
    Reply::Done { messages: vec![message.into()], bans: Vec::new(), refused: Vec::new() }
}

/// A command that changes bans: what it did, to be answered when it is stored and (unless `no_wait`) in force.
struct Outcome {
    effects: Effects,
    refused: Vec<Refusal>,
    no_wait: bool,
}

/// What a command changed itself; bans that were over when it came are none of its doing.
fn is_by_hand(change: &Change) -> bool {
    !matches!(change, Change::Ended(_, Ended::Expired | Ended::Allowed))
}

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
            Request::Ban { targets, jail, duration, reason, no_wait } => {
                let term = term(duration);
                let order = |prefix| Order { prefix, jail: jail.clone(), term, reason: reason.clone() };
                let outcome = self.ban(targets.into_iter().map(order), no_wait, now);
                self.note_command(&outcome, peer, reason.as_deref(), now);
                self.finish(outcome, answer);
            }
            Request::Unban { targets, all, jail, since, dry_run, no_wait } => {
                let whole = targets.is_empty() && (all || jail.is_some());
                if dry_run {
                    let _ = answer.send(self.would_unban(&targets, whole, jail.as_ref(), since));
                    return;
                }
                let outcome = if whole {
                    self.unban_all(jail.as_ref(), since, no_wait, now)
                } else {
                    self.unban(targets, jail.as_ref(), no_wait, now)
                };
                self.note_command(&outcome, peer, None, now);
                self.finish(outcome, answer);
            }
            Request::Pause { jail, duration } => {
                let until = duration.and_then(|length| now.checked_add(length).ok());
                let reply = self.pause(jail, until, peer, now);
                self.answer_when_stored(reply, answer);
            }
            Request::Resume { jail } => {
                let reply = self.resume(jail.as_ref(), peer, now);
                self.answer_when_stored(reply, answer);
            }
            Request::Reload => self.reloads.push((Some(answer), Some(peer))),
            Request::Empty { what } => {
                let reply = self.empty(&what);
                self.answer_when_stored(reply, answer);
            }
        }
    }
}

impl Circuit {
    fn reply(&self, answer: Answer, make: impl FnOnce(&Self) -> Reply) {
        let _ = answer.send(make(self));
    }

    fn list(&self, jail: Option<&JailName>, simulated: bool) -> Reply {
        let wanted =
            |ban: &&Arc<Ban>| ban.simulated == simulated && jail.is_none_or(|name| ban.jail == *name);
        let mut rows: Vec<BanRow> =
            self.owner.engine.bans().filter(wanted).map(|ban| BanRow::from(&**ban)).collect();
        rows.sort_by(|a, b| (a.address, &a.jail).cmp(&(b.address, &b.jail)));
        Reply::Bans(rows)
    }

    /// What the engine knows at once, and what the store adds: kept evidence and history, the newest included.
    fn why(&mut self, address: Prefix, now: Timestamp, answer: Answer) {
        let known = self.owner.engine.why(address.first(), now);
        let near = known.windows.iter().map(|window| Near {
            jail: window.jail.clone(),
            address: window.prefix,
            offences: u32::try_from(window.offences).unwrap_or(u32::MAX),
            maxretry: window.maxretry,
            findtime: window.findtime,
        });
        let mut why = Why {
            address,
            banned: known.banned,
            bans: known.bans.iter().map(|ban| BanRow::from(&**ban)).collect(),
            protected_by: known.protected_by,
            evidence: known.evidence.iter().map(EvidenceRow::from).collect(),
            history: Vec::new(),
            near: near.collect(),
        };
        let query = HistoryQuery {
            address: Some(address),
            since: None,
            jail: None,
            limit: WHY_ROWS,
            evidence: false,
        };
        self.owner.save();
        let (rows, rows_there) = oneshot::channel();
        self.owner.keeper.history(query, Box::new(move |found| drop(rows.send(found.unwrap_or_default()))));
        // The lines of bans are in the store alone.
        let kept: Vec<_> = known.bans.iter().map(|ban| self.kept(ban)).collect();
        tokio::spawn(async move {
            for evidence in kept {
                why.evidence.extend(evidence.await.unwrap_or_default().iter().map(EvidenceRow::from));
            }
            why.evidence.sort_by_key(|row| row.at);
            let rows: Vec<HistoryRow> = rows_there.await.unwrap_or_default();
            why.history = rows.into_iter().map(status::history_row).collect();
            let _ = answer.send(Reply::Why(why));
        });
    }

    fn kept(&self, ban: &Ban) -> oneshot::Receiver<Vec<Evidence>> {
        let (evidence, there) = oneshot::channel();
        let tell = Box::new(move |found: Result<_, _>| drop(evidence.send(found.unwrap_or_default())));
        self.owner.keeper.evidence(ban.prefix, ban.jail.clone(), tell);
        there
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
                Err(error) => failed(error.to_string()),
            });
        };
        self.owner.save();
        self.owner.keeper.history(query, Box::new(tell));
    }

    fn ban(&mut self, orders: impl Iterator<Item = Order>, no_wait: bool, now: Timestamp) -> Outcome {
        let mut outcome = Outcome { effects: Effects::default(), refused: Vec::new(), no_wait };
        for order in orders {
            let prefix = order.prefix;
            match self.owner.engine.ban(order, now) {
                Ok(effects) => outcome.add(effects),
                Err(refusal) => outcome.refuse(prefix.to_string(), &refusal),
            }
        }
        outcome
    }

    /// Whom an unban would be about.
    fn would_unban(
        &self,
        targets: &[Prefix],
        whole: bool,
        jail: Option<&JailName>,
        since: Option<Timestamp>,
    ) -> Reply {
        let targets: HashSet<&Prefix> = targets.iter().collect();
        let meant = |ban: &&Arc<Ban>| {
            let of_jail = jail.is_none_or(|name| ban.jail == *name);
            let young = || since.is_none_or(|since| ban.since >= since);
            of_jail && if whole { young() } else { targets.contains(&ban.prefix) }
        };
        let mut bans: Vec<BanRow> =
            self.owner.engine.bans().filter(meant).map(|ban| BanRow::from(&**ban)).collect();
        bans.sort_by(|a, b| (a.address, &a.jail).cmp(&(b.address, &b.jail)));
        let messages = vec![format!("{} bans would end; nothing was changed", bans.len())];
        Reply::Done { messages, bans, refused: Vec::new() }
    }

    fn unban_all(
        &mut self,
        jail: Option<&JailName>,
        since: Option<Timestamp>,
        no_wait: bool,
        now: Timestamp,
    ) -> Outcome {
        let mut outcome = Outcome { effects: Effects::default(), refused: Vec::new(), no_wait };
        match self.owner.engine.unban_all(jail, since, now) {
            Ok(effects) => outcome.add(effects),
            Err(refusal) => outcome.refuse(jail.map_or_else(String::new, ToString::to_string), &refusal),
        }
        outcome
    }

    fn unban(
        &mut self,
        chosen: Vec<Prefix>,
        jail: Option<&JailName>,
        no_wait: bool,
        now: Timestamp,
    ) -> Outcome {
        let mut outcome = Outcome { effects: Effects::default(), refused: Vec::new(), no_wait };
        for prefix in chosen {
            match self.owner.engine.unban(prefix, jail, now) {
                Ok(effects) => outcome.add(effects),
                Err(refusal) => outcome.refuse(prefix.to_string(), &refusal),
            }
        }
        outcome
    }

    fn note_command(&mut self, outcome: &Outcome, peer: Peer, reason: Option<&str>, now: Timestamp) {
        for change in outcome.effects.changes.iter().filter(|change| is_by_hand(change)) {
            let ban = change.ban();
            self.owner.note(HistoryEvent {
                at: now,
                kind: HistoryKind::Command,
                address: Some(ban.prefix),
                jail: Some(ban.jail.clone()),
                uid: Some(peer.uid),
                reason: reason.map(str::to_owned),
                text: if matches!(change, Change::Ended(..)) { "unban" } else { "ban" }.to_owned(),
            });
        }
    }

    /// Carries the effects on, and answers once they are stored and the outputs are at their best. What is not is
    /// listed with what was refused, so that the command does not end as if all were well.
    fn finish(&mut self, outcome: Outcome, answer: Answer) {
        let Outcome { effects, mut refused, no_wait } = outcome;
        let changes = effects.changes.iter().filter(|change| is_by_hand(change));
        let bans: Vec<BanRow> = changes.map(|change| BanRow::from(&**change.ban())).collect();
        let messages = effects.notices.iter().filter(|notice| matches!(notice, Notice::StillBanned { .. }));
        let messages: Vec<String> = messages.map(ToString::to_string).collect();
        self.owner.carry(effects, true);
        let (stored, durable) = oneshot::channel();
        self.owner.save_then(Some(Box::new(move |result| drop(stored.send(result)))));
        let (generation, reports) = (self.owner.engine.generation(), self.reports.subscribe());
        tokio::spawn(async move {
            let reason = match durable.await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(format!("in force, but not stored yet (it is tried again): {error}")),
                Err(_stopping) => Some("in force, but the daemon stopped before it was stored".to_owned()),
            };
            refused.extend(reason.map(|reason| Refusal { target: "the database".to_owned(), reason }));
            if !no_wait {
                refused.extend(not_in_force(reports, generation).await);
            }
            let _ = answer.send(Reply::Done { messages, bans, refused });
        });
    }

    /// Answers once everything up to now is stored.
    fn answer_when_stored(&mut self, reply: Reply, answer: Answer) {
        self.owner.save_then(Some(Box::new(move |stored| {
            let _ = answer.send(match stored {
                Ok(()) => reply,
                Err(error) => failed(format!("done, but not stored yet (it is tried again): {error}")),
            });
        })));
    }

    fn pause(
        &mut self,
        jail: Option<JailName>,
        until: Option<Timestamp>,
        peer: Peer,
        now: Timestamp,
    ) -> Reply {
        if let Err(refusal) = self.owner.engine.pause(jail.clone(), until) {
            return failed(refusal.to_string());
        }
        let text = format!("paused {}", jail.as_ref().map_or("all jails".to_owned(), ToString::to_string));
        self.note_pause(HistoryKind::Paused, jail, peer, text.clone(), now);
        self.owner.pauses_changed();
        done(format!("{text}: offences are judged and logged, nobody new is banned"))
    }

    fn resume(&mut self, jail: Option<&JailName>, peer: Peer, now: Timestamp) -> Reply {
        if let Err(refusal) = self.owner.engine.resume(jail) {
            return failed(refusal.to_string());
        }
        let text = format!("resumed {}", jail.map_or("all jails".to_owned(), ToString::to_string));
        self.note_pause(HistoryKind::Resumed, jail.cloned(), peer, text.clone(), now);
        self.owner.pauses_changed();
        done(text)
    }

    fn note_pause(
        &mut self,
        kind: HistoryKind,
        jail: Option<JailName>,
        peer: Peer,
        text: String,
        at: Timestamp,
    ) {
        self.owner.note(HistoryEvent {
            at,
            kind,
            address: None,
            jail,
            uid: Some(peer.uid),
            reason: None,
            text,
        });
    }
}

impl Circuit {
    /// Empties the file of an output that is not configured any more. A live output would be written again at once.
    fn empty(&mut self, what: &str) -> Reply {
        if let Some(live) =
            self.config.outputs.iter().find(|o| o.name.as_str() == what || o.path == Path::new(what))
        {
            return failed(format!(
                "output {} is in use: `banmap unban --all` empties it while the daemon runs, `banmap pause` keeps it empty",
                live.name
            ));
        }
        let files: Vec<_> = self.owner.files().cloned().collect();
        let left_behind = publish::left_behind(&self.config.outputs, &files);
        let Some(file) =
            left_behind.into_iter().find(|f| f.output.as_str() == what || f.path == Path::new(what))
        else {
            return failed(format!("`{what}` is neither an output nor a file that an output has written"));
        };
        match publish::empty(file) {
            Ok(_written) => {
                self.owner.forget(file);
                done(format!("{} is empty now", file.path.display()))
            }
            Err(error) => failed(error.to_string()),
        }
    }
}

impl Outcome {
    fn add(&mut self, effects: Effects) {
        self.effects.changes.extend(effects.changes);
        self.effects.notices.extend(effects.notices);
    }

    fn refuse(&mut self, target: String, refusal: &Refused) {
        self.refused.push(Refusal { target, reason: refusal.to_string() });
    }
}

fn term(length: Option<BanLength>) -> Term {
    match length {
        None => Term::Usual,
        Some(BanLength::Forever) => Term::Forever,
        Some(BanLength::For(length)) => Term::For(length),
    }
}

/// Waits until each output is at its best for `generation`; tells those that are not.
async fn not_in_force(mut reports: watch::Receiver<Reports>, generation: u64) -> Vec<Refusal> {
    let settled = |report: &Option<Report>| {
        report.as_ref().is_some_and(|report| report.settled && report.generation >= generation)
    };
    let failed = |report: &Option<Report>| report.as_ref().is_some_and(|report| report.error.is_some());
    let all_settled = |reports: &Reports| reports.values().all(settled);
    let all_told = |reports: &Reports| reports.values().all(|report| settled(report) || failed(report));
    // An error says that the other end is gone, or that time is over: what is late then is told below.
    let _ = timeout(ATTEMPT_WITHIN, reports.wait_for(all_settled)).await;
    let _ = timeout(OUTPUTS_WITHIN, reports.wait_for(all_told)).await;
    let reports = reports.borrow();
    let late = reports.iter().filter(|(_, report)| !settled(report));
    late.map(|(name, report)| {
        let error = report.as_ref().and_then(|report| report.error.as_deref());
        let reason = error.unwrap_or("the new list is not in force yet; `banmap status` shows when it is");
        Refusal { target: format!("output {name}"), reason: reason.to_owned() }
    })
    .collect()
}

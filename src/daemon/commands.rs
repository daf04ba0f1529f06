//! What the other verbs ask of the running daemon.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{oneshot, watch};

use super::run::Circuit;
use super::status;
use crate::address::Prefix;
use crate::ban::{Ban, Change};
use crate::control::{BanRow, EvidenceRow, FailCode, Near, Peer, Refusal, Reply, Request, Why};
use crate::engine::{Effects, Order};
use crate::os::clock;
use crate::publish::{Report, State};
use crate::store::{HistoryEvent, HistoryKind, HistoryQuery, HistoryRow};
use crate::terms::{JailName, OutputName, Pause};

/// The newest report of each output.
pub(super) type Reports = BTreeMap<OutputName, Report>;

/// How long a command by hand waits for its outputs before it says that they are not there yet.
const OUTPUTS_WITHIN: Duration = Duration::from_secs(60);
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
                let order = |prefix| Order {
                    prefix,
                    jail: jail.clone(),
                    duration: duration.map(Into::into),
                    reason: reason.clone(),
                };
                let outcome = self.ban(targets.into_iter().map(order), no_wait, now);
                self.note_command(&outcome, peer, reason, now);
                self.finish(outcome, answer);
            }
            Request::Unban { targets, all, jail, since, dry_run, forget: _, no_wait } => {
                let chosen = self.chosen(targets, all, jail.as_ref(), since);
                if dry_run {
                    let _ = answer.send(would_unban(&chosen));
                    return;
                }
                let outcome = self.unban(chosen, jail.as_ref(), no_wait, now);
                self.note_command(&outcome, peer, None, now);
                self.finish(outcome, answer);
            }
            Request::Pause { jail, duration } => {
                let until = duration.and_then(|length| now.checked_add(length).ok());
                let reply = self.pause(Pause { jail, until }, peer, now);
                let _ = answer.send(reply);
            }
            Request::Resume { jail } => {
                let reply = self.resume(jail.as_ref(), peer, now);
                let _ = answer.send(reply);
            }
            Request::Reload => self.reloads.push((Some(answer), Some(peer))),
            Request::Empty { what } => {
                let reply = self.empty(&what);
                let _ = answer.send(reply);
            }
        }
    }
}

impl Circuit {
    fn reply(&self, answer: Answer, make: impl FnOnce(&Self) -> Reply) {
        let _ = answer.send(make(self));
    }

    fn list(&self, jail: Option<&JailName>, simulated: bool) -> Reply {
        let wanted = |ban: &&Arc<Ban>| ban.simulated == simulated && jail.is_none_or(|name| ban.jail == *name);
        let mut rows: Vec<BanRow> = self.owner.engine.bans().filter(wanted).map(|ban| BanRow::from(&**ban)).collect();
        rows.sort_by(|a, b| (a.address, &a.jail).cmp(&(b.address, &b.jail)));
        Reply::Bans(rows)
    }

    /// What the engine knows at once, and what the store adds: kept evidence and history.
    fn why(&self, address: Prefix, now: Timestamp, answer: Answer) {
        let known = self.owner.engine.why(address, now);
        let near = known.windows.iter().map(|window| Near {
            jail: window.jail.clone(),
            address: window.prefix,
            offences: window.offences,
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
        let banned = known.bans;
        self.owner.ask_store(move |store| {
            let kept = banned.iter().filter(|ban| ban.evidence.is_empty());
            let kept = kept.flat_map(|ban| store.evidence(ban.prefix, &ban.jail).unwrap_or_default());
            why.evidence.extend(kept.map(|evidence| EvidenceRow::from(&evidence)));
            why.evidence.sort_by_key(|row| row.at);
            let query = HistoryQuery { address: Some(address), since: None, jail: None, limit: WHY_ROWS, evidence: false };
            let rows = store.history(&query).unwrap_or_default();
            why.history = rows.into_iter().map(status::history_row).collect();
            let _ = answer.send(Reply::Why(why));
        });
    }

    fn history(&self, address: Option<Prefix>, since: Option<Timestamp>, jail: Option<JailName>, answer: Answer) {
        let query = HistoryQuery { address, since, jail, limit: HISTORY_ROWS, evidence: false };
        self.owner.ask_store(move |store| {
            let reply = match store.history(&query) {
                Ok(rows) => Reply::History(rows.into_iter().rev().map(status::history_row).collect()),
                Err(error) => failed(error.to_string()),
            };
            let _ = answer.send(reply);
        });
    }

    fn ban(&mut self, orders: impl Iterator<Item = Order>, no_wait: bool, now: Timestamp) -> Outcome {
        let mut outcome = Outcome { effects: Effects::default(), refused: Vec::new(), no_wait };
        for order in orders {
            let prefix = order.prefix;
            match self.owner.engine.ban(order, now) {
                Ok(effects) => outcome.effects.extend(effects),
                Err(refusal) => outcome.refuse(prefix, &refusal),
            }
        }
        outcome
    }

    /// Whom an unban is about: those named, or the rows that `all`, `jail` and `since` choose.
    fn chosen(&self, targets: Vec<Prefix>, all: bool, jail: Option<&JailName>, since: Option<Timestamp>) -> Vec<Prefix> {
        if !targets.is_empty() || !(all || jail.is_some()) {
            return targets;
        }
        let fits = |ban: &&Arc<Ban>| {
            jail.is_none_or(|name| ban.jail == *name) && since.is_none_or(|since| ban.since >= since)
        };
        let mut chosen: Vec<Prefix> = self.owner.engine.bans().filter(fits).map(|ban| ban.prefix).collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    }

    fn unban(&mut self, chosen: Vec<Prefix>, jail: Option<&JailName>, no_wait: bool, now: Timestamp) -> Outcome {
        let mut outcome = Outcome { effects: Effects::default(), refused: Vec::new(), no_wait };
        for prefix in chosen {
            match self.owner.engine.unban(prefix, jail, now) {
                Ok(effects) => outcome.effects.extend(effects),
                Err(refusal) => outcome.refuse(prefix, &refusal),
            }
        }
        outcome
    }

    fn note_command(&mut self, outcome: &Outcome, peer: Peer, reason: Option<String>, now: Timestamp) {
        for change in &outcome.effects.changes {
            let ban = change.ban();
            self.owner.note(HistoryEvent {
                at: now,
                kind: HistoryKind::Command,
                address: Some(ban.prefix),
                jail: Some(ban.jail.clone()),
                uid: Some(peer.uid),
                reason: reason.clone(),
                text: if matches!(change, Change::Ended(..)) { "unban" } else { "ban" }.to_owned(),
            });
        }
    }

    /// Carries the effects on, and answers once they are stored and the outputs are at their best.
    fn finish(&mut self, outcome: Outcome, answer: Answer) {
        let Outcome { effects, refused, no_wait } = outcome;
        let bans: Vec<BanRow> = effects.changes.iter().map(|change| BanRow::from(&**change.ban())).collect();
        let changed = !effects.changes.is_empty();
        self.owner.carry(effects, true);
        let (stored, durable) = oneshot::channel();
        self.owner.save_then(stored);
        let (generation, reports) = (self.owner.engine.generation(), self.reports.subscribe());
        tokio::spawn(async move {
            let mut messages = Vec::new();
            if durable.await.is_err() {
                let _ = answer.send(failed("not stored: the daemon is stopping"));
                return;
            }
            if changed && !no_wait {
                messages = in_force(reports, generation).await;
            }
            let _ = answer.send(Reply::Done { messages, bans, refused });
        });
    }

    fn pause(&mut self, pause: Pause, peer: Peer, now: Timestamp) -> Reply {
        let said = pause.jail.as_ref().map_or("all jails".to_owned(), ToString::to_string);
        if let Some(unknown) = pause.jail.as_ref().filter(|jail| !self.owner.engine.has_jail(jail)) {
            return failed(format!("no jail is named `{unknown}`"));
        }
        let text = format!("paused {said}");
        self.note_pause(HistoryKind::Paused, pause.jail.clone(), peer, text.clone(), now);
        self.owner.engine.pause(pause);
        self.owner.save_pauses();
        done(format!("{text}: offences are judged and logged, nobody new is banned"))
    }

    fn resume(&mut self, jail: Option<&JailName>, peer: Peer, now: Timestamp) -> Reply {
        if !self.owner.engine.resume(jail) {
            return failed("nothing is paused by that name");
        }
        let said = jail.map_or("all jails".to_owned(), ToString::to_string);
        self.note_pause(HistoryKind::Resumed, jail.cloned(), peer, format!("resumed {said}"), now);
        self.owner.save_pauses();
        done(format!("resumed {said}"))
    }

    fn note_pause(&mut self, kind: HistoryKind, jail: Option<JailName>, peer: Peer, text: String, at: Timestamp) {
        self.owner.note(HistoryEvent { at, kind, address: None, jail, uid: Some(peer.uid), reason: None, text });
    }
}

impl Outcome {
    fn refuse(&mut self, prefix: Prefix, refusal: &impl ToString) {
        self.refused.push(Refusal { target: prefix.to_string(), reason: refusal.to_string() });
    }
}

fn would_unban(chosen: &[Prefix]) -> Reply {
    let mut messages: Vec<String> = chosen.iter().map(|prefix| format!("would unban {prefix}")).collect();
    messages.push(format!("{} in all; nothing was changed", chosen.len()));
    Reply::Done { messages, bans: Vec::new(), refused: Vec::new() }
}

/// Waits until each output is at its best for `generation`; says which ones are not.
async fn in_force(mut reports: watch::Receiver<Reports>, generation: u64) -> Vec<String> {
    let settled = |report: &Report| report.settled && report.generation >= generation;
    let failed = |report: &Report| report.state == State::Failed;
    let all = |reports: &Reports| reports.values().all(|report| settled(report) || failed(report));
    let _ = tokio::time::timeout(OUTPUTS_WITHIN, reports.wait_for(all)).await;
    let reports = reports.borrow();
    let late = reports.iter().filter(|(_, report)| !settled(report));
    late.map(|(name, report)| {
        let error = report.error.as_deref().unwrap_or("not in place yet");
        format!("output {name}: {error}")
    })
    .collect()
}

//! Orders of people: ban and unban. A change is answered once it is stored and, unless nobody wants to wait
//! for that, in force.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::answers::{Answer, Reports, refusal_of, refused, rows};
use super::circuit::Circuit;
use crate::address::{Address, Prefix, aggregate, holds};
use crate::ban::{Ban, Change, Ended};
use crate::control::{BanLength, BanRow, Peer, Refusal, Reply, Spared};
use crate::engine::{Effects, Engine, Notice, Order, Refusal as Refused, Term};
use crate::os::clock;
use crate::publish::Report;
use crate::store::HistoryEvent;
use crate::terms::{HistoryKind, JailName};

/// How long a command by hand waits for its outputs before it says that they are not there yet: less than clients wait
/// for an answer.
const OUTPUTS_WITHIN: Duration = Duration::from_mins(1);
/// A failure that an output had before the command may be over with the next attempt, which comes at once.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(3);

/// So many changes of one command are noted one by one.
const NOTED: usize = 1_000;

/// Who gave an order, why, and whether they wait until it is in force.
pub(super) struct By {
    pub(super) peer: Peer,
    pub(super) reason: Option<String>,
    pub(super) no_wait: bool,
}

/// What an operator's command insists on.
#[derive(Clone, Copy)]
pub(super) struct Consent {
    /// The address that they are logged in from.
    pub(super) own: Option<Address>,
    /// They mean it, whatever it is that people seldom mean.
    pub(super) force: bool,
}

impl Consent {
    pub(super) fn check(self, engine: &Engine, order: &Order) -> Result<(), Refused> {
        if self.force { Ok(()) } else { engine.caution(order, self.own) }
    }
}

/// Whom an unban means.
pub(super) enum Whom {
    /// Everybody, or everybody whom one jail banned; only bans that began then or later, where a time is given.
    All { since: Option<Timestamp> },
    /// Exactly these.
    These(Vec<Prefix>),
}

/// What an order for several addresses led to.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) effects: Effects,
    pub(super) refused: Vec<Refusal>,
    /// How many bans were there already, as long or longer.
    pub(super) unchanged: usize,
    /// What else is good to know.
    pub(super) said: Vec<String>,
    /// Of whom earlier bans were forgotten.
    pub(super) forgotten: usize,
}

/// What an order came to, for the one who gave it.
pub(super) struct Done {
    pub(super) messages: Vec<String>,
    pub(super) bans: Vec<BanRow>,
    pub(super) refused: Vec<Refusal>,
}

impl Circuit {
    /// Bans all of them in one step: one generation, one transaction.
    pub(super) fn ban(
        &mut self,
        orders: impl Iterator<Item = Order>,
        consent: Consent,
        now: Timestamp,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        self.owner.engine.in_one_step(|engine| {
            for order in orders {
                let prefix = order.prefix;
                let agreed = consent.check(engine, &order);
                let done = agreed.and_then(|()| engine.ban(order, now));
                let unchanged = done.as_ref().is_ok_and(|effects| effects.changes.is_empty());
                outcome.unchanged += usize::from(unchanged);
                outcome.add(prefix, done);
            }
        });
        outcome
    }

    /// Whom such orders would ban.
    pub(super) fn would_ban(
        &self,
        orders: impl Iterator<Item = Order>,
        consent: Consent,
        now: Timestamp,
    ) -> Reply {
        let engine = &self.owner.engine;
        let (mut bans, mut outcome) = (Vec::new(), Outcome::default());
        for order in orders {
            let prefix = order.prefix;
            let agreed = consent.check(engine, &order);
            match agreed.and_then(|()| engine.would_ban(order, now)) {
                Ok(Some(ban)) => bans.push(self.shown(&ban)),
                Ok(None) => outcome.unchanged += 1,
                Err(refusal) => outcome.refused.push(refusal_of(prefix, &refusal)),
            }
        }
        let mut messages = outcome.messages();
        messages.extend(self.left_out(&bans));
        messages.push(format!("{} would begin or last longer; nothing was changed", many(bans.len(), "ban")));
        Reply::Done { messages, bans, refused: outcome.refused }
    }

    /// A ban as it is shown, with those who stay free inside it.
    pub(super) fn shown(&self, ban: &Ban) -> BanRow {
        let spared = self.owner.engine.spared(ban.prefix, &ban.jail).into_iter();
        let spared = spared.map(|(address, rule)| Spared { address, rule }).collect();
        BanRow { spared, ..BanRow::from(ban) }
    }

    /// Which outputs leave which of these bans out, since they cannot spare anybody inside.
    fn left_out(&self, bans: &[BanRow]) -> Vec<String> {
        let mut told = Vec::new();
        for ban in bans.iter().filter(|ban| !ban.spared.is_empty()) {
            let spared: Vec<_> =
                ban.spared.iter().map(|spared| (spared.address, spared.rule.clone())).collect();
            let unable = self.owner.engine.unable(ban.address, &ban.jail, &spared);
            told.extend(unable.iter().map(|output| {
                format!(
                    "output {output} cannot hold {} without those who stay free in it: it leaves it out",
                    ban.address
                )
            }));
        }
        told
    }

    /// Whom an unban would be about.
    pub(super) fn would_unban(
        &self,
        whom: &Whom,
        jail: Option<&JailName>,
        now: Timestamp,
    ) -> Result<Reply, Refused> {
        self.known(jail)?;
        let (mut bans, mut refused) = (Vec::new(), Vec::new());
        match whom {
            Whom::All { since } => {
                let young = |ban: &Ban| !ban.is_over(now) && since.is_none_or(|since| ban.since >= since);
                let meant = |ban: &&Arc<Ban>| jail.is_none_or(|name| ban.jail == *name) && young(ban);
                bans.extend(self.owner.engine.bans().filter(meant).cloned());
            }
            Whom::These(chosen) => {
                for prefix in chosen {
                    match self.owner.engine.would_unban(*prefix, jail, now) {
                        Ok(ended) => bans.extend(ended),
                        Err(refusal) => refused.push(refusal_of(*prefix, &refusal)),
                    }
                }
            }
        }
        let messages = vec![format!("{} would end; nothing was changed", many(bans.len(), "ban"))];
        Ok(Reply::Done { messages, bans: rows(bans.iter()), refused })
    }

    pub(super) fn unban(
        &mut self,
        whom: Whom,
        jail: Option<&JailName>,
        forget: bool,
        now: Timestamp,
    ) -> Result<Outcome, Refused> {
        self.known(jail)?;
        let mut outcome = Outcome::default();
        match whom {
            Whom::All { since } => {
                let engine = &mut self.owner.engine;
                outcome.effects = engine.in_one_step(|engine| engine.unban_all(jail, since, now))?;
                if forget {
                    outcome.forgotten = self.forget_earlier(&outcome.effects, jail, since.is_none());
                }
            }
            Whom::These(chosen) => {
                let engine = &mut self.owner.engine;
                let done = engine.in_one_step(|engine| engine.unban_each(&chosen, jail, now));
                let forgotten = if forget { engine.forget_earlier(&chosen, jail) } else { Vec::new() };
                outcome.forgotten = forgotten.len();
                let forgotten = aggregate(&forgotten);
                for (prefix, done) in chosen.into_iter().zip(done) {
                    // Who is not banned any more may still be known for earlier bans.
                    let only_forgotten =
                        matches!(done, Err(Refused::NotBanned { .. })) && touches(&forgotten, prefix);
                    outcome.add(prefix, if only_forgotten { Ok(Effects::default()) } else { done });
                }
            }
        }
        Ok(outcome)
    }

    /// Of everybody (`all`), or of those whose bans were just ended.
    fn forget_earlier(&mut self, ended: &Effects, jail: Option<&JailName>, all: bool) -> usize {
        if all {
            return self.owner.engine.forget_all_earlier(jail);
        }
        let ended = ended.changes.iter().filter(|change| is_by_hand(change));
        let ended: Vec<Prefix> = ended.map(|change| change.ban().prefix).collect();
        self.owner.engine.forget_earlier(&ended, jail).len()
    }

    /// Notes the command for each ban that it changed; of very many only how many they were: the history has their own
    /// rows as well.
    fn note_command(&mut self, outcome: &Outcome, by: &By, now: Timestamp) {
        let changes: Vec<&Change> = outcome.effects.changes.iter().filter(|one| is_by_hand(one)).collect();
        let mut note = |ban: Option<&Ban>, text: String| {
            self.owner.note(HistoryEvent {
                at: now,
                kind: HistoryKind::Command,
                address: ban.map(|ban| ban.prefix),
                jail: ban.map(|ban| ban.jail.clone()),
                uid: Some(by.peer.uid),
                reason: by.reason.clone(),
                text,
            });
        };
        if changes.len() <= NOTED {
            for change in changes {
                note(Some(change.ban()), verb(change).to_owned());
            }
        } else if let Some(first) = changes.first() {
            note(None, format!("{} of {}", verb(first), addresses(changes.len())));
        }
        if outcome.forgotten > 0 {
            note(None, format!("forgot the earlier bans of {}", addresses(outcome.forgotten)));
        }
    }

    /// Answers an order: with its refusal, or when it is done.
    pub(super) fn answer_order(&mut self, outcome: Result<Outcome, Refused>, by: &By, answer: Answer) {
        match outcome {
            Ok(outcome) => {
                self.note_command(&outcome, by, clock::now());
                self.finish(outcome, by.no_wait, answer);
            }
            Err(refusal) => drop(answer.send(refused(&refusal))),
        }
    }

    /// Carries the effects on, and answers once they are stored and the outputs are at their best. What is not is
    /// listed with what was refused, so that the command does not end as if all were well.
    fn finish(&mut self, outcome: Outcome, no_wait: bool, answer: Answer) {
        let mut messages = outcome.messages();
        let Outcome { effects, refused, .. } = outcome;
        let changes = effects.changes.iter().filter(|change| is_by_hand(change));
        let bans: Vec<BanRow> = changes.map(|change| self.changed(change)).collect();
        messages.extend(self.left_out(&bans));
        self.carry_out(effects, Done { messages, bans, refused }, no_wait, answer);
    }

    /// The same for any order; `done` is what its answer says.
    pub(super) fn carry_out(&mut self, effects: Effects, done: Done, no_wait: bool, answer: Answer) {
        let Done { messages, bans, mut refused } = done;
        self.owner.carry(effects, true);
        let (durable, generation) = (self.durable(), self.owner.engine.generation());
        let reports = self.reports.subscribe();
        tokio::spawn(async move {
            refused.extend(durable.await.map(|reason| Refusal { target: "the database".to_owned(), reason }));
            if !no_wait {
                refused.extend(not_in_force(reports, generation).await);
            }
            let _ = answer.send(Reply::Done { messages, bans, refused });
        });
    }

    /// A change by hand as it is shown.
    fn changed(&self, change: &Change) -> BanRow {
        let ended = matches!(change, Change::Ended(..));
        if ended { BanRow::from(&**change.ban()) } else { self.shown(change.ban()) }
    }

    /// Stores all that is unsaved; yields when that is done, and what is wrong if it is not.
    pub(super) fn durable(&mut self) -> impl Future<Output = Option<String>> + use<> {
        let (stored, durable) = oneshot::channel();
        self.owner.save_then(Some(Box::new(move |result| drop(stored.send(result)))));
        async {
            match durable.await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(format!("in force, but not stored yet (it is tried again): {error}")),
                Err(_stopping) => Some("in force, but the daemon stopped before it was stored".to_owned()),
            }
        }
    }

    /// Answers once everything up to now is stored.
    pub(super) fn answer_when_stored(&mut self, done: String, answer: Answer) {
        let durable = self.durable();
        tokio::spawn(async move {
            let unstored = durable.await.map(|reason| Refusal { target: "the database".to_owned(), reason });
            let refused = unstored.into_iter().collect();
            let _ = answer.send(Reply::Done { messages: vec![done], bans: Vec::new(), refused });
        });
    }
}

impl Outcome {
    /// Reads in how an order for one prefix ended.
    pub(super) fn add(&mut self, prefix: Prefix, done: Result<Effects, Refused>) {
        match done {
            Ok(effects) => {
                self.effects.changes.extend(effects.changes);
                self.effects.notices.extend(effects.notices);
            }
            Err(refusal) => self.refused.push(refusal_of(prefix, &refusal)),
        }
    }

    /// What is good to know about it.
    pub(super) fn messages(&self) -> Vec<String> {
        let mut messages: Vec<String> =
            self.effects.notices.iter().filter(|notice| is_answer(notice)).map(ToString::to_string).collect();
        if self.unchanged > 0 {
            messages.push(format!("{} banned already, as long or longer", self.unchanged));
        }
        if self.forgotten > 0 {
            messages.push(format!("earlier bans of {} forgotten", addresses(self.forgotten)));
        }
        messages.extend(self.said.iter().cloned());
        messages
    }
}

fn verb(change: &Change) -> &'static str {
    if matches!(change, Change::Ended(..)) { "unban" } else { "ban" }
}

pub(super) fn many(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Whether a list that `aggregate` made has something to do with a prefix.
fn touches(list: &[Prefix], prefix: Prefix) -> bool {
    let inside = list.get(list.partition_point(|one| *one < prefix));
    holds(list, prefix) || inside.is_some_and(|one| prefix.covers(*one))
}

pub(super) fn addresses(number: usize) -> String {
    if number == 1 { "1 address".to_owned() } else { format!("{number} addresses") }
}

pub(super) fn term(length: Option<BanLength>) -> Term {
    match length {
        None => Term::Usual,
        Some(BanLength::Forever) => Term::Forever,
        Some(BanLength::For(length)) => Term::For(length),
    }
}

/// What a command changed itself; bans that were over when it came are none of its doing.
fn is_by_hand(change: &Change) -> bool {
    !matches!(change, Change::Ended(_, Ended::Expired | Ended::Allowed))
}

/// What the one who gave an order wants to know; the rest is for the log.
fn is_answer(notice: &Notice) -> bool {
    matches!(notice, Notice::StillBanned { .. })
}

/// Waits until each output is at its best for `generation`; tells those that are not.
pub(super) async fn not_in_force(mut reports: watch::Receiver<Reports>, generation: u64) -> Vec<Refusal> {
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

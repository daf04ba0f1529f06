//! The allow list by hand: entries come and go on orders of people.

use hashbrown::HashSet;
use jiff::Timestamp;

use super::answers::{Answer, refusal_of, rows};
use super::circuit::Circuit;
use super::hand::{By, Done};
use crate::address::Prefix;
use crate::ban::{Change, Ended};
use crate::control::{AllowedRow, BanLength, Refusal, Reply};
use crate::engine::{Effects, Notice, Refusal as Refused};
use crate::store::HistoryEvent;
use crate::terms::{Allowance, HistoryKind};

/// So many entries are named one by one in an answer; more are counted.
const NAMED: usize = 20;

impl Circuit {
    /// Allows, and answers with the bans that this ended once it is stored and in force.
    pub(super) fn allow(
        &mut self,
        targets: Vec<Prefix>,
        length: Option<BanLength>,
        by: &By,
        now: Timestamp,
        answer: Answer,
    ) {
        let until = match length {
            Some(BanLength::For(length)) => Some(now.checked_add(length).unwrap_or(Timestamp::MAX)),
            Some(BanLength::Forever) | None => None,
        };
        let entry = |prefix| {
            let (uid, reason) = (Some(by.peer.uid), by.reason.clone());
            Allowance { prefix, since: now, until, uid, reason }
        };
        let (effects, refused) = self.owner.engine.allow(targets.iter().copied().map(entry).collect(), now);
        let term = until.map(|until| format!(" until {}", whole(until))).unwrap_or_default();
        self.answer_allow(targets, (effects, refused), &format!("allow add{term}"), by, answer);
    }

    /// Takes entries off the list, and answers once that is stored and in force.
    pub(super) fn disallow(&mut self, targets: &[Prefix], by: &By, now: Timestamp, answer: Answer) {
        let outcome = self.owner.engine.disallow(targets, now);
        self.answer_allow(targets.to_vec(), outcome, "allow remove", by, answer);
    }

    /// Who is allowed by hand.
    pub(super) fn allowed(&self) -> Reply {
        Reply::Allowed(self.owner.engine.allowed().map(AllowedRow::from).collect())
    }

    fn answer_allow(
        &mut self,
        mut done: Vec<Prefix>,
        (effects, refused): (Effects, Vec<(Prefix, Refused)>),
        command: &str,
        by: &By,
        answer: Answer,
    ) {
        let undone: HashSet<Prefix> = refused.iter().map(|(prefix, _)| *prefix).collect();
        let refused: Vec<Refusal> = refused.iter().map(|(prefix, why)| refusal_of(*prefix, why)).collect();
        done.retain(|prefix| !undone.contains(prefix));
        for prefix in &done {
            self.note_allow(*prefix, command, by);
        }
        self.owner.allowed_changed();
        let ended =
            effects.changes.iter().filter(|change| matches!(change, Change::Ended(_, Ended::Allowed)));
        let bans = rows(ended.map(Change::ban));
        let messages = said(&done, command).into_iter().chain(notices(&effects)).collect();
        self.carry_out(effects, Done { messages, bans, refused }, by.no_wait, answer);
    }

    fn note_allow(&mut self, prefix: Prefix, command: &str, by: &By) {
        self.owner.note(HistoryEvent {
            at: crate::os::clock::now(),
            kind: HistoryKind::Command,
            address: Some(prefix),
            jail: None,
            uid: Some(by.peer.uid),
            reason: by.reason.clone(),
            text: command.to_owned(),
        });
    }
}

/// What was done, a line each.
fn said(done: &[Prefix], command: &str) -> Vec<String> {
    if done.len() > NAMED {
        return vec![format!("{command}: {} entries", done.len())];
    }
    done.iter().map(|prefix| format!("{command}: {prefix}")).collect()
}

/// What the one who gave the order wants to know.
fn notices(effects: &Effects) -> impl Iterator<Item = String> {
    let told = effects
        .notices
        .iter()
        .filter(|notice| !matches!(notice, Notice::AllowanceOver(_) | Notice::PauseOver(_)));
    told.take(NAMED).map(ToString::to_string)
}

/// Without the fraction of its second.
fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

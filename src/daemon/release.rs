//! `release`: what the storm breaker holds is let go, or dropped.

use super::answers::{Answer, refused, rows};
use super::circuit::Circuit;
use super::hand::not_in_force;
use crate::ban::Change;
use crate::control::{Peer, Refusal, Reply};
use crate::os::clock;
use crate::store::HistoryEvent;
use crate::terms::{HistoryKind, JailName};

impl Circuit {
    /// Answers once it is stored, and what was let go is in force.
    pub(super) fn release_held(&mut self, jail: &JailName, drop: bool, peer: Peer, answer: Answer) {
        let now = clock::now();
        let (effects, verdicts) = match self.owner.engine.release(jail, drop, now) {
            Ok(done) => done,
            Err(refusal) => return std::mem::drop(answer.send(refused(&refusal))),
        };
        let verb = if drop { "dropped" } else { "let go" };
        let message = format!("{verdicts} held verdicts of jail {jail} {verb}");
        self.owner.note(HistoryEvent {
            at: now,
            kind: HistoryKind::Command,
            address: None,
            jail: Some(jail.clone()),
            uid: Some(peer.uid),
            reason: None,
            text: format!("release: {message}"),
        });
        let begun = effects.changes.iter().filter(|change| !matches!(change, Change::Ended(..)));
        let bans = rows(begun.map(Change::ban));
        self.owner.carry(effects, true);
        let (durable, generation) = (self.durable(), self.owner.engine.generation());
        let reports = self.reports.subscribe();
        tokio::spawn(async move {
            let unstored = durable.await.map(|reason| Refusal { target: "the database".to_owned(), reason });
            let mut refused: Vec<Refusal> = unstored.into_iter().collect();
            if !bans.is_empty() {
                refused.extend(not_in_force(reports, generation).await);
            }
            let _ = answer.send(Reply::Done { messages: vec![message], bans, refused });
        });
    }
}

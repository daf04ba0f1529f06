//! Pauses by hand: answered when they are stored.

use jiff::Timestamp;

use super::answers::{Answer, refused};
use super::circuit::Circuit;
use crate::control::Peer;
use crate::engine::Refusal as Refused;
use crate::os::clock;
use crate::store::HistoryEvent;
use crate::terms::{HistoryKind, JailName};

impl Circuit {
    pub(super) fn pause(
        &mut self,
        jail: Option<JailName>,
        until: Option<Timestamp>,
        peer: Peer,
        answer: Answer,
    ) {
        let paused = self.owner.engine.pause(jail.clone(), until);
        let what = format!("paused {}", jails(jail.as_ref()));
        let told = format!("{what}: offences are judged and logged, nobody new is banned");
        self.answer_pause(paused, (HistoryKind::Paused, jail, what, peer), told, answer);
    }

    pub(super) fn resume(&mut self, jail: Option<JailName>, peer: Peer, answer: Answer) {
        let resumed = self.owner.engine.resume(jail.as_ref());
        let what = format!("resumed {}", jails(jail.as_ref()));
        self.answer_pause(resumed, (HistoryKind::Resumed, jail, what.clone(), peer), what, answer);
    }

    /// Answers when a pause, or its end, is stored.
    fn answer_pause(
        &mut self,
        done: Result<(), Refused>,
        (kind, jail, text, peer): (HistoryKind, Option<JailName>, String, Peer),
        told: String,
        answer: Answer,
    ) {
        if let Err(refusal) = done {
            let _ = answer.send(refused(&refusal));
            return;
        }
        let (at, uid) = (clock::now(), Some(peer.uid));
        self.owner.note(HistoryEvent { at, kind, address: None, jail, uid, reason: None, text });
        self.owner.pauses_changed();
        self.answer_when_stored(told, answer);
    }
}

fn jails(jail: Option<&JailName>) -> String {
    jail.map_or_else(|| "all jails".to_owned(), |jail| format!("jail {jail}"))
}

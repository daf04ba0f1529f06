//! Pauses: judging goes on, but nobody new is banned.

use jiff::Timestamp;

use super::{Effects, Engine, Notice, Refusal};
use crate::terms::{JailName, Pause};

impl Engine {
    /// Pauses one jail, or all; a pause of the same takes the place of an earlier one.
    pub fn pause(&mut self, jail: Option<JailName>, until: Option<Timestamp>) -> Result<(), Refusal> {
        if let Some(jail) = &jail {
            self.known(jail)?;
        }
        self.pauses.retain(|pause| pause.jail != jail);
        self.pauses.push(Pause { jail, until });
        Ok(())
    }

    /// Ends the pause of one jail, or every pause.
    pub fn resume(&mut self, jail: Option<&JailName>) -> Result<(), Refusal> {
        let before = self.pauses.len();
        match jail {
            Some(jail) => self.pauses.retain(|pause| pause.jail.as_ref() != Some(jail)),
            None => self.pauses.clear(),
        }
        let all = self.pauses.iter().any(|pause| pause.jail.is_none());
        match jail {
            Some(jail) if all => Err(Refusal::AllPaused(jail.clone())),
            _ if before == self.pauses.len() => Err(Refusal::NotPaused(jail.cloned())),
            _ => Ok(()),
        }
    }

    /// The pauses that hold.
    pub fn pauses(&self) -> &[Pause] {
        &self.pauses
    }

    pub(super) fn is_paused(&self, jail: &JailName) -> bool {
        self.pauses.iter().any(|pause| pause.jail.as_ref().is_none_or(|paused| paused == jail))
    }

    pub(super) fn expire_pauses(&mut self, now: Timestamp, effects: &mut Effects) {
        if self.pauses.is_empty() {
            return;
        }
        let over = |pause: &mut Pause| pause.until.is_some_and(|until| until <= now);
        effects.notices.extend(self.pauses.extract_if(.., over).map(Notice::PauseOver));
    }
}

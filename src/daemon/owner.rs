//! The one owner of the engine: applies what comes in, and carries the effects to log, store and outputs.

use std::collections::HashMap;
use std::io;

use jiff::Timestamp;
use tokio::sync::{oneshot, watch};

use super::totals::Totals;
use super::verify::Verifier;
use crate::engine::{Effects, Engine, Notice, Pace};
use crate::observe::Log;
use crate::os::clock;
use crate::publish::{Report, SnapshotRequest, Wanted};
use crate::resolve::Lists;
use crate::store::{Ack, HistoryEvent, JailTotals, Keeper, Transaction};
use crate::terms::{Batch, Checkpoint, OutputName, PublishedFile, ResolvedName, SourceName};

/// So many changes do not wait for the next second: under a flood they and their lines would fill the memory, while the
/// store knows what to drop.
const MANY_CHANGES: usize = 4_096;

/// The engine, and what its changes set off.
pub(super) struct Owner {
    pub(super) engine: Engine,
    pub(super) log: Log,
    pub(super) keeper: Keeper,
    pub(super) verifier: Verifier,
    /// What the next transaction stores: everything since the last one, so that bans and read positions agree.
    unsaved: Transaction,
    /// The newest position of each file, for readers that are started again.
    positions: HashMap<(SourceName, u64, u64), Checkpoint>,
    /// The files that outputs have written, for those that are started again.
    files: HashMap<(OutputName, std::path::PathBuf), PublishedFile>,
    pub(super) totals: Totals,
    /// The generation that was last stored.
    stored_generation: u64,
    wanted: watch::Sender<Wanted>,
}

impl Owner {
    pub(super) fn new(
        engine: Engine,
        log: Log,
        keeper: Keeper,
        verifier: Verifier,
        kept: (Vec<Checkpoint>, Vec<PublishedFile>, Vec<JailTotals>),
        wanted: watch::Sender<Wanted>,
    ) -> Self {
        let stored_generation = engine.generation();
        let (positions, files) = (HashMap::new(), HashMap::new());
        let (unsaved, totals) = (Transaction::default(), Totals::new(kept.2));
        let mut owner = Self {
            engine,
            log,
            keeper,
            verifier,
            unsaved,
            positions,
            files,
            totals,
            stored_generation,
            wanted,
        };
        owner.remember(&kept.0);
        owner.files.extend(kept.1.into_iter().map(|file| ((file.output.clone(), file.path.clone()), file)));
        owner
    }

    /// Judges a batch, in reading order.
    pub(super) fn judge(&mut self, batch: Batch, now: Timestamp) {
        let mut effects = Effects::default();
        let pace = if batch.live { Pace::Live } else { Pace::Behind };
        self.engine.hear(&batch.source, pace, batch.clients);
        for observation in batch.observations {
            self.engine.observe(observation, now, &mut effects);
        }
        self.remember(&batch.checkpoints);
        self.unsaved.checkpoints.extend(batch.checkpoints);
        self.carry(effects, false);
        self.save_many();
    }

    fn save_many(&mut self) {
        if self.unsaved.changes.len() >= MANY_CHANGES {
            self.save();
        }
    }

    /// Ends what is over, or a part of it where that is much.
    pub(super) fn tick(&mut self, now: Timestamp) {
        let mut effects = Effects::default();
        self.engine.tick(now, &mut effects);
        self.carry(effects, false);
        self.save_many();
    }

    /// Tells log, store and outputs what has changed.
    pub(super) fn carry(&mut self, effects: Effects, by_hand: bool) {
        self.log.effects(&effects, clock::now());
        if effects.notices.iter().any(|notice| matches!(notice, Notice::PauseOver(_))) {
            self.pauses_changed();
        }
        if effects.notices.iter().any(|notice| matches!(notice, Notice::AllowanceOver(_))) {
            self.allowed_changed();
        }
        effects.verify.iter().for_each(|claim| self.verifier.ask(*claim));
        self.unsaved.changes.extend(effects.changes);
        let generation = self.engine.generation();
        self.wanted.send_if_modified(|wanted| {
            let news = wanted.generation != generation || (by_hand && wanted.by_hand != generation);
            wanted.generation = generation;
            if by_hand {
                wanted.by_hand = generation;
            }
            news
        });
    }

    /// Whether existing outputs wait for the backlog.
    pub(super) fn holds_outputs(&self) -> bool {
        self.wanted.borrow().hold
    }

    /// Existing outputs may be rewritten from now on.
    pub(super) fn release_outputs(&self) {
        self.wanted.send_if_modified(|wanted| std::mem::replace(&mut wanted.hold, false));
    }

    /// Something an operator will want to find in `history`.
    pub(super) fn note(&mut self, event: HistoryEvent) {
        self.unsaved.notes.push(event);
    }

    /// The bans of one output, as they are now.
    pub(super) fn answer(&self, request: SnapshotRequest) {
        // An output that has ended meanwhile needs no answer.
        let _ = request.reply.send(self.engine.snapshot(&request.output));
    }

    /// How far an output has come: for the engine's judgement of hits, and for the next start.
    pub(super) fn report(&mut self, report: &Report) {
        if report.settled {
            self.engine.settled(&report.output, report.generation, clock::now());
        }
        if let Some(file) = &report.file {
            self.files.insert((file.output.clone(), file.path.clone()), file.clone());
            self.unsaved.files.push(file.clone());
        }
    }

    /// Files that outputs have written, those of earlier configurations included.
    pub(super) fn files(&self) -> impl Iterator<Item = &PublishedFile> {
        self.files.values()
    }

    /// A file that no output writes any more was emptied: it is not ours any longer.
    pub(super) fn forget(&mut self, file: &PublishedFile) {
        let key = (file.output.clone(), file.path.clone());
        self.files.remove(&key);
        self.unsaved.files.retain(|unsaved| (&unsaved.output, &unsaved.path) != (&key.0, &key.1));
        self.unsaved.forgotten.push(key);
    }

    /// Where each file of each source is read on.
    pub(super) fn positions(&self) -> Vec<Checkpoint> {
        self.positions.values().cloned().collect()
    }

    fn remember(&mut self, checkpoints: &[Checkpoint]) {
        for checkpoint in checkpoints {
            let key =
                (checkpoint.source.clone(), checkpoint.fingerprint.device, checkpoint.fingerprint.inode);
            if checkpoint.finished {
                self.positions.remove(&key);
            } else {
                self.positions.insert(key, checkpoint.clone());
            }
        }
    }

    /// A reading position that must be stored before its first line counts.
    pub(super) fn first_look(&mut self, checkpoint: Checkpoint, stored: oneshot::Sender<io::Result<()>>) {
        self.remember(std::slice::from_ref(&checkpoint));
        self.unsaved.checkpoints.push(checkpoint);
        self.save_then(Some(Box::new(move |result| {
            let _ = stored.send(result.map_err(|error| io::Error::other(error.to_string())));
        })));
    }

    /// The pauses as they are now, with the next transaction.
    pub(super) fn pauses_changed(&mut self) {
        self.unsaved.pauses = Some(self.engine.pauses().to_vec());
    }

    /// The allow list by hand as it is now, with the next transaction.
    pub(super) fn allowed_changed(&mut self) {
        self.unsaved.allowed = Some(self.engine.allowed().cloned().collect());
    }

    /// The names of lists with their addresses as they are now, with the next transaction.
    pub(super) fn names_changed(&mut self, lists: &Lists) {
        let names = lists
            .answers()
            .map(|(name, addresses)| ResolvedName { name: name.to_string(), addresses: addresses.to_vec() });
        self.unsaved.names = Some(names.collect());
    }

    /// Ends the store's thread; what it could not write is said.
    pub(super) fn stop(self) {
        if let Err(error) = self.keeper.stop() {
            self.log.lost(&error.to_string());
        }
    }

    /// Hands everything unsaved to the store, where there is something.
    pub(super) fn save(&mut self) {
        self.save_then(None);
    }

    /// Hands everything unsaved to the store, and has `stored` called when it is durable.
    pub(super) fn save_then(&mut self, stored: Option<Ack>) {
        let mut transaction = std::mem::take(&mut self.unsaved);
        transaction.trackers = self.engine.take_changed_trackers();
        transaction.priors = self.engine.take_changed_priors();
        transaction.held = self.engine.take_changed_held();
        transaction.totals = self.totals.changed(&self.engine);
        let generation = self.engine.generation();
        transaction.generation = (generation != self.stored_generation).then_some(generation);
        self.stored_generation = generation;
        if stored.is_some() || !transaction.is_empty() {
            self.keeper.save(transaction, clock::now(), stored);
        }
    }
}

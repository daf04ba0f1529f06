//! What one jail looks for in records: its filter, the records it is limited to, the value it counts.

use std::hash::{DefaultHasher, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use crate::filter::{Conditions, Filter, Judgement, Language, Match, Memory};
use crate::record::{Field, Record, Reference};
use crate::terms::{JailName, Offence};

/// One jail's look at records.
#[derive(Clone, Debug)]
pub struct Lens {
    /// The jail.
    pub jail: JailName,
    /// What is an offence.
    pub filter: Arc<Filter>,
    /// `[[where]]`: only records for which one of these holds; all, where there is none.
    pub only: Vec<Arc<Conditions>>,
    /// `[[ignore]]`: no record for which one of these holds.
    pub ignore: Vec<Arc<Conditions>>,
    /// Count different values of this field.
    pub distinct: Option<Field>,
    /// It matters which crawler a client says to be.
    pub crawlers: bool,
    /// What these values are hashed with: nobody outside knows it, and it is the same over restarts, since windows are stored.
    pub seed: u64,
}

/// Lenses with one filter: it judges a record once for all of them.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) filter: Arc<Filter>,
    lenses: Vec<Lens>,
    /// Where the memories of a file have its own.
    index: usize,
}

/// What filters remember of the lines of one log, and of the log that came before it: clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Memories(Arc<Mutex<Vec<Memory>>>);

impl Shared {
    /// Groups lenses by their filter, in order of first appearance.
    pub(super) fn group(lenses: Vec<Lens>) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for lens in lenses {
            let index = groups.len();
            match groups.iter_mut().find(|group| Arc::ptr_eq(&group.filter, &lens.filter)) {
                Some(group) => group.lenses.push(lens),
                None => groups.push(Self { filter: Arc::clone(&lens.filter), lenses: vec![lens], index }),
            }
        }
        groups
    }

    /// What its filter matched in `record`, and the offences that this is.
    pub(super) fn look(
        &self,
        record: &Record<'_>,
        reference: &Reference,
        memories: &Memories,
        offences: &mut impl Extend<Offence>,
    ) -> Option<Match> {
        let Judgement::Offence(matched) = self.judge(record, reference, memories) else { return None };
        let before = self.lenses.iter().filter(|lens| lens.lets_through(record));
        let mut any = false;
        offences.extend(before.map(|lens| lens.offence(record, matched.weight)).inspect(|_| any = true));
        any.then_some(matched)
    }

    /// Whether it joins lines.
    pub(super) fn remembers(&self) -> bool {
        self.filter.language().is_some_and(Language::remembers)
    }

    pub(super) fn judge(&self, record: &Record<'_>, reference: &Reference, memories: &Memories) -> Judgement {
        if self.filter.language().is_none() {
            return self.filter.judge(record);
        }
        let mut memories = memories.0.lock().unwrap_or_else(PoisonError::into_inner);
        if memories.len() <= self.index {
            memories.resize_with(self.index + 1, Memory::default);
        }
        match memories.get_mut(self.index) {
            Some(memory) => self.filter.judge_after(record, memory, Some(reference)),
            None => Judgement::Missed,
        }
    }
}

impl Lens {
    /// A jail that takes every offence of its filter, each by itself.
    pub fn new(jail: JailName, filter: Arc<Filter>) -> Self {
        Self { jail, filter, only: vec![], ignore: vec![], distinct: None, crawlers: false, seed: 0 }
    }

    fn lets_through(&self, record: &Record<'_>) -> bool {
        let wanted = self.only.is_empty() || self.only.iter().any(|conditions| conditions.hold(record));
        wanted && !self.ignore.iter().any(|conditions| conditions.hold(record))
    }

    fn offence(&self, record: &Record<'_>, weight: u8) -> Offence {
        let value = |field| hash(self.seed, record.field(field).as_deref().unwrap_or_default());
        let distinct = self.distinct.as_ref().map(value);
        Offence { jail: self.jail.clone(), distinct, weight, network: None }
    }
}

/// Without the seed nobody finds values that collide, which would count as one.
fn hash(seed: u64, value: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(seed);
    hasher.write(value);
    hasher.finish()
}

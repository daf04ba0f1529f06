//! What one jail looks for in records: its filter, the records it is limited to, the value it counts.

use std::hash::{DefaultHasher, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use crate::filter::{Conditions, Filter, Judgement, Match, Memory};
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
    /// What the filter remembers of the lines before.
    memory: Mutex<Memory>,
}

impl Shared {
    /// Groups lenses by their filter, in order of first appearance.
    pub(super) fn group(lenses: Vec<Lens>) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for lens in lenses {
            match groups.iter_mut().find(|group| Arc::ptr_eq(&group.filter, &lens.filter)) {
                Some(group) => group.lenses.push(lens),
                None => groups.push(Self {
                    filter: Arc::clone(&lens.filter),
                    lenses: vec![lens],
                    memory: Mutex::default(),
                }),
            }
        }
        groups
    }

    /// What its filter matched in `record`, and the offences that this is.
    pub(super) fn look(
        &self,
        record: &Record<'_>,
        reference: &Reference,
        offences: &mut impl Extend<Offence>,
    ) -> Option<Match> {
        let Judgement::Offence(matched) = self.judge(record, reference) else { return None };
        let before = self.lenses.iter().filter(|lens| lens.lets_through(record));
        let mut any = false;
        offences.extend(before.map(|lens| lens.offence(record, matched.weight)).inspect(|_| any = true));
        any.then_some(matched)
    }

    fn judge(&self, record: &Record<'_>, reference: &Reference) -> Judgement {
        if self.filter.language().is_none() {
            return self.filter.judge(record);
        }
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        self.filter.judge_after(record, &mut memory, Some(reference))
    }
}

impl Lens {
    fn lets_through(&self, record: &Record<'_>) -> bool {
        let wanted = self.only.is_empty() || self.only.iter().any(|conditions| conditions.hold(record));
        wanted && !self.ignore.iter().any(|conditions| conditions.hold(record))
    }

    fn offence(&self, record: &Record<'_>, weight: u8) -> Offence {
        let value = |field| hash(self.seed, record.field(field).as_deref().unwrap_or_default());
        let distinct = self.distinct.as_ref().map(value);
        Offence { jail: self.jail.clone(), distinct, weight }
    }
}

/// Without the seed nobody finds values that collide, which would count as one.
fn hash(seed: u64, value: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(seed);
    hasher.write(value);
    hasher.finish()
}

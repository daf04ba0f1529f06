//! The offences of one address inside the sliding window, and the moment they are enough.

use jiff::{SignedDuration, Timestamp};
use smallvec::SmallVec;

use super::rate::Leak;
use super::{Settings, TextId};
use crate::terms::Mark;

/// When a window is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// So many offences ban; at least 1.
    pub(super) maxretry: usize,
    /// Nanoseconds.
    pub(super) findtime: i64,
    /// A value counts once, at its newest time.
    pub(super) distinct: bool,
    /// Not offences are counted: a bucket leaks.
    pub(super) leak: Option<Leak>,
}

impl From<&Settings> for Rule {
    fn from(settings: &Settings) -> Self {
        if let Some(leak) = settings.rate.map(Leak::from) {
            // Two marks: the last request, and when the bucket is empty again.
            return Self {
                maxretry: 2,
                findtime: leak.full.max(leak.late),
                distinct: false,
                leak: Some(leak),
            };
        }
        let findtime = i64::try_from(settings.findtime.as_nanos()).unwrap_or(i64::MAX);
        Self {
            maxretry: settings.maxretry.max(1) as usize,
            findtime,
            distinct: settings.distinct,
            leak: None,
        }
    }
}

impl Rule {
    /// How many marks a window keeps.
    ///
    /// Twice `maxretry` makes the verdict exact for every offence that comes at most `findtime` late: fewer than
    /// `maxretry` marks lie behind it (more would have banned), and no more than that before it matter.
    fn kept(self) -> usize {
        self.maxretry.saturating_mul(2)
    }
}

/// One offence to be counted.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    /// The event time.
    pub at: Timestamp,
    /// The hash of the value, where the jail counts different values.
    pub distinct: u64,
    /// Its text in the ring.
    pub text: TextId,
}

/// A window was full: this address is to be banned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The time of the deciding offence.
    pub since: Timestamp,
    /// How many offences decided.
    pub offences: u32,
    /// The newest of them, oldest first, with their texts; at most [`Verdict::TEXTS`].
    pub texts: Vec<(Timestamp, TextId)>,
}

impl Verdict {
    /// How many texts a ban keeps.
    pub const TEXTS: usize = 20;

    /// The verdict of a jail in which the first offence bans.
    pub(super) fn at_once(offence: Counted) -> Self {
        Self { since: offence.at, offences: 1, texts: vec![(offence.at, offence.text)] }
    }
}

/// A mark in 20 bytes: a million addresses are tracked at once. Packed, since alignment would make it 24.
#[derive(Clone, Copy)]
#[repr(C, packed(4))]
struct Stored {
    /// Nanoseconds of the epoch; enough for the years 1678 to 2262, and cut to them.
    at: i64,
    distinct: u64,
    text: TextId,
}

/// The marks of one address, oldest first. Empty: nothing is tracked.
#[derive(Default)]
pub(super) struct Window(SmallVec<[Stored; 2]>);

fn nanoseconds(at: Timestamp) -> i64 {
    let full = at.as_nanosecond();
    i64::try_from(full).unwrap_or(if full < 0 { i64::MIN } else { i64::MAX })
}

fn timestamp(nanoseconds: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanoseconds))
        .expect("64 bits of nanoseconds are within the calendar")
}

impl From<Counted> for Stored {
    fn from(offence: Counted) -> Self {
        Self { at: nanoseconds(offence.at), distinct: offence.distinct, text: offence.text }
    }
}

impl Window {
    /// The window that the store kept: the newest marks, in order.
    pub(super) fn restore(marks: &[Mark], rule: Rule) -> Self {
        let stored =
            |mark: &Mark| Stored { at: nanoseconds(mark.at), distinct: mark.distinct, text: TextId::NONE };
        let mut window: SmallVec<[Stored; 2]> = marks.iter().map(stored).collect();
        window.sort_by_key(|mark| mark.at);
        let surplus = window.len().saturating_sub(rule.kept());
        window.drain(..surplus);
        Self(window)
    }

    /// Counts an offence; the verdict if it completes a window. The marks stay until they are consumed.
    pub(super) fn count(&mut self, offence: Counted, rule: Rule) -> Option<Verdict> {
        let mark = Stored::from(offence);
        if let Some(leak) = rule.leak {
            return self.fill(mark, leak);
        }
        if rule.distinct && !self.forget_older(mark) {
            return None;
        }
        let mut place = self.place(mark.at);
        self.0.insert(place, mark);
        if self.0.len() > rule.kept() {
            self.0.remove(0);
            place = place.checked_sub(1)?;
        }
        self.completed(place, rule)
    }

    /// Puts a request into the bucket; the verdict if it flows over. One that comes a little late counts with the last.
    fn fill(&mut self, request: Stored, leak: Leak) -> Option<Verdict> {
        let (last, empty) = self.bucket(leak).unwrap_or((request.at, request.at));
        if last.saturating_sub(request.at) > leak.late {
            return None;
        }
        let at = request.at.max(last);
        let filled = leak.filled(empty, at);
        self.0.clear();
        self.0.push(Stored { at, ..request });
        if empty > at {
            self.0.push(Stored { at: filled, distinct: 0, text: TextId::NONE });
        }
        let offences = leak.level(filled, at) as u32;
        let texts = vec![(timestamp(request.at), request.text)];
        leak.is_over(filled, at).then(|| Verdict { since: timestamp(at), offences, texts })
    }

    /// The last request, and when the bucket is empty again; it holds that request alone where nothing is said.
    fn bucket(&self, leak: Leak) -> Option<(i64, i64)> {
        let last = self.0.first()?.at;
        Some((last, self.0.get(1).map_or(last.saturating_add(leak.each), |empty| empty.at)))
    }

    /// How many offences count at `now`, or how many requests the bucket holds.
    pub(super) fn load(&self, now: Timestamp, rule: Rule) -> usize {
        let Some(leak) = rule.leak else { return self.current(now, rule.findtime).count() };
        self.bucket(leak).map_or(0, |(_, empty)| leak.level(empty, nanoseconds(now)))
    }

    /// Behind all marks that are not later; nearly always at the end.
    fn place(&self, at: i64) -> usize {
        let later = self.0.iter().rev().take_while(|mark| mark.at > at).count();
        self.0.len() - later
    }

    /// Takes out the same value's older mark. Says whether `mark` is to be counted: not if a newer one stands.
    fn forget_older(&mut self, mark: Stored) -> bool {
        let Some(same) = self.0.iter().position(|other| other.distinct == mark.distinct) else {
            return true;
        };
        let older = self.0.get(same).is_some_and(|other| other.at <= mark.at);
        if older {
            self.0.remove(same);
        }
        older
    }

    /// The earliest full window that holds the mark at `place`. An offence that comes late may complete one whose last
    /// mark is later: that mark is the deciding one.
    fn completed(&self, place: usize, rule: Rule) -> Option<Verdict> {
        let earliest = (place + 1).saturating_sub(rule.maxretry);
        let runs = self.0.get(earliest..)?.windows(rule.maxretry).take(place + 1 - earliest);
        runs.into_iter().find_map(|run| verdict(run, rule))
    }

    /// Takes out what lies before `until`; `None` takes all.
    pub(super) fn consume(&mut self, until: Option<Timestamp>) {
        match until.map(nanoseconds) {
            Some(until) => self.0.retain(|mark| mark.at >= until),
            None => self.0.clear(),
        }
    }

    /// Takes out the marks of one value.
    pub(super) fn forget(&mut self, value: u64) {
        self.0.retain(|mark| mark.distinct != value);
    }

    /// How many marks are kept.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is tracked.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The marks, as the store keeps them.
    pub(super) fn marks(&self) -> Vec<Mark> {
        self.0.iter().map(|mark| Mark { at: timestamp(mark.at), distinct: mark.distinct }).collect()
    }

    /// The marks inside the window that ends at `now`, oldest first.
    pub(super) fn current(&self, now: Timestamp, findtime: i64) -> impl Iterator<Item = (Timestamp, TextId)> {
        let from = nanoseconds(now).saturating_sub(findtime);
        self.0.iter().filter(move |mark| mark.at >= from).map(|mark| (timestamp(mark.at), mark.text))
    }
}

/// The verdict of `maxretry` marks that follow each other, if no more than `findtime` lies between first and last.
fn verdict(run: &[Stored], rule: Rule) -> Option<Verdict> {
    let (first, last) = (run.first()?, run.last()?);
    if last.at.saturating_sub(first.at) > rule.findtime {
        return None;
    }
    let shown = run.iter().skip(run.len().saturating_sub(Verdict::TEXTS));
    Some(Verdict {
        since: timestamp(last.at),
        offences: run.len() as u32,
        texts: shown.map(|mark| (timestamp(mark.at), mark.text)).collect(),
    })
}

/// How long an address is remembered after its last offence: as long as its window, and 10 minutes for offences that
/// are logged late (Apache logs the start of a request when it ends) or read late.
pub(super) fn remembered(findtime: i64) -> SignedDuration {
    SignedDuration::from_nanos(findtime).saturating_add(SignedDuration::from_mins(10))
}

#[cfg(test)]
mod tests;

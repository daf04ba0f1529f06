//! The offences of one address inside the sliding window, and the moment they are enough.

use jiff::{SignedDuration, Timestamp};
use smallvec::SmallVec;

use super::rate::Leak;
use super::{Settings, TextId};
use crate::terms::Mark;

/// When a window is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// Offences of so much weight ban; at least 1.
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
    /// How many times it counts towards `maxretry`; at least 1. Of a value that comes again the greatest counts. A rate
    /// counts requests: there it means nothing.
    pub weight: u8,
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
    /// What they weigh together; as many, where no rule has a weight.
    pub weight: u32,
    /// The newest of them, oldest first, with their texts; at most [`Verdict::TEXTS`].
    pub texts: Vec<(Timestamp, TextId)>,
}

impl Verdict {
    /// How many texts a ban keeps.
    pub const TEXTS: usize = 20;

    /// The verdict of a jail in which the first offence bans.
    pub(super) fn at_once(offence: Counted) -> Self {
        let weight = offence.weight.into();
        Self { since: offence.at, offences: 1, weight, texts: vec![(offence.at, offence.text)] }
    }
}

/// A mark in 20 bytes: a million addresses are tracked at once. Packed, since alignment would make it 24.
#[derive(Clone, Copy)]
#[repr(C, packed(4))]
struct Stored {
    /// Nanoseconds of the epoch; enough for the years 1678 to 2262, and cut to them.
    at: i64,
    distinct: u64,
    /// The text, and the weight less 1.
    tail: u32,
}

impl Stored {
    fn new(at: i64, distinct: u64, text: TextId, weight: u8) -> Self {
        Self { at, distinct, tail: text.with(weight.saturating_sub(1)) }
    }

    fn text(self) -> TextId {
        TextId::apart(self.tail).0
    }

    fn weight(self) -> u8 {
        TextId::apart(self.tail).1.saturating_add(1)
    }

    /// As the store keeps it.
    fn kept(self) -> Mark {
        Mark { at: timestamp(self.at), distinct: self.distinct, weight: self.weight() }
    }

    fn heavy(self, weight: u8) -> Self {
        Self { tail: self.text().with(weight.saturating_sub(1)), ..self }
    }
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
        Self::new(nanoseconds(offence.at), offence.distinct, offence.text, offence.weight)
    }
}

impl Window {
    /// The window that the store kept: the newest marks, in order.
    pub(super) fn restore(marks: &[Mark], rule: Rule) -> Self {
        let stored =
            |mark: &Mark| Stored::new(nanoseconds(mark.at), mark.distinct, TextId::NONE, mark.weight);
        let mut window: SmallVec<[Stored; 2]> = marks.iter().map(stored).collect();
        window.sort_by_key(|mark| mark.at);
        let surplus = window.len().saturating_sub(rule.kept());
        window.drain(..surplus);
        Self(window)
    }

    /// Counts an offence; the verdict if it completes a window. The marks stay until they are consumed.
    pub(super) fn count(&mut self, offence: Counted, rule: Rule) -> Option<Verdict> {
        let mut mark = Stored::from(offence);
        if let Some(leak) = rule.leak {
            return self.fill(mark, leak);
        }
        if rule.distinct {
            mark = self.with_same(mark, rule)?;
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
            self.0.push(Stored::new(filled, 0, TextId::NONE, 1));
        }
        let offences = leak.level(filled, at) as u32;
        let texts = vec![(timestamp(request.at), request.text())];
        leak.is_over(filled, at).then(|| Verdict { since: timestamp(at), offences, weight: offences, texts })
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

    /// What those weigh together: with `maxretry` the window is full.
    pub(super) fn weight(&self, now: Timestamp, rule: Rule) -> usize {
        let from = nanoseconds(now).saturating_sub(rule.findtime);
        match rule.leak {
            Some(_) => self.load(now, rule),
            None => self.0.iter().filter(|mark| mark.at >= from).map(|mark| usize::from(mark.weight())).sum(),
        }
    }

    /// Behind all marks that are not later; nearly always at the end.
    fn place(&self, at: i64) -> usize {
        let later = self.0.iter().rev().take_while(|mark| mark.at > at).count();
        self.0.len() - later
    }

    /// Takes out the same value's mark, and returns what is to be counted for both: the newer one, with the greater weight
    /// where the two are not further apart than `findtime`. Nothing, where a newer one stands and stays as it is.
    fn with_same(&mut self, mark: Stored, rule: Rule) -> Option<Stored> {
        let Some(same) = self.0.iter().position(|other| other.distinct == mark.distinct) else {
            return Some(mark);
        };
        let other = *self.0.get(same)?;
        let (older, newer) = if other.at > mark.at { (mark, other) } else { (other, mark) };
        let near = newer.at.saturating_sub(older.at) <= rule.findtime;
        let weight = if near { newer.weight().max(older.weight()) } else { newer.weight() };
        if other.at > mark.at && weight == other.weight() {
            return None;
        }
        self.0.remove(same);
        Some(newer.heavy(weight))
    }

    /// The earliest full window that holds the mark at `place`. An offence that comes late may complete one whose last
    /// mark is later: that mark is the deciding one.
    fn completed(&self, place: usize, rule: Rule) -> Option<Verdict> {
        // The fewest marks up to this one that are enough; all, where none are.
        let (mut first, mut weight) = (place + 1, 0);
        while weight < rule.maxretry && first > 0 {
            first -= 1;
            weight += self.weight_at(first);
        }
        for last in place..self.0.len() {
            weight += if last > place { self.weight_at(last) } else { 0 };
            while weight - self.weight_at(first) >= rule.maxretry {
                weight -= self.weight_at(first);
                first += 1;
            }
            // Later windows are full without it.
            if first > place {
                return None;
            }
            let run = self.0.get(first..=last)?;
            if let Some(verdict) = verdict(run, weight, rule) {
                return Some(verdict);
            }
        }
        None
    }

    fn weight_at(&self, place: usize) -> usize {
        self.0.get(place).map_or(0, |mark| mark.weight().into())
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
        self.0.iter().map(|mark| mark.kept()).collect()
    }

    /// The marks inside the window that ends at `now`, oldest first.
    pub(super) fn current(&self, now: Timestamp, findtime: i64) -> impl Iterator<Item = (Timestamp, TextId)> {
        let from = nanoseconds(now).saturating_sub(findtime);
        self.0.iter().filter(move |mark| mark.at >= from).map(|mark| (timestamp(mark.at), mark.text()))
    }
}

/// The verdict of marks that follow each other, if they weigh enough and no more than `findtime` lies between first and
/// last.
fn verdict(run: &[Stored], weight: usize, rule: Rule) -> Option<Verdict> {
    let (first, last) = (run.first()?, run.last()?);
    if weight < rule.maxretry || last.at.saturating_sub(first.at) > rule.findtime {
        return None;
    }
    let shown = run.iter().skip(run.len().saturating_sub(Verdict::TEXTS));
    Some(Verdict {
        since: timestamp(last.at),
        offences: run.len() as u32,
        weight: weight as u32,
        texts: shown.map(|mark| (timestamp(mark.at), mark.text())).collect(),
    })
}

/// How long an address is remembered after its last offence: as long as its window, and 10 minutes for offences that
/// are logged late (Apache logs the start of a request when it ends) or read late.
pub(super) fn remembered(findtime: i64) -> SignedDuration {
    SignedDuration::from_nanos(findtime).saturating_add(SignedDuration::from_mins(10))
}

#[cfg(test)]
mod tests;

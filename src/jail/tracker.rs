//! The windows of all addresses of one jail, with a hard cap on their number and memory.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Place;
use jiff::Timestamp;

use super::entry::{Entry, List, NONE};
use super::window::{Counted, Rule, Verdict, Window, remembered};
use super::{Settings, TextId};
use crate::address::Prefix;
use crate::terms::{JailName, Tracked, TrackerEntry};

/// Marks beyond one and a half an address, so that a small cap still leaves room for full windows.
const SPARE_MARKS: usize = 65_536;

/// How many idle addresses are looked for at each offence.
const SWEEP_EACH: usize = 2;

/// Counts offences by address. Keys are chosen by attackers: hashing is seeded, and `max_tracked` bounds memory.
///
/// When the cap is reached, addresses with a single offence give way first, the longest untouched one of them; a flood
/// of forged addresses does not push out those who came back. While the single ones are less than an eighth, the
/// longest untouched of the others gives way.
pub struct Tracker {
    what: Tracked,
    rule: Rule,
    cap: usize,
    entries: Vec<Entry>,
    /// Positions in `entries`, by prefix.
    index: HashTable<u32>,
    hasher: RandomState,
    /// The first free place of `entries`.
    free: u32,
    /// By class: addresses with one mark, with several.
    lists: [List; 2],
    marks: usize,
    evicted: u64,
    /// Places to tell the store of; each at most once.
    changed: Vec<u32>,
    /// Prefixes that the store has and that are no longer tracked.
    gone: Vec<(Tracked, Prefix)>,
}

/// Who is counted, and when: all that a [`Tracker`] needs besides the offence.
#[derive(Clone, Copy, Debug)]
pub struct Offender {
    /// The counted prefix.
    pub prefix: Prefix,
    /// The engine's time.
    pub now: Timestamp,
}

impl Tracker {
    /// An empty tracker with the thresholds of `settings`.
    pub fn new(settings: &Settings) -> Self {
        Self::with(what_of(settings), settings.into(), settings.max_tracked)
    }

    /// An empty tracker of at most `cap` prefixes.
    pub(super) fn with(what: Tracked, rule: Rule, cap: usize) -> Self {
        Self {
            what,
            rule,
            cap: clamped(cap),
            entries: Vec::new(),
            index: HashTable::new(),
            hasher: RandomState::default(),
            free: NONE,
            lists: [List::EMPTY; 2],
            marks: 0,
            evicted: 0,
            changed: Vec::new(),
            gone: Vec::new(),
        }
    }

    /// Goes on under new thresholds. Windows stay, unless offences and different values were exchanged.
    pub fn adapt(&mut self, settings: &Settings) {
        let what = what_of(settings);
        if what != self.what {
            self.forget_all();
            self.what = what;
        }
        self.adapt_to(settings.into(), settings.max_tracked);
    }

    /// What is counted.
    pub fn what(&self) -> Tracked {
        self.what
    }

    pub(super) fn adapt_to(&mut self, rule: Rule, cap: usize) {
        let before = std::mem::replace(&mut self.rule, rule);
        self.cap = clamped(cap);
        if before.distinct != self.rule.distinct {
            self.forget_all();
        }
        self.make_room(NONE);
    }

    /// Takes a window over that the store kept.
    pub fn restore(&mut self, entry: &TrackerEntry, now: Timestamp) {
        let window = Window::restore(&entry.marks, self.rule);
        if window.is_empty() || self.find(entry.prefix).is_some() {
            return;
        }
        self.marks += window.len();
        let id = self.add(entry.prefix, window, seconds(now));
        if let Some(entry) = self.entries.get_mut(id as usize) {
            entry.stored = true;
        }
        self.make_room(id);
    }

    /// Counts one offence. A verdict leaves the window as it is: [`Tracker::consume`] clears it.
    pub fn count(&mut self, offender: Offender, offence: Counted) -> Option<Verdict> {
        if self.rule.maxretry == 1 {
            return Some(Verdict::at_once(offence));
        }
        let id = self.find_or_add(offender);
        let rule = self.rule;
        let verdict = self.change(id, |window| window.count(offence, rule));
        self.make_room(id);
        self.sweep(offender.now, SWEEP_EACH);
        verdict
    }

    /// Clears the window of a ban that ends at `until`: what is later counts on.
    pub fn consume(&mut self, prefix: Prefix, until: Option<Timestamp>) {
        if let Some(id) = self.find(prefix) {
            // A bucket is emptied: its marks are no offences that could come later.
            let until = until.filter(|_| self.rule.leak.is_none());
            self.change(id, |window| window.consume(until));
        }
    }

    /// Forgets one value in the window of `prefix`.
    pub(super) fn forget_value(&mut self, prefix: Prefix, value: u64) {
        if let Some(id) = self.find(prefix) {
            self.change(id, |window| window.forget(value));
        }
    }

    /// Forgets all windows.
    pub fn forget_all(&mut self) {
        self.forget_where(|_| true);
    }

    /// Forgets the windows of those that are meant; looks at all.
    pub fn forget_where(&mut self, fits: impl Fn(Prefix) -> bool) {
        for id in 0..self.entries.len() as u32 {
            if self.entries.get(id as usize).is_some_and(|e| !e.window.is_empty() && fits(e.prefix)) {
                self.remove(id);
            }
        }
    }

    /// Lets go of at most `limit` addresses of each kind that have been idle for longer than offences can be late.
    pub fn sweep(&mut self, now: Timestamp, limit: usize) {
        let idle = remembered(self.rule.findtime).as_secs();
        let before = u32::try_from(i64::from(seconds(now)).saturating_sub(idle)).unwrap_or(0);
        for class in [0, 1] {
            for _ in 0..limit {
                let oldest = self.lists.get(class).map_or(NONE, |list| list.oldest);
                if self.entries.get(oldest as usize).is_none_or(|entry| entry.touched >= before) {
                    break;
                }
                self.remove(oldest);
            }
        }
    }

    /// How many addresses are tracked.
    pub fn tracked(&self) -> usize {
        self.lists.iter().map(|list| list.len).sum()
    }

    /// How many addresses gave way because the cap was reached, since the start.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// How many offences lie inside the windows that end at `now`, or how many requests in buckets. Looks at all
    /// addresses.
    pub fn current(&self, now: Timestamp) -> usize {
        self.entries.iter().map(|entry| entry.window.load(now, self.rule)).sum()
    }

    /// The same of one prefix.
    pub fn load(&self, prefix: Prefix, now: Timestamp) -> usize {
        let entry = self.find(prefix).and_then(|id| self.entries.get(id as usize));
        entry.map_or(0, |entry| entry.window.load(now, self.rule))
    }

    /// The same of those who lie inside a prefix, in no order, as far as they have any. Looks at all addresses.
    pub fn inside(&self, around: Prefix, now: Timestamp) -> impl Iterator<Item = (Prefix, usize)> {
        let inside = self.entries.iter().filter(move |entry| around.covers(entry.prefix));
        let loads = inside.map(move |entry| (entry.prefix, entry.window.load(now, self.rule)));
        loads.filter(|(_, load)| *load > 0)
    }

    /// What they weigh together: with `maxretry` the window is full.
    pub fn weight(&self, prefix: Prefix, now: Timestamp) -> usize {
        let entry = self.find(prefix).and_then(|id| self.entries.get(id as usize));
        entry.map_or(0, |entry| entry.window.weight(now, self.rule))
    }

    /// The offences of `prefix` inside the window that ends at `now`, oldest first.
    pub fn near(&self, prefix: Prefix, now: Timestamp) -> impl Iterator<Item = (Timestamp, TextId)> {
        let entry = self.find(prefix).and_then(|id| self.entries.get(id as usize));
        entry.into_iter().flat_map(move |entry| entry.window.current(now, self.rule.findtime))
    }

    /// Appends what changed since this was last asked; an entry without marks is gone.
    pub fn take_changed(&mut self, jail: &JailName, changed: &mut Vec<TrackerEntry>) {
        let entry =
            |what, prefix, marks, fresh| TrackerEntry { jail: jail.clone(), prefix, what, marks, fresh };
        changed.extend(self.gone.drain(..).map(|(what, prefix)| entry(what, prefix, Vec::new(), false)));
        for id in self.changed.drain(..) {
            let Some(tracked) = self.entries.get_mut(id as usize) else { continue };
            tracked.changed = false;
            if !tracked.window.is_empty() {
                let fresh = !std::mem::replace(&mut tracked.stored, true);
                changed.push(entry(self.what, tracked.prefix, tracked.window.marks(), fresh));
            }
        }
    }

    fn find(&self, prefix: Prefix) -> Option<u32> {
        let same = |id: &u32| self.entries.get(*id as usize).is_some_and(|entry| entry.prefix == prefix);
        self.index.find(self.hasher.hash_one(prefix), same).copied()
    }

    fn find_or_add(&mut self, offender: Offender) -> u32 {
        let touched = seconds(offender.now);
        match self.find(offender.prefix) {
            Some(id) => {
                if let Some(entry) = self.entries.get_mut(id as usize) {
                    entry.touched = touched;
                }
                id
            }
            None => self.add(offender.prefix, Window::default(), touched),
        }
    }

    /// A new entry at a free place, or a new one, as the newest of its list.
    fn add(&mut self, prefix: Prefix, window: Window, touched: u32) -> u32 {
        let entry = Entry::new(prefix, window, touched);
        let class = entry.class();
        let id = self.place(entry);
        let entries = &self.entries;
        let hash = |id: &u32| match entries.get(*id as usize) {
            Some(entry) => self.hasher.hash_one(entry.prefix),
            None => 0,
        };
        let same = |other: &u32| *other == id;
        if let Place::Vacant(vacant) = self.index.entry(self.hasher.hash_one(prefix), same, hash) {
            vacant.insert(id);
        }
        if let Some(list) = self.lists.get_mut(class) {
            list.push(&mut self.entries, id);
        }
        id
    }

    fn place(&mut self, entry: Entry) -> u32 {
        let free = self.free;
        if let Some(place) = self.entries.get_mut(free as usize) {
            self.free = place.older;
            let changed = place.changed;
            *place = entry;
            place.changed = changed;
            return free;
        }
        self.entries.push(entry);
        (self.entries.len() - 1) as u32
    }

    /// Changes a window, and keeps lists, sums and the store's notes in step. An emptied window is let go.
    fn change<T>(&mut self, id: u32, change: impl FnOnce(&mut Window) -> T) -> T {
        let entry = self.entries.get_mut(id as usize).expect("the index names places that exist");
        let (class, before) = (entry.class(), entry.window.len());
        let result = change(&mut entry.window);
        self.marks = self.marks + entry.window.len() - before;
        if entry.window.is_empty() {
            self.unlink(id, class);
            self.let_go(id);
        } else {
            let now = entry.class();
            self.note(id);
            self.unlink(id, class);
            if let Some(list) = self.lists.get_mut(now) {
                list.push(&mut self.entries, id);
            }
        }
        result
    }

    fn note(&mut self, id: u32) {
        if let Some(entry) = self.entries.get_mut(id as usize)
            && !std::mem::replace(&mut entry.changed, true)
        {
            self.changed.push(id);
        }
    }

    fn unlink(&mut self, id: u32, class: usize) {
        if let Some(list) = self.lists.get_mut(class) {
            list.take(&mut self.entries, id);
        }
    }

    fn remove(&mut self, id: u32) {
        self.change(id, |window| window.consume(None));
    }

    /// Frees the place of an entry that is in no list any more.
    fn let_go(&mut self, id: u32) {
        let Some(entry) = self.entries.get_mut(id as usize) else { return };
        let prefix = entry.prefix;
        // A window with more than two marks has memory of its own.
        entry.window = Window::default();
        entry.older = self.free;
        if std::mem::take(&mut entry.stored) {
            self.gone.push((self.what, prefix));
        }
        self.free = id;
        if let Ok(found) = self.index.find_entry(self.hasher.hash_one(prefix), |other| *other == id) {
            found.remove();
        }
    }

    /// Lets addresses give way until the cap holds again; never `kept`.
    fn make_room(&mut self, kept: u32) {
        let marks = self.cap.saturating_add(self.cap / 2).saturating_add(SPARE_MARKS);
        while self.tracked() > self.cap || (self.marks > marks && self.tracked() > 1) {
            let Some(id) = self.least_useful(kept) else { return };
            self.remove(id);
            self.evicted += 1;
        }
    }

    fn least_useful(&self, kept: u32) -> Option<u32> {
        let [single, several] = &self.lists;
        let single_first = single.len > self.tracked() / 8;
        let order = if single_first { [single, several] } else { [several, single] };
        order.into_iter().map(|list| list.oldest).find(|id| *id != NONE && *id != kept)
    }
}

fn what_of(settings: &Settings) -> Tracked {
    match settings.rate {
        _ if settings.of_bans => Tracked::Bans,
        Some(_) => Tracked::Rate,
        None => Tracked::Offences,
    }
}

fn clamped(cap: usize) -> usize {
    cap.clamp(1, NONE as usize - 1)
}

/// Seconds of the epoch; cut to the years 1970 to 2106.
fn seconds(at: Timestamp) -> u32 {
    u32::try_from(at.as_second()).unwrap_or(if at.as_second() < 0 { 0 } else { u32::MAX })
}

#[cfg(test)]
mod tests;

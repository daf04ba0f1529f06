//! A tracked address, and the order in which tracked addresses give way.

use crate::address::Prefix;

use super::window::Window;

/// No entry.
pub(super) const NONE: u32 = u32::MAX;

/// One tracked address: 80 bytes, its first two marks included.
pub(super) struct Entry {
    /// Its offences; empty where the place is free.
    pub(super) window: Window,
    /// What is counted.
    pub(super) prefix: Prefix,
    /// Its place has been noted as changed since the store last asked. Holds for the place, also when it is free.
    pub(super) changed: bool,
    /// The store has it.
    pub(super) stored: bool,
    /// When it last changed: seconds of the epoch of the engine's `now`, not of the event.
    pub(super) touched: u32,
    /// The next newer entry of its list.
    newer: u32,
    /// The next older entry of its list; for a free place the next free one.
    pub(super) older: u32,
}

impl Entry {
    pub(super) fn new(prefix: Prefix, window: Window, touched: u32) -> Self {
        Self { window, prefix, changed: false, stored: false, touched, newer: NONE, older: NONE }
    }

    /// Which list it belongs to: 0 with a single mark, 1 with several.
    pub(super) fn class(&self) -> usize {
        usize::from(self.window.len() > 1)
    }
}

/// Entries in the order of their last change, linked through the entries themselves.
#[derive(Clone, Copy)]
pub(super) struct List {
    newest: u32,
    /// The first to give way.
    pub(super) oldest: u32,
    /// How many entries it links.
    pub(super) len: usize,
}

impl List {
    pub(super) const EMPTY: Self = Self { newest: NONE, oldest: NONE, len: 0 };

    /// Links the entry `id`, which is in no list, as the newest.
    pub(super) fn push(&mut self, entries: &mut [Entry], id: u32) {
        let before = self.newest;
        if let Some(entry) = entries.get_mut(id as usize) {
            entry.newer = NONE;
            entry.older = before;
        }
        match entries.get_mut(before as usize) {
            Some(entry) => entry.newer = id,
            None => self.oldest = id,
        }
        self.newest = id;
        self.len += 1;
    }

    /// Unlinks the entry `id`, which is in this list.
    pub(super) fn take(&mut self, entries: &mut [Entry], id: u32) {
        let Some((newer, older)) = entries.get(id as usize).map(|entry| (entry.newer, entry.older)) else {
            return;
        };
        match entries.get_mut(newer as usize) {
            Some(entry) => entry.older = older,
            None => self.newest = older,
        }
        match entries.get_mut(older as usize) {
            Some(entry) => entry.newer = newer,
            None => self.oldest = newer,
        }
        self.len -= 1;
    }
}

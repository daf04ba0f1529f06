//! The jails: settings, windows and counters, each under a number that stays for the engine's life.

use hashbrown::HashMap;
use jiff::{SignedDuration, Timestamp};

use super::outputs::Outputs;
use crate::ban::{JailId, OutputSet};
use crate::jail::{Escalation, Settings, Tracker};
use crate::terms::{JailName, OutputName, TrackerEntry};

/// One jail.
pub(super) struct Slot {
    pub(super) settings: Settings,
    pub(super) tracker: Tracker,
    /// The outputs that carry its bans.
    pub(super) outputs: OutputSet,
    /// It is in the configuration. One that is not has no new offences; its bans run out.
    pub(super) configured: bool,
    /// Its bans are in all outputs: the built-in jail, and one of which only stored bans are known.
    everywhere: bool,
    pub(super) tally: Tally,
    /// When it was last said that its tracker is full, and how many had given way.
    pub(super) said_full: Option<(Timestamp, u64)>,
}

/// What one jail has counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Offences.
    pub offences: u64,
    /// Records of clients that it had banned.
    pub hits: u64,
    /// Those of them that a gate let pass though it had the ban.
    pub passed: u64,
    /// Bans, by hand included.
    pub bans: u64,
}

impl Slot {
    fn new(settings: Settings, configured: bool, everywhere: bool) -> Self {
        Self {
            tracker: Tracker::new(&settings),
            settings,
            outputs: OutputSet::default(),
            configured,
            everywhere,
            tally: Tally::default(),
            said_full: None,
        }
    }

    pub(super) fn name(&self) -> &JailName {
        &self.settings.name
    }

    /// How long a ban is remembered; also where bans do not grow, since they may from the next configuration on.
    pub(super) fn decay(&self) -> Option<SignedDuration> {
        self.settings.escalation.as_ref().map_or(Some(Escalation::DECAY), |escalation| escalation.decay)
    }
}

/// All jails that are, or were, configured, and those of stored bans.
pub(super) struct Slots {
    all: Vec<Slot>,
    ids: HashMap<JailName, JailId>,
    /// Windows that the store has of jails that are not known here.
    gone: Vec<TrackerEntry>,
}

impl Slots {
    /// The built-in jail.
    const MANUAL: usize = 0;

    /// The built-in jail alone.
    pub(super) fn new(manual: &Settings) -> Self {
        let mut slots = Self { all: Vec::new(), ids: HashMap::new(), gone: Vec::new() };
        slots.add(Slot::new(named(manual, &JailName::manual()), true, true));
        slots
    }

    fn add(&mut self, slot: Slot) -> JailId {
        let id = JailId::new(self.all.len());
        self.ids.insert(slot.name().clone(), id);
        self.all.push(slot);
        id
    }

    /// Exactly these jails are configured from now on. Others keep their bans, and the allow list of all jails.
    pub(super) fn configure(&mut self, jails: Vec<Settings>, manual: &Settings, outputs: &mut Outputs) {
        for slot in &mut self.all {
            slot.configured = false;
            slot.settings.allow.clone_from(&manual.allow);
        }
        let manual = named(manual, &JailName::manual());
        self.configure_one(manual, outputs);
        for jail in jails {
            self.configure_one(jail, outputs);
        }
        for slot in self.all.iter_mut().filter(|slot| slot.everywhere) {
            slot.outputs = outputs.live().clone();
        }
    }

    fn configure_one(&mut self, settings: Settings, outputs: &mut Outputs) {
        let carried = outputs.set(&settings.outputs);
        let id = match self.ids.get(&settings.name) {
            Some(id) => *id,
            None => self.add(Slot::new(settings.clone(), true, false)),
        };
        let slot = self.get_mut(id);
        slot.tracker.adapt(&settings);
        slot.everywhere = settings.name.is_manual();
        slot.outputs = carried;
        slot.configured = true;
        slot.settings = settings;
    }

    /// The jail of a stored ban; one that is not configured has its bans in all outputs until they run out.
    pub(super) fn id_or_add(&mut self, name: &JailName, outputs: &Outputs) -> JailId {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let settings = named(&self.get(JailId::new(Self::MANUAL)).settings, name);
        let mut slot = Slot::new(settings, false, true);
        slot.outputs = outputs.live().clone();
        self.add(slot)
    }

    pub(super) fn id(&self, name: &JailName) -> Option<JailId> {
        self.ids.get(name).copied()
    }

    /// The jail of this name, if it is configured.
    pub(super) fn configured(&self, name: &JailName) -> Option<JailId> {
        self.id(name).filter(|id| self.get(*id).configured)
    }

    pub(super) fn get(&self, id: JailId) -> &Slot {
        self.all.get(id.number()).expect("numbers are given here, and no slot is ever taken out")
    }

    pub(super) fn get_mut(&mut self, id: JailId) -> &mut Slot {
        self.all.get_mut(id.number()).expect("numbers are given here, and no slot is ever taken out")
    }

    pub(super) fn find_mut(&mut self, name: &JailName) -> Option<&mut Slot> {
        self.id(name).map(|id| self.get_mut(id))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (JailId, &Slot)> {
        self.all.iter().enumerate().map(|(number, slot)| (JailId::new(number), slot))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.all.iter_mut()
    }

    /// Has the store forget a window of a jail that is not known here.
    pub(super) fn let_go(&mut self, entry: &TrackerEntry) {
        self.gone.push(TrackerEntry { jail: entry.jail.clone(), prefix: entry.prefix, marks: Vec::new() });
    }

    pub(super) fn take_changed(&mut self) -> Vec<TrackerEntry> {
        let mut changed = std::mem::take(&mut self.gone);
        for slot in &mut self.all {
            slot.tracker.take_changed(&slot.settings.name, &mut changed);
        }
        changed
    }

    /// The longest time for which a configured jail remembers a ban; `None` is forever.
    pub(super) fn longest_decay(&self) -> Option<SignedDuration> {
        let decays = self.all.iter().filter(|slot| slot.configured).map(Slot::decay);
        decays.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// By number: whether its bans are in this output.
    pub(super) fn carried_by(&self, output: Option<usize>) -> Vec<bool> {
        let carries = |slot: &Slot| output.is_some_and(|number| slot.outputs.contains(number));
        self.all.iter().map(carries).collect()
    }

    /// The names of the configured jails, sorted.
    pub(super) fn names(&self) -> Vec<JailName> {
        let configured = self.all.iter().filter(|slot| slot.configured);
        let mut names: Vec<JailName> = configured.map(|slot| slot.name().clone()).collect();
        names.sort_unstable();
        names
    }
}

fn named(settings: &Settings, name: &JailName) -> Settings {
    let outputs: Vec<OutputName> = Vec::new();
    Settings { name: name.clone(), outputs, simulate: false, ..settings.clone() }
}

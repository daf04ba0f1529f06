//! The jails: settings, windows and counters, each under a number that stays for the engine's life.

use hashbrown::HashMap;
use jiff::{SignedDuration, Timestamp};
use smallvec::SmallVec;

use super::outputs::Outputs;
use crate::address::{Prefix, aggregate, holds};
use crate::ban::{JailId, OutputSet};
use crate::jail::{Counted, Escalation, Settings, Storm, Tracker, Verdict, Widening};
use crate::terms::{JailName, Measure, OutputName, Tracked, TrackerEntry, show_duration};

/// One jail.
pub(super) struct Slot {
    pub(super) settings: Settings,
    pub(super) tracker: Tracker,
    /// What the rules of `widen` have counted, in their order.
    pub(super) widening: Vec<Widening>,
    /// The outputs that carry its bans.
    pub(super) outputs: OutputSet,
    /// It is in the configuration. One that is not has no new offences; its bans run out.
    pub(super) configured: bool,
    /// Its bans are in all outputs: the built-in jail, and one of which only stored bans are known.
    everywhere: bool,
    pub(super) tally: Tally,
    /// Whether it bans suspiciously many at once.
    pub(super) storm: Storm,
    /// When it was last said that its tracker is full, and how many had given way.
    pub(super) said_full: Option<(Timestamp, u64)>,
    /// Verdicts that banned nobody since it has as many bans as it may, and when this was last said.
    pub(super) refused: u64,
    pub(super) said_refused: Option<Timestamp>,
    /// When it was last said that a prefix was not banned as a whole.
    pub(super) said_narrow: Option<Timestamp>,
}

/// A prefix that is to be banned as a whole.
pub(super) struct Crowded {
    pub(super) prefix: Prefix,
    pub(super) verdict: Verdict,
    /// In words, for who reads the list.
    pub(super) reason: String,
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
            widening: Vec::new(),
            settings,
            outputs: OutputSet::default(),
            configured,
            everywhere,
            tally: Tally::default(),
            storm: Storm::default(),
            said_full: None,
            refused: 0,
            said_refused: None,
            said_narrow: None,
        }
    }

    /// Goes on under the settings' rules of `widen`; returns the store's entries of those that are no more.
    fn adapt_widening(&mut self, settings: &Settings) -> Vec<TrackerEntry> {
        let mut old = std::mem::take(&mut self.widening);
        let cap = settings.max_widening();
        for rule in &settings.widen {
            let same = old.iter_mut().position(|widening| widening.adapt(rule, cap));
            self.widening
                .push(same.map_or_else(|| Widening::new(rule.clone(), cap), |at| old.swap_remove(at)));
        }
        let mut gone = Vec::new();
        for widening in &mut old {
            widening.forget_all();
            widening.take_changed(&settings.name, &mut gone);
        }
        gone
    }

    /// Counts an offence of a group in the prefixes around it; those that are full, and empty again from now on.
    pub(super) fn crowded(&mut self, group: Prefix, now: Timestamp, offence: Counted) -> Vec<Crowded> {
        let mut full = Vec::new();
        for widening in &mut self.widening {
            if let Some((prefix, verdict)) = widening.count(group, now, offence) {
                widening.consume(prefix);
                let reason = crowd(verdict.offences as usize, group, widening.rule().within);
                full.push(Crowded { prefix, verdict, reason });
            }
        }
        full
    }

    /// Takes over what the store kept; says whether it is of use.
    pub(super) fn restore(&mut self, entry: &TrackerEntry, now: Timestamp) -> bool {
        match entry.what {
            Tracked::Offences | Tracked::Bans | Tracked::Rate => {
                let ours = self.tracker.what() == entry.what;
                if ours {
                    self.tracker.restore(entry, now);
                }
                ours
            }
            Tracked::Groups => self.widening.iter_mut().any(|widening| widening.restore(entry, now)),
        }
    }

    /// Forgets the windows of these prefixes, of all inside them, and of the groups they belong to. All windows are looked at
    /// once at most.
    pub(super) fn forget(&mut self, prefixes: &[Prefix]) {
        for prefix in prefixes {
            self.tracker.consume(*prefix, None);
            // An address may be counted as part of its group.
            let group = Prefix::group(prefix.first(), self.settings.group);
            self.tracker.consume(group, None);
            let group = if group.covers(*prefix) { group } else { *prefix };
            for widening in &mut self.widening {
                widening.consume(*prefix);
                widening.forget_group(group);
            }
        }
        let wide: Vec<Prefix> = prefixes.iter().copied().filter(|prefix| !prefix.is_host()).collect();
        if wide.is_empty() {
            return;
        }
        let wide = aggregate(&wide);
        self.tracker.forget_where(|window| holds(&wide, window));
        self.widening.iter_mut().for_each(|widening| widening.forget_where(|window| holds(&wide, window)));
    }

    /// Forgets the windows of exactly this prefix.
    pub(super) fn forget_banned(&mut self, prefix: Prefix) {
        self.tracker.consume(prefix, None);
        for widening in &mut self.widening {
            widening.consume(prefix);
            widening.forget_group(prefix);
        }
    }

    /// Forgets all windows.
    pub(super) fn forget_all(&mut self) {
        self.tracker.forget_all();
        self.widening.iter_mut().for_each(Widening::forget_all);
    }

    /// Lets go of some of what was idle for long.
    pub(super) fn sweep(&mut self, now: Timestamp, limit: usize) {
        self.tracker.sweep(now, limit);
        self.widening.iter_mut().for_each(|widening| widening.sweep(now, limit));
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
        let gone = slot.adapt_widening(&settings);
        slot.everywhere = settings.name.is_manual();
        slot.outputs = carried;
        slot.configured = true;
        slot.settings = settings;
        self.gone.extend(gone);
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

    /// The configured jails whose source is bans.
    pub(super) fn of_bans(&self) -> SmallVec<[JailId; 2]> {
        let counts = |slot: &Slot| slot.configured && slot.settings.of_bans;
        self.iter().filter(|(_, slot)| counts(slot)).map(|(id, _)| id).collect()
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
        let TrackerEntry { jail, prefix, what, .. } = entry;
        let (jail, marks) = (jail.clone(), Vec::new());
        self.gone.push(TrackerEntry { jail, prefix: *prefix, what: *what, marks, fresh: false });
    }

    pub(super) fn take_changed(&mut self) -> Vec<TrackerEntry> {
        let mut changed = std::mem::take(&mut self.gone);
        for slot in &mut self.all {
            slot.tracker.take_changed(&slot.settings.name, &mut changed);
            for widening in &mut slot.widening {
                widening.take_changed(&slot.settings.name, &mut changed);
            }
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
    Settings { name: name.clone(), outputs, simulate: false, value: Measure::Ban, ..settings.clone() }
}

/// `5 different addresses of it with offences within 10m`
fn crowd(groups: usize, group: Prefix, within: SignedDuration) -> String {
    let what = if group.is_host() { "addresses".to_owned() } else { format!("/{}", group.length()) };
    format!("{groups} different {what} of it with offences within {}", show_duration(within))
}

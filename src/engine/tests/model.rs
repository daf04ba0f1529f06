//! The semantics once more, as plainly as can be: lists that are searched from end to end, every offence kept.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::terms::Pause;

/// A row, with the fields that are compared.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) prefix: Prefix,
    pub(super) jail: JailName,
    pub(super) since: i64,
    pub(super) until: Option<i64>,
    pub(super) simulated: bool,
}

/// A ban that is over.
struct Over {
    row: Row,
    /// The jail's outputs then.
    outputs: Vec<OutputName>,
    before: Option<i64>,
    /// Outputs that may still carry it, and the generation they must reach.
    waiting: Vec<OutputName>,
    generation: u64,
    /// When the last of them settled; `None` if no output ever carried it.
    settled: Option<i64>,
}

pub(super) struct Model {
    pub(super) settings: Settings,
    pub(super) rows: Vec<Row>,
    /// The last known settings of each jail, the built-in one included.
    pub(super) jails: BTreeMap<JailName, jail::Settings>,
    pub(super) pauses: Vec<Pause>,
    pub(super) offences: BTreeMap<(JailName, Prefix), Vec<(i64, u64)>>,
    pub(super) counted: BTreeMap<JailName, u64>,
    pub(super) hits: BTreeMap<JailName, u64>,
    over: Vec<Over>,
    /// What the current step led to.
    told: Vec<String>,
}

impl Model {
    pub(super) fn new(settings: Settings) -> Self {
        let mut model = Self {
            settings: settings.clone(),
            rows: Vec::new(),
            jails: BTreeMap::new(),
            pauses: Vec::new(),
            offences: BTreeMap::new(),
            counted: BTreeMap::new(),
            hits: BTreeMap::new(),
            over: Vec::new(),
            told: Vec::new(),
        };
        model.adopt(settings);
        model
    }

    fn adopt(&mut self, settings: Settings) {
        for jail in self.jails.values_mut() {
            jail.allow = settings.manual.allow.clone();
        }
        let manual = jail::Settings { outputs: settings.outputs.clone(), ..settings.manual.clone() };
        for jail in settings.jails.iter().cloned().chain([manual]) {
            self.jails.insert(jail.name.clone(), jail);
        }
        self.settings = settings;
    }

    pub(super) fn is_configured(&self, jail: &JailName) -> bool {
        jail.is_manual() || self.settings.jails.iter().any(|other| other.name == *jail)
    }

    /// What the step led to, sorted; `generation` is the engine's after it.
    pub(super) fn told(&mut self, generation: u64) -> Vec<String> {
        self.over
            .iter_mut()
            .filter(|over| over.generation == 0)
            .for_each(|over| over.generation = generation);
        self.told.sort();
        std::mem::take(&mut self.told)
    }

    fn tell(&mut self, verb: &str, row: &Row) {
        let until = row.until.map_or("forever".to_owned(), |until| until.to_string());
        self.told.push(format!("{verb} {} by {} until {until}", row.prefix, row.jail));
    }

    fn protected_entries(&self, jail: &JailName) -> Vec<Prefix> {
        let always = ["127.0.0.0/8", "::1", "0.0.0.0", "::"].map(prefix);
        let host = self.settings.protected.host.iter().map(|address| Prefix::host(*address));
        let trusted = self.settings.protected.trusted.entries().iter();
        let listed = trusted.chain(self.jails[jail].allow.entries()).map(|entry| entry.prefix);
        let crowds = self.settings.protected.crowds.iter().map(|(_, address)| Prefix::host(*address));
        always.into_iter().chain(host).chain(crowds).chain(listed).collect()
    }

    pub(super) fn is_protected(&self, jail: &JailName, prefix: Prefix) -> bool {
        self.protected_entries(jail).iter().any(|entry| entry.covers(prefix))
    }

    fn counted_as(&self, jail: &jail::Settings, client: Address) -> Prefix {
        let group = Prefix::group(client, jail.group);
        let reached = |entry: &Prefix| group.covers(*entry);
        let split = self.protected_entries(&jail.name).iter().any(reached);
        if split { Prefix::host(client) } else { group }
    }

    pub(super) fn expire(&mut self, now: i64) {
        self.pauses.retain(|pause| pause.until.is_none_or(|until| until > at(now)));
        self.end_where("expired", |row| row.until.is_some_and(|until| until <= now));
    }

    pub(super) fn end_where(&mut self, verb: &str, fits: impl Fn(&Row) -> bool) -> Vec<Row> {
        let ended: Vec<Row> = self.rows.extract_if(.., |row| fits(row)).collect();
        for row in &ended {
            self.tell(verb, row);
            if verb != "allowed" {
                let outputs = self.jails[&row.jail].outputs.clone();
                let waiting = if row.simulated { Vec::new() } else { outputs.clone() };
                let before = row.until.filter(|_| verb == "expired");
                self.over.push(Over {
                    row: row.clone(),
                    outputs,
                    before,
                    waiting,
                    generation: 0,
                    settled: None,
                });
            }
        }
        ended
    }

    pub(super) fn settled(&mut self, output: &OutputName, generation: u64, now: i64) {
        for over in self.over.iter_mut().filter(|over| over.generation <= generation) {
            if over.waiting.contains(output) {
                over.waiting.retain(|other| other != output);
                over.settled = Some(now);
            }
        }
    }

    /// Rows and bans that are over which hold for this client now.
    fn bans_on(&self, client: Address, event: i64, now: i64) -> Vec<(Row, Vec<OutputName>)> {
        let lingers = |over: &&Over| {
            over.before.is_some_and(|before| event < before)
                || !over.waiting.is_empty()
                || over.settled.is_some_and(|settled| now - settled < 2)
        };
        let over = self.over.iter().filter(lingers).map(|over| (over.row.clone(), over.outputs.clone()));
        let rows = self.rows.iter().map(|row| (row.clone(), self.jails[&row.jail].outputs.clone()));
        let around = rows.chain(over).filter(|(row, _)| row.prefix.contains(client));
        around.filter(|(row, _)| !self.is_protected(&row.jail, Prefix::host(client))).collect()
    }

    pub(super) fn observe(&mut self, observation: &Observation, now: i64) {
        self.expire(now);
        let (client, event) = (observation.address, observation.at.as_second());
        let bans = self.bans_on(client, event, now);
        let told: BTreeSet<&OutputName> =
            bans.iter().filter(|(row, _)| !row.simulated).flat_map(|(_, outputs)| outputs).collect();
        let (simulated, real): (Vec<&Row>, Vec<&Row>) =
            bans.iter().map(|(row, _)| row).partition(|row| row.simulated);
        let simulated: Vec<&Row> =
            simulated.into_iter().filter(|row| self.jails[&row.jail].simulate).collect();
        let hit: BTreeSet<&JailName> = real.iter().chain(&simulated).map(|row| &row.jail).collect();
        for jail in hit {
            *self.hits.entry(jail.clone()).or_default() += 1;
        }
        for offence in &observation.offences {
            if !self.is_configured(&offence.jail) {
                continue;
            }
            let jail = self.jails[&offence.jail].clone();
            let own = |rows: &[&Row]| rows.iter().any(|row| row.jail == jail.name);
            let covered = if jail.outputs.is_empty() {
                own(&real)
            } else {
                jail.outputs.iter().all(|output| told.contains(output))
            };
            let is_hit = covered || own(&simulated) || (observation.refused && !real.is_empty());
            if !is_hit && !self.is_protected(&jail.name, Prefix::host(client)) {
                self.offend(&jail, client, event, offence.distinct.unwrap(), now);
            }
        }
    }

    fn offend(&mut self, jail: &jail::Settings, client: Address, event: i64, value: u64, now: i64) {
        *self.counted.entry(jail.name.clone()).or_default() += 1;
        let key = (jail.name.clone(), self.counted_as(jail, client));
        let offences = self.offences.entry(key.clone()).or_default();
        match offences.iter_mut().find(|(_, other)| jail.distinct && *other == value) {
            Some(same) => same.0 = same.0.max(event),
            None => offences.push((event, value)),
        }
        offences.sort_unstable();
        let findtime = jail.findtime.as_secs();
        let full = |last: &i64| {
            let inside = |(other, _): &&(i64, u64)| (*last - findtime..=*last).contains(other);
            offences.iter().filter(inside).count() >= jail.maxretry as usize
        };
        if let Some(since) = offences.iter().map(|(event, _)| *event).find(full) {
            let until = jail.bantime.map(|bantime| since + bantime.as_secs());
            offences.retain(|(event, _)| until.is_some_and(|until| *event >= until));
            let row = Row { prefix: key.1, jail: key.0, since, until, simulated: jail.simulate };
            self.decide(row, now);
        }
    }

    fn decide(&mut self, row: Row, now: i64) {
        if self.pauses.iter().any(|pause| pause.jail.as_ref().is_none_or(|jail| *jail == row.jail)) {
            self.tell("withheld", &row);
        } else if row.until.is_some_and(|until| until <= now) {
            self.tell("past", &row);
            let before = row.until;
            let outputs = self.jails[&row.jail].outputs.clone();
            self.over.push(Over { row, outputs, before, waiting: Vec::new(), generation: 1, settled: None });
        } else {
            self.enforce(row);
        }
    }

    pub(super) fn enforce(&mut self, row: Row) {
        let same = |other: &&mut Row| (other.prefix, &other.jail) == (row.prefix, &row.jail);
        let Some(old) = self.rows.iter_mut().find(same) else {
            self.tell("banned", &row);
            self.rows.push(row);
            return;
        };
        if old.simulated && !row.simulated {
            *old = row.clone();
            self.tell("banned", &row);
        } else if old.simulated == row.simulated
            && old.until < row.until.or(Some(i64::MAX))
            && old.until.is_some()
        {
            old.until = row.until;
            let row = Row { until: row.until, ..old.clone() };
            self.tell("prolonged", &row);
        }
    }

    pub(super) fn forget_windows(&mut self, prefix: Prefix, only: Option<&JailName>) {
        let jails = &self.jails;
        self.offences.retain(|(jail, counted), _| {
            let group = Prefix::group(prefix.first(), jails[jail].group);
            only.is_some_and(|only| only != jail) || !(prefix.covers(*counted) || *counted == group)
        });
    }

    pub(super) fn reconfigure(&mut self, settings: Settings, now: i64) {
        self.expire(now);
        self.adopt(settings);
        self.end_protected();
    }

    fn end_protected(&mut self) {
        let keys = self.rows.iter().map(|row| (row.prefix, row.jail.clone()));
        let protected: Vec<_> = keys.filter(|(prefix, jail)| self.is_protected(jail, *prefix)).collect();
        for (prefix, jail) in protected {
            self.end_where("allowed", |row| row.prefix == prefix && row.jail == jail);
        }
    }

    /// What a new process knows: bans that are over are found so anew, jails that are gone are only names.
    pub(super) fn restart(&mut self, now: i64) {
        self.over.clear();
        self.counted.clear();
        self.hits.clear();
        let configured: BTreeSet<JailName> =
            self.jails.keys().filter(|jail| self.is_configured(jail)).cloned().collect();
        let unknown =
            jail::Settings { outputs: self.settings.outputs.clone(), ..self.settings.manual.clone() };
        for (name, jail) in self.jails.iter_mut().filter(|(name, _)| !configured.contains(*name)) {
            *jail = jail::Settings { name: name.clone(), ..unknown.clone() };
        }
        self.offences.retain(|(jail, _), _| configured.contains(jail));
        self.end_protected();
        self.expire(now);
    }

    /// Whether `output` has to refuse this client.
    pub(super) fn refuses(&self, output: &OutputName, client: Address) -> bool {
        let carried = |row: &&Row| !row.simulated && self.jails[&row.jail].outputs.contains(output);
        let around = self.rows.iter().filter(|row| row.prefix.contains(client)).filter(carried);
        around.into_iter().any(|row| !self.is_protected(&row.jail, Prefix::host(client)))
    }
}

//! The semantics once more, as plainly as can be: lists that are searched from end to end, every offence kept.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::jail::Rate;
use crate::terms::Pause;

/// A row, with the fields that are compared.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) prefix: Prefix,
    pub(super) jail: JailName,
    pub(super) value: Measure,
    pub(super) since: i64,
    pub(super) until: Option<i64>,
    pub(super) simulated: bool,
    /// A jail's, not by hand.
    pub(super) by_log: bool,
}

impl Row {
    fn force(&self) -> Option<Measure> {
        (!self.simulated).then_some(self.value)
    }
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
    /// It is over, but the engine has not ended it yet.
    late: bool,
}

/// Time, value and weight of an offence.
type Counted = (i64, u64, u8);

pub(super) struct Model {
    pub(super) settings: Settings,
    pub(super) rows: Vec<Row>,
    /// The last known settings of each jail, the built-in one included.
    pub(super) jails: BTreeMap<JailName, jail::Settings>,
    pub(super) pauses: Vec<Pause>,
    pub(super) offences: BTreeMap<(JailName, Prefix), Vec<Counted>>,
    /// The last request that counted, and when the bucket is empty again, in nanoseconds.
    buckets: BTreeMap<(JailName, Prefix), (i64, i64)>,
    /// Inside a wider prefix: each group's newest offence.
    pub(super) crowds: BTreeMap<(JailName, Prefix), BTreeMap<Prefix, i64>>,
    pub(super) counted: BTreeMap<JailName, u64>,
    pub(super) hits: BTreeMap<JailName, u64>,
    over: Vec<Over>,
    /// How many ended bans count, and when the last ended; `None` is all jails together.
    pub(super) priors: BTreeMap<(Prefix, Option<JailName>), (u32, i64)>,
    /// Rows that are over, and that the engine has not ended yet.
    pub(super) late: Vec<Row>,
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
            buckets: BTreeMap::new(),
            crowds: BTreeMap::new(),
            counted: BTreeMap::new(),
            hits: BTreeMap::new(),
            over: Vec::new(),
            late: Vec::new(),
            priors: BTreeMap::new(),
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
            .filter(|over| over.generation == 0 && !over.late)
            .for_each(|over| over.generation = generation);
        self.told.sort();
        std::mem::take(&mut self.told)
    }

    /// The engine has ended a row that was over.
    pub(super) fn has_expired(&mut self, told: &str) {
        let at = self.late.iter().position(|row| told_row("expired", row) == told);
        let row = self.late.remove(at.unwrap_or_else(|| panic!("{told}: nothing of the kind is over")));
        let over = self.over.iter_mut().filter(|over| over.late && over.row == row);
        over.for_each(|over| over.late = false);
    }

    fn tell(&mut self, verb: &str, row: &Row) {
        self.told.push(told_row(verb, row));
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

    /// Of the network that a line names and the group the wider one, unless the network is too wide.
    fn counted_as(&self, jail: &jail::Settings, client: Address, network: Option<u8>) -> Prefix {
        let least = if client.ip().is_ipv4() { 16 } else { 32 };
        let network = network.filter(|length| *length >= least);
        let group = Prefix::group(client, jail.group);
        let group = network.map_or(group, |length| group.widened(length));
        let reached = |entry: &Prefix| group.covers(*entry);
        let split = self.protected_entries(&jail.name).iter().any(reached);
        if split { Prefix::host(client) } else { group }
    }

    pub(super) fn expire(&mut self, now: i64) {
        self.pauses.retain(|pause| pause.until.is_none_or(|until| until > at(now)));
        let mut ends: Vec<i64> = self.rows.iter().filter_map(|row| row.until).collect();
        ends.sort_unstable();
        for end in ends.into_iter().filter(|end| *end <= now) {
            self.end_where("expired", end, |row| row.until == Some(end));
        }
    }

    /// Counts a ban that is over; if another jail bans the same, they count together when that one is over.
    fn remember(&mut self, row: &Row, ended: i64) {
        let goes_on = self
            .rows
            .iter()
            .any(|other| other.prefix == row.prefix && other.by_log && other.force() == Some(Measure::Ban));
        let goes_on = goes_on || row.value == Measure::Challenge;
        let decay = self.jails[&row.jail].escalation.clone().unwrap_or_default().decay;
        for jail in [Some(row.jail.clone()), None] {
            if jail.is_none() && goes_on {
                continue;
            }
            let (bans, last) = self.priors.entry((row.prefix, jail)).or_insert((0, i64::MIN));
            if row.since >= *last {
                *bans = left(*bans, *last, decay, row.since) + 1;
            }
            *last = ended.max(*last);
        }
    }

    fn earlier(&self, jail: &jail::Settings, prefix: Prefix, since: i64) -> u32 {
        let Some(rule) = &jail.escalation else { return 0 };
        let scope = (rule.scope == crate::jail::Scope::Jail).then(|| jail.name.clone());
        let prior = self.priors.get(&(prefix, scope));
        prior.map_or(0, |(bans, last)| left(*bans, *last, rule.decay, since))
    }

    /// Ends rows at `now`.
    pub(super) fn end_where(&mut self, verb: &str, now: i64, fits: impl Fn(&Row) -> bool) -> Vec<Row> {
        let mut ended: Vec<Row> = Vec::new();
        while let Some(at) = self.rows.iter().position(&fits) {
            let row = self.rows.remove(at);
            if verb != "allowed" && row.by_log && !row.simulated {
                self.remember(&row, now);
            }
            ended.push(row);
        }
        for row in &ended {
            let late = verb == "expired";
            if late {
                self.late.push(row.clone());
            } else {
                self.tell(verb, row);
            }
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
                    late,
                });
            }
        }
        ended
    }

    pub(super) fn settled(&mut self, output: &OutputName, generation: u64, now: i64) {
        for over in self.over.iter_mut().filter(|over| (1..=generation).contains(&over.generation)) {
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
        let outputs_of = |value: Option<Measure>| -> BTreeSet<&OutputName> {
            bans.iter().filter(|(row, _)| row.force() >= value).flat_map(|(_, outputs)| outputs).collect()
        };
        let (told, marked) = (outputs_of(Some(Measure::Ban)), outputs_of(Some(Measure::Challenge)));
        let (simulated, real): (Vec<&Row>, Vec<&Row>) =
            bans.iter().map(|(row, _)| row).partition(|row| row.simulated);
        let simulated: Vec<&Row> =
            simulated.into_iter().filter(|row| self.jails[&row.jail].simulate).collect();
        let hit: BTreeSet<&JailName> = real.iter().chain(&simulated).map(|row| &row.jail).collect();
        for jail in hit {
            *self.hits.entry(jail.clone()).or_default() += 1;
        }
        self.extend(client, event);
        for offence in &observation.offences {
            if !self.is_configured(&offence.jail) {
                continue;
            }
            let jail = self.jails[&offence.jail].clone();
            let own = |rows: &[&Row]| rows.iter().any(|row| row.jail == jail.name);
            let challenges = jail.value == Measure::Challenge;
            let covered = if jail.outputs.is_empty() {
                let tell = |row: &&&Row| challenges || row.value == Measure::Ban;
                own(&real.iter().filter(tell).copied().collect::<Vec<_>>())
            } else {
                let told = if challenges { &marked } else { &told };
                jail.outputs.iter().all(|output| told.contains(output))
            };
            let is_hit = covered || own(&simulated) || (observation.refused && !real.is_empty());
            if !is_hit && !self.is_protected(&jail.name, Prefix::host(client)) {
                let counted = (event, offence.distinct.unwrap(), offence.weight);
                self.offend(&jail, client, counted, offence.network, now);
            }
        }
    }

    /// A hit prolongs the bans of jails that say so.
    fn extend(&mut self, client: Address, event: i64) {
        for number in 0..self.rows.len() {
            let row = &self.rows[number];
            let jail = &self.jails[&row.jail];
            let ours = row.prefix.contains(client) && row.by_log && row.simulated == jail.simulate;
            let Some(until) = row.until.filter(|_| ours) else { continue };
            if self.is_protected(&row.jail, Prefix::host(client)) {
                continue;
            }
            if let Some(later) = jail.extended(at(row.since), at(until), at(event)) {
                self.rows[number].until = Some(later.as_second());
                let row = self.rows[number].clone();
                self.tell("extended", &row);
            }
        }
    }

    fn offend(
        &mut self,
        jail: &jail::Settings,
        client: Address,
        (event, value, weight): (i64, u64, u8),
        network: Option<u8>,
        now: i64,
    ) {
        *self.counted.entry(jail.name.clone()).or_default() += 1;
        let key = (jail.name.clone(), self.counted_as(jail, client, network));
        if let Some(rate) = jail.rate {
            return self.ask(jail, rate, &key, event, now);
        }
        let offences = self.offences.entry(key.clone()).or_default();
        match offences.iter_mut().find(|(_, other, _)| jail.distinct && *other == value) {
            Some(same) => {
                let near = (same.0 - event).abs() <= jail.findtime.as_secs();
                let newer = if event >= same.0 { weight } else { same.2 };
                (same.0, same.2) = (same.0.max(event), if near { same.2.max(weight) } else { newer });
            }
            None => offences.push((event, value, weight)),
        }
        let decided = self.decided(jail, &key);
        let crowded = self.crowded(jail, client, event);
        if let Some(since) = decided {
            let row = self.verdict(jail, key.1, since);
            self.consume(&key, row.until);
            self.decide(row, now);
        }
        for (prefix, since) in crowded {
            let row = self.verdict(jail, prefix, since);
            self.decide(row, now);
        }
    }

    /// When the first window is full.
    fn decided(&mut self, jail: &jail::Settings, key: &(JailName, Prefix)) -> Option<i64> {
        let offences = self.offences.get_mut(key).unwrap();
        offences.sort_unstable();
        let findtime = jail.findtime.as_secs();
        let full = |last: &i64| {
            let inside = |(other, ..): &&(i64, u64, u8)| (*last - findtime..=*last).contains(other);
            offences.iter().filter(inside).map(|(_, _, weight)| u32::from(*weight)).sum::<u32>()
                >= jail.maxretry
        };
        offences.iter().map(|(event, ..)| *event).find(full)
    }

    fn consume(&mut self, key: &(JailName, Prefix), until: Option<i64>) {
        let offences = self.offences.get_mut(key).unwrap();
        offences.retain(|(event, ..)| until.is_some_and(|until| *event >= until));
    }

    /// A new ban is an offence for the jails whose source is bans.
    fn count_ban(&mut self, row: &Row, now: i64) {
        if row.force() != Some(Measure::Ban) || self.jails[&row.jail].of_bans {
            return;
        }
        let counting: Vec<_> = self.settings.jails.iter().filter(|jail| jail.of_bans).cloned().collect();
        for jail in counting {
            let own = |other: &Row| other.jail == jail.name && other.prefix.covers(row.prefix);
            if self.is_protected(&jail.name, row.prefix) || self.rows.iter().any(own) {
                continue;
            }
            let group = Prefix::group(row.prefix.first(), jail.group);
            let split = self.protected_entries(&jail.name).iter().any(|entry| group.covers(*entry));
            let counted = if group.covers(row.prefix) && !split { group } else { row.prefix };
            *self.counted.entry(jail.name.clone()).or_default() += 1;
            let key = (jail.name.clone(), counted);
            self.offences.entry(key.clone()).or_default().push((row.since, 0, 1));
            if let Some(since) = self.decided(&jail, &key) {
                let row = self.verdict(&jail, counted, since);
                self.consume(&key, row.until);
                self.decide(row, now);
            }
        }
    }

    fn ask(&mut self, jail: &jail::Settings, rate: Rate, key: &(JailName, Prefix), event: i64, now: i64) {
        const SECOND: i64 = 1_000_000_000;
        let each = rate.per.as_secs() * SECOND / i64::from(rate.requests);
        let (last, empty) = self.buckets.get(key).copied().unwrap_or((event * SECOND, event * SECOND));
        if event < last / SECOND - rate.per.as_secs() {
            return;
        }
        let at = last.max(event * SECOND);
        let empty = empty.max(at) + each;
        self.buckets.insert(key.clone(), (at, empty));
        if empty - at > each * i64::from(rate.burst) {
            self.buckets.remove(key);
            let row = self.verdict(jail, key.1, at / SECOND);
            self.decide(row, now);
        }
    }

    /// The prefixes around this client that are full now, and since when; they are empty again.
    fn crowded(&mut self, jail: &jail::Settings, client: Address, event: i64) -> Vec<(Prefix, i64)> {
        let group = Prefix::group(client, jail.group);
        let mut full = Vec::new();
        for rule in &jail.widen {
            let length = if group.is_ipv4() { rule.v4 } else { rule.v6 };
            let Some(length) = length.filter(|length| *length < group.length()) else { continue };
            let key = (jail.name.clone(), Prefix::new(client, length));
            let groups = self.crowds.entry(key.clone()).or_default();
            let newest = groups.entry(group).or_insert(event);
            *newest = event.max(*newest);
            let within = rule.within.as_secs();
            let many = |last: &i64| {
                groups.values().filter(|at| (*last - within..=*last).contains(at)).count()
                    >= rule.distinct as usize
            };
            let mut times: Vec<i64> = groups.values().copied().collect();
            times.sort_unstable();
            if let Some(since) = times.into_iter().find(many) {
                self.crowds.remove(&key);
                full.push((key.1, since));
            }
        }
        full
    }

    fn verdict(&self, jail: &jail::Settings, prefix: Prefix, since: i64) -> Row {
        let earlier = self.earlier(jail, prefix, since);
        let chance = crate::jail::chance(self.settings.seed, prefix, &jail.name, at(since));
        let until = jail.verdict_until(at(since), earlier, chance).map(Timestamp::as_second);
        let (value, simulated) = (jail.value, jail.simulate);
        Row { prefix, jail: jail.name.clone(), value, since, until, simulated, by_log: true }
    }

    fn decide(&mut self, row: Row, now: i64) {
        if self.pauses.iter().any(|pause| pause.jail.as_ref().is_none_or(|jail| *jail == row.jail)) {
            self.tell("withheld", &row);
        } else if row.until.is_some_and(|until| until <= now) {
            self.tell("past", &row);
            if !row.simulated {
                self.remember(&row, row.until.unwrap());
            }
            let before = row.until;
            let outputs = self.jails[&row.jail].outputs.clone();
            let made = row.clone();
            self.over.push(Over {
                row,
                outputs,
                before,
                waiting: Vec::new(),
                generation: 1,
                settled: None,
                late: false,
            });
            self.count_ban(&made, now);
        } else if self.enforce(row.clone()) {
            self.count_ban(&row, now);
        }
    }

    /// Says whether it is a new ban.
    pub(super) fn enforce(&mut self, row: Row) -> bool {
        let same = |other: &&mut Row| (other.prefix, &other.jail) == (row.prefix, &row.jail);
        let Some(old) = self.rows.iter_mut().find(same) else {
            self.tell("banned", &row);
            self.rows.push(row);
            return true;
        };
        if row.force() > old.force() {
            *old = row.clone();
            self.tell("banned", &row);
            return true;
        }
        if old.force() == row.force() && old.until < row.until.or(Some(i64::MAX)) && old.until.is_some() {
            old.until = row.until;
            let row = Row { until: row.until, ..old.clone() };
            self.tell("prolonged", &row);
        }
        false
    }

    /// Takes a group, and all inside a prefix, out of what is counted for wider ones.
    fn forget_crowds(&mut self, prefix: Prefix, only: Option<&JailName>) {
        for ((jail, wide), groups) in &mut self.crowds {
            let group = Prefix::group(prefix.first(), self.jails[jail].group);
            let group = if group.covers(prefix) { group } else { prefix };
            if only.is_none_or(|only| only == jail) {
                groups.retain(|other, _| *other != group && !prefix.covers(*wide));
            }
        }
    }

    pub(super) fn forget_all_windows(&mut self) {
        self.offences.clear();
        self.buckets.clear();
        self.crowds.clear();
    }

    /// As for one of many that are unbanned: exactly this prefix, and this group.
    pub(super) fn forget_banned(&mut self, jail: &JailName, prefix: Prefix) {
        self.offences.remove(&(jail.clone(), prefix));
        self.buckets.remove(&(jail.clone(), prefix));
        self.crowds.remove(&(jail.clone(), prefix));
        for ((other, _), groups) in &mut self.crowds {
            groups.retain(|group, _| other != jail || *group != prefix);
        }
    }

    pub(super) fn forget_windows(&mut self, prefix: Prefix, only: Option<&JailName>) {
        self.forget_crowds(prefix, only);
        let jails = &self.jails;
        let stays = |(jail, counted): &(JailName, Prefix)| {
            let group = Prefix::group(prefix.first(), jails[jail].group);
            only.is_some_and(|only| only != jail) || !(prefix.covers(*counted) || *counted == group)
        };
        self.offences.retain(|key, _| stays(key));
        self.buckets.retain(|key, _| stays(key));
    }

    pub(super) fn reconfigure(&mut self, settings: Settings, now: i64) {
        self.expire(now);
        self.adopt(settings);
        self.end_simulation(now);
        self.end_protected();
    }

    /// What was decided while the jail simulated and it no longer does, or the other way round.
    fn end_simulation(&mut self, now: i64) {
        let is_other = |row: &&Row| {
            self.is_configured(&row.jail) && row.by_log && row.simulated != self.jails[&row.jail].simulate
        };
        let others: Vec<Row> = self.rows.iter().filter(is_other).cloned().collect();
        self.end_where("simulation", now, |row| others.contains(row));
    }

    fn end_protected(&mut self) {
        let keys = self.rows.iter().map(|row| (row.prefix, row.jail.clone()));
        let protected: Vec<_> = keys.filter(|(prefix, jail)| self.is_protected(jail, *prefix)).collect();
        for (prefix, jail) in protected {
            self.end_where("allowed", 0, |row| row.prefix == prefix && row.jail == jail);
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
        self.crowds.retain(|(jail, _), _| configured.contains(jail));
        self.buckets.retain(|(jail, _), _| configured.contains(jail));
        self.end_protected();
        self.expire(now);
    }

    /// Whether `output` has to refuse, or to challenge, this client; where it has to do both it refuses.
    pub(super) fn carries(&self, output: &OutputName, client: Address, value: Measure) -> bool {
        let carried =
            |row: &&Row| row.force() == Some(value) && self.jails[&row.jail].outputs.contains(output);
        let all = self.rows.iter().chain(&self.late);
        let mut around = all.filter(|row| row.prefix.contains(client)).filter(carried);
        around.any(|row| !self.is_protected(&row.jail, Prefix::host(client)))
    }
}

/// How many of so many bans count at `at`, of which the last ended at `last`.
fn left(bans: u32, last: i64, decay: Option<SignedDuration>, at: i64) -> u32 {
    let forgotten = decay.map_or(0, |decay| at.saturating_sub(last).max(0) / decay.as_secs());
    bans.saturating_sub(u32::try_from(forgotten).unwrap_or(u32::MAX))
}

fn told_row(verb: &str, row: &Row) -> String {
    let until = row.until.map_or("forever".to_owned(), |until| until.to_string());
    format!("{verb} {} by {} until {until}", row.prefix, row.jail)
}

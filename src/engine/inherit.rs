//! Bans that another program made: each goes on here until its end, and how often it banned whom is known from then on.

use hashbrown::HashMap;
use jiff::Timestamp;

use super::{Effects, Engine, Order, Refusal, Term};
use crate::address::Prefix;
use crate::ban::{Ban, JailId, Origin};
use crate::terms::{JailName, PriorEntry};

/// A ban that another program made, in force or over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inherited {
    /// Who.
    pub prefix: Prefix,
    /// In which jail's name and outputs.
    pub jail: JailName,
    /// When it began.
    pub since: Timestamp,
    /// When it ends, or ended; `None` is never.
    pub until: Option<Timestamp>,
    /// How often that jail banned them, this one included.
    pub bans: u32,
    /// How many offences decided it.
    pub offences: u32,
    /// Shown in lists.
    pub reason: Option<String>,
}

impl Inherited {
    /// The ban by hand that needs the same permission.
    pub fn order(&self) -> Order {
        Order { prefix: self.prefix, jail: Some(self.jail.clone()), term: Term::Usual, reason: None }
    }

    /// Whether only its count is left of it.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// How many of its bans have ended, and when the last of them had.
    fn ended(&self, now: Timestamp) -> (u32, Timestamp) {
        match self.until.filter(|until| *until <= now) {
            Some(until) => (self.bans, until),
            None => (self.bans.saturating_sub(1), self.since.min(now)),
        }
    }
}

impl Engine {
    /// Whether a jail can take bans over: it is configured, and publishes.
    pub fn check_heir(&self, jail: &JailName) -> Result<(), Refusal> {
        let settings = &self.slots.get(self.known(jail)?).settings;
        if settings.simulate { Err(Refusal::Simulates(jail.clone())) } else { Ok(()) }
    }

    /// Puts a ban into force as if the jail had made it. Of a ban that exists the later end is kept; without a change, or if
    /// it is over, the effects are empty.
    pub fn inherit(&mut self, given: &Inherited, now: Timestamp) -> Result<Effects, Refusal> {
        let (ban, jail) = self.inherited(given, now)?;
        let mut effects = Effects::default();
        if !given.is_over(now) {
            self.expire(now, &mut effects);
            self.expire_around(ban.prefix, now, &mut effects);
            self.enforce(ban, jail, &mut effects);
        }
        Ok(effects)
    }

    /// What [`Engine::inherit`] would make of it; `None` where nothing would change.
    pub fn would_inherit(&self, given: &Inherited, now: Timestamp) -> Result<Option<Ban>, Refusal> {
        let (ban, jail) = self.inherited(given, now)?;
        Ok(if given.is_over(now) { None } else { self.change_of(ban, jail, now) })
    }

    fn inherited(&self, given: &Inherited, now: Timestamp) -> Result<(Ban, JailId), Refusal> {
        let jail = self.permitted(&given.order())?;
        let ban = Ban {
            prefix: given.prefix,
            jail: given.jail.clone(),
            value: self.slots.get(jail).settings.value,
            since: given.since.min(now),
            until: given.until,
            offences: given.offences,
            origin: Origin::Log,
            reason: given.reason.clone(),
            simulated: false,
            evidence: Vec::new(),
        };
        Ok((ban, jail))
    }

    /// What these bans tell of how often who was banned, as far as it is not known. Who may not be banned is left out.
    pub fn news_of_earlier(&self, given: &[Inherited], now: Timestamp) -> Vec<PriorEntry> {
        let mut counts: HashMap<(Prefix, Option<&JailName>), (u32, Timestamp)> = HashMap::new();
        for one in given {
            let Ok(jail) = self.permitted(&one.order()) else { continue };
            let (bans, ended) = one.ended(now);
            most(&mut counts, (one.prefix, &one.jail), (bans, ended));
            // Who is counted with a group is banned with it the next time; the ban of the member alone will not count there.
            let group = Prefix::group(one.prefix.first(), self.slots.get(jail).settings.group);
            if group != one.prefix && group.covers(one.prefix) {
                most(&mut counts, (group, &one.jail), (one.bans, ended));
            }
        }
        let jails: Vec<_> = counts.iter().map(|((prefix, _), count)| (*prefix, *count)).collect();
        for (prefix, (bans, ended)) in jails {
            let (all, last) = counts.entry((prefix, None)).or_insert((0, ended));
            (*all, *last) = (all.saturating_add(bans), ended.max(*last));
        }
        let entries = counts.into_iter().map(|((prefix, jail), (bans, ended))| PriorEntry {
            prefix,
            jail: jail.cloned(),
            bans,
            ended,
        });
        entries.filter(|entry| self.priors.is_news(entry)).collect()
    }

    /// Remembers what [`Engine::news_of_earlier`] told.
    pub fn learn_earlier(&mut self, news: &[PriorEntry]) {
        self.priors.learn(news);
    }
}

fn most<'g>(
    counts: &mut HashMap<(Prefix, Option<&'g JailName>), (u32, Timestamp)>,
    (prefix, jail): (Prefix, &'g JailName),
    (bans, ended): (u32, Timestamp),
) {
    let (known, last) = counts.entry((prefix, Some(jail))).or_insert((bans, ended));
    (*known, *last) = (bans.max(*known), ended.max(*last));
}

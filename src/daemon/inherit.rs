//! The order to take over another program's bans: all of them in one step, with how often each was made.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::answers::{Answer, refusal_of};
use super::circuit::Circuit;
use super::hand::{By, Consent, Outcome, addresses, many};
use crate::address::Prefix;
use crate::control::{FailCode, FormerBan, Refusal, Reply};
use crate::engine::{Inherited, Refusal as Refused};
use crate::terms::{JailName, PriorEntry};

/// A ban as the engine takes it.
pub(super) fn inherited(former: FormerBan, reason: Option<&String>) -> Inherited {
    let FormerBan { address, jail, since, until, bans, offences } = former;
    Inherited { prefix: address, jail, since, until, bans, offences, reason: reason.cloned() }
}

/// Bans whose jail cannot go on with them.
#[derive(Default)]
struct Left {
    /// Their jails are not here: how many each would have.
    unknown: BTreeMap<JailName, usize>,
    refused: Vec<Refusal>,
}

impl Circuit {
    /// Takes them over; answers as a ban by hand does.
    pub(super) fn inherit(
        &mut self,
        given: Vec<Inherited>,
        (consent, by): (Consent, &By),
        now: Timestamp,
        answer: Answer,
    ) {
        let (given, left) = match self.heirs(given) {
            Ok(sorted) => sorted,
            Err(reply) => return drop(answer.send(*reply)),
        };
        let mut outcome = Outcome { refused: left.refused, ..Outcome::default() };
        let engine = &mut self.owner.engine;
        engine.in_one_step(|engine| {
            for one in &given {
                let agreed = if one.is_over(now) { Ok(()) } else { consent.check(engine, &one.order()) };
                match agreed.and_then(|()| engine.inherit(one, now)) {
                    // Whose ban is over is nobody to refuse.
                    Err(_) if one.is_over(now) => {}
                    done => outcome.inherited(one, done, now),
                }
            }
        });
        let news = engine.news_of_earlier(&given, now);
        engine.learn_earlier(&news);
        outcome.said.extend(untaken(&left.unknown));
        outcome.said.extend(known_now(&given, &news, "is known now"));
        self.answer_order(Ok(outcome), by, answer);
    }

    /// What that would do.
    pub(super) fn would_inherit(&self, given: Vec<Inherited>, consent: Consent, now: Timestamp) -> Reply {
        let engine = &self.owner.engine;
        let (given, left) = match self.heirs(given) {
            Ok(sorted) => sorted,
            Err(reply) => return *reply,
        };
        let (mut bans, mut refused, mut unchanged) = (Vec::new(), left.refused, 0);
        for one in given.iter().filter(|one| !one.is_over(now)) {
            let agreed = consent.check(engine, &one.order());
            match agreed.and_then(|()| engine.would_inherit(one, now)) {
                Ok(Some(ban)) => bans.push(self.shown(&ban)),
                Ok(None) => unchanged += 1,
                Err(refusal) => refused.push(refusal_of(one.prefix, &refusal)),
            }
        }
        let mut messages = Outcome { unchanged, ..Outcome::default() }.messages();
        messages.extend(untaken(&left.unknown));
        messages.extend(known_now(&given, &engine.news_of_earlier(&given, now), "would be known"));
        messages.push(format!("{} would begin or last longer; nothing was changed", many(bans.len(), "ban")));
        Reply::Done { messages, bans, refused }
    }

    /// Those whose jail is here and publishes. The error answers where there is none at all.
    fn heirs(&self, given: Vec<Inherited>) -> Result<(Vec<Inherited>, Left), Box<Reply>> {
        let engine = &self.owner.engine;
        let (mut jails, mut left) = (BTreeMap::new(), Left::default());
        let mut unfit: BTreeMap<JailName, (Refused, usize)> = BTreeMap::new();
        let mut fit = Vec::with_capacity(given.len());
        for one in given {
            let checked = match jails.entry(one.jail.clone()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => place.insert(engine.check_heir(&one.jail)),
            };
            match checked {
                Ok(()) => fit.push(one),
                Err(why) => unfit.entry(one.jail).or_insert_with(|| (why.clone(), 0)).1 += 1,
            }
        }
        if fit.is_empty()
            && let Some((Refused::UnknownJail { .. }, _)) = unfit.values().next()
            && unfit.values().all(|(why, _)| matches!(why, Refused::UnknownJail { .. }))
        {
            return Err(Box::new(nobodys(&unfit)));
        }
        for (jail, (why, bans)) in unfit {
            if matches!(why, Refused::UnknownJail { .. }) {
                left.unknown.insert(jail, bans);
            } else {
                let reason = format!(
                    "it only simulates: {} not taken over; take `simulate` out and reload first",
                    many(bans, "ban")
                );
                left.refused.push(Refusal { target: format!("jail {jail}"), reason });
            }
        }
        Ok((fit, left))
    }
}

impl Outcome {
    fn inherited(&mut self, one: &Inherited, done: Result<crate::engine::Effects, Refused>, now: Timestamp) {
        let unchanged = done.as_ref().is_ok_and(|effects| effects.changes.is_empty());
        self.unchanged += usize::from(unchanged && !one.is_over(now));
        self.add(one.prefix, done);
    }
}

/// None of these jails is here.
fn nobodys(unfit: &BTreeMap<JailName, (Refused, usize)>) -> Reply {
    let names: Vec<&str> = unfit.keys().map(JailName::as_str).collect();
    let known = match unfit.values().next() {
        Some((Refused::UnknownJail { known, .. }, _)) => known.iter().map(JailName::as_str).collect(),
        _ => Vec::new(),
    };
    let told = format!(
        "the bans are of jails that are not here ({}); the jails are {}",
        names.join(", "),
        known.join(", ")
    );
    Reply::failed(FailCode::Usage, told)
}

fn untaken(unknown: &BTreeMap<JailName, usize>) -> impl Iterator<Item = String> {
    unknown.iter().map(|(jail, bans)| format!("jail {jail} is not here: {} left behind", many(*bans, "ban")))
}

fn known_now(given: &[Inherited], news: &[PriorEntry], how: &str) -> Option<String> {
    let told: BTreeSet<Prefix> = news.iter().map(|entry| entry.prefix).collect();
    let number = given.iter().map(|one| one.prefix).collect::<BTreeSet<_>>().intersection(&told).count();
    (number > 0).then(|| format!("how often {} had been banned {how}", addresses(number)))
}

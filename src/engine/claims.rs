//! Clients that say they are a crawler: what was asked about them, what the answer was, and what waits for it.
//!
//! Verdicts wait for some seconds only. A time-out is no "no": for a filter that looks for false crawlers it is no offence.

use std::collections::VecDeque;

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use smallvec::SmallVec;

use super::Effects;
use super::seen::Seen;
use crate::address::{AllowEntry, Allowlist, Prefix};
use crate::ban::{Ban, HeldBan, JailId};
use crate::jail::Counted;
use crate::terms::{Claim, Crawler, Offence, Verification};

/// How long a verdict waits for an answer.
pub(super) const HELD: SignedDuration = SignedDuration::from_secs(5);
/// How long answers hold. Crawlers keep their addresses for months; a time-out may be over with the next question.
const CONFIRMED: SignedDuration = SignedDuration::from_hours(6);
const REFUTED: SignedDuration = SignedDuration::from_hours(1);
const UNKNOWN: SignedDuration = SignedDuration::from_mins(1);
/// A question that nobody answers is asked again after this.
const LOST: SignedDuration = SignedDuration::from_mins(1);
/// So many claims are known at once; of more, those that were refuted give way.
const CLAIMS: usize = 10_000;
/// So many claims are looked at to find one that gives way.
const TRIES: usize = 16;
/// So much is held for one claim: a verdict for each of that many jails.
const HELD_EACH: usize = 16;

/// The claims that are looked into, and what came of others.
#[derive(Debug, Default)]
pub(super) struct Claims {
    standing: IndexMap<Claim, Standing>,
    /// Whether somebody answers; in `replay` nobody does.
    answered: bool,
    /// Where the next claim that gives way is looked for.
    cursor: usize,
    /// When what is held for a claim is let go at the latest, the soonest first.
    deadlines: VecDeque<(Timestamp, Claim)>,
    /// When the first confirmation is over.
    confirmed_until: Option<Timestamp>,
}

/// How far a claim is.
#[derive(Debug)]
enum Standing {
    Asked { since: Timestamp, held: SmallVec<[Waiting; 1]> },
    Answered { answer: Verification, until: Timestamp },
}

/// What waits for the answer.
#[derive(Debug)]
pub(super) enum Waiting {
    /// A ban.
    Verdict(JailId, Ban),
    /// An offence inside of prefixes that may be banned as a whole.
    Crowd(JailId, Prefix, Counted),
    /// An offence that is one only if the claim is false.
    Offence(JailId, Offence, Seen),
}

/// What is known of a claim now.
pub(super) enum Known {
    Confirmed,
    Refuted,
    Unknown,
    /// Somebody was asked, not long ago.
    Asked,
    /// Somebody was asked, and verdicts do not wait any longer.
    Late,
}

impl Claims {
    pub(super) fn new(answered: bool) -> Self {
        Self { answered, ..Self::default() }
    }

    /// What is known; where that is nothing, the question goes out.
    pub(super) fn look_into(&mut self, claim: Claim, now: Timestamp, effects: &mut Effects) -> Known {
        match self.standing.get(&claim) {
            Some(Standing::Answered { answer, until }) if *until > now => return answer.into(),
            Some(Standing::Asked { since, .. }) if now.duration_since(*since) < HELD => return Known::Asked,
            Some(Standing::Asked { since, .. }) if now.duration_since(*since) < LOST => return Known::Late,
            _ => {}
        }
        if !self.answered || !self.has_room(claim) {
            return Known::Unknown;
        }
        let before = self.standing.insert(claim, Standing::Asked { since: now, held: SmallVec::new() });
        if let (Some(Standing::Asked { held: old, .. }), Some(Standing::Asked { held, .. })) =
            (before, self.standing.get_mut(&claim))
        {
            *held = old;
        }
        self.deadlines.push_back((now.checked_add(HELD).unwrap_or(now), claim));
        effects.verify.push(claim);
        Known::Asked
    }

    /// Makes room for one more, where that can be had without forgetting a crawler or what is held.
    fn has_room(&mut self, claim: Claim) -> bool {
        // Questions of the last seconds, those included whose claim gave way already.
        if self.deadlines.len() >= 2 * CLAIMS {
            return false;
        }
        if self.standing.len() < CLAIMS || self.standing.contains_key(&claim) {
            return true;
        }
        for _ in 0..TRIES {
            self.cursor = (self.cursor + 1) % CLAIMS;
            let gives_way = match self.standing.get_index(self.cursor) {
                Some((_, Standing::Answered { answer, .. })) => !matches!(answer, Verification::Confirmed(_)),
                _ => false,
            };
            if gives_way {
                self.standing.swap_remove_index(self.cursor);
                return true;
            }
        }
        false
    }

    pub(super) fn hold(&mut self, claim: Claim, new: Waiting) {
        let Some(Standing::Asked { held, .. }) = self.standing.get_mut(&claim) else { return };
        let is_there = held.iter().any(|old| match (old, &new) {
            (Waiting::Verdict(one, _), Waiting::Verdict(other, _))
            | (Waiting::Crowd(one, ..), Waiting::Crowd(other, ..)) => one == other,
            _ => false,
        });
        if !is_there && held.len() < HELD_EACH {
            held.push(new);
        }
    }

    /// Takes an answer in, and what was held out.
    pub(super) fn answer(
        &mut self,
        claim: Claim,
        answer: Verification,
        now: Timestamp,
    ) -> SmallVec<[Waiting; 1]> {
        let lasts = match answer {
            Verification::Confirmed(_) => CONFIRMED,
            Verification::Refuted => REFUTED,
            Verification::Unknown => UNKNOWN,
        };
        let until = now.checked_add(lasts).unwrap_or(now);
        if matches!(answer, Verification::Confirmed(_)) {
            self.confirmed_until = Some(self.confirmed_until.map_or(until, |soonest| soonest.min(until)));
        }
        match self.standing.insert(claim, Standing::Answered { answer, until }) {
            Some(Standing::Asked { held, .. }) => held,
            _ => SmallVec::new(),
        }
    }

    /// The confirmed crawlers of these, as an allow list.
    pub(super) fn confirmed(&self, crawlers: &[Crawler]) -> Allowlist {
        let entry = |(claim, standing): (&Claim, &Standing)| match standing {
            Standing::Answered { answer: Verification::Confirmed(by), .. }
                if crawlers.contains(&claim.crawler) =>
            {
                let origin = format!("verified crawler {}: {by}", claim.crawler).into();
                Some(AllowEntry { prefix: Prefix::host(claim.address), origin })
            }
            _ => None,
        };
        self.standing.iter().filter_map(entry).collect()
    }

    /// The verdicts that wait for an answer, about who lies around `asked`.
    pub(super) fn held(&self, asked: Prefix) -> impl Iterator<Item = HeldBan> {
        self.standing
            .values()
            .flat_map(|standing| match standing {
                Standing::Asked { since, held } => held.iter().map(|held| (*since, held)).collect(),
                Standing::Answered { .. } => Vec::new(),
            })
            .filter_map(move |(since, held)| {
                let Waiting::Verdict(_, ban) = held else { return None };
                let until = since.checked_add(HELD).unwrap_or(since);
                ban.prefix.covers(asked).then(|| HeldBan { ban: ban.clone(), judged: since, until })
            })
    }

    /// When something is to be let go of.
    pub(super) fn next_end(&self) -> Option<Timestamp> {
        let deadline = self.deadlines.front().map(|(deadline, _)| *deadline);
        deadline.into_iter().chain(self.confirmed_until).min()
    }

    /// The next claim whose verdicts have waited long enough, and those; offences wait on.
    pub(super) fn overdue(&mut self, now: Timestamp) -> Option<SmallVec<[Waiting; 1]>> {
        self.deadlines.front().filter(|(deadline, _)| *deadline <= now)?;
        let (_, claim) = self.deadlines.pop_front()?;
        let Some(Standing::Asked { held, .. }) = self.standing.get_mut(&claim) else {
            return Some(SmallVec::new());
        };
        let (wait, go): (SmallVec<[Waiting; 1]>, SmallVec<[Waiting; 1]>) =
            std::mem::take(held).into_iter().partition(|one| matches!(one, Waiting::Offence(..)));
        *held = wait;
        Some(go)
    }

    /// Forgets confirmations that are over; the addresses that this was about.
    pub(super) fn expire(&mut self, now: Timestamp) -> Vec<Prefix> {
        if self.confirmed_until.is_none_or(|until| until > now) {
            return Vec::new();
        }
        let (mut over, mut next) = (Vec::new(), None);
        self.standing.retain(|claim, standing| match standing {
            Standing::Answered { answer: Verification::Confirmed(_), until } if *until <= now => {
                over.push(Prefix::host(claim.address));
                false
            }
            Standing::Answered { answer: Verification::Confirmed(_), until } => {
                next = Some(next.map_or(*until, |next: Timestamp| next.min(*until)));
                true
            }
            _ => true,
        });
        self.confirmed_until = next;
        over
    }
}

impl From<&Verification> for Known {
    fn from(answer: &Verification) -> Self {
        match answer {
            Verification::Confirmed(_) => Self::Confirmed,
            Verification::Refuted => Self::Refuted,
            Verification::Unknown => Self::Unknown,
        }
    }
}

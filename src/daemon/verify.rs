//! Looks into who says to be a crawler, beside everything else: the answers come to the loop as messages.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};

use crate::address::Allowlist;
use crate::config::Config;
use crate::resolve::{Belongs, Lists, Resolver};
use crate::terms::{Claim, Crawler, Verification};

/// So many questions go out at once, and so many more wait. Of a flood of false claims the rest has no answer.
const AT_ONCE: usize = 32;
const WAITING: usize = 512;

/// An answer, and to what.
pub(super) type Answered = (Claim, Verification);

/// Finds out what is true.
pub(super) struct Verifier {
    resolver: Resolver,
    /// What crawlers' operators publish.
    ranges: BTreeMap<Crawler, Allowlist>,
    answers: mpsc::UnboundedSender<Answered>,
    room: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

impl Verifier {
    /// Each claim is asked about once at a time, so that no more answers can wait than claims are known.
    pub(super) fn new(config: &Config, lists: &Lists) -> (Self, mpsc::UnboundedReceiver<Answered>) {
        let (answers, there) = mpsc::unbounded_channel();
        let verifier = Self {
            resolver: Resolver::new(config.daemon.resolver.clone()),
            ranges: config.crawler_ranges(lists),
            answers,
            room: Arc::new(Semaphore::new(WAITING)),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        };
        (verifier, there)
    }

    /// Goes by another configuration, or other lists, from now on.
    pub(super) fn reconfigure(&mut self, config: &Config, lists: &Lists) {
        self.resolver = Resolver::new(config.daemon.resolver.clone());
        self.ranges = config.crawler_ranges(lists);
    }

    /// Begins to look into a claim; there will be an answer. Must be called within a tokio runtime.
    pub(super) fn ask(&self, claim: Claim) {
        let answers = self.answers.clone();
        // The loop that listens is gone only at the end.
        let tell = move |answer| drop(answers.send((claim, answer)));
        let ranges = self.ranges.get(&claim.crawler);
        if let Some(range) = ranges.and_then(|ranges| ranges.find(claim.address)) {
            return tell(Verification::Confirmed(
                format!("published range {} ({})", range.prefix, range.origin).into(),
            ));
        }
        let domains = claim.crawler.domains();
        if domains.is_empty() {
            return tell(if ranges.is_some() { Verification::Refuted } else { Verification::Unknown });
        }
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else { return tell(Verification::Unknown) };
        let (resolver, turns) = (self.resolver.clone(), Arc::clone(&self.turns));
        tokio::spawn(async move {
            let turn = turns.acquire().await;
            let answer = match resolver.belongs(claim.address, domains).await {
                Belongs::Yes(name) => Verification::Confirmed(name),
                Belongs::No => Verification::Refuted,
                Belongs::Unknown => Verification::Unknown,
            };
            drop((turn, room));
            tell(answer);
        });
    }
}

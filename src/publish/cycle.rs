//! One publish of a reload group, up to the files in place: snapshots → stage → check → commit. How the server is made
//! to read them follows in `reading`.

use std::sync::Arc;
use std::time::Instant;

use super::error::PublishError;
use super::event::What;
use super::feed::Wanted;
use super::group::{Group, Postponed, blocking};
use super::native::{self, Candidate, Verdict};
use super::place::{self, New, Prepared, Put};
use super::schedule::Pending;
use super::settings::{Kind, Settings};
use crate::address::Prefix;
use crate::ban::Snapshot;
use crate::os::clock;

/// The work on one output: its place in the group, and the bans to publish.
struct Work {
    index: usize,
    snapshot: Arc<Snapshot>,
}

impl Group {
    /// Publishes the newest snapshots; or finds that it has to wait.
    ///
    /// `due` is when the commit may happen; this begins a little earlier.
    pub(super) async fn publish(&mut self, wanted: Wanted, due: Instant) {
        let begin = clock::monotonic();
        let urgent = self.is_by_hand(wanted) || self.is_missing();
        if !urgent && self.server.drains() && self.schedule.stretch() {
            return;
        }
        let Some(work) = self.fetch(wanted).await else {
            self.retry_later(wanted.generation);
            return;
        };
        self.looked(begin);
        if !urgent && self.postpones(&work, wanted, begin) {
            return;
        }
        let Some((prepared, failed)) = self.prepare(work, wanted).await else { return };
        if !self.wait_until(due).await {
            return;
        }
        self.postponed = None;
        let (put, not_put) = self.commit(prepared).await;
        if failed || not_put {
            self.retry_later(wanted.generation);
        } else {
            self.retry_done();
        }
        if put {
            self.report();
            self.after_commit(wanted).await;
        }
    }

    /// The newest bans of the outputs that may be rewritten now.
    async fn fetch(&mut self, wanted: Wanted) -> Option<Vec<Work>> {
        let held = wanted.hold && !self.is_by_hand(wanted);
        let mut work = Vec::new();
        for (index, output) in self.outputs.iter().enumerate() {
            if held && output.placed.is_some() {
                continue;
            }
            let mut stop = self.stop.clone();
            let snapshot = tokio::select! {
                snapshot = self.feed.snapshot(&output.settings.name) => snapshot?,
                _ = stop.changed() => return None,
            };
            work.push(Work { index, snapshot: Arc::new(snapshot) });
        }
        Some(work)
    }

    /// Whether the bans only become fewer, and that can wait a little longer.
    fn postpones(&mut self, work: &[Work], wanted: Wanted, now: Instant) -> bool {
        let only_removes = |work: &Work| {
            let old = self.outputs[work.index].content.as_deref();
            old.is_some_and(|old| is_part_of(&work.snapshot, old))
        };
        let changes = |work: &Work| {
            let old = self.outputs[work.index].content.as_deref();
            old.is_none_or(|old| !old.says_as(&work.snapshot))
        };
        if !work.iter().all(only_removes) || !work.iter().any(changes) {
            return false;
        }
        let since = self.postponed.map_or(now, |postponed| postponed.since);
        let due = self.schedule.due(Pending { by_hand: false, removals_since: Some(since) });
        let generation =
            work.iter().map(|work| work.snapshot.generation).min().unwrap_or(0).max(wanted.generation);
        self.postponed = Some(Postponed { since, generation });
        due.is_some_and(|due| due > now)
    }

    /// Stages what is new and has it checked. `None` where nothing has to be committed; else also whether some failed.
    async fn prepare(&mut self, work: Vec<Work>, wanted: Wanted) -> Option<(Vec<(usize, New)>, bool)> {
        let begin = clock::monotonic();
        let jobs: Vec<_> = work
            .into_iter()
            .map(|Work { index, snapshot }| {
                let output = &self.outputs[index];
                let untouched = output.is_untouched();
                let digest = output.placed.as_ref().filter(|_| untouched).map(|placed| placed.digest);
                (index, Arc::clone(&output.settings), snapshot, digest)
            })
            .collect();
        let now = clock::now();
        let done = blocking(move || {
            let prepare = |(index, settings, snapshot, digest): (usize, Arc<Settings>, _, _)| {
                (index, place::prepare(&settings, snapshot, digest, now))
            };
            jobs.into_iter().map(prepare).collect::<Vec<_>>()
        })
        .await;
        let (mut new, mut failed) = (Vec::new(), false);
        for (index, prepared) in done {
            match prepared {
                Ok(Prepared::Same(facts)) => {
                    let events = self.outputs[index].same(facts);
                    self.tell_all(index, events);
                }
                Ok(Prepared::New(staged)) => new.push((index, staged)),
                Err(error) => failed |= self.fail(index, &error),
            }
        }
        failed |= self.ask_nginx(&mut new).await;
        self.staged(begin);
        if !new.is_empty() {
            return Some((new, failed));
        }
        self.nothing_to_commit(failed, wanted).await;
        None
    }

    /// The same bytes are in place (or nothing could be staged): whoever waits learns it.
    async fn nothing_to_commit(&mut self, failed: bool, wanted: Wanted) {
        self.postponed = None;
        if failed {
            self.retry_later(wanted.generation);
            return;
        }
        self.retry_done();
        self.settle_unchanged().await;
    }

    /// Has nginx check the staged files, where there is one; drops those that it refuses.
    async fn ask_nginx(&mut self, new: &mut Vec<(usize, New)>) -> bool {
        let style = |index: usize| match self.outputs[index].settings.kind {
            Kind::NginxGeo { style, .. } => Some(style),
            Kind::ApacheRewritemap | Kind::List => None,
        };
        let candidates = new.iter().filter_map(|(index, new)| {
            Some(Candidate { path: new.path().to_owned(), style: style(*index)? })
        });
        let candidates: Vec<Candidate> = candidates.collect();
        match native::check(&self.runner, &candidates).await {
            Verdict::Fine => false,
            Verdict::Unavailable(why) => {
                for (index, _) in new.iter().filter(|(index, _)| style(*index).is_some()) {
                    self.teller
                        .tell(&self.outputs[*index].settings.name, What::Unchecked { why: why.clone() });
                }
                false
            }
            Verdict::Refused(message) => {
                for (index, _) in new.extract_if(.., |(index, _)| style(*index).is_some()).collect::<Vec<_>>()
                {
                    let path = self.outputs[index].settings.path.clone();
                    self.fail(index, &PublishError::Refused { path, message: message.clone() });
                }
                true
            }
        }
    }

    /// Puts the staged files in place. Says whether any was, and whether any was not.
    async fn commit(&mut self, new: Vec<(usize, New)>) -> (bool, bool) {
        let jobs: Vec<_> = new
            .into_iter()
            .map(|(index, new)| (index, Arc::clone(&self.outputs[index].settings), new))
            .collect();
        let keep_old = self.server.is_told();
        let done: Vec<(usize, Result<Put, PublishError>)> = blocking(move || {
            jobs.into_iter()
                .map(|(index, settings, new)| (index, place::commit(&settings, new, keep_old)))
                .collect()
        })
        .await;
        let (mut put_any, mut failed_any) = (false, false);
        for (index, result) in done {
            match result {
                Ok(put) => {
                    put_any = true;
                    let events = self.outputs[index].put(put);
                    self.tell_all(index, events);
                }
                Err(error) => failed_any |= self.fail(index, &error),
            }
        }
        if put_any {
            let sizes = self.outputs.iter().map(|output| (&output.settings.kind, output.entries()));
            self.schedule.committed(clock::monotonic(), sizes);
            self.server.files_changed();
        }
        (put_any, failed_any)
    }

    /// An output's new list is not in place; always true, for counting failures.
    pub(super) fn fail(&mut self, index: usize, error: &PublishError) -> bool {
        let why = error.to_string();
        self.outputs[index].failed(why.clone());
        self.tell_all(index, vec![What::Failed { why }]);
        true
    }

    pub(super) fn tell_all(&mut self, index: usize, events: Vec<What>) {
        for what in events {
            self.teller.tell(&self.outputs[index].settings.name, what);
        }
    }
}

/// Whether `new` bans nobody whom `old` does not ban, and challenges nobody whom `old` does not.
fn is_part_of(new: &Snapshot, old: &Snapshot) -> bool {
    let bans = all_in(&new.prefixes, &old.prefixes) && all_in(&old.holes, &new.holes);
    bans && all_in(&new.challenged, &old.challenged) && all_in(&old.spared, &new.spared)
}

/// Whether every item of the one sorted list is in the other.
fn all_in(some: &[Prefix], others: &[Prefix]) -> bool {
    let mut others = others.iter();
    some.iter().all(|item| others.find(|other| *other >= item) == Some(item))
}

#[cfg(test)]
mod tests {
    use super::all_in;

    #[test]
    fn parts_of_sorted_lists_are_known() {
        let list = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>();
        let whole = list(&["192.0.2.1", "192.0.2.3", "2001:db8::/64"]);
        assert!(all_in(&list(&[]), &whole) && all_in(&whole, &whole));
        assert!(all_in(&list(&["192.0.2.1", "2001:db8::/64"]), &whole));
        assert!(!all_in(&list(&["192.0.2.2"]), &whole));
        assert!(!all_in(&list(&["192.0.2.0/31", "192.0.2.3"]), &whole));
        assert!(!all_in(&whole, &list(&["192.0.2.1", "192.0.2.3"])));
    }
}

//! The outputs as the engine sees them: numbers, and which generation each has reached when.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use super::Holds;
use crate::address::Prefix;
use crate::ban::{Echo, OutputSet};
use crate::terms::OutputName;

/// How long after an output settled a gate may still answer as before: requests in flight, logged when they end.
pub(super) const GRACE: SignedDuration = SignedDuration::from_secs(2);

/// How many generations are remembered of each output. Of older ones the time is taken too late, never too early.
const REMEMBERED: usize = 256;

/// Numbers are given once and for all: an output that is gone and comes back is the same.
#[derive(Default)]
pub(super) struct Outputs {
    known: Vec<Output>,
    /// Those that are configured.
    live: OutputSet,
    /// What those hold that cannot hold every prefix.
    picky: Vec<(usize, Holds)>,
}

struct Output {
    name: OutputName,
    /// Generations that it reached, ascending, and when.
    settled: VecDeque<(u64, Timestamp)>,
}

impl Outputs {
    /// Exactly these are configured from now on.
    pub(super) fn configure(&mut self, names: &[OutputName], picky: &[(OutputName, Holds)]) {
        self.live = self.set(names);
        self.picky = picky.iter().filter_map(|(name, holds)| Some((self.number(name)?, *holds))).collect();
        let live = &self.live;
        let gone = self.known.iter_mut().enumerate().filter(|(number, _)| !live.contains(*number));
        gone.for_each(|(_, output)| output.settled.clear());
    }

    /// The numbers of these names; new ones are given where a name is new.
    pub(super) fn set(&mut self, names: &[OutputName]) -> OutputSet {
        names.iter().map(|name| self.number_or_add(name)).collect()
    }

    fn number_or_add(&mut self, name: &OutputName) -> usize {
        self.number(name).unwrap_or_else(|| {
            self.known.push(Output { name: name.clone(), settled: VecDeque::new() });
            self.known.len() - 1
        })
    }

    pub(super) fn number(&self, name: &OutputName) -> Option<usize> {
        self.known.iter().position(|output| output.name == *name)
    }

    /// All that are configured.
    pub(super) fn live(&self) -> &OutputSet {
        &self.live
    }

    /// Those of `set` that cannot hold this prefix without the holes.
    pub(super) fn unable(&self, set: &OutputSet, prefix: Prefix, holes: &[Prefix]) -> OutputSet {
        let unable = |(number, holds): &&(usize, Holds)| set.contains(*number) && !holds(prefix, holes);
        self.picky.iter().filter(unable).map(|(number, _)| *number).collect()
    }

    pub(super) fn names(&self, set: &OutputSet) -> Vec<OutputName> {
        set.iter().filter_map(|number| self.known.get(number)).map(|output| output.name.clone()).collect()
    }

    /// Notes that an output has reached a generation; an older one than it had changes nothing.
    pub(super) fn settle(&mut self, name: &OutputName, generation: u64, now: Timestamp) {
        let Some(output) = self.known.iter_mut().find(|output| output.name == *name) else { return };
        if output.settled.back().is_none_or(|(last, _)| *last < generation) {
            output.settled.push_back((generation, now));
        }
        if output.settled.len() > REMEMBERED {
            output.settled.pop_front();
        }
    }

    /// When the last of those outputs of `set` that are configured reached `generation`; `None` while one has not.
    pub(super) fn settled_at(&self, set: &OutputSet, generation: u64) -> Option<Timestamp> {
        let times =
            set.common(&self.live).iter().map(|number| self.known.get(number)?.reached(generation)).collect();
        let times: Option<Vec<Timestamp>> = times;
        times.map(|times| times.into_iter().max().unwrap_or(Timestamp::MIN))
    }

    /// Whether an output may still refuse the address of a ban that is over.
    pub(super) fn still_carry(&self, echo: &Echo, now: Timestamp) -> bool {
        let Some(generation) = echo.carried_until else { return false };
        self.settled_at(&echo.outputs, generation).is_none_or(|settled| now.duration_since(settled) < GRACE)
    }
}

impl Output {
    fn reached(&self, generation: u64) -> Option<Timestamp> {
        let first = self.settled.partition_point(|(reached, _)| *reached < generation);
        self.settled.get(first).map(|(_, at)| *at)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Outputs, REMEMBERED};
    use crate::terms::OutputName;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_set_has_settled_when_its_last_configured_output_has() {
        let names: Vec<OutputName> = ["a", "b", "gone"].iter().map(|name| name.parse().unwrap()).collect();
        let mut outputs = Outputs::default();
        let all = outputs.set(&names);
        outputs.configure(&names[..2], &[]);
        outputs.settle(&names[0], 5, at(10));
        assert_eq!(outputs.settled_at(&all, 5), None);
        outputs.settle(&names[1], 4, at(11));
        assert_eq!(outputs.settled_at(&all, 4), Some(at(11)));
        assert_eq!(outputs.settled_at(&all, 5), None);
        outputs.settle(&names[1], 7, at(12));
        assert_eq!(outputs.settled_at(&all, 5), Some(at(12)));
        outputs.settle(&names[0], 3, at(13));
        assert_eq!(outputs.settled_at(&all, 5), Some(at(12)), "an older generation changes nothing");
    }

    #[test]
    fn what_is_no_longer_remembered_counts_as_later() {
        let name: OutputName = "a".parse().unwrap();
        let mut outputs = Outputs::default();
        outputs.configure(std::slice::from_ref(&name), &[]);
        let set = outputs.live().clone();
        (1..=REMEMBERED as u64 + 10).for_each(|g| outputs.settle(&name, g, at(g as i64)));
        assert_eq!(outputs.settled_at(&set, 1), Some(at(11)));
        assert_eq!(outputs.settled_at(&set, 200), Some(at(200)));
    }
}

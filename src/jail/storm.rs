//! The storm breaker of one jail: whether it bans suspiciously many at once, as a filter does that is wrong.

use jiff::{SignedDuration, Timestamp};

/// What happens when a jail bans suspiciously many at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StormMode {
    /// Nothing.
    Off,
    /// It is said.
    #[default]
    Warn,
    /// It is said, and verdicts are held until it calms.
    Hold,
}

/// How it changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// So many addresses within a minute are too many.
    Storm {
        /// How many verdicts the last minute had, each address counted once.
        bans: u32,
        /// How many clients it had, about; `None` where the log tells of none.
        clients: Option<u64>,
    },
    /// A minute has passed in which it was not too many.
    Calm,
}

/// How long the sums go back, in seconds.
const SPAN: usize = 60;

/// The verdicts of the last minute, and whether they are too many.
#[derive(Clone, Debug)]
pub struct Storm {
    /// Verdicts by second, at the second modulo 60.
    seconds: [u32; SPAN],
    /// The second of the newest sum.
    newest: i64,
    bans: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Calm,
    /// Since then, and last seen then.
    Storm(Timestamp, Timestamp),
    /// A storm that an operator has looked at; last seen then.
    LetGo(Timestamp),
}

impl Default for Storm {
    fn default() -> Self {
        Self { seconds: [0; SPAN], newest: i64::MIN, bans: 0, state: State::Calm }
    }
}

impl Storm {
    /// No more addresses than this within a minute are no storm, whatever the number of clients.
    pub const BANS: u32 = 50;
    /// One in so many clients: 5 %.
    pub const SHARE: u64 = 20;
    /// So long it must not have been seen to be over.
    const CALM: SignedDuration = SignedDuration::from_mins(1);

    /// Counts an address whose verdict was counted `before`, so that it counts once.
    pub fn count(&mut self, before: Option<Timestamp>, now: Timestamp) {
        self.turn(now);
        let earlier = before.map(Timestamp::as_second).filter(|second| self.is_summed(*second));
        if let Some(sum) = earlier.and_then(|second| self.seconds.get_mut(place(second)))
            && *sum > 0
        {
            (*sum, self.bans) = (*sum - 1, self.bans.saturating_sub(1));
        }
        if let Some(sum) = self.seconds.get_mut(place(self.newest)) {
            (*sum, self.bans) = (sum.saturating_add(1), self.bans.saturating_add(1));
        }
    }

    fn is_summed(&self, second: i64) -> bool {
        second <= self.newest && second > self.newest.saturating_sub(SPAN as i64)
    }

    /// Lets go of sums that are older than a minute. A clock that is set back does not turn it back.
    fn turn(&mut self, now: Timestamp) {
        let second = now.as_second();
        if second <= self.newest {
            return;
        }
        let first = self.newest.saturating_add(1).max(second - SPAN as i64 + 1);
        for over in first..=second {
            if let Some(sum) = self.seconds.get_mut(place(over)) {
                self.bans = self.bans.saturating_sub(std::mem::take(sum));
            }
        }
        self.newest = second;
    }

    /// How many addresses the last minute had a verdict for.
    pub fn bans(&mut self, now: Timestamp) -> u32 {
        self.turn(now);
        self.bans
    }

    /// Whether so many verdicts are too many if it is also more than 5 % of the clients.
    pub fn is_near(&mut self, now: Timestamp) -> bool {
        self.bans(now) > Self::BANS
    }

    /// How it changed, where the last minute had so many `clients`; without a number the bans alone decide.
    pub fn look(&mut self, clients: Option<u64>, now: Timestamp) -> Option<Weather> {
        let bans = self.bans(now);
        let is_storm =
            bans > Self::BANS && clients.is_none_or(|clients| u64::from(bans) * Self::SHARE > clients);
        let calms = |last: Timestamp| now.duration_since(last) >= Self::CALM;
        let (next, weather) = match self.state {
            State::Calm if is_storm => (State::Storm(now, now), Some(Weather::Storm { bans, clients })),
            State::Storm(since, _) if is_storm => (State::Storm(since, now), None),
            State::LetGo(_) if is_storm => (State::LetGo(now), None),
            State::Storm(_, last) if calms(last) => (State::Calm, Some(Weather::Calm)),
            State::LetGo(last) if calms(last) => (State::Calm, None),
            state => (state, None),
        };
        self.state = next;
        weather
    }

    /// Since when there is a storm that no operator has looked at.
    pub fn since(&self) -> Option<Timestamp> {
        match self.state {
            State::Storm(since, _) => Some(since),
            State::Calm | State::LetGo(_) => None,
        }
    }

    /// An operator has looked at it: what else it brings is let through until it is over.
    pub fn let_go(&mut self, now: Timestamp) {
        self.state = State::LetGo(now);
    }

    /// Verdicts were still held when the daemon ended: it goes on as a storm, until it calms.
    pub fn resume(&mut self, since: Timestamp, now: Timestamp) {
        self.state = State::Storm(since.min(now), now);
    }
}

fn place(second: i64) -> usize {
    second.rem_euclid(SPAN as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn counted(storm: &mut Storm, number: u32, second: i64) {
        (0..number).for_each(|_| storm.count(None, at(second)));
    }

    #[test]
    fn more_than_fifty_and_more_than_a_twentieth_of_the_clients_within_a_minute_are_a_storm() {
        for (bans, clients, expected) in [
            (50, Some(0), false),
            (51, Some(0), true),
            (51, None, true),
            (51, Some(1019), true),
            (51, Some(1020), false),
            (500, Some(10_000), false),
            (501, Some(10_000), true),
        ] {
            let mut storm = Storm::default();
            counted(&mut storm, bans, 100);
            let found = storm.look(clients, at(100));
            assert_eq!(found, expected.then_some(Weather::Storm { bans, clients }), "{bans} of {clients:?}");
            assert_eq!(storm.look(clients, at(100)), None, "said once");
        }
    }

    #[test]
    fn the_minute_slides() {
        let mut storm = Storm::default();
        counted(&mut storm, 30, 100);
        counted(&mut storm, 30, 159);
        assert_eq!(storm.bans(at(159)), 60);
        assert_eq!(storm.bans(at(160)), 30);
        assert_eq!(storm.bans(at(150)), 30, "a clock that is set back");
        counted(&mut storm, 1, 150);
        assert_eq!((storm.bans(at(218)), storm.bans(at(219)), storm.bans(at(220))), (31, 1, 0));
        assert_eq!(storm.bans(at(1_000_000)), 0);
    }

    #[test]
    fn an_address_counts_once_within_a_minute() {
        let mut storm = Storm::default();
        storm.count(None, at(100));
        for second in 101..130 {
            storm.count(Some(at(second - 1)), at(second));
        }
        assert_eq!(storm.bans(at(130)), 1);
        storm.count(Some(at(129)), at(500));
        assert_eq!((storm.bans(at(500)), storm.bans(at(560))), (1, 0));
    }

    #[test]
    fn it_is_calm_after_a_minute_without() {
        let mut storm = Storm::default();
        counted(&mut storm, 60, 100);
        storm.look(None, at(100));
        assert_eq!(storm.look(None, at(159)), None);
        // The sums were too many until 159, and it takes a minute more.
        assert_eq!(storm.look(None, at(218)), None);
        assert_eq!((storm.look(None, at(219)), storm.since()), (Some(Weather::Calm), None));
    }

    #[test]
    fn a_storm_that_was_let_go_is_no_other_until_it_is_over() {
        let mut storm = Storm::default();
        counted(&mut storm, 60, 100);
        storm.look(None, at(100));
        storm.let_go(at(101));
        counted(&mut storm, 60, 130);
        assert_eq!((storm.look(None, at(130)), storm.since()), (None, None));
        assert_eq!(storm.look(None, at(260)), None);
        counted(&mut storm, 60, 261);
        assert!(storm.look(None, at(261)).is_some());
    }
}

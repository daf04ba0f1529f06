//! What several lines of one session say together: one names the address, another the failure.
//!
//! Lines belong together by their `<F-MLFID>`. `<F-NOFAIL>` is no failure by itself, `<F-MLFGAINED>` says that the client got
//! in after all, `<F-MLFFORGET>` that the session ends. A failure whose address is not known yet waits for the line that
//! names it. The table is bounded: the session that began first goes.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashMap;

/// More sessions at a time are not followed.
const MOST_SESSIONS: usize = 4096;
/// More different users of one session say nothing new.
const MOST_USERS: usize = 4;
/// A longer name is no host's.
const LONGEST_HOST: usize = 255;

/// What one line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// Whom it names.
    pub(super) host: Option<String>,
    pub(super) user: Option<String>,
    /// It is no failure by itself.
    pub(super) nofail: bool,
    /// The client got in.
    pub(super) gained: bool,
    /// The session ends with it.
    pub(super) forget: bool,
    /// A failure that waits for a later line, by the filter's own word.
    pub(super) pending: bool,
}

/// What is known of a session.
#[derive(Clone, Debug, Default)]
struct Session {
    host: Option<String>,
    users: Vec<u64>,
    /// A failure whose address is not known yet.
    pending: bool,
}

/// The sessions of one log.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    keys: RandomState,
    live: HashMap<u64, Session, RandomState>,
    /// As they began; some may have ended.
    order: VecDeque<u64>,
}

impl Sessions {
    /// Adds a line of the session `id`; whom a failure is to be blamed on, if this makes one.
    pub(super) fn add(&mut self, id: &str, said: Said) -> Option<String> {
        let key = self.keys.hash_one(id);
        let user = said.user.as_deref().map(|user| self.keys.hash_one(user));
        let session = self.session(key);
        if let Some(user) = user.filter(|user| !session.users.contains(user)) {
            session.users.truncate(MOST_USERS - 1);
            session.users.push(user);
        }
        if let Some(host) = said.host.filter(|host| host.len() <= LONGEST_HOST) {
            session.host = Some(host);
        }
        // One who tries several users has failed, however it ends.
        let is_clean = (said.nofail || said.gained) && !session.pending && session.users.len() < 2;
        let blamed = if is_clean || said.pending { None } else { session.host.clone() };
        session.pending = said.pending || (!is_clean && blamed.is_none());
        if said.forget {
            self.live.remove(&key);
        }
        blamed
    }

    fn session(&mut self, key: u64) -> &mut Session {
        if !self.live.contains_key(&key) {
            self.order.push_back(key);
            while self.order.len() > MOST_SESSIONS {
                let oldest = self.order.pop_front();
                oldest.and_then(|oldest| self.live.remove(&oldest));
            }
        }
        self.live.entry(key).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(host: &str, nofail: bool) -> Said {
        let host = (!host.is_empty()).then(|| host.to_owned());
        Said { host, nofail, ..Said::default() }
    }

    #[test]
    fn a_failure_finds_its_address_before_and_behind_it() {
        let mut sessions = Sessions::default();
        assert_eq!(sessions.add("1", said("192.0.2.1", true)), None);
        assert_eq!(sessions.add("2", said("", false)), None);
        assert_eq!(sessions.add("1", said("", false)).as_deref(), Some("192.0.2.1"));
        assert_eq!(sessions.add("2", said("192.0.2.2", true)).as_deref(), Some("192.0.2.2"));
        assert_eq!(sessions.add("2", said("192.0.2.2", true)), None);
    }

    #[test]
    fn who_gets_in_is_blamed_only_for_trying_several_users() {
        for (users, blamed) in [(["root", "root"], None), (["root", "admin"], Some("192.0.2.1"))] {
            let mut sessions = Sessions::default();
            let line = |user: &str, gained| {
                let user = Some(user.to_owned());
                Said { user, gained, ..said("192.0.2.1", !gained) }
            };
            assert_eq!(sessions.add("1", line(users[0], false)), None);
            assert_eq!(sessions.add("1", line(users[1], true)).as_deref(), blamed);
        }
    }

    #[test]
    fn an_ended_session_is_forgotten_and_the_table_is_bounded() {
        let mut sessions = Sessions::default();
        sessions.add("1", Said { forget: true, ..said("192.0.2.1", true) });
        assert_eq!(sessions.add("1", said("", false)), None);
        for number in 0..2 * MOST_SESSIONS {
            sessions.add(&format!("many {number}"), said("192.0.2.9", true));
            assert!(sessions.live.len() <= MOST_SESSIONS && sessions.order.len() <= MOST_SESSIONS);
        }
        assert_eq!(sessions.add("many 0", said("", false)), None);
        let newest = format!("many {}", 2 * MOST_SESSIONS - 1);
        assert_eq!(sessions.add(&newest, said("", false)).as_deref(), Some("192.0.2.9"));
    }
}

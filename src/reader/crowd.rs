//! The wrong-client guard: whether most lines of a file come from one address that is nobody's outside.
//!
//! Then a server does not know its clients, and a ban of that address would shut all of them out. Lines are counted
//! whatever filters think of them.

use std::fmt;

use super::clients::Kind;
use crate::address::Address;
use crate::record::{ClientFrom, Record};

/// So many lines before their majority says anything.
const ENOUGH: u32 = 20;

/// After so many lines the older ones count half: what holds is what held lately.
const LATELY: u32 = 512;

/// An address that stands for many: most lines of a file come from it, and it is private, a trusted proxy, or this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crowd {
    /// Which one.
    pub address: Address,
    pub(super) kind: Kind,
    pub(super) from: ClientFrom,
}

/// Counts addresses in constant memory: a majority vote (Boyer and Moore 1981) with the votes of the leader, decayed.
///
/// A leader's votes are counted from when it began to lead, so they are never too many; after two spans of `LATELY` lines
/// at most they are right.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Census {
    leader: Option<Address>,
    /// How far it is ahead of all others together.
    lead: u32,
    votes: u32,
    lines: u32,
}

impl Census {
    /// Counts a record, where its format has a client.
    pub(super) fn count(&mut self, record: &Record<'_>) {
        if record.client_range().is_some() {
            self.add(record.address());
        }
    }

    fn add(&mut self, address: Option<Address>) {
        if self.lines >= LATELY {
            (self.lead, self.votes, self.lines) = (self.lead / 2, self.votes / 2, self.lines / 2);
        }
        self.lines += 1;
        if address.is_some() && address == self.leader {
            (self.lead, self.votes) = (self.lead + 1, self.votes + 1);
        } else if self.lead > 0 {
            self.lead -= 1;
        } else if address.is_some() {
            (self.leader, self.lead, self.votes) = (address, 1, 1);
        }
    }

    /// Whether nothing was counted yet.
    pub(super) fn is_empty(&self) -> bool {
        self.lines == 0
    }

    /// Whether enough was counted to say that there is no majority.
    pub(super) fn is_decisive(&self) -> bool {
        self.lines >= ENOUGH
    }

    /// Whom most lines come from.
    pub(super) fn majority(&self) -> Option<Address> {
        self.leader.filter(|_| self.is_decisive() && self.votes * 2 > self.lines)
    }
}

impl fmt::Display for Crowd {
    /// What is wrong, and the setting that is missing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, kind, from } = self;
        let is = match kind {
            Kind::Trusted => "a trusted proxy",
            Kind::Host => "this host itself",
            Kind::Private => "a private address",
        };
        write!(
            f,
            "most lines come from {address}, {is}: the clients behind it are not told apart, and it is never banned. "
        )?;
        match from {
            ClientFrom::RemoteAddr => write!(
                f,
                "Let the server log the client: nginx `set_real_ip_from {address}; real_ip_header X-Forwarded-For;`, Apache \
                 `RemoteIPHeader X-Forwarded-For` with `RemoteIPInternalProxy {address}` and %a instead of %h in LogFormat; \
                 HAProxy in front of it sends the header with `option forwardfor`. Or, where the log has the header, set `client = \
                 \"x_forwarded_for\"` of the source and `trusted_proxies` of [real_ip]."
            )?,
            _ if *kind == Kind::Trusted => write!(
                f,
                "It is trusted, but what it sends as `{from}` names no client: HAProxy needs `option forwardfor`, nginx \
                 `proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;`, and the log the header."
            )?,
            _ => write!(
                f,
                "If it is a proxy whose `{from}` can be trusted, name it in `trusted_proxies` of [real_ip]."
            )?,
        }
        f.write_str(" If it really is one client, set `guard = false` of the source")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Census, ENOUGH, LATELY};
    use crate::address::Address;

    fn address(last: u8) -> Address {
        format!("10.0.0.{last}").parse().unwrap()
    }

    #[test]
    fn few_lines_prove_nothing_and_half_of_them_is_no_majority() {
        let mut census = Census::default();
        for line in 1..=ENOUGH {
            assert_eq!(census.majority(), None, "after {} lines", line - 1);
            census.add(Some(address(1)));
        }
        assert_eq!(census.majority(), Some(address(1)));
        for _ in 0..ENOUGH {
            census.add(None);
        }
        assert_eq!(census.majority(), None);
    }

    #[test]
    fn a_majority_that_is_over_is_forgotten() {
        let mut census = Census::default();
        for _ in 0..1_000_000 {
            census.add(Some(address(1)));
        }
        for other in 0..LATELY {
            census.add(Some(address(2 + (other % 200) as u8)));
        }
        assert_eq!(census.majority(), None);
        for _ in 0..2 * LATELY {
            census.add(Some(address(2)));
        }
        assert_eq!(census.majority(), Some(address(2)));
    }

    proptest! {
        /// What stands in the last lines is found, and nobody who has less than half of them is.
        #[test]
        fn the_majority_of_what_is_new_is_found(
            before in prop::collection::vec(0_u8..4, 0..2000),
            lines in prop::collection::vec(prop_oneof![3 => Just(9_u8), 2 => 0_u8..4], 1500..1600),
        ) {
            let mut census = Census::default();
            for last in before.iter().chain(&lines) {
                census.add(Some(address(*last)));
            }
            prop_assert!(census.majority().is_none_or(|found| found == address(9)));
            let recent = lines.iter().rev().take(LATELY as usize / 2);
            let votes = recent.filter(|last| **last == 9).count();
            if votes * 4 > LATELY as usize / 2 * 3 {
                prop_assert_eq!(census.majority(), Some(address(9)));
            }
        }
    }
}

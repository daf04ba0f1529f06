//! This host's own addresses, which are never banned: interfaces come up after we do, and addresses change.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::os::host;

/// Between two looks at the interfaces; on a host with many a look takes a millisecond.
const LOOK_EACH: Duration = Duration::from_secs(10);

/// The addresses at the last look.
pub(super) struct Host {
    addresses: Vec<IpAddr>,
    looked: Instant,
    look: fn() -> Vec<IpAddr>,
}

impl Host {
    /// Looks at the interfaces at once.
    pub(super) fn new(now: Instant) -> Self {
        Self { addresses: host::addresses(), looked: now, look: host::addresses }
    }

    /// As they were last seen.
    pub(super) fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// Looks again, where that is due; whether they are others now. Where the system tells none, the known ones stay:
    /// it always has one for loopback.
    pub(super) fn has_changed(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.looked) < LOOK_EACH {
            return false;
        }
        self.looked = now;
        let addresses = (self.look)();
        let changed = !addresses.is_empty() && addresses != self.addresses;
        if changed {
            self.addresses = addresses;
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::{Host, LOOK_EACH};
    use crate::os::clock;

    #[test]
    fn an_interface_that_came_up_is_seen_and_a_failed_look_forgets_nothing() {
        let before = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
        let up = || vec![Ipv4Addr::LOCALHOST.into(), Ipv4Addr::new(192, 0, 2, 1).into()];
        let mut now = clock::monotonic();
        let mut host = Host { addresses: before.clone(), looked: now, look: up };
        assert!(!host.has_changed(now), "too soon");
        now += LOOK_EACH;
        assert!(host.has_changed(now));
        assert_eq!(host.addresses(), up());
        host.look = Vec::new;
        now += LOOK_EACH;
        assert!(!host.has_changed(now));
        assert_eq!(host.addresses(), up());
    }
}

//! Who is never banned: loopback, this host, trusted proxies, crowds, who is allowed by hand, and each jail's allow list.

use jiff::Timestamp;

use super::Protection;
use crate::address::{Address, AllowEntry, Allowlist, Group, Prefix};
use crate::terms::Allowance;

/// Protection that holds for every jail; a jail's own allow list is handed in.
pub(super) struct Guard {
    /// Loopback, this host, trusted proxies, crowds; the origin is the whole rule in words.
    fixed: Vec<AllowEntry>,
    /// The same, and who is allowed by hand.
    always: Allowlist,
    /// When the first of those allowed by hand is so no more.
    next_end: Option<Timestamp>,
}

impl Guard {
    pub(super) fn new(protected: &Protection) -> Self {
        let host = protected.host.iter().map(|address| AllowEntry {
            prefix: Prefix::host(*address),
            origin: "an address of this host".into(),
        });
        let trusted = protected.trusted.entries().iter().map(|entry| AllowEntry {
            prefix: entry.prefix,
            origin: format!("trusted proxy {} ({})", entry.prefix, entry.origin).into(),
        });
        let crowds = protected.crowds.iter().map(|(source, address)| AllowEntry {
            prefix: Prefix::host(*address),
            origin: format!("wrong-client guard: most lines of source {source} come from it").into(),
        });
        let fixed: Vec<AllowEntry> = loopback().chain(host).chain(trusted).chain(crowds).collect();
        Self { always: fixed.iter().cloned().collect(), fixed, next_end: None }
    }

    /// Exactly these are allowed by hand from now on.
    pub(super) fn allow<'a>(&mut self, allowed: impl Iterator<Item = &'a Allowance> + Clone) {
        self.next_end = allowed.clone().filter_map(|entry| entry.until).min();
        let entries = allowed.map(|entry| AllowEntry { prefix: entry.prefix, origin: by_hand(entry).into() });
        self.always = self.fixed.iter().cloned().chain(entries).collect();
    }

    /// When the first of those allowed by hand is so no more.
    pub(super) fn next_end(&self) -> Option<Timestamp> {
        self.next_end
    }

    /// The rule that protects `address` from every jail.
    pub(super) fn always(&self, address: Address) -> Option<&AllowEntry> {
        self.always.find(address)
    }

    /// Whether `address` is protected from the jail with this allow list.
    pub(super) fn protects(&self, allow: &Allowlist, address: Address) -> bool {
        self.always.find(address).is_some() || allow.find(address).is_some()
    }

    /// Whether all of `prefix` is protected from the jail with this allow list.
    pub(super) fn covers(&self, allow: &Allowlist, prefix: Prefix) -> bool {
        self.always.covering(prefix).is_some() || allow.covering(prefix).is_some()
    }

    /// The rule that protects all of `prefix`, in words.
    pub(super) fn rule(&self, allow: &Allowlist, prefix: Prefix) -> Option<String> {
        let always = self.always.covering(prefix).map(|entry| entry.origin.to_string());
        always.or_else(|| allow.covering(prefix).map(|e| format!("allowed: {} ({})", e.prefix, e.origin)))
    }

    /// Whether some of `prefix`, not all of it, is protected.
    pub(super) fn reaches_into(&self, allow: &Allowlist, prefix: Prefix) -> bool {
        !prefix.is_host() && self.inside(allow, prefix).next().is_some()
    }

    /// The protected entries that lie inside `prefix`.
    pub(super) fn inside<'a>(
        &'a self,
        allow: &'a Allowlist,
        prefix: Prefix,
    ) -> impl Iterator<Item = Prefix> + use<'a> {
        self.always.inside(prefix).chain(allow.inside(prefix)).map(|entry| entry.prefix)
    }

    /// The same with the rule of each, in words; of an entry that another one holds only the wider one.
    pub(super) fn spared(&self, allow: &Allowlist, prefix: Prefix) -> Vec<(Prefix, String)> {
        let mut inside: Vec<Prefix> = self.inside(allow, prefix).collect();
        inside.sort_unstable();
        inside.dedup_by(|later, earlier| earlier.covers(*later));
        inside.into_iter().filter_map(|entry| Some((entry, self.rule(allow, entry)?))).collect()
    }

    /// What is counted and banned for an address that is not protected itself: its group, or, where a protected entry
    /// lies inside that, the address alone.
    pub(super) fn group(&self, allow: &Allowlist, address: Address, group: Group) -> Prefix {
        let prefix = Prefix::group(address, group);
        if self.reaches_into(allow, prefix) { Prefix::host(address) } else { prefix }
    }
}

/// `allowed by hand: 203.0.113.0/24, by uid 1000 since 2026-05-01T10:00:00Z until 2026-05-02T10:00:00Z: the new office`
fn by_hand(entry: &Allowance) -> String {
    let whole = |time: Timestamp| Timestamp::from_second(time.as_second()).unwrap_or(time);
    let by = entry.uid.map(|uid| format!(" by uid {uid}")).unwrap_or_default();
    let until = entry.until.map(|until| format!(" until {}", whole(until))).unwrap_or_default();
    let reason = entry.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("allowed by hand: {},{by} since {}{until}{reason}", entry.prefix, whole(entry.since))
}

/// Addresses that only this machine can have, or none.
fn loopback() -> impl Iterator<Item = AllowEntry> {
    let rules = [
        ("127.0.0.0/8", "a loopback address"),
        ("::1", "a loopback address"),
        ("0.0.0.0", "the unspecified address"),
        ("::", "the unspecified address"),
    ];
    rules.into_iter().map(|(prefix, rule)| AllowEntry {
        prefix: prefix.parse().expect("each of the four is a prefix"),
        origin: rule.into(),
    })
}

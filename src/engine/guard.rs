//! Who is never banned: loopback, this host, trusted proxies, crowds, and each jail's allow list.

use super::Protection;
use crate::address::{Address, AllowEntry, Allowlist, Group, Prefix};

/// Protection that holds for every jail; a jail's own allow list is handed in.
pub(super) struct Guard {
    /// Loopback, this host, trusted proxies, crowds; the origin is the whole rule in words.
    always: Allowlist,
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
        Self { always: loopback().chain(host).chain(trusted).chain(crowds).collect() }
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

//! How the clients of a source are told: where their address stands, and what is known of the machines around.

use std::sync::{Arc, PoisonError, RwLock};

use super::crowd::Crowd;
use crate::address::{Address, AllowEntry, Allowlist};
use crate::record::{ClientFrom, Format, Record, Trace, TraceEnd};

/// The part of a source's settings that is about its clients.
#[derive(Clone, Debug, Default)]
pub struct Clients {
    /// Where a client's address stands.
    pub from: ClientFrom,
    /// The wrong-client guard: whether an address of a network's own that most lines come from is a crowd.
    pub guard: bool,
    /// Read anew for each buffer.
    pub around: Surroundings,
}

/// The machines around the sources: proxies that are trusted, and this host. Cheap to clone; all clones see a change.
#[derive(Clone, Debug, Default)]
pub struct Surroundings(Arc<RwLock<Arc<Around>>>);

/// The surroundings as they are at one moment.
#[derive(Debug, Default)]
pub(super) struct Around {
    pub(super) trusted: Allowlist,
    host: Vec<Address>,
}

/// What makes the majority of lines a crowd: nobody of the outside world has such an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Trusted,
    Host,
    Private,
}

impl Surroundings {
    /// With these proxies and these addresses of this host.
    pub fn new(trusted: Allowlist, host: Vec<Address>) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(Around { trusted, host }))))
    }

    /// They are others now; what is read from now on goes by that.
    pub fn replace(&self, trusted: Allowlist, host: Vec<Address>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Around { trusted, host });
    }

    pub(super) fn now(&self) -> Arc<Around> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How the client of one line was found, and by which entries its proxies are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traced {
    /// Each step, the client last, with the trusted proxies' entry that holds it.
    pub hops: Vec<(Address, Option<AllowEntry>)>,
    /// Why it went no further.
    pub end: TraceEnd,
    /// What stands in the header before the client.
    pub unread: String,
}

impl Clients {
    /// Follows how the client of a line is found, in a format or, without one, in each that reads it, the one that it seems
    /// to have first: which one its file has, a line alone does not tell. `line` is without what it was wrapped in.
    pub fn traces(&self, format: Option<&Format>, line: &[u8]) -> Vec<Traced> {
        let formats = match format {
            Some(format) => vec![format.clone()],
            None => Format::recognise(line).into_iter().chain(Format::DETECTED).collect(),
        };
        let around = self.around.now();
        let entry = |hop: Address| (hop, around.trusted.find(hop).cloned());
        let trace = |format: &Format| {
            let Trace { hops, end, unread } = format.parse(line).ok()?.trace(&self.from, &around.trusted)?;
            Some(Traced { hops: hops.into_iter().map(entry).collect(), end, unread })
        };
        formats.iter().filter_map(trace).collect()
    }

    /// Makes the client of a record the one that these settings mean.
    pub(super) fn resolve(&self, record: &mut Record<'_>, around: &Around) {
        if self.from != ClientFrom::RemoteAddr {
            record.resolve(&self.from, &around.trusted);
        }
    }

    /// The address as a crowd, where it can be one.
    pub(super) fn crowd(&self, address: Address, around: &Around) -> Option<Crowd> {
        let kind = if around.trusted.find(address).is_some() {
            Kind::Trusted
        } else if address.is_loopback() || around.host.contains(&address) {
            Kind::Host
        } else if address.is_private() {
            Kind::Private
        } else {
            return None;
        };
        Some(Crowd { address, kind, from: self.from.clone() })
    }
}

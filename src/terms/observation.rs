//! What a reader tells the engine: observations of parsed records, in batches.

use jiff::Timestamp;
use smallvec::SmallVec;

use super::{Checkpoint, ClientSample, Crawler, JailName, SourceName};
use crate::address::Address;

/// A record that one jail's filter matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offence {
    /// The jail whose filter, `where` and `ignore` it passed.
    pub jail: JailName,
    /// For a jail that counts distinct values: the hash of this record's value of that field.
    pub distinct: Option<u64>,
    /// How many times it counts towards `maxretry`: the weight of the rule that matched; at least 1.
    pub weight: u8,
}

/// One parsed record as the engine needs it: who, when, how it was answered, and for which jails it is an offence.
///
/// Without offences it is only of interest where its address is banned: then it is a hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The client.
    pub address: Address,
    /// The event time: arrival when caught up, else the line's own time, never later than now.
    pub at: Timestamp,
    /// The line's own time, where it has one.
    pub logged: Option<Timestamp>,
    /// Whether a gate refused it: answered 403 or 444, or denied by `HAProxy` (`PR--`).
    pub refused: bool,
    /// The jails it is an offence for.
    pub offences: SmallVec<[Offence; 2]>,
    /// The crawler that it says to be; only for offences of jails to whom that matters.
    pub claims: Option<Crawler>,
    /// The line, lossily decoded and cut; only for offences, and only where evidence is kept.
    pub text: Option<Box<str>>,
}

/// Lines that speak for a ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The event time of the offence.
    pub at: Timestamp,
    /// The jail it counted for.
    pub jail: JailName,
    /// The line, lossily decoded and cut; never escaped: who prints it escapes it.
    pub text: Box<str>,
}

/// What a reader sends at once: observations in reading order, and how far they take it.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Where the lines came from.
    pub source: SourceName,
    /// In reading order.
    pub observations: Vec<Observation>,
    /// Where reading goes on once these observations are judged. Both are stored in one transaction.
    pub checkpoints: Vec<Checkpoint>,
    /// The lines were read as they came: the file is caught up with.
    pub live: bool,
    /// The source's clients of the last minute; `None` while those that were told last will do.
    pub clients: Option<ClientSample>,
}

//! What is known of a record while its offences are judged, one jail after the other.

use jiff::Timestamp;

use crate::address::Address;
use crate::jail::TextId;
use crate::terms::Crawler;

/// What the offences of one record have in common.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) address: Address,
    /// Never later than `now`.
    pub(super) at: Timestamp,
    pub(super) now: Timestamp,
    /// The crawler that the client says to be.
    pub(super) claims: Option<Crawler>,
    /// The record's line, until an offence is counted.
    pub(super) text: Option<Box<str>>,
    /// Where the line went.
    pub(super) kept: TextId,
}

impl Seen {
    /// The same, for later.
    pub(super) fn kept_only(&self) -> Self {
        Self { text: None, ..*self }
    }
}

//! One line through one filter, with everything an operator wants to see: for `test`.

use std::borrow::Cow;

use jiff::Timestamp;

use super::Clients;
use crate::address::Address;
use crate::filter::{Filter, Judgement, Match};
use crate::record::{Format, Record, Reference};

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is an offence.
    Match,
    /// A rule holds, and an ignore condition too.
    Ignored,
    /// No rule holds, or it could not be parsed.
    Missed,
}

/// A line as one filter sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined<'a> {
    /// What became of it.
    pub outcome: Outcome,
    /// Whom it names, as logged: a host name stays a name.
    pub address: Option<Cow<'a, str>>,
    /// The trusted proxies between it and the server, where a header names it; the one that connected first.
    pub via: Vec<Address>,
    /// The record's own time.
    pub time: Option<Timestamp>,
    /// Which rule or failregex held, from 0.
    pub rule: Option<usize>,
    /// Why it could not be parsed.
    pub error: Option<String>,
}

impl Examined<'_> {
    /// A line that could not be parsed.
    pub fn unreadable(error: String) -> Self {
        Self { error: Some(error), ..missed(None) }
    }
}

/// Looks at one line (without its newline) as `format` has it. No allow list and no group apply: the filter alone.
pub fn examine<'a>(
    filter: &Filter,
    format: &'a Format,
    clients: &Clients,
    line: &'a [u8],
    reference: &Reference,
) -> Examined<'a> {
    let mut record = match format.parse_at(line, reference) {
        Ok(record) => record,
        Err(error) => return Examined::unreadable(error.to_string()),
    };
    let around = clients.around.now();
    clients.resolve(&mut record, &around);
    let proxies = || record.proxies(&clients.from, &around.trusted);
    match filter.judge(&record) {
        Judgement::Missed => missed(record.time()),
        Judgement::Offence(matched) => {
            Examined { via: proxies(), ..found(Outcome::Match, &record, &matched) }
        }
        Judgement::Ignored(matched) => {
            Examined { via: proxies(), ..found(Outcome::Ignored, &record, &matched) }
        }
    }
}

fn missed<'a>(time: Option<Timestamp>) -> Examined<'a> {
    Examined { outcome: Outcome::Missed, address: None, via: Vec::new(), time, rule: None, error: None }
}

fn found<'a>(outcome: Outcome, record: &Record<'a>, matched: &Match) -> Examined<'a> {
    let place = matched.host.clone().or_else(|| record.client_range());
    let text = place.and_then(|range| record.line().get(range));
    Examined {
        outcome,
        address: text.map(String::from_utf8_lossy),
        via: Vec::new(),
        time: record.time(),
        rule: Some(matched.rule),
        error: None,
    }
}

//! A filter's own samples: lines that must, and must not, be offences.

use super::{Filter, Judgement};
use crate::record::{Format, payload};

/// A sample on which the filter does not do what its definition says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedSample {
    /// The line.
    pub line: String,
    /// Whether it stands under `match` (else `miss`), and its index there, from 0.
    pub must_match: bool,
    /// The index in its list, from 0.
    pub index: usize,
    /// What the filter makes of it; `None` where the line cannot be read at all.
    pub judgement: Option<Judgement>,
}

impl FailedSample {
    /// The key of the sample in the filter: `samples.match[0]`.
    pub fn key(&self) -> String {
        format!("samples.{}[{}]", if self.must_match { "match" } else { "miss" }, self.index)
    }
}

/// Runs a filter's samples, each without what wraps it and in the format that its line is recognised as, else as a raw line;
/// those that fail.
pub fn samples(filter: &Filter) -> Vec<FailedSample> {
    let samples = &filter.definition().samples;
    let matching = samples.matching.iter().enumerate().map(|(index, line)| (true, index, line));
    let missing = samples.missing.iter().enumerate().map(|(index, line)| (false, index, line));
    let judged = matching.chain(missing).map(|(must_match, index, line)| {
        let judgement = judge(filter, line.as_bytes());
        FailedSample { line: line.clone(), must_match, index, judgement }
    });
    judged
        .filter(|sample| sample.must_match != matches!(sample.judgement, Some(Judgement::Offence(_))))
        .collect()
}

fn judge(filter: &Filter, line: &[u8]) -> Option<Judgement> {
    let line = payload(line);
    let format = Format::recognise(&line).unwrap_or(Format::Raw);
    format.parse(&line).ok().map(|record| filter.judge(&record))
}

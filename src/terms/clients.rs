//! How many different clients a source has: what a reader has sampled of them, so that several samples can be taken together.

use jiff::Timestamp;

/// The clients of one source within the last [`ClientSample::SPAN`], as far as they were sampled.
///
/// A client stands for its group of the usual lengths, as a hash that is the same in all samples of one process; of all
/// hashes those are kept that begin with `level` zero bits, one in `2^level`.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientSample {
    /// The newest record's time: the end of the span.
    pub at: Timestamp,
    /// How many bits of each hash are zero.
    pub level: u32,
    /// The sampled clients, each once.
    pub hashes: Box<[u64]>,
    /// How many clients more there are at least, of whom no line was looked at; 0 where each line was.
    pub unseen: f64,
}

impl ClientSample {
    /// The span in seconds.
    pub const SPAN: u32 = 60;
}

//! So many lines a second of one kind; the rest is counted and told in one line.

use std::collections::BTreeMap;

/// The most lines of one kind between two quiet seconds.
const LINES: u32 = 50;

/// How many lines of each kind were written, and how many were left out.
#[derive(Debug, Default)]
pub(super) struct Flood {
    kinds: BTreeMap<&'static str, (u32, u64)>,
}

impl Flood {
    /// Whether one more line of this kind may be written.
    pub(super) fn lets_through(&mut self, kind: &'static str) -> bool {
        let (written, left_out) = self.kinds.entry(kind).or_default();
        if *written < LINES {
            *written += 1;
            return true;
        }
        *left_out += 1;
        false
    }

    /// A second is over: what was left out of each kind in it.
    pub(super) fn second(&mut self) -> Vec<(&'static str, u64)> {
        let kinds = std::mem::take(&mut self.kinds).into_iter();
        kinds.filter_map(|(kind, (_, left_out))| (left_out > 0).then_some((kind, left_out))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Flood, LINES};

    #[test]
    fn a_flood_is_counted_and_each_second_begins_anew() {
        let mut flood = Flood::default();
        let written = (0..500).filter(|_| flood.lets_through("banned")).count();
        assert_eq!(written, LINES as usize);
        assert!(flood.lets_through("unbanned"));
        assert_eq!(flood.second(), [("banned", 500 - u64::from(LINES))]);
        assert!(flood.lets_through("banned"));
        assert!(flood.second().is_empty());
    }
}

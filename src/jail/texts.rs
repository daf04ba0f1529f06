//! The lines behind the counted offences, in a ring of bounded size, until a ban keeps its own.

use std::collections::VecDeque;

use jiff::Timestamp;

/// Which text belongs to an offence: 24 bits, so that a mark has room beside it. The ring may have dropped it since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextId(u32);

impl TextId {
    /// No text was kept.
    pub const NONE: Self = Self(0x00ff_ffff);

    /// The id and a small number in one.
    pub(super) fn with(self, number: u8) -> u32 {
        self.0 | u32::from(number) << 24
    }

    /// What [`TextId::with`] made one of.
    pub(super) fn apart(both: u32) -> (Self, u8) {
        (Self(both & Self::NONE.0), (both >> 24) as u8)
    }
}

/// What a text costs besides its bytes: its place in the ring and the allocator's share.
const OVERHEAD: usize = 48;

#[derive(Debug)]
struct Kept {
    id: u32,
    at: Timestamp,
    text: Box<str>,
}

/// The ring: the newest texts, together at most `limit` bytes.
#[derive(Debug)]
pub struct Texts {
    ring: VecDeque<Kept>,
    /// The id of the next text; wraps around.
    next: u32,
    bytes: usize,
    limit: usize,
    dropped: u64,
}

impl Default for Texts {
    fn default() -> Self {
        Self::new(Self::LIMIT)
    }
}

impl Texts {
    /// How many bytes of texts are kept: some 40,000 lines.
    pub const LIMIT: usize = 8 << 20;

    /// An empty ring that holds at most `limit` bytes; the oldest texts give way.
    pub fn new(limit: usize) -> Self {
        Self { ring: VecDeque::new(), next: 0, bytes: 0, limit, dropped: 0 }
    }

    /// Keeps the text of an offence at `at`. A text that is larger than the whole ring is not kept.
    pub fn keep(&mut self, at: Timestamp, text: Box<str>) -> TextId {
        let size = text.len() + OVERHEAD;
        if size > self.limit {
            return TextId::NONE;
        }
        while self.bytes + size > self.limit {
            self.drop_oldest();
        }
        let id = self.next;
        self.next = if id + 1 == TextId::NONE.0 { 0 } else { id + 1 };
        self.bytes += size;
        self.ring.push_back(Kept { id, at, text });
        TextId(id)
    }

    fn drop_oldest(&mut self) {
        match self.ring.pop_front() {
            Some(kept) => {
                self.bytes -= kept.text.len() + OVERHEAD;
                self.dropped += 1;
            }
            None => self.bytes = 0,
        }
    }

    /// The text of the offence at `at`, if it is still kept.
    pub fn get(&self, id: TextId, at: Timestamp) -> Option<&str> {
        let oldest = self.ring.front()?;
        if id == TextId::NONE {
            return None;
        }
        // Ids follow each other; behind the last one comes 0.
        let around = if id.0 < oldest.id { TextId::NONE.0 } else { 0 };
        let distance = id.0 + around - oldest.id;
        let kept = self.ring.get(distance as usize)?;
        // An id comes again after some 2^24 texts; the time tells the old one from the new.
        (kept.id == id.0 && kept.at == at).then_some(&*kept.text)
    }

    /// How many texts gave way, since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How many bytes are kept, overhead included; never more than the limit.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{OVERHEAD, TextId, Texts};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_oldest_texts_give_way() {
        let mut texts = Texts::new(3 * (OVERHEAD + 2));
        let ids: Vec<TextId> = (0..5).map(|i| texts.keep(at(i), format!("t{i}").into())).collect();
        let found: Vec<Option<&str>> = ids.iter().zip(0..).map(|(id, i)| texts.get(*id, at(i))).collect();
        assert_eq!(found, [None, None, Some("t2"), Some("t3"), Some("t4")]);
        assert_eq!((texts.bytes(), texts.dropped()), (3 * (OVERHEAD + 2), 2));
        assert_eq!(texts.keep(at(9), "x".repeat(1000).into()), TextId::NONE);
    }

    #[test]
    fn ids_wrap_around_and_an_old_id_never_names_a_new_text() {
        let mut texts = Texts::new(4 * (OVERHEAD + 2));
        texts.next = TextId::NONE.0 - 3;
        let ids: Vec<TextId> = (0..6).map(|i| texts.keep(at(i), format!("t{i}").into())).collect();
        assert!(!ids.contains(&TextId::NONE));
        let found: Vec<Option<&str>> = ids.iter().zip(0..).map(|(id, i)| texts.get(*id, at(i))).collect();
        assert_eq!(found, [None, None, Some("t2"), Some("t3"), Some("t4"), Some("t5")]);
        assert_eq!(texts.get(ids[4], at(77)), None, "the same id, another offence");
    }
}

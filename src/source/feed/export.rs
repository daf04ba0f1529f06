//! The journal's export format (`systemd.io/JOURNAL_EXPORT_FORMATS`): entries of fields, ended by an empty line. A field is
//! `NAME=text` on a line, or `NAME`, a newline, the length in 64 bits (little endian), so many bytes, and a newline.

use jiff::Timestamp;
use memchr::memchr;

use super::prefix::Origin;
use crate::source::chunker::MAX_LINE;

/// What is wanted of an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its place.
    pub(super) cursor: String,
    /// When the journal took it.
    pub(super) arrived: Option<Timestamp>,
    /// What was logged; may hold any bytes.
    pub(super) message: Vec<u8>,
    /// Instead of a message that is too long: its length.
    pub(super) overlong: Option<u64>,
    /// Who logged it, where that was asked for.
    pub(super) origin: Origin,
}

/// Reads entries out of a stream of bytes. Holds one field of at most [`MAX_LINE`] at a time.
#[derive(Debug, Default)]
pub(super) struct Export {
    unread: Vec<u8>,
    entry: Entry,
    skipping: Skipping,
}

/// A field that is passed over.
#[derive(Debug, Default, PartialEq, Eq)]
enum Skipping {
    #[default]
    Nothing,
    /// So many bytes more.
    Bytes(u64),
    /// Up to the newline.
    Line,
}

/// How one step went.
enum Step {
    /// So many bytes are done with.
    Taken(usize),
    /// The entry is complete.
    Ended(usize),
    /// More bytes are needed.
    Starved,
}

impl Export {
    /// Takes bytes, and hands out the entries that they complete.
    pub(super) fn feed(&mut self, bytes: &[u8], out: &mut dyn FnMut(Entry)) {
        self.unread.extend_from_slice(bytes);
        let mut begin = 0;
        loop {
            let unread = self.unread.get(begin..).unwrap_or_default();
            match step(unread, &mut self.entry, &mut self.skipping) {
                Step::Taken(taken) => begin += taken,
                Step::Ended(taken) => {
                    begin += taken;
                    let entry = std::mem::take(&mut self.entry);
                    if !entry.cursor.is_empty() {
                        out(entry);
                    }
                }
                Step::Starved => break,
            }
        }
        self.unread.drain(..begin);
    }
}

fn step(unread: &[u8], entry: &mut Entry, skipping: &mut Skipping) -> Step {
    match skipping {
        Skipping::Nothing => field(unread, entry, skipping),
        _ if unread.is_empty() => Step::Starved,
        Skipping::Bytes(left) => {
            let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(unread.len());
            *left -= taken as u64;
            if *left == 0 {
                *skipping = Skipping::Nothing;
            }
            Step::Taken(taken)
        }
        Skipping::Line => match memchr(b'\n', unread) {
            Some(newline) => {
                *skipping = Skipping::Nothing;
                Step::Taken(newline + 1)
            }
            None => Step::Taken(unread.len()),
        },
    }
}

fn field(unread: &[u8], entry: &mut Entry, skipping: &mut Skipping) -> Step {
    let Some(newline) = memchr(b'\n', unread) else {
        if unread.len() > MAX_LINE {
            mark_overlong(unread, unread.len() as u64, entry);
            *skipping = Skipping::Line;
            return Step::Taken(unread.len());
        }
        return Step::Starved;
    };
    let (line, rest) = (&unread[..newline], &unread[newline + 1..]);
    if line.is_empty() {
        return Step::Ended(1);
    }
    if let Some(equals) = memchr(b'=', line) {
        take(&line[..equals], &line[equals + 1..], entry);
        return Step::Taken(newline + 1);
    }
    if !is_name(line) {
        // A remark of the program (`-- No entries --`).
        return Step::Taken(newline + 1);
    }
    let Some(length) = rest.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes)) else {
        return Step::Starved;
    };
    let begin = newline + 1 + 8;
    if length > MAX_LINE as u64 {
        mark_overlong(line, length, entry);
        *skipping = Skipping::Bytes(length.saturating_add(1));
        return Step::Taken(begin);
    }
    let end = begin + length as usize;
    let Some(value) = unread.get(begin..end).filter(|_| unread.len() > end) else { return Step::Starved };
    take(line, value, entry);
    Step::Taken(end + 1)
}

/// Field names are of upper-case letters, digits and `_`.
fn is_name(line: &[u8]) -> bool {
    line.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
}

fn mark_overlong(field: &[u8], length: u64, entry: &mut Entry) {
    if field.starts_with(b"MESSAGE") {
        entry.overlong = Some(length);
    }
}

fn take(name: &[u8], value: &[u8], entry: &mut Entry) {
    match name {
        b"MESSAGE" => value.clone_into(&mut entry.message),
        b"__CURSOR" => entry.cursor = String::from_utf8_lossy(value).into_owned(),
        b"__REALTIME_TIMESTAMP" => {
            let text = std::str::from_utf8(value).ok();
            let micros = text.and_then(|text| text.parse().ok());
            entry.arrived = micros.and_then(|micros| Timestamp::from_microsecond(micros).ok());
        }
        _ => {
            if let Some(field) = entry.origin.field(name) {
                value.clone_into(field);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(entries: &[(u64, Vec<u8>)]) -> Vec<u8> {
        let mut out = Vec::new();
        for (n, message) in entries {
            out.extend(format!("__CURSOR=s=ab;i={n}\n__REALTIME_TIMESTAMP={n}\n_BOOT_ID=5\n").bytes());
            if message.contains(&b'\n') || std::str::from_utf8(message).is_err() {
                out.extend(b"MESSAGE\n");
                out.extend((message.len() as u64).to_le_bytes());
            } else {
                out.extend(b"MESSAGE=");
            }
            out.extend(message);
            out.extend(b"\n_PID=1\n\n");
        }
        out
    }

    fn read(bytes: &[u8], pieces: &[usize]) -> Vec<Entry> {
        let (mut export, mut entries, mut rest) = (Export::default(), Vec::new(), bytes);
        for piece in pieces.iter().chain([&bytes.len()]) {
            let (now, later) = rest.split_at((*piece).min(rest.len()));
            export.feed(now, &mut |entry| entries.push(entry));
            rest = later;
        }
        assert!(export.unread.is_empty());
        entries
    }

    proptest! {
        #[test]
        fn what_the_journal_writes_is_read_back(messages in prop::collection::vec(prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b'=')], 0..40), 0..8),
                                                pieces in prop::collection::vec(1..50_usize, 0..40)) {
            let entries: Vec<(u64, Vec<u8>)> = (1..).zip(messages).collect();
            let found = read(&written(&entries), &pieces);
            let expected: Vec<Entry> = entries.iter().map(|(n, message)| Entry {
                cursor: format!("s=ab;i={n}"),
                arrived: Timestamp::from_microsecond(*n as i64).ok(),
                message: message.clone(),
                overlong: None,
                origin: Origin { process: b"1".to_vec(), ..Origin::default() },
            }).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn no_bytes_break_it(bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b'M')], 0..300)) {
            Export::default().feed(&bytes, &mut |_| {});
        }
    }

    #[test]
    fn what_is_too_long_is_passed_over() {
        let long = vec![b'x'; 2 * MAX_LINE];
        let mut binary = long.clone();
        binary[7] = b'\n';
        let entries = [(1, b"one".to_vec()), (2, long), (3, binary), (4, b"four".to_vec())];
        let bytes = written(&entries);
        let found = read(&bytes, &vec![64 << 10; bytes.len() / (64 << 10)]);
        let told: Vec<(usize, bool)> =
            found.iter().map(|e| (e.message.len(), e.overlong.is_some())).collect();
        assert_eq!(told, [(3, false), (0, true), (0, true), (4, false)]);
    }

    #[test]
    fn remarks_of_the_program_are_no_fields() {
        let found = read(b"-- No entries --\n__CURSOR=x\nMESSAGE=m\n\n", &[]);
        assert_eq!((found.len(), found[0].message.as_slice()), (1, &b"m"[..]));
    }
}

//! DNS messages (RFC 1035, 4.1): one question out, the records that answer it in. What comes in was written by others,
//! those included who own the zone of a client's address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is asked for. The numbers are those of RFC 1035, 3.2.2, and RFC 3596.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Kind {
    A = 1,
    Ptr = 12,
    Aaaa = 28,
}

/// What a record holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Data {
    Address(IpAddr),
    /// The name that an address has.
    Name(String),
    /// Another name that is to be looked at instead.
    Alias(String),
}

/// A reply to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// It was too long for a datagram, and is to be asked for over TCP.
    pub(super) truncated: bool,
    /// 0: no error; 3: there is no such name.
    pub(super) code: u8,
    /// The records, each with the name that has it.
    records: Vec<(String, Data)>,
}

const CNAME: u16 = 5;
const INTERNET: u16 = 1;
/// So many records of a reply are read.
const RECORDS: u16 = 64;
/// The longest name, and so many steps from pointer to pointer.
const LONGEST: usize = 253;
const STEPS: usize = 32;
/// So many aliases lead from one name to another.
const ALIASES: usize = 8;

/// A question for a recursive server. `None` where `name` is no host name.
pub(super) fn question(id: u16, name: &str, kind: Kind) -> Option<Vec<u8>> {
    let mut message = Vec::with_capacity(64);
    // Flags: recursion desired. One question.
    for word in [id, 0x0100, 1, 0, 0, 0] {
        message.extend(word.to_be_bytes());
    }
    if name.len() > LONGEST {
        return None;
    }
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        message.push(length);
        message.extend(label.as_bytes());
    }
    message.push(0);
    message.extend((kind as u16).to_be_bytes());
    message.extend(INTERNET.to_be_bytes());
    Some(message)
}

/// Reads the reply to a question; `None` where it is none, or cannot be read.
pub(super) fn reply(message: &[u8], id: u16, name: &str, kind: Kind) -> Option<Reply> {
    let mut reader = Reader { message, at: 0 };
    let [found, flags, questions, answers, _, _] =
        [reader.word()?, reader.word()?, reader.word()?, reader.word()?, reader.word()?, reader.word()?];
    let (asked, asked_kind, class) = (reader.name()?, reader.word()?, reader.word()?);
    let is_ours =
        found == id && flags & 0x8000 != 0 && questions == 1 && asked == Ok(name.to_ascii_lowercase());
    if !is_ours || asked_kind != kind as u16 || class != INTERNET {
        return None;
    }
    let mut records = Vec::new();
    for _ in 0..answers.min(RECORDS) {
        // A reply that was cut, or lies about its length, has the records up to there.
        if reader.record(&mut records).is_none() {
            break;
        }
    }
    Some(Reply { truncated: flags & 0x0200 != 0, code: (flags & 0xf) as u8, records })
}

impl Reply {
    /// What `name` has, or the name that it is an alias of.
    pub(super) fn data(self, name: &str) -> Vec<Data> {
        let mut name = name.to_ascii_lowercase();
        for _ in 0..ALIASES {
            let alias = self.records.iter().find_map(|(owner, data)| match data {
                Data::Alias(alias) if *owner == name => Some(alias.clone()),
                _ => None,
            });
            let Some(alias) = alias else { break };
            name = alias;
        }
        let ours = self
            .records
            .into_iter()
            .filter(|(owner, data)| *owner == name && !matches!(data, Data::Alias(_)));
        ours.map(|(_, data)| data).collect()
    }
}

/// A name that is none of a host: it is passed over, not taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct NotAHost;

struct Reader<'m> {
    message: &'m [u8],
    at: usize,
}

impl<'m> Reader<'m> {
    fn bytes(&mut self, count: usize) -> Option<&'m [u8]> {
        let bytes = self.message.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(bytes)
    }

    fn word(&mut self) -> Option<u16> {
        self.bytes(2).and_then(|bytes| Some(u16::from_be_bytes(bytes.try_into().ok()?)))
    }

    /// A name in lower case, with what its pointers lead to.
    fn name(&mut self) -> Option<Result<String, NotAHost>> {
        let (mut name, mut at, mut behind, mut is_host) = (String::new(), self.at, None, true);
        for _ in 0..LONGEST + STEPS {
            let length = usize::from(*self.message.get(at)?);
            match length {
                0 => {
                    self.at = behind.unwrap_or(at + 1);
                    return Some(if is_host && !name.is_empty() { Ok(name) } else { Err(NotAHost) });
                }
                1..=63 => {
                    let label = self.message.get(at + 1..at + 1 + length)?;
                    is_host &=
                        label.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
                    if is_host {
                        let dot = if name.is_empty() { "" } else { "." };
                        name = name + dot + &String::from_utf8_lossy(label).to_ascii_lowercase();
                        is_host = name.len() <= LONGEST;
                    }
                    at += 1 + length;
                }
                // Back only, so that there is an end.
                192.. => {
                    let low = usize::from(*self.message.get(at + 1)?);
                    let target = (length & 0x3f) << 8 | low;
                    behind = behind.or(Some(at + 2));
                    at = Some(target).filter(|target| *target < at)?;
                }
                _ => return None,
            }
        }
        None
    }

    /// Reads the next record, and adds it to `records` where it is of interest.
    fn record(&mut self, records: &mut Vec<(String, Data)>) -> Option<()> {
        let owner = self.name()?;
        let (kind, class) = (self.word()?, self.word()?);
        self.bytes(4)?;
        let length = usize::from(self.word()?);
        let end = self.at + length;
        let data = match kind {
            _ if class != INTERNET => None,
            1 => self
                .message
                .get(self.at..end)?
                .try_into()
                .ok()
                .map(|b: [u8; 4]| Data::Address(Ipv4Addr::from(b).into())),
            28 => self
                .message
                .get(self.at..end)?
                .try_into()
                .ok()
                .map(|b: [u8; 16]| Data::Address(Ipv6Addr::from(b).into())),
            12 => self.name()?.ok().map(Data::Name),
            CNAME => self.name()?.ok().map(Data::Alias),
            _ => None,
        };
        self.at = end;
        records.extend(owner.ok().zip(data));
        Some(())
    }
}

/// The name that tells the name of an address (RFC 1035, 3.5; RFC 3596, 2.5).
pub(super) fn reverse(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(v6) => {
            let digits =
                v6.octets().into_iter().rev().map(|byte| format!("{:x}.{:x}.", byte & 0xf, byte >> 4));
            digits.collect::<String>() + "ip6.arpa"
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A reply to a question, with records of the name that was asked for (0xc00c points to it).
    pub(in crate::resolve) fn answer(question: &[u8], code: u8, records: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let mut message = question.to_vec();
        message[2..4].copy_from_slice(&(0x8180 | u16::from(code)).to_be_bytes());
        message[6..8].copy_from_slice(&(records.len() as u16).to_be_bytes());
        for (kind, data) in records {
            message.extend([0xc0, 0x0c]);
            message.extend(kind.to_be_bytes());
            message.extend([0, 1, 0, 0, 0, 60]);
            message.extend((data.len() as u16).to_be_bytes());
            message.extend(data);
        }
        message
    }

    /// A name as it stands in a message.
    pub(in crate::resolve) fn wire(name: &str) -> Vec<u8> {
        let mut bytes: Vec<u8> =
            name.split('.').flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat()).collect();
        bytes.push(0);
        bytes
    }

    #[test]
    fn what_is_asked_is_answered() {
        let asked = question(7, "crawl.example", Kind::A).unwrap();
        let message =
            answer(&asked, 0, &[(1, vec![192, 0, 2, 1]), (1, vec![192, 0, 2]), (16, vec![1, b'x'])]);
        let read = reply(&message, 7, "Crawl.example", Kind::A).unwrap();
        assert!(!read.truncated && read.code == 0);
        assert_eq!(read.data("crawl.example"), [Data::Address("192.0.2.1".parse().unwrap())]);
        for (id, name, kind) in
            [(8, "crawl.example", Kind::A), (7, "other.example", Kind::A), (7, "crawl.example", Kind::Aaaa)]
        {
            assert_eq!(reply(&message, id, name, kind), None, "it answers another question");
        }
        assert_eq!(reply(&asked, 7, "crawl.example", Kind::A), None, "a question is no reply");
        assert_eq!(question(7, "a..b", Kind::A), None);
    }

    #[test]
    fn aliases_are_followed_and_records_of_others_are_not_taken() {
        let asked = question(7, "1.2.0.192.in-addr.arpa", Kind::Ptr).unwrap();
        let mut message = answer(&asked, 0, &[(5, wire("1.sub.in-addr.arpa"))]);
        message[7] = 3;
        for (owner, name) in [("1.sub.in-addr.arpa", "crawl.example"), ("other.example", "forged.example")] {
            message.extend(wire(owner));
            message.extend([0, 12, 0, 1, 0, 0, 0, 60]);
            message.extend((wire(name).len() as u16).to_be_bytes());
            message.extend(wire(name));
        }
        let read = reply(&message, 7, "1.2.0.192.in-addr.arpa", Kind::Ptr).unwrap();
        assert_eq!(read.data("1.2.0.192.in-addr.arpa"), [Data::Name("crawl.example".to_owned())]);
    }

    #[test]
    fn a_name_with_a_dot_inside_of_a_label_is_none() {
        let asked = question(7, "1.2.0.192.in-addr.arpa", Kind::Ptr).unwrap();
        let label = [&[15], &b"x.googlebot.com"[..], &[0]].concat();
        let read = reply(&answer(&asked, 0, &[(12, label)]), 7, "1.2.0.192.in-addr.arpa", Kind::Ptr).unwrap();
        assert_eq!(read.data("1.2.0.192.in-addr.arpa"), []);
    }

    #[test]
    fn addresses_backwards() {
        assert_eq!(reverse("192.0.2.1".parse().unwrap()), "1.2.0.192.in-addr.arpa");
        let v6 = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
        assert_eq!(reverse("2001:db8::1".parse().unwrap()), v6);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_reply_or_none(tail in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..40) {
            let mut message = answer(&question(7, "a.example", Kind::A).unwrap(), 0, &[(1, vec![192, 0, 2, 1])]);
            message.truncate(message.len().saturating_sub(cut));
            message.extend(tail);
            if let Some(read) = reply(&message, 7, "a.example", Kind::A) {
                let _ = read.data("a.example");
            }
        }
    }
}

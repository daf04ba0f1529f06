//! `ignoreip`: what all jails have in common belongs to all, the rest to each.

use super::setup::Setup;
use super::words::entries;
use crate::address::Prefix;

/// The entries of a section as banmap writes them, and those that it cannot read.
pub(super) fn ignored(setup: &Setup, section: &str) -> (Vec<String>, Vec<String>) {
    let text = setup.known(section, "ignoreip").unwrap_or_default();
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for entry in entries(&text) {
        match converted(entry) {
            Some(entry) if known.contains(&entry) => {}
            Some(entry) => known.push(entry),
            None => unknown.push(entry.to_owned()),
        }
    }
    (known, unknown)
}

/// What every one of these lists holds, in the order of the first.
pub(super) fn common(lists: &[Vec<String>]) -> Vec<String> {
    let Some((first, others)) = lists.split_first() else { return Vec::new() };
    first.iter().filter(|entry| others.iter().all(|other| other.contains(entry))).cloned().collect()
}

/// An address or a prefix, also with a netmask; a name.
fn converted(entry: &str) -> Option<String> {
    if entry.parse::<Prefix>().is_ok() {
        return Some(entry.to_owned());
    }
    if let Some((address, mask)) = entry.split_once('/') {
        let mask = u32::from(mask.parse::<std::net::Ipv4Addr>().ok()?);
        let length = mask.leading_ones();
        let prefix = format!("{address}/{length}");
        return (mask.count_ones() == length && prefix.parse::<Prefix>().is_ok()).then_some(prefix);
    }
    is_name(entry).then(|| format!("dns:{entry}"))
}

/// Labels of letters, digits and `-`, not all of them numbers.
fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() < 254 && text.split('.').all(is_label) && text.chars().any(|c| c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_become_ours() {
        for (entry, expected) in [
            ("127.0.0.1/8", Some("127.0.0.1/8")),
            ("::1", Some("::1")),
            ("10.0.0.0/255.255.0.0", Some("10.0.0.0/16")),
            ("10.0.0.0/255.0.255.0", None),
            ("office.example", Some("dns:office.example")),
            ("localhost", Some("dns:localhost")),
            ("10.0.0", None),
            ("10.0.0.0/33", None),
            ("a_b", None),
            ("file:/x", None),
        ] {
            assert_eq!(converted(entry).as_deref(), expected, "{entry}");
        }
    }
}

//! fail2ban's tags in a raw pattern: `<HOST>`, `<ADDR>`, `<IP4>`, `<IP6>`, and `<F-NAME>…</F-NAME>` around a part.
//!
//! What else of fail2ban's language a pattern holds is named as a problem: left in place it would match something else.

/// What a host tag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostTag {
    /// `<HOST>`: an address, or a host name.
    Host,
    /// `<ADDR>`: an address.
    Addr,
    /// `<IP4>`: an IPv4 address.
    Ip4,
    /// `<IP6>`: an IPv6 address.
    Ip6,
}

/// A piece of a raw pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'p> {
    Regex(&'p str),
    Host(HostTag),
    /// A named part begins; the name is of no use here yet.
    Open,
    Close,
}

/// Tags whose meaning reaches beyond one line or one match.
const LATER: [&str; 12] = [
    "DNS",
    "CIDR",
    "SUBNET",
    "SKIPLINES",
    "F-ID",
    "F-CONTENT",
    "F-MLFID",
    "F-NOFAIL",
    "F-MLFFORGET",
    "F-MLFGAINED",
    "F-MLFPENDING",
    "F-TUPLE",
];

/// A raw pattern, taken apart.
#[derive(Debug)]
pub(super) struct Tagged<'p> {
    pieces: Vec<Piece<'p>>,
}

impl<'p> Tagged<'p> {
    /// Finds the tags; the error names what this version does not know.
    pub(super) fn read(pattern: &'p str) -> Result<Self, String> {
        interpolation(pattern)?;
        let mut pieces = Vec::new();
        let mut taken = 0;
        for (at, _) in pattern.match_indices('<').filter(|(at, _)| !names_a_group(pattern, *at)) {
            let Some((name, _)) = pattern[at + 1..].split_once('>') else { continue };
            let Some(piece) = tag(name)? else { continue };
            pieces.push(Piece::Regex(&pattern[taken..at]));
            pieces.push(piece);
            taken = at + name.len() + 2;
        }
        pieces.push(Piece::Regex(&pattern[taken..]));
        Ok(Self { pieces })
    }

    /// Whether it says where the host stands.
    pub(super) fn names_host(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Host(_)))
    }

    /// The regular expression, with `host` in place of each host tag.
    pub(super) fn regex(&self, mut host: impl FnMut(HostTag) -> String) -> String {
        let piece = |piece: &Piece<'p>| match piece {
            Piece::Regex(text) => (*text).to_owned(),
            Piece::Host(tag) => host(*tag),
            Piece::Open => "(?:".to_owned(),
            Piece::Close => ")".to_owned(),
        };
        self.pieces.iter().map(piece).collect()
    }
}

impl HostTag {
    /// As it is written.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::Host => "<HOST>",
            Self::Addr => "<ADDR>",
            Self::Ip4 => "<IP4>",
            Self::Ip6 => "<IP6>",
        }
    }
}

/// `(?P<name>…)` and `(?<name>…)` are regular-expression syntax (`(?<=` and `(?<!` are told by the parser).
fn names_a_group(pattern: &str, at: usize) -> bool {
    pattern[..at].ends_with("(?P") || pattern[..at].ends_with("(?")
}

/// `None` is plain text: `<BADREQ>`, `<script>`.
fn tag(name: &str) -> Result<Option<Piece<'static>>, String> {
    let known = match name {
        "HOST" => Piece::Host(HostTag::Host),
        "ADDR" => Piece::Host(HostTag::Addr),
        "IP4" => Piece::Host(HostTag::Ip4),
        "IP6" => Piece::Host(HostTag::Ip6),
        _ if LATER.contains(&name.trim_start_matches('/')) || name.starts_with("mdre-") => {
            return Err(unknown(name));
        }
        _ if name.starts_with("F-") && name.ends_with('/') => return Err(unknown(name)),
        _ if name.starts_with("F-") => Piece::Open,
        _ if name.starts_with("/F-") => Piece::Close,
        _ => return Ok(None),
    };
    Ok(Some(known))
}

fn unknown(name: &str) -> String {
    format!(
        "this version does not know fail2ban's <{name}>: it knows <HOST>, <ADDR>, <IP4>, <IP6> and <F-NAME>…</F-NAME>"
    )
}

/// `%(name)s` would be read as a group.
fn interpolation(pattern: &str) -> Result<(), String> {
    for (at, _) in pattern.match_indices("%(") {
        let name = pattern[at + 2..].split_once(")s").map(|(name, _)| name);
        if let Some(name) =
            name.filter(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_/-".contains(&b)))
        {
            return Err(format!("this version does not know fail2ban's %({name})s: write its value out"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pattern: &str) -> Result<String, String> {
        Tagged::read(pattern).map(|tagged| tagged.regex(|tag| format!("{{{tag:?}}}")))
    }

    #[test]
    fn tags_are_found_and_the_rest_stays() {
        for (pattern, regex) in [
            ("^<HOST> -", "^{Host} -"),
            ("<ADDR>|<IP4>|<IP6>", "{Addr}|{Ip4}|{Ip6}"),
            (r"<F-USER>\S+</F-USER> from <HOST>", r"(?:\S+) from {Host}"),
            ("(?P<HOST>x)<BADREQ><script>", "(?P<HOST>x)<BADREQ><script>"),
            ("a < b", "a < b"),
        ] {
            assert_eq!(shown(pattern).unwrap(), regex, "{pattern}");
        }
    }

    #[test]
    fn what_is_not_known_is_named() {
        for pattern in [
            "<SKIPLINES>",
            "<F-ID>x</F-ID>",
            "</F-NOFAIL>",
            "<F-PORT/>",
            "<mdre-normal>",
            "%(__prefix_line)s x",
        ] {
            let error = shown(pattern).unwrap_err();
            assert!(error.contains("this version does not know fail2ban's"), "{error}");
        }
        assert!(shown("100%(ok)").is_ok());
    }

    #[test]
    fn a_pattern_says_whether_it_names_the_host() {
        assert!(Tagged::read("^<ADDR> ").unwrap().names_host());
        assert!(!Tagged::read("(?P<HOST>x)").unwrap().names_host());
    }
}

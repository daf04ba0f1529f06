//! A snapshot becomes the bytes of an output: header, then the body in the form that the server reads.
//!
//! Bodies are compared by digest, so that the same list is not written, and the server not reloaded, again.

mod apache;
mod text;

pub(super) use apache::LOOK_UPS;
pub(super) use text::push_prefix;

pub(super) use apache::can_hold as apache_can_hold;

use std::fmt;
use std::io::Write;

use jiff::Timestamp;

use super::banned::{self, Ban};
use super::settings::{Kind, Settings, Style};
use crate::address::Prefix;
use crate::ban::Snapshot;
use crate::terms::Measure;

/// Why a banned prefix is not in an output. Nobody else is refused instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// It is shorter than the floor (`FLOOR_V4`, `FLOOR_V6`).
    TooWide,
    /// It would take more text keys than `MAX_KEYS`.
    TooManyKeys,
    /// No text key matches all of its addresses and no others.
    NoKey,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooWide => write!(
                f,
                "it is wider than /{} (IPv4) or /{} (IPv6): ban narrower prefixes",
                banned::FLOOR_V4,
                banned::FLOOR_V6
            ),
            Self::TooManyKeys => write!(
                f,
                "without its allowed members it takes more than {} text keys: use `Require not ip` for it",
                apache::MAX_KEYS
            ),
            Self::NoKey => f.write_str(
                "its zeros are compressed in more than one way, so that no text key matches it alone: use `Require not ip` for it",
            ),
        }
    }
}

/// A prefix that is banned and not in the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// Which.
    pub prefix: Prefix,
    /// Why.
    pub why: Why,
}

/// The bytes of an output.
pub(super) struct Rendered {
    /// Header and body.
    pub(super) bytes: Vec<u8>,
    /// The entry lines of the body.
    pub(super) entries: usize,
    /// Of the body alone.
    pub(super) digest: u64,
    /// What is missing although it is banned; sorted.
    pub(super) left_out: Vec<LeftOut>,
    /// For nginx: what the file must say when it is read again.
    pub(super) geo: Vec<(Prefix, Measure)>,
}

/// Renders the snapshot as `settings` says; `now` goes into the header only.
pub(super) fn render(settings: &Settings, snapshot: &Snapshot, now: Timestamp) -> Rendered {
    let (bans, wide) = banned::bans(&snapshot.prefixes, &snapshot.holes);
    // Who reads a list refuses whom it names: those that are only challenged are not in it.
    let only_bans = matches!(settings.kind, Kind::List);
    let marks: &[Prefix] = if only_bans { &[] } else { &snapshot.challenged };
    let (challenges, wide_too) = banned::bans(marks, &snapshot.spared);
    let wide = wide.into_iter().chain(wide_too);
    let mut left_out: Vec<LeftOut> = wide.map(|prefix| LeftOut { prefix, why: Why::TooWide }).collect();
    let mut geo = Vec::new();
    let mut body = Vec::with_capacity((bans.len() + challenges.len()) * 28 + 64);
    let entries = match &settings.kind {
        Kind::NginxGeo { variable, style } => {
            geo = banned::geo(&bans, &challenges);
            nginx(&mut body, &geo, variable, *style);
            geo.len()
        }
        Kind::ApacheRewritemap => {
            apache::push(&mut body, &bans, &mut left_out)
                + apache::push_challenges(&mut body, &challenges, &mut left_out)
        }
        Kind::List => list(&mut body, &bans),
    };
    let digest = fnv(&body);
    left_out.sort_unstable();
    left_out.dedup();
    let mut bytes = header(snapshot.generation, now, entries);
    bytes.append(&mut body);
    Rendered { bytes, entries, digest, left_out, geo }
}

/// Comment lines that all the formats take.
fn header(generation: u64, now: Timestamp, entries: usize) -> Vec<u8> {
    let mut header = Vec::new();
    let made = "# Made by banmap and rewritten as a whole: changes made here are lost.";
    writeln!(header, "{made}\n# generation {generation}, {now:.0}, entries {entries}")
        .expect("writing to a Vec does not fail");
    header
}

/// The first words of every file of ours.
pub(super) const MARK: &[u8] = b"# Made by banmap";

/// The body: what follows the comment lines at the beginning.
pub(super) fn body_of(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while rest.first() == Some(&b'#') {
        let end = rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |i| i + 1);
        rest = &rest[end..];
    }
    rest
}

/// The digest of a file's body, as it is kept over restarts and versions.
pub(super) fn digest_of(bytes: &[u8]) -> u64 {
    fnv(body_of(bytes))
}

/// FNV-1a, 64 bits (draft-eastlake-fnv): stable, and good enough to tell one list of ours from the next.
fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The end of an entry of a `geo` block: the variable is then 1 or 2.
pub(super) fn geo_value(value: Measure) -> &'static str {
    match value {
        Measure::Ban => " 1;",
        Measure::Challenge => " 2;",
    }
}

fn nginx(out: &mut Vec<u8>, entries: &[(Prefix, Measure)], variable: &str, style: Style) {
    let indent: &[u8] = match style {
        Style::Block => {
            out.extend_from_slice(format!("geo ${variable} {{\n    default 0;\n").as_bytes());
            b"    "
        }
        Style::Include => b"",
    };
    for (prefix, value) in entries {
        out.extend_from_slice(indent);
        text::push_prefix(out, *prefix);
        out.extend_from_slice(geo_value(*value).as_bytes());
        out.push(b'\n');
    }
    if style == Style::Block {
        out.extend_from_slice(b"}\n");
    }
}

fn list(out: &mut Vec<u8>, bans: &[Ban]) -> usize {
    let mut entries = 0;
    for piece in bans.iter().flat_map(|ban| &ban.pieces) {
        text::push_prefix(out, *piece);
        out.push(b'\n');
        entries += 1;
    }
    entries
}

#[cfg(test)]
mod tests;

//! The spellings that are looked for where no pattern is set: fail2ban's, in its order.

/// Spellings that are looked for at the start of the line first, then anywhere.
pub(super) const COMMON: [&str; 8] = [
    // ISO 8601 and its relatives: nginx's error log, Python, Java.
    r"%ExY(?P<sep>[-/.])%m(?P=sep)%d(?:T|  ?)%H:%M:%S(?:[.,]%f)?(?:\s*%z)?",
    // syslog; Apache's error log.
    r"(?:%a )?%b %d %k:%M:%S(?:\.%f)?(?: %ExY)?",
    r"(?:%a )?%b %d %ExY %k:%M:%S(?:\.%f)?",
    r"%d(?P<sep>[-/])%m(?P=sep)(?:%ExY|%Exy) %k:%M:%S",
    // The common log format; BIND.
    r"%d(?P<sep>[-/])%b(?P=sep)%ExY[ :]?%H:%M:%S(?:\.%f)?(?: %z)?",
    "%m/%d/%ExY:%H:%M:%S",
    r"%m-%d-%ExY %k:%M:%S(?:\.%f)?",
    EPOCH,
];

/// Rarer ones.
pub(super) const RARE: [&str; 6] = [
    "%Exy%Exm%Exd  ?%H:%M:%S",
    "%b %d, %ExY %I:%M:%S %p",
    r"%ExY%Exm%Exd(?:T|  ?)%ExH%ExM%ExS(?:[.,]%f)?(?:\s*%z)?",
    r"(?:%Z )?(?:%a )?%b %d %k:%M:%S(?:\.%f)?(?: %ExY)?",
    r"(?:%z )?(?:%a )?%b %d %k:%M:%S(?:\.%f)?(?: %ExY)?",
    TAI64N,
];

/// A time of day alone; only at the start of the line.
pub(super) const CLOCK: &str = "%H:%M:%S";

/// Spellings that are only known as the very first of a line.
const FIRST: [&str; 2] = ["^<%m/%d/%Exy@%H:%M:%S>", "^%b-%d-%Exy %k:%M:%S"];

pub(super) const EPOCH: &str = "Epoch";
pub(super) const TAI64N: &str = "TAI64N";
pub(super) const ALL: &str = "{DEFAULT}";
pub(super) const LINE_START: &str = "{^LN-BEG}";

/// `{DEFAULT}`: all spellings, each as a pattern.
pub(super) fn anywhere() -> Vec<String> {
    let at_start = COMMON.iter().chain(&RARE).map(|pattern| anchored(pattern));
    let [first, second] = FIRST;
    let [compact, american, rest @ ..] = RARE;
    let late = [anchored(CLOCK), first.into(), compact.into(), american.into(), second.into()];
    at_start.chain(COMMON.map(Into::into)).chain(late).chain(rest.map(Into::into)).collect()
}

/// `{^LN-BEG}` alone: all spellings, at the start of the line only.
pub(super) fn at_line_start() -> Vec<String> {
    let everywhere = COMMON.iter().chain(&RARE).chain([&CLOCK]).map(|pattern| anchored(pattern));
    everywhere.chain(FIRST.map(Into::into)).collect()
}

/// What `{DATE}` stands for.
pub(super) fn inside() -> impl Iterator<Item = &'static str> {
    COMMON.into_iter().chain(RARE).chain([CLOCK]).chain(FIRST)
}

/// Whether a spelling is a word that must be the whole pattern.
pub(super) fn is_word(known: &str) -> bool {
    [EPOCH, TAI64N].contains(&known)
}

fn anchored(pattern: &str) -> String {
    format!("{LINE_START}{pattern}")
}

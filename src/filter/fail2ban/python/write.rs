//! Writes a pattern for an engine.

use std::fmt::Write;

use super::node::{Group, GroupKind, Host, Item, Mode, Node, Which};

/// What stands where a tag is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::filter::fail2ban) enum Hosts {
    /// The line's own text: an address or a name, in groups called `ip4`, `ip6` and `dns`.
    Plain,
    /// The mark that was put in place of the client, by what the client is.
    Marked { ip4: char, ip6: char, dns: char },
    /// Anything: to find what a line must hold.
    Opaque,
}

/// How a pattern is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::filter::fail2ban) struct Style {
    pub(in crate::filter::fail2ban) hosts: Hosts,
    /// For texts in ASCII: classes of bytes, which are faster and mean the same there.
    pub(in crate::filter::fail2ban) ascii: bool,
    /// For the linear engine: what that cannot do is written as something that takes the same texts and more.
    pub(in crate::filter::fail2ban) linear: bool,
    /// `^` begins every line.
    pub(in crate::filter::fail2ban) lines: bool,
    /// Without `\b` and `\B`: it takes the same texts and more. Where words end in a text that is not ASCII only the slowest
    /// of the linear engines can tell.
    pub(in crate::filter::fail2ban) borderless: bool,
}

const V4: &str = r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}";
/// Groups and colons up to a last group or `::`: a last colon follows another one.
const V6: &str = r"(?:[0-9a-fA-F]{1,4}::?|::){1,7}(?:[0-9a-fA-F]{1,4}|:)";
const DNS: &str = r"[\w.^-]*\w";

/// So many words in a row that are alternatives are put into a group.
const WORDS: usize = 8;

/// Writes it.
pub(in crate::filter::fail2ban) fn write(node: &Node, style: Style) -> String {
    let ascii = style.ascii && !node.is_foreign();
    let mut writer = Writer { style: Style { ascii, ..style }, out: String::new() };
    if ascii {
        writer.out.push_str("(?-u)");
    }
    writer.node(node);
    writer.out
}

struct Writer {
    style: Style,
    out: String,
}

impl Writer {
    fn text(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// Writing to a string cannot fail.
    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        let _ = self.out.write_fmt(text);
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Empty => {}
            Node::Char(c) => self.character(*c),
            Node::Any => self.text("."),
            Node::Class { negated, items } => self.class(*negated, items),
            Node::Kind(kind) => self.push(format_args!("\\{kind}")),
            Node::Place("^") => self.text(if self.style.lines { "(?m:^)" } else { r"\A" }),
            // The text ends with its only newline, or lines are looked at together: both are `$` to Python.
            Node::Place("$") => self.text("(?m:$)"),
            Node::Place(r"\b" | r"\B") if self.style.borderless => {}
            Node::Place(place) => self.text(place),
            Node::Group(group) => self.group(group),
            Node::Flags(flags) => self.push(format_args!("(?{flags})")),
            Node::Same(which) => self.same(which),
            Node::If { which, yes, no } => self.condition(which, yes, no),
            Node::Repeat { what, min, max, mode } => self.repeat(what, *min, *max, *mode),
            Node::All(parts) => parts.iter().for_each(|part| self.node(part)),
            Node::AnyOf(branches) => self.branches(branches),
            Node::Host(host) => self.host(*host),
            Node::Lines(number) => self.push(format_args!(r"\n(?P<skiplines{number}>(?:.*\n)*?)")),
        }
    }

    fn branches(&mut self, branches: &[Node]) {
        let mut separator = "";
        for run in branches.chunk_by(|a, b| is_text(a) == is_text(b)) {
            // In a group of their own many words become one automaton. Without it each of them is looked at wherever one
            // may begin: 64 kB of quotes before the name of a bot took 130 ms.
            let grouped = self.style.linear && run.len() >= WORDS && run.first().is_some_and(is_text);
            self.text(separator);
            self.text(if grouped { "(" } else { "" });
            for (index, branch) in run.iter().enumerate() {
                self.text(if index == 0 { "" } else { "|" });
                self.node(branch);
            }
            self.text(if grouped { ")" } else { "" });
            separator = "|";
        }
    }

    fn character(&mut self, c: char) {
        match c {
            '\n' => self.text(r"\n"),
            c if c.is_control() => self.push(format_args!(r"\x{{{:x}}}", u32::from(c))),
            c if is_sign(c) => self.push(format_args!(r"\{c}")),
            c => self.out.push(c),
        }
    }

    fn class(&mut self, negated: bool, items: &[Item]) {
        self.text(if negated { "[^" } else { "[" });
        for item in items {
            match item {
                Item::Char(c) => self.member(*c),
                Item::Range(first, last) => {
                    self.member(*first);
                    self.text("-");
                    self.member(*last);
                }
                Item::Kind(kind) => self.push(format_args!("\\{kind}")),
            }
        }
        self.text("]");
    }

    fn member(&mut self, c: char) {
        if c.is_ascii_alphanumeric() || !c.is_ascii() {
            self.out.push(c);
        } else {
            self.push(format_args!(r"\x{{{:x}}}", u32::from(c)));
        }
    }

    fn group(&mut self, group: &Group) {
        let Group { kind, inner } = group;
        let begin = match kind {
            // Nobody asks for it by its number there, and each group costs at each place.
            GroupKind::Numbered | GroupKind::Atomic if self.style.linear => "(?:".to_owned(),
            GroupKind::Numbered => "(".to_owned(),
            GroupKind::Named(name) => format!("(?P<{name}>"),
            GroupKind::Plain => "(?:".to_owned(),
            GroupKind::Flags(flags) => format!("(?{flags}:"),
            // Without it more texts match: what was asked about is left to the other engine.
            GroupKind::Around(_) if self.style.linear => return,
            GroupKind::Around(begin) => (*begin).to_owned(),
            GroupKind::Atomic => "(?>".to_owned(),
        };
        self.text(&begin);
        self.node(inner);
        self.text(")");
    }

    fn same(&mut self, which: &Which) {
        match which {
            _ if self.style.linear => self.text("(?s:.*)"),
            Which::Number(number) => self.push(format_args!(r"\{number}")),
            Which::Name(name) => self.push(format_args!("(?P={name})")),
        }
    }

    fn condition(&mut self, which: &Which, yes: &Node, no: &Node) {
        if self.style.linear {
            self.text("(?:");
        } else {
            match which {
                Which::Number(number) => self.push(format_args!("(?({number})")),
                Which::Name(name) => self.push(format_args!("(?(<{name}>)")),
            }
        }
        self.text("(?:");
        self.node(yes);
        self.text(")|(?:");
        self.node(no);
        self.text("))");
    }

    fn repeat(&mut self, what: &Node, min: u32, max: Option<u32>, mode: Mode) {
        let single =
            matches!(what, Node::Char(_) | Node::Any | Node::Class { .. } | Node::Kind(_) | Node::Group(_));
        self.text(if single { "" } else { "(?:" });
        let before = self.out.len();
        self.node(what);
        if self.out.len() == before {
            // A group that the engine cannot do and that was left out.
            self.text("(?:)");
        }
        self.text(if single { "" } else { ")" });
        match (min, max) {
            (0, None) => self.text("*"),
            (1, None) => self.text("+"),
            (0, Some(1)) => self.text("?"),
            (min, None) => self.push(format_args!("{{{min},}}")),
            (min, Some(max)) if min == max => self.push(format_args!("{{{min}}}")),
            (min, Some(max)) => self.push(format_args!("{{{min},{max}}}")),
        }
        match mode {
            Mode::Lazy => self.text("?"),
            Mode::Possessive if !self.style.linear => self.text("+"),
            Mode::Possessive | Mode::Greedy => {}
        }
    }

    fn host(&mut self, host: Host) {
        let text = match self.style.hosts {
            Hosts::Plain => plain(host),
            Hosts::Marked { ip4, ip6, dns } => {
                // The digits keep `\b` beside a tag true.
                let mark = |name: &str, mark: char| format!("(?P<{name}>(?u:0{mark}0))");
                let (ip4, ip6, dns) = (mark("ip4", ip4), mark("ip6", ip6), mark("dns", dns));
                match host {
                    Host::Any => format!(r"\[?(?:{ip4}|{ip6}|{dns})\]?"),
                    Host::Addr | Host::Subnet => format!(r"\[?(?:{ip4}|{ip6})\]?"),
                    Host::Ip4 => ip4,
                    Host::Ip6 => format!(r"\[?{ip6}\]?"),
                    Host::Dns => dns,
                }
            }
            Hosts::Opaque => "(?s:.)+".to_owned(),
        };
        self.text(&text);
    }
}

fn plain(host: Host) -> String {
    let v4 = format!("(?:::[fF]{{4,6}}:)?(?P<ip4>{V4})");
    let v6 = format!("(?P<ip6>{V6})");
    let dns = format!("(?P<dns>{DNS})");
    match host {
        Host::Any => format!(r"(?:\[?(?:{v4}|{v6})\]?|{dns})"),
        Host::Addr => format!(r"\[?(?:{v4}|{v6})\]?"),
        Host::Ip4 => v4,
        Host::Ip6 => v6,
        Host::Dns => dns,
        Host::Subnet => format!(r"\[?(?:{v4}|{v6})(?:/(?P<cidr>\d+))?\]?"),
    }
}

/// A word, sign by sign.
fn is_text(node: &Node) -> bool {
    match node {
        Node::Char(_) => true,
        Node::All(parts) => parts.iter().all(|part| matches!(part, Node::Char(_))),
        _ => false,
    }
}

/// Whether an engine takes this character for a sign, or might once.
fn is_sign(c: char) -> bool {
    r"\.+*?()|[]{}^$#&-~".contains(c)
}

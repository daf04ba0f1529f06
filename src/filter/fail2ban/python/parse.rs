//! Reads a pattern.

use super::class::Reading;
use super::escape::Escape;
use super::node::{Group, GroupKind, Host, Mode, Node, Which};

/// Deeper nesting belongs to no filter.
const DEEPEST: usize = 120;
/// The longest pattern, in bytes.
const LONGEST: usize = 64 << 10;

/// Reads a pattern with fail2ban's tags; the error shows the pattern and the place.
pub(in crate::filter::fail2ban) fn parse(pattern: &str) -> Result<Node, String> {
    if pattern.len() > LONGEST {
        return Err(format!("the pattern is longer than {LONGEST} bytes"));
    }
    let reading = Reading { pattern, at: 0 };
    let mut parser = Parser { reading, opened: Vec::new(), names: Vec::new(), lines: 0, depth: 0 };
    let node = parser.choice()?;
    if parser.reading.next().is_some() {
        return Err(parser.reading.wrong("this `)` opens nowhere"));
    }
    Ok(node)
}

struct Parser<'p> {
    reading: Reading<'p>,
    /// The tags `<F-…>` that were opened so far: only these are closed.
    opened: Vec<String>,
    /// The names of groups so far: each may stand once.
    names: Vec<String>,
    lines: usize,
    depth: usize,
}

impl Parser<'_> {
    /// Alternatives, up to the end of the group.
    fn choice(&mut self) -> Result<Node, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.reading.wrong("the groups are nested too deeply"));
        }
        let mut branches = vec![self.sequence()?];
        while self.reading.take("|") {
            branches.push(self.sequence()?);
        }
        self.depth -= 1;
        match branches.len() {
            1 => Ok(branches.pop().unwrap_or(Node::Empty)),
            _ => Ok(Node::AnyOf(branches)),
        }
    }

    fn sequence(&mut self) -> Result<Node, String> {
        let mut parts = Vec::new();
        while self.reading.peek().is_some_and(|c| !matches!(c, '|' | ')')) && !self.closes_tag() {
            let part = self.part()?;
            parts.push(self.repeated(part)?);
        }
        match parts.len() {
            0 => Ok(Node::Empty),
            1 => Ok(parts.pop().unwrap_or(Node::Empty)),
            _ => Ok(Node::All(parts)),
        }
    }

    fn part(&mut self) -> Result<Node, String> {
        if let Some(node) = self.tag()? {
            return Ok(node);
        }
        let Some(c) = self.reading.next() else { return Ok(Node::Empty) };
        match c {
            '.' => Ok(Node::Any),
            '^' => Ok(Node::Place("^")),
            '$' => Ok(Node::Place("$")),
            '[' => self.reading.class(),
            '(' => self.group(),
            '\\' => Ok(match self.reading.escape(false)? {
                Escape::Char(c) => Node::Char(c),
                Escape::Kind(kind) => Node::Kind(kind),
                Escape::Place(place) => Node::Place(place),
                Escape::Same(number) => Node::Same(Which::Number(number)),
            }),
            '*' | '+' | '?' => Err(self.reading.wrong("there is nothing to repeat")),
            c => Ok(Node::Char(c)),
        }
    }

    fn repeated(&mut self, mut part: Node) -> Result<Node, String> {
        let mut is_repeated = false;
        while let Some((min, max)) = self.times()? {
            if is_repeated || matches!(part, Node::Flags(_)) {
                return Err(self.reading.wrong("there is nothing to repeat"));
            }
            let mode = match () {
                () if self.reading.take("?") => Mode::Lazy,
                () if self.reading.take("+") => Mode::Possessive,
                () => Mode::Greedy,
            };
            part = Node::Repeat { what: Box::new(part), min, max, mode };
            is_repeated = true;
        }
        Ok(part)
    }

    /// How often the part before is repeated; a bracket that says nothing of it is a character.
    fn times(&mut self) -> Result<Option<(u32, Option<u32>)>, String> {
        let simple = [("*", (0, None)), ("+", (1, None)), ("?", (0, Some(1)))];
        if let Some((_, times)) = simple.iter().find(|(sign, _)| self.reading.take(sign)) {
            return Ok(Some(*times));
        }
        let counted = self.reading.ahead().strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let Some((inside, _)) = counted else { return Ok(None) };
        let (first, last) = inside.split_once(',').unwrap_or((inside, inside));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(first) || !is_number(last) || inside.is_empty() {
            return Ok(None);
        }
        self.reading.at += inside.len() + 2;
        let number =
            |text: &str| text.parse::<u32>().map_err(|_| self.reading.wrong("this number is too large"));
        let min = if first.is_empty() { 0 } else { number(first)? };
        let max = if last.is_empty() { None } else { Some(number(last)?) };
        if max.is_some_and(|max| max < min) {
            return Err(self.reading.wrong("the second number is smaller than the first"));
        }
        Ok(Some((min, max)))
    }

    /// The group whose bracket was read.
    fn group(&mut self) -> Result<Node, String> {
        if !self.reading.take("?") {
            return self.inner(GroupKind::Numbered);
        }
        let around = [("=", "(?="), ("!", "(?!"), ("<=", "(?<="), ("<!", "(?<!")];
        if let Some((_, begin)) = around.iter().find(|(sign, _)| self.reading.take(sign)) {
            return self.inner(GroupKind::Around(begin));
        }
        match self.reading.next() {
            Some(':') => self.inner(GroupKind::Plain),
            Some('>') => self.inner(GroupKind::Atomic),
            Some('#') => self
                .reading
                .until(')')
                .map(|_| Node::Empty)
                .ok_or_else(|| self.reading.wrong("this comment does not end")),
            Some('(') => self.condition(),
            Some('P') if self.reading.take("<") => {
                let name = self.name('>')?;
                self.named(name)
            }
            Some('P') if self.reading.take("=") => {
                let name = self.name(')')?;
                Ok(Node::Same(Which::Name(name)))
            }
            Some(c) if c == '-' || c.is_ascii_lowercase() => self.flags(c),
            _ => Err(self.reading.wrong("this is no group of Python's")),
        }
    }

    fn name(&mut self, end: char) -> Result<String, String> {
        let name = self.reading.until(end).map(str::to_owned);
        let is_name =
            |name: &String| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        name.filter(is_name).ok_or_else(|| self.reading.wrong("a group's name expected"))
    }

    fn named(&mut self, name: String) -> Result<Node, String> {
        if self.names.contains(&name) {
            return Err(self.reading.wrong(&format!("the group `{name}` stands twice")));
        }
        self.names.push(name.clone());
        self.inner(GroupKind::Named(name))
    }

    /// A group's inner part, and its end.
    fn inner(&mut self, kind: GroupKind) -> Result<Node, String> {
        let inner = self.choice()?;
        if !self.reading.take(")") && !self.take_closing_tag() {
            return Err(self.reading.wrong("a group has no end"));
        }
        Ok(Node::Group(Box::new(Group { kind, inner })))
    }

    /// `(?i)` or `(?i:…)`. Of Python's flags `u` and `L` change nothing here: lines are Unicode.
    fn flags(&mut self, first: char) -> Result<Node, String> {
        let mut flags = String::from(first);
        while let Some(c) = self.reading.next_if(|c| c == '-' || c.is_ascii_lowercase()) {
            flags.push(c);
        }
        if let Some(other) = flags.chars().find(|c| !"-aimsu".contains(*c)) {
            return Err(self.reading.wrong(&format!("the flag `{other}` is not known here")));
        }
        flags.retain(|c| !"ua".contains(c));
        match self.reading.next() {
            Some(')') => Ok(if flags.is_empty() { Node::Empty } else { Node::Flags(flags) }),
            Some(':') => {
                let kind = if flags.is_empty() { GroupKind::Plain } else { GroupKind::Flags(flags) };
                self.inner(kind)
            }
            _ => Err(self.reading.wrong("flags end with `)` or `:`")),
        }
    }

    /// `(?(name)yes|no)`, up to the name.
    fn condition(&mut self) -> Result<Node, String> {
        let name = self.name(')')?;
        let which = name.parse().map_or(Which::Name(name), Which::Number);
        let yes = self.sequence()?;
        let no = if self.reading.take("|") { self.sequence()? } else { Node::Empty };
        if !self.reading.take(")") {
            return Err(self.reading.wrong("a condition has two branches at most, and ends with `)`"));
        }
        Ok(Node::If { which, yes: Box::new(yes), no: Box::new(no) })
    }

    /// A tag of fail2ban's, if one is ahead: `<HOST>`, `<F-USER>…</F-USER>`.
    fn tag(&mut self) -> Result<Option<Node>, String> {
        let Some((name, _)) = self.reading.ahead().strip_prefix('<').and_then(|rest| rest.split_once('>'))
        else {
            return Ok(None);
        };
        let host = |host| Some(Node::Host(host));
        let simple = match name {
            "HOST" => host(Host::Any),
            "ADDR" | "F-ADDR/" => host(Host::Addr),
            "IP4" | "F-IP4/" => host(Host::Ip4),
            "IP6" | "F-IP6/" => host(Host::Ip6),
            "DNS" | "F-DNS/" => host(Host::Dns),
            "SUBNET" | "F-SUBNET/" => host(Host::Subnet),
            "CIDR" | "F-CIDR/" => Some(of_kind("cidr", 'd')),
            "F-ID/" => Some(of_kind("fid", 'S')),
            "F-PORT/" => Some(of_kind("fport", 'w')),
            "SKIPLINES" => {
                self.lines += 1;
                Some(Node::Lines(self.lines - 1))
            }
            _ => None,
        };
        let length = name.len() + 2;
        if let Some(node) = simple {
            self.reading.at += length;
            return Ok(Some(node));
        }
        let Some(own) = name.strip_prefix("F-").filter(|own| is_own(own)) else { return Ok(None) };
        self.reading.at += length;
        self.opened.push(own.to_owned());
        self.named(group_name(own)).map(Some)
    }

    /// Whether a closing tag is ahead that was opened before.
    fn closes_tag(&self) -> bool {
        self.closing_tag().is_some()
    }

    fn closing_tag(&self) -> Option<&str> {
        let (name, _) = self.reading.ahead().strip_prefix("</F-")?.split_once('>')?;
        self.opened.iter().any(|opened| opened == name).then_some(name)
    }

    fn take_closing_tag(&mut self) -> bool {
        let Some(length) = self.closing_tag().map(|name| name.len() + "</F->".len()) else { return false };
        self.reading.at += length;
        true
    }
}

fn is_own(name: &str) -> bool {
    !name.is_empty()
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || matches!(c, '_' | '-'))
}

/// `<F-ID>` and `<F-PORT>` have names of their own for the groups that the tags without an end make.
fn group_name(tag: &str) -> String {
    match tag {
        "ID" => "fid".to_owned(),
        "PORT" => "fport".to_owned(),
        other => other.to_lowercase().replace('-', "_"),
    }
}

fn of_kind(name: &str, kind: char) -> Node {
    let what = Box::new(Node::Kind(kind));
    let inner = Node::Repeat { what, min: 1, max: None, mode: Mode::Greedy };
    Node::Group(Box::new(Group { kind: GroupKind::Named(name.to_owned()), inner }))
}

//! The tree of a pattern.

/// What a tag stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::filter::fail2ban) enum Host {
    /// `<HOST>`: an address, or a host name.
    Any,
    /// `<ADDR>`: an address.
    Addr,
    /// `<IP4>`
    Ip4,
    /// `<IP6>`
    Ip6,
    /// `<DNS>`: a host name.
    Dns,
    /// `<SUBNET>`: an address, and how many bits of it count.
    Subnet,
}

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::filter::fail2ban) enum Node {
    Empty,
    Char(char),
    /// `.`
    Any,
    /// `[…]`
    Class {
        negated: bool,
        items: Vec<Item>,
    },
    /// `\d \D \s \S \w \W`
    Kind(char),
    /// `^ $ \A \Z \b \B`, as they are written.
    Place(&'static str),
    Group(Box<Group>),
    /// `(?i)`: for what follows, up to the end of the group.
    Flags(String),
    /// `(?P=name)`, `\1`
    Same(Which),
    /// `(?(name)yes|no)`
    If {
        which: Which,
        yes: Box<Node>,
        no: Box<Node>,
    },
    Repeat {
        what: Box<Node>,
        min: u32,
        max: Option<u32>,
        mode: Mode,
    },
    All(Vec<Node>),
    AnyOf(Vec<Node>),
    Host(Host),
    /// `<SKIPLINES>`: lines between, its number.
    Lines(usize),
}

/// A part in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::filter::fail2ban) struct Group {
    pub(super) kind: GroupKind,
    pub(super) inner: Node,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum GroupKind {
    Numbered,
    Named(String),
    Plain,
    /// `(?i-s:…)`
    Flags(String),
    /// `(?=…) (?!…) (?<=…) (?<!…)`, as it begins.
    Around(&'static str),
    /// `(?>…)`
    Atomic,
}

/// A member of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::filter::fail2ban) enum Item {
    Char(char),
    Range(char, char),
    Kind(char),
}

/// A group that is meant again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::filter::fail2ban) enum Which {
    Number(u32),
    Name(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::filter::fail2ban) enum Mode {
    Greedy,
    Lazy,
    Possessive,
}

impl Node {
    /// Whether only a backtracking engine can do it.
    pub(in crate::filter::fail2ban) fn backtracks(&self) -> bool {
        self.any(&|node| match node {
            Self::Same(_) | Self::If { .. } | Self::Repeat { mode: Mode::Possessive, .. } => true,
            Self::Group(group) => matches!(group.kind, GroupKind::Around(_) | GroupKind::Atomic),
            _ => false,
        })
    }

    /// Whether it holds a character beyond ASCII.
    pub(super) fn is_foreign(&self) -> bool {
        let foreign = |item: &Item| match item {
            Item::Char(c) => !c.is_ascii(),
            Item::Range(_, last) => !last.is_ascii(),
            Item::Kind(_) => false,
        };
        self.any(&|node| match node {
            Self::Char(c) => !c.is_ascii(),
            Self::Class { items, .. } => items.iter().any(foreign),
            _ => false,
        })
    }

    /// Whether it names whom: by a tag, or by a group called as one.
    pub(in crate::filter::fail2ban) fn names(&self, groups: &[&str]) -> bool {
        self.any(&|node| match node {
            Self::Host(_) => true,
            Self::Group(group) => {
                matches!(&group.kind, GroupKind::Named(name) if groups.contains(&name.as_str()))
            }
            _ => false,
        })
    }

    /// Whether it has a group of this name, or a tag that makes one.
    pub(in crate::filter::fail2ban) fn has_group(&self, name: &str) -> bool {
        self.any(&|node| match node {
            Self::Group(group) => matches!(&group.kind, GroupKind::Named(own) if own == name),
            _ => false,
        })
    }

    /// The same pattern, where `<HOST>` is an address alone and no name.
    #[must_use]
    pub(in crate::filter::fail2ban) fn without_names(self) -> Self {
        let each = |nodes: Vec<Self>| nodes.into_iter().map(Self::without_names).collect();
        match self {
            Self::Host(Host::Any) => Self::Host(Host::Addr),
            Self::Group(group) => {
                let Group { kind, inner } = *group;
                Self::Group(Box::new(Group { kind, inner: inner.without_names() }))
            }
            Self::If { which, yes, no } => {
                Self::If { which, yes: Box::new(yes.without_names()), no: Box::new(no.without_names()) }
            }
            Self::Repeat { what, min, max, mode } => {
                Self::Repeat { what: Box::new(what.without_names()), min, max, mode }
            }
            Self::All(parts) => Self::All(each(parts)),
            Self::AnyOf(parts) => Self::AnyOf(each(parts)),
            other => other,
        }
    }

    /// Whether `holds` does for a part of it.
    fn any(&self, holds: &dyn Fn(&Self) -> bool) -> bool {
        let inner = match self {
            Self::Group(group) => group.inner.any(holds),
            Self::If { yes, no, .. } => yes.any(holds) || no.any(holds),
            Self::Repeat { what, .. } => what.any(holds),
            Self::All(parts) | Self::AnyOf(parts) => parts.iter().any(|part| part.any(holds)),
            _ => false,
        };
        inner || holds(self)
    }
}

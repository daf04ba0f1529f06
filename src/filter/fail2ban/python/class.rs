//! The pattern while it is read, and `[…]`.

use super::escape::Escape;
use super::node::{Item, Node};

/// Where the reading of a pattern is.
pub(super) struct Reading<'p> {
    pub(super) pattern: &'p str,
    pub(super) at: usize,
}

impl<'p> Reading<'p> {
    /// What is not read yet.
    pub(super) fn ahead(&self) -> &'p str {
        self.pattern.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.ahead().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        self.next_if(|_| true)
    }

    pub(super) fn next_if(&mut self, wanted: impl Fn(char) -> bool) -> Option<char> {
        let next = self.peek().filter(|c| wanted(*c))?;
        self.at += next.len_utf8();
        Some(next)
    }

    pub(super) fn take(&mut self, text: &str) -> bool {
        let is_ahead = self.ahead().starts_with(text);
        self.at += if is_ahead { text.len() } else { 0 };
        is_ahead
    }

    /// What stands before `end`, which is read too.
    pub(super) fn until(&mut self, end: char) -> Option<&'p str> {
        let (text, _) = self.ahead().split_once(end)?;
        self.at += text.len() + end.len_utf8();
        Some(text)
    }

    /// An error: what is wrong, and the pattern with a mark under the place.
    pub(super) fn wrong(&self, what: &str) -> String {
        let before = self.pattern.get(..self.at).unwrap_or_default().chars().count();
        format!("{what}\n  {}\n  {}^", self.pattern, " ".repeat(before.saturating_sub(1)))
    }

    /// The class whose bracket was read.
    pub(super) fn class(&mut self) -> Result<Node, String> {
        let negated = self.take("^");
        let mut items = Vec::new();
        loop {
            let first = items.is_empty();
            let item = match self.next() {
                None => return Err(self.wrong("this `[` has no `]`")),
                Some(']') if !first => return Ok(Node::Class { negated, items }),
                Some('\\') => self.escaped_item()?,
                Some(c) => Item::Char(c),
            };
            let is_range = self.ahead().starts_with('-') && !self.ahead().starts_with("-]");
            items.push(if is_range { self.range(&item)? } else { item });
        }
    }

    fn range(&mut self, first: &Item) -> Result<Item, String> {
        self.next();
        let last = match self.next() {
            Some('\\') => self.escaped_item()?,
            Some(c) => Item::Char(c),
            None => return Err(self.wrong("this `[` has no `]`")),
        };
        match (first, last) {
            (Item::Char(first), Item::Char(last)) if *first <= last => Ok(Item::Range(*first, last)),
            _ => Err(self.wrong("this is no range of characters")),
        }
    }

    fn escaped_item(&mut self) -> Result<Item, String> {
        match self.escape(true)? {
            Escape::Char(c) => Ok(Item::Char(c)),
            Escape::Kind(kind) => Ok(Item::Kind(kind)),
            Escape::Place(_) | Escape::Same(_) => Err(self.wrong("this is no member of a class")),
        }
    }
}

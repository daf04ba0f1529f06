//! What stands behind a backslash.

use super::class::Reading;

/// An escape, as Python reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escape {
    Char(char),
    /// `\d` and its like.
    Kind(char),
    /// `\A \Z \b \B`
    Place(&'static str),
    /// `\1`
    Same(u32),
}

impl Reading<'_> {
    /// The escape whose backslash was read. In a class there are no places, and a number is a character.
    pub(super) fn escape(&mut self, in_class: bool) -> Result<Escape, String> {
        let Some(c) = self.next() else { return Err(self.wrong("a backslash ends the pattern")) };
        let found = match c {
            'd' | 'D' | 's' | 'S' | 'w' | 'W' => Escape::Kind(c),
            'b' if in_class => Escape::Char('\u{8}'),
            'A' if !in_class => Escape::Place(r"\A"),
            'Z' if !in_class => Escape::Place(r"\z"),
            'b' if !in_class => Escape::Place(r"\b"),
            'B' if !in_class => Escape::Place(r"\B"),
            'a' => Escape::Char('\u{7}'),
            'f' => Escape::Char('\u{c}'),
            'n' => Escape::Char('\n'),
            'r' => Escape::Char('\r'),
            't' => Escape::Char('\t'),
            'v' => Escape::Char('\u{b}'),
            'x' => Escape::Char(self.hex(2)?),
            'u' => Escape::Char(self.hex(4)?),
            'U' => Escape::Char(self.hex(8)?),
            '0'..='9' => self.number(c, in_class)?,
            c if c.is_ascii_alphabetic() => {
                return Err(self.wrong(&format!("`\\{c}` is no escape of Python's")));
            }
            c => Escape::Char(c),
        };
        Ok(found)
    }

    fn hex(&mut self, digits: usize) -> Result<char, String> {
        let text: String = (0..digits).filter_map(|_| self.next_if(|c| c.is_ascii_hexdigit())).collect();
        let code = (text.len() == digits).then(|| u32::from_str_radix(&text, 16).ok()).flatten();
        code.and_then(char::from_u32)
            .ok_or_else(|| self.wrong(&format!("{digits} hexadecimal digits of a character expected")))
    }

    /// `\0` and three octal digits are a character, every other number a group.
    fn number(&mut self, first: char, in_class: bool) -> Result<Escape, String> {
        let is_octal = |c: char| ('0'..='7').contains(&c);
        let ahead: String = self.ahead().chars().take(2).take_while(|c| is_octal(*c)).collect();
        if first == '0' || in_class || (is_octal(first) && first <= '3' && ahead.len() == 2) {
            if !is_octal(first) {
                return Err(self.wrong("an octal number expected"));
            }
            let text: String = std::iter::once(first).chain(ahead.chars()).collect();
            self.at += ahead.len();
            let code = u32::from_str_radix(&text, 8).ok().filter(|code| *code <= 0o377);
            return code
                .and_then(char::from_u32)
                .map(Escape::Char)
                .ok_or_else(|| self.wrong("an octal number up to 377 expected"));
        }
        let second = self.next_if(|c| c.is_ascii_digit());
        let text: String = std::iter::once(first).chain(second).collect();
        text.parse().map(Escape::Same).map_err(|_| self.wrong("a group's number expected"))
    }
}

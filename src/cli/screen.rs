//! stdout and stderr: data and complaints, coloured only where a terminal shows them.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use anstream::{AutoStream, ColorChoice};
use clap::builder::styling::{AnsiColor, Style};
use serde::Serialize;

use crate::terms::escape;

/// Headings.
pub(super) const BOLD: Style = Style::new().bold();

/// What went wrong, and who is banned.
pub(super) const RED: Style = AnsiColor::Red.on_default();
pub(super) const YELLOW: Style = AnsiColor::Yellow.on_default();

/// What is well.
pub(super) const GREEN: Style = AnsiColor::Green.on_default();

/// stdout, written in large pieces. `finish` writes the last one; without it an error would go unseen.
pub(super) struct Screen {
    out: BufWriter<Stdout>,
    choice: ColorChoice,
}

impl Screen {
    /// Colours as the terminal, `NO_COLOR` and `CLICOLOR_FORCE` want them.
    pub(super) fn new() -> Self {
        Self { out: BufWriter::with_capacity(1 << 16, io::stdout()), choice: choice() }
    }

    /// A line for people; it may hold styles, and must not hold anything else that was not escaped.
    pub(super) fn line(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        let out: &mut dyn Write = &mut self.out;
        let mut out = AutoStream::new(out, self.choice);
        out.write_all(text.as_ref().as_bytes())?;
        out.write_all(b"\n")
    }

    /// A line of JSON.
    pub(super) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(value)?;
        self.out.write_all(escape::json(&text).as_bytes())?;
        self.out.write_all(b"\n")
    }

    /// Text that is meant for another program, as it is.
    pub(super) fn verbatim(&mut self, text: &[u8]) -> io::Result<()> {
        self.out.write_all(text)
    }

    /// Writes what is left.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// `1 ban`, `2 bans`.
pub(super) fn many(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn choice() -> ColorChoice {
    AutoStream::choice(&io::stdout())
}

/// Whether stdout shows colours.
pub(super) fn is_coloured() -> bool {
    choice() != ColorChoice::Never
}

/// Whether somebody looks at stdout, so that long lines are better folded.
pub(super) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Says on stderr what is wrong. The text must be escaped where it came from elsewhere.
pub(super) fn complain(text: &str) {
    // Nobody can be told that stderr is gone.
    let _ = writeln!(anstream::stderr(), "{RED}banmap:{RED:#} {text}");
}

/// Says on stderr what is good to know.
pub(super) fn remark(text: &str) {
    // Nobody can be told that stderr is gone.
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Whether stderr shows styles.
pub(super) fn styled_errors() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}

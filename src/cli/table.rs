//! Tables for people: no borders, as wide as the terminal; whole lines where the output goes elsewhere.

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};

use super::screen;
use crate::terms::escape;

/// The least width in columns at which cells are folded.
const NARROWEST: u16 = 40;

/// An empty table with its header.
pub(super) fn new(header: &[&str]) -> Table {
    let mut table = Table::new();
    // Some terminals do not know how wide they are (0), and in very narrow ones folded columns are worse than long lines.
    let folds = screen::is_terminal() && table.width().is_some_and(|width| width >= NARROWEST);
    let arrangement = if folds { ContentArrangement::Dynamic } else { ContentArrangement::Disabled };
    table.load_style(presets::NOTHING).set_content_arrangement(arrangement);
    // Where nobody sees the styles, they would only keep blanks at the ends of lines.
    if screen::is_coloured() {
        table.enforce_styling();
    }
    table.set_header(header.iter().map(|title| Cell::new(title).add_attribute(Attribute::Bold)));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// A cell with text from elsewhere.
pub(super) fn text(text: &str) -> Cell {
    Cell::new(escape::line(text))
}

/// A cell that says that something is well.
pub(super) fn good(text: &str) -> Cell {
    Cell::new(text).fg(Color::DarkGreen)
}

/// A cell that says that something is not yet, or no longer, as it should be.
pub(super) fn doubtful(text: &str) -> Cell {
    Cell::new(text).fg(Color::DarkYellow)
}

/// A cell that says that something is wrong.
pub(super) fn bad(text: &str) -> Cell {
    Cell::new(text).fg(Color::DarkRed)
}

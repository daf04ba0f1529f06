//! What a format other than the combined family has at which place: a list of slots, made once for a format, and for each
//! line the spans where they stand.

use std::borrow::Cow;

use jiff::Timestamp;
use smallvec::SmallVec;

use super::Field;
use super::access::{Span, Stop};
use super::escape::Escape;

/// What a slot holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Role {
    /// The client's address; also where a server logs it with a port, in brackets, or instead of it a name.
    Client,
    /// A whole request line: method, target, protocol.
    Request,
    /// A request target as the client sent it: path and query.
    Target,
    /// A field by itself. `Path` is taken as it stands: servers log it decoded and normalised.
    Is(Field),
}

/// One place of a format.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Slot {
    pub(super) role: Role,
    pub(super) escape: Escape,
}

/// Where the slots of a format stand in a line, in their order; `ABSENT` where the line has none.
pub(super) type Spans = SmallVec<[Span; 12]>;

/// A line of a format with slots, taken apart.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) spans: Spans,
    /// Where the date stands, without brackets or quotes around it.
    pub(super) date: Option<Span>,
    pub(super) time: Option<Timestamp>,
}

/// What reading a line of a format with slots yields.
pub(super) type Reading = Result<Parts, Stop>;

/// The slots of one line.
#[derive(Debug)]
pub(super) struct Slots<'a> {
    slots: &'a [Slot],
    spans: Spans,
}

impl Slot {
    /// The fields that it has, those that a request line or a target contains included.
    pub(super) fn fields(&self) -> Vec<Field> {
        match &self.role {
            Role::Client => vec![],
            Role::Request => {
                [Field::Method, Field::Path, Field::RequestUri, Field::Query, Field::Protocol, Field::Host]
                    .into()
            }
            Role::Target => [Field::Path, Field::RequestUri, Field::Query, Field::Host].into(),
            Role::Is(field) => vec![field.clone()],
        }
    }

    pub(super) const fn new(role: Role, escape: Escape) -> Self {
        Self { role, escape }
    }
}

impl<'a> Slots<'a> {
    pub(super) fn new(slots: &'a [Slot], spans: Spans) -> Self {
        Self { slots, spans }
    }

    /// Where a slot of this role stands, and how it is escaped. Of several the first that the line has.
    pub(super) fn find(&self, role: &Role) -> Option<(Span, Escape)> {
        let mut places = self.slots.iter().zip(&self.spans);
        places
            .find(|(slot, span)| slot.role == *role && **span != Span::ABSENT)
            .map(|(s, at)| (*at, s.escape))
    }

    /// Where the slot of a field stands, and how it is escaped. Of several the first that the line has.
    pub(super) fn place(&self, field: &Field) -> Option<(Span, Escape)> {
        let mut places = self.slots.iter().zip(&self.spans);
        let is = |role: &Role| matches!(role, Role::Is(held) if held == field);
        let (slot, span) = places.find(|(slot, span)| is(&slot.role) && **span != Span::ABSENT)?;
        Some((*span, slot.escape))
    }

    /// The value of a field that has a slot of its own, without escapes.
    pub(super) fn value<'l>(&self, line: &'l [u8], field: &Field) -> Option<Cow<'l, [u8]>> {
        let (span, escape) = self.place(field)?;
        Some(escape.undo(span.of(line)))
    }
}

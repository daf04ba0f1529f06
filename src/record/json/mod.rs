//! Logs that are a JSON object a line: a mapping says which field stands under which path.
//!
//! Of a key that occurs twice the first counts, and a path is walked from the line's object on. So the names that a client
//! chooses, those of headers inside of an object of the server's (Caddy's `request.headers`), hide no other field.

mod paths;
mod presets;
mod scan;
#[cfg(test)]
mod tests;
mod time;

pub(super) use presets::{CADDY, NGINX, TRAEFIK, USUAL};

use super::access::{Span, Stop, without_return};
use super::date::Reference;
use super::escape::Escape;
use super::field::{Field, FieldError};
use super::slots::{Parts, Reading, Role, Slot};
use paths::Paths;
use scan::Found;

/// A mapping from fields to paths, compiled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JsonFields {
    slots: Vec<Slot>,
    paths: Paths,
    /// What a line must have to be recognised: for each of these fields one of the slots.
    marks: Vec<Vec<usize>>,
    /// How the keys end under which the request or its target stands, quote included.
    targets: Vec<Vec<u8>>,
    /// A line whose value here begins so tells of no request of its own.
    other: Option<(usize, &'static [u8])>,
}

/// What a value is wanted for. Where several paths lead to a place, the one of the lowest rank that has a value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Want {
    place: Place,
    rank: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    Slot(usize),
    Time,
}

/// A mapping that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Nothing says whom a line is about.
    #[error("says not under which key the client's address stands")]
    NoClient,
    /// No field can have this name.
    #[error("{0}")]
    Name(#[from] FieldError),
    /// No path: keys with a `.` between them.
    #[error("`{path}` is no path: one to six keys with `.` between them")]
    Path {
        /// As it was written.
        path: String,
    },
    /// More paths for one field, or more fields, than a line is searched for.
    #[error("names more than 64 fields, or more than 64 paths for one of them")]
    TooMany,
}

/// Most fields, and most paths for one.
const MOST: usize = 64;

impl JsonFields {
    /// The names of fields that are no fields of rules: whom a line is about, when it was, the whole request line.
    pub const NAMES: [&'static str; 3] = ["client", "time", "request"];

    /// Compiles pairs of a field's name and a path. A name that comes again has another path, for lines that have no value
    /// under those before it.
    pub fn compile<'m>(mapping: impl IntoIterator<Item = (&'m str, &'m str)>) -> Result<Self, JsonError> {
        let (slots, paths, targets) = (Vec::new(), Paths::new(), Vec::new());
        let mut fields = Self { slots, paths, marks: Vec::new(), targets, other: None };
        let mut ranks = [0; MOST + 1];
        for (name, path) in mapping {
            fields.add(name, path, &mut ranks)?;
        }
        let has_client = fields.slots.iter().any(|slot| slot.role == Role::Client);
        if has_client { Ok(fields) } else { Err(JsonError::NoClient) }
    }

    fn add(&mut self, name: &str, path: &str, ranks: &mut [u8; MOST + 1]) -> Result<(), JsonError> {
        let place = match name {
            "time" => Place::Time,
            _ => Place::Slot(self.slot(role(name)?)),
        };
        let (at, is_target) = match place {
            Place::Time => (MOST, false),
            Place::Slot(slot) => (slot, self.slots.get(slot).is_some_and(|slot| is_target(&slot.role))),
        };
        let next = ranks.get_mut(at).filter(|next| usize::from(**next) < MOST).ok_or(JsonError::TooMany)?;
        self.paths.add(path, Want { place, rank: *next })?;
        *next += 1;
        if is_target {
            let key = path.rsplit('.').next().unwrap_or(path);
            self.targets.push(format!("{key}\"").into_bytes());
            self.targets = shortest(std::mem::take(&mut self.targets));
        }
        Ok(())
    }

    /// The slot of a role; a new one if it has none.
    fn slot(&mut self, role: Role) -> usize {
        self.slots.iter().position(|slot| slot.role == role).unwrap_or_else(|| {
            self.slots.push(Slot::new(role, Escape::Json));
            self.slots.len() - 1
        })
    }

    /// In the order of the spans that `read` returns.
    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// How the keys end under which the request, its target or its query stands: each with its closing quote, none the
    /// end of another.
    pub(super) fn targets(&self) -> &[Vec<u8>] {
        &self.targets
    }

    /// Reads one line.
    pub(super) fn read(&self, line: &[u8], reference: Option<&Reference>) -> Reading {
        let Found { spans, time: date, .. } = self.scan(line)?;
        let value = Escape::Json.undo(date.of(line));
        let time = time::read(&value, reference);
        Ok(Parts { spans, date: Some(date).filter(|date| *date != Span::ABSENT), time })
    }

    fn scan(&self, line: &[u8]) -> Result<Found, Stop> {
        let mut found = scan::scan(without_return(line), &self.paths, self.slots.len())?;
        if let Some((slot, begin)) = self.other
            && found.spans.get(slot).is_some_and(|span| span.of(line).starts_with(begin))
        {
            found.spans.fill(Span::ABSENT);
        }
        Ok(found)
    }

    /// Whether a line has what one of this format has.
    pub(super) fn recognises(&self, line: &[u8]) -> bool {
        let looks = line.iter().find(|byte| !matches!(byte, 0 | b' ' | b'\t')) == Some(&b'{');
        let has =
            |found: &Found, slot: &usize| found.spans.get(*slot).is_some_and(|span| *span != Span::ABSENT);
        let marked = |found: Found| self.marks.iter().all(|any| any.iter().any(|slot| has(&found, slot)));
        looks && self.scan(line).is_ok_and(marked)
    }

    /// The same fields, recognised by these: of each group one.
    fn marked(mut self, marks: &[&[Role]]) -> Self {
        let slot = |role: &Role| self.slots.iter().position(|slot| slot.role == *role);
        self.marks = marks.iter().map(|any| any.iter().filter_map(slot).collect()).collect();
        self
    }
}

/// What a name of a mapping stands for. `path` is the target as the client sent it, query and all.
fn role(name: &str) -> Result<Role, JsonError> {
    Ok(match name {
        "client" => Role::Client,
        "request" => Role::Request,
        "path" | "request_uri" => Role::Target,
        _ => Role::Is(name.parse()?),
    })
}

/// Whether path, target or query are read from there.
fn is_target(role: &Role) -> bool {
    matches!(role, Role::Request | Role::Target | Role::Is(Field::Query))
}

/// Without those that end in another.
fn shortest(mut keys: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    keys.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for key in keys {
        if !kept.iter().any(|short| key.ends_with(short)) {
            kept.push(key);
        }
    }
    kept
}

//! The reader: buffers of lines in, observations out.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::clientele::Clientele;
use super::clients::Clients;
use super::counts::FileReading;
use super::lens::{Lens, Shared};
use super::line::Held;
use super::pass::{CENSUS, CENSUS_FIRST, Pass};
use super::prefilter::{Chosen, Prefilter};
use super::unwrap::Unwrapped;
use crate::filter::{Language, Required};
use crate::record::{Format, Reference, Targets};
use crate::source::{last_lines, lines_before};
use crate::terms::{ClientSample, JailName, Observation};

/// So much of what was read before a restart is shown again to filters that join lines.
const RECALLED: usize = 256 * 1024;

/// Where an event's time comes from.
#[derive(Clone, Copy, Debug)]
pub enum Basis {
    /// The file is read as it grows: the event happens now.
    Arrival,
    /// Old lines are read: the line's own time, never later than now.
    Logged,
}

/// Reads buffers for one source. Shared by all its files; what changes with a file is in its `FileReading`.
#[derive(Debug)]
pub struct Reader {
    shared: Vec<Shared>,
    /// The jails to whom it matters which crawler a client says to be.
    pub(super) asking: Vec<JailName>,
    pub(super) evidence: bool,
    pub(super) clients: Clients,
    /// For each set of formats the search for candidates, made when it is first needed.
    searches: Mutex<Vec<Searched>>,
    /// What the last buffer that was wrapped held.
    unwrapped: Mutex<Unwrapped>,
    /// How many clients there are lately.
    clientele: Mutex<Clientele>,
}

/// Formats, and the search for candidates among lines of these.
type Searched = (Arc<[Format]>, Arc<Candidates>);

/// Which lines are parsed.
#[derive(Debug)]
pub(super) enum Candidates {
    Every,
    Holding(Prefilter),
}

impl Reader {
    /// A reader for the jails that look at one source; `evidence` keeps the text of offending lines.
    pub fn new(lenses: Vec<Lens>, evidence: bool) -> Self {
        let asking = lenses.iter().filter(|lens| lens.crawlers).map(|lens| lens.jail.clone()).collect();
        Self {
            shared: Shared::group(lenses),
            asking,
            evidence,
            clients: Clients::default(),
            searches: Mutex::default(),
            unwrapped: Mutex::default(),
            clientele: Mutex::default(),
        }
    }

    /// The same, where clients are told as `clients` says.
    #[must_use]
    pub fn telling(mut self, clients: Clients) -> Self {
        self.clients = clients;
        self
    }

    /// Reads a buffer of lines (the last one may lack its newline) and adds an observation for each parsed record that
    /// names a client. `reference` holds the present.
    pub fn read(
        &self,
        file: &mut FileReading,
        buffer: &[u8],
        basis: Basis,
        reference: &Reference,
        out: &mut Vec<Observation>,
    ) {
        let mut unwrapped = self.unwrapped.lock().unwrap_or_else(PoisonError::into_inner);
        file.let_raw(self.reads_raw());
        let wrapped = file.unwrapped(buffer, &mut unwrapped).then_some((buffer, &*unwrapped));
        let buffer = wrapped.map_or(buffer, |(_, unwrapped)| &unwrapped.lines);
        let around = &*self.clients.around.now();
        Pass { reader: self, file, buffer, wrapped, around, basis, reference, out }.run();
    }

    /// The clients of the last minute that was read; `None` where its lines told of none.
    pub fn sample(&self) -> Option<ClientSample> {
        self.clientele().sample()
    }

    pub(super) fn clientele(&self) -> MutexGuard<'_, Clientele> {
        self.clientele.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it goes by; all that share it see a change.
    #[cfg(test)]
    pub(super) fn around(&self) -> &super::Surroundings {
        &self.clients.around
    }

    /// Whether some filter looks at raw lines.
    pub(super) fn reads_raw(&self) -> bool {
        self.shared.iter().any(|shared| shared.filter.is_raw())
    }

    /// Has the filters that join lines see those of a file that come before `offset`, where its reading goes on: they were
    /// judged before, and nothing comes of them now.
    pub fn recall(&self, file: &mut FileReading, path: &Path, offset: u64, reference: &Reference) {
        if !self.shared.iter().any(Shared::remembers) {
            return;
        }
        let (mut probe, mut unwrapped) = (file.clone(), Unwrapped::default());
        probe.let_raw(self.reads_raw());
        let before = lines_before(path, offset, RECALLED).unwrap_or_default();
        let buffer = if probe.unwrapped(&before, &mut unwrapped) { &unwrapped.lines } else { &before };
        for line in lines(buffer) {
            let held = Held::default();
            let Ok(record) = probe.parse(line, reference, &held) else { continue };
            for shared in self.shared.iter().filter(|shared| shared.remembers()) {
                shared.judge(&record, reference, &file.memories);
            }
        }
    }

    /// A file none of whose lines was read yet; the wrong-client guard has counted the last ones. Without that a few lines
    /// after a restart would prove nothing, and one whom all come through would be banned. What cannot be read is counted as
    /// it comes.
    pub fn first_look(&self, mut file: FileReading, path: &Path, reference: &Reference) -> FileReading {
        if self.reads_raw() && file.given().is_none() {
            file.formats.survey(lines(&last_lines(path, CENSUS_FIRST).unwrap_or_default()));
        }
        if !self.clients.guard {
            return file;
        }
        let (mut probe, mut unwrapped) = (file.clone(), Unwrapped::default());
        let last = last_lines(path, CENSUS).unwrap_or_default();
        let buffer = if probe.unwrapped(&last, &mut unwrapped) { &unwrapped.lines } else { &last };
        let (around, basis, out) = (&*self.clients.around.now(), Basis::Logged, &mut Vec::new());
        let file_reading = &mut probe;
        let mut pass =
            Pass { reader: self, file: file_reading, buffer, wrapped: None, around, basis, reference, out };
        pass.census(CENSUS, |_, _| {});
        let mut file = file.counted(probe.census);
        file.crowd = probe.crowd;
        file
    }

    /// How many searches its filters gave up, since they would have gone back too often.
    pub(super) fn given_up(&self) -> u64 {
        let languages = self.shared.iter().filter_map(|shared| shared.filter.language());
        languages.map(Language::given_up).sum()
    }

    pub(super) fn chosen(&self, chosen: Chosen) -> impl Iterator<Item = &Shared> {
        self.shared.iter().enumerate().filter(move |(index, _)| chosen.has(*index)).map(|(_, shared)| shared)
    }

    pub(super) fn candidates(&self, formats: &Arc<[Format]>) -> Arc<Candidates> {
        let mut searches = self.searches.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, made)) = searches.iter().find(|(of, _)| of == formats) {
            return Arc::clone(made);
        }
        let made = Arc::new(self.make_candidates(formats));
        searches.push((Arc::clone(formats), Arc::clone(&made)));
        made
    }

    /// What each filter requires of lines of any of these formats.
    fn make_candidates(&self, formats: &[Format]) -> Candidates {
        let of = |shared: &Shared| {
            let all: Option<Vec<Required>> =
                formats.iter().map(|format| shared.filter.required(format)).collect();
            all?.into_iter().reduce(Required::or)
        };
        let required: Vec<Option<Required>> = self.shared.iter().map(of).collect();
        let any = required.iter().any(Option::is_some);
        let targets: Vec<Targets<'_>> = formats.iter().filter_map(Format::targets).collect();
        let prefilter = || Prefilter::new(&required, &targets);
        if any { Candidates::Holding(prefilter()) } else { Candidates::Every }
    }
}

/// The lines of a buffer, without their newlines.
pub fn lines(buffer: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    let whole = buffer.strip_suffix(b"\n").unwrap_or(buffer);
    (!buffer.is_empty()).then(|| whole.split(|b| *b == b'\n')).into_iter().flatten()
}

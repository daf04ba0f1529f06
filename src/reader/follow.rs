//! A followed source on a thread of its own: lines in, batches of observations out.

use std::collections::HashMap;
use std::io;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{Basis, FileReading, Reader};
use crate::os::clock;
use crate::record::{Format, Reference};
use crate::source::{
    Chunk, Consumer, Event, FileId, FileInfo, FileStatus, Intake, Registry, SourceError, Waker,
};
use crate::terms::{Batch, Checkpoint, SourceName};

/// What follows from a source's files, told to whoever owns the engine. Each call may wait: the file is the buffer.
pub trait Listener: Send {
    /// Observations in reading order and how far they take it. `Break` stops the source.
    fn batch(&mut self, batch: Batch) -> ControlFlow<()>;
    /// Makes the position durable at which a file without a checkpoint begins, before any line of it counts.
    fn first_look(&mut self, checkpoint: &Checkpoint) -> io::Result<()>;
    /// Something that an operator may want to know.
    fn event(&mut self, event: Told);
}

/// What happened while a source was read.
#[derive(Debug)]
pub enum Told {
    /// To its files.
    Source(Event),
    /// A file's format was found out.
    Format {
        /// The file.
        path: std::path::PathBuf,
        /// What it is.
        format: Format,
    },
    /// Many lines of a file do not parse.
    Unparsed {
        /// The file.
        path: std::path::PathBuf,
        /// Lines that were tried.
        tried: u64,
        /// Lines that failed.
        failed: u64,
        /// One of them, and why.
        example: super::Example,
    },
    /// Most records of a file name a host instead of an address.
    Nameless {
        /// The file.
        path: std::path::PathBuf,
        /// How many.
        nameless: u64,
    },
    /// The logged times of a file are far from their arrival.
    Skewed {
        /// The file.
        path: std::path::PathBuf,
        /// What the line says.
        logged: Timestamp,
        /// When it arrived.
        arrived: Timestamp,
    },
    /// The first look at all files is done: what is there is followed from now on.
    Opened,
    /// Every file that was there at the start has been read to its end.
    CaughtUp,
}

/// What to follow.
pub struct Following {
    /// What it reads.
    pub settings: crate::source::Settings,
    /// Their format; `None`: found out for each file.
    pub format: Option<Format>,
    /// Where reading goes on.
    pub checkpoints: Vec<Checkpoint>,
    /// The jails' look at them.
    pub reader: Reader,
    /// The longest findtime of the jails: how far back a file is read that has no checkpoint.
    pub findtime: SignedDuration,
    /// What it shares with the other sources.
    pub registry: Registry,
}

/// One file as `status` shows it.
#[derive(Clone, Debug)]
pub struct FileView {
    /// Where it is, and how far it is read.
    pub file: FileStatus,
    /// What its lines were.
    pub reading: FileReading,
}

/// The files of a source as they were at the last look; shared with whoever answers `status`.
pub type View = Arc<Mutex<Vec<FileView>>>;

/// Follows the files of a source until the listener breaks or `stop` says so.
pub struct Follow<L> {
    // Before the desk: who hears no more from the listener may open the same source again.
    intake: Intake,
    desk: Desk<L>,
    view: View,
    opened_told: bool,
    backlog_told: bool,
}

/// What takes the lines.
struct Desk<L> {
    source: SourceName,
    reader: Reader,
    format: Option<Format>,
    findtime: SignedDuration,
    zone: TimeZone,
    files: HashMap<FileId, (FileReading, Complaints)>,
    listener: L,
}

/// What was already said about a file: each complaint is made once.
#[derive(Default)]
struct Complaints {
    unparsed: bool,
    nameless: bool,
    skewed: bool,
    format: bool,
}

impl<L: Listener> Follow<L> {
    /// Prepares to follow; nothing is read yet.
    pub fn new(following: Following, listener: L, view: View) -> Result<Self, SourceError> {
        let Following { settings, format, checkpoints, reader, findtime, registry } = following;
        let desk = Desk {
            source: settings.name.clone(),
            reader,
            format,
            findtime,
            zone: TimeZone::system(),
            files: HashMap::new(),
            listener,
        };
        Ok(Self {
            intake: Intake::open(settings, checkpoints, &registry)?,
            desk,
            view,
            opened_told: false,
            backlog_told: false,
        })
    }

    /// Wakes the thread out of its sleep, so that it looks at `stop`.
    pub fn waker(&self) -> Waker {
        self.intake.waker()
    }

    /// Reads, and sleeps while there is nothing to read, until `stop` returns true or the listener breaks.
    pub fn run(mut self, stop: &dyn Fn() -> bool) {
        while !stop() {
            let turn = self.intake.turn(clock::now(), &mut self.desk);
            if self.leftover().is_break() || turn.stopped {
                return;
            }
            self.show();
            self.tell_progress();
            if !turn.more {
                self.intake.wait();
            }
        }
    }

    /// Positions that no observation took along.
    fn leftover(&mut self) -> ControlFlow<()> {
        let positions = self.intake.positions();
        if positions.is_empty() {
            return ControlFlow::Continue(());
        }
        let checkpoints = positions.take();
        self.desk.listener.batch(Batch {
            source: self.desk.source.clone(),
            observations: Vec::new(),
            checkpoints,
        })
    }

    fn tell_progress(&mut self) {
        if !self.opened_told {
            self.opened_told = true;
            self.desk.listener.event(Told::Opened);
        }
        if !self.backlog_told && self.intake.backlog_read() {
            self.backlog_told = true;
            self.desk.listener.event(Told::CaughtUp);
        }
    }

    fn show(&mut self) {
        let files = self.intake.status();
        let live: std::collections::HashSet<FileId> = files.iter().filter_map(|file| file.id).collect();
        self.desk.files.retain(|id, _| live.contains(id));
        let reading = |file: &FileStatus| {
            file.id.and_then(|id| self.desk.files.get(&id)).map(|(reading, _)| reading.clone())
        };
        let views = files
            .into_iter()
            .map(|file| FileView { reading: reading(&file).unwrap_or_default(), file })
            .collect();
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = views;
    }
}

impl<L: Listener> Desk<L> {
    fn complain(&mut self, file: &FileInfo) {
        let Some((reading, said)) = self.files.get_mut(&file.id) else { return };
        let path = || file.path.clone();
        if let Some(format) = reading.format.clone().filter(|_| self.format.is_none() && !said.format) {
            said.format = true;
            self.listener.event(Told::Format { path: path(), format });
        }
        let tried = reading.parsed + reading.unparsed;
        let many = reading.mostly_unparsed();
        if let Some(example) = reading.example.clone().filter(|_| many && !said.unparsed) {
            said.unparsed = true;
            self.listener.event(Told::Unparsed { path: path(), tried, failed: reading.unparsed, example });
        }
        if reading.mostly_nameless() && !said.nameless {
            said.nameless = true;
            self.listener.event(Told::Nameless { path: path(), nameless: reading.nameless });
        }
        if let Some((logged, arrived)) = reading.skew.filter(|_| !said.skewed) {
            said.skewed = true;
            self.listener.event(Told::Skewed { path: path(), logged, arrived });
        }
    }

    fn reference(&self, arrived: Option<Timestamp>) -> Reference {
        let now = clock::now();
        Reference { now: arrived.map_or(now, |arrived| arrived.min(now)), zone: self.zone.clone() }
    }
}

impl<L: Listener> Consumer for Desk<L> {
    fn lines(&mut self, chunk: Chunk<'_>) -> ControlFlow<()> {
        let reference = self.reference(chunk.arrived);
        let basis = if chunk.caught_up { Basis::Arrival } else { Basis::Logged };
        let fresh = || (FileReading::new(self.format.clone()), Complaints::default());
        let (reading, _) = self.files.entry(chunk.file.id).or_insert_with(fresh);
        let mut observations = Vec::new();
        self.reader.read(reading, chunk.bytes, basis, &reference, &mut observations);
        self.complain(chunk.file);
        if observations.is_empty() {
            return ControlFlow::Continue(());
        }
        let checkpoints = chunk.positions.take();
        self.listener.batch(Batch { source: self.source.clone(), observations, checkpoints })
    }

    fn time_of(&mut self, _file: &FileInfo, line: &[u8]) -> Option<Timestamp> {
        let format = self.format.clone().or_else(|| Format::detect(std::iter::once(line)))?;
        format.time_at(line, &self.reference(None))
    }

    fn since(&mut self, now: Timestamp) -> Timestamp {
        now.checked_sub(self.findtime).unwrap_or(Timestamp::MIN)
    }

    fn begin(&mut self, first: &Checkpoint) -> io::Result<()> {
        self.listener.first_look(first)
    }

    fn event(&mut self, event: Event) {
        self.listener.event(Told::Source(event));
    }
}

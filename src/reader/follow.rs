//! A followed source on a thread of its own: lines in, batches of observations out.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::crowd::Census;
use super::{Basis, Crowd, FileReading, HostFromPath, Reader};
use crate::address::Address;
use crate::os::clock;
use crate::record::{Format, Reference, time_of};
use crate::source::{
    Chunk, Consumer, Event, FileId, FileInfo, FileStatus, Input, Intake, Registry, SourceError, Waker,
};
use crate::terms::{Batch, Checkpoint, ClientSample, Observation, SourceName};

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
    /// What a file's lines are was found out, or there are others among them.
    Format {
        /// The file.
        path: std::path::PathBuf,
        /// Wrappers and formats, as [`FileReading::taken`] has them.
        taken: String,
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
        /// The format that they look like.
        looks_like: Option<Format>,
    },
    /// A line that came in parts was cut.
    Cut {
        /// The file.
        path: std::path::PathBuf,
    },
    /// Most lines of a file come from an address that can be no client.
    Crowd {
        /// The file.
        path: std::path::PathBuf,
        /// Which address, and what to do.
        crowd: Crowd,
    },
    /// These addresses are such for the files of the source, and no others, from the next batch on.
    Crowds(Vec<Address>),
    /// Most records of a file name a host instead of an address.
    Nameless {
        /// The file.
        path: std::path::PathBuf,
        /// How many.
        nameless: u64,
    },
    /// A filter gave searches up in lines of a file, since they would have gone back too often.
    GivenUp {
        /// The file.
        path: std::path::PathBuf,
        /// How many.
        searches: u64,
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
    /// Where the paths of its files say which host they are about.
    pub host: Option<HostFromPath>,
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
    is_socket: bool,
    /// Lines whose times the journal notes, and that have none in front.
    is_undated: bool,
    reader: Reader,
    format: Option<Format>,
    host: Option<HostFromPath>,
    findtime: SignedDuration,
    zone: TimeZone,
    files: HashMap<FileId, Known>,
    /// What the wrong-client guard counted in files that were let go, for their successors: by the path of both.
    counted: HashMap<PathBuf, Census>,
    /// The crowds that were told last; `None` while there was nothing to tell.
    crowds: Option<BTreeSet<Address>>,
    /// The second in which clients were told last.
    sampled: i64,
    listener: L,
}

/// What is known of one file.
struct Known {
    reading: FileReading,
    said: Complaints,
    home: PathBuf,
}

/// What was already said about a file: each complaint is made once.
#[derive(Default)]
struct Complaints {
    unparsed: bool,
    nameless: bool,
    given_up: bool,
    skewed: bool,
    cut: bool,
    /// Each that was said: what lines are changes seldom.
    taken: Vec<String>,
    crowd: Option<Address>,
}

/// So much of a file is read again after a stop, at most, for the begin of a line whose end had not come.
const HELD: u64 = 4 << 20;

impl<L: Listener> Follow<L> {
    /// Prepares to follow; nothing is read yet.
    pub fn new(following: Following, listener: L, view: View) -> Result<Self, SourceError> {
        let Following { settings, format, host, checkpoints, reader, findtime, registry } = following;
        let desk = Desk {
            source: settings.name.clone(),
            is_socket: matches!(settings.input, Input::Listen(_)),
            is_undated: matches!(&settings.input, Input::Journal(journal) if journal.prefixed),
            reader,
            format,
            host,
            findtime,
            zone: TimeZone::system(),
            files: HashMap::new(),
            counted: HashMap::new(),
            crowds: None,
            sampled: 0,
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
            live: false,
            clients: None,
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
        let live: HashSet<FileId> = files.iter().filter_map(|file| file.id).collect();
        self.desk.let_go(&live, &files);
        let reading = |file: &FileStatus| {
            file.id.and_then(|id| self.desk.files.get(&id)).map(|known| known.reading.clone())
        };
        let views = files
            .into_iter()
            .map(|file| FileView { reading: reading(&file).unwrap_or_default(), file })
            .collect();
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = views;
    }
}

impl<L: Listener> Desk<L> {
    /// What is known of a file whose first lines come. The guard goes on with what it knows of the file's predecessor, and so
    /// do lines of which that one held the begin.
    fn open(&mut self, file: &FileInfo, offset: u64, reference: &Reference) {
        let host = self.host.as_ref().and_then(|host| host.host_of(&file.home));
        let fresh = FileReading::new(self.format.clone()).about(host);
        let fresh = if self.is_socket { fresh.of_messages() } else { fresh };
        let fresh = if self.is_undated { fresh.undated() } else { fresh };
        let sibling = self.files.values().find(|known| known.home == file.home).map(|k| k.reading.census);
        let mut reading = match sibling.or_else(|| self.counted.remove(&file.home)) {
            Some(census) => fresh.counted(census),
            None => self.reader.first_look(fresh, &file.path, reference),
        };
        let before = self.files.values_mut().filter(|known| known.home == file.home);
        before.for_each(|before| reading.go_on(&mut before.reading));
        if offset > 0 {
            self.reader.recall(&mut reading, &file.path, offset, reference);
        }
        let known = Known { reading, said: Complaints::default(), home: file.home.clone() };
        self.files.insert(file.id, known);
    }

    /// Forgets the files that are not followed any more; what was counted in them stays while their path is in use.
    fn let_go(&mut self, live: &HashSet<FileId>, files: &[FileStatus]) {
        let in_use = |home: &PathBuf| files.iter().any(|file| file.path == *home);
        for (_, known) in self.files.extract_if(|id, _| !live.contains(id)) {
            self.counted.insert(known.home, known.reading.census);
        }
        self.counted.retain(|home, _| in_use(home));
    }

    /// Tells the crowds where they are others now, before the observations that they concern.
    fn tell_crowds(&mut self) {
        let readings = || self.files.values().map(|known| &known.reading);
        let crowds = readings().filter_map(|reading| Some(reading.crowd.as_ref()?.address));
        let crowds: BTreeSet<Address> = crowds.collect();
        let news = match &self.crowds {
            Some(told) => *told != crowds,
            None => readings().any(|reading| reading.census.is_decisive()),
        };
        if news {
            self.listener.event(Told::Crowds(crowds.iter().copied().collect()));
            self.crowds = Some(crowds);
        }
    }

    fn complain(&mut self, file: &FileInfo) {
        let Some(Known { reading, said, .. }) = self.files.get_mut(&file.id) else { return };
        let path = || file.path.clone();
        // What is given is known, unless something had to be taken off first.
        let taken = reading.taken().filter(|taken| self.format.is_none() || taken.contains(": "));
        if let Some(taken) = taken.filter(|taken| !said.taken.contains(taken)) {
            said.taken.push(taken.clone());
            self.listener.event(Told::Format { path: path(), taken });
        }
        let tried = reading.parsed + reading.unparsed;
        let many = reading.mostly_unparsed();
        if let Some(example) = reading.example.clone().filter(|_| many && !said.unparsed) {
            said.unparsed = true;
            let (failed, looks_like) = (reading.unparsed, reading.looks_like());
            self.listener.event(Told::Unparsed { path: path(), tried, failed, example, looks_like });
        }
        if reading.cut() > 0 && !said.cut {
            said.cut = true;
            self.listener.event(Told::Cut { path: path() });
        }
        if reading.mostly_nameless() && !said.nameless {
            said.nameless = true;
            self.listener.event(Told::Nameless { path: path(), nameless: reading.nameless });
        }
        if reading.given_up > 0 && !said.given_up {
            said.given_up = true;
            self.listener.event(Told::GivenUp { path: path(), searches: reading.given_up });
        }
        if let Some(crowd) = reading.crowd.clone().filter(|crowd| said.crowd != Some(crowd.address)) {
            said.crowd = Some(crowd.address);
            self.listener.event(Told::Crowd { path: path(), crowd });
        }
        if let Some((logged, arrived)) = reading.skew.filter(|_| !said.skewed) {
            said.skewed = true;
            self.listener.event(Told::Skewed { path: path(), logged, arrived });
        }
    }

    /// The clients of the last minute: with offences, which may ban, and else once in a second.
    fn sample(&mut self, now: Timestamp, observations: &[Observation]) -> Option<ClientSample> {
        let second = now.as_second();
        let is_due = std::mem::replace(&mut self.sampled, second) != second;
        let is_wanted = is_due || observations.iter().any(|one| !one.offences.is_empty());
        if is_wanted { self.reader.sample() } else { None }
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
        if !self.files.contains_key(&chunk.file.id) {
            self.open(chunk.file, chunk.offset, &reference);
        }
        let Some(known) = self.files.get_mut(&chunk.file.id) else { return ControlFlow::Continue(()) };
        let mut observations = Vec::new();
        self.reader.read(&mut known.reading, chunk.bytes, basis, &reference, &mut observations);
        if let Some(held) = known.reading.held().filter(|held| *held <= HELD) {
            chunk.positions.hold_back(&chunk.file.path, held);
        }
        self.complain(chunk.file);
        self.tell_crowds();
        if observations.is_empty() {
            return ControlFlow::Continue(());
        }
        let checkpoints = chunk.positions.take();
        let (source, live) = (self.source.clone(), chunk.caught_up);
        let clients = if live { self.sample(reference.now, &observations) } else { None };
        self.listener.batch(Batch { source, observations, checkpoints, live, clients })
    }

    fn time_of(&mut self, _file: &FileInfo, line: &[u8]) -> Option<Timestamp> {
        let reference = self.reference(None);
        let time = time_of(line, self.format.as_ref(), &reference);
        let raw = || time_of(line, Some(&Format::Raw), &reference).filter(|_| self.reader.reads_raw());
        time.or_else(|| raw().filter(|_| self.format.is_none()))
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

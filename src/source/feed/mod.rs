//! What lines come from that is no file: standard input, sockets, the journal. One thread owns a feed, as a follower.
//!
//! Nothing is buffered here beyond one turn's lines: while the consumer waits, a pipe's writer waits too, a unix
//! socket's sender is told, and of UDP the system holds some and counts what it drops.

mod alarm;
mod datagrams;
mod export;
mod haul;
mod journal;
mod prefix;
mod socket;
mod stdin;
mod streams;
#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use self::alarm::Alarm;
pub(super) use self::alarm::Bell;
use self::datagrams::Datagrams;
use self::haul::Haul;
use self::journal::{Journal, Place};
use self::stdin::Stdin;
use self::streams::Streams;
use super::registry::{Registry, lock};
use super::{
    Chunk, Consumer, Endpoint, Event, FileId, FileInfo, FileState, FileStatus, FirstRead, Input, Listen,
    Positions, Settings, SourceError, Turn,
};
use crate::terms::Checkpoint;

/// Between two looks at what tells nothing by itself: a socket's name, a journalctl to be started again.
const IDLE: Duration = Duration::from_secs(1);
/// Until a process that closed its output is gone.
const SHORTLY: Duration = Duration::from_millis(10);
const LOOK: SignedDuration = SignedDuration::from_secs(1);

/// Reads one input that is no file.
pub(super) struct Feed {
    info: FileInfo,
    read: FirstRead,
    inlet: Arc<Mutex<Inlet>>,
    positions: Positions,
    alarm: Alarm,
    haul: Haul,
    /// Told before anything else.
    untold: Option<Event>,
    /// How many bytes were handed out.
    offset: u64,
    looked_at: Option<Timestamp>,
    /// Why it cannot be read at present; told once.
    failure: Option<String>,
}

/// Where the lines come in; stays open while the configuration is read again.
pub(super) enum Inlet {
    Stdin(Stdin),
    Datagrams(Datagrams),
    Streams(Streams),
    Journal(Box<Journal>),
}

impl Feed {
    /// Opens what `settings` names, or takes it over from the feed before.
    pub(super) fn open(
        settings: &Settings,
        checkpoints: &[Checkpoint],
        registry: &Registry,
    ) -> Result<Self, SourceError> {
        let system = |error: io::Error| SourceError::System { error: error.to_string() };
        let path = PathBuf::from(settings.input.to_string());
        let (inlet, untold) = open(&settings.input, &path, checkpoints, registry)?;
        Ok(Self {
            info: FileInfo { id: FileId(1), home: path.clone(), path },
            read: settings.read,
            inlet,
            positions: Positions::new(settings.name.clone()),
            alarm: Alarm::new().map_err(system)?,
            haul: Haul::default(),
            untold,
            offset: 0,
            looked_at: None,
            failure: None,
        })
    }

    pub(super) fn bell(&self) -> Bell {
        self.alarm.bell()
    }

    pub(super) fn positions(&mut self) -> &mut Positions {
        &mut self.positions
    }

    pub(super) fn backlog_read(&self) -> bool {
        match &*lock(&self.inlet) {
            // What cannot be read now must not hold anything up.
            Inlet::Journal(journal) => journal.backlog_read || journal.state() == FileState::Unreadable,
            Inlet::Stdin(_) | Inlet::Datagrams(_) | Inlet::Streams(_) => true,
        }
    }

    /// Takes what is there, and hands it out.
    pub(super) fn turn(&mut self, now: Timestamp, consumer: &mut dyn Consumer) -> Turn {
        self.untold.take().into_iter().for_each(|event| consumer.event(event));
        self.haul.clear();
        let more = match self.fill(now, consumer) {
            Ok(more) => {
                self.failure = None;
                more
            }
            Err(error) => {
                self.fail(error, consumer);
                false
            }
        };
        self.haul.events.drain(..).for_each(|event| consumer.event(event));
        let stopped = self.hand_out(consumer);
        Turn { more: more && !stopped, stopped }
    }

    fn fill(&mut self, now: Timestamp, consumer: &mut dyn Consumer) -> Result<bool, String> {
        let at = self.info.path.to_string_lossy();
        let mut inlet = lock(&self.inlet);
        if self.looked_at.is_none_or(|last| now.duration_since(last).abs() >= LOOK) {
            self.looked_at = Some(now);
            if inlet.rebind().map_err(|error| error.to_string())? {
                self.haul.events.push(Event::Unlinked { at: at.clone().into_owned() });
            }
        }
        match &mut *inlet {
            Inlet::Stdin(stdin) => stdin.read(&at, &mut self.haul).map_err(|error| error.to_string()),
            Inlet::Datagrams(socket) => socket.read(&mut self.haul).map_err(|error| error.to_string()),
            Inlet::Streams(socket) => socket.read(&mut self.haul).map_err(|error| error.to_string()),
            Inlet::Journal(journal) => {
                if !journal.has_place() {
                    let first = first_place(self.read, now, consumer);
                    let checkpoint = self.positions.cursor(&self.info.path, first.cursor());
                    consumer.begin(&checkpoint).map_err(|error| not_stored(&error))?;
                    journal.begin(first);
                }
                Ok(journal.read(now, &mut self.haul))
            }
        }
    }

    fn fail(&mut self, error: String, consumer: &mut dyn Consumer) {
        if self.failure.as_ref() != Some(&error) {
            let at = self.info.path.to_string_lossy().into_owned();
            consumer.event(Event::Broken { at, error: error.clone() });
        }
        self.failure = Some(error);
    }

    /// Whether the consumer wants no more.
    fn hand_out(&mut self, consumer: &mut dyn Consumer) -> bool {
        for (lines, part) in self.haul.parts() {
            if let Some(cursor) = &part.cursor {
                self.positions.set_cursor(&self.info.path, cursor.clone());
            }
            if lines.is_empty() {
                continue;
            }
            let offset = self.offset;
            self.offset += lines.len() as u64;
            let positions = &mut self.positions;
            let chunk = Chunk {
                file: &self.info,
                bytes: lines,
                offset,
                caught_up: true,
                arrived: part.arrived,
                positions,
            };
            if consumer.lines(chunk).is_break() {
                return true;
            }
        }
        false
    }

    /// Sleeps until there may be something to do.
    pub(super) fn wait(&mut self) {
        let inlet = lock(&self.inlet);
        let failed = self.failure.is_some();
        // What cannot be read would be ready again and again.
        let fds = if failed { Vec::new() } else { inlet.fds() };
        let ending = matches!(&*inlet, Inlet::Journal(journal) if journal.is_ending());
        self.alarm.wait(&fds, if ending { SHORTLY } else { IDLE });
    }

    pub(super) fn status(&self) -> Vec<FileStatus> {
        let inlet = lock(&self.inlet);
        let (state, dropped, error) = match &*inlet {
            Inlet::Stdin(stdin) if stdin.ended => (FileState::Ended, 0, None),
            Inlet::Stdin(_) | Inlet::Streams(_) => (FileState::Live, 0, None),
            Inlet::Datagrams(socket) => (FileState::Live, socket.dropped(), None),
            Inlet::Journal(journal) => (journal.state(), 0, journal.trouble()),
        };
        let state = if self.failure.is_some() { FileState::Unreadable } else { state };
        let problem = self.failure.clone().or(error);
        let (id, path) = (Some(self.info.id), self.info.path.clone());
        vec![FileStatus { id, path, offset: self.offset, size: self.offset, state, dropped, problem }]
    }
}

impl Inlet {
    fn fds(&self) -> Vec<BorrowedFd<'_>> {
        match self {
            Self::Stdin(stdin) => stdin.fd().into_iter().collect(),
            Self::Datagrams(socket) => vec![socket.fd()],
            Self::Streams(socket) => socket.fds(),
            Self::Journal(journal) => journal.fds(),
        }
    }

    fn bind(listen: &Listen) -> Result<Self, SourceError> {
        Ok(match listen.at {
            Endpoint::UnixStream(_) => Self::Streams(Streams::bind(listen)?),
            Endpoint::UnixDatagram(_) | Endpoint::Udp(_) => Self::Datagrams(Datagrams::bind(listen)?),
        })
    }

    /// Binds a unix socket anew whose name was taken from it; whether that was so.
    fn rebind(&mut self) -> Result<bool, SourceError> {
        match self {
            Self::Datagrams(socket) => socket.rebind(),
            Self::Streams(socket) => socket.rebind(),
            Self::Stdin(_) | Self::Journal(_) => Ok(false),
        }
    }

    fn admit(&mut self, listen: &Listen) -> Result<Option<String>, SourceError> {
        match self {
            Self::Datagrams(socket) => socket.admit(listen),
            Self::Streams(socket) => socket.admit(listen),
            Self::Stdin(_) | Self::Journal(_) => Ok(None),
        }
    }
}

/// The inlet, and what is to be told of it.
fn open(
    input: &Input,
    path: &std::path::Path,
    checkpoints: &[Checkpoint],
    registry: &Registry,
) -> Result<(Arc<Mutex<Inlet>>, Option<Event>), SourceError> {
    let name = input.to_string();
    match input {
        Input::Listen(listen) => {
            let inlet = registry.inlet(&name, || Inlet::bind(listen))?;
            let access = lock(&inlet).admit(listen)?;
            Ok((inlet, Some(Event::Listening { at: name, access })))
        }
        Input::Journal(input) => {
            let known = checkpoints.iter().find(|known| known.path == path && !known.finished);
            let journal = Journal::new(input, known.and_then(|known| known.cursor.as_deref()));
            Journal::check()?;
            Ok((Arc::new(Mutex::new(Inlet::Journal(Box::new(journal)))), None))
        }
        Input::Stdin | Input::Files(_) => {
            Ok((registry.inlet(&name, || Ok(Inlet::Stdin(Stdin::new())))?, None))
        }
    }
}

/// Whether a journal can be read on this host at all.
pub fn check_journal() -> Result<(), SourceError> {
    Journal::check()
}

fn not_stored(error: &io::Error) -> String {
    format!("where reading begins cannot be stored ({error}); it is not read before that")
}

/// Where a journal is begun that has no checkpoint.
fn first_place(read: FirstRead, now: Timestamp, consumer: &mut dyn Consumer) -> Place {
    Place::Since(match read {
        FirstRead::Recent => consumer.since(now),
        FirstRead::Beginning => Timestamp::UNIX_EPOCH,
        FirstRead::End => now,
    })
}

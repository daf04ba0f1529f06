//! Logs that are read whole, on their own time: one file after the other, or several merged by line time.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::{Basis, FileReading, Meter, Reader};
use crate::record::Reference;
use crate::source::Chunker;
use crate::terms::Observation;

/// A log in buffers of whole lines; only the last line may lack its newline.
pub struct Lines {
    path: PathBuf,
    chunks: Chunker<Box<dyn Read>>,
}

/// One log on its way through a reader.
pub struct Whole<'r> {
    lines: Lines,
    reader: &'r Reader,
    reading: FileReading,
    /// Observations that were read and not yet handed out.
    ahead: VecDeque<Observation>,
    ended: bool,
}

/// A log that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {error}", path.display())]
pub struct ReadError {
    /// Which one.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

impl Lines {
    /// Opens a log; `-` is standard input. Compressed ones (gzip) are known by their first bytes.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        Self::open_metered(path, &Meter::default())
    }

    /// The same; `meter` shows how far it is read.
    pub fn open_metered(path: &Path, meter: &Meter) -> Result<Self, ReadError> {
        let input = open(path, meter).map_err(|error| ReadError { path: path.to_owned(), error })?;
        Ok(Self { path: path.to_owned(), chunks: Chunker::new(input) })
    }

    /// The rest of a log that is open already.
    pub(super) fn over(path: &Path, input: Box<dyn Read>) -> Self {
        Self { path: path.to_owned(), chunks: Chunker::new(input) }
    }

    /// The next buffer; `None` at the end.
    pub fn next_buffer(&mut self) -> Result<Option<&[u8]>, ReadError> {
        let Self { path, chunks } = self;
        chunks.next_chunk().map_err(|error| ReadError { path: path.clone(), error })
    }
}

impl<'r> Whole<'r> {
    /// Opens a log, as [`Lines`] does; `meter` shows how far it is read.
    pub fn open(
        path: &Path,
        reader: &'r Reader,
        reading: FileReading,
        meter: &Meter,
    ) -> Result<Self, ReadError> {
        let lines = Lines::open_metered(path, meter)?;
        Ok(Self { lines, reader, reading, ahead: VecDeque::new(), ended: false })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.lines.path
    }

    /// What was read so far.
    pub fn reading(&self) -> &FileReading {
        &self.reading
    }

    /// The next observation; `None` at the end.
    pub fn next(&mut self, reference: &Reference) -> Result<Option<Observation>, ReadError> {
        self.fill(reference)?;
        Ok(self.ahead.pop_front())
    }

    /// Reads until there is an observation, or the end.
    fn fill(&mut self, reference: &Reference) -> Result<(), ReadError> {
        while self.ahead.is_empty() && !self.ended {
            if let Some(bytes) = self.lines.next_buffer()? {
                // Empty as it is, its memory goes to and fro.
                let mut read = Vec::from(std::mem::take(&mut self.ahead));
                self.reader.read(&mut self.reading, bytes, Basis::Logged, reference, &mut read);
                self.ahead = read.into();
            } else {
                self.ended = true;
                self.reading.end();
            }
        }
        Ok(())
    }
}

/// The next observation of several logs, by line time.
pub fn next_of(logs: &mut [Whole<'_>], reference: &Reference) -> Result<Option<Observation>, ReadError> {
    if let [only] = logs {
        return only.next(reference);
    }
    for log in logs.iter_mut() {
        log.fill(reference)?;
    }
    let heads = logs.iter_mut().filter(|log| !log.ahead.is_empty());
    let first = heads.min_by_key(|log| log.ahead.front().map(|observation| observation.at));
    Ok(first.and_then(|log| log.ahead.pop_front()))
}

fn open(path: &Path, meter: &Meter) -> io::Result<Box<dyn Read>> {
    if path == Path::new("-") {
        return unzipped(meter.over(io::stdin().lock()));
    }
    let mut file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::IsADirectory,
            "it is a directory: name the log files in it",
        ));
    }
    let mut magic = [0; 2];
    let read = file.read(&mut magic)?;
    io::Seek::rewind(&mut file).or_else(|error| if read == 0 { Ok(()) } else { Err(error) })?;
    let file = meter.over(file);
    if magic == GZIP { unzipped(file) } else { Ok(Box::new(file)) }
}

/// How compressed logs begin (RFC 1952).
pub(super) const GZIP: [u8; 2] = [0x1f, 0x8b];

fn unzipped(input: impl Read + 'static) -> io::Result<Box<dyn Read>> {
    let mut input = BufReader::with_capacity(64 * 1024, input);
    let zipped = input.fill_buf()?.starts_with(&GZIP);
    Ok(if zipped { Box::new(MultiGzDecoder::new(input)) } else { Box::new(input) })
}

//! How far logs are read, for somebody who watches.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the bytes of files as they lie on disk, compressed or not. Cheap to clone; another thread may look.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<AtomicU64>);

impl Meter {
    /// How many bytes were read so far, of all logs together.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts what is read from `input`.
    pub(super) fn over<R>(&self, input: R) -> Metered<R> {
        Metered { input, meter: self.clone() }
    }
}

/// An input whose bytes are counted.
pub(super) struct Metered<R> {
    input: R,
    meter: Meter,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.meter.0.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::reader::Lines;

    #[test]
    fn the_bytes_on_disk_are_counted() {
        let directory = tempfile::tempdir().unwrap();
        let (plain, zipped) = (directory.path().join("log"), directory.path().join("log.gz"));
        let text = b"a line that repeats\n".repeat(10_000);
        std::fs::File::create(&plain).unwrap().write_all(&text).unwrap();
        let file = std::fs::File::create(&zipped).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        encoder.write_all(&text).unwrap();
        encoder.finish().unwrap();
        let meter = Meter::default();
        let mut expected = 0;
        for path in [plain, zipped] {
            expected += path.metadata().unwrap().len();
            let mut lines = Lines::open_metered(&path, &meter).unwrap();
            while lines.next_buffer().unwrap().is_some() {}
            assert_eq!(meter.bytes(), expected);
        }
    }
}

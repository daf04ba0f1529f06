//! The bytes a file begins with: what tells a log from another that has its name or its inode.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use memchr::{memchr, memrchr};

use crate::terms::Fingerprint;

/// How many leading bytes are compared. Checkpoints store a hash over at most so many: may grow, never shrink.
pub(super) const HEAD: usize = 256;

/// A file's device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct FileKey {
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl FileKey {
    pub(super) fn of(metadata: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    pub(super) fn named_by(fingerprint: &Fingerprint) -> Self {
        Self { device: fingerprint.device, inode: fingerprint.inode }
    }
}

/// Up to [`HEAD`] leading bytes.
#[derive(Clone)]
pub(super) struct Head {
    bytes: [u8; HEAD],
    len: usize,
}

impl Head {
    pub(super) fn read(file: &File) -> io::Result<Self> {
        let mut bytes = [0; HEAD];
        let len = read_full_at(file, &mut bytes, 0)?;
        Ok(Self { bytes, len })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Whether `now`, read later, still begins with these bytes; then they grow to it.
    pub(super) fn follows(&mut self, now: &Head) -> bool {
        let same = now.bytes().starts_with(self.bytes());
        if same {
            *self = now.clone();
        }
        same
    }

    /// Whether it is enough to tell one log from another: a whole line, or all the bytes there can be.
    pub(super) fn identifies(&self) -> bool {
        self.len == HEAD || self.bytes().contains(&b'\n')
    }

    /// Whether all the bytes there can be are known.
    pub(super) fn is_full(&self) -> bool {
        self.len == HEAD
    }

    /// Whether a file that begins so is the one with this fingerprint, as far as leading bytes can tell.
    pub(super) fn matches(&self, fingerprint: &Fingerprint) -> bool {
        let known = self.bytes().get(..fingerprint.head_len as usize);
        known.is_some_and(|known| fnv1a(known) == fingerprint.head)
    }

    pub(super) fn fingerprint(&self, key: FileKey) -> Fingerprint {
        let FileKey { device, inode } = key;
        Fingerprint { device, inode, head_len: self.len as u32, head: fnv1a(self.bytes()) }
    }
}

/// FNV-1a, 64 bits (constants of draft-eastlake-fnv): stored in checkpoints, so it must never change.
fn fnv1a(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Fills the buffer from `offset` on, or up to the end of the file.
pub(super) fn read_full_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The last whole lines of a log, at most `most` bytes of them; none of what is no file.
pub fn last_lines(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    // To open a pipe would wait for a writer.
    if !path.is_absolute() || !path.metadata()?.is_file() {
        return Ok(Vec::new());
    }
    lines_before(path, path.metadata()?.len(), most)
}

/// The last whole lines before `end`, the start of a line, at most `most` bytes of them; none of what is no file.
pub fn lines_before(path: &Path, end: u64, most: usize) -> io::Result<Vec<u8>> {
    if !path.is_absolute() || !path.metadata()?.is_file() {
        return Ok(Vec::new());
    }
    let file = File::open(path)?;
    let start = end.saturating_sub(most as u64);
    let mut bytes = vec![0; (end - start) as usize];
    let read = read_full_at(&file, &mut bytes, start)?;
    bytes.truncate(read);
    bytes.truncate(memrchr(b'\n', &bytes).map_or(0, |newline| newline + 1));
    if !starts_line(&file, start)? {
        bytes.drain(..memchr(b'\n', &bytes).map_or(bytes.len(), |newline| newline + 1));
    }
    Ok(bytes)
}

/// Whether `offset` can be the start of a line: the file's start, or behind a newline (or behind a hole of NUL bytes,
/// which is no line).
pub(super) fn starts_line(file: &File, offset: u64) -> io::Result<bool> {
    let Some(before) = offset.checked_sub(1) else { return Ok(true) };
    let mut byte = [0xff];
    let read = read_full_at(file, &mut byte, before)?;
    Ok(read == 1 && matches!(byte[0], b'\n' | 0))
}

/// Whether the file is long enough to have been read up to `offset`, and has a line starting there.
pub(super) fn holds(file: &File, offset: u64) -> io::Result<bool> {
    Ok(file.metadata()?.len() >= offset && starts_line(file, offset)?)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_last_lines_are_whole_ones() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let last = |most| String::from_utf8(last_lines(&path, most).unwrap()).unwrap();
        File::create(&path).unwrap().write_all(b"one\ntwo\nthree\npart").unwrap();
        assert_eq!(last(1000), "one\ntwo\nthree\n");
        assert_eq!(last(14), "two\nthree\n");
        assert_eq!(last(13), "three\n");
        assert_eq!(last(10), "three\n");
        assert_eq!(last(9), "");
        assert!(last_lines(directory.path(), 1000).unwrap().is_empty());
        assert!(last_lines(&path.join("x"), 1000).is_err());
        assert!(last_lines(Path::new("Cargo.toml"), 1000).unwrap().is_empty(), "stdin is no file called so");
    }

    /// The published test vectors of FNV-1a: a stored checkpoint must be understood by every later version.
    #[test]
    fn the_hash_is_fnv1a() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}

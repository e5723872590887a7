//! Bytes that can be read at any place: of a file, of a part of it.

use std::fmt::{self, Debug};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes that can be read at any place.
pub(super) trait Bytes: Debug + Send + Sync {
    /// Fills `into` from the byte `at` on; with fewer bytes only where they end.
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize>;

    /// How many there are; none if only reading them would tell, as with compressed ones.
    fn known_len(&self) -> Option<u64>;
}

/// All that is at `at`: `len` bytes, or an error of the kind `UnexpectedEof`.
pub(super) fn read_exactly(bytes: &dyn Bytes, at: u64, len: usize) -> io::Result<Vec<u8>> {
    // A size that is a lie costs no memory.
    if bytes.known_len().is_some_and(|known| at.saturating_add(len as u64) > known) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut all = Vec::new();
    while all.len() < len {
        let start = all.len();
        all.resize(len.min(start + (1 << 20)), 0);
        let part = all.get_mut(start..).unwrap_or_default();
        if bytes.read_at(at + start as u64, part)? < part.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(all)
}

/// A regular file, or a block device.
#[derive(Debug)]
pub(super) struct FileBytes {
    file: File,
    len: u64,
}

impl FileBytes {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let len = match metadata.file_type().is_block_device() {
            // Of a device it is nowhere but where it ends.
            true => (&file).seek(SeekFrom::End(0))?,
            false => metadata.len(),
        };
        Ok(Self { file, len })
    }
}

impl Bytes for FileBytes {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, at.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn known_len(&self) -> Option<u64> {
        Some(self.len)
    }
}

/// Bytes in memory.
pub(super) struct Held(pub(super) Vec<u8>);

impl Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Held({} bytes)", self.0.len())
    }
}

impl Bytes for Held {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(at).ok().and_then(|at| self.0.get(at..)).unwrap_or_default();
        let n = rest.len().min(into.len());
        into[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn known_len(&self) -> Option<u64> {
        Some(self.0.len() as u64)
    }
}

/// A part of other bytes: a member of an archive.
#[derive(Debug)]
pub(super) struct Slice {
    pub(super) of: Arc<dyn Bytes>,
    pub(super) start: u64,
    pub(super) len: u64,
}

impl Bytes for Slice {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(at)).unwrap_or(usize::MAX);
        let n = left.min(into.len());
        match into.get_mut(..n) {
            Some(into) if n > 0 => self.of.read_at(self.start.saturating_add(at), into),
            _ => Ok(0),
        }
    }

    fn known_len(&self) -> Option<u64> {
        Some(self.len)
    }
}

/// Reads bytes from their start to their end, and remembers whether more was wanted.
pub(super) struct Stream {
    of: Arc<dyn Bytes>,
    at: u64,
    /// Whether more was wanted than there is.
    pub(super) ended: Arc<AtomicBool>,
}

impl Stream {
    pub(super) fn new(of: Arc<dyn Bytes>) -> Self {
        Self { of, at: 0, ended: Arc::default() }
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.of.read_at(self.at, into)?;
        self.at += n as u64;
        if n == 0 && !into.is_empty() {
            self.ended.store(true, Ordering::Relaxed);
        }
        Ok(n)
    }
}

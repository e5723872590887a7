//! Bytes that can be read at any place: of a file, of a part of it, and of a compressed stream, which is unpacked anew where
//! that is needed.

use super::packing::Packing;
use std::fmt::{self, Debug};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

/// A regular file.
#[derive(Debug)]
pub(super) struct FileBytes {
    file: File,
    len: u64,
}

impl FileBytes {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
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

/// Reads bytes from their start to their end, and remembers whether it came there.
pub(super) struct Stream {
    of: Arc<dyn Bytes>,
    at: u64,
    ended: Arc<AtomicBool>,
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
        if n < into.len() {
            self.ended.store(true, Ordering::Relaxed);
        }
        Ok(n)
    }
}

/// A compressed stream, unpacked from its start up to the place that is wanted.
///
/// What comes next costs its own bytes only; what lies before costs another pass from the start, of which there are few.
pub(super) struct Packed {
    of: Arc<dyn Bytes>,
    packing: Packing,
    /// The most bytes that are unpacked in one pass.
    most: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: Option<Open>,
    passes: u32,
    /// How many bytes came of all of them.
    unpacked: u64,
}

struct Open {
    reader: Box<dyn Read + Send>,
    at: u64,
    /// Whether the compressed bytes came to their end.
    ended: Arc<AtomicBool>,
}

/// How often a compressed stream is unpacked from its start: once for its index, and then for files that were not kept.
pub(super) const MOST_PASSES: u32 = 5;

/// Of a small one it does not matter: passes are counted only when so much has been unpacked in all.
const ENOUGH: u64 = 2 << 30;

/// Why a compressed stream cannot be read on, which is no mistake in its bytes.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error(
        "was not kept, and the compressed archive has been unpacked {MOST_PASSES} times and more already; unpack it, and vet what comes of it"
    )]
    Passes,
    #[error("hostvet unpacks no more than {} MiB of an archive", .0 >> 20)]
    Bytes(u64),
}

impl Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packed").field("of", &self.of).field("packing", &self.packing).finish_non_exhaustive()
    }
}

impl Packed {
    pub(super) fn new(of: Arc<dyn Bytes>, packing: Packing, most: u64) -> Self {
        Self { of, packing, most, state: Mutex::default() }
    }

    /// Reads what is left, so that the checksums at the end of the stream are compared.
    pub(super) fn finish(&self) -> io::Result<()> {
        let mut at = self.state().open.as_ref().map_or(0, |open| open.at);
        let mut buffer = vec![0; 64 << 10];
        loop {
            match self.read_at(at, &mut buffer)? {
                0 => return Ok(()),
                n => at += n as u64,
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self) -> io::Result<Open> {
        let stream = Stream::new(self.of.clone());
        let ended = stream.ended.clone();
        let stream = BufReader::with_capacity(64 << 10, stream);
        let reader = self.packing.unpack(Box::new(stream)).map_err(|error| told(error, &ended))?;
        Ok(Open { reader, at: 0, ended })
    }
}

/// An error of a decoder is that the bytes end early where they ended, else that they are damaged.
fn told(error: io::Error, ended: &AtomicBool) -> io::Error {
    // An archive in an archive: the outer one has told already.
    let inner = error.get_ref().is_some_and(|e| e.is::<Refused>());
    match inner {
        true => error,
        false if ended.load(Ordering::Relaxed) && !error.to_string().contains("checksum") => {
            io::ErrorKind::UnexpectedEof.into()
        }
        false => io::Error::new(io::ErrorKind::InvalidData, error.to_string()),
    }
}

impl Open {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.reader.read(rest) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(told(error, &self.ended)),
            }
        }
        self.at += filled as u64;
        Ok(filled)
    }
}

impl Bytes for Packed {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state();
        let mut open = match state.open.take() {
            Some(open) if open.at <= at => open,
            _ if state.passes >= MOST_PASSES && state.unpacked > ENOUGH => {
                return Err(io::Error::other(Refused::Passes));
            }
            _ => {
                state.passes += 1;
                self.start()?
            }
        };
        if at.saturating_add(into.len() as u64) > self.most {
            return Err(io::Error::other(Refused::Bytes(self.most)));
        }
        state.unpacked += at - open.at + into.len() as u64;
        let mut skipped = [0; 16 << 10];
        while open.at < at {
            let wanted = usize::try_from(at - open.at).unwrap_or(usize::MAX).min(skipped.len());
            if open.read(&mut skipped[..wanted])? < wanted {
                state.open = Some(open);
                return Ok(0);
            }
        }
        let n = open.read(into)?;
        state.open = Some(open);
        Ok(n)
    }

    fn known_len(&self) -> Option<u64> {
        None
    }
}

//! A compressed stream as bytes that can be read at any place: it is unpacked anew where that is needed.

use crate::source::Compression;
use crate::source::bytes::{Bytes, Stream};
use std::fmt::{self, Debug};
use std::io::{self, BufReader, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A compressed stream, unpacked from its start up to the place that is wanted.
///
/// What comes next costs its own bytes only; what lies before costs another pass from the start, of which there are few.
pub(super) struct Packed {
    of: Arc<dyn Bytes>,
    compression: Compression,
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
    /// Whether more compressed bytes were wanted than there are.
    ended: Arc<AtomicBool>,
}

/// How often a compressed stream is unpacked from its start: once for its index, and then for files that were not kept.
const MOST_PASSES: u32 = 5;

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
        f.debug_struct("Packed")
            .field("of", &self.of)
            .field("compression", &self.compression)
            .finish_non_exhaustive()
    }
}

impl Packed {
    pub(super) fn new(of: Arc<dyn Bytes>, compression: Compression, most: u64) -> Self {
        Self { of, compression, most, state: Mutex::default() }
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
        let reader = self.compression.all(Box::new(stream)).map_err(|error| told(error, &ended))?;
        Ok(Open { reader, at: 0, ended })
    }
}

/// An error of a decoder is that the bytes end early where they ended, else that they are damaged.
fn told(error: io::Error, ended: &AtomicBool) -> io::Error {
    // An archive in an archive: the outer one has told already.
    let inner = error.get_ref().is_some_and(|e| e.is::<Refused>());
    match inner {
        true => error,
        false if ended.load(Ordering::Relaxed) => io::ErrorKind::UnexpectedEof.into(),
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
        while open.at < at {
            let mut skipped = [0; 4 << 10];
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

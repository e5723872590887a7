//! The volume's bytes as the log leaves them, of which the metadata read last is kept.

use crate::source::Reason;
use crate::source::bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Debug};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// The unit of the log, in which everything is replayed.
pub(super) const SECTOR: usize = 512;

/// Sectors that the log holds newer than their places do, by their number.
pub(super) type Replayed = BTreeMap<u64, [u8; SECTOR]>;

/// What is read and kept at once: the inodes of one cluster, and of some neighbours.
const PIECE: u64 = 16 << 10;

/// How many pieces are kept: 4 MiB.
const PIECES: usize = 256;

/// The volume's bytes.
pub(super) struct Blocks {
    bytes: Arc<dyn Bytes>,
    pub(super) replayed: Replayed,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    pieces: HashMap<u64, (u64, Arc<[u8]>)>,
    /// Counts the uses, to find the piece that was used longest ago.
    uses: u64,
}

impl Blocks {
    pub(super) fn new(bytes: Arc<dyn Bytes>) -> Self {
        Self { bytes, replayed: Replayed::new(), kept: Mutex::default() }
    }

    /// The `len` bytes of metadata from `at` on.
    pub(super) fn metadata(&self, at: u64, len: usize) -> Result<Vec<u8>, Reason> {
        let mut found = Vec::with_capacity(len);
        while found.len() < len {
            let from = at.saturating_add(found.len() as u64);
            let piece = self.piece(from / PIECE).map_err(|error| unread(from, &error))?;
            let rest = piece.get((from % PIECE) as usize..).unwrap_or_default();
            let rest = rest.get(..len - found.len()).unwrap_or(rest);
            if rest.is_empty() {
                return Err(ended(from));
            }
            found.extend_from_slice(rest);
        }
        self.replay(at, &mut found);
        Ok(found)
    }

    /// Fills `into` with what is at `at`, which is not kept.
    pub(super) fn fill(&self, at: u64, into: &mut [u8]) -> Result<(), Reason> {
        let n = self.bytes.read_at(at, into).map_err(|error| unread(at, &error))?;
        if n < into.len() {
            return Err(ended(at.saturating_add(n as u64)));
        }
        self.replay(at, into);
        Ok(())
    }

    fn piece(&self, number: u64) -> io::Result<Arc<[u8]>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.uses += 1;
        let now = kept.uses;
        if let Some((used, piece)) = kept.pieces.get_mut(&number) {
            *used = now;
            return Ok(piece.clone());
        }
        let mut bytes = vec![0; PIECE as usize];
        let n = self.bytes.read_at(number.saturating_mul(PIECE), &mut bytes)?;
        bytes.truncate(n);
        if kept.pieces.len() >= PIECES {
            let oldest = kept.pieces.iter().min_by_key(|(_, (used, _))| *used).map(|(number, _)| *number);
            oldest.and_then(|oldest| kept.pieces.remove(&oldest));
        }
        let piece: Arc<[u8]> = bytes.into();
        kept.pieces.insert(number, (now, piece.clone()));
        Ok(piece)
    }

    fn replay(&self, at: u64, into: &mut [u8]) {
        let end = at.saturating_add(into.len() as u64);
        let unit = SECTOR as u64;
        for (number, sector) in self.replayed.range(at / unit..end.div_ceil(unit)) {
            let start = number * unit;
            let (from, to) = (start.max(at), (start + unit).min(end));
            let there = into.get_mut((from - at) as usize..(to - at) as usize);
            let new = sector.get((from - start) as usize..(to - start) as usize);
            if let (Some(there), Some(new)) = (there, new) {
                there.copy_from_slice(new);
            }
        }
    }
}

fn unread(at: u64, error: &io::Error) -> Reason {
    Reason::Io(format!("the image cannot be read at byte {at}: {error}"))
}

fn ended(at: u64) -> Reason {
    Reason::Garbled(format!("the image ends at byte {at}, before the file system does"))
}

impl Debug for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blocks({:?}, {} sectors replayed)", self.bytes, self.replayed.len())
    }
}

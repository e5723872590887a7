//! The volume's bytes as the log leaves them, of which the metadata read last is kept.

use crate::source::Reason;
use crate::source::bytes::Bytes;
use crate::source::disk::cache::Cache;
use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::io;
use std::sync::Arc;

/// The unit of the log, in which everything is replayed.
pub(super) const SECTOR: usize = 512;

/// Sectors that the log holds newer than their places do, by their number.
pub(super) type Replayed = BTreeMap<u64, [u8; SECTOR]>;

/// What is read and kept at once: the inodes of one cluster, and of some neighbours.
const PIECE: u64 = 16 << 10;

/// How much of them is kept.
const ROOM: usize = 4 << 20;

/// The volume's bytes.
pub(super) struct Blocks {
    bytes: Arc<dyn Bytes>,
    pub(super) replayed: Replayed,
    kept: Cache,
}

impl Blocks {
    pub(super) fn new(bytes: Arc<dyn Bytes>) -> Self {
        Self { bytes, replayed: Replayed::new(), kept: Cache::new(ROOM) }
    }

    /// The `len` bytes of metadata from `at` on.
    pub(super) fn metadata(&self, at: u64, len: usize) -> Result<Vec<u8>, Reason> {
        let mut found = Vec::with_capacity(len);
        while found.len() < len {
            let from = at.saturating_add(found.len() as u64);
            let piece =
                self.kept.page(0, &*self.bytes, from / PIECE, PIECE).map_err(|error| unread(from, &error))?;
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

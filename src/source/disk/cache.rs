//! What was read last, as far as there is room.

use crate::source::bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// The number of an image, and a place in it.
pub(super) type Key = (u32, u64);

/// Pieces of images; those not used for longest make room for others.
#[derive(Debug)]
pub(super) struct Cache {
    /// The most bytes that are kept.
    room: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Each with when it was used last.
    pieces: HashMap<Key, (Arc<Vec<u8>>, u64)>,
    by_use: BTreeMap<u64, Key>,
    uses: u64,
    bytes: usize,
}

/// What keeping a piece takes beside its bytes, about.
const OVERHEAD: usize = 160;

impl Cache {
    pub(super) fn new(room: usize) -> Self {
        Self { room, kept: Mutex::default() }
    }

    /// The piece, which `make` makes if it is not there. Two threads may make the same at once: none waits while another reads.
    pub(super) fn get(
        &self,
        key: Key,
        make: impl FnOnce() -> io::Result<Vec<u8>>,
    ) -> io::Result<Arc<Vec<u8>>> {
        if let Some(piece) = self.lock().find(key) {
            return Ok(piece);
        }
        let piece = Arc::new(make()?);
        self.lock().keep(key, &piece, self.room);
        Ok(piece)
    }

    /// The page of this number of a file: so many bytes, fewer only where it ends.
    pub(super) fn page(
        &self,
        file: u32,
        bytes: &dyn Bytes,
        number: u64,
        size: u64,
    ) -> io::Result<Arc<Vec<u8>>> {
        self.get((file, number), || {
            let mut page = vec![0; usize::try_from(size).unwrap_or(0)];
            let n = bytes.read_at(number.saturating_mul(size), &mut page)?;
            page.truncate(n);
            Ok(page)
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn find(&mut self, key: Key) -> Option<Arc<Vec<u8>>> {
        let (piece, used) = self.pieces.get_mut(&key)?;
        // What was used last, as most are, need not move.
        if *used != self.uses {
            self.by_use.remove(used);
            self.uses += 1;
            *used = self.uses;
            self.by_use.insert(self.uses, key);
        }
        Some(piece.clone())
    }

    fn keep(&mut self, key: Key, piece: &Arc<Vec<u8>>, room: usize) {
        let size = |piece: &Vec<u8>| piece.capacity() + OVERHEAD;
        if size(piece) > room {
            return;
        }
        self.uses += 1;
        if let Some((old, used)) = self.pieces.insert(key, (piece.clone(), self.uses)) {
            self.by_use.remove(&used);
            self.bytes -= size(&old);
        }
        self.by_use.insert(self.uses, key);
        self.bytes += size(piece);
        while self.bytes > room {
            let Some((_, oldest)) = self.by_use.pop_first() else { return };
            if let Some((old, _)) = self.pieces.remove(&oldest) {
                self.bytes -= size(&old);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_last_stays_and_the_room_is_kept() {
        let cache = Cache::new(3 * (100 + OVERHEAD));
        let made = std::cell::Cell::new(0);
        let get = |place| {
            let piece = cache.get((0, place), || {
                made.set(made.get() + 1);
                Ok(vec![place as u8; 100])
            });
            assert_eq!(piece.unwrap()[0], place as u8);
        };
        for place in [0, 1, 2, 0, 0, 3, 0, 2, 3] {
            get(place);
        }
        assert_eq!(made.get(), 4, "only 1 made room");
        get(1);
        assert_eq!(made.get(), 5);
        let kept = cache.lock();
        assert_eq!((kept.pieces.len(), kept.by_use.len(), kept.bytes), (3, 3, 3 * (100 + OVERHEAD)));
    }

    #[test]
    fn what_has_no_room_is_not_kept() {
        let cache = Cache::new(10);
        assert_eq!(cache.get((0, 0), || Ok(vec![1; 100])).unwrap().len(), 100);
        assert_eq!(cache.lock().bytes, 0);
        assert!(cache.get((0, 1), || Err(io::ErrorKind::Other.into())).is_err());
    }
}

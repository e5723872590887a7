//! What was read last, as far as there is room: pieces of images, and what was made of them.

use crate::source::bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// The number of an image, and a place in it, or the number of an inode.
pub(super) type Key = (u32, u64);

/// Pieces of images, or what was made of them; those not used for longest make room for others.
#[derive(Debug)]
pub(super) struct Cache<T = Vec<u8>> {
    /// The most bytes that are kept.
    room: usize,
    /// How many bytes a piece takes.
    weigh: fn(&T) -> usize,
    kept: Mutex<Kept<T>>,
}

#[derive(Debug)]
struct Kept<T> {
    pieces: HashMap<Key, Piece<T>>,
    by_use: BTreeMap<u64, Key>,
    uses: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Piece<T> {
    is: Arc<T>,
    bytes: usize,
    /// When it was used last.
    used: u64,
}

/// What keeping a piece takes beside its bytes, about.
const OVERHEAD: usize = 160;

impl<T> Cache<T> {
    pub(super) fn of(weigh: fn(&T) -> usize, room: usize) -> Self {
        let kept = Kept { pieces: HashMap::new(), by_use: BTreeMap::new(), uses: 0, bytes: 0 };
        Self { room, weigh, kept: Mutex::new(kept) }
    }

    /// The piece, which `make` makes if it is not there. Two threads may make the same at once: none waits while another reads.
    pub(super) fn get<E>(&self, key: Key, make: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        if let Some(piece) = self.lock().find(key) {
            return Ok(piece);
        }
        let piece = Arc::new(make()?);
        let bytes = (self.weigh)(&piece) + OVERHEAD;
        if bytes <= self.room {
            self.lock().keep(key, &piece, bytes, self.room);
        }
        Ok(piece)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept<T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    pub(super) fn new(room: usize) -> Self {
        Self::of(Vec::capacity, room)
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
}

impl<T> Kept<T> {
    fn find(&mut self, key: Key) -> Option<Arc<T>> {
        let piece = self.pieces.get_mut(&key)?;
        // What was used last, as most are, need not move.
        if piece.used != self.uses {
            self.by_use.remove(&piece.used);
            self.uses += 1;
            piece.used = self.uses;
            self.by_use.insert(self.uses, key);
        }
        Some(piece.is.clone())
    }

    fn keep(&mut self, key: Key, piece: &Arc<T>, bytes: usize, room: usize) {
        self.uses += 1;
        let piece = Piece { is: piece.clone(), bytes, used: self.uses };
        if let Some(old) = self.pieces.insert(key, piece) {
            self.by_use.remove(&old.used);
            self.bytes -= old.bytes;
        }
        self.by_use.insert(self.uses, key);
        self.bytes += bytes;
        while self.bytes > room {
            let Some((_, oldest)) = self.by_use.pop_first() else { return };
            self.bytes -= self.pieces.remove(&oldest).map_or(0, |old| old.bytes);
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
            let piece = cache.get((0, place), || -> io::Result<_> {
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
        assert_eq!(cache.get((0, 0), || Ok::<_, ()>(vec![1; 100])).unwrap().len(), 100);
        assert_eq!(cache.lock().bytes, 0);
        assert!(cache.get((0, 1), || Err(())).is_err());
    }
}

//! Bytes that are made of pieces of other bytes, as device-mapper makes them.

use crate::source::bytes::Bytes;
use std::io;
use std::sync::Arc;

/// A place on other bytes.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) of: Arc<dyn Bytes>,
    pub(super) at: u64,
}

/// A piece, as it follows the others.
#[derive(Debug)]
pub(super) struct Piece {
    /// Where it begins in the whole.
    pub(super) start: u64,
    pub(super) len: u64,
    /// One place, or the places that take turns.
    pub(super) places: Vec<Place>,
    /// After how many bytes it is the next one's turn.
    pub(super) chunk: u64,
}

/// Pieces one after the other, without gaps.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) pieces: Vec<Piece>,
    pub(super) len: u64,
}

impl Piece {
    /// Where the byte `at` of the piece is, and how many follow it there.
    fn place(&self, at: u64) -> Option<(&Place, u64, u64)> {
        let count = self.places.len() as u64;
        if count < 2 {
            return Some((self.places.first()?, at, self.len - at));
        }
        let (turn, within) = (at.checked_div(self.chunk)?, at.checked_rem(self.chunk)?);
        let place = self.places.get(usize::try_from(turn % count).ok()?)?;
        Some((place, (turn / count) * self.chunk + within, (self.chunk - within).min(self.len - at)))
    }
}

impl Bytes for Mapped {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < into.len() {
            let at = at.saturating_add(filled as u64);
            let found = self.pieces.partition_point(|piece| piece.start <= at).checked_sub(1);
            let Some(piece) =
                found.and_then(|i| self.pieces.get(i)).filter(|piece| at - piece.start < piece.len)
            else {
                break;
            };
            let Some((place, within, left)) = piece.place(at - piece.start) else { break };
            let n = usize::try_from(left).unwrap_or(usize::MAX).min(into.len() - filled);
            let part = into.get_mut(filled..filled + n).unwrap_or_default();
            if part.is_empty() || place.of.read_at(place.at.saturating_add(within), part)? < part.len() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            filled += n;
        }
        Ok(filled)
    }

    fn known_len(&self) -> Option<u64> {
        Some(self.len)
    }
}

/// Bytes that cannot be read, and why.
#[derive(Debug)]
pub(super) struct Unread(pub(super) String);

impl Bytes for Unread {
    fn read_at(&self, _at: u64, _into: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::new(io::ErrorKind::Unsupported, self.0.clone()))
    }

    fn known_len(&self) -> Option<u64> {
        Some(0)
    }
}

//! Files with holes in a tar: what is stored of them are the pieces between the holes, and a map of these.
//!
//! GNU tar has written the map in four ways (its manual, "Storing Sparse Files"): in the header and blocks after it (type `S`), in
//! records of pax, one for each number (0.0) or one for all (0.1), and before the contents (1.0).

use crate::source::bytes::{Bytes, read_exactly};
use std::io;
use std::sync::Arc;

/// More pieces than any honest file has. A map of 1 MiB, as records are at most, has fewer.
const MOST_PIECES: usize = 100_000;

const BLOCK: usize = 512;

/// What is stored of a file, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    /// Where it begins in the file.
    at: u64,
    len: u64,
    /// Where it begins in what is stored.
    stored: u64,
}

/// A map as it is written: places in the file, and how many bytes are stored from there on.
#[derive(Clone, Debug, Default)]
pub(super) struct Map {
    pairs: Vec<(u64, u64)>,
    place: Option<u64>,
    is_broken: bool,
}

impl Map {
    /// The two numbers of a piece; none if they are no numbers.
    pub(super) fn push(&mut self, at: Option<u64>, len: Option<u64>) {
        match (at, len) {
            (Some(at), Some(len)) if self.pairs.len() < MOST_PIECES => self.pairs.push((at, len)),
            _ => self.is_broken = true,
        }
    }

    /// GNU.sparse.offset of format 0.0, before GNU.sparse.numbytes.
    pub(super) fn place(&mut self, at: Option<u64>) {
        self.is_broken |= self.place.is_some() || at.is_none();
        self.place = at;
    }

    /// GNU.sparse.numbytes.
    pub(super) fn bytes(&mut self, len: Option<u64>) {
        let at = self.place.take();
        self.push(at, len);
    }

    /// GNU.sparse.map of format 0.1: all numbers with commas between them.
    pub(super) fn read(&mut self, text: &[u8]) {
        let mut numbers = text.split(|b| *b == b',').map(super::tar::decimal);
        while let Some(at) = numbers.next() {
            self.push(at, numbers.next().flatten());
        }
    }

    /// Format 1.0: how many pieces there are and their numbers, a line for each, in whole blocks before the contents.
    /// Also how many bytes these blocks have.
    pub(super) fn before(bytes: &dyn Bytes, data: u64, stored: u64) -> io::Result<(Self, u64)> {
        let mut map = Self::default();
        let mut text = Vec::new();
        let mut numbers: Vec<Option<u64>> = Vec::new();
        let mut len = 0;
        loop {
            let wanted = match numbers.first() {
                None => 1,
                Some(Some(count)) if *count <= MOST_PIECES as u64 => 1 + 2 * (*count as usize),
                Some(_) => 0,
            };
            if numbers.len() >= wanted || len >= stored {
                map.is_broken = numbers.len() < wanted || wanted == 0;
                for pair in numbers.get(1..wanted.max(1)).unwrap_or_default().chunks(2) {
                    map.push(pair.first().copied().flatten(), pair.get(1).copied().flatten());
                }
                return Ok((map, len));
            }
            text.extend(read_exactly(bytes, data.saturating_add(len), BLOCK)?);
            len += BLOCK as u64;
            let mut lines = text.split(|b| *b == b'\n');
            let rest = lines.next_back().unwrap_or_default().to_vec();
            numbers.extend(lines.map(super::tar::decimal));
            text = rest;
            // Zeros fill the last block up; a number has at most 20 digits.
            if text.len() > BLOCK {
                map.is_broken = true;
                return Ok((map, len));
            }
        }
    }

    /// The pieces of a file of this size, of which so many bytes are stored; none if the map makes no sense.
    fn pieces(&self, size: u64, all: u64) -> Option<Vec<Piece>> {
        let (mut pieces, mut end, mut stored) = (Vec::new(), 0_u64, 0_u64);
        for (at, len) in &self.pairs {
            if *at < end {
                return None;
            }
            end = at.checked_add(*len).filter(|end| *end <= size)?;
            if *len > 0 {
                pieces.push(Piece { at: *at, len: *len, stored });
            }
            stored = stored.checked_add(*len)?;
        }
        (!self.is_broken && self.place.is_none() && stored == all).then_some(pieces)
    }
}

/// The contents of a file with holes, which read as zeros.
#[derive(Debug)]
pub(super) struct Sparse {
    of: Arc<dyn Bytes>,
    /// Where what is stored begins.
    start: u64,
    pieces: Vec<Piece>,
    size: u64,
}

impl Sparse {
    /// The file of this size whose `stored` bytes begin at `start`; none if the map makes no sense.
    pub(super) fn new(map: &Map, of: Arc<dyn Bytes>, start: u64, stored: u64, size: u64) -> Option<Self> {
        Some(Self { of, start, pieces: map.pieces(size, stored)?, size })
    }

    /// Where what is stored begins.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// The same, of what is stored alone.
    pub(super) fn held(self, stored: Arc<dyn Bytes>) -> Self {
        Self { of: stored, start: 0, ..self }
    }
}

impl Bytes for Sparse {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size.saturating_sub(at)).unwrap_or(usize::MAX);
        let n = left.min(into.len());
        let Some(into) = into.get_mut(..n) else { return Ok(0) };
        into.fill(0);
        let end = at.saturating_add(n as u64);
        let first = self.pieces.partition_point(|piece| piece.at + piece.len <= at);
        for piece in self.pieces.iter().skip(first).take_while(|piece| piece.at < end) {
            let (from, to) = (piece.at.max(at), (piece.at + piece.len).min(end));
            let place = usize::try_from(from - at).unwrap_or(usize::MAX);
            let len = usize::try_from(to - from).unwrap_or(usize::MAX);
            let Some(part) = into.get_mut(place..place.saturating_add(len)) else { continue };
            let stored = self.start.saturating_add(piece.stored).saturating_add(from - piece.at);
            if self.of.read_at(stored, part)? < part.len() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(n)
    }

    fn known_len(&self) -> Option<u64> {
        Some(self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::bytes::Held;

    fn sparse(pairs: &[(u64, u64)], stored: &[u8], size: u64) -> Option<Sparse> {
        let mut map = Map::default();
        pairs.iter().for_each(|(at, len)| map.push(Some(*at), Some(*len)));
        Sparse::new(&map, Arc::new(Held(stored.to_vec())), 0, stored.len() as u64, size)
    }

    #[test]
    fn holes_are_zeros_from_wherever_it_is_read() {
        let file = sparse(&[(2, 2), (6, 1), (10, 0)], b"abc", 10).unwrap();
        let whole = b"\0\0ab\0\0c\0\0\0";
        for at in 0..=11 {
            for len in 0..12 {
                let mut into = vec![9; len];
                let n = file.read_at(at as u64, &mut into).unwrap();
                let expected = whole.get(at..(at + len).min(10)).unwrap_or_default();
                assert_eq!(&into[..n], expected, "{at} {len}");
            }
        }
    }

    #[test]
    fn maps_that_make_no_sense_are_none() {
        assert!(sparse(&[], b"", 10).is_some());
        for (pairs, stored, size) in [
            (&[(4, 2), (2, 2)][..], &b"abcd"[..], 10),
            (&[(0, 3), (2, 1)], b"abcd", 10),
            (&[(0, 4)], b"abc", 10),
            (&[(0, 2)], b"abc", 10),
            (&[(8, 3)], b"abc", 10),
            (&[(u64::MAX, 3)], b"abc", 10),
        ] {
            assert!(sparse(pairs, stored, size).is_none(), "{pairs:?}");
        }
    }

    #[test]
    fn a_map_before_the_contents_is_read_in_whole_blocks() {
        let block = |text: &str| {
            let mut bytes = text.as_bytes().to_vec();
            bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
            Held(bytes)
        };
        let before = |text: &str| {
            let bytes = block(text);
            Map::before(&bytes, 0, bytes.0.len() as u64).unwrap()
        };
        let (map, len) = before("2\n0\n5\n100\n0\n");
        assert_eq!((map.pairs.as_slice(), len, map.is_broken), (&[(0, 5), (100, 0)][..], 512, false));
        let many: String = (0..300).map(|i| format!("{}\n1\n", i * 10)).collect();
        let (map, len) = before(&format!("300\n{many}"));
        assert_eq!((map.pairs.len(), len, map.is_broken), (300, 2048, false));
        for text in ["", "x\n", "2\n0\n5\n", "-1\n", "99999999999\n", "1\n0\nx\n", "1"] {
            assert!(before(text).0.is_broken, "{text}");
        }
    }
}

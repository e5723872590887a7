//! What is known of one path: every answer that a source gave of it.

use crate::source::bytes::{Bytes, Slice, read_exactly};
use crate::source::{Entry, Missing, Reading, Reason, Space, Stat, Tail};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The answers to what was asked of one path; `None` is what was never asked.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) stat: Option<Reading<Stat>>,
    pub(super) lstat: Option<Reading<Stat>>,
    pub(super) link: Option<Reading<PathBuf>>,
    pub(super) list: Option<Reading<Vec<Entry>>>,
    pub(super) space: Option<Reading<Space>>,
    pub(super) contents: Contents,
}

/// The bytes of a file, as far as they are known.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// Pieces by where they begin; none overlaps another.
    pub(super) pieces: BTreeMap<u64, Arc<Slice>>,
    /// Where the file ends.
    pub(super) end: Option<u64>,
    /// How many bytes come before the end that was read, by how many were wanted: the kernel's messages are cut between records.
    pub(super) tails: Vec<(u64, u64)>,
    /// What could not be read.
    pub(super) failed: Vec<(Asked, Missing)>,
    /// How far the file was streamed before that failed, and why.
    pub(super) broken: Option<(u64, String)>,
    /// Why the bytes, which were read once, are not there.
    pub(super) lost: Option<Missing>,
}

/// What was asked of a file's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// All of them, so many at most.
    Whole(u64),
    /// The last so many.
    Tail(u64),
    /// So many from a place on.
    At(u64, u64),
    /// All of them, piece by piece.
    Stream,
}

impl Contents {
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.end.is_none() && self.lost.is_none()
    }

    /// Whether all bytes up to the end are known.
    pub(super) fn is_whole(&self) -> bool {
        self.end.is_some_and(|end| self.covered(0) >= end)
    }

    /// Up to where all bytes from `at` on are known.
    fn covered(&self, mut at: u64) -> u64 {
        while let Some((start, piece)) = self.pieces.range(..=at).next_back() {
            match start.saturating_add(piece.len) {
                end if end > at => at = end,
                _ => break,
            }
        }
        at
    }

    /// Adds what is not known yet of a piece.
    pub(super) fn add(&mut self, offset: u64, bytes: &Arc<dyn Bytes>) {
        let until = offset.saturating_add(bytes.known_len().unwrap_or(0));
        let mut at = offset;
        loop {
            at = self.covered(at);
            if at >= until {
                return;
            }
            let next = self.pieces.range(at..).next().map_or(until, |(start, _)| (*start).min(until));
            let slice = Slice { of: bytes.clone(), start: at - offset, len: next - at };
            self.pieces.insert(at, Arc::new(slice));
        }
    }

    /// Says that there are no bytes from here on.
    pub(super) fn ends(&mut self, at: u64) {
        self.end = Some(self.end.map_or(at, |end| end.min(at)));
    }

    /// Remembers a failure; the first one counts.
    pub(super) fn fail(&mut self, asked: Asked, missing: Missing) {
        if self.failure(asked).is_none() {
            self.failed.push((asked, missing));
        }
    }

    fn failure(&self, asked: Asked) -> Option<Missing> {
        let found = self.failed.iter().find(|(other, _)| *other == asked).map(|(_, missing)| missing);
        found.or(self.lost.as_ref()).cloned()
    }

    /// `length` bytes from `from` on, fewer at the end; `None` if they are not known.
    fn part(&self, path: &Path, from: u64, length: u64) -> Option<Reading<Vec<u8>>> {
        let until = from.saturating_add(length).min(self.end.unwrap_or(u64::MAX));
        if self.covered(from) < until {
            return None;
        }
        let (mut all, mut at) = (Vec::new(), from);
        while at < until {
            let (start, piece) = self.pieces.range(..=at).next_back()?;
            let within = at.checked_sub(*start)?;
            let n = piece.len.checked_sub(within)?.min(until - at);
            match read_exactly(&**piece, within, usize::try_from(n).ok()?) {
                Ok(bytes) => all.extend(bytes),
                Err(error) => return Some(Err(unreadable(path, &error))),
            }
            at += n;
        }
        Some(Ok(all))
    }

    pub(super) fn read(&self, path: &Path, cap: u64) -> Option<Reading<Vec<u8>>> {
        if let Some(missing) = self.failure(Asked::Whole(cap)) {
            return Some(Err(missing));
        }
        match self.end? {
            end if end > cap => Some(Err(Missing::unreadable(path, Reason::TooLarge(cap)))),
            end => self.part(path, 0, end),
        }
    }

    pub(super) fn read_tail(&self, path: &Path, cap: u64) -> Option<Reading<Tail>> {
        if let Some(missing) = self.failure(Asked::Tail(cap)) {
            return Some(Err(missing));
        }
        let end = self.end?;
        let told = self.tails.iter().find(|(wanted, _)| *wanted == cap).map(|(_, skipped)| *skipped);
        let skipped = told.unwrap_or(end.saturating_sub(cap));
        Some(self.part(path, skipped, end.saturating_sub(skipped))?.map(|bytes| Tail { bytes, skipped }))
    }

    pub(super) fn read_at(&self, path: &Path, offset: u64, length: usize) -> Option<Reading<Vec<u8>>> {
        let length = length as u64;
        match self.failure(Asked::At(offset, length)) {
            Some(missing) => Some(Err(missing)),
            None => self.part(path, offset, length),
        }
    }

    pub(super) fn stream(&self) -> Option<Reading<Box<dyn Read + Send>>> {
        if let Some(missing) = self.failure(Asked::Stream) {
            return Some(Err(missing));
        }
        match &self.broken {
            Some((until, why)) if self.covered(0) >= *until => {
                Some(Ok(Box::new(self.reader(*until, Some(why.clone())))))
            }
            _ if self.is_whole() => Some(Ok(Box::new(self.reader(self.end?, None)))),
            _ => None,
        }
    }

    /// What is known from the start on, and an error after it.
    pub(super) fn stream_what_is_known(&self, why: String) -> Option<Box<dyn Read + Send>> {
        match self.covered(0) {
            0 => None,
            until => Some(Box::new(self.reader(until, Some(why)))),
        }
    }

    fn reader(&self, until: u64, error: Option<String>) -> Pieces {
        let pieces = self.pieces.range(..until).map(|(start, piece)| (*start, piece.clone())).collect();
        Pieces { pieces, at: 0, until, error }
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Missing {
    let why = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the capture ends before it".to_owned(),
        _ => error.to_string(),
    };
    Missing::unreadable(path, Reason::Io(why))
}

/// Pieces, one after the other.
struct Pieces {
    pieces: BTreeMap<u64, Arc<Slice>>,
    at: u64,
    until: u64,
    error: Option<String>,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.until.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let wanted = left.min(into.len());
        let piece = self.pieces.range(..=self.at).next_back();
        match (into.get_mut(..wanted), piece) {
            (Some(into), Some((start, piece))) if wanted > 0 => {
                let n = piece.read_at(self.at.saturating_sub(*start), into)?;
                self.at += n as u64;
                match n {
                    0 => Err(io::ErrorKind::UnexpectedEof.into()),
                    n => Ok(n),
                }
            }
            _ => match &self.error {
                Some(why) if !into.is_empty() => Err(io::Error::other(why.clone())),
                _ => Ok(0),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::bytes::Held;

    fn contents(pieces: &[(u64, &str)], end: Option<u64>) -> Contents {
        let mut contents = Contents { end, ..Contents::default() };
        for (offset, text) in pieces {
            let bytes: Arc<dyn Bytes> = Arc::new(Held(text.as_bytes().to_vec()));
            contents.add(*offset, &bytes);
        }
        contents
    }

    fn at(contents: &Contents, offset: u64, length: usize) -> Option<String> {
        let found = contents.read_at(Path::new("/a"), offset, length)?;
        Some(String::from_utf8(found.unwrap()).unwrap())
    }

    #[test]
    fn pieces_are_put_together_and_the_first_reading_counts() {
        let found = contents(&[(4, "4567"), (0, "01"), (1, "XXXXXXXX89"), (20, "k")], Some(11));
        assert_eq!(at(&found, 0, 11).as_deref(), Some("01XX4567X89"));
        assert_eq!(at(&found, 10, 100).as_deref(), Some("9"));
        assert_eq!(at(&found, 11, 5).as_deref(), Some(""));
        assert_eq!(found.read(Path::new("/a"), 11).unwrap().unwrap().len(), 11);
        let large = found.read(Path::new("/a"), 10).unwrap();
        assert_eq!(large, Err(Missing::unreadable("/a", Reason::TooLarge(10))));
        let tail = found.read_tail(Path::new("/a"), 3).unwrap().unwrap();
        assert_eq!((tail.bytes, tail.skipped), (b"X89".to_vec(), 8));
        let mut text = String::new();
        found.stream().unwrap().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "01XX4567X89");
    }

    #[test]
    fn what_lies_between_pieces_is_not_known() {
        let found = contents(&[(0, "01"), (4, "45")], None);
        assert_eq!((at(&found, 0, 2).as_deref(), at(&found, 4, 1).as_deref()), (Some("01"), Some("4")));
        assert_eq!((at(&found, 0, 3), at(&found, 2, 1), at(&found, 5, 2)), (None, None, None));
        assert!(found.read(Path::new("/a"), 100).is_none() && found.stream().is_none());
        let mut text = String::new();
        let mut known = found.stream_what_is_known("gone".into()).unwrap();
        assert_eq!(known.read_to_string(&mut text).unwrap_err().to_string(), "gone");
        assert_eq!(text, "01");
    }

    #[test]
    fn an_empty_file_is_known_by_its_end() {
        let found = contents(&[], Some(0));
        assert_eq!(found.read(Path::new("/a"), 0), Some(Ok(Vec::new())));
        assert!(found.is_whole() && !found.is_empty());
    }
}

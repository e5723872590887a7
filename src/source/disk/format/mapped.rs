//! A disk whose bytes lie here and there in an image.

use super::damaged;
use super::image::{Image, Packed};
use crate::source::bytes::Bytes;
use std::fmt::Debug;
use std::io;
use std::sync::Arc;

/// A format's knowledge of where it keeps the bytes of its disk.
pub(super) trait Map: Debug + Send + Sync {
    /// Where the bytes from `at` on are, which is before the end of the disk.
    fn find(&self, at: u64) -> io::Result<Run>;
}

/// A stretch of the disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// How many bytes, at least one; it may go on beyond the end of the disk.
    pub(super) len: u64,
    /// Where they are.
    pub(super) kept: Kept,
}

/// Where bytes of the disk are kept.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kept {
    /// Nowhere: they are zeros.
    Zeros,
    /// As they are, from this byte of the data on.
    Stored(u64),
    /// In a compressed cluster of the image.
    Packed(Packed),
    /// Not in this image but in the one that lies beneath it.
    Beneath,
}

/// What lies beneath an image.
#[derive(Debug)]
pub(super) enum Beneath {
    /// Nothing: what the image does not hold is zeros.
    Nothing,
    /// The disk of a backing file; zeros beyond its end.
    Disk(Arc<dyn Bytes>),
    /// A backing file of this name, which was not opened.
    Closed(String),
}

/// A disk whose bytes lie here and there in an image.
#[derive(Debug)]
pub(super) struct Mapped<M> {
    pub(super) map: M,
    /// The length of the disk.
    pub(super) len: u64,
    /// The image.
    pub(super) image: Image,
    /// Where its data is, if not in the image itself.
    pub(super) data: Option<Image>,
    pub(super) beneath: Beneath,
}

impl<M: Map> Mapped<M> {
    /// The run at `at`, made as long as it goes on in the same way, up to `wanted` bytes; and what comes after it, if it was seen.
    fn long_run(&self, at: u64, wanted: u64, first: Option<Run>) -> io::Result<(Run, Option<Run>)> {
        let mut run = match first {
            Some(run) => run,
            None => self.map.find(at)?,
        };
        while run.len < wanted {
            let next = self.map.find(at + run.len)?;
            let goes_on = match (run.kept, next.kept) {
                (Kept::Zeros, Kept::Zeros) | (Kept::Beneath, Kept::Beneath) => true,
                (Kept::Stored(here), Kept::Stored(there)) => here.checked_add(run.len) == Some(there),
                _ => false,
            };
            if !goes_on {
                return Ok((run, Some(next)));
            }
            run.len += next.len;
        }
        Ok((run, None))
    }

    fn fill(&self, at: u64, kept: Kept, into: &mut [u8]) -> io::Result<()> {
        match kept {
            Kept::Zeros => into.fill(0),
            Kept::Stored(place) => self.data.as_ref().unwrap_or(&self.image).stored(place, into)?,
            Kept::Packed(packed) => {
                let cluster = self.image.unpacked(&packed)?;
                let within = usize::try_from(at.saturating_sub(packed.start)).unwrap_or(usize::MAX);
                let held = cluster.get(within..).and_then(|rest| rest.get(..into.len()));
                let held = held.ok_or_else(|| {
                    damaged(format!(
                        "the image is damaged: the compressed cluster at byte {} holds too little",
                        packed.at
                    ))
                })?;
                into.copy_from_slice(held);
            }
            Kept::Beneath => match &self.beneath {
                Beneath::Nothing => into.fill(0),
                Beneath::Disk(disk) => {
                    let n = disk.read_at(at, into)?;
                    into.get_mut(n..).unwrap_or_default().fill(0);
                }
                Beneath::Closed(name) => {
                    return Err(io::Error::other(format!(
                        "is in the backing file {name}, which is opened only with --allow-backing"
                    )));
                }
            },
        }
        Ok(())
    }
}

impl<M: Map> Bytes for Mapped<M> {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(at)).unwrap_or(usize::MAX);
        let count = left.min(into.len());
        let mut filled = 0;
        let mut next = None;
        while let Some(rest) = into.get_mut(filled..count).filter(|rest| !rest.is_empty()) {
            let at = at + filled as u64;
            let (run, after) = self.long_run(at, rest.len() as u64, next)?;
            let n = usize::try_from(run.len).unwrap_or(usize::MAX).min(rest.len());
            if n == 0 {
                return Err(damaged("the image is damaged: its tables go in circles"));
            }
            self.fill(at, run.kept, rest.get_mut(..n).unwrap_or_default())?;
            filled += n;
            next = after;
        }
        Ok(filled)
    }

    fn known_len(&self) -> Option<u64> {
        Some(self.len)
    }
}

//! An image file, with what is remembered of it.

use super::packing::Packing;
use super::{damaged, field};
use crate::source::bytes::{Bytes, read_exactly};
use crate::source::disk::cache::Cache;
use std::io;
use std::sync::Arc;

/// What is remembered of all files of a disk.
#[derive(Debug)]
pub(super) struct Memory {
    tables: Cache,
    clusters: Cache,
}

impl Default for Memory {
    fn default() -> Self {
        Self { tables: Cache::new(4 << 20), clusters: Cache::new(8 << 20) }
    }
}

/// As much of a table is read at once.
const PAGE: u64 = 16 << 10;

/// An image file, with what is remembered of it.
#[derive(Clone, Debug)]
pub(super) struct Image {
    pub(super) file: Arc<dyn Bytes>,
    /// Which one of the files of the disk it is.
    pub(super) number: u32,
    pub(super) memory: Arc<Memory>,
}

/// A cluster that is kept compressed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packed {
    /// Where it is in the image.
    pub(super) at: u64,
    /// How far it goes there.
    pub(super) extent: Extent,
    /// How it is compressed.
    pub(super) packing: Packing,
    /// The byte of the disk that it begins with.
    pub(super) start: u64,
    /// How many bytes of the disk it holds.
    pub(super) size: usize,
}

/// How far a compressed cluster goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Extent {
    /// As many bytes at most; the file may end before.
    Within(u64),
    /// As many bytes as the marker before it says: that of a VMDK's grain, with the number of its first sector (8 bytes), and the
    /// length (4).
    Marked,
}

/// What is compressed is hardly larger than what it is made of.
const MOST_GROWTH: u64 = 2;

impl Image {
    /// The length of the file.
    pub(super) fn len(&self) -> u64 {
        self.file.known_len().unwrap_or_default()
    }

    /// `len` bytes of a header, all of them.
    pub(super) fn header(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        read_exactly(&*self.file, at, len).map_err(|error| self.ended(error, at, len as u64))
    }

    /// An entry of a table.
    pub(super) fn entry<const N: usize>(&self, at: u64) -> io::Result<[u8; N]> {
        let within = (at % PAGE) as usize;
        let mut entry = [0; N];
        if within + N > PAGE as usize {
            self.stored(at, &mut entry)?;
            return Ok(entry);
        }
        let kept = self.memory.tables.page(self.number, &*self.file, at / PAGE, PAGE)?;
        let found = kept.get(within..).and_then(|rest| rest.first_chunk()).copied();
        found.ok_or_else(|| self.ended(io::ErrorKind::UnexpectedEof.into(), at, N as u64))
    }

    /// Fills `into` with the bytes that are in the file at `at`.
    pub(super) fn stored(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        match self.file.read_at(at, into)? == into.len() {
            true => Ok(()),
            false => Err(self.ended(io::ErrorKind::UnexpectedEof.into(), at, into.len() as u64)),
        }
    }

    /// The bytes of a cluster that is compressed: fewer than its size only if it holds fewer.
    pub(super) fn unpacked(&self, packed: &Packed) -> io::Result<Arc<Vec<u8>>> {
        self.memory.clusters.get((self.number, packed.start), || {
            let (at, len) = self.extent(packed)?;
            let bytes = self.header(at, len)?;
            packed.packing.unpack(&bytes, packed.size).map_err(|error| {
                damaged(format!(
                    "the image is damaged: the compressed cluster at byte {}: {error}",
                    packed.at
                ))
            })
        })
    }

    /// Where a compressed cluster is, and how many bytes there may belong to it.
    fn extent(&self, packed: &Packed) -> io::Result<(u64, usize)> {
        match packed.extent {
            Extent::Within(len) => {
                let left = self.len().saturating_sub(packed.at);
                if left == 0 {
                    return Err(self.ended(io::ErrorKind::UnexpectedEof.into(), packed.at, len));
                }
                let len = len.min(left);
                Ok((packed.at, usize::try_from(len).unwrap_or(usize::MAX)))
            }
            Extent::Marked => {
                let mut marker = [0; 12];
                self.stored(packed.at, &mut marker)?;
                let len = u32::from_le_bytes(field(&marker, 8));
                if len == 0 || u64::from(len) > MOST_GROWTH * packed.size as u64 + 1024 {
                    let what =
                        format!("the image is damaged: the grain at byte {} is of {len} bytes", packed.at);
                    return Err(damaged(what));
                }
                Ok((packed.at.saturating_add(12), len as usize))
            }
        }
    }

    fn ended(&self, error: io::Error, at: u64, len: u64) -> io::Error {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged(format!(
                "the image ends at byte {}, and should hold {len} bytes at {at}: it is damaged, or was not copied whole",
                self.len()
            )),
            _ => error,
        }
    }
}

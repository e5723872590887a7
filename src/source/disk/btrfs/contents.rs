//! The contents of files: their extents, and the checksums of the data in them.

use super::decompress::{name, unpack};
use super::layout::{Key, Tree, id, kind};
use super::volume::{Item, Volume};
use super::{Place, Result, damaged, not_read};
use crate::source::disk::cache::Cache;
use crate::source::disk::number::le64;

/// The tree of the data's checksums, and the extents that were unpacked last.
#[derive(Debug)]
pub(super) struct Contents {
    checksums: Result<Tree>,
    unpacked: Cache,
}

/// What a compressed extent holds at most, packed or not: eight times what Linux writes (`BTRFS_MAX_UNCOMPRESSED`).
const COMPRESSED: u64 = 1 << 20;

/// What the extents that are kept unpacked may take.
const UNPACKED: usize = 2 << 20;

/// How much is read and checked at once.
const PIECE: usize = 1 << 20;

/// A piece of a file.
struct Extent {
    /// Its size once unpacked, and how it is packed.
    ram_bytes: u64,
    packed: u8,
    /// How much of the file it is.
    length: u64,
    is: Is,
}

enum Is {
    /// In the tree itself.
    Inline,
    /// Zeros.
    Hole,
    /// Elsewhere.
    Data { logical: u64, size: u64, from: u64 },
}

impl Extent {
    const INLINE: usize = 21;

    fn parse(item: &Item) -> Option<Result<Self>> {
        let data = item.data();
        let (ram_bytes, packed) = (le64(data, 8)?, *data.get(16)?);
        if data.get(17..20)? != [0; 3] {
            return Some(Err(not_read("a part of it is encrypted, or encoded in an unknown way")));
        }
        let known = match data.get(20)? {
            0 => Self { ram_bytes, packed, length: ram_bytes, is: Is::Inline },
            kind @ 1..=2 => {
                let field = |at| le64(data, at);
                let (logical, size, from, length) = (field(21)?, field(29)?, field(37)?, field(45)?);
                let hole = logical == 0 || *kind == 2;
                Self {
                    ram_bytes,
                    packed,
                    length,
                    is: if hole { Is::Hole } else { Is::Data { logical, size, from } },
                }
            }
            _ => return Some(Err(not_read("a part of it is of an unknown kind"))),
        };
        Some(Ok(known))
    }
}

impl Contents {
    pub(super) fn new(checksums: Result<Tree>) -> Self {
        Self { checksums, unpacked: Cache::new(UNPACKED) }
    }

    /// A part of the file: `length` bytes at most from `offset` on, fewer only where it ends, at `size`.
    pub(super) fn read(&self, volume: &Volume, file: &File, offset: u64, length: usize) -> Result<Vec<u8>> {
        let end = file.size.min(offset.saturating_add(length as u64));
        let mut all = Vec::new();
        let key = |at| Key::new(file.place.inode, kind::EXTENT_DATA, at);
        let mine = |item: &Item| (item.key.id, item.key.kind) == (file.place.inode, kind::EXTENT_DATA);
        let first = volume
            .item_until(file.place.tree, key(offset))?
            .filter(mine)
            .map_or(offset, |item| item.key.offset);
        let mut items = volume.items(file.place.tree, key(first))?;
        let mut done_until = 0;
        let mut at = offset;
        while at < end {
            let Some(item) = items.next()?.filter(mine) else {
                zeros(&mut all, end - at);
                break;
            };
            let wrong = || damaged(&format!("its extent at {} is damaged", item.key.offset));
            let extent = Extent::parse(&item).unwrap_or_else(|| Err(wrong()))?;
            let start = item.key.offset;
            let stop = start.checked_add(extent.length).ok_or_else(wrong)?;
            if start < done_until {
                return Err(damaged(&format!("its extent at {start} lies over the one before it")));
            }
            done_until = stop;
            // What no extent tells of is a hole.
            let hole_end = start.clamp(at, end);
            zeros(&mut all, hole_end - at);
            at = hole_end;
            while at < stop.min(end) {
                let count = usize::try_from(stop.min(end) - at).unwrap_or(PIECE).min(PIECE);
                let piece = self.piece(volume, file, &item, &extent, at - start, count)?;
                all.extend_from_slice(piece.get(..count).ok_or_else(wrong)?);
                at += count as u64;
            }
        }
        Ok(all)
    }

    /// At least `count` bytes of an extent's part of the file.
    fn piece(
        &self,
        volume: &Volume,
        file: &File,
        item: &Item,
        extent: &Extent,
        skip: u64,
        count: usize,
    ) -> Result<Vec<u8>> {
        let wrong = || damaged(&format!("its extent at {} is damaged", item.key.offset));
        let part = |all: &[u8], from: u64| {
            let from = usize::try_from(from).ok()?;
            all.get(from..from.checked_add(count)?).map(<[u8]>::to_vec)
        };
        match extent.is {
            Is::Hole => Ok(vec![0; count]),
            Is::Inline => {
                let data = item.data().get(Extent::INLINE..).unwrap_or_default();
                if extent.packed == 0 {
                    return part(data, skip).ok_or_else(wrong);
                }
                part(&unpacked(volume, extent, data)?, skip).ok_or_else(wrong)
            }
            Is::Data { logical, size, from } if extent.packed == 0 => {
                let start = from.checked_add(skip).ok_or_else(wrong)?;
                let end = start.checked_add(count as u64).ok_or_else(wrong)?;
                if end > size {
                    return Err(wrong());
                }
                self.data(volume, file, logical.checked_add(start).ok_or_else(wrong)?, count)
            }
            Is::Data { logical, size, from } => {
                let all = self.unpacked.get((0, logical), || {
                    let size = usize::try_from(size).ok().filter(|_| size <= COMPRESSED).ok_or_else(wrong)?;
                    unpacked(volume, extent, &self.data(volume, file, logical, size)?)
                })?;
                part(&all, from.checked_add(skip).ok_or_else(wrong)?).ok_or_else(wrong)
            }
        }
    }

    /// Data at a logical address, its checksums proven.
    fn data(&self, volume: &Volume, file: &File, logical: u64, count: usize) -> Result<Vec<u8>> {
        let sector = volume.superblock.sector;
        let start = logical - logical % sector as u64;
        let skip = usize::try_from(logical - start).unwrap_or_default();
        let len = (skip + count).next_multiple_of(sector);
        let sums = if file.unchecked { None } else { Some(self.checksums(volume, start, len / sector)?) };
        let checksum = volume.superblock.checksum;
        volume.read(start, len, |bytes| {
            if let Some(sums) = &sums {
                let mut pairs = bytes.chunks_exact(sector).zip(sums.chunks_exact(checksum.size()));
                if let Some(bad) = pairs.position(|(sector, sum)| !checksum.matches(sector, sum)) {
                    let at = start + (bad * sector) as u64;
                    return Err(damaged(&format!("the checksum of its data at {at} does not match")));
                }
            }
            Ok(bytes.get(skip..skip + count).unwrap_or_default().to_vec())
        })
    }

    /// The checksums of so many sectors from this one on.
    fn checksums(&self, volume: &Volume, start: u64, count: usize) -> Result<Vec<u8>> {
        let tree = self.checksums.clone()?;
        let (size, sector) = (volume.superblock.checksum.size(), volume.superblock.sector as u64);
        let missing = |at: u64| damaged(&format!("the checksum of its data at {at} is missing"));
        let key = |at| Key::new(id::CSUMS, kind::EXTENT_CSUM, at);
        let mine = |item: &Item| (item.key.id, item.key.kind) == (id::CSUMS, kind::EXTENT_CSUM);
        let first = volume.item_until(tree, key(start))?.filter(mine).ok_or_else(|| missing(start))?;
        let mut items = volume.items(tree, first.key)?;
        let mut sums = Vec::new();
        while sums.len() < count * size {
            let at = start + (sums.len() / size) as u64 * sector;
            let item = items.next()?.filter(mine).ok_or_else(|| missing(at))?;
            let skip = at.checked_sub(item.key.offset).ok_or_else(|| missing(at))? / sector;
            let found = usize::try_from(skip)
                .ok()
                .and_then(|skip| item.data().get(skip.checked_mul(size)?..))
                .map(|found| found.get(..count * size - sums.len()).unwrap_or(found))
                .filter(|found| found.len() >= size)
                .ok_or_else(|| missing(at))?;
            sums.extend_from_slice(found.get(..found.len() / size * size).unwrap_or_default());
        }
        Ok(sums)
    }
}

/// A file whose contents are read.
pub(super) struct File {
    pub(super) place: Place,
    pub(super) size: u64,
    /// Whether no checksums are kept of its data.
    pub(super) unchecked: bool,
}

fn zeros(all: &mut Vec<u8>, count: u64) {
    let count = usize::try_from(count).unwrap_or_default();
    all.resize(all.len() + count, 0);
}

/// What a compressed extent holds.
fn unpacked(volume: &Volume, extent: &Extent, packed: &[u8]) -> Result<Vec<u8>> {
    let Some(how) = name(extent.packed) else {
        return Err(not_read("a part of it is compressed in an unknown way"));
    };
    let sector = volume.superblock.sector;
    let size = usize::try_from(extent.ram_bytes).ok().filter(|_| extent.ram_bytes <= COMPRESSED);
    size.and_then(|size| {
        let mut all = unpack(extent.packed, packed, size, sector)?;
        // A file that ended within the extent's last sector was packed until its end; zeros follow.
        let whole = all.len().next_multiple_of(sector).min(size);
        all.resize(whole, 0);
        (all.len() == size).then_some(all)
    })
    .ok_or_else(|| damaged(&format!("a part of it cannot be unpacked ({how})")))
}

//! A sparse extent: a directory of tables of grains, which may be compressed (stream-optimized).

use super::super::image::{Extent, Image, Packed};
use super::super::mapped::{Beneath, Kept, Map, Mapped, Run};
use super::super::packing::Packing;
use super::super::{BadFormat, Format, field};
use super::{MOST_DESCRIPTION, SECTOR};
use crate::source::bytes::Bytes;
use std::io;
use std::sync::Arc;

pub(super) const MAGIC: &[u8] = b"KDMV";

/// Bits of the flags: grains that are zeros have an entry of 1; compressed ones; each after its marker.
const COMPRESSED: u32 = 1 << 16;
const MARKERS: u32 = 1 << 17;

/// Where the directory is, if only the footer tells.
const AT_END: u64 = u64::MAX;

/// The largest compressed grain: unpacked, it is held in memory.
const MOST_PACKED: u64 = 2 << 20;

#[derive(Debug)]
pub(super) struct Header {
    /// In sectors.
    pub(super) capacity: u64,
    /// Where the description is, and its length.
    pub(super) description: Option<(u64, u64)>,
    flags: u32,
    /// Of a grain, in bytes.
    grain: u64,
    /// Entries of a table of grains.
    entries: u64,
    /// Where the directory is.
    directory: u64,
}

impl Header {
    pub(super) fn read(image: &Image) -> Result<Self, BadFormat> {
        let header = Self::parse(&image.header(0, 512)?)?;
        if header.directory != AT_END {
            return Ok(header);
        }
        // The last three sectors: a marker, the footer, the marker of the end.
        let bad = || {
            let what = "it has no footer at its end: it was not copied whole";
            BadFormat::Damaged(Format::Vmdk, what.into())
        };
        let end = image.len() - image.len() % SECTOR;
        let last = image.header(end.checked_sub(3 * SECTOR).ok_or_else(bad)?, 3 * SECTOR as usize)?;
        let (marker, rest) = last.split_at_checked(SECTOR as usize).ok_or_else(bad)?;
        let (footer, eos) = rest.split_at_checked(SECTOR as usize).ok_or_else(bad)?;
        let kind =
            |marker: &[u8]| (u32::from_le_bytes(field(marker, 8)), u32::from_le_bytes(field(marker, 12)));
        if kind(marker) != (0, 3) || kind(eos) != (0, 0) || !footer.starts_with(MAGIC) {
            return Err(bad());
        }
        let footer = Self::parse(footer)?;
        match footer.directory {
            AT_END => Err(bad()),
            _ => Ok(Self { description: header.description, ..footer }),
        }
    }

    fn parse(bytes: &[u8]) -> Result<Self, BadFormat> {
        let bad = |what: String| BadFormat::Damaged(Format::Vmdk, what);
        let cannot = |what: String| BadFormat::Unsupported(Format::Vmdk, what);
        let u32_at = |at| u32::from_le_bytes(field(bytes, at));
        let u64_at = |at| u64::from_le_bytes(field(bytes, at));
        if !bytes.starts_with(MAGIC) {
            return Err(bad("an extent does not begin as one".into()));
        }
        let version = u32_at(4);
        if !(1..=3).contains(&version) {
            return Err(cannot(format!("of version {version}")));
        }
        let (capacity, grain, entries) = (u64_at(12), u64_at(20), u64::from(u32_at(44)));
        let (flags, algorithm) = (u32_at(8), u16::from_le_bytes(field(bytes, 77)));
        let description = match (u64_at(28).checked_mul(SECTOR), u64_at(36).checked_mul(SECTOR)) {
            (Some(0), _) | (_, Some(0)) => None,
            (Some(at), Some(len)) if len <= MOST_DESCRIPTION => Some((at, len)),
            _ => return Err(bad("its description is larger than any".into())),
        };
        if capacity != 0 {
            let most = if flags & COMPRESSED != 0 { MOST_PACKED } else { 1 << 30 };
            let fits = grain.is_power_of_two() && grain <= most / SECTOR;
            if !fits || !(1..=4096).contains(&entries) || capacity > 1 << 53 {
                return Err(bad(format!(
                    "it has {capacity} sectors, in grains of {grain} and tables of {entries}"
                )));
            }
        }
        match (flags & COMPRESSED != 0, algorithm) {
            (false, _) => {}
            (true, 1) if flags & MARKERS != 0 => {}
            _ => return Err(cannot(format!("with the compression {algorithm}"))),
        }
        let directory = match u64_at(56) {
            AT_END => AT_END,
            sector => {
                sector.checked_mul(SECTOR).ok_or_else(|| bad("its directory is beyond its end".into()))?
            }
        };
        Ok(Self { capacity, description, flags, grain: grain.saturating_mul(SECTOR), entries, directory })
    }
}

/// The disk, or a part of it, in the extent.
pub(super) fn open(image: Image, header: &Header) -> Result<Arc<dyn Bytes>, BadFormat> {
    if header.capacity == 0 {
        return Err(BadFormat::Damaged(Format::Vmdk, "it has no sectors".into()));
    }
    let len = header.capacity * SECTOR;
    let tables = len.div_ceil(header.grain * header.entries);
    if header.directory.checked_add(tables * 4).is_none_or(|end| end > image.len()) {
        let what = format!("its directory of {tables} tables at byte {} is beyond its end", header.directory);
        return Err(BadFormat::Damaged(Format::Vmdk, what));
    }
    let map = Grains {
        image: image.clone(),
        directory: header.directory,
        grain: header.grain,
        entries: header.entries,
        compressed: header.flags & COMPRESSED != 0,
        len,
    };
    Ok(Arc::new(Mapped { map, len, image, data: None, beneath: Beneath::Nothing }))
}

/// The directory, and what it leads to.
#[derive(Debug)]
struct Grains {
    image: Image,
    directory: u64,
    grain: u64,
    entries: u64,
    compressed: bool,
    len: u64,
}

impl Map for Grains {
    fn find(&self, at: u64) -> io::Result<Run> {
        let number = at / self.grain;
        let (table, entry) = (number / self.entries, number % self.entries);
        let sector = u32::from_le_bytes(self.image.entry(self.directory + table * 4)?);
        if sector == 0 {
            let span = self.grain * self.entries;
            return Ok(Run { len: span - at % span, kept: Kept::Zeros });
        }
        let sector = u32::from_le_bytes(self.image.entry(u64::from(sector) * SECTOR + entry * 4)?);
        let place = u64::from(sector) * SECTOR;
        let len = self.grain - at % self.grain;
        let kept = match sector {
            // Not there; zeros, where the flags allow it, and else the description, which no grain is.
            0 | 1 => Kept::Zeros,
            _ if self.compressed => Kept::Packed(self.packed(at, place)),
            _ => Kept::Stored(place + at % self.grain),
        };
        Ok(Run { len, kept })
    }
}

impl Grains {
    fn packed(&self, at: u64, place: u64) -> Packed {
        let start = at - at % self.grain;
        // Of the last one no more than the disk has.
        let size = usize::try_from(self.grain.min(self.len - start)).unwrap_or_default();
        Packed { at: place, extent: Extent::Marked, packing: Packing::Zlib, start, size }
    }
}

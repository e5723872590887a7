//! VHD (Virtual PC, older Hyper-V, Azure): fixed and dynamic disks.
//!
//! Of Microsoft's "Virtual Hard Disk Image Format Specification" 1.0. A fixed disk is a raw one with a footer; a dynamic one has
//! a copy of the footer first, and a table of blocks. The bitmap before each block says which sectors were ever written: the others
//! of a block are zeros, so that it is not needed.

use super::image::Image;
use super::mapped::{Beneath, Kept, Map, Mapped, Run};
use super::{BadFormat, Format, field};
use crate::source::bytes::{Bytes, Slice};
use std::io;
use std::sync::Arc;

const SECTOR: u64 = 512;
const MOST_LEN: u64 = 1 << 41;

/// Whether these are the first bytes of a dynamic one.
pub(super) fn begins(start: &[u8]) -> bool {
    start.starts_with(b"conectix")
}

/// Whether this is its footer, and sound.
pub(super) fn is(footer: &[u8]) -> bool {
    footer.starts_with(b"conectix")
        && footer.get(..512).is_some_and(|footer| checksum(footer, 64) == u32_at(footer, 64))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(field(bytes, at))
}

/// One's complement of the sum of all bytes but the checksum's own.
pub(super) fn checksum(bytes: &[u8], own: usize) -> u32 {
    let all = bytes.iter().enumerate().filter(|(at, _)| !(own..own + 4).contains(at));
    !all.map(|(_, byte)| u32::from(*byte)).fold(0, u32::wrapping_add)
}

/// The disk in the image.
pub(super) fn open(image: Image) -> Result<Arc<dyn Bytes>, BadFormat> {
    let bad = |what: String| BadFormat::Damaged(Format::Vhd, what);
    let end = image.header(image.len().saturating_sub(512), 512)?;
    let start = image.header(0, 512)?;
    // The copy at the start is there for the case that the footer is lost.
    let footer = match (is(&end), is(&start)) {
        (true, _) => end,
        (false, true) => start,
        (false, false) => return Err(bad("the checksum of its footer is wrong".into())),
    };
    let len = u64::from_be_bytes(field(&footer, 48));
    if len > MOST_LEN {
        return Err(bad(format!("its disk is of {len} bytes")));
    }
    match u32_at(&footer, 60) {
        2 if len <= image.len() - SECTOR => Ok(Arc::new(Slice { of: image.file, start: 0, len })),
        2 => Err(bad(format!(
            "its disk is of {len} bytes, and the file of {} alone: it was not copied whole",
            image.len()
        ))),
        3 => dynamic(image, &footer, len),
        4 => Err(BadFormat::Unsupported(Format::Vhd, "that holds only what differs from another one".into())),
        other => Err(BadFormat::Unsupported(Format::Vhd, format!("of the type {other}"))),
    }
}

fn dynamic(image: Image, footer: &[u8], len: u64) -> Result<Arc<dyn Bytes>, BadFormat> {
    let bad = |what: String| BadFormat::Damaged(Format::Vhd, what);
    let header = image.header(u64::from_be_bytes(field(footer, 16)), 1024)?;
    if !header.starts_with(b"cxsparse") || checksum(&header, 36) != u32_at(&header, 36) {
        return Err(bad("its header is none, or the checksum of that is wrong".into()));
    }
    let (entries, block) = (u32_at(&header, 28), u32_at(&header, 32));
    if !block.is_power_of_two() || u64::from(block) < SECTOR {
        return Err(bad(format!("its blocks are of {block} bytes")));
    }
    let block = u64::from(block);
    if u64::from(entries) * block < len {
        return Err(bad(format!("its table of {entries} blocks is too small for {len} bytes")));
    }
    let table = u64::from_be_bytes(field(&header, 16));
    if table.checked_add(u64::from(entries) * 4).is_none_or(|end| end > image.len()) {
        return Err(bad(format!("its table of {entries} blocks at byte {table} is beyond its end")));
    }
    let bitmap = (block / SECTOR).div_ceil(8).next_multiple_of(SECTOR);
    let map = Blocks { image: image.clone(), table, block, bitmap };
    Ok(Arc::new(Mapped { map, len, image, data: None, beneath: Beneath::Nothing }))
}

/// The table of blocks.
#[derive(Debug)]
struct Blocks {
    image: Image,
    table: u64,
    block: u64,
    /// How long the bitmap is that comes before a block.
    bitmap: u64,
}

impl Map for Blocks {
    fn find(&self, at: u64) -> io::Result<Run> {
        let (number, within) = (at / self.block, at % self.block);
        let kept = match u32::from_be_bytes(self.image.entry(self.table + number * 4)?) {
            u32::MAX => Kept::Zeros,
            sector => Kept::Stored(u64::from(sector) * SECTOR + self.bitmap + within),
        };
        Ok(Run { len: self.block - within, kept })
    }
}

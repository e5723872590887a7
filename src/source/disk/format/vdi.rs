//! VDI, VirtualBox's format: a table of blocks.
//!
//! Of VirtualBox's `VDICore.h`: the header of version 1.1.

use super::image::Image;
use super::mapped::{Beneath, Kept, Map, Mapped, Run};
use super::{BadFormat, Format, field};
use crate::source::bytes::Bytes;
use std::io;
use std::sync::Arc;

/// Entries of blocks that are not there: never written, and zeros.
const ABSENT: u32 = 0xffff_fffe;

/// Whether these are the first bytes of one.
pub(super) fn is(start: &[u8]) -> bool {
    start.get(64..68) == Some(b"\x7f\x10\xda\xbe")
}

/// The disk in the image.
pub(super) fn open(image: Image) -> Result<Arc<dyn Bytes>, BadFormat> {
    let bad = |what: String| BadFormat::Damaged(Format::Vdi, what);
    let cannot = |what: String| BadFormat::Unsupported(Format::Vdi, what);
    let header = image.header(0, 512)?;
    let u32_at = |at| u32::from_le_bytes(field(&header, at));
    if !is(&header) {
        return Err(bad("it does not begin as one".into()));
    }
    let version = u32_at(68);
    if version >> 16 != 1 || version & 0xffff < 1 {
        return Err(cannot(format!("of version {}.{}", version >> 16, version & 0xffff)));
    }
    let is_diff = [424, 440].iter().any(|at| field::<16>(&header, *at) != [0; 16]);
    match u32_at(76) {
        1 | 2 if !is_diff => {}
        _ => return Err(cannot("that holds only what differs from another one".into())),
    }
    if u32_at(380) != 0 {
        return Err(cannot("whose blocks have a head".into()));
    }
    let (table, data) = (u64::from(u32_at(340)), u64::from(u32_at(344)));
    let len = u64::from_le_bytes(field(&header, 368));
    let (block, entries) = (u32_at(376), u32_at(384));
    if !block.is_power_of_two() || block < 512 {
        return Err(bad(format!("its blocks are of {block} bytes")));
    }
    if u64::from(entries) * u64::from(block) < len {
        return Err(bad(format!("its table of {entries} blocks is too small for {len} bytes")));
    }
    if table + u64::from(entries) * 4 > image.len() {
        return Err(bad(format!("its table of {entries} blocks at byte {table} is beyond its end")));
    }
    let map = Blocks { image: image.clone(), table, data, block: block.into() };
    Ok(Arc::new(Mapped { map, len, image, data: None, beneath: Beneath::Nothing }))
}

/// The table of blocks.
#[derive(Debug)]
struct Blocks {
    image: Image,
    table: u64,
    /// Where the first block is.
    data: u64,
    block: u64,
}

impl Map for Blocks {
    fn find(&self, at: u64) -> io::Result<Run> {
        let (number, within) = (at / self.block, at % self.block);
        let kept = match u32::from_le_bytes(self.image.entry(self.table + number * 4)?) {
            ABSENT.. => Kept::Zeros,
            place => Kept::Stored(self.data + u64::from(place) * self.block + within),
        };
        Ok(Run { len: self.block - within, kept })
    }
}

//! OVA: a tar of the description of a machine (`.ovf`, which comes first) and its disks.
//!
//! Open Virtualization Format Specification (DMTF DSP0243), 5.3.

use super::image::Image;
use super::{BadFormat, Format, field};
use crate::source::bytes::{Bytes, Slice};
use std::sync::Arc;

/// How many members are looked at.
const MOST_MEMBERS: usize = 1000;

const BLOCK: u64 = 512;

/// Whether these are the first bytes of one.
pub(super) fn is(start: &[u8]) -> bool {
    start.get(257..262) == Some(b"ustar") && name(start).ends_with(b".ovf")
}

fn name(header: &[u8]) -> &[u8] {
    let name = header.get(..100).unwrap_or_default();
    name.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// The size of a member: octal digits, or a big number (as GNU tar writes it) with the first bit set.
fn size(header: &[u8]) -> Option<u64> {
    let digits: [u8; 12] = field(header, 124);
    if digits[0] & 0x80 != 0 {
        return Some(u64::from_be_bytes(field(&digits, 4)));
    }
    let digits = digits.split(|byte| matches!(byte, 0 | b' ')).find(|part| !part.is_empty())?;
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

/// The one VMDK in it.
pub(super) fn disk(image: &Image) -> Result<Arc<dyn Bytes>, BadFormat> {
    let bad = |what: &str| BadFormat::Damaged(Format::Ova, what.into());
    let mut disks = Vec::new();
    let mut at = 0;
    for _ in 0..MOST_MEMBERS {
        let mut header = [0; BLOCK as usize];
        if image.file.read_at(at, &mut header)? < header.len() || header[0] == 0 {
            break;
        }
        if header.get(257..262) != Some(b"ustar") {
            return Err(bad("the header of a member of the tar is none"));
        }
        let size = size(&header).ok_or_else(|| bad("the size of a member of the tar is none"))?;
        let start = at + BLOCK;
        if start.checked_add(size).is_none_or(|end| end > image.len()) {
            return Err(bad("it ends within a member of the tar: it was not copied whole"));
        }
        let name = name(&header);
        if matches!(header.get(156), Some(0 | b'0')) && !name.ends_with(b".ovf") {
            let mut magic = [0; 4];
            image.file.read_at(start, &mut magic)?;
            if super::vmdk::is(&magic) {
                let slice = Slice { of: image.file.clone(), start, len: size };
                disks.push(slice);
            }
        }
        at = start + size.div_ceil(BLOCK) * BLOCK;
    }
    match (disks.len(), disks.pop()) {
        (1, Some(disk)) => Ok(Arc::new(disk)),
        (0, _) | (_, None) => Err(BadFormat::Other(
            "an OVA without a VMDK in it: unpack it with tar, and give the disk with the root".into(),
        )),
        (count, Some(_)) => Err(BadFormat::Other(format!(
            "an OVA with {count} disks in it: unpack it with tar, and give the one with the root"
        ))),
    }
}

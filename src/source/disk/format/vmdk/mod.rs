//! VMDK, VMware's format: sparse and stream-optimized ones, as OVAs and clouds have them, and those that a description puts together
//! of several files.
//!
//! Of VMware's "Virtual Disk Format 5.0".

mod description;
mod sparse;

use super::image::Image;
use super::opener::Opener;
use super::{BadFormat, Format, shown};
use crate::source::bytes::{Bytes, Slice};
use description::{Extent, Kind};
use std::io;
use std::path::Path;
use std::sync::Arc;

const SECTOR: u64 = 512;

/// The largest description that is read, in which QEMU and VMware agree within reason.
const MOST_DESCRIPTION: u64 = 1 << 20;

/// Whether these are the first bytes of one.
pub(super) fn is(start: &[u8]) -> bool {
    start.starts_with(sparse::MAGIC) || start.starts_with(b"# Disk DescriptorFile") || is_esx(start)
}

/// What ESX writes for snapshots, which is another format in all but the name.
fn is_esx(start: &[u8]) -> bool {
    start.starts_with(b"COWD") || start.starts_with(b"\xbe\xba\xfe\xca\0\0\0\0")
}

/// The disk in the image at `path`.
pub(super) fn open(image: Image, path: &Path, opener: &mut Opener) -> Result<Arc<dyn Bytes>, BadFormat> {
    let mut start = [0; 8];
    image.file.read_at(0, &mut start)?;
    if is_esx(&start) {
        return Err(BadFormat::Unsupported(Format::Vmdk, "as ESX keeps it".into()));
    }
    if !start.starts_with(sparse::MAGIC) {
        return described(&image, 0, image.len().min(MOST_DESCRIPTION), path, opener);
    }
    let header = sparse::Header::read(&image)?;
    match header.description {
        // A header that says nothing of its own.
        Some((at, len)) if header.capacity == 0 => described(&image, at, len, path, opener),
        Some((at, len)) => {
            description::require_whole(&image.header(at, len as usize)?)?;
            sparse::open(image, &header)
        }
        None => sparse::open(image, &header),
    }
}

/// The disk that a description puts together.
fn described(
    image: &Image,
    at: u64,
    len: u64,
    path: &Path,
    opener: &mut Opener,
) -> Result<Arc<dyn Bytes>, BadFormat> {
    let text = image.header(at, len as usize)?;
    description::require_whole(&text)?;
    let extents = description::extents(&text)?;
    if let Some(first) = extents.iter().find_map(|extent| extent.name.as_ref())
        && !opener.allow_backing
    {
        return Err(BadFormat::Elsewhere(Format::Vmdk, shown(first)));
    }
    let mut joined = Joined { parts: Vec::new(), len: 0 };
    for extent in &extents {
        let part = part(extent, path, opener)?;
        joined.parts.push((joined.len, part));
        joined.len = (extent.sectors.checked_mul(SECTOR))
            .and_then(|len| joined.len.checked_add(len))
            .ok_or_else(|| BadFormat::Damaged(Format::Vmdk, "its extents are larger than any disk".into()))?;
    }
    match joined.len {
        0 => Err(BadFormat::Damaged(Format::Vmdk, "its description names no extent".into())),
        _ => Ok(Arc::new(joined)),
    }
}

fn part(extent: &Extent, path: &Path, opener: &mut Opener) -> Result<Option<Arc<dyn Bytes>>, BadFormat> {
    let Some(name) = &extent.name else { return Ok(None) };
    let image = opener.part(name, path)?;
    let short = |has: u64| {
        let name = shown(name);
        let what = format!("its extent {name} has {has} bytes of {} sectors", extent.sectors);
        BadFormat::Damaged(Format::Vmdk, what)
    };
    let len = extent.sectors.checked_mul(SECTOR);
    match extent.kind {
        Kind::Zero => Ok(None),
        Kind::Flat => {
            let start = extent.offset.checked_mul(SECTOR);
            let end = start.zip(len).and_then(|(start, len)| start.checked_add(len));
            match (start, len, end) {
                (Some(start), Some(len), Some(end)) if end <= image.len() => {
                    Ok(Some(Arc::new(Slice { of: image.file, start, len })))
                }
                _ => Err(short(image.len())),
            }
        }
        Kind::Sparse => {
            let header = sparse::Header::read(&image)?;
            let disk = sparse::open(image, &header)?;
            match disk.known_len() {
                Some(has) if Some(has) < len => Err(short(has)),
                _ => Ok(Some(disk)),
            }
        }
    }
}

/// Extents, one after the other.
#[derive(Debug)]
struct Joined {
    /// Each with the byte that it begins with; none for zeros.
    parts: Vec<(u64, Option<Arc<dyn Bytes>>)>,
    len: u64,
}

impl Bytes for Joined {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(at)).unwrap_or(usize::MAX);
        let count = left.min(into.len());
        let mut filled = 0;
        while let Some(rest) = into.get_mut(filled..count).filter(|rest| !rest.is_empty()) {
            let at = at + filled as u64;
            let index = self.parts.partition_point(|(start, _)| *start <= at);
            let end = self.parts.get(index).map_or(self.len, |(start, _)| *start);
            let n = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX).min(rest.len());
            let Some(rest) = rest.get_mut(..n).filter(|_| n > 0) else { break };
            match index.checked_sub(1).and_then(|index| self.parts.get(index)) {
                Some((start, Some(part))) => {
                    if part.read_at(at - start, rest)? < n {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                _ => rest.fill(0),
            }
            filled += n;
        }
        Ok(filled)
    }

    fn known_len(&self) -> Option<u64> {
        Some(self.len)
    }
}

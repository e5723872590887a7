//! VHDX, Hyper-V's format: fixed and dynamic disks.
//!
//! Of Microsoft's \[MS-VHDX\]: the newer of two headers, one of two tables of regions, the metadata, and the block allocation table.
//! A log that is still to be replayed is not: its image is refused.

use super::image::Image;
use super::mapped::{Beneath, Kept, Map, Mapped, Run};
use super::{BadFormat, Format, damaged, field};
use crate::source::bytes::Bytes;
use crate::source::disk::checksum::crc32c;
use std::io;
use std::sync::Arc;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Where the two headers are, each of 4 KiB, and the two tables of regions, each of 64.
const HEADERS: [u64; 2] = [64 * KIB, 128 * KIB];
const REGIONS: [u64; 2] = [192 * KIB, 256 * KIB];

/// The largest disk, by the specification.
const MOST_LEN: u64 = 64 << 40;

/// More of a log is not looked through.
const MOST_LOG: u64 = 256 * MIB;

const BAT: [u8; 16] = guid(0x2dc27766_f623_4200_9d64_115e9bfd4a08);
const METADATA: [u8; 16] = guid(0x8b7ca206_4790_4b9a_b8fe_575f050f886e);
const FILE_PARAMETERS: [u8; 16] = guid(0xcaa16737_fa36_4d43_b3b6_33f0aa44e76b);
const DISK_SIZE: [u8; 16] = guid(0x2fa54224_cd1b_4876_b211_5dbed83bf4b8);
const SECTOR_SIZE: [u8; 16] = guid(0x8141bf1d_a96f_4709_ba47_f233a8faab5f);
/// Items that are of no account to a reader: the SCSI identity, the size of physical sectors, the parent of a difference.
const OTHERS: [[u8; 16]; 3] = [
    guid(0xbeca12ab_b2e6_4523_93ef_c309e000c746),
    guid(0xcda348c7_445d_4471_9cc9_e9885251c556),
    guid(0xa8d35f2d_b30b_454d_abf7_d3d84834ab0c),
];

/// A GUID as it is on disk: its first three parts with the last byte first.
const fn guid(number: u128) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h, rest @ ..] = number.to_be_bytes();
    let [i, j, k, l, m, n, o, p] = rest;
    [d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p]
}

/// Whether these are the first bytes of one.
pub(super) fn is(start: &[u8]) -> bool {
    start.starts_with(b"vhdxfile")
}

/// The disk in the image.
pub(super) fn open(image: Image) -> Result<Arc<dyn Bytes>, BadFormat> {
    let bad = |what: &str| BadFormat::Damaged(Format::Vhdx, what.into());
    refuse_log(&image)?;
    let (mut bat, mut metadata) = (None, None);
    for region in regions(&image)? {
        match region.id {
            BAT => bat = Some((region.at, region.len)),
            METADATA => metadata = Some(region.at),
            _ if region.required => {
                let why = "with a region that is not known".into();
                return Err(BadFormat::Unsupported(Format::Vhdx, why));
            }
            _ => {}
        }
    }
    let (bat, bat_len) = bat.ok_or_else(|| bad("it has no block allocation table"))?;
    let metadata = metadata.ok_or_else(|| bad("it has no metadata"))?;
    let shape = Shape::read(&image, metadata)?;
    let chunk = (1 << 23) * shape.sector / shape.block;
    let blocks = shape.len.div_ceil(shape.block);
    let entries = blocks + blocks.saturating_sub(1) / chunk;
    if entries * 8 > bat_len || bat.checked_add(bat_len).is_none_or(|end| end > image.len()) {
        return Err(bad("its block allocation table is too small, or beyond its end"));
    }
    let map = Blocks { image: image.clone(), bat, block: shape.block, chunk };
    Ok(Arc::new(Mapped { map, len: shape.len, image, data: None, beneath: Beneath::Nothing }))
}

/// A structure with its checksum, CRC-32C over all of it with the checksum itself as zeros.
fn sound(image: &Image, at: u64, len: usize, signature: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = image.header(at, len)?;
    if !bytes.starts_with(signature) {
        return Ok(None);
    }
    let told: [u8; 4] = field(&bytes, 4);
    if let Some(own) = bytes.get_mut(4..8) {
        own.fill(0);
    }
    Ok((crc32c(&bytes) == u32::from_le_bytes(told)).then_some(bytes))
}

/// Refuses an image with a log that is to be replayed first.
fn refuse_log(image: &Image) -> Result<(), BadFormat> {
    let mut newest: Option<(u64, Vec<u8>)> = None;
    for at in HEADERS {
        let Some(header) = sound(image, at, 4096, b"head")? else { continue };
        let sequence = u64::from_le_bytes(field(&header, 8));
        if newest.as_ref().is_none_or(|(newer, _)| *newer < sequence) {
            newest = Some((sequence, header));
        }
    }
    let Some((_, header)) = newest else {
        return Err(BadFormat::Damaged(Format::Vhdx, "neither of its headers is sound".into()));
    };
    let version = u16::from_le_bytes(field(&header, 66));
    if version != 1 {
        return Err(BadFormat::Unsupported(Format::Vhdx, format!("of version {version}")));
    }
    let id: [u8; 16] = field(&header, 48);
    let (len, at) =
        (u64::from(u32::from_le_bytes(field(&header, 68))), u64::from_le_bytes(field(&header, 72)));
    if id == [0; 16] {
        return Ok(());
    }
    // An entry of the log begins at a multiple of 4 KiB; without any that bears this name there is nothing to replay.
    let end = at.checked_add(len).filter(|end| len <= MOST_LOG && *end <= image.len());
    let end = end.ok_or_else(|| BadFormat::Damaged(Format::Vhdx, "its log is beyond its end".into()))?;
    for at in (at..end).step_by(4096) {
        let entry = image.header(at, 48.min((end - at) as usize))?;
        if entry.starts_with(b"loge") && field(&entry, 32) == id {
            let why = "that was not closed, with a log that is to be replayed first".into();
            return Err(BadFormat::Unsupported(Format::Vhdx, why));
        }
    }
    Ok(())
}

/// A part of the file.
struct Region {
    id: [u8; 16],
    at: u64,
    len: u64,
    /// Whether a reader must know it.
    required: bool,
}

fn regions(image: &Image) -> Result<Vec<Region>, BadFormat> {
    for at in REGIONS {
        let Some(table) = sound(image, at, 64 << 10, b"regi")? else { continue };
        let count = u32::from_le_bytes(field(&table, 8)) as usize;
        let entries = table.get(16..).unwrap_or_default().chunks_exact(32).take(count);
        return Ok(entries
            .map(|entry| Region {
                id: field(entry, 0),
                at: u64::from_le_bytes(field(entry, 16)),
                len: u32::from_le_bytes(field(entry, 24)).into(),
                required: u32::from_le_bytes(field(entry, 28)) & 1 == 1,
            })
            .collect());
    }
    Err(BadFormat::Damaged(Format::Vhdx, "neither of its tables of regions is sound".into()))
}

/// What the metadata says of the disk.
struct Shape {
    block: u64,
    len: u64,
    /// The size of a logical sector.
    sector: u64,
}

impl Shape {
    fn read(image: &Image, at: u64) -> Result<Self, BadFormat> {
        let bad = |what: String| BadFormat::Damaged(Format::Vhdx, what);
        let cannot = |what: &str| BadFormat::Unsupported(Format::Vhdx, what.into());
        let table = image.header(at, 64 << 10)?;
        if !table.starts_with(b"metadata") {
            return Err(bad("its metadata is none".into()));
        }
        let count = usize::from(u16::from_le_bytes(field(&table, 10)));
        let (mut parameters, mut len, mut sector) = (None, None, None);
        for entry in table.get(32..).unwrap_or_default().chunks_exact(32).take(count) {
            let id: [u8; 16] = field(entry, 0);
            let place = at.saturating_add(u32::from_le_bytes(field(entry, 16)).into());
            let required = u32::from_le_bytes(field(entry, 24)) & 4 != 0;
            match id {
                FILE_PARAMETERS => parameters = Some(u64::from_le_bytes(field(&image.header(place, 8)?, 0))),
                DISK_SIZE => len = Some(u64::from_le_bytes(field(&image.header(place, 8)?, 0))),
                SECTOR_SIZE => sector = Some(u32::from_le_bytes(field(&image.header(place, 4)?, 0))),
                id if required && !OTHERS.contains(&id) => {
                    return Err(cannot("with metadata that is not known"));
                }
                _ => {}
            }
        }
        let (Some(parameters), Some(len), Some(sector)) = (parameters, len, sector) else {
            return Err(bad("its metadata does not tell the sizes of the disk and its blocks".into()));
        };
        let (block, flags) = (parameters & 0xffff_ffff, parameters >> 32);
        if flags & 2 != 0 {
            return Err(cannot("that holds only what differs from another one"));
        }
        let fits = block.is_power_of_two() && (MIB..=256 * MIB).contains(&block);
        if !fits || len > MOST_LEN || !matches!(sector, 512 | 4096) {
            return Err(bad(format!(
                "its disk is of {len} bytes, in blocks of {block} and sectors of {sector}"
            )));
        }
        Ok(Self { block, len, sector: sector.into() })
    }
}

/// The block allocation table.
#[derive(Debug)]
struct Blocks {
    image: Image,
    bat: u64,
    block: u64,
    /// After so many entries comes one of another kind.
    chunk: u64,
}

impl Map for Blocks {
    fn find(&self, at: u64) -> io::Result<Run> {
        let (number, within) = (at / self.block, at % self.block);
        let index = number + number / self.chunk;
        let entry = u64::from_le_bytes(self.image.entry(self.bat + index * 8)?);
        let kept = match entry & 7 {
            // Not present, undefined, zeros, unmapped (as 5 by drafts of the specification).
            0..=3 | 5 => Kept::Zeros,
            6 => Kept::Stored((entry & !(MIB - 1)).saturating_add(within)),
            _ => {
                return Err(damaged(format!(
                    "the VHDX image is damaged: the entry of its block allocation table for byte {at} of the disk is {entry:#018x}"
                )));
            }
        };
        Ok(Run { len: self.block - within, kept })
    }
}

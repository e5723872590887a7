//! qcow2, versions 2 and 3: QEMU's format, in which most images of clouds come.
//!
//! Of docs/interop/qcow2.rst in QEMU's source: the header, the active L1 table and its L2 tables (extended ones too), compressed
//! clusters, the backing file and the external data file. Reference counts, snapshots and bitmaps are of no account to a reader; so
//! is the dirty bit, which says that reference counts may be wrong.

use super::image::{Extent, Image, Packed};
use super::mapped::{Beneath, Kept, Map, Mapped, Run};
use super::opener::Opener;
use super::packing::Packing;
use super::{BadFormat, Format, damaged, field, shown};
use crate::source::bytes::Bytes;
use std::io;
use std::path::Path;
use std::sync::Arc;

const MAGIC: &[u8] = b"QFI\xfb";

/// Whether these are the first bytes of one.
pub(super) fn is(start: &[u8]) -> bool {
    start.starts_with(MAGIC)
}

/// Bits of the incompatible features.
const DIRTY: u64 = 1;
const CORRUPT: u64 = 1 << 1;
const EXTERNAL_DATA: u64 = 1 << 2;
const COMPRESSION_TYPE: u64 = 1 << 3;
const EXTENDED_L2: u64 = 1 << 4;

/// Header extensions.
const BACKING_FORMAT: u32 = 0xe279_2aca;
const DATA_FILE: u32 = 0x4441_5441;

/// There are six kinds of them; no more than this many are looked at.
const MOST_EXTENSIONS: usize = 1000;

/// QEMU's own limits: clusters of 2 MiB, and an L1 table of 32 MiB.
const MOST_CLUSTER_BITS: u32 = 21;
const MOST_L1_ENTRIES: u32 = (32 << 20) / 8;

/// What the specification allows for a backing file's name.
const MOST_NAME: u32 = 1023;

/// Of an entry of L1 and L2 tables: the offset, and the bits that are reserved.
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
const L1_RESERVED: u64 = 0x7f00_0000_0000_01ff;
const L2_RESERVED: u64 = 0x3f00_0000_0000_01fe;

/// Further bits of an entry of an L2 table.
const COPIED: u64 = 1 << 63;
const COMPRESSED: u64 = 1 << 62;
const ZEROS: u64 = 1;

/// Subclusters of a cluster.
const SUBCLUSTERS: u64 = 32;

#[derive(Debug)]
struct Header {
    version: u32,
    cluster_bits: u32,
    size: u64,
    l1_at: u64,
    backing: Option<(u64, u32)>,
    features: u64,
    packing: Packing,
    /// Where header extensions begin.
    len: u64,
}

/// The disk in the image at `path`.
pub(super) fn open(image: Image, path: &Path, opener: &mut Opener) -> Result<Arc<dyn Bytes>, BadFormat> {
    let header = Header::read(&image)?;
    let (backing_format, data_file) = extensions(&image, &header)?;
    let beneath = match header.backing {
        None => Beneath::Nothing,
        Some((at, len)) => {
            let name = image.header(at, len as usize)?;
            match opener.allow_backing {
                false => Beneath::Closed(shown(&name)),
                true => {
                    let format = backing_format.as_deref().map(format_named).transpose()?.flatten();
                    Beneath::Disk(opener.backing(&name, path, format)?)
                }
            }
        }
    };
    let data = match (header.features & EXTERNAL_DATA != 0, data_file) {
        (false, _) => None,
        (true, None) => {
            let why = "with an external data file that it does not name".into();
            return Err(BadFormat::Unsupported(Format::Qcow2, why));
        }
        (true, Some(name)) if !opener.allow_backing => {
            return Err(BadFormat::Elsewhere(Format::Qcow2, shown(&name)));
        }
        (true, Some(name)) => Some(opener.part(&name, path)?),
    };
    let len = header.size;
    let map = Tables {
        image: image.clone(),
        version: header.version,
        cluster_bits: header.cluster_bits,
        l1_at: header.l1_at,
        extended: header.features & EXTENDED_L2 != 0,
        external: data.is_some(),
        packing: header.packing,
    };
    Ok(Arc::new(Mapped { map, len, image, data, beneath }))
}

/// The format of a backing file by QEMU's name of it; none for one that is only to be recognised.
fn format_named(name: &[u8]) -> Result<Option<Format>, BadFormat> {
    Ok(Some(match name {
        b"" => return Ok(None),
        b"raw" | b"file" | b"host_device" => Format::Raw,
        b"qcow2" => Format::Qcow2,
        b"vmdk" => Format::Vmdk,
        b"vpc" => Format::Vhd,
        b"vhdx" => Format::Vhdx,
        b"vdi" => Format::Vdi,
        other => {
            let why = format!("over a backing file of the format {}", shown(other));
            return Err(BadFormat::Unsupported(Format::Qcow2, why));
        }
    }))
}

impl Header {
    fn read(image: &Image) -> Result<Self, BadFormat> {
        let bad = |what: String| BadFormat::Damaged(Format::Qcow2, what);
        let cannot = |what: String| BadFormat::Unsupported(Format::Qcow2, what);
        let bytes = image.header(0, 72)?;
        let (u32_at, u64_at) =
            (|at| u32::from_be_bytes(field(&bytes, at)), |at| u64::from_be_bytes(field(&bytes, at)));
        if !is(&bytes) {
            return Err(bad("it does not begin as one".into()));
        }
        let version = u32_at(4);
        let (features, packing, len) = match version {
            2 => (0, Packing::Deflate, 72),
            3 => Self::version_3(image)?,
            other => return Err(cannot(format!("of version {other}"))),
        };
        let cluster_bits = u32_at(20);
        let least = if features & EXTENDED_L2 != 0 { 14 } else { 9 };
        if !(least..=MOST_CLUSTER_BITS).contains(&cluster_bits) {
            return Err(bad(format!("its clusters are of 2^{cluster_bits} bytes")));
        }
        let cluster = 1_u64 << cluster_bits;
        if len > cluster {
            return Err(bad(format!("its header is of {len} bytes, and does not fit in a cluster")));
        }
        match u32_at(32) {
            0 => {}
            1 | 2 => return Err(BadFormat::Encrypted),
            other => return Err(cannot(format!("with the encryption {other}"))),
        }
        let size = u64_at(24);
        let (l1_entries, l1_at) = (u32_at(36), u64_at(40));
        if l1_entries > MOST_L1_ENTRIES {
            return Err(bad(format!("its L1 table is of {l1_entries} entries")));
        }
        let entry_bits = if features & EXTENDED_L2 != 0 { 4 } else { 3 };
        let table_bits = cluster_bits + (cluster_bits - entry_bits);
        if size.div_ceil(1 << table_bits) > u64::from(l1_entries) {
            return Err(bad(format!("its L1 table of {l1_entries} entries is too small for {size} bytes")));
        }
        let l1_end = l1_at.checked_add(u64::from(l1_entries) * 8);
        if !l1_at.is_multiple_of(cluster) || l1_end.is_none_or(|end| end > image.len()) {
            return Err(bad(format!(
                "its L1 table is at byte {l1_at} with {l1_entries} entries, and the file of {} bytes",
                image.len()
            )));
        }
        let backing = match (u64_at(8), u32_at(16)) {
            (0, _) => None,
            (at, len) if len <= MOST_NAME && at.checked_add(len.into()).is_some_and(|end| end <= cluster) => {
                Some((at, len))
            }
            (_, len) => return Err(bad(format!("the name of its backing file is of {len} bytes"))),
        };
        Ok(Self { version, cluster_bits, size, l1_at, backing, features, packing, len })
    }

    /// What only version 3 has: the incompatible features, the compression, the length.
    fn version_3(image: &Image) -> Result<(u64, Packing, u64), BadFormat> {
        let bad = |what: String| BadFormat::Damaged(Format::Qcow2, what);
        let cannot = |what: String| BadFormat::Unsupported(Format::Qcow2, what);
        let bytes = image.header(0, 104)?;
        let features = u64::from_be_bytes(field(&bytes, 72));
        let len = u32::from_be_bytes(field(&bytes, 100));
        if len < 104 || len % 8 != 0 {
            return Err(bad(format!("its header is of {len} bytes")));
        }
        if features & CORRUPT != 0 {
            return Err(bad(
                "it is marked as corrupt; `qemu-img check -r all` on a copy of it may mend that".into(),
            ));
        }
        let unknown = features & !(DIRTY | CORRUPT | EXTERNAL_DATA | COMPRESSION_TYPE | EXTENDED_L2);
        if unknown != 0 {
            return Err(cannot(format!("with incompatible features ({unknown:#x})")));
        }
        let compression = match len {
            104 => 0,
            _ => image.header(104, 1)?.first().copied().unwrap_or_default(),
        };
        let packing = match (features & COMPRESSION_TYPE != 0, compression) {
            (false, 0) => Packing::Deflate,
            (true, 1) => Packing::Zstd,
            (true, 2..) => return Err(cannot(format!("with the compression {compression}"))),
            _ => return Err(bad("its header contradicts itself about the compression".into())),
        };
        Ok((features, packing, len.into()))
    }
}

/// What header extensions say: the format of the backing file, and the name of the external data file.
type Extensions = (Option<Vec<u8>>, Option<Vec<u8>>);

fn extensions(image: &Image, header: &Header) -> Result<Extensions, BadFormat> {
    let (mut format, mut data) = (None, None);
    // They end where the name of the backing file begins, or with the first cluster.
    let end = header.backing.map_or(1 << header.cluster_bits, |(at, _)| at);
    let mut at = header.len;
    for _ in 0..MOST_EXTENSIONS {
        if at + 8 > end {
            break;
        }
        let head = image.header(at, 8)?;
        let (kind, len) =
            (u32::from_be_bytes(field(&head, 0)), u64::from(u32::from_be_bytes(field(&head, 4))));
        if kind == 0 {
            break;
        }
        let start = at + 8;
        if start + len > end {
            return Err(BadFormat::Damaged(
                Format::Qcow2,
                format!("the extension of its header at byte {at} is of {len} bytes"),
            ));
        }
        match kind {
            // Names are as short as those of backing files.
            BACKING_FORMAT | DATA_FILE if len > MOST_NAME.into() => {
                return Err(BadFormat::Damaged(
                    Format::Qcow2,
                    format!("its header holds a name of {len} bytes"),
                ));
            }
            BACKING_FORMAT => format = Some(image.header(start, len as usize)?),
            DATA_FILE => data = Some(image.header(start, len as usize)?),
            _ => {}
        }
        at = start + len.next_multiple_of(8);
    }
    Ok((format, data))
}

/// The active L1 table, and what it leads to.
#[derive(Debug)]
struct Tables {
    image: Image,
    version: u32,
    cluster_bits: u32,
    l1_at: u64,
    /// Whether entries of L2 tables tell of subclusters.
    extended: bool,
    /// Whether data is in another file.
    external: bool,
    packing: Packing,
}

impl Map for Tables {
    fn find(&self, at: u64) -> io::Result<Run> {
        let cluster = 1_u64 << self.cluster_bits;
        let entry_bits = if self.extended { 4 } else { 3 };
        let table_bits = self.cluster_bits - entry_bits;
        let number = at >> self.cluster_bits;
        let (l1, l2) = (number >> table_bits, number & ((1 << table_bits) - 1));
        let entry = u64::from_be_bytes(self.image.entry(self.l1_at.saturating_add(l1.saturating_mul(8)))?);
        if entry & L1_RESERVED != 0 || entry & OFFSET & (cluster - 1) != 0 {
            return Err(self.damaged(at, "L1", entry));
        }
        let table = entry & OFFSET;
        if table == 0 {
            let span = cluster << table_bits;
            return Ok(Run { len: span - at % span, kept: Kept::Beneath });
        }
        let place = table + (l2 << entry_bits);
        let entry = u64::from_be_bytes(self.image.entry(place)?);
        let len = cluster - at % cluster;
        if entry & COMPRESSED != 0 {
            return Ok(Run { len, kept: self.packed(at, entry)? });
        }
        let place_of_data = entry & OFFSET;
        // Only in an external file data is at 0.
        let is_there = place_of_data != 0 || (self.external && entry & COPIED != 0);
        let stored = Kept::Stored(place_of_data + at % cluster);
        if entry & L2_RESERVED != 0 || !place_of_data.is_multiple_of(cluster) {
            return Err(self.damaged(at, "L2", entry));
        }
        if self.extended {
            let bitmap = u64::from_be_bytes(self.image.entry(place + 8)?);
            return self.subclusters(at, entry, bitmap, is_there.then_some(stored));
        }
        let kept = match (entry & ZEROS != 0, is_there) {
            (true, _) if self.version < 3 => return Err(self.damaged(at, "L2", entry)),
            (true, _) => Kept::Zeros,
            (false, true) => stored,
            (false, false) => Kept::Beneath,
        };
        Ok(Run { len, kept })
    }
}

impl Tables {
    fn packed(&self, at: u64, entry: u64) -> io::Result<Kept> {
        if self.external || entry & COPIED != 0 {
            return Err(self.damaged(at, "L2", entry));
        }
        let sectors_bits = self.cluster_bits - 8;
        let shift = 62 - sectors_bits;
        let place = entry & ((1 << shift) - 1);
        let sectors = (entry >> shift) & ((1 << sectors_bits) - 1);
        Ok(Kept::Packed(Packed {
            at: place,
            extent: Extent::Within((sectors + 1) * 512 - place % 512),
            packing: self.packing,
            start: at >> self.cluster_bits << self.cluster_bits,
            size: 1 << self.cluster_bits,
        }))
    }

    /// The run of subclusters that are alike. The lower half of the bitmap says which are allocated, the upper one which are zeros.
    fn subclusters(&self, at: u64, entry: u64, bitmap: u64, stored: Option<Kept>) -> io::Result<Run> {
        let (allocated, zeros) = (bitmap & 0xffff_ffff, bitmap >> 32);
        if allocated & zeros != 0 || entry & ZEROS != 0 || (allocated != 0 && stored.is_none()) {
            return Err(self.damaged(at, "L2", entry));
        }
        let size = (1_u64 << self.cluster_bits) / SUBCLUSTERS;
        let first = at % (1 << self.cluster_bits) / size;
        let state = |number: u64| (allocated >> number & 1, zeros >> number & 1);
        let end = (first..SUBCLUSTERS).find(|number| state(*number) != state(first)).unwrap_or(SUBCLUSTERS);
        let kept = match (state(first), stored) {
            ((0, 0), _) => Kept::Beneath,
            ((1, 0), Some(stored)) => stored,
            _ => Kept::Zeros,
        };
        Ok(Run { len: (end - first) * size - at % size, kept })
    }

    fn damaged(&self, at: u64, table: &str, entry: u64) -> io::Error {
        damaged(format!(
            "the qcow2 image is damaged: the entry of its {table} table for byte {at} of the disk is {entry:#018x}"
        ))
    }
}

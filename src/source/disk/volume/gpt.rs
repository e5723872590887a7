//! The partition table of UEFI: chapter 5 of its specification, and what the kernel's block/partitions/efi.c takes.

use super::mbr::BootSector;
use super::table::{MOST, Slot, Table};
use crate::source::bytes::{Bytes, read_exactly};
use crate::source::disk::checksum::crc32;
use crate::source::disk::number::{guid, le32, le64, text16};
use std::io;

/// Sectors of disks are of one of these sizes, and an image does not say which.
const SECTORS: [u64; 2] = [512, 4096];

/// An entry's length, which the kernel insists on.
const ENTRY: u64 = 128;

/// A table of more entries is damaged; 128 are usual.
const MOST_ENTRIES: u32 = 8192;

/// The table, if the disk has one. Without a sector before it that guards it, the kernel takes the MBR's word.
pub(super) fn read(disk: &dyn Bytes, size: u64, boot: Option<&BootSector>) -> io::Result<Option<Table>> {
    let is_guarded = boot.is_some_and(BootSector::is_protective);
    if boot.is_some_and(|boot| !is_guarded && boot.has_partitions()) {
        return Ok(None);
    }
    let mut why = None;
    for sector in SECTORS {
        match header(disk, size, sector, 1)? {
            Ok(header) => return Ok(Some(first(header, size, sector, is_guarded))),
            Err(Fault::None) => {}
            Err(Fault::Damaged(what)) => why = Some(what),
        }
    }
    if !is_guarded && why.is_none() {
        return Ok(None);
    }
    let why = why.unwrap_or_else(|| "it is not there".to_owned());
    let mut table = Table::default();
    for sector in SECTORS {
        let Some(last) = (size / sector).checked_sub(1).filter(|last| *last > 1 && size != u64::MAX) else {
            continue;
        };
        if let Ok(header) = header(disk, size, sector, last)? {
            table = header.table;
            table.faults.push(format!(
                "the first copy of its partition table (GPT) is damaged: {why}. Linux uses the second, at the disk's end, only with \
                 gpt on its command line"
            ));
            return Ok(Some(table));
        }
    }
    table.faults.push(format!(
        "its partition table (GPT) is damaged: {why}, and there is no second copy at the disk's end"
    ));
    Ok(Some(table))
}

fn first(header: Header, size: u64, sector: u64, is_guarded: bool) -> Table {
    let mut table = header.table;
    if !is_guarded {
        table.faults.push(
            "its partition table (GPT) has no protective MBR before it, so that Linux takes no notice of it"
                .to_owned(),
        );
    }
    let end = header.backup.saturating_add(1).saturating_mul(sector);
    if end > size {
        table.faults.push(format!(
            "it ends {} bytes before the second copy of its partition table: the image is cut short",
            end - size
        ));
    }
    table
}

enum Fault {
    /// There is nothing that looks like one.
    None,
    Damaged(String),
}

struct Header {
    table: Table,
    /// The sector of the other copy.
    backup: u64,
}

fn damaged<T>(what: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Damaged(what.into()))
}

/// The header in this sector, and its entries.
fn header(disk: &dyn Bytes, size: u64, sector: u64, at: u64) -> io::Result<Result<Header, Fault>> {
    let mut bytes = vec![0; 512];
    let n = disk.read_at(at.saturating_mul(sector), &mut bytes)?;
    bytes.truncate(n);
    let fields = match fields(&bytes, sector, at) {
        Ok(fields) => fields,
        Err(fault) => return Ok(Err(fault)),
    };
    let (start, len) = (fields.entries.saturating_mul(sector), u64::from(fields.count) * ENTRY);
    let entries = match read_exactly(disk, start, usize::try_from(len).unwrap_or(usize::MAX)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Ok(damaged("its list of partitions lies beyond the disk's end"));
        }
        Err(error) => return Err(error),
    };
    if crc32(&entries) != fields.checksum {
        return Ok(damaged("bad checksum of the list of partitions"));
    }
    Ok(Ok(Header { table: slots(&entries, sector, size), backup: fields.backup }))
}

struct Fields {
    backup: u64,
    entries: u64,
    count: u32,
    checksum: u32,
}

fn fields(bytes: &[u8], sector: u64, at: u64) -> Result<Fields, Fault> {
    if !bytes.starts_with(b"EFI PART") {
        return Err(Fault::None);
    }
    let number = |at: usize| le64(bytes, at).ok_or(Fault::None);
    let short = |at: usize| le32(bytes, at).ok_or(Fault::None);
    let len = short(12)?;
    let mut summed = match usize::try_from(len).ok().and_then(|len| bytes.get(..len)) {
        Some(header) if len >= 92 => header.to_vec(),
        _ => return damaged(format!("its header is said to have {len} bytes")),
    };
    if let Some(checksum) = summed.get_mut(16..20) {
        checksum.fill(0);
    }
    if crc32(&summed) != short(16)? {
        return damaged("bad checksum of the header");
    }
    if number(24)? != at {
        return damaged(format!(
            "the header says that it is in sector {}, and is in sector {at} of {sector} bytes",
            number(24)?
        ));
    }
    let (count, entry) = (short(80)?, short(84)?);
    if u64::from(entry) != ENTRY || count > MOST_ENTRIES {
        return damaged(format!(
            "it is said to have {count} entries of {entry} bytes, of which Linux takes none but those of 128"
        ));
    }
    Ok(Fields { backup: number(32)?, entries: number(72)?, count, checksum: short(88)? })
}

fn slots(entries: &[u8], sector: u64, size: u64) -> Table {
    let mut table = Table::default();
    for (number, entry) in (1_u32..).zip(entries.chunks_exact(ENTRY as usize)) {
        let Some(r#type) = guid(entry, 0) else { continue };
        if table.slots.len() == MOST {
            table.faults.push(format!("it has more than {MOST} partitions, of which Linux takes no notice"));
            break;
        }
        let (first, last) = (le64(entry, 32).unwrap_or(0), le64(entry, 40).unwrap_or(0));
        let (start, end) =
            (first.checked_mul(sector), last.checked_add(1).and_then(|end| end.checked_mul(sector)));
        let place = start.zip(end).filter(|(start, end)| start < end && *start < size);
        let Some((start, end)) = place else {
            table.faults.push(format!(
                "partition {number} goes from sector {first} to {last}, which the disk does not have"
            ));
            continue;
        };
        table.slots.push(Slot {
            number,
            start,
            len: end - start,
            uuid: guid(entry, 16),
            label: text16(entry, 56, 72),
            r#type,
            is_extended: false,
        });
    }
    table
}

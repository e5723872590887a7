//! The partition table of the IBM PC, in the sector that the BIOS starts from: as the kernel's block/partitions/msdos.c reads it.

use super::table::{MOST, Slot, Table};
use crate::source::bytes::Bytes;
use crate::source::disk::number::{le16, le32};
use std::io;

const SECTOR: u64 = 512;
/// More tables in a chain the kernel does not follow either.
const LONGEST: u32 = 100;

/// The sector that the BIOS starts from.
#[derive(Debug)]
pub(super) struct BootSector {
    /// The disk's signature; 0 for none.
    signature: u32,
    entries: [Entry; 4],
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// 0 or 0x80 for the one to start from.
    active: u8,
    r#type: u8,
    start: u32,
    sectors: u32,
}

impl Entry {
    fn parse(sector: &[u8], number: usize) -> Option<Self> {
        let entry = sector.get(446 + number * 16..462 + number * 16)?;
        Some(Self {
            active: *entry.first()?,
            r#type: *entry.get(4)?,
            start: le32(entry, 8)?,
            sectors: le32(entry, 12)?,
        })
    }

    fn is_extended(self) -> bool {
        matches!(self.r#type, 0x05 | 0x0f | 0x85)
    }

    fn is_used(self) -> bool {
        self.r#type != 0 && self.sectors != 0
    }
}

fn entries(sector: &[u8]) -> Option<[Entry; 4]> {
    if le16(sector, 510)? != 0xaa55 {
        return None;
    }
    let mut found = [Entry::default(); 4];
    for (number, entry) in found.iter_mut().enumerate() {
        *entry = Entry::parse(sector, number)?;
    }
    Some(found)
}

impl BootSector {
    /// None where there is no table, as where the sector is that of a FAT.
    pub(super) fn parse(sector: &[u8]) -> Option<Self> {
        let entries = entries(sector)?;
        let is_table = entries.iter().all(|entry| matches!(entry.active, 0 | 0x80));
        is_table.then_some(Self { signature: le32(sector, 440)?, entries })
    }

    /// Whether it guards a GPT.
    pub(super) fn is_protective(&self) -> bool {
        self.entries.iter().any(|entry| entry.r#type == 0xee && entry.start == 1)
    }

    /// Whether it has partitions of its own.
    pub(super) fn has_partitions(&self) -> bool {
        self.entries.iter().any(|entry| entry.is_used() && entry.r#type != 0xee)
    }

    fn slot(&self, number: u32, entry: Entry, start: u64) -> Slot {
        Slot {
            number,
            start: start * SECTOR,
            len: u64::from(entry.sectors) * SECTOR,
            uuid: (self.signature != 0).then(|| format!("{:08x}-{number:02x}", self.signature)),
            label: None,
            r#type: format!("{:#x}", entry.r#type),
            is_extended: entry.is_extended(),
        }
    }
}

/// The partitions, those in extended ones included.
pub(super) fn read(disk: &dyn Bytes, boot: &BootSector) -> io::Result<Table> {
    let mut table = Table::default();
    for (number, entry) in (1..).zip(boot.entries).filter(|(_, entry)| entry.is_used()) {
        table.slots.push(boot.slot(number, entry, u64::from(entry.start)));
    }
    let mut next = 5;
    for entry in boot.entries.into_iter().filter(|entry| entry.is_used() && entry.is_extended()) {
        follow(disk, boot, u64::from(entry.start), &mut next, &mut table)?;
    }
    Ok(table)
}

/// The logical partitions of an extended one: a chain of tables, each with one partition and the place of the next table.
fn follow(
    disk: &dyn Bytes,
    boot: &BootSector,
    base: u64,
    next: &mut u32,
    table: &mut Table,
) -> io::Result<()> {
    let mut at = base;
    for _ in 0..LONGEST {
        let mut sector = [0; SECTOR as usize];
        let n = disk.read_at(at * SECTOR, &mut sector)?;
        let Some(entries) = entries(sector.get(..n).unwrap_or_default()) else {
            // An extended partition that was never divided has no table.
            if at != base {
                table.faults.push(format!("the chain of its logical partitions breaks off in sector {at}"));
            }
            return Ok(());
        };
        for entry in entries.into_iter().filter(|entry| entry.is_used() && !entry.is_extended()) {
            if table.slots.len() >= MOST {
                return Ok(());
            }
            table.slots.push(boot.slot(*next, entry, at + u64::from(entry.start)));
            *next += 1;
        }
        match entries.into_iter().find(|entry| entry.is_used() && entry.is_extended()) {
            Some(entry) => at = base + u64::from(entry.start),
            None => return Ok(()),
        }
    }
    table
        .faults
        .push(format!("the chain of its logical partitions goes on after {LONGEST} tables, or in a circle"));
    Ok(())
}

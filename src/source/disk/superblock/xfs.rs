//! XFS: the XFS Algorithms & Data Structures document, and the kernel's fs/xfs/xfs_log_recover.c for its log.

use super::{Health, Probe, Superblock};
use crate::source::disk::checksum::crc32c;
use crate::source::disk::number::{be16, be32, be64, le32, text, uuid};
use std::io;

/// `sb_features_incompat`: xfs_repair(8) must be run first.
const NEEDS_REPAIR: u32 = 0x10;

pub(super) fn xfs(probe: &Probe<'_>) -> io::Result<Option<Superblock>> {
    let Some(found) = parse(&probe.head) else { return Ok(None) };
    let (mut superblock, log) = found;
    if let Some(log) = log {
        superblock.health.clean = log.is_clean(probe)?;
    }
    Ok(Some(superblock))
}

fn parse(head: &[u8]) -> Option<(Superblock, Option<Log>)> {
    if !head.starts_with(b"XFSB") {
        return None;
    }
    let (block_log, sector_bytes) = (*head.get(120)?, usize::from(be16(head, 102)?));
    if !(9..=16).contains(&block_log) || !(512..=32_768).contains(&sector_bytes) {
        return None;
    }
    let has_checksums = be16(head, 100)? & 0xf == 5;
    let mut marks = Vec::new();
    if has_checksums {
        let mut sector = head.get(..sector_bytes)?.to_vec();
        sector.get_mut(224..228)?.fill(0);
        if crc32c(&sector) != le32(head, 224)? {
            return None;
        }
        if be32(head, 216)? & NEEDS_REPAIR != 0 {
            marks.push("it is marked as in need of repair");
        }
    }
    if *head.get(126)? != 0 {
        marks.push("mkfs or growfs did not come to its end");
    }
    let health = Health {
        errors: Some(!marks.is_empty()),
        detail: (!marks.is_empty()).then(|| marks.join(", ")),
        ..Health::default()
    };
    let (uuid, label) = (uuid(head, 32), text(head, 108, 12));
    Some((Superblock { uuid, label, health, ..Superblock::of("xfs") }, Log::of(head, block_log)))
}

/// The log inside of the file system: a ring of sectors.
struct Log {
    /// Where it begins, in bytes.
    start: u64,
    /// How many sectors of 512 bytes it has.
    sectors: u64,
}

const SECTOR: u64 = 512;
/// What a record begins with, in place of its cycle.
const RECORD: u32 = 0xfeed_babe;
/// The longest record in sectors: 256 KiB and its headers.
const LONGEST: u64 = 512 + 8;
/// `XLOG_UNMOUNT_TRANS`, of the flags of an operation.
const UNMOUNT: u8 = 0x20;

impl Log {
    /// None where it is on another device.
    fn of(head: &[u8], block_log: u8) -> Option<Self> {
        let (start, blocks) = (be64(head, 48)?, be32(head, 96)?);
        let (group_log, group_blocks) = (u32::from(*head.get(124)?), be32(head, 84)?);
        let group = start.checked_shr(group_log)?;
        let within = start & 1_u64.checked_shl(group_log)?.checked_sub(1)?;
        let block = group.checked_mul(u64::from(group_blocks))?.checked_add(within)?;
        let sectors = u64::from(blocks) << (block_log - 9);
        (start != 0 && sectors > 1)
            .then(|| Some(Self { start: block.checked_mul(1 << block_log)?, sectors }))?
    }

    fn sector(&self, probe: &Probe<'_>, number: u64) -> io::Result<Vec<u8>> {
        let at = self.start.saturating_add((number % self.sectors) * SECTOR);
        let found = probe.read(at, SECTOR as usize)?;
        if found.len() < SECTOR as usize {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(found)
    }

    /// On which pass over the ring a sector was written.
    fn cycle(&self, probe: &Probe<'_>, number: u64) -> io::Result<u32> {
        let sector = self.sector(probe, number)?;
        let first = be32(&sector, 0).unwrap_or(0);
        Ok(if first == RECORD { be32(&sector, 4).unwrap_or(0) } else { first })
    }

    /// Whether what was written last tells of unmounting; none where what is there is no log.
    fn is_clean(&self, probe: &Probe<'_>) -> io::Result<Option<bool>> {
        match self.search(probe) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            found => found,
        }
    }

    fn search(&self, probe: &Probe<'_>) -> io::Result<Option<bool>> {
        let (first, last) = (self.cycle(probe, 0)?, self.cycle(probe, self.sectors - 1)?);
        if first == 0 {
            // Never written to.
            return Ok(Some(true));
        }
        let head = if first == last {
            0
        } else if last == 0 || last.wrapping_add(1) == first {
            self.first_of(probe, last)?
        } else {
            return Ok(Some(false));
        };
        for back in 1..=LONGEST.min(self.sectors) {
            let at = (head + self.sectors - back) % self.sectors;
            let header = self.sector(probe, at)?;
            if be32(&header, 0) == Some(RECORD) {
                return Ok(Some(self.ends_with_unmount(probe, at, &header, back)?));
            }
        }
        Ok(Some(false))
    }

    /// The first sector of this cycle, which the last one is of and the first is not.
    fn first_of(&self, probe: &Probe<'_>, cycle: u32) -> io::Result<u64> {
        let (mut before, mut found) = (0, self.sectors - 1);
        while found - before > 1 {
            let middle = before + (found - before) / 2;
            match self.cycle(probe, middle)? == cycle {
                true => found = middle,
                false => before = middle,
            }
        }
        Ok(found)
    }

    /// Whether the record at `at` is that of unmounting, and ends `long` sectors on.
    fn ends_with_unmount(&self, probe: &Probe<'_>, at: u64, header: &[u8], long: u64) -> io::Result<bool> {
        let field = |at| be32(header, at).unwrap_or(0);
        let (version, len, operations, size) = (field(8), field(12), field(40), field(320));
        // A version 2 has a header for each 32 KiB that a record may have.
        let headers = if version & 2 != 0 { u64::from(size.div_ceil(32 << 10)).max(1) } else { 1 };
        if operations != 1 || headers + u64::from(len).div_ceil(SECTOR) != long {
            return Ok(false);
        }
        let operation = self.sector(probe, at + headers)?;
        Ok(operation.get(9).is_some_and(|flags| flags & UNMOUNT != 0))
    }
}

//! FAT and exFAT: the boot sector, and the label in the root directory. Microsoft's FAT specification, and its exFAT specification.

use super::{Health, Probe, Superblock};
use crate::source::disk::number::{le16, le32, text, text16};
use std::io;

/// More of a root directory is not read: labels stand at its start.
const MOST: usize = 64 << 10;

/// Where a FAT's root directory is.
struct Fat {
    superblock: Superblock,
    root: Root,
}

enum Root {
    /// FAT12 and FAT16: a place of its own.
    Place { at: u64, len: usize },
    /// FAT32: a chain of clusters.
    Chain { first: u32, table: u64, clusters: u64, len: usize },
}

pub(super) fn fat(probe: &Probe<'_>) -> io::Result<Option<Superblock>> {
    let Some(mut found) = boot_sector(&probe.head) else { return Ok(None) };
    found.superblock.label = match found.root {
        Root::Place { at, len } => label(&probe.read(at, len)?).flatten(),
        Root::Chain { first, table, clusters, len } => chained_label(probe, first, table, clusters, len)?,
    };
    Ok(Some(found.superblock))
}

fn boot_sector(head: &[u8]) -> Option<Fat> {
    let byte = |at: usize| head.get(at).copied();
    let is =
        |at: usize, words: &[&[u8]]| words.iter().any(|w| head.get(at..).is_some_and(|b| b.starts_with(w)));
    let named =
        is(0x36, &[b"MSDOS", b"FAT16   ", b"FAT12   ", b"FAT     "]) || is(0x52, &[b"MSWIN", b"FAT32   "]);
    let starts = matches!(byte(0)?, 0xeb | 0xe9) && le16(head, 510)? == 0xaa55;
    if !named && !starts {
        return None;
    }
    let sector = u64::from(le16(head, 11)?);
    let (cluster, reserved) = (u64::from(byte(13)?), u64::from(le16(head, 14)?));
    let (tables, entries) = (u64::from(byte(16)?), u64::from(le16(head, 17)?));
    let plausible = [512, 1024, 2048, 4096].contains(&sector)
        && cluster.is_power_of_two()
        && reserved > 0
        && tables > 0
        && (byte(21)? >= 0xf8 || byte(21)? == 0xf0);
    if !plausible {
        return None;
    }
    let short = u64::from(le16(head, 22)?);
    let table_sectors = if short != 0 { short } else { u64::from(le32(head, 36)?) };
    let sectors = match le16(head, 19)? {
        0 => u64::from(le32(head, 32)?),
        few => u64::from(few),
    };
    let root_sectors = (entries * 32).div_ceil(sector);
    let before = reserved + tables * table_sectors;
    let clusters = sectors.checked_sub(before + root_sectors)? / cluster;
    // `ext_boot_sign` says that a serial number follows it.
    let (state, sign) = if short != 0 { (37, 38) } else { (65, 66) };
    let serial = if matches!(byte(sign)?, 0x28 | 0x29) { le32(head, sign + 1) } else { None };
    let root = if short != 0 {
        if clusters > 0xfff4 {
            return None;
        }
        Root::Place { at: before * sector, len: usize::try_from(entries * 32).ok()?.min(MOST) }
    } else {
        if table_sectors == 0 {
            return None;
        }
        Root::Chain {
            first: le32(head, 44)?,
            table: reserved * sector,
            clusters: before * sector,
            len: usize::try_from(cluster * sector).ok()?,
        }
    };
    let superblock = Superblock {
        uuid: serial.filter(|serial| *serial != 0).map(serial_text),
        // The lowest bit says that it is mounted, or was not unmounted.
        health: Health { clean: Some(byte(state)? & 1 == 0), ..Health::default() },
        ..Superblock::of("vfat")
    };
    Some(Fat { superblock, root })
}

fn serial_text(serial: u32) -> String {
    format!("{:04X}-{:04X}", serial >> 16, serial & 0xffff)
}

/// The label among these entries of a directory: none if the directory goes on without one, none in some if it ends.
fn label(entries: &[u8]) -> Option<Option<String>> {
    for entry in entries.chunks_exact(32) {
        let (first, attributes) = (entry.first().copied()?, entry.get(11).copied()?);
        match first {
            0 => return Some(None),
            0xe5 => {}
            // A volume's label; neither a directory nor a part of a long name.
            _ if attributes & 0x3f != 0x0f && attributes & 0x18 == 0x08 => {
                let mut name = entry.get(..11)?.to_vec();
                if first == 0x05 {
                    *name.first_mut()? = 0xe5;
                }
                return Some(text(&name, 0, 11));
            }
            _ => {}
        }
    }
    None
}

fn chained_label(
    probe: &Probe<'_>,
    first: u32,
    table: u64,
    clusters: u64,
    len: usize,
) -> io::Result<Option<String>> {
    let (mut cluster, mut read) = (first & 0x0fff_ffff, 0);
    while (2..0x0fff_fff7).contains(&cluster) && read < MOST {
        let at = clusters.saturating_add(u64::from(cluster - 2).saturating_mul(len as u64));
        if let Some(found) = label(&probe.read(at, len.min(MOST))?) {
            return Ok(found);
        }
        read += len.max(512);
        let next = probe.read(table.saturating_add(u64::from(cluster) * 4), 4)?;
        cluster = le32(&next, 0).unwrap_or(0) & 0x0fff_ffff;
    }
    Ok(None)
}

pub(super) fn exfat(probe: &Probe<'_>) -> io::Result<Option<Superblock>> {
    let head = probe.head.as_slice();
    let Some((mut superblock, root)) = exfat_boot_sector(head) else { return Ok(None) };
    let entries = probe.read(root, MOST.min(4096))?;
    let is_label = |entry: &&[u8]| entry.first() == Some(&0x83);
    superblock.label = entries
        .chunks_exact(32)
        .take_while(|entry| entry.first() != Some(&0))
        .find(is_label)
        .and_then(|entry| text16(entry, 2, usize::from(*entry.get(1)?).min(11) * 2));
    Ok(Some(superblock))
}

fn exfat_boot_sector(head: &[u8]) -> Option<(Superblock, u64)> {
    if head.get(3..11)? != b"EXFAT   " || head.get(11..64)?.iter().any(|byte| *byte != 0) {
        return None;
    }
    let (sector_log, cluster_log) = (u32::from(*head.get(108)?), u32::from(*head.get(109)?));
    if !(9..=12).contains(&sector_log) || cluster_log > 25 - sector_log {
        return None;
    }
    let (heap, root) = (u64::from(le32(head, 88)?), u64::from(le32(head, 96)?));
    let root = (heap << sector_log).checked_add(root.checked_sub(2)? << (sector_log + cluster_log))?;
    let superblock = Superblock {
        uuid: le32(head, 100).filter(|serial| *serial != 0).map(serial_text),
        // VolumeDirty of the volume's flags.
        health: Health { clean: Some(le16(head, 106)? & 2 == 0), ..Health::default() },
        ..Superblock::of("exfat")
    };
    Some((superblock, root))
}

//! What is no file system: parts of arrays and groups, encrypted volumes, swap space.

use super::{Probe, Superblock};
use crate::source::disk::checksum::crc_of_lvm;
use crate::source::disk::number::{be16, be64, le32, le64, text, uuid};
use std::io;

/// A physical volume of LVM2: the label in one of the first four sectors.
pub(super) fn lvm(head: &[u8]) -> Option<Superblock> {
    let label = lvm_label(head)?;
    Some(Superblock { uuid: Some(lvm_uuid(&label.uuid)), ..Superblock::of("LVM2_member") })
}

/// The label of a physical volume.
pub(in crate::source::disk) struct LvmLabel<'a> {
    /// Its UUID, without dashes.
    pub(in crate::source::disk) uuid: String,
    /// What follows it: the size, and the lists of areas.
    pub(in crate::source::disk) rest: &'a [u8],
}

pub(in crate::source::disk) fn lvm_label(head: &[u8]) -> Option<LvmLabel<'_>> {
    head.chunks_exact(512).take(4).enumerate().find_map(|(number, sector)| {
        let is_label = sector.starts_with(b"LABELONE") && sector.get(24..32)? == b"LVM2 001";
        if !is_label
            || le64(sector, 8)? != number as u64
            || crc_of_lvm(sector.get(20..)?) != le32(sector, 16)?
        {
            return None;
        }
        let header = sector.get(usize::try_from(le32(sector, 20)?).ok()?..)?;
        let uuid = header.get(..32).filter(|uuid| uuid.iter().all(u8::is_ascii_alphanumeric))?;
        Some(LvmLabel { uuid: String::from_utf8_lossy(uuid).into_owned(), rest: header.get(32..)? })
    })
}

/// LVM's way to write a UUID: six, five times four, and six characters.
fn lvm_uuid(plain: &str) -> String {
    let parts = [0..6, 6..10, 10..14, 14..18, 18..22, 22..26, 26..32];
    parts.into_iter().map(|part| plain.get(part).unwrap_or_default()).collect::<Vec<_>>().join("-")
}

/// LUKS: the on-disk format specifications of LUKS 1 and 2.
pub(super) fn luks(head: &[u8]) -> Option<Superblock> {
    if !head.starts_with(b"LUKS\xba\xbe") {
        return None;
    }
    let label = match be16(head, 6)? {
        1 => None,
        2 => text(head, 24, 48),
        _ => return None,
    };
    Some(Superblock { uuid: text(head, 168, 40), label, ..Superblock::of("crypto_LUKS") })
}

/// bcache: the kernel's drivers/md/bcache/bcache_ondisk.h.
pub(super) fn bcache(head: &[u8]) -> Option<Superblock> {
    let block = head.get(4096..)?;
    let magic = *b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81";
    (*block.get(24..40)? == magic).then(|| Superblock { uuid: uuid(block, 40), ..Superblock::of("bcache") })
}

/// Swap space, whose name is at the end of the first page; pages are of 4 KiB on most machines.
pub(super) fn swap(head: &[u8]) -> Option<Superblock> {
    let names = [4_usize, 8, 16, 32, 64].iter().filter_map(|kib| head.get((kib << 10) - 10..kib << 10));
    names.into_iter().find_map(|name| match name {
        b"SWAPSPACE2" if le32(head, 1024)?.min(le32(head, 1024)?.swap_bytes()) == 1 => {
            Some(Superblock { uuid: uuid(head, 1036), label: text(head, 1052, 16), ..Superblock::of("swap") })
        }
        b"SWAP-SPACE" => Some(Superblock::of("swap")),
        // A machine that was put to sleep in it.
        [b'S', b'1' | b'2', b'S', b'U', b'S', b'P', b'E', b'N', b'D', _] => Some(Superblock {
            uuid: uuid(head, 1036),
            label: text(head, 1052, 16),
            ..Superblock::of("swsuspend")
        }),
        _ => None,
    })
}

const RAID: u32 = 0xa92b_4efc;

/// A disk of a software RAID: md(4), and the kernel's include/uapi/linux/raid/md_p.h.
pub(super) fn raid(probe: &Probe<'_>) -> io::Result<Option<Superblock>> {
    for at in [0, 4096] {
        if let Some(found) = raid_1(probe.head(at), at as u64) {
            return Ok(Some(found));
        }
    }
    let sectors = probe.size / 512;
    if sectors >= 16 {
        let at = ((sectors - 16) & !7) * 512;
        if let Some(found) = raid_1(&probe.read(at, 256)?, at) {
            return Ok(Some(found));
        }
    }
    if probe.size >= 64 << 10 {
        let at = (probe.size & !0xffff) - (64 << 10);
        return Ok(raid_0(&probe.read(at, 256)?));
    }
    Ok(None)
}

/// Versions 1.0, 1.1 and 1.2.
fn raid_1(block: &[u8], at: u64) -> Option<Superblock> {
    let is_raid = le32(block, 0)? == RAID && le32(block, 4)? == 1 && le64(block, 144)? == at / 512;
    is_raid.then(|| Superblock {
        uuid: uuid(block, 16),
        label: text(block, 32, 32),
        uuid_sub: uuid(block, 168),
        ..Superblock::of("linux_raid_member")
    })
}

/// Version 0.90, whose UUID is in two places.
fn raid_0(block: &[u8]) -> Option<Superblock> {
    if le32(block, 0)? != RAID || le32(block, 4)? != 0 {
        return None;
    }
    let mut parts = block.get(20..24)?.to_vec();
    parts.extend(block.get(52..64)?);
    Some(Superblock { uuid: uuid(&parts, 0), ..Superblock::of("linux_raid_member") })
}

/// ZFS: the ring of überblocks in the first label, of which a few must have their magic number.
pub(super) fn zfs(probe: &Probe<'_>) -> io::Result<Option<Superblock>> {
    let ring = probe.read(128 << 10, 128 << 10)?;
    let is_block = |block: &&[u8]| [le64(block, 0), be64(block, 0)].contains(&Some(0x00ba_b10c));
    Ok((ring.chunks_exact(1024).filter(is_block).count() >= 4).then(|| Superblock::of("zfs_member")))
}

//! File systems whose superblock tells little more than a name.

use super::{Health, Superblock};
use crate::source::disk::checksum::crc32c;
use crate::source::disk::number::{le16, le32, le64, text, text16, uuid};

/// btrfs: the kernel's include/uapi/linux/btrfs_tree.h.
pub(super) fn btrfs(head: &[u8]) -> Option<Superblock> {
    let block = head.get(64 << 10..(64 + 4) << 10)?;
    if block.get(64..72)? != b"_BHRfS_M" {
        return None;
    }
    // There are other checksums, of which none is as quick.
    let is_crc32c = le16(block, 0xc4)? == 0;
    if is_crc32c && crc32c(block.get(32..)?) != le32(block, 0)? {
        return None;
    }
    let has_failed = le64(block, 56)? & 1 << 2 != 0;
    let health = Health {
        // A log tree is written by fsync(2), and goes with the next commit and with unmounting. Without one nobody knows.
        clean: (le64(block, 96)? != 0).then_some(false),
        errors: Some(has_failed),
        detail: has_failed.then(|| "the mark of an error is set".to_owned()),
        ..Health::default()
    };
    Some(Superblock {
        uuid: uuid(block, 32),
        uuid_sub: uuid(block, 0x10b),
        label: text(block, 0x12b, 256),
        health,
        ..Superblock::of("btrfs")
    })
}

/// F2FS: the kernel's include/linux/f2fs_fs.h.
pub(super) fn f2fs(head: &[u8]) -> Option<Superblock> {
    let block = head.get(1024..)?;
    (le32(block, 0)? == 0xf2f5_2010).then(|| Superblock {
        uuid: uuid(block, 108),
        label: text16(block, 124, 1024),
        ..Superblock::of("f2fs")
    })
}

/// EROFS: the kernel's fs/erofs/erofs_fs.h.
pub(super) fn erofs(head: &[u8]) -> Option<Superblock> {
    let block = head.get(1024..)?;
    (le32(block, 0)? == 0xe0f5_e1e2).then(|| Superblock {
        uuid: uuid(block, 48),
        label: text(block, 64, 16),
        ..Superblock::of("erofs")
    })
}

/// SquashFS: the kernel's fs/squashfs/squashfs_fs.h.
pub(super) fn squashfs(head: &[u8]) -> Option<Superblock> {
    let is_current = head.starts_with(b"hsqs") && le16(head, 28)? == 4;
    is_current.then(|| Superblock::of("squashfs"))
}

/// ISO 9660, whose UUID blkid(8) makes of the date.
pub(super) fn iso9660(head: &[u8]) -> Option<Superblock> {
    let block = head.get(32 << 10..)?;
    if block.get(..6)? != b"\x01CD001" {
        return None;
    }
    let date =
        |at: usize| text(block, at, 16).filter(|d| d.len() == 16 && d.bytes().all(|b| b.is_ascii_digit()));
    let some = |digits: &String| digits.bytes().any(|b| b != b'0');
    let date = date(830).filter(some).or_else(|| date(813).filter(some));
    let uuid = date.and_then(|d| {
        let parts: Option<Vec<&str>> =
            [0..4, 4..6, 6..8, 8..10, 10..12, 12..14, 14..16].into_iter().map(|part| d.get(part)).collect();
        Some(parts?.join("-"))
    });
    Some(Superblock { uuid, label: text(block, 40, 32), ..Superblock::of("iso9660") })
}

/// NTFS, and what BitLocker puts in its place.
pub(super) fn ntfs(head: &[u8]) -> Option<Superblock> {
    match head.get(3..11)? {
        b"NTFS    " => {
            let serial = le64(head, 72).filter(|serial| *serial != 0);
            Some(Superblock { uuid: serial.map(|s| format!("{s:016X}")), ..Superblock::of("ntfs") })
        }
        b"-FVE-FS-" => Some(Superblock::of("BitLocker")),
        _ => None,
    }
}

//! ext2, ext3 and ext4: the kernel's Documentation/filesystems/ext4/super.rst.

use super::{Health, Superblock};
use crate::source::disk::checksum::{START, crc32c_on};
use crate::source::disk::number::{le16, le32, text, uuid};

const AT: usize = 1024;
const LEN: usize = 1024;

// Features, by the lists that they are in.
const HAS_JOURNAL: u32 = 0x4;
const NEEDS_RECOVERY: u32 = 0x4;
const JOURNAL_DEVICE: u32 = 0x8;
const CHECKSUMS: u32 = 0x400;
/// filetype and meta_bg, which ext2 knows.
const INCOMPATIBLE_OF_EXT2: u32 = 0x2 | 0x10;
/// sparse_super, large_file and btree_dir, which ext2 knows.
const READ_ONLY_OF_EXT2: u32 = 0x1 | 0x2 | 0x4;

// s_state
const CLEANLY_UNMOUNTED: u16 = 0x1;
const ERRORS: u16 = 0x2;

pub(super) fn ext(head: &[u8]) -> Option<Superblock> {
    let block = head.get(AT..AT + LEN)?;
    if le16(block, 0x38)? != 0xef53 {
        return None;
    }
    let (compatible, incompatible, read_only) = (le32(block, 0x5c)?, le32(block, 0x60)?, le32(block, 0x64)?);
    if read_only & CHECKSUMS != 0 && crc32c_on(START, block.get(..LEN - 4)?) != le32(block, LEN - 4)? {
        return None;
    }
    let kind = if incompatible & JOURNAL_DEVICE != 0 {
        "jbd"
    } else if read_only & !READ_ONLY_OF_EXT2 != 0
        || incompatible & !(INCOMPATIBLE_OF_EXT2 | NEEDS_RECOVERY) != 0
    {
        "ext4"
    } else if compatible & HAS_JOURNAL != 0 {
        "ext3"
    } else {
        "ext2"
    };
    let (uuid, label) = (uuid(block, 0x68), text(block, 0x78, 16));
    Some(Superblock {
        uuid,
        label,
        health: health(block, incompatible).unwrap_or_default(),
        ..Superblock::of(kind)
    })
}

/// With a journal the state stays "cleanly unmounted" while it is mounted, and the journal's flag tells.
fn health(block: &[u8], incompatible: u32) -> Option<Health> {
    let state = le16(block, 0x3a)?;
    let time = |low: usize, high: usize| {
        let seconds = u64::from(*block.get(high)?) << 32 | u64::from(le32(block, low)?);
        (seconds > 0).then_some(seconds)
    };
    let count = u64::from(le32(block, 0x194)?);
    let function = text(block, 0x1e0, 32).filter(|_| count > 0);
    let inode = le32(block, 0x1d0).filter(|inode| *inode != 0);
    let detail = function.map(|function| match inode {
        Some(inode) => format!("{function}, inode {inode}"),
        None => function,
    });
    Some(Health {
        clean: Some(state & CLEANLY_UNMOUNTED != 0 && incompatible & NEEDS_RECOVERY == 0),
        errors: Some(state & ERRORS != 0),
        error_count: Some(count),
        first_error: time(0x198, 0x278),
        last_error: time(0x1cc, 0x279),
        detail,
    })
}

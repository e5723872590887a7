//! The kind of a file as a directory keeps it beside the name.

use crate::source::FileKind;

/// The kind that the number stands for: ext4's `EXT4_FT_*`, XFS' `XFS_DIR3_FT_*` and btrfs' `BTRFS_FT_*` are the same.
pub(super) fn kind(number: u8) -> FileKind {
    match number {
        1 => FileKind::File,
        2 => FileKind::Directory,
        3 => FileKind::Character,
        4 => FileKind::Block,
        5 => FileKind::Fifo,
        6 => FileKind::Socket,
        7 => FileKind::Link,
        _ => FileKind::Other,
    }
}

//! What of a disk may hold a file system: the whole, its partitions, and the logical volumes on them.

use super::superblock::Superblock;
use crate::source::bytes::Bytes;
use std::sync::Arc;

/// A stretch of bytes that may hold a file system.
#[derive(Clone, Debug)]
pub(super) struct Volume {
    /// Its name: `disk`, `disk1` for the first partition, `vg/root` for a logical volume. What the kernel will call a disk depends
    /// on the machine.
    pub(super) name: String,
    /// The name of what it is a part of: of a partition the disk, of a logical volume the group's first physical volume.
    pub(super) parent: Option<String>,
    /// Its bytes.
    pub(super) bytes: Arc<dyn Bytes>,
    /// Its size in bytes.
    pub(super) size: u64,
    /// What it is.
    pub(super) is: VolumeKind,
    /// What it holds; none if nothing that is known, or it cannot be read.
    pub(super) holds: Option<Superblock>,
}

/// What a volume is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum VolumeKind {
    /// The whole disk.
    Disk,
    /// A partition.
    Partition {
        /// Its number, from 1; logical ones of an MBR from 5.
        number: u32,
        /// Its UUID, in small letters: that of a GPT, or `1a2b3c4d-01` made of the MBR's disk signature.
        uuid: Option<String>,
        /// Its name, which only a GPT has.
        label: Option<String>,
        /// Its type: the UUID of a GPT's, in small letters, or `0x83` of an MBR.
        r#type: String,
    },
    /// A logical volume of LVM2.
    Logical {
        /// Its group's name.
        group: String,
        /// Its own name.
        name: String,
    },
}

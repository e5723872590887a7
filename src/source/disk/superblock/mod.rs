//! What a volume holds, by its superblock, as blkid(8) would tell it.

mod container;
mod ext;
mod fat;
mod file_system;
mod xfs;

#[cfg(test)]
mod tests;

pub(super) use container::lvm_label;

use crate::source::bytes::Bytes;
use std::io;

/// What a volume holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Superblock {
    /// The word of blkid(8) for it: `ext4`, `xfs`, `btrfs`, `vfat`, `swap`, `LVM2_member`, `linux_raid_member`, `crypto_LUKS`.
    pub(super) kind: &'static str,
    /// Its UUID, as blkid(8) writes it; that of FAT is `ABCD-1234`.
    pub(super) uuid: Option<String>,
    /// Its label; none without one.
    pub(super) label: Option<String>,
    /// Of btrfs, and of a member of an array, the UUID of this one of its devices.
    pub(super) uuid_sub: Option<String>,
    /// What it says of its own health.
    pub(super) health: Health,
}

/// What a superblock says of the file system's health.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Health {
    /// Whether it was left as unmounting leaves it: no journal is to be replayed. None where the superblock does not tell.
    pub(super) clean: Option<bool>,
    /// Whether the kernel or a checker has marked it as damaged.
    pub(super) errors: Option<bool>,
    /// How many errors it counted (`s_error_count` of ext4).
    pub(super) error_count: Option<u64>,
    /// When the first of these was met, in seconds since 1970.
    pub(super) first_error: Option<u64>,
    /// When the last of these was met, in seconds since 1970.
    pub(super) last_error: Option<u64>,
    /// What is wrong, in words: where the last error was met, or what the mark is called.
    pub(super) detail: Option<String>,
}

impl Superblock {
    fn of(kind: &'static str) -> Self {
        Self { kind, ..Self::default() }
    }

    /// Whether something else is made of it, which has UUIDs and labels of its own: an array, a volume group, what is encrypted.
    pub(super) fn is_member(&self) -> bool {
        self.kind.ends_with("_member") || matches!(self.kind, "crypto_LUKS" | "BitLocker" | "bcache")
    }
}

/// A volume that is asked for its superblocks.
struct Probe<'a> {
    bytes: &'a dyn Bytes,
    /// Its length in bytes.
    size: u64,
    /// Its beginning, where nearly all superblocks are.
    head: Vec<u8>,
}

/// As far as btrfs's superblock reaches.
const HEAD: usize = (64 + 4) << 10;

impl Probe<'_> {
    /// Bytes elsewhere; as few as there are.
    fn read(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut found = vec![0; len];
        let n = self.bytes.read_at(at, &mut found)?;
        found.truncate(n);
        Ok(found)
    }

    fn head(&self, from: usize) -> &[u8] {
        self.head.get(from..).unwrap_or_default()
    }
}

/// What these bytes hold; none if nothing that is known.
///
/// As in blkid(8), what others are made of is looked for first: the disks of a RAID 1 show the array's file system too.
pub(super) fn probe(bytes: &dyn Bytes, size: u64) -> io::Result<Option<Superblock>> {
    let mut probe = Probe { bytes, size, head: vec![0; HEAD] };
    let n = bytes.read_at(0, &mut probe.head)?;
    probe.head.truncate(n);
    if let Some(found) = container::raid(&probe)? {
        return Ok(Some(found));
    }
    let head = probe.head.as_slice();
    let found = container::lvm(head)
        .or_else(|| container::luks(head))
        .or_else(|| container::bcache(head))
        .or_else(|| container::swap(head));
    if found.is_some() {
        return Ok(found);
    }
    if let Some(found) = xfs::xfs(&probe)? {
        return Ok(Some(found));
    }
    let found = ext::ext(head)
        .or_else(|| file_system::btrfs(head))
        .or_else(|| file_system::f2fs(head))
        .or_else(|| file_system::erofs(head))
        .or_else(|| file_system::squashfs(head))
        .or_else(|| file_system::iso9660(head))
        .or_else(|| file_system::ntfs(head));
    if found.is_some() {
        return Ok(found);
    }
    if let Some(found) = fat::exfat(&probe)? {
        return Ok(Some(found));
    }
    if let Some(found) = fat::fat(&probe)? {
        return Ok(Some(found));
    }
    container::zfs(&probe)
}

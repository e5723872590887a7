//! What a volume holds, by its superblock, as blkid(8) would tell it.

/// What a volume holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Superblock {
    /// The word of blkid(8) for it: `ext4`, `xfs`, `btrfs`, `vfat`, `swap`, `LVM2_member`, `linux_raid_member`, `crypto_LUKS`.
    pub(super) kind: &'static str,
    /// Its UUID, as blkid(8) writes it; that of FAT is `ABCD-1234`.
    pub(super) uuid: Option<String>,
    /// Its label; none without one.
    pub(super) label: Option<String>,
    /// Of btrfs, the UUID of this one of its devices.
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
}

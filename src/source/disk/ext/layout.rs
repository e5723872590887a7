//! The superblock: how large everything is, and where.

use super::garbled;
use crate::source::Reason;
use crate::source::disk::checksum::{START, crc32c_on};
use crate::source::disk::field::{le16, le32};

/// Where the superblock is, in bytes, and its size.
pub(super) const SUPERBLOCK: (u64, usize) = (1024, 1024);

pub(super) mod compat {
    pub(in super::super) const HAS_JOURNAL: u32 = 0x4;
    pub(in super::super) const SPARSE_SUPER2: u32 = 0x200;
}

pub(super) mod incompat {
    pub(in super::super) const FILETYPE: u32 = 0x2;
    pub(in super::super) const RECOVER: u32 = 0x4;
    pub(in super::super) const META_BG: u32 = 0x10;
    pub(in super::super) const EXTENTS: u32 = 0x40;
    pub(in super::super) const IS_64BIT: u32 = 0x80;
    pub(in super::super) const EA_INODE: u32 = 0x400;
    pub(in super::super) const CSUM_SEED: u32 = 0x2000;
    pub(in super::super) const LARGEDIR: u32 = 0x4000;
    const FLEX_BG: u32 = 0x200;
    const MMP: u32 = 0x100;
    const INLINE_DATA: u32 = 0x8000;
    const ENCRYPT: u32 = 0x1_0000;
    const CASEFOLD: u32 = 0x2_0000;
    /// Those that are read here. The others are, as debugfs(8) calls them, compression, journal_dev (no file system but the journal
    /// of one), dirdata, and what is still to come.
    pub(in super::super) const KNOWN: u32 = FILETYPE
        | RECOVER
        | META_BG
        | EXTENTS
        | IS_64BIT
        | CSUM_SEED
        | LARGEDIR
        | FLEX_BG
        | MMP
        | EA_INODE
        | INLINE_DATA
        | ENCRYPT
        | CASEFOLD;
}

pub(super) mod ro_compat {
    pub(in super::super) const SPARSE_SUPER: u32 = 0x1;
    pub(in super::super) const HUGE_FILE: u32 = 0x8;
    pub(in super::super) const GDT_CSUM: u32 = 0x10;
    pub(in super::super) const BIGALLOC: u32 = 0x200;
    pub(in super::super) const METADATA_CSUM: u32 = 0x400;
}

/// How large everything is, and where.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) block_size: u32,
    pub(super) blocks: u64,
    pub(super) reserved_blocks: u64,
    pub(super) first_data_block: u32,
    pub(super) cluster_blocks: u64,
    pub(super) blocks_per_group: u32,
    pub(super) groups: u32,
    pub(super) inodes: u32,
    pub(super) inodes_per_group: u32,
    pub(super) first_inode: u32,
    pub(super) inode_size: u16,
    pub(super) descriptor_size: usize,
    pub(super) first_meta_bg: u32,
    pub(super) reserved_gdt_blocks: u16,
    pub(super) backup_groups: [u32; 2],
    pub(super) overhead_clusters: u32,
    pub(super) journal_inode: u32,
    pub(super) compat: u32,
    pub(super) incompat: u32,
    pub(super) ro_compat: u32,
    pub(super) uuid: [u8; 16],
    /// What the checksums of metadata begin with.
    pub(super) seed: u32,
}

impl Layout {
    /// Reads a superblock of 1024 bytes.
    pub(super) fn read(of: &[u8]) -> Result<Self, Reason> {
        if le16(of, 0x38)? != 0xef53 {
            return garbled("there is no superblock of ext2, ext3 or ext4");
        }
        let old = le32(of, 0x4c)? == 0;
        let features = |at| if old { Ok(0) } else { le32(of, at) };
        let (compat, incompat, ro_compat) = (features(0x5c)?, features(0x60)?, features(0x64)?);
        if ro_compat & ro_compat::METADATA_CSUM != 0 {
            if of.get(0x175) != Some(&1) {
                return Err(Reason::NotRead("the file system has checksums of an unknown kind".into()));
            }
            if of.get(..0x3fc).map(|covered| crc32c_on(START, covered)) != Some(le32(of, 0x3fc)?) {
                return garbled("the superblock is damaged: its checksum is wrong");
            }
        }
        let unknown = incompat & !incompat::KNOWN;
        if unknown != 0 {
            let what = match unknown {
                0x1 => "compressed files".into(),
                0x8 => "nothing but the journal of another file system".into(),
                0x1000 => "data in the entries of directories".into(),
                _ => format!("features that are not known here (incompat {unknown:#x})"),
            };
            return Err(Reason::NotRead(format!("the file system has {what}")));
        }
        let high = |at| if incompat & incompat::IS_64BIT != 0 { le32(of, at) } else { Ok(0) };
        let wide =
            |low, high_at| Ok::<u64, Reason>(u64::from(le32(of, low)?) | u64::from(high(high_at)?) << 32);

        let log_block_size = le32(of, 0x18)?;
        if log_block_size > 6 {
            return garbled("the superblock is damaged: it names no possible size of blocks");
        }
        let block_size = 1024_u32 << log_block_size;
        let log_cluster = match ro_compat & ro_compat::BIGALLOC {
            0 => 0,
            _ => le32(of, 0x1c)?.checked_sub(log_block_size).filter(|&log| log < 20).ok_or_else(|| {
                Reason::Garbled("the superblock is damaged: it names no possible size of clusters".into())
            })?,
        };
        let (blocks, first_data_block) = (wide(0x4, 0x150)?, le32(of, 0x14)?);
        let (blocks_per_group, inodes_per_group) = (le32(of, 0x20)?, le32(of, 0x28)?);
        let inode_size = if old { 128 } else { le16(of, 0x58)? };
        let descriptor_size = if incompat & incompat::IS_64BIT != 0 { le16(of, 0xfe)? } else { 32 };
        let uuid: [u8; 16] = of.get(0x68..0x78).and_then(|uuid| uuid.try_into().ok()).unwrap_or_default();

        let bits = u64::from(block_size) * 8;
        let possible = first_data_block == u32::from(block_size == 1024 && log_cluster == 0)
            && blocks > u64::from(first_data_block)
            && blocks_per_group > 0
            && u64::from(blocks_per_group) <= bits << log_cluster
            && inodes_per_group > 0
            && u64::from(inodes_per_group) <= bits
            && inode_size.is_power_of_two()
            && (128..=block_size).contains(&u32::from(inode_size))
            && descriptor_size.is_power_of_two()
            && (32..=1024).contains(&descriptor_size);
        let groups =
            (blocks.saturating_sub(first_data_block.into())).div_ceil(u64::from(blocks_per_group).max(1));
        let inodes = le32(of, 0)?;
        match u32::try_from(groups) {
            Ok(groups)
                if possible && u64::from(groups) * u64::from(inodes_per_group) == u64::from(inodes) =>
            {
                Ok(Self {
                    block_size,
                    blocks,
                    reserved_blocks: wide(0x8, 0x154)?,
                    first_data_block,
                    cluster_blocks: 1 << log_cluster,
                    blocks_per_group,
                    groups,
                    inodes,
                    inodes_per_group,
                    first_inode: if old { 11 } else { le32(of, 0x54)? },
                    inode_size,
                    descriptor_size: descriptor_size.into(),
                    first_meta_bg: le32(of, 0x104)?,
                    reserved_gdt_blocks: le16(of, 0xce)?,
                    backup_groups: [le32(of, 0x24c)?, le32(of, 0x250)?],
                    overhead_clusters: le32(of, 0x248)?,
                    journal_inode: le32(of, 0xe0)?,
                    compat,
                    incompat,
                    ro_compat,
                    uuid,
                    seed: match incompat & incompat::CSUM_SEED {
                        0 => crc32c_on(START, &uuid),
                        _ => le32(of, 0x270)?,
                    },
                })
            }
            _ => garbled("the superblock is damaged: its sizes do not fit together"),
        }
    }

    /// Whether metadata has checksums.
    pub(super) fn has_checksums(&self) -> bool {
        self.ro_compat & ro_compat::METADATA_CSUM != 0
    }

    /// Whether a group has a copy of the superblock.
    pub(super) fn has_super(&self, group: u32) -> bool {
        if group == 0 {
            return true;
        }
        if self.compat & compat::SPARSE_SUPER2 != 0 {
            return self.backup_groups.contains(&group);
        }
        let power_of = |base: u32| {
            let mut power = base;
            while power < group {
                power = power.saturating_mul(base);
            }
            power == group
        };
        group == 1 || self.ro_compat & ro_compat::SPARSE_SUPER == 0 || [3, 5, 7].into_iter().any(power_of)
    }

    /// How many descriptors a block holds.
    pub(super) fn descriptors_per_block(&self) -> u32 {
        (self.block_size / u32::try_from(self.descriptor_size).unwrap_or(32)).max(1)
    }

    /// How many blocks the descriptors take.
    pub(super) fn descriptor_blocks(&self) -> u32 {
        self.groups.div_ceil(self.descriptors_per_block())
    }

    /// Where a block of the descriptors is.
    pub(super) fn descriptor_block(&self, number: u32) -> u64 {
        let superblock = SUPERBLOCK.0 / u64::from(self.block_size);
        if self.incompat & incompat::META_BG == 0 || number < self.first_meta_bg {
            return superblock + 1 + u64::from(number);
        }
        let group = self.descriptors_per_block().saturating_mul(number);
        let behind = u64::from(self.has_super(group))
            + u64::from(self.block_size == 1024 && number == 0 && self.first_data_block == 0);
        u64::from(self.first_data_block) + u64::from(group) * u64::from(self.blocks_per_group) + behind
    }

    /// The blocks that the file system needs for itself, the journal apart; none where they are not to be had so cheaply.
    ///
    /// As the kernel's `ext4_calculate_overhead` counts them.
    pub(super) fn overhead_blocks(&self) -> Option<u64> {
        if self.cluster_blocks > 1 || self.ro_compat & ro_compat::BIGALLOC != 0 {
            let kept = u64::from(self.overhead_clusters);
            return (kept > 0 && kept <= self.blocks).then(|| kept.saturating_mul(self.cluster_blocks));
        }
        let table = u64::from(self.inodes_per_group) * u64::from(self.inode_size);
        let each = table.div_ceil(self.block_size.into()) + 2;
        let of_group = |group: u32| {
            let per_block = self.descriptors_per_block();
            let has_super = self.has_super(group);
            let meta = self.incompat & incompat::META_BG != 0;
            let descriptors = match meta && group / per_block >= self.first_meta_bg {
                true => u64::from([0, 1, per_block - 1].contains(&(group % per_block))),
                false if !has_super => 0,
                false if meta => self.first_meta_bg.into(),
                false => self.descriptor_blocks().into(),
            };
            let reserved = if has_super { 1 + u64::from(self.reserved_gdt_blocks) } else { 0 };
            each + descriptors + reserved
        };
        Some(u64::from(self.first_data_block) + (0..self.groups).map(of_group).sum::<u64>())
    }
}

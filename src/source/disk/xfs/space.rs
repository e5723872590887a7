//! How full it is.

use super::big_endian::u32_at;
use super::blocks::Blocks;
use super::checksum;
use super::geometry::{Counts, Geometry};
use crate::source::{Reason, Space};

/// The most allocation groups whose headers are read; a file system of a petabyte has a thousand.
const MOST_GROUPS: u32 = 1 << 16;

/// What statvfs(3) would tell: see `xfs_fs_statfs` in the kernel.
pub(super) fn space(blocks: &Blocks, geometry: &Geometry) -> Result<Space, Reason> {
    // While it is mounted the superblock's counts are not kept; of what was not unmounted the groups are counted, as the kernel does.
    let counts = if blocks.replayed.is_empty() { geometry.counts } else { groups(blocks, geometry)? };
    let bytes = |blocks: u64| blocks << geometry.block_log;
    let total = geometry.blocks.saturating_sub(geometry.log_blocks.into());
    if counts.blocks_free > total || counts.inodes_free > counts.inodes {
        return Err(Reason::Garbled("XFS counts more as free than it has".into()));
    }
    // The kernel keeps some back, so that it can always write: 5 percent, at most 8192 blocks.
    let free = counts.blocks_free.saturating_sub((geometry.blocks / 20).min(8192));
    Ok(Space {
        size: bytes(total),
        free: bytes(free),
        available: bytes(free),
        files: files(geometry, counts, free),
        files_free: files(geometry, counts, free) - (counts.inodes - counts.inodes_free),
    })
}

/// Inodes that there are or can be: all that fit in what is free, up to the share that mkfs.xfs set.
fn files(geometry: &Geometry, counts: Counts, free: u64) -> u64 {
    let inodes = |blocks: u64| blocks.saturating_mul(1 << geometry.inodes_per_block_log);
    let files = counts.inodes.saturating_add(inodes(free));
    let most = match geometry.inodes_max_percent {
        0 => u64::MAX,
        percent => {
            // In whole chunks of 64 inodes, or a block of them.
            let chunk = (64_u64 >> geometry.inodes_per_block_log).max(1);
            let blocks = u128::from(geometry.blocks) * u128::from(percent) / 100;
            inodes(u64::try_from(blocks).unwrap_or(u64::MAX) / chunk * chunk)
        }
    };
    files.min(most).max(counts.inodes)
}

/// What the headers of the allocation groups count.
fn groups(blocks: &Blocks, geometry: &Geometry) -> Result<Counts, Reason> {
    if geometry.ag_count > MOST_GROUPS {
        return Err(Reason::NotRead(format!("it has more than {MOST_GROUPS} allocation groups")));
    }
    let mut counts = Counts::default();
    for group in 0..geometry.ag_count {
        let header = |sector: u32, magic: u32, checksum_at: usize| {
            let bytes =
                blocks.metadata(geometry.group_header(group, sector), geometry.sector_size as usize)?;
            let right = u32_at(&bytes, 0) == Some(magic) && u32_at(&bytes, 8) == Some(group);
            match right && (!geometry.v5 || checksum::is_right(&bytes, checksum_at)) {
                true => Ok(bytes),
                false => Err(Reason::Garbled(format!("a header of allocation group {group} is damaged"))),
            }
        };
        let (agf, agi) = (header(1, 0x5841_4746, 216)?, header(2, 0x5841_4749, 312)?);
        let field = |bytes: &[u8], at: usize| u64::from(u32_at(bytes, at).unwrap_or_default());
        // Free blocks, those kept for the trees of free space, those that the trees have beyond their roots.
        counts.blocks_free += field(&agf, 52) + field(&agf, 48) + field(&agf, 60);
        counts.inodes += field(&agi, 16);
        counts.inodes_free += field(&agi, 28);
    }
    Ok(counts)
}

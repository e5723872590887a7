//! How full it is.

use super::blocks::Blocks;
use super::checksum;
use super::geometry::Geometry;
use crate::source::disk::number::be32;
use crate::source::{Reason, Space};

/// The most allocation groups whose headers are read; a file system of a petabyte has a thousand.
const MOST_GROUPS: u32 = 1 << 16;

/// What the headers of the allocation groups count.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    /// Inodes there are, used and free.
    inodes: u64,
    inodes_free: u64,
    blocks_free: u64,
    /// Of those, what the kernel keeps back while it is mounted.
    blocks_kept: u64,
}

/// What statvfs(3) would tell: see `xfs_fs_statfs` in the kernel.
///
/// The superblock's own counts are not kept up while it is mounted; the groups' are.
pub(super) fn space(blocks: &Blocks, geometry: &Geometry) -> Result<Space, Reason> {
    if geometry.ag_count > MOST_GROUPS {
        return Err(Reason::NotRead(format!("it has more than {MOST_GROUPS} allocation groups")));
    }
    let mut counts = Counts::default();
    for group in 0..geometry.ag_count {
        count(blocks, geometry, group, &mut counts)?;
    }
    let total = geometry.blocks.saturating_sub(geometry.log_blocks.into());
    if counts.blocks_free > total || counts.inodes_free > counts.inodes {
        return Err(Reason::Garbled("XFS counts more as free than it has".into()));
    }
    // Besides, so that something can be written at all when it is full: 5 percent, at most 8192 blocks.
    let kept = counts.blocks_kept + (geometry.blocks / 20).min(8192);
    let free = counts.blocks_free.saturating_sub(kept);
    let files = files(geometry, counts, free);
    Ok(Space {
        size: total << geometry.block_log,
        free: free << geometry.block_log,
        available: free << geometry.block_log,
        files,
        files_free: files - (counts.inodes - counts.inodes_free),
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

/// Adds what the headers of one allocation group count.
fn count(blocks: &Blocks, geometry: &Geometry, group: u32, counts: &mut Counts) -> Result<(), Reason> {
    let header = |sector: u32, magic: u32, checksum_at: usize| {
        let bytes = blocks.metadata(geometry.group_header(group, sector), geometry.sector_size as usize)?;
        let right = be32(&bytes, 0) == Some(magic) && be32(&bytes, 8) == Some(group);
        match right && (!geometry.v5 || checksum::is_right(&bytes, checksum_at)) {
            true => Ok(bytes),
            false => Err(Reason::Garbled(format!("a header of allocation group {group} is damaged"))),
        }
    };
    let (agf, agi) = (header(1, 0x5841_4746, 216)?, header(2, 0x5841_4749, 312)?);
    let of = |bytes: &[u8], at: usize| u64::from(be32(bytes, at).unwrap_or_default());
    let (listed, free, tree_blocks) = (of(&agf, 48), of(&agf, 52), of(&agf, 60));
    // Free blocks, those kept for the trees of free space, those that the trees have beyond their roots.
    counts.blocks_free += free + listed + tree_blocks;
    counts.inodes += of(&agi, 16);
    counts.inodes_free += of(&agi, 28);

    let [finobt, rmapbt, reflink, inode_trees_counted] =
        [0, 1, 2, 3].map(|bit| geometry.ro_compat >> bit & 1 != 0);
    // The trees of free space as they are, and as much as one operation may make them grow (`xfs_alloc_set_aside`).
    let reverse_map = if rmapbt { of(&agf, 80).saturating_sub(1) } else { 0 };
    counts.blocks_kept += 8 + tree_blocks.saturating_sub(reverse_map);
    // What the other trees may yet grow to, if everything that can happen does; the log's blocks will never be anything else.
    let has_log = geometry.log_start >> geometry.ag_block_log == u64::from(group);
    let able = of(&agf, 12).saturating_sub(if has_log { geometry.log_blocks.into() } else { 0 });
    let tree = |records: u64, record: u64, key_and_pointer: u64| {
        let room = geometry.block_size() - 56;
        let (leaf, node) = ((room / record / 2).max(2), (room / key_and_pointer / 2).max(2));
        let mut level = records.div_ceil(leaf);
        let mut all = level;
        while level > 1 {
            level = level.div_ceil(node);
            all += level;
        }
        all
    };
    if reflink {
        counts.blocks_kept += tree(able, 12, 8).saturating_sub(of(&agf, 84));
    }
    if finobt {
        // Where it is not counted it is a root, or has one block on each level at least.
        let there = of(&agi, if inode_trees_counted { 340 } else { 332 });
        let chunks = (able << geometry.inodes_per_block_log) / 64;
        counts.blocks_kept += tree(chunks, 16, 8).saturating_sub(there);
    }
    if rmapbt {
        counts.blocks_kept += tree(able, 24, 44).max(able / 100);
    }
    Ok(())
}

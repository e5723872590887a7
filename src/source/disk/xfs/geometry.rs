//! The superblock: what of XFS it is, and where in it everything lies.

use super::checksum;
use crate::source::Reason;
use crate::source::disk::number::{array, be16, be32, be64};

/// How many bytes of the volume hold a superblock of any sector size.
pub(super) const SUPERBLOCK_SIZE: usize = 32 << 10;

/// Directory entries say what kind of file they name (`XFS_SB_FEAT_INCOMPAT_FTYPE`, `XFS_SB_VERSION2_FTYPE` of version 4).
const FTYPE: u32 = 1;
const META_UUID: u32 = 1 << 2;
/// Set by xfs_repair(8) until it has finished (`XFS_SB_FEAT_INCOMPAT_NEEDSREPAIR`).
const NEEDS_REPAIR: u32 = 1 << 4;
/// Whatever does not change where names, inodes and contents lie, or is handled: ftype, spinodes, meta_uuid, bigtime, nrext64,
/// exchrange, parent, metadir. What came after them, zoned devices, needs a realtime section.
const KNOWN_INCOMPAT: u32 = 0x1ff & !NEEDS_REPAIR;

/// What the superblock says, checked.
#[derive(Clone, Debug)]
pub(super) struct Geometry {
    /// Whether its metadata describes itself: checksums, owners, places. Else it is version 4.
    pub(super) v5: bool,
    /// Whether entries of directories have a kind.
    pub(super) ftype: bool,
    pub(super) block_log: u32,
    /// Blocks in all.
    pub(super) blocks: u64,
    /// Blocks in each allocation group; the last one may have fewer.
    pub(super) ag_blocks: u32,
    pub(super) ag_count: u32,
    /// Bits of a block number that are its place in the allocation group.
    pub(super) ag_block_log: u32,
    pub(super) sector_size: u32,
    pub(super) inode_size: u32,
    pub(super) inodes_per_block_log: u32,
    pub(super) dir_block_log: u32,
    /// The inode of `/`.
    pub(super) root: u64,
    /// What metadata carries as UUID: the first one that the file system had.
    pub(super) uuid: [u8; 16],
    /// First block of the log.
    pub(super) log_start: u64,
    pub(super) log_blocks: u32,
    /// What there is besides for which the kernel keeps blocks back: `XFS_SB_FEAT_RO_COMPAT_*`.
    pub(super) ro_compat: u32,
    /// The most that inodes may take, in percent; 0 for no limit.
    pub(super) inodes_max_percent: u8,
}

impl Geometry {
    /// Reads the superblock out of the first [`SUPERBLOCK_SIZE`] bytes, or as many as there are.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Reason> {
        let short = || Reason::Garbled("the image ends within the superblock".into());
        if be32(bytes, 0).ok_or_else(short)? != 0x5846_5342 {
            return Err(Reason::Garbled("there is no XFS superblock".into()));
        }
        let sector_size = u32::from(be16(bytes, 102).ok_or_else(short)?);
        let version = be16(bytes, 100).ok_or_else(short)?;
        let v5 = match version & 0xf {
            5 => true,
            4 if version & 0x2000 != 0 => false,
            4 => return Err(cannot("its directories are of version 1")),
            n => return Err(Reason::Garbled(format!("the superblock is of version {n}, not of 4 or 5"))),
        };
        let sector = bytes.get(..sector_size.clamp(512, 32 << 10) as usize).ok_or_else(short)?;
        if v5 && !checksum::is_right(sector, 224) {
            return Err(damaged("its checksum is wrong"));
        }
        if version & 0x4000 != 0 {
            return Err(cannot("its names do not tell small from capital letters"));
        }
        let geometry = Self::fields(sector, v5).ok_or_else(short)??;
        geometry.check()?;
        if be32(sector, 4).map(u64::from) != Some(geometry.block_size()) {
            return Err(damaged("its block size is none"));
        }
        Ok(geometry)
    }

    fn fields(sector: &[u8], v5: bool) -> Option<Result<Self, Reason>> {
        let byte = |at: usize| sector.get(at).copied();
        let log = |at: usize| byte(at).map(u32::from);
        let incompat = if v5 { be32(sector, 216)? } else { 0 };
        // They count where `XFS_SB_VERSION_MOREBITSBIT` is set; `sb_bad_features2` is where some old kernels put them.
        let more = be16(sector, 100)? & 0x8000 != 0;
        let features2 = if more { be32(sector, 200)? | be32(sector, 204)? } else { 0 };
        let log_start = be64(sector, 48)?;
        let refused = if incompat & NEEDS_REPAIR != 0 {
            Some(Reason::Garbled("it is marked as damaged: xfs_repair was begun and has not finished".into()))
        } else if incompat & !KNOWN_INCOMPAT != 0 {
            let bits = incompat & !KNOWN_INCOMPAT;
            Some(cannot(&format!("it has features that are not known (incompatible features {bits:#x})")))
        } else if byte(126)? != 0 {
            Some(Reason::Garbled("mkfs.xfs did not finish making it".into()))
        } else if be64(sector, 16)? != 0 {
            Some(cannot("it has a realtime section"))
        } else if log_start == 0 {
            Some(cannot("its log is on another device"))
        } else {
            None
        };
        if let Some(reason) = refused {
            return Some(Err(reason));
        }
        Some(Ok(Self {
            v5,
            ftype: if v5 { incompat & FTYPE != 0 } else { features2 & 0x200 != 0 },
            block_log: log(120)?,
            blocks: be64(sector, 8)?,
            ag_blocks: be32(sector, 84)?,
            ag_count: be32(sector, 88)?,
            ag_block_log: log(124)?,
            sector_size: u32::from(be16(sector, 102)?),
            inode_size: u32::from(be16(sector, 104)?),
            inodes_per_block_log: log(123)?,
            dir_block_log: log(192)?,
            root: be64(sector, 56)?,
            uuid: array(sector, if incompat & META_UUID != 0 { 248 } else { 32 })?,
            log_start,
            log_blocks: be32(sector, 96)?,
            ro_compat: if v5 { be32(sector, 212)? } else { 0 },
            inodes_max_percent: byte(127)?,
        }))
    }

    /// The relations that the kernel checks too, without which arithmetic would go wrong.
    fn check(&self) -> Result<(), Reason> {
        let fits = |log: u32, from: u32, to: u32| (from..=to).contains(&log);
        if !fits(self.block_log, 9, 16) || self.v5 && self.block_log < 10 {
            return Err(damaged("its block size is none"));
        }
        if !self.inode_size.is_power_of_two()
            || !fits(self.inode_size.trailing_zeros(), if self.v5 { 9 } else { 8 }, 11)
            || self.inode_size.trailing_zeros() + self.inodes_per_block_log != self.block_log
        {
            return Err(damaged("its inode size is none"));
        }
        if !self.sector_size.is_power_of_two() || !fits(self.sector_size.trailing_zeros(), 9, 15) {
            return Err(damaged("its sector size is none"));
        }
        if self.dir_block_log > 7 || self.block_log + self.dir_block_log > 16 {
            return Err(damaged("its directory block size is none"));
        }
        let last_group = u64::from(self.ag_count.max(1) - 1) * u64::from(self.ag_blocks);
        if self.ag_blocks == 0
            || self.ag_block_log > 31
            || u64::from(self.ag_blocks) > 1 << self.ag_block_log
            || self.blocks <= last_group
            || self.blocks - last_group > u64::from(self.ag_blocks)
            || self.blocks > u64::MAX >> 17
        {
            return Err(damaged("its allocation groups do not make up its size"));
        }
        if self.log_blocks == 0 || self.place(self.log_start, self.log_blocks.into()).is_none() {
            return Err(damaged("its log lies outside"));
        }
        Ok(())
    }

    pub(super) fn block_size(&self) -> u64 {
        1 << self.block_log
    }

    /// Where in the volume `count` blocks from `block` on begin, in bytes. The number's upper bits are the allocation group, which
    /// they cannot leave; none if they do, or lie outside.
    pub(super) fn place(&self, block: u64, count: u64) -> Option<u64> {
        let group = block >> self.ag_block_log;
        let within = block & ((1 << self.ag_block_log) - 1);
        let end = within.checked_add(count)?;
        if group >= self.ag_count.into() || within >= self.ag_blocks.into() || end > self.ag_blocks.into() {
            return None;
        }
        let linear = group * u64::from(self.ag_blocks) + within;
        (linear + count <= self.blocks).then_some(linear << self.block_log)
    }

    /// Where in the volume the inode lies, in bytes; none if there cannot be such an inode.
    pub(super) fn inode_place(&self, number: u64) -> Option<u64> {
        let block = self.place(number >> self.inodes_per_block_log, 1)?;
        let slot = number & ((1 << self.inodes_per_block_log) - 1);
        Some(block + slot * u64::from(self.inode_size))
    }

    /// Where the header of an allocation group lies that is in its sector `sector`, in bytes.
    pub(super) fn group_header(&self, group: u32, sector: u32) -> u64 {
        ((u64::from(group) * u64::from(self.ag_blocks)) << self.block_log)
            + u64::from(sector) * u64::from(self.sector_size)
    }
}

fn damaged(what: &str) -> Reason {
    Reason::Garbled(format!("the superblock of XFS is damaged: {what}"))
}

fn cannot(why: &str) -> Reason {
    Reason::NotRead(format!("such an XFS cannot be read here: {why}"))
}

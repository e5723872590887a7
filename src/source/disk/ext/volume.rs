//! The bytes of a file system as they are once its journal is replayed, and its block groups.

use super::garbled;
use super::inode::Inode;
use super::journal::Log;
use super::layout::{Layout, SUPERBLOCK, compat, incompat, ro_compat};
use crate::source::bytes::{Bytes, read_exactly};
use crate::source::disk::cache::Cache;
use crate::source::disk::checksum::{crc16, crc32c_on};
use crate::source::disk::field::{le16, le32};
use crate::source::{Reason, Space};
use std::io;
use std::sync::Arc;

/// A file system's bytes, and how they are laid out.
#[derive(Debug)]
pub(super) struct Volume {
    bytes: Arc<dyn Bytes>,
    pub(super) layout: Layout,
    log: Log,
    descriptors: Vec<u8>,
    inodes: Cache,
}

/// The largest table of group descriptors that is held: that of 128 TiB in blocks of 4 KiB.
const DESCRIPTORS_CAP: u64 = 64 << 20;

/// As much of an inode table is read at once: inodes made together are asked for together.
const INODES: u64 = 16 << 10;

/// What is kept of inode tables.
const INODES_KEPT: usize = 1 << 20;

/// A block group.
pub(super) struct Group {
    inode_table: u64,
    free_clusters: u32,
    free_inodes: u32,
}

impl Volume {
    pub(super) fn open(bytes: Arc<dyn Bytes>) -> Result<Self, Reason> {
        let superblock = read_exactly(&*bytes, SUPERBLOCK.0, SUPERBLOCK.1);
        let layout = Layout::read(&superblock.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Reason::Garbled("it is too short for a file system".into()),
            _ => Reason::Io(error.to_string()),
        })?)?;
        let mut volume = Self {
            bytes,
            layout,
            log: Log::default(),
            descriptors: Vec::new(),
            inodes: Cache::new(INODES_KEPT),
        };
        volume.fits()?;
        if volume.layout.incompat & incompat::RECOVER != 0 {
            volume.replay()?;
        }
        volume.descriptors = volume.read_descriptors()?;
        Ok(volume)
    }

    /// Whether the bytes are all there.
    fn fits(&self) -> Result<(), Reason> {
        let size = self.layout.blocks.saturating_mul(self.layout.block_size.into());
        match self.bytes.known_len() {
            Some(there) if there < size => garbled(format!(
                "the file system has {size} bytes, but its volume only {there}: it is cut off"
            )),
            _ => Ok(()),
        }
    }

    /// Finds out what the journal would have written.
    fn replay(&mut self) -> Result<(), Reason> {
        if self.layout.compat & compat::HAS_JOURNAL == 0 || self.layout.journal_inode == 0 {
            let why = "its journal is to be replayed, and is on another device";
            return Err(Reason::NotRead(why.into()));
        }
        self.descriptors = self.read_descriptors()?;
        let log = Inode::special(self, self.layout.journal_inode).and_then(|inode| Log::read(self, &inode));
        self.log = log.map_err(|reason| match reason {
            Reason::Garbled(what) => Reason::Garbled(format!("its journal is to be replayed, and {what}")),
            Reason::NotRead(what) => Reason::NotRead(format!("its journal is to be replayed, and {what}")),
            other => other,
        })?;
        // The superblock may be in the journal too.
        let mut superblock = vec![0; SUPERBLOCK.1];
        self.fill(SUPERBLOCK.0, &mut superblock)?;
        self.layout = Layout::read(&superblock)?;
        self.fits()
    }

    fn read_descriptors(&self) -> Result<Vec<u8>, Reason> {
        let size = u64::from(self.layout.descriptor_blocks()) * u64::from(self.layout.block_size);
        if size > DESCRIPTORS_CAP || u64::from(self.layout.descriptor_blocks()) > self.layout.blocks {
            return Err(Reason::TooLarge(DESCRIPTORS_CAP));
        }
        let mut all = Vec::new();
        if self.layout.incompat & incompat::META_BG == 0 {
            all.resize(usize::try_from(size).unwrap_or(0), 0);
            self.fill(self.layout.descriptor_block(0) * u64::from(self.layout.block_size), &mut all)?;
            return Ok(all);
        }
        for number in 0..self.layout.descriptor_blocks() {
            all.extend(self.block(self.layout.descriptor_block(number))?);
        }
        Ok(all)
    }

    /// A block's bytes.
    pub(super) fn block(&self, number: u64) -> Result<Vec<u8>, Reason> {
        let mut block = vec![0; self.layout.block_size as usize];
        self.fill(number.saturating_mul(self.layout.block_size.into()), &mut block)?;
        Ok(block)
    }

    /// Whether so many bytes from this one on are before its end.
    fn has(&self, at: u64, len: usize) -> bool {
        let size = self.layout.blocks.saturating_mul(self.layout.block_size.into());
        at.checked_add(len as u64).is_some_and(|end| end <= size)
    }

    /// Reads what is at this byte, as it is once the journal is replayed.
    pub(super) fn fill(&self, at: u64, into: &mut [u8]) -> Result<(), Reason> {
        let size = u64::from(self.layout.block_size);
        if !self.has(at, into.len()) {
            return garbled(format!("block {} lies behind the end of the file system", at / size));
        }
        let (mut at, mut rest) = (at, into);
        while !rest.is_empty() {
            let (number, offset) = (at / size, at % size);
            let logged = self.log.block(self, number)?;
            let end = if logged.is_some() { Some(number + 1) } else { self.log.next(number) };
            let length = end.map_or(u64::MAX, |end| end.saturating_mul(size) - at);
            let length = usize::try_from(length).unwrap_or(usize::MAX).min(rest.len());
            let (part, behind) = rest.split_at_mut(length);
            match logged {
                Some(block) => {
                    let start = usize::try_from(offset).unwrap_or(usize::MAX);
                    let logged = block.get(start..start.saturating_add(length));
                    part.copy_from_slice(
                        logged.ok_or_else(|| Reason::Garbled("its journal is damaged".into()))?,
                    );
                }
                None => self.fill_unlogged(at, part)?,
            }
            at += length as u64;
            rest = behind;
        }
        Ok(())
    }

    /// Reads what is at this byte, whatever the journal says.
    pub(super) fn fill_unlogged(&self, at: u64, into: &mut [u8]) -> Result<(), Reason> {
        match self.bytes.read_at(at, into) {
            Ok(n) if n == into.len() => Ok(()),
            Ok(_) => garbled(format!("block {} is cut off", at / u64::from(self.layout.block_size))),
            Err(error) => Err(Reason::Io(error.to_string())),
        }
    }

    /// A block group.
    fn group(&self, number: u32) -> Result<Group, Reason> {
        const CHECKSUM: usize = 0x1e;
        let layout = &self.layout;
        let start = (number as usize).saturating_mul(layout.descriptor_size);
        let of =
            self.descriptors.get(start..start.saturating_add(layout.descriptor_size)).unwrap_or_default();
        let (before, after) =
            (of.get(..CHECKSUM).unwrap_or_default(), of.get(CHECKSUM + 2..).unwrap_or_default());
        let right = if layout.has_checksums() {
            let of_number = crc32c_on(layout.seed, &number.to_le_bytes());
            let all = crc32c_on(crc32c_on(crc32c_on(of_number, before), &[0; 2]), after);
            all & 0xffff == u32::from(le16(of, CHECKSUM)?)
        } else if layout.ro_compat & ro_compat::GDT_CSUM != 0 {
            crc16(&[&layout.uuid, &number.to_le_bytes(), before, after]) == le16(of, CHECKSUM)?
        } else {
            true
        };
        if !right {
            return garbled(format!(
                "the descriptor of block group {number} is damaged: its checksum is wrong"
            ));
        }
        let wide = layout.descriptor_size >= 64;
        let high = |at| if wide { le16(of, at).map(u32::from) } else { Ok(0) };
        let high_block = if wide { u64::from(le32(of, 0x28)?) } else { 0 };
        Ok(Group {
            inode_table: u64::from(le32(of, 0x8)?) | high_block << 32,
            free_clusters: u32::from(le16(of, 0xc)?) | high(0x2c)? << 16,
            free_inodes: u32::from(le16(of, 0xe)?) | high(0x2e)? << 16,
        })
    }

    /// The bytes of an inode.
    pub(super) fn inode(&self, number: u32) -> Result<Vec<u8>, Reason> {
        let layout = &self.layout;
        let index = match number.checked_sub(1) {
            Some(index) if number <= layout.inodes => index,
            _ => return garbled(format!("there is no inode {number}")),
        };
        let group = self.group(index / layout.inodes_per_group)?;
        let offset = u64::from(index % layout.inodes_per_group) * u64::from(layout.inode_size);
        // The block before which the inode table lies may not be.
        if group.inode_table <= layout.first_data_block.into() {
            return garbled(format!("the descriptor of the block group of inode {number} is damaged"));
        }
        let at = group.inode_table.saturating_mul(layout.block_size.into()).saturating_add(offset);
        let page = self.inodes.get((0, at / INODES), || {
            let mut page = vec![0; usize::try_from(INODES).unwrap_or(0)];
            self.fill(at - at % INODES, &mut page).map(|()| page)
        });
        let within = usize::try_from(at % INODES).unwrap_or(usize::MAX);
        let found =
            |page: &Vec<u8>| page.get(within..within + usize::from(layout.inode_size)).map(<[u8]>::to_vec);
        if let Some(inode) = page.ok().and_then(|page| found(&page)) {
            return Ok(inode);
        }
        // What else is in the page may be damaged, or lie behind the end.
        let mut inode = vec![0; layout.inode_size.into()];
        self.fill(at, &mut inode)?;
        Ok(inode)
    }

    /// As the kernel's `ext4_statfs` tells it.
    pub(super) fn space(&self) -> Result<Space, Reason> {
        let layout = &self.layout;
        let overhead = layout.overhead_blocks().ok_or_else(|| {
            Reason::NotRead(
                "the superblock does not say how many blocks the file system needs for itself".into(),
            )
        })?;
        let journal = match layout.journal_inode {
            0 => 0,
            _ if layout.compat & compat::HAS_JOURNAL == 0 => 0,
            // What a superblock says of a file system with clusters has the journal in it.
            _ if layout.ro_compat & ro_compat::BIGALLOC != 0 => 0,
            inode => Inode::special(self, inode)?.size / u64::from(layout.block_size),
        };
        let (mut free, mut files_free) = (0_u64, 0_u64);
        for number in 0..layout.groups {
            let group = self.group(number)?;
            free += u64::from(group.free_clusters);
            files_free += u64::from(group.free_inodes);
        }
        let free = free.saturating_mul(layout.cluster_blocks);
        // Held back so that writing what was promised never fails: 2 %, 4096 clusters at most, with extents only.
        let held = match layout.incompat & incompat::EXTENTS {
            0 => 0,
            _ => (layout.blocks / layout.cluster_blocks / 50).min(4096) * layout.cluster_blocks,
        };
        let blocks = layout.blocks.saturating_sub(overhead.saturating_add(journal));
        if free > layout.blocks || files_free > u64::from(layout.inodes) {
            return garbled("the descriptors of the block groups are damaged: more is free than there is");
        }
        let bytes = |blocks: u64| blocks.saturating_mul(layout.block_size.into());
        Ok(Space {
            size: bytes(blocks),
            free: bytes(free),
            available: bytes(free.saturating_sub(layout.reserved_blocks.saturating_add(held))),
            files: layout.inodes.into(),
            files_free,
        })
    }

    /// Why it may be older than it was: see [`super::FileSystem::stale`].
    pub(super) fn stale(&self) -> Option<String> {
        let why = "the journal ends with fast commits, which are not replayed: names, modes, owners, times and sizes of what was \
                   changed in the last seconds may be those before";
        self.log.has_fast_commits().then(|| why.into())
    }
}

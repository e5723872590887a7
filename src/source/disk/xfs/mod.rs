//! XFS, of version 4 and 5.
//!
//! Read here by its published format ("XFS Algorithms & Data Structures"), with every checksum, owner and place that its metadata
//! tells of itself compared; only the replay of a log that was not empty is another's, see [`log`].

mod blocks;
mod checksum;
mod directory;
mod fork;
mod geometry;
mod inode;
mod log;
mod space;
#[cfg(test)]
mod tests;

use super::cache::Cache;
use super::file_system::FileSystem;
use crate::source::bytes::Bytes;
use crate::source::disk::number::{be32, be64};
use crate::source::{Entry, FileKind, Missing, Reading, Reason, Space, Stat};
use blocks::Blocks;
use directory::Directory;
use geometry::{Geometry, SUPERBLOCK_SIZE};
use inode::{Format, Inode};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// The longest target of a link (`XFS_SYMLINK_MAXLEN`).
const LINK_MOST: u64 = 1024;

/// The most bytes of directories that are kept.
const KEPT: usize = 16 << 20;

/// Opens an XFS. One that was not unmounted is read as if it were mounted now.
pub(super) fn open(bytes: Arc<dyn Bytes>) -> Result<Arc<dyn FileSystem>, Reason> {
    Ok(Arc::new(Xfs::open(bytes)?))
}

#[derive(Debug)]
struct Xfs {
    blocks: Blocks,
    geometry: Geometry,
    /// Directories that were read, by their inode.
    directories: Cache<Directory>,
}

impl Xfs {
    fn open(bytes: Arc<dyn Bytes>) -> Result<Self, Reason> {
        let mut blocks = Blocks::new(bytes.clone());
        let mut geometry = superblock(&blocks)?;
        blocks.replayed = log::replayed(&bytes, &geometry)?;
        if !blocks.replayed.is_empty() {
            // It may have grown.
            geometry = superblock(&blocks)?;
        }
        let xfs = Self { blocks, geometry, directories: Cache::of(Directory::size, KEPT) };
        let root = xfs.inode(xfs.geometry.root)?;
        match root.stat.kind {
            FileKind::Directory => Ok(xfs),
            kind => {
                Err(Reason::Garbled(format!("inode {}, which should be /, is {}", root.number, kind.name())))
            }
        }
    }

    fn inode(&self, number: u64) -> Result<Inode, Reason> {
        Inode::read(&self.blocks, &self.geometry, number)
    }

    fn directory(&self, inode: &Inode) -> Result<Arc<Directory>, Reason> {
        self.directories.get((0, inode.number), || Directory::read(&self.blocks, &self.geometry, inode))
    }

    /// The directory, which must be in the one of inode `parent`. Were that not so, paths through it would have no end.
    fn directory_in(&self, inode: &Inode, parent: u64) -> Result<Arc<Directory>, Reason> {
        let directory = self.directory(inode)?;
        if directory.parent != parent {
            let Inode { number, .. } = inode;
            let what =
                format!("the directory of inode {number} is damaged: it is in more than one directory");
            return Err(Reason::Garbled(what));
        }
        Ok(directory)
    }

    /// What is at the path, and the inode of the directory that it is in.
    fn find(&self, path: &Path) -> Reading<(Inode, u64)> {
        let unreadable = |reason| Missing::unreadable(path, reason);
        let mut parent = self.geometry.root;
        let mut inode = self.inode(parent).map_err(unreadable)?;
        for component in path.components() {
            let name = match component {
                Component::Normal(name) => name.as_bytes(),
                Component::RootDir | Component::CurDir => continue,
                Component::ParentDir | Component::Prefix(_) => return Err(Missing::Absent),
            };
            if inode.stat.kind != FileKind::Directory {
                return Err(Missing::Absent);
            }
            let directory = self.directory_in(&inode, parent).map_err(unreadable)?;
            let (number, _) = *directory.names.get(name).ok_or(Missing::Absent)?;
            parent = inode.number;
            inode = self.inode(number).map_err(unreadable)?;
        }
        Ok((inode, parent))
    }

    /// Some bytes of the file, holes as zeros.
    fn part(&self, inode: &Inode, offset: u64, length: usize) -> Result<Vec<u8>, Reason> {
        let end = offset.saturating_add(length as u64).min(inode.stat.size);
        let Some(length) = end.checked_sub(offset).and_then(|length| usize::try_from(length).ok()) else {
            return Ok(Vec::new());
        };
        let mut part = vec![0; length];
        let block_log = self.geometry.block_log;
        let wanted = offset >> block_log..end.div_ceil(self.geometry.block_size());
        for extent in fork::extents(&self.blocks, &self.geometry, inode, wanted)? {
            let start = extent.first << block_log;
            let (from, to) = (start.max(offset), (start + (extent.count << block_log)).min(end));
            let there = part.get_mut((from - offset) as usize..to.saturating_sub(offset) as usize);
            if let Some(there) = there.filter(|_| !extent.unwritten) {
                self.blocks.fill(extent.place + (from - start), there)?;
            }
        }
        Ok(part)
    }

    fn link(&self, inode: &Inode) -> Result<Vec<u8>, Reason> {
        let damaged =
            |what: &str| Reason::Garbled(format!("the link of inode {} is damaged: {what}", inode.number));
        let size = inode.stat.size;
        if size == 0 || size > LINK_MOST {
            return Err(damaged("its length is impossible"));
        }
        if inode.format == Format::Local {
            return Ok(inode.fork.iter().copied().take(size as usize).collect());
        }
        let mut target = Vec::new();
        // On blocks of 1 KiB a header and the longest target take two.
        let wanted = 0..(size + HEADER).div_ceil(self.geometry.block_size());
        for extent in fork::extents(&self.blocks, &self.geometry, inode, wanted)? {
            let len = extent.count.min(1 + ((LINK_MOST + HEADER) >> self.geometry.block_log));
            let block = self.blocks.metadata(extent.place, (len << self.geometry.block_log) as usize)?;
            let text = if self.geometry.v5 {
                self.linked(&block, inode.number, extent.place, target.len() as u64).map_err(damaged)?
            } else {
                &block
            };
            target.extend(text.iter().copied().take(size as usize - target.len()));
        }
        if target.len() as u64 != size {
            return Err(damaged("a part of it is missing"));
        }
        Ok(target)
    }

    /// What follows the header of a link's extent (`xfs_dsymlink_hdr`), as far as it belongs to the link.
    fn linked<'a>(
        &self,
        extent: &'a [u8],
        owner: u64,
        place: u64,
        offset: u64,
    ) -> Result<&'a [u8], &'static str> {
        if be32(extent, 0) != Some(0x5853_4c4d) {
            return Err("it has no header");
        }
        if !checksum::is_right(extent, 12) {
            return Err("its checksum is wrong");
        }
        if be32(extent, 4).map(u64::from) != Some(offset)
            || extent.get(16..32) != Some(&self.geometry.uuid)
            || be64(extent, 32) != Some(owner)
            || be64(extent, 40) != Some(place >> 9)
        {
            return Err("another one is in its place");
        }
        let len = be32(extent, 8).and_then(|len| usize::try_from(len).ok());
        len.and_then(|len| extent.get(HEADER as usize..)?.get(..len)).ok_or("its length is impossible")
    }
}

/// The bytes before the text of each extent of a link, of version 5.
const HEADER: u64 = 56;

fn superblock(blocks: &Blocks) -> Result<Geometry, Reason> {
    // As much of the largest one as there is: the smallest file system is larger.
    Geometry::parse(&blocks.metadata(0, SUPERBLOCK_SIZE)?)
}

impl FileSystem for Xfs {
    fn lstat(&self, path: &Path) -> Reading<Stat> {
        self.find(path).map(|(inode, _)| inode.stat)
    }

    fn list(&self, path: &Path) -> Reading<Vec<Entry>> {
        let unreadable = |reason| Missing::unreadable(path, reason);
        let (inode, parent) = self.find(path)?;
        match inode.stat.kind {
            FileKind::Directory => {}
            kind => return Err(unreadable(Reason::WrongKind(kind.name()))),
        }
        let directory = self.directory_in(&inode, parent).map_err(unreadable)?;
        let entry = |(name, &(number, kind)): (&Vec<u8>, &(u64, FileKind))| {
            // Where directories do not say it (version 4 without ftype), the inode does.
            let kind = match kind {
                FileKind::Other => self.inode(number).map_or(kind, |inode| inode.stat.kind),
                kind => kind,
            };
            Entry { name: OsString::from_vec(name.clone()), kind }
        };
        Ok(directory.names.iter().map(entry).collect())
    }

    fn read_at(&self, path: &Path, offset: u64, length: usize) -> Reading<Vec<u8>> {
        let unreadable = |reason| Missing::unreadable(path, reason);
        let (inode, _) = self.find(path)?;
        match inode.stat.kind {
            FileKind::File => self.part(&inode, offset, length).map_err(unreadable),
            kind => Err(unreadable(Reason::WrongKind(kind.name()))),
        }
    }

    fn read_link(&self, path: &Path) -> Reading<PathBuf> {
        let unreadable = |reason| Missing::unreadable(path, reason);
        let (inode, _) = self.find(path)?;
        match inode.stat.kind {
            FileKind::Link => Ok(OsString::from_vec(self.link(&inode).map_err(unreadable)?).into()),
            kind => Err(unreadable(Reason::WrongKind(kind.name()))),
        }
    }

    fn space(&self) -> Reading<Space> {
        space::space(&self.blocks, &self.geometry).map_err(|reason| Missing::unreadable("/", reason))
    }
}

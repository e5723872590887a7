//! ext2, ext3 and ext4, as the kernel's documentation (filesystems/ext4) describes them.
//!
//! What the kernel checks before it believes a structure is checked here too: checksums where there are any, and bounds. A journal
//! that is to be replayed is replayed in memory.

mod blocks;
mod directory;
mod inode;
mod journal;
mod layout;
mod volume;

#[cfg(test)]
mod tests;

use super::cache::Cache;
use super::file_system::FileSystem;
use crate::source::bytes::Bytes;
use crate::source::{Entry, FileKind, Missing, Reading, Reason, Space, Stat};
use directory::Directory;
use inode::Inode;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use volume::Volume;

/// Opens the file system in these bytes.
pub(super) fn open(bytes: Arc<dyn Bytes>) -> Result<Arc<dyn FileSystem>, Reason> {
    let volume = Volume::open(bytes)?;
    Ok(Arc::new(Ext { volume, read: Cache::of(Directory::size, HELD) }))
}

#[derive(Debug)]
struct Ext {
    volume: Volume,
    /// Directories that were read, by their inode: rules ask for thousands of paths, most of them in the same directories.
    read: Cache<Directory>,
}

/// The most bytes of directories that are held: 64 MiB.
const HELD: usize = 64 << 20;

const ROOT: u32 = 2;

impl Ext {
    /// The number of the inode that the path leads to; none if there is no such name.
    fn number(&self, path: &Path) -> Result<Option<u32>, Reason> {
        let mut number = ROOT;
        for component in path.components() {
            let Component::Normal(name) = component else { continue };
            match self.directory(number)?.map(|directory| directory.find(name.as_bytes())).transpose()? {
                Some(Some(found)) => number = found,
                _ => return Ok(None),
            }
        }
        Ok(Some(number))
    }

    /// The directory with this inode; none if it is no directory.
    fn directory(&self, number: u32) -> Result<Option<Arc<Directory>>, Reason> {
        let found = self.read.get((0, number.into()), || {
            let inode = Inode::read(&self.volume, number).map_err(Some)?;
            match inode.kind() {
                FileKind::Directory => Directory::read(&self.volume, &inode).map_err(Some),
                _ => Err(None),
            }
        });
        found.map(Some).or_else(|reason| reason.map_or(Ok(None), Err))
    }

    fn inode(&self, path: &Path) -> Reading<Inode> {
        let found =
            self.number(path).and_then(|number| number.map(|n| Inode::read(&self.volume, n)).transpose());
        found.map_err(|reason| Missing::unreadable(path, reason))?.ok_or(Missing::Absent)
    }
}

impl FileSystem for Ext {
    fn lstat(&self, path: &Path) -> Reading<Stat> {
        Ok(self.inode(path)?.stat())
    }

    fn list(&self, path: &Path) -> Reading<Vec<Entry>> {
        let unreadable = |reason| Missing::unreadable(path, reason);
        let number = self.number(path).map_err(unreadable)?.ok_or(Missing::Absent)?;
        match self.directory(number).map_err(unreadable)? {
            Some(directory) => directory.entries(&self.volume).map_err(unreadable),
            None => Err(unreadable(Reason::WrongKind(self.inode(path)?.kind().name()))),
        }
    }

    fn read_at(&self, path: &Path, offset: u64, length: usize) -> Reading<Vec<u8>> {
        let inode = self.inode(path)?;
        let bytes = match inode.kind() {
            FileKind::File => inode.read_at(&self.volume, offset, length),
            other => Err(Reason::WrongKind(other.name())),
        };
        bytes.map_err(|reason| Missing::unreadable(path, reason))
    }

    fn read_link(&self, path: &Path) -> Reading<PathBuf> {
        let inode = self.inode(path)?;
        let target = match inode.kind() {
            FileKind::Link => inode.target(&self.volume),
            other => Err(Reason::WrongKind(other.name())),
        };
        target
            .map(|bytes| OsStr::from_bytes(&bytes).into())
            .map_err(|reason| Missing::unreadable(path, reason))
    }

    fn space(&self) -> Reading<Space> {
        self.volume.space().map_err(|reason| Missing::unreadable("/", reason))
    }

    fn stale(&self) -> Option<String> {
        self.volume.stale()
    }
}

fn garbled<T>(what: impl Into<String>) -> Result<T, Reason> {
    Err(Reason::Garbled(what.into()))
}

/// The name of an entry, not UTF-8 perhaps.
fn name(bytes: &[u8]) -> std::ffi::OsString {
    std::ffi::OsString::from_vec(bytes.to_vec())
}

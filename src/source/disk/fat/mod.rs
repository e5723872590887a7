//! FAT, as the EFI system partition has it: FAT12, FAT16 and FAT32 with long names.
//!
//! Everything is as Linux's vfat shows it by default: names are found in whatever case, everything is root's with mode 0755, and
//! times are those of UTC.

mod directory;
mod layout;

#[cfg(test)]
mod tests;

use super::cache::Cache;
use super::file_system::FileSystem;
use crate::source::bytes::Bytes;
use crate::source::{Entry, FileKind, Missing, Reading, Reason, Space, Stat};
use directory::{Item, Named};
use layout::Volume;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Opens the file system in these bytes.
pub(super) fn open(bytes: Arc<dyn Bytes>) -> Result<Arc<dyn FileSystem>, Reason> {
    let read = Cache::of(|names: &Vec<Named>| names.len() * NAME, HELD);
    Ok(Arc::new(Fat { volume: Volume::open(bytes)?, read }))
}

#[derive(Debug)]
struct Fat {
    volume: Volume,
    /// Directories that were read, by their first cluster.
    read: Cache<Vec<Named>>,
}

/// The most bytes of directories that are held; a name takes about so many.
const HELD: usize = 20 << 20;
const NAME: usize = 100;

impl Fat {
    /// What is at the path; none if nothing is.
    fn find(&self, path: &Path) -> Result<Option<Item>, Reason> {
        let mut item = Item::root(&self.volume);
        for component in path.components() {
            let Component::Normal(name) = component else { continue };
            if !item.is_directory() {
                return Ok(None);
            }
            match directory::find(&self.directory(&item)?, name.as_bytes()) {
                Some(found) => item = found,
                None => return Ok(None),
            }
        }
        Ok(Some(item))
    }

    fn directory(&self, item: &Item) -> Result<Arc<Vec<Named>>, Reason> {
        self.read.get((0, item.first.into()), || directory::read(&self.volume, item))
    }

    fn item(&self, path: &Path) -> Reading<Item> {
        self.find(path).map_err(|reason| Missing::unreadable(path, reason))?.ok_or(Missing::Absent)
    }
}

impl FileSystem for Fat {
    fn lstat(&self, path: &Path) -> Reading<Stat> {
        let item = self.item(path)?;
        let size = item.size(&self.volume).map_err(|reason| Missing::unreadable(path, reason))?;
        Ok(Stat {
            kind: item.kind(),
            mode: if item.is_read_only() { 0o555 } else { 0o755 },
            uid: 0,
            gid: 0,
            size,
            allocated: size.next_multiple_of(self.volume.cluster_size.into()) / 512,
            mtime: item.mtime,
            rdev: 0,
        })
    }

    fn list(&self, path: &Path) -> Reading<Vec<Entry>> {
        let item = self.item(path)?;
        let items = match item.is_directory() {
            true => self.directory(&item).map(|directory| directory::list(&directory)),
            false => Err(Reason::WrongKind(item.kind().name())),
        };
        items.map_err(|reason| Missing::unreadable(path, reason))
    }

    fn read_at(&self, path: &Path, offset: u64, length: usize) -> Reading<Vec<u8>> {
        let item = self.item(path)?;
        let bytes = match item.kind() {
            FileKind::File => item.read_at(&self.volume, offset, length),
            other => Err(Reason::WrongKind(other.name())),
        };
        bytes.map_err(|reason| Missing::unreadable(path, reason))
    }

    fn read_link(&self, path: &Path) -> Reading<PathBuf> {
        // There are no links.
        Err(Missing::unreadable(path, Reason::WrongKind(self.item(path)?.kind().name())))
    }

    fn space(&self) -> Reading<Space> {
        let free = self.volume.free_clusters().map_err(|reason| Missing::unreadable("/", reason))?;
        let bytes = |clusters: u32| u64::from(clusters) * u64::from(self.volume.cluster_size);
        let (size, free) = (bytes(self.volume.clusters), bytes(free));
        Ok(Space { size, free, available: free, files: 0, files_free: 0 })
    }
}

fn garbled<T>(what: impl Into<String>) -> Result<T, Reason> {
    Err(Reason::Garbled(what.into()))
}

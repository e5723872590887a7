//! btrfs, read without being mounted.
//!
//! What a kernel would show is shown: subvolumes where they were made, without being mounted, and an empty directory where a
//! snapshot has the entry of one; of what is kept twice the copy whose checksum is right; nothing whose checksum is wrong.

mod checksum;
mod contents;
mod decompress;
mod layout;
mod subvolumes;
mod volume;

#[cfg(test)]
mod tests;

use super::file_system::FileSystem;
use crate::source::bytes::Bytes;
use crate::source::disk::file_type;
use crate::source::disk::number::{array, le16, le32, le64};
use crate::source::{Entry, FileKind, LIST_CAP, Missing, Reading, Reason, Space, Stat};
use checksum::name_hash;
use contents::{Contents, File};
use layout::{Key, Tree, id, kind};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use volume::{Item, Volume};

type Result<T> = std::result::Result<T, Reason>;

/// Which subvolume is the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subvolume {
    /// The one that a mount without options shows (`btrfs subvolume set-default`).
    Default,
    /// The one at this path from the top, as `subvol=` of mount(8) names it; `/` is the top itself.
    Path(PathBuf),
    /// The one with this number, as `subvolid=` names it; 5 is the top.
    Id(u64),
}

/// Opens a file system at one of its subvolumes.
pub(super) fn open(bytes: Arc<dyn Bytes>, subvolume: &Subvolume) -> Result<Arc<dyn FileSystem>> {
    Ok(Arc::new(Btrfs::open(bytes, subvolume)?))
}

/// The paths of the subvolumes from the top, sorted: `@`, `root`, `@/.snapshots/1/snapshot`. The top itself is not among them.
pub(super) fn subvolumes(bytes: Arc<dyn Bytes>) -> Result<Vec<PathBuf>> {
    subvolumes::paths(&Volume::open(bytes)?)
}

/// A file system.
#[derive(Debug)]
struct Btrfs {
    volume: Volume,
    contents: Contents,
    root: Place,
}

/// Where a file is: the inode, and the subvolume that holds it.
#[derive(Clone, Copy, Debug)]
struct Place {
    subvolume: u64,
    tree: Tree,
    inode: u64,
    /// Whether it is the empty directory that stands, in this inode, for a subvolume that is not there.
    stub: bool,
}

impl Btrfs {
    fn open(bytes: Arc<dyn Bytes>, subvolume: &Subvolume) -> Result<Self> {
        let volume = Volume::open(bytes)?;
        let contents = Contents::new(subvolumes::tree(&volume, id::CSUM_TREE));
        let root = match subvolume {
            Subvolume::Default => {
                let id = subvolumes::default(&volume)?;
                subvolumes::root(&volume, id)?
                    .ok_or_else(|| damaged(&format!("its default subvolume, {id}, is not there")))?
            }
            Subvolume::Id(id) => subvolumes::root(&volume, *id)?
                .ok_or_else(|| Reason::NotRead(format!("the btrfs file system has no subvolume {id}")))?,
            Subvolume::Path(path) => {
                let top =
                    subvolumes::root(&volume, id::TOP)?.ok_or_else(|| damaged("its top is not there"))?;
                find(&volume, top, path)?.filter(|place| place.inode == id::FIRST && !place.stub).ok_or_else(
                    || Reason::NotRead(format!("the btrfs file system has no subvolume {}", path.display())),
                )?
            }
        };
        Ok(Self { volume, contents, root })
    }

    fn place(&self, path: &Path) -> Reading<Place> {
        find(&self.volume, self.root, path)
            .map_err(|reason| Missing::unreadable(path, reason))?
            .ok_or(Missing::Absent)
    }

    /// The file's inode.
    fn inode(&self, place: &Place) -> Result<Inode> {
        let key = Key::new(place.inode, kind::INODE, 0);
        let item = self.volume.item(place.tree, key)?;
        let item = item.ok_or_else(|| damaged(&format!("inode {} is not there", place.inode)))?;
        let inode = Inode::parse(item.data())
            .ok_or_else(|| damaged(&format!("inode {} is too short", place.inode)))?;
        match place.stub {
            // As the kernel makes it, but for the times, which are those of the moment.
            true => Ok(Inode { mode: 0o040_755, size: 0, bytes: 0, rdev: 0, ..inode }),
            false => Ok(inode),
        }
    }

    /// The file at the path, if it is of the kind.
    fn file(&self, path: &Path, kind: FileKind) -> Reading<(Place, Inode)> {
        let place = self.place(path)?;
        let inode = self.inode(&place).map_err(|reason| Missing::unreadable(path, reason))?;
        match FileKind::of_mode(inode.mode) {
            found if found == kind => Ok((place, inode)),
            _ if kind == FileKind::Directory => {
                Err(Missing::unreadable(path, Reason::WrongKind("not a directory")))
            }
            found => Err(Missing::unreadable(path, Reason::WrongKind(found.name()))),
        }
    }

    fn contents(
        &self,
        path: &Path,
        (place, inode): (Place, Inode),
        offset: u64,
        length: usize,
    ) -> Reading<Vec<u8>> {
        let file = File { place, size: inode.size, unchecked: inode.flags & NODATASUM != 0 };
        self.contents
            .read(&self.volume, &file, offset, length)
            .map_err(|reason| Missing::unreadable(path, reason))
    }

    fn entries(&self, place: &Place) -> Result<Vec<Entry>> {
        let mut found = Vec::new();
        if place.stub {
            return Ok(found);
        }
        let mut items = self.volume.items(place.tree, Key::new(place.inode, kind::DIR_INDEX, 0))?;
        let mine = |item: &Item| (item.key.id, item.key.kind) == (place.inode, kind::DIR_INDEX);
        while let Some(item) = items.next()?.filter(mine) {
            let Some((entry, _)) = DirEntry::parse(item.data()) else {
                return Err(damaged(&format!("entry {} of the directory is damaged", item.key.offset)));
            };
            if found.len() == LIST_CAP {
                return Err(Reason::TooMany(LIST_CAP));
            }
            // As the kernel does, which hands out no name that could be mistaken for a path.
            if matches!(entry.name, b"." | b"..") || entry.name.iter().any(|byte| matches!(byte, b'/' | 0)) {
                return Err(damaged(&format!(
                    "entry {} of the directory has an impossible name",
                    item.key.offset
                )));
            }
            found.push(Entry { name: OsStr::from_bytes(entry.name).to_owned(), kind: entry.kind()? });
        }
        Ok(found)
    }
}

/// What is at the path from this directory on.
fn find(volume: &Volume, from: Place, path: &Path) -> Result<Option<Place>> {
    let mut place = from;
    for component in path.components() {
        let Component::Normal(name) = component else { continue };
        match step(volume, &place, name.as_bytes())? {
            Some(next) => place = next,
            None => return Ok(None),
        }
    }
    Ok(Some(place))
}

/// What has the name in the directory; nothing has, if it is none.
fn step(volume: &Volume, directory: &Place, name: &[u8]) -> Result<Option<Place>> {
    if directory.stub {
        return Ok(None);
    }
    let Some(item) =
        volume.item(directory.tree, Key::new(directory.inode, kind::DIR_ITEM, name_hash(name)))?
    else {
        return Ok(None);
    };
    // Names of the same hash are in the same item.
    let mut rest = item.data();
    while !rest.is_empty() {
        let Some((entry, size)) = DirEntry::parse(rest) else {
            return Err(damaged("an entry of the directory is damaged"));
        };
        if entry.name == name {
            return enter(volume, directory, name, entry.location).map(Some);
        }
        rest = rest.get(size..).unwrap_or_default();
    }
    Ok(None)
}

/// What an entry of the directory leads to.
fn enter(volume: &Volume, directory: &Place, name: &[u8], to: Key) -> Result<Place> {
    match to.kind {
        kind::INODE => Ok(Place { inode: to.id, ..*directory }),
        kind::ROOT => {
            // A snapshot has the entries of the subvolumes in what it was made of, but not these. Linux shows empty directories.
            let link =
                volume.item(volume.superblock.roots, Key::new(directory.subvolume, kind::ROOT_REF, to.id))?;
            let here = link.is_some_and(|link| {
                subvolumes::Link::parse(link.data())
                    .is_some_and(|link| link.directory == directory.inode && link.name == name)
            });
            let root = if here { subvolumes::root(volume, to.id)? } else { None };
            Ok(root.unwrap_or(Place { stub: true, ..*directory }))
        }
        _ => Err(damaged("an entry of the directory leads to neither a file nor a subvolume")),
    }
}

impl FileSystem for Btrfs {
    fn lstat(&self, path: &Path) -> Reading<Stat> {
        let inode = self.inode(&self.place(path)?).map_err(|reason| Missing::unreadable(path, reason))?;
        let sector = self.volume.superblock.sector as u64;
        Ok(Stat {
            kind: FileKind::of_mode(inode.mode),
            mode: inode.mode & 0o7777,
            uid: inode.uid,
            gid: inode.gid,
            size: inode.size,
            allocated: inode.bytes.div_ceil(sector).saturating_mul(sector) / 512,
            mtime: inode.mtime,
            rdev: inode.rdev,
        })
    }

    fn list(&self, path: &Path) -> Reading<Vec<Entry>> {
        let (place, _) = self.file(path, FileKind::Directory)?;
        self.entries(&place).map_err(|reason| Missing::unreadable(path, reason))
    }

    fn read_at(&self, path: &Path, offset: u64, length: usize) -> Reading<Vec<u8>> {
        self.contents(path, self.file(path, FileKind::File)?, offset, length)
    }

    fn read_link(&self, path: &Path) -> Reading<PathBuf> {
        let (place, inode) = self.file(path, FileKind::Link)?;
        if inode.size > PATH_MAX as u64 {
            let why = damaged(&format!("the link has a target of {} bytes", inode.size));
            return Err(Missing::unreadable(path, why));
        }
        let target = self.contents(path, (place, inode), 0, PATH_MAX)?;
        Ok(PathBuf::from(OsStr::from_bytes(&target)))
    }

    fn space(&self) -> Reading<Space> {
        let why = "how much more fits on btrfs, only the kernel estimates";
        Err(Missing::unreadable("/", Reason::NotRead(why.into())))
    }

    fn stale(&self) -> Option<String> {
        self.volume.superblock.log.then(|| {
            "the btrfs file system was not unmounted: what was synchronised last is in its log tree, which only mounting replays, \
             and files are seen here as they were at the commit before"
                .into()
        })
    }
}

/// What a link can hold, with the zero at its end.
const PATH_MAX: usize = 4096;

/// No checksums are kept of the file's data (`BTRFS_INODE_NODATASUM`).
const NODATASUM: u64 = 1;

/// What an inode item says.
#[derive(Clone, Copy, Debug)]
struct Inode {
    size: u64,
    /// Bytes of its extents.
    bytes: u64,
    uid: u32,
    gid: u32,
    mode: u32,
    rdev: u64,
    flags: u64,
    mtime: i64,
}

impl Inode {
    fn parse(item: &[u8]) -> Option<Self> {
        // As the kernel keeps device numbers, twelve bits and twenty.
        let device = le64(item, 56)?;
        let (mode, device) = (le32(item, 52)?, nix::sys::stat::makedev(device >> 20, device & 0xf_ffff));
        let node = matches!(FileKind::of_mode(mode), FileKind::Block | FileKind::Character);
        Some(Self {
            size: le64(item, 16)?,
            bytes: le64(item, 24)?,
            uid: le32(item, 44)?,
            gid: le32(item, 48)?,
            mode,
            rdev: if node { device } else { 0 },
            flags: le64(item, 64)?,
            mtime: array(item, 136).map(i64::from_le_bytes)?,
        })
    }
}

/// An entry of a directory.
struct DirEntry<'a> {
    location: Key,
    r#type: u8,
    name: &'a [u8],
}

impl<'a> DirEntry<'a> {
    const HEAD: usize = 30;

    /// The entry that begins the bytes, and how long it is.
    fn parse(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let end = Self::HEAD + usize::from(le16(bytes, 27)?);
        let name = bytes.get(Self::HEAD..end).filter(|name| !name.is_empty())?;
        let size = end + usize::from(le16(bytes, 25)?);
        let entry = Self { location: Key::at(bytes, 0)?, r#type: *bytes.get(29)?, name };
        (size <= bytes.len()).then_some((entry, size))
    }

    fn kind(&self) -> Result<FileKind> {
        if self.r#type & 0x80 != 0 {
            return Err(not_read("names in the directory are encrypted"));
        }
        Ok(file_type::kind(self.r#type))
    }
}

/// The file system is damaged, in these words.
fn damaged(what: &str) -> Reason {
    Reason::Garbled(format!("the btrfs file system is damaged: {what}"))
}

/// It is not damaged, but cannot be read.
fn not_read(what: &str) -> Reason {
    Reason::NotRead(format!("the btrfs file system is not read: {what}"))
}

fn io(error: &std::io::Error) -> Reason {
    Reason::Io(format!("the image cannot be read: {error}"))
}

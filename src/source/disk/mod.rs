//! Root trees in disk images, read without mounting them: an image file holds a disk, the disk partitions and logical volumes,
//! those file systems, and these, put together as the image's own fstab says, the tree.

mod assemble;
mod btrfs;
mod cache;
mod checksum;
mod ext;
mod fat;
mod field;
mod file_system;
mod file_type;
mod format;
#[cfg(test)]
mod harness;
mod in_use;
pub(crate) mod lvm_metadata;
mod mounts;
mod number;
#[cfg(test)]
mod sparse;
mod spec;
mod superblock;
mod volume;
mod xfs;

use super::reading::said_of as at;
use super::resolve::{Step, step, walk};
use super::seen::Seen;
use super::{
    Entry, FileKind, Missing, Question, Reading, Reason, STREAM_CAP, Source, Space, Stat, Tail, Watch,
};
use assemble::{Mount, assemble};
use file_system::FileSystem;
use format::Format;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use volume::Volume;

/// The root tree in a disk image.
#[derive(Debug)]
pub(super) struct Disk {
    image: Image,
    /// The longest paths first.
    mounts: Vec<Mount>,
    /// The answer to [`Question::BlockDevices`].
    devices: Vec<u8>,
    damage: Vec<String>,
    volumes: Vec<Volume>,
    seen: Seen,
}

/// What holds the disk.
#[derive(Clone, Debug)]
struct Image {
    format: Format,
    /// The files it is in.
    files: Vec<PathBuf>,
    /// How many bytes of them have been read.
    read: Arc<AtomicU64>,
}

/// How a disk image is read, where it leaves a choice.
#[derive(Clone, Debug, Default)]
pub struct DiskChoice {
    /// The name of the partition or volume that holds the root, as it is listed where several do: `disk2`, `vg/root`, `UUID=…`; of a
    /// subvolume of btrfs `disk2:@`.
    pub root_partition: Option<String>,
    /// Whether other files that the image names may be opened.
    pub allow_backing: bool,
}

/// Why there is nothing to vet in a disk image.
#[derive(Debug, thiserror::Error)]
pub enum BadDisk {
    /// The image cannot be read, in words.
    #[error("{0}")]
    Image(String),
    /// No file system looks like a root.
    #[error("holds no root file system: {0}")]
    NoRoot(String),
    /// Several do.
    #[error("holds several root file systems: {}; choose one with --root-partition", .0.join(", "))]
    SeveralRoots(Vec<String>),
    /// There is no such partition.
    #[error("holds no partition `{wanted}`; there is {there}")]
    NoSuchPartition {
        /// What was asked for.
        wanted: String,
        /// What there is.
        there: String,
    },
    /// The chosen one cannot be read.
    #[error("{0} cannot be read: {1}")]
    Unreadable(String, Reason),
}

impl Disk {
    /// The tree in the image in `file`, which lies at `path` of this host.
    pub(super) fn open(file: File, path: &Path, choice: &DiskChoice, watch: &Watch) -> Result<Self, BadDisk> {
        let options = format::Options { allow_backing: choice.allow_backing, watch: watch.clone() };
        let in_use = in_use::in_use(&file).map(|why| format!("{}: {why}", path.display()));
        let image = format::open(file, path, &options).map_err(|bad| BadDisk::Image(bad.to_string()))?;
        let (volumes, damage) = volume::volumes(image.bytes);
        let damage = damage.into_iter().map(|damage| damage.to_string());
        let damage: Vec<_> = in_use.into_iter().chain(damage).collect();
        let mounts = assemble(&volumes, choice.root_partition.as_deref()).map_err(|bad| {
            match (bad, damage.first()) {
                // Nothing is found on a disk that cannot be read.
                (BadDisk::NoRoot(what), Some(why)) => BadDisk::NoRoot(format!("{what}; {why}")),
                (bad, _) => bad,
            }
        })?;
        let mounts = in_order(mounts);
        let devices = volume::export(&volumes);
        let image = Image { format: image.format, files: image.files, read: image.read };
        Ok(Self { image, mounts, devices, damage, volumes, seen: Seen::default() })
    }

    /// The same disk, with what this fstab(5) mounts besides, for which `place` tells where in the tree a path of it is.
    pub(super) fn mounting(&self, fstab: &str, place: &dyn Fn(&Path) -> PathBuf) -> Self {
        // The order of before, in which the last comes first.
        let mut mounts = self.mounts.iter().rev().cloned().collect();
        assemble::mount_fstab(fstab, &self.volumes, &mut mounts, place);
        let mounts = in_order(mounts);
        let (devices, damage) = (self.devices.clone(), self.damage.clone());
        let volumes = self.volumes.clone();
        Self { image: self.image.clone(), mounts, devices, damage, volumes, seen: Seen::default() }
    }

    /// What holds the disk, and what of it is mounted where, in words: `/boot is disk1 (ext4)`. `shown` is how the system itself
    /// names a place in the tree.
    pub(super) fn layout(&self, shown: &dyn Fn(&Path) -> PathBuf) -> Vec<String> {
        let words = |mount: &Mount| match &mount.holds {
            Ok(_) => format!("{} is {}", shown(&mount.at).display(), mount.what),
            Err(reason) => reason.to_string(),
        };
        let files: Vec<_> = self.image.files.iter().map(|file| file.display().to_string()).collect();
        let image = format!("the disk is a {} image in {}", self.image.format, files.join(", "));
        [image].into_iter().chain(self.mounts.iter().rev().map(words)).collect()
    }

    /// What of the disk is damaged or cannot be read, in words, and what may be older than it should be.
    pub(super) fn damage(&self) -> Vec<String> {
        let stale = self.mounts.iter().filter_map(|mount| {
            let why = mount.holds.as_ref().ok()?.stale()?;
            Some(format!("{}: {why}", mount.what))
        });
        self.damage.iter().cloned().chain(stale).collect()
    }

    /// The file system that holds a path on whose way there are no links, and the path in it.
    fn place(&self, path: &Path) -> Reading<(Arc<dyn FileSystem>, PathBuf)> {
        mounts::place(&self.mounts, path)
    }

    /// What is at a path on whose way there are no links.
    fn entry(&self, path: &Path) -> Reading<Stat> {
        self.seen.or_look(path, || {
            let (holds, inner) = self.place(path)?;
            at(path, holds.lstat(&inner))
        })
    }

    /// The path with all links followed on its way, and at its end if `follow`.
    fn resolve(&self, path: &Path, follow: bool) -> Reading<PathBuf> {
        walk(path, follow, &|here| -> Reading<Step> {
            step(self.entry(here)?.kind, || {
                let (holds, inner) = self.place(here)?;
                at(here, holds.read_link(&inner))
            })
        })
    }

    /// The regular file at `path`: where it is, and its size.
    fn file(&self, path: &Path) -> Reading<(Arc<dyn FileSystem>, PathBuf, u64)> {
        let place = self.resolve(path, true)?;
        let stat = self.entry(&place)?;
        if stat.kind != FileKind::File {
            return Err(Missing::unreadable(path, Reason::WrongKind(stat.kind.name())));
        }
        let (holds, inner) = self.place(&place)?;
        Ok((holds, inner, stat.size))
    }
}

/// Of what is mounted twice in one place the last is seen; the longest paths come first.
fn in_order(mut mounts: Vec<Mount>) -> Vec<Mount> {
    mounts.reverse();
    mounts.sort_by_key(|mount| std::cmp::Reverse(mount.at.components().count()));
    mounts
}

/// How much is read at once.
const PIECE: usize = 1 << 20;

/// The bytes from `offset` on, up to `length` of them.
fn read_part(
    holds: &dyn FileSystem,
    path: &Path,
    inner: &Path,
    offset: u64,
    length: u64,
) -> Reading<Vec<u8>> {
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < length {
        let piece = usize::try_from(length - bytes.len() as u64).unwrap_or(PIECE).min(PIECE);
        let part = at(path, holds.read_at(inner, offset.saturating_add(bytes.len() as u64), piece))?;
        let ended = part.len() < piece;
        bytes.extend(part);
        if ended {
            break;
        }
    }
    Ok(bytes)
}

impl Source for Disk {
    fn read(&self, path: &Path, cap: u64) -> Reading<Vec<u8>> {
        let (holds, inner, size) = self.file(path)?;
        if size > cap {
            return Err(Missing::unreadable(path, Reason::TooLarge(cap)));
        }
        read_part(&*holds, path, &inner, 0, size)
    }

    fn read_tail(&self, path: &Path, cap: u64) -> Reading<Tail> {
        let (holds, inner, size) = self.file(path)?;
        let skipped = size.saturating_sub(cap);
        Ok(Tail { bytes: read_part(&*holds, path, &inner, skipped, size - skipped)?, skipped })
    }

    fn stream(&self, path: &Path) -> Reading<Box<dyn Read + Send>> {
        let (holds, inner, size) = self.file(path)?;
        let path = path.to_path_buf();
        Ok(Box::new(FileStream { holds, path, inner, size: size.min(STREAM_CAP), at: 0 }))
    }

    fn read_at(&self, path: &Path, offset: u64, length: usize) -> Reading<Vec<u8>> {
        let (holds, inner, size) = self.file(path)?;
        read_part(&*holds, path, &inner, offset, size.saturating_sub(offset).min(length as u64))
    }

    fn list(&self, path: &Path) -> Reading<Vec<Entry>> {
        let place = self.resolve(path, true)?;
        if self.entry(&place)?.kind != FileKind::Directory {
            return Err(Missing::unreadable(path, Reason::WrongKind("not a directory")));
        }
        if let Some(Mount { holds: Err(reason), .. }) = self.mounts.iter().find(|mount| mount.at == place) {
            return Err(Missing::unreadable(path, reason.clone()));
        }
        let (holds, inner) = self.place(&place)?;
        let mut entries = at(path, holds.list(&inner))?;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn stat(&self, path: &Path) -> Reading<Stat> {
        self.entry(&self.resolve(path, true)?)
    }

    fn lstat(&self, path: &Path) -> Reading<Stat> {
        self.entry(&self.resolve(path, false)?)
    }

    fn read_link(&self, path: &Path) -> Reading<PathBuf> {
        let place = self.resolve(path, false)?;
        if self.entry(&place)?.kind != FileKind::Link {
            return Err(Missing::unreadable(path, Reason::WrongKind("not a symbolic link")));
        }
        let (holds, inner) = self.place(&place)?;
        at(path, holds.read_link(&inner))
    }

    fn statvfs(&self, path: &Path) -> Reading<Space> {
        let (holds, _) = self.place(&self.resolve(path, true)?)?;
        at(path, holds.space())
    }

    fn ask(&self, question: Question) -> Reading<Vec<u8>> {
        match question {
            Question::BlockDevices => Ok(self.devices.clone()),
            _ => Err(Missing::Absent),
        }
    }

    fn bytes_read(&self) -> Option<u64> {
        Some(self.image.read.load(Ordering::Relaxed))
    }
}

/// Whether a file that begins so is an image of a disk, other than a raw one.
pub(super) fn is_image(start: &[u8]) -> bool {
    format::recognise(start, &[]).is_some()
}

/// A file of a file system, read from its start to its end.
struct FileStream {
    holds: Arc<dyn FileSystem>,
    path: PathBuf,
    inner: PathBuf,
    size: u64,
    at: u64,
}

impl Read for FileStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size - self.at).unwrap_or(usize::MAX);
        let wanted = left.min(into.len()).min(PIECE);
        if wanted == 0 {
            return Ok(0);
        }
        let part = at(&self.path, self.holds.read_at(&self.inner, self.at, wanted)).map_err(|missing| {
            io::Error::other(match missing {
                Missing::Unreadable(why) => why.to_string(),
                Missing::Absent => format!("{}: is no more there", self.path.display()),
            })
        })?;
        let n = part.len().min(wanted);
        if let (Some(to), Some(from)) = (into.get_mut(..n), part.get(..n)) {
            to.copy_from_slice(from);
        }
        self.at += n as u64;
        match n < wanted {
            true => Err(io::ErrorKind::UnexpectedEof.into()),
            false => Ok(n),
        }
    }
}

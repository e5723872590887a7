//! Paths of a tree that several file systems make: which one holds a path, and directories that are bound to a second place.

use super::assemble::Mount;
use super::file_system::FileSystem;
use crate::source::resolve::{Step, step, walk};
use crate::source::{Entry, Missing, Reading, Space, Stat};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file system that holds a path on whose way there are no links, and the path in it. Of two that are mounted in one place the
/// last is seen.
pub(super) fn place(mounts: &[Mount], path: &Path) -> Reading<(Arc<dyn FileSystem>, PathBuf)> {
    // A mount point is there whether or not what is mounted on it can be read.
    let seen = |mount: &&Mount| path.starts_with(&mount.at) && (mount.holds.is_ok() || path != mount.at);
    let over = mounts.iter().filter(seen).max_by_key(|mount| mount.at.components().count());
    let Mount { at, holds, .. } = over.ok_or(Missing::Absent)?;
    match holds {
        Ok(holds) => Ok((holds.clone(), Path::new("/").join(path.strip_prefix(at).unwrap_or(path)))),
        Err(reason) => Err(Missing::unreadable(path, reason.clone())),
    }
}

/// The path with all links followed.
pub(super) fn resolve(mounts: &[Mount], path: &Path) -> Reading<PathBuf> {
    walk(path, true, &|here| -> Reading<Step> {
        let (holds, inner) = place(mounts, here)?;
        step(holds.lstat(&inner)?.kind, || holds.read_link(&inner))
    })
}

/// The file or directory at this path, as a file system of its own: what `mount --bind` mounts.
pub(super) fn below(mounts: &[Mount], path: &Path) -> Reading<Arc<dyn FileSystem>> {
    let (of, path) = place(mounts, &resolve(mounts, path)?)?;
    of.lstat(&path)?;
    Ok(Arc::new(Below { of, path }))
}

#[derive(Debug)]
struct Below {
    of: Arc<dyn FileSystem>,
    path: PathBuf,
}

impl Below {
    fn inner(&self, path: &Path) -> PathBuf {
        self.path.join(path.strip_prefix("/").unwrap_or(path))
    }
}

impl FileSystem for Below {
    fn lstat(&self, path: &Path) -> Reading<Stat> {
        self.of.lstat(&self.inner(path))
    }

    fn list(&self, path: &Path) -> Reading<Vec<Entry>> {
        self.of.list(&self.inner(path))
    }

    fn read_at(&self, path: &Path, offset: u64, length: usize) -> Reading<Vec<u8>> {
        self.of.read_at(&self.inner(path), offset, length)
    }

    fn read_link(&self, path: &Path) -> Reading<PathBuf> {
        self.of.read_link(&self.inner(path))
    }

    fn space(&self) -> Reading<Space> {
        self.of.space()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Reason;
    use crate::source::disk::{ext, harness::held};

    #[test]
    fn directories_may_be_seen_in_a_second_place_and_mount_points_behind_links() {
        let root = ext::open(held("extfat/ext4-untyped.img.zst")).unwrap();
        let mount = |at: &str, holds| Mount { at: at.into(), holds, what: at.into() };
        let mut mounts = vec![mount("/", Ok(root))];
        // /way is a link to /sub.
        let behind = resolve(&mounts, Path::new("/way/below")).unwrap();
        assert_eq!(behind, Path::new("/sub/below"));
        mounts.push(mount("/sub/below", Ok(below(&mounts, Path::new("/etc")).unwrap())));
        let read = |mounts: &[Mount], path: &str| {
            let (holds, inner) = place(mounts, &resolve(mounts, Path::new(path))?)?;
            holds.read_at(&inner, 0, 100)
        };
        assert_eq!(read(&mounts, "/way/below/hostname").unwrap(), b"example\n");
        assert_eq!(below(&mounts, Path::new("/none")).unwrap_err(), Missing::Absent);
        let shown = below(&mounts, Path::new("/way/below")).unwrap();
        assert_eq!(shown.list(Path::new("/")).unwrap()[0].name, "hostname");
        // What is mounted last in a place is seen; the place itself is there even if that cannot be read.
        mounts.push(mount("/sub/below", Err(Reason::NotRead("elsewhere".into()))));
        assert!(place(&mounts, Path::new("/sub/below")).is_ok());
        assert!(matches!(read(&mounts, "/sub/below/hostname"), Err(Missing::Unreadable(_))));
    }
}

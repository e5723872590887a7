//! A file system that is read without being mounted.

use crate::source::{Entry, Reading, Space, Stat};
use std::fmt::Debug;
use std::path::{Path, PathBuf};

/// A file system, read as far as it is asked.
///
/// Paths are absolute within it and free of `.` and `..`; whoever asks has followed the links: no directory on the way is one, and
/// of a link itself only [`lstat`](Self::lstat) and [`read_link`](Self::read_link) are asked. Where a directory on the way is none,
/// or the name is not there, the answer is *absent*. What is damaged, or of a kind that the reader does not know, is *unreadable*,
/// with what is wrong: never absent, and never a guess.
pub(super) trait FileSystem: Debug + Send + Sync {
    /// What is at the path.
    fn lstat(&self, path: &Path) -> Reading<Stat>;

    /// The entries of the directory, without `.` and `..`, in any order, at most [`LIST_CAP`](crate::source::LIST_CAP).
    fn list(&self, path: &Path) -> Reading<Vec<Entry>>;

    /// A part of the regular file: `length` bytes at most from `offset` on, fewer only where the file ends. Holes are zeros.
    fn read_at(&self, path: &Path, offset: u64, length: usize) -> Reading<Vec<u8>>;

    /// The target of the link, as it is written there.
    fn read_link(&self, path: &Path) -> Reading<PathBuf>;

    /// How full it is, as statvfs(3) would tell if it were mounted.
    fn space(&self) -> Reading<Space>;

    /// Why modes, owners and times may be older than the contents; none where they can be relied on.
    fn stale(&self) -> Option<String> {
        None
    }
}

//! How full a file system is.

use super::target::{BadSize, parse_size};
use super::{Missing, Reason};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// What statvfs(3) tells of a file system: its room, and its inodes.
///
/// It has a text of its own, because no file of a host holds it: cases of rules write it, and a capture keeps it beside
/// the files.
///
/// ```
/// use hostvet::source::Space;
///
/// let space: Space = "size=40GiB free=4GiB available=2GiB files=2621440 files_free=1000".parse()?;
/// assert_eq!(space.free - space.available, 2 << 30, "reserved for root");
/// assert_eq!(space.to_string().parse::<Space>()?, space);
/// # Ok::<(), hostvet::source::BadSpace>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// Size in bytes (`f_blocks` fragments).
    pub size: u64,
    /// Bytes that are free, for root at least (`f_bfree`).
    pub free: u64,
    /// Bytes that are free for everybody (`f_bavail`): less than `free` where some are reserved.
    pub available: u64,
    /// Inodes, used and free (`f_files`); 0 where the file system makes them as it goes (btrfs), or has none (vfat).
    pub files: u64,
    /// Inodes that are free (`f_ffree`).
    pub files_free: u64,
}

impl Space {
    /// What a source says that has files and nothing else.
    pub(super) fn not_told(path: &Path) -> Missing {
        let why = "a tree of files does not tell how full its file systems are";
        Missing::unreadable(path, Reason::NotRead(why.into()))
    }
}

/// A text that tells no [`Space`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadSpace {
    /// No `key=value`.
    #[error("`{0}` is not key=value; known are size, free, available, files, files_free")]
    NoPair(String),
    /// Unknown key.
    #[error("nothing is known of `{0}`; known are size, free, available, files, files_free")]
    UnknownKey(String),
    /// Bad value.
    #[error("{0}")]
    Value(#[from] BadSize),
    /// More free than there is.
    #[error("more is free than there is")]
    TooMuch,
}

impl FromStr for Space {
    type Err = BadSpace;

    /// What is not said is 0, but for `available`, which is `free` then.
    fn from_str(text: &str) -> Result<Self, BadSpace> {
        let mut space = Self::default();
        let mut available = None;
        for part in text.split_ascii_whitespace() {
            let (key, value) = part.split_once('=').ok_or_else(|| BadSpace::NoPair(part.into()))?;
            let value = parse_size(value)?;
            match key {
                "size" => space.size = value,
                "free" => space.free = value,
                "available" => available = Some(value),
                "files" => space.files = value,
                "files_free" => space.files_free = value,
                other => return Err(BadSpace::UnknownKey(other.into())),
            }
        }
        space.available = available.unwrap_or(space.free);
        match space.free <= space.size && space.available <= space.free && space.files_free <= space.files {
            true => Ok(space),
            false => Err(BadSpace::TooMuch),
        }
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { size, free, available, files, files_free } = self;
        write!(f, "size={size} free={free} available={available} files={files} files_free={files_free}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_nothing() {
        let space: Space = "size=1GiB free=1MiB".parse().unwrap();
        assert_eq!((space.size, space.available, space.files), (1 << 30, 1 << 20, 0));
    }

    #[test]
    fn nonsense_is_refused() {
        for (text, why) in [
            ("size", BadSpace::NoPair("size".into())),
            ("sise=1", BadSpace::UnknownKey("sise".into())),
            ("size=x", BadSpace::Value(BadSize("x".into()))),
            ("size=1 free=2", BadSpace::TooMuch),
            ("size=2 free=1 available=2", BadSpace::TooMuch),
            ("files=1 files_free=2", BadSpace::TooMuch),
        ] {
            assert_eq!(text.parse::<Space>(), Err(why), "{text}");
        }
    }
}

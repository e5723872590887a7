//! The files that a capture consists of: in a tar, or unpacked.

use super::manifest::{LARGEST, NAME};
use super::{BadCapture, KEPT};
use crate::source::archive::Contents;
use crate::source::bytes::{Bytes, Slice};
use crate::source::{Directory, Missing, Source};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the files of a capture are.
#[derive(Debug)]
pub(super) enum Files {
    /// In a tar, which may be packed.
    Tar(Contents),
    /// In a directory that it was unpacked to.
    Directory(Arc<Directory>),
}

impl Files {
    pub(super) fn tar(bytes: Arc<dyn Bytes>) -> Result<Self, BadCapture> {
        Ok(Self::Tar(Contents::open(bytes, KEPT, NAME, LARGEST)?))
    }

    /// The bytes of the file of this name, or why they are not there.
    pub(super) fn get(&self, name: impl AsRef<OsStr>) -> Result<Slice, String> {
        let name = name.as_ref();
        match self {
            Self::Tar(contents) => contents.get(name.as_bytes()),
            Self::Directory(directory) => {
                let path = Path::new("/").join(name);
                let (_, len) = directory.file(&path).map_err(|missing| match missing {
                    Missing::Absent => "is not in it".to_owned(),
                    Missing::Unreadable(why) => why.reason.to_string(),
                })?;
                let len = u64::try_from(len).unwrap_or(0);
                Ok(Slice {
                    of: Arc::new(Unpacked { directory: directory.clone(), path, len }),
                    start: 0,
                    len,
                })
            }
        }
    }
}

/// A file of the directory, which is opened for each reading: there may be more than a process may have open.
#[derive(Debug)]
struct Unpacked {
    directory: Arc<Directory>,
    path: PathBuf,
    len: u64,
}

impl Bytes for Unpacked {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        match self.directory.read_at(&self.path, at, into.len()) {
            Ok(bytes) => {
                let n = bytes.len().min(into.len());
                into.get_mut(..n).unwrap_or_default().copy_from_slice(bytes.get(..n).unwrap_or_default());
                Ok(n)
            }
            Err(Missing::Absent) => Err(io::ErrorKind::NotFound.into()),
            Err(Missing::Unreadable(why)) => Err(io::Error::other(why.reason.to_string())),
        }
    }

    fn known_len(&self) -> Option<u64> {
        Some(self.len)
    }
}

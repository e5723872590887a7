//! Where bytes come from. Every byte that hostvet judges passes through one trait, [`Source`].
//!
//! A source never interprets a byte, never follows a link out of its root, never opens a device,
//! FIFO or socket that a path leads to, and prints nothing. The exceptions are
//! of the running host alone: /dev/kmsg, see [`Live`], and the sockets over which a [`Question`] is asked.
//! One file per kind of origin.

mod archive;
mod bytes;
mod capture;
mod compression;
mod dbus;
mod directory;
mod disk;
mod files;
pub(crate) mod glob;
mod live;
mod magic;
mod netlink;
pub(crate) mod octal;
mod open;
mod ostree;
pub(crate) mod parallel;
mod processes;
mod question;
mod reading;
mod resolve;
mod sample;
mod seen;
mod shared;
mod sosreport;
mod space;
mod target;
mod watch;
mod watched;

pub use archive::{Archive, BadArchive, BadImage, BadPlatform, Choice, ImagePlatform};
pub use capture::{Abandoned, BadCapture, Captured, Noted, Output, Recording, Written, open_capture};
pub(crate) use compression::Compression;
pub(crate) use dbus::Message;
pub use directory::Directory;
pub(crate) use disk::lvm_metadata;
pub use disk::{BadDisk, DiskChoice};
pub use files::Files;
pub use live::Live;
pub(crate) use netlink::{DONE, messages};
pub use open::{BadTarget, Form, Options, open};
pub use ostree::{BadOstree, DeploymentChoice};
pub(crate) use processes::ProcessLine;
pub use question::{BadQuestion, Question};
pub use reading::{At, Missing, Optional, Reading, Reason, Unreadable};
pub use resolve::{normalise, resolve};
pub use sample::Earlier;
pub use space::{BadSpace, Space};
pub use target::{Assume, BadAssumption, BadSize, Platform, Target, TargetKind, parse_size};
pub use watch::{Progress, Watch};

use std::ffi::OsString;
use std::fmt::Debug;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// What a source may hold at a path. Paths are absolute within the root: `/etc/fstab`.
pub trait Source: Debug + Send + Sync {
    /// The whole regular file at `path`, links followed inside the root.
    ///
    /// A file of more than `cap` bytes, or anything but a regular file, is [`Reason`]-unreadable.
    fn read(&self, path: &Path, cap: u64) -> Reading<Vec<u8>>;

    /// The end of the regular file at `path`, links followed inside the root: `cap` bytes at most.
    ///
    /// For logs, which may be of any size and of which the newest part says most. It may begin in the middle of a line.
    fn read_tail(&self, path: &Path, cap: u64) -> Reading<Tail> {
        self.read(path, cap).map(|bytes| Tail { bytes, skipped: 0 })
    }

    /// The same file, to be read piece by piece: for what is too large to be held. Bytes that are no more there when they are
    /// read are an error of the reader.
    ///
    /// Sources that have no better way read it whole, up to [`STREAM_CAP`] bytes.
    fn stream(&self, path: &Path) -> Reading<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(self.read(path, STREAM_CAP)?)))
    }

    /// A part of the regular file at `path`, links followed inside the root: `length` bytes at most from `offset` on, fewer
    /// where the file ends before.
    ///
    /// For programs, libraries and databases, of which a few pieces say what is wanted.
    fn read_at(&self, path: &Path, offset: u64, length: usize) -> Reading<Vec<u8>> {
        let mut bytes = self.read(path, STREAM_CAP)?;
        bytes.drain(..usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len()));
        bytes.truncate(length);
        Ok(bytes)
    }

    /// The entries of the directory at `path` (links followed), sorted by name, without `.` and `..`.
    ///
    /// A directory of more than [`LIST_CAP`] entries is unreadable.
    fn list(&self, path: &Path) -> Reading<Vec<Entry>>;

    /// What is at `path`, links followed inside the root.
    fn stat(&self, path: &Path) -> Reading<Stat>;

    /// What is at `path` itself; a link is not followed in the last component.
    fn lstat(&self, path: &Path) -> Reading<Stat>;

    /// The target of the link at `path`, as it is written there.
    fn read_link(&self, path: &Path) -> Reading<PathBuf>;

    /// How full the file system is that `path` is on, links followed inside the root.
    ///
    /// A running host's own question: a tree of files does not know, and says so. To ask it of a network file system
    /// may take for ever, as its server may not answer; nobody but the asker can tell beforehand.
    fn statvfs(&self, path: &Path) -> Reading<Space>;

    /// What no file holds: what the running kernel or service manager answers, in its own bytes, or what lies beside the files of
    /// an image. Absent wherever there is nobody to ask, or it does not know the question.
    fn ask(&self, _question: Question) -> Reading<Vec<u8>> {
        Err(Missing::Absent)
    }

    /// How many bytes were read until now of the image that it is in; none where it is in none.
    fn bytes_read(&self) -> Option<u64> {
        None
    }
}

/// The end of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    /// The bytes that were read.
    pub bytes: Vec<u8>,
    /// How many bytes of the file come before them.
    pub skipped: u64,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name, which need not be UTF-8.
    pub name: OsString,
    /// What it is, links not followed; [`FileKind::Other`] where the file system does not say.
    pub kind: FileKind,
}

/// What stat(2) tells of a file, as far as hostvet needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Kind of file.
    pub kind: FileKind,
    /// Permission bits, with set-user-ID, set-group-ID and sticky (`0o7777` at most).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Size in bytes; for `/proc/PID/fd` the number of entries since Linux 6.2.
    pub size: u64,
    /// Bytes that are allocated for it, in units of 512: less than the size where it has holes.
    pub allocated: u64,
    /// Last change of the contents, in seconds since 1970.
    pub mtime: i64,
    /// The device number a device node stands for, else 0.
    pub rdev: u64,
}

/// Kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// Regular file.
    File,
    /// Directory.
    Directory,
    /// Symbolic link.
    Link,
    /// FIFO.
    Fifo,
    /// Socket.
    Socket,
    /// Block device.
    Block,
    /// Character device.
    Character,
    /// Not known.
    Other,
}

impl FileKind {
    /// The kind in words, for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "a regular file",
            Self::Directory => "a directory",
            Self::Link => "a symbolic link",
            Self::Fifo => "a FIFO",
            Self::Socket => "a socket",
            Self::Block => "a block device",
            Self::Character => "a character device",
            Self::Other => "a file of unknown kind",
        }
    }

    fn of_mode(mode: u32) -> Self {
        match mode & 0o170_000 {
            0o100_000 => Self::File,
            0o040_000 => Self::Directory,
            0o120_000 => Self::Link,
            0o010_000 => Self::Fifo,
            0o140_000 => Self::Socket,
            0o060_000 => Self::Block,
            0o020_000 => Self::Character,
            _ => Self::Other,
        }
    }
}

/// What is being vetted: where its bytes come from and what is known of it besides.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its bytes.
    pub source: Arc<dyn Source>,
    /// What kind of thing it is, and what the user told of it.
    pub target: Target,
    /// What its counters were a while before, where they were read twice: see [`Host::sampled`].
    pub earlier: Option<Arc<Earlier>>,
    processes: Arc<OnceLock<Reading<Vec<ProcessLine>>>>,
    shared: Arc<shared::Shared>,
    /// Whether the user wants what takes long: every file of every package read.
    pub deep: bool,
}

/// The size cap for ordinary configuration and kernel text files: 4 MiB.
///
/// The largest honest ones (a generated sshd_config, a big fstab, /proc/cpuinfo of 1 000 CPUs) are far below.
pub const TEXT_CAP: u64 = 4 << 20;

/// The most bytes that [`Source::stream`] holds in memory, where a source cannot do without: 256 MiB.
///
/// The largest honest files that are read so are initial RAM disks.
pub const STREAM_CAP: u64 = 256 << 20;

/// The most entries of a directory that are listed.
///
/// The largest honest ones are /proc of very many processes and /proc/PID/fd of a process that has leaked descriptors.
pub const LIST_CAP: usize = 1_000_000;

impl Host {
    /// A host of these bytes.
    pub fn new(source: impl Source + 'static, target: Target) -> Self {
        Self::of(Arc::new(source), target)
    }

    /// The same, of bytes that are shared.
    pub(crate) fn of(source: Arc<dyn Source>, target: Target) -> Self {
        let source = match target.kind {
            TargetKind::Root => sosreport::wrapped(source),
            _ => source,
        };
        Self::as_told(source, target)
    }

    /// A host of which this source gives the answers as they are, as one that repeats what another was asked.
    fn as_told(source: Arc<dyn Source>, target: Target) -> Self {
        Self { source, target, earlier: None, processes: Arc::default(), shared: Arc::default(), deep: false }
    }

    /// The text of the file at `path`; bytes that are not UTF-8 become U+FFFD.
    ///
    /// Absent and unreadable are told apart; over [`TEXT_CAP`] bytes is unreadable.
    pub fn read_text(&self, path: &str) -> Reading<String> {
        self.source.read(Path::new(path), TEXT_CAP).map(text)
    }

    /// The names in the directory at `path`, sorted; names that are not UTF-8 become lossy.
    pub fn names(&self, path: &str) -> Reading<Vec<String>> {
        let entries = self.source.list(Path::new(path))?;
        Ok(entries.into_iter().map(|e| e.name.to_string_lossy().into_owned()).collect())
    }

    /// Whether anything is at `path`, links followed. Denied is an error, not "no".
    pub fn exists(&self, path: &str) -> Result<bool, Unreadable> {
        match self.source.stat(Path::new(path)) {
            Ok(_) => Ok(true),
            Err(Missing::Absent) => Ok(false),
            Err(Missing::Unreadable(why)) => Err(why),
        }
    }

    /// Whether this can be a root tree at all: it has a directory that every one has, or may not be looked into.
    ///
    /// Nearly every rule passes or does not apply to an empty directory, which would say nothing about a host.
    pub fn is_root_tree(&self) -> bool {
        ["/etc", "/usr", "/proc"].iter().any(|path| self.exists(path) != Ok(false))
    }

    /// Whether a running kernel's state (/proc) is to be seen: always on a live host, and in
    /// trees that carry a copy of it, such as sosreports; never in an image.
    pub fn is_running(&self) -> bool {
        self.target.kind == TargetKind::Live
            || match self.source.list(Path::new("/proc")) {
                Ok(entries) => !entries.is_empty(),
                // Whatever of it was collected, it was while the kernel ran.
                Err(missing) => missing.is_not_collected(),
            }
    }
}

/// Bytes as text, lossily; without a copy where they are UTF-8 already.
pub(crate) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

//! The three states of everything that is read: present, absent, unreadable. They never collapse
//! into one another, nor into a default.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A value that was asked for: present, or [`Missing`] in one of two ways.
pub type Reading<T> = Result<T, Missing>;

/// Why a value is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// This system has no such thing.
    Absent,
    /// It may well be there, but could not be read.
    Unreadable(Unreadable),
}

/// What could not be read, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unreadable {
    /// The path, as the vetted system names it.
    pub path: Arc<str>,
    /// Why.
    pub reason: Reason,
}

/// Why something could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// EACCES or EPERM.
    Denied,
    /// Something else than what was expected is there, such as a FIFO in place of a file.
    WrongKind(&'static str),
    /// More than this many bytes.
    TooLarge(u64),
    /// A directory of more than this many entries.
    TooMany(usize),
    /// Too many links, or links in a circle (ELOOP).
    LinkLoop,
    /// An I/O error, in the system's words.
    Io(String),
    /// The bytes make no sense, at this line if known.
    Garbled(String),
    /// hostvet did not look, in order not to hurt the host, or because it cannot.
    NotRead(String),
    /// The target is a report that holds a part of a host only, and this is not in it.
    NotCollected,
}

impl Missing {
    /// Unreadable, at this path, for this reason.
    pub fn unreadable(path: impl AsRef<Path>, reason: Reason) -> Self {
        Self::Unreadable(Unreadable { path: path.as_ref().to_string_lossy().into(), reason })
    }

    /// Whether it is not known if this is there, because the target is a report that does not hold it.
    pub fn is_not_collected(&self) -> bool {
        matches!(self, Self::Unreadable(Unreadable { reason: Reason::NotCollected, .. }))
    }

    /// Whether there is nothing to read here, so that another place may be tried; the last one tells why.
    pub fn is_elsewhere(&self) -> bool {
        *self == Self::Absent || self.is_not_collected()
    }

    /// The bytes at this path make no sense, in these words.
    pub fn garbled(path: impl AsRef<Path>, what: impl Into<String>) -> Self {
        Self::unreadable(path, Reason::Garbled(what.into()))
    }
}

impl From<Unreadable> for Missing {
    fn from(why: Unreadable) -> Self {
        Self::Unreadable(why)
    }
}

/// What is done with a reading where absence is no reason to stop.
pub trait Optional<T> {
    /// The value, or none where it is absent; what is unreadable stays an error.
    fn optional(self) -> Result<Option<T>, Unreadable>;

    /// The value, or none where there is none to be had. Why it could not be read is added to what is unread.
    fn noted(self, unread: &mut impl Extend<Unreadable>) -> Option<T>;
}

impl<T> Optional<T> for Reading<T> {
    fn optional(self) -> Result<Option<T>, Unreadable> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(Missing::Absent) => Ok(None),
            Err(Missing::Unreadable(why)) => Err(why),
        }
    }

    fn noted(self, unread: &mut impl Extend<Unreadable>) -> Option<T> {
        self.optional().unwrap_or_else(|why| {
            unread.extend([why]);
            None
        })
    }
}

/// What was said of another path, said of this one, as which the vetted system knows it.
pub(super) fn said_of<T>(path: &Path, found: Reading<T>) -> Reading<T> {
    found.map_err(|missing| match missing {
        Missing::Unreadable(Unreadable { reason, .. }) => Missing::unreadable(path, reason),
        Missing::Absent => Missing::Absent,
    })
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied => f.write_str("permission denied"),
            Self::WrongKind(kind) => write!(f, "is {kind}"),
            Self::TooLarge(cap) => write!(f, "is larger than {} KiB", cap >> 10),
            Self::TooMany(cap) => write!(f, "has more than {cap} entries"),
            Self::NotCollected => f.write_str("was not collected by sosreport"),
            Self::LinkLoop => f.write_str("links lead in a circle"),
            Self::Io(what) | Self::Garbled(what) | Self::NotRead(what) => f.write_str(what),
        }
    }
}

/// Where a value was read: a path, and the line where there is one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At {
    /// The path, as the vetted system names it.
    pub path: Arc<str>,
    /// The line, from 1.
    pub line: Option<u32>,
}

impl At {
    /// A whole file.
    pub fn file(path: impl Into<Arc<str>>) -> Self {
        Self { path: path.into(), line: None }
    }

    /// A line of a file, from 1.
    pub fn line(path: impl Into<Arc<str>>, line: u32) -> Self {
        Self { path: path.into(), line: Some(line) }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.path),
            None => f.write_str(&self.path),
        }
    }
}

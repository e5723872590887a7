//! Captures: the bytes that were read of a host, in a file that can be vetted instead of it.
//!
//! While rules are judged, a [`Recording`] stands before the host's source and remembers every answer. What it remembers becomes a
//! tar, packed with zstd: a small root tree, and before it a manifest of what no file tells — metadata, what was absent,
//! what was denied and why, directories, how full file systems are, what the kernel answered. Replayed, each question gets the
//! answer that it got then. Passwords, hashes of them and private keys are replaced before they are remembered.

mod files;
mod known;
mod manifest;
mod members;
mod output;
mod read;
mod recording;
mod redact;
mod replay;
mod spool;
mod text;
mod write;

pub use output::{Abandoned, Output};
pub use write::Written;

use super::archive::{BadArchive, begins_with};
use super::bytes::{Bytes, FileBytes, Held};
use super::{BadTarget, Directory, FileKind, Host, Missing, Reason, Source};
use files::Files;
use manifest::WireTarget;
use recording::Recording as Recorder;
use spool::Spool;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// Where and when a capture was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// The file, as the user named it.
    pub file: String,
    /// When: UTC, to the second.
    pub taken: jiff::Timestamp,
    /// The version of hostvet that took it.
    pub version: String,
    /// The name that a running host had.
    pub host: Option<String>,
    /// Whether root took it, who may read everything.
    pub as_root: bool,
}

/// Why a capture cannot be vetted.
#[derive(Debug, thiserror::Error)]
pub enum BadCapture {
    /// It is no archive that can be read.
    #[error("is a capture that cannot be read: {0}")]
    Archive(#[from] BadArchive),
    /// What it tells of itself makes no sense.
    #[error("is a capture whose manifest, hostvet-capture.json, {0}")]
    Manifest(String),
    /// It is of a later format.
    #[error(
        "is a capture of hostvet {version}, in a format (number {format}) that is too new for this one: take a newer hostvet"
    )]
    Newer {
        /// The version that wrote it.
        version: String,
        /// The number of its format.
        format: u32,
    },
}

/// Of a packed capture files of at most so many bytes are kept in memory, once unpacked.
const KEPT: u64 = 1 << 20;

/// Why something is not known that a capture does not hold, as nothing asked for it when it was taken.
const NOT_CAPTURED: &str = "was not captured: no rule that was judged then asked for it";

fn not_captured(path: &Path) -> Missing {
    Missing::unreadable(path, Reason::NotRead(NOT_CAPTURED.into()))
}

/// The host that this file is a capture of, if it is one.
pub(super) fn in_file(file: &File, name: &str) -> Result<Option<Host>, BadTarget> {
    let bytes: Arc<dyn Bytes> = Arc::new(FileBytes::new(file.try_clone()?)?);
    match begins_with(&bytes, manifest::NAME)? {
        true => Ok(Some(read::read(&Files::tar(bytes)?, name)?)),
        false => Ok(None),
    }
}

/// The host that was captured in what was unpacked to this directory.
pub(super) fn in_directory(path: &Path, name: &str) -> Result<Option<Host>, BadTarget> {
    let directory = Directory::open(path)?;
    let manifest = directory.lstat(&Path::new("/").join(manifest::NAME));
    match manifest.is_ok_and(|stat| stat.kind == FileKind::File) {
        true => Ok(Some(read::read(&Files::Directory(Arc::new(directory)), name)?)),
        false => Ok(None),
    }
}

/// The host that the capture of these bytes is of; `name` is what the capture is called.
pub fn open_capture(capture: Vec<u8>, name: &str) -> Result<Host, BadCapture> {
    read::read(&Files::tar(Arc::new(Held(capture)))?, name)
}

/// Notes what is read of a host.
///
/// ```no_run
/// use hostvet::source::{Host, Live, Recording, Target};
///
/// let (host, recording) = Recording::start(Host::new(Live, Target::live()), None);
/// host.read_text("/etc/fstab").ok();
/// recording.write(Vec::new(), "2024-05-01T06:00:00Z".parse()?, &mut std::fs::File::create("fstab.tar.zst")?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Recording {
    host: Host,
    source: Recorder,
    earlier: Option<Recorder>,
}

/// What a recording has in it that its taker should know of.
#[derive(Clone, Debug, Default)]
pub struct Noted {
    /// What was replaced, by path.
    pub redacted: Vec<(String, String)>,
    /// What could not be read, by path.
    pub denied: Vec<String>,
    /// Large files that are in it as they are.
    pub whole: Vec<(String, u64)>,
}

impl Recording {
    /// The same host, of which everything that is read from now on is noted.
    ///
    /// Large files wait in `spool`, which should have no name; without one they are held in memory.
    pub fn start(host: Host, spool: Option<File>) -> (Host, Self) {
        let spool = Arc::new(Spool::new(spool));
        let source = Recorder::new(host.source.clone(), spool.clone());
        let earlier = host.earlier.as_ref().map(|earlier| Recorder::new(earlier.source(), spool));
        let mut recorded = Host { source: Arc::new(source.clone()), ..host.clone().afresh() };
        recorded.earlier = host
            .earlier
            .as_ref()
            .zip(earlier.clone())
            .map(|(before, earlier)| Arc::new(before.of_source(Arc::new(earlier))));
        (recorded, Self { host, source, earlier })
    }

    /// Writes what was noted. `rules` says which rules were judged, `taken` when.
    pub fn write(
        self,
        rules: Vec<String>,
        taken: jiff::Timestamp,
        out: &mut dyn Write,
    ) -> io::Result<(Written, Noted)> {
        let target = &self.host.target;
        // A capture of a capture is one of the same host, at the same time.
        let before = target.captured.as_ref();
        let taken = before.map_or(taken, |captured| captured.taken);
        let host = match before {
            Some(captured) => captured.host.clone(),
            None => self.host_name(),
        };
        let head = write::Head {
            hostvet: env!("CARGO_PKG_VERSION"),
            taken: taken.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            target: WireTarget {
                kind: target.kind.word().into(),
                name: target.name.clone(),
                host,
                assume: target.assume.to_string(),
                layout: target.layout.clone(),
                damage: target.damage.clone(),
                deep: self.host.deep,
                as_root: before.map_or_else(|| nix::unistd::geteuid().is_root(), |captured| captured.as_root),
            },
            rules,
        };
        let remembered = self.source.take();
        let noted = Noted {
            redacted: remembered
                .redacted
                .iter()
                .map(|(path, what)| (path.clone(), what.to_string()))
                .collect(),
            denied: denied(&remembered),
            whole: large(&remembered),
        };
        let earlier = self.earlier.zip(self.host.earlier.as_ref()).map(|(earlier, before)| {
            (u64::try_from(before.between().as_nanos()).unwrap_or(u64::MAX), earlier.take())
        });
        Ok((write::write(head, remembered, earlier, out)?, noted))
    }

    /// What a running host calls itself; no rule may have asked.
    fn host_name(&self) -> Option<String> {
        if self.host.target.kind != super::TargetKind::Live {
            return None;
        }
        let name = self.host.read_text("/proc/sys/kernel/hostname").ok()?;
        Some(name.trim().to_owned()).filter(|name| !name.is_empty())
    }
}

fn denied(remembered: &recording::Remembered) -> Vec<String> {
    let is_denied =
        |missing: &Missing| matches!(missing, Missing::Unreadable(why) if why.reason == Reason::Denied);
    let mut found: Vec<String> = remembered
        .paths
        .iter()
        .filter(|(_, known)| {
            let mut failed = known.contents.failed.iter().map(|(_, missing)| missing);
            let list = known.list.as_ref().and_then(|answer| answer.as_ref().err());
            let link = known.link.as_ref().and_then(|answer| answer.as_ref().err());
            let stat = known.stat.as_ref().and_then(|answer| answer.as_ref().err());
            failed.any(is_denied) || [list, link, stat].into_iter().flatten().any(is_denied)
        })
        .map(|(path, _)| path.to_string_lossy().into_owned())
        .collect();
    found.sort_unstable();
    found
}

/// Files so large that a taker should know of them.
const LARGE: u64 = 8 << 20;

fn large(remembered: &recording::Remembered) -> Vec<(String, u64)> {
    let mut found: Vec<_> = remembered
        .paths
        .iter()
        .map(|(path, known)| {
            let bytes = known.contents.pieces.values().map(|piece| piece.len).sum::<u64>();
            (path.to_string_lossy().into_owned(), bytes)
        })
        .filter(|(_, bytes)| *bytes >= LARGE)
        .collect();
    found.sort_unstable();
    found
}

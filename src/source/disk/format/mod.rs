//! The formats of disk images: from an image file to the bytes of the disk in it.
//!
//! Each format is a file of its own, which says where in the image a byte of the disk is ([`mapped::Map`]); reading, unpacking and
//! remembering are the same for all ([`mapped`], [`image`]). Nothing but the file that was given is opened, unless the user allows
//! it: an image made by a stranger can name any file of this host as its backing file.

mod counted;
mod image;
mod mapped;
mod opener;
mod ova;
mod packing;
mod qcow2;
mod vdi;
mod vhd;
mod vhdx;
mod vmdk;

#[cfg(test)]
mod tests;

pub(super) use counted::Counted;

use crate::source::Watch;
use crate::source::bytes::{Bytes, FileBytes};
use opener::Opener;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// How an image file is opened.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    /// Whether other files that the image names are opened: a backing file, an external data file, the extents of a VMDK.
    pub(super) allow_backing: bool,
    /// Who is told of every read.
    pub(super) watch: Watch,
}

/// The disk in an image file.
#[derive(Debug)]
pub(super) struct Disk {
    /// Its bytes, as the machine would see them.
    pub(super) bytes: Arc<dyn Bytes>,
    /// How the image keeps them.
    pub(super) format: Format,
    /// The files that are read, the given one first.
    pub(super) files: Vec<PathBuf>,
    /// How many bytes have been read from these files up to now.
    pub(super) read: Arc<AtomicU64>,
}

/// How an image keeps a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// As it is.
    Raw,
    /// QEMU's, version 2 or 3.
    Qcow2,
    /// VMware's.
    Vmdk,
    /// Microsoft's older one, which Azure takes.
    Vhd,
    /// Hyper-V's.
    Vhdx,
    /// VirtualBox's.
    Vdi,
    /// A VMDK in a tar, with a description of the machine.
    Ova,
}

impl Format {
    /// The word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::Vmdk => "vmdk",
            Self::Vhd => "vhd",
            Self::Vhdx => "vhdx",
            Self::Vdi => "vdi",
            Self::Ova => "ova",
        }
    }
}

/// As it is written in a sentence.
impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raw | Self::Qcow2 => f.write_str(self.word()),
            _ => f.write_str(&self.word().to_uppercase()),
        }
    }
}

/// Why the disk in an image cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadFormat {
    /// The file cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is not what the format asks for.
    #[error("is a damaged {0} image: {1}")]
    Damaged(Format, String),
    /// It is sound, as far as that can be told, but not read here.
    #[error(
        "is a {0} image {1}, which cannot be read here; convert it: `qemu-img convert -O qcow2 IMAGE NEW.qcow2`"
    )]
    Unsupported(Format, String),
    /// It is sound, but not read here, and nothing is known that converts it.
    #[error("is {0}")]
    Other(String),
    /// Its contents are encrypted.
    #[error(
        "is an encrypted qcow2 image; decrypt it: `qemu-img convert --object secret,id=key,file=PASSPHRASE_FILE --image-opts \
         driver=qcow2,encrypt.key-secret=key,file.filename=IMAGE -O qcow2 NEW.qcow2`"
    )]
    Encrypted,
    /// Its contents are in other files.
    #[error(
        "is a {0} image whose contents are in another file, {1}, which is opened only with --allow-backing"
    )]
    Elsewhere(Format, String),
    /// Another file that it names cannot be read.
    #[error("names the file {}: {error}", .path.display())]
    Named {
        /// The other file.
        path: PathBuf,
        /// Why.
        error: Box<BadFormat>,
    },
}

/// What the file is whose first bytes these are (at least 512, if there are as many) and whose last bytes are `end` (512); none if
/// it is no image, or a raw one, which nothing tells.
pub(super) fn recognise(start: &[u8], end: &[u8]) -> Option<Format> {
    match start {
        _ if qcow2::is(start) => Some(Format::Qcow2),
        _ if vmdk::is(start) => Some(Format::Vmdk),
        _ if vhdx::is(start) => Some(Format::Vhdx),
        _ if vdi::is(start) => Some(Format::Vdi),
        _ if ova::is(start) => Some(Format::Ova),
        _ if vhd::begins(start) || vhd::is(end) => Some(Format::Vhd),
        _ => None,
    }
}

/// The disk in this image file, a raw one if it is not recognised. `path` is where the file is: names that it holds are relative to
/// that.
pub(super) fn open(file: File, path: &Path, options: &Options) -> Result<Disk, BadFormat> {
    open_bytes(Arc::new(FileBytes::new(file)?), path, options)
}

/// The disk in an image that is not a file of its own.
pub(super) fn open_bytes(file: Arc<dyn Bytes>, path: &Path, options: &Options) -> Result<Disk, BadFormat> {
    let mut opener = Opener::new(options);
    let image = opener.image(file, path);
    let (bytes, format) = opener.disk(image, path, None)?;
    let (files, read) = opener.done();
    Ok(Disk { bytes, format, files, read })
}

/// What an image says that is wrong.
fn damaged(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

/// A name that an image holds, for messages.
fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name.get(..MOST_SHOWN).unwrap_or(name)).into_owned()
}

/// More of a name that an image holds helps nobody.
const MOST_SHOWN: usize = 200;

/// The bytes of a number at a place of a header whose length is known; zeros beyond it.
fn field<const N: usize>(header: &[u8], at: usize) -> [u8; N] {
    header.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}

//! From a path to the source it is, recognised by what is there and not by its name.

use super::archive::{Archive, BadArchive, Choice};
use super::capture::{self, BadCapture};
use super::magic::{START, Unsupported, is_archive};
use super::{Directory, Host, Source, Target, TargetKind};
use nix::fcntl::OFlag;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

/// What kind of target a path is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A directory that holds a root tree.
    Directory,
    /// A tar of a root tree, or a sosreport.
    Tar,
    /// An image of a container, in a directory or a tar.
    ContainerImage,
}

/// Why a path cannot be vetted.
#[derive(Debug, thiserror::Error)]
pub enum BadTarget {
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Neither a directory nor a file.
    #[error("is neither a directory nor a file; disks cannot be read yet")]
    Special,
    /// A pipe.
    #[error("is a pipe; an archive is read back and forth: write it to a file first")]
    Pipe,
    /// Of a known kind that is not supported.
    #[error("is {what}: {advice}")]
    Unsupported {
        /// What it is.
        what: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// Of no known kind.
    #[error(
        "is nothing that is known here: give a directory, a tar (plain, or packed with gzip, xz, zstd or bzip2) or a container image"
    )]
    Unknown,
    /// A directory without a root tree.
    #[error("holds no root tree: neither etc, usr nor proc is in it")]
    NoRoot,
    /// The archive cannot be vetted.
    #[error("{0}")]
    Archive(#[from] BadArchive),
    /// It is a capture that cannot be vetted.
    #[error("{0}")]
    Capture(#[from] BadCapture),
    /// Said to be what it is not.
    #[error("{0}")]
    NotThat(&'static str),
}

/// What holds the root tree at `path`, ready to be vetted; nothing in it is read yet but indexes.
///
/// `form` says what it is, where it is not to be recognised; `choice` which image of several is meant.
pub fn open(path: &Path, form: Option<Form>, choice: &Choice) -> Result<Host, BadTarget> {
    let name = path.display().to_string();
    let (source, kind): (Arc<dyn Source>, _) = match std::fs::metadata(path)?.is_dir() {
        true => match form.is_none().then(|| capture::in_directory(path, &name)).transpose()?.flatten() {
            Some(host) => return Ok(host),
            None => directory(path, form, choice)?,
        },
        false => {
            let file = file(path, form)?;
            if form.is_none()
                && let Some(host) = capture::in_file(&file, &name)?
            {
                return Ok(host);
            }
            let archive = archive(file, form, choice)?;
            let kind = archive.kind();
            (Arc::new(archive), kind)
        }
    };
    let host = Host::of(source, Target { kind, ..Target::root(name) });
    match host.is_root_tree() || kind == TargetKind::ContainerImage {
        true => Ok(host),
        false => Err(BadTarget::NoRoot),
    }
}

fn directory(
    path: &Path,
    form: Option<Form>,
    choice: &Choice,
) -> Result<(Arc<dyn Source>, TargetKind), BadTarget> {
    let directory = Directory::open(path)?;
    let is_image = match form {
        None => Archive::is_image(&directory),
        Some(form) => form == Form::ContainerImage,
    };
    match (form, is_image) {
        (Some(Form::Tar), _) => Err(BadTarget::NotThat("is a directory, not a tar")),
        (_, true) => {
            let image = Archive::image_in(&directory, choice)?;
            let kind = image.kind();
            Ok((Arc::new(image), kind))
        }
        (_, false) => Ok((Arc::new(directory), TargetKind::Root)),
    }
}

fn file(path: &Path, form: Option<Form>) -> Result<File, BadTarget> {
    if form == Some(Form::Directory) {
        return Err(BadTarget::NotThat("is a file, not a directory"));
    }
    // A FIFO is not waited for. What is open already, as /dev/stdin, may be a pipe or a file.
    let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    require_file(&file)?;
    Ok(file)
}

fn archive(mut file: File, form: Option<Form>, choice: &Choice) -> Result<Archive, BadTarget> {
    let mut start = Vec::new();
    file.rewind()?;
    (&mut file).take(START as u64).read_to_end(&mut start)?;
    match is_archive(&start) {
        Ok(()) => {}
        // A tar whose first header is damaged.
        Err(_) if form.is_some() => {}
        Err(Some(Unsupported { what, advice })) => return Err(BadTarget::Unsupported { what, advice }),
        Err(None) => return Err(BadTarget::Unknown),
    }
    Ok(Archive::open_as(file, form, choice)?)
}

fn require_file(file: &File) -> Result<(), BadTarget> {
    use std::os::unix::fs::FileTypeExt;
    let kind = file.metadata()?.file_type();
    match () {
        () if kind.is_file() => Ok(()),
        () if kind.is_fifo() => Err(BadTarget::Pipe),
        () => Err(BadTarget::Special),
    }
}

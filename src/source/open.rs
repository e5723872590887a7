//! From a path to the source it is, recognised by what is there and not by its name.

use super::archive::{Archive, BadArchive, Choice, beginning};
use super::bytes::{Bytes, FileBytes};
use super::capture::{self, BadCapture};
use super::disk::{BadDisk, Disk, DiskChoice};
use super::magic::{Known, START, recognise};
use super::ostree::{BadOstree, Deployed, DeploymentChoice};
use super::{Directory, Host, Source, TEXT_CAP, Target, TargetKind, Watch, text};
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
    /// An image of a disk, or a disk.
    Disk,
}

/// How a target is read, where it leaves a choice.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What it is, where it is not to be recognised.
    pub form: Option<Form>,
    /// Which image of several is meant.
    pub image: Choice,
    /// How a disk is read.
    pub disk: DiskChoice,
    /// Which of several deployments of ostree is meant.
    pub deployment: DeploymentChoice,
    /// Who is told of every read of the file, or of the files of a disk.
    pub watch: Watch,
}

/// Why a path cannot be vetted.
#[derive(Debug, thiserror::Error)]
pub enum BadTarget {
    /// It cannot be read.
    #[error("{}", cannot_read(.0))]
    Io(#[from] io::Error),
    /// Neither a directory nor a file.
    #[error("is neither a directory, a file nor a disk: give one of these")]
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
    /// A disk image that is compressed as a whole.
    #[error(
        "is a packed disk image: unpack it first, as a disk is read here and there; a compressed qcow2 is as small (`qemu-img convert -c -O qcow2`)"
    )]
    PackedDisk,
    /// Of no known kind.
    #[error(
        "is nothing that is known here: give a directory, a tar (plain, or packed with gzip, xz, zstd or bzip2), a container image or a disk image"
    )]
    Unknown,
    /// A directory without a root tree.
    #[error("holds no root tree: neither etc, usr nor proc is in it")]
    NoRoot,
    /// The archive cannot be vetted.
    #[error("{0}")]
    Archive(#[from] BadArchive),
    /// The disk cannot be vetted.
    #[error("{0}")]
    Disk(#[from] BadDisk),
    /// A system of ostree or bootc that cannot be vetted.
    #[error("{0}")]
    Ostree(#[from] BadOstree),
    /// It is a capture that cannot be vetted.
    #[error("{0}")]
    Capture(#[from] BadCapture),
    /// Said to be what it is not.
    #[error("{0}")]
    NotThat(&'static str),
}

fn cannot_read(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "is not there".into(),
        io::ErrorKind::PermissionDenied => {
            "permission denied: run hostvet as root, or as a user who may read it".into()
        }
        _ => error.to_string(),
    }
}

/// What holds the root tree at `path`, ready to be vetted; nothing in it is read yet but indexes.
pub fn open(path: &Path, options: &Options) -> Result<Host, BadTarget> {
    let name = path.display().to_string();
    let recognises = options.form.is_none();
    let (source, target) = match std::fs::metadata(path)?.is_dir() {
        true => match recognises.then(|| capture::in_directory(path, &name)).transpose()?.flatten() {
            Some(host) => return Ok(host),
            None => directory(path, options)?,
        },
        false => {
            let file = file(path, options)?;
            if recognises && let Some(host) = capture::in_file(&file, &name)? {
                return Ok(host);
            }
            of_file(file, path, options)?
        }
    };
    let kind = target.kind;
    let host = Host::of(source, Target { name, ..target });
    match host.is_root_tree() || kind == TargetKind::ContainerImage {
        true => Ok(host),
        false => Err(BadTarget::NoRoot),
    }
}

/// A target of this kind, yet without its name.
fn of_kind(kind: TargetKind) -> Target {
    Target { kind, ..Target::root("") }
}

type Opened = (Arc<dyn Source>, Target);

fn directory(path: &Path, options: &Options) -> Result<Opened, BadTarget> {
    let directory = Directory::open(path)?;
    let is_image = match options.form {
        None => Archive::is_image(&directory),
        Some(form) => form == Form::ContainerImage,
    };
    match (options.form, is_image) {
        (Some(Form::Tar), _) => Err(BadTarget::NotThat("is a directory, not a tar")),
        (Some(Form::Disk), _) => Err(BadTarget::NotThat("is a directory, not a disk")),
        (_, true) => {
            let image = Archive::image_in(&directory, &options.image)?;
            let target = of_kind(image.kind());
            Ok((Arc::new(image), target))
        }
        (_, false) => deployed(Arc::new(directory), TargetKind::Root, &options.deployment),
    }
}

/// The tree, as the system in it sees it: on ostree, a deployment.
fn deployed(tree: Arc<dyn Source>, kind: TargetKind, choice: &DeploymentChoice) -> Result<Opened, BadTarget> {
    Ok(match Deployed::find(&tree, choice)? {
        Some(deployed) => {
            let target = Target { layout: deployed.words(), ..of_kind(kind) };
            (Arc::new(deployed), target)
        }
        None => (tree, of_kind(kind)),
    })
}

fn file(path: &Path, options: &Options) -> Result<File, BadTarget> {
    if options.form == Some(Form::Directory) {
        return Err(BadTarget::NotThat("is a file, not a directory"));
    }
    // A FIFO is not waited for. What is open already, as /dev/stdin, may be a pipe or a file.
    let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    require_file(&file)?;
    Ok(file)
}

fn of_file(mut file: File, path: &Path, options: &Options) -> Result<Opened, BadTarget> {
    let mut start = Vec::new();
    file.rewind()?;
    (&mut file).take(START as u64).read_to_end(&mut start)?;
    let packed = || {
        let bytes: Arc<dyn Bytes> = Arc::new(FileBytes::new(file.try_clone()?)?);
        beginning(&bytes, START as u64)
    };
    match (options.form, recognise(&start)) {
        (None, Known::Archive) if recognise(&packed()?) == Known::Disk => Err(BadTarget::PackedDisk),
        (Some(Form::Disk), _) | (None, Known::Disk) => disk(file, path, options),
        // A tar whose first header is damaged.
        (Some(_), _) | (None, Known::Archive) => {
            let archive = Archive::open(file, options.form, &options.image, &options.watch)?;
            match archive.kind() {
                TargetKind::Root => deployed(Arc::new(archive), TargetKind::Root, &options.deployment),
                kind => Ok((Arc::new(archive), of_kind(kind))),
            }
        }
        (None, Known::Unsupported { what, advice }) => Err(BadTarget::Unsupported { what, advice }),
        (None, Known::Nothing) => Err(BadTarget::Unknown),
    }
}

fn disk(file: File, path: &Path, options: &Options) -> Result<Opened, BadTarget> {
    let disk = Arc::new(Disk::open(file, path, &options.disk, &options.watch)?);
    let target = |layout| Target { layout, damage: disk.damage(), ..of_kind(TargetKind::Image) };
    let tree: Arc<dyn Source> = disk.clone();
    let Some(deployed) = Deployed::find(&tree, &options.deployment)? else {
        return Ok((tree, target(disk.layout(&Path::to_path_buf))));
    };
    // What else is mounted says the fstab of the deployment.
    let fstab = deployed.read(Path::new("/etc/fstab"), TEXT_CAP).map(text).unwrap_or_default();
    let disk = Arc::new(disk.mounting(&fstab, &|at| deployed.mount_point(at)));
    let layout = disk.layout(&|at| deployed.shown(at)).into_iter().chain(deployed.words()).collect();
    Ok((Arc::new(deployed.over(disk)), target(layout)))
}

fn require_file(file: &File) -> Result<(), BadTarget> {
    use std::os::unix::fs::FileTypeExt;
    let kind = file.metadata()?.file_type();
    match () {
        () if kind.is_file() || kind.is_block_device() => Ok(()),
        () if kind.is_fifo() => Err(BadTarget::Pipe),
        () => Err(BadTarget::Special),
    }
}

//! Opening images, and the files that they name.

use super::image::{Image, Memory};
use super::{BadFormat, Counted, Format, Options, ova, qcow2, recognise, shown, vdi, vhd, vhdx, vmdk};
use crate::source::Watch;
use crate::source::bytes::{Bytes, FileBytes};
use nix::fcntl::OFlag;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// How many images may lie one beneath another.
const MOST_BENEATH: usize = 32;

/// How many files one disk may be made of: 1 TiB in extents of 2 GB.
const MOST_FILES: usize = 512;

/// The longest path that there is (`PATH_MAX`).
const MOST_PATH: usize = 4095;

/// What opens the files of one disk.
#[derive(Debug)]
pub(super) struct Opener {
    /// Whether files are opened that an image names.
    pub(super) allow_backing: bool,
    memory: Arc<Memory>,
    read: Arc<AtomicU64>,
    watch: Watch,
    files: Vec<PathBuf>,
    /// The devices and inodes of the backing files on the way here.
    beneath: Vec<(u64, u64)>,
}

impl Opener {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            allow_backing: options.allow_backing,
            memory: Arc::default(),
            read: Arc::default(),
            watch: options.watch.clone(),
            files: Vec::new(),
            beneath: Vec::new(),
        }
    }

    /// The files that were opened, and the count of the bytes read from them.
    pub(super) fn done(self) -> (Vec<PathBuf>, Arc<AtomicU64>) {
        (self.files, self.read)
    }

    /// An image in this file.
    pub(super) fn image(&mut self, file: Arc<dyn Bytes>, path: &Path) -> Image {
        let number = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        self.files.push(path.to_owned());
        let file = Arc::new(Counted { of: file, read: self.read.clone(), watch: self.watch.clone() });
        Image { file, number, memory: self.memory.clone() }
    }

    /// The disk in the image, which is of the given format or, without one, of what it looks like.
    pub(super) fn disk(
        &mut self,
        image: Image,
        path: &Path,
        format: Option<Format>,
    ) -> Result<(Arc<dyn Bytes>, Format), BadFormat> {
        let format = match format {
            Some(format) => format,
            None => {
                let mut start = [0; 512];
                let n = image.file.read_at(0, &mut start)?;
                let mut end = [0; 512];
                let last = image.len().saturating_sub(512);
                image.file.read_at(last, &mut end)?;
                recognise(start.get(..n).unwrap_or_default(), &end).unwrap_or(Format::Raw)
            }
        };
        let disk = match format {
            Format::Raw => image.file,
            Format::Qcow2 => qcow2::open(image, path, self)?,
            Format::Vmdk => vmdk::open(image, path, self)?,
            Format::Vhd => vhd::open(image)?,
            Format::Vhdx => vhdx::open(image)?,
            Format::Vdi => vdi::open(image)?,
            Format::Ova => {
                // What is in it is no tar again.
                let vmdk = Image { file: ova::disk(&image)?, ..image };
                vmdk::open(vmdk, path, self)?
            }
        };
        Ok((disk, format))
    }

    /// The disk in a backing file that the image at `beside` names.
    pub(super) fn backing(
        &mut self,
        name: &[u8],
        beside: &Path,
        format: Option<Format>,
    ) -> Result<Arc<dyn Bytes>, BadFormat> {
        let path = path_of(name, beside)?;
        let named = |error| BadFormat::Named { path: path.clone(), error: Box::new(error) };
        let (file, id) = open_regular(&path).map_err(named)?;
        if self.beneath.contains(&id) || self.beneath.len() == MOST_BENEATH {
            let why = match self.beneath.len() {
                MOST_BENEATH => format!("the last of {MOST_BENEATH} backing files that is opened"),
                _ => "a backing file that has itself beneath it".into(),
            };
            return Err(named(BadFormat::Other(why)));
        }
        let image = self.image(Arc::new(FileBytes::new(file)?), &path);
        self.beneath.push(id);
        let disk = self.disk(image, &path, format).map_err(named);
        self.beneath.pop();
        Ok(disk?.0)
    }

    /// A file that the image at `beside` names as a part of its own.
    pub(super) fn part(&mut self, name: &[u8], beside: &Path) -> Result<Image, BadFormat> {
        let path = path_of(name, beside)?;
        let named = |error| BadFormat::Named { path: path.clone(), error: Box::new(error) };
        if self.files.len() == MOST_FILES {
            return Err(named(BadFormat::Other(format!("more than the {MOST_FILES} files that are opened"))));
        }
        let (file, _) = open_regular(&path).map_err(named)?;
        let file = FileBytes::new(file)?;
        Ok(self.image(Arc::new(file), &path))
    }
}

/// The path that a name in the image at `beside` means.
fn path_of(name: &[u8], beside: &Path) -> Result<PathBuf, BadFormat> {
    // As QEMU has it: what comes before a colon, and holds no slash, is a protocol.
    let name = name.strip_prefix(b"file:").unwrap_or(name);
    let protocol = name.iter().position(|byte| *byte == b':');
    let is_path =
        !name.contains(&0) && protocol.is_none_or(|at| name.iter().take(at).any(|byte| *byte == b'/'));
    if name.is_empty() || name.len() > MOST_PATH || !is_path {
        let why = format!("an image that names {}, which is no path of a file", shown(name));
        return Err(BadFormat::Other(why));
    }
    Ok(beside.parent().unwrap_or(Path::new("")).join(OsStr::from_bytes(name)))
}

/// The regular file there; its device and inode.
fn open_regular(path: &Path) -> Result<(File, (u64, u64)), BadFormat> {
    let special = || BadFormat::Other("no regular file, and only these are opened".into());
    // The mere opening of some devices does something.
    if !fs::metadata(path)?.is_file() {
        return Err(special());
    }
    let flags = (OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    match metadata.is_file() {
        true => Ok((file, (metadata.dev(), metadata.ino()))),
        false => Err(special()),
    }
}

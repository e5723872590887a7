//! Root trees in archives: tars, plain or compressed, and images of containers. Nothing is unpacked to disk.
//!
//! One pass makes an index: where a member's contents lie, and all else that its header tells. The contents of a plain tar are
//! read where they lie. A compressed one would have to be unpacked anew for each, so its small files are kept on the way
//! (`kept.rs`), and others cost another pass, of which there are few.

mod contents;
mod image;
mod kept;
mod packed;
mod sparse;
mod tar;
mod tree;

#[cfg(test)]
mod tests;

pub(super) use contents::{Contents, beginning, begins_with};
pub use image::{BadImage, BadPlatform, Choice, ImagePlatform};

use super::Compression;
use super::bytes::{Bytes, FileBytes, Held};
use super::open::Form;
use super::{Directory, Entry, Missing, Question, Reading, Source, Space, Stat, Tail, TargetKind, Watch};
use image::Image;
use packed::Packed;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tar::Limits;
use tree::Tree;

/// A root tree in a tar, plain or compressed; or that of a container's image.
#[derive(Debug)]
pub struct Archive {
    tree: Tree,
    /// The configuration of the container's image that it is.
    config: Option<Vec<u8>>,
}

/// Why there is nothing to vet in an archive.
#[derive(Debug, thiserror::Error)]
pub enum BadArchive {
    /// The file cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// What was unpacked cannot be relied on.
    #[error("{0}")]
    Damaged(String),
    /// It holds no root.
    #[error("holds no root tree: neither etc, usr nor proc is in it{0}")]
    NoRoot(String),
    /// It holds several.
    #[error("holds several root trees, and which is meant is not clear: {}", .0.join(", "))]
    SeveralRoots(Vec<String>),
    /// The image of a container cannot be put together.
    #[error("{0}")]
    Image(#[from] BadImage),
}

impl From<tar::Bad> for BadArchive {
    fn from(bad: tar::Bad) -> Self {
        match bad {
            tar::Bad::Io(error) => Self::Io(error),
            damaged @ tar::Bad::Damaged(_) => Self::Damaged(damaged.to_string()),
        }
    }
}

impl Archive {
    /// Reads the index of the tar in this file, or those of the layers of the image of a container in it.
    ///
    /// A root is at the top, or in the only directory not far below that looks like one. If the archive ends early, or is damaged,
    /// what came before is there, and all else unreadable. A user may say which of the two it is.
    pub(super) fn open(
        file: File,
        form: Option<Form>,
        choice: &Choice,
        watch: &Watch,
    ) -> Result<Self, BadArchive> {
        Self::of(watch.over(Arc::new(FileBytes::new(file)?)), form, choice, &Limits::default())
    }

    /// The same of a tar in memory.
    pub fn of_bytes(archive: Vec<u8>, choice: &Choice) -> Result<Self, BadArchive> {
        Self::of(Arc::new(Held(archive)), None, choice, &Limits::default())
    }

    /// Whether the directory holds the image of a container, rather than a root tree.
    pub fn is_image(directory: &Directory) -> bool {
        image::is_image(directory)
    }

    /// The image of a container in this directory: an OCI layout, or what `docker save` wrote, unpacked.
    pub fn image_in(directory: &Directory, choice: &Choice) -> Result<Self, BadArchive> {
        Ok(image::open(directory, choice, &Limits::default())?.into())
    }

    fn of(
        bytes: Arc<dyn Bytes>,
        form: Option<Form>,
        choice: &Choice,
        limits: &Limits,
    ) -> Result<Self, BadArchive> {
        let mut tree = Tree::new(limits.entries);
        let cut = scan(bytes, limits, &mut |member| tree.add(member))?;
        let ended = |what| cut.as_ref().map(|why| format!("{what}{why}")).unwrap_or_default();
        if form == Some(Form::ContainerImage) || (form.is_none() && image::is_image(&tree)) {
            // What is not there of an image that ends early is told as that.
            tree.cut(cut);
            return Ok(image::open(&tree, choice, limits)?.into());
        }
        let found = tree.find_root();
        let mut no_root = ended("; ");
        if cut.is_some() {
            no_root.push_str(": copy it or make it anew");
        }
        let no_root = BadArchive::NoRoot(no_root);
        tree.cut(cut);
        match found {
            Ok(true) => Ok(Self { tree, config: None }),
            Ok(false) => Err(no_root),
            Err(paths) => Err(BadArchive::SeveralRoots(paths)),
        }
    }

    /// What kind of target it is.
    pub fn kind(&self) -> TargetKind {
        match self.config {
            Some(_) => TargetKind::ContainerImage,
            None => TargetKind::Root,
        }
    }
}

impl From<Image> for Archive {
    fn from(Image { tree, config }: Image) -> Self {
        Self { tree, config: Some(config) }
    }
}

/// Whether a file begins as a compressed one does.
pub(super) fn is_packed(start: &[u8]) -> bool {
    Compression::of_archive(start).is_some()
}

/// Whether a file begins as a tar does; an empty one is but zeros.
pub(super) fn is_tar(start: &[u8]) -> bool {
    tar::begins(start)
        || (start.len() >= 1024 && start.iter().take(1024).all(|b| *b == 0) && start.len() <= 10240)
}

/// The members of a tar that may be compressed.
fn scan(
    bytes: Arc<dyn Bytes>,
    limits: &Limits,
    take: &mut dyn FnMut(tar::Member) -> Result<(), tar::Cut>,
) -> Result<Option<tar::Cut>, BadArchive> {
    let mut room = limits.kept;
    let mut keep = |path: &[u8], size: u64| {
        let wanted = size <= room && kept::is_wanted(path, size);
        room -= if wanted { size } else { 0 };
        wanted
    };
    members(bytes, limits, &mut keep, take)
}

/// The same, of which the files that `keep` wants are kept where the tar is compressed.
fn members(
    bytes: Arc<dyn Bytes>,
    limits: &Limits,
    keep: &mut dyn FnMut(&[u8], u64) -> bool,
    take: &mut dyn FnMut(tar::Member) -> Result<(), tar::Cut>,
) -> Result<Option<tar::Cut>, BadArchive> {
    let mut start = [0; 8];
    bytes.read_at(0, &mut start)?;
    let Some(compression) = Compression::of_archive(&start) else {
        return Ok(tar::members(&bytes, keep, take)?.cut);
    };
    let packed = Arc::new(Packed::new(bytes, compression, limits.unpacked));
    let unpacked: Arc<dyn Bytes> = packed.clone();
    let end = tar::members(&unpacked, keep, take)?;
    match end.cut {
        Some(why) => Ok(Some(why)),
        // The checksum of the whole comes last.
        None => match packed.finish() {
            Ok(()) => Ok(None),
            Err(error) => Ok(tar::why(error, &*unpacked, end.at)?),
        },
    }
}

impl Source for Archive {
    fn read(&self, path: &Path, cap: u64) -> Reading<Vec<u8>> {
        self.tree.read(path, cap)
    }

    fn stream(&self, path: &Path) -> Reading<Box<dyn Read + Send>> {
        self.tree.stream(path)
    }

    fn read_tail(&self, path: &Path, cap: u64) -> Reading<Tail> {
        self.tree.read_tail(path, cap)
    }

    fn list(&self, path: &Path) -> Reading<Vec<Entry>> {
        self.tree.list(path)
    }

    fn stat(&self, path: &Path) -> Reading<Stat> {
        self.tree.stat(path)
    }

    fn lstat(&self, path: &Path) -> Reading<Stat> {
        self.tree.lstat(path)
    }

    fn read_link(&self, path: &Path) -> Reading<PathBuf> {
        self.tree.read_link(path)
    }

    fn statvfs(&self, path: &Path) -> Reading<Space> {
        self.tree.statvfs(path)
    }

    fn ask(&self, question: Question) -> Reading<Vec<u8>> {
        match question {
            Question::ImageConfig => self.config.clone().ok_or(Missing::Absent),
            Question::TcpSockets { .. } | Question::FailedUnits | Question::BlockDevices => {
                Err(Missing::Absent)
            }
        }
    }
}

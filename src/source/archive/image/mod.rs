//! Images of containers: an OCI layout, or what `docker save` writes, in a directory or a tar.
//!
//! The formats are those of the OCI image specification (image-layout.md, manifest.md, layer.md) and of Docker's manifest.json.
//! Sizes are compared with what the manifest tells, the digests of the manifest and the configuration as well; of layers they
//! are not, which would cost more than all the rest: gzip, xz and zstd have checksums of their own.

mod manifest;
mod platform;

pub use platform::{BadPlatform, ImagePlatform};

use super::tar::{Content, Cut, Limits, Member, What};
use super::tree::Tree;
use super::{BadArchive, scan};
use crate::source::bytes::{Bytes, FileBytes, Held, Slice};
use crate::source::{Directory, Missing, Reading, Source};
use manifest::{candidates, choose};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Which of several images is meant.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Its name, as `docker images` shows it, or its digest, or the beginning of that.
    pub image: Option<String>,
    /// What it is for.
    pub platform: Option<ImagePlatform>,
}

/// Why there is no image to vet.
#[derive(Debug, thiserror::Error)]
pub enum BadImage {
    /// Something is not there, or makes no sense.
    #[error("{0}")]
    Broken(String),
    /// None is as wanted.
    #[error("holds no image {wanted}; there is: {there}")]
    NoSuch {
        /// In words.
        wanted: String,
        /// In words.
        there: String,
    },
    /// Several are.
    #[error("holds several images: {0}; choose one with --image or --platform")]
    Several(String),
}

fn broken(what: impl Into<String>) -> BadImage {
    BadImage::Broken(what.into())
}

/// What holds the parts of an image by their paths.
pub(super) trait Store {
    /// The file at a path.
    fn blob(&self, path: &Path) -> Reading<Blob>;
}

/// A file of an image.
pub(super) struct Blob {
    bytes: Arc<dyn Bytes>,
    len: u64,
    /// Where it is in the archive: those that come first are read first.
    place: u64,
}

impl Store for Directory {
    fn blob(&self, path: &Path) -> Reading<Blob> {
        let (file, _) = self.file(path)?;
        let bytes = FileBytes::new(file).map_err(|e| crate::source::live::missing_io(path, &e))?;
        Ok(Blob { len: bytes.known_len().unwrap_or(0), bytes: Arc::new(bytes), place: 0 })
    }
}

impl Store for Tree {
    fn blob(&self, path: &Path) -> Reading<Blob> {
        let (content, len) = self.content(path)?;
        let (bytes, place): (Arc<dyn Bytes>, _) = match content {
            Content::Kept(bytes) => (Arc::new(Held(bytes.to_vec())), 0),
            Content::At(of, start) => (Arc::new(Slice { of: of.clone(), start: *start, len }), *start),
            Content::Sparse(bytes, _) => (bytes.clone(), bytes.start()),
            Content::Lost(why) => return Err(Missing::garbled(path, why.to_string())),
        };
        Ok(Blob { bytes, len, place })
    }
}

/// Whether an image of a container is there, rather than a root tree.
pub(super) fn is_image(source: &dyn Source) -> bool {
    let is_there = |path: &str| source.stat(Path::new(path)).is_ok();
    let has_root = ["/etc", "/usr", "/proc"].iter().any(|path| is_there(path));
    !has_root && (is_there("/index.json") || is_there("/manifest.json"))
}

/// An image that was chosen, put together.
pub(super) struct Image {
    pub(super) tree: Tree,
    /// Its configuration, as it is written there.
    pub(super) config: Vec<u8>,
}

/// Layers of one image: more than any has.
const MOST_LAYERS: usize = 1_000;

/// Puts the layers of the chosen image together.
pub(super) fn open(store: &dyn Store, choice: &Choice, limits: &Limits) -> Result<Image, BadArchive> {
    let chosen = choose(candidates(store)?, choice)?;
    if chosen.layers.len() > MOST_LAYERS {
        return Err(broken(format!("has more than {MOST_LAYERS} layers")).into());
    }
    let mut layers = Vec::new();
    for (number, (path, size)) in chosen.layers.iter().enumerate() {
        let blob = store.blob(Path::new(path)).map_err(|missing| lacks(path, &missing))?;
        if size.is_some_and(|size| size != blob.len) {
            let (is, told) = (blob.len, size.unwrap_or(0));
            return Err(broken(format!("{path} has {is} bytes, and {told} by its manifest")).into());
        }
        layers.push((number, blob));
    }
    // In the order they lie in, which matters if the archive around them is compressed.
    layers.sort_by_key(|(_, blob)| blob.place);
    let mut tree = Tree::new(limits.entries);
    let mut limits = limits.clone();
    let mut read: BTreeMap<usize, (Vec<Member>, Option<Cut>)> = BTreeMap::new();
    for (number, blob) in layers {
        let mut members = Vec::new();
        let (most, mut kept) = (limits.entries, 0);
        let cut = scan(blob.bytes, &limits, &mut |member| {
            if members.len() >= most {
                return Err(format!("the layers have more than {most} entries").into());
            }
            if let What::File(Content::Kept(bytes)) = &member.what {
                kept += bytes.len() as u64;
            }
            members.push(member);
            Ok(())
        })?;
        limits.entries -= members.len();
        limits.kept = limits.kept.saturating_sub(kept);
        read.insert(number, (members, cut));
    }
    for (_, (members, cut)) in read {
        let cut = apply(&mut tree, members).err().or(cut);
        tree.cut(cut);
    }
    Ok(Image { tree, config: chosen.config })
}

const WHITEOUT: &[u8] = b".wh.";

/// Puts a layer on those below it (layer.md, "Whiteouts"): what it hides is only what they hold.
fn apply(tree: &mut Tree, members: Vec<Member>) -> Result<(), Cut> {
    let (marks, members): (Vec<_>, Vec<_>) =
        members.into_iter().partition(|member| name(&member.path).1.starts_with(WHITEOUT));
    for mark in marks {
        let (directory, name) = name(&mark.path);
        match name.strip_prefix(WHITEOUT).unwrap_or_default() {
            b".wh..opq" => tree.clear(directory),
            // AUFS kept its own things under such names.
            hidden if hidden.starts_with(WHITEOUT) || matches!(hidden, b"" | b"." | b"..") => {}
            hidden => tree.remove(&[directory, b"/", hidden].concat()),
        }
    }
    members.into_iter().try_for_each(|member| tree.add(member))
}

/// The directory of a path, and the name in it.
fn name(path: &[u8]) -> (&[u8], &[u8]) {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    match path.iter().rposition(|b| *b == b'/') {
        Some(place) => (path.get(..place).unwrap_or_default(), path.get(place + 1..).unwrap_or_default()),
        None => (b"", path),
    }
}

fn lacks(path: &str, missing: &Missing) -> BadImage {
    match missing {
        Missing::Absent => broken(format!("lacks {path}, which its manifest names")),
        Missing::Unreadable(why) => broken(why.to_string()),
    }
}

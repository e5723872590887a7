//! Images of containers: an OCI layout, or what `docker save` writes, in a directory or a tar.
//!
//! The formats are those of the OCI image specification (image-layout.md, manifest.md, layer.md) and of Docker's manifest.json.
//! Sizes are compared with what the manifest tells, the digests of the manifest and the configuration as well; of layers they
//! are not, which would cost more than all the rest: gzip, xz and zstd have checksums of their own.

use super::tar::{Content, Cut, Limits, Member, What};
use super::tree::Tree;
use super::{BadArchive, scan};
use crate::source::bytes::{Bytes, FileBytes, Held, Slice, read_exactly};
use crate::source::{Directory, Missing, Reading, Source};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

/// What an image is for: `linux/amd64`, `linux/arm64/v8`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct ImagePlatform {
    /// `linux`.
    #[serde(default)]
    os: String,
    /// As Go names it: `amd64`, `arm64`.
    #[serde(default)]
    architecture: String,
    /// `v7`.
    variant: Option<String>,
}

/// A text that is no [`ImagePlatform`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no platform: write linux/amd64 or linux/arm/v7")]
pub struct BadPlatform(String);

impl FromStr for ImagePlatform {
    type Err = BadPlatform;

    fn from_str(text: &str) -> Result<Self, BadPlatform> {
        let parts: Vec<_> = text.split('/').map(str::to_owned).collect();
        match parts.as_slice() {
            _ if parts.iter().any(String::is_empty) => Err(BadPlatform(text.into())),
            [os, architecture] => {
                Ok(Self { os: os.clone(), architecture: architecture.clone(), variant: None })
            }
            [os, architecture, variant] => Ok(Self {
                os: os.clone(),
                architecture: architecture.clone(),
                variant: Some(variant.clone()),
            }),
            _ => Err(BadPlatform(text.into())),
        }
    }
}

impl fmt::Display for ImagePlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

impl ImagePlatform {
    /// Whether it is the wanted one; a variant counts only if one is wanted.
    fn is(&self, wanted: &Self) -> bool {
        let variant = wanted.variant.is_none() || self.variant == wanted.variant;
        self.os == wanted.os && self.architecture == wanted.architecture && variant
    }
}

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

/// The largest manifest, index or configuration: registries take no larger ones.
const JSON_CAP: u64 = 4 << 20;

/// Indexes in one another, images in all of them, and layers of one: more than any has.
const MOST_NESTED: usize = 4;
const MOST_IMAGES: usize = 1_000;
const MOST_LAYERS: usize = 1_000;

/// What a file of an image is, and how it is found.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    size: Option<u64>,
    platform: Option<ImagePlatform>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// index.json, or an index it leads to; or a manifest.
#[derive(Debug, Deserialize)]
struct Manifest {
    manifests: Option<Vec<Descriptor>>,
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
}

/// One image of Docker's manifest.json.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Vec<String>,
}

/// An image that could be meant: the paths of its parts, and their sizes where they are told.
#[derive(Debug)]
struct Candidate {
    names: Vec<String>,
    digest: String,
    platform: ImagePlatform,
    config: Vec<u8>,
    layers: Vec<(String, Option<u64>)>,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.names.as_slice() {
            [] => f.write_str(self.digest.get(..19).unwrap_or(&self.digest))?,
            names => f.write_str(&names.join(" = "))?,
        }
        write!(f, " ({})", self.platform)
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

/// Puts the layers of the chosen image together.
pub(super) fn open(store: &dyn Store, choice: &Choice, limits: &Limits) -> Result<Image, BadArchive> {
    let mut candidates = candidates(store)?;
    let chosen = choose(&mut candidates, choice)?;
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

const WHITEOUT: &[u8] = b".wh.";

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

fn candidates(store: &dyn Store) -> Result<Vec<Candidate>, BadArchive> {
    let mut found = Vec::new();
    match store.blob(Path::new("/index.json")) {
        Ok(blob) => {
            let index: Manifest = parse("index.json", &whole("index.json", &blob)?)?;
            let mut left = MOST_IMAGES;
            for descriptor in index.manifests.unwrap_or_default() {
                follow(store, &descriptor, &names(&descriptor), MOST_NESTED, &mut left, &mut found)?;
            }
        }
        Err(Missing::Absent) => {
            let path = "manifest.json";
            let blob = store.blob(Path::new("/manifest.json")).map_err(|missing| lacks(path, &missing))?;
            let images: Vec<Saved> = parse(path, &whole(path, &blob)?)?;
            for image in images.into_iter().take(MOST_IMAGES) {
                let blob = store.blob(Path::new(&image.config)).map_err(|m| lacks(&image.config, &m))?;
                let config = whole(&image.config, &blob)?;
                found.push(Candidate {
                    names: image.repo_tags.unwrap_or_default(),
                    digest: format!("sha256:{}", hex(&Sha256::digest(&config))),
                    platform: parse(&image.config, &config)?,
                    config,
                    layers: image.layers.into_iter().map(|path| (path, None)).collect(),
                });
            }
        }
        Err(missing) => return Err(lacks("index.json", &missing).into()),
    }
    Ok(found)
}

/// The image, or the images, that a descriptor leads to.
fn follow(
    store: &dyn Store,
    descriptor: &Descriptor,
    called: &[String],
    depth: usize,
    left: &mut usize,
    found: &mut Vec<Candidate>,
) -> Result<(), BadArchive> {
    // What is told of an image, such as who built it, is stored as if it were one.
    let unknown = descriptor.platform.as_ref().is_some_and(|platform| platform.os == "unknown");
    if unknown || depth == 0 || *left == 0 {
        return Ok(());
    }
    *left -= 1;
    let path = path_of(&descriptor.digest)?;
    let manifest = match store.blob(Path::new(&path)) {
        Ok(blob) => verified(&path, &blob, descriptor)?,
        // An index names the images for all platforms; that for one of them is saved.
        Err(Missing::Absent) => return Ok(()),
        Err(missing) => return Err(lacks(&path, &missing).into()),
    };
    let manifest: Manifest = parse(&path, &manifest)?;
    for inner in manifest.manifests.unwrap_or_default() {
        follow(store, &inner, called, depth - 1, left, found)?;
    }
    let Some(config) = manifest.config else { return Ok(()) };
    // Other things than images are kept in the same way: charts, signatures.
    let is_config =
        ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json", ""];
    if !is_config.contains(&&*config.media_type) {
        return Ok(());
    }
    if let Some(layer) = manifest.layers.iter().find(|layer| layer.media_type.ends_with("+encrypted")) {
        return Err(broken(format!("has layers that are encrypted ({})", layer.digest)).into());
    }
    let config_path = path_of(&config.digest)?;
    let blob = store.blob(Path::new(&config_path)).map_err(|missing| lacks(&config_path, &missing))?;
    let config = verified(&config_path, &blob, &config)?;
    let layers = manifest.layers.iter().map(|layer| Ok((path_of(&layer.digest)?, layer.size)));
    let candidate = Candidate {
        names: called.to_vec(),
        digest: descriptor.digest.clone(),
        platform: match &descriptor.platform {
            Some(platform) => platform.clone(),
            None => parse(&config_path, &config)?,
        },
        config,
        layers: layers.collect::<Result<_, BadImage>>()?,
    };
    match found.iter_mut().find(|known| known.digest == candidate.digest) {
        // One image under several names.
        Some(known) => known.names.extend(candidate.names),
        None => found.push(candidate),
    }
    Ok(())
}

/// What an index calls an image: containerd's and docker's whole name, or the reference alone.
fn names(descriptor: &Descriptor) -> Vec<String> {
    let keys = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];
    keys.iter().find_map(|key| descriptor.annotations.get(*key)).cloned().into_iter().collect()
}

fn choose(candidates: &mut Vec<Candidate>, choice: &Choice) -> Result<Candidate, BadImage> {
    let list = |all: &[&Candidate]| {
        let shown: Vec<_> = all.iter().take(10).map(ToString::to_string).collect();
        match all.len() {
            0 => "none".to_owned(),
            n if n > 10 => format!("{} and {} more", shown.join(", "), n - 10),
            _ => shown.join(", "),
        }
    };
    let is_wanted = |candidate: &&Candidate| {
        let platform = choice.platform.as_ref().is_none_or(|wanted| candidate.platform.is(wanted));
        platform && choice.image.as_ref().is_none_or(|wanted| candidate.is_called(wanted))
    };
    let fitting: Vec<_> = candidates.iter().filter(is_wanted).collect();
    match fitting.as_slice() {
        _ if candidates.is_empty() => Err(broken("holds no image of a container")),
        [only] => {
            let digest = only.digest.clone();
            let place = candidates.iter().position(|candidate| candidate.digest == digest);
            place.map(|place| candidates.swap_remove(place)).ok_or_else(|| broken("holds no image"))
        }
        [] => {
            let wanted = [choice.image.clone(), choice.platform.as_ref().map(ToString::to_string)];
            let wanted = wanted.into_iter().flatten().collect::<Vec<_>>().join(" for ");
            Err(BadImage::NoSuch { wanted, there: list(&candidates.iter().collect::<Vec<_>>()) })
        }
        several => Err(BadImage::Several(list(several))),
    }
}

impl Candidate {
    /// By a name with or without what docker leaves out of it, or by the digest.
    fn is_called(&self, wanted: &str) -> bool {
        let short = |name: &str| {
            let name = name.strip_prefix("docker.io/").unwrap_or(name);
            let name = name.strip_prefix("library/").unwrap_or(name);
            name.strip_suffix(":latest").unwrap_or(name).to_owned()
        };
        let hash = self.digest.split(':').next_back().unwrap_or_default();
        let by_digest = self.digest == wanted || (wanted.len() >= 7 && hash.starts_with(wanted));
        by_digest || self.names.iter().any(|name| name == wanted || short(name) == short(wanted))
    }
}

/// Where the file of a digest is; a digest cannot name any other path.
fn path_of(digest: &str) -> Result<String, BadImage> {
    match digest.split_once(':') {
        Some((algorithm, hash))
            if !hash.is_empty()
                && algorithm.bytes().all(|b| b.is_ascii_alphanumeric())
                && hash.bytes().all(|b| b.is_ascii_hexdigit()) =>
        {
            Ok(format!("/blobs/{algorithm}/{hash}"))
        }
        _ => Err(broken(format!("names `{digest}`, which is no digest"))),
    }
}

fn whole(path: &str, blob: &Blob) -> Result<Vec<u8>, BadImage> {
    if blob.len > JSON_CAP {
        return Err(broken(format!("{path} is larger than {} KiB", JSON_CAP >> 10)));
    }
    let len = usize::try_from(blob.len).unwrap_or(0);
    read_exactly(&*blob.bytes, 0, len).map_err(|error| broken(format!("{path}: {error}")))
}

/// The file of a descriptor, which tells how large it is and what its SHA-256 is.
fn verified(path: &str, blob: &Blob, descriptor: &Descriptor) -> Result<Vec<u8>, BadImage> {
    let bytes = whole(path, blob)?;
    let size = descriptor.size.is_none_or(|size| size == blob.len);
    let hash = match descriptor.digest.strip_prefix("sha256:") {
        Some(told) => hex(&Sha256::digest(&bytes)).eq_ignore_ascii_case(told),
        None => true,
    };
    match size && hash {
        true => Ok(bytes),
        false => Err(broken(format!("{path} is not what its digest says: the image is damaged"))),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn parse<T: DeserializeOwned>(path: &str, json: &[u8]) -> Result<T, BadImage> {
    serde_json::from_slice(json).map_err(|error| broken(format!("{path} makes no sense: {error}")))
}

//! The images that an OCI layout, or Docker's manifest.json, tells of, and which of them is meant.

use super::{BadImage, Blob, Choice, ImagePlatform, Store, broken, lacks};
use crate::source::Missing;
use crate::source::archive::BadArchive;
use crate::source::bytes::read_exactly;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// The largest manifest, index or configuration: registries take no larger ones.
const JSON_CAP: u64 = 4 << 20;

/// Indexes in one another, and images in all of them: more than any has.
const MOST_NESTED: usize = 4;
const MOST_IMAGES: usize = 1_000;

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
pub(super) struct Candidate {
    names: Vec<String>,
    digest: String,
    platform: ImagePlatform,
    pub(super) config: Vec<u8>,
    pub(super) layers: Vec<(String, Option<u64>)>,
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

pub(super) fn candidates(store: &dyn Store) -> Result<Vec<Candidate>, BadArchive> {
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
    let unknown = descriptor.platform.as_ref().is_some_and(ImagePlatform::is_unknown);
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

/// The one that is meant.
pub(super) fn choose(mut candidates: Vec<Candidate>, choice: &Choice) -> Result<Candidate, BadImage> {
    if candidates.is_empty() {
        return Err(broken("holds no image of a container"));
    }
    let is_wanted = |candidate: &Candidate| {
        let platform = choice.platform.as_ref().is_none_or(|wanted| candidate.platform.is(wanted));
        platform && choice.image.as_ref().is_none_or(|wanted| candidate.is_called(wanted))
    };
    let mut fitting = (0..).zip(&candidates).filter(|(_, candidate)| is_wanted(candidate));
    match (fitting.next(), fitting.next()) {
        (Some((position, _)), None) => Ok(candidates.swap_remove(position)),
        (None, _) => {
            let wanted = [choice.image.clone(), choice.platform.as_ref().map(ToString::to_string)];
            let wanted = wanted.into_iter().flatten().collect::<Vec<_>>().join(" for ");
            Err(BadImage::NoSuch { wanted, there: listed(candidates.iter()) })
        }
        _ => Err(BadImage::Several(listed(candidates.iter().filter(|candidate| is_wanted(candidate))))),
    }
}

fn listed<'a>(candidates: impl Iterator<Item = &'a Candidate>) -> String {
    let mut shown: Vec<_> = candidates.map(ToString::to_string).collect();
    let more = shown.len().saturating_sub(10);
    shown.truncate(10);
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
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

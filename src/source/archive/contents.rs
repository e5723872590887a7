//! The files of a tar by their names alone, for whoever knows what they mean.

use super::packed::Packed;
use super::tar::{self, Content, Cut, Limits, What};
use crate::source::Compression;
use crate::source::bytes::{Bytes, Held, Slice, Stream};
use std::collections::HashMap;
use std::fmt::{self, Debug};
use std::io::{self, Read};
use std::sync::Arc;

/// The regular files of a tar, which may be compressed, by their names as they are written but for a leading `./`.
pub(in crate::source) struct Contents {
    files: HashMap<Vec<u8>, (Content, u64)>,
    cut: Option<Cut>,
}

impl Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents")
            .field("files", &self.files.len())
            .field("cut", &self.cut)
            .finish_non_exhaustive()
    }
}

/// How much of a compressed tar is kept in memory in all.
const ROOM: u64 = 256 << 20;

impl Contents {
    /// Those of a tar. Of a compressed one files of `kept` bytes at most are kept in memory, and the one of this name whatever
    /// its size, up to `largest`.
    pub(in crate::source) fn open(
        bytes: Arc<dyn Bytes>,
        kept: u64,
        name: &str,
        largest: u64,
    ) -> Result<Self, super::BadArchive> {
        let (mut files, mut room) = (HashMap::new(), ROOM);
        let mut keep = |path: &[u8], size: u64| {
            let is_wanted =
                if plain(path) == name.as_bytes() { size <= largest } else { size <= kept.min(room) };
            room = room.saturating_sub(if is_wanted { size } else { 0 });
            is_wanted
        };
        let limits = Limits::default();
        let mut added = 0;
        let mut take = |member: tar::Member| {
            added += 1;
            if added > limits.entries {
                return Err(format!("it has more than {} members", limits.entries).into());
            }
            if let What::File(content) = member.what {
                // A second one of the same name would be somebody else's.
                files.entry(plain(&member.path).to_vec()).or_insert((content, member.size));
            }
            Ok(())
        };
        let cut = super::members(bytes, &limits, &mut keep, &mut take)?;
        Ok(Self { files, cut })
    }

    /// A file, or why it is not there.
    pub(in crate::source) fn get(&self, name: &[u8]) -> Result<Slice, String> {
        let Some((content, size)) = self.files.get(name) else {
            return Err(self.cut.as_ref().map_or_else(|| "is not in it".to_owned(), ToString::to_string));
        };
        match content {
            Content::Kept(bytes) => {
                let len = bytes.len() as u64;
                Ok(Slice { of: Arc::new(Held(bytes.to_vec())), start: 0, len })
            }
            Content::At(of, start) => Ok(Slice { of: of.clone(), start: *start, len: *size }),
            Content::Sparse(of, _) => Ok(Slice { of: of.clone(), start: 0, len: *size }),
            Content::Lost(why) => Err(why.to_string()),
        }
    }
}

fn plain(path: &[u8]) -> &[u8] {
    path.strip_prefix(b"./").unwrap_or(path)
}

/// The first bytes of a file, unpacked if it is compressed; as many as come of it.
pub(in crate::source) fn beginning(bytes: &Arc<dyn Bytes>, len: u64) -> io::Result<Vec<u8>> {
    let mut start = [0; 8];
    bytes.read_at(0, &mut start)?;
    let mut unpacked = Vec::new();
    match Compression::of_archive(&start) {
        None => Stream::new(bytes.clone()).take(len).read_to_end(&mut unpacked)?,
        Some(compression) => {
            let packed: Arc<dyn Bytes> = Arc::new(Packed::new(bytes.clone(), compression, 1 << 20));
            // One that cannot be unpacked is told as that by whoever reads it as a whole.
            Stream::new(packed).take(len).read_to_end(&mut unpacked).unwrap_or(0)
        }
    };
    Ok(unpacked)
}

/// Whether a tar that may be compressed begins with a member of this name.
pub(in crate::source) fn begins_with(bytes: &Arc<dyn Bytes>, name: &str) -> io::Result<bool> {
    let header = beginning(bytes, 512)?;
    let written = header.get(..100).unwrap_or_default();
    let written = written.split(|b| *b == 0).next().unwrap_or_default();
    Ok(tar::begins(&header) && plain(written) == name.as_bytes())
}

//! The first member of a capture: what no file in it tells, as JSON.

use super::text::WireMissing;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name of the first member.
pub(super) const NAME: &str = "hostvet-capture.json";

/// The version of the format: raised when older versions of hostvet would misunderstand it, not when something is added.
pub(super) const FORMAT: u32 = 1;

/// The largest manifest: that of a host with a million open files is below.
pub(super) const LARGEST: u64 = 256 << 20;

/// All but files. What is not known here, as a newer version wrote it, is passed over.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The format, see [`FORMAT`].
    pub(super) hostvet_capture: u32,
    /// The version of hostvet that wrote it.
    pub(super) hostvet: String,
    /// When it was taken, RFC 3339 in UTC.
    pub(super) taken: String,
    pub(super) target: WireTarget,
    /// Which rules were judged meanwhile, in the words of the command line: all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) rules: Vec<String>,
    /// What was replaced, by path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) redacted: BTreeMap<String, Vec<String>>,
    /// What the kernel and others answered, by question.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) answers: BTreeMap<String, WireAnswer>,
    pub(super) paths: BTreeMap<String, WirePath>,
    /// The first of two readings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) earlier: Option<WireEarlier>,
}

/// What the capture is of.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireTarget {
    pub(super) kind: String,
    pub(super) name: String,
    /// The name that a running host has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) host: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) assume: String,
    /// Of a disk image, what it is made of, and what of it is damaged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) layout: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) damage: Vec<String>,
    /// Whether what takes long was read as well.
    #[serde(default)]
    pub(super) deep: bool,
    /// Whether root took it.
    #[serde(default)]
    pub(super) as_root: bool,
}

/// The first of two readings of the kernel's counters.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireEarlier {
    /// How long before the other.
    pub(super) nanoseconds: u64,
    pub(super) paths: BTreeMap<String, WirePath>,
}

/// An answer, or why there is none.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Wire<T> {
    Missing(WireMissing),
    Here(T),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum WireAnswer {
    Missing(WireMissing),
    Here {
        /// The member that holds its bytes.
        member: String,
    },
}

/// What is known of a path; what is left out was not asked.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct WirePath {
    /// Links followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stat: Option<Wire<String>>,
    /// Of the path itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lstat: Option<Wire<String>>,
    /// Where the link leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) link: Option<Wire<String>>,
    /// The names in the directory, by kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) list: Option<Wire<BTreeMap<String, Vec<String>>>>,
    /// How full its file system is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) statvfs: Option<Wire<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<WireBytes>,
    /// What could not be read of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) unread: Vec<WireUnread>,
}

/// What was read of a file.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct WireBytes {
    /// The member that holds it, where that is not the one of the same path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) member: Option<String>,
    /// The offsets and lengths of what the member holds, one after the other, where that is not the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pieces: Option<Vec<(u64, u64)>>,
    /// Where the file ends, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) end: Option<u64>,
    /// How many bytes before the end were wanted, and how many come before what was got.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) tails: Vec<(u64, u64)>,
    /// Up to where it could be streamed, and why no further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) broken: Option<(u64, String)>,
}

/// A try to read a file that failed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireUnread {
    /// `whole`, `tail`, `at`, `stream`.
    pub(super) asked: String,
    /// How many bytes were wanted, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) length: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) offset: Option<u64>,
    #[serde(flatten)]
    pub(super) why: WireMissing,
}

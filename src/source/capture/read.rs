//! Reads a capture: its manifest, and where the bytes lie.

use super::files::Files;
use super::known::{Asked, Contents, Known};
use super::manifest::{FORMAT, LARGEST, Manifest, NAME, Wire, WireAnswer, WireBytes, WirePath, WireUnread};
use super::replay::Replay;
use super::text::{WireMissing, kind_of, stat_of, unescape};
use super::{BadCapture, Captured};
use crate::source::bytes::{Bytes, Slice, read_exactly};
use crate::source::{Assume, Earlier, Entry, Host, Missing, Reading, Reason, Target, TargetKind};
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The host that was captured; `file` is how the user named the capture.
pub(super) fn read(files: &Files, file: &str) -> Result<Host, BadCapture> {
    let manifest = manifest(files)?;
    let target = target(&manifest, file)?;
    let paths = known_paths(manifest.paths, files);
    let mut answers = BTreeMap::new();
    for (question, answer) in &manifest.answers {
        // What a newer version asked is not asked here.
        let Ok(asked) = question.parse() else { continue };
        let answer = match answer {
            WireAnswer::Missing(missing) => Err(missing.missing(question)),
            WireAnswer::Here { member } => slice(files, member)
                .and_then(|slice| {
                    let length = usize::try_from(slice.len).unwrap_or(usize::MAX);
                    read_exactly(&slice, 0, length).map_err(|error| error.to_string())
                })
                .map_err(|why| lost(question, &why)),
        };
        answers.insert(asked, answer);
    }
    let mut host = Host::as_told(Arc::new(Replay::new(paths, answers)), target);
    host.deep = manifest.target.deep;
    Ok(match manifest.earlier {
        None => host,
        Some(earlier) => {
            let paths = known_paths(earlier.paths, files);
            let between = Duration::from_nanos(earlier.nanoseconds);
            host.with_earlier(Earlier::new(Replay::new(paths, BTreeMap::new()), between))
        }
    })
}

fn manifest(files: &Files) -> Result<Manifest, BadCapture> {
    let slice = files.get(NAME).map_err(BadCapture::Manifest)?;
    if slice.len > LARGEST {
        return Err(BadCapture::Manifest(format!("is larger than {} MiB", LARGEST >> 20)));
    }
    let length = usize::try_from(slice.len).unwrap_or(usize::MAX);
    let text = read_exactly(&slice, 0, length).map_err(|error| BadCapture::Manifest(error.to_string()))?;
    /// What every version has.
    #[derive(serde::Deserialize)]
    struct Version {
        hostvet_capture: u32,
        #[serde(default)]
        hostvet: String,
    }
    let bad = |error: serde_json::Error| BadCapture::Manifest(format!("is not understood: {error}"));
    let version: Version = serde_json::from_slice(&text).map_err(bad)?;
    if version.hostvet_capture > FORMAT {
        return Err(BadCapture::Newer { version: version.hostvet, format: version.hostvet_capture });
    }
    serde_json::from_slice(&text).map_err(bad)
}

fn target(manifest: &Manifest, file: &str) -> Result<Target, BadCapture> {
    let told = &manifest.target;
    let kinds = [TargetKind::Live, TargetKind::Root, TargetKind::Image, TargetKind::ContainerImage];
    let kind = kinds.into_iter().find(|kind| kind.word() == told.kind);
    let kind = kind
        .ok_or_else(|| BadCapture::Manifest(format!("is of an unknown kind of target, `{}`", told.kind)))?;
    let assume: Assume =
        told.assume.parse().map_err(|error| BadCapture::Manifest(format!("assumes nonsense: {error}")))?;
    let taken = manifest.taken.parse();
    let taken = taken.map_err(|error| BadCapture::Manifest(format!("has no time of its taking: {error}")))?;
    let captured = Captured {
        file: file.to_owned(),
        taken,
        version: manifest.hostvet.clone(),
        host: told.host.clone(),
        as_root: told.as_root,
    };
    let (layout, damage) = (told.layout.clone(), told.damage.clone());
    Ok(Target { kind, assume, name: told.name.clone(), layout, damage, captured: Some(captured) })
}

fn known_paths(paths: BTreeMap<String, WirePath>, files: &Files) -> HashMap<OsString, Known> {
    paths.into_iter().map(|(path, wire)| (unescape(&path), known(&path, wire, files))).collect()
}

fn reading<W, T>(
    wire: Option<Wire<W>>,
    asked: &str,
    here: impl FnOnce(W) -> Option<T>,
) -> Option<Reading<T>> {
    Some(match wire? {
        Wire::Missing(missing) => Err(missing.missing(asked)),
        Wire::Here(value) => here(value).ok_or_else(|| lost(asked, "it makes no sense")),
    })
}

/// What was there when the capture was taken, and is not in it.
fn lost(path: &str, why: &str) -> Missing {
    Missing::unreadable(Path::new(&path), Reason::NotRead(format!("cannot be read from the capture: {why}")))
}

fn known(asked: &str, wire: WirePath, files: &Files) -> Known {
    let WirePath { stat, lstat, link, list, statvfs, bytes, unread } = wire;
    Known {
        stat: reading(stat, asked, |text| stat_of(&text)),
        lstat: reading(lstat, asked, |text| stat_of(&text)),
        link: reading(link, asked, |to| Some(PathBuf::from(unescape(&to)))),
        list: reading(list, asked, entries),
        space: reading(statvfs, asked, |text| text.parse().ok()),
        contents: contents(asked, bytes, &unread, files),
    }
}

fn entries(kinds: BTreeMap<String, Vec<String>>) -> Option<Vec<Entry>> {
    let mut entries: Vec<Entry> = kinds
        .iter()
        .flat_map(|(kind, names)| {
            names.iter().map(|name| Entry { name: unescape(name), kind: kind_of(kind) })
        })
        .collect();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries.dedup_by(|a, b| a.name == b.name);
    Some(entries)
}

fn slice(files: &Files, member: &str) -> Result<Slice, String> {
    files.get(unescape(member))
}

fn contents(asked: &str, bytes: Option<WireBytes>, unread: &[WireUnread], files: &Files) -> Contents {
    let mut contents = Contents::default();
    for WireUnread { asked: what, length, offset, why } in unread {
        let length = length.unwrap_or(0);
        let what = match what.as_str() {
            "whole" => Asked::Whole(length),
            "tail" => Asked::Tail(length),
            "at" => Asked::At(offset.unwrap_or(0), length),
            "stream" => Asked::Stream,
            _ => continue,
        };
        contents.fail(what, WireMissing::missing(why, asked));
    }
    let Some(wire) = bytes else { return contents };
    let name = wire.member.as_deref().unwrap_or_else(|| asked.strip_prefix('/').unwrap_or(asked));
    let found = slice(files, name).and_then(|slice| match &wire.pieces {
        None => match wire.end {
            Some(end) if end == slice.len => Ok(vec![(0, slice)]),
            _ => Err(format!("it has {} bytes there, and not as many as it says", slice.len)),
        },
        Some(pieces) => cut(&slice, pieces).ok_or_else(|| "its pieces do not add up".to_owned()),
    });
    match found {
        Ok(pieces) => {
            for (offset, slice) in pieces {
                let bytes: Arc<dyn Bytes> = Arc::new(slice);
                contents.add(offset, &bytes);
            }
            contents.end = wire.end;
            contents.tails = wire.tails;
            contents.broken = wire.broken;
        }
        Err(why) => contents.lost = Some(lost(asked, &why)),
    }
    contents
}

/// The pieces that a member consists of; they must be all of it.
fn cut(slice: &Slice, pieces: &[(u64, u64)]) -> Option<Vec<(u64, Slice)>> {
    let mut start = 0_u64;
    let mut found = Vec::new();
    for (offset, len) in pieces {
        offset.checked_add(*len)?;
        let of = slice.of.clone();
        found.push((*offset, Slice { of, start: slice.start.checked_add(start)?, len: *len }));
        start = start.checked_add(*len)?;
    }
    (start == slice.len).then_some(found)
}

//! Which files, directories and links the tar of a capture holds: a root tree for people and for fixtures, made of what was read.

use super::known::Known;
use super::manifest::WireBytes;
use super::replay::Replay;
use super::text::escape;
use crate::source::bytes::{Bytes, Slice, read_exactly};
use crate::source::{FileKind, Reading, Source, Stat, resolve};
use std::collections::BTreeMap;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The members but the first, by path, without a slash at the start.
#[derive(Debug, Default)]
pub(super) struct Members {
    pub(super) all: BTreeMap<PathBuf, Member>,
}

/// A member.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) is: Is,
    pub(super) stat: Stat,
}

#[derive(Debug)]
pub(super) enum Is {
    Directory,
    Link(PathBuf),
    /// Pieces, one after the other; whether what a file of the tree holds is in them, and not only its name.
    File(Vec<Arc<Slice>>, bool),
}

/// The directory of what is no file of the tree.
const BESIDE: &str = ".hostvet";

const PLAIN: Stat =
    Stat { kind: FileKind::File, mode: 0o600, uid: 0, gid: 0, size: 0, allocated: 0, mtime: 0, rdev: 0 };

impl Members {
    /// The tree of all that is known to be there.
    pub(super) fn tree(&mut self, replay: &Replay) {
        for (path, known) in &replay.paths {
            let path = Path::new(path);
            let Some(place) = place(replay, path, false) else { continue };
            if let Some(Ok(stat)) = known.lstat {
                let is = match (stat.kind, &known.link) {
                    (FileKind::Directory, _) => Is::Directory,
                    (FileKind::Link, Some(Ok(to))) => Is::Link(to.clone()),
                    // Its bytes come later, if they were read. Nobody but root can make a device, and nobody should.
                    (FileKind::File, _) => Is::File(Vec::new(), false),
                    _ => continue,
                };
                self.all.insert(place, Member { is, stat });
            }
        }
        // What live looks contradict each other in: nothing can be below what is no directory.
        let is_directory = |path: &Path| self.all.get(path).is_none_or(|m| matches!(m.is, Is::Directory));
        let odd: Vec<PathBuf> =
            self.all.keys().filter(|path| !path.ancestors().skip(1).all(is_directory)).cloned().collect();
        odd.iter().for_each(|path| _ = self.all.remove(path));
    }

    /// Adds the bytes that are known of a path; how the manifest tells of them.
    pub(super) fn add(&mut self, replay: &Replay, path: &Path, known: &Known) -> io::Result<WireBytes> {
        let contents = &known.contents;
        let is_whole = contents.is_whole();
        let mut pieces: Vec<(u64, u64)> = Vec::new();
        let mut slices = Vec::new();
        for (start, slice) in &contents.pieces {
            if is_whole && contents.end.is_some_and(|end| *start >= end) {
                break;
            }
            match pieces.last_mut() {
                Some((offset, length)) if offset.saturating_add(*length) == *start => *length += slice.len,
                _ => pieces.push((*start, slice.len)),
            }
            slices.push(slice.clone());
        }
        // One that has grown between two looks.
        let has_more = pieces.last().is_some_and(|(at, len)| contents.end.is_some_and(|end| at + len > end));
        let is_told = is_whole && !has_more && pieces.len() <= 1;
        // The end of a log is worth reading in its place; of a program a few pieces are not.
        let is_readable = is_whole || !contents.tails.is_empty();
        let own = escape(path.as_os_str().as_bytes());
        let member = match place(replay, path, true) {
            Some(place) if is_readable => self.file(&place, slices)?,
            _ => self.beside("pieces", path, slices)?,
        };
        let name = escape(member.as_os_str().as_bytes());
        Ok(WireBytes {
            member: (own.strip_prefix('/') != Some(&name)).then_some(name),
            pieces: (!is_told).then_some(pieces),
            end: contents.end,
            tails: contents.tails.clone(),
            broken: contents.broken.clone(),
        })
    }

    /// Puts bytes at a place of the tree, unless other bytes are there.
    fn file(&mut self, place: &Path, slices: Vec<Arc<Slice>>) -> io::Result<PathBuf> {
        let in_tree = |path: &Path| self.all.get(path).is_none_or(|m| matches!(m.is, Is::Directory));
        if place.as_os_str().is_empty() || !place.ancestors().skip(1).all(in_tree) {
            return self.beside("files", place, slices);
        }
        match self.all.get_mut(place) {
            None => {
                self.all.insert(place.to_owned(), Member { is: Is::File(slices, true), stat: PLAIN });
            }
            Some(Member { is: is @ Is::File(_, false), .. }) => *is = Is::File(slices, true),
            Some(Member { is: Is::File(there, true), .. }) if same(there, &slices)? => {}
            Some(_) => return self.beside("files", place, slices),
        }
        Ok(place.to_owned())
    }

    /// Puts bytes where nothing of the tree is.
    pub(super) fn beside(&mut self, what: &str, path: &Path, slices: Vec<Arc<Slice>>) -> io::Result<PathBuf> {
        let mut name = PathBuf::from(BESIDE).join(what);
        name.extend(path.components().filter(|part| matches!(part, std::path::Component::Normal(_))));
        let mut number = 1_u64;
        let mut free = name.clone();
        // `a` and `a/b` can both have been files.
        while self.all.contains_key(&free) || free.ancestors().any(|above| self.is_file(above)) {
            number += 1;
            free = PathBuf::from(BESIDE)
                .join(format!("{what}-{number}"))
                .join(name.file_name().unwrap_or_default());
        }
        self.all.insert(free.clone(), Member { is: Is::File(slices, true), stat: PLAIN });
        Ok(free)
    }

    fn is_file(&self, path: &Path) -> bool {
        self.all.get(path).is_some_and(|member| !matches!(member.is, Is::Directory))
    }
}

/// The place of a path in the tree, relative to it, as far as is known; none where that is not known.
fn place(replay: &Replay, path: &Path, follow: bool) -> Option<PathBuf> {
    let place: Reading<PathBuf> = resolve(replay, path, follow);
    let place = place.ok()?;
    // A link that leads nowhere further: to a descriptor of a process.
    let kind = replay.lstat(&place).map(|stat| stat.kind);
    if follow && kind == Ok(FileKind::Link) {
        return None;
    }
    Some(place.strip_prefix("/").ok()?.to_owned()).filter(|place| !place.starts_with(BESIDE))
}

/// Whether two lists of pieces hold the same bytes.
fn same(a: &[Arc<Slice>], b: &[Arc<Slice>]) -> io::Result<bool> {
    let length = |all: &[Arc<Slice>]| all.iter().map(|slice| slice.len).sum::<u64>();
    if length(a) != length(b) {
        return Ok(false);
    }
    let mut b = Reader::new(b);
    for slice in a {
        let mut at = 0;
        while at < slice.len {
            let n = usize::try_from((slice.len - at).min(64 << 10)).unwrap_or(0);
            if read_exactly(&**slice, at, n)? != b.take(n)? {
                return Ok(false);
            }
            at += n as u64;
        }
    }
    Ok(true)
}

/// Reads pieces one after the other.
pub(super) struct Reader<'a> {
    rest: std::slice::Iter<'a, Arc<Slice>>,
    now: Option<(&'a Arc<Slice>, u64)>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(slices: &'a [Arc<Slice>]) -> Self {
        let mut rest = slices.iter();
        let now = rest.next().map(|slice| (slice, 0));
        Self { rest, now }
    }

    fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        io::Read::read_exact(self, &mut bytes)?;
        Ok(bytes)
    }
}

impl io::Read for Reader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while let Some((slice, at)) = self.now {
            if at >= slice.len {
                self.now = self.rest.next().map(|slice| (slice, 0));
                continue;
            }
            let n = slice.read_at(at, into)?;
            self.now = Some((slice, at + n as u64));
            return match n {
                0 if !into.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
                n => Ok(n),
            };
        }
        Ok(0)
    }
}

//! The tree that the members of archives make, without their contents.

use super::packed::Refused;
use super::tar::{Content, Cut, Member, What};
use crate::source::bytes::{Slice, Stream, read_exactly};
use crate::source::{
    Entry, FileKind, LIST_CAP, Missing, Reading, Reason, STREAM_CAP, Source, Space, Stat, Tail, normalise,
    ostree, resolve,
};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::{self, Debug};
use std::io::{Cursor, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// A root tree, or what holds one.
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// The node that is `/`.
    root: u32,
    /// What was added, members that were replaced included, and the most that may be.
    added: usize,
    most: usize,
    /// Why what is not in the tree may exist all the same.
    cut: Option<Cut>,
}

impl Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree")
            .field("nodes", &self.nodes.len())
            .field("cut", &self.cut)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Node {
    is: Is,
    mode: u32,
    uid: u32,
    gid: u32,
    mtime: i64,
    size: u64,
}

#[derive(Debug)]
enum Is {
    Directory(BTreeMap<Box<[u8]>, u32>),
    File(Content),
    Link(Box<[u8]>),
    Special(FileKind, u64),
}

impl Is {
    fn kind(&self) -> FileKind {
        match self {
            Self::Directory(_) => FileKind::Directory,
            Self::File(_) => FileKind::File,
            Self::Link(_) => FileKind::Link,
            Self::Special(kind, _) => *kind,
        }
    }
}

/// As many links as the kernel follows.
const MAX_LINKS: u32 = 40;

/// As many names as are looked up for one path while the tree is made, which may be for each of a million members.
const STEPS: u32 = 400;

impl Tree {
    /// An empty tree, for this many entries at most.
    pub(super) fn new(most: usize) -> Self {
        Self { nodes: vec![implied()], root: 0, added: 0, most, cut: None }
    }

    /// Says why what is not in it may exist all the same; the first reason counts.
    pub(super) fn cut(&mut self, why: Option<Cut>) {
        self.cut = self.cut.take().or(why);
    }

    fn node(&self, index: u32) -> Option<&Node> {
        self.nodes.get(index as usize)
    }

    fn children(&self, index: u32) -> Option<&BTreeMap<Box<[u8]>, u32>> {
        match &self.node(index)?.is {
            Is::Directory(children) => Some(children),
            _ => None,
        }
    }

    fn children_mut(&mut self, index: u32) -> Option<&mut BTreeMap<Box<[u8]>, u32>> {
        match &mut self.nodes.get_mut(index as usize)?.is {
            Is::Directory(children) => Some(children),
            _ => None,
        }
    }

    fn push(&mut self, node: Node) -> Result<u32, Cut> {
        match u32::try_from(self.nodes.len()) {
            Ok(index) if self.nodes.len() <= self.most && self.added < self.most => {
                self.nodes.push(node);
                Ok(index)
            }
            _ => Err(format!("the archive has more than {} entries", self.most).into()),
        }
    }

    /// Adds a member, in place of what is there. The directories above it exist by themselves.
    pub(super) fn add(&mut self, member: Member) -> Result<(), Cut> {
        self.added += 1;
        let mut names = names(&member.path);
        let Some(last) = names.pop() else {
            // The root itself, as `./`.
            if let (What::Directory, Some(root)) = (&member.what, self.nodes.get_mut(0)) {
                let Member { mode, uid, gid, mtime, .. } = member;
                (root.mode, root.uid, root.gid, root.mtime) = (mode, uid, gid, mtime);
            }
            return Ok(());
        };
        let parent = self.directory(&names)?;
        let there = self.children(parent).and_then(|children| children.get(last)).copied();
        let Member { mode, uid, gid, mtime, mut size, .. } = member;
        let is = match member.what {
            What::Directory => {
                if let Some(node) = there.and_then(|i| self.nodes.get_mut(i as usize))
                    && matches!(node.is, Is::Directory(_))
                {
                    (node.mode, node.uid, node.gid, node.mtime) = (mode, uid, gid, mtime);
                    return Ok(());
                }
                Is::Directory(BTreeMap::new())
            }
            What::HardLink(to) => {
                let found = self.walk(&self::names(&to), false);
                if let Some(node) = found.filter(|i| self.children(*i).is_none()) {
                    let name = last.into();
                    self.children_mut(parent).map(|children| children.insert(name, node));
                    return Ok(());
                }
                size = 0;
                let what = "is a hard link to a file that the archive does not hold before it";
                Is::File(Content::Lost(what.into()))
            }
            What::File(content) => Is::File(content),
            What::Link(to) => Is::Link(to.into()),
            What::Fifo => Is::Special(FileKind::Fifo, 0),
            What::Character(device) => Is::Special(FileKind::Character, device),
            What::Block(device) => Is::Special(FileKind::Block, device),
        };
        let name = last.into();
        let node = self.push(Node { is, mode, uid, gid, mtime, size })?;
        self.children_mut(parent).map(|children| children.insert(name, node));
        Ok(())
    }

    /// Removes what is at the path; what is not there is no matter.
    pub(super) fn remove(&mut self, path: &[u8]) {
        let mut names = names(path);
        let Some(last) = names.pop() else { return };
        if let Some(children) = self.walk(&names, true).and_then(|parent| self.children_mut(parent)) {
            children.remove(last);
        }
    }

    /// Removes what is below the directory at the path.
    pub(super) fn clear(&mut self, path: &[u8]) {
        // A link is not followed: the directory that hides what is below it takes the link's place.
        if let Some(children) = self.walk(&names(path), false).and_then(|found| self.children_mut(found)) {
            children.clear();
        }
    }

    /// The directory of these names, made where it is not there. A link to a directory is followed, as whoever
    /// unpacks the archive does; in place of anything else comes a directory.
    fn directory(&mut self, names: &[&[u8]]) -> Result<u32, Cut> {
        let mut here = 0;
        for (depth, name) in names.iter().enumerate() {
            let next = self.children(here).and_then(|children| children.get(*name)).copied();
            let next = match next.and_then(|i| Some((i, &self.node(i)?.is))) {
                Some((next, Is::Directory(_))) => Some(next),
                Some((_, Is::Link(_))) => {
                    let path = names.get(..=depth).unwrap_or_default();
                    self.walk(path, true).filter(|found| self.children(*found).is_some())
                }
                _ => None,
            };
            here = match next {
                Some(next) => next,
                None => {
                    let made = self.push(implied())?;
                    self.children_mut(here).map(|children| children.insert((*name).into(), made));
                    made
                }
            };
        }
        Ok(here)
    }

    /// The node that these names lead to from the top, links on the way followed, and the last one as well if wanted.
    fn walk(&self, names: &[&[u8]], follow_last: bool) -> Option<u32> {
        let mut path: PathBuf = PathBuf::from("/");
        path.extend(names.iter().map(|name| OsStr::from_bytes(name)));
        let mut steps = 0;
        for _ in 0..=MAX_LINKS {
            let (mut here, mut gone): (u32, PathBuf) = (0, PathBuf::from("/"));
            let mut parts = path.components();
            let mut link = None;
            while let Some(part) = parts.next() {
                let is_last = parts.as_path().as_os_str().is_empty();
                let Component::Normal(name) = part else { continue };
                steps += 1;
                if steps > STEPS {
                    return None;
                }
                here = *self.children(here)?.get(name.as_bytes())?;
                match &self.node(here)?.is {
                    Is::Link(to) if follow_last || !is_last => {
                        let to = gone.join(OsStr::from_bytes(to)).join(parts.as_path());
                        link = Some(normalise(&to));
                        break;
                    }
                    _ => gone.push(name),
                }
            }
            match link {
                Some(to) => path = to,
                None => return Some(here),
            }
        }
        None
    }

    /// Takes the directory for `/` that looks like the root of a system: the top, or the only such one that is not far below, as
    /// `sosreport-host-2024-01-31/` or `rootfs/`. If there are several, their paths.
    pub(super) fn find_root(&mut self) -> Result<bool, Vec<String>> {
        let mut level = vec![(self.root, String::new())];
        for _ in 0..DEPTH {
            let mut found: Vec<_> = level.iter().filter(|(index, _)| self.is_root(*index)).collect();
            match (found.pop(), found.len()) {
                (None, _) => {}
                (Some((root, _)), 0) => {
                    self.root = *root;
                    return Ok(true);
                }
                (Some((_, last)), _) => {
                    let paths = found.iter().map(|(_, path)| path).chain([last]);
                    return Err(paths.take(10).cloned().collect());
                }
            }
            let mut next = Vec::new();
            for (index, path) in &level {
                for (name, child) in self.children(*index).into_iter().flatten() {
                    if self.children(*child).is_some() && next.len() < WIDTH {
                        next.push((*child, format!("{path}{}/", String::from_utf8_lossy(name))));
                    }
                }
            }
            level = next;
        }
        Ok(false)
    }

    /// By the directories that every system has; `/proc` alone may be the empty one of any container. Or by those that ostree and
    /// bootc have systems in.
    fn is_root(&self, index: u32) -> bool {
        let is_there = |name: &[u8]| self.children(index).is_some_and(|children| children.contains_key(name));
        let has_systems = || {
            let below = |path: &&str| self.find_below(index, Path::new(path)).is_some();
            [ostree::DEPLOY, ostree::COMPOSEFS].iter().any(below)
        };
        is_there(b"etc") || is_there(b"usr") || is_there(b"proc") || has_systems()
    }

    fn find(&self, path: &Path) -> Option<&Node> {
        self.find_below(self.root, path)
    }

    fn find_below(&self, index: u32, path: &Path) -> Option<&Node> {
        let mut here = index;
        for part in path.components() {
            if let Component::Normal(name) = part {
                here = *self.children(here)?.get(name.as_bytes())?;
            }
        }
        self.node(here)
    }

    /// What is at a path that no link leads on from.
    fn there(&self, path: &Path) -> Reading<&Node> {
        self.find(path).ok_or_else(|| match &self.cut {
            Some(why) => Missing::unreadable(path, Reason::NotRead(why.to_string())),
            None => Missing::Absent,
        })
    }

    /// What is at a path itself, links on the way to it followed.
    fn at(&self, path: &Path) -> Reading<&Node> {
        let path = normalise(path);
        match self.find(&path) {
            Some(node) => Ok(node),
            None => self.there(&resolve(self, &path, false)?),
        }
    }

    /// The contents of the regular file at a path, links followed, and how many bytes they are.
    pub(super) fn content(&self, path: &Path) -> Reading<(&Content, u64)> {
        let node = self.there(&resolve(self, path, true)?)?;
        match &node.is {
            Is::File(content) => Ok((content, node.size)),
            other => Err(Missing::unreadable(path, Reason::WrongKind(other.kind().name()))),
        }
    }
}

/// How far below the top a root is looked for, and in how many directories.
const DEPTH: usize = 4;
const WIDTH: usize = 10_000;

fn implied() -> Node {
    Node { is: Is::Directory(BTreeMap::new()), mode: 0o755, uid: 0, gid: 0, mtime: 0, size: 0 }
}

/// The names of a path from the top, `.` and `..` resolved: nothing is above the top.
fn names(path: &[u8]) -> Vec<&[u8]> {
    let mut names = Vec::new();
    for part in path.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => _ = names.pop(),
            name => names.push(name),
        }
    }
    names
}

/// `len` bytes of a file's contents from `at` on.
fn part(path: &Path, content: &Content, at: u64, len: u64) -> Reading<Vec<u8>> {
    let (at, len) = match (usize::try_from(at), usize::try_from(len)) {
        (Ok(at), Ok(len)) => (at, len),
        _ => return Err(Missing::unreadable(path, Reason::TooLarge(usize::MAX as u64))),
    };
    match content {
        Content::Kept(bytes) => Ok(bytes.get(at..).unwrap_or_default().iter().copied().take(len).collect()),
        Content::Lost(why) => Err(Missing::unreadable(path, Reason::NotRead(why.to_string()))),
        Content::Sparse(bytes, _) => {
            read_exactly(&**bytes, at as u64, len).map_err(|error| failed(path, &error))
        }
        Content::At(bytes, start) => {
            let start = start.saturating_add(at as u64);
            read_exactly(&**bytes, start, len).map_err(|error| failed(path, &error))
        }
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Missing {
    let reason = match error.get_ref().is_some_and(|e| e.is::<Refused>()) {
        true => Reason::NotRead(error.to_string()),
        false => Reason::Io(error.to_string()),
    };
    Missing::unreadable(path, reason)
}

impl Source for Tree {
    fn read(&self, path: &Path, cap: u64) -> Reading<Vec<u8>> {
        let (content, size) = self.content(path)?;
        match size > cap {
            true => Err(Missing::unreadable(path, Reason::TooLarge(cap))),
            false => part(path, content, 0, size),
        }
    }

    fn stream(&self, path: &Path) -> Reading<Box<dyn Read + Send>> {
        let (content, size) = self.content(path)?;
        Ok(match content {
            Content::At(of, start) => {
                Box::new(Stream::new(Arc::new(Slice { of: of.clone(), start: *start, len: size })))
            }
            // Holes cost nothing to whoever made the archive.
            Content::Sparse(..) if size > STREAM_CAP => {
                return Err(Missing::unreadable(path, Reason::TooLarge(STREAM_CAP)));
            }
            Content::Sparse(bytes, _) => Box::new(Stream::new(bytes.clone())),
            held => Box::new(Cursor::new(part(path, held, 0, size)?)),
        })
    }

    fn read_tail(&self, path: &Path, cap: u64) -> Reading<Tail> {
        let (content, size) = self.content(path)?;
        let skipped = size.saturating_sub(cap);
        part(path, content, skipped, size - skipped).map(|bytes| Tail { bytes, skipped })
    }

    fn list(&self, path: &Path) -> Reading<Vec<Entry>> {
        let node = self.there(&resolve(self, path, true)?)?;
        let Is::Directory(children) = &node.is else {
            return Err(Missing::unreadable(path, Reason::WrongKind("not a directory")));
        };
        if let Some(why) = &self.cut {
            return Err(Missing::unreadable(path, Reason::NotRead(why.to_string())));
        }
        if children.len() > LIST_CAP {
            return Err(Missing::unreadable(path, Reason::TooMany(LIST_CAP)));
        }
        let kind = |index| self.node(index).map_or(FileKind::Other, |node| node.is.kind());
        let entries = children
            .iter()
            .map(|(name, index)| Entry { name: OsStr::from_bytes(name).to_owned(), kind: kind(*index) });
        Ok(entries.collect())
    }

    fn stat(&self, path: &Path) -> Reading<Stat> {
        self.lstat(&resolve(self, path, true)?)
    }

    fn lstat(&self, path: &Path) -> Reading<Stat> {
        let Node { is, mode, uid, gid, mtime, size } = self.at(path)?;
        let allocated = match is {
            Is::File(Content::Sparse(_, stored)) => *stored,
            _ => *size,
        };
        let rdev = if let Is::Special(_, device) = is { *device } else { 0 };
        Ok(Stat {
            kind: is.kind(),
            mode: *mode,
            uid: *uid,
            gid: *gid,
            size: *size,
            allocated,
            mtime: *mtime,
            rdev,
        })
    }

    fn read_link(&self, path: &Path) -> Reading<PathBuf> {
        match &self.at(path)?.is {
            Is::Link(to) => Ok(PathBuf::from(OsStr::from_bytes(to))),
            _ => Err(Missing::unreadable(path, Reason::WrongKind("not a symbolic link"))),
        }
    }

    /// No archive has it.
    fn statvfs(&self, path: &Path) -> Reading<Space> {
        Err(Space::not_told(path))
    }
}

//! An in-memory tree: the files of a rule's case, and of tests.

use super::{
    Entry, FileKind, Missing, Question, Reading, Reason, Source, Space, Stat, Tail, normalise, resolve,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A tree held in memory. Directories above a file exist by themselves.
#[derive(Clone, Debug, Default)]
pub struct Files {
    nodes: BTreeMap<PathBuf, Node>,
    spaces: BTreeMap<PathBuf, Space>,
    answers: BTreeMap<Question, Reading<Vec<u8>>>,
}

#[derive(Clone, Debug)]
struct Node {
    what: What,
    mode: u32,
    uid: u32,
    gid: u32,
    size: Option<u64>,
}

#[derive(Clone, Debug)]
enum What {
    File(Vec<u8>),
    Directory,
    Link(PathBuf),
    /// The path can be seen but not read; so can nothing below it.
    Unreadable(Reason),
    Special(FileKind),
}

impl Files {
    /// An empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file of these bytes, mode 0644, owned by root.
    pub fn file(&mut self, path: impl AsRef<Path>, bytes: impl Into<Vec<u8>>) -> &mut Self {
        self.add(path.as_ref(), What::File(bytes.into()), 0o644)
    }

    /// Adds an empty directory, mode 0755.
    pub fn directory(&mut self, path: impl AsRef<Path>) -> &mut Self {
        self.add(path.as_ref(), What::Directory, 0o755)
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, path: impl AsRef<Path>, target: impl Into<PathBuf>) -> &mut Self {
        self.add(path.as_ref(), What::Link(target.into()), 0o777)
    }

    /// Makes the path, and all below it, unreadable with EACCES.
    pub fn deny(&mut self, path: impl AsRef<Path>) -> &mut Self {
        self.unreadable(path, Reason::Denied)
    }

    /// Makes the path, and all below it, unreadable for this reason.
    pub fn unreadable(&mut self, path: impl AsRef<Path>, reason: Reason) -> &mut Self {
        self.add(path.as_ref(), What::Unreadable(reason), 0o000)
    }

    /// Adds a device, FIFO or socket.
    pub fn special(&mut self, path: impl AsRef<Path>, kind: FileKind) -> &mut Self {
        self.add(path.as_ref(), What::Special(kind), 0o600)
    }

    /// Sets the permission bits of a path that was added before; `None` if it was not.
    pub fn mode(&mut self, path: impl AsRef<Path>, mode: u32) -> Option<&mut Self> {
        self.nodes.get_mut(&normalise(path.as_ref()))?.mode = mode;
        Some(self)
    }

    /// Sets owner and group of a path that was added before; `None` if it was not.
    pub fn owner(&mut self, path: impl AsRef<Path>, uid: u32, gid: u32) -> Option<&mut Self> {
        let node = self.nodes.get_mut(&normalise(path.as_ref()))?;
        (node.uid, node.gid) = (uid, gid);
        Some(self)
    }

    /// Sets the size that stat(2) tells of a path, which is a directory if it was not added before: what the kernel
    /// says of `/proc/PID/fd`, where it is the number of descriptors.
    pub fn size(&mut self, path: impl AsRef<Path>, size: u64) -> &mut Self {
        let directory = Node { what: What::Directory, mode: 0o755, uid: 0, gid: 0, size: None };
        self.nodes.entry(normalise(path.as_ref())).or_insert(directory).size = Some(size);
        self
    }

    /// Says how full the file system is that is mounted at `path`, a directory that need not be added.
    pub fn space(&mut self, path: impl AsRef<Path>, space: Space) -> &mut Self {
        self.spaces.insert(normalise(path.as_ref()), space);
        self
    }

    /// Says what the kernel answers to a question; without that it does not know it.
    pub fn answer(&mut self, question: Question, answer: Reading<Vec<u8>>) -> &mut Self {
        self.answers.insert(question, answer);
        self
    }

    fn add(&mut self, path: &Path, what: What, mode: u32) -> &mut Self {
        self.nodes.insert(normalise(path), Node { what, mode, uid: 0, gid: 0, size: None });
        self
    }

    fn has_below(&self, path: &Path) -> bool {
        self.nodes
            .range(path.to_path_buf()..)
            .find(|(p, _)| p.as_path() != path)
            .is_some_and(|(p, _)| p.starts_with(path))
    }

    /// The node a path leads to; `None` for a directory that only its files imply.
    fn node(&self, path: &Path, follow: bool) -> Reading<(PathBuf, Option<&Node>)> {
        let path = resolve(self, path, follow)?;
        match self.nodes.get(&path) {
            Some(Node { what: What::Unreadable(reason), .. }) => {
                Err(Missing::unreadable(&path, reason.clone()))
            }
            Some(node) => Ok((path, Some(node))),
            None if path == Path::new("/") || self.has_below(&path) => Ok((path, None)),
            None => Err(Missing::Absent),
        }
    }
}

impl Source for Files {
    fn read(&self, path: &Path, cap: u64) -> Reading<Vec<u8>> {
        let (_, node) = self.node(path, true)?;
        let kind = match node.map(|n| &n.what) {
            Some(What::File(bytes)) if bytes.len() as u64 > cap => {
                return Err(Missing::unreadable(path, Reason::TooLarge(cap)));
            }
            Some(What::File(bytes)) => return Ok(bytes.clone()),
            Some(What::Special(kind)) => *kind,
            _ => FileKind::Directory,
        };
        Err(Missing::unreadable(path, Reason::WrongKind(kind.name())))
    }

    fn read_tail(&self, path: &Path, cap: u64) -> Reading<Tail> {
        let mut bytes = self.read(path, u64::MAX)?;
        let skipped = (bytes.len() as u64).saturating_sub(cap);
        bytes.drain(..usize::try_from(skipped).unwrap_or(0));
        Ok(Tail { bytes, skipped })
    }

    fn list(&self, path: &Path) -> Reading<Vec<Entry>> {
        let (dir, node) = self.node(path, true)?;
        if node.is_some_and(|n| !matches!(n.what, What::Directory)) {
            return Err(Missing::unreadable(path, Reason::WrongKind("not a directory")));
        }
        let mut entries: Vec<Entry> = Vec::new();
        for (full, node) in self.nodes.range(dir.clone()..) {
            if !full.starts_with(&dir) {
                break;
            }
            let Ok(below) = full.strip_prefix(&dir) else {
                break;
            };
            let mut parts = below.components();
            let Some(first) = parts.next() else { continue };
            let name = first.as_os_str().to_owned();
            // Paths are in order part by part, so what is below one name stands together.
            if entries.last().is_some_and(|e| e.name == name) {
                continue;
            }
            let kind = if parts.next().is_some() { FileKind::Directory } else { kind(&node.what) };
            entries.push(Entry { name, kind });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn stat(&self, path: &Path) -> Reading<Stat> {
        Ok(stat(self.node(path, true)?.1))
    }

    fn lstat(&self, path: &Path) -> Reading<Stat> {
        let path = normalise(path);
        match self.nodes.get(&path) {
            // A file that is denied can still be seen to be there, as in a real directory.
            Some(node) => Ok(stat(Some(node))),
            None => match path.ancestors().skip(1).find_map(|p| self.nodes.get(p)) {
                Some(Node { what: What::Unreadable(reason), .. }) => {
                    Err(Missing::unreadable(&path, reason.clone()))
                }
                _ if path == Path::new("/") || self.has_below(&path) => Ok(stat(None)),
                // A link among the directories above.
                _ => match resolve(self, &path, false)? {
                    place if place == path => Err(Missing::Absent),
                    place => self.lstat(&place),
                },
            },
        }
    }

    fn read_link(&self, path: &Path) -> Reading<PathBuf> {
        match self.node(path, false)?.1.map(|n| &n.what) {
            Some(What::Link(target)) => Ok(target.clone()),
            _ => Err(Missing::unreadable(path, Reason::WrongKind("not a symbolic link"))),
        }
    }

    /// What [`Files::space`] said of exactly this path.
    fn statvfs(&self, path: &Path) -> Reading<Space> {
        if let Some(space) = self.spaces.get(&normalise(path)) {
            return Ok(*space);
        }
        if let Err(unreadable @ Missing::Unreadable(_)) = self.node(path, true) {
            return Err(unreadable);
        }
        Err(Space::not_told(path))
    }

    /// What [`Files::answer`] said.
    fn ask(&self, question: Question) -> Reading<Vec<u8>> {
        self.answers.get(&question).cloned().unwrap_or(Err(Missing::Absent))
    }
}

fn kind(what: &What) -> FileKind {
    match what {
        What::File(_) => FileKind::File,
        What::Unreadable(_) => FileKind::Other,
        What::Directory => FileKind::Directory,
        What::Link(_) => FileKind::Link,
        What::Special(kind) => *kind,
    }
}

fn stat(node: Option<&Node>) -> Stat {
    let (kind, mode, uid, gid) =
        node.map_or((FileKind::Directory, 0o755, 0, 0), |n| (kind(&n.what), n.mode, n.uid, n.gid));
    let size = match node.map(|n| (&n.what, n.size)) {
        Some((_, Some(size))) => size,
        Some((What::File(bytes), None)) => bytes.len() as u64,
        _ => 0,
    };
    Stat { kind, mode, uid, gid, size, allocated: size, mtime: 0, rdev: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Files {
        let mut files = Files::new();
        files.file("/etc/fstab", "x").link("/etc/abs", "/etc/fstab").link("/etc/up", "../../../etc/fstab");
        files.link("/lib", "usr/lib").file("/usr/lib/a", "a").link("/loop", "/loop").deny("/root");
        files
    }

    #[test]
    fn links_stay_inside_the_root() {
        let files = tree();
        for path in ["/etc/abs", "/etc/up", "/../etc/fstab", "/etc/../etc//fstab"] {
            assert_eq!(files.read(Path::new(path), 10), Ok(b"x".to_vec()), "{path}");
        }
        assert_eq!(files.read(Path::new("/lib/a"), 10), Ok(b"a".to_vec()));
        assert_eq!(files.lstat(Path::new("/lib/a")).map(|stat| stat.kind), Ok(FileKind::File));
        assert_eq!(files.lstat(Path::new("/lib/b")), Err(Missing::Absent));
    }

    #[test]
    fn absent_denied_and_looping_are_three_things() {
        let files = tree();
        assert_eq!(files.read(Path::new("/etc/none"), 10), Err(Missing::Absent));
        assert_eq!(files.read(Path::new("/etc/fstab/none"), 10), Err(Missing::Absent));
        let denied = files.read(Path::new("/root/.ssh/authorized_keys"), 10);
        assert!(matches!(denied, Err(Missing::Unreadable(Unreadable { reason: Reason::Denied, .. }))));
        let looping = files.read(Path::new("/loop"), 10);
        assert!(matches!(looping, Err(Missing::Unreadable(Unreadable { reason: Reason::LinkLoop, .. }))));
    }

    #[test]
    fn a_directory_is_implied_by_its_files() {
        let names: Vec<_> = tree().list(Path::new("/")).unwrap().into_iter().map(|e| e.name).collect();
        assert_eq!(names, ["etc", "lib", "loop", "root", "usr"]);
    }

    #[test]
    fn how_full_a_file_system_is_must_be_said() {
        let mut files = tree();
        let space = Space { size: 100, free: 10, available: 5, files: 0, files_free: 0 };
        files.space("/mnt/", space);
        assert_eq!(files.statvfs(Path::new("/mnt")), Ok(space));
        let reason = |path: &str| match files.statvfs(Path::new(path)) {
            Err(Missing::Unreadable(Unreadable { reason, .. })) => reason,
            other => panic!("{other:?}"),
        };
        assert!(matches!(reason("/etc"), Reason::NotRead(_)));
        assert_eq!(reason("/root"), Reason::Denied);
    }

    #[test]
    fn a_question_is_not_known_unless_its_answer_was_given() {
        let mut files = tree();
        let [listening, all] = [1 << 10, 0xfff].map(|states| Question::TcpSockets { states, info: false });
        files.answer(listening, Ok(vec![7]));
        assert_eq!((files.ask(listening), files.ask(all)), (Ok(vec![7]), Err(Missing::Absent)));
    }

    use super::super::Unreadable;
}

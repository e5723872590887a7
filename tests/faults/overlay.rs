//! A tree with changes lying over it.

use hostvet::source::{
    Directory, Entry, FileKind, Files, Missing, Question, Reading, Source, Space, Stat, normalise, resolve,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What an ordinary text file may have at most.
const CAP: u64 = 16 << 20;

#[derive(Debug)]
pub(crate) struct Overlay {
    base: Directory,
    over: Files,
    removed: BTreeSet<PathBuf>,
    modes: BTreeMap<PathBuf, u32>,
    owners: BTreeMap<PathBuf, (u32, u32)>,
    /// The block devices, where it is a disk image's.
    pub(crate) devices: Option<String>,
}

impl Overlay {
    pub(crate) fn new(base: Directory) -> Self {
        let (over, removed) = (Files::new(), BTreeSet::new());
        Self { base, over, removed, modes: BTreeMap::new(), owners: BTreeMap::new(), devices: None }
    }

    /// Where a path leads, so that a change of /lib/x changes /usr/lib/x.
    fn place(&self, path: &Path) -> PathBuf {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return path.to_path_buf() };
        // A directory that is new lies where the one above it leads.
        resolve(self, parent, true).unwrap_or_else(|_| self.place(parent)).join(name)
    }

    pub(crate) fn text(&self, path: &Path) -> String {
        String::from_utf8(self.read(path, CAP).unwrap_or_else(|_| panic!("no {}", path.display()))).unwrap()
    }

    /// Writes a file, whose mode and owner stay what they were.
    pub(crate) fn write(&mut self, path: &Path, bytes: Vec<u8>) {
        let path = resolve(self, path, true).unwrap_or_else(|_| self.place(path));
        let before = self.stat(&path);
        self.removed.remove(&path);
        self.over.file(&path, bytes);
        if let Ok(stat) = before {
            self.over.mode(&path, stat.mode);
            self.over.owner(&path, stat.uid, stat.gid);
        }
    }

    pub(crate) fn remove(&mut self, path: &Path) {
        let path = self.place(path);
        assert!(self.lstat(&path).is_ok(), "there is no {}", path.display());
        self.removed.insert(path);
    }

    pub(crate) fn link(&mut self, path: &Path, to: &Path) {
        let path = self.place(path);
        self.removed.remove(&path);
        self.over.link(path, to);
    }

    pub(crate) fn mode(&mut self, path: &Path, mode: u32) {
        self.modes.insert(resolve(self, path, true).unwrap(), mode);
    }

    pub(crate) fn owner(&mut self, path: &Path, uid: u32, gid: u32) {
        self.owners.insert(resolve(self, path, true).unwrap(), (uid, gid));
    }

    fn is_removed(&self, path: &Path) -> bool {
        path.ancestors().any(|above| self.removed.contains(above))
    }

    /// The source that has this path, of which no part is a link.
    fn holder(&self, path: &Path) -> Reading<&dyn Source> {
        if self.is_removed(path) {
            return Err(Missing::Absent);
        }
        let is_changed = self.over.lstat(path).is_ok_and(|stat| stat.kind != FileKind::Directory);
        match is_changed || matches!(self.base.lstat(path), Err(Missing::Absent)) {
            true => Ok(&self.over),
            false => Ok(&self.base),
        }
    }
}

impl Source for Overlay {
    fn read(&self, path: &Path, cap: u64) -> Reading<Vec<u8>> {
        let path = resolve(self, path, true)?;
        self.holder(&path)?.read(&path, cap)
    }

    fn read_at(&self, path: &Path, offset: u64, length: usize) -> Reading<Vec<u8>> {
        let path = resolve(self, path, true)?;
        self.holder(&path)?.read_at(&path, offset, length)
    }

    fn list(&self, path: &Path) -> Reading<Vec<Entry>> {
        let path = resolve(self, path, true)?;
        let mut entries = self.holder(&path)?.list(&path)?;
        entries.extend(self.over.list(&path).unwrap_or_default());
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries.dedup_by(|a, b| a.name == b.name);
        entries.retain(|entry| !self.is_removed(&path.join(&entry.name)));
        Ok(entries)
    }

    fn stat(&self, path: &Path) -> Reading<Stat> {
        self.lstat(&resolve(self, path, true)?)
    }

    fn lstat(&self, path: &Path) -> Reading<Stat> {
        let path = normalise(path);
        let mut stat = self.holder(&path)?.lstat(&path)?;
        if let Some(mode) = self.modes.get(&path) {
            stat.mode = *mode;
        }
        if let Some((uid, gid)) = self.owners.get(&path) {
            (stat.uid, stat.gid) = (*uid, *gid);
        }
        Ok(stat)
    }

    fn read_link(&self, path: &Path) -> Reading<PathBuf> {
        let path = resolve(self, path, false)?;
        self.holder(&path)?.read_link(&path)
    }

    fn statvfs(&self, path: &Path) -> Reading<Space> {
        self.base.statvfs(path)
    }

    fn ask(&self, question: Question) -> Reading<Vec<u8>> {
        let devices = self.devices.clone().filter(|_| question == Question::BlockDevices);
        devices.map(String::into_bytes).ok_or(Missing::Absent)
    }
}

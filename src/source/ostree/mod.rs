//! The tree that a system of ostree runs in: a deployment, one of several trees beside each other in one file system, the physical
//! root (<https://ostreedev.github.io/ostree/deployment/>). bootc installs such systems as well.
//!
//! When such a system starts, ostree-prepare-root(1) makes the deployment that `ostree=` on the kernel's command line names the root,
//! and mounts in it what all deployments share: the physical root at /sysroot, its /boot, and the /var of all deployments of
//! one name. [`Deployed`] shows a physical root so. Where a composefs image is what is mounted, it is made of the same files.

#[cfg(test)]
mod tests;

use super::reading::said_of;
use super::resolve::{Step, resolve, step, walk};
use super::seen::Seen;
use super::{
    Entry, FileKind, Host, Missing, Question, Reading, Source, Space, Stat, TEXT_CAP, Tail, Target,
    Unreadable, normalise, text,
};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a physical root has its deployments.
pub(super) const DEPLOY: &str = "/ostree/deploy";

/// Where bootc's own backend has the contents of files, by their digests.
pub(super) const COMPOSEFS: &str = "/composefs/objects";

/// What every system that is no deployment has in its root.
const PLAIN: [&str; 3] = ["/etc/os-release", "/usr/lib/os-release", "/etc/passwd"];

/// More deployments than any system keeps are not looked at.
const MOST: usize = 256;

/// Which deployment is vetted.
#[derive(Clone, Debug, Default)]
pub struct DeploymentChoice {
    /// Its name as it is listed, `OSNAME/CHECKSUM.SERIAL`; the system's name or the beginning of the checksum if there is but one such.
    pub name: Option<String>,
    /// Tells the command line of the kernel that the boot loader of a tree starts by default.
    pub boots: Option<fn(&Host) -> Reading<String>>,
}

/// Why there is nothing to vet in a system of ostree or bootc.
#[derive(Debug, thiserror::Error)]
pub enum BadOstree {
    /// It is not known which deployment boots.
    #[error(
        "holds several deployments of ostree, and which of them boots by default cannot be told: {}; choose one with --deployment",
        .0.join(", ")
    )]
    Several(Vec<String>),
    /// There is no such deployment.
    #[error("holds no deployment `{wanted}`; there is {}", .there.join(", "))]
    NoSuch {
        /// What was asked for.
        wanted: String,
        /// What there is.
        there: Vec<String>,
    },
    /// A deployment was asked for, and there is none at all.
    #[error("holds no deployments of ostree, of which --deployment chooses one")]
    None,
    /// What deployments there are cannot be read.
    #[error("has deployments of ostree that cannot be read: {0}")]
    Unreadable(Unreadable),
    /// The composefs backend of bootc.
    #[error(
        "is a system of bootc's composefs backend: its files lie in /composefs by their digests, which hostvet does not put together; vet the container image that it was made of, or the running host"
    )]
    Composefs,
}

/// One of the trees.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Deployment {
    /// The name of the system, in ostree's words osname or stateroot.
    os: String,
    /// `CHECKSUM.SERIAL`.
    id: String,
}

impl Deployment {
    fn name(&self) -> String {
        format!("{}/{}", self.os, self.id)
    }

    fn path(&self) -> PathBuf {
        [DEPLOY, &self.os, "deploy", &self.id].iter().collect()
    }

    fn is_meant_by(&self, wanted: &str) -> bool {
        match wanted.split_once('/') {
            Some((os, id)) => self.os == os && self.id.starts_with(id),
            None => self.os == wanted || self.id.starts_with(wanted),
        }
    }

    /// Its name and what system it is.
    fn described(&self, tree: &dyn Source) -> String {
        let release = tree.read(&self.path().join("usr/lib/os-release"), TEXT_CAP).map(text);
        let name =
            release.as_deref().unwrap_or_default().lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
        match name {
            Some(name) => format!("{} ({})", self.name(), name.trim_matches(['"', '\''])),
            None => self.name(),
        }
    }
}

/// The names of the directories in a directory; none where there is none.
fn directories(tree: &dyn Source, path: &Path) -> Reading<Vec<String>> {
    let entries = match tree.list(path) {
        Err(Missing::Absent) => Vec::new(),
        entries => entries?,
    };
    let is_directory = |entry: &Entry| match entry.kind {
        FileKind::Other => {
            tree.lstat(&path.join(&entry.name)).is_ok_and(|stat| stat.kind == FileKind::Directory)
        }
        kind => kind == FileKind::Directory,
    };
    let directories = entries.into_iter().filter(is_directory).take(MOST);
    Ok(directories.filter_map(|entry| entry.name.into_string().ok()).collect())
}

/// The deployments in a physical root. In the root that was made of one of them, /ostree is a link.
fn deployments(tree: &dyn Source) -> Reading<Vec<Deployment>> {
    let mut found = Vec::new();
    if !tree.lstat(Path::new("/ostree")).is_ok_and(|stat| stat.kind == FileKind::Directory) {
        return Ok(found);
    }
    for os in directories(tree, Path::new(DEPLOY))? {
        let ids = directories(tree, &Path::new(DEPLOY).join(&os).join("deploy"))?;
        let ids = ids.into_iter().filter(|id| {
            let (checksum, serial) = id.split_once('.').unwrap_or_default();
            let is_checksum = checksum.len() == 64 && checksum.bytes().all(|b| b.is_ascii_hexdigit());
            is_checksum && serial.parse::<u32>().is_ok()
        });
        found.extend(ids.map(|id| Deployment { os: os.clone(), id }));
    }
    found.truncate(MOST);
    Ok(found)
}

/// Which of the deployments the boot loader starts by default.
fn booted<'a>(
    tree: &Arc<dyn Source>,
    all: &'a [Deployment],
    choice: &DeploymentChoice,
) -> Option<&'a Deployment> {
    let host = Host::of(tree.clone(), Target::root(""));
    let command_line = choice.boots?(&host).ok()?;
    let link = command_line.split_ascii_whitespace().find_map(|word| word.strip_prefix("ostree="))?;
    let path = resolve(&**tree, Path::new(link), true).ok()?;
    all.iter().find(|deployment| deployment.path() == path)
}

/// A physical root, as the system in one of its deployments sees it.
#[derive(Debug)]
pub(super) struct Deployed {
    tree: Arc<dyn Source>,
    deployment: Deployment,
    /// What stands in the physical root for a directory of the system; the root itself is the last.
    places: Vec<(&'static str, PathBuf)>,
    /// In words, which deployment it is.
    words: Vec<String>,
    seen: Seen,
}

impl Deployed {
    /// The deployment that is meant, or boots by default. None if the tree is no physical root.
    pub(super) fn find(tree: &Arc<dyn Source>, choice: &DeploymentChoice) -> Result<Option<Self>, BadOstree> {
        let is_there = |path: &str| tree.stat(Path::new(path)).is_ok();
        let is_plain = PLAIN.iter().any(|path| is_there(path));
        let all = match deployments(&**tree) {
            Ok(all) => all,
            Err(Missing::Unreadable(why)) if !is_plain => return Err(BadOstree::Unreadable(why)),
            Err(_) => Vec::new(),
        };
        let described =
            |some: &mut dyn Iterator<Item = &Deployment>| some.map(|one| one.described(&**tree)).collect();
        match (&choice.name, all.is_empty()) {
            (_, true) if !is_plain && is_there(COMPOSEFS) => return Err(BadOstree::Composefs),
            (Some(_), true) => return Err(BadOstree::None),
            (None, true) => return Ok(None),
            _ => {}
        }
        let booted = booted(tree, &all, choice);
        let meant: Vec<_> = match &choice.name {
            Some(wanted) => all.iter().filter(|one| one.is_meant_by(wanted)).collect(),
            // Deployments that were put beside a system: the boot loader tells which of them it is.
            None if is_plain && booted.is_none() => return Ok(None),
            None => all.iter().collect(),
        };
        let chosen = match meant.as_slice() {
            [] => {
                let wanted = choice.name.clone().unwrap_or_default();
                return Err(BadOstree::NoSuch { wanted, there: described(&mut all.iter()) });
            }
            [only] => *only,
            several => match booted.filter(|booted| several.contains(booted)) {
                Some(booted) => booted,
                None => return Err(BadOstree::Several(described(&mut several.iter().copied()))),
            },
        };
        let boots = if booted == Some(chosen) { ", which boots by default" } else { "" };
        let mut words = vec![format!("/ is the deployment {}{boots}", chosen.described(&**tree))];
        let others = all.iter().filter(|other| *other != chosen);
        words
            .extend(others.map(|other| format!("there is also the deployment {}", other.described(&**tree))));
        Ok(Some(Self::new(tree.clone(), chosen.clone(), words)))
    }

    fn new(tree: Arc<dyn Source>, deployment: Deployment, words: Vec<String>) -> Self {
        let root = deployment.path();
        let mut places = vec![
            ("/boot", PathBuf::from("/boot")),
            ("/sysroot", PathBuf::from("/")),
            ("/var", [DEPLOY, &deployment.os, "var"].iter().collect()),
            ("/", root.clone()),
        ];
        if has_transient_etc(&*tree, &root) {
            places.insert(0, ("/etc", root.join("usr/etc")));
        }
        Self { tree, deployment, places, words, seen: Seen::default() }
    }

    /// The same deployment in a tree in which more is mounted.
    pub(super) fn over(self, tree: Arc<dyn Source>) -> Self {
        Self::new(tree, self.deployment, self.words)
    }

    /// Which deployment it is, and which others there are, in words.
    pub(super) fn words(&self) -> Vec<String> {
        self.words.clone()
    }

    /// Where in the physical root a path is on whose way there are no links.
    fn place(&self, path: &Path) -> PathBuf {
        let found = self.places.iter().find_map(|(from, to)| Some((to, path.strip_prefix(from).ok()?)));
        match found {
            Some((to, below)) if below.components().next().is_some() => to.join(below),
            Some((to, _)) => to.clone(),
            None => path.to_path_buf(),
        }
    }

    /// Where in the physical root a mount point of the system is.
    pub(super) fn mount_point(&self, path: &Path) -> PathBuf {
        self.place(&self.resolve(path, true).unwrap_or_else(|_| normalise(path)))
    }

    /// How the system names a place in the physical root.
    pub(super) fn shown(&self, place: &Path) -> PathBuf {
        let above = self.places.iter().filter_map(|(to, from)| Some((*to, place.strip_prefix(from).ok()?)));
        let nearest = above.min_by_key(|(_, below)| below.components().count());
        let (to, below) = nearest.unwrap_or(("/sysroot", place));
        normalise(&Path::new(to).join(below))
    }

    fn entry(&self, path: &Path) -> Reading<Stat> {
        self.seen.or_look(path, || said_of(path, self.tree.lstat(&self.place(path))))
    }

    /// The path with all links followed on its way, and at its end if `follow`.
    fn resolve(&self, path: &Path, follow: bool) -> Reading<PathBuf> {
        walk(path, follow, &|here| -> Reading<Step> {
            step(self.entry(here)?.kind, || said_of(here, self.tree.read_link(&self.place(here))))
        })
    }

    /// What the tree says of the place that a path leads to.
    fn ask_of<T>(&self, path: &Path, follow: bool, ask: impl FnOnce(&Path) -> Reading<T>) -> Reading<T> {
        said_of(path, ask(&self.place(&self.resolve(path, follow)?)))
    }
}

/// Whether what is written to /etc is lost when the system stops, and /etc is what came with it (`etc.transient` of
/// ostree-prepare-root.conf). The file in /etc replaces that in /usr/lib.
fn has_transient_etc(tree: &dyn Source, root: &Path) -> bool {
    let read =
        |directory: &str| tree.read(&root.join(directory).join("ostree/prepare-root.conf"), TEXT_CAP).ok();
    let config =
        ["etc", "usr/lib"].iter().find_map(|directory| read(directory)).map(text).unwrap_or_default();
    let mut section = "";
    let mut transient = false;
    for line in config.lines().map(str::trim) {
        match line.split_once('=') {
            _ if line.starts_with('[') => section = line,
            Some((key, value)) if section == "[etc]" && key.trim() == "transient" => {
                transient = matches!(value.trim(), "true" | "1");
            }
            _ => {}
        }
    }
    transient
}

impl Source for Deployed {
    fn read(&self, path: &Path, cap: u64) -> Reading<Vec<u8>> {
        self.ask_of(path, true, |place| self.tree.read(place, cap))
    }

    fn read_tail(&self, path: &Path, cap: u64) -> Reading<Tail> {
        self.ask_of(path, true, |place| self.tree.read_tail(place, cap))
    }

    fn stream(&self, path: &Path) -> Reading<Box<dyn Read + Send>> {
        self.ask_of(path, true, |place| self.tree.stream(place))
    }

    fn read_at(&self, path: &Path, offset: u64, length: usize) -> Reading<Vec<u8>> {
        self.ask_of(path, true, |place| self.tree.read_at(place, offset, length))
    }

    fn list(&self, path: &Path) -> Reading<Vec<Entry>> {
        self.ask_of(path, true, |place| self.tree.list(place))
    }

    fn stat(&self, path: &Path) -> Reading<Stat> {
        self.entry(&self.resolve(path, true)?)
    }

    fn lstat(&self, path: &Path) -> Reading<Stat> {
        self.entry(&self.resolve(path, false)?)
    }

    fn read_link(&self, path: &Path) -> Reading<PathBuf> {
        self.ask_of(path, false, |place| self.tree.read_link(place))
    }

    fn statvfs(&self, path: &Path) -> Reading<Space> {
        self.ask_of(path, true, |place| self.tree.statvfs(place))
    }

    fn ask(&self, question: Question) -> Reading<Vec<u8>> {
        self.tree.ask(question)
    }

    fn bytes_read(&self) -> Option<u64> {
        self.tree.bytes_read()
    }
}

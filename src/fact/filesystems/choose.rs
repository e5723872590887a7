//! Which of the mounts are told of.

use super::FileSystemKind as Kind;
use crate::format::fs_type;
use crate::format::mountinfo::Mounted;
use crate::source::{Reading, Space};
use std::collections::{HashMap, HashSet};

/// A mount that stands for its file system.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) mount: Mounted,
    pub(super) kind: Kind,
    /// Whether the way to it leads through a file system that can hang.
    pub(super) below_remote: bool,
}

impl Chosen {
    pub(super) fn read_only(&self) -> bool {
        self.mount.detail.as_ref().map_or(&self.mount.options, |d| &d.super_options).iter().any(|o| o == "ro")
    }

    fn is_overlay(&self) -> bool {
        is_overlay(&self.mount.fs_type)
    }
}

/// One mount of every file system that holds files, in order.
pub(super) fn choose(mounts: Vec<Mounted>) -> Vec<Chosen> {
    let paths = Paths::new(&mounts);
    let mut best: HashMap<String, usize> = HashMap::new();
    for (at, mount) in mounts.iter().enumerate() {
        if kind(mount).is_none() || !paths.lead_to(at) {
            continue;
        }
        let key = identity(mount).unwrap_or_else(|| format!("line {}", mount.line));
        let other = best.entry(key).or_insert(at);
        if mounts.get(*other).is_some_and(|other| rank(mount) < rank(other)) {
            *other = at;
        }
    }
    let best: HashMap<usize, bool> = best.into_values().map(|at| (at, paths.are_slow(at))).collect();
    let chosen = |(at, mount): (usize, Mounted)| {
        let below_remote = *best.get(&at)?;
        Some(Chosen { kind: kind(&mount)?, below_remote, mount })
    };
    mounts.into_iter().enumerate().filter_map(chosen).collect()
}

/// What is told of twice all the same, which only its numbers show: a container's root and the files that are bound
/// into it from the same disk; data sets that share a pool.
pub(super) fn once(mut asked: Vec<(Chosen, Reading<Space>)>) -> Vec<(Chosen, Reading<Space>)> {
    let overlay =
        asked.iter().find(|(c, _)| c.is_overlay()).and_then(|(_, space)| space.as_ref().ok().copied());
    let mut pools: HashSet<(String, u64)> = HashSet::new();
    asked.retain(|(chosen, space)| {
        let Ok(space) = space else { return true };
        if chosen.mount.fs_type == "zfs" {
            let pool = chosen.mount.source.split('/').next().unwrap_or_default();
            return pools.insert((pool.to_owned(), space.available));
        }
        let same = |root: Space| root.size == space.size && root.files == space.files;
        chosen.is_overlay() || !overlay.is_some_and(same)
    });
    asked
}

/// Where a file system keeps its files; `None` for those without any.
fn kind(mount: &Mounted) -> Option<Kind> {
    const OF_THE_HOST: [&str; 6] = ["9p", "drvfs", "prl_fs", "vboxsf", "virtiofs", "vmhgfs"];
    const IMAGE: [&str; 6] = ["cramfs", "erofs", "iso9660", "romfs", "squashfs", "udf"];
    const WITHOUT_DEVICE: [&str; 6] = ["bcachefs", "btrfs", "jffs2", "ubifs", "yaffs2", "zfs"];
    let name = mount.fs_type.as_str();
    let on_device = || {
        mount.source.starts_with("/dev/")
            || mount.detail.as_ref().is_some_and(|d| !d.device.starts_with("0:"))
            || WITHOUT_DEVICE.contains(&name)
    };
    match name {
        "fuseblk" => Some(Kind::Disk),
        _ if fs_type::is_remote(name, &mount.source) || OF_THE_HOST.contains(&name) => Some(Kind::Network),
        _ if name == "fuse" || name.starts_with("fuse.") => Some(Kind::User),
        _ if IMAGE.contains(&name) => Some(Kind::Image),
        "tmpfs" | "devtmpfs" => Some(Kind::Memory),
        _ if is_overlay(name) => (mount.mount_point == "/").then_some(Kind::Disk),
        _ if fs_type::PSEUDO.contains(&name) => None,
        _ => on_device().then_some(Kind::Disk),
    }
}

fn is_overlay(fs_type: &str) -> bool {
    matches!(fs_type, "overlay" | "overlayfs" | "aufs")
}

/// What two mounts of one file system have in common.
fn identity(mount: &Mounted) -> Option<String> {
    match &mount.detail {
        Some(detail) => Some(detail.device.clone()),
        None => mount.source.starts_with("/dev/").then(|| mount.source.clone()),
    }
}

/// The less, the better it stands for its file system.
fn rank(mount: &Mounted) -> (bool, bool, usize) {
    let part = mount.detail.as_ref().is_some_and(|d| d.root != "/");
    (mount.mount_point != "/", part, mount.mount_point.len())
}

/// The ways that paths take through the mounts.
struct Paths<'a> {
    mounts: &'a [Mounted],
    /// What is mounted on each mount, by its ID and the path; of several at the same place the last, which is on top. What
    /// is on none that can be seen (the root, and in a chroot all that is on the file system of its own directory) is
    /// at `None`. Empty for a mounts file, which has no IDs.
    on: HashMap<(Option<u64>, &'a str), usize>,
    /// The last mount at each path.
    last: HashMap<&'a str, usize>,
}

/// Mounts that a path goes through at most: one for each of its parts and some more. A longer way is none: the table is
/// garbled, and goes in a circle.
const LONGEST_WAY: usize = 64;

/// PATH_MAX.
const LONGEST_PATH: usize = 4096;

impl<'a> Paths<'a> {
    fn new(mounts: &'a [Mounted]) -> Self {
        let (mut on, mut last) = (HashMap::new(), HashMap::new());
        let ids: HashSet<u64> = mounts.iter().filter_map(|m| Some(m.detail.as_ref()?.id)).collect();
        for (at, mount) in mounts.iter().enumerate() {
            last.insert(mount.mount_point.as_str(), at);
            if let Some(detail) = &mount.detail {
                let parent =
                    Some(detail.parent).filter(|parent| *parent != detail.id && ids.contains(parent));
                on.insert((parent, mount.mount_point.as_str()), at);
            }
        }
        Self { mounts, on, last }
    }

    /// The mounts that the way to a mount's own path goes through, the last of which is what is found there.
    fn way(&self, at: usize) -> Vec<usize> {
        let path =
            self.mounts.get(at).map(|m| m.mount_point.as_str()).filter(|path| path.len() <= LONGEST_PATH);
        let mut way = Vec::new();
        let mut id = None;
        while let Some(next) = path.and_then(|path| self.next(id, path)) {
            if way.len() == LONGEST_WAY {
                return Vec::new();
            }
            way.push(next);
            id = self.mounts.get(next).and_then(|m| m.detail.as_ref()).map(|d| d.id);
        }
        way
    }

    /// The first mount that a path meets on another: at the path's shortest part.
    fn next(&self, on: Option<u64>, path: &str) -> Option<usize> {
        let parts = path
            .match_indices('/')
            .map(|(end, _)| if end == 0 { "/" } else { path.get(..end).unwrap_or(path) });
        parts.chain([path]).find_map(|part| self.on.get(&(on, part))).copied()
    }

    /// Whether a mount's own path leads to it, or to one that hides it.
    fn lead_to(&self, at: usize) -> bool {
        match self.on.is_empty() {
            false => self.way(at).last() == Some(&at),
            true => self.mounts.get(at).and_then(|m| self.last.get(m.mount_point.as_str())) == Some(&at),
        }
    }

    /// Whether a mount's own path goes through a file system that can hang.
    fn are_slow(&self, at: usize) -> bool {
        let way = self.way(at);
        let before = way.iter().filter(|on| **on != at).filter_map(|on| self.mounts.get(*on));
        before.filter_map(kind).any(|kind| matches!(kind, Kind::Network | Kind::User))
    }
}

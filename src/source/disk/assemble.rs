//! Which file systems of an image make its root tree, and where in it they are mounted.
//!
//! The root is the file system that looks like one. What is mounted in it says its own fstab(5); where that says nothing, the types
//! of the partitions do, as systemd-gpt-auto-generator(8) reads them (the Discoverable Partitions Specification).

use super::btrfs::{self, Subvolume};
use super::file_system::FileSystem;
use super::spec::{Meant, meant};
use super::volume::{Volume, VolumeKind};
use super::{BadDisk, ext, fat, mounts, xfs};
use crate::source::{FileKind, Missing, Reason, TEXT_CAP, octal, ostree, text};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file system in its place in the tree.
#[derive(Clone, Debug)]
pub(super) struct Mount {
    /// Where.
    pub(super) at: PathBuf,
    /// What, or why it cannot be read.
    pub(super) holds: Result<Arc<dyn FileSystem>, Reason>,
    /// In words, for people: `disk2 (ext4)`.
    pub(super) what: String,
}

/// A file system that may be the root.
struct Candidate<'a> {
    volume: &'a Volume,
    /// Of btrfs, the subvolume; none for that which is mounted by default.
    subvolume: Option<PathBuf>,
    holds: Arc<dyn FileSystem>,
}

impl Candidate<'_> {
    /// As `--root-partition` names it.
    fn name(&self) -> String {
        match &self.subvolume {
            Some(path) => format!("{}:{}", self.volume.name, path.display()),
            None => self.volume.name.clone(),
        }
    }

    /// Its name and what system it is.
    fn described(&self) -> String {
        match pretty_name(&*self.holds) {
            Some(system) => format!("{} ({system})", self.name()),
            None => self.name(),
        }
    }
}

/// The mounts of the image's tree, that of `/` first. `wanted` is the root's name, where the user chose.
pub(super) fn assemble(volumes: &[Volume], wanted: Option<&str>) -> Result<Vec<Mount>, BadDisk> {
    let root = match wanted {
        Some(wanted) => chosen(volumes, wanted)?,
        None => found(volumes)?,
    };
    let what = words(root.volume, root.subvolume.as_deref());
    let entries = fstab(&*root.holds);
    let mut mounts = vec![Mount { at: "/".into(), holds: Ok(root.holds.clone()), what }];
    // Links may be on the way to a mount point, as in /home where that is a link to /var/home.
    let place = |mounts: &[Mount], path: &Path| mounts::resolve(mounts, path).unwrap_or_else(|_| path.into());
    mount_all(entries.as_deref().unwrap_or_default(), volumes, &mut mounts, &place);
    mounts.extend(boot_of_ostree(&*root.holds, volumes));
    // An fstab that cannot be read may say anything.
    if entries.is_ok() {
        discover(&root, volumes, &mut mounts);
    }
    Ok(mounts)
}

/// Adds what this fstab(5) mounts besides, for which `place` tells where in the tree a path of it is.
pub(super) fn mount_fstab(
    fstab: &str,
    volumes: &[Volume],
    mounts: &mut Vec<Mount>,
    place: &dyn Fn(&Path) -> PathBuf,
) {
    mount_all(&parse(fstab), volumes, mounts, &|_, path| place(path));
}

/// Adds what the entries mount, one after the other, as later ones may be below, or parts of, what earlier ones mount.
fn mount_all(
    entries: &[FstabEntry],
    volumes: &[Volume],
    mounts: &mut Vec<Mount>,
    place: &dyn Fn(&[Mount], &Path) -> PathBuf,
) {
    for entry in entries {
        let found = match entry.binds() {
            true => bind(entry, mounts, &place(mounts, Path::new(&entry.spec))),
            false => mount(entry, volumes),
        };
        let at = place(mounts, &entry.at);
        mounts.extend(found.map(|mount| Mount { at, ..mount }));
    }
}

/// The file system that ostree has its kernels and boot entries on, where that is not the one of its deployments: before one of these
/// is chosen, no fstab says so.
fn boot_of_ostree(root: &dyn FileSystem, volumes: &[Volume]) -> Option<Mount> {
    let has = |holds: &dyn FileSystem, path: &str| holds.lstat(Path::new(path)).is_ok();
    if !has(root, ostree::DEPLOY) || has(root, "/boot/loader") {
        return None;
    }
    volumes.iter().find_map(|volume| {
        let holds = open(volume, &Subvolume::Default).ok()?;
        let is_boot = has(&*holds, "/loader") && has(&*holds, "/ostree");
        is_boot.then(|| Mount { at: "/boot".into(), holds: Ok(holds), what: words(volume, None) })
    })
}

/// The only file system that looks like a root.
fn found(volumes: &[Volume]) -> Result<Candidate<'_>, BadDisk> {
    let mut candidates = Vec::new();
    let mut others = Vec::new();
    let mut seen = HashSet::new();
    for volume in volumes {
        // A btrfs of several devices is one file system.
        let btrfs = volume.holds.as_ref().filter(|holds| holds.kind == "btrfs");
        if btrfs.and_then(|holds| holds.uuid.as_ref()).is_some_and(|uuid| !seen.insert(uuid)) {
            continue;
        }
        match candidates_of(volume) {
            Ok(some) => candidates.extend(some),
            Err(reason) => others.push(format!("{}: {reason}", words(volume, None))),
        }
    }
    match candidates.len() {
        1 => candidates.pop().ok_or_else(|| BadDisk::NoRoot(String::new())),
        0 => {
            let unread =
                |volume: &Volume| Some(format!("{}: {}", words(volume, None), volume.unread.as_ref()?));
            others.extend(volumes.iter().filter_map(unread));
            let held =
                volumes.iter().filter(|volume| volume.holds.is_some()).map(|volume| words(volume, None));
            let seen: Vec<_> =
                held.filter(|what| !others.iter().any(|o| o.starts_with(what.as_str()))).collect();
            let all = seen.into_iter().chain(others).collect::<Vec<_>>().join(", ");
            let is_encrypted =
                |volume: &Volume| volume.holds.as_ref().is_some_and(|holds| holds.kind == "crypto_LUKS");
            Err(BadDisk::NoRoot(match all.is_empty() {
                true => "no file system is on it that is known".into(),
                false if volumes.iter().any(is_encrypted) => format!("there is {all}; {ENCRYPTED}"),
                false => format!("there is {all}"),
            }))
        }
        _ => Err(BadDisk::SeveralRoots(candidates.iter().map(Candidate::described).collect())),
    }
}

const ENCRYPTED: &str =
    "what is encrypted is not opened here: open it with cryptsetup(8), and give the device that this makes";

/// The root that the user named: `disk2`, `vg/root`, `UUID=…`, `disk2:@` with the path of a subvolume.
fn chosen<'a>(volumes: &'a [Volume], wanted: &str) -> Result<Candidate<'a>, BadDisk> {
    let named = |name: &str| {
        volumes.iter().find(|volume| volume.name == name).or_else(|| match meant(name, volumes) {
            Meant::Volume(volume) => Some(volume),
            _ => None,
        })
    };
    let (volume, subvolume) = match (named(wanted), wanted.split_once(':')) {
        (Some(volume), _) => (Some(volume), None),
        (None, Some((name, subvolume))) => (named(name), Some(PathBuf::from(subvolume))),
        _ => (None, None),
    };
    let names = || volumes.iter().map(|volume| words(volume, None)).collect::<Vec<_>>().join(", ");
    let volume = volume.ok_or_else(|| BadDisk::NoSuchPartition { wanted: wanted.into(), there: names() })?;
    let mounted = subvolume.clone().map_or(Subvolume::Default, Subvolume::Path);
    let holds = open(volume, &mounted)
        .map_err(|reason| BadDisk::Unreadable(words(volume, subvolume.as_deref()), reason))?;
    Ok(Candidate { volume, subvolume, holds })
}

/// What of the volume looks like a root; none of what holds no file system that is read.
fn candidates_of(volume: &Volume) -> Result<Vec<Candidate<'_>>, Reason> {
    let kind = volume.holds.as_ref().map_or("", |holds| holds.kind);
    if !READ.contains(&kind) || kind == "vfat" {
        return Ok(Vec::new());
    }
    let holds = open(volume, &Subvolume::Default)?;
    if is_root(&*holds)? {
        return Ok(vec![Candidate { volume, subvolume: None, holds }]);
    }
    let mut candidates = Vec::new();
    if kind == "btrfs" {
        for path in btrfs::subvolumes(volume.bytes.clone())? {
            // Snapshots are what the root was, not what it is.
            if path.to_string_lossy().contains("snapshot") || candidates.len() == MOST_SUBVOLUMES {
                continue;
            }
            let holds = open(volume, &Subvolume::Path(path.clone()))?;
            if is_root(&*holds)? {
                candidates.push(Candidate { volume, subvolume: Some(path), holds });
            }
        }
    }
    Ok(candidates)
}

/// As many subvolumes that look like a root are listed.
const MOST_SUBVOLUMES: usize = 16;

/// The kinds of file systems that are read.
const READ: [&str; 6] = ["ext2", "ext3", "ext4", "xfs", "btrfs", "vfat"];

/// The file system on a volume.
pub(super) fn open(volume: &Volume, subvolume: &Subvolume) -> Result<Arc<dyn FileSystem>, Reason> {
    let bytes = volume.bytes.clone();
    match volume.holds.as_ref().map_or("", |holds| holds.kind) {
        "ext2" | "ext3" | "ext4" => ext::open(bytes),
        "xfs" => xfs::open(bytes),
        "btrfs" => btrfs::open(bytes, subvolume),
        "vfat" => fat::open(bytes),
        "" => Err(Reason::NotRead("holds no file system that is known".into())),
        other => Err(Reason::NotRead(format!("holds {other}, which hostvet does not read"))),
    }
}

/// Whether it is the root of a system: /etc, and in it or in /usr what every system has; or what ostree and bootc have systems in.
fn is_root(file_system: &dyn FileSystem) -> Result<bool, Reason> {
    let plain = ["/etc/os-release", "/usr/lib/os-release", "/etc/passwd", "/etc/fstab", "/etc/inittab"];
    for path in plain.into_iter().chain([ostree::DEPLOY, ostree::COMPOSEFS]) {
        match file_system.lstat(Path::new(path)) {
            Ok(_) => return Ok(true),
            Err(Missing::Absent) => {}
            Err(Missing::Unreadable(why)) => return Err(why.reason),
        }
    }
    Ok(false)
}

/// What os-release(5) calls the system, where it can be read without following links out of /usr/lib.
fn pretty_name(file_system: &dyn FileSystem) -> Option<String> {
    let bytes = ["/usr/lib/os-release", "/etc/os-release"].iter().find_map(|path| {
        let stat = file_system.lstat(Path::new(path)).ok()?;
        let is_file = stat.kind == FileKind::File && stat.size < 64 << 10;
        is_file.then(|| file_system.read_at(Path::new(path), 0, 64 << 10).ok())?
    })?;
    let line = text(bytes);
    let name = line.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(name.trim_matches(['"', '\'']).to_owned())
}

/// A volume in words: `disk2 (ext4)`.
fn words(volume: &Volume, subvolume: Option<&Path>) -> String {
    let name = match subvolume {
        Some(path) => format!("{}:{}", volume.name, path.display()),
        None => volume.name.clone(),
    };
    match &volume.holds {
        Some(holds) => format!("{name} ({})", holds.kind),
        None => name,
    }
}

/// An entry of fstab(5), as far as it is needed.
#[derive(Debug, PartialEq, Eq)]
struct FstabEntry {
    spec: String,
    at: PathBuf,
    /// The type of the file system.
    kind: String,
    options: Vec<String>,
}

impl FstabEntry {
    fn has(&self, wanted: &str) -> bool {
        self.options.iter().any(|option| option == wanted)
    }

    /// Whether it shows a part of the tree in a second place.
    fn binds(&self) -> bool {
        self.has("bind") || self.has("rbind")
    }

    /// Whether nothing is mounted before somebody wants it; what /boot has is wanted here.
    fn is_optional(&self) -> bool {
        self.has("noauto") && !self.at.starts_with("/boot")
    }

    /// What stands for the directory whose contents are not here.
    fn unread(&self, why: &str) -> Option<Mount> {
        // A system that boots without it sees what is below.
        let why = format!("fstab mounts {} at {}, which {why}", self.spec, self.at.display());
        let mount = Mount { at: self.at.clone(), holds: Err(Reason::NotRead(why)), what: self.spec.clone() };
        (!self.has("nofail")).then_some(mount)
    }
}

/// The entries of the root's fstab whose mount point is a path, in order.
fn fstab(root: &dyn FileSystem) -> Result<Vec<FstabEntry>, Missing> {
    let path = Path::new("/etc/fstab");
    let stat = match root.lstat(path) {
        Ok(stat) => stat,
        Err(Missing::Absent) => return Ok(Vec::new()),
        Err(unreadable) => return Err(unreadable),
    };
    if stat.kind != FileKind::File || stat.size > TEXT_CAP {
        return Err(Missing::unreadable(path, Reason::WrongKind(stat.kind.name())));
    }
    let bytes = root.read_at(path, 0, usize::try_from(stat.size).unwrap_or(0))?;
    Ok(parse(&text(bytes)))
}

fn parse(fstab: &str) -> Vec<FstabEntry> {
    let entry = |line: &str| {
        let mut fields = line.split_ascii_whitespace().map(octal::decode);
        let spec = fields.next().filter(|spec| !spec.starts_with('#'))?;
        let at = fields.next().filter(|at| at.starts_with('/'))?;
        let kind = fields.next().unwrap_or_default();
        let options = fields.next().unwrap_or_default().split(',').map(str::to_owned).collect();
        Some(FstabEntry { spec, at: crate::source::normalise(Path::new(&at)), kind, options })
    };
    fstab.lines().filter_map(entry).take(MOST_MOUNTS).collect()
}

/// More entries than any system mounts are not looked at.
const MOST_MOUNTS: usize = 1_000;

/// File systems that a kernel makes out of nothing: what is below them counts in a system that does not run.
const OF_NOTHING: &str = "none tmpfs ramfs proc sysfs devtmpfs devpts cgroup cgroup2 debugfs tracefs securityfs configfs mqueue hugetlbfs \
     efivarfs binfmt_misc rpc_pipefs nfsd pstore bpf swap";

/// What an entry for a part of the tree mounts.
fn bind(entry: &FstabEntry, mounts: &[Mount], part: &Path) -> Option<Mount> {
    if entry.is_optional() {
        return None;
    }
    match mounts::below(mounts, part) {
        Ok(holds) => Some(Mount { at: entry.at.clone(), holds: Ok(holds), what: entry.spec.clone() }),
        Err(Missing::Absent) => entry.unread("is not there"),
        Err(Missing::Unreadable(why)) => entry.unread(&format!("cannot be read: {}", why.reason)),
    }
}

/// What the entry mounts; none of what the image has no part in.
fn mount(entry: &FstabEntry, volumes: &[Volume]) -> Option<Mount> {
    // The root has been found already.
    if entry.at == Path::new("/") || entry.is_optional() {
        return None;
    }
    let at = entry.at.clone();
    let volume = match meant(&entry.spec, volumes) {
        Meant::Volume(volume) => volume,
        Meant::NoDevice if OF_NOTHING.split(' ').any(|kind| kind == entry.kind) => return None,
        Meant::NoDevice | Meant::Missing => return entry.unread("is not in this image"),
    };
    let option = |key: &str| entry.options.iter().find_map(|option| option.strip_prefix(key));
    let subvolume = match (option("subvolid="), option("subvol=")) {
        (Some(id), _) => id.parse().map_or(Subvolume::Default, Subvolume::Id),
        (None, Some(path)) => Subvolume::Path(PathBuf::from(path)),
        (None, None) => Subvolume::Default,
    };
    let what = words(volume, option("subvol=").map(Path::new));
    let holds = open(volume, &subvolume).map_err(|reason| {
        Reason::NotRead(format!("fstab mounts {what} at {}, which cannot be read: {reason}", at.display()))
    });
    Some(Mount { at, holds, what })
}

/// The types of partitions that say where they belong, and the places, of which the first that is there is meant.
const DISCOVERABLE: [(&str, &[&str]); 5] = [
    ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", &["/efi", "/boot"]),
    ("bc13c2ff-59e6-4262-a352-b275fd6f7172", &["/boot"]),
    ("4d21b016-b534-45c2-a9fb-5c16e091fd2d", &["/var"]),
    ("933ac7e1-2eb4-4f13-b844-0e14e2aef915", &["/home"]),
    ("3b8f8425-20e0-4f3b-907f-1a25a76f98e8", &["/srv"]),
];

/// The types of partitions that hold /usr, by architecture: x86-64, x86, arm64, riscv64.
const USR: [&str; 4] = [
    "8484680c-9521-48c6-9c11-b0720656f69e",
    "75250d76-8cc6-458e-bd66-bd47cc81a812",
    "b0e01050-ee5f-4390-949a-9101b17104e9",
    "beaec34b-8442-439b-a40b-984381ed097d",
];

/// Mounts what the partitions' types say, in directories that are empty and that fstab does not name.
fn discover(root: &Candidate<'_>, volumes: &[Volume], mounts: &mut Vec<Mount>) {
    for volume in volumes {
        let VolumeKind::Partition { r#type, .. } = &volume.is else { continue };
        let places = match DISCOVERABLE.iter().find(|(known, _)| known == r#type) {
            Some((_, places)) => *places,
            None if USR.contains(&r#type.as_str()) => &["/usr"],
            None => continue,
        };
        if volume.name == root.volume.name || mounts.iter().any(|mount| mount.what == words(volume, None)) {
            continue;
        }
        let is_free = |place: &&&str| {
            let is_empty = |path: &Path| root.holds.list(path).is_ok_and(|entries| entries.is_empty());
            !mounts.iter().any(|mount| mount.at == Path::new(place)) && is_empty(Path::new(place))
        };
        let Some(place) = places.iter().find(is_free) else { continue };
        if let Ok(holds) = open(volume, &Subvolume::Default) {
            mounts.push(Mount { at: PathBuf::from(place), holds: Ok(holds), what: words(volume, None) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fstab_tells_what_is_mounted_where() {
        let entries = parse(
            "# /etc/fstab\nUUID=1 / ext4 defaults 0 1\nLABEL=a\tb /x\n/dev/sda1 /mnt/a\\040b/ xfs ro,noauto 0 0\nUUID=2 none swap sw\n",
        );
        let at: Vec<_> =
            entries.iter().map(|entry| (entry.spec.as_str(), entry.at.to_str().unwrap())).collect();
        assert_eq!(at, [("UUID=1", "/"), ("/dev/sda1", "/mnt/a b")]);
        assert_eq!(entries[1].options, ["ro", "noauto"]);
    }

    #[test]
    fn what_may_hold_a_root_and_is_not_read_is_told() {
        let image = crate::source::disk::sparse::image("lvm");
        let (volumes, _) = super::super::volume::volumes(Arc::new(image));
        let error = assemble(&volumes, None).unwrap_err().to_string();
        assert!(
            error.contains("my-vg/pool: it is of LVM's kind thin-pool, which is not read here"),
            "{error}"
        );
    }

    #[test]
    fn what_another_host_holds_is_not_what_lies_below_it() {
        let of = |line: &str| mount(&parse(line)[0], &[]).map(|mount| mount.holds.unwrap_err().to_string());
        let why = "fstab mounts server:/home at /home, which is not in this image";
        assert_eq!(of("server:/home /home nfs4 _netdev 0 0").as_deref(), Some(why));
        assert_eq!(of("server:/home /home nfs4 _netdev,nofail 0 0"), None);
        assert_eq!(of("server:/home /home nfs4 noauto 0 0"), None);
        assert_eq!(of("tmpfs /tmp tmpfs size=1g 0 0"), None);
    }

    #[test]
    fn what_a_deployment_binds_is_where_the_deployment_has_it() {
        let root = ext::open(super::super::harness::held("extfat/ext4-untyped.img.zst")).unwrap();
        let mut mounts = vec![Mount { at: "/".into(), holds: Ok(root), what: "disk".into() }];
        let place = |path: &Path| match path.to_str() {
            Some("/conf") => "/etc".into(),
            Some("/there") => "/sub/below".into(),
            _ => Path::new("/sysroot").join(path.strip_prefix("/").unwrap()),
        };
        let fstab =
            "/conf /there none bind 0 0\n/gone /lost none bind 0 0\n/gone /may none rbind,nofail 0 0\n";
        mount_fstab(fstab, &[], &mut mounts, &place);
        let (holds, inner) = mounts::place(&mounts, Path::new("/sub/below/hostname")).unwrap();
        assert_eq!(holds.read_at(&inner, 0, 100).unwrap(), b"example\n");
        let lost: Vec<_> = mounts.iter().filter_map(|mount| mount.holds.as_ref().err()).collect();
        assert_eq!(lost.len(), 1, "the other may be missing");
        assert_eq!(lost[0].to_string(), "fstab mounts /gone at /lost, which is not there");
    }
}

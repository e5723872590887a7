//! What the package manager installed, and what of it is gone.

mod apk;
mod dpkg;
mod pacman;
mod rpm;

use super::Fact;
use crate::model::Partial;
use crate::source::{
    At, FileKind, Host, Missing, Optional, Reading, Reason, TargetKind, Unreadable, resolve,
};
use crate::{record, word};
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

record! {
    /// The database of the package manager, and the files of it that are gone.
    ///
    /// ```text
    /// /var/lib/dpkg/info/login.list      /usr/bin/login
    /// /lib/apk/db/installed              F:bin   R:busybox   Z:Q1…
    /// /var/lib/pacman/local/*/files      usr/bin/login
    /// /var/lib/rpm/rpmdb.sqlite          (a header for each package)
    /// ```
    ///
    /// Source: dpkg-query(1) and deb-md5sums(5), apk's `installed` file (apk-tools doc/apk-v2), pacman's local database (alpm-files(5)), rpm's header and rpmtag.h.
    /// Unreadable where RPM keeps a Berkeley DB (RHEL 8 and before) or an ndb (SUSE).
    /// On a running host programs, libraries and settings of the packages that a boot and a login need are looked for; of a
    /// tree, and with `--deep`, the files of all packages. Files that people remove from images, or a package manager is told not to install (documentation,
    /// translations, caches, compiled Python), that are diverted, or that the package no longer has, are left out.
    /// Absent where there is no database.
    #[bare(packages)]
    pub struct Packages {
        /// Whose database it is.
        pub manager: Manager,
        /// How many packages are installed.
        pub installed: usize,
        /// Whether the files of all packages were looked for.
        pub whole: bool,
        /// The packages of which files were looked for, in the order of the database.
        pub packages: Partial<InstalledPackage>,
        /// The database.
        pub at: At,
    }
}

record! {
    /// A file that is not what its package brought.
    #[derive(PartialEq, Eq)]
    pub struct ChangedFile {
        /// Its path, as the database has it.
        pub path: String,
        /// The digest that it should have, in hex: MD5 of dpkg, SHA-256 of rpm.
        pub packed: String,
        /// The digest that it has.
        pub found: String,
        /// The file.
        pub at: At,
    }
}

record! {
    /// A package of which files were looked for.
    pub struct InstalledPackage {
        /// Its name.
        pub name: String,
        /// Its version.
        pub version: String,
        /// Whether it is one of those that a boot and a login need.
        pub core: bool,
        /// What is gone of it, in the order of the database.
        pub missing: Vec<MissingFile>,
        /// Programs, libraries and other files, no settings, whose bytes are not those that were packed. Absent without `--deep`,
        /// and where the database has no digests that are compared here: apk's, pacman's.
        pub changed: Reading<Partial<ChangedFile>>,
        /// Its list of files.
        pub at: At,
    }
}

record! {
    /// A file that should be there.
    pub struct MissingFile {
        /// Its path, as the database has it.
        pub path: String,
        /// The last part of it.
        pub name: String,
        /// What it was.
        pub kind: MissingKind,
        /// Larger for what is missed more, no two of a package the same: `top(package.missing, 'weight', 5)`.
        pub weight: i64,
    }
}

word! {
    /// Whose database it is.
    pub enum Manager {
        /// Debian, Ubuntu.
        Dpkg = "dpkg",
        /// Alpine.
        Apk = "apk",
        /// Arch.
        Pacman = "pacman",
        /// Red Hat, Fedora, SUSE, Amazon.
        Rpm = "rpm",
    }
}

word! {
    /// What a file is for.
    pub enum MissingKind {
        /// A program, in one of the directories that PATH has.
        Program = "program",
        /// A shared library.
        Library = "library",
        /// A module of PAM.
        PamModule = "pam-module",
        /// A setting that an administrator may change, or remove.
        Setting = "setting",
        /// What the system starts by itself: units, udev, programs of libexec, the kernel and its modules.
        System = "system",
        /// Anything else.
        Other = "other",
    }
}

/// The packages that a boot and a login need, of all distributions.
const CORE: &[&str] = &[
    "alpine-baselayout",
    "base-files",
    "base-passwd",
    "bash",
    "busybox",
    "busybox-binsh",
    "coreutils",
    "coreutils-single",
    "dash",
    "dbus",
    "dbus-broker",
    "dbus-daemon",
    "e2fsprogs",
    "filesystem",
    "glibc",
    "glibc-common",
    "grep",
    "ifupdown",
    "init",
    "init-system-helpers",
    "initscripts",
    "iproute",
    "iproute2",
    "kmod",
    "libblkid1",
    "libc-bin",
    "libc6",
    "libcap-ng",
    "libcrypt1",
    "libmount1",
    "libpam-modules",
    "libpam-modules-bin",
    "libpam-runtime",
    "libpam-systemd",
    "libpam0g",
    "libpwquality",
    "libselinux",
    "libselinux1",
    "libsystemd0",
    "libudev1",
    "libxcrypt",
    "linux-pam",
    "login",
    "mount",
    "musl",
    "netbase",
    "NetworkManager",
    "openrc",
    "openssh",
    "openssh-server",
    "pam",
    "pam-libs",
    "pambase",
    "passwd",
    "procps",
    "procps-ng",
    "sed",
    "setup",
    "shadow",
    "shadow-utils",
    "sudo",
    "systemd",
    "systemd-libs",
    "systemd-pam",
    "systemd-sysv",
    "systemd-sysvcompat",
    "systemd-udev",
    "sysvinit-core",
    "udev",
    "upstart",
    "util-linux",
    "util-linux-core",
    "util-linux-libs",
    "xfsprogs",
];

/// The largest database or list that is read: those of 10 000 packages are below.
const CAP: u64 = 64 << 20;

/// The most missing files that are remembered: whoever lost more knows.
const MOST: usize = 20_000;

/// Bytes of a file that are read at once.
const PIECE: usize = 1 << 20;

/// What a manager tells of a package.
struct Package {
    name: String,
    version: String,
    at: At,
    files: Vec<File>,
}

/// A file of a package.
struct File {
    path: String,
    is_setting: bool,
    digest: Option<Digest>,
}

/// What a file's bytes were when it was packed, in hex.
enum Digest {
    Md5(String),
    Sha256(String),
}

impl Fact for Packages {
    const NAME: &'static str = "packages";
    const READS: &'static [&'static str] = &[
        "/var/lib/dpkg/status",
        "/var/lib/dpkg/status.d/*",
        "/var/lib/dpkg/info/*",
        "/var/lib/dpkg/diversions",
        "/etc/dpkg/dpkg.cfg",
        "/etc/dpkg/dpkg.cfg.d/*",
        "/lib/apk/db/installed",
        "/var/lib/pacman/local/*",
        "/etc/pacman.conf",
        "/var/lib/rpm/rpmdb.sqlite",
        "/var/lib/rpm/rpmdb.sqlite-wal",
        "/usr/lib/sysimage/rpm/rpmdb.sqlite",
        "/usr/lib/sysimage/rpm/rpmdb.sqlite-wal",
        "/usr/share/rpm/rpmdb.sqlite",
        "/ostree",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let whole = host.deep || host.target.kind != TargetKind::Live;
        // What packages have in /boot is elsewhere on ostree, which puts there itself what its deployments share.
        let has_boot = host.source.read_link(Path::new("/ostree")).is_err();
        for read in [dpkg::read, apk::read, pacman::read, rpm::read] {
            let (directories, looked_for) = (HashMap::new(), Partial::default());
            let mut look = Look { host, whole, has_boot, directories, looked_for, left: MOST };
            if let Some((manager, path, installed)) = read(host, &mut look).optional()? {
                return Ok(Self { manager, installed, whole, packages: look.looked_for, at: At::file(path) });
            }
        }
        Err(Missing::Absent)
    }
}

/// What a manager's reader returns: whose database, where, and how many packages are installed.
type Read = (Manager, String, usize);

/// Where a directory is, and its names where all of them are wanted.
type Directory = (PathBuf, Option<HashSet<OsString>>);

/// Looks for the files of packages.
struct Look<'a> {
    host: &'a Host,
    whole: bool,
    /// Whether files of /boot are where their packages put them.
    has_boot: bool,
    /// By their paths as databases have them.
    directories: HashMap<String, Reading<Directory>>,
    looked_for: Partial<InstalledPackage>,
    left: usize,
}

impl Look<'_> {
    /// Compares a regular file, a piece at a time; what is a link or gone by now is no changed file.
    fn compare(&self, path: String, digest: Digest, changed: &mut Partial<ChangedFile>) {
        let found = match &digest {
            Digest::Md5(_) => self.digest::<md5::Md5>(&path),
            Digest::Sha256(_) => self.digest::<sha2::Sha256>(&path),
        };
        let (Digest::Md5(packed) | Digest::Sha256(packed)) = digest;
        match found {
            Ok(found) if found.eq_ignore_ascii_case(&packed) => {}
            Ok(found) if changed.items.len() < MOST => {
                let at = At::file(path.as_str());
                changed.items.push(ChangedFile { path, packed, found, at });
            }
            Ok(_) | Err(Missing::Absent) => {}
            Err(Missing::Unreadable(why)) => changed.unread.push(why),
        }
    }

    fn digest<D: md5::Digest>(&self, path: &str) -> Reading<String> {
        let source = &self.host.source;
        let place = resolve(&**source, Path::new(path), false)?;
        if source.lstat(&place)?.kind != FileKind::File {
            return Err(Missing::Absent);
        }
        let (mut digest, mut at) = (D::new(), 0);
        loop {
            let piece = source.read_at(&place, at, PIECE)?;
            digest.update(&piece);
            at += piece.len() as u64;
            if piece.len() < PIECE {
                break;
            }
        }
        Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Whether the files of this package are wanted.
    fn wants(&self, name: &str) -> bool {
        self.whole || is_core(name)
    }

    /// What could not be read.
    fn unread(&mut self, why: Unreadable) {
        self.looked_for.unread.push(why);
    }

    /// Looks for the files of a package.
    fn package(&mut self, package: Package) {
        let (mut missing, mut changed, mut has_digests) = (Vec::new(), Partial::default(), false);
        for File { path, is_setting, digest } in package.files {
            if missing.len() >= self.left || !is_judged(&path) || !self.has_boot && path.starts_with("/boot/")
            {
                continue;
            }
            let name = path.rsplit('/').next().unwrap_or_default().to_owned();
            let kind = if is_setting { MissingKind::Setting } else { kind(&path, &name) };
            // Of a package there are a hundred programs and libraries, and a thousand files.
            if !self.whole && matches!(kind, MissingKind::System | MissingKind::Other) {
                continue;
            }
            match self.is_there(&path) {
                Ok(true) => {
                    if let Some(digest) = digest.filter(|_| self.host.deep && !is_setting) {
                        has_digests = true;
                        self.compare(path, digest, &mut changed);
                    }
                }
                Ok(false) => {
                    let weight = weight(kind) - missing.len() as i64;
                    missing.push(MissingFile { path, name, kind, weight });
                }
                Err(why) if !self.looked_for.unread.contains(&why) => self.unread(why),
                Err(_) => {}
            }
        }
        self.left -= missing.len();
        self.looked_for.items.push(InstalledPackage {
            core: is_core(&package.name),
            name: package.name,
            version: package.version,
            missing,
            changed: if has_digests { Ok(changed) } else { Err(Missing::Absent) },
            at: package.at,
        });
    }

    /// Whether something is at a path itself, be it a link that leads nowhere.
    fn is_there(&mut self, path: &str) -> Result<bool, Unreadable> {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        let (host, whole) = (self.host, self.whole);
        let found = self.directories.entry(directory.to_owned()).or_insert_with(|| {
            let place =
                resolve(&*host.source, Path::new(if directory.is_empty() { "/" } else { directory }), true)?;
            let names = match whole {
                true => Some(host.source.list(&place)?.into_iter().map(|entry| entry.name).collect()),
                false => None,
            };
            Ok((place, names))
        });
        let there = match found {
            Ok((_, Some(names))) => return Ok(names.contains(Path::new(name).as_os_str())),
            Ok((place, None)) => host.source.lstat(&place.join(name)).map(|_| true),
            Err(missing) => Err(missing.clone()),
        };
        match there {
            Err(Missing::Absent) => Ok(false),
            // A file where a directory should be.
            Err(Missing::Unreadable(Unreadable { reason: Reason::WrongKind(_), .. })) => Ok(false),
            Err(Missing::Unreadable(why)) => Err(why),
            Ok(there) => Ok(there),
        }
    }
}

fn is_core(name: &str) -> bool {
    CORE.contains(&name)
}

/// Whether a file that is gone says anything: not where documents, caches and other people's programs are, which images are
/// freed of.
fn is_judged(path: &str) -> bool {
    let below = ["/bin/", "/sbin/", "/lib", "/usr/bin/", "/usr/sbin/", "/usr/lib", "/etc/", "/boot/"];
    let left_out = ["/usr/lib/locale/", "/usr/lib/debug/", "/usr/lib/.build-id/"];
    below.iter().any(|start| path.starts_with(start))
        && !left_out.iter().any(|start| path.starts_with(start))
        && !path.contains("/__pycache__/")
        && ![".pyc", ".pyo", ".a", ".la", ".h"].iter().any(|end| path.ends_with(end))
}

fn kind(path: &str, name: &str) -> MissingKind {
    let directory = path.strip_suffix(name).unwrap_or_default().trim_end_matches('/');
    let in_usr = directory.strip_prefix("/usr").unwrap_or(directory);
    let is_below =
        |top: &str| in_usr.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let is_library = name.ends_with(".so") || name.contains(".so.");
    if matches!(in_usr, "/bin" | "/sbin") {
        MissingKind::Program
    } else if is_library && in_usr.ends_with("/security") {
        MissingKind::PamModule
    } else if is_library && in_usr.starts_with("/lib") && in_usr.matches('/').count() <= 2 {
        MissingKind::Library
    } else if ["/lib/systemd", "/lib/udev", "/lib/modules", "/libexec", "/boot"].into_iter().any(is_below) {
        MissingKind::System
    } else {
        MissingKind::Other
    }
}

fn weight(kind: MissingKind) -> i64 {
    let above = match kind {
        MissingKind::Program => 5,
        MissingKind::Library => 4,
        MissingKind::PamModule => 3,
        MissingKind::Setting => 2,
        MissingKind::System => 1,
        MissingKind::Other => 0,
    };
    (above + 1) * MOST as i64
}

#[cfg(test)]
mod tests;

//! Files of 0 bytes where programs, libraries and settings should be.

use super::Fact;
use crate::format::shared_library::DIRECTORIES;
use crate::model::Partial;
use crate::source::{At, FileKind, Host, Missing, Reading, TargetKind, resolve};
use crate::{record, word};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

record! {
    /// Files of 0 bytes where programs, libraries and settings should be: what a crash soon after an upgrade, a full disk
    /// or a `>` in a script leaves.
    ///
    /// ```text
    /// -rwxr-xr-x root root 0 /usr/bin/mount
    /// -rw-r--r-- root root 0 /usr/lib64/security/pam_unix.so
    /// ```
    ///
    /// Source: stat(2). On a running host only what a boot and a login need is looked at, unless `--deep` asks for all; of a
    /// tree everything in the directories of programs and libraries is. Settings that are judged by rules of their own
    /// (accounts, PAM, fstab, nsswitch.conf) are left out. Absent where the tree has none of the directories.
    #[bare(files)]
    pub struct EmptyFiles {
        /// The files that were looked at, sorted by path.
        pub files: Partial<LookedAt>,
        /// Whether every program and library was looked at.
        pub whole: bool,
    }
}

record! {
    /// A file that may not be empty.
    pub struct LookedAt {
        /// Its path, links followed.
        pub path: String,
        /// The last part of it.
        pub name: String,
        /// What it should be.
        pub kind: EmptyKind,
        /// Whether it has 0 bytes.
        pub empty: bool,
        /// The file.
        pub at: At,
    }
}

word! {
    /// What a file should be.
    pub enum EmptyKind {
        /// A program: an executable file in a directory of programs.
        Program = "program",
        /// A shared library.
        Library = "library",
        /// A module of PAM.
        PamModule = "pam-module",
        /// A file of /etc that says nothing while it is empty.
        Setting = "setting",
    }
}

const PROGRAM_DIRECTORIES: [&str; 4] = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];

/// What a boot, a login and a repair need.
const PROGRAMS: &[&str] = &[
    "agetty",
    "awk",
    "bash",
    "busybox",
    "cat",
    "chmod",
    "chown",
    "chroot",
    "cp",
    "cron",
    "crond",
    "dash",
    "dbus-broker",
    "dbus-daemon",
    "dhclient",
    "dmesg",
    "e2fsck",
    "env",
    "fsck",
    "fsck.ext4",
    "fsck.xfs",
    "gawk",
    "getty",
    "grep",
    "hostname",
    "id",
    "ifdown",
    "ifup",
    "init",
    "insmod",
    "ip",
    "iptables",
    "kmod",
    "ldconfig",
    "ln",
    "login",
    "ls",
    "lvm",
    "mawk",
    "mkdir",
    "modprobe",
    "mount",
    "mv",
    "netplan",
    "NetworkManager",
    "nft",
    "openrc",
    "openrc-run",
    "passwd",
    "ps",
    "rm",
    "rsyslogd",
    "runuser",
    "sed",
    "sh",
    "sshd",
    "su",
    "sudo",
    "sulogin",
    "swapon",
    "sysctl",
    "systemctl",
    "systemd-sysusers",
    "systemd-tmpfiles",
    "tar",
    "udevadm",
    "umount",
    "unix_chkpwd",
    "useradd",
    "visudo",
    "xfs_repair",
];

/// Programs elsewhere, without which nothing starts.
const ELSEWHERE: &[&str] = &[
    "/usr/lib/systemd/systemd",
    "/usr/lib/systemd/systemd-journald",
    "/usr/lib/systemd/systemd-logind",
    "/usr/lib/systemd/systemd-networkd",
    "/usr/lib/systemd/systemd-udevd",
    "/usr/lib/openssh/sshd-session",
    "/usr/libexec/openssh/sshd-session",
    "/lib/systemd/systemd",
    "/lib/systemd/systemd-logind",
    "/lib/systemd/systemd-udevd",
];

/// Of these some distributions have none, but none has an empty one.
const SETTINGS: &[&str] = &[
    "/etc/inittab",
    "/etc/rc.d/rc",
    "/etc/rc.d/rc.sysinit",
    "/etc/rc.sysinit",
    "/etc/login.defs",
    "/etc/sudoers",
    "/etc/ssh/sshd_config",
    "/etc/profile",
    "/etc/bashrc",
    "/etc/bash.bashrc",
    "/etc/shells",
    "/etc/services",
    "/etc/protocols",
];

impl Fact for EmptyFiles {
    const NAME: &'static str = "empty_files";
    const READS: &'static [&'static str] =
        &["/bin/*", "/sbin/*", "/usr/bin/*", "/usr/sbin/*", "/lib*/*", "/usr/lib*/*", "/etc/*"];

    fn collect(host: &Host) -> Reading<Self> {
        let whole = host.deep || host.target.kind != TargetKind::Live;
        let mut look = Look { host, found: Partial::default(), seen: BTreeSet::new() };
        let programs = look.places(PROGRAM_DIRECTORIES.iter().map(|d| (*d).to_owned()));
        let libraries = look.places(DIRECTORIES.iter().flatten().map(|d| (*d).to_owned()));
        if programs.is_empty() && libraries.is_empty() && look.found.unread.is_empty() {
            return Err(Missing::Absent);
        }
        for directory in &programs {
            match whole {
                true => look.list(directory, EmptyKind::Program, |name| !name.starts_with('.')),
                // One name that may not be looked at stands for all.
                false => {
                    let unread = look.found.unread.len();
                    for name in PROGRAMS {
                        look.file(&directory.join(name), EmptyKind::Program);
                        if look.found.unread.len() > unread {
                            break;
                        }
                    }
                }
            }
        }
        for path in ELSEWHERE {
            look.path(path, EmptyKind::Program);
        }
        for directory in &libraries {
            let is_library = |name: &str| name.ends_with(".so") || name.contains(".so.");
            if whole {
                look.list(directory, EmptyKind::Library, is_library);
            }
            look.list(&directory.join("security"), EmptyKind::PamModule, |name| name.ends_with(".so"));
        }
        for path in SETTINGS {
            look.path(path, EmptyKind::Setting);
        }
        look.found.items.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { files: look.found, whole })
    }
}

struct Look<'a> {
    host: &'a Host,
    found: Partial<LookedAt>,
    seen: BTreeSet<PathBuf>,
}

impl Look<'_> {
    /// The directories that these paths lead to, each once.
    fn places(&mut self, paths: impl Iterator<Item = String>) -> Vec<PathBuf> {
        let mut places = Vec::new();
        for path in paths {
            let place = resolve(&*self.host.source, Path::new(&path), true);
            let stat = place.and_then(|place| Ok((self.host.source.lstat(&place)?.kind, place)));
            match stat {
                Ok((FileKind::Directory | FileKind::Other, place)) if !places.contains(&place) => {
                    places.push(place)
                }
                Ok(_) => {}
                Err(missing) => self.found.add(Err::<Vec<_>, _>(missing)),
            }
        }
        places
    }

    fn list(&mut self, directory: &Path, kind: EmptyKind, wanted: impl Fn(&str) -> bool) {
        match self.host.source.list(directory) {
            Ok(entries) => {
                let files = entries.iter().filter(|e| matches!(e.kind, FileKind::File | FileKind::Other));
                for entry in files.filter(|entry| wanted(&entry.name.to_string_lossy())) {
                    self.file(&directory.join(&entry.name), kind);
                }
            }
            Err(missing) => self.found.add(Err::<Vec<_>, _>(missing)),
        }
    }

    fn path(&mut self, path: &str, kind: EmptyKind) {
        match resolve(&*self.host.source, Path::new(path), true) {
            Ok(place) => self.file(&place, kind),
            Err(missing) => self.found.add(Err::<Vec<_>, _>(missing)),
        }
    }

    /// A path of which no directory is a link. A link itself leads to a file that is looked at where it is.
    fn file(&mut self, path: &Path, kind: EmptyKind) {
        let stat = match self.host.source.lstat(path) {
            Ok(stat) if stat.kind == FileKind::File && self.seen.insert(path.to_owned()) => stat,
            Ok(_) => return,
            Err(missing) => return self.found.add(Err::<Vec<_>, _>(missing)),
        };
        // What is no program may be empty: a mark, a lock.
        if kind != EmptyKind::Program || stat.mode & 0o111 != 0 {
            let path = path.to_string_lossy().into_owned();
            let name = path.rsplit('/').next().unwrap_or_default().to_owned();
            self.found.items.push(LookedAt {
                at: At::file(path.as_str()),
                path,
                name,
                kind,
                empty: stat.size == 0,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn files() -> Files {
        let mut files = Files::new();
        files.link("/bin", "usr/bin").link("/lib64", "usr/lib64").link("/usr/bin/sh", "bash");
        for path in
            ["/usr/bin/bash", "/usr/bin/rare", "/usr/bin/mark", "/usr/lib64/libz.so.1.2", "/usr/lib64/notes"]
        {
            files.file(path, "");
        }
        files.mode("/usr/bin/bash", 0o755).unwrap().mode("/usr/bin/rare", 0o700).unwrap();
        files.file("/usr/lib64/security/pam_unix.so", "").file("/etc/login.defs", "").file("/etc/motd", "");
        files
    }

    fn found(files: &Files, target: Target, deep: bool) -> Vec<String> {
        let mut host = Host::new(files.clone(), target);
        host.deep = deep;
        EmptyFiles::collect(&host)
            .unwrap()
            .files
            .items
            .into_iter()
            .filter(|file| file.empty)
            .map(|file| file.path)
            .collect()
    }

    #[test]
    fn of_a_tree_everything_is_looked_at() {
        let all = [
            "/etc/login.defs",
            "/usr/bin/bash",
            "/usr/bin/rare",
            "/usr/lib64/libz.so.1.2",
            "/usr/lib64/security/pam_unix.so",
        ];
        assert_eq!(found(&files(), Target::root("x"), false), all);
        assert_eq!(found(&files(), Target::live(), true), all);
    }

    #[test]
    fn of_a_running_host_what_it_cannot_do_without() {
        let core = ["/etc/login.defs", "/usr/bin/bash", "/usr/lib64/security/pam_unix.so"];
        assert_eq!(found(&files(), Target::live(), false), core);
    }

    #[test]
    fn a_directory_that_cannot_be_listed_is_told() {
        let mut files = files();
        files.deny("/usr/lib64/security");
        let found = EmptyFiles::collect(&Host::new(files, Target::live())).unwrap();
        assert_eq!(found.files.unread.len(), 1);
    }

    #[test]
    fn a_tree_without_programs_has_none() {
        let mut files = Files::new();
        files.file("/etc/passwd", "");
        assert!(matches!(EmptyFiles::collect(&Host::new(files, Target::root("x"))), Err(Missing::Absent)));
    }
}

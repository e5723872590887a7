//! A sosreport: the part of a host that its plugins copied, and what their commands printed.
//!
//! What is not in it may well be on the host. A file is *absent* only where a plugin that ran copies that file, or
//! all of that directory, whenever it is there; anywhere else it is [`Reason::NotCollected`].

mod listing;

use super::glob::matches;
use super::{
    Entry, FileKind, Missing, Question, Reading, Reason, Source, Space, Stat, Tail, normalise, resolve,
};
use listing::Listing;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A major and a minor version of sosreport.
type Version = (u32, u32);

/// Whether the plugin of this name has copied its files.
type Ran = Box<dyn Fn(&str) -> bool>;

/// What plugins copy, if it is there: a file, or all that is below a directory. Each with the version since which it does so in all
/// later ones (`add_copy_spec` in sos/report/plugins/PLUGIN.py, tags 3.2 to 4.12 of github.com/sosreport/sos).
///
/// Not here is what may grow beyond the size that a plugin takes at most (--log-size, 25 MB for each of these): rotated logs,
/// SELinux' policies, the archive of LVM.
const COPIED: [(&str, Version, &[&str]); 47] = [
    ("apparmor", (3, 6), &["/etc/apparmor*"]),
    ("block", (3, 3), &["/proc/partitions", "/proc/diskstats"]),
    ("block", (4, 11), &["/etc/crypttab"]),
    ("cgroups", (3, 2), &["/proc/cgroups", "/sys/fs/cgroup"]),
    ("cron", (3, 2), &["/etc/cron*", "/var/spool/cron"]),
    ("crypto", (3, 9), &["/etc/crypto-policies/*", "/etc/system-fips"]),
    ("date", (3, 6), &["/etc/localtime"]),
    ("date", (4, 0), &["/etc/adjtime"]),
    ("dpkg", (4, 10), &["/etc/dpkg"]),
    ("filesys", (3, 2), &["/etc/fstab", "/proc/mounts", "/proc/filesystems"]),
    ("filesys", (3, 2), &["/proc/self/mounts", "/proc/self/mountinfo"]),
    ("filesys", (3, 9), &["/etc/mtab"]),
    ("firewalld", (3, 2), &["/etc/firewalld/firewalld.conf", "/etc/firewalld/zones"]),
    ("firewalld", (4, 6), &["/etc/firewalld/policies"]),
    ("grub2", (3, 2), &["/boot/grub2/grub.cfg", "/boot/grub2/grubenv", "/boot/grub/grub.cfg"]),
    ("grub2", (3, 2), &["/etc/default/grub", "/etc/grub.d"]),
    ("grub2", (3, 7), &["/boot/loader/entries"]),
    ("hardware", (3, 2), &["/proc/interrupts", "/proc/irq"]),
    ("kernel", (3, 2), &["/proc/cmdline", "/proc/modules", "/proc/buddyinfo", "/proc/slabinfo"]),
    ("kernel", (3, 2), &["/proc/zoneinfo", "/proc/softirqs", "/etc/modprobe.conf", "/etc/modprobe.d"]),
    ("kernel", (3, 2), &["/etc/sysctl.conf", "/etc/sysctl.d", "/lib/sysctl.d"]),
    ("kernel", (3, 2), &["/var/log/dmesg"]),
    ("kernel", (4, 3), &["/proc/pressure"]),
    ("kernel", (4, 5), &["/lib/modprobe.d", "/run/modprobe.d"]),
    ("kernel", (4, 12), &["/run/sysctl.d", "/usr/local/lib/sysctl.d"]),
    ("keyutils", (3, 6), &["/proc/key-users"]),
    ("libraries", (3, 2), &["/etc/ld.so.conf", "/etc/ld.so.conf.d"]),
    ("login", (3, 9), &["/etc/login.defs"]),
    // The newest of each: what does not fit is its beginning (`tailit`), and older ones.
    ("logs", (3, 9), &["/var/log/messages", "/var/log/kern.log", "/var/log/syslog"]),
    ("md", (3, 2), &["/proc/mdstat", "/etc/mdadm.conf"]),
    ("memory", (3, 3), &["/proc/meminfo", "/proc/vmstat", "/proc/swaps"]),
    ("memory", (4, 0), &["/sys/kernel/mm/hugepages"]),
    ("memory", (4, 10), &["/sys/kernel/mm/transparent_hugepage"]),
    ("networking", (3, 2), &["/etc/host*", "/etc/network*", "/etc/resolv.conf", "/etc/nsswitch.conf"]),
    ("networking", (3, 2), &["/proc/net", "/etc/xinetd.d"]),
    ("nginx", (3, 9), &["/etc/nginx/*"]),
    ("pam", (3, 2), &["/etc/pam.d", "/etc/security"]),
    ("process", (3, 6), &["/proc/stat"]),
    ("processor", (3, 2), &["/proc/cpuinfo"]),
    ("release", (3, 6), &["/etc/*release"]),
    ("services", (3, 7), &["/etc/inittab", "/etc/rc.d", "/etc/rc.local"]),
    ("ssh", (3, 2), &["/etc/ssh/sshd_config"]),
    ("ssh", (4, 8), &["/etc/ssh/sshd_config.d"]),
    ("sudo", (3, 7), &["/etc/sudo*"]),
    ("system", (3, 7), &["/proc/sys", "/etc/sysconfig", "/etc/default", "/etc/environment"]),
    (
        "systemd",
        (3, 6),
        &["/etc/systemd", "/lib/systemd/system", "/run/systemd/system", "/run/systemd/generator*"],
    ),
    ("sysvipc", (3, 2), &["/proc/sysvipc"]),
];

/// Directories of which every entry is there, because the plugin copies a file that each of them has; and those of logs, where what
/// is there is all that is looked for.
///
/// The last parts of paths in /sys are told without a slash before them.
const LISTED: [(&str, Version, &str); 4] = [
    ("block", (4, 0), "/sys/block"),
    ("networking", (3, 2), "/sys/class/net"),
    ("networking", (3, 6), "net/*/statistics"),
    ("logs", (3, 2), "/var/log"),
];

/// What links to that switch off what they stand for.
const MASK: &str = "/dev/null";

/// What the report has of its own.
const OWN: [&str; 4] = ["/sos_commands", "/sos_logs", "/sos_reports", "/sos_strings"];

/// sos_reports/manifest.json names every file that was copied: some MiB on large hosts.
const MANIFEST_CAP: u64 = 64 << 20;

/// No path that is asked for has more parts.
const DEEPEST: usize = 64;

/// As many links as the kernel follows.
const MOST_LINKS: u32 = 40;

/// The tree of a sosreport.
#[derive(Debug)]
pub(super) struct Sosreport {
    tree: Arc<dyn Source>,
    /// What is surely in it if the host has it, as the tree resolves it.
    copied: Vec<PathBuf>,
    listed: Vec<PathBuf>,
}

/// The part of the manifest that tells which plugins ran, since version 4.0.
#[derive(Deserialize)]
struct Manifest {
    version: String,
    #[serde(default)]
    cmdline: String,
    components: Components,
}

#[derive(Deserialize)]
struct Components {
    report: Report,
}

#[derive(Deserialize)]
struct Report {
    plugins: BTreeMap<String, Plugin>,
}

#[derive(Deserialize)]
struct Plugin {
    #[serde(default)]
    timeout_hit: bool,
}

/// The tree, with what a sosreport does not tell of a host; any other tree is left as it is.
pub(super) fn wrapped(tree: Arc<dyn Source>) -> Arc<dyn Source> {
    match tree.stat(Path::new("/sos_commands")) {
        Ok(stat) if stat.kind == FileKind::Directory => Arc::new(Sosreport::new(tree)),
        _ => tree,
    }
}

impl Sosreport {
    fn new(tree: Arc<dyn Source>) -> Self {
        let listing = Listing::of(&tree);
        let mut sosreport = Self { tree, copied: Vec::new(), listed: Vec::new() };
        sosreport.collect_plugins();
        if let Some(listing) = listing {
            sosreport.tree = Arc::new(listing);
            sosreport.copied.push(listing::BOOT.into());
        }
        sosreport
    }

    /// Notes what is surely there.
    fn collect_plugins(&mut self) {
        let Some((version, ran)) = self.plugins() else { return };
        let is_sure = |plugin: &str, since: Version| since <= version && ran(plugin);
        let copied = COPIED.iter().filter(|(plugin, since, _)| is_sure(plugin, *since));
        let copied: Vec<_> = copied
            .flat_map(|(_, _, paths)| *paths)
            .map(|path| self.leads_to(Path::new(path), true, MOST_LINKS))
            .collect();
        let listed = LISTED.iter().filter(|(plugin, since, _)| is_sure(plugin, *since));
        let listed: Vec<_> = listed.map(|(_, _, path)| PathBuf::from(path)).collect();
        (self.copied, self.listed) = (copied, listed);
    }

    /// The version, and which plugins have copied their files. None where that is not known, or files were left out on request.
    fn plugins(&self) -> Option<(Version, Ran)> {
        let text = |path: &str, cap| {
            Some(String::from_utf8_lossy(&self.tree.read(Path::new(path), cap).ok()?).into_owned())
        };
        let configured = text("/etc/sos/sos.conf", 1 << 20).unwrap_or_default();
        let skips = |text: &str| text.contains("skip-files") || text.contains("skip_files");
        if configured.lines().any(|line| !line.trim_start().starts_with(['#', ';']) && skips(line)) {
            return None;
        }
        if let Some(manifest) = text("/sos_reports/manifest.json", MANIFEST_CAP) {
            let manifest: Manifest = serde_json::from_str(&manifest).ok()?;
            if skips(&manifest.cmdline) {
                return None;
            }
            let plugins = manifest.components.report.plugins;
            let ran = move |plugin: &str| plugins.get(plugin).is_some_and(|plugin| !plugin.timeout_hit);
            return Some((version(&manifest.version)?, Box::new(ran)));
        }
        // Before 4.0 there was none. A plugin copies its files before it runs its commands.
        let told = text("/version.txt", 1 << 10)?;
        let told = told.lines().find_map(|line| line.strip_prefix("sosreport:"))?;
        let tree = self.tree.clone();
        let ran = move |plugin: &str| {
            tree.list(Path::new(&format!("/sos_commands/{plugin}"))).is_ok_and(|names| !names.is_empty())
        };
        Some((version(told)?, Box::new(ran)))
    }

    /// Where a path leads, as far as links are there to be followed.
    fn leads_to(&self, path: &Path, follow_last: bool, links_left: u32) -> PathBuf {
        if let Ok(found) = resolve(&*self.tree, path, follow_last) {
            return found;
        }
        let path = normalise(path);
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return path };
        let parent = self.leads_to(parent, true, links_left);
        let here = parent.join(name);
        match self.tree.read_link(&here) {
            Ok(target) if follow_last && links_left > 0 => {
                self.leads_to(&normalise(&parent.join(target)), true, links_left - 1)
            }
            _ => here,
        }
    }

    /// What is not there is not on the host either only where it would have been copied.
    fn why(&self, path: &Path, follow_last: bool) -> Missing {
        if path.components().count() > DEEPEST {
            return not_collected(path);
        }
        match self.is_copied(&self.leads_to(path, follow_last, MOST_LINKS)) {
            true => Missing::Absent,
            false => not_collected(path),
        }
    }

    fn is_copied(&self, path: &Path) -> bool {
        // Links to it mask units and settings, as in any tree without devices.
        path == Path::new(MASK)
            || self.copied.iter().any(|copied| {
                let first: PathBuf = path.components().take(copied.components().count()).collect();
                matches(&copied.to_string_lossy(), &first.to_string_lossy())
            })
    }

    fn is_listed(&self, place: &Path) -> bool {
        self.listed.iter().any(|listed| match listed.is_absolute() {
            true => listed == place,
            false => {
                let skipped = place.components().count().saturating_sub(listed.components().count());
                let last: PathBuf = place.components().skip(skipped).collect();
                place.starts_with("/sys") && matches(&listed.to_string_lossy(), &last.to_string_lossy())
            }
        })
    }

    fn told<T>(&self, found: Reading<T>, path: &Path, follow_last: bool) -> Reading<T> {
        match found {
            Err(Missing::Absent) => Err(self.why(path, follow_last)),
            found => found,
        }
    }

    /// A file that nobody may read by its mode, as /etc/shadow of Red Hat, is put there without its contents.
    fn whole(&self, path: &Path, stat: Stat) -> Reading<Stat> {
        match stat.kind == FileKind::File && stat.size == 0 && stat.mode & 0o444 == 0 {
            true => Err(not_collected(path)),
            false => Ok(stat),
        }
    }

    /// What a read of a file gave; what is empty may have been left out.
    fn contents<T>(&self, found: Reading<T>, path: &Path, is_empty: bool) -> Reading<T> {
        if is_empty && let Ok(stat) = self.tree.stat(path) {
            self.whole(path, stat)?;
        }
        self.told(found, path, true)
    }
}

fn not_collected(path: &Path) -> Missing {
    Missing::unreadable(path, Reason::NotCollected)
}

/// `4.5` of `4.5.3`.
fn version(text: &str) -> Option<Version> {
    let mut numbers = text.trim().split('.').map(|part| {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        part.get(..digits)?.parse().ok()
    });
    Some((numbers.next()??, numbers.next().flatten().unwrap_or(0)))
}

impl Source for Sosreport {
    fn read(&self, path: &Path, cap: u64) -> Reading<Vec<u8>> {
        let found = self.tree.read(path, cap);
        let is_empty = found.as_ref().is_ok_and(Vec::is_empty);
        self.contents(found, path, is_empty)
    }

    fn read_tail(&self, path: &Path, cap: u64) -> Reading<Tail> {
        let found = self.tree.read_tail(path, cap);
        let is_empty = found.as_ref().is_ok_and(|tail| tail.bytes.is_empty());
        self.contents(found, path, is_empty)
    }

    fn stream(&self, path: &Path) -> Reading<Box<dyn Read + Send>> {
        let found = self.tree.stream(path);
        self.contents(found, path, true)
    }

    fn read_at(&self, path: &Path, offset: u64, length: usize) -> Reading<Vec<u8>> {
        let found = self.tree.read_at(path, offset, length);
        let is_empty = found.as_ref().is_ok_and(Vec::is_empty);
        self.contents(found, path, is_empty)
    }

    fn list(&self, path: &Path) -> Reading<Vec<Entry>> {
        let entries = self.told(self.tree.list(path), path, true)?;
        let place = self.leads_to(path, true, MOST_LINKS);
        let is_own = OWN.iter().any(|own| place.starts_with(own));
        match is_own || self.is_listed(&place) || self.is_copied(&place) {
            true => Ok(entries),
            // Others may be there that were not copied.
            false => Err(not_collected(path)),
        }
    }

    fn stat(&self, path: &Path) -> Reading<Stat> {
        let stat = self.told(self.tree.stat(path), path, true)?;
        self.whole(path, stat)
    }

    fn lstat(&self, path: &Path) -> Reading<Stat> {
        let stat = self.told(self.tree.lstat(path), path, false)?;
        self.whole(path, stat)
    }

    /// Absolute links were made relative when they were copied; that to a mask is told as it was, for that is how it is known.
    fn read_link(&self, path: &Path) -> Reading<PathBuf> {
        let target = self.told(self.tree.read_link(path), path, false)?;
        match target.ends_with("dev/null") && self.leads_to(path, true, MOST_LINKS) == Path::new(MASK) {
            true => Ok(MASK.into()),
            false => Ok(target),
        }
    }

    fn statvfs(&self, path: &Path) -> Reading<Space> {
        self.tree.statvfs(path)
    }

    fn ask(&self, question: Question) -> Reading<Vec<u8>> {
        self.tree.ask(question)
    }

    fn bytes_read(&self) -> Option<u64> {
        self.tree.bytes_read()
    }
}

#[cfg(test)]
mod tests;

//! Kernel parameters: what runs, what the next boot will set, and what the kernel sets by itself.

mod conf;
mod documented;
mod order;
mod running;
mod same;
#[cfg(test)]
mod tests;

use super::Fact;
use crate::model::{Field, Lazy, Located, Map, Partial, Text, Type, View};
use crate::source::glob;
use crate::source::{At, Host, Missing, Reading, Unreadable};
use crate::{record, word};
use conf::{Line, key_of, path_of};
use documented::{Version, documented};
use elsa::sync::FrozenMap;
use order::Persisted;
use running::Running;
use same::{normalise, same};
use std::sync::Arc;

record! {
    /// Kernel parameters: `sysctl['vm.swappiness']`.
    ///
    /// ```text
    /// /proc/sys/vm/swappiness       60
    /// /etc/sysctl.d/90-tune.conf    # comment
    ///                               vm.swappiness = 10
    ///                               -net.ipv4.conf.*.rp_filter = 2
    ///                               -net.ipv4.conf.all.rp_filter
    /// ```
    ///
    /// Source: sysctl(8), sysctl.d(5), proc_sys(5). The running value of a key is read when it is asked for.
    /// The persisted one is judged as systemd-sysctl applies the files: all of /etc, /run, /usr/local/lib, /usr/lib
    /// and /lib sysctl.d in one order by name, a name in an earlier directory hiding the later ones; an explicit
    /// assignment (or exclusion) overrules every glob; of several the last line wins. `sysctl.KEY=` of the running
    /// kernel's command line comes before all files. On a host without systemd-sysctl (`applied_by` is `procps`)
    /// /etc/sysctl.conf is read after all others, as `sysctl --system` does; with it, only where a link such as
    /// /etc/sysctl.d/99-sysctl.conf leads to it. Not seen: what services (tuned, dockerd, ufw) set later.
    #[bare(keys)]
    pub struct Sysctl {
        /// The keys: any that the kernel has may be asked for, the names listed are the persisted ones.
        pub keys: Keys,
        /// All persisted assignments, in order of application. Exclusions (`-key` without `=`) are not among them.
        pub assignments: Partial<SysctlAssignment>,
        /// The files that are applied, in order; masked ones are not among them.
        pub files: Partial<SysctlFile>,
        /// Lines of these files that no sysctl program can use, and what stands in a file's place.
        pub malformed: Partial<MalformedSysctl>,
        /// The assignments in /etc/sysctl.conf, where systemd-sysctl applies the files and no link leads to that one:
        /// they have no effect at boot, only `sysctl -p` and `sysctl --system` read them.
        pub ignored: Vec<IgnoredSysctl>,
        /// Which program applies the files at boot.
        pub applied_by: Reading<Applier>,
        /// Whether a key that cannot be found is one that the running kernel does not have. False where no kernel runs,
        /// and in a tree with a copy of /proc, which need not have copied all of it.
        pub complete: bool,
    }
}

word! {
    /// Which program applies sysctl.d at boot.
    pub enum Applier {
        /// systemd-sysctl.service.
        SystemdSysctl = "systemd-sysctl",
        /// An init script, with `sysctl --system` or `sysctl -p` of procps or busybox.
        Procps = "procps",
    }
}

record! {
    /// One kernel parameter; absent where nothing at all is known of such a key.
    #[bare(value)]
    pub struct SysctlKey {
        /// The key with dots; a slash stands for a dot within a part: `net.ipv4.conf.eth0/100.rp_filter`.
        pub key: String,
        /// The value: the running one where a kernel runs; else the persisted one, else the documented default
        /// (then `assumed` is true). Absent: this kernel has no such key, or nothing is known. One blank between fields.
        pub value: Reading<Located<Text>>,
        /// The running kernel's value. Absent: no kernel runs, or it has no such key.
        pub running: Reading<Located<Text>>,
        /// The value that the next boot sets. Absent: none is persisted. Unreadable: a file or directory that could
        /// overrule what was found cannot be read.
        pub persisted: Reading<Located<Text>>,
        /// File and line of the persisted value.
        pub persisted_at: Reading<At>,
        /// The kernel's documented default for the kernel version at hand (the running one, else the newest of
        /// /lib/modules). Absent where it is not documented as one value: many depend on the size of memory.
        pub default: Option<Text>,
        /// Whether `value` is the documented default, for want of anything better.
        pub assumed: bool,
        /// The fields of `value`, split at blanks: the two ports of net.ipv4.ip_local_port_range.
        pub fields: Reading<Located<Vec<Text>>>,
        /// Assignments of this key that the persisted value overrules, in order of application.
        pub shadowed: Vec<ShadowedSysctl>,
        /// The kernel version that no longer has this key, such as `4.12`; absent for all others.
        pub removed_in: Option<String>,
        /// Whether the kernel at hand is of that version or later; absent where `removed_in` is, or no kernel is known.
        pub removed: Option<bool>,
    }
}

record! {
    /// One assignment of a sysctl.d file.
    pub struct SysctlAssignment {
        /// The key with dots, as in `sysctl[key]`.
        pub key: String,
        /// The value as it is written, one blank between fields; quotes are part of it.
        pub value: Text,
        /// Whether the key is a glob that stands for many.
        pub glob: bool,
        /// Whether this line decides over its key: no later one assigns or excludes it.
        pub wins: Reading<bool>,
        /// File and line of the assignment that wins, which may be this one; absent where an exclusion does.
        pub winner: Reading<At>,
        /// The value that wins.
        pub winning_value: Reading<Located<Text>>,
        /// Whether a `-` before the key says that a failure to set it does not matter.
        pub ignore_failure: bool,
        /// The running kernel's value of the key. Absent: no kernel runs, it has no such key, or this is a glob.
        pub running: Lazy<Located<Text>>,
        /// Whether the running value is what this assignment sets: compared field by field, numbers as numbers
        /// in any notation, lists of ports or CPUs as sets. Absent as `running`.
        pub in_force: Lazy<bool>,
        /// File and line; links are followed, so this is the file to edit.
        pub at: At,
    }
}

record! {
    /// An assignment that another one overrules.
    #[derive(Clone, PartialEq)]
    #[bare(value)]
    pub struct ShadowedSysctl {
        /// Its value.
        pub value: Text,
        /// File and line.
        pub at: At,
    }
}

record! {
    /// An assignment that nothing reads at boot.
    #[derive(Clone, PartialEq)]
    pub struct IgnoredSysctl {
        /// The key with dots.
        pub key: String,
        /// The value it would set.
        pub value: Text,
        /// File and line.
        pub at: At,
    }
}

record! {
    /// A file that is applied.
    #[derive(Clone, PartialEq)]
    pub struct SysctlFile {
        /// Its path, links followed.
        pub path: String,
        /// Its lines that no sysctl program can use.
        pub malformed: Vec<MalformedSysctl>,
        /// The file.
        pub at: At,
    }
}

record! {
    /// A line that no sysctl program can use.
    #[derive(Clone, PartialEq)]
    pub struct MalformedSysctl {
        /// The line, its first 200 characters; empty where the whole file is meant.
        pub text: String,
        /// What is wrong with it, in words that follow "the line".
        pub reason: String,
        /// File and line.
        pub at: At,
    }
}

/// The keys, each looked up when a rule asks for it, and once.
#[derive(Debug)]
pub struct Keys {
    known: Arc<Known>,
    names: Vec<String>,
    unread: Vec<Unreadable>,
    found: FrozenMap<String, Box<Reading<SysctlKey>>>,
}

const PROC_VERSION: &str = "/proc/version";

/// What every key and assignment is answered from.
#[derive(Debug)]
struct Known {
    persisted: Persisted,
    running: Running,
    kernel: Option<Version>,
}

impl Fact for Sysctl {
    const NAME: &'static str = "sysctl";
    const READS: &'static [&'static str] = &[
        "/proc/sys/*",
        "/etc/sysctl.d/*.conf",
        "/run/sysctl.d/*.conf",
        "/usr/local/lib/sysctl.d/*.conf",
        "/usr/lib/sysctl.d/*.conf",
        "/lib/sysctl.d/*.conf",
        order::SYSCTL_CONF,
        "/proc/cmdline",
        PROC_VERSION,
        "/lib/modules",
        order::SYSTEMD_SYSCTL[0],
        running::SOS_SYSCTL_A,
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let applied_by = order::applier(host);
        let persisted = Persisted::gather(host, &applied_by);
        let running = Running::new(host);
        let known = Arc::new(Known { kernel: kernel(host, &running), persisted, running });
        let persisted = &known.persisted;
        let unread: Vec<_> = persisted.unread.iter().map(|(_, why)| why.clone()).collect();
        let ignored = persisted.ignored.iter().filter_map(|line| {
            let (key, at) = (key_of(&line.path), line.at.clone());
            Some(IgnoredSysctl { key, value: text_of(line)?, at })
        });
        Ok(Self {
            assignments: Partial {
                items: persisted.lines.iter().filter_map(|line| assignment(&known, line)).collect(),
                unread: unread.clone(),
            },
            malformed: Partial {
                items: persisted.files.iter().flat_map(|file| &file.malformed).cloned().collect(),
                unread: unread.clone(),
            },
            files: Partial { items: persisted.files.clone(), unread: unread.clone() },
            ignored: ignored.collect(),
            applied_by,
            complete: known.running.knows_every_key(),
            keys: Keys { names: persisted.names(), unread, known, found: FrozenMap::new() },
        })
    }
}

/// The version of the kernel that runs here or, where none does, of the newest that is installed.
fn kernel(host: &Host, running: &Running) -> Option<Version> {
    let version = |release: &str| {
        let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    if let Ok(release) = running.read("kernel/osrelease") {
        return version(&release.value.0);
    }
    // Trees that copy little of /proc/sys often have this: `Linux version 6.1.0-28-amd64 (…)`.
    if let Some(found) = host.read_text(PROC_VERSION).ok().and_then(|text| version(text.split(' ').nth(2)?)) {
        return Some(found);
    }
    host.names("/lib/modules").ok()?.iter().filter_map(|release| version(release)).max()
}

fn text_of(line: &Line) -> Option<Text> {
    line.value.as_deref().map(|value| Text(normalise(value)))
}

fn located(line: &Line) -> Reading<Located<Text>> {
    let value = text_of(line).ok_or(Missing::Absent)?;
    Ok(Located { value, at: line.at.clone() })
}

fn assignment(known: &Arc<Known>, line: &Line) -> Option<SysctlAssignment> {
    let value = text_of(line)?;
    let winner = known.persisted.decides(&line.path);
    let glob = glob::is_glob(&line.path);
    let running = {
        let (known, path) = (Arc::clone(known), line.path.clone());
        move || if glob { Err(Missing::Absent) } else { known.running.read(&path) }
    };
    let in_force = {
        let (running, value) = (running.clone(), value.clone());
        move || Ok(same(&value.0, &running()?.value.0))
    };
    Some(SysctlAssignment {
        key: key_of(&line.path),
        value,
        glob,
        wins: winner.clone().map(|winner| winner.at == line.at),
        winner: winner
            .clone()
            .and_then(|winner| winner.value.as_ref().map(|_| winner.at.clone()).ok_or(Missing::Absent)),
        winning_value: winner.and_then(located),
        ignore_failure: line.ignore_failure,
        running: Lazy::new(running),
        in_force: Lazy::new(in_force),
        at: line.at.clone(),
    })
}

impl Known {
    fn key(&self, path: &str) -> Reading<SysctlKey> {
        let key = key_of(path);
        let running = self.running.read(path);
        let (winner, shadowed) = self.persisted.lookup(path);
        let shadowed = shadowed
            .into_iter()
            .filter_map(|line| Some(ShadowedSysctl { value: text_of(line)?, at: line.at.clone() }))
            .collect();
        let persisted_at = winner.clone().map(|line| line.at.clone());
        let persisted = winner.and_then(located);
        let documented = documented(&key);
        let removed_in = documented.and_then(|d| d.removed_in);
        let removed = removed_in.and_then(|removed| self.kernel.map(|kernel| kernel >= removed));
        let default = documented.and_then(|d| {
            let value = Text(d.default(self.kernel)?.to_owned());
            Some(Located { value, at: At::file(d.source) })
        });
        let absent = |reading: &Reading<Located<Text>>| *reading == Err(Missing::Absent);
        if absent(&running) && absent(&persisted) && default.is_none() && removed_in.is_none() {
            return Err(Missing::Absent);
        }
        let has_no_such_key = self.running.knows_every_key() || removed == Some(true);
        let (value, assumed) = match (&running, &persisted, &default) {
            (Err(Missing::Absent), _, _) if has_no_such_key => (Err(Missing::Absent), false),
            (Err(Missing::Absent), Err(Missing::Absent), Some(default)) => (Ok(default.clone()), true),
            (Err(Missing::Absent), _, _) => (persisted.clone(), false),
            _ => (running.clone(), false),
        };
        let fields = value.clone().map(|Located { value, at }| Located {
            value: value.0.split_whitespace().map(|field| Text(field.to_owned())).collect(),
            at,
        });
        Ok(SysctlKey {
            key,
            value,
            running,
            persisted,
            persisted_at,
            default: default.map(|d| d.value),
            assumed,
            fields,
            shadowed,
            removed_in: removed_in.map(|(major, minor)| format!("{major}.{minor}")),
            removed,
        })
    }
}

impl Keys {
    /// The key of this name, with dots or as a path below /proc/sys.
    pub fn key(&self, name: &str) -> Result<&SysctlKey, Missing> {
        let path = path_of(name);
        let found = match self.found.get(&path) {
            Some(found) => found,
            None => self.found.insert(path.clone(), Box::new(self.known.key(&path))),
        };
        found.as_ref().map_err(Clone::clone)
    }
}

impl Field for Keys {
    const TYPE: Type = Type::Map(&<SysctlKey as Field>::TYPE);

    fn view(&self) -> Reading<View<'_>> {
        Ok(View::Map(self))
    }
}

impl Map for Keys {
    fn get(&self, key: &str) -> Reading<View<'_>> {
        Ok(View::Record(self.key(key)?))
    }

    fn keys(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }

    fn unread(&self) -> &[Unreadable] {
        &self.unread
    }
}

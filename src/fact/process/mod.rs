//! The processes that run: one pass over /proc, and what costs more only when it is asked for.

mod fds;
mod limits;
mod stat;
#[cfg(test)]
mod tests;

use super::Fact;
use crate::model::{Lazy, Partial};
use crate::record;
use crate::source::{At, Host, Missing, Reading, Reason, Source, TargetKind, Unreadable, text};
pub use fds::Fds;
pub use limits::ProcessLimits;
use stat::Stat;
use std::path::{Path, PathBuf};
use std::sync::Arc;

record! {
    /// The processes of the host.
    ///
    /// ```text
    /// /proc/22347/stat     22347 (prometheus) S 1 22347 22347 0 -1 1077936384 …
    /// /proc/22347/cgroup   0::/system.slice/prometheus.service
    /// /proc/22347/limits   Max open files            1024                 4096                 files
    /// ```
    ///
    /// Source: proc_pid_stat(5), proc_pid_status(5), proc_pid_fd(5), proc_pid_limits(5), cgroups(7).
    /// A process that ends while it is looked at is not listed, or what is asked of it later is absent.
    /// Absent where no kernel runs.
    #[bare(list)]
    pub struct Process {
        /// Every process, by pid; kernel threads too. Not all where /proc is mounted with `hidepid`.
        pub list: Partial<ProcessEntry>,
    }
}

record! {
    /// A process.
    pub struct ProcessEntry {
        /// Its number.
        pub pid: u32,
        /// The number of its parent; 0 for the first ones.
        pub ppid: u32,
        /// Its name as the kernel keeps it, of at most 15 bytes.
        pub comm: String,
        /// One letter: R running, S sleeping, D waiting without interruption, T stopped, Z zombie, I idle kernel thread, …
        pub state: String,
        /// The number of its threads.
        pub threads: u32,
        /// When it was started, in seconds after the boot.
        pub start_seconds: f64,
        /// Whether it is a thread of the kernel itself, which has no files, limits or command line to speak of.
        pub kernel_thread: bool,
        /// Its command line, arguments joined by blanks, at most 4096 bytes of it; the name in brackets where there is none.
        pub command: Lazy<String>,
        /// The effective user id it runs with.
        pub uid: Lazy<u32>,
        /// Memory of its own and shared that is in RAM, in KiB (VmRSS); absent for kernel threads and zombies.
        pub rss_kib: Lazy<u64>,
        /// The unit it belongs to, such as `prometheus.service` or `session-3.scope`: the last part of the path of its
        /// cgroup that is one. Absent where there is none.
        pub unit: Lazy<String>,
        /// The path of its executable; ends in ` (deleted)` where that is gone. Absent for kernel threads.
        pub exe: Lazy<String>,
        /// How many file descriptors it has open.
        pub fd_count: Lazy<u64>,
        /// Its resource limits.
        pub limits: Lazy<ProcessLimits>,
        /// What its file descriptors lead to. Costs a look at each, up to 20 000 of a process.
        pub fds: Lazy<Fds>,
        /// Its directory in /proc.
        pub at: At,
    }
}

impl Fact for Process {
    const NAME: &'static str = "process";
    const READS: &'static [&'static str] = &[
        "/proc/PID/stat",
        "/proc/PID/status",
        "/proc/PID/cmdline",
        "/proc/PID/cgroup",
        "/proc/PID/limits",
        "/proc/PID/exe",
        "/proc/PID/fd",
        "/proc/mounts",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        if !host.is_running() {
            return Err(Missing::Absent);
        }
        let mut pids: Vec<u32> = host.names("/proc")?.iter().filter_map(|n| n.parse().ok()).collect();
        pids.sort_unstable();
        let kernel = matches!(host.target.kind, TargetKind::Live | TargetKind::Capture);
        let mut list = Partial::default();
        let mut unread = Vec::new();
        for pid in &pids {
            let place = Arc::new(Place { source: host.source.clone(), pid: *pid, kernel });
            match place.text("stat").and_then(|text| place.parse("stat", stat::parse(&text))) {
                Ok(stat) => list.items.push(entry(&place, stat)),
                Err(Missing::Absent) => {}
                Err(Missing::Unreadable(why)) => unread.push(why),
            }
        }
        list.unread.extend(summary(unread, pids.len()));
        if !pids.contains(&1) {
            list.unread.extend(hidden(host));
        }
        Ok(Self { list })
    }
}

/// A process's directory in /proc.
#[derive(Debug)]
struct Place {
    source: Arc<dyn Source>,
    pid: u32,
    /// Whether stat(2) answers as the kernel does; in a mere copy of /proc a directory has a size of its own.
    kernel: bool,
}

/// More than the largest file that is read there whole; a command line may be longer, and is then unreadable.
const CAP: u64 = 2 << 20;

impl Place {
    fn path(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.pid)
    }

    fn text(&self, name: &str) -> Reading<String> {
        self.source.read(Path::new(&self.path(name)), CAP).map(text)
    }

    fn link(&self, name: &str) -> Reading<PathBuf> {
        self.source.read_link(Path::new(&self.path(name)))
    }

    fn parse<T>(&self, name: &str, found: Option<T>) -> Reading<T> {
        // An empty file is what a process gives that has just ended.
        found.ok_or_else(|| Missing::garbled(self.path(name), "does not look like that file of proc(5)"))
    }

    /// A field of /proc/PID/status: `VmRSS:     1234 kB`.
    fn status<'a>(status: &'a str, key: &str) -> Option<&'a str> {
        status.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(':')).map(str::trim)
    }
}

fn entry(place: &Arc<Place>, stat: Stat) -> ProcessEntry {
    fn lazy<T>(
        place: &Arc<Place>,
        read: impl Fn(&Place) -> Reading<T> + Send + Sync + 'static,
    ) -> Lazy<T> {
        let place = place.clone();
        Lazy::new(move || read(&place))
    }
    let kernel_thread = stat.kernel_thread;
    let comm = stat.comm.clone();
    ProcessEntry {
        pid: place.pid,
        ppid: stat.ppid,
        state: stat.state.to_string(),
        threads: stat.threads,
        start_seconds: stat.start_seconds,
        kernel_thread,
        command: lazy(place, move |p| Ok(command(&p.text("cmdline")?, &comm))),
        uid: lazy(place, |p| {
            let status = p.text("status")?;
            // Real, effective, saved and file-system uid.
            let uid = Place::status(&status, "Uid").and_then(|v| v.split_ascii_whitespace().nth(1));
            p.parse("status", uid.and_then(|u| u.parse().ok()))
        }),
        rss_kib: lazy(place, |p| {
            let status = p.text("status")?;
            let rss = Place::status(&status, "VmRSS").ok_or(Missing::Absent)?;
            p.parse("status", rss.split(' ').next().and_then(|n| n.parse().ok()))
        }),
        unit: lazy(place, |p| unit(&p.text("cgroup")?).ok_or(Missing::Absent)),
        exe: lazy(place, |p| p.link("exe").map(|path| path.to_string_lossy().into_owned())),
        fd_count: lazy(place, move |p| if kernel_thread { Ok(0) } else { fds::count(p) }),
        limits: lazy(place, |p| p.parse("limits", limits::parse(&p.text("limits")?))),
        fds: lazy(place, fds::look),
        at: At::file(format!("/proc/{}", place.pid)),
        comm: stat.comm,
    }
}

/// The command line as people write it.
fn command(cmdline: &str, comm: &str) -> String {
    let arguments = cmdline.trim_end_matches('\0').replace('\0', " ");
    if arguments.trim().is_empty() {
        return format!("[{comm}]");
    }
    let end = (0..=arguments.len().min(4096)).rev().find(|end| arguments.is_char_boundary(*end));
    arguments[..end.unwrap_or(0)].to_owned()
}

/// The unit of a process, from its cgroups: `0::/system.slice/a.service`, or `1:name=systemd:/…` with cgroup v1.
fn unit(cgroups: &str) -> Option<String> {
    const KINDS: [&str; 5] = [".service", ".scope", ".socket", ".mount", ".swap"];
    let paths = cgroups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let controllers = fields.next()?;
        let path = fields.next()?;
        matches!(controllers, "" | "name=systemd").then_some(path)
    });
    paths
        .filter_map(|path| path.rsplit('/').find(|part| KINDS.iter().any(|kind| part.ends_with(kind))))
        .map(str::to_owned)
        .next()
}

/// Processes that could not be read, as one reason: with `hidepid` there are as many as processes.
fn summary(unread: Vec<Unreadable>, all: usize) -> Option<Unreadable> {
    let count = unread.len();
    let first = unread.into_iter().next()?;
    if count == 1 {
        return Some(first);
    }
    let reason = Reason::NotRead(format!("{} for {count} of {all} processes", first.reason));
    Some(Unreadable { path: "/proc/PID/stat".into(), reason })
}

/// Why process 1 is not to be seen: /proc is mounted with an option that hides others' processes.
///
/// Every pid namespace has a process 1, and whoever may see it, as root or by `gid=`, sees all.
fn hidden(host: &Host) -> Option<Unreadable> {
    let mounts = host.read_text("/proc/mounts").ok()?;
    let options = mounts.lines().rev().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        (fields.next()? == "/proc" && fields.next()? == "proc").then(|| fields.next())?
    })?;
    let option = options
        .split(',')
        .find(|o| matches!(*o, "hidepid=2" | "hidepid=invisible" | "hidepid=4" | "hidepid=ptraceable"))?;
    let what = format!("is mounted with {option}: the processes of other users are not to be seen");
    Some(Unreadable { path: "/proc".into(), reason: Reason::NotRead(what) })
}

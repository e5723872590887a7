//! The processes that run: one pass over /proc, and what costs more only when it is asked for.

mod clock;
mod deleted;
mod fds;
mod inotify;
mod limits;
mod maps;
mod place;
mod rates;
mod stat;
mod status;
#[cfg(test)]
mod tests;
mod threads;
mod users;

use super::Fact;
use crate::format::printed_processes;
use crate::model::{Lazy, Partial, Sampled};
use crate::record;
use crate::source::{
    At, Host, Missing, Optional, ProcessLine, Reading, Reason, TargetKind, Unreadable, parallel,
};
use clock::Clock;
use deleted::Deleted;
pub use deleted::DeletedFiles;
pub use fds::Fds;
pub use inotify::{InotifyHolder, InotifyUser};
pub use limits::ProcessLimits;
use place::{Place, garbled};
use stat::TICKS_PER_SECOND;
use std::collections::HashMap;
use std::sync::Arc;
pub use threads::BusyProgram;
use users::Names;
pub use users::ProcessUser;

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
    /// A process that ends while it is looked at is not listed, or what is asked of it later is absent. A sosreport has them
    /// printed by ps(1): what that does not tell was not collected.
    /// Absent where no kernel runs.
    #[bare(list)]
    pub struct Process {
        /// Every process, by pid; kernel threads too. Not all where /proc is mounted with `hidepid`.
        pub list: Partial<ProcessEntry>,
        /// The programs that make the load: those with threads that run or wait without interruption, the most first. Looks
        /// at every thread.
        pub busy: Lazy<Vec<BusyProgram>>,
        /// The users that the processes run as, by number. Not all where the list is not whole.
        pub users: Lazy<Partial<ProcessUser>>,
        /// The users of inotify, by number. Looks at the descriptors of every process.
        pub inotify: Lazy<Partial<InotifyUser>>,
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
        /// How many of its children have ended, and it has not taken note of them: zombies.
        pub zombies: u32,
        /// When it was started, in seconds after the boot.
        /// Not where ps printed the rest, in a sosreport.
        pub start_seconds: Reading<f64>,
        /// How long ago it was started, in whole seconds.
        pub age_seconds: Lazy<u64>,
        /// CPU time it has used, with that of children it has waited for left out, in seconds.
        pub cpu_seconds: f64,
        /// CPU time it used in the sample, in percent of one CPU: with threads on several it may be more than 100. Absent
        /// for a process that is new.
        pub cpu_percent: Lazy<Sampled<f64>>,
        /// Bytes it has had read from storage, children that it has waited for included; what it found in the cache is not.
        /// Told to its own user and root only.
        pub read_bytes: Lazy<u64>,
        /// Bytes it has had written to storage, or will have once the cache is written back; likewise.
        pub write_bytes: Lazy<u64>,
        /// `read_bytes` per second of the sample. A child that ended in it brings all that it ever read.
        pub read_bytes_per_s: Lazy<Sampled<f64>>,
        /// `write_bytes` per second of the sample; likewise.
        pub write_bytes_per_s: Lazy<Sampled<f64>>,
        /// Its address space, used or not, in KiB.
        pub virtual_kib: u64,
        /// Memory of its own and shared that is in RAM, in pages, of 4 KiB on most architectures and wherever ps printed it; `rss_kib`
        /// without a further look.
        pub rss_pages: u64,
        /// Whether it is a thread of the kernel itself, which has no files, limits or command line to speak of.
        pub kernel_thread: bool,
        /// Its command line, arguments joined by blanks, at most 4096 bytes of it; the name in brackets where there is none.
        pub command: Lazy<String>,
        /// The effective user id it runs with.
        pub uid: Lazy<u32>,
        /// The name of that user in /etc/passwd; the number where it has none there, as users of a directory service.
        pub user: Lazy<String>,
        /// Memory of its own and shared that is in RAM, in KiB (VmRSS); absent for kernel threads and zombies.
        pub rss_kib: Lazy<u64>,
        /// Memory of its own that is swapped out, in KiB (VmSwap); absent for kernel threads and zombies.
        pub swap_kib: Lazy<u64>,
        /// Whether it is of a PID namespace below the one that /proc shows, as those of containers are: its files are then
        /// others than the host's. Absent before Linux 4.1.
        pub in_container: Lazy<bool>,
        /// Whether it has not given up transparent huge pages for itself, prctl(2) PR_SET_THP_DISABLE. Absent before Linux 5.0.
        pub thp_enabled: Lazy<bool>,
        /// The user id it was started with, which is the one that limits of users count for.
        pub real_uid: Lazy<u32>,
        /// The function of the kernel that it waits in; where ps printed it, 20 letters of it. Absent where it does not wait, or the
        /// kernel does not tell.
        pub wchan: Lazy<String>,
        /// What is added to its badness when memory is out: -1000 (never killed) to 1000.
        pub oom_score_adj: Lazy<i32>,
        /// The unit it belongs to, such as `prometheus.service` or `session-3.scope`: the last part of the path of its
        /// cgroup that is one. Absent where there is none.
        pub unit: Lazy<String>,
        /// The path of its executable; ends in ` (deleted)` where that is gone. Absent for kernel threads.
        pub exe: Lazy<String>,
        /// Whether its executable has been deleted or replaced since it was started. Absent for kernel threads.
        pub deleted_exe: Lazy<bool>,
        /// Libraries and programs that it runs code of, and that have been deleted or replaced. Its mappings are looked at only
        /// if the linker's cache or the database of packages has changed since it was started, or there are none of these.
        pub deleted_libraries: Lazy<Vec<String>>,
        /// How many mappings its address space has, which vm.max_map_count limits. To read them holds the process up.
        pub map_count: Lazy<u64>,
        /// How many file descriptors it has open.
        pub fd_count: Lazy<u64>,
        /// Its resource limits.
        pub limits: Lazy<ProcessLimits>,
        /// What its file descriptors lead to. Costs a look at each, or at a sample of some 2 000.
        pub fds: Lazy<Fds>,
        /// The deleted files that it has open. Looks at the descriptors of every process.
        pub deleted: Lazy<DeletedFiles>,
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
        "/proc/PID/fdinfo/FD",
        "/proc/PID/mountinfo",
        "/proc/PID/ns/user",
        "/proc/PID/maps",
        "/proc/PID/wchan",
        "/proc/PID/oom_score_adj",
        "/proc/PID/io",
        "/proc/PID/task/TID/stat",
        "/proc/mounts",
        "/proc/uptime",
        "/proc/stat",
        "/etc/passwd",
        "/etc/nsswitch.conf",
        "/usr/lib/passwd",
        "/etc/ld.so.cache",
        "/var/lib/dpkg/status",
        "/var/lib/rpm/rpmdb.sqlite",
        "/var/lib/rpm/Packages",
        "/usr/lib/sysimage/rpm",
        "/var/lib/pacman/local",
        "/lib/apk/db/installed",
        printed_processes::LONG,
        printed_processes::GROUPS,
        users::PRINTED,
    ];

    const COUNTERS: &'static [&'static str] = &["/proc/PID/stat", "/proc/PID/io"];

    fn collect(host: &Host) -> Reading<Self> {
        if !host.is_running() {
            return Err(Missing::Absent);
        }
        let lines = match host.processes() {
            Err(missing) if missing.is_not_collected() => return printed(host, missing),
            lines => lines?,
        };
        let kernel = host.target.kind == TargetKind::Live;
        let mut places = Vec::with_capacity(lines.len());
        let mut unread = Vec::new();
        let stats = parallel::map(lines, parallel::READS, |ProcessLine { pid, stat }| {
            let whole = |text: &String| garbled(&format!("/proc/{pid}/stat"), stat::parse(text));
            stat.as_ref().map_err(Clone::clone).and_then(whole)
        });
        for (ProcessLine { pid, .. }, stat) in lines.iter().zip(stats) {
            if let Some(stat) = stat.noted(&mut unread) {
                places.push(Arc::new(Place::new(host, *pid, kernel, stat)));
            }
        }
        let mut process = of(host, places);
        process.list.unread.extend(summary("stat", unread, lines.len()));
        if !lines.iter().any(|line| line.pid == 1) {
            process.list.unread.extend(hidden(host));
        }
        Ok(process)
    }
}

/// What was printed, where the directories of /proc were not collected.
fn printed(host: &Host, missing: Missing) -> Reading<Process> {
    match printed_processes::list(host) {
        Err(elsewhere) if elsewhere.is_elsewhere() => Err(missing),
        list => {
            let places = list?.into_iter().map(|process| Arc::new(Place::printed(host, process)));
            Ok(of(host, places.collect()))
        }
    }
}

fn of(host: &Host, places: Vec<Arc<Place>>) -> Process {
    let mut zombies: HashMap<u32, u32> = HashMap::new();
    for place in places.iter().filter(|place| place.stat.state == 'Z') {
        *zombies.entry(place.stat.ppid).or_default() += 1;
    }
    let clock = Arc::new(Clock::new(host.clone()));
    let places: Arc<[Arc<Place>]> = places.into();
    let deleted = Arc::new(Deleted::new(places.clone()));
    let names = Arc::new(Names::new(host.clone()));
    let entries = places.iter().map(|place| {
        let zombies = zombies.get(&place.pid).copied().unwrap_or(0);
        entry(place, &clock, &names, &deleted, zombies)
    });
    let list = Partial { items: entries.collect(), unread: Vec::new() };
    let (others, watchers) = (places.clone(), places.clone());
    Process {
        list,
        busy: Lazy::new(move || threads::busy(&places)),
        users: Lazy::new(move || Ok(users::users(&others))),
        inotify: Lazy::new(move || Ok(inotify::users(&watchers))),
    }
}

fn entry(
    place: &Arc<Place>,
    clock: &Arc<Clock>,
    names: &Arc<Names>,
    deleted: &Arc<Deleted>,
    zombies: u32,
) -> ProcessEntry {
    fn lazy<T>(place: &Arc<Place>, read: impl Fn(&Place) -> Reading<T> + Send + Sync + 'static) -> Lazy<T> {
        let place = place.clone();
        Lazy::new(move || read(&place))
    }
    let (now, then, deleted) = (clock.clone(), clock.clone(), deleted.clone());
    let names = names.clone();
    let stat = &place.stat;
    ProcessEntry {
        pid: place.pid,
        ppid: stat.ppid,
        comm: stat.comm.clone(),
        state: stat.state.to_string(),
        threads: stat.threads,
        zombies,
        start_seconds: place.start_seconds(),
        age_seconds: lazy(place, move |p| Ok((now.uptime()? - p.start_seconds()?).max(0.0) as u64)),
        cpu_seconds: stat.cpu_ticks as f64 / TICKS_PER_SECOND,
        cpu_percent: lazy(place, rates::cpu_percent),
        read_bytes: lazy(place, |p| rates::io(p, "read_bytes")),
        write_bytes: lazy(place, |p| rates::io(p, "write_bytes")),
        read_bytes_per_s: lazy(place, |p| rates::io_per_s(p, "read_bytes")),
        write_bytes_per_s: lazy(place, |p| rates::io_per_s(p, "write_bytes")),
        virtual_kib: stat.virtual_kib,
        rss_pages: stat.rss_pages,
        kernel_thread: stat.kernel_thread,
        command: lazy(place, |p| {
            let cmdline = p.text("cmdline").map(|cmdline| command(&cmdline, &p.stat.comm));
            p.or_printed(cmdline, |printed| Ok(cut(&printed.command)))
        }),
        uid: lazy(place, uid),
        user: lazy(place, move |p| names.of(uid(p)?)),
        in_container: lazy(place, |p| p.status()?.inner.clone()),
        thp_enabled: lazy(place, |p| p.status()?.thp.clone()),
        real_uid: lazy(place, |p| p.status()?.real_uid.clone()),
        rss_kib: lazy(place, |p| {
            let rss_kib = p.status().and_then(|status| status.rss_kib.clone());
            p.or_printed(rss_kib, |printed| match printed.rss_kib {
                0 => Err(Missing::Absent),
                rss_kib => Ok(rss_kib),
            })
        }),
        swap_kib: lazy(place, |p| p.status()?.swap_kib.clone()),
        wchan: lazy(place, |p| {
            let missing = || Missing::unreadable(p.path("wchan"), Reason::NotCollected);
            let text = p.or_printed(p.text("wchan"), |printed| printed.wchan.clone().ok_or_else(missing));
            match text?.trim() {
                // What it says of a running process, and to those who may not know.
                "" | "0" => Err(Missing::Absent),
                name => Ok(name.to_owned()),
            }
        }),
        oom_score_adj: lazy(place, |p| {
            p.parse("oom_score_adj", p.text("oom_score_adj")?.trim().parse().ok())
        }),
        unit: lazy(place, |p| {
            let cgroups = p.or_printed(p.text("cgroup"), |printed| Ok(printed.cgroups.replace(',', "\n")));
            unit(&cgroups?).ok_or(Missing::Absent)
        }),
        exe: lazy(place, |p| p.link("exe").map(|path| path.to_string_lossy().into_owned())),
        deleted_exe: lazy(place, |p| {
            p.link("exe").map(|path| path.to_string_lossy().ends_with(" (deleted)"))
        }),
        deleted_libraries: lazy(place, move |p| match then.replaced()? {
            Some(replaced) if p.stat.start_seconds.is_some_and(|start| replaced < start) => Ok(Vec::new()),
            _ => p.maps().map(|maps| maps.deleted.clone()),
        }),
        map_count: lazy(place, |p| p.maps().map(|maps| maps.count)),
        fd_count: lazy(place, Place::fd_count),
        limits: lazy(place, |p| p.parse("limits", limits::parse(&p.text("limits")?))),
        fds: lazy(place, |p| Ok(p.look()?.fds.clone())),
        deleted: lazy(place, move |p| deleted.of(p.pid)),
        at: At::file(format!("/proc/{}", place.pid)),
    }
}

/// The command line as people write it.
fn command(cmdline: &str, comm: &str) -> String {
    let arguments = cmdline.trim_end_matches('\0').replace('\0', " ");
    if arguments.trim().is_empty() {
        return format!("[{comm}]");
    }
    cut(&arguments)
}

/// As much of a command line as anybody reads.
fn cut(arguments: &str) -> String {
    let end = (0..=arguments.len().min(4096)).rev().find(|end| arguments.is_char_boundary(*end));
    arguments[..end.unwrap_or(0)].to_owned()
}

/// The effective user.
fn uid(place: &Place) -> Reading<u32> {
    let uid = place.status().and_then(|status| status.uid.clone());
    place.or_printed(uid, |printed| Ok(printed.uid))
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
fn summary(file: &str, unread: Vec<Unreadable>, all: usize) -> Option<Unreadable> {
    let count = unread.len();
    let first = unread.into_iter().next()?;
    if count == 1 {
        return Some(first);
    }
    let reason = Reason::NotRead(format!("{} for {count} of {all} processes", first.reason));
    Some(Unreadable { path: format!("/proc/PID/{file}").into(), reason })
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

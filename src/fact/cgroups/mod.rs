//! The control groups, and the limits that services and containers live under.

use super::Fact;
use crate::format::key_value::KeyValues;
use crate::format::pressure::{self, Resource, Stalls};
use crate::model::{Lazy, Limit, Partial};
use crate::record;
use crate::source::{At, FileKind, Host, Missing, Optional, Reading, Reason, Unreadable};
use std::path::Path;
use std::sync::Arc;

#[cfg(test)]
mod tests;

const ROOT: &str = "/sys/fs/cgroup";

record! {
    /// The control groups: what services, sessions and containers may use, and do use.
    ///
    /// ```text
    /// /sys/fs/cgroup/system.slice/nginx.service/pids.current    9
    /// /sys/fs/cgroup/system.slice/nginx.service/pids.max        4915
    /// /sys/fs/cgroup/system.slice/nginx.service/memory.events   oom_kill 0
    /// ```
    ///
    /// Source: the kernel's admin-guide/cgroup-v2; with version 1, admin-guide/cgroup-v1/{pids,memory}: then the groups of the
    /// `pids` hierarchy, and what the groups of the same path in the others say. In a container these are its own groups.
    /// A controller that is not switched on for a group has no files there: absent. Absent where no kernel runs.
    #[bare(list)]
    pub struct Cgroups {
        /// Version of the interface: 1 or 2.
        pub version: u32,
        /// Every group, the root too, parents before children.
        pub list: Partial<Cgroup>,
    }
}

record! {
    /// One group.
    pub struct Cgroup {
        /// Its path below the root: `/system.slice/nginx.service`; `/` for the root.
        pub path: String,
        /// The unit of systemd that it is, or that it belongs to: the last part of the path that is a service, scope or slice.
        /// Absent where none is.
        pub unit: Option<String>,
        /// Processes and threads in it and below.
        pub pids_current: Lazy<u64>,
        /// The most there may be.
        pub pids_max: Lazy<Limit>,
        /// How often a fork was refused: since Linux 6.11 because of the limit of this group, before that to a process of
        /// this very group, whosever limit it was.
        pub pids_events_max: Lazy<u64>,
        /// Memory it uses, page cache included, in bytes.
        pub memory_current_bytes: Lazy<u64>,
        /// The most it may use, in bytes; beyond it reclaims, and then kills.
        pub memory_max_bytes: Lazy<Limit>,
        /// Of the memory it uses, what no reclaim frees without swap space: anonymous memory, shared memory and tmpfs, and what the
        /// kernel holds for it. With version 1 without the latter. In bytes.
        pub memory_held_bytes: Lazy<u64>,
        /// Processes of it that were killed for want of memory, whether its own limit or the host's memory had run out. Since
        /// Linux 5.2 those of groups below it too, with version 1 only up to 5.7. Absent before Linux 4.13.
        pub oom_kill: Lazy<u64>,
        /// How often memory had run out at the limit of this very group, and the OOM killer was called for (`oom` of
        /// memory.events.local). Absent with version 1 and before Linux 5.2.
        pub oom_local: Lazy<u64>,
        /// CPU time that it may use in each period, in microseconds, over all CPUs.
        pub cpu_quota_us: Lazy<Limit>,
        /// The period of `cpu_quota_us`, in microseconds.
        pub cpu_period_us: Lazy<u64>,
        /// Periods in which it ran under a quota of CPU time.
        pub nr_periods: Lazy<u64>,
        /// Of them, those in which the quota was used up.
        pub nr_throttled: Lazy<u64>,
        /// How long its tasks were held back by the quota, in microseconds.
        pub throttled_us: Lazy<u64>,
        /// Percent of the last five minutes in which a task of it waited for a CPU. Absent with version 1.
        pub cpu_some_avg300: Lazy<f64>,
        /// Percent of the last five minutes in which all its tasks waited for disks. Absent with version 1.
        pub io_full_avg300: Lazy<f64>,
        /// Percent of the last five minutes in which all its tasks waited for memory. Absent with version 1.
        pub memory_full_avg300: Lazy<f64>,
        /// Its directory.
        pub at: At,
    }
}

impl Fact for Cgroups {
    const NAME: &'static str = "cgroups";
    const READS: &'static [&'static str] = &[
        "/sys/fs/cgroup/**/pids.{current,max,events}",
        "/sys/fs/cgroup/**/memory.{current,max,events,events.local,stat}",
        "/sys/fs/cgroup/**/cpu.{max,stat}",
        "/sys/fs/cgroup/**/{cpu,io,memory}.pressure",
        "/sys/fs/cgroup/pids/**",
        "/sys/fs/cgroup/memory/**/memory.{usage_in_bytes,limit_in_bytes,oom_control,stat}",
        "/sys/fs/cgroup/cpu/**/cpu.{cfs_quota_us,cfs_period_us,stat}",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let exists = |path: &str| host.exists(path).map_err(Missing::Unreadable);
        let version = if exists("/sys/fs/cgroup/cgroup.controllers")? {
            2
        } else if exists("/sys/fs/cgroup/pids")? {
            1
        } else {
            return Err(Missing::Absent);
        };
        let mut list = Partial::default();
        walk(&Arc::new(Tree { host: host.clone(), version }), String::new(), 0, &mut list);
        Ok(Self { version, list })
    }
}

const UNITS: [&str; 3] = [".service", ".scope", ".slice"];

/// More groups, or deeper ones, are not looked at; hosts of many containers have a few thousand.
const MOST: usize = 20_000;
const DEEPEST: usize = 32;

/// A hierarchy of groups, of version 2, or the several of version 1.
#[derive(Debug)]
struct Tree {
    host: Host,
    version: u32,
}

impl Tree {
    /// The file of a group that belongs to this controller.
    fn file(&self, group: &str, controller: &str, name: &str) -> String {
        match self.version {
            2 => format!("{ROOT}{group}/{name}"),
            _ => format!("{ROOT}/{controller}{group}/{name}"),
        }
    }

    /// A file that holds one number, or `max`.
    fn limit(&self, path: &str) -> Reading<Limit> {
        match self.host.read_text(path)?.trim() {
            "max" => Ok(Limit::Unlimited),
            number => match number.parse() {
                // Version 1 says "no limit" with the largest number of whole pages.
                Ok(number) if number < 1 << 62 => Ok(Limit::Number(number)),
                Ok(_) => Ok(Limit::Unlimited),
                Err(_) => Err(Missing::garbled(path, "holds no whole number")),
            },
        }
    }

    fn number(&self, path: &str) -> Reading<u64> {
        match self.limit(path)? {
            Limit::Number(number) => Ok(number),
            Limit::Unlimited => Err(Missing::garbled(path, "holds no whole number")),
        }
    }

    /// A number of a file of keys and numbers.
    fn count(&self, path: &str, key: &str) -> Reading<u64> {
        KeyValues::new(path, &self.host.read_text(path)?, ' ').count(key)
    }

    /// What memory.stat says of memory that cannot be reclaimed; kinds that this kernel does not count are none.
    fn memory_held(&self, group: &str) -> Reading<u64> {
        let path = self.file(group, "memory", "memory.stat");
        let text = self.host.read_text(&path)?;
        let stat = KeyValues::new(&path, &text, ' ');
        // With version 1 what is in groups below is only in the totals.
        let (anonymous, others): (_, &[_]) = match self.version {
            2 => (
                "anon",
                &["shmem", "slab_unreclaimable", "kernel_stack", "pagetables", "percpu", "sock", "vmalloc"],
            ),
            _ => ("total_rss", &["total_shmem"]),
        };
        let mut sum = stat.count(anonymous)?;
        for kind in others {
            if let Some(bytes) = stat.count(kind).optional()? {
                sum = sum.saturating_add(bytes);
            }
        }
        Ok(sum)
    }

    /// The quota of CPU time and its period, in microseconds: `max 100000`, or two files with version 1.
    fn cpu_max(&self, group: &str) -> Reading<(Limit, u64)> {
        if self.version != 2 {
            let period = self.number(&self.file(group, "cpu", "cpu.cfs_period_us"))?;
            let path = self.file(group, "cpu", "cpu.cfs_quota_us");
            let quota = match self.host.read_text(&path)?.trim() {
                "-1" => Limit::Unlimited,
                _ => self.limit(&path)?,
            };
            return Ok((quota, period));
        }
        let path = self.file(group, "", "cpu.max");
        let text = self.host.read_text(&path)?;
        let parsed = text.trim().split_once(' ').and_then(|(quota, period)| {
            let quota = if quota == "max" { Limit::Unlimited } else { Limit::Number(quota.parse().ok()?) };
            Some((quota, period.parse().ok()?))
        });
        parsed.ok_or_else(|| Missing::garbled(path, "holds no quota and period"))
    }

    fn pressure(&self, group: &str, name: &str) -> Reading<Resource> {
        match self.version {
            2 => {
                let path = self.file(group, "", name);
                pressure::parse(&self.host.read_text(&path)?, &path)
            }
            _ => Err(Missing::Absent),
        }
    }
}

fn walk(tree: &Arc<Tree>, group: String, depth: usize, list: &mut Partial<Cgroup>) {
    let directory = tree.file(&group, "pids", "");
    let entries = match tree.host.source.list(Path::new(directory.trim_end_matches('/'))) {
        Ok(entries) => entries,
        // A group that has ended meanwhile.
        Err(Missing::Absent) => return,
        Err(Missing::Unreadable(why)) => return list.unread.push(why),
    };
    list.items.push(cgroup(tree, &group, directory));
    let mut below = entries.iter().filter(|entry| entry.kind == FileKind::Directory).peekable();
    if below.peek().is_some() && (depth >= DEEPEST || list.items.len() >= MOST) {
        let reason = Reason::NotRead("too many groups, or too deep, to look at all".into());
        return list.unread.push(Unreadable { path: format!("{ROOT}{group}").into(), reason });
    }
    for entry in below {
        walk(tree, format!("{group}/{}", entry.name.to_string_lossy()), depth + 1, list);
    }
}

fn cgroup(tree: &Arc<Tree>, group: &str, directory: String) -> Cgroup {
    fn lazy<T>(
        tree: &Arc<Tree>,
        group: &str,
        read: impl Fn(&Tree, &str) -> Reading<T> + Send + Sync + 'static,
    ) -> Lazy<T> {
        let (tree, group) = (tree.clone(), group.to_owned());
        Lazy::new(move || read(&tree, &group))
    }
    let two = tree.version == 2;
    let stalls = |found: Option<Stalls>| found.map(|s| s.avg300).ok_or(Missing::Absent);
    Cgroup {
        unit: group.rsplit('/').find(|part| UNITS.iter().any(|kind| part.ends_with(kind))).map(str::to_owned),
        path: if group.is_empty() { "/".to_owned() } else { group.to_owned() },
        pids_current: lazy(tree, group, |t, g| t.number(&t.file(g, "pids", "pids.current"))),
        pids_max: lazy(tree, group, |t, g| t.limit(&t.file(g, "pids", "pids.max"))),
        pids_events_max: lazy(tree, group, |t, g| t.count(&t.file(g, "pids", "pids.events"), "max")),
        memory_current_bytes: lazy(tree, group, move |t, g| {
            t.number(&t.file(g, "memory", if two { "memory.current" } else { "memory.usage_in_bytes" }))
        }),
        memory_max_bytes: lazy(tree, group, move |t, g| {
            t.limit(&t.file(g, "memory", if two { "memory.max" } else { "memory.limit_in_bytes" }))
        }),
        oom_kill: lazy(tree, group, move |t, g| {
            t.count(
                &t.file(g, "memory", if two { "memory.events" } else { "memory.oom_control" }),
                "oom_kill",
            )
        }),
        memory_held_bytes: lazy(tree, group, Tree::memory_held),
        oom_local: lazy(tree, group, move |t, g| match two {
            true => t.count(&t.file(g, "memory", "memory.events.local"), "oom"),
            false => Err(Missing::Absent),
        }),
        cpu_quota_us: lazy(tree, group, |t, g| Ok(t.cpu_max(g)?.0)),
        cpu_period_us: lazy(tree, group, |t, g| Ok(t.cpu_max(g)?.1)),
        nr_periods: lazy(tree, group, |t, g| t.count(&t.file(g, "cpu", "cpu.stat"), "nr_periods")),
        nr_throttled: lazy(tree, group, |t, g| t.count(&t.file(g, "cpu", "cpu.stat"), "nr_throttled")),
        throttled_us: lazy(tree, group, move |t, g| {
            let path = t.file(g, "cpu", "cpu.stat");
            if two { t.count(&path, "throttled_usec") } else { Ok(t.count(&path, "throttled_time")? / 1000) }
        }),
        cpu_some_avg300: lazy(tree, group, move |t, g| stalls(t.pressure(g, "cpu.pressure")?.some)),
        io_full_avg300: lazy(tree, group, move |t, g| stalls(t.pressure(g, "io.pressure")?.full)),
        memory_full_avg300: lazy(tree, group, move |t, g| stalls(t.pressure(g, "memory.pressure")?.full)),
        at: At::file(directory.trim_end_matches('/')),
    }
}

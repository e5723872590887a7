//! How many CPUs there are.

use super::Fact;
use crate::format::ranges;
use crate::model::Lazy;
use crate::record;
use crate::source::{At, Host, Missing, Optional, Reading};
use std::collections::BTreeSet;

const ONLINE: &str = "/sys/devices/system/cpu/online";
const STAT: &str = "/proc/stat";

record! {
    /// How many CPUs there are.
    ///
    /// ```text
    /// /sys/devices/system/cpu/online    0-3
    /// /sys/devices/system/cpu/present   0-7
    /// /sys/devices/system/cpu/cpu0/topology/thread_siblings_list   0,2
    /// ```
    ///
    /// Source: the kernel's admin-guide/cputopology. Without /sys, the `cpuN` lines of /proc/stat are counted, which
    /// are the CPUs online (proc_stat(5)). /proc/cpuinfo is not read: it differs by architecture and may wake
    /// every CPU for its frequency. Where no kernel runs: what `--assume cpus=` says, else absent.
    pub struct Cpu {
        /// CPUs online; hardware threads count each.
        pub count: u32,
        /// CPUs there are, online or not. Absent without /sys.
        pub present: Reading<u32>,
        /// Cores that have a CPU online: those of a processor without hardware threads are its CPUs. Absent where sysfs does not
        /// tell which CPUs are threads of one core.
        pub cores: Lazy<u32>,
        /// Where the count was read, or `--assume cpus`.
        pub at: At,
    }
}

impl Fact for Cpu {
    const NAME: &'static str = "cpu";
    const READS: &'static [&'static str] = &[
        ONLINE,
        "/sys/devices/system/cpu/present",
        "/sys/devices/system/cpu/cpu*/topology/thread_siblings_list",
        STAT,
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let present = list(host, "/sys/devices/system/cpu/present");
        let own = host.clone();
        let cores = Lazy::new(move || cores(&own));
        if let Some(count) = list(host, ONLINE).optional()? {
            return Ok(Self { count, present, cores, at: At::file(ONLINE) });
        }
        if let Some(text) = host.read_text(STAT).optional()? {
            return match count_stat(&text) {
                0 => Err(Missing::garbled(STAT, "names no CPU")),
                count => Ok(Self { count, present, cores, at: At::file(STAT) }),
            };
        }
        let count = host.target.assume.cpus.ok_or(Missing::Absent)?;
        Ok(Self { count, present, cores, at: At::file("--assume cpus") })
    }
}

fn list(host: &Host, path: &str) -> Reading<u32> {
    let count = ranges::count(&host.read_text(path)?).filter(|count| *count > 0);
    count.ok_or_else(|| Missing::garbled(path, "is no list of CPUs"))
}

/// The different lists of threads of the CPUs online.
fn cores(host: &Host) -> Reading<u32> {
    let text = host.read_text(ONLINE)?;
    let online = ranges::numbers(&text).ok_or_else(|| Missing::garbled(ONLINE, "is no list of CPUs"))?;
    let lists = online.iter().map(|cpu| {
        let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
        let threads = ranges::numbers(&host.read_text(&path)?);
        threads
            .filter(|threads| !threads.is_empty())
            .ok_or_else(|| Missing::garbled(&path, "is no list of CPUs"))
    });
    let lists = lists.collect::<Reading<BTreeSet<Vec<u32>>>>()?;
    Ok(u32::try_from(lists.len()).unwrap_or(u32::MAX))
}

/// The lines `cpu0 …`, `cpu1 …`; the first line, `cpu …`, is their sum.
fn count_stat(text: &str) -> u32 {
    let names = text.lines().filter_map(|line| line.split_whitespace().next());
    let numbers = names.filter_map(|name| name.strip_prefix("cpu"));
    (0..).zip(numbers.filter(|n| n.parse::<u32>().is_ok())).last().map_or(0, |(last, _)| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn collect(files: &Files, assume: &str) -> Reading<Cpu> {
        let mut target = Target::root("test");
        target.assume = assume.parse().unwrap();
        Cpu::collect(&Host::new(files.clone(), target))
    }

    #[test]
    fn online_cpus_are_counted_from_sys() {
        let mut files = Files::new();
        files.file(ONLINE, "0-2,7\n").file("/sys/devices/system/cpu/present", "0-7\n");
        let cpu = collect(&files, "cpus=64").unwrap();
        assert_eq!((cpu.count, cpu.present.clone()), (4, Ok(8)));
    }

    #[test]
    fn threads_of_a_core_are_one_core() {
        let mut files = Files::new();
        files.file(ONLINE, "0-3\n");
        assert_eq!(collect(&files, "").unwrap().cores.get(), Err(Missing::Absent));
        for (cpu, threads) in ["0,2", "1", "0,2", "3"].iter().enumerate() {
            files.file(
                format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"),
                format!("{threads}\n"),
            );
        }
        assert_eq!(collect(&files, "").unwrap().cores.get(), Ok(&3));
        files.deny("/sys/devices/system/cpu/cpu1/topology/thread_siblings_list");
        assert!(matches!(collect(&files, "").unwrap().cores.get(), Err(Missing::Unreadable(_))));
    }

    #[test]
    fn proc_stat_serves_where_sys_is_missing() {
        let mut files = Files::new();
        files.file(STAT, "cpu  1 2 3\ncpu0 1 2 3\ncpu1 1 2 3\nintr 5\ncpufoo 1\n");
        assert_eq!(collect(&files, "").unwrap().count, 2);
    }

    #[test]
    fn garbage_is_unreadable_and_denied_is_not_assumed() {
        let mut files = Files::new();
        files.file(ONLINE, "\0\u{fffd}\n");
        assert!(matches!(collect(&files, "cpus=4"), Err(Missing::Unreadable(_))));
        files.file(ONLINE, "");
        assert!(matches!(collect(&files, "cpus=4"), Err(Missing::Unreadable(_))));
        files.deny(ONLINE);
        assert!(matches!(collect(&files, "cpus=4"), Err(Missing::Unreadable(_))));
        let mut files = Files::new();
        files.file(STAT, "");
        assert!(matches!(collect(&files, "cpus=4"), Err(Missing::Unreadable(_))));
    }

    #[test]
    fn an_image_has_the_cpus_that_are_assumed() {
        let cpu = collect(&Files::new(), "cpus=4").unwrap();
        assert_eq!((cpu.count, cpu.at.to_string()), (4, "--assume cpus".into()));
        assert!(matches!(collect(&Files::new(), ""), Err(Missing::Absent)));
    }
}

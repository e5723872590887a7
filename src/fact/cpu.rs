//! How many CPUs there are.

use super::Fact;
use crate::format::ranges;
use crate::record;
use crate::source::{At, Host, Missing, Reading};

const ONLINE: &str = "/sys/devices/system/cpu/online";
const STAT: &str = "/proc/stat";

record! {
    /// How many CPUs there are.
    ///
    /// ```text
    /// /sys/devices/system/cpu/online    0-3
    /// /sys/devices/system/cpu/present   0-7
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
        /// Where the count was read, or `--assume cpus`.
        pub at: At,
    }
}

impl Fact for Cpu {
    const NAME: &'static str = "cpu";
    const READS: &'static [&'static str] = &[ONLINE, "/sys/devices/system/cpu/present", STAT];

    fn collect(host: &Host) -> Reading<Self> {
        let present = list(host, "/sys/devices/system/cpu/present");
        match list(host, ONLINE) {
            Ok(count) => return Ok(Self { count, present, at: At::file(ONLINE) }),
            Err(Missing::Absent) => {}
            Err(why) => return Err(why),
        }
        match host.read_text(STAT) {
            Ok(text) => match count_stat(&text) {
                0 => Err(Missing::garbled(STAT, "names no CPU")),
                count => Ok(Self { count, present, at: At::file(STAT) }),
            },
            Err(Missing::Absent) => match host.target.assume.cpus {
                Some(count) => Ok(Self { count, present, at: At::file("--assume cpus") }),
                None => Err(Missing::Absent),
            },
            Err(why) => Err(why),
        }
    }
}

fn list(host: &Host, path: &str) -> Reading<u32> {
    let count = ranges::count(&host.read_text(path)?).filter(|count| *count > 0);
    count.ok_or_else(|| Missing::garbled(path, "is no list of CPUs"))
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

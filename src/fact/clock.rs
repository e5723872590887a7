//! The clock of the running host, and the time before which it cannot be.

use super::Fact;
use crate::record;
use crate::source::{At, Host, Missing, Reading};
use std::path::Path;

record! {
    /// The time that the host's clock shows.
    ///
    /// ```text
    /// /proc/stat      btime 1700000000
    /// /proc/uptime    3600.25 14300.11
    /// ```
    ///
    /// Source: proc_stat(5), proc_uptime(5), systemd(1) on /usr/lib/clock-epoch. Whether the kernel takes its clock for
    /// synchronised (adjtimex(2)) is in no file. Absent where no kernel runs.
    #[bare(now_seconds)]
    pub struct Clock {
        /// Now, in seconds since 1970.
        pub now_seconds: i64,
        /// The latest time of a file that came with the system's newest release, in seconds since 1970: /usr/lib/clock-epoch,
        /// os-release. Absent where there is none.
        pub epoch_seconds: Reading<i64>,
        /// The file of that time. Absent where there is none.
        pub epoch_file: Option<String>,
        /// Where the clock was read.
        pub at: At,
    }
}

const EPOCHS: [&str; 3] = ["/usr/lib/clock-epoch", "/usr/lib/os-release", "/etc/os-release"];

impl Fact for Clock {
    const NAME: &'static str = "clock";
    const READS: &'static [&'static str] =
        &["/proc/stat", "/proc/uptime", "/usr/lib/clock-epoch", "/usr/lib/os-release", "/etc/os-release"];

    fn collect(host: &Host) -> Reading<Self> {
        let stat = host.read_text("/proc/stat")?;
        let uptime = host.read_text("/proc/uptime")?;
        let booted = stat.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse::<i64>().ok());
        let booted = booted.ok_or_else(|| Missing::garbled("/proc/stat", "has no btime"))?;
        let uptime = uptime.split('.').next().and_then(|seconds| seconds.trim().parse::<i64>().ok());
        let uptime =
            uptime.ok_or_else(|| Missing::garbled("/proc/uptime", "does not begin with a number"))?;
        let mtime =
            |path: &&'static str| host.source.stat(Path::new(path)).ok().map(|stat| (stat.mtime, *path));
        let epoch = EPOCHS.iter().filter_map(mtime).max();
        Ok(Self {
            now_seconds: booted.saturating_add(uptime),
            epoch_seconds: epoch.map(|(seconds, _)| seconds).ok_or(Missing::Absent),
            epoch_file: epoch.map(|(_, path)| path.to_owned()),
            at: At::file("/proc/stat"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn clock(stat: &str, uptime: &str) -> Reading<i64> {
        let mut files = Files::new();
        files.file("/proc/stat", stat).file("/proc/uptime", uptime);
        Clock::collect(&Host::new(files, Target::live())).map(|clock| clock.now_seconds)
    }

    #[test]
    fn now_is_the_boot_and_the_time_since() {
        assert_eq!(clock("cpu 1 2\nbtime 1700000000\n", "3600.25 1.0\n"), Ok(1_700_003_600));
    }

    #[test]
    fn garbage_is_unreadable_and_nothing_is_absent() {
        for (stat, uptime) in [("", "1.0"), ("btime x", "1.0"), ("btime 1", ""), ("btime 1", "\u{fffd}\0")] {
            assert!(matches!(clock(stat, uptime), Err(Missing::Unreadable(_))), "{stat:?} {uptime:?}");
        }
        assert!(matches!(Clock::collect(&Host::new(Files::new(), Target::live())), Err(Missing::Absent)));
    }
}

//! What the CPUs have done since boot.

use super::Fact;
use crate::format::key_value::KeyValues;
use crate::model::Sampled;
use crate::record;
use crate::source::{At, Earlier, Host, Missing, Reading};

record! {
    /// What the CPUs have done since boot.
    ///
    /// ```text
    /// /proc/stat   cpu  90211 1204 61022 41102214 8120 0 2204 611 0 0
    ///              cpu0 22552 301 15255 10275553 2030 0 551 152 0 0
    ///              btime 1735689600
    /// ```
    ///
    /// Source: proc_stat(5). Times are in ticks of 1/100 second. Absent where no kernel runs.
    pub struct Cpustat {
        /// All CPUs together, those that have since been taken offline too.
        pub total: CpuTimes,
        /// Every CPU that is online.
        pub cpus: Vec<CpuTimes>,
        /// When the kernel was booted, in seconds since 1970.
        pub btime: Reading<u64>,
        /// Switches from one task to another.
        pub ctxt: Reading<u64>,
        /// Processes and threads made since boot.
        pub processes: Reading<u64>,
        /// Switches from one task to another, per second of the sample.
        pub ctxt_per_s: Sampled<f64>,
        /// Processes and threads made, per second of the sample. Many short ones make a load that no list of processes shows.
        pub processes_per_s: Sampled<f64>,
        /// Threads that run or could run at this moment.
        pub procs_running: Reading<u64>,
        /// Threads that wait for a disk at this moment.
        pub procs_blocked: Reading<u64>,
    }
}

record! {
    /// The times of a CPU, in ticks of 1/100 second since boot.
    #[derive(Clone, PartialEq)]
    pub struct CpuTimes {
        /// `cpu` for all together, else `cpu0` and so on.
        pub name: String,
        /// In programs.
        pub user_ticks: u64,
        /// In programs of low priority.
        pub nice_ticks: u64,
        /// In the kernel.
        pub system_ticks: u64,
        /// With nothing to do.
        pub idle_ticks: u64,
        /// With nothing to do, while a task that ran here last waited for a disk. Absent before Linux 2.5.41.
        pub iowait_ticks: Option<u64>,
        /// In interrupts.
        pub irq_ticks: Option<u64>,
        /// In soft interrupts: mostly the network.
        pub softirq_ticks: Option<u64>,
        /// Taken by the hypervisor for others while there was something to do here. Absent before Linux 2.6.11.
        pub steal_ticks: Option<u64>,
        /// Running guests; part of `user_ticks`.
        pub guest_ticks: Option<u64>,
        /// Running guests of low priority; part of `nice_ticks`.
        pub guest_nice_ticks: Option<u64>,
        /// The sum of all but the guests' times, which are in others already.
        pub all_ticks: u64,
        /// What it did in the sample. Absent too for a CPU that was offline before, and where no time has been counted.
        pub now: Sampled<CpuShares>,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// What a CPU did between the two readings of a sample, in percent of that time. A share is absent where its ticks are, and
    /// where these have fallen, as the kernel's count of iowait may.
    #[derive(Clone, PartialEq)]
    pub struct CpuShares {
        /// In programs, the kernel and interrupts: neither idle nor waiting for a disk, nor taken by the hypervisor.
        pub busy_percent: Option<f64>,
        /// In programs, of low priority too.
        pub user_percent: Option<f64>,
        /// In the kernel.
        pub system_percent: Option<f64>,
        /// With nothing to do, while a task that ran here last waited for a disk.
        pub iowait_percent: Option<f64>,
        /// In interrupts.
        pub irq_percent: Option<f64>,
        /// In soft interrupts: mostly the network.
        pub softirq_percent: Option<f64>,
        /// Taken by the hypervisor for others while there was something to do here.
        pub steal_percent: Option<f64>,
    }
}

impl Fact for Cpustat {
    const NAME: &'static str = "cpustat";
    const READS: &'static [&'static str] = &["/proc/stat"];
    const COUNTERS: &'static [&'static str] = Self::READS;

    fn collect(host: &Host) -> Reading<Self> {
        let mut found = parse(&host.read_text(Self::READS[0])?)?;
        if let Some(earlier) = &host.earlier {
            found.compare(earlier.read_text(Self::READS[0]).and_then(|text| parse(&text)), earlier);
        }
        Ok(found)
    }
}

impl Cpustat {
    /// Fills in what takes two readings.
    fn compare(&mut self, before: Reading<Self>, earlier: &Earlier) {
        let rate = |now: &Reading<u64>, get: fn(&Self) -> &Reading<u64>| {
            let before = get(before.as_ref().map_err(Clone::clone)?).clone()?;
            earlier.per_second(before, now.clone()?).ok_or(Missing::Absent)
        };
        self.ctxt_per_s = Sampled(rate(&self.ctxt, |stat| &stat.ctxt));
        self.processes_per_s = Sampled(rate(&self.processes, |stat| &stat.processes));
        for cpu in [&mut self.total].into_iter().chain(&mut self.cpus) {
            let shares = before.as_ref().map_err(Clone::clone).and_then(|before| {
                let mut cpus = [&before.total].into_iter().chain(&before.cpus);
                let before = cpus.find(|before| before.name == cpu.name);
                before.and_then(|before| cpu.shares(before)).ok_or(Missing::Absent)
            });
            cpu.now = Sampled(shares);
        }
    }
}

impl CpuTimes {
    /// What it did since then; none if no time has been counted.
    fn shares(&self, before: &Self) -> Option<CpuShares> {
        let all = self.all_ticks.checked_sub(before.all_ticks).filter(|ticks| *ticks > 0)?;
        let share = |ticks: fn(&Self) -> Option<u64>| {
            let share = ticks(self)?.checked_sub(ticks(before)?)? as f64 * 100.0 / all as f64;
            (share <= 100.0).then_some(share)
        };
        Some(CpuShares {
            busy_percent: share(Self::busy_ticks),
            user_percent: share(|cpu| cpu.user_ticks.checked_add(cpu.nice_ticks)),
            system_percent: share(|cpu| Some(cpu.system_ticks)),
            iowait_percent: share(|cpu| cpu.iowait_ticks),
            irq_percent: share(|cpu| cpu.irq_ticks),
            softirq_percent: share(|cpu| cpu.softirq_ticks),
            steal_percent: share(|cpu| cpu.steal_ticks),
        })
    }

    fn busy_ticks(&self) -> Option<u64> {
        let others = [Some(self.idle_ticks), self.iowait_ticks, self.steal_ticks];
        others.into_iter().flatten().try_fold(self.all_ticks, u64::checked_sub)
    }
}

fn parse(text: &str) -> Reading<Cpustat> {
    let path = Cpustat::READS[0];
    let lines = KeyValues::new(path, text, ' ');
    let mut cpus = Vec::new();
    for pair in lines.pairs() {
        let number = pair.key.strip_prefix("cpu").filter(|n| n.is_empty() || n.parse::<u32>().is_ok());
        if number.is_some() {
            let found = times(pair.key, pair.value, At::line(path, pair.line));
            cpus.push(found.ok_or_else(|| {
                Missing::garbled(path, format!("line {} does not hold the times of a CPU", pair.line))
            })?);
        }
    }
    if cpus.first().is_none_or(|first| first.name != "cpu") {
        return Err(Missing::garbled(path, "does not begin with the times of all CPUs"));
    }
    Ok(Cpustat {
        total: cpus.remove(0),
        cpus,
        btime: lines.count("btime"),
        ctxt: lines.count("ctxt"),
        processes: lines.count("processes"),
        ctxt_per_s: Sampled::default(),
        processes_per_s: Sampled::default(),
        procs_running: lines.count("procs_running"),
        procs_blocked: lines.count("procs_blocked"),
    })
}

fn times(name: &str, value: &str, at: At) -> Option<CpuTimes> {
    let words = value.split_ascii_whitespace().map(|word| word.parse::<u64>().ok());
    let numbers = words.collect::<Option<Vec<u64>>>()?;
    let all_ticks = numbers.iter().take(8).fold(0, |sum: u64, n| sum.saturating_add(*n));
    let mut numbers = numbers.into_iter();
    Some(CpuTimes {
        name: name.to_owned(),
        user_ticks: numbers.next()?,
        nice_ticks: numbers.next()?,
        system_ticks: numbers.next()?,
        idle_ticks: numbers.next()?,
        iowait_ticks: numbers.next(),
        irq_ticks: numbers.next(),
        softirq_ticks: numbers.next(),
        steal_ticks: numbers.next(),
        guest_ticks: numbers.next(),
        guest_nice_ticks: numbers.next(),
        all_ticks,
        now: Sampled::default(),
        at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};
    use std::time::Duration;

    const STAT: &str = "cpu  90211 1204 61022 41102214 8120 0 2204 611 7 8\n\
        cpu0 22552 301 15255 10275553 2030 0 551 152 0 0\n\
        cpu3 5 6 7 8\nintr 41200110 0\nctxt 81022345\nbtime 1735689600\nprocesses 21034\nprocs_running 1\n";

    #[test]
    fn times_are_read_per_cpu_and_guests_are_not_counted_twice() {
        let stat = parse(STAT).unwrap();
        assert_eq!((stat.total.steal_ticks, stat.total.guest_ticks), (Some(611), Some(7)));
        assert_eq!(stat.total.all_ticks, 90211 + 1204 + 61022 + 41_102_214 + 8120 + 2204 + 611);
        let cpus: Vec<_> = stat.cpus.iter().map(|cpu| (cpu.name.as_str(), cpu.steal_ticks)).collect();
        assert_eq!(cpus, [("cpu0", Some(152)), ("cpu3", None)]);
        assert_eq!((stat.btime, stat.procs_blocked), (Ok(1_735_689_600), Err(Missing::Absent)));
        assert_eq!(stat.cpus[1].at, At::line("/proc/stat", 3));
    }

    fn sampled(before: Option<&str>, now: &str) -> Cpustat {
        let (mut files, mut earlier) = (Files::new(), Files::new());
        files.file("/proc/stat", now);
        if let Some(before) = before {
            earlier.file("/proc/stat", before);
        }
        let earlier = Earlier::new(earlier, Duration::from_secs(2));
        Cpustat::collect(&Host::new(files, Target::live()).with_earlier(earlier)).unwrap()
    }

    #[test]
    fn shares_are_of_the_time_between_two_readings() {
        let before =
            "cpu 100 0 100 1000 10 0 50 5 0 0\ncpu0 100 0 100 1000 10 0 50 5 0 0\nctxt 1000\nprocesses 10\n";
        let now = "cpu 110 10 130 1060 20 0 130 5 0 0\ncpu0 110 10 130 1060 20 0 130 5 0 0\n\
            cpu1 1 1 1 1 1 1 1 1 0 0\nctxt 3000\nprocesses 9\n";
        let stat = sampled(Some(before), now);
        let shares = stat.total.now.0.as_ref().unwrap();
        assert_eq!((shares.user_percent, shares.system_percent), (Some(10.0), Some(15.0)));
        assert_eq!((shares.softirq_percent, shares.steal_percent), (Some(40.0), Some(0.0)));
        assert_eq!((shares.busy_percent, shares.iowait_percent), (Some(65.0), Some(5.0)));
        assert_eq!(stat.cpus[0].now, stat.total.now);
        assert_eq!(stat.ctxt_per_s, Sampled(Ok(1000.0)));
        // A CPU that was not there, and a counter that has fallen.
        assert_eq!(stat.cpus[1].now, Sampled::default());
        assert_eq!(stat.processes_per_s, Sampled::default());
    }

    #[test]
    fn times_that_fell_or_stand_still_have_no_share() {
        let stat = sampled(Some("cpu 100 0 100 1000 10 0 50 5\n"), "cpu 110 0 100 1000 9 0 50 5\n");
        let shares = stat.total.now.0.as_ref().unwrap();
        assert_eq!((shares.iowait_percent, shares.steal_percent), (None, Some(0.0)));
        for before in [Some("cpu 1 2 3 4\n"), Some("cpu 1 2 4 4\n"), None] {
            assert_eq!(sampled(before, "cpu 1 2 3 4\n").total.now, Sampled::default());
        }
        assert!(matches!(
            sampled(Some("\0"), "cpu 1 2 3 4\n").total.now,
            Sampled(Err(Missing::Unreadable(_)))
        ));
    }

    #[test]
    fn half_a_file_and_garbage_are_unreadable() {
        for text in
            ["", "cpu", "cpu 1 2 3", "cpu 1 2 x 4", "cpu0 1 2 3 4", "btime 5", "\0\u{fffd}", "cpu 1 2 3 -4"]
        {
            assert!(matches!(parse(text), Err(Missing::Unreadable(_))), "{text:?}");
        }
        let stat = parse("cpu 1 2 3 4\nbtime soon\n").unwrap();
        assert!(matches!(stat.btime, Err(Missing::Unreadable(_))));
    }
}

//! What the CPUs have done since boot.

use super::Fact;
use crate::format::key_value::KeyValues;
use crate::record;
use crate::source::{At, Host, Missing, Reading};

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
        /// Where it was read.
        pub at: At,
    }
}

impl Fact for Cpustat {
    const NAME: &'static str = "cpustat";
    const READS: &'static [&'static str] = &["/proc/stat"];

    fn collect(host: &Host) -> Reading<Self> {
        parse(&host.read_text(Self::READS[0])?)
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
        at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn half_a_file_and_garbage_are_unreadable() {
        for text in ["", "cpu", "cpu 1 2 3", "cpu 1 2 x 4", "cpu0 1 2 3 4", "btime 5", "\0\u{fffd}", "cpu 1 2 3 -4"] {
            assert!(matches!(parse(text), Err(Missing::Unreadable(_))), "{text:?}");
        }
        let stat = parse("cpu 1 2 3 4\nbtime soon\n").unwrap();
        assert!(matches!(stat.btime, Err(Missing::Unreadable(_))));
    }
}

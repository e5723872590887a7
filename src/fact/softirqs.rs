//! Soft interrupts: the work that interrupts leave for later, by kind and CPU.

use super::Fact;
use crate::format::cpu_columns;
use crate::model::Sampled;
use crate::record;
use crate::source::{At, Earlier, Host, Missing, Reading};
use std::collections::BTreeMap;

record! {
    /// How often each CPU has done each kind of the work that interrupts leave for later: `softirqs['NET_RX']`.
    ///
    /// ```text
    /// /proc/softirqs                    CPU0       CPU1
    ///                      TIMER:    1205513    1041220
    ///                     NET_TX:         55          3
    ///                     NET_RX:    9120331      30120
    /// ```
    ///
    /// Source: the kernel's filesystems/proc.rst, fs/proc/softirqs.c. One time may be for one packet or for hundreds, so that
    /// a CPU which has very much to do counts fewer times than work: how long it takes is in `cpustat.cpus[].softirq_ticks`. In
    /// a container it is the host's. Absent where no kernel runs, and before Linux 2.6.31.
    #[bare(kinds)]
    pub struct Softirqs {
        /// The kinds: `HI`, `TIMER`, `NET_TX`, `NET_RX`, `BLOCK`, `IRQ_POLL`, `TASKLET`, `SCHED`, `HRTIMER`, `RCU`.
        pub kinds: BTreeMap<String, Softirq>,
        /// The CPUs that are counted for: all that there could be, those that are not there or offline too.
        pub cpus: Vec<u32>,
        /// Lines that cannot be understood, as they stand.
        pub malformed: Vec<String>,
    }
}

record! {
    /// A kind of soft interrupts.
    #[derive(Clone, PartialEq)]
    pub struct Softirq {
        /// How many, of each CPU of `cpus`. Most kernels count to 2³² and begin anew.
        pub counts: Vec<u64>,
        /// How many, of all CPUs.
        pub total: u64,
        /// The CPU that has handled the most; the first of several that are the same.
        pub busiest_cpu: u32,
        /// How many that one has handled.
        pub busiest: u64,
        /// How many per second of the sample, by CPU, named as in `cpustat`: `cpu0`. A CPU whose count has begun anew is absent.
        pub per_s: Sampled<BTreeMap<String, f64>>,
        /// Where it was read.
        pub at: At,
    }
}

impl Fact for Softirqs {
    const NAME: &'static str = "softirqs";
    const READS: &'static [&'static str] = &["/proc/softirqs"];
    const COUNTERS: &'static [&'static str] = Self::READS;

    fn collect(host: &Host) -> Reading<Self> {
        let path = Self::READS[0];
        let mut found = parse(&host.read_text(path)?)?;
        if let Some(earlier) = &host.earlier {
            let before = earlier.read_text(path).and_then(|text| parse(&text));
            for (name, kind) in &mut found.kinds {
                let per_s = before.as_ref().map_err(Clone::clone).and_then(|before| {
                    let old = before.kinds.get(name).ok_or(Missing::Absent)?;
                    Ok(per_s((&before.cpus, &old.counts), (&found.cpus, &kind.counts), earlier))
                });
                kind.per_s = Sampled(per_s);
            }
        }
        Ok(found)
    }
}

/// CPUs, and a count of each.
type Counts<'a> = (&'a [u32], &'a [u64]);

fn per_s(before: Counts<'_>, now: Counts<'_>, earlier: &Earlier) -> BTreeMap<String, f64> {
    let before: BTreeMap<u32, u64> = before.0.iter().copied().zip(before.1.iter().copied()).collect();
    let rates = now.0.iter().zip(now.1).filter_map(|(cpu, count)| {
        Some((format!("cpu{cpu}"), earlier.per_second(*before.get(cpu)?, *count)?))
    });
    rates.collect()
}

fn parse(text: &str) -> Reading<Softirqs> {
    let path = Softirqs::READS[0];
    let mut lines = (1..).zip(text.lines());
    let cpus = lines.next().and_then(|(_, head)| cpu_columns::heading(head));
    let cpus = cpus.ok_or_else(|| Missing::garbled(path, "does not begin with the numbers of CPUs"))?;
    let mut found = Softirqs { kinds: BTreeMap::new(), cpus, malformed: Vec::new() };
    for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        match kind(line, &found.cpus, At::line(path, number)) {
            Some((name, kind)) => _ = found.kinds.insert(name, kind),
            None => found.malformed.push(line.to_owned()),
        }
    }
    Ok(found)
}

fn kind(line: &str, cpus: &[u32], at: At) -> Option<(String, Softirq)> {
    let row = cpu_columns::row(line, cpus.len())?;
    let counts = Some(row.counts).filter(|counts| counts.len() == cpus.len() && row.rest.is_empty())?;
    // Of several that are the same, the last of the reverse order.
    let (busiest, busiest_cpu) = counts.iter().zip(cpus).rev().max_by_key(|(count, _)| **count)?;
    let kind = Softirq {
        total: counts.iter().fold(0, |sum: u64, n| sum.saturating_add(*n)),
        busiest: *busiest,
        busiest_cpu: *busiest_cpu,
        per_s: Sampled::default(),
        counts,
        at,
    };
    Some((row.label.to_owned(), kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};
    use std::time::Duration;

    const TEXT: &str = "                    CPU0       CPU2\n          HI:          1          1\n\
                              NET_RX:        700         40\n";

    #[test]
    fn work_is_counted_by_kind_and_cpu() {
        let found = parse(&format!("{TEXT}odd: 1\n RCU: 1 x\n")).unwrap();
        let rx = &found.kinds["NET_RX"];
        assert_eq!(
            (rx.counts.as_slice(), rx.total, rx.busiest, rx.busiest_cpu),
            ([700, 40].as_slice(), 740, 700, 0)
        );
        assert_eq!((found.kinds["HI"].busiest_cpu, rx.at.to_string()), (0, "/proc/softirqs:3".into()));
        assert_eq!(
            (found.cpus, found.malformed),
            (vec![0, 2], vec!["odd: 1".to_owned(), " RCU: 1 x".to_owned()])
        );
    }

    #[test]
    fn rates_take_two_readings_of_a_cpu() {
        let (mut files, mut earlier) = (Files::new(), Files::new());
        files.file("/proc/softirqs", TEXT);
        earlier.file("/proc/softirqs", "  CPU0 CPU1\n HI: 2 0\n NET_RX: 100 40\n");
        let host =
            Host::new(files, Target::live()).with_earlier(Earlier::new(earlier, Duration::from_secs(2)));
        let found = Softirqs::collect(&host).unwrap();
        let per_s = |kind: &str| found.kinds[kind].per_s.0.clone().unwrap();
        assert_eq!(per_s("NET_RX"), BTreeMap::from([("cpu0".to_owned(), 300.0)]));
        assert!(per_s("HI").is_empty());
    }

    #[test]
    fn no_kernel_no_work_and_garbage_is_unreadable() {
        let collect = |files: Files| Softirqs::collect(&Host::new(files, Target::root("x"))).map(|_| ());
        assert_eq!(collect(Files::new()), Err(Missing::Absent));
        for text in ["", "\n", "\0\u{fffd}", "HI: 1", "CPU0 CPUx\n"] {
            let mut files = Files::new();
            files.file("/proc/softirqs", text);
            assert!(matches!(collect(files), Err(Missing::Unreadable(_))), "{text:?}");
        }
    }
}

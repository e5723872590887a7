//! Soft interrupts: the work that interrupts leave for later, by CPU.

use super::Fact;
use crate::model::Sampled;
use crate::record;
use crate::source::{At, Earlier, Host, Missing, Reading};
use std::collections::BTreeMap;

record! {
    /// How often each CPU has done each kind of the work that interrupts leave for later.
    ///
    /// ```text
    /// /proc/softirqs                    CPU0       CPU1
    ///                      TIMER:    1205513    1041220
    ///                     NET_TX:         55          3
    ///                     NET_RX:    9120331      30120
    /// ```
    ///
    /// Source: proc(5), the kernel's filesystems/proc.rst and fs/proc/softirqs.c. A time it is done may be for one packet or
    /// hundreds, so a CPU that has very much to do counts fewer times than work: how long it takes is in
    /// `cpustat.cpus[].softirq_ticks`. In a container it is the host's. Absent where no kernel runs, and before Linux 2.6.31.
    #[bare(cpus)]
    pub struct Softirqs {
        /// Every CPU that the kernel could run on; those that are not there or offline too.
        pub cpus: Vec<SoftirqCpu>,
        /// Lines that cannot be understood, as they stand.
        pub malformed: Vec<String>,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// The soft interrupts of a CPU.
    #[derive(Clone, PartialEq)]
    pub struct SoftirqCpu {
        /// `cpu0` and so on, as in `cpustat`.
        pub name: String,
        /// How often it has done each kind, by name: `NET_RX`, `TIMER`, `BLOCK`, … Most kernels count to 2³² and begin anew.
        pub counts: BTreeMap<String, u64>,
        /// How often it did each kind per second of the sample.
        pub per_s: Sampled<BTreeMap<String, f64>>,
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
            for cpu in &mut found.cpus {
                let per_s = before.as_ref().map_err(Clone::clone).and_then(|before| {
                    let before = before.cpus.iter().find(|before| before.name == cpu.name);
                    Ok(cpu.per_s(before.ok_or(Missing::Absent)?, earlier))
                });
                cpu.per_s = Sampled(per_s);
            }
        }
        Ok(found)
    }
}

impl SoftirqCpu {
    fn per_s(&self, before: &Self, earlier: &Earlier) -> BTreeMap<String, f64> {
        let rate = |kind: &str, now: u64| earlier.per_second(*before.counts.get(kind)?, now);
        let rates = self.counts.iter().filter_map(|(kind, now)| Some((kind.clone(), rate(kind, *now)?)));
        rates.collect()
    }
}

fn parse(text: &str) -> Reading<Softirqs> {
    let path = Softirqs::READS[0];
    let mut lines = text.lines();
    let cpu = |word: &str| {
        let number = word.strip_prefix("CPU")?;
        number.parse::<u32>().is_ok().then(|| format!("cpu{number}"))
    };
    let names: Option<Vec<String>> =
        lines.next().and_then(|head| head.split_ascii_whitespace().map(cpu).collect());
    let names = names.filter(|names| !names.is_empty());
    let names = names.ok_or_else(|| Missing::garbled(path, "does not begin with the numbers of CPUs"))?;
    let cpu = |name| SoftirqCpu { name, counts: BTreeMap::new(), per_s: Sampled::default() };
    let mut cpus: Vec<SoftirqCpu> = names.into_iter().map(cpu).collect();
    let mut malformed = Vec::new();
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let counts = || {
            let (kind, counts) = line.split_once(':')?;
            let counts = counts.split_ascii_whitespace().map(|n| n.parse().ok()).collect::<Option<Vec<u64>>>()?;
            (counts.len() == cpus.len()).then_some((kind.trim(), counts))
        };
        match counts() {
            Some((kind, counts)) => {
                for (cpu, count) in cpus.iter_mut().zip(counts) {
                    cpu.counts.insert(kind.to_owned(), count);
                }
            }
            None => malformed.push(line.to_owned()),
        }
    }
    Ok(Softirqs { cpus, malformed, at: At::file(path) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};
    use std::time::Duration;

    const TEXT: &str = "                    CPU0       CPU2\n          HI:          1          0\n\
                              NET_RX:        700         40\n";

    #[test]
    fn work_is_counted_by_cpu_and_kind() {
        let found = parse(&format!("{TEXT}odd: 1\n RCU: 1 x\n")).unwrap();
        let cpus: Vec<_> = found.cpus.iter().map(|cpu| (cpu.name.as_str(), cpu.counts["NET_RX"])).collect();
        assert_eq!(cpus, [("cpu0", 700), ("cpu2", 40)]);
        assert_eq!(found.malformed, ["odd: 1", " RCU: 1 x"]);
    }

    #[test]
    fn rates_take_two_readings_of_a_cpu() {
        let (mut files, mut earlier) = (Files::new(), Files::new());
        files.file("/proc/softirqs", TEXT);
        earlier.file("/proc/softirqs", "  CPU0 CPU1\n HI: 2 0\n NET_RX: 100 40\n");
        let host = Host::new(files, Target::live()).with_earlier(Earlier::new(earlier, Duration::from_secs(2)));
        let found = Softirqs::collect(&host).unwrap();
        let per_s = found.cpus[0].per_s.0.as_ref().unwrap();
        assert_eq!((per_s.len(), per_s["NET_RX"]), (1, 300.0));
        assert_eq!(found.cpus[1].per_s, Sampled::default());
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

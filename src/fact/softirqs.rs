//! The soft interrupts that each CPU has handled.

use super::Fact;
use crate::format::cpu_columns;
use crate::record;
use crate::source::{At, Host, Missing, Reading};
use std::collections::BTreeMap;

const PATH: &str = "/proc/softirqs";

record! {
    /// The soft interrupts that each CPU has handled since boot, by kind: `softirqs['NET_RX']`.
    ///
    /// ```text
    /// /proc/softirqs              CPU0       CPU1
    ///                 NET_TX:         4          0
    ///                 NET_RX:     22717      18291
    /// ```
    ///
    /// Source: proc_softirqs in the kernel's filesystems/proc, kernel/softirq.c. Absent where no kernel runs.
    #[bare(kinds)]
    pub struct Softirqs {
        /// The kinds: `HI`, `TIMER`, `NET_TX`, `NET_RX`, `BLOCK`, `IRQ_POLL`, `TASKLET`, `SCHED`, `HRTIMER`, `RCU`.
        pub kinds: BTreeMap<String, Softirq>,
        /// The CPUs that are counted for: all that could be there, on most kernels.
        pub cpus: Vec<u32>,
    }
}

record! {
    /// A kind of soft interrupts.
    #[derive(Clone, PartialEq)]
    pub struct Softirq {
        /// How many, of each CPU of `cpus`.
        pub counts: Vec<u64>,
        /// How many, of all CPUs.
        pub total: u64,
        /// The CPU that has handled the most.
        pub busiest_cpu: u32,
        /// How many that one has handled.
        pub busiest: u64,
        /// Where it was read.
        pub at: At,
    }
}

impl Fact for Softirqs {
    const NAME: &'static str = "softirqs";
    const READS: &'static [&'static str] = &[PATH];

    fn collect(host: &Host) -> Reading<Self> {
        parse(&host.read_text(PATH)?)
    }
}

fn parse(text: &str) -> Reading<Softirqs> {
    let mut lines = (1..).zip(text.lines());
    let cpus = lines.next().and_then(|(_, line)| cpu_columns::heading(line));
    let cpus = cpus.ok_or_else(|| Missing::garbled(PATH, "does not begin with the names of CPUs"))?;
    let mut kinds = BTreeMap::new();
    for (number, line) in lines {
        let row = cpu_columns::row(line, cpus.len()).filter(|row| row.counts.len() == cpus.len() && row.rest.is_empty());
        let row = row.ok_or_else(|| Missing::garbled(PATH, format!("line {number} has no number for each CPU")))?;
        // The first of several that are the same.
        let (busiest, busiest_cpu) = row.counts.iter().zip(&cpus).rev().max_by_key(|(count, _)| **count).unwrap_or((&0, &0));
        let softirq = Softirq {
            total: row.counts.iter().fold(0, |sum: u64, n| sum.saturating_add(*n)),
            busiest: *busiest,
            busiest_cpu: *busiest_cpu,
            counts: row.counts,
            at: At::line(PATH, number),
        };
        kinds.insert(row.label.to_owned(), softirq);
    }
    Ok(Softirqs { kinds, cpus })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_cpu_is_found() {
        let text = "                    CPU0       CPU2       \n          HI:          0          0\n      NET_RX:      22717      38291\n";
        let found = parse(text).unwrap();
        let rx = &found.kinds["NET_RX"];
        assert_eq!((rx.total, rx.busiest_cpu, rx.busiest, rx.at.to_string()), (61008, 2, 38291, "/proc/softirqs:3".into()));
        assert_eq!((found.kinds["HI"].busiest_cpu, found.cpus), (0, vec![0, 2]));
    }

    #[test]
    fn garbage_is_unreadable() {
        for garbage in ["", "\n", "CPU0\nNET_RX: x\n", "CPU0 CPU1\nNET_RX: 1\n", "CPU0\nNET_RX: 1 2\n", "\0\nNET_RX: 1\n"] {
            assert!(matches!(parse(garbage), Err(Missing::Unreadable(_))), "{garbage:?}");
        }
    }
}

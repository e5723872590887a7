//! What each CPU did with the packets that came in.

use super::Fact;
use crate::record;
use crate::source::{At, Host, Missing, Reading};

const STAT: &str = "/proc/net/softnet_stat";

record! {
    /// What each CPU did with the packets that came in, since boot.
    ///
    /// ```text
    /// /proc/net/softnet_stat   000dfb82 00000029 0000000a 00000000 00000000 00000000 00000000 00000000 00000000 008eeb9a …
    /// ```
    ///
    /// Source: `softnet_seq_show` in the kernel's net/core/net-procfs.c, networking/scaling. Of all network namespaces together.
    /// Counters are 32 bits wide and wrap around. Absent where no kernel runs.
    #[bare(cpus)]
    pub struct Softnet {
        /// The CPUs that are online.
        pub cpus: Vec<SoftnetCpu>,
        /// Packets that were processed, by all of them.
        pub processed: u64,
        /// Packets that were dropped, by all of them.
        pub dropped: u64,
        /// `time_squeeze` of all of them.
        pub time_squeeze: u64,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// What a CPU did with the packets that came in.
    #[derive(Clone, PartialEq)]
    pub struct SoftnetCpu {
        /// The CPU's number. Absent before Linux 5.10: lines are of the CPUs online, in order.
        pub cpu: Option<u64>,
        /// Packets that were processed.
        pub processed: u64,
        /// Packets that were dropped, since the queue before the protocols was full (net.core.netdev_max_backlog) or a
        /// single flow had filled its part of it. Drivers without NAPI, virtual devices and RPS go through that queue.
        pub dropped: u64,
        /// How often a round of processing ended before all was done, for net.core.netdev_budget or its time was used up.
        /// The rest was done in the next round.
        pub time_squeeze: u64,
        /// How often another CPU asked this one to process packets, for RPS. Absent before Linux 2.6.36.
        pub received_rps: Option<u64>,
        /// Packets that were dropped, since their flow had filled its part of the queue; among `dropped`. Absent before Linux 3.11.
        pub flow_limit: Option<u64>,
        /// Packets that wait in the queue now. Absent before Linux 5.10.
        pub backlog: Option<u64>,
        /// Where it was read.
        pub at: At,
    }
}

impl Fact for Softnet {
    const NAME: &'static str = "softnet";
    const READS: &'static [&'static str] = &[STAT];

    fn collect(host: &Host) -> Reading<Self> {
        parse(&host.read_text(STAT)?)
    }
}

fn parse(text: &str) -> Reading<Softnet> {
    let mut cpus = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let cpu = cpu(line, number);
        cpus.push(cpu.ok_or_else(|| {
            Missing::garbled(STAT, format!("line {number} is not what the kernel prints of a CPU"))
        })?);
    }
    if cpus.is_empty() {
        return Err(Missing::garbled(STAT, "names no CPU"));
    }
    let sum = |field: fn(&SoftnetCpu) -> u64| cpus.iter().map(field).fold(0, u64::saturating_add);
    Ok(Softnet {
        processed: sum(|cpu| cpu.processed),
        dropped: sum(|cpu| cpu.dropped),
        time_squeeze: sum(|cpu| cpu.time_squeeze),
        cpus,
        at: At::file(STAT),
    })
}

fn cpu(line: &str, number: u32) -> Option<SoftnetCpu> {
    let columns = line.split_ascii_whitespace().map(|word| u64::from_str_radix(word, 16).ok());
    let columns = columns.collect::<Option<Vec<u64>>>()?;
    let column = |position: usize| columns.get(position).copied();
    // Nine before there was RPS; 3 to 7 are no longer in use, and 8 counted collisions of CPUs that send.
    column(8)?;
    Some(SoftnetCpu {
        cpu: column(12),
        processed: column(0)?,
        dropped: column(1)?,
        time_squeeze: column(2)?,
        received_rps: column(9),
        flow_limit: column(10),
        backlog: column(11),
        at: At::line(STAT, number),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZEROS: &str = "00000000 00000000 00000000 00000000 00000000";

    #[test]
    fn columns_have_become_more() {
        let text = format!("0000000a 00000002 00000001 {ZEROS} 00000000\n");
        let found = parse(&text).unwrap();
        assert_eq!((found.processed, found.dropped, found.time_squeeze), (10, 2, 1));
        assert_eq!((found.cpus[0].cpu, found.cpus[0].received_rps), (None, None));
        let text = format!("0000000a 00000002 00000001 {ZEROS} 00000000 00000003 00000004\n");
        let found = parse(&text).unwrap().cpus.remove(0);
        assert_eq!(
            (found.received_rps, found.flow_limit, found.backlog, found.cpu),
            (Some(3), Some(4), None, None)
        );
        let text = format!("1 1 1 {ZEROS} 0 0 0 0 0\n000000ff 1 1 {ZEROS} 0 3 4 5 00000007 6 7\n");
        let found = parse(&text).unwrap();
        assert_eq!((found.processed, found.cpus[1].backlog, found.cpus[1].cpu), (256, Some(5), Some(7)));
        assert_eq!(found.cpus[1].at.to_string(), "/proc/net/softnet_stat:2");
    }

    #[test]
    fn garbage_is_unreadable() {
        for garbage in ["", "\n", "1 2 3\n", "\0\0", "x x x x x x x x x\n", "1 2 3 4 5 6 7 8 9\n\u{fffd}\n"] {
            assert!(matches!(parse(garbage), Err(Missing::Unreadable(_))), "{garbage:?}");
        }
    }
}

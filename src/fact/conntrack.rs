//! The connections that netfilter tracks, and how many it can.

use super::Fact;
use crate::format::per_cpu_stat::{self, PerCpu};
use crate::model::{Limit, Located};
use crate::record;
use crate::source::{At, Host, Missing, Reading};

const COUNT: &str = "/proc/sys/net/netfilter/nf_conntrack_count";
const MAX: &str = "/proc/sys/net/netfilter/nf_conntrack_max";
const STAT: &str = "/proc/net/stat/nf_conntrack";

record! {
    /// The connections that netfilter tracks for stateful rules and NAT, and how many it can.
    ///
    /// ```text
    /// /proc/sys/net/netfilter/nf_conntrack_count   24310
    /// /proc/sys/net/netfilter/nf_conntrack_max     262144
    /// /proc/net/stat/nf_conntrack                  entries  clashres found new invalid … insert_failed drop early_drop …
    /// ```
    ///
    /// Source: the kernel's networking/nf_conntrack-sysctl, net/netfilter/nf_conntrack_standalone.c. Count and counters are those
    /// of this network namespace. Counters begin at boot and are 32 bits wide. Absent where no kernel runs, and where
    /// the module nf_conntrack is not loaded.
    pub struct Conntrack {
        /// Connections that are tracked now.
        pub count: u64,
        /// How many can be; 0 in the kernel's file means no limit.
        pub max: Reading<Located<Limit>>,
        /// Packets that were dropped, since their connection could not be tracked: no room, or a helper refused.
        pub drop: Reading<Located<u64>>,
        /// Connections that the kernel gave up before their time, since there was no room for new ones.
        pub early_drop: Reading<Located<u64>>,
        /// Connections that could not be entered, since another packet of the same flow was quicker.
        pub insert_failed: Reading<Located<u64>>,
        /// Packets that belong to no connection that could be.
        pub invalid: Reading<Located<u64>>,
        /// Searches that had to be done again, since the table was being rebuilt.
        pub search_restart: Reading<Located<u64>>,
        /// Where the count was read.
        pub at: At,
    }
}

impl Fact for Conntrack {
    const NAME: &'static str = "conntrack";
    const READS: &'static [&'static str] = &[COUNT, MAX, STAT];

    fn collect(host: &Host) -> Reading<Self> {
        let count = number(host, COUNT)?;
        let stat = host.read_text(STAT).and_then(|text| per_cpu_stat::parse(STAT, &text));
        let sum = |name| {
            let stat: &PerCpu = stat.as_ref().map_err(Clone::clone)?;
            Ok(Located { value: stat.sum(name).ok_or(Missing::Absent)?, at: At::file(STAT) })
        };
        let limit = |max| if max == 0 { Limit::Unlimited } else { Limit::Number(max) };
        Ok(Self {
            count,
            max: number(host, MAX).map(|max| Located { value: limit(max), at: At::file(MAX) }),
            drop: sum("drop"),
            early_drop: sum("early_drop"),
            insert_failed: sum("insert_failed"),
            invalid: sum("invalid"),
            search_restart: sum("search_restart"),
            at: At::file(COUNT),
        })
    }
}

fn number(host: &Host, path: &str) -> Reading<u64> {
    let text = host.read_text(path)?;
    text.trim().parse().map_err(|_| Missing::garbled(path, "is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn collect(files: &Files) -> Reading<Conntrack> {
        Conntrack::collect(&Host::new(files.clone(), Target::live()))
    }

    #[test]
    fn counters_are_those_of_all_cpus() {
        let mut files = Files::new();
        files.file(COUNT, "123\n").file(MAX, "65536\n");
        files.file(
            STAT,
            "entries  searched insert_failed drop early_drop\n0000007b 0 1 a 0\n0000007b 0 1 b 0\n",
        );
        let found = collect(&files).unwrap();
        let max = found.max.unwrap();
        assert_eq!((found.count, max.value, max.at.to_string()), (123, Limit::Number(65536), MAX.into()));
        let counters =
            [found.drop, found.early_drop, found.insert_failed].map(|counter| counter.unwrap().value);
        assert_eq!(counters, [21, 0, 2]);
        assert_eq!(found.search_restart, Err(Missing::Absent));
    }

    #[test]
    fn zero_is_no_limit() {
        let mut files = Files::new();
        files.file(COUNT, "5\n").file(MAX, "0\n");
        let found = collect(&files).unwrap();
        assert_eq!((found.max.unwrap().value, found.drop), (Limit::Unlimited, Err(Missing::Absent)));
    }

    #[test]
    fn no_module_is_absent_and_garbage_unreadable() {
        assert!(matches!(collect(&Files::new()), Err(Missing::Absent)));
        let mut files = Files::new();
        files.file(COUNT, "\0\n");
        assert!(matches!(collect(&files), Err(Missing::Unreadable(_))));
        files.file(COUNT, "1").deny(MAX).file(STAT, "entries drop\n1\n");
        let found = collect(&files).unwrap();
        assert!(matches!(found.max, Err(Missing::Unreadable(_))));
        assert!(matches!(found.drop, Err(Missing::Unreadable(_))));
        files.deny(COUNT);
        assert!(matches!(collect(&files), Err(Missing::Unreadable(_))));
    }
}

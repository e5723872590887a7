//! What the memory management has done since boot.

use super::Fact;
use crate::format::key_value::KeyValues;
use crate::model::Sampled;
use crate::record;
use crate::source::{At, Earlier, Host, Missing, Optional, Reading};

record! {
    /// What the memory management has done since boot, counted.
    ///
    /// ```text
    /// /proc/vmstat   pswpin 0
    ///                allocstall_normal 12
    ///                oom_kill 3
    /// ```
    ///
    /// Source: proc_vmstat(5). All are counters since boot, of pages or of events. A field this kernel does not print is
    /// absent. Absent where no kernel runs: images and plain roots.
    pub struct Vmstat {
        /// Processes killed for want of memory, of the host or of a cgroup. Absent before Linux 4.13.
        pub oom_kill: Reading<u64>,
        /// Pages swapped in.
        pub pswpin: Reading<u64>,
        /// Pages swapped out.
        pub pswpout: Reading<u64>,
        /// Page faults that had to read from a disk.
        pub pgmajfault: Reading<u64>,
        /// How often a program had to wait while it reclaimed memory itself, over all zones.
        pub allocstall: Reading<u64>,
        /// Pages that programs looked at to reclaim memory themselves, over all zones.
        pub pgscan_direct: Reading<u64>,
        /// Pages that kswapd looked at to reclaim memory, over all zones.
        pub pgscan_kswapd: Reading<u64>,
        /// How often a program had to wait while it compacted memory for a huge page or the like.
        pub compact_stall: Reading<u64>,
        /// How often that was in vain.
        pub compact_fail: Reading<u64>,
        /// How often reclaim within a NUMA node, which vm.zone_reclaim_mode asks for, failed.
        pub zone_reclaim_failed: Reading<u64>,
        /// How often the page cache was dropped through vm.drop_caches.
        pub drop_pagecache: Reading<u64>,
        /// How often slab was dropped through vm.drop_caches.
        pub drop_slab: Reading<u64>,
        /// How fast some of them rise.
        pub now: Sampled<VmstatRates>,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// What the memory management did per second of the sample. A rate is absent where its counter is.
    #[derive(Clone, PartialEq)]
    pub struct VmstatRates {
        /// Pages swapped in.
        pub pswpin_per_s: Reading<f64>,
        /// Pages swapped out.
        pub pswpout_per_s: Reading<f64>,
        /// Page faults that had to read from a disk.
        pub pgmajfault_per_s: Reading<f64>,
        /// How often a program had to wait while it reclaimed memory itself.
        pub allocstall_per_s: Reading<f64>,
        /// Pages that programs looked at to reclaim memory themselves.
        pub pgscan_direct_per_s: Reading<f64>,
        /// Pages that kswapd looked at to reclaim memory.
        pub pgscan_kswapd_per_s: Reading<f64>,
    }
}

impl Fact for Vmstat {
    const NAME: &'static str = "vmstat";
    const READS: &'static [&'static str] = &["/proc/vmstat"];

    const COUNTERS: &'static [&'static str] = Self::READS;

    fn collect(host: &Host) -> Reading<Self> {
        let mut found = parse(&host.read_text(Self::READS[0])?)?;
        if let Some(earlier) = &host.earlier {
            let before = earlier.read_text(Self::READS[0]).and_then(|text| parse(&text));
            found.now = Sampled(before.map(|before| found.rates(&before, earlier)));
        }
        Ok(found)
    }
}

impl Vmstat {
    fn rates(&self, before: &Self, earlier: &Earlier) -> VmstatRates {
        let rate = |get: fn(&Self) -> &Reading<u64>| {
            let (before, now) = (get(before).clone()?, get(self).clone()?);
            earlier.per_second(before, now).ok_or(Missing::Absent)
        };
        VmstatRates {
            pswpin_per_s: rate(|stat| &stat.pswpin),
            pswpout_per_s: rate(|stat| &stat.pswpout),
            pgmajfault_per_s: rate(|stat| &stat.pgmajfault),
            allocstall_per_s: rate(|stat| &stat.allocstall),
            pgscan_direct_per_s: rate(|stat| &stat.pgscan_direct),
            pgscan_kswapd_per_s: rate(|stat| &stat.pgscan_kswapd),
        }
    }
}

fn parse(text: &str) -> Reading<Vmstat> {
    let path = Vmstat::READS[0];
    let lines = KeyValues::new(path, text, ' ');
    if lines.pairs().is_empty() {
        return Err(Missing::garbled(path, "holds no counter"));
    }
    let count = |key| lines.count(key);
    Ok(Vmstat {
        oom_kill: count("oom_kill"),
        pswpin: count("pswpin"),
        pswpout: count("pswpout"),
        pgmajfault: count("pgmajfault"),
        allocstall: over_zones(&lines, "allocstall"),
        pgscan_direct: over_zones(&lines, "pgscan_direct"),
        pgscan_kswapd: over_zones(&lines, "pgscan_kswapd"),
        compact_stall: count("compact_stall"),
        compact_fail: count("compact_fail"),
        zone_reclaim_failed: count("zone_reclaim_failed"),
        drop_pagecache: count("drop_pagecache"),
        drop_slab: count("drop_slab"),
        now: Sampled::default(),
        at: At::file(path),
    })
}

/// The counter of this name, or the sum of those with a zone's name after it: kernels differ in which they print.
fn over_zones(lines: &KeyValues<'_>, name: &str) -> Reading<u64> {
    if let Some(count) = lines.count(name).optional()? {
        return Ok(count);
    }
    let mut sum: Option<u64> = None;
    for zone in ["dma", "dma32", "normal", "high", "movable", "device"] {
        if let Some(count) = lines.count(&format!("{name}_{zone}")).optional()? {
            sum = Some(sum.unwrap_or(0).saturating_add(count));
        }
    }
    sum.ok_or(Missing::Absent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_and_zones_are_added() {
        let text = "nr_free_pages 5\npswpin 1\noom_kill 3\nallocstall_dma 0\nallocstall_normal 4\n\
                    allocstall_movable 2\npgscan_direct 7\npgscan_direct_throttle 1\n";
        let vmstat = parse(text).unwrap();
        assert_eq!((vmstat.oom_kill, vmstat.pswpin, vmstat.allocstall), (Ok(3), Ok(1), Ok(6)));
        assert_eq!((vmstat.pgscan_direct, vmstat.pgscan_kswapd), (Ok(7), Err(Missing::Absent)));
    }

    #[test]
    fn rates_are_over_the_time_between_two_readings() {
        use crate::source::{Files, Target};
        let rates = |now: &str, before: &str| {
            let (mut files, mut earlier) = (Files::new(), Files::new());
            files.file("/proc/vmstat", now);
            earlier.file("/proc/vmstat", before);
            let earlier = Earlier::new(earlier, std::time::Duration::from_secs(2));
            Vmstat::collect(&Host::new(files, Target::live()).with_earlier(earlier)).unwrap().now.0
        };
        let now = "pswpin 50\npswpout 3\nallocstall_dma 2\nallocstall_normal 9\n";
        let found = rates(now, "pswpin 10\npswpout 4\nallocstall_dma 1\nallocstall_normal 4\n").unwrap();
        assert_eq!((found.pswpin_per_s, found.allocstall_per_s), (Ok(20.0), Ok(3.0)));
        assert_eq!(
            (found.pswpout_per_s, found.pgmajfault_per_s),
            (Err(Missing::Absent), Err(Missing::Absent))
        );
        assert!(matches!(rates(now, "pswpin x\n").unwrap().pswpin_per_s, Err(Missing::Unreadable(_))));
        assert!(matches!(rates(now, ""), Err(Missing::Unreadable(_))));
    }

    #[test]
    fn old_kernels_print_no_oom_kill() {
        assert_eq!(parse("nr_free_pages 5\nallocstall 9\n").unwrap().oom_kill, Err(Missing::Absent));
        assert_eq!(parse("nr_free_pages 5\nallocstall 9\n").unwrap().allocstall, Ok(9));
    }

    #[test]
    fn garbage_is_unreadable() {
        assert!(parse("").is_err());
        assert!(parse("\0\u{fffd}").is_err());
        let vmstat = parse("nr_free_pages 5\noom_kill many\npswpo").unwrap();
        assert!(matches!(vmstat.oom_kill, Err(Missing::Unreadable(_))));
        assert!(matches!(vmstat.pswpout, Err(Missing::Unreadable(_))));
    }
}

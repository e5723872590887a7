//! What the memory management has done since boot.

use super::Fact;
use crate::format::key_value::KeyValues;
use crate::record;
use crate::source::{At, Host, Missing, Reading};

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
        /// Where it was read.
        pub at: At,
    }
}

impl Fact for Vmstat {
    const NAME: &'static str = "vmstat";
    const READS: &'static [&'static str] = &["/proc/vmstat"];

    fn collect(host: &Host) -> Reading<Self> {
        parse(&host.read_text(Self::READS[0])?)
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
        at: At::file(path),
    })
}

/// The counter of this name, or the sum of those with a zone's name after it: kernels differ in which they print.
fn over_zones(lines: &KeyValues<'_>, name: &str) -> Reading<u64> {
    match lines.count(name) {
        Err(Missing::Absent) => {}
        found => return found,
    }
    let mut sum: Option<u64> = None;
    for zone in ["dma", "dma32", "normal", "high", "movable", "device"] {
        match lines.count(&format!("{name}_{zone}")) {
            Ok(count) => sum = Some(sum.unwrap_or(0).saturating_add(count)),
            Err(Missing::Absent) => {}
            Err(why) => return Err(why),
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

//! The tables of neighbours on the link, and the limits of these.

use super::Fact;
use crate::format::per_cpu_stat;
use crate::model::{Located, Partial};
use crate::record;
use crate::source::{At, Host, Missing, Reading};

/// Name in /proc/net/stat, family, and directory of the thresholds.
const TABLES: [(&str, NeighbourFamily, &str); 2] = [
    ("arp_cache", NeighbourFamily::Ipv4, "/proc/sys/net/ipv4/neigh/default"),
    ("ndisc_cache", NeighbourFamily::Ipv6, "/proc/sys/net/ipv6/neigh/default"),
];

record! {
    /// The tables that hold the link-layer addresses of neighbours: ARP's and IPv6 neighbour discovery's.
    ///
    /// ```text
    /// /proc/net/stat/arp_cache                       entries  allocs … forced_gc_runs unresolved_discards table_fulls
    ///                                                0000021c  00000b1a …
    /// /proc/sys/net/ipv4/neigh/default/gc_thresh3    1024
    /// ```
    ///
    /// Source: arp(7), the kernel's networking/ip-sysctl, net/core/neighbour.c. The tables are the kernel's, for all network
    /// namespaces together, and shown in the first one only: absent in containers, and where no kernel runs. /proc/net/arp is not
    /// counted: it has one namespace's and IPv4's alone.
    #[bare(tables)]
    pub struct Neighbours {
        /// IPv4's, then IPv6's.
        pub tables: Partial<NeighbourTable>,
    }
}

crate::word! {
    /// The protocol of a table.
    pub enum NeighbourFamily {
        /// ARP.
        Ipv4 = "ipv4",
        /// Neighbour discovery.
        Ipv6 = "ipv6",
    }
}

record! {
    /// A table of neighbours. Counters begin at boot.
    #[derive(Clone, PartialEq)]
    pub struct NeighbourTable {
        /// `arp_cache` or `ndisc_cache`.
        pub name: String,
        /// The protocol.
        pub family: NeighbourFamily,
        /// Entries, resolved or not. Since Linux 5.0 permanent and externally learned ones, which are among them, do not
        /// count for the thresholds.
        pub entries: u64,
        /// Below so many entries none is removed.
        pub gc_thresh1: Reading<Located<u64>>,
        /// Above so many a new entry makes the kernel remove old ones first.
        pub gc_thresh2: Reading<Located<u64>>,
        /// More are not kept: a neighbour that is not among them cannot be reached.
        pub gc_thresh3: Reading<Located<u64>>,
        /// How often a new entry made the kernel remove old ones.
        pub forced_gc_runs: Option<u64>,
        /// How often there was no room for a new entry even then. Absent before Linux 4.3.
        pub table_fulls: Option<u64>,
        /// Where it was read.
        pub at: At,
    }
}

impl Fact for Neighbours {
    const NAME: &'static str = "neighbours";
    const READS: &'static [&'static str] = &[
        "/proc/net/stat/arp_cache",
        "/proc/net/stat/ndisc_cache",
        "/proc/sys/net/ipv4/neigh/default/gc_thresh*",
        "/proc/sys/net/ipv6/neigh/default/gc_thresh*",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let mut tables = Partial::default();
        let mut absent = true;
        for (name, family, thresholds) in TABLES {
            let found = table(host, name, family, thresholds);
            absent &= found == Err(Missing::Absent);
            tables.add(found.map(|table| [table]));
        }
        if absent { Err(Missing::Absent) } else { Ok(Self { tables }) }
    }
}

fn table(host: &Host, name: &str, family: NeighbourFamily, thresholds: &str) -> Reading<NeighbourTable> {
    let path = format!("/proc/net/stat/{name}");
    let stat = per_cpu_stat::parse(&path, &host.read_text(&path)?)?;
    let threshold = |name: &str| {
        let path = format!("{thresholds}/{name}");
        let text = host.read_text(&path)?;
        let value = text.trim().parse().map_err(|_| Missing::garbled(&path, "is no number"))?;
        Ok(Located { value, at: At::file(path) })
    };
    Ok(NeighbourTable {
        name: name.to_owned(),
        family,
        entries: stat.same("entries").ok_or_else(|| Missing::garbled(&path, "has no column `entries`"))?,
        gc_thresh1: threshold("gc_thresh1"),
        gc_thresh2: threshold("gc_thresh2"),
        gc_thresh3: threshold("gc_thresh3"),
        forced_gc_runs: stat.sum("forced_gc_runs"),
        table_fulls: stat.sum("table_fulls"),
        at: At::file(path),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    const ARP: &str = "/proc/net/stat/arp_cache";

    fn collect(files: &Files) -> Reading<Neighbours> {
        Neighbours::collect(&Host::new(files.clone(), Target::live()))
    }

    #[test]
    fn entries_are_of_the_table_and_counters_of_each_cpu() {
        let mut files = Files::new();
        files.file(ARP, "entries  allocs forced_gc_runs table_fulls\n00000014 1 0a 2\n00000014 1 1 3\n");
        files.file("/proc/sys/net/ipv4/neigh/default/gc_thresh3", "1024\n");
        let found = collect(&files).unwrap().tables;
        let [arp] = found.items.as_slice() else { panic!() };
        assert_eq!((arp.entries, arp.forced_gc_runs, arp.table_fulls), (20, Some(11), Some(5)));
        assert_eq!(arp.gc_thresh3.as_ref().map(|limit| limit.value), Ok(1024));
        assert_eq!(arp.gc_thresh2, Err(Missing::Absent));
        assert!(found.unread.is_empty());
    }

    #[test]
    fn kernels_of_old_do_not_count_overflows() {
        let mut files = Files::new();
        files.file(
            "/proc/net/stat/ndisc_cache",
            "entries  allocs forced_gc_runs unresolved_discards\n1 1 0 2\n",
        );
        let found = collect(&files).unwrap().tables;
        assert_eq!((found.items[0].family, found.items[0].table_fulls), (NeighbourFamily::Ipv6, None));
    }

    #[test]
    fn a_table_that_cannot_be_read_leaves_a_gap() {
        assert!(matches!(collect(&Files::new()), Err(Missing::Absent)));
        let mut files = Files::new();
        files.deny(ARP).file("/proc/net/stat/ndisc_cache", "allocs\n1\n");
        let found = collect(&files).unwrap().tables;
        assert_eq!((found.items.len(), found.unread.len()), (0, 2));
    }
}

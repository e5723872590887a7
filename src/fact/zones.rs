//! The zones of memory, and the marks below which the kernel reclaims.

use super::Fact;
use crate::model::Partial;
use crate::record;
use crate::source::{At, Host, Missing, Reading, Reason, Unreadable};

const ZONEINFO: &str = "/proc/zoneinfo";

record! {
    /// The zones of memory: how much of each is free, and the marks below which the kernel reclaims.
    ///
    /// ```text
    /// /proc/zoneinfo   Node 0, zone   Normal
    ///                    pages free     89712
    ///                          min      11261
    ///                          low      14076
    ///                          high     16891
    /// ```
    ///
    /// Source: the kernel's admin-guide/mm/concepts, mm/vmstat.c. In pages, of 4 KiB on most architectures. Free memory goes up
    /// and down between `low` and `high` on every host that uses its memory: below `low` kswapd begins to reclaim, below
    /// `min` programs must reclaim themselves before they get memory. Absent where no kernel runs.
    #[bare(list)]
    pub struct Zones {
        /// Every zone, those without memory too.
        pub list: Partial<Zone>,
    }
}

record! {
    /// One zone of a NUMA node.
    #[derive(Clone, PartialEq, Default)]
    pub struct Zone {
        /// The NUMA node.
        pub node: u32,
        /// `DMA`, `DMA32`, `Normal`, `HighMem`, `Movable`, `Device`.
        pub name: String,
        /// Pages that nobody uses.
        pub free_pages: Option<u64>,
        /// Below this only the kernel's most urgent requests are served without reclaiming first.
        pub min_pages: Option<u64>,
        /// Below this kswapd begins to reclaim.
        pub low_pages: Option<u64>,
        /// Here kswapd stops.
        pub high_pages: Option<u64>,
        /// Pages there are; 0 where the zone is not populated.
        pub present_pages: Option<u64>,
        /// Of them, those that the kernel hands out. Absent before Linux 3.9.
        pub managed_pages: Option<u64>,
        /// Page cache that has been used recently; it can be reclaimed if it must.
        pub active_file_pages: Option<u64>,
        /// Page cache that has not been used recently; it is reclaimed first.
        pub inactive_file_pages: Option<u64>,
        /// Where it begins.
        pub at: Option<At>,
    }
}

impl Fact for Zones {
    const NAME: &'static str = "zones";
    const READS: &'static [&'static str] = &[ZONEINFO];

    fn collect(host: &Host) -> Reading<Self> {
        let list = parse(&host.read_text(ZONEINFO)?);
        match list.items.is_empty() {
            true => Err(Missing::garbled(ZONEINFO, "describes no zone")),
            false => Ok(Self { list }),
        }
    }
}

fn parse(text: &str) -> Partial<Zone> {
    let mut zones = Partial::default();
    // What stands before `pages free` in a zone is about its node.
    let mut in_zone = false;
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(rest) = line.strip_prefix("Node ") {
            in_zone = false;
            match heading(rest, number) {
                Some(zone) => zones.items.push(zone),
                None => zones.unread.push(odd(number)),
            }
            continue;
        }
        let mut words = line.split_ascii_whitespace();
        let mut key = words.next().unwrap_or_default();
        if key == "pages" {
            in_zone = true;
            key = words.next().unwrap_or_default();
        }
        let Some(zone) = zones.items.last_mut().filter(|_| in_zone) else { continue };
        let field = match key {
            "free" => &mut zone.free_pages,
            "min" => &mut zone.min_pages,
            "low" => &mut zone.low_pages,
            "high" => &mut zone.high_pages,
            "present" => &mut zone.present_pages,
            "managed" => &mut zone.managed_pages,
            // Before Linux 4.8 a zone had lists of its own.
            "nr_zone_active_file" | "nr_active_file" => &mut zone.active_file_pages,
            "nr_zone_inactive_file" | "nr_inactive_file" => &mut zone.inactive_file_pages,
            _ => continue,
        };
        *field = words.next().and_then(|word| word.parse().ok());
        if field.is_none() {
            zones.unread.push(odd(number));
        }
    }
    zones
}

/// `0, zone   Normal`.
fn heading(rest: &str, number: u32) -> Option<Zone> {
    let (node, name) = rest.split_once(", zone")?;
    let (node, name) = (node.parse().ok()?, name.trim().to_owned());
    (!name.is_empty()).then(|| Zone { node, name, at: Some(At::line(ZONEINFO, number)), ..Zone::default() })
}

fn odd(number: u32) -> Unreadable {
    Unreadable { path: ZONEINFO.into(), reason: Reason::Garbled(format!("line {number} is not understood")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Node 0, zone      DMA\n  per-node stats\n      nr_inactive_file 999\n      nr_active_file 998\n  \
        pages free     2814\n        boost    0\n        min      31\n        low      38\n        high     45\n        \
        spanned  4095\n        present  3998\n        managed  3840\n        protection: (0, 1500, 7000)\n      \
        nr_zone_inactive_file 5\n      nr_zone_active_file 6\n  pagesets\n    cpu: 0\n              count: 0\n              \
        high:  100\nNode 1, zone   Movable\n  pages free     0\n        min      0\n        low      0\n        \
        high     0\n        present  0\n        managed  0\n";

    #[test]
    fn a_zone_is_not_taken_for_its_node_or_its_cpus() {
        let zones = parse(TEXT);
        assert!(zones.unread.is_empty());
        let dma = &zones.items[0];
        assert_eq!((dma.node, dma.name.as_str(), dma.free_pages), (0, "DMA", Some(2814)));
        assert_eq!((dma.min_pages, dma.low_pages, dma.high_pages), (Some(31), Some(38), Some(45)));
        assert_eq!((dma.present_pages, dma.managed_pages), (Some(3998), Some(3840)));
        assert_eq!((dma.inactive_file_pages, dma.active_file_pages), (Some(5), Some(6)));
        let movable = &zones.items[1];
        assert_eq!((movable.node, movable.managed_pages, movable.active_file_pages), (1, Some(0), None));
        assert_eq!(movable.at, Some(At::line(ZONEINFO, 20)));
    }

    #[test]
    fn old_kernels_keep_the_lists_in_the_zone() {
        let text = "Node 0, zone   Normal\n  pages free     10\n        min      9\n    nr_inactive_file 7\n    nr_active_file 8\n";
        let zone = &parse(text).items[0];
        assert_eq!(
            (zone.inactive_file_pages, zone.active_file_pages, zone.managed_pages),
            (Some(7), Some(8), None)
        );
    }

    #[test]
    fn odd_lines_are_unread_and_nothing_is_made_up() {
        let zones = parse("Node x, zone\nNode 0, zone Normal\n  pages free many\n        min\n\0\u{fffd}\n");
        assert_eq!((zones.items.len(), zones.unread.len(), zones.items[0].free_pages), (1, 3, None));
        assert!(parse("pages free 5\n").items.is_empty());
    }
}

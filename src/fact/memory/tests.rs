use super::*;
use crate::source::{Files, Target};

/// An 8 GiB host under strict overcommit.
const MEMINFO_8_GIB: &str = "\
MemTotal:        8009416 kB
MemFree:         7347684 kB
MemAvailable:    7418172 kB
SwapTotal:             0 kB
Slab:              40660 kB
SReclaimable:      22240 kB
SUnreclaim:        18420 kB
CommitLimit:     4004708 kB
Committed_AS:    2061568 kB
HardwareCorrupted:     0 kB
HugePages_Total:       0
Hugepagesize:       2048 kB
";

fn collect(files: &Files, assume: &str) -> Reading<Memory> {
    let mut target = Target::root("test");
    target.assume = assume.parse().unwrap();
    Memory::collect(&Host::new(files.clone(), target))
}

fn of(meminfo: impl Into<Vec<u8>>) -> Reading<Memory> {
    let mut files = Files::new();
    files.file(MEMINFO, meminfo);
    collect(&files, "memory=64GiB")
}

#[test]
fn the_fields_are_the_kernels_in_kib() {
    let memory = of(MEMINFO_8_GIB).unwrap();
    assert_eq!(memory.total_kib, Ok(8_009_416));
    assert_eq!(memory.available_kib, Ok(7_418_172));
    assert_eq!(memory.slab_unreclaimable_kib, Ok(18_420));
    assert_eq!(memory.commit_limit_kib, Ok(4_004_708));
    assert_eq!(memory.hugepage_size_kib, Ok(2048));
    assert_eq!(memory.hugetlb_kib, Err(Missing::Absent));
    assert_eq!(memory.at.to_string(), "/proc/meminfo");
}

#[test]
fn the_kernels_own_min_free_follows_from_low_memory() {
    assert_eq!(of("MemTotal: 16777216 kB").unwrap().own_min_free_kib, Ok(16384));
    assert_eq!(of("MemTotal: 512 kB").unwrap().own_min_free_kib, Ok(128));
    assert_eq!(of("MemTotal: 4294967296 kB").unwrap().own_min_free_kib, Ok(65536));
    assert_eq!(of("MemTotal: 4000000 kB\nLowTotal: 810000 kB").unwrap().own_min_free_kib, Ok(3600));
    let odd = of("MemTotal: 4000000 kB\nLowTotal: many kB").unwrap().own_min_free_kib;
    assert!(matches!(odd, Err(Missing::Unreadable(_))));
}

#[test]
fn one_odd_line_costs_one_field() {
    let memory = of("MemTotal: 8009416 kB\nMemFree: lots kB\nSwapTotal: 0 kB\n").unwrap();
    assert!(matches!(memory.free_kib, Err(Missing::Unreadable(_))));
    assert_eq!(memory.swap_total_kib, Ok(0));
    let memory = of(b"MemTotal: 8009416 kB\n\0\xff\nSwapTotal: 0 kB\n".to_vec()).unwrap();
    assert!(matches!(memory.free_kib, Err(Missing::Unreadable(_))), "it may have been the odd line");
}

#[test]
fn an_empty_or_truncated_meminfo_is_unreadable() {
    assert!(matches!(of(""), Err(Missing::Unreadable(_))));
    assert!(matches!(of("Active: 3 kB\n"), Err(Missing::Unreadable(_))));
    assert!(matches!(of("MemTot").unwrap().total_kib, Err(Missing::Unreadable(_))));
    assert!(matches!(of("MemTotal: 80").unwrap().total_kib, Err(Missing::Unreadable(_))));
}

#[test]
fn a_denied_meminfo_is_not_assumed_away() {
    let mut files = Files::new();
    files.deny(MEMINFO);
    assert!(matches!(collect(&files, "memory=8GiB"), Err(Missing::Unreadable(_))));
}

#[test]
fn an_image_has_the_memory_that_is_assumed() {
    let memory = collect(&Files::new(), "memory=8GiB").unwrap();
    assert_eq!(memory.total_kib, Ok(8 << 20));
    assert_eq!(memory.own_min_free_kib, Ok(11585));
    assert_eq!(memory.free_kib, Err(Missing::Absent));
    assert_eq!(memory.at.to_string(), "--assume memory");
    assert!(matches!(collect(&Files::new(), ""), Err(Missing::Absent)));
}

#[test]
fn nodes_with_memory_are_counted() {
    let mut files = Files::new();
    files.file(MEMINFO, "MemTotal: 1 kB\n");
    assert_eq!(collect(&files, "").unwrap().nodes.get(), Err(Missing::Absent));
    files.file(NODES, "0-1\n");
    assert_eq!(collect(&files, "").unwrap().nodes.get(), Ok(&2));
    files.file(NODES, "zero\n");
    assert!(matches!(collect(&files, "").unwrap().nodes.get(), Err(Missing::Unreadable(_))));
}

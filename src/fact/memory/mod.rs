//! The host's memory as /proc/meminfo counts it.

use super::Fact;
use crate::format::key_value::KeyValues;
use crate::format::ranges;
use crate::model::Lazy;
use crate::record;
use crate::source::{At, Host, Missing, Optional, Reading};

#[cfg(test)]
mod tests;

const MEMINFO: &str = "/proc/meminfo";
const NODES: &str = "/sys/devices/system/node/has_memory";

record! {
    /// The host's memory as the kernel counts it, in KiB.
    ///
    /// ```text
    /// MemTotal:        8009416 kB
    /// MemAvailable:    7418172 kB
    /// CommitLimit:     4004708 kB
    /// ```
    ///
    /// Source: proc_meminfo(5), the kernel's filesystems/proc. A field that this kernel does not print is absent. Where no
    /// kernel runs, only `total_kib` and what follows from it is known, and only from `--assume memory=`.
    pub struct Memory {
        /// Memory the kernel manages: what is installed, less what firmware and the kernel's image took. KiB.
        pub total_kib: Reading<u64>,
        /// Unused by anything. KiB.
        pub free_kib: Reading<u64>,
        /// What a new program could have without swapping, as the kernel estimates: free memory above the zones' low
        /// watermarks, plus most of the page cache and reclaimable slab. KiB. Absent before Linux 3.14.
        pub available_kib: Reading<u64>,
        /// Page cache of block devices. KiB.
        pub buffers_kib: Reading<u64>,
        /// Page cache of files, tmpfs and shared memory included. KiB.
        pub cached_kib: Reading<u64>,
        /// Swapped out, yet still in memory as well. KiB.
        pub swap_cached_kib: Reading<u64>,
        /// Used recently. KiB.
        pub active_kib: Reading<u64>,
        /// Not used recently. KiB.
        pub inactive_kib: Reading<u64>,
        /// Anonymous and tmpfs pages used recently. KiB.
        pub active_anon_kib: Reading<u64>,
        /// Anonymous and tmpfs pages not used recently. KiB.
        pub inactive_anon_kib: Reading<u64>,
        /// Page cache used recently. KiB.
        pub active_file_kib: Reading<u64>,
        /// Page cache not used recently. KiB.
        pub inactive_file_kib: Reading<u64>,
        /// Cannot be reclaimed: locked, ramfs, and the like. KiB.
        pub unevictable_kib: Reading<u64>,
        /// Locked with mlock(2). KiB.
        pub mlocked_kib: Reading<u64>,
        /// Memory the kernel can only reach through temporary mappings. KiB. Only on 32-bit kernels with high memory.
        pub high_total_kib: Reading<u64>,
        /// Memory the kernel can use for itself. KiB. Only on 32-bit kernels with high memory.
        pub low_total_kib: Reading<u64>,
        /// Of it, unused. KiB. Only on 32-bit kernels with high memory.
        pub low_free_kib: Reading<u64>,
        /// Swap space. KiB.
        pub swap_total_kib: Reading<u64>,
        /// Unused swap space. KiB.
        pub swap_free_kib: Reading<u64>,
        /// Waiting to be written to disk. KiB.
        pub dirty_kib: Reading<u64>,
        /// Being written to disk. KiB.
        pub writeback_kib: Reading<u64>,
        /// Memory of programs that no file backs: heaps, stacks. KiB.
        pub anon_pages_kib: Reading<u64>,
        /// Files mapped into programs. KiB.
        pub mapped_kib: Reading<u64>,
        /// tmpfs, System V and POSIX shared memory; part of `cached_kib`, but cannot be dropped. KiB.
        pub shmem_kib: Reading<u64>,
        /// The kernel's own objects. KiB.
        pub slab_kib: Reading<u64>,
        /// Of them, what can be reclaimed, such as dentries and inodes. KiB.
        pub slab_reclaimable_kib: Reading<u64>,
        /// Of them, what cannot. KiB.
        pub slab_unreclaimable_kib: Reading<u64>,
        /// Stacks of all threads inside the kernel. KiB.
        pub kernel_stack_kib: Reading<u64>,
        /// Page tables of all processes. KiB.
        pub page_tables_kib: Reading<u64>,
        /// Page tables of virtual machines and IOMMUs. KiB. Absent before Linux 6.0.
        pub secondary_page_tables_kib: Reading<u64>,
        /// Objects that each CPU has of its own. KiB. Absent before Linux 4.20.
        pub percpu_kib: Reading<u64>,
        /// Used of the kernel's virtual mappings. KiB. Always 0 from Linux 4.4 to 5.2.
        pub vmalloc_used_kib: Reading<u64>,
        /// Address space that may be committed while vm.overcommit_memory is 2: the limit is printed, though not
        /// applied, in the other modes too. KiB.
        pub commit_limit_kib: Reading<u64>,
        /// Address space that is committed: what programs were promised, touched or not. KiB.
        pub committed_kib: Reading<u64>,
        /// Taken out of use because the hardware reported it broken. KiB. Absent before Linux 2.6.32 and without
        /// CONFIG_MEMORY_FAILURE.
        pub hardware_corrupted_kib: Reading<u64>,
        /// Anonymous memory in transparent huge pages. KiB.
        pub anon_huge_pages_kib: Reading<u64>,
        /// Reserved for, and lent by, the contiguous memory allocator. KiB.
        pub cma_total_kib: Reading<u64>,
        /// All huge pages of all sizes, in use or not; programs cannot have them as ordinary memory. KiB.
        /// Absent before Linux 4.20.
        pub hugetlb_kib: Reading<u64>,
        /// The default size of a huge page. KiB. Absent without CONFIG_HUGETLB_PAGE.
        pub hugepage_size_kib: Reading<u64>,
        /// What the kernel itself sets vm.min_free_kbytes to on this much memory, at the least: 4·√(low memory in KiB),
        /// within 128 and 65536. KiB. Newer kernels go up to 262144, and transparent huge pages raise it further.
        /// Computed from `low_total_kib` or `total_kib`; see `calculate_min_free_kbytes` in mm/page_alloc.c.
        pub own_min_free_kib: Reading<u64>,
        /// How many NUMA nodes have memory. Absent without CONFIG_NUMA.
        pub nodes: Lazy<u32>,
        /// Where it was read, or `--assume memory`.
        pub at: At,
    }
}

impl Fact for Memory {
    const NAME: &'static str = "memory";
    const READS: &'static [&'static str] = &[MEMINFO, NODES];

    fn collect(host: &Host) -> Reading<Self> {
        let nodes = nodes(host);
        if let Some(text) = host.read_text(MEMINFO).optional()? {
            return parse(&text, At::file(MEMINFO), nodes);
        }
        let bytes = host.target.assume.memory_bytes.ok_or(Missing::Absent)?;
        let text = format!("MemTotal: {} kB\n", bytes / 1024);
        parse(&text, At::file("--assume memory"), nodes)
    }
}

fn parse(text: &str, at: At, nodes: Lazy<u32>) -> Reading<Memory> {
    let lines = KeyValues::new(&at.path, text, ':');
    if lines.get("MemTotal") == Err(Missing::Absent) {
        return Err(Missing::garbled(&*at.path, "has no MemTotal"));
    }
    let kib = |key| lines.kib(key);
    let low = kib("LowTotal").or_else(|missing| match missing {
        Missing::Absent => kib("MemTotal"),
        why => Err(why),
    });
    Ok(Memory {
        total_kib: kib("MemTotal"),
        free_kib: kib("MemFree"),
        available_kib: kib("MemAvailable"),
        buffers_kib: kib("Buffers"),
        cached_kib: kib("Cached"),
        swap_cached_kib: kib("SwapCached"),
        active_kib: kib("Active"),
        inactive_kib: kib("Inactive"),
        active_anon_kib: kib("Active(anon)"),
        inactive_anon_kib: kib("Inactive(anon)"),
        active_file_kib: kib("Active(file)"),
        inactive_file_kib: kib("Inactive(file)"),
        unevictable_kib: kib("Unevictable"),
        mlocked_kib: kib("Mlocked"),
        high_total_kib: kib("HighTotal"),
        low_total_kib: kib("LowTotal"),
        low_free_kib: kib("LowFree"),
        swap_total_kib: kib("SwapTotal"),
        swap_free_kib: kib("SwapFree"),
        dirty_kib: kib("Dirty"),
        writeback_kib: kib("Writeback"),
        anon_pages_kib: kib("AnonPages"),
        mapped_kib: kib("Mapped"),
        shmem_kib: kib("Shmem"),
        slab_kib: kib("Slab"),
        slab_reclaimable_kib: kib("SReclaimable"),
        slab_unreclaimable_kib: kib("SUnreclaim"),
        kernel_stack_kib: kib("KernelStack"),
        page_tables_kib: kib("PageTables"),
        secondary_page_tables_kib: kib("SecPageTables"),
        percpu_kib: kib("Percpu"),
        vmalloc_used_kib: kib("VmallocUsed"),
        commit_limit_kib: kib("CommitLimit"),
        committed_kib: kib("Committed_AS"),
        hardware_corrupted_kib: kib("HardwareCorrupted"),
        anon_huge_pages_kib: kib("AnonHugePages"),
        cma_total_kib: kib("CmaTotal"),
        hugetlb_kib: kib("Hugetlb"),
        hugepage_size_kib: kib("Hugepagesize"),
        own_min_free_kib: low.map(|kib| kib.saturating_mul(16).isqrt().clamp(128, 65536)),
        nodes,
        at,
    })
}

fn nodes(host: &Host) -> Lazy<u32> {
    let host = host.clone();
    Lazy::new(move || {
        let count = ranges::count(&host.read_text(NODES)?);
        count.ok_or_else(|| Missing::garbled(NODES, "is no list of nodes"))
    })
}

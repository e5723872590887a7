//! Memory set aside as huge pages: what there is, and what the kernel's command line asked for.

use super::Fact;
use crate::format::kernel_command_line::{self, CommandLine};
use crate::format::key_value::KeyValues;
use crate::model::Partial;
use crate::record;
use crate::source::{At, Host, Missing, Reading};
use std::collections::HashSet;

#[cfg(test)]
mod tests;

const POOLS: &str = "/sys/kernel/mm/hugepages";
const MEMINFO: &str = "/proc/meminfo";
const CMDLINE: &str = "/proc/cmdline";

record! {
    /// Memory set aside as huge pages, which programs only get by asking for huge pages (hugetlbfs, MAP_HUGETLB,
    /// SHM_HUGETLB). Transparent huge pages are another thing.
    ///
    /// ```text
    /// /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages      1024
    /// /sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages    1024
    /// /proc/cmdline   default_hugepagesz=1G hugepagesz=1G hugepages=16
    /// ```
    ///
    /// Source: the kernel's admin-guide/mm/hugetlbpage. Where /sys is missing, the pool of the default size is taken from
    /// /proc/meminfo. Absent where no kernel runs, and where it has no huge pages.
    pub struct Hugepages {
        /// The pools, one for each size of page, smallest first.
        pub pools: Partial<Pool>,
        /// The size of page that vm.nr_hugepages and /proc/meminfo mean. KiB.
        pub default_size_kib: Reading<u64>,
        /// What the kernel's command line asks for.
        pub requested: Reading<Vec<Request>>,
    }
}

record! {
    /// The huge pages of one size.
    #[derive(Clone, PartialEq)]
    pub struct Pool {
        /// Size of one page. KiB.
        pub size_kib: u64,
        /// Pages there are, free or in use.
        pub total: Reading<u64>,
        /// Of them, pages in nobody's use.
        pub free: Reading<u64>,
        /// Of the free ones, pages promised to a mapping that did not touch them yet.
        pub reserved: Reading<u64>,
        /// Of all, pages above the number that was set; they go back to ordinary memory when freed.
        pub surplus: Reading<u64>,
        /// How many surplus pages there may be (vm.nr_overcommit_hugepages). Absent without /sys.
        pub overcommit: Reading<u64>,
        /// The pool's directory, or /proc/meminfo.
        pub at: At,
    }
}

record! {
    /// Huge pages of one size, as the kernel's command line asks for them.
    #[derive(Clone, PartialEq)]
    pub struct Request {
        /// Size of one page. KiB. Absent where it is the default size, and that is not known.
        pub size_kib: Option<u64>,
        /// How many; over all NUMA nodes where each has its own number.
        pub pages: u64,
        /// Where it was read.
        pub at: At,
    }
}

impl Fact for Hugepages {
    const NAME: &'static str = "hugepages";
    const READS: &'static [&'static str] = &["/sys/kernel/mm/hugepages/hugepages-*kB/*", MEMINFO, CMDLINE];

    fn collect(host: &Host) -> Reading<Self> {
        let meminfo = host.read_text(MEMINFO);
        let meminfo = meminfo.as_ref().map(|text| KeyValues::new(MEMINFO, text, ':')).map_err(Clone::clone);
        let default_size_kib = meminfo.as_ref().map_err(Clone::clone).and_then(|m| m.kib("Hugepagesize"));
        let mut pools = Partial::default();
        match host.names(POOLS) {
            Ok(names) => pools.items = names.iter().filter_map(|name| pool(host, name)).collect(),
            Err(Missing::Absent) => {
                pools.items.push(default_pool(&meminfo?, default_size_kib.clone()?));
            }
            Err(Missing::Unreadable(why)) => pools.unread.push(why),
        }
        pools.items.sort_by_key(|pool| pool.size_kib);
        let requested = host.read_text(CMDLINE).map(|text| {
            let command_line = kernel_command_line::parse(&text);
            requests(&command_line, default_size_kib.clone().ok())
        });
        Ok(Self { pools, default_size_kib, requested })
    }
}

fn pool(host: &Host, name: &str) -> Option<Pool> {
    let size_kib = name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
    let directory = format!("{POOLS}/{name}");
    let count = |file: &str| {
        let path = format!("{directory}/{file}");
        let text = host.read_text(&path)?;
        text.trim().parse().map_err(|_| Missing::garbled(path, "holds no whole number"))
    };
    Some(Pool {
        size_kib,
        total: count("nr_hugepages"),
        free: count("free_hugepages"),
        reserved: count("resv_hugepages"),
        surplus: count("surplus_hugepages"),
        overcommit: count("nr_overcommit_hugepages"),
        at: At::file(directory),
    })
}

fn default_pool(meminfo: &KeyValues<'_>, size_kib: u64) -> Pool {
    Pool {
        size_kib,
        total: meminfo.count("HugePages_Total"),
        free: meminfo.count("HugePages_Free"),
        reserved: meminfo.count("HugePages_Rsvd"),
        surplus: meminfo.count("HugePages_Surp"),
        overcommit: Err(Missing::Absent),
        at: At::file(MEMINFO),
    }
}

/// The `hugepages=` of a command line, each for the size that was named last before it (mm/hugetlb.c).
///
/// A number given a second time for the same size is ignored, as is one for a size that makes no sense.
fn requests(command_line: &CommandLine, default_kib: Option<u64>) -> Vec<Request> {
    let mut found: Vec<Request> = Vec::new();
    let mut sizes = HashSet::new();
    let mut size_kib = Some(default_kib);
    for (name, value) in &command_line.parameters {
        let value = value.as_deref().unwrap_or_default();
        match name.as_str() {
            "hugepagesz" | "default_hugepagesz" => {
                let bytes = kernel_command_line::size(value);
                size_kib = bytes.filter(|bytes| *bytes >= 1024).map(|bytes| Some(bytes >> 10));
            }
            "hugepages" => {
                let (Some(size_kib), Some(pages)) = (size_kib, pages(value)) else { continue };
                if sizes.insert(size_kib) {
                    found.push(Request { size_kib, pages, at: At::file(CMDLINE) });
                }
            }
            _ => {}
        }
    }
    found
}

/// `16`, or since Linux 5.16 a number for each node: `0:8,1:8`.
fn pages(value: &str) -> Option<u64> {
    if !value.contains(':') {
        return value.parse().ok();
    }
    let mut per_node = value.split(',').map(|part| part.split_once(':')?.1.parse::<u64>().ok());
    per_node.try_fold(0u64, |sum, pages| sum.checked_add(pages?))
}

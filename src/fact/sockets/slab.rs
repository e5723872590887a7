//! Bound local ports, as the kernel's allocator counts them.

use super::stat::of_kernel;
use crate::format::key_value::KeyValues;
use crate::model::{Lazy, Located};
use crate::source::{At, Host, Missing, Reading, Reason};

pub(super) const SLABINFO: &str = "/proc/slabinfo";
pub(super) const MEMINFO: &str = "/proc/meminfo";

/// Above this hostvet does not read /proc/slabinfo: the kernel walks the lists of every cache for it, on older ones with
/// interrupts off.
const MOST_SLAB_KIB: u64 = 8 << 20;

pub(super) fn bind_buckets(host: &Host) -> Lazy<Located<u64>> {
    let host = host.clone();
    Lazy::new(move || {
        if of_kernel(&host) {
            let meminfo = host.read_text(MEMINFO)?;
            let slab = KeyValues::new(MEMINFO, &meminfo, ':').kib("Slab")?;
            if slab > MOST_SLAB_KIB {
                let what = format!(
                    "was not read: slabs take {} GiB, and to count them may stop the host for a while",
                    slab >> 20
                );
                return Err(Missing::unreadable(SLABINFO, Reason::NotRead(what)));
            }
        }
        active(&host.read_text(SLABINFO)?, "tcp_bind_bucket")
    })
}

/// The active objects of this cache: `name <active_objs> <num_objs> <objsize> …`.
pub(super) fn active(text: &str, cache: &str) -> Reading<Located<u64>> {
    let mut lines = (1..).zip(text.lines());
    let found = lines.find(|(_, line)| line.split_ascii_whitespace().next() == Some(cache));
    let (number, line) = found.ok_or(Missing::Absent)?;
    let value = line.split_ascii_whitespace().nth(1).and_then(|n| n.parse().ok());
    let value =
        value.ok_or_else(|| Missing::garbled(SLABINFO, format!("holds no number of objects for {cache}")))?;
    Ok(Located { value, at: At::line(SLABINFO, number) })
}

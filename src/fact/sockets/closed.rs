//! How many TCP sockets have no connection and do not listen.

use crate::format::kernel_release;
use crate::model::Lazy;
use crate::source::{Host, Missing, Optional, Reading};

pub(super) const PROTOCOLS: &str = "/proc/net/protocols";
pub(super) const RELEASE: &str = "/proc/sys/kernel/osrelease";

/// "sock: Move the socket inuse to namespace.", 648845ab7e20: `sockets: used` is of the network namespace from here on.
const USED_PER_NAMESPACE: (u32, u32) = (4, 16);

pub(super) fn closed(
    host: &Host,
    used: &Reading<u64>,
    alloc: &Reading<u64>,
    inuse: [&Reading<u64>; 2],
) -> Lazy<u64> {
    let (host, used, alloc) = (host.clone(), used.clone(), alloc.clone());
    let [inuse4, inuse6] = inuse.map(Clone::clone);
    Lazy::new(move || {
        // A copy of /proc without sockstat6 cannot tell how many of them are IPv6's.
        let inuse = inuse4.clone()?.saturating_add(inuse6.clone()?);
        let whole_host = alloc.clone()?.saturating_sub(inuse);
        let older = match host.read_text(RELEASE) {
            Ok(text) => {
                let version = kernel_release::version(&text);
                version.ok_or_else(|| Missing::garbled(RELEASE, "is no release of a kernel"))?
                    < USED_PER_NAMESPACE
            }
            // The lower of the two bounds holds for any kernel.
            Err(Missing::Absent) => false,
            Err(missing) => return Err(missing),
        };
        if older {
            return Ok(whole_host);
        }
        let accounted = match host.read_text(PROTOCOLS).optional()? {
            Some(text) => accounted(&text)?,
            None => inuse,
        };
        Ok(whole_host.min(used.clone()?.saturating_sub(accounted)))
    })
}

/// The sockets that the protocols of this network namespace count as theirs: the third column.
///
/// ```text
/// protocol  size sockets  memory press maxhdr  slab module     cl co di ac …
/// TCP       2304      5       5   no     320   yes  kernel      y  y  y  y …
/// ```
fn accounted(text: &str) -> Reading<u64> {
    let mut lines = text.lines();
    let columns = lines.next().map(|header| header.split_ascii_whitespace().take(3).collect::<Vec<_>>());
    if columns.as_deref() != Some(&["protocol", "size", "sockets"]) {
        return Err(Missing::garbled(PROTOCOLS, "has no column of sockets"));
    }
    let mut sum: u64 = 0;
    for (number, line) in (2..).zip(lines).filter(|(_, line)| !line.trim().is_empty()) {
        let sockets = line.split_ascii_whitespace().nth(2).and_then(|n| n.parse::<i64>().ok());
        let sockets = sockets
            .ok_or_else(|| Missing::garbled(PROTOCOLS, format!("line {number} has no number of sockets")))?;
        // -1 stands for a protocol that does not count.
        sum = sum.saturating_add(u64::try_from(sockets).unwrap_or(0));
    }
    Ok(sum)
}

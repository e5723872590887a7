//! How many sockets there are, of which kinds, and the memory of their buffers.

mod closed;
mod slab;
mod stat;
#[cfg(test)]
mod tests;

use super::Fact;
use crate::format::socket_owners::{Owners, SocketOwner};
use crate::model::{Lazy, Located};
use crate::record;
use crate::source::{At, Host, Missing, Reading};
use stat::Stat;

const SOCKSTAT: &str = "/proc/net/sockstat";
const SOCKSTAT6: &str = "/proc/net/sockstat6";

record! {
    /// How many sockets there are, of which kinds, and the memory of their buffers.
    ///
    /// ```text
    /// /proc/net/sockstat    sockets: used 42639
    ///                       TCP: inuse 81 orphan 0 tw 6 alloc 41019 mem 286
    ///                       UDP: inuse 333 mem 63
    /// /proc/net/sockstat6   TCP6: inuse 2
    /// ```
    ///
    /// Source: proc_pid_net(5), `sockstat_seq_show` in the kernel's net/ipv4/proc.c. What is `inuse`, and since Linux 4.16
    /// `used`, is counted per network namespace; `orphan`, `alloc` and `mem` are of the whole host, its containers included.
    /// Memory is in pages, of 4 KiB but on some arm64, ppc64 and other kernels (`getconf PAGESIZE`). Absent where no kernel runs.
    pub struct Sockets {
        /// Sockets of every kind, those of Unix and netlink too: of this network namespace since Linux 4.16, of the whole host before.
        pub used: Reading<u64>,
        /// TCP.
        pub tcp: TcpSockets,
        /// UDP.
        pub udp: UdpSockets,
        /// UDP-Lite sockets of IPv4. Absent in kernels without it.
        pub udplite_inuse: Reading<u64>,
        /// The same of IPv6.
        pub udplite6_inuse: Reading<u64>,
        /// Raw sockets of IPv4.
        pub raw_inuse: Reading<u64>,
        /// Raw sockets of IPv6. Absent without IPv6.
        pub raw6_inuse: Reading<u64>,
        /// Queues of fragments of IPv4 that wait for the others.
        pub frag_inuse: Reading<u64>,
        /// Memory of these, in bytes.
        pub frag_memory_bytes: Reading<u64>,
        /// Queues of fragments of IPv6 that wait for the others.
        pub frag6_inuse: Reading<u64>,
        /// Memory of these, in bytes.
        pub frag6_memory_bytes: Reading<u64>,
        /// The processes that hold most sockets, of every kind, most first; the first 20 of those that could be looked at. Costs
        /// a look at every descriptor of every process; unreadable where that is forbidden and none was found.
        pub holders: Lazy<Vec<SocketOwner>>,
        /// Lines that are no such counts, as they stand.
        pub malformed: Vec<String>,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// TCP sockets. /proc/net/tcp, of which the fact `tcp` tells, lists those that are in use.
    pub struct TcpSockets {
        /// Sockets of IPv4 that listen or have a connection in any state but TIME_WAIT, of this network namespace.
        pub inuse: Reading<u64>,
        /// The same of IPv6. 0 on a kernel without IPv6; absent where a copy of /proc lacks the file.
        pub inuse6: Reading<u64>,
        /// Connections that no program holds any more, but that are still to be ended; of the whole host, and part of `inuse`.
        pub orphan: Reading<u64>,
        /// Connections in TIME_WAIT, IPv6's too; of this network namespace since Linux 4.11.
        pub tw: Reading<u64>,
        /// Sockets that exist, of the whole host: those in use, and those that are not connected, or no longer.
        pub alloc: Reading<u64>,
        /// Memory of buffers, of the whole host, in pages: what net.ipv4.tcp_mem limits.
        pub mem_pages: Reading<u64>,
        /// Sockets of this network namespace that neither listen nor have a connection: made and never connected, only bound,
        /// or left open after the peer ended the connection with a reset. `ss -s` calls them closed; /proc/net/tcp does
        /// not list them. At most `alloc` less what is in use. Since Linux 4.16 also at most `used` less what
        /// /proc/net/protocols accounts for, so that sockets in use by containers are not taken for it.
        pub closed: Lazy<u64>,
        /// Local ports that are taken, by bound sockets, connections and TIME_WAIT, of the whole host: the active objects of
        /// the slab `tcp_bind_bucket`, an upper estimate. Absent where the kernel merged that slab with others of its size; for
        /// root only; not read where slabs take more than 8 GiB, since that may stop the host for a while.
        pub bind_buckets: Lazy<Located<u64>>,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// UDP sockets.
    pub struct UdpSockets {
        /// Sockets of IPv4 that have a port, of this network namespace.
        pub inuse: Reading<u64>,
        /// The same of IPv6. 0 on a kernel without IPv6; absent where a copy of /proc lacks the file.
        pub inuse6: Reading<u64>,
        /// Memory of buffers, of the whole host, in pages: what net.ipv4.udp_mem limits. Absent before Linux 2.6.25.
        pub mem_pages: Reading<u64>,
        /// Where it was read.
        pub at: At,
    }
}

impl Fact for Sockets {
    const NAME: &'static str = "sockets";
    const READS: &'static [&'static str] = &[
        SOCKSTAT,
        SOCKSTAT6,
        closed::PROTOCOLS,
        closed::RELEASE,
        slab::SLABINFO,
        slab::MEMINFO,
        "/proc/PID/fd",
        "/proc/PID/stat",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let v4 = Stat::parse(SOCKSTAT, &host.read_text(SOCKSTAT)?);
        if v4.is_empty() {
            return Err(Missing::garbled(SOCKSTAT, "holds no count"));
        }
        let v6 = host.read_text(SOCKSTAT6).map(|text| Stat::parse(SOCKSTAT6, &text));
        let count6 = |group, name| match &v6 {
            Ok(stat) => stat.count(group, name),
            // The kernel has the file if it has IPv6; a copy of /proc may just not have been complete.
            Err(Missing::Absent) if stat::of_kernel(host) => Ok(0),
            Err(missing) => Err(missing.clone()),
        };
        let count = |group, name| v4.count(group, name);
        let owners = Owners::new(host);
        let (used, alloc) = (count("sockets", "used"), count("TCP", "alloc"));
        let (inuse, tcp6) = (count("TCP", "inuse"), count6("TCP6", "inuse"));
        let tcp = TcpSockets {
            closed: closed::closed(host, &used, &alloc, [&inuse, &tcp6]),
            bind_buckets: slab::bind_buckets(host),
            inuse,
            inuse6: tcp6,
            orphan: count("TCP", "orphan"),
            tw: count("TCP", "tw"),
            alloc,
            mem_pages: count("TCP", "mem"),
            at: v4.at("TCP"),
        };
        let udp = UdpSockets {
            inuse: count("UDP", "inuse"),
            inuse6: count6("UDP6", "inuse"),
            mem_pages: count("UDP", "mem"),
            at: v4.at("UDP"),
        };
        Ok(Self {
            used,
            tcp,
            udp,
            udplite_inuse: count("UDPLITE", "inuse"),
            raw_inuse: count("RAW", "inuse"),
            raw6_inuse: count6("RAW6", "inuse"),
            frag_inuse: count("FRAG", "inuse"),
            frag_memory_bytes: count("FRAG", "memory"),
            udplite6_inuse: count6("UDPLITE6", "inuse"),
            frag6_inuse: count6("FRAG6", "inuse"),
            frag6_memory_bytes: count6("FRAG6", "memory"),
            holders: Lazy::new(move || owners.most()),
            malformed: v4
                .malformed
                .into_iter()
                .chain(v6.map(|v6| v6.malformed).unwrap_or_default())
                .collect(),
            at: At::file(SOCKSTAT),
        })
    }
}

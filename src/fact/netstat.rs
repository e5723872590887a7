//! What Linux counts of TCP and IP beyond the MIBs.

use super::Fact;
use crate::format::counters::{self, Counters, Group};
use crate::record;
use crate::source::{At, Host, Missing, Reading};
use std::collections::BTreeMap;

record! {
    /// What Linux has counted of TCP and IP beyond the MIBs: `netstat['TcpExt']['ListenOverflows']`.
    ///
    /// ```text
    /// /proc/net/netstat   TcpExt: … ListenOverflows ListenDrops … TCPTimeWaitOverflow TCPReqQFullDoCookies …
    ///                     TcpExt: … 4410 4466 … 0 0 …
    /// ```
    ///
    /// Source: proc_pid_net(5), the kernel's networking/snmp_counter. Counters since boot, or since the network namespace was
    /// made: what containers count is not in it. Absent where no kernel runs.
    #[bare(groups)]
    pub struct Netstat {
        /// The groups by name: `TcpExt`, `IpExt`, `MPTcpExt`. A group or counter that this kernel does not print is absent.
        pub groups: BTreeMap<String, Reading<Group>>,
        /// Lines that belong to no group, as they stand.
        pub malformed: Vec<String>,
        /// Where it was read.
        pub at: At,
    }
}

impl Fact for Netstat {
    const NAME: &'static str = "netstat";
    const READS: &'static [&'static str] = &["/proc/net/netstat"];

    fn collect(host: &Host) -> Reading<Self> {
        let path = Self::READS[0];
        let Counters { groups, malformed } = counters::parse(path, &host.read_text(path)?);
        if groups.is_empty() {
            return Err(Missing::garbled(path, "holds no counter"));
        }
        let malformed = malformed.into_iter().map(|(line, _)| line).collect();
        Ok(Self { groups, malformed, at: At::file(path) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    #[test]
    fn counters_are_read_by_group_and_name() {
        let mut files = Files::new();
        files.file("/proc/net/netstat", "TcpExt: ListenOverflows ListenDrops\nTcpExt: 3 4\nIpExt: InNoRoutes\nIpExt: 0\n");
        let netstat = Netstat::collect(&Host::new(files, Target::live())).unwrap();
        let ext = netstat.groups["TcpExt"].as_ref().unwrap();
        assert_eq!(ext["ListenDrops"].as_ref().unwrap().value, 4);
    }

    #[test]
    fn nothing_is_absent_and_garbage_is_unreadable() {
        let mut files = Files::new();
        assert!(matches!(Netstat::collect(&Host::new(files.clone(), Target::live())), Err(Missing::Absent)));
        files.file("/proc/net/netstat", "\0\0");
        assert!(matches!(Netstat::collect(&Host::new(files, Target::live())), Err(Missing::Unreadable(_))));
    }
}

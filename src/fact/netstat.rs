//! What Linux counts of TCP and IP beyond the MIBs.

use super::Fact;
use crate::format::counters::{self, Gathered, Group, Rates};
use crate::model::{Lazy, Sampled};
use crate::record;
use crate::source::{At, Host, Reading};
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
        /// How much each counter rises per second of the sample, by group and name as above. What is no counter but a
        /// setting or a level is there too; one that has fallen is absent.
        pub per_s: Lazy<Sampled<Rates>>,
        /// Lines that belong to no group, as they stand.
        pub malformed: Vec<String>,
        /// Where it was read.
        pub at: At,
    }
}

impl Fact for Netstat {
    const NAME: &'static str = "netstat";
    const READS: &'static [&'static str] = &["/proc/net/netstat"];

    const COUNTERS: &'static [&'static str] = Self::READS;

    fn collect(host: &Host) -> Reading<Self> {
        let path = Self::READS[0];
        let Gathered { groups, per_s, malformed } = counters::gather(host, path)?;
        Ok(Self { groups, per_s, malformed, at: At::file(path) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Missing, Target};

    #[test]
    fn counters_are_read_by_group_and_name() {
        let mut files = Files::new();
        files.file(
            "/proc/net/netstat",
            "TcpExt: ListenOverflows ListenDrops\nTcpExt: 3 4\nIpExt: InNoRoutes\nIpExt: 0\n",
        );
        let netstat = Netstat::collect(&Host::new(files, Target::live())).unwrap();
        let ext = netstat.groups["TcpExt"].as_ref().unwrap();
        assert_eq!(ext["ListenDrops"].as_ref().unwrap().value, 4);
    }

    #[test]
    fn rates_take_two_readings() {
        use crate::source::Earlier;
        let (mut files, mut earlier) = (Files::new(), Files::new());
        files.file("/proc/net/netstat", "TcpExt: ListenOverflows TW\nTcpExt: 13 4\nIpExt: A\n");
        earlier.file("/proc/net/netstat", "TcpExt: ListenOverflows TW\nTcpExt: 3 5\n");
        let host = Host::new(files, Target::live());
        let netstat = Netstat::collect(&host).unwrap();
        assert_eq!(netstat.per_s.get().unwrap().0, Err(Missing::Absent));
        let host = host.with_earlier(Earlier::new(earlier, std::time::Duration::from_secs(2)));
        let netstat = Netstat::collect(&host).unwrap();
        let per_s = netstat.per_s.get().unwrap().0.as_ref().unwrap();
        let tcp = per_s["TcpExt"].as_ref().unwrap();
        assert_eq!((&tcp["ListenOverflows"], &tcp["TW"]), (&Ok(5.0), &Err(Missing::Absent)));
        assert!(matches!(per_s["IpExt"], Err(Missing::Unreadable(_))));
    }

    #[test]
    fn nothing_is_absent_and_garbage_is_unreadable() {
        let mut files = Files::new();
        assert!(matches!(Netstat::collect(&Host::new(files.clone(), Target::live())), Err(Missing::Absent)));
        files.file("/proc/net/netstat", "\0\0");
        assert!(matches!(Netstat::collect(&Host::new(files, Target::live())), Err(Missing::Unreadable(_))));
    }
}

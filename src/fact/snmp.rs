//! What the network protocols have counted, by the names of their MIBs.

use super::Fact;
use crate::format::counters::{self, Gathered, Group, Rates};
use crate::model::{Lazy, Sampled};
use crate::record;
use crate::source::{At, Host, Reading};
use std::collections::BTreeMap;

record! {
    /// What IP, ICMP, TCP and UDP have counted, by the names of the SNMP MIBs: `snmp['Tcp']['RetransSegs']`.
    ///
    /// ```text
    /// /proc/net/snmp   Tcp: … ActiveOpens PassiveOpens … CurrEstab InSegs OutSegs RetransSegs …
    ///                  Tcp: … 4102 8204 … 2 1104220 804110 310 …
    /// ```
    ///
    /// Source: proc_pid_net(5), the kernel's networking/snmp_counter, RFC 1213. Counters since boot, or since the network
    /// namespace was made: what containers count is not in it. `Ip` and `Icmp` are of IPv4, `Tcp` and `Udp` of both but for
    /// `Udp`, which has IPv6's own in /proc/net/snmp6. Absent where no kernel runs.
    #[bare(groups)]
    pub struct Snmp {
        /// The groups by name: `Ip`, `Icmp`, `IcmpMsg`, `Tcp`, `Udp`, `UdpLite`. A group or counter that this kernel does not
        /// print is absent.
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

impl Fact for Snmp {
    const NAME: &'static str = "snmp";
    const READS: &'static [&'static str] = &["/proc/net/snmp"];

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

    fn collect(text: Option<&str>) -> Reading<Snmp> {
        let mut files = Files::new();
        if let Some(text) = text {
            files.file("/proc/net/snmp", text);
        }
        Snmp::collect(&Host::new(files, Target::live()))
    }

    #[test]
    fn counters_are_read_by_group_and_name() {
        let snmp = collect(Some("Tcp: InSegs OutSegs\nTcp: 7 9\nodd\n")).unwrap();
        assert_eq!(snmp.groups["Tcp"].as_ref().unwrap()["OutSegs"].as_ref().unwrap().value, 9);
        assert_eq!(snmp.malformed, ["odd"]);
    }

    #[test]
    fn nothing_is_absent_and_garbage_is_unreadable() {
        assert!(matches!(collect(None), Err(Missing::Absent)));
        assert!(matches!(collect(Some("")), Err(Missing::Unreadable(_))));
        assert!(matches!(collect(Some("\0\n")), Err(Missing::Unreadable(_))));
    }
}

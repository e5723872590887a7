//! The network interfaces, as sysfs shows them.

mod printed;
mod sysfs;
#[cfg(test)]
mod tests;

use super::Fact;
use crate::format::udev_export;
use crate::model::{Lazy, Located};
use crate::record;
use crate::source::{At, FileKind, Host, Missing, Reading, Reason};
use printed::Printed;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

const DIRECTORY: &str = "/sys/class/net";

/// Interfaces that are looked at, at most. Hosts of very many containers have some thousands.
const MOST: usize = 50_000;

record! {
    /// The network interfaces of this network namespace.
    ///
    /// ```text
    /// /sys/class/net/eth0/operstate                 up
    /// /sys/class/net/eth0/flags                     0x1003
    /// /sys/class/net/eth0/device                    -> ../../../virtio2
    /// /sys/class/net/eth0/queues/rx-0/rps_cpus      00000000,0000000f
    /// /sys/class/net/eth0/statistics/rx_packets     4410223
    /// ```
    ///
    /// Source: the kernel's ABI/testing/sysfs-class-net, -queues and -statistics, networking/statistics, networking/scaling,
    /// netdevice(7). Addresses are
    /// not there. Absent where no kernel runs.
    #[bare(list)]
    pub struct Interfaces {
        /// The interfaces, by name.
        pub list: Vec<Interface>,
    }
}

record! {
    /// A network interface.
    pub struct Interface {
        /// The kernel's name: `eth0`, `enp1s0f0`, `bond0`, `lo`.
        pub name: String,
        /// Its state (RFC 2863): `up`, `down`, `lowerlayerdown`, `dormant`, `notpresent`, `testing`; `unknown` where the driver does
        /// not tell, as of `lo` and tunnels.
        pub operstate: Lazy<String>,
        /// What it is and does.
        pub flags: Lazy<InterfaceFlags>,
        /// The kind of hardware, as ARP numbers it: 1 Ethernet, 32 InfiniBand, 512 PPP, 772 loopback, 65534 none.
        pub hardware_type: Lazy<u64>,
        /// The largest packet, in bytes.
        pub mtu: Lazy<u64>,
        /// Whether it belongs to a device on a bus, a network card or that of a virtual machine; `lo`, bridges, bonds, VLANs,
        /// tunnels and veth pairs do not.
        pub physical: Lazy<bool>,
        /// Whether it is one of a wireless network.
        pub wireless: Lazy<bool>,
        /// The driver: `virtio_net`, `ixgbe`. Absent where it does not belong to a device.
        pub driver: Lazy<String>,
        /// Whether there is a link. Absent where the interface is down.
        pub carrier: Lazy<bool>,
        /// How often the link has come or gone since boot. Absent before Linux 3.15.
        pub carrier_changes: Lazy<u64>,
        /// The speed of the link in Mbit/s. Absent where there is no link, or the driver does not tell.
        pub speed_mbit: Lazy<u64>,
        /// `full`, `half` or `unknown`. Absent where the interface is down, or the driver does not tell.
        pub duplex: Lazy<String>,
        /// The bond, bridge or the like that it is part of, by name. Absent if it is of none.
        pub master: Lazy<String>,
        /// The queues that packets come in by.
        pub rx_queues: Lazy<Vec<RxQueue>>,
        /// The queues that packets go out by.
        pub tx_queues: Lazy<Vec<TxQueue>>,
        /// What it has counted since boot, or since it was made, by the kernel's names: `rx_packets`, `rx_missed_errors`. What
        /// exactly is counted is the driver's choice in part.
        pub statistics: Lazy<BTreeMap<String, Lazy<Located<u64>>>>,
        /// Its directory.
        pub at: At,
    }
}

record! {
    /// The flags of a network interface, netdevice(7).
    #[derive(Clone, PartialEq)]
    pub struct InterfaceFlags {
        /// All of them, as a number.
        pub bits: u64,
        /// IFF_UP: somebody has switched it on; it need not have a link.
        pub up: bool,
        /// IFF_LOOPBACK.
        pub loopback: bool,
        /// IFF_POINTOPOINT: there is one other end only, and no need for a gateway.
        pub point_to_point: bool,
        /// IFF_NOARP: there are no link-layer addresses to be asked for.
        pub noarp: bool,
        /// IFF_SLAVE: it is part of a bond.
        pub slave: bool,
        /// Where they were read.
        pub at: At,
    }
}

record! {
    /// A queue that packets come in by.
    pub struct RxQueue {
        /// `rx-0` and so on.
        pub name: String,
        /// The CPUs that packets of it are handed on to (RPS); empty where it is off. Absent where the kernel cannot.
        pub rps_cpus: Lazy<Vec<u32>>,
        /// Entries of its table of flows, for RFS; 0 where it is off. Absent where the kernel cannot.
        pub rps_flow_cnt: Lazy<u64>,
        /// Its directory.
        pub at: At,
    }
}

record! {
    /// A queue that packets go out by.
    pub struct TxQueue {
        /// `tx-0` and so on.
        pub name: String,
        /// The CPUs that use it (XPS); empty where it is off. Absent where the interface has one queue only.
        pub xps_cpus: Lazy<Vec<u32>>,
        /// Its directory.
        pub at: At,
    }
}

impl Fact for Interfaces {
    const NAME: &'static str = "interfaces";
    const READS: &'static [&'static str] = &[
        "/sys/class/net/*/{operstate,flags,type,mtu,carrier,carrier_changes,speed,duplex}",
        "/sys/class/net/*/{device,device/driver,wireless,phy80211,master}",
        "/sys/class/net/*/queues/rx-*/{rps_cpus,rps_flow_cnt}",
        "/sys/class/net/*/queues/tx-*/xps_cpus",
        "/sys/class/net/*/statistics/*",
        printed::LINKS,
        "/sos_commands/networking/ethtool_*",
        udev_export::PATH,
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let entries = host.source.list(Path::new(DIRECTORY))?;
        if entries.len() > MOST {
            return Err(Missing::unreadable(DIRECTORY, Reason::TooMany(MOST)));
        }
        // `bonding_masters` is a file among them.
        let names = entries.into_iter().filter(|entry| entry.kind != FileKind::File);
        let printed = Arc::new(Printed::of(host));
        let list =
            names.map(|entry| sysfs::interface(host, &entry.name.to_string_lossy(), &printed)).collect();
        Ok(Self { list })
    }
}

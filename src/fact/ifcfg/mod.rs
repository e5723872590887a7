//! How network interfaces are configured in the files of ifup and its kin, and what there is to read them.

mod debian;
mod managers;
mod redhat;
#[cfg(test)]
mod tests;

use super::Fact;
use crate::model::{Lazy, Located, Partial};
use crate::source::{At, Host, Missing, Reading};
use crate::{record, word};
use core::net::Ipv4Addr;
pub use managers::NetworkManager;
use std::collections::BTreeMap;

record! {
    /// The interfaces that the files of ifup(8) and its kin describe, and the programs that bring interfaces up.
    ///
    /// ```text
    /// /etc/sysconfig/network                        GATEWAYDEV=eth0
    /// /etc/sysconfig/network-scripts/ifcfg-eth0     IPADDR=192.0.2.7
    /// /etc/network/interfaces                       iface eth0 inet dhcp
    /// ```
    ///
    /// Source: Red Hat's sysconfig.txt and network-scripts/ifup-eth, SUSE's ifcfg(5), Debian's interfaces(5). What netplan,
    /// systemd-networkd and NetworkManager have in files of their own is not read. Absent with none of the files.
    #[bare(interfaces)]
    pub struct Ifcfg {
        /// The interfaces, file by file; one may have several entries.
        pub interfaces: Partial<IfcfgInterface>,
        /// `GATEWAY` of /etc/sysconfig/network: of every interface that has none of its own. Absent if it is not set.
        pub gateway: Reading<Located<String>>,
        /// `GATEWAYDEV` of /etc/sysconfig/network: the only interface that sets a default route. Absent if it is not set.
        pub gateway_device: Reading<Located<String>>,
        /// The programs that bring interfaces up and are installed, with their place. Absent where programs are no part of
        /// this tree.
        pub managers: Lazy<Vec<NetworkManager>>,
        /// Lines that are not understood.
        pub malformed: Vec<IfcfgMalformed>,
    }
}

record! {
    /// What is said of an interface.
    #[derive(Clone, PartialEq)]
    pub struct IfcfgInterface {
        /// The interface: `eth0`.
        pub name: String,
        /// Whose syntax the file has.
        pub style: IfcfgStyle,
        /// Whether it is brought up at boot: `ONBOOT` not `no`, `auto` or `allow-hotplug`, `STARTMODE=auto`.
        pub at_boot: bool,
        /// Whether it is the loopback.
        pub loopback: bool,
        /// How it gets its address, in the file's word: `dhcp`, `static`, `none`. Absent if it is not said.
        pub method: Option<String>,
        /// Its first IPv4 address; absent without one.
        pub address: Option<String>,
        /// The bits of the address that are the network's; absent without.
        pub prefix: Option<u8>,
        /// The gateway: its own, else that of /etc/sysconfig/network. Absent without one.
        pub gateway: Option<Located<String>>,
        /// Whether the gateway is in the network of one of its addresses. Absent without a gateway or an address.
        pub reaches_gateway: Option<bool>,
        /// All settings as they are written, quotes removed.
        pub settings: BTreeMap<String, String>,
        /// Where it begins.
        pub at: At,
    }
}

word! {
    /// Whose syntax a file has.
    pub enum IfcfgStyle {
        /// /etc/sysconfig/network-scripts/ifcfg-*: Red Hat's ifup, and NetworkManager.
        Redhat = "redhat",
        /// /etc/sysconfig/network/ifcfg-*: SUSE's wicked.
        Suse = "suse",
        /// /etc/network/interfaces: Debian's and Alpine's ifup.
        Debian = "debian",
    }
}

record! {
    /// A line that is not understood.
    #[derive(Clone, PartialEq)]
    pub struct IfcfgMalformed {
        /// The line.
        pub text: String,
        /// Where it stands.
        pub at: At,
    }
}

impl Fact for Ifcfg {
    const NAME: &'static str = "ifcfg";
    const READS: &'static [&'static str] = &[
        "/etc/sysconfig/network",
        "/etc/sysconfig/network-scripts/ifcfg-*",
        "/etc/sysconfig/network/ifcfg-*",
        "/etc/network/interfaces",
        "/etc/network/interfaces.d/*",
        "/etc/netplan",
        "/etc/systemd/network",
        "/run/systemd/network",
        "/etc/NetworkManager/system-connections",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let mut found = Found::default();
        let global = redhat::gather(host, &mut found);
        debian::gather(host, &mut found);
        if !found.seen {
            return Err(Missing::Absent);
        }
        let global = |key: &str| {
            let of = |all: &BTreeMap<String, Located<String>>| all.get(key).cloned().ok_or(Missing::Absent);
            global.as_ref().map_err(Clone::clone).and_then(of)
        };
        let host = host.clone();
        Ok(Self {
            interfaces: found.interfaces,
            gateway: global("GATEWAY"),
            gateway_device: global("GATEWAYDEV"),
            managers: Lazy::new(move || managers::installed(&host)),
            malformed: found.malformed,
        })
    }
}

/// What has been found so far.
#[derive(Default)]
struct Found {
    interfaces: Partial<IfcfgInterface>,
    malformed: Vec<IfcfgMalformed>,
    /// Whether one of the files is there.
    seen: bool,
}

impl Found {
    /// Notes what could not be read; the value if it is there.
    fn keep<T>(&mut self, found: Reading<T>) -> Option<T> {
        match found {
            Ok(value) => {
                self.seen = true;
                Some(value)
            }
            Err(Missing::Absent) => None,
            Err(Missing::Unreadable(why)) => {
                self.seen = true;
                self.interfaces.unread.push(why);
                None
            }
        }
    }
}

/// An address with the bits of its network.
type Network = (Ipv4Addr, u8);

fn is_within(gateway: Ipv4Addr, (address, prefix): Network) -> bool {
    let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
    u32::from(gateway) & mask == u32::from(address) & mask
}

/// The bits of a netmask, or of a prefix: 22 of `255.255.252.0` and of `22`.
fn bits(mask: &str) -> Option<u8> {
    match mask.parse::<u8>() {
        Ok(bits) => (bits <= 32).then_some(bits),
        Err(_) => {
            let mask = u32::from(mask.parse::<Ipv4Addr>().ok()?);
            (mask.leading_ones() + mask.trailing_zeros() >= 32).then_some(mask.leading_ones() as u8)
        }
    }
}

/// Whether a gateway is in one of the networks; `None` if one of them is not known.
fn reaches(gateway: Option<&Located<String>>, networks: &[Network]) -> Option<bool> {
    let gateway: Ipv4Addr = gateway?.value.parse().ok()?;
    (!networks.is_empty()).then(|| networks.iter().any(|network| is_within(gateway, *network)))
}

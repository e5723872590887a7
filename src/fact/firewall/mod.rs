//! Firewalls as they are configured: what becomes of a new TCP connection from another host.

mod firewalld;
mod iptables;
mod nft_rule;
mod nft_words;
mod nftables;
mod packet;
#[cfg(test)]
mod tests;
mod ufw;

use super::Fact;
use crate::model::Partial;
use crate::source::{At, Host, Missing, Reading};
use crate::{record, word};

record! {
    /// The rule sets that firewalls load at boot, and what they make of a new TCP connection to this host from another one.
    ///
    /// ```text
    /// /etc/nftables.conf        type filter hook input priority filter; policy drop;
    /// /etc/sysconfig/iptables   -A INPUT -p tcp -m state --state NEW -m tcp --dport 22 -j ACCEPT
    /// /etc/ufw/user.rules       -A ufw-user-input -p tcp --dport 22 -j ACCEPT
    /// ```
    ///
    /// Source: nft(8), iptables-restore(8), ufw-framework(8), firewalld.zone(5). What the kernel's tables hold now is in no file.
    /// Rules are understood as far as they speak of TCP, ports, interfaces, addresses and states; a rule that is not, and
    /// could accept what is denied otherwise, makes the ports in question unreadable. Absent without any of the files.
    #[bare(rule_sets)]
    pub struct Firewall {
        /// The rule sets, file by file.
        pub rule_sets: Partial<FirewallRuleSet>,
        /// The tables of iptables that the running kernel has, from /proc/net/ip_tables_names: `filter`, `nat`. They may be empty.
        /// Not told of iptables on top of nftables. Absent where no kernel runs, and where there is none.
        pub kernel_tables: Reading<Vec<String>>,
    }
}

record! {
    /// A rule set.
    #[derive(Clone, PartialEq)]
    pub struct FirewallRuleSet {
        /// Whose it is.
        pub kind: FirewallKind,
        /// Whether it is for IPv6 alone. The others are judged for IPv4.
        pub ipv6: bool,
        /// The services that load it: names that `autostart.names` has if they are enabled.
        pub services: Vec<String>,
        /// Whether its own switch is on: `ENABLED=yes` of ufw. The others have none.
        pub switched_on: bool,
        /// What becomes of connections to the TCP ports, all from 0 to 65535, in order. Unreadable where the file would
        /// be refused, so that it loads nothing.
        pub ports: Reading<Vec<FirewallPorts>>,
        /// Its file; of firewalld the default zone's.
        pub at: At,
    }
}

word! {
    /// Whose a rule set is.
    pub enum FirewallKind {
        /// A file of nft(8).
        Nftables = "nftables",
        /// A file of iptables-save(8).
        Iptables = "iptables",
        /// firewalld's zones.
        Firewalld = "firewalld",
        /// ufw's files.
        Ufw = "ufw",
    }
}

record! {
    /// Ports that share a fate.
    #[derive(Clone, PartialEq)]
    pub struct FirewallPorts {
        /// The first port.
        pub first: u16,
        /// The last port.
        pub last: u16,
        /// What becomes of new connections to them.
        pub verdict: Reading<FirewallVerdict>,
        /// The rule or policy that decides it; absent where there is none.
        pub at: Option<At>,
    }
}

word! {
    /// What becomes of new connections.
    pub enum FirewallVerdict {
        /// They are let in, but for some: from an address that is blocked, too many at a time.
        Accept = "accept",
        /// Only some are let in: from some addresses, through some interface.
        Some = "some",
        /// None is let in.
        Deny = "deny",
    }
}

/// The files that services load, by the distributions that have them so.
const FILES: [(&str, FirewallKind, bool, &[&str]); 10] = [
    // Debian, Arch.
    ("/etc/nftables.conf", FirewallKind::Nftables, false, &["nftables"]),
    // Red Hat.
    ("/etc/sysconfig/nftables.conf", FirewallKind::Nftables, false, &["nftables"]),
    // Alpine.
    ("/etc/nftables.nft", FirewallKind::Nftables, false, &["nftables"]),
    // Red Hat's iptables-services, and CentOS up to 6.
    ("/etc/sysconfig/iptables", FirewallKind::Iptables, false, &["iptables"]),
    ("/etc/sysconfig/ip6tables", FirewallKind::Iptables, true, &["ip6tables"]),
    // Debian's iptables-persistent.
    (
        "/etc/iptables/rules.v4",
        FirewallKind::Iptables,
        false,
        &["netfilter-persistent", "iptables-persistent"],
    ),
    (
        "/etc/iptables/rules.v6",
        FirewallKind::Iptables,
        true,
        &["netfilter-persistent", "iptables-persistent"],
    ),
    // Arch.
    ("/etc/iptables/iptables.rules", FirewallKind::Iptables, false, &["iptables"]),
    ("/etc/iptables/ip6tables.rules", FirewallKind::Iptables, true, &["ip6tables"]),
    // Alpine.
    ("/etc/iptables/rules-save", FirewallKind::Iptables, false, &["iptables"]),
];

const KERNEL_TABLES: &str = "/proc/net/ip_tables_names";

impl Fact for Firewall {
    const NAME: &'static str = "firewall";
    const READS: &'static [&'static str] = &[
        "/etc/nftables.conf",
        "/etc/nftables.nft",
        "/etc/sysconfig/nftables.conf",
        "/etc/nftables/*",
        "/etc/sysconfig/iptables",
        "/etc/sysconfig/ip6tables",
        "/etc/iptables/*",
        "/etc/ufw/*",
        "/etc/default/ufw",
        "/etc/firewalld/*",
        "/usr/lib/firewalld/{zones,services}/*.xml",
        KERNEL_TABLES,
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let mut rule_sets = Partial::default();
        for (path, kind, ipv6, services) in FILES {
            let set = host.read_text(path).map(|text| {
                let mut chains = packet::Chains::default();
                let added = match kind {
                    FirewallKind::Nftables => nftables::add(&mut chains, host, path, &text),
                    _ => iptables::add(&mut chains, path, &text),
                };
                let services = services.iter().map(|s| (*s).to_owned()).collect();
                let ports = added.and_then(|()| chains.ports(path));
                [FirewallRuleSet { kind, ipv6, services, switched_on: true, ports, at: At::file(path) }]
            });
            rule_sets.add(set);
        }
        rule_sets.add(firewalld::find(host).map(|set| [set]));
        rule_sets.add(ufw::find(host).map(|set| [set]));
        let kernel_tables = kernel_tables(host);
        if rule_sets.items.is_empty() && rule_sets.unread.is_empty() && kernel_tables == Err(Missing::Absent)
        {
            return Err(Missing::Absent);
        }
        Ok(Self { rule_sets, kernel_tables })
    }
}

fn kernel_tables(host: &Host) -> Reading<Vec<String>> {
    let text = host.read_text(KERNEL_TABLES)?;
    Ok(text.split_whitespace().map(str::to_owned).collect())
}

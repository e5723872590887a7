//! The programs that bring network interfaces up.

use crate::record;
use crate::source::{At, Host, Missing, Optional, Reading};

record! {
    /// A program that brings interfaces up.
    #[derive(Clone, PartialEq)]
    pub struct NetworkManager {
        /// `ifup`, `NetworkManager`, `systemd-networkd`, `wicked`, `netplan`, `connman` or `dhcpcd`.
        pub name: String,
        /// The services that start it: names that `autostart.names` has if they are enabled.
        pub services: Vec<String>,
        /// Whether it has configuration of its own: of systemd-networkd *.network files, of netplan *.yaml files, of
        /// NetworkManager connections. The others need none, and are taken to have it.
        pub configured: bool,
        /// Its program.
        pub at: At,
    }
}

struct Known {
    name: &'static str,
    programs: &'static [&'static str],
    services: &'static [&'static str],
    /// Directories and the ends of the names that count there; none: nothing is needed.
    configuration: &'static [(&'static str, &'static str)],
}

const KNOWN: [Known; 7] = [
    Known {
        name: "ifup",
        programs: &["/sbin/ifup", "/usr/sbin/ifup", "/usr/bin/ifup"],
        services: &["network", "networking"],
        configuration: &[],
    },
    Known {
        name: "NetworkManager",
        programs: &["/usr/sbin/NetworkManager", "/usr/bin/NetworkManager"],
        services: &["NetworkManager"],
        configuration: &[
            ("/etc/NetworkManager/system-connections", ""),
            ("/run/NetworkManager/system-connections", ""),
            ("/usr/lib/NetworkManager/system-connections", ""),
        ],
    },
    Known {
        name: "systemd-networkd",
        programs: &["/usr/lib/systemd/systemd-networkd", "/lib/systemd/systemd-networkd"],
        services: &["systemd-networkd"],
        configuration: &[("/etc/systemd/network", ".network"), ("/run/systemd/network", ".network")],
    },
    Known {
        name: "wicked",
        programs: &["/usr/sbin/wicked"],
        services: &["wicked", "wickedd"],
        configuration: &[],
    },
    Known {
        name: "netplan",
        programs: &["/usr/sbin/netplan"],
        services: &["systemd-networkd", "NetworkManager"],
        configuration: &[("/etc/netplan", ".yaml"), ("/run/netplan", ".yaml")],
    },
    Known { name: "connman", programs: &["/usr/sbin/connmand"], services: &["connman"], configuration: &[] },
    Known {
        name: "dhcpcd",
        programs: &["/usr/sbin/dhcpcd", "/sbin/dhcpcd", "/usr/bin/dhcpcd"],
        services: &["dhcpcd"],
        configuration: &[],
    },
];

/// A tree without any of these has no programs at all: a report, or a few files of a host.
const SHELLS: [&str; 5] = ["/bin/sh", "/usr/bin/sh", "/bin/bash", "/bin/busybox", "/usr/bin/busybox"];

pub(super) fn installed(host: &Host) -> Reading<Vec<NetworkManager>> {
    let there = |path: &str| host.exists(path).map_err(Missing::Unreadable);
    let mut programs = false;
    for shell in SHELLS {
        programs = programs || there(shell)?;
    }
    if !programs {
        return Err(Missing::Absent);
    }
    let mut found = Vec::new();
    for known in KNOWN {
        for program in known.programs {
            if there(program)? {
                found.push(NetworkManager {
                    name: known.name.to_owned(),
                    services: known.services.iter().map(|s| (*s).to_owned()).collect(),
                    configured: configured(host, known.configuration)?,
                    at: At::file(*program),
                });
                break;
            }
        }
    }
    Ok(found)
}

fn configured(host: &Host, places: &[(&str, &str)]) -> Reading<bool> {
    for (directory, end) in places {
        let names = host.names(directory).optional()?.unwrap_or_default();
        if names.iter().any(|name| name.ends_with(end)) {
            return Ok(true);
        }
    }
    Ok(places.is_empty())
}

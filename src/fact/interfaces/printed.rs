//! What commands printed of interfaces, for reports that have little of sysfs: udev's database, `ip -s -d link` and ethtool(8).
//!
//! ```text
//! 2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq_codel master br0 state UP mode DEFAULT group default qlen 1000
//!     link/ether 52:54:00:36:37:ea brd ff:ff:ff:ff:ff:ff promiscuity 0
//! ```

use crate::format::udev_export;
use crate::source::{Host, Missing, Reading};
use std::collections::HashMap;
use std::sync::OnceLock;

/// Where sosreport keeps it, since 3.5.
pub(super) const LINKS: &str = "/sos_commands/networking/ip_-s_-d_link";
/// That of one interface follows.
pub(super) const ETHTOOL: &str = "/sos_commands/networking/ethtool_";

/// What was printed, read when something is asked for that was not collected.
#[derive(Debug)]
pub(super) struct Printed {
    host: Host,
    links: OnceLock<HashMap<String, Link>>,
    devices: OnceLock<HashMap<String, Device>>,
}

/// What `ip` told of an interface.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Link {
    pub(super) operstate: String,
    pub(super) mtu: u64,
    pub(super) master: Option<String>,
    /// None of kinds that are not numbered here.
    pub(super) hardware_type: Option<u64>,
    /// None where it is down.
    pub(super) carrier: Option<bool>,
}

/// What udev knew of an interface.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Device {
    pub(super) physical: bool,
    pub(super) wireless: bool,
    pub(super) driver: Option<String>,
}

impl Printed {
    pub(super) fn of(host: &Host) -> Self {
        Self { host: host.clone(), links: OnceLock::new(), devices: OnceLock::new() }
    }

    pub(super) fn link(&self, name: &str) -> Option<&Link> {
        let read = || self.host.read_text(LINKS).map(|text| links(&text)).unwrap_or_default();
        self.links.get_or_init(read).get(name)
    }

    pub(super) fn device(&self, name: &str) -> Option<&Device> {
        let read = || udev_export::read(&self.host).map(|text| devices(&text)).unwrap_or_default();
        self.devices.get_or_init(read).get(name)
    }

    /// The value of `Speed` or `Duplex`; absent where it is not known. None if it was not printed.
    pub(super) fn ethtool(&self, name: &str, key: &str) -> Option<Reading<String>> {
        let text = self.host.read_text(&format!("{ETHTOOL}{name}")).ok()?;
        if !text.starts_with(&format!("Settings for {name}:")) {
            return None;
        }
        let value =
            text.lines().find_map(|line| line.trim_start().strip_prefix(key)?.strip_prefix(':'))?.trim();
        Some(if value.starts_with("Unknown!") { Err(Missing::Absent) } else { Ok(value.to_lowercase()) })
    }
}

fn links(text: &str) -> HashMap<String, Link> {
    let mut links = HashMap::new();
    let mut last = None;
    for line in text.lines() {
        if let Some(kind) = line.trim_start().strip_prefix("link/") {
            if let Some(link) = last.take().and_then(|name: String| links.get_mut(&name)) {
                let Link { hardware_type, .. } = link;
                *hardware_type = match kind.split(' ').next() {
                    Some("ether") => Some(1),
                    Some("infiniband") => Some(32),
                    Some("ppp") => Some(512),
                    Some("loopback") => Some(772),
                    Some("none") => Some(65534),
                    _ => None,
                };
            }
        } else if let Some((name, link)) = header(line) {
            last = Some(name.clone());
            links.insert(name, link);
        }
    }
    links
}

/// The first line of an interface; that of what it lies on is after an @.
fn header(line: &str) -> Option<(String, Link)> {
    let (number, rest) = line.split_once(": ")?;
    number.parse::<u32>().ok()?;
    let (name, rest) = rest.split_once(": <")?;
    let (flags, rest) = rest.split_once('>')?;
    let words: Vec<&str> = rest.split_ascii_whitespace().collect();
    let after = |key: &str| words.iter().position(|word| *word == key).and_then(|at| words.get(at + 1));
    let has = |flag: &str| flags.split(',').any(|word| word == flag);
    let link = Link {
        operstate: after("state")?.to_lowercase(),
        mtu: after("mtu")?.parse().ok()?,
        master: after("master").map(|master| (*master).to_owned()),
        hardware_type: None,
        carrier: has("UP").then(|| has("LOWER_UP")),
    };
    Some((name.split('@').next().unwrap_or(name).to_owned(), link))
}

fn devices(text: &str) -> HashMap<String, Device> {
    let interfaces = udev_export::devices(text).filter(|device| device.property("SUBSYSTEM") == Some("net"));
    let device = |device: udev_export::Exported<'_>| {
        let name = device.place.rsplit('/').next()?.to_owned();
        let found = Device {
            physical: !device.place.starts_with("/devices/virtual/"),
            wireless: device.property("DEVTYPE") == Some("wlan"),
            driver: device.property("ID_NET_DRIVER").map(str::to_owned),
        };
        Some((name, found))
    };
    interfaces.filter_map(device).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    const LINK: &str = "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN mode DEFAULT\n    link/loopback 00:00\n\
        2: eth0: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1500 qdisc mq master br0 state DOWN mode DEFAULT qlen 1000\n\
            \tlink/ether 08:00 brd ff:ff\n    RX: bytes  packets\n    1113685    2244\n\
        7: eth0.5@eth0: <BROADCAST> mtu 1400 qdisc noop state LOWERLAYERDOWN mode DEFAULT\n    link/foo 1\n";

    #[test]
    fn links_are_told_apart() {
        let found = links(LINK);
        let told = |name: &str| {
            let link = &found[name];
            (link.operstate.as_str(), link.mtu, link.hardware_type, link.carrier)
        };
        assert_eq!(told("lo"), ("unknown", 65536, Some(772), Some(true)));
        assert_eq!(told("eth0"), ("down", 1500, Some(1), Some(false)));
        assert_eq!(told("eth0.5"), ("lowerlayerdown", 1400, None, None));
        assert_eq!((found["eth0"].master.as_deref(), &found["lo"].master), (Some("br0"), &None));
    }

    #[test]
    fn udev_knows_cards_from_what_is_none() {
        let found = devices(
            "P: /devices/virtual/net/lo\nE: SUBSYSTEM=net\n\nP: /devices/x/net/wlan0\nE: SUBSYSTEM=net\nE: DEVTYPE=wlan\nE: ID_NET_DRIVER=ath9k\n\n\
             P: /devices/x/net/wlan0/queues/rx-0\nE: SUBSYSTEM=queues\n",
        );
        assert_eq!(found.len(), 2);
        assert_eq!(found["lo"], Device { physical: false, wireless: false, driver: None });
        assert_eq!(found["wlan0"], Device { physical: true, wireless: true, driver: Some("ath9k".into()) });
    }

    #[test]
    fn ethtool_is_asked_of_the_interface_itself() {
        let mut files = Files::new();
        files.file(format!("{ETHTOOL}a"), "Settings for a:\n\tSpeed: 1000Mb/s\n\tDuplex: Half\n");
        files.file(format!("{ETHTOOL}b"), "Settings for b:\n\tSpeed: Unknown!\n");
        files.file(format!("{ETHTOOL}c"), "netlink error: No such device\n");
        let printed = Printed::of(&Host::new(files, Target::root("x")));
        assert_eq!(printed.ethtool("a", "Speed"), Some(Ok("1000mb/s".into())));
        assert_eq!(printed.ethtool("a", "Duplex"), Some(Ok("half".into())));
        assert_eq!(printed.ethtool("b", "Speed"), Some(Err(Missing::Absent)));
        assert_eq!((printed.ethtool("b", "Duplex"), printed.ethtool("c", "Speed")), (None, None));
    }

    #[test]
    fn garbage_is_nothing() {
        for text in
            ["", "\0\u{fffd}\n", "1: a", "1: a: <>\n", "x: a: <UP> mtu 1 state UP\n", "link/ether\nlink/"]
        {
            assert!(links(text).is_empty() && devices(text).is_empty(), "{text:?}");
        }
    }
}

//! The host's own names and those that it knows without asking.

use super::Fact;
use crate::record;
use crate::source::{At, Host, Missing, Optional, Reading};
use core::net::IpAddr;

record! {
    /// The names that are looked up in /etc/hosts, and the host's own.
    ///
    /// ```text
    /// /etc/hosts      127.0.0.1   localhost localhost.localdomain
    /// /etc/hosts      10.0.2.15   web1.example.com web1
    /// /etc/hostname   web1
    /// ```
    ///
    /// Source: hosts(5), hostname(5), hostname(7). Absent where there is no /etc/hosts: images of containers, whose
    /// manager makes it.
    #[bare(entries)]
    pub struct Hosts {
        /// The lines, in order.
        pub entries: Vec<HostsEntry>,
        /// The host's name: the running one, else that of /etc/hostname, else of /etc/sysconfig/network (`HOSTNAME=`). Absent
        /// where none is set.
        pub hostname: Reading<String>,
        /// Lines that are left out: no address, or no name.
        pub malformed: Vec<HostsMalformed>,
        /// The file.
        pub at: At,
    }
}

record! {
    /// A line.
    #[derive(Clone, PartialEq)]
    pub struct HostsEntry {
        /// The address.
        pub address: String,
        /// The names, the canonical one first.
        pub names: Vec<String>,
        /// Whether the address is of this host alone: 127.0.0.0/8 or ::1.
        pub loopback: bool,
        /// Where it stands.
        pub at: At,
    }
}

record! {
    /// A line that is left out.
    #[derive(Clone, PartialEq)]
    pub struct HostsMalformed {
        /// The line.
        pub text: String,
        /// Where it stands.
        pub at: At,
    }
}

const PATH: &str = "/etc/hosts";
const RUNNING: &str = "/proc/sys/kernel/hostname";
const STATIC: &str = "/etc/hostname";
const SYSCONFIG: &str = "/etc/sysconfig/network";

impl Fact for Hosts {
    const NAME: &'static str = "hosts";
    const READS: &'static [&'static str] = &[PATH, RUNNING, STATIC, SYSCONFIG];

    fn collect(host: &Host) -> Reading<Self> {
        let (entries, malformed) = parse(&host.read_text(PATH)?);
        Ok(Self { entries, hostname: hostname(host), malformed, at: At::file(PATH) })
    }
}

fn hostname(host: &Host) -> Reading<String> {
    for (path, key) in [(RUNNING, ""), (STATIC, ""), (SYSCONFIG, "HOSTNAME=")] {
        if let Some(text) = host.read_text(path).optional()? {
            let names = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
            let name = names.filter_map(|line| line.strip_prefix(key)).find(|name| !name.is_empty());
            if let Some(name) = name.map(|name| name.trim_matches(['"', '\''])) {
                return Ok(name.to_owned());
            }
        }
    }
    Err(Missing::Absent)
}

fn parse(text: &str) -> (Vec<HostsEntry>, Vec<HostsMalformed>) {
    let (mut entries, mut malformed) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        let at = At::line(PATH, number);
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(address) = words.next() else { continue };
        let names: Vec<String> = words.map(str::to_owned).collect();
        let plain = address.split('%').next().unwrap_or_default();
        match plain.parse::<IpAddr>() {
            Ok(ip) if !names.is_empty() => {
                entries.push(HostsEntry {
                    address: address.to_owned(),
                    names,
                    loopback: ip.is_loopback(),
                    at,
                });
            }
            _ => malformed.push(HostsMalformed { text: line.to_owned(), at }),
        }
    }
    (entries, malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn collect(files: &Files) -> Reading<Hosts> {
        Hosts::collect(&Host::new(files.clone(), Target::live()))
    }

    #[test]
    fn lines_have_an_address_and_names() {
        let (entries, malformed) = parse(
            "# all\n127.0.0.1\tlocalhost lo # me\n::1 localhost\n fe80::1%eth0  gw\n\n192.0.2.7 a.example a\r\n10.0.0.256 x\n127.0.0.1\n\0\u{fffd}\n",
        );
        let told: Vec<_> =
            entries.iter().map(|e| (e.address.as_str(), e.names.join(" "), e.loopback)).collect();
        let expected = [
            ("127.0.0.1", "localhost lo", true),
            ("::1", "localhost", true),
            ("fe80::1%eth0", "gw", false),
            ("192.0.2.7", "a.example a", false),
        ];
        assert_eq!(told, expected.map(|(a, n, l)| (a, n.to_owned(), l)));
        let lines: Vec<_> = malformed.iter().map(|m| m.at.line.unwrap()).collect();
        assert_eq!(lines, [7, 8, 9]);
    }

    #[test]
    fn the_running_name_comes_before_the_files() {
        let mut files = Files::new();
        files.file(PATH, "").file(SYSCONFIG, "NETWORKING=yes\nHOSTNAME=\"six\"\n");
        assert_eq!(collect(&files).unwrap().hostname, Ok("six".to_owned()));
        files.file(STATIC, "# mine\n\nseven\n");
        assert_eq!(collect(&files).unwrap().hostname, Ok("seven".to_owned()));
        files.file(RUNNING, "eight\n");
        assert_eq!(collect(&files).unwrap().hostname, Ok("eight".to_owned()));
        files.deny(RUNNING);
        assert!(matches!(collect(&files).unwrap().hostname, Err(Missing::Unreadable(_))));
    }

    #[test]
    fn absent_and_denied_are_told_apart() {
        let mut files = Files::new();
        files.file(STATIC, "seven\n");
        assert!(matches!(collect(&files), Err(Missing::Absent)));
        assert!(matches!(collect(files.deny(PATH)), Err(Missing::Unreadable(_))));
        let mut empty = Files::new();
        assert_eq!(collect(empty.file(PATH, "")).unwrap().hostname, Err(Missing::Absent));
    }
}

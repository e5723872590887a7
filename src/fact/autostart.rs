//! Which services are started at boot.

use super::Fact;
use crate::model::Partial;
use crate::source::{At, Entry, FileKind, Host, Missing, Reading};
use crate::{record, word};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

record! {
    /// The services that are started at boot, by whichever init the system has.
    ///
    /// ```text
    /// /etc/systemd/system/multi-user.target.wants/nftables.service -> /usr/lib/systemd/system/nftables.service
    /// /etc/rc.d/rc3.d/S10network -> ../init.d/network
    /// /etc/runlevels/default/sshd -> /etc/init.d/sshd
    /// ```
    ///
    /// Source: systemd.unit(5), chkconfig(8), rc-update(8). A unit counts if another one or a target wants or requires it by a
    /// link, whether or not that one is itself started; targets of rescue, sleep and shutdown are left out, so are masked units,
    /// and units and scripts that are not there. What presets enable at an image's first boot is not told. Absent with none
    /// of the directories.
    #[bare(services)]
    pub struct Autostart {
        /// The services, by name; sockets, timers and paths too.
        pub services: Partial<AutostartService>,
        /// Their names alone: `sshd` of sshd.service and sshd.socket.
        pub names: Partial<String>,
    }
}

record! {
    /// A service that is started at boot.
    #[derive(Clone, PartialEq)]
    #[bare(name)]
    pub struct AutostartService {
        /// Its name without the kind of unit: `nftables`.
        pub name: String,
        /// What it is to the init: `nftables.service`, `S10network`, `nftables`.
        pub unit: String,
        /// Which init starts it.
        pub init: AutostartInit,
        /// The link that says so.
        pub at: At,
    }
}

word! {
    /// Which init starts a service.
    pub enum AutostartInit {
        /// systemd.
        Systemd = "systemd",
        /// System V init, Upstart's or systemd's support for its scripts.
        Sysv = "sysv",
        /// OpenRC.
        Openrc = "openrc",
    }
}

/// Directories with units, those that come first count.
const UNITS: [&str; 6] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
/// Scripts of the run levels in which a server runs.
const RUN_LEVELS: [&str; 12] = [
    "/etc/rc2.d",
    "/etc/rc3.d",
    "/etc/rc4.d",
    "/etc/rc5.d",
    "/etc/rcS.d",
    "/etc/rc.d/rc2.d",
    "/etc/rc.d/rc3.d",
    "/etc/rc.d/rc4.d",
    "/etc/rc.d/rc5.d",
    "/etc/init.d/rc3.d",
    "/etc/init.d/rc5.d",
    "/etc/init.d/boot.d",
];
const OPENRC: [&str; 3] = ["/etc/runlevels/sysinit", "/etc/runlevels/boot", "/etc/runlevels/default"];
/// Targets that are no part of a normal boot.
const OTHER_TARGETS: [&str; 12] = [
    "rescue", "emergency", "shutdown", "reboot", "halt", "poweroff", "kexec", "sleep", "suspend", "hibernate",
    "initrd", "system-update",
];
const KINDS: [&str; 4] = [".service", ".socket", ".timer", ".path"];

impl Fact for Autostart {
    const NAME: &'static str = "autostart";
    const READS: &'static [&'static str] = &[
        "/etc/systemd/system/*.{wants,requires}/*",
        "/run/systemd/{system,generator}/*.{wants,requires}/*",
        "/usr/lib/systemd/system/*.{wants,requires}/*",
        "/etc/rc*.d/S*",
        "/etc/rc.d/rc*.d/S*",
        "/etc/runlevels/*/*",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let mut gathering = Gathering { host, found: Partial::default(), seen: false, units: BTreeMap::new() };
        gathering.systemd();
        gathering.sysv();
        gathering.openrc();
        if !gathering.seen {
            return Err(Missing::Absent);
        }
        let mut services = gathering.found;
        services.items.sort_by(|a, b| (&a.name, &a.unit, &a.at).cmp(&(&b.name, &b.unit, &b.at)));
        services.items.dedup_by(|a, b| a.unit == b.unit && a.init == b.init);
        let names: BTreeSet<String> = services.items.iter().map(|s| s.name.clone()).collect();
        let names = Partial { items: names.into_iter().collect(), unread: services.unread.clone() };
        Ok(Self { services, names })
    }
}

struct Gathering<'a> {
    host: &'a Host,
    found: Partial<AutostartService>,
    seen: bool,
    /// Whether a unit is there and not masked, for those that were asked for.
    units: BTreeMap<String, bool>,
}

impl Gathering<'_> {
    fn list(&mut self, directory: &str) -> Vec<Entry> {
        match self.host.source.list(Path::new(directory)) {
            Ok(entries) => {
                self.seen = true;
                entries
            }
            Err(Missing::Absent) => Vec::new(),
            Err(Missing::Unreadable(why)) => {
                self.seen = true;
                self.found.unread.push(why);
                Vec::new()
            }
        }
    }

    fn is_link(&self, path: &str) -> bool {
        self.host.source.lstat(Path::new(path)).is_ok_and(|stat| stat.kind == FileKind::Link)
    }

    fn add(&mut self, name: &str, unit: &str, init: AutostartInit, path: String) {
        self.found.items.push(AutostartService {
            name: name.to_owned(),
            unit: unit.to_owned(),
            init,
            at: At::file(path),
        });
    }

    fn systemd(&mut self) {
        for directory in UNITS {
            if directory.starts_with("/lib/") && self.is_link("/lib") {
                continue;
            }
            for entry in self.list(directory) {
                let wanting = entry.name.to_string_lossy().into_owned();
                let by = wanting.strip_suffix(".wants").or_else(|| wanting.strip_suffix(".requires"));
                let Some(by) = by else { continue };
                if OTHER_TARGETS.iter().any(|other| by.starts_with(other)) {
                    continue;
                }
                for link in self.list(&format!("{directory}/{wanting}")) {
                    let unit = link.name.to_string_lossy().into_owned();
                    let Some(name) = KINDS.iter().find_map(|kind| unit.strip_suffix(kind)) else { continue };
                    if self.is_there(&unit) {
                        self.add(name, &unit, AutostartInit::Systemd, format!("{directory}/{wanting}/{unit}"));
                    }
                }
            }
        }
    }

    /// Whether a unit has a file, and is not masked. The name of the link decides, not where it leads.
    fn is_there(&mut self, unit: &str) -> bool {
        if let Some(known) = self.units.get(unit) {
            return *known;
        }
        // What makes getty@tty1.service is getty@.service.
        let template = unit.split_once('@').and_then(|(before, rest)| Some(format!("{before}@.{}", rest.rsplit_once('.')?.1)));
        let names: Vec<&str> = std::iter::once(unit).chain(template.as_deref()).collect();
        let first = names.iter().find_map(|name| self.unit_file(name));
        let there = first.is_some_and(|path| match self.host.source.read_link(Path::new(&path)) {
            Ok(to) => to != Path::new("/dev/null") && self.host.exists(&path).unwrap_or(true),
            Err(_) => self.host.source.stat(Path::new(&path)).map_or(true, |stat| stat.size > 0 || stat.kind != FileKind::File),
        });
        self.units.insert(unit.to_owned(), there);
        there
    }

    /// The file of a unit, or the link in its place, which need not lead anywhere in a tree: /dev/null masks.
    fn unit_file(&self, unit: &str) -> Option<String> {
        let paths = UNITS.iter().map(|directory| format!("{directory}/{unit}"));
        paths.into_iter().find(|path| self.host.source.lstat(Path::new(path)).is_ok())
    }

    fn sysv(&mut self) {
        for directory in RUN_LEVELS {
            for entry in self.list(directory) {
                let unit = entry.name.to_string_lossy().into_owned();
                let name = unit.strip_prefix('S').map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
                let Some(name) = name.filter(|name| !name.is_empty()) else { continue };
                let path = format!("{directory}/{unit}");
                // systemd takes a script only where it has no unit of that name.
                if self.unit_file(&format!("{name}.service")).is_none() && self.host.exists(&path).unwrap_or(true) {
                    self.add(name, &unit, AutostartInit::Sysv, path);
                }
            }
        }
    }

    fn openrc(&mut self) {
        for directory in OPENRC {
            for entry in self.list(directory) {
                let name = entry.name.to_string_lossy().into_owned();
                let path = format!("{directory}/{name}");
                if self.host.exists(&path).unwrap_or(true) {
                    self.add(&name, &name, AutostartInit::Openrc, path);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn names(files: &Files) -> Reading<Vec<String>> {
        Ok(Autostart::collect(&Host::new(files.clone(), Target::live()))?.names.items)
    }

    #[test]
    fn units_that_are_wanted_and_there_are_started() {
        let mut files = Files::new();
        files.link("/lib", "usr/lib");
        for unit in ["nftables.service", "iptables.service", "ssh.socket", "getty@.service", "rescue.service"] {
            files.file(format!("/usr/lib/systemd/system/{unit}"), "[Unit]\n");
        }
        let wants = "/etc/systemd/system/multi-user.target.wants";
        for unit in ["nftables.service", "iptables.service", "gone.service", "getty@tty1.service", "x.target"] {
            files.link(format!("{wants}/{unit}"), "anywhere");
        }
        files.link("/etc/systemd/system/sockets.target.wants/ssh.socket", "/usr/lib/systemd/system/ssh.socket");
        files.link("/etc/systemd/system/rescue.target.wants/rescue.service", "x");
        files.link("/etc/systemd/system/iptables.service", "/dev/null");
        assert_eq!(names(&files).unwrap(), ["getty@tty1", "nftables", "ssh"]);
    }

    #[test]
    fn scripts_of_older_systems_and_of_openrc_count() {
        let mut files = Files::new();
        files.file("/etc/rc.d/init.d/network", "#!/bin/sh\n").link("/etc/rc.d/rc3.d/S10network", "../init.d/network");
        files.link("/etc/rc.d/rc3.d/S11gone", "../init.d/gone").link("/etc/rc.d/rc3.d/K92iptables", "../init.d/network");
        files.file("/etc/init.d/sshd", "").link("/etc/runlevels/default/sshd", "/etc/init.d/sshd");
        assert_eq!(names(&files).unwrap(), ["network", "sshd"]);
        files.file("/usr/lib/systemd/system/network.service", "[Unit]\n");
        assert_eq!(names(&files).unwrap(), ["sshd"]);
    }

    #[test]
    fn a_directory_that_is_denied_leaves_the_rest_open() {
        let mut files = Files::new();
        files.deny("/etc/systemd/system").file("/etc/rc3.d/S01a", "");
        let fact = Autostart::collect(&Host::new(files.clone(), Target::live())).unwrap();
        assert_eq!((fact.names.items.len(), fact.names.unread.len(), fact.services.unread.len()), (1, 1, 1));
        assert_eq!(names(&Files::new()), Err(Missing::Absent));
    }
}

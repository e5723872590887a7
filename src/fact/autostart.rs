//! Which services are started at boot.

use super::Fact;
use crate::format::units::Units;
use crate::model::Partial;
use crate::source::{At, Entry, Host, Missing, Reading};
use crate::{record, word};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

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
        let mut gathering = Gathering { host, found: Partial::default(), seen: false };
        let units = gathering.systemd();
        gathering.sysv(&units);
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

    fn add(&mut self, name: &str, unit: &str, init: AutostartInit, path: String) {
        self.found.items.push(AutostartService {
            name: name.to_owned(),
            unit: unit.to_owned(),
            init,
            at: At::file(path),
        });
    }

    fn systemd(&mut self) -> Arc<Units> {
        let units = Units::of(self.host);
        self.seen |= units.any;
        self.found.unread.extend(units.unread.iter().cloned());
        for pull in units.started() {
            if let Some(name) = KINDS.iter().find_map(|kind| pull.unit.strip_suffix(kind)) {
                self.add(name, &pull.unit, AutostartInit::Systemd, pull.path.clone());
            }
        }
        units
    }

    fn sysv(&mut self, units: &Units) {
        for directory in RUN_LEVELS {
            for entry in self.list(directory) {
                let unit = entry.name.to_string_lossy().into_owned();
                let name =
                    unit.strip_prefix('S').map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
                let Some(name) = name.filter(|name| !name.is_empty()) else { continue };
                let path = format!("{directory}/{unit}");
                // systemd takes a script only where it has no unit of that name.
                if units.file(&format!("{name}.service")).is_none() && self.host.exists(&path).unwrap_or(true)
                {
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
        for unit in ["nftables.service", "iptables.service", "ssh.socket", "getty@.service", "rescue.service"]
        {
            files.file(format!("/usr/lib/systemd/system/{unit}"), "[Unit]\n");
        }
        let wants = "/etc/systemd/system/multi-user.target.wants";
        for unit in ["nftables.service", "iptables.service", "gone.service", "getty@tty1.service", "x.target"]
        {
            files.link(format!("{wants}/{unit}"), "anywhere");
        }
        files.link(
            "/etc/systemd/system/sockets.target.wants/ssh.socket",
            "/usr/lib/systemd/system/ssh.socket",
        );
        files.link("/etc/systemd/system/rescue.target.wants/rescue.service", "x");
        files.link("/etc/systemd/system/iptables.service", "/dev/null");
        assert_eq!(names(&files).unwrap(), ["getty@tty1", "nftables", "ssh"]);
    }

    #[test]
    fn scripts_of_older_systems_and_of_openrc_count() {
        let mut files = Files::new();
        files
            .file("/etc/rc.d/init.d/network", "#!/bin/sh\n")
            .link("/etc/rc.d/rc3.d/S10network", "../init.d/network");
        files
            .link("/etc/rc.d/rc3.d/S11gone", "../init.d/gone")
            .link("/etc/rc.d/rc3.d/K92iptables", "../init.d/network");
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

//! What systemd is configured to do: its version, the manager's defaults, and the units with their limits.

mod binary;
mod boot;
mod failed;
mod limits;
mod manager;
mod syntax;
#[cfg(test)]
mod tests;
mod units;

use super::Fact;
use crate::format::{printed_processes, units::Units};
use crate::model::{Lazy, Partial};
use crate::record;
use crate::source::{Host, Missing, Reading};
pub use boot::{
    CommandState, DanglingPull, DefaultTarget, StartedUnit, SystemdBoot, UnitCommand, UnitSkipped,
};
pub use failed::FailedUnit;
pub use limits::{MalformedLimit, UnitLimit, UnitLimits};
pub use manager::DefaultSetting;
use std::collections::BTreeMap;
pub use syntax::UnitProblem;
pub use units::Unit;

record! {
    /// The configuration of the system's service manager.
    ///
    /// ```text
    /// /etc/systemd/system.conf                               DefaultLimitNOFILE=1024:524288
    /// /usr/lib/systemd/system/docker.service                 LimitNOFILE=infinity
    /// /etc/systemd/system/docker.service.d/override.conf     LimitNOFILE=1048576
    /// ```
    ///
    /// Source: systemd-system.conf(5), systemd.unit(5), systemd.exec(5), systemd.syntax(7). User managers and units that
    /// generators have not yet made are not looked into. Absent where systemd is not installed.
    pub struct Systemd {
        /// The version, 252 of 252.30-1~deb12u2, from the names and bytes of its own files; nothing is executed.
        /// Absent where they do not tell.
        pub version: Lazy<u32>,
        /// Whether this build sets fs.nr_open to the largest value that the kernel takes (1073741816) at boot, as systemd
        /// does since 240 unless it is built otherwise (as Debian's is). A value persisted in sysctl.d comes after.
        pub raises_nr_open: Lazy<bool>,
        /// Whether the manager raises its own hard limit for open files to fs.nr_open, as systemd does since 234 and older
        /// ones with a backport (RHEL 7.7). Where it does not, that limit is 65536, and with it what units get that ask
        /// for more than the kernel allows, such as infinity.
        pub reaches_nr_open: Lazy<bool>,
        /// The settings of the `[Manager]` section of system.conf and its drop-ins, by key: what is set, not the built-in
        /// defaults. Unreadable as a whole if one of the files is.
        pub defaults: Lazy<BTreeMap<String, DefaultSetting>>,
        /// The units that have a file, by name; masked ones and aliases too.
        pub units: Lazy<Partial<Unit>>,
        /// The resource limits that units set, and those that system.conf sets for all of them. Costs reading every
        /// service, socket, mount and swap unit.
        pub limits: Lazy<UnitLimits>,
        /// What systemd does not take in the files of units under /etc.
        pub problems: Lazy<Partial<UnitProblem>>,
        /// The units that failed since the boot and were not reset, by name: what the running service manager answers. Absent
        /// where it is not asked: nowhere but on a running host.
        pub failed: Lazy<Vec<FailedUnit>>,
        /// What it starts at the next boot.
        pub boot: SystemdBoot,
    }
}

impl Fact for Systemd {
    const NAME: &'static str = "systemd";
    const READS: &'static [&'static str] = &[
        "/etc/systemd/system.conf",
        "/etc/systemd/system.conf.d/*.conf",
        "/usr/lib/systemd/system.conf",
        "/usr/lib/systemd/system.conf.d/*.conf",
        "/etc/systemd/system/*",
        "/run/systemd/system/*",
        "/usr/lib/systemd/system/*",
        "/usr/lib/systemd/libsystemd-shared-*.so",
        failed::PRINTED,
        "/sos_commands/systemd/systemctl_list-unit-files",
        "/sos_commands/systemd/systemd-delta",
        "/usr/lib/systemd/systemd",
        "/sbin/init",
        "/proc/1/comm",
        printed_processes::LONG,
        printed_processes::GROUPS,
        "/run/systemd/private or /run/dbus/system_bus_socket",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let mut there = false;
        for dir in ["/usr/lib/systemd", "/lib/systemd", "/etc/systemd"] {
            there = there || host.exists(dir)?;
        }
        if !there {
            return Err(Missing::Absent);
        }
        fn lazy<T>(host: &Host, read: impl Fn(&Host) -> Reading<T> + Send + Sync + 'static) -> Lazy<T> {
            let host = host.clone();
            Lazy::new(move || read(&host))
        }
        fn of_units<T>(
            host: &Host,
            read: impl Fn(&Host, &Units) -> Reading<T> + Send + Sync + 'static,
        ) -> Lazy<T> {
            lazy(host, move |host| read(host, &Units::of(host)))
        }
        Ok(Self {
            version: lazy(host, binary::version),
            raises_nr_open: lazy(host, binary::raises_nr_open),
            reaches_nr_open: lazy(host, binary::reaches_nr_open),
            defaults: lazy(host, |host| Ok(manager::defaults(manager::settings(host)?))),
            units: of_units(host, |_, units| Ok(units::of(units))),
            limits: of_units(host, |host, units| Ok(limits::gather(host, units))),
            problems: of_units(host, |_, units| Ok(syntax::problems(units))),
            failed: lazy(host, failed::units),
            boot: SystemdBoot {
                is_init: lazy(host, boot::is_init),
                target: of_units(host, boot::target),
                units: of_units(host, boot::units),
                dangling: of_units(host, |host, units| Ok(boot::dangling(host, units))),
            },
        })
    }
}

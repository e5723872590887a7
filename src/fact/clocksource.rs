//! What the kernel reads the time from.

use super::Fact;
use crate::record;
use crate::source::{At, Host, Reading};

const DIRECTORY: &str = "/sys/devices/system/clocksource/clocksource0";

record! {
    /// The hardware that the kernel reads the time from.
    ///
    /// ```text
    /// /sys/devices/system/clocksource/clocksource0/current_clocksource     tsc
    /// /sys/devices/system/clocksource/clocksource0/available_clocksource   tsc hpet acpi_pm
    /// ```
    ///
    /// Source: the kernel's ABI/stable/sysfs-devices-system-clocksource and timers/timekeeping. The kernel takes the best that
    /// is available, unless somebody has chosen another; one that has been found unstable is not available. Absent where
    /// no kernel runs.
    pub struct Clocksource {
        /// The one in use: `tsc`, `kvm-clock`, `hpet`, `acpi_pm`, `xen`, `arch_sys_counter`, …
        pub current: String,
        /// Those that could be used.
        pub available: Reading<Vec<String>>,
        /// Where the current one was read.
        pub at: At,
    }
}

impl Fact for Clocksource {
    const NAME: &'static str = "clocksource";
    const READS: &'static [&'static str] = &[
        "/sys/devices/system/clocksource/clocksource0/current_clocksource",
        "/sys/devices/system/clocksource/clocksource0/available_clocksource",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let current = format!("{DIRECTORY}/current_clocksource");
        Ok(Self {
            current: host.read_text(&current)?.trim().to_owned(),
            available: host
                .read_text(&format!("{DIRECTORY}/available_clocksource"))
                .map(|text| text.split_ascii_whitespace().map(str::to_owned).collect()),
            at: At::file(current),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Missing, Target};

    fn collect(files: Files) -> Reading<Clocksource> {
        Clocksource::collect(&Host::new(files, Target::live()))
    }

    #[test]
    fn the_current_and_the_available_are_read() {
        let mut files = Files::new();
        files.file(format!("{DIRECTORY}/current_clocksource"), "tsc\n");
        files.file(format!("{DIRECTORY}/available_clocksource"), "tsc kvm-clock acpi_pm \n");
        let found = collect(files).unwrap();
        assert_eq!(found.current, "tsc");
        assert_eq!(found.available, Ok(["tsc", "kvm-clock", "acpi_pm"].map(String::from).to_vec()));
    }

    #[test]
    fn absent_and_denied_are_told_apart() {
        assert!(matches!(collect(Files::new()), Err(Missing::Absent)));
        let mut files = Files::new();
        files.file(format!("{DIRECTORY}/current_clocksource"), "");
        files.deny(format!("{DIRECTORY}/available_clocksource"));
        assert!(matches!(collect(files).unwrap().available, Err(Missing::Unreadable(_))));
    }
}

//! Memory errors that the memory controllers counted.

use super::Fact;
use crate::record;
use crate::source::{At, Host, Missing, Reading};

const CONTROLLERS: &str = "/sys/devices/system/edac/mc";

record! {
    /// Memory errors that the memory controllers counted since boot, or since their driver was loaded.
    ///
    /// ```text
    /// /sys/devices/system/edac/mc/mc0/mc_name    skx_edac
    /// /sys/devices/system/edac/mc/mc0/ce_count   17
    /// /sys/devices/system/edac/mc/mc0/ue_count   0
    /// ```
    ///
    /// Source: the kernel's driver-api/edac and admin-guide/ras. Absent without a driver for the memory controller:
    /// virtual machines, memory without ECC, images.
    pub struct Edac {
        /// The memory controllers, by name.
        pub controllers: Vec<Controller>,
    }
}

record! {
    /// One memory controller.
    #[derive(Clone, PartialEq)]
    pub struct Controller {
        /// `mc0`, `mc1`.
        pub name: String,
        /// Errors that were corrected.
        pub ce_count: Reading<u64>,
        /// Errors that could not be corrected.
        pub ue_count: Reading<u64>,
        /// The controller's directory.
        pub at: At,
    }
}

impl Fact for Edac {
    const NAME: &'static str = "edac";
    const READS: &'static [&'static str] =
        &["/sys/devices/system/edac/mc/mc*/ce_count", "/sys/devices/system/edac/mc/mc*/ue_count"];

    fn collect(host: &Host) -> Reading<Self> {
        let mut controllers = Vec::new();
        for name in host.names(CONTROLLERS)? {
            let number = name.strip_prefix("mc").and_then(|number| number.parse::<u32>().ok());
            let Some(number) = number else { continue };
            let directory = format!("{CONTROLLERS}/{name}");
            let count = |file: &str| {
                let path = format!("{directory}/{file}");
                let text = host.read_text(&path)?;
                text.trim().parse().map_err(|_| Missing::garbled(path, "holds no whole number"))
            };
            let (ce_count, ue_count) = (count("ce_count"), count("ue_count"));
            controllers.push((number, Controller { name, ce_count, ue_count, at: At::file(directory) }));
        }
        controllers.sort_by_key(|(number, _)| *number);
        match controllers.is_empty() {
            true => Err(Missing::Absent),
            false => Ok(Self { controllers: controllers.into_iter().map(|(_, c)| c).collect() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn collect(files: &Files) -> Reading<Edac> {
        Edac::collect(&Host::new(files.clone(), Target::live()))
    }

    #[test]
    fn errors_are_counted_per_controller() {
        let mut files = Files::new();
        for (name, ce) in [("mc10", "3\n"), ("mc2", "0\n")] {
            files.file(format!("{CONTROLLERS}/{name}/ce_count"), ce);
            files.file(format!("{CONTROLLERS}/{name}/ue_count"), "0\n");
        }
        files.directory(format!("{CONTROLLERS}/power"));
        let found = collect(&files).unwrap().controllers;
        let names: Vec<_> = found.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["mc2", "mc10"]);
        assert_eq!((&found[1].ce_count, &found[1].ue_count), (&Ok(3), &Ok(0)));
    }

    #[test]
    fn no_driver_is_absent_and_denied_or_garbled_is_not_zero() {
        let mut files = Files::new();
        assert!(matches!(collect(&files), Err(Missing::Absent)));
        files.directory(format!("{CONTROLLERS}/power"));
        assert!(matches!(collect(&files), Err(Missing::Absent)));
        files.file(format!("{CONTROLLERS}/mc0/ce_count"), b"\xff\0".to_vec());
        files.deny(format!("{CONTROLLERS}/mc0/ue_count"));
        let found = collect(&files).unwrap().controllers;
        assert!(matches!(found[0].ce_count, Err(Missing::Unreadable(_))));
        assert!(matches!(found[0].ue_count, Err(Missing::Unreadable(_))));
        files.deny(CONTROLLERS);
        assert!(matches!(collect(&files), Err(Missing::Unreadable(_))));
    }
}

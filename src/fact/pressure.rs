//! Pressure stall information: which share of the time tasks had to wait for a resource.

use super::Fact;
use crate::format::pressure::{self, Resource};
use crate::model::Lazy;
use crate::record;
use crate::source::{Host, Reading};
use std::path::Path;

const DIRECTORY: &str = "/proc/pressure";

record! {
    /// Which share of the time tasks had to wait for CPUs, memory, disks or interrupts, over the whole host.
    ///
    /// ```text
    /// /proc/pressure/io   some avg10=2.04 avg60=0.75 avg300=0.40 total=157656722
    ///                     full avg10=1.01 avg60=0.30 avg300=0.11 total=98765432
    /// ```
    ///
    /// Source: the kernel's accounting/psi. Absent before Linux 4.20, without CONFIG_PSI, and where it is switched off, as
    /// on Red Hat's kernels unless they are booted with `psi=1`; and where no kernel runs. In a container it is the host's.
    pub struct Pressure {
        /// Waiting for a CPU.
        pub cpu: Lazy<Resource>,
        /// Waiting for memory to be reclaimed or to come back from disk. Cgroups at a limit of their own count too.
        pub memory: Lazy<Resource>,
        /// Waiting for disks.
        pub io: Lazy<Resource>,
        /// Held up by interrupts. Absent before Linux 6.1 and without CONFIG_IRQ_TIME_ACCOUNTING.
        pub irq: Lazy<Resource>,
    }
}

impl Fact for Pressure {
    const NAME: &'static str = "pressure";
    const READS: &'static [&'static str] =
        &["/proc/pressure/cpu", "/proc/pressure/memory", "/proc/pressure/io", "/proc/pressure/irq"];

    fn collect(host: &Host) -> Reading<Self> {
        host.source.stat(Path::new(DIRECTORY))?;
        let resource = |name: &str| {
            let (host, path) = (host.clone(), format!("{DIRECTORY}/{name}"));
            Lazy::new(move || pressure::parse(&host.read_text(&path)?, &path))
        };
        Ok(Self {
            cpu: resource("cpu"),
            memory: resource("memory"),
            io: resource("io"),
            irq: resource("irq"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::pressure::Stalls;
    use crate::source::{Files, Missing, Target};

    const SOME: &str = "some avg10=2.04 avg60=0.75 avg300=0.40 total=157656722\n";
    const FULL: &str = "full avg10=1.01 avg60=0.30 avg300=0.11 total=98765432\n";

    fn collect(path: &str, text: &str) -> Reading<Pressure> {
        let mut files = Files::new();
        files.file(path, text);
        Pressure::collect(&Host::new(files, Target::live()))
    }

    #[test]
    fn both_lines_are_read() {
        let pressure = collect("/proc/pressure/io", &format!("{SOME}{FULL}")).unwrap();
        let io = pressure.io.get().unwrap();
        let some = Stalls { avg10: 2.04, avg60: 0.75, avg300: 0.4, total_us: 157_656_722 };
        assert_eq!((io.some.clone(), io.full.as_ref().unwrap().total_us), (Some(some), 98_765_432));
        assert_eq!(pressure.irq.get(), Err(Missing::Absent));
    }

    #[test]
    fn cpus_of_old_kernels_have_no_full_and_interrupts_no_some() {
        let pressure = collect("/proc/pressure/cpu", SOME).unwrap();
        assert!(pressure.cpu.get().is_ok_and(|cpu| cpu.full.is_none()));
        let pressure = collect("/proc/pressure/irq", FULL).unwrap();
        assert!(pressure.irq.get().is_ok_and(|irq| irq.some.is_none()));
    }

    #[test]
    fn without_a_directory_of_them_there_is_no_pressure() {
        assert!(matches!(collect("/proc/loadavg", ""), Err(Missing::Absent)));
    }

    #[test]
    fn half_a_file_and_garbage_are_unreadable() {
        for text in [
            "",
            "some",
            "full avg10=1.0 avg60=1.0",
            "much avg10=1 avg60=1 avg300=1 total=1",
            "\0\u{fffd}\n",
            "some avg10=nan avg60=1 avg300=1 total=1",
            "some avg10=1 avg60=1 avg300=101 total=1",
        ] {
            let pressure = collect("/proc/pressure/memory", text).unwrap();
            assert!(matches!(pressure.memory.get(), Err(Missing::Unreadable(_))), "{text:?}");
        }
    }
}

//! The running kernel's release, and the command line it was booted with.

use super::Fact;
use crate::record;
use crate::source::{At, Host, Reading};

record! {
    /// The kernel that runs.
    ///
    /// ```text
    /// /proc/sys/kernel/osrelease   6.1.0-28-amd64
    /// ```
    ///
    /// Source: proc_sys_kernel(5), uname(2). Absent where no kernel runs: images and plain roots.
    pub struct Kernel {
        /// The release, as `uname -r` prints it.
        pub release: String,
        /// Major version: 6 of 6.1.0.
        pub major: u32,
        /// Minor version: 1 of 6.1.0.
        pub minor: u32,
        /// Where it was read.
        pub at: At,
    }
}

impl Fact for Kernel {
    const NAME: &'static str = "kernel";
    const READS: &'static [&'static str] = &["/proc/sys/kernel/osrelease"];

    fn collect(host: &Host) -> Reading<Self> {
        let path = Self::READS[0];
        let release = host.read_text(path)?.trim().to_owned();
        let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().ok());
        let mut next = || numbers.next().flatten().unwrap_or(0);
        Ok(Self { major: next(), minor: next(), release, at: At::file(path) })
    }
}

//! Software RAID: /proc/mdstat.

mod parse;

#[cfg(test)]
mod tests;

pub use parse::parse;

use super::Fact;
use crate::source::{At, Host, Reading};
use crate::{record, word};

record! {
    /// The arrays of the kernel's own RAID (md), and how they are.
    ///
    /// ```text
    /// md0 : active raid1 sdb1[2](F) sda1[0]
    ///       195310144 blocks super 1.2 [2/1] [U_]
    ///       [=>...................]  recovery =  8.5% (16775552/195310144) finish=17.0min speed=259783K/sec
    ///       bitmap: 0/2 pages [0KB], 65536KB chunk
    /// ```
    ///
    /// Source: md(4), mdadm(8), Documentation/admin-guide/md.rst, md_seq_show in drivers/md/md.c. Absent where the kernel has no
    /// md loaded, and where no kernel runs.
    #[bare(arrays)]
    pub struct Mdraid {
        /// The arrays, in the order of the file.
        pub arrays: Vec<MdArray>,
        /// Lines that belong to no array, as they stand.
        pub malformed: Vec<String>,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// An array.
    #[derive(Clone, PartialEq)]
    pub struct MdArray {
        /// The kernel's name for it: `md0`.
        pub name: String,
        /// Whether it runs; one that does not has no data to give.
        pub active: bool,
        /// `raid1`, `raid5`, `raid10`, `raid0`, `linear`; absent in most arrays that do not run.
        pub level: Option<String>,
        /// Whether the description of the array is of another vendor's making (Intel's, DDF): the container that holds
        /// the disks of such arrays never runs itself.
        pub external: bool,
        /// Whether nothing may be written to it; `auto-read-only` is not meant, which ends with the first write.
        pub read_only: bool,
        /// Usable size, KiB; absent where the file does not say.
        pub size_kib: Option<u64>,
        /// Its devices, in the order of the file. One that has been removed is not listed.
        pub members: Vec<MdMember>,
        /// How many devices it should have, spares left out; absent for levels without redundancy, and where it does not run.
        pub wanted: Option<u32>,
        /// How many of them are in use and up to date.
        pub working: Option<u32>,
        /// One letter for each device that it should have: `U` for up, `_` for missing, failed or not yet rebuilt.
        pub slots: Option<String>,
        /// How many of its devices have failed and are still listed (F).
        pub failed: u32,
        /// How many of its devices are spares (S).
        pub spare: u32,
        /// What goes on in it; absent for nothing.
        pub action: Option<MdAction>,
        /// Whether the action waits for another one, or for the first write.
        pub waiting: bool,
        /// How far the action is, percent; absent while it waits.
        pub progress_percent: Option<f64>,
        /// How long the action will take from now on, minutes; absent while it waits.
        pub finish_minutes: Option<f64>,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// A device of an array.
    #[derive(Clone, PartialEq)]
    pub struct MdMember {
        /// The kernel's name for it: `sda1`.
        pub device: String,
        /// Its number in the array, which is not its place in `slots` if it has replaced another.
        pub number: u32,
        /// It has failed (F).
        pub failed: bool,
        /// It is a spare (S); in an array that does not run, every device is called one.
        pub spare: bool,
    }
}

word! {
    /// What goes on in an array.
    pub enum MdAction {
        /// Its copies or parity are made equal, after it was created or not stopped cleanly.
        Resync = "resync",
        /// A device that is new in it is filled.
        Recovery = "recovery",
        /// Its copies or parity are compared; distributions do that every month.
        Check = "check",
        /// It is changed to another number of devices, level or chunk size.
        Reshape = "reshape",
    }
}

impl Fact for Mdraid {
    const NAME: &'static str = "mdraid";
    const READS: &'static [&'static str] = &["/proc/mdstat"];

    fn collect(host: &Host) -> Reading<Self> {
        let path = Self::READS[0];
        Ok(parse(path, &host.read_text(path)?))
    }
}

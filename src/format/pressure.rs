//! `some avg10=2.04 avg60=0.75 avg300=0.40 total=157656722`: /proc/pressure and the *.pressure files of cgroups.

use crate::record;
use crate::source::{At, Missing, Reading};

record! {
    /// The pressure on one resource.
    #[derive(Clone, PartialEq)]
    pub struct Resource {
        /// While at least one task waited. Absent for interrupts.
        pub some: Option<Stalls>,
        /// While all tasks that had something to do waited at once. Absent for CPUs before Linux 5.13, and 0 since: the
        /// host as a whole always has a task on its CPUs.
        pub full: Option<Stalls>,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// Shares of the time in percent, and their sum.
    #[derive(Clone, PartialEq)]
    pub struct Stalls {
        /// Percent of the last 10 seconds.
        pub avg10: f64,
        /// Percent of the last minute.
        pub avg60: f64,
        /// Percent of the last five minutes.
        pub avg300: f64,
        /// Microseconds since boot.
        pub total_us: u64,
    }
}

/// What such a file says. Not procfs-core's parser: that one wants both lines, and panics on a line that ends after its first word.
pub fn parse(text: &str, path: &str) -> Reading<Resource> {
    read(text, path).ok_or_else(|| Missing::garbled(path, "does not hold shares of the time"))
}

fn read(text: &str, path: &str) -> Option<Resource> {
    let mut found = Resource { some: None, full: None, at: At::file(path) };
    for line in text.lines() {
        let (kind, rest) = line.split_once(' ')?;
        match kind {
            "some" => found.some = Some(stalls(rest)?),
            "full" => found.full = Some(stalls(rest)?),
            _ => return None,
        }
    }
    (found.some.is_some() || found.full.is_some()).then_some(found)
}

fn stalls(line: &str) -> Option<Stalls> {
    let value = |key: &str| line.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    let percent = |key: &str| value(key)?.parse::<f64>().ok().filter(|v| (0.0..=100.0).contains(v));
    Some(Stalls {
        avg10: percent("avg10")?,
        avg60: percent("avg60")?,
        avg300: percent("avg300")?,
        total_us: value("total")?.parse().ok()?,
    })
}

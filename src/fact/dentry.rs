//! The cache of directory entries.

use super::Fact;
use crate::record;
use crate::source::{At, Host, Missing, Reading};

record! {
    /// The kernel's cache of directory entries: names that have been looked up, whether or not a file was there.
    ///
    /// ```text
    /// /proc/sys/fs/dentry-state   1874504	1873152	45	0	739753	0
    /// ```
    ///
    /// Source: the kernel's admin-guide/sysctl/fs, fs/dcache.c. One entry takes 192 bytes on 64-bit kernels, and is reclaimed
    /// when memory is wanted. Absent where no kernel runs.
    pub struct Dentry {
        /// Entries there are.
        pub count: u64,
        /// Of them, those that nobody uses and that could be dropped.
        pub unused: u64,
        /// Of the unused, those that remember that there is no such file. Always 0 before Linux 5.0.
        pub negative: u64,
        /// Where it was read.
        pub at: At,
    }
}

impl Fact for Dentry {
    const NAME: &'static str = "dentry";
    const READS: &'static [&'static str] = &["/proc/sys/fs/dentry-state"];

    fn collect(host: &Host) -> Reading<Self> {
        let path = Self::READS[0];
        parse(&host.read_text(path)?).ok_or_else(|| Missing::garbled(path, "does not hold six numbers"))
    }
}

/// The third and fourth, `age_limit` and `want_pages`, say nothing any more.
fn parse(text: &str) -> Option<Dentry> {
    // Counters of all CPUs are added without a lock, so that a sum may be below zero for a moment.
    let count = |word: &str| word.parse::<i64>().ok().map(|n| n.max(0).unsigned_abs());
    let numbers: Vec<u64> = text.split_ascii_whitespace().map(count).collect::<Option<_>>()?;
    let [count, unused, _, _, negative, _] = numbers.try_into().ok()?;
    Some(Dentry { count, unused, negative, at: At::line(Dentry::READS[0], 1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_that_mean_something_are_read() {
        let dentry = parse("1874504\t1873152\t45\t0\t739753\t0\n").unwrap();
        assert_eq!((dentry.count, dentry.unused, dentry.negative), (1_874_504, 1_873_152, 739_753));
        assert_eq!(parse("5 -3 45 0 0 0").unwrap().unused, 0);
    }

    #[test]
    fn half_a_line_and_garbage_are_none() {
        for text in ["", "1 2 3 4 5", "1 2 3 4 5 6 7", "a b c d e f", "\0\u{fffd}"] {
            assert!(parse(text).is_none(), "{text:?}");
        }
    }
}

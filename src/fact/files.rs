//! How many open files the whole system has, and may have.

use super::Fact;
use crate::record;
use crate::source::{At, Host, Missing, Reading};

record! {
    /// The system's file handles, all processes together.
    ///
    /// ```text
    /// /proc/sys/fs/file-nr   9376	0	9223372036854775807
    /// ```
    ///
    /// Source: proc_sys_fs(5). A handle is an open file description: descriptors made by dup(2) or fork(2) share one.
    /// Absent where no kernel runs.
    pub struct Files {
        /// Handles that are allocated, which since Linux 2.6 are those in use.
        pub allocated: u64,
        /// Handles that are allocated and unused; 0 since Linux 2.6.
        pub unused: u64,
        /// The most that may be allocated: `fs.file-max`. Only root may go beyond it.
        pub max: u64,
        /// Where it was read.
        pub at: At,
    }
}

impl Fact for Files {
    const NAME: &'static str = "files";
    const READS: &'static [&'static str] = &["/proc/sys/fs/file-nr"];

    fn collect(host: &Host) -> Reading<Self> {
        let path = Self::READS[0];
        parse(&host.read_text(path)?, path)
            .ok_or_else(|| Missing::garbled(path, "does not hold three numbers"))
    }
}

fn parse(text: &str, path: &str) -> Option<Files> {
    let mut numbers = text.split_ascii_whitespace().map(|n| n.parse::<u64>().ok());
    let mut next = || numbers.next().flatten();
    Some(Files { allocated: next()?, unused: next()?, max: next()?, at: At::line(path, 1) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{self, Target, Unreadable};

    #[test]
    fn three_numbers_are_read() {
        let files = parse("9376\t0\t9223372036854775807\n", "/p").unwrap();
        assert_eq!((files.allocated, files.unused, files.max), (9376, 0, i64::MAX as u64));
    }

    #[test]
    fn anything_else_is_garbled() {
        let collect = |text: &str| {
            let mut tree = source::Files::new();
            tree.file("/proc/sys/fs/file-nr", text);
            Files::collect(&Host::new(tree, Target::live())).map(|f| f.allocated)
        };
        for text in ["", "9376", "9376\t0", "a b c", "\0\u{fffd}", "-1 0 1"] {
            assert!(matches!(collect(text), Err(Missing::Unreadable(Unreadable { .. }))), "{text:?}");
        }
        assert_eq!(collect("1 0 2"), Ok(1));
    }

    #[test]
    fn without_a_kernel_there_is_none() {
        let host = Host::new(source::Files::new(), Target::root("x"));
        assert_eq!(Files::collect(&host).map(|_| ()), Err(Missing::Absent));
    }
}

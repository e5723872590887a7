//! /proc/PID/status.

use super::place::garbled;
use crate::source::{Missing, Reading};

/// What is taken from it.
#[derive(Debug)]
pub(super) struct Status {
    /// Real user id.
    pub(super) real_uid: Reading<u32>,
    /// Effective user id.
    pub(super) uid: Reading<u32>,
    /// VmRSS; absent where the process has no memory of its own.
    pub(super) rss_kib: Reading<u64>,
    /// VmSwap; likewise, and before Linux 2.6.34.
    pub(super) swap_kib: Reading<u64>,
    /// Whether it has a number in a PID namespace below the one that /proc shows; absent before Linux 4.1.
    pub(super) inner: Reading<bool>,
    /// Whether it may have transparent huge pages; absent before Linux 5.0.
    pub(super) thp: Reading<bool>,
}

impl Status {
    pub(super) fn parse(text: &str, path: &str) -> Self {
        let field =
            |key: &str| text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(':')).map(str::trim);
        // Real, effective, saved and file-system uid.
        let uid = |position| {
            let word = field("Uid").and_then(|ids| ids.split_ascii_whitespace().nth(position));
            garbled(path, word.and_then(|word| word.parse().ok()))
        };
        let kib = |key| {
            let value = field(key).ok_or(Missing::Absent)?;
            garbled(path, value.split(' ').next().and_then(|n| n.parse().ok()))
        };
        let inner =
            field("NSpid").map(|pids| pids.split_ascii_whitespace().count() > 1).ok_or(Missing::Absent);
        let thp = field("THP_enabled").map(|word| word != "0").ok_or(Missing::Absent);
        Self { inner, thp, real_uid: uid(0), uid: uid(1), rss_kib: kib("VmRSS"), swap_kib: kib("VmSwap") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_sizes_are_told_apart() {
        let text = "Name:\tsu\nUid:\t1000\t0\t0\t0\nVmRSS:\t    4096 kB\nVmSwap:\t      12 kB\n";
        let status = Status::parse(text, "/p");
        assert_eq!((status.real_uid, status.uid), (Ok(1000), Ok(0)));
        assert_eq!((status.rss_kib, status.swap_kib), (Ok(4096), Ok(12)));
    }

    #[test]
    fn a_process_of_an_inner_namespace_has_several_numbers() {
        assert_eq!(Status::parse("NSpid:\t7\t1\n", "/p").inner, Ok(true));
        assert_eq!(Status::parse("NSpid:\t7\n", "/p").inner, Ok(false));
        assert_eq!(Status::parse("Pid:\t7\n", "/p").inner, Err(Missing::Absent));
    }

    #[test]
    fn a_process_may_do_without_huge_pages() {
        assert_eq!(Status::parse("THP_enabled:\t0\n", "/p").thp, Ok(false));
        assert_eq!(Status::parse("THP_enabled:\t1\n", "/p").thp, Ok(true));
        assert_eq!(Status::parse("Pid:\t7\n", "/p").thp, Err(Missing::Absent));
    }

    #[test]
    fn a_kernel_thread_has_no_memory_and_garbage_is_unreadable() {
        let status = Status::parse("Uid:\t0\t0\t0\t0\n", "/p");
        assert_eq!((status.rss_kib, status.swap_kib), (Err(Missing::Absent), Err(Missing::Absent)));
        let status = Status::parse("Uid:\tx\nVmRSS: much\n", "/p");
        assert!(matches!(
            (status.uid, status.rss_kib),
            (Err(Missing::Unreadable(_)), Err(Missing::Unreadable(_)))
        ));
    }
}

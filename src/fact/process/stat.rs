//! /proc/PID/stat.

use crate::format::printed_processes::PrintedProcess;
use procfs_core::FromRead;

/// What is taken from it.
#[derive(Debug, PartialEq)]
pub(super) struct Stat {
    pub(super) comm: String,
    pub(super) state: char,
    pub(super) ppid: u32,
    pub(super) threads: u32,
    /// Not where ps printed the rest.
    pub(super) start_seconds: Option<f64>,
    pub(super) cpu_ticks: u64,
    pub(super) virtual_kib: u64,
    pub(super) rss_pages: u64,
    pub(super) kernel_thread: bool,
}

/// PF_KTHREAD of the kernel's include/linux/sched.h, the same since Linux 2.6.27.
const KERNEL_THREAD: u64 = 0x0020_0000;

/// USER_HZ, the unit in which Linux tells times to programs on all architectures but Alpha and Itanium.
pub(super) const TICKS_PER_SECOND: f64 = 100.0;

/// Pages of which ps printed the size, in KiB.
const PAGE_KIB: u64 = 4;

impl Stat {
    pub(super) fn printed(process: &PrintedProcess) -> Self {
        Self {
            comm: process.comm.clone(),
            state: process.state,
            ppid: process.ppid,
            threads: process.threads,
            start_seconds: None,
            cpu_ticks: process.cpu_seconds.saturating_mul(TICKS_PER_SECOND as u64),
            virtual_kib: process.virtual_kib,
            rss_pages: process.rss_kib / PAGE_KIB,
            kernel_thread: process.kernel_thread,
        }
    }
}

/// The state of a thread alone, from its stat: the word after the name.
pub(super) fn state(text: &str) -> Option<char> {
    text.rsplit_once(") ")?.1.chars().next()
}

/// Reads the one line; the name may hold anything, parentheses and newlines too. `None` if it is not whole.
pub(super) fn parse(text: &str) -> Option<Stat> {
    // The crate's parser counts on these two being there.
    let (before, rest) = text.trim().split_once(" (")?;
    rest.rsplit_once(") ")?;
    before.parse::<i32>().ok()?;
    let stat = procfs_core::process::Stat::from_read(text.as_bytes()).ok()?;
    Some(Stat {
        comm: stat.comm,
        state: stat.state,
        ppid: stat.ppid.try_into().ok()?,
        threads: stat.num_threads.try_into().ok()?,
        start_seconds: Some(stat.starttime as f64 / TICKS_PER_SECOND),
        cpu_ticks: stat.utime.saturating_add(stat.stime),
        virtual_kib: stat.vsize / 1024,
        rss_pages: stat.rss,
        kernel_thread: u64::from(stat.flags) & KERNEL_THREAD != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMETHEUS: &str = "22347 (prometheus) S 1 22347 22347 0 -1 1077936384 500 0 1 0 100 20 0 0 20 0 13 0 \
        86400 4000000000 250000 18446744073709551615 1 1 0 0 0 0 0 0 2143420159 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n";

    #[test]
    fn the_fields_are_those_of_the_manual() {
        let stat = parse(PROMETHEUS).unwrap();
        assert_eq!((stat.comm.as_str(), stat.state, stat.ppid, stat.threads), ("prometheus", 'S', 1, 13));
        assert_eq!((stat.start_seconds, stat.kernel_thread), (Some(864.0), false));
        assert_eq!((stat.cpu_ticks, stat.virtual_kib, stat.rss_pages), (120, 3_906_250, 250_000));
        assert_eq!(state(PROMETHEUS), Some('S'));
    }

    #[test]
    fn a_name_may_look_like_fields() {
        let text = PROMETHEUS.replace("(prometheus)", "(a) R 1 (b\nc)");
        assert_eq!(parse(&text).unwrap().comm, "a) R 1 (b\nc");
    }

    #[test]
    fn a_kernel_thread_is_known_by_its_flags() {
        let text = "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 1 0 0 18446744073709551615 0 0 0 0 0 0 \
            2147483647 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0";
        assert!(parse(text).unwrap().kernel_thread);
    }

    #[test]
    fn half_a_line_is_none() {
        for text in
            ["", "1", "1 (a", "1 (a) ", "1 (a) S 1", "1 (a) S x", "(a) S 1", ") (", "1 (a)", "\0\u{fffd}"]
        {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}

//! Signals that end the program: first the terminal is put in order, and what is half written removed.

use super::progress;
use crate::source::Output;
use nix::sys::signal::{SigSet, Signal, raise};
use std::thread;

/// What ends a program, but for those that are to leave a core or cannot be caught.
const SIGNALS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// Watches for the signals in a thread of its own; they are blocked in this one and in all that it begins from now on.
///
/// The program still ends by the signal, as the shell that waits for it expects.
pub(super) fn watch() {
    let ignored = std::fs::read_to_string("/proc/self/status").ok().and_then(|status| ignored(&status));
    // What a parent ignores, as nohup(1) does, stays ignored: a signal that is waited for would come nevertheless.
    let Some(ignored) = ignored else { return };
    let signals: SigSet =
        SIGNALS.into_iter().filter(|signal| ignored >> (*signal as u32 - 1) & 1 == 0).collect();
    let ends = move || {
        let Ok(signal) = signals.wait() else { return };
        progress::end();
        let _none_is_begun = Output::abandon();
        let _ = signals.thread_unblock();
        let _ = raise(signal);
        // The first process of a container is not ended by a signal.
        std::process::exit(128 + signal as i32)
    };
    if signals.thread_block().is_ok() && thread::Builder::new().spawn(ends).is_err() {
        let _ = signals.thread_unblock();
    }
}

/// The signals that are ignored, a bit each, by proc_pid_status(5).
fn ignored(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_told_by_its_bit() {
        let hangup = ignored("Name:\thostvet\nSigIgn:\t0000000000000001\nSigCgt:\t0\n");
        assert_eq!(hangup, Some(1 << (Signal::SIGHUP as u32 - 1)));
        assert_eq!(ignored("Name:\thostvet\n"), None);
    }
}

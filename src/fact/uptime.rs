//! How long the kernel runs.

use super::Fact;
use crate::format::printed_uptime;
use crate::record;
use crate::source::{At, Host, Missing, Reading};
use procfs_core::FromRead;

record! {
    /// How long the kernel runs.
    ///
    /// ```text
    /// /proc/uptime   350735.47 234388.90
    /// ```
    ///
    /// Source: proc_uptime(5). Absent where no kernel runs: images and plain roots.
    pub struct Uptime {
        /// Whole seconds since boot, suspended time included.
        pub seconds: u64,
        /// Where it was read.
        pub at: At,
    }
}

impl Fact for Uptime {
    const NAME: &'static str = "uptime";
    const READS: &'static [&'static str] = &["/proc/uptime", printed_uptime::PATH];

    fn collect(host: &Host) -> Reading<Self> {
        let path = Self::READS[0];
        let text = match host.read_text(path) {
            Err(missing) if missing.is_not_collected() => return printed(host),
            text => text?,
        };
        let seconds = parse(&text);
        let seconds = seconds.ok_or_else(|| Missing::garbled(path, "holds no number of seconds"))?;
        Ok(Self { seconds, at: At::file(path) })
    }
}

/// What the command told, in whole minutes.
fn printed(host: &Host) -> Reading<Uptime> {
    let path = printed_uptime::PATH;
    let printed = printed_uptime::parse(&host.read_text(path)?);
    let printed = printed.ok_or_else(|| Missing::garbled(path, "is no output of uptime"))?;
    Ok(Uptime { seconds: printed.seconds, at: At::file(path) })
}

fn parse(text: &str) -> Option<u64> {
    let uptime = procfs_core::Uptime::from_read(text.as_bytes()).ok()?.uptime;
    // Neither below zero nor a NaN.
    (uptime >= 0.0).then_some(uptime as u64)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn whole_seconds_are_read() {
        assert_eq!(parse("350735.47 234388.90\n"), Some(350_735));
        assert_eq!(parse("7 3"), Some(7));
    }

    #[test]
    fn garbage_is_no_uptime() {
        for garbage in ["", "\n", "-1.00 2.00", "\0\0", "\u{fffd}5.0", "5 x"] {
            assert_eq!(parse(garbage), None, "{garbage:?}");
        }
    }
}

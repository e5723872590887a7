//! A line of the log, and when it was written.

use super::clock::Now;
use crate::source::At;

/// How much of a line's time is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dated {
    /// All.
    Exactly,
    /// Not the time zone: it is taken for UTC.
    Locally,
    /// Not even the year: one is made up.
    Yearless,
}

/// A line of the kernel's messages, as far as its source tells of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) level: Option<u8>,
    /// Since the boot of the kernel that said it.
    pub(super) seconds: Option<f64>,
    /// Since 1970, as far as it is known.
    pub(super) time: Option<i64>,
    pub(super) dated: Dated,
    pub(super) text: String,
    pub(super) at: At,
}

impl Line {
    /// How long ago it was; never below 0.
    pub(super) fn age(&self, now: Now) -> Option<i64> {
        let age = match (self.time, now.time, self.seconds, now.seconds) {
            (Some(time), Some(now), ..) => now.saturating_sub(time),
            (_, _, Some(seconds), Some(now)) => (now - seconds) as i64,
            _ => return None,
        };
        Some(age.max(0))
    }

    /// Its time, if year and time zone are known.
    pub(super) fn known_time(&self) -> Option<i64> {
        self.time.filter(|_| self.dated == Dated::Exactly)
    }

    /// When it was, for people.
    pub(super) fn date(&self) -> Option<String> {
        let format = match self.dated {
            Dated::Exactly => "%Y-%m-%d %H:%M:%S UTC",
            Dated::Locally => "%Y-%m-%d %H:%M:%S",
            Dated::Yearless => "%b %e %H:%M:%S",
        };
        let date = self.time.and_then(|time| jiff::Timestamp::from_second(time).ok());
        match (date, self.seconds) {
            (Some(date), _) => Some(date.strftime(format).to_string()),
            (None, Some(seconds)) => Some(format!("{seconds:.0} s after boot")),
            (None, None) => None,
        }
    }
}

//! A line of the log, and when it was written.

use super::clock::Now;
use crate::source::At;

/// A line of the kernel's messages, as far as its source tells of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) level: Option<u8>,
    /// Since the boot of the kernel that said it.
    pub(super) seconds: Option<f64>,
    /// Since 1970, or since a year that is made up.
    pub(super) time: Option<i64>,
    /// Whether the year is made up: only differences of times mean anything.
    pub(super) yearless: bool,
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

    /// Its time, if the year is known.
    pub(super) fn known_time(&self) -> Option<i64> {
        self.time.filter(|_| !self.yearless)
    }

    /// When it was, for people.
    pub(super) fn date(&self) -> Option<String> {
        let format = if self.yearless { "%b %e %H:%M:%S" } else { "%Y-%m-%d %H:%M:%S UTC" };
        let date = self.time.and_then(|time| jiff::Timestamp::from_second(time).ok());
        match (date, self.seconds) {
            (Some(date), _) => Some(date.strftime(format).to_string()),
            (None, Some(seconds)) => Some(format!("{seconds:.0} s after boot")),
            (None, None) => None,
        }
    }
}

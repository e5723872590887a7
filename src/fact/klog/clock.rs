//! What time it is on the host, and what its local time means.

use crate::source::{Host, text};
use jiff::tz::TimeZone;
use jiff::civil::DateTime;
use std::path::Path;

/// The moment that ages are counted from.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Now {
    /// Since 1970.
    pub(super) time: Option<i64>,
    /// Since boot.
    pub(super) seconds: Option<f64>,
}

/// When the host booted, and what it is now, by its own files: also right for a copy of /proc.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Clock {
    /// When the kernel booted, in seconds since 1970: `btime` of /proc/stat.
    pub(super) boot: Option<i64>,
    /// How long it runs.
    pub(super) uptime: Option<f64>,
}

impl Clock {
    pub(super) fn of(host: &Host) -> Self {
        let stat = host.read_text("/proc/stat").ok();
        let boot = stat.and_then(|s| s.lines().find_map(|l| l.strip_prefix("btime ")?.trim().parse().ok()));
        let uptime = host.read_text("/proc/uptime").ok();
        let uptime = uptime.and_then(|u| u.split_ascii_whitespace().next()?.parse().ok());
        Self { boot: boot.filter(|b| *b > 0), uptime: uptime.filter(|u: &f64| u.is_finite() && *u >= 0.0) }
    }

    /// The time of a moment after boot.
    pub(super) fn time(self, seconds: f64) -> Option<i64> {
        Some(self.boot?.saturating_add(seconds as i64))
    }

    /// What it is now; without the time of boot or the uptime only half of it.
    pub(super) fn now(self) -> Now {
        Now { time: self.uptime.and_then(|uptime| self.time(uptime)), seconds: self.uptime }
    }
}

/// The host's time zone; UTC where there is none, as the C library has it.
pub(super) fn zone(host: &Host) -> TimeZone {
    let bytes = host.source.read(Path::new("/etc/localtime"), 1 << 20).unwrap_or_default();
    TimeZone::tzif("localtime", &bytes).unwrap_or(TimeZone::UTC)
}

/// A date of the host's own zone, in seconds since 1970.
pub(super) fn local(date: DateTime, zone: &TimeZone) -> Option<i64> {
    zone.to_ambiguous_zoned(date).compatible().ok().map(|zoned| zoned.timestamp().as_second())
}

/// A time as programs write it with its offset: `2024-01-31T06:00:00.123456+01:00`, `2024-01-31T06:00:00+0100`, `…Z`.
pub(super) fn with_offset(word: &str) -> Option<i64> {
    word.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
}

/// The bytes of a log as text.
pub(super) fn lossy(bytes: Vec<u8>) -> String {
    text(bytes)
}

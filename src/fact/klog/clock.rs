//! What time it is on the host, and what its local time means.

use super::line::Dated;
use crate::source::{Host, Missing, text};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
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

/// A host's time zone.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    pub(super) zone: TimeZone,
    /// Else the zone is but a stand-in.
    pub(super) known: bool,
}

impl Zone {
    /// The host's time zone: UTC where there is none, as the C library has it. A tree may have the link, and not what it leads to.
    pub(super) fn of(host: &Host) -> Self {
        let path = Path::new("/etc/localtime");
        match host.source.read(path, 1 << 20) {
            Err(Missing::Absent) => {
                Self { zone: TimeZone::UTC, known: host.source.lstat(path) == Err(Missing::Absent) }
            }
            found => match TimeZone::tzif("localtime", &found.unwrap_or_default()) {
                Ok(zone) => Self { zone, known: true },
                Err(_) => Self { zone: TimeZone::UTC, known: false },
            },
        }
    }

    /// What a time of this zone is worth.
    pub(super) fn dated(&self) -> Dated {
        if self.known { Dated::Exactly } else { Dated::Locally }
    }
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

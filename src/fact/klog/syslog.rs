//! Log files: what syslog daemons, journalctl(1) and dmesg(1) write.

use super::clock::{Clock, Zone, local, with_offset};
use super::line::{Dated, Line};
use crate::source::At;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The lines of a file.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Parsed {
    /// The kernel's.
    pub(super) lines: Vec<Line>,
    /// When the last line was written, whoever wrote it.
    pub(super) newest: Option<i64>,
}

/// What is known of a file besides its text.
#[derive(Clone, Debug)]
pub(super) struct About<'a> {
    pub(super) path: &'a str,
    /// Whether the text is only the file's end: its lines cannot be counted, and the first may be half of one.
    pub(super) cut: bool,
    /// A time that no line is later than: now, or when the file was last written.
    pub(super) limit: Option<i64>,
    /// Whether the year of that time is made up.
    pub(super) yearless: bool,
    pub(super) zone: &'a Zone,
}

impl About<'_> {
    fn at(&self, line: u32) -> At {
        if self.cut { At::file(self.path) } else { At::line(self.path, line) }
    }
}

/// When a line was written, as it says.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stamp {
    Time(i64),
    /// In local time, of a year that the line does not tell.
    Yearless {
        month: i8,
        day: i8,
        hour: i8,
        minute: i8,
        second: i8,
    },
}

/// The kernel's lines of a syslog file or of journalctl's output:
///
/// ```text
/// Jan 31 06:00:00 web1 kernel: [ 7205.000123] text
/// Jan 31 06:00:00 web1 kern.warn kernel: text
/// 2024-01-31T06:00:00.123456+00:00 web1 kernel: text
/// ```
pub(super) fn syslog(text: &str, about: &About<'_>) -> Parsed {
    const TAG: &str = " kernel: ";
    let mut found: Vec<(Stamp, Line)> = Vec::new();
    let (mut number, mut counted) = (1, 0);
    for (tag, _) in text.match_indices(TAG) {
        let start = text[..tag].rfind('\n').map_or(0, |newline| newline + 1);
        number += text[counted.min(start)..start].bytes().filter(|b| *b == b'\n').count();
        counted = counted.max(start);
        let Some((stamp, rest)) = stamp(&text[start..tag]) else { continue };
        // The host's name, and with busybox the priority; more words are those of some program that speaks of a kernel.
        if rest.split_ascii_whitespace().count() > 2 || rest.contains(':') {
            continue;
        }
        let said = text[tag + TAG.len()..].lines().next().unwrap_or("");
        let (seconds, said) = since_boot(said);
        let at = about.at(u32::try_from(number).unwrap_or(u32::MAX));
        found.push((
            stamp,
            Line { level: None, seconds, time: None, dated: Dated::Exactly, text: said.to_owned(), at },
        ));
    }
    let newest = text.trim_end().lines().next_back().and_then(stamp).map(|(stamp, _)| stamp);
    dated(found, newest, about)
}

/// Gives each line its year, from the last to the first: a line is not later than the one that follows it.
fn dated(found: Vec<(Stamp, Line)>, newest: Option<Stamp>, about: &About<'_>) -> Parsed {
    // Clocks differ, and lines of different processes are not quite in order.
    const SLACK: i64 = 86_400;
    let mut limit = about.limit;
    let yearless = about.yearless || limit.is_none();
    let mut time = |stamp: Stamp| match stamp {
        Stamp::Time(time) => Some(time),
        Stamp::Yearless { month, day, hour, minute, second } => {
            // Without any limit a leap year will do: every date exists in it.
            let last = limit.and_then(|l| jiff::Timestamp::from_second(l.saturating_add(SLACK)).ok());
            let year = last.map_or(2000, |l| l.to_zoned(about.zone.zone.clone()).year());
            let of_year = |year: i16| {
                local(DateTime::new(year, month, day, hour, minute, second, 0).ok()?, &about.zone.zone)
            };
            let time = match limit {
                None => of_year(year),
                Some(limit) => (0..5)
                    .filter_map(|n| of_year(year.saturating_sub(n)))
                    .find(|t| *t <= limit.saturating_add(SLACK)),
            }?;
            limit = Some(limit.map_or(time, |l| l.min(time)));
            Some(time)
        }
    };
    let newest = newest.and_then(&mut time);
    let mut lines: Vec<Line> = Vec::with_capacity(found.len());
    for (stamp, line) in found.into_iter().rev() {
        let dated = match stamp {
            Stamp::Time(_) => Dated::Exactly,
            Stamp::Yearless { .. } if yearless => Dated::Yearless,
            Stamp::Yearless { .. } => about.zone.dated(),
        };
        lines.push(Line { time: time(stamp), dated, ..line });
    }
    lines.reverse();
    Parsed { newest: newest.or(lines.last().and_then(|l| l.time)), lines }
}

/// What dmesg(1) prints, or the kernel itself; every line is the kernel's:
///
/// ```text
/// [ 7205.000123] text
/// [ 7205.000123][    T1] text
/// [Wed Jan 31 06:00:00 2024] text
/// kern  :warn  : [ 7205.000123] text
/// <4>[ 7205.000123] text
/// ```
pub(super) fn dmesg(text: &str, about: &About<'_>, clock: Clock) -> Parsed {
    let mut lines = Vec::new();
    for (number, whole) in (1..).zip(text.lines()) {
        if (number == 1 && about.cut) || whole.trim().is_empty() {
            continue;
        }
        let (level, rest) = level(whole);
        let (time, rest) = match ctime(rest, &about.zone.zone) {
            Some((time, rest)) => (Some(time), rest),
            None => (None, rest),
        };
        let dated = if time.is_some() { about.zone.dated() } else { Dated::Exactly };
        let (seconds, said) = since_boot(rest);
        // Of a boot before this one, if it is later than now.
        let of_this_boot = seconds.filter(|s| clock.uptime.is_some_and(|uptime| *s <= uptime + 1.0));
        let time = time.or_else(|| clock.time(of_this_boot?));
        lines.push(Line { level, seconds, time, dated, text: said.to_owned(), at: about.at(number) });
    }
    Parsed { newest: lines.iter().rev().find_map(|l| l.time), lines }
}

/// The time at the start of a line, and what follows it.
fn stamp(line: &str) -> Option<(Stamp, &str)> {
    if line.as_bytes().first().is_some_and(u8::is_ascii_digit) {
        let (word, rest) = line.split_once(' ')?;
        return Some((Stamp::Time(with_offset(word)?), rest));
    }
    let month = month(line.get(..3)?)?;
    let mut words = line.get(3..)?.split_ascii_whitespace();
    let (day, clock) = (words.next()?, words.next()?);
    let (hour, minute, second) = hms(clock)?;
    let rest = line.get(line.find(clock)? + clock.len()..)?;
    Some((Stamp::Yearless { month, day: day.parse().ok()?, hour, minute, second }, rest))
}

/// `06:00:00`, with a fraction or without.
fn hms(word: &str) -> Option<(i8, i8, i8)> {
    let mut parts = word.split(['.', ',']).next()?.split(':').map(|n| n.parse().ok());
    let hms = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(hms)
}

fn month(name: &str) -> Option<i8> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    MONTHS.iter().position(|m| *m == name).and_then(|m| i8::try_from(m + 1).ok())
}

/// `[Wed Jan 31 06:00:00 2024] text`, the local time of dmesg -T.
fn ctime<'a>(line: &'a str, zone: &TimeZone) -> Option<(i64, &'a str)> {
    let (inside, rest) = line.strip_prefix('[')?.split_once(']')?;
    let mut words = inside.split_ascii_whitespace().skip(1);
    let (month, day, clock, year) = (month(words.next()?)?, words.next()?, words.next()?, words.next()?);
    let (hour, minute, second) = hms(clock)?;
    let date = DateTime::new(year.parse().ok()?, month, day.parse().ok()?, hour, minute, second, 0).ok()?;
    Some((local(date, zone)?, rest.strip_prefix(' ').unwrap_or(rest)))
}

/// The level in front of a line: `<4>`, or `kern  :warn  : `.
fn level(line: &str) -> (Option<u8>, &str) {
    const LEVELS: [&str; 8] = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"];
    if let Some((number, rest)) = line.strip_prefix('<').and_then(|l| l.split_once('>')) {
        return match number.parse::<u8>() {
            Ok(number) => (Some(number & 7), rest),
            Err(_) => (None, line),
        };
    }
    if let Some((name, rest)) = line.strip_prefix("kern  :").and_then(|l| l.split_once(':')) {
        let level = LEVELS.iter().position(|l| *l == name.trim()).and_then(|l| u8::try_from(l).ok());
        return (level, rest.trim_start());
    }
    (None, line)
}

/// `[ 7205.000123] text`, with `[    T1]` for who said it since CONFIG_PRINTK_CALLER.
fn since_boot(line: &str) -> (Option<f64>, &str) {
    let stamp = line.strip_prefix('[').and_then(|l| l.split_once(']'));
    // A point: lists of processes have numbers in brackets too.
    let Some((inside, rest)) = stamp.filter(|(inside, _)| inside.contains('.')) else { return (None, line) };
    let Some(seconds) = inside.trim().parse::<f64>().ok().filter(|s| s.is_finite() && *s >= 0.0) else {
        return (None, line);
    };
    let rest = match rest.trim_start_matches(' ').strip_prefix('[').and_then(|r| r.split_once(']')) {
        Some((caller, rest))
            if caller
                .trim()
                .strip_prefix(['T', 'C'])
                .is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit())) =>
        {
            rest
        }
        _ => rest,
    };
    (Some(seconds), rest.strip_prefix(' ').unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(limit: Option<i64>) -> About<'static> {
        About {
            path: "/var/log/messages",
            cut: false,
            limit,
            yearless: false,
            zone: const { &Zone { zone: TimeZone::UTC, known: true } },
        }
    }

    // 2024-01-31 06:00:00 UTC
    const THEN: i64 = 1_706_680_800;

    #[test]
    fn only_the_kernels_lines_are_taken() {
        let text = "\
Jan 31 05:59:00 web1 sshd[12]: said: kernel: no
Jan 31 06:00:00 web1 kernel: [ 7205.000123] one
2024-01-31T06:00:01.123456+00:00 web1 kernel: two: kernel: too
2024-01-31T07:00:02+0100 web1 kernel: [  9.5][    T1] three
Jan 31 06:00:03 box kern.warn kernel: four
nonsense kernel: five
 kernel: six
Jan 31 06:00:04.500 web1 app: end
";
        let found = syslog(text, &about(Some(THEN + 60)));
        let lines: Vec<_> =
            found.lines.iter().map(|l| (l.text.as_str(), l.time.map(|t| t - THEN), l.at.line)).collect();
        assert_eq!(
            lines,
            [
                ("one", Some(0), Some(2)),
                ("two: kernel: too", Some(1), Some(3)),
                ("three", Some(2), Some(4)),
                ("four", Some(3), Some(5))
            ]
        );
        assert_eq!((found.lines[0].seconds, found.lines[2].seconds), (Some(7205.000123), Some(9.5)));
        assert_eq!(found.newest, Some(THEN + 4));
    }

    #[test]
    fn years_are_those_before_the_limit() {
        let text = "Feb 29 00:00:00 h kernel: a\nDec 31 23:59:59 h kernel: b\nJan  1 00:00:00 h kernel: c\n";
        let found = syslog(text, &about(Some(THEN)));
        let dates: Vec<_> = found.lines.iter().map(|l| l.date().unwrap()).collect();
        // 2023 had no 29th of February: the year before the next line's that has one.
        assert_eq!(dates, ["2020-02-29 00:00:00 UTC", "2023-12-31 23:59:59 UTC", "2024-01-01 00:00:00 UTC"]);
        let found = syslog(text, &about(None));
        assert!(found.lines.iter().all(|l| l.dated == Dated::Yearless && l.known_time().is_none()));
        assert_eq!(found.lines[2].date().unwrap(), "Jan  1 00:00:00");
        assert!(found.lines.is_sorted_by(|a, b| a.time < b.time), "{found:?}");
    }

    #[test]
    fn local_time_is_that_of_the_host() {
        // Without a transition; a footer alone: five hours and a half ahead.
        let zone = Zone { zone: TimeZone::fixed(jiff::tz::offset(5)), known: true };
        let found = syslog("Jan 31 11:00:00 h kernel: a\n", &About { zone: &zone, ..about(Some(THEN)) });
        assert_eq!(found.lines[0].time, Some(THEN));
    }

    #[test]
    fn dmesg_is_read_as_it_may_be_printed() {
        let text = "\
[    0.000000] Linux version
[ 7205.000123][  T123] thread
[Wed Jan 31 06:00:00 2024] dated
kern  :warn  : [   12.500000] levelled
<3>[   13.000000] numbered
[ 355]     0   355     4868       66      13        0             0 upstart-udev-br
no time at all

";
        let found = dmesg(
            text,
            &About { path: "/var/log/dmesg", ..about(None) },
            Clock { boot: Some(100), uptime: Some(13.0) },
        );
        let lines: Vec<_> =
            found.lines.iter().map(|l| (l.text.as_str(), l.seconds, l.time, l.level)).collect();
        assert_eq!(lines[0], ("Linux version", Some(0.0), Some(100), None));
        assert_eq!(lines[1], ("thread", Some(7205.000123), None, None));
        assert_eq!(lines[2], ("dated", None, Some(THEN), None));
        assert_eq!(lines[3], ("levelled", Some(12.5), Some(112), Some(4)));
        assert_eq!(lines[4], ("numbered", Some(13.0), Some(113), Some(3)));
        assert!(lines[5].0.starts_with("[ 355]") && lines[5].1.is_none());
        assert_eq!(lines[6], ("no time at all", None, None, None));
        assert_eq!(lines.len(), 7);
    }

    #[test]
    fn garbage_gives_nothing() {
        for garbage in [
            "",
            "\n\n",
            "\0 kernel: x",
            "é kernel: x",
            "Jan kernel: x",
            "Jan 99 06:00:00 h kernel: x",
            "99999-01-31T06:00:00Z h kernel: x",
        ] {
            let lines = syslog(garbage, &about(Some(THEN))).lines;
            assert!(lines.iter().all(|l| l.time.is_none()), "{garbage:?}: {lines:?}");
            dmesg(garbage, &about(None), Clock::default());
        }
        for garbage in
            ["[é.", "[.]", "[1.5][T", "[1.5][é]", "[1.5][Té] x", "<", "<x>", "kern  :", "[a b c d e]"]
        {
            dmesg(garbage, &about(None), Clock::default());
        }
    }
}

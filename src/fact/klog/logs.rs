//! Which files hold the kernel's messages, and how much of each counts.

use super::clock::{Clock, Now, Zone, lossy};
use super::events::WEEK;
use super::line::{Dated, Line};
use super::syslog::{About, Parsed, dmesg, syslog};
use super::{KlogSource, MOST_LINES, journal, kmsg};
use crate::source::{At, FileKind, Host, Missing, Optional, Reading, Reason, Tail, TargetKind, Unreadable};
use std::cmp::Reverse;
use std::path::Path;

const KMSG: &str = "/dev/kmsg";
/// The kernel's largest default ring is 2 MiB for the CPUs and 1 MiB besides; `log_buf_len=` may ask for more.
const KMSG_CAP: u64 = 8 << 20;
/// Of each file, the newest.
const FILE_CAP: u64 = 8 << 20;
/// Of all files.
const ALL_CAP: u64 = 16 << 20;
/// Of a journal: journald makes none larger.
const JOURNAL_CAP: u64 = 128 << 20;
/// Of one machine.
const MOST_JOURNALS: usize = 3;
/// Of one command's, in a sosreport.
const MOST_OUTPUTS: usize = 16;
/// What the ring's clock, which nobody corrects, may be wrong by after days, in seconds.
const SLACK: i64 = 60;

/// A file whose last line is older than that, in seconds, when it was last written has been copied.
const COPIED: i64 = 2 * 86_400;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// The lines, oldest first.
    pub(super) lines: Vec<Line>,
    /// The files with lines of a kernel, and the ring even if it is empty.
    pub(super) sources: Vec<KlogSource>,
    pub(super) unread: Vec<Unreadable>,
    pub(super) now: Now,
    /// The times that the lines reach from and to; none if they have no times.
    reach: Option<(i64, i64)>,
    newest: Option<i64>,
}

pub(super) fn read(host: &Host) -> Log {
    let clock = Clock::of(host);
    let mut log = Log::default();
    let live = host.target.kind == TargetKind::Live;
    match host.source.read_tail(Path::new(KMSG), KMSG_CAP) {
        Ok(tail) => log.add_ring(tail, clock),
        // A tree may have the device's node: the kernel behind it is that of whoever looks.
        Err(Missing::Unreadable(Unreadable { reason: Reason::WrongKind(_), .. })) if !live => {}
        // A report has what was printed of it, or the logs that are read next.
        Err(missing) if missing.is_elsewhere() => {}
        Err(Missing::Unreadable(why)) => log.unread.push(why),
        Err(Missing::Absent) => {}
    }
    // What is older than a week is not worth the reading of files on a running host.
    let ring_reaches =
        log.lines.first().and_then(|first| first.age(clock.now())).is_some_and(|age| age >= WEEK);
    let ring = !log.sources.is_empty();
    if !ring || !ring_reaches {
        let denied = log.unread.len();
        log.add_files(host, clock);
        // The ring is what rules must have; files only go further back.
        if ring {
            log.unread.truncate(denied);
        }
    }
    if log.sources.is_empty() {
        log.add_journals(host);
    }
    let newest_seconds = log
        .lines
        .iter()
        .filter_map(|l| l.seconds)
        .fold(None, |m: Option<f64>, s| Some(m.map_or(s, |m| m.max(s))));
    let now = clock.now();
    // What is in an unknown zone can be compared with its like only.
    let comparable = log.lines.iter().all(|line| line.dated == Dated::Exactly);
    let time = now.time.filter(|_| comparable || log.newest.is_none());
    log.now = Now { time: time.or(log.newest), seconds: now.seconds.or(newest_seconds) };
    if log.lines.iter().all(|line| line.time.is_some()) {
        log.lines.sort_by_key(|line| line.time);
    }
    let excess = log.lines.len().saturating_sub(MOST_LINES);
    log.lines.drain(..excess);
    log
}

impl Log {
    fn add_ring(&mut self, tail: Tail, clock: Clock) {
        let lines = kmsg::parse(&lossy(tail.bytes), &At::file(KMSG), clock);
        // Nothing is newer than the ring.
        self.reach = lines.first().and_then(|l| l.time).map(|first| (first.saturating_sub(SLACK), i64::MAX));
        self.newest = lines.last().and_then(|l| l.time);
        self.sources.push(KlogSource {
            path: KMSG.into(),
            lines: lines.len(),
            skipped_bytes: tail.skipped,
            first: lines.first().and_then(Line::date),
        });
        self.lines = lines;
    }

    fn add_files(&mut self, host: &Host, clock: Clock) {
        let zone = Zone::of(host);
        let mut budget = ALL_CAP;
        let names = |folder: &str, prefix: &str| {
            let names = host.names(folder).unwrap_or_default();
            let named = names.into_iter().filter(move |name| name.starts_with(prefix));
            named.map(|name| format!("{folder}/{name}")).collect::<Vec<_>>()
        };
        for path in names("/sos_commands/logs", "journalctl").iter().take(MOST_OUTPUTS) {
            self.add_file(host, path, clock, &zone, &mut budget);
        }
        let mut rotated =
            ["kern.log", "messages", "syslog"].map(|name| names("/var/log", &format!("{name}-")));
        for name in ["kern.log", "messages", "syslog"] {
            self.add_file(host, &format!("/var/log/{name}"), clock, &zone, &mut budget);
        }
        for (name, rotated) in ["kern.log", "messages", "syslog"].iter().zip(&mut rotated) {
            self.add_file(host, &format!("/var/log/{name}.1"), clock, &zone, &mut budget);
            // Named by date; those that are compressed end with what compressed them.
            let last =
                rotated.iter().rev().find(|path| path.bytes().last().is_some_and(|b| b.is_ascii_digit()));
            if let Some(path) = last {
                self.add_file(host, path, clock, &zone, &mut budget);
            }
        }
        for path in names("/sos_commands/kernel", "dmesg").iter().take(MOST_OUTPUTS) {
            self.add_file(host, path, clock, &zone, &mut budget);
        }
        self.add_file(host, "/var/log/dmesg", clock, &zone, &mut budget);
    }

    /// Adds the lines of a text file.
    fn add_file(&mut self, host: &Host, path: &str, clock: Clock, zone: &Zone, budget: &mut u64) {
        // Lines that cannot be compared with those of another file may be the same.
        if *budget == 0 || (!self.lines.is_empty() && self.reach.is_none()) {
            return;
        }
        let tail = match host.source.read_tail(Path::new(path), FILE_CAP.min(*budget)) {
            Ok(tail) => tail,
            // Of older ones a report has what its size allows. How far back the lines go is told.
            Err(Missing::Unreadable(why)) if why.reason == Reason::NotCollected && path.ends_with(".1") => {
                return;
            }
            Err(Missing::Unreadable(why)) => return self.unread.push(why),
            Err(Missing::Absent) => return,
        };
        *budget = budget.saturating_sub(tail.bytes.len() as u64);
        let text = lossy(tail.bytes);
        let is_dmesg = path.rsplit('/').next().is_some_and(|name| name.starts_with("dmesg"));
        let parse = |limit, yearless| {
            let about = About { path, cut: tail.skipped > 0, limit, yearless, zone };
            if is_dmesg { dmesg(&text, &about, clock) } else { syslog(&text, &about) }
        };
        // A log was last written when its last line was, or has been copied since: then nothing tells the year.
        let dated = clock.now().time.map(|now| parse(Some(now), false)).or_else(|| {
            let written =
                host.source.stat(Path::new(path)).ok().map(|stat| stat.mtime).filter(|time| *time > 0)?;
            let parsed = parse(Some(written), false);
            let fresh = parsed.newest.is_some_and(|newest| (newest - written).abs() < COPIED);
            fresh.then_some(parsed)
        });
        let yearless = self.newest.is_none() || self.lines.iter().any(|line| line.dated == Dated::Yearless);
        let Parsed { lines, newest } = dated.unwrap_or_else(|| parse(self.newest, yearless));
        self.add(path, lines, newest, tail.skipped);
    }

    /// Adds the lines that are older or newer than those that are there.
    fn add(&mut self, path: &str, mut lines: Vec<Line>, newest: Option<i64>, skipped_bytes: u64) {
        // Times of an unknown zone and true ones cannot be compared: the lines may be the same.
        if let (Some(mine), Some(other)) = (self.lines.first(), lines.first())
            && mine.dated != other.dated
        {
            return;
        }
        self.newest = self.newest.max(newest);
        let times = || lines.iter().filter_map(|line| line.time);
        let reach = times().min().zip(times().max());
        if let Some((from, to)) = self.reach {
            lines.retain(|line| line.time.is_some_and(|time| time < from || time > to));
        }
        let Some(first) = lines.first() else { return };
        let first = first.date();
        self.sources.push(KlogSource { path: path.into(), lines: lines.len(), skipped_bytes, first });
        self.reach = match (self.reach, reach) {
            (Some((from, to)), Some((first, last))) => Some((from.min(first), to.max(last))),
            (None, reach) if lines.iter().all(|line| line.time.is_some()) => reach,
            (known, _) => known,
        };
        self.lines.append(&mut lines);
    }

    /// Adds the journals.
    fn add_journals(&mut self, host: &Host) {
        for folder in ["/var/log/journal", "/run/log/journal"] {
            let paths = journals(host, folder).unwrap_or_else(|missing| {
                if let Missing::Unreadable(why) = missing {
                    self.unread.push(why);
                }
                Vec::new()
            });
            for path in paths {
                let read = host.source.read(Path::new(&path), JOURNAL_CAP);
                let lines = read.and_then(|bytes| {
                    journal::parse(&bytes, &At::file(path.as_str()))
                        .ok_or_else(|| Missing::garbled(&path, "is no journal"))
                });
                if let Some(lines) = lines.noted(&mut self.unread) {
                    self.add(&path, lines, None, 0);
                }
            }
        }
        self.newest = self.newest.or(self.reach.map(|(_, last)| last));
    }
}

/// The journals of the system in each machine's folder, the newest first.
fn journals(host: &Host, folder: &str) -> Reading<Vec<String>> {
    let mut found = Vec::new();
    for machine in
        host.source.list(Path::new(folder))?.into_iter().filter(|e| e.kind == FileKind::Directory).take(4)
    {
        let machine = format!("{folder}/{}", machine.name.to_string_lossy());
        let names = host.names(&machine)?;
        let is = |name: &&String| name.starts_with("system") && name.ends_with(".journal");
        let mut names: Vec<&String> = names.iter().filter(is).collect();
        // `system.journal` is the present one; in `system@ID-NUMBER-TIME.journal` the time is that of its first entry.
        names.sort_by_key(|name| (name.contains('@'), Reverse(name.rsplit('-').next().unwrap_or(""))));
        found.extend(names.into_iter().take(MOST_JOURNALS).map(|name| format!("{machine}/{name}")));
    }
    Ok(found)
}

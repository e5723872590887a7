//! The resource limits that units and system.conf set.

use super::manager::{self, Assignment};
use super::units::{self, Unit};
use crate::format::unit_file;
use crate::format::units::{Units, kind};
use crate::model::{Limit, Partial};
use crate::record;
use crate::source::{At, Host, Optional, Reading, Reason, Unreadable};
use std::collections::HashMap;
use std::sync::Arc;

record! {
    /// The resource limits that units and system.conf set, systemd.exec(5).
    #[bare(list)]
    pub struct UnitLimits {
        /// One for each unit and resource: the last assignment that systemd understands. Units that are masked or but
        /// another name for one are left out.
        pub list: Partial<UnitLimit>,
        /// Assignments that systemd ignores.
        pub malformed: Partial<MalformedLimit>,
    }
}

record! {
    /// A resource limit of a unit.
    #[derive(Clone, PartialEq)]
    pub struct UnitLimit {
        /// The unit: `nginx.service`; `system.conf` for the default of all units.
        pub unit: String,
        /// The setting: `LimitNOFILE`, or `DefaultLimitNOFILE` in system.conf.
        pub setting: String,
        /// The resource as limits.conf(5) names it: `nofile`.
        pub resource: String,
        /// The soft limit in the unit of setrlimit(2): bytes or a number. Absent for cpu, rttime and nice, which are not
        /// computed.
        pub soft: Option<Limit>,
        /// The hard limit, like the soft one; the same where only one value is written.
        pub hard: Option<Limit>,
        /// The value as it is written: `1024:524288`, `infinity`.
        pub written: String,
        /// File and line.
        pub at: At,
    }
}

record! {
    /// An assignment of a resource limit that systemd ignores.
    #[derive(Clone, PartialEq)]
    pub struct MalformedLimit {
        /// The unit: `nginx.service`; `system.conf` for the default of all units.
        pub unit: String,
        /// The setting: `LimitNOFILE`.
        pub setting: String,
        /// The value as it is written; may be empty.
        pub written: String,
        /// Why systemd ignores it.
        pub reason: String,
        /// File and line.
        pub at: At,
    }
}

/// How many limits all units may have together; a drop-in counts for each unit that it is one of. Honest hosts have some hundred.
const MAX_ASSIGNMENTS: usize = 100_000;

/// What was read of the drop-ins, by path.
type DropIns = HashMap<Arc<str>, Reading<Vec<Assignment>>>;

/// Reads the units that can have limits, and system.conf.
pub(super) fn gather(host: &Host, units: &Units) -> UnitLimits {
    let mut limits = UnitLimits { list: Partial::default(), malformed: Partial::default() };
    if let Some(settings) = manager::settings(host).noted(&mut limits.list.unread) {
        limits.add("system.conf", &settings);
    }
    let found = units::of(units);
    limits.list.unread.extend(found.unread);
    let mut drop_ins = HashMap::new();
    let mut count = 0;
    for unit in found.items.iter().filter(|u| !u.masked && u.alias_of.is_none()) {
        if count > MAX_ASSIGNMENTS {
            let what = format!("not read: the units before it have more than {MAX_ASSIGNMENTS} limits");
            limits.list.unread.push(Unreadable { path: unit.at.path.clone(), reason: Reason::NotRead(what) });
            break;
        }
        if let Some(settings) = assignments(units, unit, &mut drop_ins).noted(&mut limits.list.unread) {
            count += settings.iter().map(|(setting, _)| 1 + setting.value.len() / 100).sum::<usize>();
            limits.add(&unit.name, &settings);
        }
    }
    limits.malformed.unread.clone_from(&limits.list.unread);
    limits
}

/// The assignments of limits to a unit, its own first and then those of its drop-ins.
///
/// A drop-in may be one of very many units, so what is in it is remembered.
fn assignments(units: &Units, unit: &Unit, drop_ins: &mut DropIns) -> Reading<Vec<Assignment>> {
    let section = match kind(&unit.name) {
        "service" => "Service",
        "socket" => "Socket",
        "mount" => "Mount",
        "swap" => "Swap",
        _ => return Ok(Vec::new()),
    };
    let mut found = read(units, &unit.at.path)?;
    for file in &unit.drop_ins {
        let known = drop_ins.entry(file.path.clone()).or_insert_with(|| read(units, &file.path));
        found.extend(known.as_ref().map_err(Clone::clone)?.iter().cloned());
    }
    found.retain(|(setting, _)| setting.section == section);
    Ok(found)
}

/// The assignments of limits in a file.
fn read(units: &Units, path: &Arc<str>) -> Reading<Vec<Assignment>> {
    // Absent: a link that leads nowhere. The unit cannot be started, or the drop-in has gone.
    let Some(text) = units.text(path).optional()? else { return Ok(Vec::new()) };
    // Few of some hundred units set a limit; the others need not be parsed.
    if !text.contains("Limit") {
        return Ok(Vec::new());
    }
    let settings = unit_file::parse(&text).settings.into_iter().filter(|s| s.key.starts_with("Limit"));
    let assignment = |setting: unit_file::Setting| {
        let at = At::line(path.clone(), setting.line);
        (setting, at)
    };
    Ok(settings.map(assignment).collect())
}

impl UnitLimits {
    fn add(&mut self, unit: &str, settings: &[Assignment]) {
        let first = self.list.items.len();
        for (setting, at) in settings {
            let Some((resource, read)) = resource(&setting.key) else { continue };
            match read(&setting.value) {
                Ok((soft, hard)) => {
                    let limit = UnitLimit {
                        unit: unit.to_owned(),
                        setting: setting.key.clone(),
                        resource: resource.to_owned(),
                        soft,
                        hard,
                        written: setting.value.clone(),
                        at: at.clone(),
                    };
                    let of_unit = self.list.items.iter_mut().skip(first);
                    match of_unit.into_iter().find(|l| l.resource == limit.resource) {
                        Some(earlier) => *earlier = limit,
                        None => self.list.items.push(limit),
                    }
                }
                Err(reason) => self.malformed.items.push(MalformedLimit {
                    unit: unit.to_owned(),
                    setting: setting.key.clone(),
                    written: setting.value.clone(),
                    reason: reason.to_owned(),
                    at: at.clone(),
                }),
            }
        }
    }
}

type Pair = (Option<Limit>, Option<Limit>);
type Read = fn(&str) -> Result<Pair, &'static str>;

/// The resource of a setting, and how its values are written.
pub(super) fn resource(key: &str) -> Option<(&'static str, Read)> {
    let name = key.strip_prefix("Default").unwrap_or(key).strip_prefix("Limit")?;
    Some(match name {
        "NOFILE" => ("nofile", |v| pair(v, number)),
        "NPROC" => ("nproc", |v| pair(v, number)),
        "LOCKS" => ("locks", |v| pair(v, number)),
        "SIGPENDING" => ("sigpending", |v| pair(v, number)),
        "RTPRIO" => ("rtprio", |v| pair(v, number)),
        "FSIZE" => ("fsize", |v| pair(v, size)),
        "DATA" => ("data", |v| pair(v, size)),
        "STACK" => ("stack", |v| pair(v, size)),
        "CORE" => ("core", |v| pair(v, size)),
        "RSS" => ("rss", |v| pair(v, size)),
        "AS" => ("as", |v| pair(v, size)),
        "MEMLOCK" => ("memlock", |v| pair(v, size)),
        "MSGQUEUE" => ("msgqueue", |v| pair(v, size)),
        "CPU" => ("cpu", |_| Ok((None, None))),
        "RTTIME" => ("rttime", |_| Ok((None, None))),
        "NICE" => ("nice", |_| Ok((None, None))),
        _ => return None,
    })
}

/// `both` or `soft:hard`. Unlike for most settings an empty value does not reset anything, it is an error like others
/// (rlimit_parse of systemd's src/basic/rlimit-util.c).
fn pair(value: &str, one: fn(&str) -> Option<u64>) -> Result<Pair, &'static str> {
    let read = |value: &str| match value {
        "infinity" => Some(Limit::Unlimited),
        // The largest number means unlimited to the kernel, which is to be written in words.
        value => one(value).filter(|n| *n < u64::MAX).map(Limit::Number),
    };
    let (soft, hard) = value.split_once(':').unwrap_or((value, value));
    match (read(soft), read(hard)) {
        (Some(soft), Some(hard)) if soft > hard => Err("the soft limit is above the hard one"),
        (Some(soft), Some(hard)) => Ok((Some(soft), Some(hard))),
        _ => Err("the value is not understood"),
    }
}

/// A number without any suffix: `LimitNOFILE=64K` is ignored.
fn number(value: &str) -> Option<u64> {
    match value.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => value.parse().ok(),
    }
}

/// A size with an optional suffix, powers of 1024: `512M`, `1.5G`.
fn size(value: &str) -> Option<u64> {
    let digits = value.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
    let (amount, suffix) = value.split_at(digits);
    let shift = match suffix.trim() {
        "" | "B" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        "P" => 50,
        "E" => 60,
        _ => return None,
    };
    match amount.contains('.') {
        false => amount.parse::<u64>().ok()?.checked_mul(1 << shift),
        // A fraction of a suffix is far below the 2^53 that a double holds exactly, or absurd.
        true => Some(amount.parse::<f64>().ok()? * 2f64.powi(shift))
            .filter(|bytes| *bytes < u64::MAX as f64)
            .map(|bytes| bytes as u64),
    }
}

//! Whether conditions keep a unit from being started, as far as that can be told beforehand.

use crate::format::units::Loaded;
use crate::source::{FileKind, Host, Missing, Reading, TargetKind};
use crate::word;
use std::path::Path;

word! {
    /// Whether a `Condition…=` or `Assert…=` keeps a unit from being started.
    pub enum UnitSkipped {
        /// It has none, or all hold.
        No = "no",
        /// One does not hold.
        Yes = "yes",
        /// That cannot be told from files, or not from these.
        Unknown = "unknown",
    }
}

pub(super) struct Conditions<'a> {
    host: &'a Host,
}

impl<'a> Conditions<'a> {
    pub(super) fn of(host: &'a Host) -> Self {
        Self { host }
    }

    /// All must hold; of those that begin with `|`, if there are any, one.
    pub(super) fn skipped(&self, loaded: &Loaded) -> UnitSkipped {
        let mut unknown = false;
        for family in ["Condition", "Assert"] {
            let mut triggers: Vec<Option<bool>> = Vec::new();
            for (key, value) in in_force(loaded, family) {
                let trigger = value.strip_prefix('|');
                let value = trigger.unwrap_or(value).trim_start();
                let wanted = !value.starts_with('!');
                let holds =
                    self.holds(key, value.trim_start_matches('!').trim_start()).map(|holds| holds == wanted);
                match (trigger.is_some(), holds) {
                    (true, holds) => triggers.push(holds),
                    (false, Some(false)) => return UnitSkipped::Yes,
                    (false, None) => unknown = true,
                    (false, Some(true)) => {}
                }
            }
            if !triggers.is_empty() && !triggers.contains(&Some(true)) {
                if !triggers.contains(&None) {
                    return UnitSkipped::Yes;
                }
                unknown = true;
            }
        }
        if unknown { UnitSkipped::Unknown } else { UnitSkipped::No }
    }

    /// Whether one holds at a boot of a machine (of a container nobody asks); none: that is not known.
    fn holds(&self, kind: &str, value: &str) -> Option<bool> {
        match kind {
            "Capability" => return Some(true),
            "Virtualization" if matches!(value, "container") => return Some(false),
            _ => {}
        }
        if !value.starts_with('/') || value.contains('%') {
            return None;
        }
        // What is there now need not be there at the next boot, nor the other way round.
        let passing = ["/run/", "/proc/", "/sys/", "/dev/", "/tmp/"].iter().any(|dir| value.starts_with(dir));
        if passing && self.host.target.kind != TargetKind::Live {
            return None;
        }
        let path = Path::new(value);
        let source = &self.host.source;
        let told = |found: Reading<bool>| match found {
            Ok(holds) => Some(holds),
            Err(Missing::Absent) => Some(false),
            Err(Missing::Unreadable(_)) => None,
        };
        match kind {
            "PathExists" => told(source.stat(path).map(|_| true)),
            "PathIsDirectory" => told(source.stat(path).map(|stat| stat.kind == FileKind::Directory)),
            "PathIsSymbolicLink" => told(source.lstat(path).map(|stat| stat.kind == FileKind::Link)),
            "FileIsExecutable" => {
                told(source.stat(path).map(|stat| stat.kind == FileKind::File && stat.mode & 0o111 != 0))
            }
            "FileNotEmpty" => {
                told(source.stat(path).map(|stat| stat.kind == FileKind::File && stat.size > 0))
            }
            "DirectoryNotEmpty" => told(source.list(path).map(|entries| !entries.is_empty())),
            _ => None,
        }
    }
}

/// The conditions of a family; an empty assignment takes back all before it.
fn in_force<'a>(loaded: &'a Loaded, family: &str) -> Vec<(&'a str, &'a str)> {
    let mut found = Vec::new();
    for (setting, _) in loaded.settings.iter().filter(|(s, _)| s.section == "Unit") {
        let Some(kind) = setting.key.strip_prefix(family) else { continue };
        if setting.value.is_empty() {
            found.clear();
        } else {
            found.push((kind, setting.value.as_str()));
        }
    }
    found
}

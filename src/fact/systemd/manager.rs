//! system.conf and its drop-ins: what holds for all units that do not say otherwise.

use crate::format::unit_file;
use crate::record;
use crate::source::{At, Host, Missing, Optional, Reading, Reason, TEXT_CAP};
use std::collections::BTreeMap;
use std::sync::Arc;

record! {
    /// A setting of system.conf.
    #[derive(Clone, PartialEq)]
    #[bare(value)]
    pub struct DefaultSetting {
        /// The value as it is written; empty where nothing follows the `=`.
        pub value: String,
        /// File and line.
        pub at: At,
    }
}

/// In order of precedence: of files of the same name the first one counts.
const DIRS: [&str; 4] = ["/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"];

/// An assignment and where it stands.
pub(super) type Assignment = (unit_file::Setting, At);

/// The assignments of the `[Manager]` section, in the order in which systemd reads them.
pub(super) fn settings(host: &Host) -> Reading<Vec<Assignment>> {
    let mut paths = Vec::new();
    for dir in DIRS {
        let path = format!("{dir}/system.conf");
        if host.exists(&path)? {
            paths.push(path);
            break;
        }
    }
    let mut drop_ins = BTreeMap::new();
    for dir in DIRS {
        let dir = format!("{dir}/system.conf.d");
        let names = host.names(&dir).optional()?.unwrap_or_default();
        for name in names.into_iter().filter(|n| n.ends_with(".conf")) {
            let path = format!("{dir}/{name}");
            drop_ins.entry(name).or_insert(path);
        }
    }
    paths.extend(drop_ins.into_values());
    let mut found = Vec::new();
    let mut size = 0;
    for path in paths {
        let Some(text) = host.read_text(&path).optional()? else {
            continue;
        };
        size += text.len() as u64;
        if size > TEXT_CAP {
            return Err(Missing::unreadable(path, Reason::TooLarge(TEXT_CAP)));
        }
        let path: Arc<str> = path.into();
        let settings = unit_file::parse(&text).settings.into_iter().filter(|s| s.section == "Manager");
        found.extend(settings.map(|s| {
            let at = At::line(path.clone(), s.line);
            (s, at)
        }));
    }
    Ok(found)
}

/// The last assignment of each key.
pub(super) fn defaults(settings: Vec<Assignment>) -> BTreeMap<String, DefaultSetting> {
    settings.into_iter().map(|(s, at)| (s.key, DefaultSetting { value: s.value, at })).collect()
}

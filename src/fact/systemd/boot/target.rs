//! Which init there is, and which target it boots into.

use crate::format::printed_processes;
use crate::format::units::Units;
use crate::record;
use crate::source::{At, FileKind, Host, Missing, Reading, TargetKind, normalise};
use std::path::Path;

record! {
    /// What default.target is. The kernel's command line may name another one with `systemd.unit=`, which is not looked at.
    #[derive(Clone, PartialEq)]
    #[bare(unit)]
    pub struct DefaultTarget {
        /// The unit that it stands for: `multi-user.target`.
        pub unit: String,
        /// Whether it can be started: its file is there, and not masked.
        pub leads: bool,
        /// Whether it is masked: a link to /dev/null, or an empty file.
        pub masked: bool,
        /// Where the link leads that is its file, as it is written. Absent where it is no link.
        pub link: Option<String>,
        /// Its file.
        pub at: At,
    }
}

/// default.target. Absent where there is no unit of that name.
pub(in crate::fact::systemd) fn of(host: &Host, units: &Units) -> Reading<DefaultTarget> {
    let Some(file) = units.files.get("default.target") else {
        return Err(units.unread.first().map_or(Missing::Absent, |why| Missing::Unreadable(why.clone())));
    };
    let unit = units.canonical("default.target");
    // The link's name counts, not where it leads: the unit of that name may be in another directory.
    let there = |name: &str| match units.files.get(name) {
        Some(found) if found.masked => Ok(false),
        Some(found) => host.exists(&found.path).map_err(Missing::Unreadable),
        None => Ok(false),
    };
    let leads = !file.masked && (there("default.target")? || (unit != "default.target" && there(&unit)?));
    let masked = file.masked || units.masked(&unit);
    Ok(DefaultTarget {
        unit,
        leads: leads && !masked,
        masked,
        link: file.link.clone(),
        at: At::file(file.path.as_str()),
    })
}

/// Whether systemd is the init. Absent too where the tree has no program of it, as those have not that are made of chosen files:
/// what is missing there need not be missing on the host.
pub(in crate::fact::systemd) fn is_init(host: &Host) -> Reading<bool> {
    let manager = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"];
    let is_init = init(host)?;
    if is_init
        && host.target.kind != TargetKind::Live
        && manager.iter().all(|path| host.exists(path) == Ok(false))
    {
        return Err(Missing::Absent);
    }
    Ok(is_init)
}

fn init(host: &Host) -> Reading<bool> {
    if host.is_running() {
        match host.read_text("/proc/1/comm") {
            Ok(comm) => return Ok(comm.trim() == "systemd"),
            Err(missing) if missing.is_elsewhere() => {}
            Err(unreadable) => return Err(unreadable),
        }
        if let Ok(printed) = printed_processes::list(host)
            && let Some(first) = printed.iter().find(|process| process.pid == 1)
        {
            return Ok(first.comm == "systemd");
        }
        // sd_booted(3).
        if host.exists("/run/systemd/system")? {
            return Ok(true);
        }
    }
    let mut path = "/sbin/init".to_owned();
    for _ in 0..8 {
        match host.source.lstat(Path::new(&path))?.kind {
            FileKind::Link => {
                let to = host.source.read_link(Path::new(&path))?;
                let to = Path::new(&path).parent().unwrap_or(Path::new("/")).join(to);
                path = normalise(&to).to_string_lossy().into_owned();
                if path.ends_with("/systemd/systemd") {
                    return Ok(true);
                }
            }
            _ => break,
        }
    }
    Ok(path.ends_with("/systemd/systemd"))
}

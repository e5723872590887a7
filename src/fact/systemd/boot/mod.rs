//! What a boot starts: everything that default.target pulls in, and what sockets, timers and paths among it start later.

mod command;
mod condition;
mod target;
#[cfg(test)]
mod tests;

use crate::format::units::{Loaded, Units, kind};
use crate::model::{Lazy, Partial};
use crate::record;
use crate::source::{At, Host, Missing, Optional, Reading, Reason, Unreadable};
pub use command::{CommandState, UnitCommand};
pub use condition::UnitSkipped;
use std::collections::{HashSet, VecDeque};
pub use target::DefaultTarget;
pub(super) use target::{is_init, of as target};

record! {
    /// What systemd does at the next boot, as far as files tell: what generators will make then is not known.
    pub struct SystemdBoot {
        /// Whether systemd is the init: PID 1 where a kernel runs, else where /sbin/init leads. Absent where there is no init.
        pub is_init: Lazy<bool>,
        /// The unit that everything else is started for.
        pub target: Lazy<DefaultTarget>,
        /// The units that it pulls in, itself included, in the order in which they are come by. Those of kinds without a file
        /// of their own as a rule (devices, slices, most mounts) are left out. Empty where default.target leads nowhere.
        pub units: Lazy<Partial<StartedUnit>>,
        /// Links in /etc that ask for a unit there is none of. Those of units that are not started are here too.
        pub dangling: Lazy<Partial<DanglingPull>>,
    }
}

record! {
    /// A unit that a boot starts, or has started when it is needed.
    #[derive(Clone, PartialEq)]
    pub struct StartedUnit {
        /// Its name: `nginx.service`, `getty@tty1.service`.
        pub name: String,
        /// The unit that pulls it in; its own name for the first one.
        pub by: String,
        /// Whether it is started only when a socket, timer or path unit calls for it.
        pub on_demand: bool,
        /// `Type=` of a service as it is written. Absent where nothing is.
        pub service_type: Option<String>,
        /// `User=` as it is written. Absent where nothing is.
        pub user: Option<String>,
        /// `Group=` as it is written. Absent where nothing is.
        pub group: Option<String>,
        /// `DynamicUser=`: systemd makes the user up, if there is none.
        pub dynamic_user: bool,
        /// Whether a `Condition…=` or `Assert…=` keeps it from being started.
        pub skipped: UnitSkipped,
        /// The programs of `ExecStart=` and `ExecStartPre=`. One whose path has a specifier such as `%i`, or that is looked for
        /// in another root directory, is left out.
        pub commands: Vec<UnitCommand>,
        /// Its file.
        pub at: At,
    }
}

record! {
    /// A link that asks for a unit that is not there.
    #[derive(Clone, PartialEq)]
    pub struct DanglingPull {
        /// The unit that is asked for.
        pub unit: String,
        /// The unit that asks.
        pub by: String,
        /// Whether what asks cannot be started without it.
        pub requires: bool,
        /// Where the link leads, as it is written.
        pub target: String,
        /// The link.
        pub at: At,
    }
}

/// More units than any honest host starts.
const MAX_UNITS: usize = 10_000;

/// More text than the units of any honest host have together, in bytes.
const MAX_VALUES: usize = 64 << 20;

/// Walks from default.target to all that it wants or requires.
pub(super) fn units(host: &Host, units: &Units) -> Reading<Partial<StartedUnit>> {
    let mut found = Partial { items: Vec::new(), unread: units.unread.clone() };
    let first = match target(host, units) {
        Ok(target) if target.leads => target.unit,
        Ok(_) | Err(Missing::Absent) => return Ok(found),
        Err(unreadable) => return Err(unreadable),
    };
    let programs = command::Programs::of(host);
    let conditions = condition::Conditions::of(host);
    let mut seen: HashSet<String> = HashSet::from([first.clone()]);
    let mut queue = VecDeque::from([(first.clone(), first, false)]);
    let mut size = 0;
    while let Some((name, by, on_demand)) = queue.pop_front() {
        let Some(loaded) = units.load(&name).noted(&mut found.unread) else {
            continue;
        };
        size += loaded.settings.iter().map(|(s, _)| s.key.len() + s.value.len()).sum::<usize>();
        if found.items.len() >= MAX_UNITS || size > MAX_VALUES {
            let path = loaded.files.first().cloned().unwrap_or_else(|| name.as_str().into());
            let what = "was not looked at: there are too many units before it".to_owned();
            found.unread.push(Unreadable { path, reason: Reason::NotRead(what) });
            break;
        }
        let mut ask = |unit: String, on_demand: bool| {
            let unit = units.canonical(&unit);
            if !unit.contains('%') && seen.insert(unit.clone()) {
                queue.push_back((unit, name.clone(), on_demand));
            }
        };
        for key in ["Requires", "Wants", "BindsTo", "Upholds"] {
            for (setting, _) in loaded.list("Unit", key) {
                setting.value.split_ascii_whitespace().for_each(|unit| ask(unit.to_owned(), on_demand));
            }
        }
        units.asks_for(&name).for_each(|pull| ask(pull.unit.clone(), on_demand));
        if let Some(unit) = calls_for(&name, &loaded) {
            ask(unit, true);
        }
        found.items.push(started(name, by, on_demand, &loaded, &programs, &conditions));
    }
    Ok(found)
}

/// The unit that a socket, timer or path unit has started.
fn calls_for(name: &str, loaded: &Loaded) -> Option<String> {
    let (stem, kind) = name.rsplit_once('.')?;
    let (section, key) = match kind {
        "socket" => ("Socket", "Service"),
        "timer" => ("Timer", "Unit"),
        "path" => ("Path", "Unit"),
        _ => return None,
    };
    if let Some(unit) = loaded.value(section, key) {
        return Some(unit.to_owned());
    }
    // For each connection an instance is started, whose name is not known beforehand.
    let accepts = kind == "socket" && loaded.is_on("Socket", "Accept") == Some(true);
    Some(if accepts { format!("{stem}@0.service") } else { format!("{stem}.service") })
}

fn started(
    name: String,
    by: String,
    on_demand: bool,
    loaded: &Loaded,
    programs: &command::Programs,
    conditions: &condition::Conditions,
) -> StartedUnit {
    let service = kind(&name) == "service";
    let value = |key| loaded.value("Service", key).filter(|_| service).map(str::to_owned);
    let commands = if service { programs.commands(loaded) } else { Vec::new() };
    StartedUnit {
        by,
        on_demand,
        service_type: value("Type"),
        user: value("User"),
        group: value("Group"),
        dynamic_user: service && loaded.is_on("Service", "DynamicUser") == Some(true),
        skipped: conditions.skipped(loaded),
        commands,
        at: At::file(loaded.files.first().cloned().unwrap_or_else(|| name.as_str().into())),
        name,
    }
}

/// The links in /etc to units there are none of.
pub(super) fn dangling(host: &Host, units: &Units) -> Partial<DanglingPull> {
    let mut found = Partial { items: Vec::new(), unread: units.unread.clone() };
    for pull in units.pulls.iter().filter(|pull| pull.path.starts_with("/etc/")) {
        let stem = pull.unit.rsplit_once('.').map_or("", |(stem, _)| stem);
        if units.file(&pull.unit).is_some() || found.items.len() >= MAX_UNITS {
            continue;
        }
        // Scripts of System V become units when the system boots.
        if host.exists(&format!("/etc/init.d/{stem}")) != Ok(false) {
            continue;
        }
        match (host.source.read_link(pull.path.as_ref()), host.exists(&pull.path)) {
            (Ok(target), Ok(false)) => found.items.push(DanglingPull {
                unit: pull.unit.clone(),
                by: pull.by.clone(),
                requires: pull.requires,
                target: target.to_string_lossy().into_owned(),
                at: At::file(pull.path.as_str()),
            }),
            (_, Err(why)) | (Err(Missing::Unreadable(why)), _) => found.unread.push(why),
            _ => {}
        }
    }
    found
}

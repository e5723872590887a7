//! The users that processes run as: their names, and how many threads each has.

use super::limits::{self, ProcessLimits};
use super::place::Place;
use crate::format::account_files;
use crate::model::{Lazy, Partial};
use crate::record;
use crate::source::{Host, Optional, Reading};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// Where sosreport keeps what getent(1) printed of users, those of directory services too.
pub(super) const PRINTED: &str = "/sos_commands/getent/getent_passwd";

record! {
    /// What a user runs.
    pub struct ProcessUser {
        /// The user's number. On a running host, or where ps printed it, the effective one, which differs from the
        /// real one in set-user-ID programs only.
        pub uid: u32,
        /// Processes.
        pub processes: u32,
        /// Threads of them, all counted: what RLIMIT_NPROC limits.
        pub threads: u32,
        /// The process of the user that has the most threads.
        pub pid: u32,
        /// Its name.
        pub comm: String,
        /// Its limits. Other processes of the user may have others.
        pub limits: Lazy<ProcessLimits>,
    }
}

/// Every user that runs something, by number; threads of the kernel are nobody's.
pub(super) fn users(places: &[Arc<Place>]) -> Partial<ProcessUser> {
    let mut users: BTreeMap<u32, (u32, u32, &Arc<Place>)> = BTreeMap::new();
    let mut found = Partial::default();
    for place in places.iter().filter(|place| !place.stat.kernel_thread) {
        let Some(uid) = owner(place).noted(&mut found.unread) else {
            continue;
        };
        let (processes, threads, most) = users.entry(uid).or_insert((0, 0, place));
        *processes += 1;
        *threads += place.stat.threads;
        if place.stat.threads > most.stat.threads {
            *most = place;
        }
    }
    found.items.extend(users.into_iter().map(|(uid, (processes, threads, most))| {
        let place = most.clone();
        let limits = Lazy::new(move || place.parse("limits", limits::parse(&place.text("limits")?)));
        ProcessUser { uid, processes, threads, pid: most.pid, comm: most.stat.comm.clone(), limits }
    }));
    found
}

/// The kernel gives the directory itself to the effective user always, and to look at it costs a fifth of reading `status`.
fn owner(place: &Place) -> Reading<u32> {
    match place.kernel {
        true => Ok(place.source.stat(Path::new(&format!("/proc/{}", place.pid)))?.uid),
        false => {
            let uid = place.status().and_then(|status| status.real_uid.clone());
            place.or_printed(uid, |printed| Ok(printed.uid))
        }
    }
}

/// The names of users, read once for all processes.
#[derive(Debug)]
pub(super) struct Names {
    host: Host,
    names: OnceLock<Reading<HashMap<u32, String>>>,
}

impl Names {
    pub(super) fn new(host: Host) -> Self {
        Self { host, names: OnceLock::new() }
    }

    /// The name of this user, or the number where /etc/passwd has none.
    pub(super) fn of(&self, uid: u32) -> Reading<String> {
        let read = || match account_files::read(&self.host, "passwd") {
            Err(missing) if missing.is_not_collected() => match self.host.read_text(PRINTED) {
                Err(elsewhere) if elsewhere.is_elsewhere() => Err(missing),
                text => Ok(parse(&text?)),
            },
            text => Ok(parse(&text.optional()?.unwrap_or_default())),
        };
        let names = self.names.get_or_init(read).as_ref().map_err(Clone::clone)?;
        Ok(names.get(&uid).cloned().unwrap_or_else(|| uid.to_string()))
    }
}

/// The names by number; of several of one number getpwuid(3) gives the first.
fn parse(passwd: &str) -> HashMap<u32, String> {
    let mut names = HashMap::new();
    for line in passwd.lines() {
        let mut fields = line.split(':');
        let (Some(name), Some(uid)) = (fields.next(), fields.nth(1)) else { continue };
        if let Ok(uid) = uid.parse() {
            names.entry(uid).or_insert_with(|| name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_first_name_of_a_number_counts() {
        let names = parse(
            "root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:\nodd\na:b\nx:x:-1:0\n+::::::\nweb:x:33:33::/:\n",
        );
        assert_eq!((names.len(), names[&0].as_str(), names[&33].as_str()), (2, "root", "web"));
    }
}

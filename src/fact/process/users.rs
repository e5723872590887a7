//! The users that processes run as: how many threads each has.

use super::limits::{self, ProcessLimits};
use super::place::Place;
use crate::model::{Lazy, Partial};
use crate::record;
use crate::source::{Missing, Reading};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

record! {
    /// What a user runs.
    pub struct ProcessUser {
        /// The user's number. On a running host the effective one, which differs from the real one in set-user-ID programs only.
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
        let uid = match owner(place) {
            Ok(uid) => uid,
            Err(Missing::Absent) => continue,
            Err(Missing::Unreadable(why)) => {
                found.unread.push(why);
                continue;
            }
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
        false => place.status()?.real_uid.clone(),
    }
}

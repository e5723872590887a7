//! What watches files: inotify instances, and the watches in them.

use super::place::Place;
use super::summary;
use crate::model::{Lazy, Partial};
use crate::record;
use crate::source::{Missing, Optional, Reading};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

record! {
    /// The inotify instances of a user, which fs.inotify.max_user_instances limits, and their watches (max_user_watches).
    ///
    /// An instance that a process has from its parent counts once.
    pub struct InotifyUser {
        /// The effective user id of the processes; for another name space of users, of the first of them.
        pub uid: u32,
        /// The name space of users that the processes are in, if it is not hostvet's own: what all users of it have counts for the
        /// one who made it, too. `user:[4026532177]`.
        pub user_namespace: Option<String>,
        /// Instances.
        pub instances: u64,
        /// The processes that hold them, by pid.
        pub holders: Vec<InotifyHolder>,
    }
}

record! {
    /// A process that holds inotify instances.
    pub struct InotifyHolder {
        /// Its number.
        pub pid: u32,
        /// Its name.
        pub comm: String,
        /// Instances.
        pub instances: u64,
        /// Watches in them. To count them makes the kernel write a line for each.
        pub watches: Lazy<u64>,
    }
}

/// Half a million watches, a line of some 110 bytes each: the limit is that on many hosts. More is unreadable.
const CAP: u64 = 64 << 20;

/// Every user that has instances; those whose descriptors cannot be seen are unread.
pub(super) fn users(places: &[Arc<Place>]) -> Partial<InotifyUser> {
    Place::look_at_all(places);
    let mut unread = Vec::new();
    let own = places.first().and_then(|p| p.source.read_link(Path::new("/proc/self/ns/user")).ok());
    let mut instances: HashMap<u32, HashSet<&str>> = HashMap::new();
    for place in places {
        match place.look() {
            Ok(look) if look.inotify.is_empty() => {}
            Ok(look) => drop(instances.insert(place.pid, look.inotify.iter().map(String::as_str).collect())),
            Err(Missing::Absent) => {}
            Err(Missing::Unreadable(why)) => unread.push(why),
        }
    }
    // By name space and user; of another name space all users are one.
    let mut users: BTreeMap<(Option<String>, u32), InotifyUser> = BTreeMap::new();
    for place in places {
        let Some(held) = instances.get(&place.pid) else { continue };
        // What is open at the same number in the parent was inherited from it.
        let inherited = instances.get(&place.stat.ppid).filter(|_| place.stat.ppid != place.pid);
        let numbers: Vec<String> = held
            .iter()
            .filter(|n| inherited.is_none_or(|of| !of.contains(*n)))
            .map(|n| (*n).to_owned())
            .collect();
        if numbers.is_empty() {
            continue;
        }
        let Some(uid) = place.status().and_then(|status| status.uid.clone()).noted(&mut unread) else {
            continue;
        };
        let namespace = place.link("ns/user").ok().filter(|ns| own.as_ref().is_some_and(|own| own != ns));
        let namespace = namespace.map(|ns| ns.to_string_lossy().into_owned());
        let key = (namespace.clone(), if namespace.is_some() { 0 } else { uid });
        let instances = numbers.len() as u64;
        let watched = place.clone();
        let watches = Lazy::new(move || watches(&watched, &numbers));
        let user = users.entry(key).or_insert_with(|| InotifyUser {
            uid,
            user_namespace: namespace,
            instances: 0,
            holders: Vec::new(),
        });
        user.instances += instances;
        user.holders.push(InotifyHolder {
            pid: place.pid,
            comm: place.stat.comm.clone(),
            instances,
            watches,
        });
    }
    let unread = summary("fd", unread, places.len()).into_iter().collect();
    Partial { items: users.into_values().collect(), unread }
}

/// The watches in these instances of a process.
fn watches(place: &Place, numbers: &[String]) -> Reading<u64> {
    let mut sum = 0;
    for number in numbers {
        let path = place.path(&format!("fdinfo/{number}"));
        let bytes = place.source.read(Path::new(&path), CAP).optional()?.unwrap_or_default();
        sum += bytes.split(|b| *b == b'\n').filter(|l| l.starts_with(b"inotify ")).count() as u64;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{process, stat_of};
    use super::*;
    use crate::source::Files;

    fn holder(files: &mut Files, pid: u32, parent: u32, uid: u32, fds: &[u32]) {
        files.file(format!("/proc/{pid}/stat"), stat_of(pid, "app", parent));
        files.file(format!("/proc/{pid}/status"), format!("Uid:\t{uid}\t{uid}\t{uid}\t{uid}\n"));
        files.link(format!("/proc/{pid}/fd/0"), "/dev/null");
        for fd in fds {
            files.link(format!("/proc/{pid}/fd/{fd}"), "anon_inode:inotify");
            let watch = "inotify wd:1 ino:9e7e sdev:800013 mask:800afce ignored_mask:0\n";
            let lines = watch.repeat(*fd as usize);
            files.file(
                format!("/proc/{pid}/fdinfo/{fd}"),
                format!("pos:\t0\nflags:\t00\nmnt_id:\t15\nino:\t1057\n{lines}"),
            );
        }
    }

    fn users(files: &Files) -> (Vec<(u32, u64, u64)>, usize) {
        let process = process(files);
        let found = process.inotify.get().unwrap();
        let sum = |user: &InotifyUser| user.holders.iter().map(|h| h.watches.get().unwrap()).sum();
        (found.items.iter().map(|user| (user.uid, user.instances, sum(user))).collect(), found.unread.len())
    }

    #[test]
    fn instances_and_watches_are_counted_by_user() {
        let mut files = Files::new();
        holder(&mut files, 7, 1, 1000, &[3, 5]);
        holder(&mut files, 8, 1, 1000, &[4]);
        holder(&mut files, 9, 1, 0, &[3]);
        holder(&mut files, 10, 1, 33, &[]);
        assert_eq!(users(&files), (vec![(0, 1, 3), (1000, 3, 12)], 0));
    }

    #[test]
    fn what_a_child_has_inherited_counts_once() {
        let mut files = Files::new();
        holder(&mut files, 7, 1, 1000, &[3]);
        holder(&mut files, 8, 7, 1000, &[3, 4]);
        holder(&mut files, 9, 8, 1000, &[3, 4]);
        assert_eq!(users(&files), (vec![(1000, 2, 7)], 0));
    }

    #[test]
    fn another_name_space_of_users_is_one_user() {
        let mut files = Files::new();
        for (pid, uid) in [(7, 1000), (8, 101_000), (9, 100_000)] {
            holder(&mut files, pid, 1, uid, &[3]);
        }
        files.link("/proc/self/ns/user", "user:[1]").link("/proc/7/ns/user", "user:[1]");
        files.link("/proc/8/ns/user", "user:[2]").link("/proc/9/ns/user", "user:[2]");
        assert_eq!(users(&files), (vec![(1000, 1, 3), (101_000, 2, 6)], 0));
        let process = process(&files);
        let found = &process.inotify.get().unwrap().items;
        assert_eq!((&found[0].user_namespace, found[1].user_namespace.as_deref()), (&None, Some("user:[2]")));
    }

    #[test]
    fn descriptors_that_cannot_be_seen_are_unread() {
        let mut files = Files::new();
        holder(&mut files, 7, 1, 0, &[3]);
        holder(&mut files, 8, 1, 5, &[3]);
        files.deny("/proc/8/fd");
        assert_eq!(users(&files), (vec![(0, 1, 3)], 1));
    }
}

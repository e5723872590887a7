//! Which processes hold which sockets: a look at every descriptor of every process, when it is first asked, and once.

use super::descriptors;
use crate::model::Lazy;
use crate::record;
use crate::source::{At, Host, Missing, Optional, Reading, Reason, TargetKind, Unreadable};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

record! {
    /// A process that holds sockets.
    #[derive(Clone, PartialEq)]
    pub struct SocketOwner {
        /// Its number.
        pub pid: u32,
        /// Its name as the kernel keeps it, of at most 15 bytes.
        pub comm: String,
        /// How many of these sockets it holds; of a process with very many descriptors an estimate, from a sample.
        pub sockets: u64,
        /// The directory of its descriptors.
        pub at: At,
    }
}

/// The processes that are named of those that hold some.
const KEPT: usize = 20;

/// Descriptors that are looked at of all processes together: less than half a second.
const BUDGET: usize = 200_000;

/// The first descriptors of a process are looked at even where a sample is taken: there are the sockets that it listens on.
const FIRST: u64 = 64;

/// The processes of a host, by the sockets that they hold.
#[derive(Debug)]
pub struct Owners {
    host: Host,
    held: Lazy<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// Inodes and the pids of processes that hold them, sorted.
    sockets: Vec<(u64, u32)>,
    /// The same of the first descriptors of processes of which a sample was looked at.
    first: Vec<(u64, u32)>,
    /// How many descriptors stand for each one that was looked at, where that is more than one.
    shares: HashMap<u32, f64>,
    /// Why some processes are missing.
    unread: Option<Unreadable>,
}

impl Owners {
    /// Those of this host; nothing is read yet.
    pub fn new(host: &Host) -> Arc<Self> {
        let asked = host.clone();
        Arc::new(Self { host: host.clone(), held: Lazy::new(move || look(&asked)) })
    }

    /// Those that hold any of these, most first, for when it is asked.
    pub fn lazily(self: &Arc<Self>, inodes: Vec<u64>) -> Lazy<Vec<SocketOwner>> {
        let owners = self.clone();
        Lazy::new(move || owners.of(&inodes))
    }

    /// Those that hold any of these, most first; unreadable where none was found, and not all could be looked at.
    pub fn of(&self, inodes: &[u64]) -> Reading<Vec<SocketOwner>> {
        let held = self.held.get()?;
        let mut found = held.scaled(counts(&held.sockets, inodes));
        for (pid, count) in counts(&held.first, inodes) {
            found.entry(pid).or_insert(count);
        }
        // Where few are asked for, one of them in a sample does not stand for many.
        found.values_mut().for_each(|count| *count = (*count).min(inodes.len() as u64));
        if let (true, Some(why)) = (found.is_empty(), &held.unread) {
            return Err(Missing::Unreadable(why.clone()));
        }
        Ok(self.named(found))
    }

    /// Those that hold most sockets of any kind; unreadable where none was found, and not all could be looked at.
    pub fn most(&self) -> Reading<Vec<SocketOwner>> {
        let held = self.held.get()?;
        let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
        held.sockets.iter().for_each(|(_, pid)| *counts.entry(*pid).or_default() += 1);
        if let (true, Some(why)) = (counts.is_empty(), &held.unread) {
            return Err(Missing::Unreadable(why.clone()));
        }
        Ok(self.named(held.scaled(counts)))
    }

    /// Pids and how many each holds, as people want them.
    fn named(&self, counts: BTreeMap<u32, u64>) -> Vec<SocketOwner> {
        let mut most: Vec<_> = counts.into_iter().collect();
        most.sort_by_key(|(pid, count)| (std::cmp::Reverse(*count), *pid));
        let named = most.into_iter().take(KEPT).filter_map(|(pid, sockets)| {
            let stat = self.host.read_text(&format!("/proc/{pid}/stat")).ok()?;
            let comm = stat.split_once('(')?.1.rsplit_once(')')?.0.to_owned();
            Some(SocketOwner { pid, comm, sockets, at: At::file(format!("/proc/{pid}/fd")) })
        });
        named.collect()
    }
}

impl Held {
    /// How many there are in all, for how many were among those looked at.
    fn scaled(&self, counts: BTreeMap<u32, u64>) -> BTreeMap<u32, u64> {
        let scaled = counts.into_iter().map(|(pid, count)| match self.shares.get(&pid) {
            Some(share) => (pid, (count as f64 * share).round() as u64),
            None => (pid, count),
        });
        scaled.collect()
    }
}

/// How many of these inodes each process holds.
fn counts(sockets: &[(u64, u32)], inodes: &[u64]) -> BTreeMap<u32, u64> {
    let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
    for inode in inodes.iter().filter(|inode| **inode != 0) {
        let start = sockets.partition_point(|(of, _)| of < inode);
        let holders = sockets.iter().skip(start).take_while(|(of, _)| of == inode);
        holders.for_each(|(_, pid)| *counts.entry(*pid).or_default() += 1);
    }
    counts
}

fn look(host: &Host) -> Reading<Held> {
    let kernel = host.target.kind == TargetKind::Live;
    let pids: Vec<u32> = host.names("/proc")?.iter().filter_map(|name| name.parse().ok()).collect();
    let mut held = Held::default();
    let mut unread: Vec<Unreadable> = Vec::new();
    let mut looked_at = 0;
    for pid in &pids {
        if looked_at > BUDGET {
            let reason = Reason::NotRead("not looked at, since all have so many descriptors".into());
            unread.push(Unreadable { path: "/proc/PID/fd".into(), reason });
            continue;
        }
        let count = descriptors::count(&*host.source, *pid, kernel);
        let Some((total, found)) =
            count.and_then(|n| Ok((n, descriptors::look(&*host.source, *pid, n)?))).noted(&mut unread)
        else {
            continue;
        };
        looked_at += found.len();
        held.sockets.extend(found.iter().filter_map(|d| Some((descriptors::socket(&d.link)?, *pid))));
        if total > found.len() as u64 && !found.is_empty() {
            held.shares.insert(*pid, total as f64 / found.len() as f64);
            let link =
                |number: u64| host.source.read_link(Path::new(&format!("/proc/{pid}/fd/{number}"))).ok();
            held.first.extend(
                (0..FIRST).filter_map(link).filter_map(|link| Some((descriptors::socket(&link)?, *pid))),
            );
        }
    }
    for sockets in [&mut held.sockets, &mut held.first] {
        sockets.sort_unstable();
        sockets.dedup();
    }
    held.unread = unread.first().map(|first| {
        let what = format!("{} for {} of {} processes", first.reason, unread.len(), pids.len());
        Unreadable { path: "/proc/PID/fd".into(), reason: Reason::NotRead(what) }
    });
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn owners(files: &Files, inodes: &[u64]) -> Reading<Vec<(u32, String, u64)>> {
        let host = Host::new(files.clone(), Target::live());
        let found = Owners::new(&host).of(inodes)?;
        Ok(found.into_iter().map(|owner| (owner.pid, owner.comm, owner.sockets)).collect())
    }

    fn files() -> Files {
        let mut files = Files::new();
        files.file("/proc/7/stat", "7 (java (x)) S 1").file("/proc/8/stat", "8 (nginx) S 1");
        files.link("/proc/7/fd/3", "socket:[100]").link("/proc/7/fd/4", "socket:[101]");
        files.link("/proc/7/fd/5", "socket:[101]").link("/proc/7/fd/6", "pipe:[102]");
        files.link("/proc/8/fd/3", "socket:[101]").directory("/proc/self");
        files
    }

    #[test]
    fn who_holds_most_comes_first_and_a_socket_held_twice_is_one() {
        let found = owners(&files(), &[100, 101, 102, 0]).unwrap();
        assert_eq!(found, [(7, "java (x)".to_owned(), 2), (8, "nginx".to_owned(), 1)]);
        assert_eq!(owners(&files(), &[999]), Ok(vec![]));
        let most = Owners::new(&Host::new(files(), Target::live())).most().unwrap();
        assert_eq!(most.iter().map(|owner| (owner.pid, owner.sockets)).collect::<Vec<_>>(), [(7, 2), (8, 1)]);
    }

    #[test]
    fn a_sample_is_scaled_up() {
        let mut files = files();
        files.directory("/proc/9/fd").size("/proc/9/fd", 20_480).file("/proc/9/stat", "9 (leak) S 1");
        let links: Vec<u64> = (0..20_480).step_by(11).collect();
        links.iter().for_each(|fd| {
            files.link(format!("/proc/9/fd/{fd}"), format!("socket:[{}]", 5000 + fd));
        });
        let found = owners(&files, &(5000..25_480).collect::<Vec<_>>()).unwrap();
        assert_eq!(found, [(9, "leak".to_owned(), 20_480)]);
        // What it listens on it opened at its start.
        files.link("/proc/9/fd/5", "socket:[77]");
        assert_eq!(owners(&files, &[77]).unwrap(), [(9, "leak".to_owned(), 1)]);
        // Descriptor 11 is of the sample.
        assert_eq!(owners(&files, &[5011]).unwrap(), [(9, "leak".to_owned(), 1)]);
    }

    #[test]
    fn nobody_is_named_for_want_of_permission_only_where_nobody_was_found() {
        let mut files = files();
        files.deny("/proc/9/fd");
        assert_eq!(owners(&files, &[100]).unwrap().len(), 1);
        let Err(Missing::Unreadable(why)) = owners(&files, &[999]) else { panic!("found") };
        assert_eq!(why.to_string(), "/proc/PID/fd: permission denied for 1 of 3 processes");
    }
}

//! The file descriptors of a process: how many, and of which kinds.

use super::place::Place;
use crate::record;
use crate::source::{Missing, Reading};
use std::collections::BTreeMap;
use std::path::Path;

record! {
    /// What the file descriptors of a process lead to.
    ///
    /// The kinds are those of the descriptors that were looked at: all, or a sample where there are very many.
    #[derive(Clone, PartialEq, Default)]
    pub struct Fds {
        /// How many there are.
        pub total: u64,
        /// How many were looked at.
        pub looked_at: u64,
        /// Whether fewer were looked at than there are: a sample, evenly spread over the numbers of the descriptors.
        pub sampled: bool,
        /// Sockets.
        pub sockets: u64,
        /// Pipes and FIFOs without a name.
        pub pipes: u64,
        /// Files, directories and devices that have a path.
        pub files: u64,
        /// Files that have been deleted, but take their space until they are closed.
        pub deleted: u64,
        /// Event queues, timers, memory files and the like.
        pub anon: u64,
        /// Anon by what they are: `eventpoll`, `eventfd`, `inotify`, `timerfd`, `memfd`, …
        pub anon_by_type: BTreeMap<String, u64>,
        /// Everything else, such as namespaces.
        pub others: u64,
    }
}

/// What was found by looking at the descriptors of a process.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) fds: Fds,
    /// Those that lead to a file without a name, each with that file's former path.
    pub(super) deleted: Vec<(String, String)>,
    /// The numbers of those that are inotify instances.
    pub(super) inotify: Vec<String>,
}

/// Links that are read of one process at most: some 5 ms, and enough to tell the proportions to a percent or two.
const BUDGET: u64 = 2_048;

/// How many there are: since Linux 6.2 the directory's size says so, before that its entries are counted.
pub(super) fn count(place: &Place) -> Reading<u64> {
    if place.stat.kernel_thread {
        return Ok(0);
    }
    let path = place.path("fd");
    let size = |path: &str| Ok(place.source.stat(Path::new(path))?.size);
    let list = || Ok(place.source.list(Path::new(&path))?.len() as u64);
    if !place.kernel {
        return list();
    }
    match size(&path)? {
        0 => match list() {
            // None at all, on a kernel that counts: hostvet itself always has some.
            Err(Missing::Unreadable(_)) if size("/proc/self/fd").is_ok_and(|own| own > 0) => Ok(0),
            counted => counted,
        },
        size => Ok(size),
    }
}

/// Looks at them, or at a sample.
pub(super) fn look(place: &Place) -> Reading<Look> {
    let mut look = Look::default();
    look.fds.total = place.fd_count()?;
    if place.stat.kernel_thread {
        return Ok(look);
    }
    // A descriptor gets the lowest free number, so that of very many nearly all numbers below their count are taken;
    // to list a million names only to choose some of them would cost more than all else.
    if look.fds.total > BUDGET {
        let step = usize::try_from(step(look.fds.total)).unwrap_or(usize::MAX);
        for number in (0..look.fds.total).step_by(step) {
            look.add(place, number.to_string())?;
        }
    } else {
        for entry in place.source.list(Path::new(&place.path("fd")))? {
            look.add(place, entry.name.to_string_lossy().into_owned())?;
        }
    }
    look.fds.sampled = look.fds.looked_at < look.fds.total;
    Ok(look)
}

/// How far apart the descriptors of a sample are. What is opened together (a selector of Java is an event queue and the two ends
/// of a pipe) repeats every few numbers; a distance that shares a factor with that would meet the same kind each time.
fn step(total: u64) -> u64 {
    let mut step = total.div_ceil(BUDGET);
    while [2, 3, 5, 7].into_iter().any(|factor| step.is_multiple_of(factor)) {
        step += 1;
    }
    step
}

impl Look {
    /// Counts a descriptor by its target as the kernel writes it; nothing if it has been closed meanwhile.
    fn add(&mut self, place: &Place, number: String) -> Reading<()> {
        let link = match place.link(&format!("fd/{number}")) {
            Err(Missing::Absent) => return Ok(()),
            other => other?,
        };
        let target = link.to_string_lossy();
        let fds = &mut self.fds;
        fds.looked_at += 1;
        let (before, rest) = target.split_once(':').unwrap_or((&target, ""));
        match before {
            "socket" => fds.sockets += 1,
            "pipe" => fds.pipes += 1,
            // `anon_inode:[eventpoll]`, and `anon_inode:inotify` for those that have no inode of their own.
            "anon_inode" => {
                let kind = rest.trim_matches(['[', ']']);
                fds.add_anon(kind);
                if kind == "inotify" {
                    self.inotify.push(number);
                }
            }
            "/memfd" => fds.add_anon("memfd"),
            _ if !target.starts_with('/') => fds.others += 1,
            _ => match target.strip_suffix(" (deleted)") {
                Some(path) => {
                    fds.deleted += 1;
                    self.deleted.push((number, path.to_owned()));
                }
                None => fds.files += 1,
            },
        }
        Ok(())
    }
}

impl Fds {
    fn add_anon(&mut self, kind: &str) {
        self.anon += 1;
        *self.anon_by_type.entry(kind.to_owned()).or_default() += 1;
    }
}

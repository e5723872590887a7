//! The file descriptors of a process: how many, and of which kinds.

use super::place::Place;
use crate::format::descriptors::{self, Descriptor};
use crate::record;
use crate::source::Reading;
use std::collections::BTreeMap;

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

/// How many there are; a thread of the kernel has none, and is not asked.
pub(super) fn count(place: &Place) -> Reading<u64> {
    if place.stat.kernel_thread {
        return Ok(0);
    }
    descriptors::count(&*place.source, place.pid, place.kernel)
}

/// Looks at them, or at a sample.
pub(super) fn look(place: &Place) -> Reading<Look> {
    let mut look = Look::default();
    look.fds.total = place.fd_count()?;
    if !place.stat.kernel_thread {
        let found = descriptors::look(&*place.source, place.pid, look.fds.total)?;
        found.into_iter().for_each(|descriptor| look.add(descriptor));
    }
    look.fds.sampled = look.fds.looked_at < look.fds.total;
    Ok(look)
}

impl Look {
    /// Counts a descriptor by its target as the kernel writes it.
    fn add(&mut self, Descriptor { number, link }: Descriptor) {
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
    }
}

impl Fds {
    fn add_anon(&mut self, kind: &str) {
        self.anon += 1;
        *self.anon_by_type.entry(kind.to_owned()).or_default() += 1;
    }
}

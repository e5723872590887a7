//! The file descriptors of a process: how many, and of which kinds.

use super::place::Place;
use crate::format::descriptors;
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

/// Looks at them, or at a sample.
pub(super) fn look(place: &Place) -> Reading<Fds> {
    let found = descriptors::look(&*place.source, place.pid, place.kernel)?;
    let mut fds = Fds { total: found.total, ..Fds::default() };
    found.links.iter().for_each(|link| fds.add(&link.to_string_lossy()));
    fds.sampled = fds.looked_at < fds.total;
    Ok(fds)
}

impl Fds {
    /// Counts a link by its target as the kernel writes it.
    fn add(&mut self, target: &str) {
        self.looked_at += 1;
        let (before, rest) = target.split_once(':').unwrap_or((target, ""));
        match before {
            "socket" => self.sockets += 1,
            "pipe" => self.pipes += 1,
            // `anon_inode:[eventpoll]`, and `anon_inode:inotify` for those that have no inode of their own.
            "anon_inode" => self.add_anon(rest.trim_matches(['[', ']'])),
            "/memfd" => self.add_anon("memfd"),
            _ if !target.starts_with('/') => self.others += 1,
            _ if target.ends_with(" (deleted)") => self.deleted += 1,
            _ => self.files += 1,
        }
    }

    fn add_anon(&mut self, kind: &str) {
        self.anon += 1;
        *self.anon_by_type.entry(kind.to_owned()).or_default() += 1;
    }
}

//! The file descriptors of a process, /proc/PID/fd: how many there are, and what they lead to, of very many a sample.

use crate::source::{Missing, Reading, Source};
use std::path::{Path, PathBuf};

/// Links that are read of one process at most: some 5 ms, and enough to tell the proportions to a percent or two.
const BUDGET: u64 = 2_048;

/// A file descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Its number, as the directory has it.
    pub number: String,
    /// What it leads to, as the kernel writes it: `socket:[4711]`.
    pub link: PathBuf,
}

/// How many there are: since Linux 6.2 the directory's size says so, before that its entries are counted.
///
/// `kernel`: whether stat(2) answers as the kernel does; in a mere copy of /proc a directory has a size of its own.
pub fn count(source: &dyn Source, pid: u32, kernel: bool) -> Reading<u64> {
    let path = format!("/proc/{pid}/fd");
    let size = |path: &str| source.stat(Path::new(path)).map(|stat| stat.size);
    let list = || Ok(source.list(Path::new(&path))?.len() as u64);
    if !kernel {
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

/// Looks at them, or at a sample that is evenly spread over their numbers; `total` is what [`count`] says. What has been closed
/// meanwhile is left out.
pub fn look(source: &dyn Source, pid: u32, total: u64) -> Reading<Vec<Descriptor>> {
    let directory = format!("/proc/{pid}/fd");
    let directory = Path::new(&directory);
    let mut found = Vec::new();
    let mut add = |number: String| match source.read_link(&directory.join(&number)) {
        Err(Missing::Absent) => Ok(()),
        other => other.map(|link| found.push(Descriptor { number, link })),
    };
    // A descriptor gets the lowest free number, so that of very many nearly all numbers below their count are taken;
    // to list a million names only to choose some of them would cost more than all else.
    if total > BUDGET {
        let step = usize::try_from(step(total)).unwrap_or(usize::MAX);
        for number in (0..total).step_by(step) {
            add(number.to_string())?;
        }
    } else {
        for entry in source.list(directory)? {
            add(entry.name.to_string_lossy().into_owned())?;
        }
    }
    Ok(found)
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

/// The inode of a socket, from its link `socket:[4711]`.
pub fn socket(link: &Path) -> Option<u64> {
    link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Files;

    #[test]
    fn only_links_of_sockets_have_the_inode_of_one() {
        assert_eq!(socket(Path::new("socket:[4711]")), Some(4711));
        for other in [
            "pipe:[4711]",
            "socket:[]",
            "socket:[-1]",
            "socket:[4711",
            "/tmp/socket:[1]",
            "socket:[99999999999999999999]",
        ] {
            assert_eq!(socket(Path::new(other)), None, "{other}");
        }
    }

    #[test]
    fn few_are_all_looked_at_and_denied_ones_are_unreadable() {
        let mut files = Files::new();
        files.link("/proc/7/fd/0", "/dev/null").link("/proc/7/fd/9", "socket:[1]");
        assert_eq!(count(&files, 7, true), Ok(2));
        let found = look(&files, 7, 2).unwrap();
        assert_eq!(found.iter().map(|d| d.number.as_str()).collect::<Vec<_>>(), ["0", "9"]);
        assert_eq!(count(&files, 8, true), Err(Missing::Absent));
        files.deny("/proc/7/fd");
        assert!(matches!(look(&files, 7, 2), Err(Missing::Unreadable(_))));
    }
}

//! The first line of every process, for all who ask which there are: /proc is walked once.

use super::{Host, Reading, parallel};

/// A process, as its /proc/PID/stat has it.
#[derive(Clone, Debug)]
pub(crate) struct ProcessLine {
    /// Its number: the name of its directory.
    pub(crate) pid: u32,
    /// The text of its `stat`; absent where it has ended since.
    pub(crate) stat: Reading<String>,
}

impl ProcessLine {
    /// Its name: between the first and the last parenthesis, as it may hold some itself.
    pub(crate) fn comm(&self) -> Option<&str> {
        let stat = self.stat.as_ref().ok()?;
        Some(stat.split_once(" (")?.1.rsplit_once(") ")?.0)
    }
}

impl Host {
    /// The processes that were there when this was first asked of this host or a clone of it, by number. Absent where there is no /proc.
    pub(crate) fn processes(&self) -> Reading<&[ProcessLine]> {
        let walk = || {
            let mut pids: Vec<u32> =
                self.names("/proc")?.iter().filter_map(|name| name.parse().ok()).collect();
            pids.sort_unstable();
            let stat = |pid: &u32| self.read_text(&format!("/proc/{pid}/stat"));
            Ok(parallel::map(&pids, parallel::READS, |pid| ProcessLine { pid: *pid, stat: stat(pid) }))
        };
        self.processes.get_or_init(walk).as_deref().map_err(Clone::clone)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Files, Missing, Target};
    use super::*;

    #[test]
    fn processes_are_read_once_and_in_order() {
        let mut files = Files::new();
        files
            .file("/proc/10/stat", "10 (b) ( c) S 1\n")
            .file("/proc/9/stat", "9")
            .file("/proc/self/stat", "x");
        files.directory("/proc/11").file("/proc/12/stat", "12 (d) S 1\n").deny("/proc/12/stat");
        let host = Host::new(files, Target::root("x"));
        let found = host.processes().unwrap();
        assert_eq!(found.iter().map(|p| p.pid).collect::<Vec<_>>(), [9, 10, 11, 12]);
        assert_eq!(
            found.iter().map(ProcessLine::comm).collect::<Vec<_>>(),
            [None, Some("b) ( c"), None, None]
        );
        assert_eq!(found[2].stat, Err(Missing::Absent));
        assert!(std::ptr::eq(found, host.clone().processes().unwrap()));
        assert!(!std::ptr::eq(found, host.clone().afresh().processes().unwrap()));
        assert_eq!(Host::new(Files::new(), Target::root("x")).processes().unwrap_err(), Missing::Absent);
    }
}

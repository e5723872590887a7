//! A process's directory in /proc, and the files of it that several fields are read from.

use super::fds::{self, Look};
use super::maps::{self, Maps};
use super::stat::{self, Stat};
use super::status::Status;
use crate::format::printed_processes::PrintedProcess;
use crate::source::{Earlier, Host, Missing, Reading, Reason, Source, parallel, text};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// A process's directory in /proc.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) source: Arc<dyn Source>,
    pub(super) pid: u32,
    /// Whether stat(2) answers as the kernel does; in a mere copy of /proc a directory has a size of its own.
    pub(super) kernel: bool,
    pub(super) stat: Stat,
    /// What ps printed of it, where its directory was not collected.
    printed: Option<PrintedProcess>,
    earlier: Option<Arc<Earlier>>,
    status: OnceLock<Reading<Status>>,
    maps: OnceLock<Reading<Maps>>,
    fd_count: OnceLock<Reading<u64>>,
    look: OnceLock<Reading<Look>>,
}

/// More than the largest file that is read there whole; a command line may be longer, and is then unreadable.
const CAP: u64 = 2 << 20;

impl Place {
    pub(super) fn new(host: &Host, pid: u32, kernel: bool, stat: Stat) -> Self {
        let (source, earlier) = (host.source.clone(), host.earlier.clone());
        Self {
            source,
            pid,
            kernel,
            stat,
            printed: None,
            earlier,
            status: OnceLock::new(),
            maps: OnceLock::new(),
            fd_count: OnceLock::new(),
            look: OnceLock::new(),
        }
    }

    /// A process of which no more than that was printed, but for files of its directory that may be there.
    pub(super) fn printed(host: &Host, printed: PrintedProcess) -> Self {
        let place = Self::new(host, printed.pid, false, Stat::printed(&printed));
        Self { printed: Some(printed), ..place }
    }

    /// What was found, or what was printed in its stead.
    pub(super) fn or_printed<T>(
        &self,
        found: Reading<T>,
        printed: impl Fn(&PrintedProcess) -> Reading<T>,
    ) -> Reading<T> {
        match (found, &self.printed) {
            (Err(missing), Some(process)) if missing.is_not_collected() => printed(process),
            (found, _) => found,
        }
    }

    /// When it was started, in seconds after the boot.
    pub(super) fn start_seconds(&self) -> Reading<f64> {
        self.stat.start_seconds.ok_or_else(|| Missing::unreadable(self.path("stat"), Reason::NotCollected))
    }

    /// The earlier reading, with what it says of this very process: another may have had its number.
    pub(super) fn earlier(&self) -> Reading<(&Earlier, Stat)> {
        let earlier = self.earlier.as_deref().ok_or(Missing::Absent)?;
        let path = self.path("stat");
        let before = garbled(&path, stat::parse(&earlier.read_text(&path)?))?;
        match before.start_seconds == self.stat.start_seconds {
            true => Ok((earlier, before)),
            false => Err(Missing::Absent),
        }
    }

    pub(super) fn path(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.pid)
    }

    pub(super) fn text(&self, name: &str) -> Reading<String> {
        self.source.read(Path::new(&self.path(name)), CAP).map(text)
    }

    pub(super) fn link(&self, name: &str) -> Reading<PathBuf> {
        self.source.read_link(Path::new(&self.path(name)))
    }

    pub(super) fn parse<T>(&self, name: &str, found: Option<T>) -> Reading<T> {
        garbled(&self.path(name), found)
    }

    /// What is wanted of /proc/PID/status, read once.
    pub(super) fn status(&self) -> Result<&Status, Missing> {
        let read = || Ok(Status::parse(&self.text("status")?, &self.path("status")));
        self.status.get_or_init(read).as_ref().map_err(Clone::clone)
    }

    /// What is wanted of /proc/PID/maps, read once.
    pub(super) fn maps(&self) -> Result<&Maps, Missing> {
        let read = || {
            let bytes = self.source.read(Path::new(&self.path("maps")), maps::CAP)?;
            Ok(maps::parse(&text(bytes)))
        };
        self.maps.get_or_init(read).as_ref().map_err(Clone::clone)
    }

    /// How many descriptors it has, counted once.
    pub(super) fn fd_count(&self) -> Reading<u64> {
        self.fd_count.get_or_init(|| fds::count(self)).clone()
    }

    /// Looks at the descriptors of all these processes, for those who want to know of every one.
    pub(super) fn look_at_all(places: &[Arc<Self>]) {
        parallel::map(places, parallel::READS, |place| drop(place.look()));
    }

    /// What its descriptors lead to, looked at once.
    pub(super) fn look(&self) -> Result<&Look, Missing> {
        self.look.get_or_init(|| fds::look(self)).as_ref().map_err(Clone::clone)
    }
}

/// What was found in a file, or that it makes no sense. An empty file is what a process gives that has just ended.
pub(super) fn garbled<T>(path: &str, found: Option<T>) -> Reading<T> {
    found.ok_or_else(|| Missing::garbled(path, "does not look like that file of proc(5)"))
}

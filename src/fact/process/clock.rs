//! The times that processes' ages are told by, read once for all of them.

use crate::format::key_value::KeyValues;
use crate::source::{Host, Missing, Reading};
use procfs_core::FromRead;
use std::path::Path;
use std::sync::OnceLock;

/// Times of the host.
#[derive(Debug)]
pub(super) struct Clock {
    host: Host,
    uptime: OnceLock<Reading<f64>>,
    replaced: OnceLock<Reading<Option<f64>>>,
}

/// What changes when a package is installed or a library replaced: the linker's cache, and the packages' databases.
const CHANGED: [&str; 7] = [
    "/etc/ld.so.cache",
    "/var/lib/dpkg/status",
    "/var/lib/rpm/rpmdb.sqlite",
    "/var/lib/rpm/Packages",
    "/usr/lib/sysimage/rpm",
    "/var/lib/pacman/local",
    "/lib/apk/db/installed",
];

impl Clock {
    pub(super) fn new(host: Host) -> Self {
        Self { host, uptime: OnceLock::new(), replaced: OnceLock::new() }
    }

    /// Seconds since boot.
    pub(super) fn uptime(&self) -> Reading<f64> {
        let read = || {
            let text = self.host.read_text("/proc/uptime")?;
            let uptime = procfs_core::Uptime::from_read(text.as_bytes()).ok().map(|u| u.uptime);
            let uptime = uptime.filter(|seconds| *seconds >= 0.0);
            uptime.ok_or_else(|| Missing::garbled("/proc/uptime", "holds no number of seconds"))
        };
        self.uptime.get_or_init(read).clone()
    }

    /// When programs or libraries may have been replaced last, in seconds after the boot; none if nothing tells.
    pub(super) fn replaced(&self) -> Reading<Option<f64>> {
        let read = || {
            let times = CHANGED.iter().filter_map(|path| self.host.source.stat(Path::new(path)).ok());
            let Some(last) = times.map(|stat| stat.mtime).max() else { return Ok(None) };
            let stat = self.host.read_text("/proc/stat")?;
            let boot = KeyValues::new("/proc/stat", &stat, ' ').count("btime")?;
            Ok(Some(last as f64 - boot as f64))
        };
        self.replaced.get_or_init(read).clone()
    }
}

//! Whether the target is a container.

use crate::source::{Host, Missing, Reading, TargetKind};
use std::path::Path;

/// The link that names the PID namespace of whoever reads it, and what it says in the machine's first one:
/// `PROC_PID_INIT_INO` of include/linux/proc_ns.h, part of the kernel's ABI.
const PID_NAMESPACE: (&str, &str) = ("/proc/self/ns/pid", "pid:[4026531836]");

pub(super) fn is_container(host: &Host) -> Reading<bool> {
    if host.target.kind == TargetKind::ContainerImage {
        return Ok(true);
    }
    match manager(host) {
        Ok(_) => return Ok(true),
        Err(Missing::Absent) => {}
        Err(why) => return Err(why),
    }
    if !host.is_running() {
        return Ok(false);
    }
    if let Ok(namespace) = host.source.read_link(Path::new(PID_NAMESPACE.0)) {
        return Ok(namespace.as_os_str() != PID_NAMESPACE.1);
    }
    // A copy of /proc has no such link. PID 1 of most containers is told what it is in by its environment.
    // A live host always has that file; a tree without it (a sosreport) is of a whole machine, as far as can be seen.
    match host.read_text("/proc/1/environ") {
        Ok(environment) => Ok(environment.split('\0').any(|variable| variable.starts_with("container="))),
        Err(Missing::Absent) => Ok(false),
        Err(why) => Err(why),
    }
}

/// The word a container's manager left in it.
pub(super) fn manager(host: &Host) -> Reading<String> {
    match host.read_text("/run/systemd/container") {
        Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
        Ok(_) | Err(Missing::Absent) => {}
        Err(why) => return Err(why),
    }
    for (mark, word) in [("/run/.containerenv", "podman"), ("/.dockerenv", "docker")] {
        if host.exists(mark).map_err(Missing::Unreadable)? {
            return Ok(word.into());
        }
    }
    Err(Missing::Absent)
}

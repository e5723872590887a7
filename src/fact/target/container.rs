//! Whether the target is a container.

use crate::source::{Host, Missing, Optional, Reading, TargetKind};
use std::path::Path;

/// The links that name the namespaces of whoever reads them, and what they say in the machine's first ones:
/// `PROC_PID_INIT_INO` and its like of include/linux/proc_ns.h, part of the kernel's ABI.
const FIRST_NAMESPACES: [(&str, &str); 3] = [
    ("/proc/self/ns/pid", "pid:[4026531836]"),
    ("/proc/self/ns/uts", "uts:[4026531838]"),
    ("/proc/self/ns/ipc", "ipc:[4026531839]"),
];

/// Where sosreport keeps it: before 4.0 the command was `hostnamectl`.
pub(super) const PRINTED: [&str; 2] =
    ["/sos_commands/host/hostnamectl_status", "/sos_commands/host/hostnamectl"];

pub(super) fn is_container(host: &Host) -> Reading<bool> {
    if host.target.kind == TargetKind::ContainerImage {
        return Ok(true);
    }
    let namespaces = FIRST_NAMESPACES.map(|(link, first)| {
        host.source.read_link(Path::new(link)).ok().map(|namespace| namespace.as_os_str() == first)
    });
    // A machine made from a container image may carry the image's mark; no container has all three of the machine's own.
    if namespaces == [Some(true); 3] {
        return Ok(false);
    }
    match manager(host) {
        Ok(_) => return Ok(true),
        Err(Missing::Absent) => {}
        Err(why) if why.is_not_collected() => return printed(host).ok_or(why),
        Err(why) => return Err(why),
    }
    if !host.is_running() {
        return Ok(false);
    }
    if let Some(first) = namespaces[0] {
        return Ok(!first);
    }
    // A copy of /proc has no such link. PID 1 of most containers is told what it is in by its environment.
    // A live host always has that file; a tree without it is of a whole machine, as far as can be seen.
    let environment = host.read_text("/proc/1/environ").optional()?.unwrap_or_default();
    Ok(environment.split('\0').any(|variable| variable.starts_with("container=")))
}

/// What a sosreport has `hostnamectl status` say, which names what it runs on after its icon: `computer-vm`, `computer-container`.
fn printed(host: &Host) -> Option<bool> {
    let text = PRINTED.iter().find_map(|path| host.read_text(path).ok())?;
    let icon = text.lines().find_map(|line| line.trim().strip_prefix("Icon name:"))?.trim();
    Some(icon == "computer-container")
}

/// The word a container's manager left in it.
pub(super) fn manager(host: &Host) -> Reading<String> {
    let text = host.read_text("/run/systemd/container").optional()?.unwrap_or_default();
    if !text.trim().is_empty() {
        return Ok(text.trim().to_owned());
    }
    for (mark, word) in [("/run/.containerenv", "podman"), ("/.dockerenv", "docker")] {
        if host.exists(mark)? {
            return Ok(word.into());
        }
    }
    Err(Missing::Absent)
}

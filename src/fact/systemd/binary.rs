//! What systemd's own files say of the build: names and bytes, nothing is executed.

use crate::source::{Host, Missing, Optional, Reading};
use std::path::Path;

/// The manager is 0.1 MiB since its code moved to a library, and was 1.5 MiB before.
const CAP: u64 = 16 << 20;

/// The version: 252 of `libsystemd-shared-252.so`, else what the manager says when it starts.
pub(super) fn version(host: &Host) -> Reading<u32> {
    for dir in library_dirs(host) {
        let Some(names) = host.names(&dir).optional()? else {
            continue;
        };
        if let Some(version) = names.iter().find_map(|name| of_library(name)) {
            return Ok(version);
        }
    }
    // Before 232 there was no such library.
    of_manager(&manager(host)?).ok_or(Missing::Absent)
}

/// Whether the manager contains the name of the setting that it writes, which is not the path that it reads.
pub(super) fn raises_nr_open(host: &Host) -> Reading<bool> {
    Ok(contains(&manager(host)?, b"\0fs/nr_open\0"))
}

/// Whether the manager reads that setting: its path, or since 240 the name of a function of the library.
pub(super) fn reaches_nr_open(host: &Host) -> Reading<bool> {
    Ok(contains(&manager(host)?, b"nr_open"))
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|w| w == wanted)
}

fn library_dirs(host: &Host) -> Vec<String> {
    let mut dirs: Vec<String> =
        ["/usr/lib/systemd", "/lib/systemd", "/usr/lib64/systemd"].map(String::from).into();
    let multiarch = host.names("/usr/lib").unwrap_or_default();
    let multiarch = multiarch.iter().filter(|n| n.contains("-linux-gnu"));
    dirs.extend(multiarch.map(|n| format!("/usr/lib/{n}/systemd")));
    dirs
}

fn of_library(name: &str) -> Option<u32> {
    leading_number(name.strip_prefix("libsystemd-shared-")?.as_bytes())
}

/// `systemd 219 running in %ssystem mode.`
fn of_manager(bytes: &[u8]) -> Option<u32> {
    const START: &[u8] = b"systemd ";
    bytes.windows(START.len()).enumerate().filter(|(_, w)| *w == START).find_map(|(at, _)| {
        let rest = bytes.get(at + START.len()..)?;
        let end = rest.iter().take(64).position(|b| *b == b' ')?;
        rest.get(end..)?.starts_with(b" running in ").then(|| leading_number(rest))?
    })
}

fn manager(host: &Host) -> Reading<Vec<u8>> {
    match host.source.read(Path::new("/usr/lib/systemd/systemd"), CAP) {
        Err(Missing::Absent) => host.source.read(Path::new("/lib/systemd/systemd"), CAP),
        found => found,
    }
}

fn leading_number(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    std::str::from_utf8(bytes.get(..digits)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_the_number_before_anything_else() {
        assert_eq!(of_library("libsystemd-shared-252.so"), Some(252));
        assert_eq!(of_library("libsystemd-shared-257.4-1.fc42.so"), Some(257));
        assert_eq!(of_library("libsystemd-shared-.so"), None);
        assert_eq!(of_library("libsystemd.so.0"), None);
        assert_eq!(of_manager(b"\x7fELF\0systemd \0systemd 219 running in %ssystem mode.\0"), Some(219));
        assert_eq!(of_manager(b"systemd 255 (255.4-1) running in %ssystem mode"), None);
        assert_eq!(of_manager(b"systemd 219"), None);
        assert_eq!(of_manager(b""), None);
    }
}

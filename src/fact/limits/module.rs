//! What the pam_limits.so that is installed does differently from others, read from its own bytes.
//!
//! Versions do not tell: distributions backport, and Debian has changed the module for itself.

use crate::source::{Host, Missing, Reading, Reason};
use std::path::Path;

/// The module is some 30 KiB; nothing honest comes near.
const CAP: u64 = 1 << 20;

/// Where distributions keep PAM's modules, `*` aside.
const DIRS: [&str; 4] = ["/usr/lib64/security", "/usr/lib/security", "/lib64/security", "/lib/security"];

/// The bytes of pam_limits.so.
pub(super) fn bytes(host: &Host) -> Reading<Vec<u8>> {
    let multiarch = ["/usr/lib", "/lib"].into_iter().flat_map(|lib| {
        let names = host.names(lib).unwrap_or_default();
        names.into_iter().filter(|n| n.contains("-linux-gnu")).map(move |n| format!("{lib}/{n}/security"))
    });
    let mut seen_dir = false;
    for dir in multiarch.chain(DIRS.map(String::from)) {
        match host.source.read(Path::new(&format!("{dir}/pam_limits.so")), CAP) {
            Err(Missing::Absent) => seen_dir = seen_dir || host.exists(&dir).unwrap_or(true),
            found => return found,
        }
    }
    if seen_dir {
        return Err(Missing::Absent);
    }
    // A tree of configuration files only, such as a sosreport, does not say what the module does.
    let what = "no directory of PAM modules is here to tell how this pam_limits.so behaves";
    Err(Missing::unreadable("/usr/lib/security/pam_limits.so", Reason::NotRead(what.into())))
}

/// Linux-PAM 1.5.2 and backports of its commit 3234488f open this file when they meet an unlimited nofile.
pub(super) fn unlimited_nofile_is_nr_open(module: &[u8]) -> Reading<bool> {
    Ok(contains(module, b"/proc/sys/fs/nr_open"))
}

/// Debian's patches to the module bring two things together: the item `chroot`, and that root is left out.
pub(super) fn root_needs_own_entry(module: &[u8]) -> Reading<bool> {
    Ok(contains(module, b"chroot"))
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|w| w == wanted)
}

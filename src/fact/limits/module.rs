//! What the pam_limits.so that is installed does differently from others, read from its own bytes.
//!
//! Versions do not tell: distributions backport, and Debian has changed the module for itself.

use crate::source::{Host, Missing, Reading, Reason};
use crate::word;
use std::path::Path;

/// The module is some 30 KiB; nothing honest comes near.
const CAP: u64 = 1 << 20;

/// Where distributions keep PAM's modules, `*` aside.
const DIRS: [&str; 4] = ["/usr/lib64/security", "/usr/lib/security", "/lib64/security", "/lib/security"];

word! {
    /// What pam_limits makes of `unlimited` for nofile, which the kernel does not take.
    pub enum UnlimitedNofile {
        /// The value of fs.nr_open: Linux-PAM 1.5.2 and backports.
        NrOpen = "nr_open",
        /// It asks for it nevertheless; the kernel refuses, and the session fails.
        Refused = "refused",
        /// One of the two: the tree has configuration files only, and no module to look into.
        Depends = "depends",
    }
}

/// The bytes of pam_limits.so; none where the tree has no programs at all, such as a sosreport.
fn bytes(host: &Host) -> Reading<Option<Vec<u8>>> {
    let multiarch = ["/usr/lib", "/lib"].into_iter().flat_map(|lib| {
        let names = host.names(lib).unwrap_or_default();
        names.into_iter().filter(|n| n.contains("-linux-gnu")).map(move |n| format!("{lib}/{n}/security"))
    });
    let mut seen_dir = false;
    for dir in multiarch.chain(DIRS.map(String::from)) {
        match host.source.read(Path::new(&format!("{dir}/pam_limits.so")), CAP) {
            Err(Missing::Absent) => seen_dir = seen_dir || host.exists(&dir).unwrap_or(true),
            Err(missing) if missing.is_not_collected() => {}
            found => return found.map(Some),
        }
    }
    if seen_dir { Err(Missing::Absent) } else { Ok(None) }
}

/// Linux-PAM 1.5.2 and backports of its commit 3234488f open this file when they meet an unlimited nofile.
pub(super) fn unlimited_nofile(host: &Host) -> Reading<UnlimitedNofile> {
    Ok(match bytes(host)? {
        None => UnlimitedNofile::Depends,
        Some(module) if contains(&module, b"/proc/sys/fs/nr_open") => UnlimitedNofile::NrOpen,
        Some(_) => UnlimitedNofile::Refused,
    })
}

/// Debian's patches to the module bring two things together: the item `chroot`, and that root is left out.
pub(super) fn root_needs_own_entry(host: &Host) -> Reading<bool> {
    let what = "is not in this tree, as no PAM module is, to tell whether it applies entries for `*` to root";
    let none = || Missing::unreadable("pam_limits.so", Reason::NotRead(what.into()));
    Ok(contains(&bytes(host)?.ok_or_else(none)?, b"chroot"))
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|w| w == wanted)
}

//! Programs that need a service of a certain name.

use crate::source::{Host, Missing, Reading, Reason};
use std::path::Path;

/// A service, and the programs that use it; each program with the files that may be what calls libpam for it.
struct Need {
    service: &'static str,
    programs: &'static [&'static str],
    callers: &'static [&'static str],
}

const fn need(
    service: &'static str,
    programs: &'static [&'static str],
    callers: &'static [&'static str],
) -> Need {
    Need { service, programs, callers }
}

/// The names are those the programs pass to pam_start(3). `sudo-i` is missing here because whether sudo uses it
/// is decided when sudo is built.
const NEEDS: [Need; 10] = [
    need("atd", &["/usr/sbin/atd", "/usr/bin/atd"], &[]),
    need("cron", &["/usr/sbin/cron"], &[]),
    need("crond", &["/usr/sbin/crond", "/usr/bin/crond"], &[]),
    need("login", &["/usr/bin/login", "/bin/login"], &[]),
    need("passwd", &["/usr/bin/passwd", "/bin/passwd"], &[]),
    need("runuser", &["/usr/sbin/runuser", "/sbin/runuser", "/usr/bin/runuser"], &[]),
    need(
        "sshd",
        &["/usr/sbin/sshd", "/usr/bin/sshd"],
        // Since OpenSSH 9.8 the session is a program of its own.
        &[
            "/usr/lib/openssh/sshd-session",
            "/usr/libexec/openssh/sshd-session",
            "/usr/libexec/ssh/sshd-session",
            "/usr/lib/ssh/sshd-session",
        ],
    ),
    need("su", &["/usr/bin/su", "/bin/su"], &[]),
    need("su-l", &["/usr/bin/su", "/bin/su"], &[]),
    need(
        "sudo",
        &["/usr/bin/sudo"],
        // The plugin calls libpam, not sudo itself.
        &["/usr/libexec/sudo/sudoers.so", "/usr/lib/sudo/sudoers.so", "/usr/lib64/sudo/sudoers.so"],
    ),
];

/// The largest of these programs are some MiB.
const PROGRAM_CAP: u64 = 32 << 20;

/// A service, and the program of this host that needs it.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) service: &'static str,
    pub(super) program: &'static str,
    callers: &'static [&'static str],
}

/// The services that programs of this host may need.
pub(super) fn wanted(host: &Host) -> Vec<Wanted> {
    let found = NEEDS.iter().filter_map(|need| {
        // What may not be looked at counts as there; whether it needs PAM is then unreadable.
        let program = need.programs.iter().find(|path| host.exists(path).unwrap_or(true))?;
        Some(Wanted { service: need.service, program, callers: need.callers })
    });
    found.collect()
}

impl Wanted {
    /// Whether the program names libpam among its libraries. cron and crond: busybox's do not.
    pub(super) fn is_linked(&self, host: &Host) -> Reading<bool> {
        // su knows its second service only if it is util-linux's.
        let name: &[u8] = if self.service == "su-l" { b"su-l\0" } else { b"libpam.so." };
        for path in [&self.program].into_iter().chain(self.callers) {
            match host.source.read(Path::new(path), PROGRAM_CAP) {
                Ok(bytes) if contains(&bytes, b"libpam.so.") && contains(&bytes, name) => return Ok(true),
                Ok(_) | Err(Missing::Absent) => {}
                Err(Missing::Unreadable(why)) if matches!(why.reason, Reason::WrongKind(_)) => {}
                Err(unreadable) => return Err(unreadable),
            }
        }
        Ok(false)
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    let Some(first) = wanted.first() else { return true };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|b| b == first) {
        rest = &rest[at..];
        if rest.starts_with(wanted) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

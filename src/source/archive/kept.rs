//! Which files of a compressed archive are kept in memory while it is unpacked.
//!
//! It is a choice of speed alone: what is not kept is unpacked again when it is asked for, which is only done a few times, and
//! *unreadable* after that, never absent.

/// The largest file that is kept: as large as facts read configuration.
const LARGEST: u64 = 4 << 20;

/// The largest initial RAM disk that is kept: it is read from its start to its end, and lies far from everything else.
const LARGEST_INITRAMFS: u64 = 96 << 20;

/// The directories below /usr, /lib and /var of which files are kept; of all others it is all but these three.
const KEPT: [&str; 38] = [
    "lib/NetworkManager",
    "lib/binfmt.d",
    "lib/dracut",
    "lib/environment.d",
    "lib/extension-release.d",
    "lib/kernel",
    "lib/modprobe.d",
    "lib/modules",
    "lib/modules-load.d",
    "lib/os-release",
    "lib/pam.d",
    "lib/security",
    "lib/sysctl.d",
    "lib/sysimage",
    "lib/systemd",
    "lib/sysusers.d",
    "lib/tmpfiles.d",
    "lib/tuned",
    "lib/udev",
    "local/etc",
    "local/lib/systemd",
    "local/lib/sysctl.d",
    "etc",
    "share/pam-configs",
    "share/dbus-1",
    // Where /etc/localtime leads to.
    "share/zoneinfo",
    "spool/cron",
    "log",
    "lib/cloud",
    "lib/dpkg/status",
    "lib/dpkg/statoverride",
    "lib/dpkg/diversions",
    "lib/dpkg/arch",
    "lib/dhclient",
    "lib/dhcp",
    "lib/selinux",
    "lib/sss",
    "lib/nfs",
];

/// Programs, libraries and data, which no fact reads as text.
const BULK: [&str; 6] = ["opt", "srv", "lib32", "libx32", "media", "snap"];

/// Programs that facts look into: for the libraries they name, and the versions they tell.
const PROGRAMS: [&str; 32] = [
    "bin/atd",
    "bin/bash",
    "bin/busybox",
    "bin/crond",
    "bin/dash",
    "bin/dbus-broker",
    "bin/dbus-daemon",
    "bin/ip",
    "bin/kmod",
    "bin/login",
    "bin/mount",
    "bin/passwd",
    "bin/runuser",
    "bin/sshd",
    "bin/su",
    "bin/sudo",
    "bin/udevadm",
    "lib/openssh",
    "lib/ssh",
    "lib/sudo",
    "lib64/sudo",
    "libexec/openssh",
    "libexec/ssh",
    "libexec/sudo",
    "sbin/agetty",
    "sbin/atd",
    "sbin/cron",
    "sbin/crond",
    "sbin/getty",
    "sbin/ip",
    "sbin/runuser",
    "sbin/sshd",
];

/// The largest library that is kept: libcrypto has 5 MiB.
const LARGEST_LIBRARY: u64 = 8 << 20;

/// Whether it is a library that programs are linked with, in one of the directories for these, or a module of PAM's: facts follow
/// what programs need from one to the next.
fn is_library(path: &str) -> bool {
    let Some((directory, name)) = path.rsplit_once('/') else { return false };
    if name.starts_with("libsystemd-") {
        return true;
    }
    let is_linked = (name.starts_with("lib") || name.starts_with("ld-")) && name.contains(".so");
    let below = ["/usr/lib64", "/usr/lib", "/lib64", "/lib"].iter().find_map(|place| {
        let at = directory.rfind(place)?;
        directory.get(at + place.len()..)
    });
    // At most the directory of an architecture comes between.
    is_linked && below.is_some_and(|rest| rest.is_empty() || rest.rfind('/') == Some(0))
}

/// Whether a file of this path and size is kept if there is room. The path may begin with a directory that holds the root.
pub(super) fn is_wanted(path: &[u8], size: u64) -> bool {
    let path = String::from_utf8_lossy(path);
    let is_initramfs = path.rsplit_once("boot/initr").is_some_and(|(_, name)| !name.contains('/'));
    let is_library = is_library(&format!("/{path}"));
    let largest = match () {
        () if is_initramfs => LARGEST_INITRAMFS,
        () if is_library => LARGEST_LIBRARY,
        () => LARGEST,
    };
    if size > largest {
        return false;
    }
    if is_library {
        return true;
    }
    let mut parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
    let is_below = |rest: &str, place: &str| {
        rest.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let is_kept = |rest: &str, all: &[&str]| all.iter().any(|place| is_below(rest, place));
    let whole = path.trim_start_matches("./");
    let below = |top: &str, rest: &str| match top {
        // Of the modules of a kernel their lists only.
        "usr" | "lib" if whole.contains("lib/modules/") => Some(!whole.contains("/kernel/")),
        "usr" | "lib" | "lib64" if whole.contains("/security/pam_") => Some(true),
        // What files a package has, and their checksums.
        "var" if whole.contains("/dpkg/info/") => {
            Some(whole.ends_with(".list") || whole.ends_with(".md5sums"))
        }
        "usr" | "var" => Some(is_kept(rest, &KEPT) || is_kept(rest, &PROGRAMS)),
        "lib" | "bin" | "sbin" | "lib64" => {
            let rest = format!("{top}/{rest}");
            Some(is_kept(&rest, &KEPT) || is_kept(&rest, &PROGRAMS))
        }
        // Of the reports of sosreport what it did.
        "sos_reports" => Some(rest == "manifest.json"),
        _ if BULK.contains(&top) => Some(false),
        "etc" | "proc" | "sys" | "run" | "boot" | "root" | "home" | "dev" | "sos_commands" => Some(true),
        _ => None,
    };
    // The root may be some directories below the top, a deployment of ostree five.
    for _ in 0..6 {
        let Some(top) = parts.next() else { break };
        let rest = parts.clone().collect::<Vec<_>>().join("/");
        if let Some(kept) = below(top, &rest) {
            return kept;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::is_wanted;

    #[test]
    fn configuration_is_kept_and_programs_are_not() {
        for path in [
            "./etc/fstab",
            "etc/ssh/sshd_config",
            "usr/lib/systemd/system/a.service",
            "lib/modprobe.d/a.conf",
            "var/lib/dpkg/status",
            "sosreport-a/proc/cmdline",
            "sosreport-a/sos_commands/kernel/dmesg",
            "rootfs/usr/lib/os-release",
            "manifest.json",
            "usr/lib/x86_64-linux-gnu/security/pam_unix.so",
            "usr/lib/modules/6.1.0-1-amd64/modules.dep",
            "bin/su",
            "usr/bin/bash",
            "./var/lib/dpkg/info/libc6:amd64.list",
            "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
            "lib/x86_64-linux-gnu/libz.so.1",
            "rootfs/usr/lib64/libz.so.1",
            "lib64/ld-linux-x86-64.so.2",
        ] {
            assert!(is_wanted(path.as_bytes(), 1000), "{path}");
        }
        assert!(is_wanted(b"./boot/initrd.img-6.1.0-1-amd64", 60 << 20));
        assert!(
            !is_wanted(b"boot/initrd.img-6.1.0-1-amd64", 200 << 20) && !is_wanted(b"boot/vmlinuz", 60 << 20)
        );
        for path in [
            "usr/bin/ls",
            "usr/lib/modules/6.1.0-1-amd64/kernel/fs/xfs/xfs.ko",
            "./usr/share/doc/a",
            "lib/x86_64-linux-gnu/gconv/libCNS.so",
            "usr/lib/python3/libx.txt",
            "opt/a/b",
            "var/lib/dpkg/info/a.postinst",
            "var/cache/apt/a",
        ] {
            assert!(!is_wanted(path.as_bytes(), 1000), "{path}");
        }
        assert!(!is_wanted(b"etc/large", 5 << 20));
    }
}

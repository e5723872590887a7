//! Whether sshd is started at boot: as a service or through a socket, by systemd, rc links or OpenRC.

use crate::format::units::Units;
use crate::source::{Host, Missing, Optional, Reading};

const NAMES: [&str; 4] = ["ssh.service", "sshd.service", "ssh.socket", "sshd.socket"];

/// Units and scripts of distributions that make missing host keys before sshd starts.
const KEY_MAKERS: [&str; 9] = [
    "/usr/lib/systemd/system/sshd-keygen@.service",
    "/usr/lib/systemd/system/sshd-keygen.service",
    "/usr/lib/systemd/system/sshdgenkeys.service",
    "/usr/lib/systemd/system/ssh-keygen.service",
    "/etc/systemd/system/sshd-keygen@.service",
    "/usr/sbin/sshd-keygen",
    "/usr/libexec/openssh/sshd-keygen",
    "/usr/sbin/sshd-gen-keys-start",
    "/usr/libexec/ssh/sshd-gen-keys-start",
];

/// Whether it is started at boot. Absent: this tree has no init system that could tell.
pub(super) fn enabled(host: &Host) -> Reading<bool> {
    let there = |path: &str| host.exists(path).map_err(Missing::Unreadable);
    // A report may have units and not the program.
    let systemd =
        there("/etc/systemd/system")? || there("/usr/lib/systemd/systemd")? || there("/lib/systemd/systemd")?;
    let units = Units::of(host);
    if systemd && NAMES.iter().any(|name| units.files.contains_key(*name)) {
        for name in NAMES {
            if units.enabled(name)? {
                return Ok(true);
            }
        }
        // Units that generators make are known while the system runs.
        for name in ["sshd-vsock.socket", "sshd-unix-local.socket"] {
            if there(&format!("/run/systemd/generator/sockets.target.wants/{name}"))?
                && name.starts_with("sshd-v")
            {
                return Ok(true);
            }
        }
        if host.is_running() {
            return Ok(false);
        }
        // Before the first boot of an image systemd's presets still decide.
        return match host.read_text("/etc/machine-id") {
            Ok(id) if !id.trim().is_empty() && id.trim() != "uninitialized" => Ok(false),
            Ok(_) | Err(Missing::Absent) => Err(Missing::Absent),
            Err(unreadable) => Err(unreadable),
        };
    }
    rc(host)
}

/// System V and OpenRC.
fn rc(host: &Host) -> Reading<bool> {
    let mut known = false;
    for dir in [
        "/etc/runlevels/default",
        "/etc/runlevels/boot",
        "/etc/rc3.d",
        "/etc/rc2.d",
        "/etc/rc5.d",
        "/etc/rc.d/rc3.d",
        "/etc/rc.d/rc5.d",
    ] {
        let Some(names) = host.names(dir).optional()? else {
            continue;
        };
        known = true;
        let starts = |name: &String| {
            let plain = name.trim_start_matches('S').trim_start_matches(|c: char| c.is_ascii_digit());
            (name.starts_with('S') || dir.starts_with("/etc/runlevels")) && matches!(plain, "ssh" | "sshd")
        };
        if names.iter().any(starts) {
            return Ok(true);
        }
    }
    match host.exists("/etc/init/ssh.conf") {
        Ok(true) => Ok(true),
        // There is no script of it at all, so it may be started in another way.
        Ok(false)
            if known
                && (host.exists("/etc/init.d/ssh") == Ok(true)
                    || host.exists("/etc/init.d/sshd") == Ok(true)) =>
        {
            Ok(false)
        }
        Ok(false) => Err(Missing::Absent),
        Err(why) => Err(Missing::Unreadable(why)),
    }
}

/// Whether missing host keys are made before sshd starts.
pub(super) fn makes_keys(host: &Host) -> bool {
    let openrc = host.exists("/sbin/openrc-run") == Ok(true) && host.exists("/etc/init.d/sshd") == Ok(true);
    openrc || KEY_MAKERS.iter().any(|path| host.exists(path) == Ok(true))
}

/// A module of PAM for sshd that may know passwords other than those of /etc/shadow.
pub(super) fn other_passwords(host: &Host) -> Option<String> {
    const OWN: [&str; 28] = [
        "pam_unix",
        "pam_deny",
        "pam_permit",
        "pam_env",
        "pam_faildelay",
        "pam_faillock",
        "pam_tally2",
        "pam_tally",
        "pam_nologin",
        "pam_succeed_if",
        "pam_localuser",
        "pam_cap",
        "pam_shells",
        "pam_securetty",
        "pam_access",
        "pam_listfile",
        "pam_sepermit",
        "pam_usertype",
        "pam_time",
        "pam_group",
        "pam_warn",
        "pam_debug",
        "pam_keyinit",
        "pam_selinux",
        "pam_gnome_keyring",
        "pam_wheel",
        "pam_ecryptfs",
        "pam_fprintd",
    ];
    const FILES: [&str; 12] = [
        "/etc/pam.d/sshd",
        "/etc/pam.d/common-auth",
        "/etc/pam.d/password-auth",
        "/etc/pam.d/system-auth",
        "/etc/pam.d/system-remote-login",
        "/etc/pam.d/system-login",
        "/etc/pam.d/base-auth",
        "/usr/lib/pam.d/sshd",
        "/usr/lib/pam.d/common-auth",
        "/usr/etc/pam.d/sshd",
        "/etc/pam.d/common-auth-pc",
        "/etc/pam.d/postlogin",
    ];
    for file in FILES {
        let text = match host.read_text(file) {
            Ok(text) => text,
            Err(Missing::Absent) => continue,
            Err(_) => return Some(file.to_owned()),
        };
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            if !matches!(words.next(), Some("auth" | "-auth")) {
                continue;
            }
            let Some(module) = words.find(|word| word.contains(".so")) else { continue };
            let name = module.rsplit('/').next().unwrap_or(module).split(".so").next().unwrap_or("");
            if !OWN.contains(&name) {
                return Some(format!("{name} of {file}"));
            }
        }
    }
    None
}

/// What completes this system at its first boot, and has not yet.
pub(super) fn provisioned(host: &Host) -> Option<&'static str> {
    const PROVISIONERS: [(&str, &str); 8] = [
        ("/usr/bin/cloud-init", "cloud-init"),
        ("/etc/cloud/cloud.cfg", "cloud-init"),
        ("/usr/bin/ignition", "Ignition"),
        ("/usr/lib/dracut/modules.d/30ignition", "Ignition"),
        ("/usr/bin/afterburn", "Afterburn"),
        ("/usr/bin/google_guest_agent", "the Google guest agent"),
        ("/usr/sbin/waagent", "the Azure agent"),
        ("/usr/bin/coreos-installer", "Ignition"),
    ];
    // An instance that was set up has its keys.
    if host.names("/var/lib/cloud/instances").is_ok_and(|names| !names.is_empty()) {
        return None;
    }
    PROVISIONERS.iter().find(|(path, _)| host.exists(path) == Ok(true)).map(|(_, name)| *name)
}

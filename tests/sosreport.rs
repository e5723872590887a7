//! Sosreports: what is in them is judged, and nothing is found or passed because something is not in them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod fixture;
mod print;

use fixture::vet;
use hostvet::engine::{About, Severity};
use hostvet::report::Report;
use hostvet::source::{Files, Host, Target};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What plugins of sosreport 4.12 copy of a host (`add_copy_spec`), as far as fixtures have such files.
const COPIED: [(&str, &[&str]); 32] = [
    ("apparmor", &["/etc/apparmor*"]),
    ("block", &["/proc/partitions", "/proc/diskstats", "/sys/block/*/queue", "/etc/crypttab"]),
    ("boot", &[]),
    ("cgroups", &["/proc/cgroups", "/sys/fs/cgroup", "/proc/[0-9]*/cgroup"]),
    ("cron", &["/etc/cron*", "/var/spool/cron"]),
    ("crypto", &["/etc/crypto-policies/*", "/etc/system-fips"]),
    ("date", &["/etc/localtime", "/etc/adjtime"]),
    (
        "filesys",
        &[
            "/proc/mounts",
            "/proc/filesystems",
            "/proc/self/mounts",
            "/proc/self/mountinfo",
            "/proc/[0-9]*/mountinfo",
            "/etc/mtab",
            "/etc/fstab",
        ],
    ),
    ("firewalld", &["/etc/firewalld/firewalld.conf", "/etc/firewalld/zones", "/etc/firewalld/policies"]),
    (
        "grub2",
        &[
            "/boot/efi/EFI/*/grub.cfg",
            "/boot/grub2/grub.cfg",
            "/boot/grub2/grubenv",
            "/boot/grub/grub.cfg",
            "/boot/loader/entries",
            "/etc/default/grub",
            "/etc/grub.d",
        ],
    ),
    ("hardware", &["/proc/interrupts", "/proc/irq", "/sys/class/dmi/id"]),
    ("host", &["/etc/sos"]),
    (
        "kernel",
        &[
            "/proc/modules",
            "/proc/buddyinfo",
            "/proc/slabinfo",
            "/proc/zoneinfo",
            "/etc/modprobe.d",
            "/lib/modprobe.d",
            "/usr/lib/modprobe.d",
            "/run/modprobe.d",
            "/etc/sysctl.conf",
            "/etc/sysctl.d",
            "/lib/sysctl.d",
            "/usr/lib/sysctl.d",
            "/run/sysctl.d",
            "/usr/local/lib/sysctl.d",
            "/proc/cmdline",
            "/proc/softirqs",
            "/proc/pressure",
            "/var/log/dmesg",
            "/sys/devices/system/clocksource",
        ],
    ),
    ("keyutils", &["/proc/key-users"]),
    ("libraries", &["/etc/ld.so.conf", "/etc/ld.so.conf.d"]),
    ("login", &["/etc/login.defs", "/etc/default/useradd"]),
    ("logs", &["/var/log/messages*", "/var/log/kern.log*", "/var/log/syslog*", "/etc/rsyslog.conf"]),
    ("md", &["/proc/mdstat", "/etc/mdadm.conf"]),
    (
        "memory",
        &[
            "/proc/meminfo",
            "/proc/vmstat",
            "/proc/swaps",
            "/sys/kernel/mm/transparent_hugepage",
            "/sys/kernel/mm/hugepages",
        ],
    ),
    (
        "networking",
        &[
            "/etc/host*",
            "/etc/network*",
            "/etc/nsswitch.conf",
            "/etc/resolv.conf",
            "/etc/gai.conf",
            "/proc/net",
            "/sys/class/net/*/device/numa_node",
            "/sys/class/net/*/flags",
            "/sys/class/net/*/statistics",
        ],
    ),
    ("networkmanager", &["/etc/NetworkManager/NetworkManager.conf", "/etc/NetworkManager/conf.d"]),
    ("nginx", &["/etc/nginx"]),
    ("pam", &["/etc/pam.d", "/etc/security", "/etc/authselect/authselect.conf"]),
    ("process", &["/proc/stat", "/proc/[0-9]*/status", "/proc/[0-9]*/limits", "/proc/[0-9]*/oom_*"]),
    ("processor", &["/proc/cpuinfo", "/sys/devices/system/cpu"]),
    ("release", &["/etc/*release", "/usr/lib/os-release"]),
    ("selinux", &["/etc/selinux/config"]),
    ("services", &["/etc/inittab", "/etc/rc.d", "/etc/rc.local", "/etc/rc[0-6S].d"]),
    ("ssh", &["/etc/ssh/ssh_config", "/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d"]),
    ("sudo", &["/etc/sudo*"]),
    ("system", &["/proc/sys", "/etc/sysconfig", "/etc/default", "/etc/environment"]),
    (
        "systemd",
        &[
            "/etc/systemd",
            "/lib/systemd/system",
            "/usr/lib/systemd/system",
            "/run/systemd/system",
            "/run/systemd/generator*",
        ],
    ),
];

fn is_copied(path: &str) -> bool {
    COPIED.iter().flat_map(|(_, specs)| *specs).any(|spec| {
        let parts: Vec<&str> = path.split('/').take(spec.split('/').count()).collect();
        glob(spec.as_bytes(), parts.join("/").as_bytes())
    })
}

/// `*` within one part, and `[0-9]`, `[0-6S]`.
fn glob(glob: &[u8], path: &[u8]) -> bool {
    match (glob, path) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => {
            let end = path.iter().position(|b| *b == b'/').unwrap_or(path.len());
            (0..=end).any(|at| self::glob(rest, &path[at..]))
        }
        ([b'[', rest @ ..], [byte, path @ ..]) => {
            let end = rest.iter().position(|b| *b == b']').unwrap();
            let is_in = match &rest[..end] {
                b"0-9" => byte.is_ascii_digit(),
                _ => (b'0'..=b'6').contains(byte) || *byte == b'S',
            };
            is_in && self::glob(&rest[end + 1..], path)
        }
        ([a, glob @ ..], [b, path @ ..]) => a == b && self::glob(glob, path),
        _ => false,
    }
}

/// The files of a fixture, all of them or those that sosreport copies; with the directories that lead to them.
fn copy(from: &Path, to: &Path, whole: bool, files: &mut Files) {
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().unwrap();
        // Links on the way are recreated.
        let is_top =
            to.components().count() == 2 || to == Path::new("/proc/net") || to == Path::new("/proc/self");
        let taken = whole || is_copied(to.to_str().unwrap());
        if kind.is_symlink() && (taken || is_top) {
            files.link(&to, fs::read_link(&from).unwrap());
        } else if kind.is_dir() {
            if taken {
                files.directory(&to);
            }
            copy(&from, &to, whole, files);
        } else if taken && kind.is_file() {
            files.file(&to, fs::read(&from).unwrap());
            files.mode(&to, entry.metadata().unwrap().permissions().mode() & 0o777);
        }
    }
}

fn manifest(version: &str, more: &str) -> String {
    let plugins: Vec<_> = COPIED
        .iter()
        .map(|(plugin, _)| format!(r#""{plugin}": {{"timeout_hit": false, "files": []}}"#))
        .collect();
    format!(
        r#"{{"version": "{version}", "cmdline": "report --batch{more}", "components": {{"report": {{"sysroot": "/", "plugins": {{{}}}}}}}}}"#,
        plugins.join(", ")
    )
}

/// What sosreport takes of the host of this fixture, and what hostnamectl says of it there.
fn report_of(root: &Path, version: &str) -> Files {
    let mut files = Files::new();
    copy(root, Path::new("/"), false, &mut files);
    files.file("/sos_reports/manifest.json", manifest(version, ""));
    files.file("/version.txt", format!("sosreport: {version}\n"));
    files.file(
        "/sos_commands/host/hostnamectl_status",
        " Static hostname: web1\n       Icon name: computer-vm\n",
    );
    print::processes(root, &mut files);
    print::units(root, &mut files);
    print::boot(root, &mut files);
    files
}

fn judged(files: Files) -> Report {
    vet(Host::new(files, Target::root("x")), &BTreeMap::new())
}

/// All hosts, and of the incidents as many as are quickly gone through: every fourth.
fn roots() -> Vec<PathBuf> {
    let (hosts, incidents) = (fixture::all("hosts"), fixture::all("incidents"));
    hosts
        .into_iter()
        .chain(incidents.into_iter().step_by(4))
        .map(|fixture| fixture.join("root"))
        .filter(|root| root.is_dir())
        .collect()
}

/// What is judged of the part would be judged so of the whole.
#[test]
fn what_was_not_collected_decides_nothing() {
    let roots = roots();
    let (next, all) = (AtomicUsize::new(0), Mutex::new((Vec::new(), BTreeSet::new())));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(root) = roots.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (wrong, judged) = compare(root);
                    let mut all = all.lock().unwrap();
                    all.0.extend(wrong);
                    all.1.extend(judged);
                }
            });
        }
    });
    let (wrong, judged) = all.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
    assert!(judged.len() > 70, "only {} rules judge anything: {judged:?}", judged.len());
}

/// What is judged of a part otherwise than of the whole, and the rules that judge the part.
fn compare(root: &Path) -> (Vec<String>, BTreeSet<String>) {
    let mut wrong = Vec::new();
    let mut all = Files::new();
    copy(root, Path::new("/"), true, &mut all);
    if fs::metadata(root.join("proc")).is_err() {
        // sosreport runs on hosts that run.
        all.directory("/proc").file("/proc/version", "Linux\n");
    }
    let (whole, part) = (judged(all), judged(report_of(root, "4.12.0")));
    let found = |report: &Report| {
        let found = report.findings.iter();
        found.map(|(rule, finding)| (rule.id.clone(), finding.item.clone())).collect::<BTreeSet<_>>()
    };
    let ids = |rules: &[(Arc<About>, String)]| {
        rules.iter().map(|(rule, _)| rule.id.clone()).collect::<BTreeSet<_>>()
    };
    let open: BTreeSet<_> = whole.unknown.iter().map(|(rule, _)| rule.id.clone()).collect();
    let name = root.parent().unwrap().file_name().unwrap().to_string_lossy();
    let mut check =
        |rule: &str, does: &str| wrong.push(format!("{name}: {rule} {does}, as something was not collected"));
    for (rule, item) in found(&part).difference(&found(&whole)) {
        check(rule, &format!("finds {item:?}"));
    }
    for rule in ids(&part.passed).difference(&ids(&whole.passed)).filter(|rule| !open.contains(*rule)) {
        check(rule, "passes");
    }
    let beside = ids(&whole.not_applicable);
    for rule in ids(&part.not_applicable).difference(&beside).filter(|rule| !open.contains(*rule)) {
        check(rule, "does not apply");
    }
    let judged =
        ids(&part.passed).into_iter().chain(found(&part).into_iter().map(|(rule, _)| rule)).collect();
    (wrong, judged)
}

/// A report as it is found in practice.
#[test]
fn a_report_is_judged_by_what_it_holds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sosreports/rhel-9/root");
    let report = vet(fixture::plain_host(&root, None), &BTreeMap::new());
    let found = fixture::findings(&report, Severity::Warning);
    assert_eq!(
        found,
        [
            "critical boot/fstab-unknown-device /etc/fstab:5 needs UUID=0c8d1f6e-1b2a-4f0c-9d3e-5a6b7c8d9e0f for /data at boot, but there is no such device",
            "critical limits/nofile-above-nr-open nofile 2000000 for * is above fs.nr_open 1048576",
            "critical storage/space / is 98 % full: 801.9 MiB of 39.2 GiB left (xfs on /dev/vda4)",
            "warning boot/failed-units a unit has failed: kdump.service",
        ]
    );
    let passed: BTreeSet<&str> = report.passed.iter().map(|(rule, _)| &*rule.id).collect();
    for id in [
        "boot/boot-space",
        "boot/default-target",
        "boot/fstab-syntax",
        "boot/grub-default-missing-kernel",
        "boot/grub-root-unknown",
        "boot/unit-gone",
        "klog/oom",
        "limits/limits-syntax",
        "load/load-high",
        "load/zombies",
        "login/sshd-config-syntax",
        "login/sshd-disabled",
        "login/sudoers-syntax",
        "memory/available-low",
        "memory/process-dominates",
        "net/default-route",
        "net/duplex-half",
        "net/nic-errors",
        "net/sshd-not-listening",
        "net/tw-buckets-low",
        "service/cron-not-enabled",
        "service/ntp-not-enabled",
        "storage/inodes",
    ] {
        assert!(passed.contains(id), "{id} does not pass");
    }
    let open: BTreeMap<&str, &str> =
        report.unknown.iter().map(|(rule, open)| (&*rule.id, &*open.reason)).collect();
    for id in [
        "boot/init-missing",
        "boot/package-files-missing",
        "load/deleted-libraries",
        "login/pam-module-missing",
        "login/passwd-format",
        "login/ssh-permissions",
        "net/link-flaps",
        "storage/deleted-open-files",
    ] {
        let reason = open.get(id).copied().unwrap_or_default();
        assert!(reason.contains("was not collected by sosreport"), "{id}: {reason}");
    }
}

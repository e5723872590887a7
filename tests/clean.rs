//! Hosts on which there is nothing to find: rules must be quiet there, and must have looked.
//!
//! `fixtures/hosts` holds root trees of freshly installed and of well-kept hosts. With `HOSTVET_REALDATA` set to a
//! directory of captured files, hostvet is run on every tree of it as well; those files are not part of this repository.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod fixture;

use fixture::{Beside, copy, failures, findings, host, plain_host, vet};
use hostvet::engine::Severity;
use hostvet::fact::Facts;
use hostvet::model::{View, json};
use hostvet::report::Report;
use hostvet::source::{Files, Host, Target};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// `host.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Clean {
    /// What kind of host it is.
    story: String,
    /// How many rules must have judged it, so that silence is no accident.
    passes_at_least: usize,
    /// Rules that must be among them.
    #[serde(default)]
    passes: Vec<String>,
    /// Rules that may leave something open, since a tree of files cannot tell it.
    #[serde(default)]
    unknown: Vec<String>,
    /// What files do not tell.
    #[serde(default)]
    beside: Beside,
}

impl Clean {
    fn mistakes(&self, report: &Report) -> Vec<String> {
        let mut mistakes = findings(report, Severity::Warning);
        mistakes.extend(failures(report).iter().map(|id| format!("hostvet itself failed on {id}")));
        let open = report.unknown.iter().filter(|(rule, _)| !self.unknown.contains(&rule.id));
        mistakes.extend(open.map(|(rule, open)| format!("unknown: {} {}", rule.id, open.reason)));
        let passed: BTreeSet<&str> = report.passed.iter().map(|(rule, _)| rule.id.as_str()).collect();
        if passed.len() < self.passes_at_least {
            mistakes.push(format!("only {} of {} rules passed", passed.len(), self.passes_at_least));
        }
        let missing = self.passes.iter().filter(|id| !passed.contains(id.as_str()));
        mistakes.extend(missing.map(|id| format!("{id} does not pass")));
        mistakes
    }
}

#[test]
fn clean_hosts_give_no_finding_and_have_been_looked_at() {
    let mut wrong = Vec::new();
    for fixture in fixture::all("hosts") {
        let clean: Clean = fixture::read(&fixture.join("host.toml"));
        let mistakes = clean.mistakes(&vet(host(&fixture, &clean.beside), &clean.beside.params));
        if !mistakes.is_empty() {
            wrong.push(format!("{}: {}\n    {}", fixture.display(), clean.story, mistakes.join("\n    ")));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What fresh hosts pass must be what the areas of rules are about, not a few rules that pass everywhere.
#[test]
fn every_area_of_rules_has_judged_a_clean_host() {
    let mut judged = BTreeSet::new();
    for fixture in fixture::all("hosts") {
        let clean: Clean = fixture::read(&fixture.join("host.toml"));
        let report = vet(host(&fixture, &clean.beside), &clean.beside.params);
        judged.extend(report.passed.iter().map(|(rule, _)| rule.area().to_owned()));
    }
    let areas: BTreeSet<String> = hostvet::engine::Library::embedded()
        .files()
        .filter_map(|file| Some(file.id.split_once('/')?.0.to_owned()))
        // These judge images only; no host is one.
        .filter(|area| area != "image")
        .collect();
    assert_eq!(judged, areas);
}

/// Captured files of real systems, where the developer has them.
fn real_data() -> Option<PathBuf> {
    let path = env::var_os("HOSTVET_REALDATA").map(PathBuf::from)?;
    assert!(path.is_dir(), "HOSTVET_REALDATA is {}, which is no directory", path.display());
    Some(path)
}

/// The directories below `path` that hold a root tree, or a part of one.
fn trees(path: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    if ["etc", "proc", "sys"].iter().any(|name| path.join(name).is_dir()) {
        found.push(path.to_path_buf());
        return;
    }
    if depth == 0 {
        return;
    }
    let mut below: Vec<PathBuf> =
        fs::read_dir(path).unwrap().filter_map(|entry| Some(entry.ok()?.path())).collect();
    below.sort();
    for path in below {
        if path.is_dir() && !path.is_symlink() {
            trees(&path, depth - 1, found);
        }
    }
}

/// A captured root with the PAM modules that its `PAM_MODULES_PRESENT.txt` lists, as stubs: binaries are not captured.
fn with_modules(root: &Path) -> Host {
    let mut files = Files::new();
    copy(root, Path::new("/"), &mut files);
    if let Ok(modules) = fs::read_to_string(root.join("PAM_MODULES_PRESENT.txt")) {
        for module in modules.split_ascii_whitespace() {
            files.file(Path::new("/usr/lib/security").join(module), b"\x7fELF".to_vec());
        }
    }
    Host::new(files, Target::root(root.display().to_string()))
}

#[test]
fn every_fact_of_real_trees_can_be_told() {
    let Some(data) = real_data() else { return };
    let mut found = Vec::new();
    trees(&data, 6, &mut found);
    for tree in found {
        let facts = Facts::new(plain_host(&tree, None));
        for position in 0..hostvet::fact::kinds().len() {
            let text = json(facts.get(position).map(View::Record)).to_string();
            assert!(!text.contains("hostvet failed on"), "{}: {text}", tree.display());
        }
    }
}

#[test]
fn real_trees_are_judged_without_failing() {
    let Some(data) = real_data() else { return };
    let mut found = Vec::new();
    trees(&data, 6, &mut found);
    assert!(found.len() > 10, "only {} trees below {}", found.len(), data.display());
    for tree in found {
        let failed = failures(&vet(plain_host(&tree, None), &Beside::default().params));
        assert!(failed.is_empty(), "{}: hostvet itself failed on {}", tree.display(), failed.join(", "));
    }
}

#[test]
fn real_distributions_give_no_finding() {
    let Some(data) = real_data() else { return };
    let roots = data.join("distro-roots");
    for root in fs::read_dir(&roots).unwrap() {
        let root = root.unwrap().path();
        let report = vet(with_modules(&root), &Beside::default().params);
        let findings = findings(&report, Severity::Warning);
        assert!(findings.is_empty(), "{}:\n{}", root.display(), findings.join("\n"));
        assert!(report.passed.len() >= 14, "{}: only {} passed", root.display(), report.passed.len());
    }
}

/// A finding that must be there: severity, rule, words of its message.
type Diagnosis = (Severity, &'static str, &'static [&'static str]);

/// Faults that were reported in public, rebuilt: the directory's number, then all that must be found.
const BROKEN: &[(&str, &[Diagnosis])] = {
    use Severity::{Critical, Info, Warning};
    &[
        (
            "01",
            &[
                (Critical, "boot/fstab-unknown-device", &["/dev/sdb1", "/boot"]),
                (Critical, "boot/fstab-unknown-device", &["/dev/sdb2", "/boot/efi"]),
                (Critical, "boot/fstab-unknown-device", &["/dev/sdb3", "/"]),
                (Info, "boot/fstab-unstable-name", &["/dev/sdb3"]),
            ],
        ),
        ("04", &[(Critical, "boot/fstab-syntax", &["/etc/fstab:4", "blank", "space"])]),
        ("06", &[(Critical, "boot/fstab-syntax", &["/etc/fstab:1", "/the/read/only/mount/point"])]),
        (
            "11",
            &[
                (Critical, "limits/nofile-above-nr-open", &["1048576", "root", "1000000"]),
                (Warning, "limits/nofile-above-nr-open", &["1048576", "root", "1000000"]),
            ],
        ),
        (
            "13",
            &[(Warning, "limits/nofile-above-nr-open", &["unlimited", "before 1.5.2", "version unknown"])],
        ),
        (
            "14",
            &[
                (Critical, "login/pam-module-missing", &["system-login:3", "pam_tally.so", "not in"]),
                // The report does not come with it.
                (Critical, "login/pam-include-missing", &["system-auth", "breaks login"]),
            ],
        ),
        (
            "17",
            &[(
                Warning,
                "login/pam-faillock-counts-nothing",
                &["system-login:3", "onerr=succeed, file=/var/log/tallylog"],
            )],
        ),
        (
            "18",
            &[
                (Critical, "memory/min-free-too-high", &["4194303 kB", "103.66 %"]),
                (Critical, "memory/available-low", &["0 B of 3.9 GiB"]),
            ],
        ),
        (
            "20",
            &[
                (Critical, "memory/hugepages-reserve", &["120 GiB", "95.53 %"]),
                (Critical, "memory/available-low", &["76 MiB"]),
            ],
        ),
        ("22", &[(Critical, "memory/overcommit-strict", &["5033164 kB", "4760535 kB"])]),
        // The kernel has no such key any more: NAT clients are in no danger there.
        ("23", &[(Info, "net/tw-recycle-removed", &["/etc/sysctl.conf:1", "4.12"])]),
        ("25", &[(Info, "sysctl/set-twice", &["net.ipv4.ip_forward", "60-cis.conf", "which wins"])]),
        (
            "26",
            &[
                (Warning, "sysctl/quoted-value", &["tcp_rmem", "\"4096 87380 4194304\""]),
                (Warning, "sysctl/quoted-value", &["tcp_wmem"]),
                (Warning, "sysctl/quoted-value", &["ping_group_range"]),
            ],
        ),
        ("28", &[(Warning, "net/tcp-mem-above-memory", &["100000000 pages", "381.5 GiB"])]),
        // Loose reverse path filtering is systemd's default, and no defect.
        ("29", &[]),
        (
            "31",
            &[
                (Critical, "net/conntrack-near", &["786430", "786432"]),
                (Warning, "klog/conntrack-full", &["dropped packets", "2 times"]),
            ],
        ),
        ("32", &[(Info, "limits/container-nofile-infinity", &["containerd.service", "1073741816"])]),
        (
            "38",
            &[(
                Critical,
                "login/sshd-config-syntax",
                &["sshd_config:11", "Port is not allowed within a Match block"],
            )],
        ),
        (
            "40",
            &[(
                Warning,
                "login/sshd-setting-overridden",
                &["PasswordAuthentication no", "50-cloud-init.conf:1"],
            )],
        ),
        (
            "08",
            &[(
                Warning,
                "boot/fstab-pool-branches",
                &["/etc/fstab:10", "/mnt/datadisk/*", "/mnt/datadrive/1"],
            )],
        ),
        ("09", &[(Warning, "boot/fstab-device-timeout", &["/etc/fstab:1", "without end"])]),
        ("34", &[(Warning, "boot/grub-settings-unclosed", &["/etc/default/grub:9"])]),
        ("45", &[(Warning, "boot/inittab-malformed", &["/etc/inittab:16", "2 more such lines"])]),
        ("43", &[(Critical, "login/root-account", &["zsh", "no absolute path"])]),
        ("36", &[(Critical, "login/selinux-policy-missing", &["/etc/selinux/targeted/policy"])]),
        ("41", &[(Critical, "login/sudoers-syntax", &["/etc/sudoers:6", "`deploy ALL=(ALL)`"])]),
    ]
};

#[test]
fn reported_faults_get_their_diagnosis() {
    let Some(data) = real_data() else { return };
    let reports: Vec<PathBuf> =
        fs::read_dir(data.join("broken-reports")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let mut wrong = Vec::new();
    for (number, expected) in BROKEN {
        let prefix = format!("{number}-");
        let report =
            reports.iter().find(|path| path.file_name().unwrap().to_string_lossy().starts_with(&prefix));
        let Some(path) = report else {
            wrong.push(format!("{number}: there is no such report"));
            continue;
        };
        let report = vet(with_modules(&path.join("root")), &Beside::default().params);
        for (severity, rule, words) in *expected {
            let is =
                |(about, finding): &(std::sync::Arc<hostvet::engine::About>, hostvet::engine::Finding)| {
                    about.id == *rule
                        && finding.severity == *severity
                        && words.iter().all(|word| finding.message.contains(word))
                };
            if !report.findings.iter().any(is) {
                wrong.push(format!("{number}: no {severity} {rule} with {words:?}"));
            }
        }
        for (about, finding) in report.findings.iter().filter(|(_, f)| f.severity >= Severity::Warning) {
            if !expected.iter().any(|(_, rule, _)| *rule == about.id) {
                wrong.push(format!("{number}: not expected: {} {}", about.id, finding.message));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

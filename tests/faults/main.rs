//! A real system, and the same system with one thing wrong at a time: the whole of it must be quiet, and every fault gives
//! the finding that names it and no other.
//!
//! `HOSTVET_SYSTEM` names the root of the system, as `tests/faults/debian-root` makes it; without it there is nothing to
//! vet and the test says so. Nothing in that directory is changed: a fault lies over it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

#[path = "../fixture/mod.rs"]
mod fixture;
mod overlay;

use fixture::{failures, is_rule, vet};
use hostvet::engine::Severity;
use hostvet::report::Report;
use hostvet::source::{Directory, Host, Source, Target, TargetKind};
use overlay::Overlay;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{env, fs, thread};

/// `faults.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Faults {
    fault: Vec<Fault>,
}

/// One thing that is wrong. `KERNEL` in a path or text is the release of the newest kernel that the system has.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    /// What was done, as one would tell a colleague.
    name: String,
    /// Files as they are afterwards.
    #[serde(default)]
    files: BTreeMap<PathBuf, String>,
    /// What was added at the end of files.
    #[serde(default)]
    append: BTreeMap<PathBuf, String>,
    /// What was replaced in files, which must be there.
    #[serde(default)]
    replace: BTreeMap<PathBuf, (String, String)>,
    /// Files that were emptied.
    #[serde(default)]
    empty: Vec<PathBuf>,
    /// What was removed, with all below it.
    #[serde(default)]
    remove: Vec<PathBuf>,
    /// Symbolic links.
    #[serde(default)]
    links: BTreeMap<PathBuf, PathBuf>,
    /// Permission bits, in octal.
    #[serde(default)]
    modes: BTreeMap<PathBuf, String>,
    /// `uid:gid`.
    #[serde(default)]
    owners: BTreeMap<PathBuf, String>,
    /// Whether the system is vetted as a golden image.
    #[serde(default)]
    image: bool,
    /// The block devices of a disk image that holds the system, as the question about them is answered.
    devices: Option<String>,
    /// The rules that must find it; no other may, at warning or above.
    finds: BTreeSet<String>,
    /// Words that the messages must have.
    #[serde(default)]
    says: Vec<String>,
}

/// A finding at warning or above, as far as two runs are compared.
type Found = BTreeSet<(String, Option<String>, String)>;

fn found(report: &Report) -> Found {
    let findings = report.findings.iter().filter(|(_, finding)| finding.severity >= Severity::Warning);
    findings.map(|(rule, f)| (rule.id.clone(), f.item.clone(), f.message.clone())).collect()
}

struct System {
    root: PathBuf,
    kernel: String,
}

impl System {
    /// None without `HOSTVET_SYSTEM`.
    fn given() -> Option<Self> {
        let root = PathBuf::from(env::var_os("HOSTVET_SYSTEM")?);
        let kernels = fs::read_dir(root.join("usr/lib/modules")).expect("the system has a kernel");
        let kernel = kernels.map(|k| k.unwrap().file_name().into_string().unwrap()).max().unwrap();
        Some(Self { root, kernel })
    }

    fn vet(&self, source: impl Source + 'static, image: bool) -> Report {
        let mut target = Target::root("/");
        if image {
            target.kind = TargetKind::Image;
        }
        target.assume = "memory=4GiB,cpus=2,platform=kvm".parse().unwrap();
        vet(Host::new(source, target), &BTreeMap::new())
    }

    fn directory(&self) -> Directory {
        Directory::open(&self.root).unwrap()
    }

    /// The system with this fault.
    fn with(&self, fault: &Fault) -> Overlay {
        let mut over = Overlay::new(self.directory());
        let path = |path: &Path| PathBuf::from(path.to_str().unwrap().replace("KERNEL", &self.kernel));
        let text = |text: &str| text.replace("KERNEL", &self.kernel);
        for (file, bytes) in &fault.files {
            over.write(&path(file), text(bytes).into_bytes());
        }
        for (file, added) in &fault.append {
            let before = over.text(&path(file));
            over.write(&path(file), (before + &text(added)).into_bytes());
        }
        for (file, (old, new)) in &fault.replace {
            let before = over.text(&path(file));
            assert!(before.contains(old), "{}: no {old:?} in {}", fault.name, file.display());
            over.write(&path(file), before.replace(old, new).into_bytes());
        }
        fault.empty.iter().for_each(|file| over.write(&path(file), Vec::new()));
        fault.remove.iter().for_each(|file| over.remove(&path(file)));
        fault.links.iter().for_each(|(link, to)| over.link(&path(link), &path(to)));
        for (file, mode) in &fault.modes {
            over.mode(&path(file), u32::from_str_radix(mode, 8).unwrap());
        }
        for (file, owner) in &fault.owners {
            let (uid, gid) = owner.split_once(':').unwrap();
            over.owner(&path(file), uid.parse().unwrap(), gid.parse().unwrap());
        }
        over.devices.clone_from(&fault.devices);
        over
    }

    /// What is wrong with what hostvet says of this fault, when `before` was found without it.
    fn mistakes(&self, fault: &Fault, [root, image]: &[Found; 2]) -> Vec<String> {
        let report = self.vet(self.with(fault), fault.image);
        let mut mistakes = failures(&report);
        let before = if fault.image { image } else { root };
        let new: Vec<_> = found(&report).difference(before).cloned().collect();
        let rules: BTreeSet<String> = new.iter().map(|(rule, ..)| rule.clone()).collect();
        for rule in fault.finds.difference(&rules) {
            let open = report.unknown.iter().find(|(about, _)| about.id == *rule);
            let why = open.map_or(String::new(), |(_, open)| format!(" (unknown: {})", open.reason));
            mistakes.push(format!("{rule} does not find it{why}"));
        }
        for (rule, _, message) in new.iter().filter(|(rule, ..)| !fault.finds.contains(rule)) {
            mistakes.push(format!("also found: {rule}: {message}"));
        }
        for words in &fault.says {
            let words = words.replace("KERNEL", &self.kernel);
            if !new.iter().any(|(.., message)| message.contains(&words)) {
                let messages: Vec<_> = new.iter().map(|(.., message)| message.as_str()).collect();
                mistakes.push(format!("nobody says {words:?}: {messages:?}"));
            }
        }
        mistakes
    }
}

/// As many rules at least have something to judge there.
const PASSED: usize = 20;

/// What depends on the disks that the system will boot from, which a directory does not show.
const DISKS: &[&str] =
    &["boot/fstab-unknown-device", "boot/grub-root-unknown", "storage/swap-device-missing"];

#[test]
fn a_real_system_is_clean() {
    let Some(system) = System::given() else {
        return eprintln!("skipped: HOSTVET_SYSTEM names no system");
    };
    let report = system.vet(system.directory(), false);
    assert_eq!(failures(&report), [""; 0]);
    assert_eq!(found(&report), Found::new());
    let passed: BTreeSet<&str> = report.passed.iter().map(|(rule, _)| rule.id.as_str()).collect();
    assert!(passed.len() >= PASSED, "only {} rules passed: {passed:?}", passed.len());
    let open: BTreeSet<&str> = report.unknown.iter().map(|(rule, _)| rule.id.as_str()).collect();
    let more: Vec<_> = open.iter().filter(|id| !DISKS.contains(id)).collect();
    assert!(more.is_empty(), "not known though all is there: {more:?}");
}

/// The disk that a real system lies on.
const DEVICES: &str = "DEVNAME=disk1\nDEVTYPE=part\nPARTN=1\nTYPE=vfat\nUUID=0A34-07DE\nCLEAN=yes\n\n\
                   DEVNAME=disk2\nDEVTYPE=part\nPARTN=2\nTYPE=ext4\nUUID=4f1d2c3b-8a67-4e5d-9c0b-1a2b3c4d5e6f\nCLEAN=yes\nERRORS=no\nERROR_COUNT=0\n\n\
                   DEVNAME=disk3\nDEVTYPE=part\nPARTN=3\nTYPE=swap\nUUID=0b9d8c7e-6f5a-4b3c-8d1e-2f3a4b5c6d7e\n";

#[test]
fn the_disk_of_a_real_system_is_clean() {
    let Some(system) = System::given() else {
        return eprintln!("skipped: HOSTVET_SYSTEM names no system");
    };
    let mut image = Overlay::new(system.directory());
    image.devices = Some(DEVICES.to_owned());
    let report = system.vet(image, true);
    assert_eq!(failures(&report), [""; 0]);
    assert_eq!(found(&report), found(&system.vet(system.directory(), true)));
    let open: Vec<&str> = report.unknown.iter().map(|(rule, _)| rule.id.as_str()).collect();
    for judged in DISKS.iter().chain(&["image/filesystem-errors", "image/filesystem-unclean"]) {
        assert!(
            report.passed.iter().any(|(rule, ..)| rule.id == *judged),
            "{judged} is not judged: {open:?}"
        );
    }
}

#[test]
fn every_fault_gives_its_finding_and_no_other() {
    let Some(system) = System::given() else {
        return eprintln!("skipped: HOSTVET_SYSTEM names no system");
    };
    let faults: Faults = fixture::read(Path::new("tests/faults/faults.toml"));
    let before = [false, true].map(|image| found(&system.vet(system.directory(), image)));
    let only = env::var("HOSTVET_FAULT").unwrap_or_default();
    let chosen: Vec<&Fault> = faults.fault.iter().filter(|fault| fault.name.contains(&only)).collect();
    let vet = |some: &[&Fault]| -> Vec<String> {
        let mistakes = some.iter().map(|fault| (fault, system.mistakes(fault, &before)));
        let wrong = mistakes.filter(|(_, mistakes)| !mistakes.is_empty());
        wrong.map(|(fault, mistakes)| format!("{}\n    {}", fault.name, mistakes.join("\n    "))).collect()
    };
    let share = chosen.len().div_ceil(thread::available_parallelism().map_or(1, usize::from)).max(1);
    let wrong: Vec<String> = thread::scope(|scope| {
        let shares: Vec<_> = chosen.chunks(share).map(|some| scope.spawn(|| vet(some))).collect();
        shares.into_iter().flat_map(|share| share.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{} of {} faults:\n{}", wrong.len(), faults.fault.len(), wrong.join("\n"));
}

/// The list is read even where there is no system.
#[test]
fn the_faults_are_told_well() {
    let faults: Faults = fixture::read(Path::new("tests/faults/faults.toml"));
    let mut names = BTreeSet::new();
    for fault in &faults.fault {
        assert!(names.insert(&fault.name), "two faults are named {:?}", fault.name);
        assert!(!fault.finds.is_empty(), "{}: nothing finds it", fault.name);
        for rule in &fault.finds {
            assert!(is_rule(rule), "{}: there is no rule {rule}", fault.name);
        }
    }
}

//! One faulty system in images of every kind: what is found is what is found in a tar of it, and what only an image can tell.
//!
//! The images in fixtures/images/systems are made by fixtures/images/make-systems. `HOSTVET_IMAGES` names a directory of others that
//! it made, of which some may not be there.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod fixture;

use fixture::vet;
use hostvet::engine::Evidence;
use hostvet::source::{Host, Options, Recording, TargetKind, open, open_capture};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Where the packed image of this name is.
fn packed(name: &str) -> PathBuf {
    let directory = match std::env::var_os("HOSTVET_IMAGES") {
        Some(directory) => PathBuf::from(directory),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/images/systems"),
    };
    directory.join(format!("{name}.zst"))
}

/// The image of this name, unpacked into the directory.
fn image(name: &str, directory: &Path) -> PathBuf {
    unpacked(&packed(name), directory)
}

fn unpacked(packed: &Path, directory: &Path) -> PathBuf {
    let mut bytes = Vec::new();
    let mut reader = ruzstd::decoding::StreamingDecoder::new(File::open(packed).unwrap()).unwrap();
    reader.read_to_end(&mut bytes).unwrap();
    let path = directory.join("image");
    fs::write(&path, bytes).unwrap();
    path
}

fn host(name: &str) -> (Host, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let path = image(name, directory.path());
    (open(&path, &Options::default()).unwrap_or_else(|e| panic!("{name}: {e}")), directory)
}

/// Every finding: its rule, how bad it is, what it says, and with what evidence.
fn findings(mut host: Host) -> BTreeSet<String> {
    host.target.kind = TargetKind::Image;
    let shown = |evidence: &Evidence| format!("{evidence:?}");
    vet(host, &BTreeMap::new())
        .findings
        .iter()
        .map(|(rule, finding)| {
            let evidence: Vec<_> = finding.evidence.iter().map(shown).collect();
            format!("{} {} {}: {}", finding.severity, rule.id, finding.message, evidence.join("; "))
        })
        .collect()
}

const IMAGES: [&str; 9] = ["ext2", "ext4", "xfs", "btrfs", "lvm.qcow2", "vmdk", "vhd", "vhdx", "vdi"];

#[test]
fn the_same_system_in_every_image_gives_the_same_findings() {
    let (tree, _directory) = host("tree.tar");
    let expected = findings(tree);
    assert!(expected.len() > 15, "{expected:#?}");
    let others = std::env::var_os("HOSTVET_IMAGES").is_some();
    for name in IMAGES.into_iter().filter(|name| !others || packed(name).exists()) {
        let (host, _directory) = host(name);
        assert_eq!(host.target.kind, TargetKind::Image, "{name}");
        assert_eq!(host.target.damage, [""; 0], "{name}");
        let found = findings(host);
        let lost: Vec<_> = expected.difference(&found).collect();
        assert!(lost.is_empty(), "{name} does not find {lost:#?}");
        // A tree of files does not show the devices that fstab names.
        let more: Vec<_> = found.difference(&expected).filter(|found| !found.contains("/data")).collect();
        assert!(more.is_empty(), "{name} also finds {more:#?}");
        assert!(found.iter().any(|found| found.contains("fstab-unknown-device")), "{name}: {found:#?}");
    }
}

#[test]
fn a_capture_of_an_image_gives_the_same_findings() {
    for name in ["ext4", "lvm.qcow2"].into_iter().filter(|name| packed(name).exists()) {
        let (image, _directory) = host(name);
        let layout = image.target.layout.clone();
        let expected = findings(image.clone());
        let (read, recording) = Recording::start(image, None);
        assert_eq!(findings(read), expected, "{name}");
        let mut capture = Vec::new();
        recording.write(Vec::new(), "2024-05-01T00:00:00Z".parse().unwrap(), &mut capture).unwrap();
        let replayed = open_capture(capture, "capture").unwrap();
        assert_eq!((replayed.target.kind, &replayed.target.layout), (TargetKind::Image, &layout), "{name}");
        assert_eq!(findings(replayed), expected, "{name}");
    }
}

/// What ostree deployed, as fixtures/images/make-ostree makes it.
mod deployed {
    use super::*;
    use hostvet::engine::Severity;
    use hostvet::fact::started_by_default;
    use hostvet::source::{BadTarget, DeploymentChoice};

    fn opened(name: &str, deployment: DeploymentChoice) -> (Result<Host, BadTarget>, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/images/ostree/{name}.zst"));
        let path = unpacked(&packed, directory.path());
        (open(&path, &Options { deployment, ..Options::default() }), directory)
    }

    fn host(name: &str, deployment: Option<&str>) -> (Host, tempfile::TempDir) {
        let choice =
            DeploymentChoice { name: deployment.map(str::to_owned), boots: Some(started_by_default) };
        let (opened, directory) = opened(name, choice);
        (opened.unwrap_or_else(|e| panic!("{name}: {e}")), directory)
    }

    fn as_container(mut host: Host) -> Host {
        host.target.kind = TargetKind::ContainerImage;
        host
    }

    const DISKS: [&str; 3] = ["bootc.qcow2", "coreos.qcow2", "btrfs"];

    #[test]
    fn the_deployment_that_boots_is_judged_as_the_tree_that_it_is_once_it_runs() {
        let (booted, _directory) = host("booted.tar", None);
        let expected = findings(booted);
        assert!(expected.len() > 8, "{expected:#?}");
        for name in DISKS.into_iter().chain(["physical.tar"]) {
            let (host, _directory) = host(name, None);
            let has = |words: &str| host.target.layout.iter().any(|part| part.contains(words));
            assert!(
                has("/ is the deployment rhel/") && has("which boots by default"),
                "{:?}",
                host.target.layout
            );
            assert_eq!(host.target.damage, [""; 0], "{name}");
            let is_disk = host.target.kind == TargetKind::Image;
            assert_eq!(is_disk, DISKS.contains(&name));
            let found = findings(host);
            let lost: Vec<_> = expected.difference(&found).collect();
            assert!(lost.is_empty(), "{name} does not find {lost:#?}");
            let more: Vec<_> = found.difference(&expected).filter(|found| !found.contains("/data")).collect();
            assert!(more.is_empty(), "{name} also finds {more:#?}");
            assert_eq!(found.iter().any(|found| found.contains("fstab-unknown-device")), is_disk, "{name}");
        }
    }

    #[test]
    fn the_other_deployment_is_clean_and_has_been_looked_at() {
        for name in DISKS.into_iter().chain(["physical.tar"]) {
            let (default, _directory) = host(name, None);
            let other = default
                .target
                .layout
                .iter()
                .find_map(|part| part.strip_prefix("there is also the deployment "));
            let id = other.and_then(|other| other.split_once('/')?.1.get(..10)).unwrap();
            let (mut other, _directory) = host(name, Some(id));
            other.target.kind = TargetKind::Image;
            let report = vet(other, &BTreeMap::new());
            assert_eq!(fixture::findings(&report, Severity::Warning), [""; 0], "{name}");
            let judged = |id: &str| report.passed.iter().any(|(rule, _)| rule.id == id);
            for id in [
                "boot/grub-config-missing",
                "boot/grub-default-missing-kernel",
                "boot/init-missing",
                "boot/initramfs-broken",
                "boot/kernel-set-incomplete",
                "boot/ostree-deployment-missing",
                "boot/package-files-missing",
                "login/altfiles-missing",
                "login/nss-library-missing",
                "login/home-permissions",
            ] {
                assert!(judged(id), "{name}: {id} does not pass");
            }
        }
    }

    #[test]
    fn as_an_image_of_a_container_it_has_no_boot() {
        let (default, _directory) = host("physical.tar", None);
        let report = vet(as_container(default), &BTreeMap::new());
        let found = fixture::findings(&report, Severity::Warning);
        assert!(found.iter().any(|found| found.contains("login/empty-password")), "{found:#?}");
        assert!(!found.iter().any(|found| found.contains(" boot/")), "{found:#?}");
    }

    #[test]
    fn what_boots_is_not_guessed() {
        let (several, _directory) = opened("coreos.qcow2", DeploymentChoice::default());
        let message = several.unwrap_err().to_string();
        assert!(message.contains("which of them boots by default cannot be told: rhel/"), "{message}");
        let choice =
            |name: &str| DeploymentChoice { name: Some(name.into()), boots: Some(started_by_default) };
        let (unknown, _directory) = opened("btrfs", choice("fedora"));
        let message = unknown.unwrap_err().to_string();
        assert!(message.starts_with("holds no deployment `fedora`; there is rhel/"), "{message}");
        // Of those that the name fits, the one that boots.
        let (named, _directory) = host("btrfs", Some("rhel"));
        assert!(named.target.layout.iter().any(|part| part.contains("which boots by default")));
        let (plain, _directory) = opened("booted.tar", choice("rhel"));
        assert!(plain.unwrap_err().to_string().starts_with("holds no deployments of ostree"));
    }

    #[test]
    fn a_capture_of_it_gives_the_same_findings() {
        let (image, _directory) = host("coreos.qcow2", None);
        let expected = findings(image.clone());
        let (read, recording) = Recording::start(image, None);
        assert_eq!(findings(read), expected);
        let mut capture = Vec::new();
        recording.write(Vec::new(), "2024-05-01T00:00:00Z".parse().unwrap(), &mut capture).unwrap();
        assert_eq!(findings(open_capture(capture, "capture").unwrap()), expected);
    }
}

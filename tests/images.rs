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
    let packed = packed(name);
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

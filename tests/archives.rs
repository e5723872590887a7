//! One tree, in every form that a target may have: what is found is the same.
//!
//! The archives are made here, in memory; no program is needed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod fixture;

use fixture::vet;
use flate2::Compression;
use flate2::write::GzEncoder;
use hostvet::report::json;
use hostvet::source::{Directory, Host, Options, Target, TargetKind, open};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tar::{Builder, EntryType, Header};

fn tree() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hosts/debian-12/root")
}

/// Every path of the tree, directories before what is in them.
fn paths(directory: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        found.push(path.clone());
        if fs::symlink_metadata(&path).unwrap().is_dir() {
            paths(&path, found);
        }
    }
}

fn all() -> Vec<PathBuf> {
    let mut found = Vec::new();
    paths(&tree(), &mut found);
    found
}

/// A tar of these paths of the tree, below `prefix`, with their modes and owners.
fn tar(prefix: &str, paths: &[PathBuf], more: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    tar.follow_symlinks(false);
    for path in paths {
        let name = format!("{prefix}{}", path.strip_prefix(tree()).unwrap().display());
        let stat = fs::symlink_metadata(path).unwrap();
        let mut header = Header::new_gnu();
        header.set_metadata(&stat);
        header.set_mtime(stat.mtime().try_into().unwrap());
        if stat.is_symlink() {
            header.set_size(0);
            tar.append_link(&mut header, name, fs::read_link(path).unwrap()).unwrap();
        } else if stat.is_dir() {
            header.set_size(0);
            tar.append_data(&mut header, name, std::io::empty()).unwrap();
        } else {
            tar.append_data(&mut header, name, fs::File::open(path).unwrap()).unwrap();
        }
    }
    for (name, bytes) in more {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, format!("{prefix}{name}"), *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut packed = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut packed = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// Two layers: the lower one has something that the upper one hides.
fn layers() -> [Vec<u8>; 2] {
    let all = all();
    let (lower, upper) = all.split_at(all.len() / 2);
    let hidden: &[(&str, &[u8])] = &[("etc/sysctl.d/99-hidden.conf", b"vm.panic_on_oom = 1\n")];
    let whiteout: &[(&str, &[u8])] = &[("etc/sysctl.d/.wh.99-hidden.conf", b"")];
    [gzip(&tar("", lower, hidden)), tar("", upper, whiteout)]
}

const CONFIG: &str = r#"{"os": "linux", "architecture": "amd64", "config": {"User": "app"}}"#;

/// The files of an OCI layout.
fn oci() -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut blob = |bytes: Vec<u8>| {
        let hash: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        let descriptor = format!(r#"{{"digest": "sha256:{hash}", "size": {}}}"#, bytes.len());
        files.insert(format!("blobs/sha256/{hash}"), bytes);
        descriptor
    };
    let [lower, upper] = layers().map(&mut blob);
    let config = blob(CONFIG.into());
    let manifest = blob(format!(r#"{{"config": {config}, "layers": [{lower}, {upper}]}}"#).into());
    files.insert("index.json".into(), format!(r#"{{"manifests": [{manifest}]}}"#).into());
    files.insert("oci-layout".into(), br#"{"imageLayoutVersion": "1.0.0"}"#.to_vec());
    files
}

/// Those of an image that Docker saved before it knew of OCI.
fn docker() -> BTreeMap<String, Vec<u8>> {
    let [lower, upper] = layers();
    let manifest =
        r#"[{"Config": "c.json", "RepoTags": ["app:1"], "Layers": ["a/layer.tar", "b/layer.tar"]}]"#;
    let files = [
        ("a/layer.tar", lower),
        ("b/layer.tar", upper),
        ("c.json", CONFIG.into()),
        ("manifest.json", manifest.into()),
    ];
    files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect()
}

fn tar_of(files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let files: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    tar("", &[], &files)
}

fn write(directory: &Path, files: &BTreeMap<String, Vec<u8>>) {
    for (name, bytes) in files {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// Every form of the tree, in files of a directory, and whether it is a container's image.
fn forms(directory: &Path) -> Vec<(PathBuf, bool)> {
    let plain = tar("./", &all(), &[]);
    let sosreport: &[(&str, &[u8])] = &[("version.txt", b"sosreport: 4.5\n")];
    let mut forms = Vec::new();
    let mut add = |name: &str, bytes: Vec<u8>, image: bool| {
        // No name says what it is.
        fs::write(directory.join(name), bytes).unwrap();
        forms.push((directory.join(name), image));
    };
    add("gzip", gzip(&plain), false);
    add("xz", xz(&plain), false);
    add("zstd", zstd(&plain), false);
    add("bzip2", bzip2(&plain), false);
    add("sosreport", xz(&tar("sosreport-web1-2024-05-01/", &all(), sosreport)), false);
    add("rootfs", tar("rootfs/", &all(), &[]), false);
    add("plain", plain, false);
    add("oci", tar_of(&oci()), true);
    add("docker", tar_of(&docker()), true);
    add("docker-gzip", gzip(&tar_of(&docker())), true);
    for (name, files) in [("oci-directory", oci()), ("docker-directory", docker())] {
        write(&directory.join(name), &files);
        forms.push((directory.join(name), true));
    }
    forms
}

/// The report but for the name of the target.
fn report(mut host: Host) -> String {
    host.target.name = "tree".into();
    let mut out = Vec::new();
    json(&vet(host, &BTreeMap::new()), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_same_tree_in_every_form_gives_the_same_report() {
    let of_directory = |kind| {
        let target = Target { kind, ..Target::root("tree") };
        report(Host::new(Directory::open(&tree()).unwrap(), target))
    };
    let expected = [TargetKind::Root, TargetKind::ContainerImage].map(of_directory);
    let directory = tempfile::tempdir().unwrap();
    for (path, image) in forms(directory.path()) {
        let host = open(&path, &Options::default()).unwrap();
        let found = report(host);
        for (found, expected) in found.lines().zip(expected[usize::from(image)].lines()) {
            assert_eq!(found, expected, "{}", path.display());
        }
        assert_eq!(found.len(), expected[usize::from(image)].len(), "{}", path.display());
    }
}

#[test]
fn targets_that_are_no_tree_are_told_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let check = |name: &str, bytes: &[u8], args: &[&str]| {
        let path = directory.path().join(name);
        fs::write(&path, bytes).unwrap();
        let mut hostvet = Command::new(env!("CARGO_BIN_EXE_hostvet"));
        let output = hostvet.arg("check").arg(&path).args(args).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let mut qcow2 = b"QFI\xfb".to_vec();
    qcow2.resize(1024, 0);
    let mut boot_sector = vec![0; 4096];
    boot_sector[510..512].copy_from_slice(b"\x55\xaa");
    let tar = tar("", &all(), &[]);
    for (name, bytes, args, told) in [
        ("disk", qcow2.as_slice(), &[][..], "is a qcow2 image of version 0"),
        ("a.xz", b"\xfd7zXZ\0garbage", &[], "the compressed archive is damaged"),
        ("d.img", &boot_sector, &[], "holds no root file system"),
        ("d.img.gz", &gzip(&boot_sector), &[], "is a packed disk image: unpack it first"),
        ("text", b"hello", &[], "is a text file: give a directory"),
        ("empty", b"", &[], "is empty: give a directory"),
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", &[], "is nothing that is known here"),
        ("luks", b"LUKS\xba\xbe\0\x02", &[], "is encrypted (LUKS): open it with `cryptsetup open"),
        (
            "short.tar",
            b"hello",
            &["--kind", "tar"],
            "holds no root tree: neither etc, usr nor proc is in it; the archive ends early, at byte 5",
        ),
        ("a.tar", &tar, &["--kind", "directory"], "is a file, not a directory"),
        ("b.tar", &tar, &["--kind", "container-image"], "lacks manifest.json"),
        ("c.tar", &tar, &["--image", "app"], "is no container image"),
        ("d.tar", &tar, &["--platform", "linux"], "is no platform"),
        ("e.tar", &tar, &["--root-partition", "disk2"], "is no disk"),
        ("g.tar", &tar, &["--deployment", "rhel"], "holds no deployments of ostree"),
        ("f.tar", &tar, &["--kind", "disk"], "holds no root file system"),
    ] {
        let (status, error) = check(name, bytes, args);
        assert_eq!(status, Some(2), "{name}: {error}");
        assert!(error.contains(told), "{name}: {error}");
    }
}

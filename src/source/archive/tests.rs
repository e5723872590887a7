use super::super::{FileKind, Unreadable};
use super::*;
use ::tar::{Builder, EntryType, Header};
use flate2::{Compression, write::GzEncoder};
use std::io::Write;

/// A tar that the `tar` crate writes.
struct Tar(Builder<Vec<u8>>);

impl Tar {
    fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    fn add(mut self, kind: EntryType, path: &str, link: &str, bytes: &[u8], mode: u32) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(mode);
        header.set_uid(3);
        header.set_gid(4);
        header.set_mtime(1_700_000_000);
        let name = header.as_gnu_mut().unwrap();
        // As they are, `..` and all: the builder would refuse them.
        let (path, link) = (path.as_bytes(), link.as_bytes());
        name.name[..path.len()].copy_from_slice(path);
        name.linkname[..link.len()].copy_from_slice(link);
        header.set_cksum();
        self.0.append(&header, bytes).unwrap();
        self
    }

    fn file(self, path: &str, text: &str) -> Self {
        self.add(EntryType::Regular, path, "", text.as_bytes(), 0o640)
    }

    fn directory(self, path: &str) -> Self {
        self.add(EntryType::Directory, path, "", b"", 0o750)
    }

    fn link(self, path: &str, to: &str) -> Self {
        self.add(EntryType::Symlink, path, to, b"", 0o777)
    }

    fn hard_link(self, path: &str, to: &str) -> Self {
        self.add(EntryType::Link, path, to, b"", 0o640)
    }

    fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }

    fn open(self) -> Archive {
        open(self.bytes()).unwrap()
    }
}

fn open(bytes: Vec<u8>) -> Result<Archive, BadArchive> {
    Archive::of_bytes(bytes, &Choice::default())
}

fn limited(bytes: Vec<u8>, limits: &Limits) -> Result<Archive, BadArchive> {
    Archive::of(Arc::new(Held(bytes)), None, &Choice::default(), limits)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn read(source: &dyn Source, path: &str) -> Reading<String> {
    source.read(Path::new(path), 1 << 20).map(crate::source::text)
}

fn why(reading: Reading<impl std::fmt::Debug>) -> String {
    match reading {
        Err(Missing::Unreadable(Unreadable { reason, .. })) => reason.to_string(),
        other => panic!("{other:?}"),
    }
}

fn ok(text: &str) -> Reading<String> {
    Ok(text.into())
}

fn names(source: &dyn Source, path: &str) -> Vec<String> {
    let entries = source.list(Path::new(path)).unwrap();
    entries.into_iter().map(|entry| entry.name.into_string().unwrap()).collect()
}

#[test]
fn a_tar_is_a_tree_with_modes_owners_and_times() {
    let tar =
        Tar::new().directory("./").directory("./etc/").file("./etc/fstab", "x").link("./etc/mtab", "fstab");
    let archive = tar.add(EntryType::Char, "./dev/null", "", b"", 0o666).open();
    assert_eq!((read(&archive, "/etc/fstab"), read(&archive, "/etc/mtab")), (ok("x"), ok("x")));
    assert_eq!(
        (names(&archive, "/"), names(&archive, "/etc/")),
        (vec!["dev".into(), "etc".into()], vec!["fstab".into(), "mtab".into()])
    );
    let stat = archive.stat(Path::new("/etc/mtab")).unwrap();
    assert_eq!((stat.mode, stat.uid, stat.gid, stat.size, stat.mtime), (0o640, 3, 4, 1, 1_700_000_000));
    assert_eq!(archive.lstat(Path::new("/etc/mtab")).unwrap().kind, FileKind::Link);
    assert_eq!(archive.stat(Path::new("/etc")).unwrap().mode, 0o750);
    assert_eq!(why(archive.read(Path::new("/dev/null"), 9)), "is a character device");
    assert_eq!(why(archive.read(Path::new("/etc"), 9)), "is a directory");
    assert_eq!(why(archive.read(Path::new("/etc/fstab"), 0)), "is larger than 0 KiB");
    assert_eq!(archive.read(Path::new("/etc/none"), 9), Err(Missing::Absent));
    assert_eq!(archive.list(Path::new("/none")), Err(Missing::Absent));
    assert_eq!(archive.read_tail(Path::new("/etc/fstab"), 0), Ok(Tail { bytes: vec![], skipped: 1 }));
}

#[test]
fn nothing_leads_out_of_the_root() {
    let archive = Tar::new()
        .file("../../etc/a", "up")
        .file("/etc/b", "absolute")
        .link("etc/c", "/etc/a")
        .link("etc/d", "../../../etc/b")
        .link("etc/loop", "loop")
        .link("lib", "usr/lib")
        .file("usr/lib/x", "x")
        .file("lib/y", "through the link")
        .open();
    for (path, text) in [("a", "up"), ("b", "absolute"), ("c", "up"), ("d", "absolute")] {
        assert_eq!(read(&archive, &format!("/etc/{path}")), ok(text), "{path}");
    }
    assert_eq!(why(read(&archive, "/etc/loop")), "links lead in a circle");
    assert_eq!(archive.lstat(Path::new("/lib/x")).map(|stat| stat.kind), Ok(FileKind::File));
    assert_eq!(archive.lstat(Path::new("/lib/none/z")), Err(Missing::Absent));
    assert_eq!((read(&archive, "/usr/lib/y"), read(&archive, "/lib/x")), (ok("through the link"), ok("x")));
}

#[test]
fn the_last_of_several_members_counts() {
    let archive = Tar::new()
        .file("etc/a", "first")
        .hard_link("etc/b", "etc/a")
        .file("etc/a", "second")
        .hard_link("etc/none", "etc/nowhere")
        .hard_link("etc/directory", "etc")
        .file("etc/d/x", "x")
        .file("etc/d", "a file now")
        .open();
    assert_eq!((read(&archive, "/etc/a"), read(&archive, "/etc/b")), (ok("second"), ok("first")));
    assert!(why(read(&archive, "/etc/none")).contains("is a hard link to a file"));
    assert!(why(read(&archive, "/etc/directory")).contains("is a hard link to a file"));
    assert_eq!(read(&archive, "/etc/d"), ok("a file now"));
}

#[test]
fn long_names_and_records_are_read() {
    let long = format!("etc/{}/file", "a".repeat(120));
    let mut tar = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_size(2);
    tar.append_data(&mut header, &long, &b"ok"[..]).unwrap();
    tar.append_pax_extensions([
        ("path", &b"etc/pax"[..]),
        ("uid", b"3000000"),
        ("mtime", b"12.5"),
        ("size", b"3"),
    ])
    .unwrap();
    let mut header = Header::new_ustar();
    header.set_size(3);
    header.set_path("other").unwrap();
    header.set_cksum();
    tar.append(&header, &b"pax"[..]).unwrap();
    let archive = open(tar.into_inner().unwrap()).unwrap();
    assert_eq!((read(&archive, &format!("/{long}")), read(&archive, "/etc/pax")), (ok("ok"), ok("pax")));
    let stat = archive.stat(Path::new("/etc/pax")).unwrap();
    assert_eq!((stat.uid, stat.mtime), (3_000_000, 12));
}

/// As GNU tar writes them: see fixtures/archives/make.
#[test]
fn sparse_files_are_read_in_every_format() {
    let mut many = vec![0; 4 << 20];
    for i in 0..30 {
        let piece = format!("piece {i}\n");
        many[i * 131_072..][..piece.len()].copy_from_slice(piece.as_bytes());
    }
    let (mut one, mut ends) = (vec![0; 1 << 20], vec![0; 300_000]);
    one[524_288..][..7].copy_from_slice(b"middle\n");
    ends[..5].copy_from_slice(b"start");
    ends[299_990..].copy_from_slice(b"end here!\n");
    let expected = [
        ("one", one),
        ("ends", ends),
        ("many", many),
        ("hole", vec![0; 100_000]),
        ("plain", b"after\n".to_vec()),
    ];
    for name in ["gnu", "pax-0.0", "pax-0.1", "pax-1.0"] {
        let path = format!("{}/fixtures/archives/sparse-{name}.tar.xz", env!("CARGO_MANIFEST_DIR"));
        let packed = std::fs::read(path).unwrap();
        let mut plain = Vec::new();
        lzma_rust2::XzReader::new(&*packed, false).read_to_end(&mut plain).unwrap();
        let nothing_kept = Limits { kept: 0, ..Limits::default() };
        for archive in
            [open(plain).unwrap(), open(packed.clone()).unwrap(), limited(packed, &nothing_kept).unwrap()]
        {
            assert_eq!(names(&archive, "/etc"), ["ends", "hole", "many", "one", "plain"]);
            for (file, bytes) in &expected {
                let path = Path::new("/etc").join(file);
                assert!(archive.read(&path, 8 << 20).unwrap() == *bytes, "{name} {file}");
                let mut streamed = Vec::new();
                archive.stream(&path).unwrap().read_to_end(&mut streamed).unwrap();
                assert!(streamed == *bytes, "{name} {file}, streamed");
                let tail = archive.read_tail(&path, 10).unwrap();
                assert_eq!(tail.bytes, bytes[bytes.len().saturating_sub(10)..]);
                let stat = archive.stat(&path).unwrap();
                assert_eq!(stat.size, bytes.len() as u64);
                assert!(
                    stat.allocated <= 30 * 4096 + 1024 && (*file == "plain" || stat.allocated < stat.size)
                );
            }
        }
    }
}

#[test]
fn a_sparse_file_whose_map_makes_no_sense_is_there_and_unreadable() {
    let mut tar = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::GNUSparse);
    header.set_path("etc/sparse").unwrap();
    header.set_size(512);
    let gnu = header.as_gnu_mut().unwrap();
    gnu.realsize[..11].copy_from_slice(b"00000100000");
    gnu.isextended = [1];
    header.set_cksum();
    // One more block of holes, then the data.
    tar.append(&header, &[0; 0][..]).unwrap();
    let mut bytes = tar.into_inner().unwrap();
    bytes.truncate(512);
    bytes.extend([0; 512]);
    bytes.extend([b'x'; 512]);
    bytes.extend(Tar::new().file("etc/next", "next").bytes());
    let archive = open(bytes).unwrap();
    assert!(why(read(&archive, "/etc/sparse")).contains("sparse"));
    assert_eq!(archive.stat(Path::new("/etc/sparse")).unwrap().size, 32768);
    assert_eq!(read(&archive, "/etc/next"), ok("next"));
}

#[test]
fn the_directory_around_the_root_is_found() {
    let sos =
        Tar::new().file("sosreport-a-2024/etc/fstab", "x").file("sosreport-a-2024/version.txt", "4").open();
    assert_eq!(read(&sos, "/etc/fstab"), ok("x"));
    let runc = Tar::new()
        .file("config.json", "{}")
        .link("rootfs/etc/abs", "/etc/a")
        .file("rootfs/etc/a", "a")
        .open();
    assert_eq!(read(&runc, "/etc/abs"), ok("a"));
    let several = open(Tar::new().file("a/etc/x", "").file("b/usr/x", "").bytes());
    assert!(matches!(several, Err(BadArchive::SeveralRoots(paths)) if paths == ["a/", "b/"]));
    let none = open(Tar::new().file("a/b/x", "").bytes()).unwrap_err().to_string();
    assert!(none.contains("holds no root tree"), "{none}");
}

#[test]
fn what_is_not_kept_is_unpacked_again() {
    let (large, tar) = ("large ".repeat(1000), Tar::new());
    let tar =
        tar.file("opt/a", &large).file("etc/fstab", "x").file("opt/b", "b").file("usr/bin/ls", "ls").bytes();
    let archive = limited(gzip(&tar), &Limits { kept: 10, ..Limits::default() }).unwrap();
    assert_eq!(read(&archive, "/etc/fstab"), ok("x"));
    // In the order they lie in, one pass is enough.
    assert_eq!((read(&archive, "/opt/a"), read(&archive, "/opt/b")), (ok(&large), ok("b")));
    assert_eq!(read(&archive, "/usr/bin/ls"), ok("ls"));
    for _ in 0..3 {
        assert_eq!(read(&archive, "/opt/b"), ok("b"));
    }
    assert_eq!(read(&archive, "/opt/a"), ok(&large));
    assert_eq!(read(&archive, "/etc/fstab"), ok("x"));
}

#[test]
fn bombs_end_at_the_limit() {
    let tar =
        Tar::new().file("etc/a", "a").file("opt/zeros", &"\0".repeat(4 << 20)).file("etc/b", "b").bytes();
    let archive = limited(gzip(&tar), &Limits { unpacked: 1 << 20, ..Limits::default() }).unwrap();
    assert_eq!(read(&archive, "/etc/a"), ok("a"));
    assert!(why(read(&archive, "/etc/b")).contains("no more than 1 MiB"));
    let many = (0..50).fold(Tar::new(), |tar, i| tar.file(&format!("etc/{i}/x"), "x")).bytes();
    let archive = limited(many, &Limits { entries: 60, ..Limits::default() }).unwrap();
    assert!(why(read(&archive, "/etc/40/x")).contains("more than 60 entries"));
    assert!(why(archive.list(Path::new("/etc"))).contains("more than 60 entries"));
    assert_eq!(read(&archive, "/etc/3/x"), ok("x"));
}

/// A name, or records, that claim to be of any size.
#[test]
fn long_names_cost_no_memory() {
    for kind in [EntryType::GNULongName, EntryType::XHeader, EntryType::XGlobalHeader] {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(8 << 30);
        header.set_cksum();
        let bytes = [&Tar::new().file("etc/a", "a").bytes()[..1024], header.as_bytes()].concat();
        let archive = open(bytes).unwrap();
        assert_eq!(read(&archive, "/etc/a"), ok("a"));
        assert!(why(read(&archive, "/etc/b")).contains("the archive is damaged at byte 1024"));
    }
}

#[test]
fn an_archive_that_ends_early_keeps_what_was_read() {
    let whole = Tar::new().file("etc/a", "a").directory("etc/d").file("etc/b", "b").bytes();
    for cut in (0..whole.len() - 1024).step_by(512) {
        for packed in [false, true] {
            let bytes = if packed { gzip(&whole[..cut]) } else { whole[..cut].to_vec() };
            let Ok(archive) = open(bytes) else {
                assert!(cut < 512, "{cut} {packed}");
                continue;
            };
            match cut >= 1024 {
                true => assert_eq!(read(&archive, "/etc/a"), ok("a")),
                false => assert!(why(read(&archive, "/etc/a")).contains("ends early"), "{cut}"),
            }
            let b = read(&archive, "/etc/b");
            assert!(cut >= 2560 && b == ok("b") || why(b.clone()).contains("ends early"), "{cut} {b:?}");
            assert!(why(read(&archive, "/etc/none")).contains("the archive ends early"), "{cut}");
        }
    }
    let packed = gzip(&whole);
    for cut in 0..packed.len() {
        match open(packed[..cut].to_vec()) {
            Ok(archive) => assert!(why(read(&archive, "/etc/none")).contains("ends early"), "{cut}"),
            Err(error) => assert!(error.to_string().contains("ends early") || cut < 10, "{cut}: {error}"),
        }
    }
}

/// A plain tar: a changed byte of contents cannot be noticed. A compressed one has a checksum.
#[test]
fn damage_is_told_and_never_hangs() {
    let whole = Tar::new()
        .file("etc/a", "a")
        .link("etc/l", "a")
        .hard_link("etc/h", "etc/a")
        .file("etc/b", "b")
        .bytes();
    let mut seed = 1_u64;
    let packed = gzip(&whole);
    for bytes in [&whole, &packed] {
        for _ in 0..2_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut damaged = bytes.clone();
            let place = (seed >> 33) as usize % damaged.len();
            damaged[place] ^= 1 << ((seed >> 20) & 7);
            let Ok(archive) = open(damaged) else { continue };
            for path in ["/etc/a", "/etc/l", "/etc/h", "/etc/b", "/etc", "/"] {
                let (text, list) = (archive.read(Path::new(path), 1 << 20), archive.list(Path::new("/")));
                if bytes == &packed && path != "/etc" && path != "/" {
                    // The header of gzip holds a time and a name that nobody reads.
                    let is_whole = text.is_err()
                        || text == Ok(path.as_bytes()[5..].to_vec())
                        || text == Ok(b"a".to_vec());
                    // Damage may look as if the stream ended early.
                    let cut = matches!(list, Err(Missing::Unreadable(_)));
                    assert!(is_whole || place < 10 || cut, "{place}: {text:?}");
                }
            }
        }
    }
}

#[test]
fn a_checksum_that_is_wrong_makes_all_of_it_doubtful() {
    let mut packed = gzip(&Tar::new().file("etc/a", "a").bytes());
    let place = packed.len() - 8;
    packed[place] ^= 1;
    let error = open(packed).unwrap_err().to_string();
    assert!(error.contains("the compressed archive is damaged"), "{error}");
}

/// A tar of files without contents, as many as are wanted, without the memory for them.
#[derive(Debug)]
struct Many(u64);

impl Bytes for Many {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        into.fill(0);
        if at / 512 < self.0 {
            let mut header = Header::new_old();
            let number = at / 512;
            let name = format!("etc/{}/{number}", number / 1000);
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(0);
            header.set_cksum();
            let n = into.len().min(512);
            into[..n].copy_from_slice(&header.as_bytes()[..n]);
        }
        Ok(into.len())
    }

    fn known_len(&self) -> Option<u64> {
        Some(512 * (self.0 + 2))
    }
}

#[test]
fn members_without_end_are_given_up() {
    let limits = Limits { entries: 50_000, ..Limits::default() };
    let of = |many| Archive::of(Arc::new(Many(many)), None, &Choice::default(), &limits).unwrap();
    assert_eq!(read(&of(40_000), "/etc/39/39999"), ok(""));
    let archive = of(u64::MAX / 1024);
    assert_eq!(read(&archive, "/etc/49/49000"), ok(""));
    assert!(why(archive.list(Path::new("/etc/5"))).contains("more than 50000 entries"));
}

mod damage;

mod images {
    use super::*;
    use sha2::{Digest, Sha256};
    use std::collections::BTreeMap;

    #[derive(Default)]
    pub(super) struct Layout(pub(super) BTreeMap<String, Vec<u8>>);

    impl Layout {
        fn blob(&mut self, bytes: impl Into<Vec<u8>>) -> String {
            let bytes = bytes.into();
            let hash: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
            let descriptor = format!(r#""digest": "sha256:{hash}", "size": {}"#, bytes.len());
            self.0.insert(format!("blobs/sha256/{hash}"), bytes);
            descriptor
        }

        pub(super) fn image(&mut self, platform: &str, layers: &[Vec<u8>]) -> String {
            let layers: Vec<_> =
                layers.iter().map(|layer| format!("{{{}}}", self.blob(layer.clone()))).collect();
            let config =
                format!(r#"{{"os": "linux", "architecture": "{platform}", "config": {{"User": "app"}}}}"#);
            let config = self.blob(config);
            let manifest = format!(r#"{{"config": {{{config}}}, "layers": [{}]}}"#, layers.join(","));
            self.blob(manifest)
        }

        pub(super) fn index(&mut self, images: &[(String, &str)]) {
            let one = |(descriptor, name): &(String, &str)| {
                format!(
                    r#"{{{descriptor}, "annotations": {{"org.opencontainers.image.ref.name": "{name}"}}}}"#
                )
            };
            let images: Vec<_> = images.iter().map(one).collect();
            self.0.insert("index.json".into(), format!(r#"{{"manifests": [{}]}}"#, images.join(",")).into());
        }

        pub(super) fn tar(&self) -> Vec<u8> {
            let mut tar = Tar::new();
            for (path, bytes) in &self.0 {
                tar = tar.add(EntryType::Regular, path, "", bytes, 0o644);
            }
            tar.bytes()
        }
    }

    fn layers() -> Vec<Vec<u8>> {
        let lower = Tar::new()
            .file("etc/a", "lower a")
            .file("etc/b", "lower b")
            .file("etc/d/x", "x")
            .file("etc/d/y", "y")
            .file("usr/lib/os-release", "ID=a")
            .link("lib", "usr/lib");
        let upper = Tar::new()
            .file("etc/b", "upper b")
            .file("etc/.wh.a", "")
            // What hides the lower ones comes after the own one, and does not hide it.
            .file("etc/d/z", "z")
            .file("etc/d/.wh..wh..opq", "")
            .file(".wh..wh.plnk", "")
            .file("etc/.wh...", "");
        vec![gzip(&lower.bytes()), upper.bytes()]
    }

    #[test]
    fn upper_layers_hide_what_they_say() {
        let mut layout = Layout::default();
        let image = layout.image("amd64", &layers());
        layout.index(&[(image, "app")]);
        for bytes in [layout.tar(), gzip(&layout.tar())] {
            let archive = open(bytes).unwrap();
            assert_eq!(archive.kind(), TargetKind::ContainerImage);
            assert_eq!(read(&archive, "/etc/a"), Err(Missing::Absent));
            assert_eq!(
                (read(&archive, "/etc/b"), read(&archive, "/lib/os-release")),
                (ok("upper b"), ok("ID=a"))
            );
            assert_eq!(
                (names(&archive, "/etc/d"), names(&archive, "/")),
                (vec!["z".into()], ["etc", "lib", "usr"].map(str::to_owned).to_vec())
            );
            let config = String::from_utf8(archive.ask(Question::ImageConfig).unwrap()).unwrap();
            assert!(config.contains("\"app\""), "{config}");
        }
    }

    #[test]
    fn one_of_several_images_is_chosen() {
        let mut layout = Layout::default();
        let [a, b] = ["amd64", "arm64"].map(|platform| layout.image(platform, &layers()));
        let nested = format!(
            r#"{{"manifests": [{{{a}, "platform": {{"os": "linux", "architecture": "amd64"}}}}, {{{b}}}]}}"#
        );
        let nested = layout.blob(nested);
        let other = layout.image("riscv64", &layers()[..1]);
        layout.index(&[(nested, "docker.io/library/app:1"), (other, "docker.io/other:latest")]);
        let open = |image: Option<&str>, platform: Option<&str>| {
            let choice =
                Choice { image: image.map(Into::into), platform: platform.map(|p| p.parse().unwrap()) };
            let found = Archive::of_bytes(layout.tar(), &choice);
            found
                .map(|archive| String::from_utf8(archive.config.unwrap()).unwrap())
                .map_err(|e| e.to_string())
        };
        let error = open(None, None).unwrap_err();
        assert!(
            error.contains(
                "app:1 (linux/amd64), docker.io/library/app:1 (linux/arm64), docker.io/other:latest"
            ),
            "{error}"
        );
        assert!(open(Some("app:1"), None).unwrap_err().contains("several images"));
        assert!(open(Some("app:1"), Some("linux/arm64")).unwrap().contains("arm64"));
        assert!(open(Some("other"), None).unwrap().contains("riscv64"));
        let error = open(Some("none"), Some("linux/amd64")).unwrap_err();
        assert!(error.starts_with("holds no image none for linux/amd64; there is: docker.io"), "{error}");
        assert!("linux".parse::<ImagePlatform>().is_err());
    }

    #[test]
    fn what_docker_saved_is_read() {
        let mut layout = Layout::default();
        for (number, layer) in layers().into_iter().enumerate() {
            layout.0.insert(format!("{number}/layer.tar"), layer);
        }
        layout.0.insert("c.json".into(), br#"{"os": "linux", "architecture": "amd64"}"#.to_vec());
        let manifest =
            br#"[{"Config": "c.json", "RepoTags": ["app:1"], "Layers": ["0/layer.tar", "1/layer.tar"]}]"#;
        layout.0.insert("manifest.json".into(), manifest.to_vec());
        let archive = open(layout.tar()).unwrap();
        assert_eq!(read(&archive, "/etc/b"), ok("upper b"));
        layout.0.remove("1/layer.tar");
        let error = open(layout.tar()).unwrap_err().to_string();
        assert_eq!(error, "lacks 1/layer.tar, which its manifest names");
    }

    #[test]
    fn damaged_images_are_refused() {
        let mut layout = Layout::default();
        let image = layout.image("amd64", &layers());
        layout.index(&[(image, "app")]);
        for (path, bytes) in layout.0.clone() {
            let mut shorter = Layout(layout.0.clone());
            shorter.0.insert(path.clone(), bytes[..bytes.len() - 1].to_vec());
            let error = open(shorter.tar()).unwrap_err().to_string();
            assert!(
                ["bytes, and", "is not what its digest says", "makes no sense"]
                    .iter()
                    .any(|told| error.contains(told)),
                "{path}: {error}"
            );
        }
        let text = String::from_utf8(layout.0["index.json"].clone()).unwrap();
        let evil = text.replacen("sha256:", "sha256:../../", 1);
        layout.0.insert("index.json".into(), evil.into());
        let error = open(layout.tar()).unwrap_err().to_string();
        assert!(error.contains("which is no digest"), "{error}");
    }
}

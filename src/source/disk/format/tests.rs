//! All formats against the same disk, whole and in pieces, damaged and hostile. The images are made by fixtures/images/make-formats.

use super::*;
use crate::source::bytes::Held;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::sync::{LazyLock, Mutex};

const ALLOWED: Options = Options { allow_backing: true, watch: Watch::NOBODY };
const ALONE: Options = Options { allow_backing: false, watch: Watch::NOBODY };

/// Images of one file, and what disk they hold.
const SINGLE: [(&str, &str, Format); 18] = [
    ("v2.qcow2", "disk.raw", Format::Qcow2),
    ("v3.qcow2", "disk.raw", Format::Qcow2),
    ("v3-512.qcow2", "disk.raw", Format::Qcow2),
    ("zlib.qcow2", "disk.raw", Format::Qcow2),
    ("zlib-2m.qcow2", "disk.raw", Format::Qcow2),
    ("zstd.qcow2", "disk.raw", Format::Qcow2),
    ("extended.qcow2", "disk.raw", Format::Qcow2),
    ("extended-zstd.qcow2", "disk.raw", Format::Qcow2),
    ("snapshot.qcow2", "snapshot.raw", Format::Qcow2),
    ("sparse.vmdk", "disk.raw", Format::Vmdk),
    ("stream.vmdk", "disk.raw", Format::Vmdk),
    ("stream.ova", "disk.raw", Format::Ova),
    ("fixed.vhd", "disk.raw", Format::Vhd),
    ("dynamic.vhd", "disk.raw", Format::Vhd),
    ("dynamic.vhdx", "disk.raw", Format::Vhdx),
    ("fixed.vhdx", "disk.raw", Format::Vhdx),
    ("dynamic.vdi", "disk.raw", Format::Vdi),
    ("fixed.vdi", "disk.raw", Format::Vdi),
];

/// Images that name other files: these, and what disk they hold.
const NAMING: [(&str, &[&str], &str); 5] = [
    ("over.qcow2", &["disk.raw"], "over.raw"),
    ("over-extended.qcow2", &["over.qcow2", "disk.raw"], "over-extended.raw"),
    ("external.qcow2", &["external.data"], "disk.raw"),
    ("flat.vmdk", &["flat-flat.vmdk"], "disk.raw"),
    ("split.vmdk", &["split-s001.vmdk"], "disk.raw"),
];

/// The file of fixtures/images/formats, unpacked.
fn fixture(name: &str) -> Arc<Vec<u8>> {
    static UNPACKED: LazyLock<Mutex<BTreeMap<String, Arc<Vec<u8>>>>> = LazyLock::new(Mutex::default);
    let mut unpacked = UNPACKED.lock().unwrap();
    let make = || {
        let path = format!("{}/fixtures/images/formats/{name}.zst", env!("CARGO_MANIFEST_DIR"));
        let packed = fs::read(&path).expect(&path);
        let mut bytes = Vec::new();
        ruzstd::decoding::StreamingDecoder::new(&packed[..]).unwrap().read_to_end(&mut bytes).unwrap();
        Arc::new(bytes)
    };
    unpacked.entry(name.into()).or_insert_with(make).clone()
}

fn opened(bytes: Vec<u8>) -> Result<Disk, BadFormat> {
    open_bytes(Arc::new(Held(bytes)), Path::new("/images/disk.img"), &ALONE)
}

fn single(name: &str) -> Disk {
    opened(fixture(name).to_vec()).unwrap()
}

/// A directory with these files.
fn directory(names: &[&str]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for name in names {
        fs::write(directory.path().join(name), &**fixture(name)).unwrap();
    }
    directory
}

fn open_at(path: &Path, options: &Options) -> Result<Disk, BadFormat> {
    open(File::open(path).unwrap(), path, options)
}

/// What of these many bytes there is of the disk, which may be larger by what its format rounds it up to.
fn expected(disk: &[u8], len: u64, at: u64, count: usize) -> Vec<u8> {
    let count = count.min(usize::try_from(len.saturating_sub(at)).unwrap());
    let rest = disk.get(at as usize..).unwrap_or_default();
    let mut bytes = rest[..count.min(rest.len())].to_vec();
    bytes.resize(count, 0);
    bytes
}

fn read(disk: &Disk, at: u64, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0xaa; count];
    let n = disk.bytes.read_at(at, &mut bytes)?;
    bytes.truncate(n);
    Ok(bytes)
}

/// A small generator of numbers, the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end.max(1)
    }
}

/// Reads the whole of it, and pieces at all places; compares them.
fn compare(name: &str, disk: &Disk, expect: &[u8]) {
    let len = disk.bytes.known_len().unwrap();
    assert!(len >= expect.len() as u64 && len < expect.len() as u64 + (2 << 20), "{name}: {len}");
    for count in [len as usize, 1 << 20, 60_000] {
        for at in (0..len).step_by(count) {
            assert!(read(disk, at, count).unwrap() == expected(expect, len, at, count), "{name} at {at}");
        }
    }
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let check = |at: u64, count: usize| {
        let found = read(disk, at, count).unwrap();
        assert!(found == expected(expect, len, at, count), "{name}: {count} bytes at {at}");
    };
    for edge in [0, 512, 4096, 16384, 65536, 66048, 1 << 20, 2 << 20, 4 << 20, expect.len() as u64, len] {
        for at in edge.saturating_sub(3)..edge + 3 {
            for count in [0, 1, 2, 3, 7, 512, 4097, 70_000] {
                check(at, count);
            }
        }
    }
    for _ in 0..200 {
        let count = 1 << numbers.below(17);
        check(numbers.below(len + 10), numbers.below(count) as usize);
    }
    check(u64::MAX - 5, 100);
}

#[test]
fn every_format_reads_as_the_disk_it_was_made_of() {
    for (name, expect, format) in SINGLE {
        let disk = single(name);
        assert_eq!(disk.format, format, "{name}");
        compare(name, &disk, &fixture(expect));
        let len = fixture(name).len();
        assert_eq!(recognise(&fixture(name)[..512], &fixture(name)[len - 512..]), Some(format), "{name}");
    }
    let raw = single("disk.raw");
    assert_eq!(raw.format, Format::Raw);
    compare("raw", &raw, &fixture("disk.raw"));
    assert_eq!(recognise(b"", b""), None);
}

#[test]
fn files_that_an_image_names_are_read_if_that_is_allowed() {
    for (name, others, expect) in NAMING {
        let directory = directory(&[&[name], others].concat());
        let disk = open_at(&directory.path().join(name), &ALLOWED).unwrap();
        compare(name, &disk, &fixture(expect));
        let files: Vec<_> =
            [&[name], others].concat().iter().map(|name| directory.path().join(name)).collect();
        assert_eq!(disk.files, files, "{name}");
    }
}

#[test]
fn files_that_an_image_names_are_not_opened_unless_that_is_allowed() {
    for (name, others, expect) in NAMING {
        let directory = directory(&[&[name], others].concat());
        match open_at(&directory.path().join(name), &ALONE) {
            Err(error) => {
                let text = error.to_string();
                assert!(matches!(error, BadFormat::Elsewhere(..)), "{name}: {text}");
                assert!(text.contains(others[0]) && text.contains("--allow-backing"), "{name}: {text}");
            }
            Ok(disk) => {
                assert_eq!(disk.files, [directory.path().join(name)], "{name}");
                // What the image holds itself is read, and what lies beneath is an error, never zeros.
                let (mut own, mut beneath) = (0, 0);
                for at in (0..disk.bytes.known_len().unwrap()).step_by(512) {
                    match read(&disk, at, 512) {
                        Ok(found) => {
                            assert_eq!(
                                found,
                                expected(&fixture(expect), u64::MAX, at, 512),
                                "{name} at {at}"
                            );
                            own += 1;
                        }
                        Err(error) => {
                            let text = error.to_string();
                            assert!(text.contains(others[0]) && text.contains("--allow-backing"), "{text}");
                            beneath += 1;
                        }
                    }
                }
                assert!(own > 700 && beneath > 5000, "{name}: {own}, {beneath}");
            }
        }
    }
}

#[test]
fn several_threads_read_at_once() {
    for name in ["zlib.qcow2", "extended-zstd.qcow2", "stream.vmdk"] {
        let disk = single(name);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let disk = &disk;
                scope.spawn(move || {
                    let mut numbers = Numbers(thread + 1);
                    for _ in 0..300 {
                        let (at, count) = (numbers.below(5 << 20), numbers.below(9000) as usize);
                        let len = disk.bytes.known_len().unwrap();
                        assert!(
                            read(disk, at, count).unwrap() == expected(&fixture("disk.raw"), len, at, count)
                        );
                    }
                });
            }
        });
    }
}

#[test]
fn bytes_are_counted_and_no_more_are_read_than_needed() {
    for name in ["v3.qcow2", "stream.vmdk", "dynamic.vhdx"] {
        let disk = single(name);
        let before = disk.read.load(std::sync::atomic::Ordering::Relaxed);
        assert!(before > 0, "{name}: its header");
        read(&disk, 65536, 4096).unwrap();
        let first = disk.read.load(std::sync::atomic::Ordering::Relaxed) - before;
        assert!((4096..64 << 10).contains(&first) || name == "stream.vmdk", "{name}: {first}");
        read(&disk, 65536 + 4096, 4096).unwrap();
        let second = disk.read.load(std::sync::atomic::Ordering::Relaxed) - before - first;
        assert!(second <= 4096, "{name}: {second}");
    }
}

/// A qcow2 image of a few clusters, over a backing file of this name.
fn over(name: &[u8], format: Option<&[u8]>) -> Vec<u8> {
    let mut image = vec![0; 4 << 16];
    let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"QFI\xfb\0\0\0\x03");
    put(20, &16_u32.to_be_bytes());
    put(24, &(1_u64 << 20).to_be_bytes());
    put(36, &1_u32.to_be_bytes());
    put(40, &(1_u64 << 16).to_be_bytes());
    put(100, &104_u32.to_be_bytes());
    if let Some(format) = format {
        put(104, &0xe279_2aca_u32.to_be_bytes());
        put(108, &(format.len() as u32).to_be_bytes());
        put(112, format);
    }
    put(8, &1024_u64.to_be_bytes());
    put(16, &(name.len() as u32).to_be_bytes());
    put(1024, name);
    image
}

#[test]
fn only_regular_files_are_opened_and_loops_end() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir(at("directory")).unwrap();
    nix::unistd::mkfifo(&at("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::write(at("self"), over(b"self", Some(b"qcow2"))).unwrap();
    fs::write(at("one"), over(b"two", None)).unwrap();
    fs::write(at("two"), over(b"./one", None)).unwrap();
    fs::write(at("loop.vmdk"), "# Disk DescriptorFile\nRW 1 FLAT \"fifo\" 0\n").unwrap();
    for number in 0..40 {
        let next = format!("chain{}", number + 1);
        fs::write(at(&format!("chain{number}")), over(next.as_bytes(), Some(b"qcow2"))).unwrap();
    }
    let error = |name: &str| open_at(&at(name), &ALLOWED).unwrap_err().to_string();
    for (name, told) in [
        ("self", "itself"),
        ("one", "itself"),
        ("chain0", "32 backing files"),
        ("chain20", "No such file"),
        ("loop.vmdk", "no regular file"),
    ] {
        assert!(error(name).contains(told), "{name}: {}", error(name));
    }
    for (backing, told) in [
        (&b"fifo"[..], "no regular file"),
        (b"directory", "no regular file"),
        (b"/dev/zero", "no regular file"),
        (b"absent", "absent: No such file"),
        (b"", "no path"),
        (b"a\0b", "no path"),
        (&[b'a'; 1000], "no path|name too long"),
        (b"nbd://host/disk", "names nbd://host/disk, which is no path"),
        (b"json:{}", "no path"),
    ] {
        fs::write(at("top"), over(backing, None)).unwrap();
        let told_of = error("top").to_lowercase();
        let is_told = told.split('|').any(|told| told_of.contains(&told.to_lowercase()));
        assert!(is_told, "{}: {told_of}", backing.escape_ascii());
    }
    fs::write(at("top"), over(b"fifo", Some(b"luks"))).unwrap();
    assert!(error("top").contains("format luks"), "{}", error("top"));
}

#[test]
fn a_backing_file_said_to_be_raw_is_not_looked_into() {
    let directory = directory(&["v3.qcow2"]);
    let top = directory.path().join("top");
    fs::write(&top, over(b"file:v3.qcow2", Some(b"raw"))).unwrap();
    let disk = open_at(&top, &ALLOWED).unwrap();
    assert_eq!(read(&disk, 0, 4).unwrap(), b"QFI\xfb");
    // Beyond its end it is zeros.
    fs::write(directory.path().join("short"), "text").unwrap();
    fs::write(&top, over(b"short", Some(b"raw"))).unwrap();
    let disk = open_at(&top, &ALLOWED).unwrap();
    assert_eq!(read(&disk, 2, 5).unwrap(), b"xt\0\0\0");
    assert_eq!(read(&disk, 600_000, 5).unwrap(), [0; 5]);
}

#[test]
fn absurd_headers_are_refused_with_what_is_wrong() {
    let be32 = |n: u32| n.to_be_bytes().to_vec();
    let be64 = |n: u64| n.to_be_bytes().to_vec();
    let le32 = |n: u32| n.to_le_bytes().to_vec();
    let le64 = |n: u64| n.to_le_bytes().to_vec();
    let cases: Vec<(&str, usize, Vec<u8>, &str)> = vec![
        ("v3.qcow2", 4, be32(1), "of version 1, which cannot be read here; convert it: `qemu-img convert"),
        ("v3.qcow2", 4, be32(4), "of version 4"),
        ("v3.qcow2", 20, be32(0), "its clusters are of 2^0 bytes"),
        ("v3.qcow2", 20, be32(8), "2^8"),
        ("v3.qcow2", 20, be32(22), "2^22"),
        ("v3.qcow2", 20, be32(63), "2^63"),
        ("v3.qcow2", 20, be32(u32::MAX), "2^4294967295"),
        ("extended.qcow2", 20, be32(13), "2^13"),
        ("v3.qcow2", 24, be64(u64::MAX), "too small"),
        ("v3.qcow2", 32, be32(1), "encrypted qcow2 image; decrypt it"),
        ("v3.qcow2", 32, be32(2), "encrypted"),
        ("v3.qcow2", 32, be32(3), "encryption 3"),
        ("v3.qcow2", 36, be32(0), "too small"),
        ("v3.qcow2", 36, be32(1 << 31), "its L1 table is of 2147483648 entries"),
        ("v3.qcow2", 36, be32(4 << 20), "its L1 table is at"),
        ("v3.qcow2", 40, be64(1 << 50), "its L1 table is at byte 1125899906842624"),
        ("v3.qcow2", 40, be64(!0xffff), "its L1 table is at"),
        ("v3.qcow2", 40, be64(0x30200), "its L1 table is at byte 197120"),
        ("v3.qcow2", 72, be64(2), "marked as corrupt"),
        ("v3.qcow2", 72, be64(1 << 40), "incompatible features (0x10000000000)"),
        ("v3.qcow2", 72, be64(8), "contradicts itself"),
        ("v3.qcow2", 72, be64(4), "does not name"),
        ("v3.qcow2", 100, be32(72), "its header is of 72 bytes"),
        ("v3.qcow2", 100, be32(105), "its header is of 105 bytes"),
        ("v3.qcow2", 100, be32(u32::MAX - 7), "does not fit"),
        ("v3.qcow2", 116, be32(u32::MAX), "the extension of its header"),
        ("zstd.qcow2", 104, vec![2], "compression 2"),
        ("zstd.qcow2", 104, vec![0], "contradicts itself"),
        ("over.qcow2", 16, be32(1 << 20), "the name of its backing file is of 1048576 bytes"),
        ("over.qcow2", 8, be64(1 << 40), "the name of its backing file"),
        ("sparse.vmdk", 4, le32(4), "of version 4"),
        ("sparse.vmdk", 12, le64(u64::MAX), "sectors"),
        ("sparse.vmdk", 12, le64(1 << 40), "its directory of"),
        ("sparse.vmdk", 20, le64(0), "in grains of 0"),
        ("sparse.vmdk", 20, le64(3), "in grains of 3"),
        ("sparse.vmdk", 20, le64(1 << 63), "in grains of"),
        ("sparse.vmdk", 36, le64(1 << 60), "description is larger"),
        ("sparse.vmdk", 44, le32(0), "tables of 0"),
        ("sparse.vmdk", 44, le32(u32::MAX), "tables of 4294967295"),
        ("sparse.vmdk", 56, le64(1 << 62), "directory is beyond"),
        ("sparse.vmdk", 56, le64(u64::MAX), "no footer at its end"),
        ("stream.vmdk", 77, vec![0, 0], "no footer at its end|compression 0"),
        ("dynamic.vhd", 512, b"x".to_vec(), "its header is none"),
        ("dynamic.vhd", 512 + 32, be32(3), "checksum"),
        ("dynamic.vdi", 68, le32(0), "of version 0.0"),
        ("dynamic.vdi", 76, le32(4), "differs from another"),
        ("dynamic.vdi", 376, le32(0), "blocks are of 0 bytes"),
        ("dynamic.vdi", 384, le32(1), "too small"),
        ("dynamic.vdi", 384, le32(u32::MAX), "beyond its end"),
        ("dynamic.vdi", 340, le32(u32::MAX), "beyond its end"),
        ("dynamic.vhdx", 192 << 10, b"x".to_vec(), ""),
        ("stream.ova", 124, b"77777777777\0".to_vec(), "within a member"),
        ("stream.ova", 124, b"x".to_vec(), "size of a member"),
    ];
    for (name, at, bytes, told) in cases {
        let mut image = fixture(name).to_vec();
        image[at..at + bytes.len()].copy_from_slice(&bytes);
        match opened(image) {
            Ok(_) => assert_eq!(told, "", "{name} with {bytes:?} at {at}"),
            Err(error) => {
                let text = error.to_string();
                let is_told = told.split('|').any(|told| text.contains(told));
                assert!(is_told && !told.is_empty(), "{name} with {bytes:?} at {at}: {text}");
                assert!(text.len() < 400, "{text}");
            }
        }
    }
}

#[test]
fn tables_that_lead_nowhere_are_errors_where_they_are_read() {
    // The L1 table of this image is in the fourth cluster, its L2 table in the fifth.
    let l1 = 3 << 16;
    let l2 = 4 << 16;
    let told_of = |name: &str, at: usize, entry: u64| {
        let mut image = fixture(name).to_vec();
        image[at..at + 8].copy_from_slice(&entry.to_be_bytes());
        let disk = opened(image).unwrap();
        let rest = read(&disk, 1 << 20, 512).is_ok();
        (read(&disk, 0, 512).map_err(|error| error.to_string()), rest)
    };
    let l2_of =
        |name: &str| u64::from_be_bytes(fixture(name)[l1..l1 + 8].try_into().unwrap()) & 0xff_ffff_ffff_fe00;
    assert_eq!(l2_of("v3.qcow2"), l2 as u64);
    for (at, entry, told) in [
        (l1, 1 << 50, "ends at byte"),
        (l1, 0x200, "L1 table for byte 0"),
        (l1, 1 << 57 | l2 as u64, "L1 table"),
        (l2, 1 << 63 | 0x7fff_ffff_0000, "ends at byte"),
        (l2, 1 << 63 | 0x5_0200, "L2 table for byte 0"),
        (l2, 1 << 57 | 0x5_0000, "L2 table"),
        (l2, 1 << 62 | 1 << 40, "ends at byte"),
        (l2, 1 << 62, "compressed cluster"),
        (l2, u64::MAX, "L2 table"),
    ] {
        let (found, rest) = told_of("v3.qcow2", at, entry);
        let text = found.unwrap_err();
        assert!(text.contains(told), "{entry:#x} at {at}: {text}");
        assert_eq!(rest, at == l2, "{entry:#x} at {at}");
    }
    // An L2 table that is its own data, or the L1 table, is read as that, and ends.
    assert!(told_of("v3.qcow2", l2, 1 << 63 | l2 as u64).0.is_ok());
    told_of("v3.qcow2", l1, 1 << 63 | l1 as u64).0.unwrap_or_default();
    // Zeros, which version 2 does not have.
    assert_eq!(told_of("v3.qcow2", l2, 1).0.unwrap(), [0; 512]);
    let l1_of_2 = u64::from_be_bytes(fixture("v2.qcow2")[40..48].try_into().unwrap()) as usize;
    let l2_of_2 = u64::from_be_bytes(fixture("v2.qcow2")[l1_of_2..l1_of_2 + 8].try_into().unwrap());
    let l2_of_2 = (l2_of_2 & 0xff_ffff_ffff_fe00) as usize;
    assert!(told_of("v2.qcow2", l2_of_2, 1).0.unwrap_err().contains("L2 table"));
    // Subclusters that are allocated and zeros at once.
    let bitmap = l2_of("extended.qcow2") as usize + 8;
    assert!(told_of("extended.qcow2", bitmap, u64::MAX).0.unwrap_err().contains("L2 table"));
}

#[test]
fn a_log_that_is_to_be_replayed_is_refused_and_one_of_two_copies_is_enough() {
    let mut image = fixture("dynamic.vhdx").to_vec();
    // The other header is the older one, or alike.
    for header in [64 << 10, 128 << 10] {
        let mut broken = image.clone();
        broken[header + 8] ^= 1;
        assert!(opened(broken).is_ok(), "{header}");
    }
    let log = u64::from_le_bytes(image[(64 << 10) + 72..][..8].try_into().unwrap()) as usize;
    for header in [64 << 10, 128 << 10] {
        image[header + 48..header + 64].fill(7);
        image[header + 4..header + 8].fill(0);
        // The checksum of this header, by the same function: what is tried here is the log.
        let checksum = crate::source::disk::checksum::crc32c(&image[header..header + 4096]);
        image[header + 4..header + 8].copy_from_slice(&checksum.to_le_bytes());
    }
    assert!(opened(image.clone()).is_ok(), "an empty log");
    image[log + 8192..log + 8196].copy_from_slice(b"loge");
    image[log + 8192 + 32..log + 8192 + 48].fill(7);
    let error = opened(image.clone()).unwrap_err().to_string();
    assert!(error.contains("not closed") && error.contains("qemu-img convert"), "{error}");
    image[log + 8192 + 32] = 8;
    assert!(opened(image.clone()).is_ok(), "an entry of another log");
    image[64 << 10] = 0;
    image[128 << 10] = 0;
    assert!(opened(image).unwrap_err().to_string().contains("neither of its headers"));
}

#[test]
fn a_footer_that_is_lost_is_replaced_by_its_copy() {
    let image = fixture("dynamic.vhd");
    let mut cut = image.to_vec();
    cut.truncate(image.len() - 512);
    compare("dynamic.vhd without its footer", &opened(cut).unwrap(), &fixture("disk.raw"));
    let mut cut = image.to_vec();
    cut[100] ^= 1;
    compare("dynamic.vhd with a damaged copy", &opened(cut.clone()).unwrap(), &fixture("disk.raw"));
    let end = cut.len();
    cut[end - 400] ^= 1;
    assert!(opened(cut).unwrap_err().to_string().contains("checksum"));
    let fixed = fixture("fixed.vhd");
    let footer = fixed[fixed.len() - 512..].to_vec();
    let short = [&fixed[..1 << 20], &footer].concat();
    assert!(opened(short).unwrap_err().to_string().contains("not copied whole"));
}

#[test]
fn an_ova_with_no_disk_or_several_is_to_be_unpacked() {
    let ova = fixture("stream.ova");
    // The first member is of two blocks, and two of zeros are the end.
    let none = [&ova[..1024], &[0; 1024]].concat();
    assert!(opened(none).unwrap_err().to_string().contains("without a VMDK"));
    let vmdk = fixture("stream.vmdk").len().next_multiple_of(512) + 512;
    let two = [&ova[..1024 + vmdk], &ova[1024..]].concat();
    assert!(opened(two).unwrap_err().to_string().contains("2 disks"));
}

/// An image with some bytes changed, and maybe cut.
#[derive(Debug)]
struct Changed {
    of: Arc<Vec<u8>>,
    bytes: BTreeMap<usize, u8>,
    len: usize,
}

impl Changed {
    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(&at).copied().unwrap_or(self.of[at])
    }
}

impl Bytes for Changed {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let at = (at as usize).min(self.len);
        let n = into.len().min(self.len - at);
        into[..n].copy_from_slice(&self.of[at..at + n]);
        for (place, byte) in self.bytes.range(at..at + n) {
            into[place - at] = *byte;
        }
        Ok(n)
    }

    fn known_len(&self) -> Option<u64> {
        Some(self.len as u64)
    }
}

/// Every answer of a damaged image is a value or an error, and comes soon. More rounds are made if `HOSTVET_ROUNDS` says so.
#[test]
fn damaged_images_are_read_without_a_panic_and_in_bounded_time() {
    let rounds = std::env::var("HOSTVET_ROUNDS").map_or(60, |rounds| rounds.parse().unwrap());
    let mut numbers = Numbers(0x1234_5678_9abc_def1);
    let mut opens = [0, 0];
    for (name, _, format) in SINGLE {
        let whole = fixture(name);
        // Where something else than zeros is; in half of the rounds near the start, where headers and tables are.
        let sectors: Vec<usize> =
            (0..whole.len() / 512).filter(|at| whole[at * 512..][..512] != [0; 512]).collect();
        for round in 0..rounds {
            let mut image = Changed { of: whole.clone(), bytes: BTreeMap::new(), len: whole.len() };
            for _ in 0..=numbers.below(3) {
                let near = [1, 12, u64::MAX, u64::MAX][round % 4];
                let sector = 512 * sectors[numbers.below(near.min(sectors.len() as u64)) as usize];
                let used: Vec<usize> = (sector..sector + 512).filter(|at| whole[*at] != 0).collect();
                let at = used[numbers.below(used.len() as u64) as usize];
                match round % 5 {
                    0..=2 => {
                        image.bytes.insert(at, whole[at] ^ 1 << numbers.below(8));
                    }
                    3 => {
                        image.bytes.insert(at, [0, 1, 0x7f, 0xff][numbers.below(4) as usize]);
                    }
                    _ => {
                        let fill = [0, 0xff][numbers.below(2) as usize];
                        image.bytes.extend((at..(at + 8).min(whole.len())).map(|at| (at, fill)));
                    }
                }
            }
            if round % 7 == 0 {
                image.len = numbers.below(whole.len() as u64) as usize;
                image.bytes =
                    image.bytes.split_off(&0).into_iter().filter(|(at, _)| *at < image.len).collect();
            }
            if format == Format::Vhd && round % 3 > 0 {
                repair(&mut image);
            }
            let disk = open_bytes(Arc::new(image), Path::new("damaged"), &ALONE);
            opens[usize::from(disk.is_ok())] += 1;
            let Ok(disk) = disk else { continue };
            let len = disk.bytes.known_len().unwrap();
            for at in [0, 65536, 1 << 20, 2 << 20, 5 << 20, len.saturating_sub(512), u64::MAX - 9, 1 << 40] {
                for count in [1, 512, 10_000] {
                    if let Ok(found) = read(&disk, at, count) {
                        assert_eq!(found.len() as u64, (count as u64).min(len.saturating_sub(at)), "{name}");
                    }
                }
            }
        }
    }
    assert!(opens[0] > 50 && opens[1] > 300, "{opens:?}");
}

/// The checksums of a VHD, or else most of what is damaged there would not be read.
fn repair(image: &mut Changed) {
    for (at, len, own) in [(0, 512, 64), (512, 1024, 36), (image.len.saturating_sub(512), 512, 64)] {
        if at + len <= image.len {
            let part: Vec<u8> = (at..at + len).map(|at| image.byte(at)).collect();
            let sum = super::vhd::checksum(&part, own).to_be_bytes();
            image.bytes.extend((at + own..).zip(sum));
        }
    }
}

#[test]
fn compressed_clusters_with_any_contents_take_bounded_memory_and_time() {
    use packing::Packing;
    let mut numbers = Numbers(42);
    for packing in [Packing::Deflate, Packing::Zlib, Packing::Zstd] {
        for round in 0..2000 {
            let mut packed: Vec<u8> = (0..numbers.below(400)).map(|_| numbers.below(256) as u8).collect();
            if round % 2 == 0 && packing == Packing::Zstd {
                packed.splice(0..0, *b"\x28\xb5\x2f\xfd");
            }
            if let Ok(bytes) = packing.unpack(&packed, 4096) {
                assert!(bytes.len() <= 4096);
            }
        }
    }
    // A frame with a window of 1 GiB, and one whose blocks are all of 128 KiB of zeros.
    let large = [&b"\x28\xb5\x2f\xfd\0"[..], &[(30 - 10) << 3], &[3, 0, 0, 0]].concat();
    assert!(Packing::Zstd.unpack(&large, 4096).unwrap_err().to_string().contains("zstd"));
    let block = [2, 0, 0x10, 0];
    let many = [&b"\x28\xb5\x2f\xfd\0"[..], &[(17 - 10) << 3], &block.repeat(1 << 18)].concat();
    assert_eq!(Packing::Zstd.unpack(&many, 65536).unwrap(), vec![0; 65536]);
}

/// With many images in a directory that fixtures/images/make-formats --many has made.
#[test]
fn what_qemu_reads_is_read() {
    let Some(directory) = std::env::var_os("HOSTVET_FORMATS") else { return };
    let directory = Path::new(&directory);
    let sizes = fs::read_to_string(directory.join("sizes")).unwrap();
    let sizes: BTreeMap<&str, u64> = (sizes.lines())
        .map(|line| line.split_once(' ').unwrap())
        .map(|(name, size)| (name, size.parse().unwrap()))
        .collect();
    let mut compared = 0;
    let mut names: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    for path in names {
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_part = name.ends_with(".data")
            || name.contains("-flat.")
            || name.contains("-s0")
            || name.contains("-f0");
        if is_part || name.ends_with(".raw") || name == "sizes" {
            continue;
        }
        let own = path.with_extension("raw");
        let raw = if own.exists() { own } else { directory.join("disk.raw") };
        let disk = open_at(&path, &ALLOWED).unwrap_or_else(|error| panic!("{name} {error}"));
        compare(name, &disk, &fs::read(raw).unwrap());
        if disk.format != Format::Ova {
            assert_eq!(disk.bytes.known_len(), Some(sizes[name]), "{name}");
        }
        compared += 1;
    }
    assert!(compared > 60, "{compared}");
}

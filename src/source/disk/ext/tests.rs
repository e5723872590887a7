//! Held to what Linux itself lists of the same images (fixtures/images/make-extfat), to another reader, and to damage.

use super::*;
use crate::source::bytes::FileBytes;
use crate::source::bytes::Held;
use crate::source::disk::harness::{
    Damaged, exhaust, held, image, same_as_listed, used_by_metadata, walk, words,
};

/// Every kind of ext2, ext3 and ext4.
const KINDS: [&str; 10] = [
    "ext2",
    "ext3",
    "ext4",
    "ext4-1k",
    "ext4-inline",
    "ext4-2008",
    "ext4-meta-bg",
    "ext4-bigalloc",
    "ext4-casefold",
    "ext4-untyped",
];

/// Those whose journal is to be replayed.
const UNCLEAN: [&str; 2] = ["ext4-journal", "ext3-journal"];

fn opened(name: &str) -> Arc<dyn FileSystem> {
    open(held(&format!("extfat/{name}.img.zst"))).unwrap()
}

fn list(name: &str) -> String {
    String::from_utf8(image(&format!("extfat/{name}.list.zst"))).unwrap()
}

/// What Linux told with statvfs(3).
fn space(list: &str) -> Space {
    list.lines().find_map(|line| line.strip_prefix("# ")).unwrap().parse().unwrap()
}

#[test]
fn all_is_as_linux_sees_it() {
    for name in KINDS {
        let (fs, list) = (opened(name), list(name));
        same_as_listed(&*fs, &list);
        assert_eq!(fs.space(), Ok(space(&list)), "{name}");
        assert_eq!(fs.stale(), None);
    }
}

#[test]
fn a_journal_is_replayed_in_memory() {
    for name in UNCLEAN {
        let (fs, list) = (opened(name), list(name));
        same_as_listed(&*fs, &list);
        assert_eq!(fs.space(), Ok(space(&list)), "{name}");
        assert_eq!(fs.lstat(Path::new("/etc/hostname")), Err(Missing::Absent), "it was renamed");
    }
}

#[test]
fn fast_commits_are_not_replayed_and_said_so() {
    let fs = opened("ext4-fast-commit");
    let stale = fs.stale().unwrap();
    assert!(stale.contains("fast commits"), "{stale}");
    assert_eq!(fs.lstat(Path::new("/etc/hostname")), Err(Missing::Absent), "all before them is replayed");
}

#[test]
fn what_is_asked_wrongly_is_told() {
    let fs = opened("ext4");
    let at = Path::new;
    assert_eq!(fs.lstat(at("/etc/hostname/below")), Err(Missing::Absent));
    assert_eq!(fs.lstat(at("/none/below")), Err(Missing::Absent));
    let wrong = |kind| Reason::WrongKind(kind);
    assert_eq!(
        fs.list(at("/etc/hostname")),
        Err(Missing::unreadable("/etc/hostname", wrong("a regular file")))
    );
    assert_eq!(fs.read_at(at("/etc"), 0, 9), Err(Missing::unreadable("/etc", wrong("a directory"))));
    assert_eq!(
        fs.read_at(at("/links/short"), 0, 9),
        Err(Missing::unreadable("/links/short", wrong("a symbolic link")))
    );
    assert_eq!(fs.read_link(at("/special/fifo")), Err(Missing::unreadable("/special/fifo", wrong("a FIFO"))));
}

#[test]
fn a_part_of_a_file_is_read_wherever_it_is() {
    for name in ["ext2", "ext4"] {
        let fs = opened(name);
        let huge = Path::new("/holes/five-gigabytes");
        assert_eq!(fs.read_at(huge, (5 << 30) - 3, 100), Ok(b"\0\0\0the end".to_vec()));
        assert_eq!(fs.read_at(huge, 1 << 40, 100), Ok(Vec::new()));
        let large = Path::new("/large/three-megabytes");
        assert_eq!(fs.read_at(large, 2_999 * 1024 - 4, 12), Ok(b"998\n0002999\n".to_vec()));
        assert_eq!(fs.read_at(large, 3000 * 1024 + 1, usize::MAX), Ok(b"nd".to_vec()));
    }
}

/// The image, with these bytes at this place.
fn with(name: &str, at: usize, bytes: &[u8]) -> Result<Arc<dyn FileSystem>, Reason> {
    let mut image = image(&format!("extfat/{name}.img.zst"));
    image[at..at + bytes.len()].copy_from_slice(bytes);
    open(Arc::new(Held(image)))
}

#[test]
fn what_cannot_be_read_is_told_why() {
    let why = |opened: Result<Arc<dyn FileSystem>, Reason>| opened.unwrap_err().to_string();
    assert!(why(open(Arc::new(Held(vec![0; 100])))).contains("too short"));
    assert!(why(open(Arc::new(Held(vec![0; 4096])))).contains("no superblock"));
    let whole = image("extfat/ext4.img.zst");
    let cut = why(open(Arc::new(Held(whole[..whole.len() - 1].to_vec()))));
    assert!(cut.contains("cut off"), "{cut}");
    assert!(why(with("ext2", 1024 + 0x60, &[3, 0, 0, 0])).contains("compressed files"));
    assert!(why(with("ext2", 1024 + 0x60, &[2, 0, 0, 0x80])).contains("0x80000000"));
    assert!(why(with("ext2", 1024 + 0x20, &[0; 4])).contains("do not fit together"));
    assert!(why(with("ext2", 1024 + 4, &[0xff; 4])).contains("do not fit together"), "2^32 blocks");
    assert!(why(with("ext4", 1024 + 0x78, b"other")).contains("checksum is wrong"));
    // All block groups of the first image: their descriptors begin in its third block.
    let fs = with("ext4", 4096, &[0xff; 64]).unwrap();
    let root = words(&fs.lstat(Path::new("/")).unwrap_err());
    assert!(root.contains("block group 0 is damaged"), "{root}");
}

#[test]
fn damage_is_never_more_than_unreadable() {
    for name in ["ext2", "ext3-journal", "ext4-1k", "ext4-inline", "ext4-journal", "ext4-meta-bg"] {
        let image = Arc::new(image(&format!("extfat/{name}.img.zst")));
        let sectors = used_by_metadata(&image);
        let (mut values, mut reasons) = (0, 0);
        for seed in 0..60 {
            let damaged = Arc::new(Damaged::among(&image, &sectors, seed, 64 << 20));
            match open(damaged.clone()) {
                Ok(fs) => {
                    let met = exhaust(&*fs, 60);
                    values += met.values;
                    reasons += met.reasons.len();
                }
                Err(reason) => assert!(reason.to_string().len() > 8, "{reason}"),
            }
            assert!(!damaged.overdrawn(), "{name}, {}", damaged.done);
        }
        assert!(values > 1000 && reasons > 0, "{name}: {values} values, {reasons} reasons");
    }
}

/// `HOSTVET_EXT_IMAGE=FILE cargo test --release --lib how_long -- --ignored --nocapture`
#[test]
#[ignore = "is a measurement"]
#[allow(clippy::print_stderr)]
fn how_long_a_walk_takes() {
    let Some(file) = std::env::var_os("HOSTVET_EXT_IMAGE") else { return };
    let bytes = || Arc::new(FileBytes::new(std::fs::File::open(&file).unwrap()).unwrap());
    let timed = |what: &str, run: &dyn Fn() -> usize| {
        let start = std::time::Instant::now();
        let n = run();
        eprintln!("{what}: {n} in {:?}", start.elapsed());
    };
    let known = walk(&*open(bytes()).unwrap(), usize::MAX);
    timed("walk of all", &|| walk(&*open(bytes()).unwrap(), usize::MAX).len());
    timed("4000 lstat", &|| {
        let fs = open(bytes()).unwrap();
        let step = (known.len() / 4000).max(1);
        known.iter().step_by(step).take(4000).filter(|(path, _)| fs.lstat(path).is_ok()).count()
    });
    timed("4000 lstat of the first names", &|| {
        let fs = open(bytes()).unwrap();
        known.iter().take(4000).filter(|(path, _)| fs.lstat(path).is_ok()).count()
    });
    timed("bytes of all files", &|| {
        let fs = open(bytes()).unwrap();
        let files = known.iter().filter(|(_, kind)| *kind == FileKind::File);
        files.map(|(path, _)| fs.read_at(path, 0, 256 << 20).unwrap().len()).sum()
    });
}
